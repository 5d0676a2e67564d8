//! Writes the file: the search tree, the data section in the record layout of GeoIP2 City, the metadata.

use anyhow::Context;
use jiff::Timestamp;

use crate::{
    country,
    data::{self, Data},
    places::Settled,
    tree::{Branch, Tree},
};

const DATABASE_TYPE: &str = "DBIP-City-Lite";

/// Between tree and data stand sixteen zero bytes, which pointers of the tree count too.
const SEPARATOR: u32 = 16;

const METADATA_MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";

pub(crate) fn write(
    tree: &Tree,
    tops: [Branch; 2],
    places: &[Settled],
    built: u64,
) -> anyhow::Result<Vec<u8>> {
    let order = tree.in_order(tops);
    let node_count = u32::try_from(order.len())?;
    let mut number = vec![0; order.iter().max().map_or(0, |last| *last as usize + 1)];
    for (node, at) in order.iter().zip(0_u32..) {
        number[*node as usize] = at;
    }
    let (data, offsets) = data_section(places);
    let record = |branch: Branch| match branch {
        Branch::Nowhere => node_count,
        Branch::Place(place) => node_count + SEPARATOR + offsets[place as usize],
        Branch::Node(node) => number[node as usize],
    };
    let record_size = record_size(node_count + SEPARATOR + u32::try_from(data.len())?);

    let mut file = Vec::new();
    for node in &order {
        let [left, right] = tree.node(*node).map(record).map(u32::to_be_bytes);
        match record_size {
            24 => file.extend_from_slice(&[left[1], left[2], left[3], right[1], right[2], right[3]]),
            28 => {
                let shared = (left[0] << 4) | right[0];
                file.extend_from_slice(&[left[1], left[2], left[3], shared, right[1], right[2], right[3]]);
            }
            _ => file.extend_from_slice(&[left, right].concat()),
        }
    }
    println!(
        "{node_count} nodes of 2 x {record_size} bits: {} bytes; data: {} bytes",
        file.len(),
        data.len()
    );
    file.resize(file.len() + SEPARATOR as usize, 0);
    file.extend_from_slice(&data);
    file.extend_from_slice(METADATA_MARKER);
    file.extend_from_slice(&metadata(node_count, record_size, built)?);
    Ok(file)
}

fn record_size(largest: u32) -> u16 {
    match largest {
        0..0x0100_0000 => 24,
        0x0100_0000..0x1000_0000 => 28,
        _ => 32,
    }
}

/// The data section, and where in it each place stands.
///
/// Keys and coordinates come first, because pointers to the beginning are short; places are sorted by name, so
/// that neighbours on the map are neighbours in the file and their pointers share the leading byte.
fn data_section(places: &[Settled]) -> (Vec<u8>, Vec<u32>) {
    let mut data = Data::default();
    for key in
        ["city", "country", "en", "iso_code", "latitude", "location", "longitude", "names", "subdivisions"]
    {
        data.keep(data::string(key));
    }
    for place in places {
        if let Some((latitude, longitude)) = place.point {
            data.keep(degrees(latitude));
            data.keep(degrees(longitude));
        }
    }
    let mut sorted: Vec<usize> = (0..places.len()).collect();
    sorted.sort_by_key(|place| &places[*place].name);
    let mut offsets = vec![0; places.len()];
    for place in sorted {
        let record = record(&mut data, &places[place]);
        offsets[place] = data.keep(record);
    }
    (data.bytes, offsets)
}

fn record(data: &mut Data, place: &Settled) -> Vec<u8> {
    let mut entries = Vec::new();
    if !place.name.city.is_empty() {
        let city = named(data, &place.name.city, None);
        entries.push((key(data, "city"), data.refer(city)));
    }
    if !place.name.country.is_empty() {
        let code = &place.name.country;
        let country = named(data, country::name(code).unwrap_or(code), Some(code));
        entries.push((key(data, "country"), data.refer(country)));
    }
    if let Some((latitude, longitude)) = place.point {
        let location = data::map(&[
            (key(data, "latitude"), data.refer(degrees(latitude))),
            (key(data, "longitude"), data.refer(degrees(longitude))),
        ]);
        entries.push((key(data, "location"), location));
    }
    if !place.name.region.is_empty() {
        let region = named(data, &place.name.region, None);
        entries.push((key(data, "subdivisions"), data.refer(data::array(&[region]))));
    }
    data::map(&entries)
}

/// `{"iso_code": code, "names": {"en": name}}`.
fn named(data: &mut Data, name: &str, code: Option<&str>) -> Vec<u8> {
    let name = data.refer(data::string(name));
    let names = data::map(&[(key(data, "en"), name)]);
    let mut entries = Vec::new();
    if let Some(code) = code {
        entries.push((key(data, "iso_code"), data::string(code)));
    }
    entries.push((key(data, "names"), names));
    data::map(&entries)
}

fn key(data: &mut Data, name: &str) -> Vec<u8> {
    data.refer(data::string(name))
}

/// A coordinate given in hundredths of a degree.
fn degrees(hundredths: i16) -> Vec<u8> {
    data::double(f64::from(hundredths) / 100.0)
}

fn metadata(node_count: u32, record_size: u16, built: u64) -> anyhow::Result<Vec<u8>> {
    let day =
        Timestamp::from_second(i64::try_from(built)?).context("the source's date")?.strftime("%Y-%m-%d");
    let description = format!(
        "IP Geolocation by DB-IP (https://db-ip.com). DB-IP City Lite of {day}, CC BY 4.0, \
         cut to /24 (IPv4) and /40 (IPv6) for Rollcall"
    );
    let entry = |name: &str, value| (data::string(name), value);
    Ok(data::map(&[
        entry("binary_format_major_version", data::u16(2)),
        entry("binary_format_minor_version", data::u16(0)),
        entry("build_epoch", data::u64(built)),
        entry("database_type", data::string(DATABASE_TYPE)),
        entry("description", data::map(&[entry("en", data::string(&description))])),
        entry("ip_version", data::u16(6)),
        entry("languages", data::array(&[data::string("en")])),
        entry("node_count", data::u32(node_count)),
        entry("record_size", data::u16(record_size)),
    ]))
}
