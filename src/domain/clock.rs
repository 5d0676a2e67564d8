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
