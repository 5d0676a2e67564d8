//! The follower: catching up, kills, removed and damaged folders, a log that fails.

use std::{
    fs,
    path::Path,
    sync::{Arc, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{
    super::{Deadline, Index, Standstill, folder::payload, status::FAR, sums::Rounds},
    log::{Log, activity},
};
use crate::model::{
    facet::FacetField,
    filter::{Cursor, Filter, Order},
    horizon::Horizon,
    id::ActivityId,
    index::{Behind, State},
    query::Query,
    session::Scope,
};

/// Long enough for any machine; a test that gets there has failed.
const LONG: Duration = Duration::from_mins(1);

type Harm = fn(Vec<u8>) -> Vec<u8>;

pub(super) fn log(count: u64) -> Arc<Log> {
    Arc::new(Log::of((1..=count).map(numbered).collect()))
}

/// Every third activity is late: its time lies before that of its neighbours.
pub(super) fn numbered(id: u64) -> crate::model::activity::Activity {
    let time = i64::try_from(id).unwrap() - if id.is_multiple_of(3) { 50 } else { 0 };
    let mut activity = activity(id, time);
    activity.detail = format!("number {id}");
    activity
}

pub(super) fn open(dir: &Path, log: &Arc<Log>) -> Index {
    Index::open(dir, Arc::clone(log) as Arc<dyn super::super::Source>).unwrap()
}

/// The ids that are found, each once, in the order of time, and all of them once more by a word.
pub(super) fn assert_all_found(index: &Index, count: u64) {
    assert!(index.wait_for(ActivityId(count), LONG), "{:?}", index.status());
    let mut expected: Vec<Cursor> = (1..=count)
        .map(|id| Cursor { time: numbered(id).time.as_millisecond(), id: ActivityId(id) })
        .collect();
    expected.sort_unstable_by(|a, b| b.cmp(a));
    let search = |text| {
        let filter = Filter { query: Query::parse(text).unwrap(), ..Filter::default() };
        let search = index.searcher().search(&filter, &Scope::All);
        let walk = search.walk(Order::Desc, None, 100, Deadline::never());
        walk.flat_map(Result::unwrap).collect::<Vec<_>>()
    };
    assert_eq!(search(""), expected);
    assert_eq!(search("\"number 2\"").len(), usize::from(count >= 2));
}

#[test]
fn what_is_appended_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(10);
    let index = open(&dir.path().join("index"), &log);
    assert_all_found(&index, 10);
    log.append(numbered(11));
    assert_all_found(&index, 11);
    assert_eq!(index.status().state, State::Following);
    assert_eq!((index.status().indexed, index.status().last), (ActivityId(11), ActivityId(11)));
}

#[test]
fn what_a_merge_is_writing_is_not_counted_as_the_logs() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("index");
    let index = open(&folder, &log(10));
    assert_all_found(&index, 10);
    let before = index.bytes();
    assert!(before > 0);
    fs::write(folder.join("0123456789abcdef0123456789abcdef.term"), vec![0; 1 << 20]).unwrap();
    assert_eq!(index.bytes(), before);
}

#[test]
fn after_a_kill_each_activity_is_found_exactly_once() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(0);
    for round in 1..=6 {
        let index = open(&dir.path().join("index"), &log);
        for id in (round - 1) * 500 + 1..=round * 500 {
            log.append(numbered(id));
        }
        if round % 2 == 0 {
            assert_all_found(&index, round * 500);
        }
        // Dropped, not stopped: whatever was not committed is lost to the index.
        drop(index);
    }
    assert_all_found(&open(&dir.path().join("index"), &log), 3000);
}

#[test]
fn what_was_read_before_a_stop_is_there_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(500);
    let index = open(&dir.path().join("index"), &log);
    assert_all_found(&index, 500);
    index.stop();
    log.broken.store(true, Ordering::SeqCst);
    assert_all_found(&open(&dir.path().join("index"), &log), 500);
}

#[test]
fn a_removed_folder_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    let log = log(300);
    let index = open(&path, &log);
    assert_all_found(&index, 300);
    drop(index);
    fs::remove_dir_all(&path).unwrap();
    assert_all_found(&open(&path, &log), 300);
}

#[test]
fn a_damaged_folder_is_made_again_whichever_file_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    let log = log(300);
    let index = open(&path, &log);
    assert_all_found(&index, 300);
    index.stop();
    let files: Vec<_> = fs::read_dir(&path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| !name.to_string_lossy().ends_with(".lock"))
        .collect();
    assert!(files.len() >= 6, "{files:?}");
    let harms: [Harm; 3] = [
        |mut bytes| {
            let middle = bytes.len() / 3;
            bytes[middle] ^= 0x10;
            bytes
        },
        |bytes| bytes[..bytes.len() / 2].to_vec(),
        |_| Vec::new(),
    ];
    for file in &files {
        for harm in harms {
            let copy = dir.path().join("copy");
            let _ = fs::remove_dir_all(&copy);
            fs::create_dir(&copy).unwrap();
            for name in &files {
                let bytes = fs::read(path.join(name)).unwrap();
                let bytes = if name == file { harm(bytes) } else { bytes };
                fs::write(copy.join(name), bytes).unwrap();
            }
            assert_all_found(&open(&copy, &log), 300);
            assert!(!dir.path().join("copy.old").exists() && !dir.path().join("copy.new").exists());
        }
    }
}

