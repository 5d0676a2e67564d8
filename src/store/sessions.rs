//! Sessions, live and ended.
//!
//! A live session can be found by its token's hash; an ended one only by its id and in the list of the ended.
//! Ending takes the one away and adds the other in the transaction that also writes the activity, and that queues what the
//! apps of the session are to be told of it.

use std::ops::Bound;

use jiff::Timestamp;
use redb::{ReadableTable, ReadableTableMetadata};
use serde::{Deserialize, Serialize};

use super::{
    Apps as _, Hooks as _, StoreError, View, Write,
    codec::{self, DeviceRecord, IpRecord, PlaceRecord, Row},
    tables::{ENDED, ENDED_OF, LAST_ACCESS, SESSION_TOKENS, SESSIONS},
};
use crate::model::{
    app::called,
    id::SessionId,
    secret::TokenHash,
    session::{EndedBy, Ending, Scope, Session},
};

pub(super) const TABLE: &str = "the table of sessions";
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Record {
    user: String,
    registered_by: Option<String>,
    ip: IpRecord,
    place: PlaceRecord,
    device: DeviceRecord,
    user_agent: String,
    started: i64,
    last_access: i64,
    expires: i64,
    apps: Vec<String>,
    mfa: bool,
    token: [u8; 32],
    ending: Option<EndingRecord>,
}

#[derive(Serialize, Deserialize)]
struct EndingRecord {
    at: i64,
    by: u8,
    by_user: Option<String>,
    reason: String,
}

/// Where a page of ended sessions stopped: when the last one shown had ended, and its id.
pub type EndedCursor = (i64, SessionId);

/// Questions about sessions.
pub trait Sessions: View {
    /// The session of this id, live or ended.
    fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        Ok(self.session_with_token(id)?.map(|(session, _)| session))
    }

    /// The same, with the hash of what opens it or did last.
    fn session_with_token(&self, id: SessionId) -> Result<Option<(Session, TokenHash)>, StoreError> {
        let sessions = self.table(SESSIONS)?;
        let Some(bytes) = sessions.get(id.as_bytes()).map_err(StoreError::file)? else { return Ok(None) };
        let (mut session, token) = decode(id, bytes.value())?;
        if session.ending.is_none()
            && let Some(last) = self.table(LAST_ACCESS)?.get(id.as_bytes()).map_err(StoreError::file)?
        {
            session.last_access = session.last_access.max(decode_access(id, last.value())?);
        }
        Ok(Some((session, token)))
    }

    /// The session of this id, which ended at `at`, in milliseconds since 1970; whatever names another end is damaged.
    fn ended_session(&self, at: i64, id: SessionId) -> Result<Session, StoreError> {
        let ended =
            |session: &Session| session.ending.as_ref().is_some_and(|ending| codec::millis(ending.at) == at);
        self.session(id)?.filter(ended).ok_or(StoreError::Damaged(TABLE))
    }

    /// Whether a session is live, and this is what opens it.
    fn opens(&self, token: TokenHash, id: SessionId) -> Result<bool, StoreError> {
        let tokens = self.table(SESSION_TOKENS)?;
        let found = tokens.get(&token.0).map_err(StoreError::file)?;
        Ok(found.is_some_and(|found| found.value() == id.as_bytes()))
    }

    /// Every live session with the hash of its token.
    fn live_sessions(&self) -> Result<Vec<(TokenHash, Session)>, StoreError> {
        let tokens = self.table(SESSION_TOKENS)?;
        let mut live = Vec::new();
        for row in tokens.iter().map_err(StoreError::file)? {
            let (hash, id) = row.map_err(StoreError::file)?;
            let id = SessionId::from_bytes(*id.value());
            let found = self.session_with_token(id)?;
            let found = found.filter(|(session, token)| session.ending.is_none() && token.0 == *hash.value());
            let (session, token) = found.ok_or(StoreError::Damaged(TABLE))?;
            live.push((token, session));
        }
        Ok(live)
    }

    /// At most `most` ended sessions within `scope`, of `user` only if one is named, those that ended last
    /// first, behind `after`.
    fn ended_sessions(
        &self,
        scope: &Scope,
        user: Option<&str>,
        after: Option<EndedCursor>,
        most: usize,
    ) -> Result<Vec<Session>, StoreError> {
        let after = after.as_ref().map(|(at, id)| (*at, id.as_bytes()));
        let mut page = Vec::new();
        match of(scope, user) {
            Of::All => {
                let ended = self.table(ENDED)?;
                let upper = after.map_or(Bound::Unbounded, Bound::Excluded);
                let range = ended.range::<(i64, &[u8; 16])>((Bound::Unbounded, upper));
                for row in range.map_err(StoreError::file)?.rev().take(most) {
                    let (key, _) = row.map_err(StoreError::file)?;
                    let (at, id) = key.value();
                    page.push(self.ended_session(at, SessionId::from_bytes(*id))?);
                }
            }
            Of::User(user) => {
                let ended = self.table(ENDED_OF)?;
                let upper =
                    after.map_or(Bound::Included(end_of(user)), |(at, id)| Bound::Excluded((user, at, id)));
                let range = ended.range::<(&str, i64, &[u8; 16])>((Bound::Included(start_of(user)), upper));
                for row in range.map_err(StoreError::file)?.rev().take(most) {
                    let (key, _) = row.map_err(StoreError::file)?;
                    let (_, at, id) = key.value();
                    let session = self.ended_session(at, SessionId::from_bytes(*id))?;
                    if session.user.as_str() != user {
                        return Err(StoreError::Damaged(TABLE));
                    }
                    page.push(session);
                }
            }
            Of::Nobody => {}
        }
        Ok(page)
    }

    /// How many ended sessions there are within `scope`, of `user` only if one is named.
    fn count_ended(&self, scope: &Scope, user: Option<&str>) -> Result<u64, StoreError> {
        match of(scope, user) {
            Of::All => self.table(ENDED)?.len().map_err(StoreError::file),
            Of::User(user) => {
                let ended = self.table(ENDED_OF)?;
                Ok(ended.range(start_of(user)..=end_of(user)).map_err(StoreError::file)?.count() as u64)
            }
            Of::Nobody => Ok(0),
        }
    }
}

