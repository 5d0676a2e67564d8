//! The log as a whole: whatever is appended is read again, wherever it has moved meanwhile.

use std::sync::{Arc, atomic::AtomicBool};

use jiff::Timestamp;
use proptest::{prelude::*, sample::Index};
use redb::ReadableTable as _;

use super::{
    Appended, Cache, Keys, Log, Tail,
    keeper::Work,
    keys::{FIT, Fingerprint},
    seal_up, volume,
};
use crate::{
    model::{
        activity::{Activity, NewActivity, Outcome, SenderKey},
        device::{Device, Kind},
        horizon::{Class, Horizon},
        id::ActivityId,
        inclusion::Inclusion,
        note::SigningKey,
        place::Place,
        tree::Hash,
    },
    store::{
        Read, StoreError,
        disk::Disk,
        index::Source as _,
        tables,
        writer::{Weight, Writer},
    },
};

/// A log without its thread: what the keeper does is done when the test says so.
struct Bare {
    work: Work,
    tail: Arc<Tail>,
}

impl Bare {
    fn new() -> Self {
        Self::over(Disk::in_memory().unwrap())
    }

    fn over(disk: Disk) -> Self {
        tables::prepare(&disk, Timestamp::UNIX_EPOCH).unwrap();
        let (disk, cache) = (Arc::new(disk), Arc::new(Cache::default()));
        let edge = seal_up(&disk, || [7; 16]).unwrap();
        let (tail, keys) = (Arc::new(Tail::at(edge.size())), Arc::new(Keys::of(&disk).unwrap()));
        let writer = Arc::new(Writer::start(Arc::clone(&disk), Arc::clone(&tail), Arc::clone(&keys), edge));
        Self { work: Work { disk, writer, keys, cache, stop: Arc::new(AtomicBool::new(false)) }, tail }
    }

    fn append(&self, activities: Vec<NewActivity>) -> Vec<Appended> {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let change = move |write: &mut super::Write<'_>| write.append_all(&activities);
        self.work.writer.submit::<_, StoreError>(now, Weight::Light, change).wait().unwrap()
    }

    fn log(&self) -> Log {
        Log::new(Arc::clone(&self.work.disk), Arc::clone(&self.tail), Arc::clone(&self.work.cache))
    }

    fn read<T>(&self, look: impl FnOnce(&Read) -> T) -> T {
        look(&Read::of(&self.work.disk, &self.work.cache).unwrap())
    }

    fn all(&self) -> Vec<Activity> {
        self.read(|read| read.activities_after(ActivityId(0), usize::MAX).unwrap())
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c ]{0,12}", "(backup|of|Account_2024|TK-00[0-9]{3}| ){0,8}", "\\PC{0,20}"]
}

fn activity() -> impl Strategy<Value = NewActivity> {
    let who = (
        "[ab]|\\PC{1,9}",
        prop::option::of("s[0-3]|[a-z0-9]{22}"),
        prop::option::of(any::<u32>()),
        0..3_usize,
    );
    let what = ("[ab]", "[xy]|\\PC{1,5}", text(), 0..3_usize, prop::option::of(text()));
    let attributes = prop::collection::vec(("[kl]", text()), 0..3);
    (prop::option::of(-3_000_000_000_000..8_000_000_000_000_i64), who, what, attributes).prop_map(
        |(time, (user, session, ip, agent), (app, action, detail, outcome, target), attributes)| {
            let agent = [None, Some("curl/8"), Some("Mozilla")][agent];
            NewActivity {
                time: time.map(|time| Timestamp::from_millisecond(time).unwrap()),
                user,
                action,
                detail,
                app,
                outcome: Outcome::ALL[outcome],
                session,
                ip: ip.map(|ip| {
                    if ip % 3 == 0 {
                        std::net::Ipv6Addr::from(u128::from(ip)).into()
                    } else {
                        std::net::Ipv4Addr::from(ip % 5).into()
                    }
                }),
                place: Place {
                    city: ip.map(|ip| format!("City {}", ip % 4)),
                    latitude: ip.map(f64::from),
                    longitude: ip.map(f64::from),
                    ..Place::default()
                },
                device: Device {
                    kind: agent.map_or(Kind::Unknown, |_| Kind::Bot),
                    os: agent.unwrap_or_default().to_owned(),
                    ..Device::default()
                },
                user_agent: agent.map(str::to_owned),
                target,
                attributes,
                key: None,
            }
        },
    )
}

