//! A small organisation stands for the large one: everything but the number of activities is the same.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tempfile::TempDir;

use super::{PASSWORD, Size, Told, fill, people};
use crate::{
    domain::{
        App,
        clock::Clock,
        sessions::{Limits, Origin},
        sign_in::SignedIn,
    },
    model::{
        activity::{Activity, Outcome},
        device::Kind,
        id::ActivityId,
        period::Range,
        session::{EndedBy, Scope, Session},
        user::Role,
    },
    store::index::Source as _,
};

fn size() -> Size {
    Size { users: 30, sessions: 60, activities: 6_000 }
}

/// A Wednesday.
fn now() -> Timestamp {
    "2026-03-18T14:30:00Z".parse().unwrap()
}

async fn demo() -> (TempDir, App, Told) {
    let folder = TempDir::new().unwrap();
    let app = App::open(folder.path(), None, Clock::fixed(now()), Limits::default()).unwrap();
    let told = fill(&app, &size()).await.unwrap();
    (folder, app, told)
}

fn live(app: &App) -> Vec<Session> {
    app.live_sessions(&Scope::All, None).iter().map(|live| live.session()).collect()
}

fn log(app: &App) -> Vec<Activity> {
    app.log().read(ActivityId(0), 1_000_000).unwrap()
}

#[tokio::test]
async fn the_demo_has_what_it_promises() {
    let (_folder, app, told) = demo().await;
    let users = app.users();
    assert_eq!(users.len(), 30);
    assert_eq!(users.iter().map(|user| user.role.as_str()).collect::<BTreeSet<_>>().len(), 3);
    assert_eq!(app.setup_code(), None);
    assert!(!app.apps().unwrap().is_empty() && !app.tokens().is_empty());

    let live = live(&app);
    assert_eq!(live.len(), 60);
    let countries: BTreeSet<_> = live.iter().filter_map(|session| session.place.country.clone()).collect();
    assert!(countries.len() >= 20, "{countries:?}");
    let kinds: BTreeSet<_> = live.iter().map(|session| session.device.kind.as_str()).collect();
    for kind in [Kind::Desktop, Kind::Phone, Kind::Tablet] {
        assert!(kinds.contains(kind.as_str()), "{kinds:?}");
    }
    assert!(live.iter().any(|session| session.place.country.is_none()), "somebody is inside");

    let (ended, count) = app.ended_sessions(&Scope::All, None, None, 10_000).unwrap();
    assert_eq!(ended.len() as u64, count);
    for by in [EndedBy::Admin, EndedBy::User, EndedBy::Policy] {
        assert!(ended.iter().any(|session| session.ending.as_ref().is_some_and(|end| end.by == by)), "{by}");
    }
    assert_eq!(told.users.iter().map(|(_, role)| *role).collect::<Vec<_>>(), Role::ALL);
    for (name, role) in told.users {
        let signed_in = app.sign_in(name, PASSWORD.into(), None, Origin::default(), None).await.unwrap();
        let SignedIn::Whole(welcome) = signed_in else { panic!("{name} has no second factor") };
        let session = welcome.session;
        assert_eq!(app.user(&session.user).unwrap().role, role);
    }
}

#[tokio::test]
async fn the_log_of_the_demo_is_a_year_of_working_days() {
    let (_folder, app, _) = demo().await;
    let log = log(&app);
    assert_eq!(log.len(), 6_000);
    assert!(log.is_sorted_by_key(|activity| activity.time), "it was written as it happened");
    let year = Range { from: "2025-03-17T10:00:00Z".parse().unwrap(), to: now() };
    assert!(log.iter().all(|activity| year.from <= activity.time && activity.time <= year.to));

    let failed = log.iter().filter(|activity| activity.outcome == Outcome::Failure).count();
    assert!((180..=300).contains(&failed), "{failed} of 6,000 failed");
    let weekend = log.iter().filter(|activity| {
        use jiff::civil::Weekday::{Saturday, Sunday};
        matches!(activity.time.to_zoned_datetime(jiff::tz::TimeZone::UTC).weekday(), Saturday | Sunday)
    });
    assert!((1..900).contains(&weekend.count()));
    for action in
        ["backup", "compare", "replicate", "sign-in", "sign-in-failed", "sign-out", "logout", "export"]
    {
        assert!(log.iter().any(|activity| activity.action == action), "{action}");
    }
    assert!(log.iter().any(|activity| activity.detail.contains("INC-")));
    assert!(log.iter().all(|activity| !activity.detail.contains(['{', '}'])), "every text is filled in");
}

/// The log and the tables tell the same: no session without its sign-in, no end without its activity.
#[tokio::test]
async fn every_session_of_the_demo_has_its_activities() {
    let (_folder, app, _) = demo().await;
    let mut of_session: BTreeMap<String, Vec<Activity>> = BTreeMap::new();
    for activity in log(&app) {
        of_session.entry(activity.session.clone().unwrap_or_default()).or_default().push(activity);
    }
    let (ended, _) = app.ended_sessions(&Scope::All, None, None, 10_000).unwrap();
    let sessions: Vec<Session> = live(&app).into_iter().chain(ended).collect();
    let named = of_session.keys().filter(|id| !id.is_empty()).count();
    assert_eq!(named, sessions.len(), "no activity names a session that was not there");
    for session in sessions {
        let did = &of_session[&session.id.to_string()];
        let has = |actions: &[&str]| did.iter().any(|activity| actions.contains(&activity.action.as_str()));
        assert!(has(&["sign-in"]), "{session:?}");
        assert_eq!(has(&["sign-out", "logout", "session-expired"]), session.ending.is_some(), "{session:?}");
        assert!(session.started <= session.last_access && session.last_access < session.expires);
        let opened = did.iter().filter(|activity| activity.action == "app-opened").count();
        assert_eq!(opened, session.apps.len());
    }
}

#[tokio::test]
async fn the_demo_is_the_same_twice() {
    let ((_one, one, _), (_two, two, _)) = (demo().await, demo().await);
    assert_eq!(one.users(), two.users());
    assert_eq!(live(&one), live(&two));
    assert_eq!(log(&one), log(&two));
}

#[tokio::test]
async fn a_demo_is_not_made_where_somebody_is() {
    let (_folder, app, _) = demo().await;
    assert_eq!(fill(&app, &size()).await.unwrap_err().to_string(), "the demo needs an empty data folder");
}

/// The test of the table of people: a mistyped address would put nobody on the map.
#[tokio::test]
async fn everybody_lives_in_a_city() {
    let folder = TempDir::new().unwrap();
    let app = App::open(folder.path(), None, Clock::fixed(now()), Limits::default()).unwrap();
    let homes = people::PEOPLE.iter().flat_map(|person| [person.home, person.mobile]);
    for ip in homes.chain(people::ELSEWHERE.iter().copied()) {
        let place = app.geo().place(ip);
        assert!(
            place.city.is_some() && place.country.is_some() && place.latitude.is_some(),
            "{ip}: {place:?}"
        );
    }
    for person in people::PEOPLE {
        assert!(jiff::tz::TimeZone::get(person.zone).is_ok(), "{}", person.zone);
        assert_eq!(
            app.geo().place(person.home).country,
            app.geo().place(person.mobile).country,
            "{}",
            person.name
        );
    }
}
