//! What retention takes out, and the room that it leaves.

use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;

use super::{Bare, activity, numbered, tampered};
use crate::{
    model::{
        activity::Activity,
        horizon::{Class, Horizon},
        id::ActivityId,
    },
    store::{
        Read,
        disk::Disk,
        log::{
            Appended,
            keeper::{Rest, Work},
        },
        tables,
    },
};

/// What must be left of `all` behind the horizon: the newest stays in any case.
fn left(all: &[Activity], horizon: &Horizon) -> Vec<Activity> {
    let last = all.iter().map(|activity| activity.id).max();
    all.iter().filter(|activity| Some(activity.id) == last || !horizon.hides(activity)).cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_lies_behind_the_horizon_is_removed_and_nothing_else(
        first in prop::collection::vec(activity(), 0..150),
        second in prop::collection::vec(activity(), 0..50),
        moments in prop::collection::vec(-3_000_000_000_000..8_000_000_000_000_i64, 4),
        classes in 0..3_usize,
    ) {
        let log = Bare::new();
        log.append(first);
        log.work.bind(0).unwrap();
        log.append(second);
        let all = log.all();
        let kinds = [Class::App("A".into()), Class::Action("x".into())];
        let mut horizon = Horizon::new(kinds.into_iter().zip(moments.iter().copied()).take(classes).collect(), moments[2]);
        for later in [0, 1_000_000_000_000] {
            horizon.all += later;
            let before = log.all();
            let removed = log.work.remove(&horizon).unwrap();
            prop_assert_eq!(log.all(), left(&all, &horizon));
            prop_assert_eq!(before.len() as u64 - removed, log.all().len() as u64);
            prop_assert_eq!(log.work.remove(&horizon).unwrap(), 0);
            let one_by_one = log.read(|read| read.activities(all.iter().map(|activity| activity.id)).unwrap());
            prop_assert_eq!(one_by_one, left(&all, &horizon));
        }
        // What is left can move, be added to, and be opened again.
        log.append(numbered(0..3));
        log.work.bind(0).unwrap();
        prop_assert_eq!(log.all().len(), left(&all, &horizon).len() + 3);
        let Bare { work: Work { disk, writer, .. }, tail } = log;
        let last = tail.last();
        drop((writer, tail));
        prop_assert_eq!(Bare::over(Arc::into_inner(disk).unwrap()).tail.last(), last);
    }
}

#[test]
fn what_the_log_takes_is_known_also_when_much_of_it_is_gone_here_and_there() {
    let log = Bare::new();
    log.work.measure().unwrap();
    // Times that say nothing of the order of arrival, so that what goes is spread over all of it.
    let scattered = |from: u64| {
        let mut some = numbered(from..from + 10_000);
        for (activity, number) in some.iter_mut().zip(from..) {
            let time = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44;
            activity.time = Some(Timestamp::from_millisecond(time.cast_signed()).unwrap());
        }
        some
    };
    for from in (0..200_000).step_by(10_000) {
        log.append(scattered(from));
    }
    while log.work.bind(0).unwrap() {}
    log.work.fold_keys().unwrap();
    let takes = || log.read(|read| read.log_bytes().unwrap());
    let gone = || log.read(|read| read.bytes_of_what_is_gone().unwrap());
    let there = || log.read(|read| read.activities_there().unwrap());
    let whole = takes();
    assert_eq!((there(), gone()), (200_000, 0));
    for share in [2, 4, 16] {
        log.work.remove(&Horizon::new(Vec::new(), (1 << 20) - (1 << 20) / share)).unwrap();
        assert_eq!(there(), log.all().len() as u64);
        let (left, most) = (takes() - gone(), whole / u64::try_from(share).unwrap() + whole / 5);
        assert!(left <= most, "{left} bytes instead of {most} for a {share}th");
        // By a look at every page.
        let used = log.read(every_page);
        assert!(takes().abs_diff(used) <= used / 5, "{} bytes instead of {used}", takes());
    }
    // Those that were there before anybody counted are counted as a whole.
    let (counted, left) = (takes(), there());
    tampered(&log, |write| drop(write.open_table(tables::META).unwrap().remove("log_size").unwrap()));
    log.work.measure().unwrap();
    assert_eq!(there(), left);
    assert!(takes().abs_diff(counted) <= counted / 50, "{} instead of {counted}", takes());
}

