//! Records of other makers, and of nobody who means well.

use std::thread;

use tempfile::TempDir;

use super::{
    super::Geo,
    country,
    forge::{self, array, double, float, map, pointer, text},
    ip, place,
};
use crate::model::place::Place;

/// Somewhere that every forged database has an answer for.
const SOMEWHERE: &str = "203.0.113.9";

/// What is made of a record in a database that has passed the gate.
fn understood(record: &[u8]) -> Place {
    opened("City", 6, record).place(ip(SOMEWHERE))
}

fn opened(database_type: &str, ip_version: u8, record: &[u8]) -> Geo {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("forged.mmdb");
    std::fs::write(&file, forge::database(database_type, ip_version, record)).unwrap();
    let geo = Geo::open(&dir.path().join("geo"), Some(&file)).unwrap();
    assert_eq!(geo.info().problem, None);
    geo
}

fn names(name: &str) -> Vec<u8> {
    map(&[("names", map(&[("en", text(name))]))])
}

fn norway() -> (&'static str, Vec<u8>) {
    ("country", map(&[("iso_code", text("NO"))]))
}

#[test]
fn the_flat_records_of_ip_location_db_are_understood() {
    let record = map(&[
        ("country_code", text("NO")),
        ("state1", text("Vestland")),
        ("state2", text("")),
        ("city", text("Bergen")),
        ("postcode", text("")),
        ("latitude", float(60.5)),
        ("longitude", float(5.25)),
        ("timezone", text("")),
    ]);
    assert_eq!(understood(&record), place("Bergen", "Vestland", "NO", 60.5, 5.25));
}

#[test]
fn the_flat_records_of_ipinfo_are_understood() {
    let lite = map(&[("country", text("Norway")), ("country_code", text("NO")), ("asn", text("AS224"))]);
    assert_eq!(understood(&lite), country("NO"));
    let full = map(&[
        ("city", text("Bergen")),
        ("region", text("Vestland")),
        ("country", text("NO")),
        ("lat", text("60.5")),
        ("lng", text("5.25")),
    ]);
    assert_eq!(understood(&full), place("Bergen", "Vestland", "NO", 60.5, 5.25));
}

#[test]
fn networks_that_are_nowhere_are_not_looked_up() {
    let geo = opened("City", 6, &map(&[norway()]));
    for (address, said) in [
        ("10.1.2.3", "Private network"),
        ("192.168.0.1", "Private network"),
        ("::ffff:172.16.0.1", "Private network"),
        ("fd00::1", "Private network"),
        ("127.0.0.1", "Private network (loopback)"),
        ("::1", "Private network (loopback)"),
        ("169.254.1.1", "Private network (link-local)"),
        ("fe80::1", "Private network (link-local)"),
        ("100.64.0.1", "Private network (carrier NAT)"),
    ] {
        let found = geo.place(ip(address));
        assert_eq!(found, Place::default(), "{address}");
        assert_eq!(found.location(Some(ip(address))), said);
    }
    assert_eq!(geo.place(ip("9.9.9.9")), country("NO"));
}

#[test]
fn a_database_of_ipv4_has_nothing_for_ipv6() {
    let geo = opened("City", 4, &map(&[norway()]));
    assert_eq!(geo.place(ip("2a00::1")), Place::default());
    assert_eq!(geo.place(ip("::ffff:9.9.9.9")), country("NO"));
}

#[test]
fn coordinates_off_the_earth_are_dropped() {
    for (latitude, longitude) in
        [(f64::NAN, 5.0), (f64::INFINITY, 5.0), (999.0, 5.0), (-90.5, 5.0), (60.0, 180.5), (0.0, 0.0)]
    {
        let location = map(&[("latitude", double(latitude)), ("longitude", double(longitude))]);
        assert_eq!(understood(&map(&[norway(), ("location", location)])), country("NO"), "{latitude}");
    }
    let half = map(&[("latitude", double(60.0))]);
    assert_eq!(understood(&map(&[norway(), ("location", half)])), country("NO"));
}

