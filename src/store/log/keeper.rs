//! The thread that keeps the log in order: what is old enough moves into volumes, and keys into runs.
//!
//! What moves is bound by [`super::binding`], keys are folded by [`super::folding`], what retention takes out is removed by
//! [`super::removal`], and room is given back by [`super::room`]. All of them read snapshots, work out what is to be written,
//! and hand it to the writer in slices of a few milliseconds, each a transaction that leaves the log whole. The keeper is the
//! only one that touches what it moves, so nothing changes under it. Wherever it is killed, it goes on from what is on disk.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{cache::Cache, folding::RECENT, keys::Keys, shelf::Shelf, volume};
use crate::{
    model::horizon::Horizon,
    store::{
        StoreError, Write,
        aside::step_aside,
        disk::Disk,
        health::Health,
        writer::{Weight, Writer},
    },
};

/// How often it looks whether there is something to do.
const PAUSE: Duration = Duration::from_secs(1);

/// How many activities stay as they came, behind those that wait for a volume: the newest are read most.
pub(super) const HOT: u64 = 1 << 14;

/// How many pages are written in one slice: some 4 ms.
pub(super) const SLICE: usize = 64;

/// So few activities from one look to the next, for so many looks on end, and the log is at rest. It may be a short one: what is
/// copied then for nothing is no more than three times what it gives back.
const FEW: u64 = 256;
const QUIET: u32 = 3;

/// After so many looks it has its turn whatever goes on: an hour.
const AGAIN: u32 = 3600;

/// Every so many looks it has its turn where the file has swollen: it is so many times as long as what is used of it, and longer by so many bytes.
const MINUTE: u32 = 60;
const TIMES: u64 = 4;
const MUCH: u64 = 64 << 20;

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
    #[error("it came upon something impossible; `rollcall check` looks at every record")]
    Fault,
}

impl Work {
    fn run(&self, orders: &mpsc::Receiver<Order>) {
        step_aside();
        let (mut cleaned, mut in_doubt, mut rest) = (false, false, Rest::default());
        let mut pause = PAUSE;
        loop {
            match orders.recv_timeout(std::mem::replace(&mut pause, PAUSE)) {
                Ok(Order { horizon, reply }) => {
                    let removed = guarded(|| self.remove(&horizon)).map_err(|left| match left {
                        Left::Store(error) => error,
                        Left::Stopped | Left::Copy(_) | Left::Fault => StoreError::Closed,
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
            match guarded(|| self.tend(&mut cleaned, &mut rest)) {
                // Whoever asks for something meanwhile comes before the next step.
                Ok(true) => pause = Duration::ZERO,
                Ok(false) | Err(Left::Stopped) => {}
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

    /// Does what is due next, and says whether there may be more.
    pub(super) fn tend(&self, cleaned: &mut bool, rest: &mut Rest) -> Result<bool, Left> {
        if !*cleaned {
            self.remove_leftovers()?;
            self.make_filters()?;
            self.measure()?;
            *cleaned = true;
        }
        if self.step(RECENT, volume::LENGTH as u64 + HOT)? {
            return Ok(true);
        }
        let last = Shelf::open(&*self.disk.read()?, &self.cache.volumes)?.last()?;
        if rest.has_come(last) || (rest.is_minute() && self.has_swollen(rest.settled)?) {
            // What has moved into volumes has left room behind.
            self.give_back()?;
            rest.settled = self.disk.length();
        }
        Ok(false)
    }

    /// Whether so much of the file is free that it is no time to wait for a rest: a load that is low and steady is one long rest,
    /// which is told once.
    fn has_swollen(&self, settled: u64) -> Result<bool, Left> {
        let length = self.disk.length();
        // What is used is worked out only where it may be little enough.
        Ok(is_swollen(length, settled) && is_swollen(length, self.used()?))
    }

    /// Folds keys if so many wait, and moves the oldest runs into one volume if more than `least` activities are in runs. Whether
    /// anything was to be done. Keys that wait are held in memory, so they do not wait until the last volume is bound: under a long
    /// load there is always another.
    pub(super) fn step(&self, keys: usize, least: u64) -> Result<bool, Left> {
        let folded = self.keys.recent() >= keys;
        if folded {
            self.fold_keys()?;
        }
        let merged = self.merge_keys()?;
        Ok(self.bind(least)? || merged || folded)
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

/// Does something in which damage may be come upon that nobody thought of: the thread outlives it.
fn guarded<T>(work: impl FnOnce() -> Result<T, Left>) -> Result<T, Left> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Left::Fault))
}

/// Whether a file of `length` bytes is far longer than the `least` that it could have.
const fn is_swollen(length: u64, least: u64) -> bool {
    length / TIMES > least && length - least >= MUCH
}

/// Tells when the log has come to rest: hardly anything is written for a while, and some work is no burden to anybody. A log that
/// never rests has its turn all the same, once an hour.
#[derive(Default)]
pub(super) struct Rest {
    last: u64,
    quiet: u32,
    /// Looks since it was told last.
    since: u32,
    /// How long the file was when room was last given back, or could not be: whatever is used of it, no file is copied again
    /// before it is far longer than that.
    settled: u64,
}

impl Rest {
    /// To be told the newest id at every look. Yes once in a rest, and once an hour whatever goes on.
    const fn has_come(&mut self, last: u64) -> bool {
        self.quiet = if last.saturating_sub(self.last) > FEW { 0 } else { self.quiet.saturating_add(1) };
        self.last = last;
        self.since = self.since.saturating_add(1);
        let come = self.quiet == QUIET || self.since >= AGAIN;
        if come {
            self.since = 0;
        }
        come
    }

    /// Whether this look is one of those at which a file that has swollen is seen to.
    const fn is_minute(&self) -> bool {
        self.since.is_multiple_of(MINUTE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_swollen_that_is_many_times_and_much_longer_than_it_could_be() {
        assert!(is_swollen(MUCH + 10, 10));
        assert!(!is_swollen(MUCH + 9, 10), "not by enough to be worth the trouble");
        assert!(is_swollen(TIMES * MUCH + TIMES, MUCH));
        assert!(!is_swollen(TIMES * MUCH, MUCH), "much of a large file is used");
        assert!(!is_swollen(0, 0));
    }

    #[test]
    fn a_rest_is_a_while_of_hardly_anything_and_is_told_once_and_otherwise_every_hour() {
        let mut rest = Rest::default();
        let mut last = 0;
        let told = |step: u64| {
            last += step;
            rest.has_come(last)
        };
        let (busy, hour) = (FEW + 1, AGAIN as usize);
        let steps =
            vec![busy; 100].into_iter().chain(vec![FEW; 2 * hour]).chain(vec![busy; hour]).chain([0; 3]);
        let when: Vec<usize> =
            steps.map(told).enumerate().filter(|(_, told)| *told).map(|(at, _)| at).collect();
        let first = 100 + QUIET as usize - 1;
        let last = 100 + 3 * hour + QUIET as usize - 1;
        assert_eq!(when, [first, first + hour, first + 2 * hour, last]);
    }
}
