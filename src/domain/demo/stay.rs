//! One session of somebody, from sign-in to its end, and what was done in it.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{
    dice::Dice,
    seats::Seat,
    staff::Colleague,
    work::{self, TROUBLES},
};
use crate::{
    domain::sessions::fill_session,
    model::{
        activity::{NewActivity, OWN_APP, Outcome, action},
        session::{EndedBy, Ending, Session},
    },
};

/// One task in so many fails: with the sign-ins that fail, four of a hundred activities do.
const FAILS: u64 = 21;
/// One session in so many begins with a wrong password.
const MISTYPED: u64 = 12;

/// A session with its activities, the oldest first.
pub(super) struct Stay {
    pub(super) session: Session,
    pub(super) did: Vec<NewActivity>,
}

/// When somebody was there, and how it ended if it did.
pub(super) struct Frame {
    pub(super) started: Timestamp,
    pub(super) last_access: Timestamp,
    pub(super) lasts: SignedDuration,
    pub(super) ending: Option<(Ending, Seat)>,
}

impl Stay {
    /// A session of `who` in this frame, with `count` activities; there are always a sign-in and an end.
    pub(super) fn new(
        who: &Colleague,
        seat: &Seat,
        frame: Frame,
        count: u64,
        people: &[&str],
        dice: &mut Dice,
    ) -> Self {
        let Frame { started, last_access, lasts, ending } = frame;
        let mut session = Session {
            id: dice.session_id(),
            user: who.name.clone(),
            registered_by: None,
            ip: None,
            place: seat.place.clone(),
            device: seat.device.clone(),
            user_agent: String::new(),
            started,
            last_access,
            expires: started + lasts,
            apps: Vec::new(),
            mfa: false,
            ending: None,
        };
        seat.seat(&mut session);
        let mut did = Vec::new();
        let mistyped = count > 8 && dice.one_in(MISTYPED);
        if mistyped {
            let mut failed = own(
                &session,
                action::SIGN_IN_FAILED,
                started - SignedDuration::from_secs(dice.between(5, 40)),
            );
            failed.session = None;
            failed.outcome = Outcome::Failure;
            did.push(failed);
        }
        did.push(own(&session, action::SIGN_IN, started));
        let done = did.len() as u64 + u64::from(ending.is_some());
        let mut times: Vec<i64> = (done..count)
            .map(|_| dice.between(started.as_millisecond() + 1000, last_access.as_millisecond()))
            .collect();
        times.sort_unstable();
        if let Some(last) = times.last_mut() {
            *last = last_access.as_millisecond();
        }
        let year = started.to_zoned_datetime(TimeZone::UTC).year();
        let mut next: Option<(&str, &work::Task)> = None;
        for millis in times {
            let at = Timestamp::from_millisecond(millis).unwrap_or(started);
            let (app, task) = next.take().unwrap_or_else(|| dice.pick(&who.tasks));
            if app != OWN_APP && !session.apps.iter().any(|known| known == app) {
                // An app is opened before anything is done in it.
                session.apps.push(app.to_owned());
                did.push(own(&session, action::APP_OPENED, at).to(app));
                next = Some((app, task));
            } else {
                did.push(doing(&session, app, task, at, year, people, dice));
            }
        }
        if let Some((ending, from)) = ending {
            did.push(end(&session, &ending, &from));
            session.ending = Some(ending);
        }
        Self { session, did }
    }
}

/// An activity of Rollcall's own, in the session and by its user.
fn own(session: &Session, action: &str, at: Timestamp) -> NewActivity {
    let mut activity = NewActivity::new(session.user.as_str(), action, OWN_APP);
    activity.time = Some(at);
    activity.session = Some(session.id.to_string());
    activity.outcome = Outcome::Success;
    fill_session(&mut activity, session);
    activity
}

/// A task, done or tried.
fn doing(
    session: &Session,
    app: &str,
    task: &work::Task,
    at: Timestamp,
    year: i16,
    people: &[&str],
    dice: &mut Dice,
) -> NewActivity {
    let mut activity = own(session, task.action, at);
    app.clone_into(&mut activity.app);
    let (detail, target) = task.write(year, people, dice);
    activity.detail = detail;
    activity.target = (!target.is_empty()).then_some(target);
    if app != OWN_APP && dice.one_in(FAILS) {
        activity.outcome = Outcome::Failure;
        activity.detail = format!("{}: {}", activity.detail, dice.pick(TROUBLES));
    }
    activity
}

/// The activity that tells of an end, as `App::end` writes it.
fn end(session: &Session, ending: &Ending, from: &Seat) -> NewActivity {
    let action = match (ending.by, ending.reason.as_str()) {
        (EndedBy::Policy | EndedBy::System, _) => action::SESSION_EXPIRED,
        (EndedBy::User, "") => action::SIGN_OUT,
        _ => action::LOGOUT,
    };
    let mut told = own(session, action, ending.at).to(&session.user).saying(&ending.reason);
    if let Some(by) = &ending.by_user {
        told.user.clone_from(by);
        from.fill(&mut told);
    }
    told
}
