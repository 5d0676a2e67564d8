//! The log: everything anybody did, in order of arrival.
//!
//! What a transaction appends is a *run*: a page of canonical records ([`run`]). When a hundred thousand activities have gathered, the
//! [`keeper`] moves them into a *volume* ([`volume`]): dictionaries of what they have in common, and *blocks* of a page each
//! whose rows refer to them ([`block`]). An activity takes 330 bytes in a run and some 30 in a block, and either is read
//! with one page ([`shelf`]). The senders' own ids are kept beside ([`keys`]).
//!
//! Every activity is also a leaf of a Merkle tree that is written with it ([`edge`], [`tile`]), so that the log can prove
//! that it is what it was ([`proof`]), and that an activity is in it ([`inclusion`]), but for what retention has declared to have taken out ([`removals`]).
//!
//! Followers (the index, the live stream, later others) read from the number they remember and wait at the
//! [`Tail`] for more. The log knows none of them.

mod binding;
mod block;
mod bytes;
mod cache;
mod dictionary;
mod edge;
mod folding;
mod inclusion;
mod keeper;
mod keys;
mod proof;
mod record;
mod removal;
mod removals;
mod room;
mod rows;
mod run;
mod sealing;
mod shelf;
mod size;
#[cfg(test)]
mod tests;
mod text;
mod tile;
mod volume;
mod volumes;
mod walk;

use std::{
    collections::HashMap,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use redb::{Key, ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction};
use tokio::sync::watch;

use self::{block::Block, keys::Entry, shelf::Shelf};
pub(super) use self::{
    cache::Cache, edge::Edge, inclusion::include, keeper::Keeper, keys::Keys, proof::prove, rows::Epoch,
    sealing::seal_up,
};
pub use self::{
    edge::Random,
    inclusion::{Way, read_entry},
    proof::{Fault, Proof, Trouble},
    removal::Horizons,
};
use super::{
    Read, Store, StoreError, View, Write,
    disk::Disk,
    index::{Source, SourceError},
    tables::{KEY_CHUNKS, KEY_RUNS, KEYS_RECENT, LOG_RUNS, LOG_VOLUMES, MARK, META},
};
use crate::model::{
    activity::{Activity, NewActivity},
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

/// What a transaction appends.
pub(super) struct Batch {
    /// The id of the next activity.
    next: u64,
    /// How many it appends.
    appended: u64,
    run: run::Draft,
    /// The keys of what is appended, known to nobody else until it is on disk.
    keys: HashMap<keys::Fingerprint, u64>,
    entries: Vec<Entry>,
    /// What its transaction is known by, where it appends nothing.
    mark: Option<[u8; 8]>,
    /// The tree with the leaves of what is appended.
    pub(super) edge: Edge,
}

impl Batch {
    /// An empty one, behind what `edge` is the edge of.
    pub(super) fn behind(edge: Edge) -> Self {
        Self {
            next: edge.size() + 1,
            appended: 0,
            run: run::Draft::default(),
            keys: HashMap::new(),
            entries: Vec::new(),
            mark: None,
            edge,
        }
    }

    /// Writes the run at hand.
    fn write_run(&mut self, transaction: &WriteTransaction) -> Result<(), StoreError> {
        if self.run.length() > 0 {
            let first = self.next - self.run.length();
            let mut runs = transaction.open_table(LOG_RUNS).map_err(StoreError::file)?;
            runs.insert(first, self.run.finish()).map_err(StoreError::file)?;
        }
        Ok(())
    }

    /// Writes what is left of it: the transaction is about to be committed.
    pub(super) fn finish(&mut self, transaction: &WriteTransaction) -> Result<(), StoreError> {
        self.write_run(transaction)?;
        self.edge.write(transaction)?;
        write_recent(transaction, &self.entries)?;
        if self.appended == 0 {
            let mut meta = transaction.open_table(META).map_err(StoreError::file)?;
            let mark = marked(&meta)?.map_or(0, u64::from_be_bytes).wrapping_add(1).to_be_bytes();
            meta.insert(MARK, mark.as_slice()).map_err(StoreError::file)?;
            self.mark = Some(mark);
        }
        Ok(())
    }

    /// Whether its transaction is in the file, whose tree has this edge.
    pub(super) fn is_in(&self, disk: &Disk, edge: &Edge) -> Result<bool, StoreError> {
        match self.mark {
            None => Ok(edge.size() + 1 >= self.next),
            mark => Ok(mark == marked(&disk.read()?.open_table(META).map_err(StoreError::file)?)?),
        }
    }

    /// The transaction is on disk: all may know of it. The edge of now.
    pub(super) fn publish(self, keys: &Keys, tail: &Tail) -> Edge {
        keys.learn(self.entries);
        tail.advance(self.next - 1);
        self.edge
    }
}

/// By what the last transaction that appended nothing is known: one more than the one before. Those that append are known by the
/// log's last number.
fn marked(meta: &impl ReadableTable<&'static str, &'static [u8]>) -> Result<Option<[u8; 8]>, StoreError> {
    let mark = meta.get(MARK).map_err(StoreError::file)?;
    Ok(mark.and_then(|mark| mark.value().try_into().ok()))
}

/// Writes keys that are recent, in order of arrival.
pub(super) fn write_recent(transaction: &WriteTransaction, entries: &[Entry]) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut recent = transaction.open_table(KEYS_RECENT).map_err(StoreError::file)?;
    for ((_, id), value) in keys::values(entries) {
        recent.insert(id, value.as_slice()).map_err(StoreError::file)?;
    }
    Ok(())
}

impl Write<'_> {
    /// Appends one activity.
    pub fn append(&mut self, activity: &NewActivity) -> Result<Appended, StoreError> {
        self.append_all([activity]).map(|ids| ids[0])
    }

    /// Appends activities in order. Those whose [`SenderKey`](crate::model::activity::SenderKey) is known already are not
    /// written again.
    pub fn append_all<'a>(
        &mut self,
        activities: impl IntoIterator<Item = &'a NewActivity>,
    ) -> Result<Vec<Appended>, StoreError> {
        self.dirty = true;
        let received = self.now().as_millisecond();
        let chunks = self.transaction.open_table(KEY_CHUNKS).map_err(StoreError::file)?;
        let batch = &mut *self.batch;
        let mut appended = Vec::new();
        for activity in activities {
            if let Some(key) = activity.key.as_ref().map(keys::fingerprint) {
                let known = match batch.keys.get(&key) {
                    Some(id) => Some(*id),
                    None => self.keys.find(&key, &chunks)?,
                };
                if let Some(id) = known {
                    appended.push(Appended::Duplicate(ActivityId(id)));
                    continue;
                }
                batch.keys.insert(key, batch.next);
                batch.entries.push((key, batch.next));
            }
            if !batch.run.add(activity, received) {
                batch.write_run(self.transaction)?;
                batch.run.add(activity, received);
            }
            batch.edge.add(batch.run.record());
            appended.push(Appended::New(ActivityId(batch.next)));
            batch.next += 1;
            batch.appended += 1;
        }
        Ok(appended)
    }
}

