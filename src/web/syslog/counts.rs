//! What was dropped, and why.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use super::missed::Missed;

/// Why a message, or a connection, was dropped.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cause {
    /// It came from a network that is not listed.
    Stranger,
    /// Too many connections.
    Crowd,
    /// It is longer than a message can be.
    TooLong,
    /// It broke off, or took too long to come whole.
    Cut,
    /// It made no record that can be kept.
    Refused,
    /// It could not be written before the server stopped.
    NotWritten,
    /// It came over UDP, and the system's buffer was full.
    Missed,
}

/// Every cause, as the server's log says it.
const CAUSES: [(Cause, &str); 7] = [
    (Cause::Stranger, "from addresses that --syslog-from does not list"),
    (Cause::Crowd, "connections, because too many are open"),
    (Cause::TooLong, "longer than 64 KiB"),
    (Cause::Cut, "broken off"),
    (Cause::Refused, "that cannot be kept"),
    (Cause::NotWritten, "that could not be written"),
    (Cause::Missed, "over UDP, faster than they could be written"),
];

/// How many were dropped since it was last told.
#[derive(Debug, Default)]
pub(super) struct Counts {
    dropped: [AtomicU64; CAUSES.len()],
    /// Why the first was refused.
    refusal: Mutex<Option<String>>,
}

impl Counts {
    pub(super) fn add(&self, cause: Cause) {
        self.add_many(cause, 1);
    }

    pub(super) fn add_many(&self, cause: Cause, count: usize) {
        self.dropped[cause as usize].fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Counts one that was refused.
    pub(super) fn refuse(&self, why: &str) {
        self.add(Cause::Refused);
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| why.to_owned());
    }

    /// Tells the server's log, and begins anew; what the system dropped is looked up first.
    pub(super) fn tell(&self, missed: &mut Option<Missed>) {
        if let Some(missed) = missed {
            let more = usize::try_from(missed.more()).unwrap_or(usize::MAX);
            self.add_many(Cause::Missed, more);
        }
        if let Some(told) = self.said() {
            log::warn!("{told}");
        }
    }

    fn said(&self) -> Option<String> {
        let counted = CAUSES.iter().map(|(cause, why)| {
            let count = self.dropped[*cause as usize].swap(0, Ordering::Relaxed);
            (count > 0).then(|| format!("{count} {why}"))
        });
        let counted: Vec<String> = counted.flatten().collect();
        let refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take();
        let first = refusal.map(|why| format!(" (the first: {why})")).unwrap_or_default();
        (!counted.is_empty()).then(|| format!("syslog: dropped {}{first}", counted.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_dropped_is_told_once() {
        let counts = Counts::default();
        assert_eq!(counts.said(), None);
        counts.add(Cause::Stranger);
        counts.add(Cause::Stranger);
        counts.refuse("user is longer than 1024 bytes");
        counts.refuse("another");
        let told = counts.said().unwrap();
        assert_eq!(
            told,
            "syslog: dropped 2 from addresses that --syslog-from does not list, 1 that cannot be kept"
                .replace("1 that", "2 that")
                + " (the first: user is longer than 1024 bytes)"
        );
        assert_eq!(counts.said(), None);
    }

    #[test]
    fn every_cause_has_its_own_counter() {
        for (at, (cause, _)) in CAUSES.iter().enumerate() {
            assert_eq!(*cause as usize, at, "{cause:?}");
        }
    }
}
