//! What time it is: the one place that asks.

use std::{
    fmt,
    str::FromStr,
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

/// When something is over: by what a clock shows or by how long it has run, whichever comes first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Until(Reading);

impl Until {
    /// So long after `at`.
    pub(super) fn after(at: Reading, lasts: SignedDuration) -> Self {
        let shown = at.shown.saturating_add(lasts).unwrap_or(at.shown);
        Self(Reading { shown, run: at.run.saturating_add(lasts) })
    }

    /// Whether it is at `now`.
    pub(super) fn is_over(self, now: Reading) -> bool {
        self.0.shown <= now.shown || self.0.run <= now.run
    }
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
/// The setting in which a [`Kept`] is kept.
pub(super) const KEPT: &str = "clock";

/// How long a clock goes on without a jump before it is believed: by then somebody has seen that it is wrong.
const BELIEVED: SignedDuration = SignedDuration::from_hours(24);

/// What of a clock is sure, though it may have been set wrong: nothing is removed for good because of a moment that may be yet to come.
#[derive(Debug)]
pub(super) struct Sure {
    clock: Clock,
    /// What it showed at the start, and how long it had run.
    began: Reading,
    /// What it showed when it began to go on without a jump, maybe before this start.
    since: Timestamp,
    /// The last moment that had surely come before the start.
    come: Timestamp,
}

/// What the next start has to know of the clock of this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// A moment that has surely come.
    come: Timestamp,
    /// What the clock would show if nobody had set it since the start.
    shown: Timestamp,
    /// As in [`Sure`].
    since: Timestamp,
}

impl Sure {
    /// That of a clock at the start, with what was kept when it was last looked at. Where nothing was, that is as if it had been when
    /// the newest activity was written, at `newest`; in an empty log the clock is believed.
    pub(super) fn of(clock: Clock, kept: Option<Kept>, newest: Option<Timestamp>) -> Self {
        let began = clock.read();
        let newest = newest.unwrap_or(began.shown);
        let long_ago = newest.saturating_sub(BELIEVED).unwrap_or(Timestamp::MIN);
        let kept = kept.unwrap_or(Kept { come: newest, shown: newest, since: long_ago });
        // Who was switched off for longer, and whose clock was set, cannot be told apart.
        let jumped = began.shown.duration_since(kept.shown) > BELIEVED;
        let since = if jumped { began.shown } else { kept.since.min(began.shown) };
        Self { clock, began, since, come: kept.come }
    }

    /// A moment that has come for sure: what the clock shows, but no later than so long after the last one of before as this
    /// program has run; and once the clock has gone on for a day, than so long after what it showed at the start.
    pub(super) fn now(&self) -> Timestamp {
        let believed = self.began.shown.duration_since(self.since) + self.ran() >= BELIEVED;
        let from = if believed { self.come.max(self.began.shown) } else { self.come };
        from.saturating_add(self.ran()).map_or(Timestamp::MAX, |sure| sure.min(self.clock.now()))
    }

    /// What the next start has to know.
    pub(super) fn kept(&self) -> Kept {
        let shown = self.began.shown.saturating_add(self.ran()).unwrap_or(Timestamp::MAX);
        Kept { come: self.now(), shown, since: self.since }
    }

    fn ran(&self) -> SignedDuration {
        self.clock.run() - self.began.run
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.come, self.shown, self.since)
    }
}

impl FromStr for Kept {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        let mut times = text.splitn(3, ' ').map(str::parse::<Timestamp>);
        let mut next = || times.next().unwrap_or_else(|| "".parse());
        Ok(Self { come: next()?, shown: next()?, since: next()? })
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
        let sure = Sure::of(clock.clone(), None, Some(newest));
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
    fn a_clock_that_is_ahead_is_believed_no_sooner_because_of_a_restart() {
        let hours = SignedDuration::from_hours;
        let newest: Timestamp = "2026-03-15T12:00:00Z".parse().unwrap();
        let ahead = newest + hours(24 * 365);
        let clock = Clock::fixed(ahead);
        // An hour between two starts, and what was written meanwhile has the time of the clock.
        let mut kept = Sure::of(clock.clone(), None, Some(newest)).kept();
        for hour in 1..24 {
            clock.set(ahead + hours(hour));
            let sure = Sure::of(clock.clone(), Some(kept), Some(clock.now()));
            assert_eq!(sure.now(), newest, "after {hour} h");
            kept = sure.kept().to_string().parse().unwrap();
            assert_eq!(kept, sure.kept());
        }
        clock.set(ahead + hours(24));
        let sure = Sure::of(clock.clone(), Some(kept), Some(clock.now()));
        assert_eq!(sure.now(), clock.now(), "it has gone on for a day");
        // Set while it runs, and started again.
        clock.jump(hours(1000));
        let sure = Sure::of(clock.clone(), Some(sure.kept()), Some(clock.now()));
        assert_eq!(sure.now(), ahead + hours(24));
        clock.jump(-hours(1000));
        let sure = Sure::of(clock.clone(), Some(sure.kept()), Some(clock.now()));
        assert_eq!(sure.now(), clock.now(), "it was put right");
    }

    #[test]
    fn who_is_switched_off_at_night_is_no_day_behind() {
        let hours = SignedDuration::from_hours;
        let begin: Timestamp = "2026-03-15T08:00:00Z".parse().unwrap();
        let clock = Clock::fixed(begin);
        let mut kept = None;
        for day in 0..10 {
            clock.set(begin + hours(24 * day));
            let sure = Sure::of(clock.clone(), kept, None);
            assert_eq!(sure.now(), clock.now(), "on day {day}");
            clock.set(clock.now() + hours(8));
            assert_eq!(sure.now(), clock.now(), "on day {day}");
            kept = Some(sure.kept());
        }
    }

    #[test]
    fn a_clock_that_was_never_set_holds_nothing_up_once_it_is() {
        let hours = SignedDuration::from_hours;
        let newest: Timestamp = "2026-03-15T12:00:00Z".parse().unwrap();
        let clock = Clock::fixed(Timestamp::UNIX_EPOCH);
        let sure = Sure::of(clock.clone(), None, Some(newest));
        assert_eq!(sure.now(), Timestamp::UNIX_EPOCH);
        clock.jump(newest.duration_since(Timestamp::UNIX_EPOCH) + hours(1));
        clock.set(clock.now() + hours(48));
        assert_eq!(sure.now(), newest + hours(48));
        let empty = Sure::of(Clock::fixed(newest), None, None);
        assert_eq!(empty.now(), newest);
    }
}
