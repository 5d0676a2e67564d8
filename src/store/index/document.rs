//! What the index keeps of an activity, on its way there: in two pieces of memory, however much it is.

use std::{iter::Empty, net::IpAddr, ops::Range, slice};

use tantivy::schema::{
    Field, Value,
    document::{Document as AnyDocument, ReferenceValue, ReferenceValueLeaf},
};

use super::schema::{self, Fields, NUL};
use crate::model::{
    activity::Activity,
    query::{fold_value, words},
};

/// What the index keeps of one activity.
#[derive(Debug)]
pub(super) struct Document {
    /// In the order of the fields, which spares Tantivy the sorting.
    values: Vec<(Field, Kept)>,
    /// All texts, one behind the other.
    texts: String,
}

/// A value of a field.
#[derive(Clone, Debug)]
enum Kept {
    /// To be cut into words.
    Words(Range<usize>),
    /// A term.
    Term(Range<usize>),
    Address([u8; 16]),
    Signed(i64),
    Unsigned(u64),
}

impl Document {
    /// What the index keeps of `activity`.
    pub(super) fn of(fields: &Fields, activity: &Activity) -> Self {
        // A search for a word must not find those who searched for it.
        let of_a_search = activity.tells_of_a_search();
        let detail = if of_a_search { "" } else { &activity.detail };
        let detail_end = words::positions(detail);
        let mut document =
            Self { values: Vec::with_capacity(20), texts: String::with_capacity(256 + detail.len()) };
        if detail_end > 0 {
            document.words(fields.text, &[detail]);
        }
        for text in [&activity.action, &activity.user, &activity.app] {
            document.words(fields.text, &[text]);
        }
        let values = activity.attributes.iter().map(|(_, value)| value);
        for text in activity.target.iter().chain(values).filter(|_| !of_a_search) {
            document.words(fields.text, &[text]);
        }
        if let Some(target) = &activity.target {
            document.words(fields.part, &[&schema::target_key(), target]);
        }
        for (name, value) in &activity.attributes {
            document.words(fields.part, &[&schema::attribute_key(name), value]);
        }
        document.value(fields.user, &activity.user);
        document.value(fields.action, &activity.action);
        document.value(fields.app, &activity.app);
        document.value(fields.outcome, activity.outcome.as_str());
        // A session's id is shown to nobody in a list of values; its spelling is not kept.
        if let Some(session) = &activity.session {
            document.value(fields.session, &fold_value(session));
        }
        let (place, device) = (&activity.place, &activity.device);
        document.value(fields.country, place.country.as_deref().unwrap_or_default());
        document.value(fields.city, place.city.as_deref().unwrap_or_default());
        document.value(fields.device, &device.device);
        document.value(fields.os, &device.os);
        document.value(fields.browser, &device.browser);
        if let Some(ip) = activity.ip {
            document.address(fields.ip, ip);
        }
        document.values.extend([
            (fields.time, Kept::Signed(activity.time.as_millisecond())),
            (fields.id, Kept::Unsigned(activity.id.0)),
            (fields.detail_end, Kept::Unsigned(detail_end.into())),
        ]);
        document
    }

    fn words(&mut self, field: Field, texts: &[&str]) {
        let start = self.texts.len();
        for text in texts {
            self.texts.push_str(text);
        }
        self.values.push((field, Kept::Words(start..self.texts.len())));
    }

    /// A value that counts as a whole, unless it is empty.
    fn value(&mut self, field: Field, text: &str) {
        let start = self.texts.len();
        schema::push_value_key(&mut self.texts, text);
        let end = self.texts.len();
        if start == end {
            return;
        }
        self.texts.push(NUL);
        if self.texts[start..end] != *text {
            self.texts.extend(text.chars().map(|c| if c == NUL { ' ' } else { c }));
        }
        self.values.push((field, Kept::Term(start..self.texts.len())));
    }

    fn address(&mut self, field: Field, ip: IpAddr) {
        self.values.push((field, Kept::Address(schema::ip_term(ip))));
    }
}

impl AnyDocument for Document {
    type Value<'a> = Leaf<'a>;
    type FieldsValuesIter<'a> = Values<'a>;

    fn iter_fields_and_values(&self) -> Values<'_> {
        Values { texts: &self.texts, values: self.values.iter() }
    }
}

/// The values of a document.
pub(super) struct Values<'a> {
    texts: &'a str,
    values: slice::Iter<'a, (Field, Kept)>,
}

impl<'a> Iterator for Values<'a> {
    type Item = (Field, Leaf<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (field, kept) = self.values.next()?;
        let value = match kept {
            Kept::Words(at) => Leaf::Words(&self.texts[at.clone()]),
            Kept::Term(at) => Leaf::Bytes(self.texts[at.clone()].as_bytes()),
            Kept::Address(octets) => Leaf::Bytes(octets),
            Kept::Signed(number) => Leaf::Signed(*number),
            Kept::Unsigned(number) => Leaf::Unsigned(*number),
        };
        Some((*field, value))
    }
}

/// A value as Tantivy reads it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Leaf<'a> {
    Words(&'a str),
    Bytes(&'a [u8]),
    Signed(i64),
    Unsigned(u64),
}

impl<'a> Value<'a> for Leaf<'a> {
    type ArrayIter = Empty<Self>;
    type ObjectIter = Empty<(&'a str, Self)>;

    fn as_value(&self) -> ReferenceValue<'a, Self> {
        ReferenceValue::Leaf(match *self {
            Self::Words(text) => ReferenceValueLeaf::Str(text),
            Self::Bytes(bytes) => ReferenceValueLeaf::Bytes(bytes),
            Self::Signed(number) => ReferenceValueLeaf::I64(number),
            Self::Unsigned(number) => ReferenceValueLeaf::U64(number),
        })
    }
}
