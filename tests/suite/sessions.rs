//! Who is signed in: the list, one session, and for how long.

use std::collections::BTreeSet;

use jiff::{SignedDuration, ToSpan};
use serde_json::{Value, json};

use super::{
    house::{FIREFOX, House, NOW, PASSWORD},
    http::{each, walk},
};

fn names(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_session_tells_all_the_contract_promises_and_nothing_else() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    let session = ada.get(&format!("/api/v1/sessions/{}", ada.session())).ok();
    let live = "id user ip city region country location latitude longitude device os browser user_agent \
                started last_access expires apps mfa current state";
    assert_eq!(names(&session), live.split_whitespace().collect());
    let mut expected = json!({
        "user": "ada", "ip": "81.2.69.142", "city": "London", "region": "England", "country": "GB",
        "location": "England, United Kingdom", "latitude": 51.5142, "longitude": -0.0931,
        "user_agent": FIREFOX, "started": "2026-03-15T12:00:00.000Z",
        "last_access": "2026-03-15T12:00:00.000Z", "expires": "2026-03-16T12:00:00.000Z",
        "apps": [], "mfa": false, "current": true, "state": "active",
    });
    for open in ["id", "device", "os", "browser"] {
        assert!(!session[open].as_str().unwrap().is_empty(), "{open}");
        expected[open] = session[open].clone();
    }
    assert_eq!(session, expected);
    assert!(session["browser"].as_str().unwrap().starts_with("Firefox"), "{session}");
    let other = house.signed_in("ada");
    assert_eq!(other.delete(&format!("/api/v1/sessions/{}", ada.session())).status, 204);
    let list = other.get("/api/v1/sessions?state=ended").items();
    let ended = format!("{live} ended ended_by ended_by_user reason");
    assert_eq!(names(&list[0]), ended.split_whitespace().collect());
    assert_eq!((&list[0]["state"], &list[0]["current"]), (&json!("ended"), &json!(false)));
}

#[test]
fn what_lies_in_no_public_network_says_so() {
    let house = House::new().with_admin("ada");
    for (ip, location) in [
        ("10.1.2.3", "Private network"),
        ("192.168.0.1", "Private network"),
        ("fd12::1", "Private network"),
        ("127.0.0.1", "Private network (loopback)"),
        ("::1", "Private network (loopback)"),
        ("169.254.1.1", "Private network (link-local)"),
        ("100.64.0.1", "Private network (carrier NAT)"),
        ("::ffff:10.1.2.3", "Private network"),
    ] {
        let session = &house.stranger().at(ip).sign_in("ada", PASSWORD).ok()["session"];
        assert_eq!((&session["location"], &session["city"]), (&json!(location), &Value::Null), "{ip}");
    }
}

/// Five sessions a minute apart, the last of which lists them.
fn five(house: &House) -> (super::house::Caller<'_>, Vec<String>) {
    let mut ids = Vec::new();
    for user in ["mia", "max", "mia", "max"] {
        ids.push(house.signed_in(user).session());
        house.later(SignedDuration::from_mins(1));
    }
    let ada = house.signed_in("ada");
    ids.push(ada.session());
    ids.reverse();
    (ada, ids)
}

#[test]
fn every_live_session_is_on_one_page_the_last_used_first() {
    let house = House::new().with_admin("ada").with_member("mia").with_member("max");
    let (ada, newest_first) = five(&house);
    assert_eq!(each(&ada.get("/api/v1/sessions").items(), "id"), newest_first);
    for limit in [1, 2, 4, 5, 1000] {
        let pages = walk(&format!("/api/v1/sessions?limit={limit}"), |path| {
            let reply = ada.get(path);
            assert_eq!(reply.ok()["total"], 5, "whatever the page");
            reply
        });
        assert!(pages.iter().all(|page| page.len() <= limit));
        assert_eq!(pages.len(), 5_usize.div_ceil(limit));
        assert_eq!(each(&pages.concat(), "id"), newest_first, "in pages of {limit}");
    }
    let mias = ada.get("/api/v1/sessions?user=MIA").ok();
    assert_eq!(
        (each(mias["items"].as_array().unwrap(), "user"), &mias["total"]),
        (vec!["mia".to_owned(); 2], &json!(2))
    );
    let current = ada.get("/api/v1/sessions").items();
    let marked: Vec<_> = current.iter().map(|session| session["current"] == true).collect();
    assert_eq!(marked, [true, false, false, false, false]);
}

