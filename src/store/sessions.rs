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
    StoreError, View, Write,
    codec::{self, DeviceRecord, IpRecord, PlaceRecord},
    tables::{ENDED, LAST_ACCESS, SESSION_TOKENS, SESSIONS},
};
use crate::model::{
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
        let sessions = self.table(SESSIONS)?;
        let Some(bytes) = sessions.get(id.as_bytes()).map_err(StoreError::file)? else { return Ok(None) };
        let (mut session, _) = decode(id, bytes.value())?;
        if session.ending.is_none()
            && let Some(last) = self.table(LAST_ACCESS)?.get(id.as_bytes()).map_err(StoreError::file)?
        {
            session.last_access = session.last_access.max(codec::time(TABLE, last.value())?);
        }
        Ok(Some(session))
    }

    /// Every live session with the hash of its token.
    fn live_sessions(&self) -> Result<Vec<(TokenHash, Session)>, StoreError> {
        let tokens = self.table(SESSION_TOKENS)?;
        let mut live = Vec::new();
        for row in tokens.iter().map_err(StoreError::file)? {
            let (hash, id) = row.map_err(StoreError::file)?;
            let id = SessionId::from_bytes(*id.value());
            let session = self.session(id)?.ok_or(StoreError::Damaged(TABLE))?;
            live.push((TokenHash(*hash.value()), session));
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
        let ended = self.table(ENDED)?;
        let after = after.as_ref().map(|(at, id)| (*at, id.as_bytes()));
        let upper = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut page = Vec::new();
        for row in ended.range::<(i64, &[u8; 16])>((Bound::Unbounded, upper)).map_err(StoreError::file)?.rev()
        {
            let (key, of) = row.map_err(StoreError::file)?;
            let id = SessionId::from_bytes(*key.value().1);
            if covers(scope, user, of.value()) {
                page.push(self.session(id)?.ok_or(StoreError::Damaged(TABLE))?);
                if page.len() == most {
                    break;
                }
            }
        }
        Ok(page)
    }

    /// How many ended sessions there are within `scope`, of `user` only if one is named.
    fn count_ended(&self, scope: &Scope, user: Option<&str>) -> Result<u64, StoreError> {
        let ended = self.table(ENDED)?;
        if *scope == Scope::All && user.is_none() {
            return ended.len().map_err(StoreError::file);
        }
        let mut count = 0;
        for row in ended.iter().map_err(StoreError::file)? {
            let (_, of) = row.map_err(StoreError::file)?;
            count += u64::from(covers(scope, user, of.value()));
        }
        Ok(count)
    }
}

impl<V: View> Sessions for V {}

fn covers(scope: &Scope, user: Option<&str>, of: &str) -> bool {
    let own = match scope {
        Scope::All => true,
        Scope::Own(own) => own.as_str() == of,
    };
    own && user.is_none_or(|user| user == of)
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
            self.edit(LAST_ACCESS)?.insert(id.as_bytes(), codec::millis(at)).map_err(StoreError::file)?;
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
        let at = codec::millis(ending.at);
        session.ending = Some(ending);
        let bytes = encode(&session, token);
        self.edit(SESSIONS)?.insert(id.as_bytes(), bytes.as_slice()).map_err(StoreError::file)?;
        self.edit(SESSION_TOKENS)?.remove(&token.0).map_err(StoreError::file)?;
        self.drop_passes(id)?;
        self.edit(LAST_ACCESS)?.remove(id.as_bytes()).map_err(StoreError::file)?;
        self.edit(ENDED)?.insert((at, id.as_bytes()), session.user.as_str()).map_err(StoreError::file)?;
        for app in &session.apps {
            self.tell_app(app, codec::time(TABLE, at)?, id)?;
        }
        Ok(Some(session))
    }

    /// Gives a live session a new token; the old one opens nothing any more. False if it has ended.
    pub fn renew_token(&mut self, id: SessionId, token: TokenHash) -> Result<bool, StoreError> {
        let Some((session, old)) = self.with_token(id)? else { return Ok(false) };
        if session.ending.is_some() {
            return Ok(false);
        }
        let bytes = encode(&session, token);
        self.edit(SESSIONS)?.insert(id.as_bytes(), bytes.as_slice()).map_err(StoreError::file)?;
        self.edit(SESSION_TOKENS)?.remove(&old.0).map_err(StoreError::file)?;
        self.edit(SESSION_TOKENS)?.insert(&token.0, id.as_bytes()).map_err(StoreError::file)?;
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
    codec::seal(VERSION, &record)
}

pub(super) fn decode(id: SessionId, bytes: &[u8]) -> Result<(Session, TokenHash), StoreError> {
    let record: Record = codec::open(TABLE, VERSION, bytes)?;
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
