//! How much a request holds, told before any of it is read: a record of no length is sent in two bytes and takes over a hundred times
//! that, so that 32 MiB of them took 4.4 GB.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use serde::{Deserialize, de::IgnoredAny};

use crate::web::ingest::MARK;

/// The most log records of a request, with the scopes and resources that hold them: a collector sends some thousands.
const RECORDS: usize = 100_000;

/// The most that they say together: an attribute and its value are two. In JSON 32 MiB of the shortest are fewer.
const PARTS: usize = 2_000_000;

/// How deep the reading goes (`RECURSION_LIMIT` of prost); what lies deeper it refuses.
pub(super) const DEPTH: usize = 100;

/// How much there is in a request, counted until it is too much.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// Log records, with the scopes and resources that hold them.
    pub records: usize,
    /// What they say; in JSON with all that is written as an object beside.
    pub parts: usize,
}

impl Outline {
    /// Of a request in protocol buffers. What is broken is for the reading to say.
    pub fn of_protobuf(bytes: &[u8]) -> Self {
        let mut outline = Self::default();
        let mut open = vec![(Kind::Request, bytes)];
        while let Some((kind, mut rest)) = open.pop() {
            if rest.is_empty() {
                continue;
            }
            let Ok((field, wire)) = decode_key(&mut rest) else { break };
            if wire != WireType::LengthDelimited {
                if skip_field(wire, field, &mut rest, DecodeContext::default()).is_err() {
                    break;
                }
                open.push((kind, rest));
                continue;
            }
            let length = decode_varint(&mut rest).ok().and_then(|length| usize::try_from(length).ok());
            let Some((inside, behind)) = length.and_then(|length| rest.split_at_checked(length)) else {
                break;
            };
            open.push((kind, behind));
            let Some(inner) = kind.holds(field) else { continue };
            match inner {
                Kind::ResourceLogs | Kind::ScopeLogs | Kind::Record => outline.records += 1,
                _ => outline.parts += 1,
            }
            if outline.excess().is_some() {
                break;
            }
            // Whatever stands in a text is no message that could be broken.
            if open.len() <= DEPTH && !matches!(inner, Kind::Word) {
                open.push((inner, inside));
            }
        }
        outline
    }

    /// Of a request in JSON, where whatever takes memory of its own is an object, or a null in the place of one in a list.
    pub fn of_json(bytes: &[u8]) -> Self {
        let bytes = bytes.strip_prefix(MARK).unwrap_or(bytes);
        let parts = objects(bytes);
        if parts > PARTS {
            return Self { records: 0, parts };
        }
        // Where the places cannot be told, it may all be records.
        let records = serde_json::from_slice(bytes).map_or(parts, |request: Request| request.records());
        Self { records, parts }
    }

    /// What there is too much of, and how much of it there may be.
    pub fn excess(&self) -> Option<(usize, &'static str)> {
        if self.records > RECORDS {
            return Some((RECORDS, "records"));
        }
        (self.parts > PARTS).then_some((PARTS, "attributes and values"))
    }
}

/// The messages of `opentelemetry.proto.collector.logs.v1` that may stand in one another.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Request,
    ResourceLogs,
    Resource,
    Entity,
    /// A text in a list: no message, but one that takes memory of its own.
    Word,
    ScopeLogs,
    Scope,
    Record,
    Pair,
    Value,
    Values,
    Pairs,
}

impl Kind {
    /// What stands in the field of this number, if it is one of these.
    pub(super) fn holds(self, field: u32) -> Option<Self> {
        Some(match (self, field) {
            (Self::Request, 1) => Self::ResourceLogs,
            (Self::ResourceLogs, 1) => Self::Resource,
            (Self::ResourceLogs, 2) => Self::ScopeLogs,
            (Self::Resource, 3) => Self::Entity,
            (Self::Entity, 3 | 4) => Self::Word,
            (Self::ScopeLogs, 1) => Self::Scope,
            (Self::ScopeLogs, 2) => Self::Record,
            (Self::Resource | Self::Pairs, 1) | (Self::Scope, 3) | (Self::Record, 6) => Self::Pair,
            (Self::Record, 5) | (Self::Pair, 2) | (Self::Values, 1) => Self::Value,
            (Self::Value, 5) => Self::Values,
            (Self::Value, 6) => Self::Pairs,
            _ => return None,
        })
    }