#[test]
fn ended_sessions_are_paged_too_the_last_ended_first() {
    let house = House::new().with_admin("ada").with_member("mia").with_member("max");
    let (ada, live) = five(&house);
    let mut ended = Vec::new();
    for id in &live[1..] {
        house.later(SignedDuration::from_secs(1));
        assert_eq!(ada.delete(&format!("/api/v1/sessions/{id}")).status, 204);
        ended.insert(0, id.clone());
    }
    for limit in [1, 3, 4] {
        let pages = walk(&format!("/api/v1/sessions?state=ended&limit={limit}"), |path| {
            let reply = ada.get(path);
            assert_eq!(reply.ok()["total"], 4);
            reply
        });
        assert_eq!(each(&pages.concat(), "id"), ended, "in pages of {limit}");
    }
    let max = ada.get("/api/v1/sessions?state=ended&user=max&limit=1").ok();
    assert_eq!((&max["total"], &max["items"][0]["user"]), (&json!(2), &json!("max")));
    assert_eq!(ada.get("/api/v1/sessions").ok()["total"], 1);
}

#[test]
fn many_that_ended_at_the_same_moment_are_each_listed_once() {
    let house = House::new().with_admin("ada");
    let app = house.program("shop", &["session:write"]);
    for number in 0..30 {
        let body = json!({"user": format!("guest{number}")});
        assert_eq!(app.post("/api/v1/sessions", &body).status, 201);
    }
    let ada = house.signed_in("ada");
    let live = walk("/api/v1/sessions?limit=7", |path| ada.get(path)).concat();
    assert_eq!(each(&live, "id").into_iter().collect::<BTreeSet<_>>().len(), 31);
    let body = json!({"all": true, "except_current": true});
    assert_eq!(ada.post("/api/v1/sessions/logout", &body).ok(), json!({"ended": 30}));
    let ended = walk("/api/v1/sessions?state=ended&limit=7", |path| ada.get(path)).concat();
    assert_eq!(ended.len(), 30);
    assert_eq!(each(&ended, "id").into_iter().collect::<BTreeSet<_>>().len(), 30);
}

#[test]
fn a_list_says_which_parameter_it_did_not_understand() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=ten", "limit"),
        ("limit=-1", "limit"),
        ("state=gone", "state"),
        ("cursor=x", "cursor"),
        ("cursor=%F0%9F%98%80", "cursor"),
        ("user=a%20b", "user"),
    ] {
        let refusal = ada.get(&format!("/api/v1/sessions?{query}")).refusal();
        assert_eq!(refusal, format!("400 bad_field {field}"), "{query}");
    }
}

#[test]
fn a_member_cannot_tell_another_ones_session_from_none() {
    let house = House::new().with_member("mia").with_member("max");
    let (mia, max) = (house.signed_in("mia"), house.signed_in("max"));
    let foreign = max.session();
    let unknown = "00000000000000000000000000";
    for path in ["/api/v1/sessions/", "/sessions/"] {
        let (a, b) = (mia.get(&format!("{path}{foreign}")), mia.get(&format!("{path}{unknown}")));
        assert_eq!(a.status, 404);
        assert_eq!(a.body, b.body, "{path}");
        assert_eq!(mia.get(&format!("{path}not-an-id")).body, b.body, "{path}");
    }
    let (a, b) = (
        mia.delete(&format!("/api/v1/sessions/{foreign}")),
        mia.delete(&format!("/api/v1/sessions/{unknown}")),
    );
    assert_eq!(a.refusal(), "404 not_found");
    assert_eq!(a, b);
    let logout = |body: Value| mia.post("/api/v1/sessions/logout", &body);
    assert_eq!(logout(json!({"sessions": [foreign, unknown, "x"]})).ok(), json!({"ended": 0}));
    assert_eq!(logout(json!({"user": "max"})), logout(json!({"user": "nobody"})));
    assert_eq!(logout(json!({"user": "max"})).refusal(), "403 forbidden");
    let list = mia.get("/api/v1/sessions?user=max").ok();
    assert_eq!(list, json!({"items": [], "next": null, "total": 0}));
    assert_eq!(each(&mia.get("/api/v1/sessions").items(), "user"), ["mia"]);
    assert!(max.is_in());
    max.post("/api/v1/signout", &json!({}));
    assert_eq!(mia.get("/api/v1/sessions?state=ended").ok()["total"], 0);
    assert_eq!(mia.get(&format!("/api/v1/sessions/{foreign}")).status, 404);
}

