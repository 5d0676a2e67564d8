//! OTLP in JSON, read straight into the messages of protocol buffers.
//!
//! It is the JSON of protocol buffers with two differences: ids are hexadecimal, and an enum is its number. (Its name is taken too: the
//! common emitters of that JSON write it.) Each record is read by itself, so that what is wrong with one costs no other; a half of a
//! character, as programs leave it that cut texts, and what is no UTF-8 is no text and costs its record nothing but that.
//! Null is the default value of whatever it stands for, a number of 64 bits may be text, a double that is no number is a word, and
//! a field that nobody knows is passed over. Of a field that is there twice the last counts.

use std::{borrow::Cow, fmt, marker::PhantomData, str};

use data_encoding::{BASE64_NOPAD, HEXLOWER_PERMISSIVE};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value},
    logs::v1::{LogRecord, SeverityNumber},
    resource::v1::Resource,
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor},
};

use serde_json::value::RawValue;

use super::{INFINITY, NAN, NEG_INFINITY, Piece, Request, ResourceLogs, ScopeLogs, protobuf};
use crate::web::ingest::{MARK, halves, json::plain};

/// What is written for half a character: [`super::NO_TEXT`].
const NO_TEXT: &str = "\\ufffe";

/// Reads a request in JSON.
pub fn read(bytes: &[u8]) -> serde_json::Result<Request> {
    let bytes = bytes.strip_prefix(MARK).unwrap_or(bytes);
    let text = str::from_utf8(bytes).map_or_else(|_| Cow::Owned(protobuf::text(bytes)), Cow::Borrowed);
    serde_json::from_str::<Of<_>>(&text).map(|Of(request)| request)
}

/// A message of protocol buffers, as far as anything of it is kept.
trait Message: Default {
    /// Sets the field of this name to the value that comes next.
    fn set<'de, A: MapAccess<'de>>(&mut self, name: &str, from: &mut A) -> Result<(), A::Error>;
}

macro_rules! messages {
    ($($message:ident { $($name:literal => $field:ident: $read:ident),* $(,)? })*) => {$(
        impl Message for $message {
            fn set<'de, A: MapAccess<'de>>(&mut self, name: &str, from: &mut A) -> Result<(), A::Error> {
                match name {
                    $($name => self.$field = $read(from)?,)*
                    _ => { from.next_value::<IgnoredAny>()?; }
                }
                Ok(())
            }
        }
    )*};
}

messages! {
    Request { "resourceLogs" => resource_logs: list }
    ResourceLogs { "resource" => resource: alone, "scopeLogs" => scope_logs: list }
    Resource { "attributes" => attributes: list }
    ScopeLogs { "scope" => scope: alone, "logRecords" => log_records: pieces }
    InstrumentationScope { "name" => name: text }
    LogRecord {
        "timeUnixNano" => time_unix_nano: number,
        "observedTimeUnixNano" => observed_time_unix_nano: number,
        "severityNumber" => severity_number: severity,
        "severityText" => severity_text: text,
        "body" => body: message,
        "attributes" => attributes: list,
        "traceId" => trace_id: id,
        "spanId" => span_id: id,
        "eventName" => event_name: text,
    }
    KeyValue { "key" => key: text, "value" => value: message }
    ArrayValue { "values" => values: list }
    KeyValueList { "values" => values: list }
}

impl Message for AnyValue {
    fn set<'de, A: MapAccess<'de>>(&mut self, name: &str, from: &mut A) -> Result<(), A::Error> {
        use any_value::Value as Any;
        let value = match name {
            "stringValue" => from.next_value::<Option<_>>()?.map(Any::StringValue),
            "boolValue" => from.next_value::<Option<_>>()?.map(Any::BoolValue),
            "intValue" => from.next_value_seed(whole())?.map(Any::IntValue),
            "doubleValue" => from.next_value_seed(double())?.map(Any::DoubleValue),
            "arrayValue" => from.next_value::<Option<_>>()?.map(|Of(list)| Any::ArrayValue(list)),
            "kvlistValue" => from.next_value::<Option<_>>()?.map(|Of(pairs)| Any::KvlistValue(pairs)),
            "bytesValue" => from.next_value_seed(bytes())?.map(Any::BytesValue),
            _ => from.next_value::<IgnoredAny>().map(|_| None)?,
        };
        // It is one of these; what is null is none of them.
        if value.is_some() {
            self.value = value;
        }
        Ok(())
    }
}

