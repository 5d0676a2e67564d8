//! OTLP in protocol buffers, cut at its records: each is read by itself.
//!
//! A reader of protocol buffers takes a message as a whole or not at all, and one text that is no UTF-8 is enough for that. Exporters do
//! not send again what was refused with 400, so one bad record would cost all that were sent with it.

use std::{borrow::Cow, ops::RangeInclusive};

use prost::{
    Message,
    encoding::{DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field},
};

use super::{
    NO_TEXT, Piece, Request, ResourceLogs, ScopeLogs,
    outline::{DEPTH, Kind},
};
use crate::{model::activity::limits, web::ingest::json::too_long};

/// The fields that a request has, and those of the messages between it and its records. All of them hold bytes.
const OF_REQUEST: RangeInclusive<u32> = 1..=1;
const OF_LOGS: RangeInclusive<u32> = 1..=3;

/// The longest reason that is given with the way to what it is about, in bytes.
const WHY: usize = 300;

/// What is no message of protocol buffers, or is broken off.
#[derive(Debug, thiserror::Error)]
#[error("the bytes are no message of protocol buffers")]
pub struct Broken;

/// Reads a request.
pub fn read(bytes: &[u8]) -> Result<Request, Broken> {
    let mut request = Request::default();
    each(bytes, OF_REQUEST, |field, inside| {
        if field == 1 {
            request.resource_logs.push(resource_logs(inside)?);
        }
        Ok(())
    })?;
    Ok(request)
}

fn resource_logs(bytes: &[u8]) -> Result<ResourceLogs, Broken> {
    let (mut logs, mut resource) = (ResourceLogs::default(), None::<Vec<u8>>);
    each(bytes, OF_LOGS, |field, inside| {
        match field {
            // A message that comes again adds to the one before, as its bytes would behind those of that.
            1 => resource.get_or_insert_default().extend_from_slice(inside),
            2 => logs.scope_logs.push(scope_logs(inside)?),
            _ => {}
        }
        Ok(())
    })?;
    logs.resource = resource.map(|bytes| piece(Kind::Resource, &bytes));
    Ok(logs)
}

fn scope_logs(bytes: &[u8]) -> Result<ScopeLogs, Broken> {
    let (mut logs, mut scope) = (ScopeLogs::default(), None::<Vec<u8>>);
    each(bytes, OF_LOGS, |field, inside| {
        match field {
            1 => scope.get_or_insert_default().extend_from_slice(inside),
            2 => logs.log_records.push(piece(Kind::Record, inside)),
            _ => {}
        }
        Ok(())
    })?;
    logs.scope = scope.map(|bytes| piece(Kind::Scope, &bytes));
    Ok(logs)
}

/// Walks through the fields of a message that hold bytes, as those do that it `has`; a field that nobody knows may hold anything.
fn each(
    mut rest: &[u8],
    has: RangeInclusive<u32>,
    mut take: impl FnMut(u32, &[u8]) -> Result<(), Broken>,
) -> Result<(), Broken> {
    while !rest.is_empty() {
        let (field, wire) = decode_key(&mut rest).map_err(|_| Broken)?;
        if wire == WireType::LengthDelimited {
            take(field, delimited(&mut rest).ok_or(Broken)?)?;
        } else if has.contains(&field) {
            return Err(Broken);
        } else {
            skip_field(wire, field, &mut rest, DecodeContext::default()).map_err(|_| Broken)?;
        }
    }
    Ok(())
}

/// The bytes that a field holds; behind them it goes on.
fn delimited<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = usize::try_from(decode_varint(rest).ok()?).ok()?;
    let (inside, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(inside)
}

/// Reads one message. Where it cannot be read its texts may be at fault, and are made valid.
fn piece<M: Message + Default>(kind: Kind, bytes: &[u8]) -> Piece<M> {
    let error = match M::decode(bytes) {
        Ok(message) => return Ok(message),
        Err(error) => error,
    };
    // It takes several times its length.
    if bytes.len() > limits::RECORD {
        return Err(too_long());
    }
    let valid = valid(kind, bytes, 0).ok_or_else(|| why(&error))?;
    M::decode(valid.as_slice()).map_err(|error| why(&error))
}

/// Why a message cannot be read. Where in it, is said of what lies as deep as people write; the way to what lies deeper is longer than
/// anybody reads.
fn why(error: &prost::DecodeError) -> String {
    let said = error.to_string();
    let said = if said.len() > WHY { said.rsplit(": ").next().unwrap_or_default() } else { &said };
    format!("not OTLP: {said}")
}

/// A message in which each text is one. None where it is broken, or deeper than is read.
fn valid(kind: Kind, bytes: &[u8], depth: usize) -> Option<Vec<u8>> {
    let (mut valid_bytes, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let field_on = rest;
        let (field, wire) = decode_key(&mut rest).ok()?;
        if wire != WireType::LengthDelimited {
            skip_field(wire, field, &mut rest, DecodeContext::default()).ok()?;
            valid_bytes.extend_from_slice(&field_on[..field_on.len() - rest.len()]);
            continue;
        }
        let inside = delimited(&mut rest)?;
        let inside = match kind.holds(field) {
            _ if kind.is_text(field) => Cow::Owned(text(inside).into_bytes()),
            Some(_) if depth == DEPTH => return None,
            Some(inner) => Cow::Owned(valid(inner, inside, depth + 1)?),
            None => Cow::Borrowed(inside),
        };
        encode_key(field, wire, &mut valid_bytes);
        encode_varint(inside.len() as u64, &mut valid_bytes);
        valid_bytes.extend_from_slice(&inside);
    }
    Some(valid_bytes)
}

