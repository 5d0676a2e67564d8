//! A request of OpenTelemetry's in protocol buffers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message as _;
use rollcall::web::ingest::otlp::{Outline, Request, of_protobuf, records};
use rollcall_fuzz::{Held, SENDER, holds};

fuzz_target!(|input: &[u8]| {
    let outline = Outline::of_protobuf(input);
    assert_eq!(outline.excess(), None, "there are {} bytes", input.len());
    let read = of_protobuf(input);
    let Ok(request) = ExportLogsServiceRequest::decode(input) else {
        // What is wrong with a record costs no other, and nothing that is taken is more than was sent.
        for record in read.map(|request| records(request, SENDER.to_owned())).into_iter().flatten() {
            holds(&record, input.len() * 3);
        }
        return;
    };
    // What can be read as a whole is the same record by record; as text, since a number that is none is not even itself.
    let whole = Request::from(request.clone());
    assert_eq!(format!("{:?}", read.expect("it is one")), format!("{whole:?}"));
    // Nothing is let through that was not counted.
    let held = Held::of(&request);
    assert!(held.records <= outline.records && held.parts <= outline.parts, "{held:?} of {outline:?}");
    // What is written as it should be is counted to the last.
    let Outline { records: counted, parts } = Outline::of_protobuf(&request.encode_to_vec());
    assert_eq!(Held { records: counted, parts }, held);
    let records_sent = request.resource_logs.iter().flat_map(|logs| &logs.scope_logs);
    let sent: usize = records_sent.map(|logs| logs.log_records.len()).sum();
    let mut taken = 0;
    for record in records(request.into(), SENDER.to_owned()) {
        holds(&record, input.len());
        taken += 1;
    }
    assert_eq!(taken, sent, "each has its answer");
});