#[test]
fn what_is_damaged_while_it_is_in_use_is_made_anew_and_nothing_is_called_exact_meanwhile() {
    let harms: [Harm; 2] = [
        |mut bytes| {
            let end = bytes.len() / 2;
            bytes[..end].fill(0xA5);
            bytes
        },
        |mut bytes| {
            bytes.truncate(bytes.len() - 1);
            bytes
        },
    ];
    for ending in ["idx", "term", "pos", "fast"] {
        for harm in harms {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("index");
            let log = log(300);
            let index = open(&path, &log);
            assert_all_found(&index, 300);
            assert_eq!(index.verify(), Ok(()));
            let file = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
            let file = file.into_iter().find(|file| file.extension().is_some_and(|is| is == ending)).unwrap();
            // In place, as a disk does it.
            let bytes = harm(fs::read(&file).unwrap());
            fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(bytes.len() as u64).unwrap();
            std::os::unix::fs::FileExt::write_all_at(
                &fs::OpenOptions::new().write(true).open(&file).unwrap(),
                &bytes,
                0,
            )
            .unwrap();
            // Whatever a search says of it, it says.
            let search = index.searcher().search(&Filter::default(), &Scope::All);
            let _ = search.page(Order::Desc, None, 100, &Deadline::never());
            let _ = search.count(&Deadline::never());
            let _ = index.searcher().suggest(FacetField::User, "", &Scope::All, 10, &Deadline::never());
            assert_eq!(index.verify(), Err(file.file_name().unwrap().to_string_lossy().into_owned()));
            while file.exists() || index.lacks(ActivityId(300)).is_some() {
                thread::yield_now();
            }
            assert_all_found(&index, 300);
            assert_eq!(index.verify(), Ok(()));
        }
    }
}

#[test]
fn a_round_finds_what_no_search_came_upon() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    let index = open(&path, &log(300));
    assert_all_found(&index, 300);
    index.stop();
    let tantivy = tantivy::Index::open_in_dir(&path).unwrap();
    let now = Instant::now();
    let mut rounds = Rounds::new(now);
    assert_eq!(rounds.step(&tantivy, &path, now), None);
    let files: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
    let file = files.iter().find(|file| file.extension().is_some_and(|is| is == "pos")).unwrap();
    let whole = fs::read(file).unwrap();
    let mut bytes = whole.clone();
    bytes[0] ^= 1;
    fs::write(file, bytes).unwrap();
    let later = now + Duration::from_hours(5);
    assert_eq!(rounds.step(&tantivy, &path, later), None, "its turn has not come");
    let later = now + Duration::from_hours(7);
    assert_eq!(rounds.step(&tantivy, &path, later).as_ref(), Some(file));
    fs::write(file, &whole[..whole.len() - 10]).unwrap();
    assert_eq!(rounds.step(&tantivy, &path, later).as_ref(), Some(file), "that is seen at once");
}

#[test]
fn an_index_of_another_log_or_version_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    let index = open(&path, &log(300));
    assert_all_found(&index, 300);
    index.stop();
    let index = open(&path, &log(200));
    assert_all_found(&index, 200);
    index.stop();
    let meta = fs::read_to_string(path.join("meta.json")).unwrap();
    let payload = payload(ActivityId(200), 0);
    assert!(meta.contains(&payload), "{meta}");
    fs::write(path.join("meta.json"), meta.replace(&payload, "0 200")).unwrap();
    assert_all_found(&open(&path, &log(200)), 200);
}

#[test]
fn a_log_that_cannot_be_read_is_tried_again_while_searches_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(100);
    let index = open(&dir.path().join("index"), &log);
    assert_all_found(&index, 100);
    log.broken.store(true, Ordering::SeqCst);
    log.append(numbered(101));
    assert!(!index.wait_for(ActivityId(101), Duration::from_millis(300)));
    assert!(matches!(index.status().state, State::Retrying(_)), "{:?}", index.status());
    assert_all_found(&index, 100);
    log.broken.store(false, Ordering::SeqCst);
    assert_all_found(&index, 101);
}

#[test]
fn what_is_damaged_in_the_log_is_left_out_and_what_comes_after_it_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (path, log) = (dir.path().join("index"), log(1000));
    *log.damaged.lock().unwrap() = Some((401, 420));
    let found = |index: &Index| {
        let search = index.searcher().search(&Filter::default(), &Scope::All);
        search.count(&Deadline::never()).unwrap()
    };
    let index = open(&path, &log);
    assert!(index.wait_for(ActivityId(1000), LONG));
    assert_eq!((found(&index), index.lacks(ActivityId(1000))), (980, Some(Behind::Damaged(20))));
    log.append(numbered(1001));
    assert!(index.wait_for(ActivityId(1001), LONG));
    assert_eq!(found(&index), 981);
    drop(index);
    // It is known after a restart, and until the log is whole and the index is made anew.
    let index = open(&path, &log);
    assert!(index.wait_for(ActivityId(1001), LONG));
    assert_eq!((found(&index), index.lacks(ActivityId(1001))), (981, Some(Behind::Damaged(20))));
    *log.damaged.lock().unwrap() = None;
    index.start_over(LONG).unwrap();
    assert!(index.wait_for(ActivityId(1001), LONG));
    assert_eq!((found(&index), index.lacks(ActivityId(1001))), (1001, None));
}