impl Store {
    /// The same as [`Read::page`], without a look at the file where all that is asked for is held in memory.
    pub fn page(&self, ids: &[ActivityId]) -> Result<Vec<Arc<Activity>>, StoreError> {
        let held: Option<Vec<_>> = self.cache.rows.get(ids.iter().map(|id| id.0)).into_iter().collect();
        held.map_or_else(|| self.snapshot()?.page(ids), Ok)
    }
}

impl Read {
    /// The activity with this id.
    pub fn activity(&self, id: ActivityId) -> Result<Option<Activity>, StoreError> {
        Ok(self.activities([id])?.pop())
    }

    /// The activities with these ids, in the order asked; those that are gone are left out.
    pub fn activities(&self, ids: impl IntoIterator<Item = ActivityId>) -> Result<Vec<Activity>, StoreError> {
        let ids: Vec<u64> = ids.into_iter().map(|id| id.0).collect();
        self.shelf()?.activities(&ids)
    }

    /// The activities with these ids, in the order asked, for a page of them: those that are shown again and again are held in
    /// memory. Those that are gone are left out.
    pub fn page(&self, ids: &[ActivityId]) -> Result<Vec<Arc<Activity>>, StoreError> {
        let mut found = self.cache.rows.get(ids.iter().map(|id| id.0));
        let missing: Vec<u64> =
            ids.iter().zip(&found).filter(|(_, row)| row.is_none()).map(|(id, _)| id.0).collect();
        if !missing.is_empty() {
            let read: Vec<_> = self.shelf()?.activities(&missing)?.into_iter().map(Arc::new).collect();
            self.cache.rows.keep(self.epoch, &read);
            let mut read = read.into_iter().peekable();
            for (id, row) in ids.iter().zip(&mut found).filter(|(_, row)| row.is_none()) {
                *row = read.next_if(|read| read.id == *id);
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// At most `most` activities that came after `after`, in order of arrival.
    pub fn activities_after(&self, after: ActivityId, most: usize) -> Result<Vec<Activity>, StoreError> {
        self.shelf()?.after(after.0, most)
    }

    /// How many bytes the log takes, to a hundredth or so.
    pub fn log_bytes(&self) -> Result<u64, StoreError> {
        // Volumes and keys have a page each, and how many there are is known without a look. Of runs and recent keys there
        // are never many, and small ones share a page.
        let few = self.pages(LOG_RUNS)? + self.pages(KEYS_RECENT)?;
        let many = self.count(LOG_VOLUMES)? + self.count(KEY_CHUNKS)?;
        Ok((few + many) * size::PAGE + size::of_blocks_and_tiles(self)?)
    }

    /// How many bytes of that are what stays of activities that retention took out: the hashes of their leaves, and their senders'
    /// ids as long as others of the same run are needed.
    pub fn bytes_of_what_is_gone(&self) -> Result<u64, StoreError> {
        let keys = self.count(KEY_CHUNKS)? * size::PAGE;
        let needed = self.activities_there()?.div_ceil(keys::FIT as u64) * size::PAGE;
        Ok(size::of_what_is_gone(self)? + keys.saturating_sub(needed))
    }

    /// How many activities are in the log, those among them that retention hides and that are still to be taken out.
    pub fn activities_there(&self) -> Result<u64, StoreError> {
        Ok(self.shelf()?.last()?.saturating_sub(size::removed(self)?))
    }

    /// Says how much of the log takes how many bytes, by when it happened, in milliseconds since 1970: for each block, of which the first
    /// activity stands for the others, and for each of the newest, which lie as they came and take some three times the room that they
    /// will. In order of arrival, and without the hashes and keys, which all have alike. What is damaged is left out.
    pub fn weigh(&self, mut each: impl FnMut(i64, u64)) -> Result<(), StoreError> {
        let log = self.shelf()?;
        for entry in log.blocks.iter().map_err(StoreError::file)? {
            let (key, value) = entry.map_err(StoreError::file)?;
            let first = Block::open(key.value(), value.value()).and_then(|mut block| block.next());
            if let Ok(Some(first)) = first {
                each(first.time(), size::of_value(value.value().len()));
            }
        }
        for entry in log.runs.iter().map_err(StoreError::file)? {
            let (key, value) = entry.map_err(StoreError::file)?;
            let Ok(mut records) = run::records(key.value(), value.value()) else { continue };
            while let Ok(Some((id, record))) = records.next() {
                if let Ok(activity) = record::read(id, record) {
                    each(activity.time.as_millisecond(), record.len() as u64);
                }
            }
        }
        Ok(())
    }

    fn pages<K: Key + 'static>(&self, table: TableDefinition<K, &'static [u8]>) -> Result<u64, StoreError> {
        let table = self.transaction.open_table(table).map_err(StoreError::file)?;
        let stats = table.stats().map_err(StoreError::file)?;
        Ok(stats.leaf_pages() + stats.branch_pages())
    }

    fn count<K: Key + 'static>(&self, table: TableDefinition<K, &'static [u8]>) -> Result<u64, StoreError> {
        self.transaction.open_table(table).map_err(StoreError::file)?.len().map_err(StoreError::file)
    }

    fn shelf(&self) -> Result<Shelf<'_>, StoreError> {
        Shelf::open(&self.transaction, &self.cache.volumes)
    }
}

