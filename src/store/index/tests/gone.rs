//! What lies behind the horizon: hidden at once, removed in time, and never back after a kill.

use std::{cell::Cell, fs, path::Path, sync::Arc, time::Duration};

use super::{
    super::{
        Deadline, Index, Source,
        folder::{Folder, payload},
        purge::Purge,
        segment::Snapshot,
    },
    log::{Log, activity},
};
use crate::model::{
    activity::Activity,
    filter::{Cursor, Filter, Order},
    horizon::{Class, Horizon},
    id::ActivityId,
    index::State,
    query::Query,
    session::Scope,
};

const LONG: Duration = Duration::from_mins(1);

/// Every fifth activity is of the wiki, every third late.
fn numbered(id: u64) -> Activity {
    let time = i64::try_from(id).unwrap() - if id.is_multiple_of(3) { 50 } else { 0 };
    let mut activity = activity(id, time);
    activity.detail = format!("number {id} {}", "x".repeat((id % 50) as usize));
    if id.is_multiple_of(5) {
        activity.app = "wiki".into();
    }
    activity
}

/// The wiki is kept from `wiki` on and everything else from `all` on.
fn horizon(wiki: i64, all: i64) -> Horizon {
    Horizon::new(vec![(Class::App("wiki".into()), wiki)], all)
}

fn open(dir: &Path, log: &Arc<Log>) -> Index {
    Index::open(dir, Arc::clone(log) as Arc<dyn Source>).unwrap()
}

fn left(count: u64, horizon: &Horizon) -> Vec<Cursor> {
    let mut left: Vec<Cursor> = (1..=count)
        .map(numbered)
        .filter(|activity| !horizon.hides(activity))
        .map(|activity| Cursor { time: activity.time.as_millisecond(), id: activity.id })
        .collect();
    left.sort_unstable_by(|a, b| b.cmp(a));
    left
}

fn assert_finds(index: &Index, count: u64, horizon: &Horizon) {
    let expected = left(count, horizon);
    for (text, every) in [("", 1), ("number", 1), ("app:wiki", 5)] {
        let filter = Filter { query: Query::parse(text).unwrap(), ..Filter::default() };
        let search = || index.searcher().search(&filter, &Scope::All);
        let found: Vec<Cursor> =
            search().walk(Order::Desc, None, 90, Deadline::never()).flat_map(Result::unwrap).collect();
        let expected: Vec<Cursor> =
            expected.iter().filter(|cursor| cursor.id.0.is_multiple_of(every)).copied().collect();
        assert_eq!(found, expected, "{text:?} {horizon:?}");
        assert_eq!(search().count(&Deadline::never()).unwrap(), expected.len() as u64);
    }
}

/// Fills the folder with `count` activities in four segments or fewer, and stops.
fn fill(dir: &Path, log: &Arc<Log>, count: u64) {
    for part in 1..=4 {
        let index = open(dir, log);
        for id in (part - 1) * count / 4 + 1..=part * count / 4 {
            log.append(numbered(id));
        }
        assert!(index.wait_for(ActivityId(part * count / 4), LONG), "{:?}", index.status());
        index.stop();
    }
}

/// How many documents the files hold.
fn documents(snapshot: &Snapshot) -> usize {
    snapshot.segments.iter().map(|segment| segment.len as usize).sum()
}

/// Nothing is left to be removed: no segment has as much as a quarter too many.
fn is_tidy(snapshot: &Snapshot) -> bool {
    Purge::of(snapshot).unwrap().is_empty()
}

fn bytes(dir: &Path) -> u64 {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn what_is_gone_is_hidden_at_once_and_leaves_the_files_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    let log = Arc::new(Log::default());
    fill(&path, &log, 4000);
    let before = bytes(&path);
    let index = open(&path, &log);
    assert_finds(&index, 4000, &Horizon::default());
    for horizon in [horizon(i64::MIN, 900), horizon(500, 2500), horizon(3950, 3900)] {
        index.forget(horizon.clone());
        assert_finds(&index, 4000, &horizon);
        assert!(index.shared.wait_until(LONG, |snapshot, _| is_tidy(snapshot)));
        assert_finds(&index, 4000, &horizon);
        let documents = documents(&index.shared.snapshot());
        let left = left(4000, &horizon).len();
        assert!(documents >= left && documents * 3 <= left * 4 + 12, "{documents} documents for {left}");
    }
    log.append(numbered(4001));
    assert!(index.wait_for(ActivityId(4001), LONG));
    assert_finds(&index, 4001, &horizon(3950, 3900));
    index.stop();
    let after = bytes(&path);
    assert!(after * 4 < before, "{before} bytes became {after}");
}

#[test]
fn everything_may_be_gone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    let log = Arc::new(Log::default());
    fill(&path, &log, 400);
    let index = open(&path, &log);
    index.forget(horizon(5000, 5000));
    assert_finds(&index, 400, &horizon(5000, 5000));
    assert!(index.shared.wait_until(LONG, |snapshot, _| snapshot.segments.is_empty()));
    index.stop();
    let index = open(&path, &log);
    assert!(index.wait_for(ActivityId(400), LONG), "it does not begin anew");
    assert_finds(&index, 0, &Horizon::default());
}

#[test]
fn a_kill_between_deletion_and_rewriting_brings_nothing_back_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    let log = Arc::new(Log::default());
    fill(&path, &log, 2000);
    let horizon = horizon(300, 1100);
    {
        // What the follower does first; then the power goes.
        let folder = Folder::open(&path, ActivityId(2000)).unwrap();
        let snapshot = folder.snapshot().unwrap().before(&Arc::new(horizon.clone()));
        let mut writer = folder.index.writer_with_num_threads(1, 15_000_000).unwrap();
        let purge = Purge::of(&snapshot).unwrap();
        assert!(!purge.rewritten().is_empty());
        purge.delete(&writer).unwrap();
        let mut commit = writer.prepare_commit().unwrap();
        commit.set_payload(&payload(ActivityId(2000), 0));
        commit.commit().unwrap();
        assert!(folder.index.load_metas().unwrap().segments.iter().any(tantivy::SegmentMeta::has_deletes));
    }
    let index = open(&path, &log);
    index.forget(horizon.clone());
    assert_finds(&index, 2000, &horizon);
    assert!(index.wait_for(ActivityId(2000), LONG));
    assert!(index.shared.wait_until(LONG, |snapshot, _| is_tidy(snapshot)));
    assert_finds(&index, 2000, &horizon);
}

#[test]
fn kills_while_it_is_removed_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    let log = Arc::new(Log::default());
    fill(&path, &log, 2000);
    for step in 1..=8 {
        let horizon = horizon(step * 100, step * 200);
        let index = open(&path, &log);
        index.forget(horizon.clone());
        assert_finds(&index, 2000, &horizon);
        // Not at all, to the deletion, or to the segment without what is gone.
        let seen = Cell::new(0);
        let far_enough = |_: &Snapshot, _: &State| seen.replace(seen.get() + 1) == step % 3;
        assert!(index.shared.wait_until(LONG, far_enough));
        drop(index);
    }
    let index = open(&path, &log);
    index.forget(horizon(800, 1600));
    assert!(index.shared.wait_until(LONG, |snapshot, _| is_tidy(snapshot)));
    assert_finds(&index, 2000, &horizon(800, 1600));
}
