//! Webhooks: how an app hears that a session in which it was opened has ended.

use jiff::{SignedDuration, Timestamp};

use super::id::SessionId;

/// Where an app is told. Its secret is kept beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// The app's name.
    pub app: String,
    /// The address that is posted to.
    pub url: String,
    /// When it was set.
    pub created: Timestamp,
    /// By whom.
    pub created_by: String,
}

/// One end of a session that one app is to be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The app's name.
    pub app: String,
    /// The session.
    pub session: SessionId,
    /// When it ended.
    pub ended: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// How far it has come.
    pub state: DeliveryState,
    /// Why the last try failed: `answered 500`; empty if none did.
    pub problem: String,
}

/// How far a [`Delivery`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is tried from this moment on.
    Waiting(Timestamp),
    /// The app took it then.
    Told(Timestamp),
    /// It was given up then.
    GivenUp(Timestamp),
}

/// How long is waited after each try that failed. Quick at first, because an open session is what it is about; after the
/// last, 21 hours have passed, and with the usual limits the session would soon be over by itself.
const WAITS: [SignedDuration; 9] = [
    SignedDuration::from_secs(5),
    SignedDuration::from_secs(20),
    SignedDuration::from_mins(1),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(15),
    SignedDuration::from_hours(1),
    SignedDuration::from_hours(3),
    SignedDuration::from_hours(6),
    SignedDuration::from_hours(11),
];

/// What came of one try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Try {
    /// The app took it: a 2xx.
    Taken,
    /// It did not, and may later.
    Failed(String),
    /// It says that it never will: 410.
    Refused(String),
}

impl Delivery {
    /// The same after a try that ended at `now`.
    #[must_use]
    pub fn after(self, outcome: Try, now: Timestamp) -> Self {
        let tries = self.tries.saturating_add(1);
        let wait = WAITS.get(usize::try_from(self.tries).unwrap_or(usize::MAX));
        let (state, problem) = match (outcome, wait) {
            (Try::Taken, _) => (DeliveryState::Told(now), String::new()),
            (Try::Failed(problem), Some(wait)) => {
                (DeliveryState::Waiting(now.checked_add(*wait).unwrap_or(Timestamp::MAX)), problem)
            }
            (Try::Failed(problem) | Try::Refused(problem), _) => (DeliveryState::GivenUp(now), problem),
        };
        Self { tries, state, problem, ..self }
    }

    /// Whether its first try is still to come.
    pub const fn untried(&self) -> bool {
        matches!(self.state, DeliveryState::Waiting(_)) && self.tries == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_come_further_and_further_apart_and_end() {
        let start = Timestamp::UNIX_EPOCH;
        let mut delivery = Delivery {
            app: "wiki".into(),
            session: SessionId::from_bytes([0; 16]),
            ended: start,
            tries: 0,
            state: DeliveryState::Waiting(start),
            problem: String::new(),
        };
        assert!(delivery.untried());
        let mut waited = Vec::new();
        while let DeliveryState::Waiting(next) = delivery.state {
            waited.push((next - start).as_secs());
            delivery = delivery.after(Try::Failed("answered 500".into()), next);
        }
        assert_eq!(waited[..4], [0, 5, 25, 85]);
        assert_eq!((delivery.tries, delivery.problem.as_str()), (10, "answered 500"));
        let DeliveryState::GivenUp(at) = delivery.state else { panic!("{:?}", delivery.state) };
        assert_eq!((at - start).as_secs() / 3600, 21);
    }

    #[test]
    fn an_app_that_is_gone_is_not_asked_again() {
        let start = Timestamp::UNIX_EPOCH;
        let delivery = Delivery {
            app: "wiki".into(),
            session: SessionId::from_bytes([0; 16]),
            ended: start,
            tries: 3,
            state: DeliveryState::Waiting(start),
            problem: "answered 500".into(),
        };
        assert_eq!(
            delivery.clone().after(Try::Refused("answered 410".into()), start).state,
            DeliveryState::GivenUp(start)
        );
        let told = delivery.after(Try::Taken, start);
        assert_eq!((told.state, told.problem.as_str()), (DeliveryState::Told(start), ""));
    }
}
