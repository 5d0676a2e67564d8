//! Values whose objects lose nothing where a name stands in one of them twice: what reads JSON by itself keeps the last and says nothing.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, de::Read};

/// How often a name may stand in an object that is not refused for it.
const NAMESAKES: usize = 16;

/// What becomes of a name that stands in an object twice.
#[derive(Clone, Copy)]
pub(in crate::web::ingest) enum Twice {
    /// The value is refused.
    Refused,
    /// The later one gets a number behind it.
    Numbered,
}

impl Twice {
    /// Reads a value, and nothing behind it.
    pub(in crate::web::ingest) fn read<'de>(self, from: impl Read<'de>) -> serde_json::Result<Value> {
        let mut from = serde_json::Deserializer::new(from);
        let value = self.deserialize(&mut from)?;
        from.end()?;
        Ok(value)
    }
}

impl<'de> DeserializeSeed<'de> for Twice {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Twice {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, yes: bool) -> Result<Value, E> {
        Ok(yes.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let (mut object, mut twice) = (Map::new(), None::<String>);
        while let Some(name) = fields.next_key::<String>()? {
            let value = fields.next_value_seed(self)?;
            match self {
                Self::Numbered => put_beside(&mut object, name, value),
                // Null says nothing that could be lost.
                Self::Refused if object.get(&name).is_some_and(|known| !known.is_null()) => {
                    twice = Some(twice.map_or_else(|| name.clone(), |known| known.min(name.clone())));
                }
                Self::Refused => drop(object.insert(name, value)),
            }
        }
        // At its end, and by name: so it is said alike, whichever way a record is read.
        twice.map_or_else(|| Ok(object.into()), |name| Err(A::Error::custom(stands_twice(&name))))
    }
}

/// What is said of a record in which a name stands twice.
pub(super) fn stands_twice(name: &str) -> String {
    format!("{name:.60}: stands there twice; name it once")
}

/// Puts a value into an object, with a number behind its name where that is taken by another; of very many the last stays.
pub(in crate::web::ingest) fn put_beside(object: &mut Map<String, Value>, name: String, value: Value) {
    if object.get(&name).is_none_or(|known| known.is_null() || *known == value) {
        object.insert(name, value);
        return;
    }
    let mut numbered = (2..=NAMESAKES).map(|number| format!("{name} {number}"));
    let free = numbered.find(|name| !object.contains_key(name));
    object.insert(free.unwrap_or_else(|| format!("{name} {NAMESAKES}")), value);
}

#[cfg(test)]
mod tests {
    use serde_json::{de::StrRead, json};

    use super::*;

    #[test]
    fn of_a_name_that_stands_twice_nothing_is_lost() {
        let json = r#"{"a":1,"b":{"x":1,"x":"2"},"a":true,"c":[{"y":null,"y":1.5,"y":1.5},-1],"a":null}"#;
        let kept =
            json!({"a": 1, "a 2": true, "a 3": null, "b": {"x": 1, "x 2": "2"}, "c": [{"y": 1.5}, -1]});
        assert_eq!(Twice::Numbered.read(StrRead::new(json)).unwrap(), kept);
        let refused = |json| Twice::Refused.read(StrRead::new(json)).unwrap_err().to_string();
        assert!(refused(json).starts_with("x: stands there twice; name it once"), "{}", refused(json));
        assert!(refused(r#"{"b":1,"b":2,"a":1,"a":null}"#).starts_with("a: stands there twice"));
        assert!(refused(r#"{"a":1} x"#).starts_with("trailing characters"));
        let once = r#"{"a":null,"a":{"a":["a",1e3,18446744073709551615,false]},"b":{"a":null}}"#;
        let value = Twice::Refused.read(StrRead::new(once)).unwrap();
        assert_eq!(value, serde_json::from_str::<Value>(once).unwrap());
        let many = format!("{{{}}}", (0..100).map(|n| format!(r#""a":{n}"#)).collect::<Vec<_>>().join(","));
        let many = Twice::Numbered.read(StrRead::new(&many)).unwrap();
        assert_eq!(
            (many.as_object().unwrap().len(), &many["a 16"]),
            (NAMESAKES, &json!(99)),
            "there is an end"
        );
    }
}
