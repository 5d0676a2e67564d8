//! A record as JSON: one object, with the field names of the contract.
//!
//! What the contract does not name is kept as an attribute, so nothing that was sent is lost. A record is read in one
//! pass over its text ([`Draft`]) and judged when all of it was seen: of a name that is there twice the last counts,
//! and what is said to be wrong does not depend on the order of the fields.

use std::{
    borrow::Cow,
    fmt,
    io::{self, BufRead},
};

use jiff::Timestamp;
use memchr::memchr;
use serde::de::{
    DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
    value::{MapAccessDeserializer, SeqAccessDeserializer},
};
use serde_json::{Value, value::RawValue};

use super::{
    Record, Records, cloudevents,
    document::{self, Document},
};
use crate::model::activity::{NewActivity, Outcome, SenderKey, limits};

/// Pairs in the order in which they came; the same name may come again.
type Pairs<'a> = Vec<(Cow<'a, str>, Held<'a>)>;

/// What a name holds.
#[derive(Default)]
enum Held<'a> {
    /// `null`, or nothing at all.
    #[default]
    Nothing,
    Text(Cow<'a, str>),
    /// A number, as JSON.
    Number(String),
    /// Whatever else, as JSON.
    Json(String),
    /// An object whose fields are wanted.
    Object(Pairs<'a>),
}

impl<'a> Held<'a> {
    fn json(value: &Value) -> Self {
        Self::Json(value.to_string())
    }

    fn text(self, name: &str) -> Result<Option<Cow<'a, str>>, String> {
        match self {
            Self::Nothing => Ok(None),
            Self::Text(text) => Ok(Some(text)),
            _ => Err(format!("{name}: a string")),
        }
    }

    fn any(self, name: &str) -> Result<String, String> {
        Ok(self.text(name)?.map(Cow::into_owned).unwrap_or_default())
    }

    fn filled(self, name: &str) -> Result<Option<Cow<'a, str>>, String> {
        Ok(self.text(name)?.filter(|text| !text.is_empty()))
    }

    fn named(self, name: &str) -> Result<Option<String>, String> {
        Ok(self.filled(name)?.map(Cow::into_owned))
    }

    /// An attribute's value as text; what is no text is kept as JSON.
    fn attribute(self) -> Option<String> {
        match self {
            Self::Nothing | Self::Object(_) => None,
            Self::Text(text) => Some(text.into_owned()),
            Self::Number(json) | Self::Json(json) => Some(json),
        }
    }
}

/// Reads any value, and keeps of it what may be needed.
#[derive(Clone, Copy)]
struct Any {
    /// Whether the fields of an object are wanted, or just its text.
    fields: bool,
}

