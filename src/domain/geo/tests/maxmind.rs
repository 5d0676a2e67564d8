//! Every database that `MaxMind` keeps for tests of readers: sound ones of all kinds, broken ones, and hostile ones of which a few
//! hundred bytes stand for gigabytes. Each is taken or refused with words, at once, and looking things up in it does no harm.

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{
    super::{Geo, database::Database},
    fixture, ip, with_fixture,
};

/// How long a database may take to be taken or refused, and how long what is asked of it: no more than tells a hang from a slow machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Every one by its name.
fn all() -> BTreeMap<String, Vec<u8>> {
    let files = ["", "test-data", "bad-data"].map(|folder| fs::read_dir(fixture(folder)).unwrap());
    let read = |path: std::path::PathBuf| {
        let name = path.file_name()?.to_str()?.to_owned();
        let bytes = fs::read(&path).ok()?;
        match name.strip_suffix(".zst") {
            Some(name) => Some((name.to_owned(), zstd::decode_all(&bytes[..]).unwrap())),
            None => path.extension().is_some_and(|ending| ending == "mmdb").then_some((name, bytes)),
        }
    };
    files.into_iter().flatten().filter_map(|file| read(file.unwrap().path())).collect()
}

/// Addresses all over both families, among them those that the databases say something of.
fn addresses() -> Vec<IpAddr> {
    let known =
        ["81.2.69.142", "89.160.20.112", "1.1.1.1", "1.1.1.32", "2001:218::", "::1:ffff:ffff", "::2:0:40"];
    let spread = (0..1024_u32).map(|n| n.wrapping_mul(0x9e37_79b1));
    let v4 = spread.clone().map(|bits| IpAddr::from(Ipv4Addr::from(bits)));
    let v6 = spread.map(|bits| IpAddr::from(Ipv6Addr::from(u128::from(bits) << 96 | u128::from(bits))));
    known.map(ip).into_iter().chain(v4).chain(v6).collect()
}

#[test]
fn every_one_is_taken_or_refused_with_words_and_at_once() {
    let all = all();
    assert_eq!(all.len(), 73);
    let (_dir, geo) = with_fixture("GeoLite2-City-Test.mmdb");
    let london = geo.place(ip("81.2.69.142"));
    let told = all.iter().map(|(name, bytes)| {
        let began = Instant::now();
        let outcome = geo.replace_from(&bytes[..]);
        assert!(began.elapsed() < PATIENCE, "{name} took {:?}", began.elapsed());
        match outcome {
            Ok(_) => {
                let place = geo.place(ip("81.2.69.142"));
                geo.replace(&fixture("GeoLite2-City-Test.mmdb")).unwrap();
                format!("{name}: taken, {:?}\n", place.country.unwrap_or_default())
            }
            Err(error) => {
                assert_eq!(geo.place(ip("81.2.69.142")), london, "after {name}");
                format!("{name}: {error}\n")
            }
        }
    });
    insta::assert_snapshot!(told.collect::<String>());
}

#[test]
fn a_server_starts_whichever_of_them_it_is_given() {
    let (files, dir) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    // What was put in before goes on where the given one is no good.
    Geo::open(dir.path(), None).unwrap().replace(&fixture("GeoLite2-City-Test.mmdb")).unwrap();
    for (name, bytes) in all() {
        let file = files.path().join(&name);
        fs::write(&file, bytes).unwrap();
        let began = Instant::now();
        let geo = Geo::open(dir.path(), Some(&file)).unwrap();
        assert!(began.elapsed() < PATIENCE, "{name} took {:?}", began.elapsed());
        let goes_on = geo.place(ip("81.2.69.142")).city.as_deref() == Some("London");
        assert!(goes_on || geo.info().problem.is_none(), "{name}");
    }
}

#[test]
fn nothing_that_is_looked_up_in_them_does_any_harm() {
    let files = TempDir::new().unwrap();
    let (file, addresses) = (files.path().join("odd.mmdb"), addresses());
    let mut opened = 0;
    for (name, bytes) in all() {
        // Past the gate, which refuses most of them: what it lets in may be damaged afterwards.
        let _ = fs::remove_file(&file);
        fs::write(&file, bytes).unwrap();
        let began = Instant::now();
        let Ok(database) = Database::open(&file) else { continue };
        opened += 1;
        for address in &addresses {
            let _ = database.place(*address);
        }
        assert!(
            began.elapsed() < PATIENCE,
            "{name}: {} look-ups took {:?}",
            addresses.len(),
            began.elapsed()
        );
    }
    assert!(opened > 40, "{opened}");
}
