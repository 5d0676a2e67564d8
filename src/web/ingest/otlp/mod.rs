//! Log records of OpenTelemetry, by its semantic conventions.

mod json;
mod outline;
mod protobuf;

use std::sync::Arc;

use data_encoding::{BASE64, HEXLOWER};
use jiff::Timestamp;
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    logs::v1::{LogRecord, SeverityNumber},
    resource::v1::Resource,
};
use prost::Message;
use serde_json::{Map, Value};

pub use self::{json::read as of_json, outline::Outline, protobuf::read as of_protobuf};
use super::{
    Record,
    document::{DETAIL, Document, Key, cut, replace},
    json::{put_beside, too_long},
};
use crate::model::activity::limits;

/// The most that a program may say of itself, in bytes as they are sent: it is kept with each of its records.
const RESOURCE: usize = 16 << 10;

/// What doubles that are no numbers are called in the JSON of protocol buffers.
const NAN: &str = "NaN";
const INFINITY: &str = "Infinity";
const NEG_INFINITY: &str = "-Infinity";

/// What stands for whatever is no text, until the record is read: no text of ours has it in it, so it is found again and the record says
/// that something was replaced.
const NO_TEXT: char = '\u{fffe}';

/// A message that was read by itself, or why it could not be: what is wrong with one costs no other.
pub type Piece<M> = Result<M, String>;

/// A request, of which each record was read by itself.
#[derive(Debug, Default, PartialEq)]
pub struct Request {
    /// Programs, with what they say.
    pub resource_logs: Vec<ResourceLogs>,
}

/// What one program says.
#[derive(Debug, Default, PartialEq)]
pub struct ResourceLogs {
    /// What it says of itself.
    pub resource: Option<Piece<Resource>>,
    /// Its parts, with what they say.
    pub scope_logs: Vec<ScopeLogs>,
}

/// What one part of a program says.
#[derive(Debug, Default, PartialEq)]
pub struct ScopeLogs {
    /// Which part it is.
    pub scope: Option<Piece<InstrumentationScope>>,
    /// The records.
    pub log_records: Vec<Piece<LogRecord>>,
}

impl From<ExportLogsServiceRequest> for Request {
    fn from(request: ExportLogsServiceRequest) -> Self {
        let resource_logs = request.resource_logs.into_iter().map(|logs| {
            let scope_logs = logs.scope_logs.into_iter().map(|logs| ScopeLogs {
                scope: logs.scope.map(Ok),
                log_records: logs.log_records.into_iter().map(Ok).collect(),
            });
            ResourceLogs { resource: logs.resource.map(Ok), scope_logs: scope_logs.collect() }
        });
        Self { resource_logs: resource_logs.collect() }
    }
}

/// The records of a request, one after the other; ids are unique for `sender`. What a program says of itself is read once for
/// all of its records.
pub fn records(request: Request, sender: String) -> impl Iterator<Item = Record> + Send {
    request.resource_logs.into_iter().flat_map(move |resource| {
        let about = resource.resource.unwrap_or_else(|| Ok(Resource::default()));
        let about = Arc::new(about.and_then(|resource| about_of(resource.attributes)));
        let sender = sender.clone();
        resource.scope_logs.into_iter().flat_map(move |scope| {
            let name = scope.scope.unwrap_or_else(|| Ok(InstrumentationScope::default()));
            let name = name.map(|scope| scope.name);
            let (about, sender) = (Arc::clone(&about), sender.clone());
            scope.log_records.into_iter().map(move |record| match (&*about, &name) {
                (Ok(about), Ok(name)) => read(record?, about, name, &sender),
                (Err(why), _) | (_, Err(why)) => Err(why.clone()),
            })
        })
    })
}

/// What a program says of itself.
fn about_of(attributes: Vec<KeyValue>) -> Result<Document, String> {
    if attributes.iter().map(Message::encoded_len).sum::<usize>() > RESOURCE {
        return Err(format!("the attributes of a resource can have at most {RESOURCE} bytes"));
    }
    Document::of(attributes.into_iter().map(|pair| (pair.key, plain(pair.value))).collect())
}

fn read(record: LogRecord, resource: &Document, scope: &str, sender: &str) -> Record {
    if record.encoded_len() + scope.len() > limits::RECORD {
        return Err(too_long());
    }
    let mut document = Document::default();
    for pair in record.attributes {
        document.add(pair.key, plain(pair.value))?;
    }
    match plain(record.body) {
        Value::Object(fields) => {
            for (name, value) in fields {
                document.add(name, value)?;
            }
        }
        Value::Null => {}
        body => document.suggest(DETAIL, body),
    }
    // What the record says counts before what its program says of itself.
    document.lend(resource);
    let at = if record.time_unix_nano > 0 { record.time_unix_nano } else { record.observed_time_unix_nano };
    match Timestamp::from_nanosecond(at.into()) {
        Ok(time) if at > 0 => document.suggest_time(time.to_string()),
        Ok(_) => {}
        Err(_) => document.set("time_unix_nano", at),
    }
    let others = [
        ("event.name", record.event_name),
        ("log.level", level(record.severity_text, record.severity_number)),
        ("otel.scope.name", scope.to_owned()),
        ("trace.id", HEXLOWER.encode(&record.trace_id)),
        ("span.id", HEXLOWER.encode(&record.span_id)),
    ];
    for (name, text) in others {
        if !text.is_empty() && !document.has(name) {
            document.set(name, text);
        }
    }
    let mut record = document.judge(sender, Key::Foreign);
    replace(&mut record);
    cut(&mut record);
    Ok(record)
}