#[test]
fn a_search_stops_when_its_time_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(&dir.path().join("index"), &log(100));
    assert_all_found(&index, 100);
    let deadline = Deadline::never();
    deadline.stop();
    let search = index.searcher().search(&Filter::default(), &Scope::All);
    assert!(matches!(search.count(&deadline), Err(super::super::SearchError::TooSlow)));
    assert_eq!(search.count_within(&deadline).unwrap(), (0, false));
    assert_eq!(search.count(&Deadline::never()).unwrap(), 100);
}

#[test]
fn what_was_counted_once_is_known_until_the_segment_or_the_question_is_another() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(100);
    let index = open(&dir.path().join("index"), &log);
    assert_all_found(&index, 100);
    let over = Deadline::never();
    over.stop();
    let count = |text: &str, user: Option<&str>, deadline: &Deadline| {
        let filter = Filter { query: Query::parse(text).unwrap(), ..Filter::default() };
        let scope = user.map_or(Scope::All, |user| Scope::Own(user.parse().unwrap()));
        index.searcher().search(&filter, &scope).count_within(deadline).unwrap()
    };
    assert_eq!(count("number -5", None, &over), (0, false));
    assert_eq!(count("number -5", None, &Deadline::never()), (99, true));
    assert_eq!(count("number -5", None, &over), (99, true));
    assert_eq!(count("number -6", None, &over), (0, false), "another question");
    assert_eq!(count("number -5", Some("bob"), &over), (0, false), "another scope");
    index.forget(Horizon { all: 51, ..Horizon::default() });
    let (left, exact) = count("number -5", None, &Deadline::never());
    assert!(exact && left < 99, "{left}");
    log.append(numbered(101));
    assert!(index.wait_for(ActivityId(101), LONG));
    assert!(count("number -5", None, &over).0 <= left + 1);
    assert_eq!(count("number -5", None, &Deadline::never()), (left + 1, true));
}

#[test]
fn what_the_index_lacks_is_told_while_it_is_more_than_what_is_on_its_way() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(3000);
    log.broken.store(true, Ordering::SeqCst);
    let index = open(&dir.path().join("index"), &log);
    while index.lacks(ActivityId(3000)) == Some(Behind::Unverified) {
        thread::yield_now();
    }
    assert_eq!(index.lacks(ActivityId(3000)), Some(Behind::Lacks(3000)), "it is made anew");
    log.broken.store(false, Ordering::SeqCst);
    assert_all_found(&index, 3000);
    assert_eq!(index.lacks(ActivityId(3000)), None);
    assert_eq!(index.lacks(ActivityId(3000 + FAR)), None, "that is on its way");
    assert_eq!(index.lacks(ActivityId(3001 + FAR)), Some(Behind::Lacks(FAR + 1)));

    log.broken.store(true, Ordering::SeqCst);
    log.append(numbered(3001));
    while !matches!(index.status().state, State::Retrying(_)) {
        thread::yield_now();
    }
    assert_eq!(index.lacks(ActivityId(3001)), Some(Behind::Lacks(1)), "it cannot go on");
    log.broken.store(false, Ordering::SeqCst);
    assert_all_found(&index, 3001);
    assert_eq!(index.lacks(ActivityId(3001)), None);

    log.broken.store(true, Ordering::SeqCst);
    index.start_over(LONG).unwrap();
    assert_eq!(index.lacks(ActivityId(3001)), Some(Behind::Lacks(3001)), "all of it is to be read again");
    log.broken.store(false, Ordering::SeqCst);
    assert_all_found(&index, 3001);
    assert_eq!(index.lacks(ActivityId(3001)), None);
}

#[test]
fn whoever_waits_for_an_index_that_stands_still_is_told_why_and_one_that_goes_on_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(100);
    let index = open(&dir.path().join("index"), &log);
    assert_eq!(index.follows_to(ActivityId(100), LONG), Ok(true));
    assert_eq!(index.follows_to(ActivityId(101), Duration::from_millis(1)), Ok(false), "it is not there yet");
    log.broken.store(true, Ordering::SeqCst);
    log.append(numbered(101));
    let stands = Standstill("the log cannot be read: broken for the test".to_owned());
    assert_eq!(index.follows_to(ActivityId(101), LONG), Err(stands));
    assert_eq!(index.follows_to(ActivityId(100), LONG), Ok(true), "what it has it has");
    log.broken.store(false, Ordering::SeqCst);
    assert_eq!(index.follows_to(ActivityId(101), LONG), Ok(true), "however long it stood before");
}
