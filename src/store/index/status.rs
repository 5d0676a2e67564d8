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

/// How many tries of the follower that come to nothing, one after the other, are a standstill: what fails once may be over in a moment, and
/// with the pauses between them these take a second and a half.
const STANDSTILL: u64 = 3;

/// The index does not go on, for this reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standstill(pub String);

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
    /// How often the follower could not go on, and how often it had been so when it last came further.
    failures: (u64, u64),
    /// Why it could not, the last time.
    why: String,
}

impl Inner {
    /// Whether the follower has failed since it had done so `before` times, and comes no further.
    const fn stands(&self, before: u64) -> bool {
        let (failures, at_progress) = self.failures;
        failures > before && failures - at_progress >= STANDSTILL
    }
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
            failures: (0, 0),
            why: String::new(),
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
        self.wait(at_most, |inner| reached(&inner.snapshot, &inner.state).then_some(())).is_some()
    }

    /// Waits until `id` and all before it can be found, as long as the follower goes on. Whether that was in time.
    pub(super) fn follows_to(&self, id: ActivityId, at_most: Duration) -> Result<bool, Standstill> {
        let before = self.lock().failures.0;
        let came = self.wait(at_most, |inner| {
            if inner.snapshot.indexed >= id && inner.state != State::Checking {
                return Some(Ok(true));
            }
            inner.stands(before).then(|| Err(Standstill(inner.why.clone())))
        });
        came.unwrap_or(Ok(false))
    }

    /// Waits until `end` says what came of it; none if that is not in time, or the follower has ended.
    fn wait<T>(&self, at_most: Duration, end: impl Fn(&Inner) -> Option<T>) -> Option<T> {
        let until = Instant::now() + at_most;
        let mut inner = self.lock();
        loop {
            if let Some(came) = end(&inner) {
                return Some(came);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || inner.state == State::Stopped {
                return None;
            }
            inner = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Says that the follower could not go on.
    pub(super) fn failed(&self, why: String) {
        let mut inner = self.lock();
        inner.failures.0 += 1;
        inner.why.clone_from(&why);
        inner.state = State::Retrying(why);
        drop(inner);
        self.changed.notify_all();
    }

    /// Searches from now on see `snapshot`, before the horizon that was last set.
    pub(super) fn publish(&self, snapshot: Snapshot) {
        let mut inner = self.lock();
        let horizon = &inner.snapshot.horizon;
        let snapshot =
            if Arc::ptr_eq(&snapshot.horizon, horizon) { snapshot } else { snapshot.before(horizon) };
        if snapshot.indexed > inner.snapshot.indexed {
            inner.failures.1 = inner.failures.0;
        }
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

    /// Asks the follower to begin the index anew. How far it is once it has.
    pub(super) fn begin_anew(&self, at_most: Duration) -> Result<Status, Standstill> {
        let (begun, before) = {
            let mut inner = self.lock();
            inner.anew = true;
            (inner.begun, inner.failures.0)
        };
        let came = self.wait(at_most, |inner| {
            if inner.begun == begun {
                inner.stands(before).then(|| Err(Standstill(inner.why.clone())))
            } else {
                Some(Ok(()))
            }
        });
        came.unwrap_or_else(|| Err(Standstill("it has ended, or is busy with something else".to_owned())))?;
        Ok(self.status())
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
        inner.failures.1 = inner.failures.0;
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