    /// Whether the field of this number is a text, of which UTF-8 is wanted.
    pub(super) const fn is_text(self, field: u32) -> bool {
        matches!(
            (self, field),
            (Self::ResourceLogs | Self::ScopeLogs, 3)
                | (Self::Entity, 1..=4)
                | (Self::Scope, 1 | 2)
                | (Self::Record, 3 | 12)
                | (Self::Pair | Self::Value, 1)
        )
    }
}

/// How many objects there are in a text of JSON, and nulls in lists: each of those is read as a message of which nothing is said.
fn objects(json: &[u8]) -> usize {
    let (mut objects, mut quoted, mut of_a_name) = (0, false, false);
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => quoted = !quoted,
            b'\\' if quoted => drop(bytes.next()),
            _ if quoted => {}
            b'{' => objects += 1,
            b'n' if !of_a_name => objects += 1,
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            of_a_name = *byte == b':' && !quoted;
        }
    }
    objects
}

/// Where the records of a request in JSON stand; of what they are nothing is kept.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    resource_logs: Option<Vec<Option<Resources>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resources {
    scope_logs: Option<Vec<Option<Scopes>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Scopes {
    log_records: Option<Vec<IgnoredAny>>,
}

impl Request {
    /// How many records, scopes and resources there are.
    fn records(self) -> usize {
        let resources = self.resource_logs.unwrap_or_default();
        let scopes = resources.iter().flatten().filter_map(|resource| resource.scope_logs.as_ref());
        let within = scopes.map(|scopes| {
            let records = scopes.iter().flatten().filter_map(|scope| scope.log_records.as_ref());
            scopes.len() + records.map(Vec::len).sum::<usize>()
        });
        resources.len() + within.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::{
        collector::logs::v1::ExportLogsServiceRequest,
        common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value},
        logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
        resource::v1::Resource,
    };
    use prost::Message as _;

    use super::*;

    fn pair(value: any_value::Value) -> KeyValue {
        KeyValue { key: "a".to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
    }

    /// A field of protocol buffers that holds so many bytes.
    fn field(number: u8, inside: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2];
        prost::encoding::encode_varint(inside.len() as u64, &mut bytes);
        [bytes.as_slice(), inside].concat()
    }

