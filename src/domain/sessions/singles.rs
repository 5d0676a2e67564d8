//! Sessions that are ended one by one without a fresh proof.
//!
//! Somebody in a hurry ends one, whatever their last proof is. Whoever has taken over an open browser would end all of them, one by one.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    domain::{App, live::Live},
    model::{id::SessionId, session::Mandate},
};

/// How long one that was ended so stands for all that may be: longer than anybody is in a hurry.
const WHILE: SignedDuration = SignedDuration::from_mins(10);

/// Which sessions have ended another one without a fresh proof, and when. They are as many as do so within [`WHILE`].
#[derive(Default)]
pub(in crate::domain) struct Singles(Mutex<HashMap<SessionId, Timestamp>>);

impl Singles {
    /// Whether `by` may end one more at `now`; it counts as ended.
    fn take(&self, by: SessionId, now: Timestamp) -> bool {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whatever the clock did meanwhile.
        taken.retain(|_, at| now.duration_since(*at).abs() < WHILE);
        let free = !taken.contains_key(&by);
        if free {
            taken.insert(by, now);
        }
        free
    }
}

impl App {
    /// Whether the user of `live` has to show first who they are, before those of `ids` end that `mandate` reaches: where several are
    /// others than the one at hand, or one is and another one was ended within [`WHILE`]. Where it need not be shown, it counts as ended.
    pub fn takes_a_proof(&self, live: &Live, mandate: &Mandate, ids: &[SessionId]) -> bool {
        if self.is_fresh(live) {
            return false;
        }
        let known = ids.iter().filter_map(|id| self.0.live.known(*id));
        let others = known.filter(|other| other.id != live.id && mandate.reaches(&other.user));
        match others.take(2).count() {
            0 => false,
            1 => !self.0.singles.take(live.id, self.now()),
            _ => true,
        }
    }
}