fn message<'de, M: Message, A: MapAccess<'de>>(from: &mut A) -> Result<Option<M>, A::Error> {
    Ok(from.next_value::<Option<Of<M>>>()?.map(|Of(message)| message))
}

fn list<'de, M: Message, A: MapAccess<'de>>(from: &mut A) -> Result<Vec<M>, A::Error> {
    Ok(from.next_value::<Option<List<M>>>()?.map(|List(list)| list).unwrap_or_default())
}

/// Reads a message by itself.
fn piece<M: Message>(raw: Option<&RawValue>) -> Piece<M> {
    let Some(raw) = raw else { return Ok(M::default()) };
    let text = halves::replaced(raw.get(), NO_TEXT);
    let read = serde_json::from_str::<Of<M>>(&text);
    // What is wrong may be repeated there, and that may be long.
    read.map(|Of(message)| message).map_err(|error| format!("not OTLP: {:.200}", plain(&error)))
}

fn alone<'de, M: Message, A: MapAccess<'de>>(from: &mut A) -> Result<Option<Piece<M>>, A::Error> {
    Ok(from.next_value::<Option<&RawValue>>()?.map(|raw| piece(Some(raw))))
}

fn pieces<'de, M: Message, A: MapAccess<'de>>(from: &mut A) -> Result<Vec<Piece<M>>, A::Error> {
    Ok(from.next_value::<Option<Pieces<M>>>()?.map(|Pieces(pieces)| pieces).unwrap_or_default())
}

fn text<'de, A: MapAccess<'de>>(from: &mut A) -> Result<String, A::Error> {
    Ok(from.next_value::<Option<String>>()?.unwrap_or_default())
}

fn number<'de, N: Default + TryFrom<i128>, A: MapAccess<'de>>(from: &mut A) -> Result<N, A::Error> {
    Ok(from.next_value_seed(whole())?.unwrap_or_default())
}

fn severity<'de, A: MapAccess<'de>>(from: &mut A) -> Result<i32, A::Error> {
    Ok(from.next_value_seed(known_severity())?.unwrap_or_default())
}

fn id<'de, A: MapAccess<'de>>(from: &mut A) -> Result<Vec<u8>, A::Error> {
    Ok(from.next_value_seed(hexadecimal())?.unwrap_or_default())
}

/// A field's name.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// A message.
struct Of<M>(M);

impl<'de, M: Message> Deserialize<'de> for Of<M> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields<M>(PhantomData<M>);

        impl<'de, M: Message> Visitor<'de> for Fields<M> {
            type Value = Of<M>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_unit<E>(self) -> Result<Of<M>, E> {
                Ok(Of(M::default()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Of<M>, A::Error> {
                let mut message = M::default();
                while let Some(Name(name)) = from.next_key()? {
                    message.set(&name, &mut from)?;
                }
                Ok(Of(message))
            }
        }

        from.deserialize_any(Fields(PhantomData))
    }
}

/// A list of messages. A null among them is one of which nothing is said, so that the others keep their places.
struct List<M>(Vec<M>);

impl<'de, M: Message> Deserialize<'de> for List<M> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Items<M>(PhantomData<M>);

        impl<'de, M: Message> Visitor<'de> for Items<M> {
            type Value = List<M>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<List<M>, A::Error> {
                let mut list = Vec::new();
                while let Some(Of(message)) = from.next_element()? {
                    list.push(message);
                }
                Ok(List(list))
            }
        }

        from.deserialize_seq(Items(PhantomData))
    }
}

/// A list of messages that are read one by one, each by itself.
struct Pieces<M>(Vec<Piece<M>>);

