//! A request of OpenTelemetry's in JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message as _;
use rollcall::web::ingest::{
    Record,
    otlp::{Outline, of_json, records},
};
use rollcall_fuzz::{Held, SENDER, holds};

fuzz_target!(|input: &[u8]| {
    let outline = Outline::of_json(input);
    assert_eq!(outline.excess(), None, "there are {} bytes", input.len());
    let Ok(request) = of_json(input) else { return };
    // Nothing is let through that was not counted; among the parts are the records too, in JSON.
    let held = Held::of(&request);
    assert!(held.records <= outline.records, "{held:?} of {outline:?}");
    assert!(held.records + held.parts <= outline.parts, "{held:?} of {outline:?}");
    let read = |request| records(request, SENDER.to_owned()).collect::<Vec<Record>>();
    let in_protobuf = ExportLogsServiceRequest::decode(request.encode_to_vec().as_slice());
    let taken = read(request);
    for record in &taken {
        holds(record, input.len());
    }
    // It is the same request in protocol buffers, but for what lies deeper than they go.
    if let Ok(request) = in_protobuf {
        assert_eq!(read(request), taken);
    }
});
