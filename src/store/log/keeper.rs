//! The thread that keeps the log in order: what is old enough moves into volumes, and keys into runs.
//!
//! It reads snapshots, works out what is to be written, and hands it to the writer in slices of a few milliseconds, each
//! a transaction that leaves the log whole. It is the only one that touches what it moves, so nothing changes under it.
//! Wherever it is killed, it goes on from what is on disk.

use std::{
    iter::Peekable,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use jiff::Timestamp;
use redb::ReadableTable;
use tokio::sync::oneshot;

use super::{
    block,
    cache::Cache,
    keys::{self, Entry, Filter, Fingerprint, Keys, Run},
    run,
    shelf::{self, Shelf},
    volume::{self, Draft, Scribe},
};
use crate::{
    model::horizon::Horizon,
    store::{
        StoreError, Write,
        disk::Disk,
        health::Health,
        tables::{KEY_CHUNKS, KEY_RUNS, KEYS_RECENT, LOG_BLOCKS, LOG_RUNS, LOG_VOLUMES},
        writer::{Weight, Writer},
    },
};

/// How often it looks whether there is something to do.
const PAUSE: Duration = Duration::from_secs(1);

/// How many activities stay as they came, behind those that wait for a volume: the newest are read most.
pub(super) const HOT: u64 = 1 << 14;

/// How many keys wait before they become a run.
const RECENT: usize = 1 << 17;

/// So many runs of keys of one size, or more, become one.
const FOUR: usize = 4;

/// A run of more keys is not merged any more: it would take its room twice while it is rewritten.
const LARGE: u64 = 1 << 21;

/// How many pages are written in one slice: some 4 ms.
pub(super) const SLICE: usize = 64;

/// So few activities from one look to the next, for so many looks on end, and the log is at rest.
const FEW: u64 = 256;
const QUIET: u32 = 10;

/// How many looks later it is taken for a new rest: an hour.
const AGAIN: u32 = 3600;

/// The keeper's handle. Dropping it ends the thread after its slice.
pub(in crate::store) struct Keeper {
    stop: Arc<AtomicBool>,
    orders: Option<mpsc::Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    pub(in crate::store) fn start(
        disk: Arc<Disk>,
        writer: Arc<Writer>,
        keys: Arc<Keys>,
        cache: Arc<Cache>,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (orders, queue) = mpsc::channel();
        let work = Work { disk, writer, keys, cache, stop: Arc::clone(&stop) };
        let thread = thread::Builder::new().name("keeper".into()).spawn(move || work.run(&queue));
        Self { stop, orders: Some(orders), thread: thread.ok() }
    }

    /// Has what lies behind `horizon` removed from the file. How many activities that were, once it is done.
    pub(in crate::store) fn remove(&self, horizon: Horizon) -> oneshot::Receiver<Result<u64, StoreError>> {
        let (reply, answer) = oneshot::channel();
        if let Some(orders) = &self.orders {
            // Where the thread is gone the order is dropped, and with it the reply.
            let _ = orders.send(Order { horizon, reply });
        }
        answer
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.orders.take();
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so; what it was about is done at the next start.
            let _ = thread.join();
        }
    }
}

/// Something it was asked for.
struct Order {
    horizon: Horizon,
    reply: oneshot::Sender<Result<u64, StoreError>>,
}

/// What the thread works with.
pub(super) struct Work {
    pub(super) disk: Arc<Disk>,
    pub(super) writer: Arc<Writer>,
    pub(super) keys: Arc<Keys>,
    pub(super) cache: Arc<Cache>,
    pub(super) stop: Arc<AtomicBool>,
}

/// Why the keeper left something for later.
#[derive(Debug, thiserror::Error)]
pub(super) enum Left {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the log is being closed")]
    Stopped,
    #[error("the file could not be copied: {0}")]
    Copy(String),
}