#[test]
fn an_auditor_sees_everybodys_sessions_and_ends_only_their_own() {
    let house = House::new().with_auditor("olga").with_member("mia");
    let (olga, other, mia) = (house.signed_in("olga"), house.signed_in("olga"), house.signed_in("mia"));
    assert_eq!(olga.get("/api/v1/sessions").ok()["total"], 3);
    let id = mia.session();
    assert_eq!(olga.get(&format!("/api/v1/sessions/{id}")).ok()["user"], "mia");
    assert_eq!(olga.delete(&format!("/api/v1/sessions/{id}")).refusal(), "403 forbidden");
    let logout = |body: Value| olga.post("/api/v1/sessions/logout", &body);
    assert_eq!(logout(json!({"user": "mia"})).refusal(), "403 forbidden");
    assert_eq!(logout(json!({"sessions": [id]})).ok(), json!({"ended": 0}));
    assert!(mia.is_in());
    assert_eq!(logout(json!({"all": true, "except_current": true})).ok(), json!({"ended": 1}));
    assert!(olga.is_in() && mia.is_in() && !other.is_in());
}

#[test]
fn every_request_moves_last_access_but_what_a_page_does_by_itself() {
    let house = House::new().with_admin("ada");
    let (ada, watcher) = (house.signed_in("ada"), house.program("w", &["session:read"]));
    let path = format!("/api/v1/sessions/{}", ada.session());
    let last = || watcher.get(&path).ok()["last_access"].as_str().unwrap().to_owned();
    house.later(SignedDuration::from_mins(5));
    ada.with("Background", "1").get("/sessions");
    assert_eq!(last(), "2026-03-15T12:00:00.000Z");
    ada.get("/sessions");
    assert_eq!(last(), "2026-03-15T12:05:00.000Z");
}

#[test]
fn a_session_that_is_not_used_for_an_hour_ends() {
    let house = House::new().with_admin("ada");
    let (used, unused) = (house.signed_in("ada"), house.signed_in("ada"));
    let id = unused.session();
    house.later(SignedDuration::from_mins(59));
    assert!(used.is_in());
    house.later(SignedDuration::from_mins(1));
    assert!(used.is_in(), "it was used a minute ago");
    assert!(!unused.is_in(), "before anything swept it away");
    assert_eq!(used.get("/api/v1/sessions").ok()["total"], 1);
    house.sweep();
    let ended = used.get(&format!("/api/v1/sessions/{id}")).ok();
    assert_eq!(
        [&ended["state"], &ended["ended_by"], &ended["ended"]],
        ["ended", "policy", "2026-03-15T13:00:00.000Z"]
    );
    assert_eq!(ended["ended_by_user"], Value::Null);
    assert!(ended["reason"].as_str().unwrap().contains("not used"), "{ended}");
    let told = house.log("action=session-expired");
    assert_eq!((each(&told, "user"), each(&told, "session")), (vec!["ada".into()], vec![id]));
}

#[test]
fn what_is_refused_already_is_not_shown_as_active() {
    let house = House::new().with_admin("ada").with_member("mia");
    let id = house.signed_in("mia").session();
    house.later(SignedDuration::from_hours(1));
    let ada = house.signed_in("ada");
    let session = ada.get(&format!("/api/v1/sessions/{id}")).ok();
    assert_eq!([&session["state"], &session["ended_by"]], ["ended", "policy"]);
}

#[test]
fn a_session_ended_when_it_reached_its_limit_however_late_somebody_looks() {
    let house = House::new().with_admin("ada").with_member("mia").with_member("max");
    let (mia, max) = (house.signed_in("mia"), house.signed_in("max"));
    let paths = [mia.session(), max.session()].map(|id| format!("/api/v1/sessions/{id}"));
    house.later(SignedDuration::from_mins(20));
    assert!(max.is_in());
    house.later(SignedDuration::from_hours(30));
    let ada = house.signed_in("ada");
    let seen = || paths.each_ref().map(|path| ada.get(path).ok());
    let before = seen();
    // Both limits have passed; the first is what ended it.
    for (session, at) in before.iter().zip(["2026-03-15T13:00:00.000Z", "2026-03-15T13:20:00.000Z"]) {
        assert_eq!([&session["state"], &session["ended_by"], &session["ended"]], ["ended", "policy", at]);
        assert!(session["reason"].as_str().unwrap().contains("not used"), "{session}");
    }
    house.later(SignedDuration::from_secs(2));
    assert_eq!(seen(), before);
    house.sweep();
    assert_eq!(seen(), before, "what is written down is what was said before");
    let ended = ada.get("/api/v1/sessions?state=ended").ok();
    assert_eq!(each(ended["items"].as_array().unwrap(), "user"), ["max", "mia"]);
    assert_eq!(house.log("action=session-expired").len(), 2);
}

