//! Webhooks, and what is still to be told by them.
//!
//! Whatever ends a session goes through [`Write::end_session`], which puts what its apps are to be told into the queue of
//! the same transaction: an end that an app is never told of cannot be written. The queue holds what waits, by app and
//! by when it is due, so that an app that does not answer stands in nobody else's way.

use std::ops::Bound;

use jiff::Timestamp;
use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use super::{
    StoreError, View, Write,
    codec::{self, Row},
    tables::{HOOK_DELIVERIES, HOOK_QUEUE, HOOKS},
};
use crate::model::{
    hook::{Delivery, DeliveryState, Hook},
    id::SessionId,
    secret::HookSecret,
};

const TABLE: &str = "the table of webhooks";
const DELIVERIES: &str = "the table of what apps were told";
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Record {
    url: String,
    secret: [u8; 32],
    created: i64,
    created_by: String,
}

#[derive(Serialize, Deserialize)]
struct DeliveryRecord {
    tries: u32,
    /// 0 waiting, 1 told, 2 given up.
    state: u8,
    /// When it is due, was told, or was given up.
    at: i64,
    problem: String,
}

/// The first and the last key of an app in a table by app, time and session.
const FIRST: (i64, &[u8; 16]) = (i64::MIN, &[0; 16]);
const LAST: (i64, &[u8; 16]) = (i64::MAX, &[u8::MAX; 16]);

/// Where a walk over what apps were told has come to: an app, when a session ended, and its id.
pub type DeliveryCursor = (String, i64, SessionId);

/// Questions about webhooks.
pub trait Hooks: View {
    /// The webhook of an app with its secret.
    fn hook(&self, app: &str) -> Result<Option<(Hook, HookSecret)>, StoreError> {
        let hooks = self.table(HOOKS)?;
        let found = hooks.get(app).map_err(StoreError::file)?;
        found.map(|bytes| decode(app, bytes.value())).transpose()
    }

    /// Every webhook, sorted by app.
    fn hooks(&self) -> Result<Vec<Hook>, StoreError> {
        let hooks = self.table(HOOKS)?;
        hooks
            .iter()
            .map_err(StoreError::file)?
            .map(|row| {
                let (app, bytes) = row.map_err(StoreError::file)?;
                decode(app.value(), bytes.value()).map(|(hook, _)| hook)
            })
            .collect()
    }

    /// At most `most` of what an app is to be told and that is due at `now`, what has waited longest first.
    fn due_deliveries(&self, app: &str, now: Timestamp, most: usize) -> Result<Vec<Delivery>, StoreError> {
        let queue = self.table(HOOK_QUEUE)?;
        let until = (app, codec::millis(now), LAST.1);
        let mut due = Vec::new();
        for row in queue.range((app, FIRST.0, FIRST.1)..=until).map_err(StoreError::file)?.take(most) {
            let (key, ended) = row.map_err(StoreError::file)?;
            let (_, at, session) = key.value();
            due.push(self.queued(app, at, SessionId::from_bytes(*session), ended.value())?);
        }
        Ok(due)
    }

    /// What a row of the queue stands for: what has been due since `at`.
    fn queued(&self, app: &str, at: i64, session: SessionId, ended: i64) -> Result<Delivery, StoreError> {
        let delivery = self.delivery(app, codec::time(DELIVERIES, ended)?, session)?;
        let delivery = delivery.ok_or(StoreError::Damaged(DELIVERIES))?;
        match delivery.state {
            DeliveryState::Waiting(due) if codec::millis(due) == at => Ok(delivery),
            _ => Err(StoreError::Damaged(DELIVERIES)),
        }
    }

    /// Holds what apps are to be told against when.
    fn check_deliveries(&self) -> Result<(), StoreError> {
        let mut waiting = 0_u64;
        for row in self.table(HOOK_DELIVERIES)?.iter().map_err(StoreError::file)? {
            let (key, bytes) = row.map_err(StoreError::file)?;
            let (app, ended, session) = key.value();
            let ended = codec::time(DELIVERIES, ended)?;
            let delivery = decode_delivery(app, ended, SessionId::from_bytes(*session), bytes.value())?;
            waiting += u64::from(matches!(delivery.state, DeliveryState::Waiting(_)));
        }
        let mut queued = 0;
        for row in self.table(HOOK_QUEUE)?.iter().map_err(StoreError::file)? {
            let (key, ended) = row.map_err(StoreError::file)?;
            let (app, at, session) = key.value();
            self.queued(app, at, SessionId::from_bytes(*session), ended.value())?;
            queued += 1;
        }
        if waiting == queued { Ok(()) } else { Err(StoreError::Damaged(DELIVERIES)) }
    }

    /// How much an app is still to be told.
    fn count_waiting(&self, app: &str) -> Result<u64, StoreError> {
        let queue = self.table(HOOK_QUEUE)?;
        let waiting =
            queue.range((app, FIRST.0, FIRST.1)..=(app, LAST.0, LAST.1)).map_err(StoreError::file)?;
        Ok(waiting.count() as u64)
    }

