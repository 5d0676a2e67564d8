//! What time it is: the one place that asks.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use jiff::{SignedDuration, Timestamp};

/// A clock: the system's, or one that stands still until a test moves it. All times are whole milliseconds,
/// as they are stored.
#[derive(Clone, Debug)]
pub struct Clock(Option<Arc<Fixed>>);

/// What a fixed clock shows, in milliseconds, and how much of that it has jumped.
#[derive(Debug)]
struct Fixed {
    shown: AtomicI64,
    jumped: AtomicI64,
}

/// What a clock shows, and how long it has run, which goes on evenly whatever it is set to.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// The time of day.
    pub shown: Timestamp,
    /// As [`Clock::run`] counts: nothing outside this process.
    pub run: SignedDuration,
}

impl Clock {
    /// The system's clock.
    pub const fn system() -> Self {
        Self(None)
    }

    /// A clock that shows `at` until it is set.
    pub fn fixed(at: Timestamp) -> Self {
        let shown = AtomicI64::new(at.as_millisecond());
        Self(Some(Arc::new(Fixed { shown, jumped: AtomicI64::new(0) })))
    }

    /// Lets a fixed clock run on to this; the system's stays as it is.
    pub fn set(&self, at: Timestamp) {
        if let Some(fixed) = &self.0 {
            fixed.shown.store(at.as_millisecond(), Ordering::Relaxed);
        }
    }

    /// Has a fixed clock jump, as when somebody sets the system's.
    pub fn jump(&self, by: SignedDuration) {
        if let (Some(fixed), Ok(by)) = (&self.0, i64::try_from(by.as_millis())) {
            fixed.shown.fetch_add(by, Ordering::Relaxed);
            fixed.jumped.fetch_add(by, Ordering::Relaxed);
        }
    }

    /// How long it has run, whatever it shows: since the first time anybody asked.
    pub fn run(&self) -> SignedDuration {
        static FIRST: OnceLock<Instant> = OnceLock::new();
        match &self.0 {
            Some(fixed) => SignedDuration::from_millis(
                fixed.shown.load(Ordering::Relaxed) - fixed.jumped.load(Ordering::Relaxed),
            ),
            None => FIRST.get_or_init(Instant::now).elapsed().try_into().unwrap_or(SignedDuration::MAX),
        }
    }

    /// Both at once: how long something may go on is held against both, so that no jump makes it longer.
    pub fn read(&self) -> Reading {
        Reading { shown: self.now(), run: self.run() }
    }

    /// What time it is.
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else asks")]
    pub fn now(&self) -> Timestamp {
        let millis = match &self.0 {
            Some(fixed) => fixed.shown.load(Ordering::Relaxed),
            None => Timestamp::now().as_millisecond(),
        };
        Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}
/// How long a clock runs before it is believed: by then somebody has seen that it is wrong.
const BELIEVED: SignedDuration = SignedDuration::from_hours(24);

/// What of a clock is sure, though it may have been set wrong: nothing is removed for good because of a moment that may be yet to come.
#[derive(Debug)]
pub(super) struct Sure {
    clock: Clock,
    /// What it showed at the start, and how long it had run.
    began: (Timestamp, SignedDuration),
    /// When the newest activity was written that was there at the start.
    newest: Timestamp,
}

impl Sure {
    /// That of a clock at the start, in a log whose newest activity was written at `newest`; none in an empty one.
    pub(super) fn of(clock: Clock, newest: Option<Timestamp>) -> Self {
        let (now, run) = (clock.now(), clock.run());
        Self { clock, began: (now, run), newest: newest.unwrap_or(now) }
    }

    /// A moment that has come for sure: what the clock shows, but no later than so long after the newest activity of before as this
    /// program has run; and once that is a day, than so long after what the clock showed at the start.
    pub(super) fn now(&self) -> Timestamp {
        let (began, run) = self.began;
        let ran = self.clock.run() - run;
        let from = if ran < BELIEVED { self.newest } else { self.newest.max(began) };
        from.saturating_add(ran).map_or(Timestamp::MAX, |sure| sure.min(self.clock.now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_ahead_is_believed_no_sooner_than_after_a_day() {
        let hours = SignedDuration::from_hours;
        let newest: Timestamp = "2026-03-15T12:00:00Z".parse().unwrap();
        let ahead = newest + hours(24 * 365);
        let clock = Clock::fixed(ahead);
        let sure = Sure::of(clock.clone(), Some(newest));
        assert_eq!(sure.now(), newest);
        clock.set(ahead + hours(23));
        assert_eq!(sure.now(), newest + hours(23));
        clock.set(ahead + hours(24));
        assert_eq!(sure.now(), ahead + hours(24), "the computer may have been switched off for a year");
        clock.jump(hours(1000));
        assert_eq!(sure.now(), ahead + hours(24), "nor is a jump");
        clock.jump(-hours(2000));
        assert_eq!(sure.now(), clock.now());
    }

    #[test]
    fn a_clock_that_was_never_set_holds_nothing_up_once_it_is() {
        let hours = SignedDuration::from_hours;
        let newest: Timestamp = "2026-03-15T12:00:00Z".parse().unwrap();
        let clock = Clock::fixed(Timestamp::UNIX_EPOCH);
        let sure = Sure::of(clock.clone(), Some(newest));
        assert_eq!(sure.now(), Timestamp::UNIX_EPOCH);
        clock.jump(newest.duration_since(Timestamp::UNIX_EPOCH) + hours(1));
        clock.set(clock.now() + hours(48));
        assert_eq!(sure.now(), newest + hours(48));
        let empty = Sure::of(Clock::fixed(newest), None);
        assert_eq!(empty.now(), newest);
    }
}