    #[test]
    fn what_is_in_a_request_is_counted_wherever_it_stands() {
        use any_value::Value as Any;
        let nested = Any::ArrayValue(ArrayValue {
            values: vec![
                AnyValue { value: Some(Any::IntValue(1)) },
                AnyValue {
                    value: Some(Any::KvlistValue(KeyValueList { values: vec![pair(Any::BoolValue(true))] })),
                },
            ],
        });
        let record = LogRecord {
            time_unix_nano: 7,
            body: Some(AnyValue { value: Some(Any::StringValue("{\"".to_owned())) }),
            attributes: vec![pair(nested)],
            ..LogRecord::default()
        };
        let scope = InstrumentationScope {
            attributes: vec![pair(Any::IntValue(1))],
            ..InstrumentationScope::default()
        };
        let request = ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                resource: Some(Resource { attributes: vec![pair(Any::IntValue(1))], ..Resource::default() }),
                scope_logs: vec![ScopeLogs {
                    scope: Some(scope),
                    log_records: vec![record, LogRecord::default()],
                    ..ScopeLogs::default()
                }],
                ..ResourceLogs::default()
            }],
        };
        // A resource and its attribute are 3, the scope likewise, the body 1, and the attribute with a list in it 8.
        assert_eq!(Outline::of_protobuf(&request.encode_to_vec()), Outline { records: 4, parts: 15 });
        let json = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"a{\"{","value":{"intValue":1}}]},
            "scopeLogs":[{"scope":null,"logRecords":[{"body":{"stringValue":"\\"}},null]},null]}]}"#;
        // Eight objects, and two nulls in lists; that of the scope is none.
        assert_eq!(Outline::of_json(json.as_bytes()), Outline { records: 5, parts: 10 });
        assert_eq!(Outline::of_json(b"{\"resourceLogs\":[{},{},{}],\"resourceLogs\":[]}").records, 4);
    }

    #[test]
    fn what_takes_much_more_memory_than_it_was_sent_in_is_told() {
        let records = field(2, &[]).repeat(RECORDS + 1);
        let within = |logs: &[u8]| field(1, &field(2, logs));
        let too_many = Some((RECORDS, "records"));
        assert_eq!(Outline::of_protobuf(&within(&records)).excess(), too_many);
        assert_eq!(Outline::of_protobuf(&field(1, &records)).excess(), too_many);
        assert_eq!(Outline::of_protobuf(&field(1, &[]).repeat(RECORDS + 1)).excess(), too_many);
        assert_eq!(Outline::of_protobuf(&within(&field(2, &[]).repeat(RECORDS - 2))).excess(), None);
        let too_much = Some((PARTS, "attributes and values"));
        let record = |inside: &[u8]| within(&field(2, inside));
        assert_eq!(Outline::of_protobuf(&record(&field(6, &[]).repeat(PARTS + 1))).excess(), too_much);
        let list = field(5, &field(5, &field(1, &[]).repeat(PARTS + 1)));
        assert_eq!(Outline::of_protobuf(&record(&list)).excess(), too_much);
        let entity = field(1, &field(1, &field(3, &field(3, &[]).repeat(PARTS + 1))));
        assert_eq!(Outline::of_protobuf(&entity).excess(), too_much);
        let json = |records: String| {
            format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{records}]}}]}}]}}"#)
        };
        assert_eq!(Outline::of_json(json(vec!["{}"; RECORDS + 1].join(",")).as_bytes()).excess(), too_many);
        let attributes = vec!["{}"; PARTS + 1].join(",");
        assert_eq!(
            Outline::of_json(json(format!(r#"{{"attributes":[{attributes}]}}"#)).as_bytes()).excess(),
            too_much
        );
    }

    #[test]
    fn what_stands_behind_a_text_in_a_list_is_counted_whatever_that_text_is() {
        let entity = field(3, &[field(2, b"host"), field(3, b"id"), field(4, b"\xff")].concat());
        let records = field(2, &field(2, &[]).repeat(RECORDS));
        let request = field(1, &[field(1, &entity), records].concat());
        assert_eq!(Outline::of_protobuf(&request).excess(), Some((RECORDS, "records")));
        let one = field(1, &[field(1, &entity), field(2, &field(2, &[]))].concat());
        assert_eq!(Outline::of_protobuf(&one), Outline { records: 3, parts: 4 });
    }

    #[test]
    fn a_null_in_a_list_counts_for_what_it_is_read_as() {
        let nulls = |many| vec!["null"; many].join(" , ");
        let records = |list: String| format!(r#"{{"scopeLogs":[{{"logRecords":[ {list}]}}]}}"#);
        // Where a name stands twice the places cannot be told, and the last counts.
        let twice = format!(r#"{{"resourceLogs":[],"resourceLogs":[{}]}}"#, records(nulls(RECORDS)));
        assert_eq!(Outline::of_json(twice.as_bytes()).excess(), Some((RECORDS, "records")));
        let pairs = records(format!(r#"{{"attributes":[{}]}}"#, nulls(PARTS)));
        let pairs = format!(r#"{{"resourceLogs":[{pairs}]}}"#);
        assert_eq!(Outline::of_json(pairs.as_bytes()).excess(), Some((PARTS, "attributes and values")));
        let unset = r#"{"resourceLogs" : [{"resource": null, "scopeLogs":null,"x":"null:[null]"}]}"#;
        assert_eq!(Outline::of_json(unset.as_bytes()), Outline { records: 1, parts: 2 });
    }

    #[test]
    fn what_is_broken_or_too_deep_comes_to_an_end() {
        let deep = (0..1000).fold(Vec::new(), |inside, _| field(5, &field(1, &inside)));
        let deep = field(1, &field(2, &field(2, &field(5, &deep))));
        assert!(Outline::of_protobuf(&deep).parts <= DEPTH);
        for broken in [&[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f][..], &[0x0a, 9, 1], &[0xff; 11], &[0x0b, 0x0b]] {
            assert_eq!(Outline::of_protobuf(broken).excess(), None);
        }
        assert_eq!(Outline::of_json(b"{{{\"").records, 3);
    }
}