impl<'de, M: Message> Deserialize<'de> for Pieces<M> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Items<M>(PhantomData<M>);

        impl<'de, M: Message> Visitor<'de> for Items<M> {
            type Value = Pieces<M>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Pieces<M>, A::Error> {
                let mut pieces = Vec::new();
                while let Some(raw) = from.next_element::<Option<&RawValue>>()? {
                    pieces.push(piece(raw));
                }
                Ok(Pieces(pieces))
            }
        }

        from.deserialize_seq(Items(PhantomData))
    }
}

/// A value that may be written in several ways: what is wanted, and what is made of each. Null is none.
struct OneOf<T> {
    wanted: &'static str,
    read: fn(Written<'_>) -> Option<T>,
}

/// How a value is written.
enum Written<'a> {
    Whole(i128),
    Double(f64),
    Text(&'a str),
}

impl<T> OneOf<T> {
    fn of<E: Error>(self, written: Written<'_>) -> Result<Option<T>, E> {
        let wrong = match written {
            Written::Whole(_) => Unexpected::Other("another number"),
            Written::Double(number) => Unexpected::Float(number),
            Written::Text(text) => Unexpected::Str(text),
        };
        (self.read)(written).map(Some).ok_or_else(|| E::invalid_value(wrong, &self.wanted))
    }
}

impl<'de, T> DeserializeSeed<'de> for OneOf<T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Option<T>, D::Error> {
        from.deserialize_any(self)
    }
}

