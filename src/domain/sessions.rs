//! Sessions: how they start, how they are checked, and how they end.
//!
//! **A session ends here**, in [`App::end`], whoever ends it and why: it is refused in memory at once, then
//! its end and the activity that tells of it are committed in one transaction, and only then is the one who
//! asked answered. From the first of these steps on every request of that session is refused.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{
    App, Gone, agent,
    live::{Event, Live, Unflushed},
    random,
};
use crate::{
    model::{
        activity::{NewActivity, OWN_APP, Outcome, action},
        device::Agent,
        id::SessionId,
        secret::{Kind, Password, Token},
        session::{EndedBy, Ending, Mandate, Scope, Session},
        user::{Actor, ActorKind, Role, User, UserName},
    },
    store::{Credential, EndedCursor, Sessions as _, StoreError, Users as _},
};

/// How long sessions last.
#[derive(Clone, Debug)]
pub struct Limits {
    /// A session that is not used for so long ends (OWASP ASVS 5.0, V7.3.1).
    pub idle: Duration,
    /// A session ends so long after its start, however much it is used (V7.3.2).
    pub absolute: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { idle: Duration::from_hours(1), absolute: Duration::from_hours(24) }
    }
}

/// How often last accesses go to disk and what is due ends: what a crash can lose of a last access.
pub const SWEEP: Duration = Duration::from_secs(3);

/// The longest reason that is kept for an end, in bytes.
pub const REASON: usize = 512;

/// Why something could not be done to a session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The account is disabled.
    #[error("{0} is disabled here; an administrator can enable the account again")]
    Disabled(UserName),
    /// The one who asked has been signed out.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Unknown user, wrong password, disabled account: the answer does not tell which.
    #[error("user or password is wrong")]
    Refused,
    /// Too many sign-ins are being looked at already.
    #[error("too many people are signing in; try again in {0} seconds")]
    Busy(u64),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Gone> for SignInError {
    fn from(_: Gone) -> Self {
        Self::Refused
    }
}

/// Where a request comes from and what sent it.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The client's address, if there is one.
    pub ip: Option<IpAddr>,
    /// What it says of itself.
    pub agent: Agent,
}

/// A session of an app that signs its users in by itself.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Who is signed in.
    pub user: UserName,
    /// In which app.
    pub app: String,
    /// From where and on what.
    pub origin: Origin,
    /// How long it may last at most; the absolute limit if it is not said.
    pub ttl: Option<Duration>,
}

/// Why somebody is believed to be who they are.
#[derive(Clone)]
enum Proof {
    /// Their password was held against this.
    Password(Option<Credential>),
    /// This app says so.
    App(String),
}

impl App {
    /// Signs a user in: a new session, and the token that opens it. `replaces` is the session the same
    /// browser was in until now, which ends.
    pub async fn sign_in(
        &self,
        user: &str,
        password: String,
        origin: Origin,
        replaces: Option<&Live>,
    ) -> Result<(Session, Token), SignInError> {
        let name = user.parse::<UserName>().ok();
        let kept = match &name {
            Some(name) => self.0.store.read(|read| read.credential(name))?,
            None => None,
        };
        let Some(right) = self.0.hasher.verify(Password::typed(password), kept.clone()).await else {
            return Err(SignInError::Busy(5));
        };
        let account = name.as_ref().and_then(|name| self.user(name)).filter(|user| right && !user.disabled);
        let Some(account) = account else {
            self.tell_of_failure(name.as_ref(), &origin).await?;
            return Err(SignInError::Refused);
        };
        let by = Actor {
            name: account.name.to_string(),
            kind: ActorKind::User(account.role),
            session: None,
            ip: origin.ip,
        };
        let told = NewActivity::new(&by.name, action::SIGN_IN, OWN_APP);
        let proof = Proof::Password(kept);
        let (session, token) =
            self.start::<SignInError>(&by, &account, proof, &origin, self.0.limits.absolute, told).await?;
        if let Some(old) = replaces {
            let ending = self.ending(EndedBy::User, Some(&by), "signed in again");
            // It is refused from here on even if this could not be written down.
            if let Err(error) = self.end(&by, &[old.id], ending).await {
                log::warn!("the session before a new sign-in could not be ended on disk: {error}");
            }
        }
        Ok((session, token))
    }

    async fn tell_of_failure(&self, name: Option<&UserName>, origin: &Origin) -> Result<(), StoreError> {
        // What is no user name may be a password in the wrong box: it is not written down.
        let name = name.map_or("(not a user name)", UserName::as_str);
        let mut failed = NewActivity::new(name, action::SIGN_IN_FAILED, OWN_APP);
        failed.outcome = Outcome::Failure;
        self.fill_origin(&mut failed, origin);
        self.0.store.write(self.now(), move |write| write.append(&failed)).done().await?;
        Ok(())
    }