#[test]
fn names_are_cut_and_cleaned() {
    let long = understood(&map(&[("city", names(&"ø".repeat(500_000)))]));
    assert_eq!(long.city, Some("ø".repeat(100)), "200 bytes of two each");
    let marked = understood(&map(&[norway(), ("city", names("\u{202e} Ber\u{0}\u{7}gen\r\n<b>\u{2066} "))]));
    assert_eq!(marked.city.as_deref(), Some("Bergen<b>"));
    assert_eq!(understood(&map(&[norway(), ("city", names(" \t"))])), country("NO"));
}

#[test]
fn values_of_unexpected_types_are_as_good_as_none() {
    let number = double(1.0);
    for odd in [number.clone(), text("x"), array(&[number]), map(&[("names", array(&[]))]), vec![0, 7]] {
        let record = map(&[norway(), ("subdivisions", odd.clone()), ("location", odd)]);
        assert_eq!(understood(&record), country("NO"));
    }
    let codes = map(&[norway(), ("country_code", text("Norway, or so"))]);
    assert_eq!(understood(&codes), country("NO"));
    assert_eq!(understood(&map(&[("country", text("NOR")), ("city", text("Bergen"))])).country, None);
}

#[test]
fn ten_thousand_languages_do_no_harm() {
    let mut languages: Vec<_> = (0..10_000).map(|n| (format!("x-{n}"), text("Nirgendwo"))).collect();
    languages.push(("en".to_owned(), text("Bergen")));
    let city = map(&[("names", map(&languages))]);
    assert_eq!(understood(&map(&[("city", city)])).city.as_deref(), Some("Bergen"));
}

/// The format knows no pointer to a pointer, and the reader follows 512 of them: each is a call within a call.
#[test]
fn a_record_at_the_end_of_hundreds_of_pointers_is_read_on_the_stack_that_a_thread_has() {
    let stack = if cfg!(debug_assertions) { 8 << 20 } else { 2 << 20 };
    thread::Builder::new().stack_size(stack).spawn(read_behind_pointers).unwrap().join().unwrap();
}

fn read_behind_pointers() {
    let chain = |from: usize, to: Vec<u8>| {
        let pointers = (1..=500).flat_map(|n| pointer(u32::try_from(from + n * 5).unwrap()));
        pointers.chain(to).collect::<Vec<u8>>()
    };
    assert_eq!(understood(&chain(0, map(&[norway()]))), country("NO"));
    let within = |key: &str, to: Vec<u8>| {
        let entries = |at: u32| map(&[norway(), (key, pointer(at))]);
        let behind = entries(0).len();
        [entries(u32::try_from(behind).unwrap()), chain(behind, to)].concat()
    };
    let found = |key, to| understood(&within(key, to));
    assert_eq!(found("city", names("Bergen")).city.as_deref(), Some("Bergen"));
    assert_eq!(found("subdivisions", array(&[names("Vestland")])).region.as_deref(), Some("Vestland"));
    let at = map(&[("latitude", double(60.39)), ("longitude", double(5.32))]);
    assert_eq!(found("location", at).latitude, Some(60.39));
}

/// The depth a reader recurses to is bounded, and so is the work that pointers to pointers make.
#[test]
fn bottomless_records_have_no_place() {
    let nested = |levels: usize| (0..levels).fold(map(&[norway()]), |inner, _| map(&[("names", inner)]));
    let mut records = vec![map(&[("city", nested(5_000))]), map(&[("unknown", nested(5_000))])];
    // An array of a hundred pointers to an array of a hundred pointers, ten deep.
    let mut bottom = map(&[("subdivisions", pointer(0))]).len();
    let mut fan = array(&vec![text("x"); 100]);
    for _ in 0..10 {
        let next = bottom + fan.len();
        fan.extend(array(&vec![pointer(bottom.try_into().unwrap()); 100]));
        bottom = next;
    }
    records.push([map(&[("subdivisions", pointer(bottom.try_into().unwrap()))]), fan].concat());
    for record in records {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("bottomless.mmdb");
        std::fs::write(&file, forge::database("City", 6, &record)).unwrap();
        let database = super::super::database::Database::open(&file).unwrap();
        assert_eq!(database.place(ip(SOMEWHERE)), Place::default());
    }
}
