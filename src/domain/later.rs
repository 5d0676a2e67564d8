//! What tells of what somebody saw, tried, opened or verified. Where nothing can be written it waits and is told once something
//! can: whoever reads and tries without end must not use up what is left of a full disk for signing in and out. It is in memory
//! alone: a stop before there is room loses it, as a crash does.

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;

use super::App;
use crate::{
    model::activity::NewActivity,
    store::{Pending, StoreError},
};

/// How many activities wait at most.
const MOST: usize = 10_000;

/// Those that wait.
#[derive(Default)]
pub(super) struct Later(Mutex<Vec<NewActivity>>);

impl Later {
    /// Keeps what happened at `at` until it can be told; false where too much waits already.
    pub(super) fn keep(&self, told: Vec<NewActivity>, at: Timestamp) -> bool {
        let mut waiting = self.lock();
        if waiting.len() + told.len() > MOST {
            return false;
        }
        waiting.extend(told.into_iter().map(|told| NewActivity { time: told.time.or(Some(at)), ..told }));
        true
    }

    fn lock(&self) -> MutexGuard<'_, Vec<NewActivity>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Activities on their way into the log.
pub(super) struct HandedIn {
    told: Vec<NewActivity>,
    at: Timestamp,
    written: Pending<(), StoreError>,
}

impl App {
    /// Hands in what happened now. Does not wait.
    pub(super) fn hand_in(&self, told: Vec<NewActivity>) -> HandedIn {
        let (at, these) = (self.now(), told.clone());
        let written = self.0.store.write_bulk(at, move |write| write.append_all(&these).map(drop));
        HandedIn { told, at, written }
    }

    /// Waits until what was handed in is on disk, or is known to have to wait.
    pub(super) async fn see_in(&self, handed_in: impl IntoIterator<Item = HandedIn>) {
        for HandedIn { told, at, written } in handed_in {
            let Err(error) = written.done().await else { continue };
            // Where nobody knows whether it was kept it may be told twice, which is better than not at all.
            if let Err(error) = self.or_later(error, told, at) {
                log::error!("what somebody did could not be told to the log: {error}");
            }
        }
    }

    /// Keeps for later what happened at `at` and could not be told, unless that will not pass.
    pub(super) fn or_later(
        &self,
        error: StoreError,
        told: Vec<NewActivity>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        if error.may_pass() && self.0.later.keep(told, at) { Ok(()) } else { Err(error) }
    }

    /// Tells what had to wait, once there is room.
    pub(super) async fn tell_of_the_late(&self) {
        let late = mem::take(&mut *self.0.later.lock());
        if late.is_empty() {
            return;
        }
        let these = late.clone();
        let told = self.0.store.write_bulk(self.now(), move |write| write.append_all(&these).map(drop));
        let told: Result<(), StoreError> = told.done().await;
        if told.is_err() {
            self.0.later.lock().extend(late);
        }
    }
}
