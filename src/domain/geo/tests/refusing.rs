//! Files that are no good.

use std::{fs, os::unix::fs::symlink, process::Command};

use tempfile::TempDir;

use super::{
    super::{Geo, GeoError, Source},
    fixture,
    forge::{self, map, text},
    ip, place, with_fixture,
};

/// Refused with words that hold `reason`, and London is still where it was.
fn assert_refused(geo: &Geo, outcome: Result<super::super::Info, GeoError>, reason: &str) {
    let words = outcome.unwrap_err().to_string();
    assert!(words.contains(reason), "{words}");
    assert_eq!(geo.place(ip("81.2.69.142")), place("London", "England", "GB", 51.5142, -0.0931));
    assert_eq!(geo.info().database_type, "GeoLite2-City");
}

#[test]
fn files_that_are_no_databases_are_refused_and_the_old_one_goes_on() {
    let (_dir, geo) = with_fixture("GeoLite2-City-Test.mmdb");
    let files = TempDir::new().unwrap();
    let none: &[u8] = b"";
    for (content, reason) in [
        (none, "not a MaxMind DB"),
        (b"x", "not a MaxMind DB"),
        (b"network,geoname_id\n1.0.0.0/24,1\n", "not a MaxMind DB"),
        (b"\x7fELF\x02\x01\x01", "not a MaxMind DB"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "it is compressed"),
        (b"\xab\xcd\xefMaxMind.com", "it is damaged"),
    ] {
        let file = files.path().join("candidate.mmdb");
        fs::write(&file, content).unwrap();
        assert_refused(&geo, geo.replace(&file), reason);
        assert_refused(&geo, geo.replace_from(content), reason);
    }
}

#[test]
fn what_is_not_even_a_file_is_refused_without_waiting() {
    let (_dir, geo) = with_fixture("GeoLite2-City-Test.mmdb");
    let files = TempDir::new().unwrap();
    let pipe = files.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let circle = files.path().join("circle");
    symlink(&circle, &circle).unwrap();
    let huge = files.path().join("huge");
    fs::File::create(&huge).unwrap().set_len(2 << 30).unwrap();

    assert_refused(&geo, geo.replace(files.path()), "not a file");
    assert_refused(&geo, geo.replace(&pipe), "not a file");
    assert_refused(&geo, geo.replace(&circle), "cannot be read");
    assert_refused(&geo, geo.replace(&files.path().join("nothing")), "cannot be read");
    assert_refused(&geo, geo.replace(&huge), "larger than 512 MiB");
}

#[test]
fn broken_databases_are_refused_and_the_old_one_goes_on() {
    let (_dir, geo) = with_fixture("GeoLite2-City-Test.mmdb");
    assert_refused(&geo, geo.replace(&fixture("cyclic-data-structure.mmdb")), "it is damaged");
    assert_refused(&geo, geo.replace(&fixture("libmaxminddb-corrupt-search-tree.mmdb")), "holds no places");

    let mut cut = fs::read(fixture("GeoIP2-City-Test.mmdb")).unwrap();
    cut.drain(8_000..12_000);
    assert_refused(&geo, geo.replace_from(&cut[..]), "it is damaged");
}

#[test]
fn a_sound_database_of_something_else_is_refused_by_its_name() {
    let (_dir, geo) = with_fixture("GeoLite2-City-Test.mmdb");
    let network = map(&[("autonomous_system_organization", text("Example"))]);
    let file = forge::database("GeoLite2-ASN", 6, &network);
    assert_refused(&geo, geo.replace_from(&file[..]), "type \"GeoLite2-ASN\" holds no places; give a City");
    let shouting = forge::database(&"A\u{1b}[31m".repeat(10_000), 6, &network);
    let words = geo.replace_from(&shouting[..]).unwrap_err().to_string();
    assert!(words.len() < 300 && !words.contains('\u{1b}'), "{words}");
}

#[test]
fn a_broken_option_gives_way_to_the_next_best_and_says_why() {
    let dir = TempDir::new().unwrap();
    let broken = fixture("cyclic-data-structure.mmdb");
    let geo = Geo::open(dir.path(), Some(&broken)).unwrap();
    assert_eq!(geo.info().source, Source::BuiltIn);
    let problem = geo.info().problem.unwrap();
    assert!(problem.contains("cyclic-data-structure.mmdb is not used: it is damaged"), "{problem}");

    geo.replace(&fixture("GeoLite2-City-Test.mmdb")).unwrap();
    assert_eq!(geo.info().problem, None);
    let geo = Geo::open(dir.path(), Some(&broken)).unwrap();
    assert_eq!(geo.info().source, Source::Given);
    assert!(geo.info().problem.is_some());
}
