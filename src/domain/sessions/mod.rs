//! Sessions: how they start ([`start`]), are checked (here), what they are bound to ([`binding`]), how they are kept up
//! ([`sweep`]), and how they end ([`end`]).

mod binding;
mod end;
mod singles;
mod start;
mod sweep;

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};

pub(super) use self::binding::Bonds;
pub(in crate::domain) use self::singles::Singles;
pub use self::start::Registration;
pub(super) use self::start::{Proof, Start, use_up};
use super::{
    App, Gone, agent,
    clock::Reading,
    live::{Event, Live},
    password::Cost,
};
use crate::{
    model::{
        activity::NewActivity,
        bond::Binding,
        device::Agent,
        id::SessionId,
        secret::{Familiar, Token, TokenHash},
        session::{EndedBy, Ending, Scope, Session},
        user::UserName,
    },
    store::{EndedCursor, Sessions as _, StoreError},
};

/// How long sessions last, how many a user has, what they are bound to, and what a password must stand up to.
#[derive(Clone, Debug)]
pub struct Limits {
    /// A session that is not used for so long ends (OWASP ASVS 5.0, V7.3.1).
    pub idle: Duration,
    /// A session ends so long after its start, however much it is used (V7.3.2).
    pub absolute: Duration,
    /// How long a proof of who it is is enough for what takes a fresh one (V7.5.3).
    pub proof: Duration,
    /// How many sessions a user may have here at once; the oldest end where there would be more.
    pub per_user: Option<usize>,
    /// What a session must be used from and on, or it ends.
    pub binding: Binding,
    /// What the hash of a password costs.
    pub hash: Cost,
    /// What nobody's password may be made of: the names of the product, the organisation and the host.
    pub names: Vec<String>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            idle: Duration::from_hours(1),
            absolute: Duration::from_hours(24),
            proof: Duration::from_mins(30),
            per_user: None,
            binding: Binding::default(),
            hash: Cost::default(),
            names: vec!["rollcall".to_owned()],
        }
    }
}

/// How often last accesses go to disk and what is due ends: what a crash can lose of a last access.
pub const SWEEP: Duration = Duration::from_secs(3);

/// The longest reason for an end, in bytes. Forms let 500 letters in, of which none takes more than four.
pub const REASON: usize = 2048;

/// Why a session ends that was not used for as long as it may be.
pub const UNUSED: &str = "was not used for too long";

/// Why a session ends that has lasted as long as it may.
pub const LONGEST: &str = "reached its greatest length";

/// Why all sessions of a user end whose password is another one.
pub const NEW_PASSWORD: &str = "password changed";

/// Why all sessions of a user end who may do something else.
pub const NEW_ROLE: &str = "role changed";

/// Why something could not be done to a session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The account is disabled.
    #[error("{0} is disabled here; an administrator can enable the account again")]
    Disabled(UserName),
    /// What is said of why is too long.
    #[error("a reason has at most {REASON} bytes")]
    Reason,
    /// The one who asked has been signed out.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where a request comes from and what sent it.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The client's address, if there is one.
    pub ip: Option<IpAddr>,
    /// What it says of itself.
    pub agent: Agent,
    /// What it shows of a user who has signed in on it before.
    pub familiar: Option<Familiar>,
}

impl App {
    /// The live session that a token opens. None if it has ended, or should have: what has passed a limit is
    /// refused at once, and the sweep ends it.
    pub fn check(&self, token: &Token) -> Option<Arc<Live>> {
        self.opened_by(token.hash())
    }

    pub(in crate::domain) fn opened_by(&self, token: TokenHash) -> Option<Arc<Live>> {
        let live = self.0.live.by_token(token)?;
        self.due(&live, self.0.clock.read()).is_none().then_some(live)
    }

    /// The session that a token opened until it ended not long ago, so that whoever holds it can be told why.
    pub fn ended_with(&self, token: &Token) -> Result<Option<Session>, StoreError> {
        let Some(id) = self.0.live.opened_by(token.hash()) else { return Ok(None) };
        Ok(self.session(&Scope::All, id)?.filter(|session| session.ending.is_some()))
    }

    /// Whether the user of a session has shown a secret not long ago. What was shown before the clock went back does not
    /// count: nobody knows how long ago it was.
    pub fn is_fresh(&self, live: &Live) -> bool {
        live.proven(self.0.clock.read()).is_some_and(|ago| ago < lasting(self.0.limits.proof))
    }

    /// Says that a live session was used, and from where and on what if that has changed.
    pub fn touch(&self, live: &Live, ip: Option<IpAddr>, agent: Option<&Agent>) {
        live.touch(self.0.clock.read());
        self.see(live, ip, agent);
    }