impl<V: View> Sessions for V {}

/// Whose ended sessions are asked for.
enum Of<'a> {
    All,
    User(&'a str),
    Nobody,
}

/// Those within a scope, of `user` only if one is named.
fn of<'a>(scope: &'a Scope, user: Option<&'a str>) -> Of<'a> {
    match (scope, user) {
        (Scope::All, None) => Of::All,
        (Scope::All, Some(user)) => Of::User(user),
        (Scope::Own(own), user) if user.is_none_or(|user| user == own.as_str()) => Of::User(own.as_str()),
        (Scope::Own(_), _) => Of::Nobody,
    }
}

/// The first and the last key there can be of a user's ended sessions.
const fn start_of(user: &str) -> (&str, i64, &[u8; 16]) {
    (user, i64::MIN, &[0; 16])
}

const fn end_of(user: &str) -> (&str, i64, &[u8; 16]) {
    (user, i64::MAX, &[u8::MAX; 16])
}

impl Write<'_> {
    /// Writes a new session, which `token` opens from now on.
    pub fn put_session(&mut self, session: &Session, token: TokenHash) -> Result<(), StoreError> {
        let bytes = encode(session, token);
        self.edit(SESSIONS)?.insert(session.id.as_bytes(), bytes.as_slice()).map_err(StoreError::file)?;
        self.edit(SESSION_TOKENS)?.insert(&token.0, session.id.as_bytes()).map_err(StoreError::file)?;
        Ok(())
    }

    /// Writes down that a session was used. A session that has ended meanwhile stays as it ended.
    pub fn touch_session(&mut self, id: SessionId, at: Timestamp) -> Result<(), StoreError> {
        let live = matches!(self.session(id)?, Some(session) if session.ending.is_none());
        if live {
            let row = Row::of(LAST_ACCESS, id.as_bytes());
            let bytes = codec::seal_plain(row, &codec::millis(at).to_le_bytes());
            self.edit(LAST_ACCESS)?.insert(id.as_bytes(), bytes.as_slice()).map_err(StoreError::file)?;
        }
        Ok(())
    }

    /// Changes what is known of a live session: its address and place, its device, its apps. False if it
    /// has ended.
    pub fn update_session(&mut self, changed: &Session) -> Result<bool, StoreError> {
        let Some((now, token)) = self.with_token(changed.id)? else { return Ok(false) };
        if now.ending.is_some() {
            return Ok(false);
        }
        let bytes = encode(changed, token);
        self.edit(SESSIONS)?.insert(changed.id.as_bytes(), bytes.as_slice()).map_err(StoreError::file)?;
        Ok(true)
    }

    /// Ends a live session, as it was last `seen` if that was since it was written down: from here on no token opens it,
    /// whatever happens, and its apps are to be told. None if it is unknown or has ended before.
    pub fn end_session(
        &mut self,
        id: SessionId,
        seen: Option<&Session>,
        ending: Ending,
    ) -> Result<Option<Session>, StoreError> {
        let Some((mut session, token)) = self.with_token(id)? else { return Ok(None) };
        if session.ending.is_some() {
            return Ok(None);
        }
        let stored = self.session(id)?.map_or(session.last_access, |stored| stored.last_access);
        if let Some(seen) = seen {
            session.clone_from(seen);
        }
        session.last_access = session.last_access.max(stored);
        self.registered(&mut session.apps)?;
        let at = codec::millis(ending.at);
        session.ending = Some(ending);
        let bytes = encode(&session, token);
        self.edit(SESSIONS)?.insert(id.as_bytes(), bytes.as_slice()).map_err(StoreError::file)?;
        self.edit(SESSION_TOKENS)?.remove(&token.0).map_err(StoreError::file)?;
        self.drop_passes(id)?;
        self.drop_bond(id)?;
        self.edit(LAST_ACCESS)?.remove(id.as_bytes()).map_err(StoreError::file)?;
        let user = session.user.as_str();
        self.edit(ENDED)?.insert((at, id.as_bytes()), user).map_err(StoreError::file)?;
        self.edit(ENDED_OF)?.insert((user, at, id.as_bytes()), ()).map_err(StoreError::file)?;
        for app in &session.apps {
            self.tell_app(app, codec::time(TABLE, at)?, id)?;
        }
        Ok(Some(session))
    }

    /// Names apps as they are registered by now, which may be later than they were opened in a session: so they are told of its end.
    fn registered(&self, opened: &mut Vec<String>) -> Result<(), StoreError> {
        if opened.is_empty() {
            return Ok(());
        }
        let (apps, mut named) = (self.apps()?, Vec::with_capacity(opened.len()));
        for name in opened.drain(..) {
            let name = called(apps.iter(), &name).map_or(name, |app| app.name.clone());
            if !named.contains(&name) {
                named.push(name);
            }
        }
        *opened = named;
        Ok(())
    }

    /// Forgets sessions that ended before `before`, in milliseconds since 1970: it looks at no more than `most` behind `after`,
    /// from the oldest on, and leaves those of which an app is still to be told. Where to go on; none where it has come to the end.
    pub fn forget_ended(
        &mut self,
        before: i64,
        after: Option<EndedCursor>,
        most: usize,
    ) -> Result<Option<EndedCursor>, StoreError> {
        let lower = after.as_ref().map(|(at, id)| (*at, id.as_bytes()));
        let lower = lower.map_or(Bound::Unbounded, Bound::Excluded);
        let upper = Bound::Excluded((before, start_of("").2));
        let mut old = Vec::new();
        let ended = self.table(ENDED)?;
        for row in ended.range::<(i64, &[u8; 16])>((lower, upper)).map_err(StoreError::file)?.take(most) {
            let (key, _) = row.map_err(StoreError::file)?;
            old.push((key.value().0, SessionId::from_bytes(*key.value().1)));
        }
        drop(ended);
        for (at, id) in &old {
            let session = self.ended_session(*at, *id)?;
            let waits = |app: &String| self.is_waiting(app, codec::time(TABLE, *at)?, *id);
            let waiting: Vec<bool> = session.apps.iter().map(waits).collect::<Result<_, StoreError>>()?;
            if !waiting.contains(&true) {
                self.edit(ENDED)?.remove((*at, id.as_bytes())).map_err(StoreError::file)?;
                let of_user = (session.user.as_str(), *at, id.as_bytes());
                self.edit(ENDED_OF)?.remove(of_user).map_err(StoreError::file)?;
                self.edit(SESSIONS)?.remove(id.as_bytes()).map_err(StoreError::file)?;
            }
        }
        Ok(if old.len() == most { old.pop() } else { None })
    }

    /// Gives a live session a new token; the old one opens nothing any more, nor does a pass that was made by it. False if it has
    /// ended.
    pub fn renew_token(&mut self, id: SessionId, token: TokenHash) -> Result<bool, StoreError> {
        let Some((session, old)) = self.with_token(id)? else { return Ok(false) };
        if session.ending.is_some() {
            return Ok(false);
        }
        let bytes = encode(&session, token);
        self.edit(SESSIONS)?.insert(id.as_bytes(), bytes.as_slice()).map_err(StoreError::file)?;
        self.edit(SESSION_TOKENS)?.remove(&old.0).map_err(StoreError::file)?;
        self.edit(SESSION_TOKENS)?.insert(&token.0, id.as_bytes()).map_err(StoreError::file)?;
        self.drop_passes(id)?;
        Ok(true)
    }

    fn with_token(&self, id: SessionId) -> Result<Option<(Session, TokenHash)>, StoreError> {
        let sessions = self.table(SESSIONS)?;
        let found = sessions.get(id.as_bytes()).map_err(StoreError::file)?;
        found.map(|bytes| decode(id, bytes.value())).transpose()
    }
}