/// Whether the list of runs of senders' keys is as it was written.
pub(super) fn check_runs(view: &impl View) -> Result<(), StoreError> {
    for run in view.table(KEY_RUNS)?.iter().map_err(StoreError::file)? {
        let (number, about) = run.map_err(StoreError::file)?;
        keys::about(number.value(), about.value())?;
    }
    Ok(())
}

/// Whether a page of senders' keys is as it was written.
pub(super) fn check_keys(page: &[u8]) -> Result<(), StoreError> {
    keys::entries(page).map(drop)
}

/// The log as its followers see it: a place to read from and to wait at.
#[derive(Clone)]
pub struct Log {
    disk: Arc<Disk>,
    tail: Arc<Tail>,
    cache: Arc<Cache>,
}

impl Log {
    pub(super) const fn new(disk: Arc<Disk>, tail: Arc<Tail>, cache: Arc<Cache>) -> Self {
        Self { disk, tail, cache }
    }

    /// The activities with these ids, in the order asked; those that are gone by now are left out. It is a moment of its own, so
    /// that whoever takes long from one call to the next keeps nothing from being used again.
    pub fn activities(&self, ids: impl IntoIterator<Item = ActivityId>) -> Result<Vec<Activity>, StoreError> {
        Read::of(&self.disk, &self.cache)?.activities(ids)
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
        let read = Read::of(&self.disk, &self.cache).map_err(|error| SourceError(error.into()))?;
        read.activities_after(after, most).map_err(|error| SourceError(error.into()))
    }

    fn damaged_behind(&self, after: ActivityId) -> Result<Option<ActivityId>, SourceError> {
        let read = Read::of(&self.disk, &self.cache).map_err(|error| SourceError(error.into()))?;
        let damaged = read.shelf().and_then(|shelf| shelf.damaged_behind(after.0));
        damaged.map(|last| last.map(ActivityId)).map_err(|error| SourceError(error.into()))
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
    /// That of a log whose newest activity is `last`.
    pub(super) fn at(last: u64) -> Self {
        Self { last: Mutex::new(last), moved: Condvar::new(), watch: watch::Sender::new(last) }
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