    /// The same of what is no use of it.
    pub fn see(&self, live: &Live, ip: Option<IpAddr>, agent: Option<&Agent>) {
        let (ip, agent) = live.news(ip, agent);
        if let Some(ip) = ip {
            self.0.live.moves(live, ip, self.0.geo.place(ip));
        }
        if let Some(agent) = agent {
            let device = agent::device(&agent);
            self.0.live.renew(live, agent, device);
        }
    }

    /// The live sessions within `scope`, those used last first.
    pub fn live_sessions(&self, scope: &Scope, user: Option<&UserName>) -> Vec<Arc<Live>> {
        let mut live = self.0.live.all();
        let now = self.0.clock.read();
        live.retain(|live| {
            scope.covers(&live.user)
                && user.is_none_or(|user| *user == live.user)
                && self.due(live, now).is_none()
        });
        live.sort_by_cached_key(|live| (std::cmp::Reverse(live.last_access()), live.id));
        live
    }

    /// How many live sessions each user has, of those that have any: counted in one pass.
    pub fn live_of_each(&self) -> HashMap<UserName, u64> {
        let (mut counts, now) = (HashMap::new(), self.0.clock.read());
        for live in self.0.live.all() {
            if self.due(&live, now).is_none() {
                *counts.entry(live.user.clone()).or_default() += 1;
            }
        }
        counts
    }

    /// A page of ended sessions within `scope`, those that ended last first, and how many there are in all.
    pub fn ended_sessions(
        &self,
        scope: &Scope,
        user: Option<&str>,
        after: Option<EndedCursor>,
        most: usize,
    ) -> Result<(Vec<Session>, u64), StoreError> {
        self.0
            .store
            .read(|read| Ok((read.ended_sessions(scope, user, after, most)?, read.count_ended(scope, user)?)))
    }

    /// The session of this id, live or ended, if `scope` covers it.
    pub fn session(&self, scope: &Scope, id: SessionId) -> Result<Option<Session>, StoreError> {
        let session = match self.0.live.by_id(id) {
            Some(live) => {
                let mut session = live.session();
                // It is refused already; the sweep writes it down in a moment.
                session.ending = self.due(&live, self.0.clock.read());
                Some(session)
            }
            None => self.0.store.read(|read| read.session(id))?,
        };
        Ok(session.filter(|session| scope.covers(&session.user)))
    }

    /// The live session of this id.
    pub fn live(&self, id: SessionId) -> Option<Arc<Live>> {
        self.0.live.by_id(id).filter(|live| self.due(live, self.0.clock.read()).is_none())
    }

    /// What happens to sessions from now on.
    pub fn watch_sessions(&self) -> tokio::sync::broadcast::Receiver<Event> {
        self.0.live.watch()
    }

    /// How a session has ended that has reached a limit, if it has: at the first that it reached, however much later somebody looks
    /// or writes it down. It has reached one where the clock says so, and where it would if nobody had set it back.
    pub(in crate::domain) fn due(&self, live: &Live, now: Reading) -> Option<Ending> {
        let (longest, unused) = (live.has_run_out(now), live.unused(now) >= lasting(self.0.limits.idle));
        if !longest && !unused {
            return None;
        }
        let (idle, expires) = (after(live.last_access(), self.0.limits.idle), live.expires());
        let longest = longest && (!unused || expires <= idle);
        let (at, reason) = if longest { (expires, LONGEST) } else { (idle, UNUSED) };
        let at = at.min(now.shown);
        Some(Ending { at, by: EndedBy::Policy, by_user: None, reason: reason.to_owned() })
    }
}

/// Says of an activity where and on what its session is.
pub(in crate::domain) fn fill_session(activity: &mut NewActivity, session: &Session) {
    fill_place(activity, session);
    fill_device(activity, session);
}

/// Says of an activity where its session is.
pub(in crate::domain) fn fill_place(activity: &mut NewActivity, session: &Session) {
    activity.ip = session.ip;
    activity.place = session.place.clone();
}

/// Says of an activity on what its session is.
pub(in crate::domain) fn fill_device(activity: &mut NewActivity, session: &Session) {
    activity.device = session.device.clone();
    activity.user_agent = (!session.user_agent.is_empty()).then(|| session.user_agent.clone());
}

fn after(start: Timestamp, lasts: Duration) -> Timestamp {
    start.checked_add(lasting(lasts)).unwrap_or(Timestamp::MAX)
}

fn lasting(lasts: Duration) -> SignedDuration {
    SignedDuration::try_from(lasts).unwrap_or(SignedDuration::MAX)
}