/// How grave it is: in the words of the record, or by its number as the data model of OpenTelemetry calls that.
fn level(text: String, number: i32) -> String {
    if !text.is_empty() {
        return text;
    }
    let known = SeverityNumber::try_from(number).ok().filter(|known| *known != SeverityNumber::Unspecified);
    let name = known.and_then(|known| known.as_str_name().strip_prefix("SEVERITY_NUMBER_"));
    name.unwrap_or_default().to_owned()
}

/// A value as JSON; bytes are written in base 64.
fn plain(value: Option<AnyValue>) -> Value {
    use any_value::Value as Any;
    match value.and_then(|value| value.value) {
        None | Some(Any::StringValueStrindex(_)) => Value::Null,
        Some(Any::StringValue(text)) => text.into(),
        Some(Any::BoolValue(yes)) => yes.into(),
        Some(Any::IntValue(number)) => number.into(),
        Some(Any::DoubleValue(number)) if number.is_finite() => number.into(),
        Some(Any::DoubleValue(number)) if number.is_nan() => NAN.into(),
        Some(Any::DoubleValue(number)) => {
            if number.is_sign_positive() {
                INFINITY.into()
            } else {
                NEG_INFINITY.into()
            }
        }
        Some(Any::BytesValue(bytes)) => BASE64.encode(&bytes).into(),
        Some(Any::ArrayValue(list)) => list.values.into_iter().map(|value| plain(Some(value))).collect(),
        Some(Any::KvlistValue(pairs)) => {
            let mut fields = Map::new();
            for pair in pairs.values {
                put_beside(&mut fields, pair.key, plain(pair.value));
            }
            fields.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Vec<Record> {
        records(of_json(json.as_bytes()).unwrap(), "shop".to_owned()).collect()
    }

    #[test]
    fn what_is_no_number_is_kept_by_its_name() {
        let pair = |key: &str, value: &str| format!(r#"{{"key":"{key}","value":{{"doubleValue":{value}}}}}"#);
        let request = |pairs: &[String]| {
            let pairs = pairs.join(",");
            format!(
                "\u{feff}{{\"resourceLogs\":[{{\"scopeLogs\":[{{\"logRecords\":[{{\"attributes\":[{pairs}]}}]}}]}}]}}"
            )
        };
        let pairs =
            [pair("a", r#""NaN""#), pair("b", r#""-Infinity""#), pair("c", r#""1.5""#), pair("d", "2.5")];
        let record = read(&request(&pairs)).remove(0).unwrap();
        let kept: Vec<_> =
            record.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(kept, [("a", "NaN"), ("b", "-Infinity"), ("c", "1.5"), ("d", "2.5")]);
        for (number, name) in [(f64::NAN, NAN), (f64::INFINITY, INFINITY), (f64::NEG_INFINITY, NEG_INFINITY)]
        {
            let value = AnyValue { value: Some(any_value::Value::DoubleValue(number)) };
            assert_eq!(plain(Some(value)), Value::from(name), "as protocol buffers too");
        }
    }

    #[test]
    fn a_record_is_read_by_the_semantic_conventions() {
        let text = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},
            "scopeLogs":[{"scope":{"name":"orders"},"logRecords":[
              {"timeUnixNano":"1767323045678901234","eventName":"order.paid","severityText":"INFO","body":{"stringValue":"paid"},
               "traceId":"5b8efff798038103d269b633813fc60c","attributes":[
                 {"key":"user.name","value":{"stringValue":"ann"}},{"key":"client.address","value":{"stringValue":"10.0.0.1"}},
                 {"key":"amount","value":{"intValue":"3"}}]},
              {"observedTimeUnixNano":"1767323045000000000","body":{"kvlistValue":{"values":[
                 {"key":"user","value":{"stringValue":"bob"}},{"key":"action","value":{"stringValue":"x"}}]}}},
              {"severityNumber":17,"body":{"stringValue":"nobody"}},
              {"timeUnixNano":"1767323045678901234","attributes":[{"key":"timestamp","value":{"stringValue":"12:00:01"}}]}]}]}]}"#;
        let read = read(text);
        let one = read[0].clone().unwrap();
        assert_eq!(
            (&*one.user, &*one.action, &*one.app, &*one.detail),
            ("ann", "order.paid", "shop", "paid")
        );
        assert_eq!(one.time.unwrap().to_string(), "2026-01-02T03:04:05.678Z");
        assert_eq!(one.ip.unwrap().to_string(), "10.0.0.1");
        let pairs: Vec<_> =
            one.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let trace = ("trace.id", "5b8efff798038103d269b633813fc60c");
        assert_eq!(pairs, [("amount", "3"), ("log.level", "INFO"), ("otel.scope.name", "orders"), trace]);
        let other = read[1].clone().unwrap();
        assert_eq!((&*other.user, &*other.action, other.time.is_some()), ("bob", "x", true));
        let nobody = read[2].clone().unwrap();
        assert_eq!(nobody.user, "", "the domain refuses it");
        assert!(nobody.attributes.contains(&("log.level".to_owned(), "ERROR".to_owned())), "{nobody:?}");
        let timed = read[3].clone().unwrap();
        assert_eq!(
            timed.time.unwrap().to_string(),
            "2026-01-02T03:04:05.678Z",
            "the record's own, where there is none"
        );
        assert!(timed.attributes.contains(&("timestamp".to_owned(), "12:00:01".to_owned())), "{timed:?}");
    }
}