fn encode(session: &Session, token: TokenHash) -> Vec<u8> {
    let record = Record {
        user: session.user.as_str().to_owned(),
        registered_by: session.registered_by.clone(),
        ip: session.ip,
        place: (&session.place).into(),
        device: (&session.device).into(),
        user_agent: session.user_agent.clone(),
        started: codec::millis(session.started),
        last_access: codec::millis(session.last_access),
        expires: codec::millis(session.expires),
        apps: session.apps.clone(),
        mfa: session.mfa,
        token: token.0,
        ending: session.ending.as_ref().map(|ending| EndingRecord {
            at: codec::millis(ending.at),
            by: match ending.by {
                EndedBy::Admin => 0,
                EndedBy::User => 1,
                EndedBy::Policy => 2,
                EndedBy::System => 3,
            },
            by_user: ending.by_user.clone(),
            reason: ending.reason.clone(),
        }),
    };
    codec::seal(Row::of(SESSIONS, session.id.as_bytes()), VERSION, &record)
}

/// When a session was last used. A sum over so little takes a fraction of what reading the session itself does, which is done before
/// each of them is written; without one a flipped bit would let a session live long after it should have gone.
fn decode_access(id: SessionId, bytes: &[u8]) -> Result<Timestamp, StoreError> {
    let bytes = codec::open_plain(TABLE, Row::of(LAST_ACCESS, id.as_bytes()), bytes)?;
    let millis = bytes.try_into().map_err(|_| StoreError::Damaged(TABLE))?;
    codec::time(TABLE, i64::from_le_bytes(millis))
}