#[test]
fn a_session_past_its_limit_is_no_longer_to_be_logged_out() {
    let house = House::new().with_admin("ada").with_member("mia");
    let mia = house.signed_in("mia");
    let (id, path) = (mia.session(), format!("/api/v1/sessions/{}", mia.session()));
    house.later(SignedDuration::from_hours(2));
    let ada = house.signed_in("ada");
    let logout = |body: Value| ada.post("/api/v1/sessions/logout", &body).ok()["ended"].clone();
    assert_eq!(logout(json!({"user": "mia"})), 0);
    assert_eq!(logout(json!({"all": true, "except_current": true})), 0);
    assert_eq!(logout(json!({"sessions": [id]})), 0);
    assert_eq!(ada.delete(&path).status, 204, "one that has ended already is answered the same");
    let session = ada.get(&path).ok();
    assert_eq!([&session["ended_by"], &session["ended"]], ["policy", "2026-03-15T13:00:00.000Z"]);
    assert_eq!(house.log("action=logout").len(), 0);
    assert_eq!(house.log("action=session-expired").len(), 1, "and its end is written down by now");
    house.sweep();
    assert_eq!(house.log("action=session-expired").len(), 1);
}

#[test]
fn a_session_ends_after_a_day_however_much_it_is_used() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    let end = NOW.parse::<jiff::Timestamp>().unwrap() + 24.hours();
    while house.now() < end {
        assert!(ada.is_in(), "at {}", house.now());
        house.later(SignedDuration::from_mins(30));
    }
    assert!(!ada.is_in());
}

#[test]
fn a_session_that_moves_shows_where_it_is_now() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    let id = ada.session();
    // Milton, in MaxMind's test database.
    let moved = ada.at("216.160.83.56").get(&format!("/api/v1/sessions/{id}")).ok();
    assert_eq!(
        (&moved["ip"], &moved["city"], &moved["country"]),
        (&json!("216.160.83.56"), &json!("Milton"), &json!("US"))
    );
    let claimed = ada.with("X-Forwarded-For", "8.8.8.8").with("X-Real-IP", "8.8.8.8");
    assert_eq!(claimed.get(&format!("/api/v1/sessions/{id}")).ok()["ip"], "81.2.69.142", "nobody is a proxy");
}

#[test]
fn who_says_that_it_is_a_page_by_itself_is_seen_all_the_same_and_what_they_do_is_theirs() {
    for (name, value) in [("Background", "1"), ("Accept", "text/event-stream")] {
        let house = House::new().with_admin("ada");
        let ada = house.signed_in("ada");
        let path = format!("/api/v1/sessions/{}", ada.session());
        house.later(SignedDuration::from_mins(5));
        let thief = ada.at("216.160.83.56").with(name, value).with("User-Agent", "curl/8.0");
        let token = json!({"name": "mine", "scopes": ["activity:read"]});
        assert_eq!(thief.post("/api/v1/tokens", &token).status, 201);
        let made = &house.log("action=token-added&user=ada")[0];
        assert_eq!((&made["ip"], &made["city"]), (&json!("216.160.83.56"), &json!("Milton")), "{name}");
        let seen = house.program("watcher", &["session:read"]).get(&path).ok();
        assert_eq!((&seen["ip"], &seen["browser"]), (&json!("216.160.83.56"), &made["browser"]), "{name}");
        assert_eq!(seen["last_access"], "2026-03-15T12:00:00.000Z", "it is no use of it for all that");
    }
}

#[test]
fn a_trusted_proxy_is_believed_and_nobody_else() {
    let trusted = rollcall::web::door::Networks::parse("10.0.0.0/8").unwrap();
    let settings = rollcall::web::door::Settings {
        trusted_proxies: rollcall::web::door::Networks(vec![trusted]),
        ..Default::default()
    };
    let house = House::with_settings(settings).with_admin("ada");
    let forwarded = house.stranger().with("X-Forwarded-For", "6.6.6.6, 216.160.83.56, 10.0.0.7");
    for (peer, ip) in [("10.0.0.1", "216.160.83.56"), ("81.2.69.142", "81.2.69.142")] {
        let answer = forwarded.at(peer).sign_in("ada", PASSWORD).ok();
        assert_eq!(answer["session"]["ip"], ip, "from {peer}");
    }
}

#[test]
fn a_cookie_that_is_no_session_opens_nothing() {
    let house = House::new().with_admin("ada");
    let good = house.signed_in("ada").header("Cookie").to_owned();
    let last = good.chars().last().unwrap();
    let swapped = format!("{}{}", &good[..good.len() - 2], if last == 'A' { "BA" } else { "AA" });
    for cookie in [
        "rollcall=",
        "rollcall=x",
        swapped.as_str(),
        &good.to_uppercase(),
        &good.replace("rcs_", "rct_"),
        &good.replace("rollcall=", "__Host-rollcall="),
        &format!("{good}; {good}"),
    ] {
        let reply = house.stranger().with("Cookie", cookie).get("/api/v1/me");
        assert_eq!(reply.refusal(), "401 not_signed_in", "{cookie}");
    }
    assert!(house.stranger().with("Cookie", &format!("a=b; {good}; c=d")).is_in());
}
