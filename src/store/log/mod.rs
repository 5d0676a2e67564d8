//! The log: everything anybody did, in order of arrival.
//!
//! Followers (the index, the live stream, later others) read from the number they remember and wait at the
//! [`Tail`] for more. The log knows none of them.

mod record;

use std::{
    ops::Bound,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use redb::{Database, ReadableDatabase, ReadableTable};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::{
    Read, StoreError, View, Write,
    index::{Source, SourceError},
    tables::{LOG, LOG_KEYS},
};
use crate::model::{
    activity::{Activity, NewActivity, SenderKey},
    id::ActivityId,
};

/// What became of an activity that was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It has this id now.
    New(ActivityId),
    /// Its sender wrote it before, under this id.
    Duplicate(ActivityId),
}

impl Write<'_> {
    /// Appends one activity.
    pub fn append(&mut self, activity: &NewActivity) -> Result<Appended, StoreError> {
        self.append_all([activity]).map(|ids| ids[0])
    }

    /// Appends activities in order. Those whose [`SenderKey`] is known already are not written again.
    pub fn append_all<'a>(
        &mut self,
        activities: impl IntoIterator<Item = &'a NewActivity>,
    ) -> Result<Vec<Appended>, StoreError> {
        let received = self.now().as_millisecond();
        let mut appended = Vec::new();
        for activity in activities {
            if let Some(key) = &activity.key {
                let next = self.next_activity;
                let mut keys = self.edit(LOG_KEYS)?;
                let key = fingerprint(key);
                let known = keys.get(&key).map_err(StoreError::file)?.map(|id| id.value());
                if let Some(id) = known {
                    appended.push(Appended::Duplicate(ActivityId(id)));
                    continue;
                }
                keys.insert(&key, next).map_err(StoreError::file)?;
            }
            let id = self.next_activity;
            self.edit(LOG)?
                .insert(id, record::encode(activity, received).as_slice())
                .map_err(StoreError::file)?;
            self.next_activity += 1;
            appended.push(Appended::New(ActivityId(id)));
        }
        Ok(appended)
    }
}

/// 128 bits of SHA-256 over the sender and its id: two different keys never meet.
fn fingerprint(key: &SenderKey) -> [u8; 16] {
    let digest = Sha256::new().chain_update(&key.sender).chain_update([0]).chain_update(&key.id).finalize();
    let mut fingerprint = [0; 16];
    fingerprint.copy_from_slice(&digest[..16]);
    fingerprint
}

impl Read {
    /// The activity with this id.
    pub fn activity(&self, id: ActivityId) -> Result<Option<Activity>, StoreError> {
        let log = self.table(LOG)?;
        let found = log.get(id.0).map_err(StoreError::file)?;
        found.map(|bytes| record::decode(id.0, bytes.value())).transpose()
    }

    /// The activities with these ids, in the order asked; those that are gone are left out.
    pub fn activities(&self, ids: impl IntoIterator<Item = ActivityId>) -> Result<Vec<Activity>, StoreError> {
        let log = self.table(LOG)?;
        let mut found = Vec::new();
        for id in ids {
            if let Some(bytes) = log.get(id.0).map_err(StoreError::file)? {
                found.push(record::decode(id.0, bytes.value())?);
            }
        }
        Ok(found)
    }

    /// At most `most` activities that came after `after`, in order of arrival.
    pub fn activities_after(&self, after: ActivityId, most: usize) -> Result<Vec<Activity>, StoreError> {
        let log = self.table(LOG)?;
        let range =
            log.range((Bound::Excluded(after.0), Bound::<u64>::Unbounded)).map_err(StoreError::file)?;
        range
            .take(most)
            .map(|row| {
                let (id, bytes) = row.map_err(StoreError::file)?;
                record::decode(id.value(), bytes.value())
            })
            .collect()
    }
}

/// The log as its followers see it: a place to read from and to wait at.
#[derive(Clone)]
pub struct Log {
    db: Arc<Database>,
    tail: Arc<Tail>,
}

impl Log {
    pub(super) const fn new(db: Arc<Database>, tail: Arc<Tail>) -> Self {
        Self { db, tail }
    }

    /// The newest id on disk, as something a task can await changes of.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.tail.watch.subscribe()
    }
}

impl Source for Log {
    fn last(&self) -> ActivityId {
        self.tail.last()
    }

    fn read(&self, after: ActivityId, most: usize) -> Result<Vec<Activity>, SourceError> {
        let transaction = self.db.begin_read().map_err(|error| SourceError(error.into()))?;
        Read { transaction }.activities_after(after, most).map_err(|error| SourceError(error.into()))
    }

    fn wait(&self, after: ActivityId, at_most: Duration) -> ActivityId {
        self.tail.wait(after, at_most)
    }
}

/// The end of the log: the newest id on disk, and all who wait for the next.
pub(super) struct Tail {
    last: Mutex<u64>,
    moved: Condvar,
    watch: watch::Sender<u64>,
}

impl Tail {
    pub(super) fn of(db: &Database) -> Result<Self, StoreError> {
        let read = db.begin_read().map_err(StoreError::file)?;
        let log = read.open_table(LOG).map_err(StoreError::file)?;
        let last = log.last().map_err(StoreError::file)?.map_or(0, |(id, _)| id.value());
        Ok(Self { last: Mutex::new(last), moved: Condvar::new(), watch: watch::Sender::new(last) })
    }

    pub(super) fn last(&self) -> ActivityId {
        ActivityId(*self.last.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn advance(&self, to: u64) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last < to {
            *last = to;
            self.moved.notify_all();
            self.watch.send_replace(to);
        }
    }

    fn wait(&self, after: ActivityId, at_most: Duration) -> ActivityId {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.moved.wait_timeout_while(last, at_most, |last| *last <= after.0);
        let (last, _) = waited.unwrap_or_else(PoisonError::into_inner);
        ActivityId(*last)
    }
}