pub(super) fn decode(id: SessionId, bytes: &[u8]) -> Result<(Session, TokenHash), StoreError> {
    let record: Record = codec::open(TABLE, Row::of(SESSIONS, id.as_bytes()), VERSION, bytes)?;
    let ending = match record.ending {
        None => None,
        Some(ending) => Some(Ending {
            at: codec::time(TABLE, ending.at)?,
            by: match ending.by {
                0 => EndedBy::Admin,
                1 => EndedBy::User,
                2 => EndedBy::Policy,
                3 => EndedBy::System,
                _ => return Err(StoreError::Damaged(TABLE)),
            },
            by_user: ending.by_user,
            reason: ending.reason,
        }),
    };
    let session = Session {
        id,
        user: record.user.parse().map_err(|_| StoreError::Damaged(TABLE))?,
        registered_by: record.registered_by,
        ip: record.ip,
        place: record.place.into(),
        device: record.device.into(),
        user_agent: record.user_agent,
        started: codec::time(TABLE, record.started)?,
        last_access: codec::time(TABLE, record.last_access)?,
        expires: codec::time(TABLE, record.expires)?,
        apps: record.apps,
        mfa: record.mfa,
        ending,
    };
    Ok((session, TokenHash(record.token)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{
            hook::{Delivery, DeliveryState, Hook},
            secret::HookSecret,
        },
        store::{DeliveryCursor, Random, Store},
    };

    const RANDOM: Random = || [7; 16];

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn id(number: u8) -> SessionId {
        SessionId::from_bytes([number; 16])
    }

    fn done<T: Send + 'static>(
        store: &Store,
        change: impl FnMut(&mut Write<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> T {
        store.write(at(0), change).wait().unwrap()
    }

    /// A session of ann or bob, in the wiki, that ended in its second.
    fn ended(store: &Store, number: u8) {
        let user = if number.is_multiple_of(2) { "ann" } else { "bob" };
        let session = Session {
            id: id(number),
            user: user.parse().unwrap(),
            registered_by: None,
            ip: None,
            place: crate::model::place::Place::default(),
            device: crate::model::device::Device::default(),
            user_agent: String::new(),
            started: at(0),
            last_access: at(0),
            expires: at(1000),
            apps: vec!["wiki".to_owned()],
            mfa: false,
            ending: None,
        };
        done(store, move |write| {
            write.put_session(&session, TokenHash([number; 32]))?;
            let end = at(number.into());
            let ending = Ending { at: end, by: EndedBy::Admin, by_user: None, reason: String::new() };
            write.end_session(session.id, None, ending)
        });
    }

    fn numbers(store: &Store, user: Option<&str>, after: Option<EndedCursor>, most: usize) -> Vec<u8> {
        let found = store.read(|read| read.ended_sessions(&Scope::All, user, after, most)).unwrap();
        found.iter().map(|session| session.id.as_bytes()[0]).collect()
    }

    #[test]
    fn the_ended_sessions_of_a_user_are_a_list_of_their_own() {
        let store = Store::in_memory(at(0), RANDOM).unwrap();
        (1..=9).for_each(|number| ended(&store, number));
        assert_eq!(numbers(&store, None, None, 3), [9, 8, 7]);
        assert_eq!(numbers(&store, Some("ann"), None, 3), [8, 6, 4]);
        let cursor = (at(6).as_millisecond(), id(6));
        assert_eq!(numbers(&store, Some("ann"), Some(cursor), 9), [4, 2]);
        assert_eq!(numbers(&store, Some("eve"), None, 9), [0; 0]);
        let own = |name: &str| Scope::Own(name.parse().unwrap());
        let count = |scope: Scope, user| store.read(|read| read.count_ended(&scope, user)).unwrap();
        assert_eq!((count(Scope::All, None), count(own("bob"), None)), (9, 5));
        assert_eq!((count(own("bob"), Some("ann")), count(own("bob"), Some("bob"))), (0, 5));
        store.snapshot().unwrap().check(&mut |_| {}).unwrap();
    }

    #[test]
    fn what_ended_long_ago_is_forgotten_but_for_what_an_app_is_still_to_be_told() {
        let store = Store::in_memory(at(0), RANDOM).unwrap();
        done(&store, |write| {
            let hook = Hook {
                app: "wiki".into(),
                url: "https://wiki.example/hook".into(),
                created: at(0),
                created_by: "ada".into(),
            };
            write.put_hook(&hook, &HookSecret::new([1; 32]))
        });
        (1..=9).for_each(|number| ended(&store, number));
        // All have been told of but the third.
        let waiting = store.read(|read| read.due_deliveries("wiki", at(100), 100)).unwrap();
        for delivery in waiting.into_iter().filter(|delivery| delivery.session != id(3)) {
            let told = Delivery { state: DeliveryState::Told(at(50)), ..delivery.clone() };
            assert!(done(&store, move |write| write.settle_tried(&delivery, &told)));
        }
        let forget = |before: Timestamp| {
            let mut after = None;
            loop {
                let from = after;
                after = done(&store, move |write| write.forget_ended(before.as_millisecond(), from, 2));
                if after.is_none() {
                    break;
                }
            }
        };
        forget(at(6));
        assert_eq!(numbers(&store, None, None, 99), [9, 8, 7, 6, 3]);
        assert_eq!(numbers(&store, Some("ann"), None, 99), [8, 6]);
        assert!(store.read(|read| read.session(id(1))).unwrap().is_none());
        store.snapshot().unwrap().check(&mut |_| {}).unwrap();

        let forget = |before: Timestamp| {
            let mut after: Option<DeliveryCursor> = None;
            loop {
                let from = after;
                after = done(&store, move |write| write.forget_deliveries(before, from.clone(), 2));
                if after.is_none() {
                    break;
                }
            }
        };
        let left = || store.read(|read| read.deliveries_to("wiki", 99)).unwrap().len();
        forget(at(50));
        assert_eq!(left(), 9, "they were told in this second");
        forget(at(51));
        assert_eq!(left(), 1);
        assert_eq!(store.read(|read| read.count_waiting("wiki")).unwrap(), 1);
    }

    #[test]
    fn a_file_of_the_third_format_lists_the_ended_sessions_of_each_user_once_it_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), at(0), RANDOM).unwrap();
        (1..=4).for_each(|number| ended(&store, number));
        done(&store, |write| {
            write.edit(ENDED_OF)?.retain(|_, ()| false).map_err(StoreError::file)?;
            write
                .edit(crate::store::tables::META)?
                .insert("format", 3_u32.to_le_bytes().as_slice())
                .map_err(StoreError::file)?;
            Ok(())
        });
        assert_eq!(numbers(&store, Some("ann"), None, 9), [0; 0]);
        drop(store);
        let store = Store::open(folder.path(), at(0), RANDOM).unwrap();
        assert_eq!(numbers(&store, Some("ann"), None, 9), [4, 2]);
        store.snapshot().unwrap().check(&mut |_| {}).unwrap();
    }
}
