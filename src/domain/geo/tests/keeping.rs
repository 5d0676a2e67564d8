//! What stays in the folder, and who may see it.

use std::{
    fs,
    net::IpAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use tempfile::TempDir;

use super::{
    super::{Geo, Source},
    country, fixture, ip, place, with_fixture,
};

const LONDON: &str = "81.2.69.142";

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn a_database_put_in_answers_at_once_and_after_the_next_start() {
    let (dir, geo) = with_fixture("GeoLite2-City-Test.mmdb");
    let info = geo.replace(&fixture("GeoLite2-Country-Test.mmdb")).unwrap();
    assert_eq!((info.database_type.as_str(), &info.source), ("GeoLite2-Country", &Source::Given));
    assert_eq!(info, geo.info());
    assert_eq!(geo.place(ip(LONDON)), country("GB"));

    let again = Geo::open(dir.path(), None).unwrap();
    assert_eq!((again.info(), again.place(ip(LONDON))), (info, country("GB")));
    let option = Geo::open(dir.path(), Some(&fixture("GeoIP2-City-Test.mmdb"))).unwrap();
    assert_eq!(option.info().source, Source::Option(fixture("GeoIP2-City-Test.mmdb")));
}

#[test]
fn a_reset_brings_the_built_in_database_back_for_good() {
    let dir = TempDir::new().unwrap();
    let geo = Geo::open(dir.path(), Some(&fixture("GeoLite2-City-Test.mmdb"))).unwrap();
    geo.replace(&fixture("GeoLite2-Country-Test.mmdb")).unwrap();
    assert_eq!(geo.reset().unwrap().source, Source::BuiltIn);
    assert_eq!(geo.place(ip("8.8.8.8")).city.as_deref(), Some("Mountain View"));
    assert_eq!(Geo::open(dir.path(), None).unwrap().info().source, Source::BuiltIn);
}

#[test]
fn what_happens_to_the_given_file_later_is_nothing_to_us() {
    let elsewhere = TempDir::new().unwrap();
    let given = elsewhere.path().join("given.mmdb");
    fs::copy(fixture("GeoIP2-City-Test.mmdb"), &given).unwrap();
    let dir = TempDir::new().unwrap();
    let geo = Geo::open(dir.path(), Some(&given)).unwrap();
    fs::File::create(&given).unwrap().set_len(0).unwrap();
    assert_eq!(geo.place(ip(LONDON)), place("London", "England", "GB", 51.5142, -0.0931));
}

#[test]
fn copies_are_for_their_owner_only_and_nothing_unfinished_stays() {
    let (dir, geo) = with_fixture("GeoLite2-City-Test.mmdb");
    geo.replace(&fixture("GeoIP2-City-Test.mmdb")).unwrap();
    geo.replace(&fixture("cyclic-data-structure.mmdb")).unwrap_err();
    assert_eq!(files(dir.path()), ["given.mmdb", "option.mmdb"].map(|name| dir.path().join(name)));
    for file in files(dir.path()) {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
}

#[test]
fn a_start_clears_away_what_a_killed_process_left_but_not_what_another_is_writing() {
    let dir = TempDir::new().unwrap();
    let old = ["1-0.tmp", "city-0123456789abcdef.mmdb", "option.mmdb"].map(|name| dir.path().join(name));
    for path in &old {
        fs::write(path, "old").unwrap();
    }
    let busy = dir.path().join("2-0.tmp");
    let writer = fs::File::create(&busy).unwrap();
    writer.lock().unwrap();
    let given = fixture("GeoLite2-City-Test.mmdb");
    fs::copy(given, dir.path().join("given.mmdb")).unwrap();

    Geo::open(dir.path(), None).unwrap();
    assert_eq!(files(dir.path()), [busy, dir.path().join("given.mmdb")]);
}

#[test]
fn the_built_in_database_is_unpacked_again_when_it_is_missing_or_damaged() {
    let dir = TempDir::new().unwrap();
    let is_sound = || Geo::open(dir.path(), None).unwrap().place(ip("8.8.8.8")).city.is_some();
    assert!(is_sound());
    let [path] = &files(dir.path())[..] else { panic!("one file") };
    let content = fs::read(path).unwrap();
    assert_eq!(content.len(), 30_186_645, "as data/README.md says");

    let mut damaged = content.clone();
    damaged[20_000_000] ^= 1;
    for bad in [&damaged, &content[..1_000_000], &[]] {
        fs::remove_file(path).unwrap();
        fs::write(path, bad).unwrap();
        assert!(is_sound());
        assert!(fs::read(path).unwrap() == content);
    }
}

#[test]
fn look_ups_go_on_while_the_database_is_changed() {
    let (_dir, geo) = with_fixture("GeoLite2-City-Test.mmdb");
    let changing = AtomicBool::new(true);
    let london: IpAddr = ip(LONDON);
    let answers = [place("London", "England", "GB", 51.5142, -0.0931), country("GB")];
    let looked_up = thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut count = 0_u64;
                    while changing.load(Ordering::Relaxed) || count == 0 {
                        assert!(answers.contains(&geo.place(london)));
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        for _ in 0..10 {
            geo.replace(&fixture("GeoLite2-Country-Test.mmdb")).unwrap();
            geo.replace(&fixture("GeoLite2-City-Test.mmdb")).unwrap();
        }
        changing.store(false, Ordering::Relaxed);
        readers.into_iter().map(|reader| reader.join().unwrap()).min()
    });
    assert!(looked_up >= Some(1));
    assert_eq!(geo.place(london), answers[0]);
}
