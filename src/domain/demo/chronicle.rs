//! What administrators did in the year: accounts, apps and tokens, and the activities that tell of them.

use jiff::{SignedDuration, Timestamp};

use super::{
    staff::Colleague,
    work::PROGRAMS,
    year::{DAYS, date, midnight},
};
use crate::model::{
    activity::{NewActivity, OWN_APP, Outcome, action},
    app::{App, HeaderFamily},
    token::{ApiToken, TokenScope},
};

/// A program with a token.
struct Caller {
    name: &'static str,
    scopes: &'static [TokenScope],
    /// On which day of the year it got its token.
    since: i64,
    /// In how many days from now the token expires.
    works: Option<i64>,
    /// How many minutes ago it was last used.
    used: Option<i64>,
}

const fn caller(name: &'static str, scopes: &'static [TokenScope], since: i64, used: i64) -> Caller {
    Caller { name, scopes, since, works: None, used: Some(used) }
}

const CALLERS: &[Caller] = &[
    caller("backup-agent", &[TokenScope::ActivityWrite], 2, 3),
    caller("crm-connector", &[TokenScope::ActivityWrite, TokenScope::SessionWrite], 9, 1),
    caller("reverse-proxy", &[TokenScope::AuthCheck], 3, 0),
    caller("grafana", &[TokenScope::Metrics], 47, 0),
    Caller {
        works: Some(90),
        ..caller("siem", &[TokenScope::ActivityRead, TokenScope::SessionRead], 160, 26)
    },
    Caller { works: Some(14), used: None, ..caller("auditors", &[TokenScope::ActivityRead], 341, 0) },
];

/// A moment of the `day`th day at which administrators work; the `nth` of that day.
pub(super) fn moment(now: Timestamp, day: i64, nth: usize) -> Timestamp {
    let later = i64::try_from(nth).unwrap_or(0) * 97;
    midnight(date(now, day)) + SignedDuration::from_hours(8) + SignedDuration::from_secs(later)
}

/// The apps as they are registered.
pub(super) fn apps(now: Timestamp) -> Vec<App> {
    let app = |(nth, program): (usize, &super::work::Program)| App {
        name: program.name.to_owned(),
        url: program.url.to_owned(),
        groups: program.groups.split(' ').filter(|group| !group.is_empty()).map(str::to_owned).collect(),
        headers: HeaderFamily::ALL[nth % HeaderFamily::ALL.len()],
        created: moment(now, 1, nth),
    };
    PROGRAMS.iter().enumerate().map(app).collect()
}

/// The tokens that programs have.
pub(super) fn tokens(now: Timestamp, admin: &str) -> Vec<ApiToken> {
    let token = |(nth, caller): (usize, &Caller)| ApiToken {
        name: caller.name.to_owned(),
        scopes: caller.scopes.to_vec(),
        own_ids: true,
        app: None,
        created: moment(now, caller.since, nth),
        created_by: admin.to_owned(),
        expires: caller.works.map(|days| now + SignedDuration::from_hours(24 * days)),
        last_used: caller.used.map(|minutes| now - SignedDuration::from_mins(minutes)),
    };
    CALLERS.iter().enumerate().map(token).collect()
}

/// The activities that tell of all this, done by the first of the staff.
pub(super) fn told(
    now: Timestamp,
    staff: &[Colleague],
    apps: &[App],
    tokens: &[ApiToken],
) -> Vec<NewActivity> {
    let Some(admin) = staff.first() else { return Vec::new() };
    let tell = |at: Timestamp, action: &str, target: &str, detail: String| {
        let mut told = NewActivity::new(admin.person.name, action, OWN_APP).to(target).saying(detail);
        told.time = Some(at);
        told.outcome = Outcome::Success;
        admin.seats.home().fill(&mut told);
        told
    };
    let mut all = Vec::new();
    for (nth, colleague) in staff.iter().enumerate() {
        let person = colleague.person;
        let made = moment(now, person.joined, nth);
        all.push(tell(made, action::USER_ADDED, person.name, format!("as {}", person.role)));
        if let Some(left) = person.left {
            all.push(tell(moment(now, left, nth), action::USER_DISABLED, person.name, String::new()));
        }
    }
    for app in apps {
        all.push(tell(app.created, action::APP_ADDED, &app.name, app.url.clone()));
    }
    for token in tokens {
        let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
        all.push(tell(token.created, action::TOKEN_ADDED, &token.name, scopes.join(" ")));
    }
    for day in (45..DAYS).step_by(80) {
        all.push(tell(
            moment(now, day, 0),
            action::SETTING_CHANGED,
            "city database",
            "the built-in database".into(),
        ));
    }
    all
}
