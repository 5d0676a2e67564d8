//! A record as JSON: one object, with the field names of the contract.
//!
//! What the contract does not name is kept as an attribute, so nothing that was sent is lost. A record is read in one
//! pass over its text ([`held`]) and judged when all of it was seen ([`draft`]): what is said to be wrong does not depend
//! on the order of the fields. A name that is there twice is refused, for of two that say otherwise one would be lost
//! ([`objects`]). Half a character is U+FFFD, and the record says so.

mod draft;
mod held;
mod objects;
#[cfg(test)]
mod tests;

use std::{
    borrow::Cow,
    fmt,
    io::{self, BufRead},
};

use memchr::memchr;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, de::StrRead, value::RawValue};

use self::{
    draft::Draft,
    held::{Any, Held, name_of},
    objects::stands_twice,
};
pub(super) use self::{
    draft::time,
    objects::{Twice, put_beside},
};
use super::{
    MARK, Record, Records, cloudevents,
    document::{Document, Key, say_replaced},
    halves, numbers,
};
use crate::model::activity::limits;

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
        if let Some(name) = draft.twice() {
            return Err(A::Error::custom(stands_twice(&name)));
        }
        Ok((!draft.is_foreign()).then(|| draft.judge(self.sender)))
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
        // Windows' tools write a byte order mark before whatever they send.
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
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
    let read = whole(text, |text| {
        let mut from = serde_json::Deserializer::from_str(text);
        let seen = One { sender }.deserialize(&mut from)?;
        from.end()?;
        match seen {
            Some(record) => Ok(record),
            None => foreign(text, sender, Key::Own),
        }
    });
    match read {
        // It is JSON, and no record.
        Err(error) if error.is_data() => Ok(Err(plain(&error))),
        read => read,
    }
}

/// Reads a record in anybody's words.
pub(super) fn foreign(text: &str, sender: &str, key: Key) -> serde_json::Result<Record> {
    whole(text, |text| {
        let Value::Object(fields) = Twice::Refused.read(StrRead::new(text))? else { return Ok(no_object()) };
        Ok(if cloudevents::is_event(&fields) {
            cloudevents::read(fields, sender)
        } else {
            Document::of(fields).map(|document| document.judge(sender, key))
        })
    })
}

/// Reads a record of whose numbers no digit is lost, and in whose text half a character is U+FFFD; then it says so.
fn whole(text: &str, read: impl FnOnce(&str) -> serde_json::Result<Record>) -> serde_json::Result<Record> {
    let text = halves::replaced(text, "\\ufffd");
    let mut record = read(&numbers::kept(&text))?;
    if let (Cow::Owned(_), Ok(record)) = (&text, &mut record) {
        say_replaced(record);
    }
    Ok(record)
}

/// A record, if it is one and JSON.
pub(super) fn judged(read: serde_json::Result<Record>) -> Record {
    read.unwrap_or_else(|error| {
        let why = plain(&error);
        Err(if error.is_data() { why } else { format!("not JSON: {why}") })
    })
}

/// The record that cells with names make; `sender` is who its id is unique for.
pub(super) fn of_cells<'a>(cells: impl Iterator<Item = (&'a str, Cow<'a, str>)>, sender: &str) -> Record {
    let mut draft = Draft::default();
    for (name, cell) in cells {
        draft.put(Cow::Borrowed(name), Held::Text(cell));
    }
    draft.judge(sender)
}

/// Reads a line of NDJSON that has come whole; none where the line is empty.
pub fn line(bytes: &[u8], sender: &str) -> Option<Record> {
    let bytes = bytes.trim_ascii();
    let bytes = bytes.strip_prefix(MARK).unwrap_or(bytes);
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
pub(super) fn plain(error: &serde_json::Error) -> String {
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
