//! A record as JSON: one object, with the field names of the contract.
//!
//! What the contract does not name is kept as an attribute, so nothing that was sent is lost.

use std::io::{self, BufRead};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Record, Records};
use crate::model::activity::{NewActivity, SenderKey, limits};

/// The record that a JSON value is; `sender` is who its `id` is unique for.
pub fn record(value: Value, sender: &str) -> Record {
    let Value::Object(mut fields) = value else {
        return Err("a record is a JSON object".to_owned());
    };
    let mut activity = NewActivity::new(String::new(), String::new(), String::new());
    activity.user = text(&mut fields, "user")?.unwrap_or_default();
    activity.action = text(&mut fields, "action")?.unwrap_or_default();
    activity.detail = text(&mut fields, "detail")?.unwrap_or_default();
    activity.app = text(&mut fields, "app")?.unwrap_or_default();
    activity.session = filled(&mut fields, "session")?;
    activity.user_agent = filled(&mut fields, "user_agent")?;
    activity.target = filled(&mut fields, "target")?;
    activity.place.city = filled(&mut fields, "city")?;
    activity.place.region = filled(&mut fields, "region")?;
    activity.place.country = filled(&mut fields, "country")?;
    activity.device.device = text(&mut fields, "device")?.unwrap_or_default();
    activity.device.os = text(&mut fields, "os")?.unwrap_or_default();
    activity.device.browser = text(&mut fields, "browser")?.unwrap_or_default();
    activity.outcome = match filled(&mut fields, "outcome")? {
        None => crate::model::activity::Outcome::Unknown,
        Some(word) => word.parse().map_err(|error| format!("outcome: {error}"))?,
    };
    activity.time = filled(&mut fields, "time")?.map(|text| time(&text)).transpose()?;
    activity.ip = match filled(&mut fields, "ip")? {
        None => None,
        Some(ip) => Some(ip.parse().map_err(|_| format!("ip: {ip:.60} is not an address"))?),
    };
    activity.key = match fields.remove("id") {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) => Some(id),
        Some(Value::Number(id)) => Some(id.to_string()),
        Some(_) => return Err("id: a string".to_owned()),
    }
    .map(|id| SenderKey { sender: sender.to_owned(), id });
    // The log's own; a record that was exported carries it.
    fields.remove("received");
    match fields.remove("attributes") {
        None | Some(Value::Null) => {}
        Some(Value::Object(attributes)) => {
            activity.attributes =
                attributes.into_iter().filter_map(|(name, value)| Some((name, attribute(value)?))).collect();
        }
        Some(_) => return Err("attributes: an object of strings".to_owned()),
    }
    if let Some((name, _)) = activity.attributes.iter().find(|(name, _)| fields.contains_key(name)) {
        return Err(format!("{name:.60}: stands in attributes and beside them; name it once"));
    }
    activity
        .attributes
        .extend(fields.into_iter().filter_map(|(name, value)| Some((name, attribute(value)?))));
    Ok(activity)
}

/// A time as it may be written: RFC 3339, to the millisecond. What is finer is cut off.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    let at: Timestamp = text
        .trim()
        .parse()
        .map_err(|_| format!("time: {text:.40} is not a time like 2026-01-31T08:00:00Z"))?;
    Timestamp::from_millisecond(at.as_millisecond()).map_err(|_| "time: out of range".to_owned())
}

fn text(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("{name}: a string")),
    }
}

fn filled(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    Ok(text(fields, name)?.filter(|text| !text.is_empty()))
}

/// An attribute's value as text; what is no text is kept as JSON.
fn attribute(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// Reads a line of NDJSON that has come whole; none where the line is empty.
pub fn line(bytes: &[u8], sender: &str) -> Option<Record> {
    let bytes = bytes.trim_ascii();
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.is_empty() {
        return None;
    }
    if bytes.len() > limits::RECORD {
        return Some(Err(format!("a record can have at most {} bytes", limits::RECORD)));
    }
    if std::str::from_utf8(bytes).is_err() {
        return Some(Err("the line is not UTF-8".to_owned()));
    }
    Some(match serde_json::from_slice::<Value>(bytes) {
        Ok(value) => record(value, sender),
        Err(error) => Err(format!("not JSON: {}", plain(&error))),
    })
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
        let end = available.iter().position(|byte| *byte == b'\n');
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
}
