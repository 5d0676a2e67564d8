//! How a session ends.
//!
//! **A session ends here**, in [`App::end`], whoever ends it and why: it is refused in memory at once, then
//! its end and the activity that tells of it are committed in one transaction, and only then is the one who
//! asked answered, behind every answer that had been let out before. From the first of these steps on every request of that
//! session is refused.
//!
//! Where a change of the account is the reason, [`Ends`] writes the ends in the transaction of that change: it is
//! refused as soon as that is on disk, and if the change is not made, no session has ended.

use std::sync::Arc;

use super::{REASON, SessionError, fill_session};
use crate::{
    domain::{
        App, Gone,
        answers::Outgoing,
        live::{Event, Live, LiveTable},
    },
    model::{
        activity::{NewActivity, OWN_APP, action},
        id::SessionId,
        session::{EndedBy, Ending, Mandate, Session},
        user::{Actor, ActorKind, UserName},
    },
    store::{StoreError, Write},
};

impl App {
    /// Ends sessions, each in its way, and tells everybody who looks on. When it returns, every one of them that was live has
    /// ended on disk, whoever began to end it, and what was answered in it before is with its connection; those that are unknown or
    /// had ended before are passed over. The ones that were ended here.
    ///
    /// Where the commit fails the sessions stay refused, and the sweep tries again.
    pub async fn end(
        &self,
        by: &Actor,
        endings: impl IntoIterator<Item = (SessionId, Ending)>,
    ) -> Result<Vec<Arc<Session>>, SessionError> {
        self.end_telling(by, endings, |_| {}).await
    }

