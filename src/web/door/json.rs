//! Bodies in JSON, read so that what is wrong with one is said in the words of the API: which field, and what is wanted there.
//! What serde says by itself names our types instead.

use std::{fmt, fmt::Display};

use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeOwned, DeserializeSeed, Error, Expected, IntoDeserializer, MapAccess, SeqAccess,
        Unexpected, Visitor,
    },
    forward_to_deserialize_any,
};
use serde_json::Number;

use crate::web::failure::Failure;

/// How much of a name that somebody made up is repeated to them, in characters.
const NAME: usize = 60;

/// Reads a body, or says what is wrong with it.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, Failure> {
    let json: Json = serde_json::from_str(text).map_err(|error| {
        let said = error.to_string();
        let (why, place) = said.rsplit_once(" at line ").unwrap_or((said.as_str(), ""));
        if error.is_data() {
            return Failure::bad_request(why.to_owned());
        }
        Failure::bad_request(format!(
            "the body is not JSON: {why} in line {}",
            place.replace(" column", ", column")
        ))
    })?;
    T::deserialize(json).map_err(Failure::from)
}

/// A value, and of an object all fields in their order.
enum Json {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Json;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Null)
            }

            fn visit_bool<E>(self, yes: bool) -> Result<Json, E> {
                Ok(Json::Bool(yes))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
                Ok(Json::Number(number.into()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
                Ok(Json::Number(number.into()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
                Ok(Number::from_f64(number).map_or(Json::Null, Json::Number))
            }

            fn visit_str<E>(self, text: &str) -> Result<Json, E> {
                Ok(Json::Text(text.to_owned()))
            }

            fn visit_string<E>(self, text: String) -> Result<Json, E> {
                Ok(Json::Text(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Json::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Json, A::Error> {
                let mut object: Vec<(String, Json)> = Vec::new();
                let mut names = std::collections::HashSet::new();
                while let Some(name) = fields.next_key::<String>()? {
                    // Which of the two was meant nobody knows.
                    if !names.insert(name.clone()) {
                        return Err(A::Error::custom(format_args!(
                            "{name:.NAME$} stands twice; name it once"
                        )));
                    }
                    object.push((name, fields.next_value()?));
                }
                Ok(Json::Object(object))
            }
        }

        from.deserialize_any(Any)
    }
}

/// What is wrong with a value.
#[derive(Debug)]
struct Wrong {
    /// Of which field.
    field: Option<&'static str>,
    why: Why,
}

#[derive(Debug)]
enum Why {
    /// It is something else than this.
    Wanted(String),
    /// It is not there.
    Missing,
    /// Nothing is called so; what there is.
    Unknown(String, &'static [&'static str]),
    /// Whatever the type of the field says.
    Said(String),
}

impl From<Why> for Wrong {
    fn from(why: Why) -> Self {
        Self { field: None, why }
    }
}

impl Wrong {
    fn wanted(what: &str) -> Self {
        Why::Wanted(what.to_owned()).into()
    }

    /// The same, of the field that it was found in. Deeper within there are no fields of ours.
    fn within(self, field: Option<&'static str>) -> Self {
        Self { field: field.or(self.field), ..self }
    }

    /// The same, of one in a list.
    fn in_list(self) -> Self {
        match self.why {
            Why::Wanted(what) => Why::Wanted(format!("a list, and each in it {what}")).into(),
            _ => self,
        }
    }
}

impl Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.field.unwrap_or("the body");
        match &self.why {
            Why::Wanted(what) => write!(f, "{field} is {what}"),
            Why::Missing => write!(f, "{field} is missing"),
            Why::Said(said) => write!(f, "{field}: {said}"),
            Why::Unknown(name, known) => match known.split_last() {
                None => write!(f, "there is no field {name:.NAME$} here, nor any other"),
                Some((only, [])) => write!(f, "there is no field {name:.NAME$} here, but {only}"),
                Some((last, others)) => {
                    write!(f, "there is no field {name:.NAME$} here, but {} and {last}", others.join(", "))
                }
            },
        }
    }
}

impl std::error::Error for Wrong {}

impl Error for Wrong {
    fn custom<T: Display>(said: T) -> Self {
        Why::Said(said.to_string()).into()
    }

    fn invalid_type(_: Unexpected<'_>, _: &dyn Expected) -> Self {
        // What is asked for by name is answered below; this is a type of its own.
        Why::Said("this cannot stand here".to_owned()).into()
    }

    fn invalid_value(unexpected: Unexpected<'_>, _: &dyn Expected) -> Self {
        match unexpected {
            Unexpected::Unsigned(_) | Unexpected::Signed(_) => Self::wanted("a smaller number"),
            _ => Why::Said("this cannot stand here".to_owned()).into(),
        }
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        Why::Unknown(name.to_owned(), known).into()
    }

    fn missing_field(field: &'static str) -> Self {
        Self { field: Some(field), why: Why::Missing }
    }
}

impl From<Wrong> for Failure {
    fn from(wrong: Wrong) -> Self {
        let message = wrong.to_string();
        match wrong.field {
            Some(field) => Self::field(field, message),
            None => Self::bad_request(message),
        }
    }
}

/// For each kind of number: how a value of it is had, and what is wanted where there is none.
macro_rules! numbers {
    ($($deserialize:ident: $had:ident, $visit:ident, $wanted:literal;)*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
            match self {
                Self::Number(number) => match number.$had() {
                    Some(number) => visitor.$visit(number),
                    None => Err(Wrong::wanted($wanted)),
                },
                _ => Err(Wrong::wanted($wanted)),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Json {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(yes) => visitor.visit_bool(yes),
            Self::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (None, Some(number)) => visitor.visit_i64(number),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or_default()),
            },
            Self::Text(text) => visitor.visit_string(text),
            Self::List(list) => visitor.visit_seq(Items(list.into_iter())),
            Self::Object(fields) => visitor.visit_map(Fields::of(fields, &[])),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        if matches!(self, Self::Null) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let Self::Bool(yes) = self else { return Err(Wrong::wanted("true or false")) };
        visitor.visit_bool(yes)
    }

    numbers! {
        deserialize_u8: as_u64, visit_u64, "a whole number, at least 0";
        deserialize_u16: as_u64, visit_u64, "a whole number, at least 0";
        deserialize_u32: as_u64, visit_u64, "a whole number, at least 0";
        deserialize_u64: as_u64, visit_u64, "a whole number, at least 0";
        deserialize_i8: as_i64, visit_i64, "a whole number";
        deserialize_i16: as_i64, visit_i64, "a whole number";
        deserialize_i32: as_i64, visit_i64, "a whole number";
        deserialize_i64: as_i64, visit_i64, "a whole number";
        deserialize_f32: as_f64, visit_f64, "a number";
        deserialize_f64: as_f64, visit_f64, "a number";
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let Self::Text(text) = self else { return Err(Wrong::wanted("a string")) };
        visitor.visit_string(text)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_str(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let Self::List(list) = self else { return Err(Wrong::wanted("a list")) };
        visitor.visit_seq(Items(list.into_iter()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let Self::Object(object) = self else { return Err(Wrong::wanted("a JSON object")) };
        visitor.visit_map(Fields::of(object, fields))
    }

    forward_to_deserialize_any! {
        char bytes byte_buf unit unit_struct newtype_struct tuple tuple_struct map enum identifier ignored_any
    }
}

impl IntoDeserializer<'_, Wrong> for Json {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

struct Items(std::vec::IntoIter<Json>);

impl<'de> SeqAccess<'de> for Items {
    type Error = Wrong;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Wrong> {
        self.0.next().map(|item| seed.deserialize(item).map_err(Wrong::in_list)).transpose()
    }
}

/// The fields of an object, and those that are known by name.
struct Fields {
    left: std::vec::IntoIter<(String, Json)>,
    known: &'static [&'static str],
    at: Option<&'static str>,
    value: Json,
}

impl Fields {
    fn of(fields: Vec<(String, Json)>, known: &'static [&'static str]) -> Self {
        Self { left: fields.into_iter(), known, at: None, value: Json::Null }
    }
}

impl<'de> MapAccess<'de> for Fields {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        let Some((name, value)) = self.left.next() else { return Ok(None) };
        self.at = self.known.iter().find(|known| **known == name).copied();
        self.value = value;
        seed.deserialize(name.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let value = std::mem::replace(&mut self.value, Json::Null);
        seed.deserialize(value).map_err(|wrong| wrong.within(self.at))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use serde_json::Value;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "they are there to be read")]
    struct Everything {
        name: String,
        groups: Option<Vec<String>>,
        #[serde(default)]
        all: bool,
        seconds: Option<u64>,
        small: Option<u8>,
        ip: Option<IpAddr>,
        more: Option<Value>,
    }

    fn told(text: &str) -> String {
        let failure = read::<Everything>(text).unwrap_err();
        format!("{}: {}", failure.about().unwrap_or("-"), failure.message())
    }

    #[test]
    fn what_is_right_is_read() {
        let text = r#"{"name":"ann","groups":["a","b"],"all":true,"seconds":9,"small":null,"ip":"::1","more":{"a":[1,-2,3.5,null,"x",true]}}"#;
        let read: Everything = read(text).unwrap();
        assert_eq!((read.name.as_str(), read.all, read.seconds, read.small), ("ann", true, Some(9), None));
        assert_eq!(read.groups.unwrap(), ["a", "b"]);
        assert_eq!(read.more.unwrap().to_string(), r#"{"a":[1,-2,3.5,null,"x",true]}"#);
    }

    #[test]
    fn what_is_wrong_is_said_in_the_words_of_the_api() {
        for (text, wrong) in [
            (r"{}", "name: name is missing"),
            (r#"{"name":7}"#, "name: name is a string"),
            (r#"{"name":null}"#, "name: name is a string"),
            (r#"{"name":"a","groups":"it"}"#, "groups: groups is a list"),
            (r#"{"name":"a","groups":["a",7]}"#, "groups: groups is a list, and each in it a string"),
            (r#"{"name":"a","all":"yes"}"#, "all: all is true or false"),
            (r#"{"name":"a","seconds":-1}"#, "seconds: seconds is a whole number, at least 0"),
            (r#"{"name":"a","seconds":1.5}"#, "seconds: seconds is a whole number, at least 0"),
            (r#"{"name":"a","small":256}"#, "small: small is a smaller number"),
            (r#"{"name":"a","ip":"nowhere"}"#, "ip: ip: invalid IP address syntax"),
            (
                r#"{"name":"a","rol":1}"#,
                "-: there is no field rol here, but name, groups, all, seconds, small, ip and more",
            ),
            (r#"{"name":"a","name":"b"}"#, "-: name stands twice; name it once"),
            (r"[]", "-: the body is a JSON object"),
            (r"7", "-: the body is a JSON object"),
            (r#"{"name""#, "-: the body is not JSON: EOF while parsing an object in line 1, column 7"),
            ("", "-: the body is not JSON: EOF while parsing a value in line 1, column 0"),
        ] {
            assert_eq!(told(text), wrong, "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(told(&deep).contains("recursion limit"), "{}", told(&deep));
    }
}