/// How many bytes the pages of the log take, by a look at each.
fn every_page(read: &Read) -> u64 {
    fn pages<K: redb::Key + 'static>(read: &Read, table: redb::TableDefinition<K, &'static [u8]>) -> u64 {
        use redb::ReadableTableMetadata as _;
        let stats = read.transaction.open_table(table).unwrap().stats().unwrap();
        stats.stored_bytes() + stats.metadata_bytes() + stats.fragmented_bytes()
    }
    pages(read, tables::LOG_RUNS)
        + pages(read, tables::LOG_BLOCKS)
        + pages(read, tables::LOG_VOLUMES)
        + pages(read, tables::LOG_TILES)
        + pages(read, tables::KEYS_RECENT)
        + pages(read, tables::KEY_CHUNKS)
}

#[test]
fn what_is_removed_before_the_keeper_had_a_look_at_the_file_is_counted_all_the_same() {
    let log = Bare::new();
    let mut some = numbered(0..3000);
    for activity in some.iter_mut().step_by(3) {
        activity.action = "gone".into();
    }
    log.append(some);
    let gone = Horizon::new(vec![(Class::Action("gone".into()), i64::MAX)], i64::MIN);
    assert_eq!(log.work.remove(&gone).unwrap(), 1000);
    log.read(|read| {
        assert_eq!(read.activities_there().unwrap(), 2000);
        assert!(read.bytes_of_what_is_gone().unwrap() > 0, "there are the hashes of a thousand");
    });
}

#[test]
fn what_is_taken_out_of_runs_leaves_no_page_half_empty() {
    let log = Bare::new();
    log.work.measure().unwrap();
    let mut some = numbered(0..20_000);
    for activity in some.iter_mut().step_by(3) {
        activity.action = "gone".into();
    }
    log.append(some);
    let whole = log.read(|read| read.log_bytes().unwrap());
    let gone = Horizon::new(vec![(Class::Action("gone".into()), i64::MAX)], i64::MIN);
    assert_eq!(log.work.remove(&gone).unwrap(), 6667);
    let left = log.read(|read| read.log_bytes().unwrap() - read.bytes_of_what_is_gone().unwrap());
    assert!(left < whole * 4 / 5, "{left} of {whole}, of which the keys are a sixth");
    let used = log.read(every_page);
    assert!(used < whole * 3 / 2, "{used} with the hashes, of {whole}");
    // And out of what was put together.
    let rest = Horizon::new(vec![(Class::Action("backup".into()), i64::MAX)], i64::MIN);
    assert_eq!(log.all().len(), 13_333);
    assert_eq!(log.work.remove(&gone.advanced_to(&rest)).unwrap(), 13_332, "the newest stays");
    assert_eq!(log.all().len(), 1);
}

#[test]
fn a_block_goes_on_where_ids_are_missing() {
    let log = Bare::new();
    log.append(numbered(0..3000));
    let every_third = Horizon::new(vec![(Class::Action("gone".into()), i64::MAX)], i64::MIN);
    let mut some = numbered(3000..6000);
    for activity in some.iter_mut().step_by(3) {
        activity.action = "gone".into();
    }
    log.append(some);
    log.work.remove(&every_third).unwrap();
    assert_eq!(log.all().len(), 5000);
    while log.work.bind(0).unwrap() {}
    let blocks = log.read(|read| {
        use redb::ReadableTableMetadata as _;
        read.transaction.open_table(tables::LOG_BLOCKS).unwrap().len().unwrap()
    });
    assert_eq!(log.all().len(), 5000);
    assert!(blocks < 200, "{blocks} blocks");
}

#[test]
fn the_horizon_is_remembered() {
    use crate::store::Horizons as _;
    let log = Bare::new();
    assert_eq!(log.read(|read| read.horizon().unwrap()), Horizon::default());
    let horizon = Horizon::new(vec![(Class::App("wiki".into()), -5), (Class::Action("x".into()), 7)], 9);
    let horizon = horizon.advanced_to(&Horizon::new(Vec::new(), 8));
    assert_eq!(horizon.earlier.len(), 1);
    let set = horizon.clone();
    log.work.write(move |write| write.set_horizon(&set)).unwrap();
    assert_eq!(log.read(|read| read.horizon().unwrap()), horizon);
}

#[test]
fn what_was_removed_leaves_neither_volumes_nor_keys() {
    let log = Bare::new();
    for from in (0..240_000).step_by(10_000) {
        let mut some = numbered(from..from + 10_000);
        for (activity, number) in some.iter_mut().zip(i64::try_from(from).unwrap()..) {
            activity.time = Some(Timestamp::from_millisecond(number).unwrap());
        }
        log.append(some);
        if from == 130_000 {
            log.work.bind(0).unwrap();
            log.work.fold_keys().unwrap();
        }
    }
    assert_eq!(log.work.remove(&Horizon::new(Vec::new(), 220_000)).unwrap(), 220_000);
    let pages = log.read(|read| {
        use redb::ReadableTableMetadata as _;
        let volumes = read.transaction.open_table(tables::LOG_VOLUMES).unwrap().len().unwrap();
        (volumes, read.transaction.open_table(tables::KEY_CHUNKS).unwrap().len().unwrap())
    });
    assert_eq!(pages, (0, 0));
    assert_eq!(log.all().len(), 20_000);
}