    /// Registers a session of an app that signed its user in by itself.
    pub async fn register_session(
        &self,
        by: &Actor,
        registration: Registration,
    ) -> Result<(Session, Token), SessionError> {
        let Registration { user, app, origin, ttl } = registration;
        let lasts = ttl.unwrap_or(self.0.limits.absolute).min(self.0.limits.absolute);
        let account = self.user(&user).unwrap_or_else(|| {
            // The app's users need not have an account here.
            Arc::new(User {
                name: user,
                role: Role::Member,
                full_name: String::new(),
                email: String::new(),
                groups: Vec::new(),
                disabled: false,
                created: self.now(),
                last_sign_in: None,
            })
        });
        let mut told = NewActivity::new(account.name.as_str(), action::SESSION_REGISTERED, OWN_APP);
        told.detail = format!("by {}", by.name);
        told.target = Some(app.clone());
        if account.disabled {
            return Err(SessionError::Disabled(account.name.clone()));
        }
        self.start(by, &account, Proof::App(app), &origin, lasts, told).await
    }

    /// Writes a new session and opens it.
    async fn start<E: From<StoreError> + From<Gone> + Send + 'static>(
        &self,
        by: &Actor,
        user: &User,
        proof: Proof,
        origin: &Origin,
        lasts: Duration,
        mut told: NewActivity,
    ) -> Result<(Session, Token), E> {
        let now = self.now();
        let token = random::token(Kind::Session);
        let registered_by = match &proof {
            Proof::App(app) => Some(app.clone()),
            Proof::Password(_) => None,
        };
        let session = Session {
            id: random::session_id(),
            user: user.name.clone(),
            apps: registered_by.iter().cloned().collect(),
            registered_by,
            ip: origin.ip,
            place: origin.ip.map(|ip| self.0.geo.place(ip)).unwrap_or_default(),
            device: agent::device(&origin.agent),
            user_agent: origin.agent.user_agent.clone(),
            started: now,
            last_access: now,
            expires: after(now, lasts),
            mfa: false,
            ending: None,
        };
        told.session = Some(session.id.to_string());
        fill_session(&mut told, &session);
        let (hash, made) = (token.hash(), session.clone());
        // It is in the live table before it is written, so that whoever ends all sessions of the user
        // meanwhile finds it: then it is refused already, and must not be written any more.
        let live = self.0.live.insert(hash, session.clone());
        let opened = Arc::clone(&live);
        let written = self.change(by, move |write| {
            if opened.refused() {
                return Err(Gone.into());
            }
            let account = write.user(&made.user)?;
            let mut signed_in = None;
            match (&proof, account) {
                (_, Some(account)) if account.disabled => return Err(Gone.into()),
                (Proof::Password(verified), Some(mut account)) => {
                    // What was verified must still be the password, or a change of it would not end this.
                    if write.credential(&made.user)? != *verified {
                        return Err(Gone.into());
                    }
                    account.last_sign_in = Some(now);
                    write.put_user(&account)?;
                    signed_in = Some(account.name);
                }
                (Proof::Password(_), None) => return Err(Gone.into()),
                (Proof::App(_), _) => {}
            }
            write.put_session(&made, hash)?;
            write.append(&told)?;
            Ok::<_, E>(signed_in)
        });
        match written.done().await {
            Ok(signed_in) => {
                if let Some(name) = signed_in {
                    self.refresh_user(&name)?;
                }
            }
            Err(error) => {
                self.0.live.refuse(live.id);
                // It never was on disk.
                self.0.live.forget(live.id);
                return Err(error);
            }
        }
        self.0.live.tell(Event::Session(live));
        Ok((session, token))
    }

    /// The live session that a token opens. None if it has ended, or should have: what has passed a limit is
    /// refused at once, and the sweep ends it.
    pub fn check(&self, token: &Token) -> Option<Arc<Live>> {
        let live = self.0.live.by_token(token.hash())?;
        self.due(&live, self.now()).is_none().then_some(live)
    }

    /// Says that a live session was used, and from where and on what if that has changed.
    pub fn touch(&self, live: &Live, ip: Option<IpAddr>, agent: Option<&Agent>) {
        live.touch(self.now());
        if let Some(ip) = ip.filter(|ip| live.with(|session| session.ip != Some(*ip))) {
            let place = self.0.geo.place(ip);
            live.change(|session| {
                session.ip = Some(ip);
                session.place = place;
            });
        }
        if let Some(agent) = agent.and_then(|agent| live.news(agent)) {
            live.renew(&agent, agent::device(&agent));
        }
    }

    /// Ends sessions, and tells everybody who looks on. When it returns, every one of `ids` that was live has
    /// ended on disk, whoever began to end it; those that are unknown or had ended before are passed over.
    /// The ones that were ended here.
    ///
    /// Where the commit fails the sessions stay refused, and the sweep tries again.
    pub async fn end(
        &self,
        by: &Actor,
        ids: &[SessionId],
        ending: Ending,
    ) -> Result<Vec<Arc<Session>>, SessionError> {
        // Whoever has been ended meanwhile ends nobody any more.
        if by.session.is_some_and(|own| self.0.live.by_id(own).is_none()) {
            return Err(Gone.into());
        }
        let refused: Vec<Arc<Live>> = ids.iter().filter_map(|id| self.0.live.refuse(*id)).collect();
        if refused.is_empty() {
            return Ok(Vec::new());
        }
        let told: Vec<(SessionId, Timestamp, NewActivity)> = refused
            .iter()
            .map(|live| (live.id, live.last_access(), self.end_activity(by, live, &ending)))
            .collect();
        let written = self.0.store.write(self.now(), move |write| {
            let mut ended = Vec::new();
            for (id, last_access, told) in &told {
                if let Some(session) = write.end_session(*id, Some(*last_access), ending.clone())? {
                    write.append(told)?;
                    ended.push(Arc::new(session));
                }
            }
            Ok::<_, SessionError>(ended)
        });
        let ended = written.done().await?;
        for live in &refused {
            self.0.live.forget(live.id);
        }
        for session in &ended {
            self.0.live.tell(Event::Ended(Arc::clone(session)));
        }
        Ok(ended)
    }

    /// The activity that tells of an end.
    fn end_activity(&self, by: &Actor, live: &Live, ending: &Ending) -> NewActivity {
        let action = match ending.by {
            EndedBy::User if by.session == Some(live.id) => action::SIGN_OUT,
            _ if by.kind == ActorKind::System => action::SESSION_EXPIRED,
            _ => action::LOGOUT,
        };
        let user = if action == action::LOGOUT { by.name.as_str() } else { live.user.as_str() };
        let mut told = NewActivity::new(user, action, OWN_APP);
        told.detail.clone_from(&ending.reason);
        told.target = Some(live.user.to_string());
        told.session = Some(live.id.to_string());
        // Where and on what it was done, which for a logout is not where and on what the ended session was.
        let own = by.session.filter(|_| action == action::LOGOUT).and_then(|own| self.0.live.by_id(own));
        match own {
            Some(own) => own.with(|session| fill_session(&mut told, session)),
            None if action == action::LOGOUT => told.ip = by.ip,
            None => fill_session(&mut told, &live.session()),
        }
        told
    }

    /// What is written down of an end that is decided now.
    pub fn ending(&self, by: EndedBy, by_user: Option<&Actor>, reason: &str) -> Ending {
        let reason = reason.trim();
        Ending {
            at: self.now(),
            by,
            by_user: by_user.map(|actor| actor.name.clone()),
            reason: reason[..reason.floor_char_boundary(REASON)].to_owned(),
        }
    }

    /// Signs out of the session at hand.
    pub async fn sign_out(&self, by: &Actor, live: &Live) -> Result<(), SessionError> {
        self.end(by, &[live.id], self.ending(EndedBy::User, Some(by), "")).await.map(drop)
    }

    /// Logs out those of `ids` that `mandate` reaches: the sessions that were ended.
    pub async fn log_out(
        &self,
        by: &Actor,
        mandate: &Mandate,
        ids: &[SessionId],
        reason: &str,
    ) -> Result<Vec<Arc<Session>>, SessionError> {
        let (own, others): (Vec<_>, Vec<_>) = ids
            .iter()
            .filter_map(|id| self.0.live.known(*id))
            .filter(|live| mandate.reaches(&live.user))
            .partition(|live| live.user.as_str() == by.name && matches!(by.kind, ActorKind::User(_)));
        let mut ended = Vec::new();
        for (sessions, ended_by) in [(others, other_end(by)), (own, EndedBy::User)] {
            let ids: Vec<SessionId> = sessions.iter().map(|live| live.id).collect();
            ended.extend(self.end(by, &ids, self.ending(ended_by, Some(by), reason)).await?);
        }
        Ok(ended)
    }

    /// The live sessions that `mandate` reaches, of `user` only if one is named.
    pub fn reachable(&self, mandate: &Mandate, user: Option<&UserName>) -> Vec<SessionId> {
        let all = self.0.live.all();
        let reached = all
            .iter()
            .filter(|live| mandate.reaches(&live.user) && user.is_none_or(|user| *user == live.user));
        reached.map(|live| live.id).collect()
    }

    /// Ends all sessions of a user but `except`; how many there were.
    pub(super) async fn end_all_of(
        &self,
        by: &Actor,
        user: &UserName,
        except: Option<SessionId>,
        ended_by: EndedBy,
        reason: &str,
    ) -> Result<usize, SessionError> {
        let mut all = self.0.live.all();
        // What somebody else is ending must have ended too before this returns.
        all.extend(self.0.live.ending());
        let of_user = all.iter().filter(|live| live.user == *user && Some(live.id) != except);
        let ids: Vec<SessionId> = of_user.map(|live| live.id).collect();
        Ok(self.end(by, &ids, self.ending(ended_by, Some(by), reason)).await?.len())
    }

    /// The live sessions within `scope`, those used last first.
    pub fn live_sessions(&self, scope: &Scope, user: Option<&UserName>) -> Vec<Arc<Live>> {
        let mut live = self.0.live.all();
        let now = self.now();
        live.retain(|live| {
            scope.covers(&live.user)
                && user.is_none_or(|user| *user == live.user)
                && self.due(live, now).is_none()
        });
        live.sort_by_cached_key(|live| (std::cmp::Reverse(live.last_access()), live.id));
        live
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
                session.ending =
                    self.due(&live, self.now()).map(|reason| self.ending(EndedBy::Policy, None, reason));
                Some(session)
            }
            None => self.0.store.read(|read| read.session(id))?,
        };
        Ok(session.filter(|session| scope.covers(&session.user)))
    }

    /// The live session of this id.
    pub fn live(&self, id: SessionId) -> Option<Arc<Live>> {
        self.0.live.by_id(id).filter(|live| self.due(live, self.now()).is_none())
    }

    /// What happens to sessions from now on.
    pub fn watch_sessions(&self) -> tokio::sync::broadcast::Receiver<Event> {
        self.0.live.watch()
    }

    /// Which limit a session has reached at `now`, if it has.
    fn due(&self, live: &Live, now: Timestamp) -> Option<&'static str> {
        if now >= live.expires {
            Some("reached its greatest length")
        } else if now >= after(live.last_access(), self.0.limits.idle) {
            Some("was not used for too long")
        } else {
            None
        }
    }

    /// Writes last accesses down, ends what is due, and finishes the ends that could not be written. To be
    /// called every [`SWEEP`], and once at the end.
    pub async fn sweep(&self) -> Result<(), SessionError> {
        let now = self.now();
        let mut due: BTreeMap<&'static str, Vec<SessionId>> = BTreeMap::new();
        let mut used = Vec::new();
        for live in self.0.live.all() {
            match self.due(&live, now) {
                Some(reason) => due.entry(reason).or_default().push(live.id),
                None => used.extend(live.unflushed().map(|change| (live, change))),
            }
        }
        let flushed = self.flush(now, used).await;
        let unfinished: Vec<SessionId> = self.0.live.ending().iter().map(|live| live.id).collect();
        due.insert("was refused, and its end could not be written down at the time", unfinished);
        for (reason, ids) in due {
            self.end(&Actor::system(), &ids, self.ending(EndedBy::Policy, None, reason)).await?;
        }
        flushed
    }

    /// Writes down what has changed of sessions that were used.
    async fn flush(&self, now: Timestamp, used: Vec<(Arc<Live>, Unflushed)>) -> Result<(), SessionError> {
        if used.is_empty() {
            return Ok(());
        }
        let changes: Vec<Unflushed> = used.iter().map(|(_, change)| change.clone()).collect();
        let written = self.0.store.write(now, move |write| {
            for change in &changes {
                match change {
                    Unflushed::Access(id, at) => write.touch_session(*id, *at)?,
                    Unflushed::All(session) => drop(write.update_session(session)?),
                }
            }
            Ok::<_, SessionError>(())
        });
        let written = written.done().await;
        for (live, _) in used {
            if written.is_err() {
                live.unflush();
            }
            self.0.live.tell(Event::Session(live));
        }
        written
    }
}

/// Who ends a session that is not the actor's own.
const fn other_end(by: &Actor) -> EndedBy {
    match by.kind {
        ActorKind::User(_) | ActorKind::Console => EndedBy::Admin,
        ActorKind::Token | ActorKind::System => EndedBy::System,
    }
}

/// Says of an activity where and on what its session is.
pub(super) fn fill_session(activity: &mut NewActivity, session: &Session) {
    activity.ip = session.ip;
    activity.place = session.place.clone();
    activity.device = session.device.clone();
    activity.user_agent = (!session.user_agent.is_empty()).then(|| session.user_agent.clone());
}

fn after(start: Timestamp, lasts: Duration) -> Timestamp {
    SignedDuration::try_from(lasts)
        .ok()
        .and_then(|lasts| start.checked_add(lasts).ok())
        .unwrap_or(Timestamp::MAX)
}
