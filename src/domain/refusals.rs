//! That somebody was refused what is not theirs to see or do is an activity too: `access-denied`, with who, what and why.
//!
//! It is one for whoever asks and each reason within [`WHILE`]: who tries one address after the other, or a program that lacks
//! a scope and asks a thousand times a second, fills no log. What a signed-in user or a program with a token has no right to
//! counts; not what anybody is refused who is nobody yet, and not what is only asked again for, like a form of another session.
//!
//! As with looks, the activity is handed to the writer behind the answer, which does not wait for it.

use std::{
    collections::HashMap,
    mem,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use super::{App, later::HandedIn, live::Live};
use crate::model::{
    activity::{Outcome, action, limits},
    app::App as Plugged,
    id::SessionId,
    user::{Actor, ActorKind, User},
};

/// How long the same reason is the same refusal.
const WHILE: Duration = Duration::from_mins(10);

/// Who was refused: somebody in a session, or a program by its name; and why.
type Kind = (Option<SessionId>, String, String);

/// What was told lately, and what is on its way into the log.
#[derive(Default)]
pub(super) struct Refusals(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    told: HashMap<Kind, Timestamp>,
    written: Vec<HandedIn>,
}

impl Refusals {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// Takes note that `by` asked for `what`, and was refused because of `why`. Does not wait.
    pub fn note_refusal(&self, by: &Actor, what: &str, why: &str) {
        let now = self.now();
        let mut refusals = self.0.refusals.lock();
        let kind = (by.session, by.name.clone(), why.to_owned());
        if refusals.told.get(&kind).is_some_and(|at| lasts(*at, now)) {
            return;
        }
        refusals.told.insert(kind, now);
        let mut told = self.did(by, action::ACCESS_DENIED).saying(why);
        if by.ip.is_some() {
            // The session may have been used elsewhere: being refused is no use of it everywhere.
            self.fill_ip(&mut told, by.ip);
        }
        told.target = Some(what[..what.floor_char_boundary(limits::NAME)].to_owned());
        told.outcome = Outcome::Failure;
        refusals.written.push(self.hand_in(vec![told]));
    }

    /// Takes note that a user may not open an app, who asked for it from `ip`. Does not wait.
    pub fn note_closed(&self, app: &Plugged, user: &User, live: &Live, ip: Option<IpAddr>) {
        let by = Actor {
            name: user.name.to_string(),
            kind: ActorKind::User(user.role),
            session: Some(live.id),
            token: Some(live.token),
            ip: ip.or(live.ip()),
        };
        self.note_refusal(&by, &app.name, &format!("may not open {}", app.name));
    }

    /// Forgets what was refused long ago, and sees to it that what was handed in is on disk.
    pub(super) async fn write_refusals(&self) {
        let now = self.now();
        let written = {
            let mut refusals = self.0.refusals.lock();
            refusals.told.retain(|_, at| lasts(*at, now));
            mem::take(&mut refusals.written)
        };
        self.see_in(written).await;
    }
}

/// Whether what was told at `at` is the same still. A clock that was set back makes it last no longer.
fn lasts(at: Timestamp, now: Timestamp) -> bool {
    Duration::try_from(now.duration_since(at)).is_ok_and(|age| age < WHILE)
}
