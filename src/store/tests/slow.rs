//! A slow disk, and a change that panics: the writer makes its groups larger, and outlives it.

use std::{
    fmt, io,
    sync::{Arc, Condvar, Mutex},
};

use redb::{StorageBackend, backends::InMemoryBackend};

use super::{now, open};
use crate::{
    model::{activity::NewActivity, id::ActivityId},
    store::{Health, Store, StoreError},
};

/// A file whose syncs wait for a gate.
struct Gated {
    file: InMemoryBackend,
    gate: Mutex<Gate>,
    moved: Condvar,
}

#[derive(Default)]
struct Gate {
    closed: bool,
    /// Whether a sync stands before it.
    waiting: bool,
}

impl Gated {
    fn new() -> Arc<Self> {
        Arc::new(Self { file: InMemoryBackend::new(), gate: Mutex::default(), moved: Condvar::new() })
    }

    fn close(&self) {
        self.gate.lock().unwrap().closed = true;
    }

    fn open(&self) {
        self.gate.lock().unwrap().closed = false;
        self.moved.notify_all();
    }

    /// Returns when a sync stands before the closed gate.
    fn reached(&self) {
        let gate = self.gate.lock().unwrap();
        drop(self.moved.wait_while(gate, |gate| !gate.waiting).unwrap());
    }
}

impl fmt::Debug for Gated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a gated file")
    }
}

impl StorageBackend for Gated {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut gate = self.gate.lock().unwrap();
        gate.waiting = true;
        self.moved.notify_all();
        let mut gate = self.moved.wait_while(gate, |gate| gate.closed).unwrap();
        gate.waiting = false;
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }
}

fn append(store: &Store, detail: &str) -> crate::store::Pending<(), StoreError> {
    let new = NewActivity::new("ann", detail, "t");
    store.write(now(), move |write| write.append(&new).map(drop))
}

#[test]
fn while_the_disk_is_slow_what_waits_becomes_one_group_and_readers_do_not_wait() {
    let file = Gated::new();
    let store = open(file.clone()).unwrap();
    // The file has room first: redb holds everybody up while it makes a file longer, which is seldom.
    for _ in 0..100 {
        append(&store, "before").wait().unwrap();
    }
    let commits = store.meter().commits.get_sample_count();
    file.close();
    let first = append(&store, "first");
    file.reached();
    let waiting: Vec<_> = (0..100).map(|n| append(&store, &n.to_string())).collect();
    let read = |store: &Store| store.read(|read| read.activities_after(ActivityId(0), 1000)).unwrap().len();
    assert_eq!(read(&store), 100, "who reads sees what is on disk, and does not wait");
    file.open();
    first.wait().unwrap();
    for one in waiting {
        one.wait().unwrap();
    }
    assert_eq!(read(&store), 201);
    assert_eq!(store.meter().commits.get_sample_count() - commits, 2, "a hundred are synced together");
}

#[test]
fn a_change_that_panics_fails_alone_and_the_writer_goes_on() {
    let store = open(Gated::new()).unwrap();
    append(&store, "before").wait().unwrap();
    let panicked = store.write(now(), |write| {
        write.append(&NewActivity::new("ann", "half", "t"))?;
        assert!(write.now() != now(), "as it should");
        Ok::<_, StoreError>(())
    });
    let with_it = append(&store, "with it");
    assert!(panicked.wait().is_err());
    with_it.wait().unwrap();
    append(&store, "after").wait().unwrap();
    let actions: Vec<String> = store
        .read(|read| read.activities_after(ActivityId(0), 10))
        .unwrap()
        .into_iter()
        .map(|activity| activity.action)
        .collect();
    assert_eq!(actions, ["before", "with it", "after"], "nothing of it is there");
    assert_eq!(store.health(), Health::Good);
}