    /// What an app was or is to be told of the session that ended at `ended`.
    fn delivery(
        &self,
        app: &str,
        ended: Timestamp,
        session: SessionId,
    ) -> Result<Option<Delivery>, StoreError> {
        let deliveries = self.table(HOOK_DELIVERIES)?;
        let key = (app, codec::millis(ended), session.as_bytes());
        let found = deliveries.get(key).map_err(StoreError::file)?;
        found.map(|bytes| decode_delivery(app, ended, session, bytes.value())).transpose()
    }

    /// Whether an app is still to be told of the session that ended at `ended`.
    fn is_waiting(&self, app: &str, ended: Timestamp, session: SessionId) -> Result<bool, StoreError> {
        let delivery = self.delivery(app, ended, session)?;
        Ok(delivery.is_some_and(|delivery| matches!(delivery.state, DeliveryState::Waiting(_))))
    }

    /// At most `most` of what an app was or is to be told, the newest first.
    fn deliveries_to(&self, app: &str, most: usize) -> Result<Vec<Delivery>, StoreError> {
        let deliveries = self.table(HOOK_DELIVERIES)?;
        let all =
            deliveries.range((app, FIRST.0, FIRST.1)..=(app, LAST.0, LAST.1)).map_err(StoreError::file)?;
        all.rev()
            .take(most)
            .map(|row| {
                let (key, bytes) = row.map_err(StoreError::file)?;
                let (_, ended, session) = key.value();
                let ended = codec::time(DELIVERIES, ended)?;
                decode_delivery(app, ended, SessionId::from_bytes(*session), bytes.value())
            })
            .collect()
    }
}

impl<V: View> Hooks for V {}

