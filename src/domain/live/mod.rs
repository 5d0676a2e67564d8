//! The live table: every session that opens a door, in memory.
//!
//! A check asks it on every request: one hash, one look-up, one store into an atomic, no disk. A session that
//! is refused here is refused everywhere from that moment on; the truth on disk follows before anybody is
//! told. Last accesses are flushed to disk by the sweep ([`super::sessions`]).

mod session;
mod shared;

use std::{
    collections::HashMap,
    mem,
    net::IpAddr,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use lru::LruCache;
use tokio::sync::broadcast;

use self::session::Common;
pub use self::session::{Live, Unflushed};

use super::clock::{Clock, Reading};
use crate::model::{
    device::{Agent, Device},
    id::SessionId,
    place::Place,
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

/// All live sessions, and those whose end is still on its way to disk.
pub struct LiveTable {
    sessions: RwLock<Maps>,
    /// What opened sessions that open nothing any more.
    over: Mutex<LruCache<TokenHash, SessionId>>,
    common: Common,
    clock: Clock,
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
    fn insert(&mut self, token: TokenHash, session: Session, common: &Common, at: Reading) -> Arc<Live> {
        let live = Arc::new(Live::new(token, session, common, at));
        self.by_token.insert(token, Arc::clone(&live));
        self.by_id.insert(live.id, Arc::clone(&live));
        live
    }

    /// Lets `token` and no other open the session, which may be new here.
    fn open_by(&mut self, token: TokenHash, session: Session, common: &Common, at: Reading) {
        if self.by_id.contains_key(&session.id) {
            self.renew_token(session.id, token);
        } else {
            self.insert(token, session, common, at);
        }
    }

    fn renew_token(&mut self, id: SessionId, token: TokenHash) -> Option<Arc<Live>> {
        let old = self.by_id.get(&id).filter(|live| live.token != token).cloned()?;
        let live = Arc::new(old.with_token(token));
        self.by_token.remove(&old.token);
        self.drop_passes(&old);
        self.by_token.insert(token, Arc::clone(&live));
        self.by_id.insert(id, live);
        Some(old)
    }

    fn drop_passes(&mut self, live: &Live) {
        for pass in mem::take(&mut live.known_mut().passes) {
            self.by_pass.remove(&pass);
        }
    }
}

impl LiveTable {
    /// A table of these sessions, whose limits go by `clock`.
    pub fn of(sessions: impl IntoIterator<Item = (TokenHash, Session)>, clock: Clock) -> Self {
        let (events, _) = broadcast::channel(EVENTS);
        let over = Mutex::new(LruCache::new(OVER));
        let table = Self { sessions: RwLock::default(), over, common: Common::new(), clock, events };
        for (token, session) in sessions {
            table.insert(token, session);
        }
        table
    }

    /// Adds a session that is on disk.
    pub fn insert(&self, token: TokenHash, session: Session) -> Arc<Live> {
        let mut maps = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        maps.insert(token, session, &self.common, self.clock.read())
    }

    /// Takes over what is on disk: which sessions are live, and which token opens each. Those that are there and have been refused
    /// here stay so.
    pub fn refresh<E>(&self, look: impl FnOnce() -> Result<Vec<(TokenHash, Session)>, E>) -> Result<(), E> {
        // The lock is held over the look: whoever looks last has seen everything.
        let mut maps = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        for (token, session) in look()? {
            if !maps.ending.contains_key(&session.id) {
                maps.open_by(token, session, &self.common, self.clock.read());
            }
        }
        Ok(())
    }

    /// Lets another token open a session, and the one that did so far nothing any more: no door, no stream and no app. What it was
    /// until now, which is refused, if that is so.
    pub fn renew_token(&self, id: SessionId, token: TokenHash) -> Option<Arc<Live>> {
        self.sessions.write().unwrap_or_else(PoisonError::into_inner).renew_token(id, token)
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
        let mut known = live.known_mut();
        known.passes.retain(|known| !gone.contains(known));
        known.passes.push(pass);
        drop(known);
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
            live.refuse();
            maps.by_token.remove(&live.token);
            self.over.lock().unwrap_or_else(PoisonError::into_inner).put(live.token, id);
            maps.drop_passes(&live);
            maps.ending.insert(id, live);
        }
        maps.ending.get(&id).cloned()
    }

    /// Says that a session is used from another address.
    pub fn moves(&self, live: &Live, ip: IpAddr, place: Place) {
        live.moves(ip, place, &self.common);
    }

    /// Writes down what the client of a session says of itself, and what follows from it.
    pub fn renew(&self, live: &Live, agent: Agent, device: Device) {
        live.renew(agent, device, &self.common);
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
