//! The log as a whole: whatever is appended is read again, wherever it has moved meanwhile.

mod proof;
mod removal;

use std::sync::{Arc, atomic::AtomicBool};

use jiff::Timestamp;
use proptest::{prelude::*, sample::Index};

use super::{
    Appended, Cache, Keys, Log, Tail,
    keeper::Work,
    keys::{FIT, Fingerprint},
    seal_up, volume,
};
use crate::{
    model::{
        activity::{Activity, Found, NewActivity, Outcome, SenderKey},
        device::{Device, Kind},
        id::ActivityId,
        place::Place,
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
                found: Found::default(),
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
        found: _,
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
fn keys_that_wait_become_a_run_between_one_volume_and_the_next() {
    let log = Bare::new();
    log.append(numbered(0..3000));
    assert!(log.work.step(1000, 2000).unwrap());
    assert_eq!(log.work.keys.recent(), 0);
    log.append(numbered(3000..4000));
    assert!(log.work.step(1000, 2000).unwrap(), "there are too few for a volume, but not for a run");
    assert_eq!(log.work.keys.recent(), 0);
    log.append(numbered(4000..4999));
    assert!(!log.work.step(1000, 2000).unwrap(), "there are too few for either");
    assert_eq!(log.work.keys.recent(), 999);
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

/// Changes the file as somebody would who knows how it is made but has not Rollcall do it.
fn tampered(log: &Bare, change: impl FnOnce(&redb::WriteTransaction)) {
    let write = log.work.disk.write().unwrap();
    change(&write);
    write.commit().unwrap();
}

#[test]
fn what_is_damaged_is_passed_over_and_everything_around_it_is_read() {
    let log = Bare::new();
    for from in (0..6000).step_by(500) {
        log.append(numbered(from..from + 500));
    }
    // Some in blocks, and some still in runs.
    log.work.bind(1000).unwrap();
    for from in (6000..7000).step_by(500) {
        log.append(numbered(from..from + 500));
    }
    let before = log.all();
    tampered(&log, |write| {
        use redb::ReadableTable as _;
        for table in [tables::LOG_BLOCKS, tables::LOG_RUNS] {
            let mut table = write.open_table(table).unwrap();
            let keys: Vec<u64> = table.iter().unwrap().map(|row| row.unwrap().0.value()).collect();
            let key = keys[keys.len() / 2];
            let mut value = table.get(key).unwrap().unwrap().value().to_vec();
            let middle = value.len() / 2;
            value[middle] ^= 1;
            table.insert(key, value.as_slice()).unwrap();
        }
    });
    let (source, mut read, mut gone, mut places) = (log.log(), Vec::new(), 0, 0);
    let mut after = ActivityId(0);
    while after < source.last() {
        if let Ok(batch) = source.read(after, 1000) {
            assert_eq!(source.damaged_behind(after).unwrap(), None);
            after = batch.last().unwrap().id;
            read.extend(batch);
        } else {
            let last = source.damaged_behind(after).unwrap().expect("it says how far");
            (gone, places) = (gone + last.0 - after.0, places + 1);
            after = last;
        }
    }
    assert_eq!(places, 2, "a block and a run");
    assert_eq!(read.len() as u64 + gone, before.len() as u64);
    assert!(gone < 2000, "{gone}");
    assert!(read.iter().all(|activity| {
        before.binary_search_by_key(&activity.id, |known| known.id).is_ok_and(|at| before[at] == *activity)
    }));
}
