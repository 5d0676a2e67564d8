//! Every write and sync of a script fails once, with a full disk and with a broken one: nothing that was acknowledged is
//! lost, nothing hangs, and the file is written to again.

use std::{
    fmt, io,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use nix::errno::Errno;
use redb::{StorageBackend, backends::InMemoryBackend};

use super::{Oracle, Random, Step, now, open, script};
use crate::store::{Health, Settings as _, Store, StoreError};

/// A file whose calls fail as it is told.
pub(crate) struct Faulty {
    file: InMemoryBackend,
    calls: AtomicU64,
    /// From which call on, how many of them, and how.
    plan: Mutex<(u64, u64, io::ErrorKind)>,
    /// How many heads are yet to be written before it fails.
    heads: AtomicU64,
    /// Held while syncs do not come back.
    stuck: Mutex<()>,
    /// How many syncs have been asked for and not come back.
    hanging: AtomicU64,
}

impl Faulty {
    pub(crate) fn new() -> Arc<Self> {
        let plan = Mutex::new((u64::MAX, 0, io::ErrorKind::Other));
        Arc::new(Self {
            file: InMemoryBackend::new(),
            calls: AtomicU64::new(0),
            plan,
            heads: AtomicU64::new(0),
            stuck: Mutex::default(),
            hanging: AtomicU64::new(0),
        })
    }

    fn fail(&self, from: u64, many: u64, how: io::ErrorKind) {
        *self.plan.lock().unwrap() = (from, many, how);
    }

    /// Lets no sync come back before what is returned is dropped.
    fn hang(&self) -> MutexGuard<'_, ()> {
        self.stuck.lock().unwrap()
    }

    /// From now on, until it is told otherwise.
    pub(crate) fn fail_now(&self, how: io::ErrorKind) {
        self.fail(self.calls(), u64::MAX / 2, how);
    }

    /// How many calls there were that may fail.
    fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Once the head of the file, which tells what holds, was written so many times more: from the call behind that on. How many pages are
    /// written in between depends on who reads meanwhile and on which of them are free; redb writes a head before a commit's pages, and the
    /// one that commits them behind.
    pub(crate) fn fail_behind_heads(&self, heads: u64) {
        self.heads.store(heads, Ordering::SeqCst);
    }

    pub(crate) fn mend(&self) {
        self.heads.store(0, Ordering::SeqCst);
        self.fail(u64::MAX, 0, io::ErrorKind::Other);
    }

    fn call(&self) -> io::Result<()> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let (from, many, how) = *self.plan.lock().unwrap();
        let fails = call >= from && call - from < many;
        // As the system says it.
        let how = if how == io::ErrorKind::StorageFull { Errno::ENOSPC } else { Errno::EIO };
        if fails { Err(how.into()) } else { Ok(()) }
    }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a faulty file")
    }
}

impl StorageBackend for Faulty {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.call().and_then(|()| self.file.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.hanging.fetch_add(1, Ordering::SeqCst);
        drop(self.stuck.lock());
        self.hanging.fetch_sub(1, Ordering::SeqCst);
        self.call()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.call().and_then(|()| self.file.write(offset, data))?;
        if offset == 0
            && self.heads.load(Ordering::SeqCst) > 0
            && self.heads.fetch_sub(1, Ordering::SeqCst) == 1
        {
            self.fail_now(io::ErrorKind::Other);
        }
        Ok(())
    }
}

const KINDS: [io::ErrorKind; 2] = [io::ErrorKind::StorageFull, io::ErrorKind::Other];

/// How long a step may take however the file fails.
const HANG: Duration = Duration::from_secs(30);

fn steps() -> Vec<Step> {
    script(&mut Random(7), 16)
}

/// Waits until the file is written to again.
fn recovers(store: &Store) {
    let start = Instant::now();
    while store.health() != Health::Good {
        assert!(start.elapsed() < HANG, "{:?}", store.health());
        std::thread::yield_now();
    }
}

#[test]
fn whichever_write_or_sync_fails_once_nothing_acknowledged_is_lost_and_it_recovers() {
    let faulty = Faulty::new();
    let store = open(faulty.clone()).unwrap();
    let before = faulty.calls.load(Ordering::SeqCst);
    let mut oracle = Oracle::default();
    for step in steps() {
        oracle.take(&store, step).unwrap();
    }
    let calls = faulty.calls.load(Ordering::SeqCst) - before;
    drop(store);
    assert!(calls > 60, "{calls}");
    for (failing, kind) in (0..calls).flat_map(|call| KINDS.map(|kind| (call, kind))) {
        let faulty = Faulty::new();
        let store = open(faulty.clone()).unwrap();
        faulty.fail(faulty.calls.load(Ordering::SeqCst) + failing, 1, kind);
        let mut oracle = Oracle::default();
        for step in steps() {
            let start = Instant::now();
            match oracle.take(&store, step) {
                // It is tried a second time by itself, but for what waits while the disk is full.
                Ok(()) | Err(StoreError::Full) => {}
                Err(error) => panic!("call {failing} failing with {kind:?}: {error}"),
            }
            assert!(start.elapsed() < HANG, "call {failing} failing with {kind:?}");
        }
        oracle.judge(&store).unwrap_or_else(|why| panic!("call {failing} failing with {kind:?}: {why}"));
        drop(store);
        let store = open(faulty).unwrap();
        oracle.judge(&store).unwrap_or_else(|why| panic!("call {failing} with {kind:?}, reopened: {why}"));
    }
}

