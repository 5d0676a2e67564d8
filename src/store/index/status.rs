//! What the follower and the searches share: the index as it can be searched now, and how far it is.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{doubt::Doubt, segment::Snapshot};
use crate::model::{
    horizon::Horizon,
    id::ActivityId,
    index::{State, Status},
};

/// So many activities behind is far behind: as much as is read in a fifth of a second when everything is fast, and so in a second
/// where it is not.
pub(super) const FAR: u64 = 20_000;

/// The meeting point of the follower and everybody else.
pub(super) struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
    /// Whether a search came upon something that cannot be.
    pub(super) doubt: Arc<Doubt>,
}

struct Inner {
    snapshot: Arc<Snapshot>,
    last: ActivityId,
    /// Where the log was when the index last fell far behind it.
    goal: ActivityId,
    state: State,
    stop: Option<Stop>,
    /// Whether the index is to be begun anew.
    anew: bool,
    /// How often it has been.
    begun: u64,
    /// How many activities were left out, because the log could not read them any more.
    left_out: u64,
}

/// How the follower is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Commit what has been read.
    Keep,
    /// Leave at once.
    Leave,
}

impl Shared {
    pub(super) fn new(snapshot: Snapshot, last: ActivityId) -> Self {
        let inner = Inner {
            snapshot: Arc::new(snapshot),
            last,
            goal: last,
            state: State::Checking,
            stop: None,
            anew: false,
            begun: 0,
            left_out: 0,
        };
        Self { inner: Mutex::new(inner), changed: Condvar::new(), doubt: Arc::default() }
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.lock().snapshot)
    }

    pub(super) fn status(&self) -> Status {
        let inner = self.lock();
        let indexed = inner.snapshot.indexed;
        let caught_up = indexed >= inner.goal;
        let (last, left_out) = (inner.last.max(indexed), inner.left_out);
        Status { indexed, last, caught_up, left_out, state: inner.state.clone() }
    }

    pub(super) fn wait_for(&self, id: ActivityId, at_most: Duration) -> bool {
        self.wait_until(at_most, |snapshot, state| snapshot.indexed >= id && *state != State::Checking)
    }

    /// Waits until something has come true of what searches see, and says whether it has in time.
    pub(super) fn wait_until(&self, at_most: Duration, reached: impl Fn(&Snapshot, &State) -> bool) -> bool {
        let end = Instant::now() + at_most;
        let mut inner = self.lock();
        while !reached(&inner.snapshot, &inner.state) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || inner.state == State::Stopped {
                return false;
            }
            inner = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Searches from now on see `snapshot`, before the horizon that was last set.
    pub(super) fn publish(&self, snapshot: Snapshot) {
        let mut inner = self.lock();
        let horizon = &inner.snapshot.horizon;
        let snapshot =
            if Arc::ptr_eq(&snapshot.horizon, horizon) { snapshot } else { snapshot.before(horizon) };
        inner.snapshot = Arc::new(snapshot);
        drop(inner);
        self.changed.notify_all();
    }

    /// Searches from now on see nothing behind `horizon`.
    pub(super) fn forget(&self, horizon: Horizon) {
        let mut inner = self.lock();
        if *inner.snapshot.horizon != horizon {
            inner.snapshot = Arc::new(inner.snapshot.before(&Arc::new(horizon)));
        }
        drop(inner);
        self.changed.notify_all();
    }

    pub(super) fn heard_of(&self, last: ActivityId) {
        let mut inner = self.lock();
        inner.last = last;
        if last.0.saturating_sub(inner.snapshot.indexed.0) > FAR {
            inner.goal = last;
        }
    }

    /// Says that what is searched from now on lacks all that is in the log.
    pub(super) fn lose_everything(&self, last: ActivityId) {
        let mut inner = self.lock();
        inner.last = last;
        inner.goal = last;
    }

    /// Says how many activities had to be left out until now.
    pub(super) fn set_left_out(&self, left_out: u64) {
        self.lock().left_out = left_out;
    }

    pub(super) fn set_state(&self, state: State) {
        self.lock().state = state;
        self.changed.notify_all();
    }

    pub(super) fn stop(&self, keep: bool) {
        self.lock().stop = Some(if keep { Stop::Keep } else { Stop::Leave });
        self.changed.notify_all();
    }

    /// Asks the follower to begin the index anew. How far it is once it has, if that is in time.
    pub(super) fn begin_anew(&self, at_most: Duration) -> Option<Status> {
        let before = {
            let mut inner = self.lock();
            inner.anew = true;
            inner.begun
        };
        let end = Instant::now() + at_most;
        let mut inner = self.lock();
        while inner.begun == before {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || inner.state == State::Stopped {
                return None;
            }
            inner = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(inner);
        Some(self.status())
    }

    /// Whether the index is to be begun anew.
    pub(super) fn is_to_begin_anew(&self) -> bool {
        self.lock().anew
    }

    /// Says that it has been.
    pub(super) fn has_begun_anew(&self) {
        let mut inner = self.lock();
        inner.anew = false;
        inner.begun += 1;
        drop(inner);
        self.changed.notify_all();
    }

    /// Whether and how the follower is to end.
    pub(super) fn stopping(&self) -> Option<Stop> {
        self.lock().stop
    }

    /// Waits for `time`, or until the follower is to end.
    pub(super) fn pause(&self, time: Duration) {
        let inner = self.lock();
        let waits = |inner: &mut Inner| inner.stop.is_none();
        drop(self.changed.wait_timeout_while(inner, time, waits).unwrap_or_else(PoisonError::into_inner));
    }

    /// A panic elsewhere leaves nothing half done here: every change is one assignment.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
