//! The live table: every session that opens a door, in memory.
//!
//! A check asks it on every request: one hash, one look-up, one store into an atomic, no disk. A session that
//! is refused here is refused everywhere from that moment on; the truth on disk follows before anybody is
//! told. Last accesses are flushed to disk by the sweep ([`super::sessions`]).

use std::{
    collections::HashMap,
    mem,
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use jiff::Timestamp;
use lru::LruCache;
use tokio::sync::broadcast;

use crate::model::{
    device::{Agent, Device},
    id::SessionId,
    secret::TokenHash,
    session::Session,
    site::Realm,
    user::UserName,
};

/// How many events wait for a slow reader before it is sent to look for itself: a sweep over 10,000 sessions
/// that were all used fits. An event is a pointer.
const EVENTS: usize = 1 << 15;

/// Of how many sessions that are over it is known which token opened them: whoever comes with one is told why. The oldest are
/// forgotten first, and all in a restart.
const OVER: NonZeroUsize = NonZeroUsize::new(16_384).expect("more than none");

/// What happens to sessions, for the pages that show them.
#[derive(Clone, Debug)]
pub enum Event {
    /// It was started, or used since it was last said.
    Session(Arc<Live>),
    /// It has ended, as it stands on disk.
    Ended(Arc<Session>),
    /// An app was told that it has ended, or could not be.
    Told(UserName, SessionId),
}

impl Event {
    /// Whose session it is about.
    pub fn user(&self) -> &UserName {
        match self {
            Self::Session(live) => &live.user,
            Self::Ended(session) => &session.user,
            Self::Told(user, _) => user,
        }
    }
}

/// One live session.
#[derive(Debug)]
pub struct Live {
    /// Its public name.
    pub id: SessionId,
    /// Who is signed in.
    pub user: UserName,
    /// When it ends whatever is done in it.
    pub expires: Timestamp,
    token: RwLock<TokenHash>,
    /// What opens apps in its name: few, or none.
    passes: Mutex<Vec<TokenHash>>,
    last_access: AtomicI64,
    flushed: AtomicI64,
    /// When its user last showed a secret in it. Not on disk: after a restart it is the start.
    proven: AtomicI64,
    refused: AtomicBool,
    details: RwLock<Details>,
}

#[derive(Debug)]
struct Details {
    session: Session,
    /// What the client last said of itself, so that it is judged again only when that changes.
    agent: Option<Agent>,
    changed: bool,
}

impl Live {
    fn new(token: TokenHash, session: Session) -> Self {
        let millis = session.last_access.as_millisecond();
        Self {
            id: session.id,
            user: session.user.clone(),
            expires: session.expires,
            token: RwLock::new(token),
            passes: Mutex::default(),
            last_access: AtomicI64::new(millis),
            flushed: AtomicI64::new(millis),
            proven: AtomicI64::new(session.started.as_millisecond()),
            refused: AtomicBool::new(false),
            details: RwLock::new(Details { session, agent: None, changed: false }),
        }
    }

    /// When it was last used.
    pub fn last_access(&self) -> Timestamp {
        Timestamp::from_millisecond(self.last_access.load(Ordering::Relaxed)).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// When its user last showed a secret in it.
    pub fn proven(&self) -> Timestamp {
        Timestamp::from_millisecond(self.proven.load(Ordering::Relaxed)).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Says that its user showed a secret at `now`.
    pub fn prove(&self, now: Timestamp) {
        // Whatever it was before: the clock may have gone back since.
        self.proven.store(now.as_millisecond(), Ordering::Relaxed);
    }

    /// Whether it has been refused since it was looked up.
    pub fn refused(&self) -> bool {
        self.refused.load(Ordering::Acquire)
    }

    /// All that is known of it now.
    pub fn session(&self) -> Session {
        let mut session = self.details.read().unwrap_or_else(PoisonError::into_inner).session.clone();
        session.last_access = session.last_access.max(self.last_access());
        session
    }

    /// Looks at what is known of it without a copy; its `last_access` is the one last written down.
    pub fn with<T>(&self, look: impl FnOnce(&Session) -> T) -> T {
        look(&self.details.read().unwrap_or_else(PoisonError::into_inner).session)
    }

    /// Says that it was used at `now`.
    pub fn touch(&self, now: Timestamp) {
        self.last_access.fetch_max(now.as_millisecond(), Ordering::Relaxed);
    }

    /// All that the client has said of itself, if it says something new. Browsers do not send every hint with
    /// every request: while the user agent stays the same, what was said stands.
    pub fn news(&self, agent: &Agent) -> Option<Agent> {
        let details = self.details.read().unwrap_or_else(PoisonError::into_inner);
        let known = details.agent.as_ref().filter(|known| known.user_agent == agent.user_agent);
        let all = known.map_or_else(|| agent.clone(), |known| agent.or(known));
        (details.agent.as_ref() != Some(&all)).then_some(all)
    }

    /// Writes down what the client says of itself, and what follows from it.
    pub fn renew(&self, agent: &Agent, device: Device) {
        let mut details = self.details.write().unwrap_or_else(PoisonError::into_inner);
        details.agent = Some(agent.clone());
        if details.session.device != device || details.session.user_agent != agent.user_agent {
            details.session.device = device;
            details.session.user_agent.clone_from(&agent.user_agent);
            details.changed = true;
        }
    }

    /// Changes what is known of it; the sweep writes it down.
    pub fn change<T>(&self, change: impl FnOnce(&mut Session) -> T) -> T {
        let mut details = self.details.write().unwrap_or_else(PoisonError::into_inner);
        details.changed = true;
        change(&mut details.session)
    }

    /// Says that what [`Live::unflushed`] gave out did not reach the disk.
    pub fn unflush(&self) {
        self.flushed.store(i64::MIN, Ordering::Relaxed);
        self.details.write().unwrap_or_else(PoisonError::into_inner).changed = true;
    }

    /// What must be written down of it: nothing, its last access alone, or all of it.
    pub fn unflushed(&self) -> Option<Unflushed> {
        let last = self.last_access.load(Ordering::Relaxed);
        let mut details = self.details.write().unwrap_or_else(PoisonError::into_inner);
        let used = self.flushed.swap(last, Ordering::Relaxed) < last;
        if mem::take(&mut details.changed) {
            let mut session = details.session.clone();
            session.last_access = session.last_access.max(self.last_access());
            return Some(Unflushed::All(Box::new(session)));
        }
        used.then(|| Unflushed::Access(self.id, self.last_access()))
    }
}

/// What the sweep has to write of one session.
#[derive(Clone, Debug)]
pub enum Unflushed {
    /// It was used.
    Access(SessionId, Timestamp),
    /// Its address, device or apps have changed as well.
    All(Box<Session>),
}

/// All live sessions, and those whose end is still on its way to disk.
pub struct LiveTable {
    sessions: RwLock<Maps>,
    /// What opened sessions that open nothing any more.
    over: Mutex<LruCache<TokenHash, SessionId>>,
    events: broadcast::Sender<Event>,
}

#[derive(Default)]
struct Maps {
    by_token: HashMap<TokenHash, Arc<Live>>,
    by_id: HashMap<SessionId, Arc<Live>>,
    by_pass: HashMap<TokenHash, (Arc<Live>, Realm)>,
    /// Refused, and not yet known to have ended on disk: whoever wants such a session ended must see to it
    /// that it is, and the sweep does so where nobody else does.
    ending: HashMap<SessionId, Arc<Live>>,
}

impl Maps {
    fn insert(&mut self, token: TokenHash, session: Session) -> Arc<Live> {
        let live = Arc::new(Live::new(token, session));
        self.by_token.insert(token, Arc::clone(&live));
        self.by_id.insert(live.id, Arc::clone(&live));
        live
    }

    /// Lets `token` and no other open the session, which may be new here.
    fn open_by(&mut self, token: TokenHash, session: Session) {
        if self.by_id.contains_key(&session.id) {
            self.renew_token(session.id, token);
        } else {
            self.insert(token, session);
        }
    }

    fn renew_token(&mut self, id: SessionId, token: TokenHash) {
        if let Some(live) = self.by_id.get(&id).cloned() {
            let old = mem::replace(&mut *live.token.write().unwrap_or_else(PoisonError::into_inner), token);
            self.by_token.remove(&old);
            self.by_token.insert(token, live);
        }
    }
}

impl LiveTable {
    /// A table of these sessions.
    pub fn of(sessions: impl IntoIterator<Item = (TokenHash, Session)>) -> Self {
        let (events, _) = broadcast::channel(EVENTS);
        let over = Mutex::new(LruCache::new(OVER));
        let table = Self { sessions: RwLock::default(), over, events };
        for (token, session) in sessions {
            table.insert(token, session);
        }
        table
    }

    /// Adds a session that is on disk.
    pub fn insert(&self, token: TokenHash, session: Session) -> Arc<Live> {
        self.sessions.write().unwrap_or_else(PoisonError::into_inner).insert(token, session)
    }

    /// Takes over what is on disk: which sessions are live, and which token opens each. Those that are there and have been refused
    /// here stay so.
    pub fn refresh<E>(&self, look: impl FnOnce() -> Result<Vec<(TokenHash, Session)>, E>) -> Result<(), E> {
        // The lock is held over the look: whoever looks last has seen everything.
        let mut maps = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        for (token, session) in look()? {
            if !maps.ending.contains_key(&session.id) {
                maps.open_by(token, session);
            }
        }
        Ok(())
    }

    /// Lets another token open a session, and the one that did so far nothing any more.
    pub fn renew_token(&self, id: SessionId, token: TokenHash) {
        self.sessions.write().unwrap_or_else(PoisonError::into_inner).renew_token(id, token);
    }

    /// Every session of a user, live or on its way to its end.
    pub fn of_user(&self, user: &UserName) -> Vec<Arc<Live>> {
        let maps = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        let all = maps.by_id.values().chain(maps.ending.values());
        all.filter(|live| live.user == *user).cloned().collect()
    }

    /// The session that a token opens.
    pub fn by_token(&self, token: TokenHash) -> Option<Arc<Live>> {
        self.sessions.read().unwrap_or_else(PoisonError::into_inner).by_token.get(&token).cloned()
    }

    /// The session that a token opens, or opened until it ended lately.
    pub fn opened_by(&self, token: TokenHash) -> Option<SessionId> {
        let live = self.by_token(token).map(|live| live.id);
        live.or_else(|| self.over.lock().unwrap_or_else(PoisonError::into_inner).get(&token).copied())
    }

    /// The session that a pass opens apps in, and where.
    pub fn by_pass(&self, pass: TokenHash) -> Option<(Arc<Live>, Realm)> {
        self.sessions.read().unwrap_or_else(PoisonError::into_inner).by_pass.get(&pass).cloned()
    }

    /// Adds a pass that is on disk, and takes away those that gave way to it. False where the session has been refused
    /// meanwhile.
    pub fn add_pass(&self, live: &Arc<Live>, pass: TokenHash, realm: Realm, gone: &[TokenHash]) -> bool {
        let mut maps = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        if live.refused() {
            return false;
        }
        let mut passes = live.passes.lock().unwrap_or_else(PoisonError::into_inner);
        passes.retain(|known| !gone.contains(known));
        passes.push(pass);
        for gone in gone {
            maps.by_pass.remove(gone);
        }
        maps.by_pass.insert(pass, (Arc::clone(live), realm));
        true
    }

    /// The session of this id.
    pub fn by_id(&self, id: SessionId) -> Option<Arc<Live>> {
        self.sessions.read().unwrap_or_else(PoisonError::into_inner).by_id.get(&id).cloned()
    }

    /// Every session, in no order.
    pub fn all(&self) -> Vec<Arc<Live>> {
        self.sessions.read().unwrap_or_else(PoisonError::into_inner).by_id.values().cloned().collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sessions.read().unwrap_or_else(PoisonError::into_inner).by_id.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Refuses a session from this moment on. What it is, unless it is known to have ended on disk.
    pub fn refuse(&self, id: SessionId) -> Option<Arc<Live>> {
        let mut maps = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(live) = maps.by_id.remove(&id) {
            let token = *live.token.read().unwrap_or_else(PoisonError::into_inner);
            maps.by_token.remove(&token);
            self.over.lock().unwrap_or_else(PoisonError::into_inner).put(token, id);
            live.refused.store(true, Ordering::Release);
            for pass in live.passes.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
                maps.by_pass.remove(&pass);
            }
            maps.ending.insert(id, live);
        }
        maps.ending.get(&id).cloned()
    }

    /// Forgets a session that was refused: it has ended on disk, or never was there.
    pub fn forget(&self, id: SessionId) {
        self.sessions.write().unwrap_or_else(PoisonError::into_inner).ending.remove(&id);
    }

    /// Every session that was refused and is not known to have ended on disk.
    pub fn ending(&self) -> Vec<Arc<Live>> {
        self.sessions.read().unwrap_or_else(PoisonError::into_inner).ending.values().cloned().collect()
    }

    /// The session of this id, live or on its way to its end.
    pub fn known(&self, id: SessionId) -> Option<Arc<Live>> {
        let maps = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        maps.by_id.get(&id).or_else(|| maps.ending.get(&id)).cloned()
    }

    /// Tells those who look on.
    pub fn tell(&self, event: Event) {
        // Nobody may be looking.
        let _ = self.events.send(event);
    }

    /// What happens from now on.
    pub fn watch(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}