/// Bytes as text: what is no UTF-8 of them is [`NO_TEXT`].
pub(super) fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(NO_TEXT);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::{
        collector::logs::v1::ExportLogsServiceRequest,
        common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value},
        logs::v1::{self, LogRecord},
        resource::v1::Resource,
    };

    use super::*;

    fn pair(key: &str, value: any_value::Value) -> KeyValue {
        KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
    }

    fn of(resource: Resource, scope: &str, log_records: Vec<LogRecord>) -> ExportLogsServiceRequest {
        let scope = InstrumentationScope { name: scope.to_owned(), ..InstrumentationScope::default() };
        let scope_logs = v1::ScopeLogs { scope: Some(scope), log_records, schema_url: "s".to_owned() };
        ExportLogsServiceRequest {
            resource_logs: vec![v1::ResourceLogs {
                resource: Some(resource),
                scope_logs: vec![scope_logs],
                schema_url: "s".to_owned(),
            }],
        }
    }

    /// The bytes of a request, in which `~` is written as a byte that is no UTF-8.
    fn bytes(request: &ExportLogsServiceRequest) -> Vec<u8> {
        request.encode_to_vec().into_iter().map(|byte| if byte == b'~' { 0xff } else { byte }).collect()
    }

    fn request(mark: &str) -> ExportLogsServiceRequest {
        use any_value::Value as Any;
        let text = |text: &str| Any::StringValue(text.replace('!', mark));
        let list = ArrayValue { values: vec![AnyValue { value: Some(text("list!")) }] };
        let pairs = KeyValueList { values: vec![pair(&format!("k{mark}"), text("v!"))] };
        let resource = Resource { attributes: vec![pair("host", text("h!"))], ..Resource::default() };
        let record = LogRecord {
            time_unix_nano: 7,
            severity_text: format!("s{mark}"),
            body: Some(AnyValue { value: Some(text("bin !!.")) }),
            attributes: vec![
                pair("a", Any::ArrayValue(list)),
                pair("b", Any::KvlistValue(pairs)),
                pair("c", Any::BytesValue(vec![0xfe, 0x80])),
            ],
            event_name: format!("e{mark}"),
            ..LogRecord::default()
        };
        let good = LogRecord { event_name: "good".to_owned(), ..LogRecord::default() };
        of(resource, &format!("scope{mark}"), vec![good.clone(), record, good])
    }

    #[test]
    fn what_is_no_utf_8_is_replaced_wherever_it_stands_and_nothing_else_is() {
        assert_eq!(read(&bytes(&request("."))).unwrap(), request(".").into());
        let read_so = read(&bytes(&request("~"))).unwrap();
        assert_eq!(read_so, request(&NO_TEXT.to_string()).into());
    }

    #[test]
    fn a_record_that_cannot_be_read_costs_no_other() {
        // A body that is a number, and one that says it is longer than its record.
        for broken in [&[0x28, 1][..], &[0x2a, 9, 1], &[0xff], &[0x0f]] {
            let mut logs = Vec::new();
            for record in [&[0x10, 9][..], broken, &[]] {
                encode_key(2, WireType::LengthDelimited, &mut logs);
                encode_varint(record.len() as u64, &mut logs);
                logs.extend_from_slice(record);
            }
            let scope = scope_logs(&logs).unwrap();
            let good: Vec<_> = scope.log_records.iter().map(Result::is_ok).collect();
            assert_eq!(good, [true, false, true], "{broken:?}");
            let why = scope.log_records[1].as_ref().unwrap_err();
            assert!(why.starts_with("not OTLP: "), "{why}");
        }
    }

    #[test]
    fn a_request_of_which_it_cannot_be_told_where_its_records_are_is_broken() {
        for broken in [&[1][..], &[0x08, 1], &[0x0a, 9, 1], &[0x0a, 2, 0x10, 1], &[0xff; 11], &[0x0b, 0x0b]] {
            assert!(read(broken).is_err(), "{broken:?}");
        }
        assert_eq!(read(&[]).unwrap(), Request::default());
        for unknown in [&[0x20, 1][..], &[0x10, 1], &[0x1a, 1, 9]] {
            assert_eq!(read(unknown).unwrap(), Request::default(), "what nobody knows is passed over");
        }
    }

    #[test]
    fn what_is_too_long_or_too_deep_to_be_made_valid_is_refused() {
        let field = |number: u8, inside: &[u8]| {
            let mut bytes = vec![number << 3 | 2];
            encode_varint(inside.len() as u64, &mut bytes);
            [bytes.as_slice(), inside].concat()
        };
        let long = field(3, &vec![0xff; limits::RECORD]);
        assert_eq!(piece::<LogRecord>(Kind::Record, &long), Err(too_long()));
        let deep = (0..DEPTH * 2).fold(vec![], |inside, _| field(5, &field(1, &inside)));
        let deep = field(5, &deep);
        let why = piece::<LogRecord>(Kind::Record, &deep).unwrap_err();
        assert!(why.starts_with("not OTLP: ") && why.len() < WHY, "{why}");
    }

    #[test]
    fn a_resource_that_comes_again_adds_to_the_one_before() {
        let one = |name: &str| {
            let resource = Resource {
                attributes: vec![pair(name, any_value::Value::IntValue(1))],
                ..Resource::default()
            };
            v1::ResourceLogs { resource: Some(resource), ..v1::ResourceLogs::default() }.encode_to_vec()
        };
        let bytes = [one("a"), one("b")].concat();
        let merged = v1::ResourceLogs::decode(bytes.as_slice()).unwrap();
        assert_eq!(merged.resource.as_ref().unwrap().attributes.len(), 2);
        assert_eq!(resource_logs(&bytes).unwrap().resource, merged.resource.map(Ok));
    }
}
