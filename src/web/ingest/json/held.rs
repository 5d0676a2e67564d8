//! What the names of a JSON object hold, read in one pass and kept as text.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::objects::{Twice, stands_twice};

/// Pairs, in the order in which they came until they are sorted.
pub(super) type Pairs<'a> = Vec<(Cow<'a, str>, Held<'a>)>;

/// What a name holds.
#[derive(Default)]
pub(super) enum Held<'a> {
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

    pub(super) fn is_object(&self) -> bool {
        match self {
            Self::Json(json) => json.starts_with('{'),
            Self::Object(_) => true,
            Self::Nothing | Self::Text(_) | Self::Number(_) => false,
        }
    }

    pub(super) fn text(self, name: &str) -> Result<Option<Cow<'a, str>>, String> {
        match self {
            Self::Nothing => Ok(None),
            Self::Text(text) => Ok(Some(text)),
            other => Err(other.no_string(name)),
        }
    }

    /// What is said of a value where a string belongs.
    pub(super) fn no_string(&self, name: &str) -> String {
        let is = match self {
            Self::Nothing => "nothing",
            Self::Text(_) => "a string",
            Self::Number(_) => "a number",
            Self::Json(json) if json.starts_with('[') => "a list",
            Self::Json(json) if json.starts_with('{') => "an object",
            Self::Json(_) => "true or false",
            Self::Object(_) => "an object",
        };
        format!("{name} must be a string, and this is {is}")
    }

    pub(super) fn any(self, name: &str) -> Result<String, String> {
        Ok(self.text(name)?.map(Cow::into_owned).unwrap_or_default())
    }

    pub(super) fn filled(self, name: &str) -> Result<Option<Cow<'a, str>>, String> {
        Ok(self.text(name)?.filter(|text| !text.is_empty()))
    }

    pub(super) fn named(self, name: &str) -> Result<Option<String>, String> {
        Ok(self.filled(name)?.map(Cow::into_owned))
    }

    /// An attribute's value as text; what is no text is kept as JSON.
    pub(super) fn attribute(self) -> Option<String> {
        match self {
            Self::Nothing | Self::Object(_) => None,
            Self::Text(text) => Some(text.into_owned()),
            Self::Number(json) | Self::Json(json) => Some(json),
        }
    }
}

/// Reads any value, and keeps of it what may be needed.
#[derive(Clone, Copy)]
pub(super) struct Any {
    /// Whether the fields of an object are wanted, or just its text.
    pub(super) fields: bool,
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
        Ok(Held::json(&Twice::Refused.visit_seq(items)?))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Held<'de>, A::Error> {
        if !self.fields {
            return Ok(Held::json(&Twice::Refused.visit_map(fields)?));
        }
        let mut pairs = Pairs::new();
        while let Some(name) = name_of(&mut fields)? {
            pairs.push((name, fields.next_value_seed(Self { fields: false })?));
        }
        if let Some(name) = first_twice(&mut pairs) {
            return Err(A::Error::custom(stands_twice(&name)));
        }
        Ok(Held::Object(pairs))
    }
}

/// Sorts pairs by name, and tells the first of which the later value would hide one before it.
pub(super) fn first_twice(pairs: &mut Pairs<'_>) -> Option<String> {
    // Stable: those of one name stay in their order.
    pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut twos = pairs.windows(2);
    let hides =
        |two: &&[(Cow<'_, str>, Held<'_>)]| two[0].0 == two[1].0 && !matches!(two[0].1, Held::Nothing);
    twos.find(hides).map(|two| two[0].0.to_string())
}

/// The next name of an object.
pub(super) fn name_of<'de, A: MapAccess<'de>>(fields: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    match fields.next_key_seed(Any { fields: false })? {
        None => Ok(None),
        Some(Held::Text(name)) => Ok(Some(name)),
        Some(_) => Err(A::Error::custom("a name is a string")),
    }
}
