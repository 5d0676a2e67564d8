//! Understands the records of many makers: GeoIP2, GeoLite2 and DB-IP (nested), `ip-location-db`
//! and `IPinfo` (flat).
//!
//! Nothing in a record is believed. A value of an unexpected type is as good as none, whatever is not asked for is
//! passed over without being decoded, and the types nest to a fixed depth, so that a hostile record costs neither
//! time nor stack: at most the 512 pointers to pointers that the reader follows, a call of 0.9 KB within a call in a release, of the 2 MB
//! that a thread has. Unoptimised it is 7.5 KB, so tests read such records on a larger stack.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use crate::model::place::Place;

/// The most bytes of a name that are kept. The longest in the built-in database has 79.
const MAX_NAME: usize = 200;

/// The most bytes of a text that is read as a number: more digits than a `f64` has.
const MAX_NUMBER: usize = 32;

/// What stands at an address. A text or a number there is nothing that we understand, and no fault either.
pub(super) type Whole<'a> = Lenient<'a, Record<'a>>;

/// All keys that say where an address is.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Record<'a> {
    #[serde(borrow)]
    city: Lenient<'a, Named<'a>>,
    #[serde(borrow)]
    country: Lenient<'a, Named<'a>>,
    #[serde(borrow)]
    country_code: Lenient<'a>,
    #[serde(borrow)]
    subdivisions: Lenient<'a, IgnoredAny, Lenient<'a, Named<'a>>>,
    #[serde(borrow)]
    state1: Lenient<'a>,
    #[serde(borrow)]
    region: Lenient<'a>,
    #[serde(borrow)]
    location: Lenient<'a, Location<'a>>,
    #[serde(borrow)]
    latitude: Lenient<'a>,
    #[serde(borrow)]
    longitude: Lenient<'a>,
    #[serde(borrow)]
    lat: Lenient<'a>,
    #[serde(borrow)]
    lng: Lenient<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Named<'a> {
    #[serde(borrow)]
    names: Lenient<'a, Names<'a>>,
    #[serde(borrow)]
    iso_code: Lenient<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Names<'a> {
    #[serde(borrow)]
    en: Lenient<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Location<'a> {
    #[serde(borrow)]
    latitude: Lenient<'a>,
    #[serde(borrow)]
    longitude: Lenient<'a>,
}

impl From<Whole<'_>> for Place {
    fn from(whole: Whole<'_>) -> Self {
        let record = whole.map;
        let region = record.subdivisions.first.name().or(record.state1.text).or(record.region.text);
        let country = record.country.map.iso_code.text.or(record.country_code.text).or(record.country.text);
        let (latitude, longitude) = point(&record.location.map.latitude, &record.location.map.longitude)
            .or_else(|| point(&record.latitude, &record.longitude))
            .or_else(|| point(&record.lat, &record.lng))
            .unzip();
        Self {
            city: record.city.name().and_then(clean),
            region: region.and_then(clean),
            country: country.and_then(code),
            latitude,
            longitude,
        }
    }
}

/// A name fit to be shown: one line without control characters or marks that turn the reading direction, and
/// no longer than [`MAX_NAME`].
pub(super) fn clean(name: &str) -> Option<String> {
    let legible = name.chars().take(MAX_NAME).filter(|c| !c.is_control() && !turns_direction(*c));
    let mut kept = String::new();
    for c in legible.skip_while(|c| c.is_whitespace()) {
        if kept.len() + c.len_utf8() > MAX_NAME {
            break;
        }
        kept.push(c);
    }
    kept.truncate(kept.trim_end().len());
    (!kept.is_empty()).then_some(kept)
}

/// The formatting characters of the Unicode bidirectional algorithm (UAX 9, section 2).
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn code(country: &str) -> Option<String> {
    let is_code = country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_code.then(|| country.to_ascii_uppercase())
}

/// Both coordinates or none; zero and zero, in the Atlantic, is how some makers write that they do not know.
fn point(latitude: &Lenient<'_>, longitude: &Lenient<'_>) -> Option<(f64, f64)> {
    let (latitude, longitude) = latitude.number.zip(longitude.number)?;
    let on_earth = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
    let unknown = latitude.abs() + longitude.abs() < f64::EPSILON;
    (on_earth && !unknown).then_some((latitude, longitude))
}

/// A value of any type: the text or number it is, what is wanted of a map, the first item of an array.
#[derive(Default)]
pub(super) struct Lenient<'a, M = IgnoredAny, S = IgnoredAny> {
    text: Option<&'a str>,
    number: Option<f64>,
    map: M,
    first: S,
}

impl<'a> Lenient<'a, Named<'a>> {
    fn name(&self) -> Option<&'a str> {
        self.map.names.map.en.text.or(self.text)
    }
}

impl<'de: 'a, 'a, M, S> Deserialize<'de> for Lenient<'a, M, S>
where
    M: Default + Deserialize<'de>,
    S: Default + Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue(PhantomData))
    }
}

struct AnyValue<'a, M, S>(PhantomData<Lenient<'a, M, S>>);

impl<'de: 'a, 'a, M, S> Visitor<'de> for AnyValue<'a, M, S>
where
    M: Default + Deserialize<'de>,
    S: Default + Deserialize<'de>,
{
    type Value = Lenient<'a, M, S>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let map = M::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Lenient { map, ..Lenient::default() })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let first = items.next_element()?.unwrap_or_default();
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Lenient { first, ..Lenient::default() })
    }

    /// `IPinfo` writes coordinates as text.
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        let number = if text.len() <= MAX_NUMBER { text.parse().ok() } else { None };
        Ok(Lenient { text: Some(text), number, ..Lenient::default() })
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Lenient { number: Some(number), ..Lenient::default() })
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Lenient { number: i32::try_from(number).ok().map(f64::from), ..Lenient::default() })
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Lenient { number: u32::try_from(number).ok().map(f64::from), ..Lenient::default() })
    }

    fn visit_u128<E>(self, _: u128) -> Result<Self::Value, E> {
        Ok(Lenient::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Lenient::default())
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Self::Value, E> {
        Ok(Lenient::default())
    }
}