impl Work {
    fn run(&self, orders: &mpsc::Receiver<Order>) {
        let (mut cleaned, mut in_doubt, mut rest) = (false, false, Rest::default());
        loop {
            match orders.recv_timeout(PAUSE) {
                Ok(Order { horizon, reply }) => {
                    let removed = self.remove(&horizon).map_err(|left| match left {
                        Left::Store(error) => error,
                        Left::Stopped | Left::Copy(_) => StoreError::Closed,
                    });
                    in_doubt |= removed.is_err();
                    // Whoever asked may have left meanwhile.
                    let _ = reply.send(removed);
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
            if self.writer.health() != Health::Good {
                // To put it in order takes room, and can wait.
                continue;
            }
            if std::mem::take(&mut in_doubt) {
                cleaned = false;
                if let Err(left) = self.read_keys_again() {
                    ::log::error!("the senders' ids cannot be read just now: {left}");
                    in_doubt = true;
                    continue;
                }
            }
            match self.tend(&mut cleaned, &mut rest) {
                Ok(()) | Err(Left::Stopped) => {}
                Err(left) => {
                    ::log::error!("the log cannot be put in order just now: {left}");
                    in_doubt = true;
                }
            }
        }
    }

    /// Finds out what became of keys that were being moved when the file failed: a page of a run that is listed nowhere, or
    /// of one that is and that nobody here knows of, would hide others.
    fn read_keys_again(&self) -> Result<(), Left> {
        let (done, read) = mpsc::channel();
        let (disk, keys) = (Arc::clone(&self.disk), Arc::clone(&self.keys));
        self.writer.alone(move || {
            // The keeper waits for it.
            let _ = done.send(keys.read_again(&disk));
        });
        Ok(read.recv().unwrap_or(Err(StoreError::Closed))?)
    }

    fn tend(&self, cleaned: &mut bool, rest: &mut Rest) -> Result<(), Left> {
        if !*cleaned {
            self.remove_leftovers()?;
            self.make_filters()?;
            *cleaned = true;
        }
        while self.keys.recent() >= RECENT {
            self.fold_keys()?;
        }
        while self.merge_keys()? {}
        while self.bind(volume::LENGTH as u64 + HOT)? {}
        let last = Shelf::open(&*self.disk.read()?, &self.cache.volumes)?.last()?;
        if rest.has_come(last) {
            // What has moved into volumes has left room behind.
            self.give_back()?;
        }
        Ok(())
    }

    /// Moves the oldest runs into a volume, if more than `least` activities are in runs. Whether they were.
    pub(super) fn bind(&self, least: u64) -> Result<bool, Left> {
        let read = self.disk.read()?;
        let log = Shelf::open(&read, &self.cache.volumes)?;
        let Some((first, _)) = log.runs.first().map_err(StoreError::file)? else { return Ok(false) };
        let first = first.value();
        if log.last()? - first < least {
            return Ok(false);
        }
        // Twice over the same runs: once to learn what they have in common, once to write them down.
        let mut draft = Draft::default();
        let mut counted = 0;
        let mut end = first;
        for entry in log.runs.range(first..).map_err(StoreError::file)? {
            let (key, value) = entry.map_err(StoreError::file)?;
            run::each(key.value(), value.value(), |activity| {
                draft.count(&activity);
                counted += 1;
                Ok(())
            })?;
            end = key.value();
            if counted >= volume::LENGTH {
                break;
            }
            self.go_on()?;
        }
        let mut scribe = draft.finish();
        let packed = scribe.pack();
        let parts: Vec<Vec<u8>> = shelf::parts(&packed).collect();
        self.write(move |write| {
            let mut volumes = write.edit(LOG_VOLUMES)?;
            for (part, number) in parts.iter().zip(0..) {
                volumes.insert((first, number), part.as_slice()).map_err(StoreError::file)?;
            }
            Ok(())
        })?;
        let mut slice = Binding::new(first, first);
        for entry in log.runs.range(first..=end).map_err(StoreError::file)? {
            let (key, value) = entry.map_err(StoreError::file)?;
            run::each(key.value(), value.value(), |activity| {
                slice.add(&activity, &mut scribe);
                Ok(())
            })?;
            slice.runs.push(key.value());
            if slice.blocks.len() >= SLICE || key.value() == end {
                let next = Binding::new(first, slice.next);
                self.move_slice(std::mem::replace(&mut slice, next))?;
                self.go_on()?;
            }
        }
        Ok(true)
    }

    fn move_slice(&self, mut slice: Binding) -> Result<(), Left> {
        slice.close();
        let Binding { runs, blocks, .. } = slice;
        self.write(move |write| {
            let mut table = write.edit(LOG_BLOCKS)?;
            for (key, block) in &blocks {
                table.insert(key, block.as_slice()).map_err(StoreError::file)?;
            }
            drop(table);
            let mut table = write.edit(LOG_RUNS)?;
            for run in &runs {
                table.remove(run).map_err(StoreError::file)?;
            }
            Ok(())
        })
    }

    /// Makes a run of the recent keys.
    pub(super) fn fold_keys(&self) -> Result<(), Left> {
        let read = self.disk.read()?;
        let recent = read.open_table(KEYS_RECENT).map_err(StoreError::file)?;
        let mut entries: Vec<Entry> = Vec::new();
        let mut pages = Vec::new();
        for value in recent.iter().map_err(StoreError::file)? {
            let (page, value) = value.map_err(StoreError::file)?;
            pages.push(page.value());
            entries.extend(keys::entries(value.value())?);
        }
        let folded = entries.iter().map(|(_, id)| *id).max().unwrap_or(0);
        entries.sort_unstable();
        let about = (entries.len() as u64, folded);
        let (number, filter) = self.write_keys(entries.into_iter().map(Ok), about.0)?;
        self.write(move |write| {
            write.edit(KEY_RUNS)?.insert(number, about).map_err(StoreError::file)?;
            let mut recent = write.edit(KEYS_RECENT)?;
            for page in &pages {
                recent.remove(page).map_err(StoreError::file)?;
            }
            Ok(())
        })?;
        let run = Run::new(number, about);
        run.set_filter(filter);
        self.keys.fold(run);
        Ok(())
    }

    /// Makes one run of keys out of those of a size, if there are four or more. Whether there were.
    pub(super) fn merge_keys(&self) -> Result<bool, Left> {
        let mut by_size: Vec<Vec<Arc<Run>>> = Vec::new();
        for run in self.keys.runs().into_iter().filter(|run| run.length < LARGE) {
            let size = (run.length / RECENT as u64).max(1).ilog(FOUR as u64) as usize;
            by_size.resize(by_size.len().max(size + 1), Vec::new());
            by_size[size].push(run);
        }
        let Some(runs) = by_size.into_iter().find(|runs| runs.len() >= FOUR) else { return Ok(false) };
        let numbers: Vec<u64> = runs.iter().map(|run| run.number).collect();
        let length: u64 = runs.iter().map(|run| run.length).sum();
        let about = (length, runs.iter().map(|run| run.newest).max().unwrap_or(0));
        let read = self.disk.read()?;
        let chunks = read.open_table(KEY_CHUNKS).map_err(StoreError::file)?;
        let mut lines = Vec::new();
        for number in &numbers {
            lines.push(keys_of(&chunks, *number)?.peekable());
        }
        let (number, filter) = self.write_keys(Merged(lines), length)?;
        let old = numbers.clone();
        self.write(move |write| {
            let mut runs = write.edit(KEY_RUNS)?;
            runs.insert(number, about).map_err(StoreError::file)?;
            for old in &old {
                runs.remove(old).map_err(StoreError::file)?;
            }
            Ok(())
        })?;
        let run = Run::new(number, about);
        run.set_filter(filter);
        self.keys.replace(&numbers, Some(run));
        drop((chunks, read));
        self.remove_leftovers()?;
        Ok(true)
    }

    /// Writes sorted keys as a run that is not listed yet. Its number and filter.
    pub(super) fn write_keys(
        &self,
        entries: impl Iterator<Item = Result<Entry, StoreError>>,
        length: u64,
    ) -> Result<(u64, Filter), Left> {
        let number = self.keys.runs().iter().map(|run| run.number).max().unwrap_or(0) + 1;
        let mut filter = Filter::new(length);
        let mut entries = entries.peekable();
        while entries.peek().is_some() {
            let slice = entries.by_ref().take(keys::FIT * SLICE).collect::<Result<Vec<_>, _>>()?;
            for (key, _) in &slice {
                filter.add(key);
            }
            let pages: Vec<(Fingerprint, Vec<u8>)> =
                keys::values(&slice).map(|((key, _), value)| (*key, value)).collect();
            self.write(move |write| {
                let mut chunks = write.edit(KEY_CHUNKS)?;
                for (key, value) in &pages {
                    chunks.insert((number, key), value.as_slice()).map_err(StoreError::file)?;
                }
                Ok(())
            })?;
            self.go_on()?;
        }
        Ok((number, filter))
    }

    /// Removes the pages of runs of keys that are not listed: those that a kill left, and those that were merged.
    pub(super) fn remove_leftovers(&self) -> Result<(), Left> {
        let read = self.disk.read()?;
        let chunks = read.open_table(KEY_CHUNKS).map_err(StoreError::file)?;
        let listed = read.open_table(KEY_RUNS).map_err(StoreError::file)?;
        let mut from = 0;
        loop {
            let found = chunks.range((from, &[0; 10])..).map_err(StoreError::file)?.next();
            let Some((key, _)) = found.transpose().map_err(StoreError::file)? else { return Ok(()) };
            let number = key.value().0;
            if listed.get(number).map_err(StoreError::file)?.is_none() {
                self.remove_run(&chunks, number)?;
            }
            from = number + 1;
        }
    }

    fn remove_run(
        &self,
        chunks: &impl ReadableTable<(u64, &'static Fingerprint), &'static [u8]>,
        number: u64,
    ) -> Result<(), Left> {
        let range = (number, &[0; 10])..=(number, &[u8::MAX; 10]);
        let mut pages = chunks.range(range).map_err(StoreError::file)?.peekable();
        while pages.peek().is_some() {
            let mut slice: Vec<Fingerprint> = Vec::new();
            for page in pages.by_ref().take(SLICE * 4) {
                slice.push(*page.map_err(StoreError::file)?.0.value().1);
            }
            self.write(move |write| {
                let mut chunks = write.edit(KEY_CHUNKS)?;
                for key in &slice {
                    chunks.remove((number, key)).map_err(StoreError::file)?;
                }
                Ok(())
            })?;
            self.go_on()?;
        }
        Ok(())
    }

    /// Makes the filters of runs that were there at the start.
    pub(super) fn make_filters(&self) -> Result<(), Left> {
        let read = self.disk.read()?;
        let chunks = read.open_table(KEY_CHUNKS).map_err(StoreError::file)?;
        for run in self.keys.runs().into_iter().filter(|run| !run.has_filter()) {
            let mut filter = Filter::new(run.length);
            for entry in keys_of(&chunks, run.number)? {
                filter.add(&entry?.0);
            }
            run.set_filter(filter);
            self.go_on()?;
        }
        Ok(())
    }

    /// Whether the log stays open.
    pub(super) fn go_on(&self) -> Result<(), Left> {
        if self.stop.load(Ordering::Relaxed) { Err(Left::Stopped) } else { Ok(()) }
    }

    /// Writes one slice and waits until it is on disk. Nothing in it is told of, so it needs no moment.
    pub(super) fn write(
        &self,
        change: impl FnMut(&mut Write<'_>) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), Left> {
        Ok(self.writer.submit(Timestamp::UNIX_EPOCH, Weight::Light, change).wait()?)
    }
}

/// Tells when the log has come to rest: hardly anything is written for a while, and some work is no burden to anybody.
#[derive(Default)]
struct Rest {
    last: u64,
    quiet: u32,
}

impl Rest {
    /// To be told the newest id at every look. Yes once in a rest, and once an hour in a long one.
    const fn has_come(&mut self, last: u64) -> bool {
        self.quiet = if last.saturating_sub(self.last) > FEW { 0 } else { self.quiet.wrapping_add(1) };
        self.last = last;
        self.quiet % AGAIN == QUIET
    }
}

/// A part of a volume in the making: whole runs, and the blocks they become.
struct Binding {
    volume: u64,
    /// The id behind the last activity.
    next: u64,
    runs: Vec<u64>,
    blocks: Vec<(u64, Vec<u8>)>,
    block: block::Draft,
}

impl Binding {
    fn new(volume: u64, next: u64) -> Self {
        Self { volume, next, runs: Vec::new(), blocks: Vec::new(), block: block::Draft::new(volume, next) }
    }

    fn add(&mut self, activity: &crate::model::activity::Activity, scribe: &mut Scribe) {
        // Ids are missing where retention took activities out: a block begins anew behind them.
        if activity.id.0 != self.next || !self.block.add(activity, scribe) {
            self.close();
            self.block = block::Draft::new(self.volume, activity.id.0);
            self.block.add(activity, scribe);
        }
        self.next = activity.id.0 + 1;
    }

    fn close(&mut self) {
        let next = block::Draft::new(self.volume, self.next);
        self.blocks.extend(std::mem::replace(&mut self.block, next).finish());
    }
}

/// The keys of a run, in order.
fn keys_of(
    chunks: &impl ReadableTable<(u64, &'static Fingerprint), &'static [u8]>,
    number: u64,
) -> Result<impl Iterator<Item = Result<Entry, StoreError>> + '_, StoreError> {
    let range = (number, &[0; 10])..=(number, &[u8::MAX; 10]);
    let pages = chunks.range(range).map_err(StoreError::file)?;
    Ok(pages.flat_map(|page| {
        let entries = page
            .map_err(StoreError::file)
            .and_then(|(_, value)| Ok(keys::entries(value.value())?.collect::<Vec<_>>()));
        match entries {
            Ok(entries) => entries.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        }
    }))
}

/// Several sorted lines of keys as one.
struct Merged<I: Iterator>(Vec<Peekable<I>>);

impl<I: Iterator<Item = Result<Entry, StoreError>>> Iterator for Merged<I> {
    type Item = Result<Entry, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        // An error comes first, and ends it all.
        let key = |line: &mut Peekable<I>| line.peek().map(|next| next.as_ref().ok().copied());
        let lines = self.0.iter_mut().enumerate();
        let (_, least) = lines.filter_map(|(at, line)| Some((key(line)?, at))).min()?;
        self.0[least].next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_is_a_while_of_hardly_anything_and_is_told_once_and_then_every_hour() {
        let mut rest = Rest::default();
        let mut last = 0;
        let told = |step: u64| {
            last += step;
            rest.has_come(last)
        };
        let steps = [1000; 100].into_iter().chain(vec![FEW; 2 * AGAIN as usize]).chain([1000]).chain([0; 11]);
        let when: Vec<usize> =
            steps.map(told).enumerate().filter(|(_, told)| *told).map(|(at, _)| at).collect();
        let hour = AGAIN as usize;
        assert_eq!(when, [109, 109 + hour, 100 + 2 * hour + 10]);
    }
}