#[test]
fn what_has_moved_into_volumes_leaves_no_room_behind() {
    let dir = tempfile::tempdir().unwrap();
    let log = Bare::over(Disk::open(dir.path()).unwrap());
    for from in (0..100_000).step_by(10_000) {
        let mut some = numbered(from..from + 10_000);
        for activity in &mut some {
            activity.user_agent = Some("a browser that says much of itself ".repeat(4));
        }
        log.append(some);
    }
    let before = (log.work.disk.length(), log.all());
    log.work.bind(0).unwrap();
    log.work.give_back().unwrap();
    let after = log.work.disk.length();
    assert!(after < before.0 / 2, "{} bytes became {after}", before.0);
    assert!(log.all() == before.1);
}

#[test]
fn a_file_that_swells_while_the_log_is_never_busy_is_not_left_until_the_next_hour() {
    let dir = tempfile::tempdir().unwrap();
    let log = Bare::over(Disk::open(dir.path()).unwrap());
    let (mut cleaned, mut rest) = (false, Rest::default());
    log.append(numbered(0..1));
    let mut look = |log: &Bare| while log.work.tend(&mut cleaned, &mut rest).unwrap() {};
    // The rest has come and been told.
    (0..5).for_each(|_| look(&log));
    let reader = Read::of(&log.work.disk, &log.work.cache).unwrap();
    // A few come in at every look, so that it is the same rest.
    for from in (1..120_001).step_by(250) {
        let mut some = numbered(from..from + 250);
        for activity in &mut some {
            activity.user_agent = Some("a browser that says much of itself ".repeat(16));
        }
        log.append(some);
        look(&log);
    }
    log.work.bind(0).unwrap();
    drop(reader);
    let swollen = log.work.disk.length();
    assert!(swollen > 80 << 20, "{swollen} bytes");
    for at in 0..120 {
        log.append(numbered(200_000 + 10 * at..200_010 + 10 * at));
        look(&log);
    }
    let after = log.work.disk.length();
    assert!(after < swollen / 4, "{swollen} bytes became {after}");
}

#[test]
fn half_a_file_that_is_free_is_given_back_while_readers_go_on_reading() {
    let dir = tempfile::tempdir().unwrap();
    let log = Bare::over(Disk::open(dir.path()).unwrap());
    for from in (0..240_000).step_by(10_000) {
        let mut some = numbered(from..from + 10_000);
        for (activity, number) in some.iter_mut().zip(i64::try_from(from).unwrap()..) {
            activity.time = Some(Timestamp::from_millisecond(number).unwrap());
            activity.session = Some(format!("{number:022}"));
        }
        log.append(some);
        if from == 130_000 {
            log.work.bind(0).unwrap();
            log.work.fold_keys().unwrap();
        }
    }
    let before = log.work.disk.length();
    let reader = Read::of(&log.work.disk, &log.work.cache).unwrap();
    let page = |read: &Read| read.page(&[ActivityId(7), ActivityId(240_000)]).unwrap().len();
    assert_eq!((log.read(page), log.read(page)), (2, 2));
    log.work.remove(&Horizon::new(Vec::new(), 220_000)).unwrap();
    let after = log.work.disk.length();
    assert!(after < before / 2, "{before} bytes became {after}");
    assert_eq!(reader.activities([ActivityId(7)]).unwrap().len(), 1, "whoever began before goes on");
    assert_eq!((page(&reader), log.read(page)), (2, 1));
    assert!(log.read(|read| read.activities([ActivityId(7)]).unwrap()).is_empty());
    assert_eq!(log.all().len(), 20_000);
    assert!(matches!(log.append(numbered(230_000..230_001))[0], Appended::Duplicate(_)));
    assert!(matches!(log.append(numbered(240_000..240_001))[0], Appended::New(ActivityId(240_001))));
    drop((reader, log));
    let log = Bare::over(Disk::open(dir.path()).unwrap());
    assert_eq!(log.all().len(), 20_001);
    assert!(!dir.path().join("rollcall.redb.new").exists(), "no copy is left beside it");
}