impl Write<'_> {
    /// Writes a webhook, new or changed. What its app is still to be told is due at once.
    pub fn put_hook(&mut self, hook: &Hook, secret: &HookSecret) -> Result<(), StoreError> {
        let record = Record {
            url: hook.url.clone(),
            secret: *secret.bytes(),
            created: codec::millis(hook.created),
            created_by: hook.created_by.clone(),
        };
        let bytes = codec::seal(Row::of(HOOKS, hook.app.as_str()), VERSION, &record);
        self.edit(HOOKS)?.insert(hook.app.as_str(), bytes.as_slice()).map_err(StoreError::file)?;
        self.hasten(&hook.app, hook.created).map(drop)
    }

    /// Removes a webhook, and gives up what was still to be told by it. False if the app has none.
    pub fn remove_hook(&mut self, app: &str, now: Timestamp) -> Result<bool, StoreError> {
        if self.edit(HOOKS)?.remove(app).map_err(StoreError::file)?.is_none() {
            return Ok(false);
        }
        for waiting in self.due_deliveries(app, Timestamp::MAX, usize::MAX)? {
            let problem = "the webhook was removed".to_owned();
            self.settle(&Delivery { state: DeliveryState::GivenUp(now), problem, ..waiting })?;
        }
        Ok(true)
    }

    /// Makes all that an app is still to be told due at `now`; how much that is.
    pub fn hasten(&mut self, app: &str, now: Timestamp) -> Result<usize, StoreError> {
        let waiting = self.due_deliveries(app, Timestamp::MAX, usize::MAX)?;
        for delivery in &waiting {
            self.settle(&Delivery { state: DeliveryState::Waiting(now), ..delivery.clone() })?;
        }
        Ok(waiting.len())
    }

    /// Makes what was given up on due at `now`, as if nobody had tried yet; how much that is. It is looked for in all that is
    /// remembered of the app, which is a month.
    pub fn take_up_again(&mut self, app: &str, now: Timestamp) -> Result<usize, StoreError> {
        let mut given_up = Vec::new();
        for row in self
            .table(HOOK_DELIVERIES)?
            .range((app, FIRST.0, FIRST.1)..=(app, LAST.0, LAST.1))
            .map_err(StoreError::file)?
        {
            let (key, bytes) = row.map_err(StoreError::file)?;
            let (_, ended, session) = key.value();
            let ended = codec::time(DELIVERIES, ended)?;
            let delivery = decode_delivery(app, ended, SessionId::from_bytes(*session), bytes.value())?;
            if matches!(delivery.state, DeliveryState::GivenUp(_)) {
                given_up.push(delivery);
            }
        }
        let count = given_up.len();
        for delivery in given_up {
            self.settle(&Delivery { state: DeliveryState::Waiting(now), tries: 0, ..delivery })?;
        }
        Ok(count)
    }

    /// Puts the end of a session into the queue of an app, if the app is to be told of such.
    pub(super) fn tell_app(
        &mut self,
        app: &str,
        ended: Timestamp,
        session: SessionId,
    ) -> Result<(), StoreError> {
        if self.hook(app)?.is_none() {
            return Ok(());
        }
        let state = DeliveryState::Waiting(ended);
        self.settle(&Delivery {
            app: app.to_owned(),
            session,
            ended,
            tries: 0,
            state,
            problem: String::new(),
        })
    }

    /// Forgets what apps were told, or were given up on, before `before`: it looks at no more than `most` behind `after`. Where to go
    /// on; none where it has come to the end.
    pub fn forget_deliveries(
        &mut self,
        before: Timestamp,
        after: Option<DeliveryCursor>,
        most: usize,
    ) -> Result<Option<DeliveryCursor>, StoreError> {
        let (mut cursor, mut looked, mut old) = (after, 0, Vec::new());
        let deliveries = self.table(HOOK_DELIVERIES)?;
        while looked < most {
            let lower = cursor.as_ref().map(|(app, at, id)| (app.as_str(), *at, id.as_bytes()));
            let lower = lower.map_or(Bound::Unbounded, Bound::Excluded);
            let mut behind = deliveries
                .range::<(&str, i64, &[u8; 16])>((lower, Bound::Unbounded))
                .map_err(StoreError::file)?;
            let Some(next) = behind.next().transpose().map_err(StoreError::file)? else {
                cursor = None;
                break;
            };
            looked += 1;
            let (app, at, id) = next.0.value();
            let (ended, id) = (codec::time(DELIVERIES, at)?, SessionId::from_bytes(*id));
            if ended >= before {
                // So are all the others of this app, which come in this order.
                cursor = Some((app.to_owned(), i64::MAX, SessionId::from_bytes(*LAST.1)));
                continue;
            }
            let delivery = decode_delivery(app, ended, id, next.1.value())?;
            let done = match delivery.state {
                DeliveryState::Waiting(_) => None,
                DeliveryState::Told(at) | DeliveryState::GivenUp(at) => Some(at),
            };
            if done.is_some_and(|done| done < before) {
                old.push((app.to_owned(), at, id));
            }
            cursor = Some((app.to_owned(), at, id));
        }
        drop(deliveries);
        for (app, at, id) in &old {
            let key = (app.as_str(), *at, id.as_bytes());
            self.edit(HOOK_DELIVERIES)?.remove(key).map_err(StoreError::file)?;
        }
        Ok(cursor)
    }

    /// Writes down how far a delivery has come. False, and nothing is written, where somebody settled it meanwhile.
    pub fn settle_tried(&mut self, before: &Delivery, after: &Delivery) -> Result<bool, StoreError> {
        let known = self.delivery(&before.app, before.ended, before.session)?;
        if known.is_none_or(|known| {
            known.tries != before.tries || !matches!(known.state, DeliveryState::Waiting(_))
        }) {
            return Ok(false);
        }
        self.settle(after)?;
        Ok(true)
    }

    /// Writes a delivery, and keeps the queue in step with it.
    fn settle(&mut self, delivery: &Delivery) -> Result<(), StoreError> {
        let (app, session) = (delivery.app.as_str(), delivery.session.as_bytes());
        let ended = codec::millis(delivery.ended);
        if let Some(Delivery { state: DeliveryState::Waiting(due), .. }) =
            self.delivery(app, delivery.ended, delivery.session)?
        {
            self.edit(HOOK_QUEUE)?.remove((app, codec::millis(due), session)).map_err(StoreError::file)?;
        }
        let (state, at) = match delivery.state {
            DeliveryState::Waiting(due) => (0, due),
            DeliveryState::Told(at) => (1, at),
            DeliveryState::GivenUp(at) => (2, at),
        };
        let at = codec::millis(at);
        let record = DeliveryRecord { tries: delivery.tries, state, at, problem: delivery.problem.clone() };
        let bytes = codec::seal(Row::of(HOOK_DELIVERIES, (app, ended, session)), VERSION, &record);
        self.edit(HOOK_DELIVERIES)?
            .insert((app, ended, session), bytes.as_slice())
            .map_err(StoreError::file)?;
        if state == 0 {
            self.edit(HOOK_QUEUE)?.insert((app, at, session), ended).map_err(StoreError::file)?;
        }
        Ok(())
    }
}

fn decode(app: &str, bytes: &[u8]) -> Result<(Hook, HookSecret), StoreError> {
    let record: Record = codec::open(TABLE, Row::of(HOOKS, app), VERSION, bytes)?;
    let created = codec::time(TABLE, record.created)?;
    let hook = Hook { app: app.to_owned(), url: record.url, created, created_by: record.created_by };
    Ok((hook, HookSecret::new(record.secret)))
}

fn decode_delivery(
    app: &str,
    ended: Timestamp,
    session: SessionId,
    bytes: &[u8],
) -> Result<Delivery, StoreError> {
    let row = Row::of(HOOK_DELIVERIES, (app, codec::millis(ended), session.as_bytes()));
    let record: DeliveryRecord = codec::open(DELIVERIES, row, VERSION, bytes)?;
    let at = codec::time(DELIVERIES, record.at)?;
    let state = match record.state {
        0 => DeliveryState::Waiting(at),
        1 => DeliveryState::Told(at),
        2 => DeliveryState::GivenUp(at),
        _ => return Err(StoreError::Damaged(DELIVERIES)),
    };
    let (app, tries, problem) = (app.to_owned(), record.tries, record.problem);
    Ok(Delivery { app, session, ended, tries, state, problem })
}