impl<T> Visitor<'_> for OneOf<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.wanted)
    }

    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Option<T>, E> {
        self.of(Written::Whole(number.into()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Option<T>, E> {
        self.of(Written::Whole(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Option<T>, E> {
        self.of(Written::Double(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Option<T>, E> {
        self.of(Written::Text(text))
    }
}

/// A whole number that fits. Programs that know nothing but doubles write `1.7e18`.
fn whole<N: TryFrom<i128>>() -> OneOf<N> {
    OneOf { wanted: "a whole number", read: number_of }
}

fn number_of<N: TryFrom<i128>>(written: Written<'_>) -> Option<N> {
    fn of_double(number: f64) -> Option<i128> {
        (number.fract() == 0.0).then(|| format!("{number:.0}").parse().ok())?
    }
    let number = match written {
        Written::Whole(number) => number,
        Written::Double(number) => of_double(number)?,
        Written::Text(text) => text.parse().ok().or_else(|| of_double(text.parse().ok()?))?,
    };
    N::try_from(number).ok()
}

/// How grave a record is: the number of that, or its name.
fn known_severity() -> OneOf<i32> {
    OneOf {
        wanted: "a number of severity or its name",
        read: |written| match written {
            Written::Text(name) if SeverityNumber::from_str_name(name).is_some() => {
                SeverityNumber::from_str_name(name).map(i32::from)
            }
            number => number_of(number),
        },
    }
}

/// A number, or the name of what is none.
fn double() -> OneOf<f64> {
    OneOf {
        wanted: "a number, NaN, Infinity or -Infinity",
        read: |written| match written {
            // What is rounded is rounded here as everywhere.
            Written::Whole(number) => number.to_string().parse().ok(),
            Written::Double(number) => Some(number),
            Written::Text(NAN) => Some(f64::NAN),
            Written::Text(INFINITY) => Some(f64::INFINITY),
            Written::Text(NEG_INFINITY) => Some(f64::NEG_INFINITY),
            Written::Text(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
        },
    }
}

/// Bytes in base 64, of either alphabet and with padding or without.
fn bytes() -> OneOf<Vec<u8>> {
    OneOf {
        wanted: "bytes in base 64",
        read: |written| {
            let Written::Text(text) = written else { return None };
            let plain = text.trim_end_matches('=').replace('-', "+").replace('_', "/");
            BASE64_NOPAD.decode(plain.as_bytes()).ok()
        },
    }
}

/// Bytes in hexadecimal, in letters of either size.
fn hexadecimal() -> OneOf<Vec<u8>> {
    OneOf {
        wanted: "an id in hexadecimal",
        read: |written| {
            let Written::Text(text) = written else { return None };
            HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The record of a request that has but one.
    fn record(fields: &str) -> Piece<LogRecord> {
        let text = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{fields}]}}]}}]}}"#);
        let mut request = read(text.as_bytes()).unwrap();
        request.resource_logs.remove(0).scope_logs.remove(0).log_records.remove(0)
    }

    /// A value by itself.
    fn value(text: &str) -> Piece<Option<any_value::Value>> {
        Ok(record(&format!(r#"{{"body":{text}}}"#))?.body.and_then(|body| body.value))
    }

    #[test]
    fn null_is_the_default_wherever_it_stands() {
        for text in [
            r#"{"resourceLogs":null}"#,
            r#"{"resourceLogs":[null]}"#,
            r#"{"resourceLogs":[{"resource":null,"scopeLogs":null,"schemaUrl":null}]}"#,
            r#"{"resourceLogs":[{"resource":{"attributes":null,"droppedAttributesCount":null},"scopeLogs":[null]}]}"#,
            r#"{"resourceLogs":[{"scopeLogs":[{"scope":null,"logRecords":null,"schemaUrl":null}]}]}"#,
            r#"{"resourceLogs":[{"scopeLogs":[{"scope":{"name":null,"version":null,"attributes":null},"logRecords":[]}]}]}"#,
        ] {
            let request = read(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
            let records = request.resource_logs.iter().flat_map(|logs| &logs.scope_logs);
            assert_eq!(records.map(|scope| scope.log_records.len()).sum::<usize>(), 0, "{text}");
        }
        for text in [
            "null",
            "{}",
            r#"{"timeUnixNano":null,"observedTimeUnixNano":null,"severityNumber":null,"severityText":null,"body":null,
                "attributes":null,"droppedAttributesCount":null,"flags":null,"traceId":null,"spanId":null,"eventName":null}"#,
        ] {
            assert_eq!(record(text).unwrap(), LogRecord::default(), "{text}");
        }
        let read = record(
            r#"{"attributes":[null,{"key":null,"value":null},{"key":"a","value":{"stringValue":null}}]}"#,
        );
        let pairs: Vec<_> = read.unwrap().attributes.into_iter().map(|pair| (pair.key, pair.value)).collect();
        let nothing = Some(AnyValue::default());
        assert_eq!(pairs, [(String::new(), None), (String::new(), None), ("a".to_owned(), nothing)]);
        for text in [
            r#"{"stringValue":null}"#,
            r#"{"boolValue":null}"#,
            r#"{"intValue":null}"#,
            r#"{"doubleValue":null}"#,
            r#"{"bytesValue":null}"#,
            r#"{"arrayValue":null}"#,
            r#"{"kvlistValue":null}"#,
        ] {
            assert_eq!(value(text).unwrap(), None, "{text}");
        }
        let other = value(r#"{"stringValue":null,"intValue":"3","boolValue":null}"#).unwrap();
        assert_eq!(other, Some(any_value::Value::IntValue(3)), "what is null is not what it is");
        let empty = r#"{"arrayValue":{"values":null}}"#;
        assert_eq!(super::super::plain(Some(AnyValue { value: value(empty).unwrap() })), json!([]));
        let empty = r#"{"kvlistValue":{"values":null}}"#;
        assert_eq!(super::super::plain(Some(AnyValue { value: value(empty).unwrap() })), json!({}));
        let list = r#"{"arrayValue":{"values":[{"intValue":1},null,{},{"intValue":2}]}}"#;
        let list = super::super::plain(Some(AnyValue { value: value(list).unwrap() }));
        assert_eq!(list, json!([1, null, null, 2]), "each keeps its place");
    }

    #[test]
    fn what_nobody_knows_is_passed_over() {
        let text = r#"{"new":{"a":[1,null]},"resourceLogs":[{"entity":1,"resource":{"entityRefs":[{"type":"host"}],"attributes":[]},
            "scopeLogs":[{"scope":{"name":"orders","since":[]},"logRecords":[
              {"eventName":"paid","event_name":"not this","body":{"stringValue":"x","weight":{"kg":2}},"colour":["red"]}]}]}]}"#;
        let record =
            read(text.as_bytes()).unwrap().resource_logs.remove(0).scope_logs.remove(0).log_records.remove(0);
        let body = Some(AnyValue { value: Some(any_value::Value::StringValue("x".to_owned())) });
        assert_eq!(record, Ok(LogRecord { event_name: "paid".to_owned(), body, ..LogRecord::default() }));
        assert_eq!(value(r#"{"moneyValue":3}"#).unwrap(), None, "nor is a kind of value that comes later");
    }

    #[test]
    fn a_number_of_64_bits_is_text_or_a_number() {
        for written in ["1767323045678901234", r#""1767323045678901234""#] {
            let record =
                record(&format!(r#"{{"timeUnixNano":{written},"observedTimeUnixNano":{written}}}"#)).unwrap();
            assert_eq!(record.time_unix_nano, 1_767_323_045_678_901_234, "{written}");
            assert_eq!(record.observed_time_unix_nano, 1_767_323_045_678_901_234, "{written}");
            let read = value(&format!(r#"{{"intValue":{written}}}"#)).unwrap();
            assert_eq!(read, Some(any_value::Value::IntValue(1_767_323_045_678_901_234)), "{written}");
        }
        for (written, meant) in [
            ("-7", -7),
            (r#""-7""#, -7),
            ("-9223372036854775808", i64::MIN),
            (r#""9223372036854775807""#, i64::MAX),
            ("3.0", 3),
            ("1e3", 1000),
            (r#""1e3""#, 1000),
        ] {
            let read = value(&format!(r#"{{"intValue":{written}}}"#)).unwrap();
            assert_eq!(read, Some(any_value::Value::IntValue(meant)), "{written}");
        }
        for wrong in ["1.5", r#""many""#, r#""""#, "9223372036854775808", r#""NaN""#, "true", "[1]", "1e300"]
        {
            assert!(value(&format!(r#"{{"intValue":{wrong}}}"#)).is_err(), "{wrong}");
        }
        for wrong in ["-1", r#""-1""#, r#""soon""#, "1.8446744073709552e19"] {
            assert!(record(&format!(r#"{{"timeUnixNano":{wrong}}}"#)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_enum_is_its_number_or_its_name() {
        for written in ["17", r#""17""#, r#""SEVERITY_NUMBER_ERROR""#] {
            assert_eq!(record(&format!(r#"{{"severityNumber":{written}}}"#)).unwrap().severity_number, 17);
        }
        assert_eq!(record(r#"{"severityNumber":99}"#).unwrap().severity_number, 99, "one that comes later");
        let error = record(r#"{"severityNumber":"ERROR"}"#).unwrap_err();
        assert!(error.contains("expected a number of severity or its name"), "{error}");
    }

    #[test]
    fn a_record_that_cannot_be_read_costs_no_other_and_half_a_character_not_even_its_own() {
        let name = |name: &str| format!(r#"{{"eventName":"{name}"}}"#);
        let records = [
            name("one"),
            name(r"shipped \ud83d"),
            r#"{"traceId":"xyz"}"#.to_owned(),
            "[]".to_owned(),
            name(r"a\\ud83d \ud83d\ude00"),
            name("bin ??."),
        ];
        let text =
            format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{}]}}]}}]}}"#, records.join(","));
        let bytes: Vec<u8> = text.bytes().map(|byte| if byte == b'?' { 0xff } else { byte }).collect();
        let mut request = read(&bytes).unwrap();
        let read = request.resource_logs.remove(0).scope_logs.remove(0).log_records;
        let names: Vec<_> =
            read.iter().map(|record| record.as_ref().map(|record| &*record.event_name)).collect();
        let [wrong, list] = [2, 3].map(|at: usize| read[at].as_ref().unwrap_err());
        let good = ["one", "shipped \u{fffe}", "a\\ud83d 😀", "bin \u{fffe}\u{fffe}."].map(Ok);
        assert_eq!(names, [good[0], good[1], Err(wrong), Err(list), good[2], good[3]]);
        assert_eq!(wrong, "not OTLP: invalid value: string \"xyz\", expected an id in hexadecimal");
        // So it is with what a program and a part of it say of themselves.
        let text = r#"{"resourceLogs":[{"resource":{"attributes":7},"scopeLogs":[{"scope":{"name":"\udc00"},"logRecords":[{}]}]}]}"#;
        let logs = read_one(text);
        assert!(logs.resource.unwrap().is_err());
        assert_eq!(logs.scope_logs[0].scope.as_ref().unwrap().as_ref().unwrap().name, "\u{fffe}");
        // Where the records cannot be told from one another nothing of the request can be.
        for broken in
            [r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{]}]}]}"#, r#"{"resourceLogs":7}"#, "[]"]
        {
            assert!(super::read(broken.as_bytes()).is_err(), "{broken}");
        }
    }

    fn read_one(text: &str) -> ResourceLogs {
        read(text.as_bytes()).unwrap().resource_logs.remove(0)
    }

    #[test]
    fn ids_are_hexadecimal_and_bytes_are_in_base_64() {
        for written in ["5b8efff798038103d269b633813fc60c", "5B8EFFF798038103D269B633813FC60C"] {
            let record =
                record(&format!(r#"{{"traceId":"{written}","spanId":"{}"}}"#, &written[..16])).unwrap();
            let id = HEXLOWER_PERMISSIVE.decode(written.as_bytes()).unwrap();
            assert_eq!((&record.trace_id, &*record.span_id), (&id, &id[..8]));
        }
        assert!(record(r#"{"traceId":"","spanId":""}"#).unwrap().trace_id.is_empty());
        for wrong in [r#""W47/95gDgQPSabYzgT/GDA==""#, r#""abc""#, "7", "{}"] {
            assert!(record(&format!(r#"{{"traceId":{wrong}}}"#)).is_err(), "{wrong}");
        }
        for written in ["+/8=", "+/8", "-_8=", "-_8"] {
            let read = value(&format!(r#"{{"bytesValue":"{written}"}}"#)).unwrap();
            assert_eq!(read, Some(any_value::Value::BytesValue(vec![0xfb, 0xff])), "{written}");
        }
        assert!(value(r#"{"bytesValue":"?"}"#).is_err());
    }

    #[test]
    fn a_double_is_a_number_text_or_the_name_of_what_is_none() {
        for (written, meant) in
            [("2.5", 2.5), (r#""1.5""#, 1.5), ("3", 3.0), ("-3", -3.0), (r#""-Infinity""#, f64::NEG_INFINITY)]
        {
            let read = value(&format!(r#"{{"doubleValue":{written}}}"#)).unwrap();
            assert_eq!(read, Some(any_value::Value::DoubleValue(meant)), "{written}");
        }
        let none = value(r#"{"doubleValue":"NaN"}"#).unwrap();
        assert!(matches!(none, Some(any_value::Value::DoubleValue(number)) if number.is_nan()));
        for wrong in [r#""much""#, r#""inf""#, r#""nan""#, r#""1e999""#, "true"] {
            assert!(value(&format!(r#"{{"doubleValue":{wrong}}}"#)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_another_kind_of_json_is_refused() {
        for wrong in [
            r#"{"attributes":{}}"#,
            r#"{"attributes":"a"}"#,
            r#"{"severityText":7}"#,
            r#"{"body":"text"}"#,
            r#"{"body":[]}"#,
            "[]",
        ] {
            assert!(record(wrong).is_err(), "{wrong}");
        }
        let deep = format!("{}{}", r#"{"arrayValue":{"values":["#.repeat(200), "]}}".repeat(200));
        assert!(value(&deep).is_err(), "there is an end to what is in one another");
    }
}