impl<'de> DeserializeSeed<'de> for Any {
    type Value = Held<'de>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Held<'de>, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Any {
    type Value = Held<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Held<'de>, E> {
        Ok(Held::Nothing)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Held<'de>, E> {
        Ok(Held::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Held<'de>, E> {
        Ok(Held::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, yes: bool) -> Result<Held<'de>, E> {
        Ok(Held::json(&yes.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Held<'de>, E> {
        Ok(Held::Number(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Held<'de>, E> {
        Ok(Held::Number(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Held<'de>, E> {
        Ok(Held::Number(Value::from(number).to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Held<'de>, A::Error> {
        let items: Value = serde::Deserialize::deserialize(SeqAccessDeserializer::new(items))?;
        Ok(Held::json(&items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Held<'de>, A::Error> {
        if !self.fields {
            let fields: Value = serde::Deserialize::deserialize(MapAccessDeserializer::new(fields))?;
            return Ok(Held::json(&fields));
        }
        let mut pairs = Pairs::new();
        while let Some(name) = name_of(&mut fields)? {
            pairs.push((name, fields.next_value_seed(Self { fields: false })?));
        }
        Ok(Held::Object(pairs))
    }
}

fn name_of<'de, A: MapAccess<'de>>(fields: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    match fields.next_key_seed(Any { fields: false })? {
        None => Ok(None),
        Some(Held::Text(name)) => Ok(Some(name)),
        Some(_) => Err(A::Error::custom("a name is a string")),
    }
}

/// A record as it was written, not yet judged.
#[derive(Default)]
struct Draft<'a> {
    user: Held<'a>,
    action: Held<'a>,
    detail: Held<'a>,
    app: Held<'a>,
    session: Held<'a>,
    user_agent: Held<'a>,
    target: Held<'a>,
    city: Held<'a>,
    region: Held<'a>,
    country: Held<'a>,
    device: Held<'a>,
    os: Held<'a>,
    browser: Held<'a>,
    outcome: Held<'a>,
    time: Held<'a>,
    ip: Held<'a>,
    id: Held<'a>,
    /// The log's own; a record that was exported carries it.
    received: Held<'a>,
    attributes: Held<'a>,
    others: Pairs<'a>,
    /// Whether a name says that it is written in somebody else's words.
    foreign: bool,
}

impl<'a> Draft<'a> {
    fn put(&mut self, name: Cow<'a, str>, value: Held<'a>) {
        let place = match &*name {
            "user" => &mut self.user,
            "action" => &mut self.action,
            "detail" => &mut self.detail,
            "app" => &mut self.app,
            "session" => &mut self.session,
            "user_agent" => &mut self.user_agent,
            "target" => &mut self.target,
            "city" => &mut self.city,
            "region" => &mut self.region,
            "country" => &mut self.country,
            "device" => &mut self.device,
            "os" => &mut self.os,
            "browser" => &mut self.browser,
            "outcome" => &mut self.outcome,
            "time" => &mut self.time,
            "ip" => &mut self.ip,
            "id" => &mut self.id,
            "received" => &mut self.received,
            "attributes" => &mut self.attributes,
            _ => {
                self.foreign |= document::is_foreign(&name);
                return self.others.push((name, value));
            }
        };
        *place = value;
    }

    /// The record that it is; `sender` is who its `id` is unique for.
    fn judge(self, sender: &str) -> Record {
        let mut activity =
            NewActivity::new(self.user.any("user")?, self.action.any("action")?, String::new());
        activity.detail = self.detail.any("detail")?;
        activity.app = self.app.any("app")?;
        activity.session = self.session.named("session")?;
        activity.user_agent = self.user_agent.named("user_agent")?;
        activity.target = self.target.named("target")?;
        activity.place.city = self.city.named("city")?;
        activity.place.region = self.region.named("region")?;
        activity.place.country = self.country.named("country")?;
        activity.device.device = self.device.any("device")?;
        activity.device.os = self.os.any("os")?;
        activity.device.browser = self.browser.any("browser")?;
        activity.outcome = match self.outcome.filled("outcome")? {
            None => Outcome::Unknown,
            Some(word) => word.parse().map_err(|error| format!("outcome: {error}"))?,
        };
        activity.time = self.time.filled("time")?.map(|text| time(&text)).transpose()?;
        activity.ip = match self.ip.filled("ip")? {
            None => None,
            Some(ip) => Some(ip.parse().map_err(|_| format!("ip: {ip:.60} is not an address"))?),
        };
        let id = match self.id {
            Held::Nothing => None,
            Held::Text(id) => Some(id.into_owned()),
            Held::Number(id) => Some(id),
            Held::Json(_) | Held::Object(_) => return Err("id: a string".to_owned()),
        };
        activity.key = id.map(|id| SenderKey { sender: sender.to_owned(), id });
        activity.attributes = attributes(self.attributes, self.others)?;
        Ok(activity)
    }
}

/// What stands in `attributes` and then what stands beside them, each sorted by name.
fn attributes(inner: Held<'_>, others: Pairs<'_>) -> Result<Vec<(String, String)>, String> {
    let inner = match inner {
        Held::Nothing => Pairs::new(),
        Held::Object(pairs) => settled(pairs),
        _ => return Err("attributes: an object of strings".to_owned()),
    };
    let others = settled(others);
    let beside = |name: &str| others.binary_search_by(|(known, _)| (**known).cmp(name)).is_ok();
    if let Some((name, _)) = inner.iter().find(|(name, held)| !matches!(held, Held::Nothing) && beside(name))
    {
        return Err(format!("{name:.60}: stands in attributes and beside them; name it once"));
    }
    let all = inner.into_iter().chain(others);
    Ok(all.filter_map(|(name, held)| Some((name.into_owned(), held.attribute()?))).collect())
}

/// Pairs sorted by name, and of each name the last.
fn settled(mut pairs: Pairs<'_>) -> Pairs<'_> {
    // Stable: those of one name stay in their order.
    pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
    pairs.dedup_by(|later, earlier| {
        let same = later.0 == earlier.0;
        if same {
            std::mem::swap(later, earlier);
        }
        same
    });
    pairs
}

/// A time as it may be written: RFC 3339, to the millisecond. What is finer is cut off.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    let at: Timestamp = text
        .trim()
        .parse()
        .map_err(|_| format!("time: {text:.40} is not a time like 2026-01-31T08:00:00Z"))?;
    Timestamp::from_millisecond(at.as_millisecond()).map_err(|_| "time: out of range".to_owned())
}

/// Reads one record; none where it is written in the words of others.
#[derive(Clone, Copy)]
struct One<'s> {
    sender: &'s str,
}

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = Option<Record>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Option<Record>, D::Error> {
        from.deserialize_any(self)
    }
}

/// For each kind of value that is no record.
macro_rules! no_record {
    ($($visit:ident: $kind:ty),*) => {$(
        fn $visit<E>(self, _: $kind) -> Result<Option<Record>, E> {
            Ok(Some(no_object()))
        }
    )*};
}

impl<'de> Visitor<'de> for One<'_> {
    type Value = Option<Record>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    no_record!(visit_bool: bool, visit_u64: u64, visit_i64: i64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E>(self) -> Result<Option<Record>, E> {
        Ok(Some(no_object()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Option<Record>, A::Error> {
        Any { fields: false }.visit_seq(items).map(|_| Some(no_object()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Option<Record>, A::Error> {
        let mut draft = Draft::default();
        while let Some(name) = name_of(&mut fields)? {
            let value = fields.next_value_seed(Any { fields: name == "attributes" })?;
            draft.put(name, value);
        }
        Ok((!draft.foreign).then(|| draft.judge(self.sender)))
    }
}

fn no_object() -> Record {
    Err("a record is a JSON object".to_owned())
}

/// The records of a body that is one object or an array of them, one after the other: an array is checked as a whole
/// and then read record by record, for records take many times the memory of their text.
pub struct Whole {
    /// The record of a body that is no array.
    alone: Option<Record>,
    /// An array, read as far as `at`.
    array: String,
    at: usize,
    sender: String,
}

impl Whole {
    /// Reads a body of which ids are unique for `sender`. Fails where it is no JSON; records of an array fail one by
    /// one.
    pub fn read(text: String, sender: &str) -> serde_json::Result<Self> {
        let mut whole = Self { alone: None, array: String::new(), at: 0, sender: sender.to_owned() };
        let before = text.len() - text.trim_ascii_start().len();
        if text[before..].starts_with('[') {
            serde_json::from_str::<IgnoredAny>(&text)?;
            whole.at = before + 1;
            whole.array = text;
        } else {
            whole.alone = Some(record(&text, sender)?);
        }
        Ok(whole)
    }
}

impl Iterator for Whole {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        if self.alone.is_some() {
            return self.alone.take();
        }
        let rest = self.array[self.at..].trim_start_matches([' ', '\t', '\r', '\n', ',']);
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
        // The array is known to be whole: what is no value is its end.
        let value = values.next()?.ok()?;
        self.at = self.array.len() - rest.len() + values.byte_offset();
        Some(judged(record(value.get(), &self.sender)))
    }
}

/// What a record is told that is longer than [`limits::RECORD`].
pub(super) fn too_long() -> String {
    format!("a record can have at most {} bytes", limits::RECORD)
}

/// Reads one record, and nothing behind it.
fn record(text: &str, sender: &str) -> serde_json::Result<Record> {
    if text.trim_ascii().len() > limits::RECORD {
        return Ok(Err(too_long()));
    }
    let mut from = serde_json::Deserializer::from_str(text);
    let seen = One { sender }.deserialize(&mut from)?;
    from.end()?;
    match seen {
        Some(record) => Ok(record),
        None => foreign(text, sender, None),
    }
}

/// Reads a record in anybody's words; `key` is its id where it does not stand in it.
pub(super) fn foreign(text: &str, sender: &str, key: Option<String>) -> serde_json::Result<Record> {
    let Value::Object(fields) = serde_json::from_str(text)? else { return Ok(no_object()) };
    Ok(if cloudevents::is_event(&fields) {
        cloudevents::read(fields, sender)
    } else {
        Document::of(fields).and_then(|document| document.judge(sender, key))
    })
}

/// A record, if it is one and JSON.
pub(super) fn judged(read: serde_json::Result<Record>) -> Record {
    read.unwrap_or_else(|error| Err(format!("not JSON: {}", plain(&error))))
}

/// The record that cells with names make; `sender` is who its id is unique for.
pub(super) fn of_cells<'a>(cells: impl Iterator<Item = (&'a str, &'a str)>, sender: &str) -> Record {
    let mut draft = Draft::default();
    for (name, cell) in cells {
        draft.put(Cow::Borrowed(name), Held::Text(Cow::Borrowed(cell)));
    }
    draft.judge(sender)
}

/// Reads a line of NDJSON that has come whole; none where the line is empty.
pub fn line(bytes: &[u8], sender: &str) -> Option<Record> {
    let bytes = bytes.trim_ascii();
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.is_empty() {
        return None;
    }
    if bytes.len() > limits::RECORD {
        return Some(Err(too_long()));
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Some(Err("the line is not UTF-8".to_owned()));
    };
    Some(judged(record(text, sender)))
}

/// What serde says, without the line and column it counts inside a record.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

/// NDJSON from a file.
pub struct Ndjson<R> {
    input: R,
    sender: String,
    line: u64,
}

impl<R: BufRead> Ndjson<R> {
    /// Reads `input`, whose ids are unique for `sender`.
    pub fn new(input: R, sender: &str) -> Self {
        Self { input, sender: sender.to_owned(), line: 0 }
    }
}

impl<R: BufRead> Records for Ndjson<R> {
    fn next_record(&mut self) -> io::Result<Option<(u64, Record)>> {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let read = read_line(&mut self.input, &mut bytes)?;
            if read == 0 {
                return Ok(None);
            }
            self.line += 1;
            if let Some(record) = line(&bytes, &self.sender) {
                return Ok(Some((self.line, record)));
            }
        }
    }
}

/// Reads a line of any length, and keeps as much of it as is needed to say that it is too long.
fn read_line(input: &mut impl BufRead, into: &mut Vec<u8>) -> io::Result<usize> {
    let mut read = 0;
    loop {
        let available = input.fill_buf()?;
        if available.is_empty() {
            return Ok(read);
        }
        let end = memchr(b'\n', available);
        let taken = end.map_or(available.len(), |end| end + 1);
        let room = (limits::RECORD + 2).saturating_sub(into.len());
        into.extend_from_slice(&available[..taken.min(room)]);
        input.consume(taken);
        read += taken;
        if end.is_some() {
            return Ok(read);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(text: &str) -> Record {
        line(text.as_bytes(), "vault").unwrap()
    }

    #[test]
    fn a_record_needs_a_user_and_an_action_and_keeps_all_it_is_given() {
        let record = one(
            r#"{"time":"2026-01-02T03:04:05.6789Z","user":"ann","action":"backup","id":7,"ip":"10.0.0.1","size":12,"attributes":{"k":"v","n":null,"o":{"a":1}}}"#,
        )
        .unwrap();
        assert_eq!(record.time.unwrap().to_string(), "2026-01-02T03:04:05.678Z");
        assert_eq!(record.key, Some(SenderKey { sender: "vault".into(), id: "7".into() }));
        let pairs: Vec<_> = record.attributes.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("k", "v"), ("o", r#"{"a":1}"#), ("size", "12")]);
    }

    #[test]
    fn an_array_is_whole_or_nothing_and_its_records_are_taken_one_by_one() {
        let read = |text: &str| Whole::read(text.to_owned(), "x").map(Vec::from_iter);
        for broken in ["[", "[{}", "[{},]", "[{}]]", "[{} {}]", "", "{} {}", "{\"user\":\"\\ud800\"}"] {
            assert!(read(broken).is_err(), "{broken}");
        }
        assert_eq!(read("\n[ ]\n").unwrap(), []);
        let mixed = r#"[{"user":"a","action":"],["},7 ,{"user":"\ud800"},[1,[2]],{"user":"b","action":","}]"#;
        let users: Vec<_> =
            read(mixed).unwrap().into_iter().map(|record| record.map(|record| record.user)).collect();
        let bad = |why: &str| Err(why.to_owned());
        let half = bad("not JSON: unexpected end of hex escape");
        let none = bad("a record is a JSON object");
        assert_eq!(users, [Ok("a".to_owned()), none.clone(), half, none, Ok("b".to_owned())]);
    }

    #[test]
    fn a_record_is_too_long_however_it_comes() {
        let long = format!(r#"{{"user":"a","action":"b","x":"{}"}}"#, "y".repeat(limits::RECORD));
        for body in [long.clone(), format!("[{long}]"), format!(" {long}\n")] {
            let read: Vec<_> = Whole::read(body, "x").unwrap().collect();
            assert_eq!(read, [Err(too_long())]);
        }
    }

    #[test]
    fn a_bad_record_says_what_is_wrong() {
        assert_eq!(one("[]").unwrap_err(), "a record is a JSON object");
        assert_eq!(one("{").unwrap_err(), "not JSON: EOF while parsing an object");
        assert_eq!(one(r#"{"user":1}"#).unwrap_err(), "user: a string");
        assert!(one(r#"{"user":"a","action":"b","ip":"nowhere"}"#).unwrap_err().starts_with("ip: nowhere"));
        assert!(one(r#"{"user":"a","action":"b","time":"yesterday"}"#).unwrap_err().starts_with("time:"));
        assert!(one(r#"{"user":"\ud800","action":"b"}"#).is_err(), "half a character is no text");
        assert_eq!(line(b"\xff{}", "x").unwrap().unwrap_err(), "the line is not UTF-8");
        assert!(line(b" \r\n", "x").is_none());
    }

    #[test]
    fn lines_are_counted_and_an_endless_one_costs_no_memory() {
        let long = "x".repeat(limits::RECORD * 3);
        let text = format!(
            "\u{feff}{{\"user\":\"a\",\"action\":\"b\"}}\r\n\n{long}\n{{\"user\":\"c\",\"action\":\"d\"}}"
        );
        let mut records = Ndjson::new(text.as_bytes(), "x");
        assert!(matches!(records.next_record().unwrap(), Some((1, Ok(_)))));
        assert!(matches!(records.next_record().unwrap(), Some((3, Err(why))) if why.contains("at most")));
        assert!(matches!(records.next_record().unwrap(), Some((4, Ok(record))) if record.user == "c"));
        assert!(records.next_record().unwrap().is_none());
    }

    /// What a record is when all of it is read into a [`Value`] first: slow and plain.
    fn plainly(text: &str, sender: &str) -> Record {
        type Fields = serde_json::Map<String, Value>;
        fn any(fields: &mut Fields, name: &str) -> Result<Option<String>, String> {
            match fields.remove(name) {
                None | Some(Value::Null) => Ok(None),
                Some(Value::String(text)) => Ok(Some(text)),
                Some(_) => Err(format!("{name}: a string")),
            }
        }
        fn filled(fields: &mut Fields, name: &str) -> Result<Option<String>, String> {
            Ok(any(fields, name)?.filter(|text| !text.is_empty()))
        }
        fn attribute((name, value): (String, Value)) -> Option<(String, String)> {
            match value {
                Value::Null => None,
                Value::String(text) => Some((name, text)),
                other => Some((name, other.to_string())),
            }
        }
        let value = serde_json::from_str(text).map_err(|error| format!("not JSON: {}", plain(&error)))?;
        let Value::Object(mut fields) = value else { return no_object() };
        let fields = &mut fields;
        let mut record = NewActivity::new(String::new(), String::new(), String::new());
        let texts = [&mut record.user, &mut record.action, &mut record.detail, &mut record.app];
        for (name, text) in ["user", "action", "detail", "app"].into_iter().zip(texts) {
            *text = any(fields, name)?.unwrap_or_default();
        }
        record.session = filled(fields, "session")?;
        record.user_agent = filled(fields, "user_agent")?;
        record.target = filled(fields, "target")?;
        let place = &mut record.place;
        let names = [&mut place.city, &mut place.region, &mut place.country];
        for (name, text) in ["city", "region", "country"].into_iter().zip(names) {
            *text = filled(fields, name)?;
        }
        let device = &mut record.device;
        let texts = [&mut device.device, &mut device.os, &mut device.browser];
        for (name, text) in ["device", "os", "browser"].into_iter().zip(texts) {
            *text = any(fields, name)?.unwrap_or_default();
        }
        record.outcome = match filled(fields, "outcome")? {
            None => Outcome::Unknown,
            Some(word) => word.parse().map_err(|error| format!("outcome: {error}"))?,
        };
        record.time = filled(fields, "time")?.map(|text| time(&text)).transpose()?;
        record.ip = match filled(fields, "ip")? {
            None => None,
            Some(ip) => Some(ip.parse().map_err(|_| format!("ip: {ip:.60} is not an address"))?),
        };
        record.key = match fields.remove("id") {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) => Some(id),
            Some(Value::Number(id)) => Some(id.to_string()),
            Some(_) => return Err("id: a string".to_owned()),
        }
        .map(|id| SenderKey { sender: sender.to_owned(), id });
        fields.remove("received");
        match fields.remove("attributes") {
            None | Some(Value::Null) => {}
            Some(Value::Object(inner)) => {
                record.attributes = inner.into_iter().filter_map(attribute).collect();
            }
            Some(_) => return Err("attributes: an object of strings".to_owned()),
        }
        if let Some((name, _)) = record.attributes.iter().find(|(name, _)| fields.contains_key(name)) {
            return Err(format!("{name:.60}: stands in attributes and beside them; name it once"));
        }
        record.attributes.extend(std::mem::take(fields).into_iter().filter_map(attribute));
        Ok(record)
    }

    fn names() -> impl Strategy<Value = &'static str> {
        proptest::sample::select(vec![
            "user",
            "action",
            "detail",
            "app",
            "session",
            "user_agent",
            "target",
            "city",
            "region",
            "country",
            "device",
            "os",
            "browser",
            "outcome",
            "time",
            "ip",
            "id",
            "received",
            "attributes",
            "size",
            "a",
            "",
            "us\\u0065r",
            "\\n",
            "ż",
        ])
    }

    fn values() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            4 => proptest::sample::select(vec![
                "null", "true", "false", "0", "-1", "18446744073709551616", "1.0", "-0", "-0.0", "1e3", "1e999", "0.1", "\"\"",
                "\"ann\"", "\"success\"", "\"Failure\"", "\"10.0.0.1\"", "\"2026-01-02T03:04:05.6789Z\"",
                "\"\\ud83d\\ude00\\n\"", "\"\\ud800\"", "\"ż\"", "[]", "{}",
            ]).prop_map(str::to_owned),
            1 => any::<f64>().prop_map(|number| number.to_string()),
            1 => any::<i64>().prop_map(|number| number.to_string()),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3)
                    .prop_map(|items| format!("[{}]", items.join(", "))),
                objects(inner),
            ]
        })
    }

    fn objects(values: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
        proptest::collection::vec((names(), values), 0..7).prop_map(|pairs| {
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("\"{name}\" : {value}")).collect();
            format!("{{{}}}", pairs.join(","))
        })
    }

    proptest! {
        #[test]
        fn one_pass_over_the_text_finds_what_many_over_a_value_find(
            text in prop_oneof![8 => objects(values()), 1 => values()],
            cut in proptest::option::weighted(0.1, 0_usize..60),
        ) {
            let cut = cut.map(|cut| text.floor_char_boundary(cut.min(text.len())));
            let text = &text[..cut.unwrap_or(text.len())];
            if let Some(read) = line(text.as_bytes(), "x") {
                prop_assert_eq!(&read, &plainly(text, "x"));
                // Two halves can be a whole: "[", "]" is one text.
                if cut.is_none() {
                    let array = Whole::read(format!(" [{text} ,\n{text}] "), "x").unwrap();
                    prop_assert_eq!(array.collect::<Vec<_>>(), vec![read.clone(), read]);
                }
            }
        }
    }
}
