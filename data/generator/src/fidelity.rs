//! Looks every span of the source up in the finished file and says how much of it is still the same.

use std::net::IpAddr;

use maxminddb::{Reader, geoip2};

use crate::source::{Origin, Source, Span};

/// What was found, in addresses of the source (the parts of a whole that fit a double are shown).
#[derive(Default)]
struct Tally {
    addresses: u128,
    country: u128,
    region: u128,
    city: u128,
    spans: u64,
    spans_city: u64,
    /// Addresses by how far their point moved: within 1, 10, 50 km, further.
    moved: [u128; 4],
}

/// The upper ends of all but the last class of [`Tally::moved`], in kilometres.
const CLASSES: [f64; 3] = [1.0, 10.0, 50.0];

pub(crate) fn report(family: &str, source: &Source, file: &[u8]) -> anyhow::Result<()> {
    let reader = Reader::from_source(file)?;
    let mut tally = Tally::default();
    // 6to4 is left out: it is sent to the IPv4 address inside on purpose.
    for span in source.spans.iter().filter(|span| source.bits == 32 || span.first >> 112 != 0x2002) {
        let origin = &source.origins[span.origin as usize];
        let city: geoip2::City = reader.lookup(address(span, source.bits))?.decode()?.unwrap_or_default();
        tally.add(span.addresses(source.bits), origin, &city);
    }
    tally.print(family);
    Ok(())
}

/// The first address of a span. Its others have the same answer or, under the cut, a share in the same cell.
fn address(span: &Span, bits: u8) -> IpAddr {
    if bits == 32 {
        IpAddr::V4(u32::try_from(span.first >> 96).expect("32 bits are left").into())
    } else {
        IpAddr::V6(span.first.into())
    }
}

impl Tally {
    fn add(&mut self, addresses: u128, origin: &Origin, found: &geoip2::City<'_>) {
        let country = found.country.iso_code.unwrap_or_default() == origin.name.country;
        let region = found.subdivisions.first().and_then(|region| region.names.english).unwrap_or_default();
        let region = country && region == origin.name.region;
        let city = region && found.city.names.english.unwrap_or_default() == origin.name.city;
        self.addresses += addresses;
        self.country += if country { addresses } else { 0 };
        self.region += if region { addresses } else { 0 };
        self.city += if city { addresses } else { 0 };
        self.spans += 1;
        self.spans_city += u64::from(city);
        if let (Some(latitude), Some(longitude)) = (found.location.latitude, found.location.longitude) {
            let distance = kilometres((origin.latitude, origin.longitude), (latitude, longitude));
            let class = CLASSES.iter().position(|end| distance <= *end).unwrap_or(CLASSES.len());
            self.moved[class] += addresses;
        }
    }

    fn print(&self, family: &str) {
        let percent = |part: u128| 100.0 * part as f64 / self.addresses as f64;
        println!(
            "{family}, by addresses: same country {:.4} %, and region {:.4} %, and city {:.4} %",
            percent(self.country),
            percent(self.region),
            percent(self.city),
        );
        println!(
            "{family}, by spans of the source: same country, region and city {:.2} %",
            100.0 * self.spans_city as f64 / self.spans as f64
        );
        let [near, city, region, far] = self.moved.map(percent);
        println!(
            "{family}, by addresses, point moved: within 1 km {near:.2} %, 10 km {city:.2} %, 50 km {region:.2} %, \
             further {far:.2} %"
        );
    }
}

/// On a sphere of the earth's mean radius.
fn kilometres(a: (f64, f64), b: (f64, f64)) -> f64 {
    let (a, b) = ((a.0.to_radians(), a.1.to_radians()), (b.0.to_radians(), b.1.to_radians()));
    let half = ((b.0 - a.0) / 2.0).sin().powi(2) + a.0.cos() * b.0.cos() * ((b.1 - a.1) / 2.0).sin().powi(2);
    2.0 * 6371.0 * half.sqrt().asin()
}
