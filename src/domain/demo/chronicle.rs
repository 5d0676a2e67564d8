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

/// The tokens: name, scopes, on which day they were made, how many days they work from now, and how many
/// minutes ago they were last used.
const TOKENS: &[(&str, &[TokenScope], i64, Option<i64>, Option<i64>)] = &[
    ("backup-agent", &[TokenScope::ActivityWrite], 2, None, Some(3)),
    ("crm-connector", &[TokenScope::ActivityWrite, TokenScope::SessionWrite], 9, None, Some(1)),
    ("reverse-proxy", &[TokenScope::AuthCheck], 3, None, Some(0)),
    ("grafana", &[TokenScope::Metrics], 47, None, Some(0)),
    ("siem", &[TokenScope::ActivityRead, TokenScope::SessionRead], 160, Some(90), Some(26)),
    ("audit-2024", &[TokenScope::ActivityRead], 20, Some(14), None),
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
    let hours = |hours: i64| SignedDuration::from_hours(hours);
    let token = |(nth, (name, scopes, made, works, used)): (
        usize,
        &(_, &[TokenScope], _, Option<i64>, Option<i64>),
    )| {
        let name: &&str = name;
        ApiToken {
            name: (*name).to_owned(),
            scopes: scopes.to_vec(),
            created: moment(now, *made, nth),
            created_by: admin.to_owned(),
            expires: works.map(|days| now + hours(24 * days)),
            last_used: used.map(|minutes| now - SignedDuration::from_mins(minutes)),
        }
    };
    TOKENS.iter().enumerate().map(token).collect()
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
