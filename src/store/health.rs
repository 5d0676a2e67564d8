//! How the file takes what is written to it, and what is done where it does not.
//!
//! A database over which a write failed is of no use any more, so the file is opened anew at once. Where the disk is full,
//! the room that was set aside is given out: what is light is still written, what can be sent again waits until the room
//! can be set aside again. Where the file fails in another way, it is tried again after a pause that grows; until then
//! everybody is told at once, and nobody waits.

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use super::{StoreError, disk::Disk, tables::META, writer::Weight};

/// The first pause after a failure; each further one is twice as long, up to the last.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(4));

/// How often the file is looked after.
const ROUND: Duration = Duration::from_secs(1);

/// How the file takes what is written to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// As it should.
    #[default]
    Good,
    /// There is no room on the disk for more than a little.
    Full,
    /// It takes nothing, for this reason. It can be read.
    Failing(String),
}

/// How long a commit may be under way before the disk counts as one that takes nothing: it hangs, and may never say that it failed.
const HANGS: Duration = Duration::from_secs(10);

/// The health of now, for everybody to look at.
#[derive(Default)]
pub(super) struct Vitals {
    known: RwLock<Health>,
    /// When the commit, or the opening of the file, began that is under way.
    committing: Mutex<Option<Instant>>,
}

impl Vitals {
    /// What is known of it, and what can be seen from outside: whoever writes knows nothing while the disk hangs.
    pub(super) fn seen(&self) -> Health {
        match self.now() {
            Health::Good if self.hangs() => {
                Health::Failing("the disk has not taken what was written for ten seconds".into())
            }
            known => known,
        }
    }

    /// Whether a commit has been under way for so long that nobody need wait behind it.
    pub(super) fn hangs(&self) -> bool {
        let committing = *self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        committing.is_some_and(|since| since.elapsed() >= HANGS)
    }

    /// As if a commit had been under way for so long.
    #[cfg(test)]
    pub(super) fn have_committed_for(&self, time: Duration) {
        *self.committing.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now().checked_sub(time);
    }

    fn now(&self) -> Health {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, health: Health) {
        let mut now = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if *now == health {
            return;
        }
        match &health {
            Health::Good => log::warn!("the data file is written to again"),
            Health::Full => log::error!("the disk is full: no activities are taken until there is room"),
            Health::Failing(why) => log::error!("the data file cannot be written to: {why}"),
        }
        *now = health;
    }
}

/// Who looks after the file, in the thread that writes it.
pub(super) struct Physician {
    disk: Arc<Disk>,
    vitals: Arc<Vitals>,
    /// Until when nothing is tried.
    rest: Option<Instant>,
    pause: Duration,
    seen: Instant,
}

impl Physician {
    pub(super) fn new(disk: Arc<Disk>, vitals: Arc<Vitals>) -> Self {
        let physician = Self { disk, vitals, rest: None, pause: PAUSE.0, seen: Instant::now() };
        if !physician.disk.set_aside() {
            physician.vitals.set(Health::Full);
        }
        physician
    }

    /// How long nobody needs to look after the file.
    pub(super) fn next_visit(&self) -> Duration {
        let round = ROUND.saturating_sub(self.seen.elapsed());
        match self.rest {
            Some(until) => round.min(until.saturating_duration_since(Instant::now())),
            None => round,
        }
    }

    /// Looks after the file, where it is time to.
    pub(super) fn visit(&mut self) {
        if self.next_visit() > Duration::ZERO {
            return;
        }
        self.seen = Instant::now();
        if !self.resting() {
            self.rest = None;
        }
        match self.vitals.now() {
            Health::Good => {
                // A look at it that failed leaves it as a write that failed does.
                if let Some(error) = self.disk.fault() {
                    self.failed(&error);
                }
            }
            Health::Full => {
                if self.disk.set_aside() {
                    self.recover();
                }
            }
            Health::Failing(_) => {
                if self.resting() {
                    return;
                }
                let reopened = self.timed(|| self.disk.reopen());
                match reopened.map_err(|error| StoreError::Reopen(error.to_string())) {
                    Ok(()) => match self.timed(|| self.probe()) {
                        Ok(()) => self.recover(),
                        Err(error) => {
                            self.failed(&error);
                            self.gave_up();
                        }
                    },
                    Err(_) => self.gave_up(),
                }
            }
        }
    }

    /// A commit begins, or is over.
    pub(super) fn committing(&self, since: Option<Instant>) {
        *self.vitals.committing.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// Does what may take as long as the disk does, which is seen from outside as a commit is.
    fn timed<T>(&self, work: impl FnOnce() -> T) -> T {
        let committing = || self.vitals.committing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *committing();
        *committing() = before.or_else(|| Some(Instant::now()));
        let done = work();
        *committing() = before;
        done
    }

    /// The file did not take something. It is opened anew.
    pub(super) fn failed(&mut self, error: &StoreError) {
        if matches!(error, StoreError::Full) {
            self.disk.release();
            self.vitals.set(Health::Full);
        } else {
            self.vitals.set(Health::Failing(error.to_string()));
        }
        if let Err(error) = self.timed(|| self.disk.reopen()) {
            self.vitals.set(Health::Failing(error.to_string()));
        }
    }

    /// It did not take it the second time either: nothing is tried for a while.
    pub(super) fn gave_up(&mut self) {
        self.rest = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(PAUSE.1);
    }

    /// The file took something.
    pub(super) fn succeeded(&mut self) {
        self.rest = None;
        self.pause = PAUSE.0;
        if matches!(self.vitals.now(), Health::Failing(_)) {
            self.recover();
        }
    }

    /// What a change of this weight is told, if it is not to be tried now.
    pub(super) fn refuses(&self, weight: Weight) -> Option<StoreError> {
        match self.vitals.now() {
            Health::Good => None,
            Health::Full => (weight == Weight::Bulk || self.resting()).then_some(StoreError::Full),
            Health::Failing(_) => self.resting().then_some(StoreError::Failing),
        }
    }

    fn resting(&self) -> bool {
        self.rest.is_some_and(|until| Instant::now() < until)
    }

    fn recover(&mut self) {
        self.rest = None;
        self.pause = PAUSE.0;
        self.vitals.set(if self.disk.set_aside() { Health::Good } else { Health::Full });
    }

    /// Writes next to nothing.
    fn probe(&self) -> Result<(), StoreError> {
        let mut transaction = self.disk.write()?;
        transaction.set_quick_repair(true);
        transaction
            .open_table(META)
            .map_err(StoreError::file)?
            .insert("probe", [].as_slice())
            .map_err(StoreError::file)?;
        transaction.commit().map_err(StoreError::file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_hangs_is_seen_though_nothing_has_failed() {
        let vitals = Vitals::default();
        vitals.have_committed_for(HANGS / 2);
        assert_eq!(vitals.seen(), Health::Good);
        vitals.have_committed_for(HANGS);
        assert!(matches!(vitals.seen(), Health::Failing(_)));
        assert_eq!(vitals.now(), Health::Good);
    }
}
