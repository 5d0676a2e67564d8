//! When a search has to stop: its time is over, or nobody waits for it any more.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::SearchError;

/// The end of a search's time. Clones share the stop sign.
#[derive(Clone, Debug, Default)]
pub struct Deadline {
    at: Option<Instant>,
    stopped: Arc<AtomicBool>,
}

impl Deadline {
    /// A search may take as long as it needs.
    pub fn never() -> Self {
        Self::default()
    }

    /// A search may take this long from now on.
    pub fn within(time: Duration) -> Self {
        Self { at: Instant::now().checked_add(time), ..Self::default() }
    }

    /// Ends the search from elsewhere: its client has gone.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether to go on. Asked every few thousand documents.
    pub(super) fn check(&self) -> Result<(), SearchError> {
        if self.stopped.load(Ordering::Relaxed) || self.at.is_some_and(|at| Instant::now() >= at) {
            return Err(SearchError::TooSlow);
        }
        Ok(())
    }
}
