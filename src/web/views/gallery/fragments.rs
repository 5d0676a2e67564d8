//! What the fragments say, word for word: what a browser, a script that reads pages and a screen reader rely on.

use askama::Template;
use jiff::tz::TimeZone;

use crate::{
    model::{session::State, user::Role},
    web::{
        draw::{
            chart::{Bucket, Chart},
            map::Map,
        },
        views::{activity::Fault, notice::Failure, parts::Moment, record::Field, search::Search},
    },
};

use super::sample::{
    activities, activity_page, frame, long_session, now, search, sessions, sessions_page, spot, stranger,
};

#[test]
fn the_session_table_has_the_columns_of_the_original_in_their_order() {
    let html = sessions_page(Role::Admin, State::Active, sessions(1)).render().expect("a page");
    let heads: Vec<_> = html
        .split("<th scope=\"col\"")
        .skip(2)
        .map(|rest| rest.split("</th>").next().unwrap_or_default())
        .map(|cell| cell.rsplit('>').find(|text| !text.trim().is_empty()).unwrap_or_default())
        .map(|text| text.split('<').next().unwrap_or_default().to_owned())
        .take(10)
        .collect();
    assert_eq!(
        heads,
        [
            "Public IP",
            "User",
            "City",
            "Location",
            "Device Details",
            "OS Details",
            "Browser Details",
            "Last Access Time",
            "Started",
            "Expires"
        ]
    );
}

#[test]
fn the_rows_of_sessions() {
    let rows = vec![sessions(1).remove(0), sessions(5).remove(4), long_session()];
    let mut page = sessions_page(Role::Admin, State::Active, rows);
    page.map = None;
    insta::assert_snapshot!(page.as_results().render().expect("a fragment"));
}

#[test]
fn the_rows_of_ended_sessions() {
    let page = sessions_page(Role::Auditor, State::Ended, sessions(3));
    insta::assert_snapshot!(page.as_results().render().expect("a fragment"));
}

#[test]
fn the_rows_of_activities() {
    let page = activity_page(Role::Admin, 4);
    insta::assert_snapshot!(page.as_rows().render().expect("a fragment"));
    assert_eq!(page.as_count().render().expect("a fragment").trim(), "12,408 activities");
}

#[test]
fn a_search_that_was_not_understood() {
    let mut page = activity_page(Role::Admin, 0);
    page.search.q = "<b> (backup OR".into();
    page.fault = Some(Fault::at(&page.search.q, 13, "OR needs something on its right side"));
    insta::assert_snapshot!(page.as_results().render().expect("a fragment"));
}

#[test]
fn a_record_with_every_field() {
    let activity = activities(3).remove(2);
    let page = crate::web::views::record::RecordPage {
        frame: frame(crate::web::views::Page::Activity, Role::Admin),
        action: activity.action.clone(),
        user: activity.user.clone(),
        time: Moment::new(activity.time, &now()),
        outcome: activity.outcome,
        seal: String::new(),
        fields: Field::all(&activity, &search(), &now()),
        back: search().href("/activity"),
    };
    insta::assert_snapshot!(page.as_record().render().expect("a fragment"));
}

#[test]
fn a_histogram() {
    let mut page = activity_page(Role::Admin, 1);
    let at = |time: &str| time.parse().expect("a time");
    let bucket = |from, to, total, failures| Bucket { from: at(from), to: at(to), total, failures };
    let buckets = [
        bucket("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", 120, 30),
        bucket("2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z", 0, 0),
        bucket("2026-03-03T00:00:00Z", "2026-03-04T00:00:00Z", 1204, 0),
    ];
    page.chart = Some(Chart::new(&buckets, &TimeZone::UTC, |bucket| {
        Search::default().between(&bucket.from.to_string(), &bucket.to.to_string()).href("/activity")
    }));
    insta::assert_snapshot!(page.as_histogram().render().expect("a fragment"));
}

#[test]
fn a_map() {
    let mut page = sessions_page(Role::Admin, State::Active, sessions(1));
    page.map = Some(Map::world(&[
        spot("Oslo, NO", "NO", 59.91, 10.75, 3),
        spot("A \"place\", NG", "NG", 6.45, 3.39, 1),
    ]));
    let html = page.as_results().render().expect("a fragment");
    let from = html.find("<svg class=\"world\"").expect("a map");
    let to = from + html[from..].find("</svg>").expect("its end");
    insta::assert_snapshot!(&html[from..to]);
}

#[test]
fn a_stranger_sees_no_page_names_and_no_form() {
    let html = Failure::of(404, stranger()).render().expect("a page");
    assert!(!html.contains("<nav") && !html.contains("<form") && !html.contains("csrf"), "{html}");
    assert!(html.contains("href=\"/signin\""));
}

#[test]
fn a_member_is_offered_only_what_a_member_may_do() {
    let html = sessions_page(Role::Member, State::Active, sessions(1)).render().expect("a page");
    for other in ["href=\"/users\"", "href=\"/apps\"", "href=\"/settings\"", "Log out everybody"] {
        assert!(!html.contains(other), "{other}");
    }
    let html = activity_page(Role::Member, 1).render().expect("a page");
    assert!(
        html.contains("name=\"user\" list=\"users\" value=\"ada\""),
        "the User field holds the member's own name"
    );
}