#[test]
fn a_file_that_fails_while_it_is_opened_is_not_called_damaged() {
    let faulty = Faulty::new();
    drop(open(faulty.clone()).unwrap());
    let before = faulty.calls();
    drop(open(faulty.clone()).unwrap());
    let calls = faulty.calls() - before;
    let mut refused = 0;
    for (call, kind) in (0..calls).flat_map(|call| KINDS.map(|kind| (call, kind))) {
        faulty.fail(faulty.calls() + call, 1, kind);
        if let Err(error) = open(faulty.clone()) {
            let said = error.to_string();
            assert!(!said.contains("restore"), "call {call} failing with {kind:?}: {said}");
            refused += 1;
        }
    }
    assert!(refused > 1, "{refused} of {calls}");
    faulty.mend();
    drop(open(faulty).unwrap());
}

#[test]
fn a_file_that_takes_no_writes_is_read_and_says_so_at_once_until_it_takes_them_again() {
    for kind in KINDS {
        let faulty = Faulty::new();
        let store = open(faulty.clone()).unwrap();
        let mut oracle = Oracle::default();
        for step in steps() {
            oracle.take(&store, step).unwrap();
        }
        faulty.fail_now(kind);
        for number in 100..120 {
            let start = Instant::now();
            let refused = oracle.take(&store, Step::Append(number * 1000..number * 1000 + 3));
            assert!(refused.is_err() && start.elapsed() < HANG);
            oracle.judge(&store).unwrap();
        }
        assert_ne!(store.health(), Health::Good);
        faulty.mend();
        recovers(&store);
        oracle.open.clear();
        oracle.take(&store, Step::Append(500..510)).unwrap();
        oracle.judge(&store).unwrap();
    }
}

#[test]
fn a_file_that_fails_and_then_hangs_is_read_meanwhile() {
    let faulty = Faulty::new();
    let store = open(faulty.clone()).unwrap();
    store.write(now(), |write| write.put_setting("a", "b")).wait().unwrap();
    let held = faulty.hang();
    faulty.fail(faulty.calls(), 1, io::ErrorKind::Other);
    // It is opened anew, and the sync of that does not come back.
    let waits = store.write(now(), |write| write.put_setting("c", "d"));
    while faulty.hanging.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    assert_eq!(store.snapshot().unwrap().setting("a").unwrap().as_deref(), Some("b"));
    assert!(store.health() != Health::Good);
    drop(held);
    let _ = waits.wait();
    let begun = Instant::now();
    while store.write(now(), |write| write.put_setting("e", "f")).wait().is_err() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not recover");
    }
    assert_eq!(store.snapshot().unwrap().setting("e").unwrap().as_deref(), Some("f"));
}

#[test]
fn behind_a_disk_that_hangs_nobody_waits() {
    let store = open(Faulty::new()).unwrap();
    let write = || store.write(now(), |_| Ok::<_, StoreError>(())).wait();
    assert!(write().is_ok());
    store.writer.vitals().have_committed_for(Duration::from_mins(1));
    assert!(matches!(write(), Err(StoreError::Failing)));
    store.writer.vitals().have_committed_for(Duration::from_secs(1));
    assert!(write().is_ok(), "it was slow, and hangs no more");
}

#[test]
fn nothing_is_acknowledged_that_a_failing_file_may_not_have_kept_and_nothing_is_written_over_it() {
    let short = || steps().into_iter().take(6);
    let script = {
        let faulty = Faulty::new();
        let store = open(faulty.clone()).unwrap();
        let before = faulty.calls.load(Ordering::SeqCst);
        for step in short() {
            Oracle::default().take(&store, step).unwrap();
        }
        faulty.calls.load(Ordering::SeqCst) - before
    };
    for (failing, kind) in (0..script).flat_map(|call| KINDS.map(|kind| (call, kind))) {
        let what = format!("from call {failing} on with {kind:?}");
        let faulty = Faulty::new();
        let store = open(faulty.clone()).unwrap();
        let from = faulty.calls.load(Ordering::SeqCst) + failing;
        faulty.fail(from, u64::MAX / 2, kind);
        let mut oracle = Oracle::default();
        for step in short() {
            let outcome = oracle.take(&store, step);
            let fails = faulty.calls.load(Ordering::SeqCst) > from;
            assert!(outcome.is_err() || !fails, "{what}: acknowledged with a sync that failed");
        }
        faulty.mend();
        recovers(&store);
        oracle.take(&store, Step::Append(900..910)).unwrap();
        oracle.judge(&store).unwrap_or_else(|why| panic!("{what}: {why}"));
        let proof = store.snapshot().unwrap().prove(&[], &mut |_, _| {}).unwrap();
        assert!(proof.faults.is_empty(), "{what}: {:?}", proof.faults);
        drop(store);
        oracle.judge(&open(faulty).unwrap()).unwrap_or_else(|why| panic!("{what}, reopened: {why}"));
    }
}

#[test]
fn on_a_full_disk_a_logout_is_written_where_activities_wait() {
    let faulty = Faulty::new();
    let store = open(faulty.clone()).unwrap();
    let mut oracle = Oracle::default();
    oracle.take(&store, Step::Start(1)).unwrap();
    // The first write finds no room; what was set aside makes some.
    faulty.fail(faulty.calls.load(Ordering::SeqCst), 1, io::ErrorKind::StorageFull);
    assert!(matches!(oracle.take(&store, Step::Append(0..3)), Err(StoreError::Full)));
    oracle.take(&store, Step::End(1)).unwrap();
    oracle.judge(&store).unwrap();
    recovers(&store);
    oracle.take(&store, Step::Append(3..6)).unwrap();
    oracle.judge(&store).unwrap();
}