    /// The same, with `more` to be told of each in its activity.
    pub(super) async fn end_telling(
        &self,
        by: &Actor,
        endings: impl IntoIterator<Item = (SessionId, Ending)>,
        more: impl Fn(&mut NewActivity) + Send + 'static,
    ) -> Result<Vec<Arc<Session>>, SessionError> {
        // Whoever has been ended meanwhile ends nobody any more, nor does whoever comes with what no longer opens their session.
        let over = by.session.is_some_and(|own| self.0.live.by_id(own).is_none());
        let gone = |token| by.session.is_some() && self.0.live.by_token(token).is_none();
        if over || by.token.is_some_and(gone) {
            return Err(Gone.into());
        }
        let refuse = |(id, ending)| Some((self.0.live.refuse(id)?, ending));
        let refused: Vec<(Arc<Live>, Ending)> = endings.into_iter().filter_map(refuse).collect();
        if refused.is_empty() {
            return Ok(Vec::new());
        }
        let outgoing = Outgoing::of(refused.iter().map(|(live, _)| live));
        let (table, by, these) = (Arc::clone(&self.0.live), by.clone(), refused.clone());
        let written = self.0.store.write(self.now(), move |write| {
            let ended = these.iter().map(|(live, ending)| {
                let mut told = end_activity(&table, &by, live, ending);
                more(&mut told);
                end_and_tell(write, live, ending, &told)
            });
            Ok::<_, SessionError>(ended.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
        });
        let ended: Vec<Arc<Session>> = written.done().await?;
        for (live, _) in &refused {
            self.0.live.forget(live.id);
        }
        self.tell_of_ends(&ended);
        outgoing.gone().await;
        Ok(ended)
    }

    /// What ends all sessions of a user but `except`, in the change of the account that is the reason for it.
    pub(in crate::domain) fn ends_of(
        &self,
        by: &Actor,
        user: &UserName,
        except: Option<SessionId>,
        ended_by: EndedBy,
        reason: &str,
    ) -> Ends {
        let ending = self.ending(ended_by, Some(by), reason);
        Ends { table: Arc::clone(&self.0.live), by: by.clone(), user: user.clone(), except, ending }
    }

    /// What ends the oldest sessions of a user in the change that starts one too many.
    pub(super) fn surplus(&self, user: &UserName, new: SessionId) -> Surplus {
        let most = self.0.limits.per_user;
        let reason = most.map_or_else(String::new, |most| format!("more than {most} sessions at once"));
        let ending = self.ending(EndedBy::Policy, None, &reason);
        Surplus { app: self.clone(), user: user.clone(), new, most, ending }
    }

    /// Refuses sessions that have ended on disk, and tells everybody. What was answered in them before may be on its way still:
    /// whoever asked for their end is answered behind it.
    pub(in crate::domain) fn ended(&self, ended: &[Arc<Session>]) -> Outgoing<Live> {
        let mut refused = Vec::new();
        for session in ended {
            refused.extend(self.0.live.refuse(session.id));
            self.0.live.forget(session.id);
        }
        self.tell_of_ends(ended);
        Outgoing::of(&refused)
    }

    fn tell_of_ends(&self, ended: &[Arc<Session>]) {
        if ended.iter().any(|session| !session.apps.is_empty()) {
            self.0.bell.notify_one();
        }
        for session in ended {
            let by = session.ending.as_ref().map_or(EndedBy::System, |ending| ending.by);
            self.0.metrics.ended(by);
            self.0.live.tell(Event::Ended(Arc::clone(session)));
        }
    }

    /// What is written down of an end that is decided now.
    pub fn ending(&self, by: EndedBy, by_user: Option<&Actor>, reason: &str) -> Ending {
        let by_user = by_user.map(|actor| actor.name.clone());
        Ending { at: self.now(), by, by_user, reason: reason.trim().to_owned() }
    }

    /// Signs out of the session at hand.
    pub async fn sign_out(&self, by: &Actor, live: &Live) -> Result<(), SessionError> {
        self.end(by, [(live.id, self.ending(EndedBy::User, Some(by), ""))]).await.map(drop)
    }

    /// Ends a session whose user signed out of the app that registered it, as the app says by the same token.
    pub async fn sign_out_of_app(&self, by: &Actor, live: &Live) -> Result<(), SessionError> {
        let ending = self.ending(EndedBy::User, Some(by), "");
        let ending = Ending { by_user: Some(live.user.to_string()), ..ending };
        self.end(by, [(live.id, ending)]).await.map(drop)
    }

    /// Logs out those of `ids` that `mandate` reaches: the sessions that were ended. One that had reached a limit before was
    /// ended by that, and is not among them; its end is on disk all the same.
    pub async fn log_out(
        &self,
        by: &Actor,
        mandate: &Mandate,
        ids: &[SessionId],
        reason: &str,
    ) -> Result<Vec<Arc<Session>>, SessionError> {
        if reason.trim().len() > REASON {
            return Err(SessionError::Reason);
        }
        let now = self.0.clock.read();
        let (mut over, mut others, mut own) = (Vec::new(), Vec::new(), Vec::new());
        let reached = ids.iter().filter_map(|id| self.0.live.known(*id));
        for live in reached.filter(|live| mandate.covers(&live.user, |app| self.has_opened(live, app))) {
            if let Some(ending) = self.due(&live, now).filter(|_| !live.refused()) {
                over.push((live.id, ending));
            } else if live.user.as_str() == by.name && matches!(by.kind, ActorKind::User(_)) {
                own.push((live.id, self.ending(EndedBy::User, Some(by), reason)));
            } else {
                others.push((live.id, self.ending(other_end(by), Some(by), reason)));
            }
        }
        self.end(&Actor::system(), over).await?;
        let mut ended = self.end(by, others).await?;
        ended.extend(self.end(by, own).await?);
        Ok(ended)
    }

    /// The live sessions that `mandate` reaches, of `user` only if one is named.
    pub fn reachable(&self, mandate: &Mandate, user: Option<&UserName>) -> Vec<SessionId> {
        let (all, now) = (self.0.live.all(), self.0.clock.read());
        let reached = all.iter().filter(|live| {
            mandate.covers(&live.user, |app| self.has_opened(live, app))
                && user.is_none_or(|user| *user == live.user)
                && self.due(live, now).is_none()
        });
        reached.map(|live| live.id).collect()
    }
}

/// Ends all sessions of a user within a change of the account: both are on disk, or neither.
#[derive(Clone)]
pub(in crate::domain) struct Ends {
    table: Arc<LiveTable>,
    by: Actor,
    user: UserName,
    except: Option<SessionId>,
    ending: Ending,
}

impl Ends {
    /// Writes them down. A session that starts meanwhile is in the live table already, and looks at the account when
    /// it is its own turn to be written.
    pub(in crate::domain) fn write(&self, write: &mut Write<'_>) -> Result<Vec<Arc<Session>>, StoreError> {
        let of_user = self.table.of_user(&self.user).into_iter().filter(|live| Some(live.id) != self.except);
        let ended = of_user.map(|live| end_on_disk(write, &self.table, &self.by, &live, &self.ending));
        Ok(ended.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }
}

/// Ends the oldest sessions of a user beyond as many as they may have; those that apps registered do not count.
pub(super) struct Surplus {
    app: App,
    user: UserName,
    /// The one that starts: it stays, whatever time the clock showed when the others did.
    new: SessionId,
    most: Option<usize>,
    ending: Ending,
}

impl Surplus {
    /// Writes it down.
    pub(super) fn write(&self, write: &mut Write<'_>) -> Result<Vec<Arc<Session>>, StoreError> {
        let Some(most) = self.most else { return Ok(Vec::new()) };
        let table = &self.app.0.live;
        let mut own = table.of_user(&self.user);
        let now = self.app.0.clock.read();
        own.retain(|live| !live.refused() && self.app.due(live, now).is_none() && live.is_own());
        own.sort_by_cached_key(|live| (live.id == self.new, live.started(), live.id));
        let oldest = &own[..own.len().saturating_sub(most)];
        let by = Actor::system();
        let ended = oldest.iter().map(|live| end_on_disk(write, table, &by, live, &self.ending));
        Ok(ended.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }
}

/// Ends a session and appends the activity that tells of it. None if it has ended before, or is not on disk.
pub(super) fn end_on_disk(
    write: &mut Write<'_>,
    table: &LiveTable,
    by: &Actor,
    live: &Live,
    ending: &Ending,
) -> Result<Option<Arc<Session>>, StoreError> {
    end_and_tell(write, live, ending, &end_activity(table, by, live, ending))
}

fn end_and_tell(
    write: &mut Write<'_>,
    live: &Live,
    ending: &Ending,
    told: &NewActivity,
) -> Result<Option<Arc<Session>>, StoreError> {
    let Some(session) = write.end_session(live.id, Some(&live.session()), ending.clone())? else {
        return Ok(None);
    };
    write.append(told)?;
    Ok(Some(Arc::new(session)))
}

/// The activity that tells of an end.
fn end_activity(table: &LiveTable, by: &Actor, live: &Live, ending: &Ending) -> NewActivity {
    let action = match ending.by {
        // A program is the user's voice for a session of its own alone: see `sign_out_of_app`.
        EndedBy::User if by.session == Some(live.id) || by.kind == ActorKind::Token => action::SIGN_OUT,
        _ if by.kind == ActorKind::System => action::SESSION_EXPIRED,
        _ => action::LOGOUT,
    };
    let user = if action == action::LOGOUT { by.name.as_str() } else { live.user.as_str() };
    let mut told = NewActivity::new(user, action, OWN_APP);
    told.detail.clone_from(&ending.reason);
    told.target = Some(live.user.to_string());
    told.session = Some(live.id.to_string());
    if action == action::SIGN_OUT && by.kind == ActorKind::Token {
        told.app = live.first_app().unwrap_or(told.app);
        told.detail = format!("told by {}", by.name);
    }
    // Where and on what it was done, which for a logout is not where and on what the ended session was.
    let own = by.session.filter(|_| action == action::LOGOUT).and_then(|own| table.by_id(own));
    match own {
        Some(own) => fill_session(&mut told, &own.session()),
        None if action == action::LOGOUT => told.ip = by.ip,
        None => fill_session(&mut told, &live.session()),
    }
    told
}

/// Who ends a session that is not the actor's own.
const fn other_end(by: &Actor) -> EndedBy {
    match by.kind {
        ActorKind::User(_) | ActorKind::Console => EndedBy::Admin,
        ActorKind::Token | ActorKind::System => EndedBy::System,
    }
}
