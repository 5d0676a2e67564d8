//! A request of OpenTelemetry's in JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    logs::v1::{ResourceLogs, ScopeLogs},
};
use prost::Message as _;
use rollcall::web::ingest::{
    Record,
    otlp::{Outline, Request, of_json, records},
};
use rollcall_fuzz::{Held, SENDER, holds};

/// What could be read of a request, as a whole; of what could not the places stay.
fn whole(request: &Request) -> ExportLogsServiceRequest {
    fn one<M: Clone + Default>(piece: &Result<M, String>) -> M {
        piece.clone().unwrap_or_default()
    }
    let resource_logs = request.resource_logs.iter().map(|logs| {
        let scope_logs = logs.scope_logs.iter().map(|logs| ScopeLogs {
            scope: logs.scope.as_ref().map(one),
            log_records: logs.log_records.iter().map(one).collect(),
            ..ScopeLogs::default()
        });
        ResourceLogs {
            resource: logs.resource.as_ref().map(one),
            scope_logs: scope_logs.collect(),
            ..ResourceLogs::default()
        }
    });
    ExportLogsServiceRequest { resource_logs: resource_logs.collect() }
}

fuzz_target!(|input: &[u8]| {
    let outline = Outline::of_json(input);
    assert_eq!(outline.excess(), None, "there are {} bytes", input.len());
    let Ok(request) = of_json(input) else { return };
    let whole = whole(&request);
    let all_read = request == whole.clone().into();
    // Nothing is let through that was not counted; among the parts are the records too, in JSON.
    let held = Held::of(&whole);
    assert!(held.records <= outline.records, "{held:?} of {outline:?}");
    assert!(held.records + held.parts <= outline.parts, "{held:?} of {outline:?}");
    let read = |request| records(request, SENDER.to_owned()).collect::<Vec<Record>>();
    let in_protobuf = ExportLogsServiceRequest::decode(whole.encode_to_vec().as_slice());
    let taken = read(request);
    for record in &taken {
        // A byte that is no text is written in three.
        holds(record, input.len() * 3);
    }
    // It is the same request in protocol buffers, but for what lies deeper than they go.
    if let Ok(request) = in_protobuf
        && all_read
    {
        assert_eq!(read(request.into()), taken);
    }
});
