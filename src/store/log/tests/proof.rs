//! What the tree proves of what stands in the log.

use std::sync::Arc;

use proptest::{prelude::*, sample::Index};
use redb::ReadableTable as _;

use super::{Bare, activity, numbered, tampered};
use crate::{
    model::{
        activity::{Activity, NewActivity},
        horizon::{Class, Horizon},
        id::ActivityId,
        inclusion::Inclusion,
        note::SigningKey,
        tree::Hash,
    },
    store::{log::keeper::Work, tables},
};

/// What a proof finds, and how many records there are.
fn proven(log: &Bare, sizes: &[u64]) -> super::super::Proof {
    log.read(|read| read.prove(sizes, &mut |_, _| {}).unwrap())
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
    let mut records = super::super::run::records(key, value.value()).unwrap();
    std::iter::from_fn(|| records.next().unwrap().map(|(_, record)| record.to_vec())).collect()
}

/// Files a run of these records, with a check sum that is right.
fn put_run(write: &redb::WriteTransaction, key: u64, records: &[Vec<u8>]) {
    let mut draft = super::super::run::Draft::default();
    assert!(records.iter().all(|record| draft.keep(record)));
    write.open_table(tables::LOG_RUNS).unwrap().insert(key, draft.finish()).unwrap();
}

fn forged(detail: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let new = NewActivity { detail: detail.into(), ..NewActivity::new("eve", "backup", "vault") };
    super::super::record::write(&new, 5, &mut bytes);
    bytes
}

fn faults(log: &Bare) -> Vec<(u64, u64, super::super::Trouble)> {
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
    use super::super::Trouble::{Changed, Missing, PutIn};
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
            let mut block = super::super::block::Block::open(key.value(), value.value()).unwrap();
            let mut without = super::super::block::Draft::sparse(block.volume, block.start());
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
    use super::super::{
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
        let value = super::super::removals::write(&[(304, 306)]);
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
    assert_eq!(
        proof.faults[0],
        super::super::Fault { first: 400, last: 400, trouble: super::super::Trouble::Unreadable }
    );
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
    assert_eq!(super::super::read_entry(&entry).unwrap(), *activity);
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
    assert!(super::super::read_entry(b"short").is_err());
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