/// What must be read of an activity that was appended under this id.
fn expected(id: u64, new: &NewActivity) -> Activity {
    let received = Timestamp::from_second(1_800_000_000).unwrap();
    let NewActivity {
        time,
        user,
        action,
        detail,
        app,
        outcome,
        session,
        ip,
        place,
        device,
        user_agent,
        target,
        attributes,
        key: _,
    } = new.clone();
    let time = time.unwrap_or(received);
    let id = ActivityId(id);
    Activity {
        id,
        time,
        received,
        user,
        action,
        detail,
        app,
        outcome,
        session,
        ip,
        place,
        device,
        user_agent,
        target,
        attributes,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_appended_is_read_again_wherever_it_stands(
        batches in prop::collection::vec(prop::collection::vec(activity(), 0..60), 1..8),
        bound_after in any::<Index>(),
        picks in prop::collection::vec(any::<Index>(), 0..40),
    ) {
        let log = Bare::new();
        let mut all = Vec::new();
        let bound_after = bound_after.index(batches.len());
        for (at, batch) in batches.into_iter().enumerate() {
            for (new, id) in batch.iter().zip(all.len() as u64 + 1..) {
                all.push(expected(id, new));
            }
            log.append(batch);
            prop_assert_eq!(log.log().last().0, all.len() as u64);
            if at == bound_after {
                log.work.bind(0).unwrap();
            }
            prop_assert_eq!(&log.all(), &all);
        }
        let picked: Vec<&Activity> = if all.is_empty() { Vec::new() } else { picks.iter().map(|pick| pick.get(&all)).collect() };
        let ids = || picked.iter().map(|activity| activity.id).chain([ActivityId(1_000_000)]);
        let found = log.read(|read| read.activities(ids()).unwrap());
        prop_assert_eq!(found.iter().collect::<Vec<_>>(), picked.clone());
        for _ in 0..2 {
            let page = log.read(|read| read.page(&ids().collect::<Vec<_>>()).unwrap());
            prop_assert_eq!(page.iter().map(|row| &**row).collect::<Vec<_>>(), picked.clone());
        }
        for activity in picked.iter().take(5) {
            let after = log.log().read(activity.id, 3).unwrap();
            prop_assert_eq!(&after, &all.iter().filter(|other| other.id > activity.id).take(3).cloned().collect::<Vec<_>>());
        }
    }
}

fn numbered(numbers: std::ops::Range<u64>) -> Vec<NewActivity> {
    numbers
        .map(|number| {
            let mut new = NewActivity::new(format!("user {}", number % 7), "backup", "vault");
            new.detail = format!("Account_{} of INC-{number}, nightly", 2010 + number % 17);
            new.key = Some(SenderKey { sender: "vault".into(), id: number.to_string() });
            new
        })
        .collect()
}

#[test]
fn a_large_log_moves_into_volumes_and_takes_a_fraction_of_the_room() {
    let log = Bare::new();
    let count = volume::LENGTH as u64 + 5000;
    for from in (0..count).step_by(10_000) {
        log.append(numbered(from..count.min(from + 10_000)));
    }
    let before = log.all();
    let pages = |read: &Read| {
        use redb::ReadableTableMetadata as _;
        let shelf = read.shelf().unwrap();
        (shelf.runs.len().unwrap(), shelf.blocks.len().unwrap(), shelf.blocks.stats().unwrap().leaf_pages())
    };
    let runs = log.read(|read| pages(read).0);
    assert!(log.work.bind(1000).unwrap());
    assert!(log.all() == before);
    let (left, blocks, leaves) = log.read(pages);
    assert!(left < runs / 10 && blocks < runs / 5, "{runs} runs became {left} and {blocks} blocks");
    assert!(leaves <= blocks + 2, "{blocks} blocks take {leaves} pages");
    assert!(!log.work.bind(20_000).unwrap(), "too few are left");
}

#[test]
fn what_a_crash_left_of_a_volume_is_not_read_as_a_part_of_the_next() {
    let log = Bare::new();
    log.append(numbered(0..5000));
    let before = log.all();
    // It had all of its parts written, more than there will be, and none of its blocks.
    let mut left = volume::Draft::default();
    for activity in &before {
        left.count(activity);
    }
    let packed = left.finish().pack().repeat(3);
    tampered(&log, |write| {
        let mut volumes = write.open_table(tables::LOG_VOLUMES).unwrap();
        for (part, number) in super::shelf::parts(&packed).zip(0..) {
            volumes.insert((1, number), part.as_slice()).unwrap();
        }
    });
    assert!(log.work.bind(1000).unwrap());
    assert!(log.all() == before);
}

#[test]
fn what_is_sent_again_is_a_duplicate_wherever_its_key_is() {
    let log = Bare::new();
    let all = |answers: &[Appended], new: bool| {
        answers.iter().all(|answer| matches!(answer, Appended::New(_)) == new)
    };
    let size = FIT as u64 * 3 + 7;
    for round in 0..6 {
        let batch = || numbered(round * size..(round + 1) * size);
        assert!(all(&log.append(batch()), true));
        assert!(all(&log.append(batch()), false), "recent");
        if round != 5 {
            log.work.fold_keys().unwrap();
        }
    }
    assert!(log.work.merge_keys().unwrap());
    assert_eq!(log.work.keys.runs().len(), 1, "those of a size became one");
    let again = log.append(numbered(0..6 * size));
    assert_eq!(again, (1..=6 * size).map(|id| Appended::Duplicate(ActivityId(id))).collect::<Vec<_>>());
    assert_eq!(log.log().last().0, 6 * size);
    // A file that is opened again knows them too, before and after its filters are made.
    let Bare { work: Work { disk, writer, .. }, tail } = log;
    drop((writer, tail));
    let log = Bare::over(Arc::into_inner(disk).unwrap());
    assert!(all(&log.append(numbered(0..6 * size)), false));
    log.work.make_filters().unwrap();
    assert!(all(&log.append(numbered(0..6 * size)), false));
    assert!(all(&log.append(numbered(6 * size..7 * size)), true));
}

#[test]
fn a_run_of_keys_that_a_kill_left_unlisted_is_removed_and_never_believed() {
    let log = Bare::new();
    log.append(numbered(0..10));
    log.work.fold_keys().unwrap();
    let key: Fingerprint = super::keys::fingerprint(&SenderKey { sender: "vault".into(), id: "77".into() });
    log.work.write_keys([Ok((key, 5))].into_iter(), 1).unwrap();
    assert!(matches!(log.append(numbered(77..78))[0], Appended::New(_)));
    let pages = |log: &Bare| {
        use redb::ReadableTableMetadata as _;
        log.work.disk.read().unwrap().open_table(tables::KEY_CHUNKS).unwrap().len().unwrap()
    };
    assert_eq!(pages(&log), 2);
    log.work.remove_leftovers().unwrap();
    assert_eq!(pages(&log), 1);
    assert!(matches!(log.append(numbered(3..4))[0], Appended::Duplicate(_)));
}

#[test]
fn a_file_of_the_first_format_is_read_and_its_keys_are_known() {
    use redb::TableDefinition;
    use sha2::{Digest, Sha256};
    let disk = Disk::in_memory().unwrap();
    let write = disk.write().unwrap();
    {
        // As 0.1.0 wrote it: a record a row, behind its version and eight bytes of SHA-256.
        let mut record = Vec::new();
        super::record::write(&numbered(3..4)[0], 5, &mut record);
        let sum = Sha256::new().chain_update([1]).chain_update(&record).finalize();
        let row = [&[1][..], &sum[..8], &record].concat();
        let log: TableDefinition<u64, &[u8]> = TableDefinition::new("log");
        write.open_table(log).unwrap().insert(1, row.as_slice()).unwrap();
        let keys: TableDefinition<&[u8; 16], u64> = TableDefinition::new("log_keys");
        let digest = Sha256::digest(b"vault\x003");
        let key: [u8; 16] = digest[..16].try_into().unwrap();
        write.open_table(keys).unwrap().insert(&key, 1).unwrap();
        let mut meta = write.open_table(tables::META).unwrap();
        meta.insert("format", 1_u32.to_le_bytes().as_slice()).unwrap();
    }
    write.commit().unwrap();
    let log = Bare::over(disk);
    assert_eq!(log.all()[0].detail, numbered(3..4)[0].detail);
    assert_eq!(
        log.append(numbered(3..5)),
        [Appended::Duplicate(ActivityId(1)), Appended::New(ActivityId(2))]
    );
    log.work.bind(0).unwrap();
    assert_eq!(log.all().len(), 2);
}

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

/// What a proof finds, and how many records there are.
fn proven(log: &Bare, sizes: &[u64]) -> super::Proof {
    log.read(|read| read.prove(sizes, &mut |_, _| {}).unwrap())
}

/// Changes the file as somebody would who knows how it is made but has not Rollcall do it.
fn tampered(log: &Bare, change: impl FnOnce(&redb::WriteTransaction)) {
    let write = log.work.disk.write().unwrap();
    change(&write);
    write.commit().unwrap();
}

/// The log that stands in the same file, opened anew.
fn reopened(log: Bare) -> Bare {
    let Bare { work: Work { disk, writer, .. }, .. } = log;
    drop(writer);
    Bare::over(Arc::into_inner(disk).unwrap())
}

/// The records of the run that is filed under this id.
fn run(write: &redb::WriteTransaction, key: u64) -> Vec<Vec<u8>> {
    let runs = write.open_table(tables::LOG_RUNS).unwrap();
    let value = runs.get(key).unwrap().unwrap();
    let mut records = super::run::records(key, value.value()).unwrap();
    std::iter::from_fn(|| records.next().unwrap().map(|(_, record)| record.to_vec())).collect()
}

/// Files a run of these records, with a check sum that is right.
fn put_run(write: &redb::WriteTransaction, key: u64, records: &[Vec<u8>]) {
    let mut draft = super::run::Draft::default();
    assert!(records.iter().all(|record| draft.keep(record)));
    write.open_table(tables::LOG_RUNS).unwrap().insert(key, draft.finish()).unwrap();
}

fn forged(detail: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let new = NewActivity { detail: detail.into(), ..NewActivity::new("eve", "backup", "vault") };
    super::record::write(&new, 5, &mut bytes);
    bytes
}

fn faults(log: &Bare) -> Vec<(u64, u64, super::Trouble)> {
    proven(log, &[]).faults.iter().map(|fault| (fault.first, fault.last, fault.trouble)).collect()
}

/// Runs of three activities each, 600 in all, of which the first 300 have moved into a volume.
fn small_runs() -> Bare {
    let log = Bare::new();
    for from in (0..600).step_by(3) {
        log.append(numbered(from..from + 3));
        if from == 297 {
            log.work.bind(0).unwrap();
        }
    }
    assert_eq!(faults(&log), []);
    log
}

#[test]
fn a_record_that_was_changed_put_in_moved_or_taken_out_is_named() {
    use super::Trouble::{Changed, Missing, PutIn};
    let log = small_runs();
    tampered(&log, |write| {
        let mut records = run(write, 301);
        records[1] = forged("nothing happened");
        put_run(write, 301, &records);
    });
    assert_eq!(faults(&log), [(302, 302, Changed)]);
    let log = small_runs();
    tampered(&log, |write| {
        let mut records = run(write, 301);
        records.swap(0, 2);
        put_run(write, 301, &records);
    });
    assert_eq!(faults(&log), [(301, 301, Changed), (303, 303, Changed)]);
    let log = small_runs();
    tampered(&log, |write| drop(write.open_table(tables::LOG_RUNS).unwrap().remove(304).unwrap()));
    assert_eq!(faults(&log), [(304, 306, Missing)]);
    // One more behind the last of a run stands where the next run begins.
    let log = small_runs();
    tampered(&log, |write| {
        let mut records = run(write, 310);
        records.push(forged("as if"));
        put_run(write, 310, &records);
    });
    assert_eq!(faults(&log), [(313, 313, Changed), (313, 313, PutIn)]);
    // And behind the last of all.
    let log = small_runs();
    tampered(&log, |write| put_run(write, 601, &[forged("later")]));
    assert_eq!(faults(&log), [(601, 601, PutIn)]);
    let log = reopened(log);
    log.append(numbered(700..703));
    let both = [(601, 601, Missing), (601, 601, PutIn)];
    assert_eq!(faults(&log), both, "it is not taken for one of ours because the log went on");
    // In a block: the same block without one of its rows. The last is not full.
    let log = small_runs();
    let mut out = 0;
    tampered(&log, |write| {
        let mut blocks = write.open_table(tables::LOG_BLOCKS).unwrap();
        let (key, value) = {
            let (key, value) = blocks.last().unwrap().unwrap();
            let mut block = super::block::Block::open(key.value(), value.value()).unwrap();
            let mut without = super::block::Draft::sparse(block.volume, block.start());
            let volume = block.volume;
            out = block.start() + 1;
            while let Some(row) = block.next().unwrap() {
                assert!(row.id == out || without.keep(volume, &row));
            }
            without.finish().unwrap()
        };
        blocks.insert(key, value.as_slice()).unwrap();
    });
    assert_eq!(faults(&log), [(out, out, Missing)]);
}

#[test]
fn who_also_changes_what_is_kept_of_the_leaves_is_found_by_the_tree() {
    use super::{
        Trouble,
        tile::{self, Kept},
    };
    let log = small_runs();
    // The record, its tag and the root of its tile, as they would have been.
    tampered(&log, |write| {
        let mut records = run(write, 301);
        records[1] = forged("nothing happened");
        put_run(write, 301, &records);
        let mut tiles = write.open_table(tables::LOG_TILES).unwrap();
        let kept = Kept::read(tiles.get(1).unwrap().unwrap().value()).unwrap();
        let value = tile::write_full(&tile::unknown(), kept.tile());
        tiles.insert(1, value.as_slice()).unwrap();
    });
    let found = faults(&log);
    assert!(found.contains(&(302, 302, Trouble::Changed)), "{found:?}");
    assert!(found.contains(&(1, 600, Trouble::Tree)), "{found:?}");
    // The leaves of a tile taken away.
    let log = small_runs();
    tampered(&log, |write| drop(write.open_table(tables::LOG_TILES).unwrap().remove(1).unwrap()));
    assert_eq!(faults(&log), [(257, 512, Trouble::Leaves)]);
    // A removal that retention never made, and one that it made left out.
    let log = small_runs();
    tampered(&log, |write| {
        let value = super::removals::write(&[(304, 306)]);
        write.open_table(tables::LOG_REMOVALS).unwrap().insert(0, value.as_slice()).unwrap();
        write.open_table(tables::LOG_RUNS).unwrap().remove(304).unwrap();
    });
    let found = faults(&log);
    assert!(
        found.contains(&(304, 306, Trouble::Missing)) && found.contains(&(1, 600, Trouble::Removals)),
        "{found:?}"
    );
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_proven() {
    let log = small_runs();
    tampered(&log, |write| {
        let mut runs = write.open_table(tables::LOG_RUNS).unwrap();
        let mut value = runs.get(400).unwrap().unwrap().value().to_vec();
        value[20] ^= 1;
        runs.insert(400, value.as_slice()).unwrap();
    });
    let proof = proven(&log, &[]);
    assert_eq!(proof.faults[0], super::Fault { first: 400, last: 400, trouble: super::Trouble::Unreadable });
    assert_eq!(proof.present, 597);
}

#[test]
fn an_older_copy_of_the_file_has_another_tree_than_the_log_that_went_on() {
    let log = small_runs();
    let at_600 = proven(&log, &[600]).roots[&600];
    log.append(numbered(600..900));
    let proof = proven(&log, &[300, 512, 600, 900, 1000]);
    assert_eq!((proof.size, proof.roots[&600], proof.roots[&900]), (900, at_600, proof.root));
    assert_eq!(
        proof.roots.keys().copied().collect::<Vec<_>>(),
        [300, 512, 600, 900],
        "it never had a thousand"
    );
    let other = Bare::new();
    other.append(numbered(1..901));
    assert_ne!(proven(&other, &[600]).roots[&600], at_600);
}

/// The root that an activity's way leads to.
fn led(log: &Bare, activity: &Activity, size: u64) -> Option<Hash> {
    let (entry, path) = log.read(|read| read.include(activity.id, size).unwrap())?;
    assert_eq!(super::read_entry(&entry).unwrap(), *activity);
    let note = SigningKey::of(&[1; 32]).unwrap().sign("x\n");
    Inclusion { entry, index: activity.id.0 - 1, path, note }.root(size)
}

#[test]
fn the_way_of_an_activity_leads_to_the_root_of_every_size() {
    let log = small_runs();
    let sizes = [1, 2, 255, 256, 257, 300, 511, 512, 513, 600];
    let roots = proven(&log, &sizes).roots;
    for activity in log.all().iter().filter(|activity| activity.id.0 % 29 == 1 || activity.id.0 > 598) {
        for size in sizes {
            let led = led(&log, activity, size);
            assert_eq!(
                led,
                roots.get(&size).filter(|_| activity.id.0 <= size).copied(),
                "{} of {size}",
                activity.id
            );
        }
    }
    assert_eq!(log.read(|read| read.include(ActivityId(0), 600).unwrap()), None);
    assert_eq!(log.read(|read| read.include(ActivityId(601), 601).unwrap()), None);
    assert!(super::read_entry(b"short").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn retention_leaves_a_log_that_proves_itself_and_all_checkpoints(
        batches in prop::collection::vec(prop::collection::vec(activity(), 1..150), 1..6),
        bound_after in any::<Index>(),
        moments in prop::collection::vec(-3_000_000_000_000..8_000_000_000_000_i64, 4),
        classes in 0..3_usize,
    ) {
        let log = Bare::new();
        let bound_after = bound_after.index(batches.len());
        let mut known = std::collections::BTreeMap::new();
        for (at, batch) in batches.into_iter().enumerate() {
            log.append(batch);
            if at == bound_after {
                log.work.bind(0).unwrap();
            }
            let size = log.tail.last().0;
            let proof = proven(&log, &[size]);
            prop_assert_eq!(&proof.faults, &[]);
            known.insert(size, proof.roots[&size]);
            // As the writer does it when a checkpoint is signed.
            tampered(&log, |write| drop(write.open_table(tables::CHECKPOINTS).unwrap().insert(size, [].as_slice()).unwrap()));
        }
        let kinds = [Class::App("a".into()), Class::Action("x".into())];
        let mut horizon = Horizon::new(kinds.into_iter().zip(moments.iter().copied()).take(classes).collect(), moments[2]);
        let mut log = log;
        for later in [0, 1_000_000_000_000] {
            horizon.all += later;
            log.work.remove(&horizon).unwrap();
            let sizes: Vec<u64> = known.keys().copied().collect();
            let proof = proven(&log, &sizes);
            prop_assert_eq!(&proof.faults, &[]);
            prop_assert_eq!(proof.present, log.all().len() as u64);
            prop_assert_eq!(&proof.roots, &known);
            for activity in log.all().iter().step_by(41) {
                for (size, root) in known.range(activity.id.0..) {
                    prop_assert_eq!(led(&log, activity, *size), Some(*root), "{} under {}", activity.id, size);
                }
            }
            log = reopened(log);
            log.append(numbered(0..2));
            let size = log.tail.last().0;
            known.insert(size, proven(&log, &[size]).root);
        }
    }
}

#[test]
fn a_log_of_an_earlier_format_gets_its_proofs_when_it_is_opened() {
    let log = small_runs();
    log.work.remove(&Horizon::new(vec![(Class::App("nobody".into()), 7)], i64::MIN)).unwrap();
    tampered(&log, |write| {
        // As format 2 left it, with some of it removed.
        write.delete_table(tables::LOG_TILES).unwrap();
        write.delete_table(tables::LOG_REMOVALS).unwrap();
        write.open_table(tables::META).unwrap().remove("sealed").unwrap();
        for run in [301, 304, 400] {
            write.open_table(tables::LOG_RUNS).unwrap().remove(run).unwrap();
        }
    });
    let log = reopened(log);
    let proof = proven(&log, &[]);
    assert_eq!((&proof.faults[..], proof.size, proof.present), (&[][..], 600, 591));
    log.append(numbered(900..903));
    assert_eq!(faults(&reopened(log)), []);
}
