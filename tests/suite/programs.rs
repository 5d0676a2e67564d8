//! Apps that sign their users in by themselves: they register, touch and ask for sessions.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::house::{FIREFOX, House};

const INTROSPECT: &str = "/api/v1/introspect";

/// A program that registers a session, and what it was told.
fn registered<'h>(house: &'h House, body: &Value) -> (super::house::Caller<'h>, String, String) {
    let app = house.program("shop", &["session:write", "session:read"]);
    let reply = app.post("/api/v1/sessions", body);
    assert_eq!(reply.status, 201, "{}", reply.text());
    let answer = reply.json();
    assert_eq!(answer.as_object().unwrap().len(), 2, "{answer}");
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    (app, text("id"), text("token"))
}

#[test]
fn an_app_registers_a_session_and_it_is_listed_like_any_other() {
    let house = House::new().with_admin("ada");
    let body = json!({"user": "Guest7", "ip": "81.2.69.142", "user_agent": FIREFOX, "app": "web-shop"});
    let (app, id, token) = registered(&house, &body);
    let session = house.signed_in("ada").get(&format!("/api/v1/sessions/{id}")).ok();
    assert_eq!(
        [&session["user"], &session["ip"], &session["city"], &session["user_agent"], &session["state"]],
        ["guest7", "81.2.69.142", "London", FIREFOX, "active"]
    );
    assert_eq!(session["apps"], json!(["web-shop"]));
    assert_eq!(session["expires"], "2026-03-16T12:00:00.000Z");
    let answer = app.bare_form(INTROSPECT, &format!("token={token}")).ok();
    assert_eq!(
        [&answer["active"], &answer["sub"], &answer["username"], &answer["sid"]],
        [&json!(true), &json!("guest7"), &json!("guest7"), &json!(id)]
    );
    // 2026-03-16T12:00:00Z, by `date -u -d 2026-03-16T12:00 +%s`.
    assert_eq!(answer["exp"], 1_773_662_400);
}

#[test]
fn an_address_is_taken_as_apps_have_it() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    let (app, id, _) = registered(&house, &json!({"user": "guest", "ip": ""}));
    let ip = || ada.get(&format!("/api/v1/sessions/{id}")).ok()["ip"].clone();
    assert_eq!(ip(), Value::Null, "empty is not given");
    let touch = format!("/api/v1/sessions/{id}/touch");
    for (given, meant) in [
        ("10.1.1.1:5000", "10.1.1.1"),
        ("", "10.1.1.1"),
        (" \t", "10.1.1.1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[2001:db8::2]", "2001:db8::2"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::2%eth0]:443", "fe80::2"),
        ("::ffff:10.1.1.2", "10.1.1.2"),
        (" 203.0.113.7 ", "203.0.113.7"),
    ] {
        assert_eq!(app.post(&touch, &json!({"ip": given})).status, 204, "{given}");
        assert_eq!(ip(), meant, "{given}");
        let body = json!({"user": "other", "ip": given});
        assert_eq!(app.post("/api/v1/sessions", &body).status, 201, "{given}");
    }
    assert_eq!(app.post(&touch, &json!({"ip": null})).status, 204);
    for wrong in ["unknown", "10.1.1", "10.1.1.1:x", "10.1.1.1, 10.1.1.2", "10.1.1.1%eth0", "%eth0"] {
        for path in [touch.as_str(), "/api/v1/sessions"] {
            let mut body = json!({"ip": wrong});
            if path != touch {
                body["user"] = "other".into();
            }
            let refused = app.post(path, &body);
            assert_eq!(refused.refusal(), "400 bad_field ip", "{wrong}");
            let error = &refused.json()["error"];
            let message = "ip: give an IPv4 or IPv6 address like 203.0.113.7";
            assert_eq!((&error["field"], &error["message"]), (&json!("ip"), &json!(message)), "{wrong}");
        }
    }
}

#[test]
fn an_app_that_is_not_registered_is_hinted_at_where_an_administrator_looks() {
    let house = House::new().with_admin("ada").with_auditor("olga");
    let (_, id, _) = registered(&house, &json!({"user": "guest", "app": "web-shop"}));
    let (ada, olga) = (house.signed_in("ada"), house.signed_in("olga"));
    let session = format!("/sessions/{id}");
    let apps = ada.get("/apps").text();
    assert!(apps.contains("have no entry here") && apps.contains("/apps?add=1&amp;name=web-shop"), "{apps}");
    let hint = "No entry under";
    assert!(ada.get(&session).text().contains(hint));
    assert!(!olga.get(&session).text().contains(hint), "who cannot add it is not told to");
    assert!(ada.get("/apps?add=1&name=web-shop").text().contains("value=\"web-shop\""));
    let shop = json!({"name": "Web-Shop", "url": "https://shop.example.org"});
    assert_eq!(ada.post("/api/v1/apps", &shop).status, 201);
    assert!(
        !ada.get("/apps").text().contains("have no entry here"),
        "it is the same in upper and lower case"
    );
    assert!(!ada.get(&session).text().contains(hint));
}

#[test]
fn nobody_registers_a_session_under_a_name_that_looks_like_rollcalls() {
    let house = House::new().with_admin("ada");
    let program = house.program("web-shop", &["session:write"]);
    let looks_so = [
        "rollcall",
        "ROLLCALL",
        "r\u{43e}llcall",
        "r0llcall",
        "roIIcaIl",
        "rollcall\u{200b}",
        "\u{ad}rollcall",
    ];
    for name in looks_so.into_iter().chain(["we\u{200b}b", "web\u{7}", &"x".repeat(65)]) {
        let refused = program.post("/api/v1/sessions", &json!({"user": "ann", "app": name}));
        assert_eq!(refused.refusal(), "400 bad_field app", "{name:?}");
    }
    assert_eq!(house.log("user=ann"), [] as [Value; 0], "and none is said to have signed in there");
    assert_eq!(program.post("/api/v1/sessions", &json!({"user": "ann", "app": "roll-calls"})).status, 201);
}

#[test]
fn an_apps_session_opens_the_app_and_not_rollcall() {
    let house = House::new().with_admin("ada");
    let (_, _, token) = registered(&house, &json!({"user": "ada"}));
    let browser = house.stranger().with("Cookie", &format!("rollcall={token}"));
    assert_eq!(browser.get("/api/v1/me").refusal(), "401 not_signed_in");
    assert_eq!(house.bearer(&token).get("/api/v1/sessions").refusal(), "401 no_token");
}

#[test]
fn a_touch_tells_where_the_session_is_and_keeps_it_alive() {
    let house = House::new().with_admin("ada");
    let (app, id, token) = registered(&house, &json!({"user": "guest"}));
    for _ in 0..3 {
        house.later(SignedDuration::from_mins(50));
        let touched = app.post(&format!("/api/v1/sessions/{id}/touch"), &json!({"ip": "216.160.83.56"}));
        assert_eq!((touched.status, touched.body.len()), (204, 0));
    }
    let session = app.get(&format!("/api/v1/sessions/{id}")).ok();
    assert_eq!(
        [&session["last_access"], &session["ip"], &session["city"]],
        ["2026-03-15T14:30:00.000Z", "216.160.83.56", "Milton"]
    );
    assert_eq!(app.post(&format!("/api/v1/sessions/{id}/touch"), &json!({})).status, 204);
    house.signed_in("ada").delete(&format!("/api/v1/sessions/{id}"));
    let touch = app.post(&format!("/api/v1/sessions/{id}/touch"), &json!({}));
    assert_eq!(touch.refusal(), "410 gone");
    assert_eq!(app.bare_form(INTROSPECT, &format!("token={token}")).text(), r#"{"active":false}"#);
}

#[test]
fn a_session_that_has_expired_is_gone_before_anything_sweeps_it_away() {
    let house = House::new();
    let (app, id, token) = registered(&house, &json!({"user": "guest", "ttl_s": 90}));
    house.later(SignedDuration::from_secs(89));
    assert_eq!(app.bare_form(INTROSPECT, &format!("token={token}")).ok()["active"], true);
    house.later(SignedDuration::from_secs(1));
    assert_eq!(app.bare_form(INTROSPECT, &format!("token={token}")).text(), r#"{"active":false}"#);
    assert_eq!(app.post(&format!("/api/v1/sessions/{id}/touch"), &json!({})).refusal(), "410 gone");
}

#[test]
fn no_app_can_make_a_session_longer_than_the_limit() {
    let house = House::new();
    let (app, id, _) = registered(&house, &json!({"user": "guest", "ttl_s": 31_536_000}));
    assert_eq!(app.get(&format!("/api/v1/sessions/{id}")).ok()["expires"], "2026-03-16T12:00:00.000Z");
}

#[test]
fn a_registration_says_what_is_wrong_with_it() {
    let house = House::new();
    let app = house.program("shop", &["session:write"]);
    for (body, refusal) in [
        (json!({"user": ""}), "400 bad_field user"),
        (json!({"user": "a b"}), "400 bad_field user"),
        (json!({"user": "x".repeat(200)}), "400 bad_field user"),
        (json!({"user": "guest", "app": "x".repeat(65)}), "400 bad_field app"),
        (json!({"user": "guest", "app": "a\nb"}), "400 bad_field app"),
        (json!({"user": "guest", "app": "Rollcall"}), "400 bad_field app"),
        (json!({"user": "guest", "ttl_s": 0}), "400 bad_field ttl_s"),
        (json!({"user": "guest", "ttl_s": -1}), "400 bad_field ttl_s"),
        (json!({"user": "guest", "ip": "nowhere"}), "400 bad_field ip"),
        (json!({"ip": "10.0.0.1"}), "400 bad_field user"),
    ] {
        assert_eq!(app.post("/api/v1/sessions", &body).refusal(), refusal, "{body}");
    }
    let touch = |id: &str| app.post(&format!("/api/v1/sessions/{id}/touch"), &json!({})).refusal();
    assert_eq!(touch("00000000000000000000000000"), "404 not_found");
    assert_eq!(touch("nonsense"), "404 not_found");
    assert_eq!(house.log("action=sign-in").len(), 0);
}

#[test]
fn what_is_no_live_session_is_inactive_and_nothing_more() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    let token = ada.header("Cookie").split_once('=').unwrap().1.to_owned();
    let asker = house.program("gate", &["session:read"]);
    let ask = |token: &str| asker.bare_form(INTROSPECT, &format!("token={token}"));
    assert_eq!(ask(&token).ok()["username"], "ada");
    ada.post("/api/v1/signout", &json!({}));
    let own = asker.header("Authorization").strip_prefix("Bearer ").unwrap().to_owned();
    for inactive in [token.as_str(), "x", "rcs_x", &own, &format!("{token}x"), "%00"] {
        let reply = ask(inactive);
        assert_eq!((reply.status, reply.text().as_str()), (200, r#"{"active":false}"#), "{inactive}");
    }
    assert_eq!(asker.bare_form(INTROSPECT, "").refusal(), "400 bad_field token");
    assert_eq!(asker.post(INTROSPECT, &json!({"token": token})).refusal(), "415 unsupported_media_type");
}

#[test]
fn signing_in_and_out_of_an_app_stands_in_the_log_under_the_app() {
    let house = House::new();
    let body = json!({"user": "guest", "ip": "81.2.69.142", "user_agent": FIREFOX, "app": "web-shop"});
    let (app, id, token) = registered(&house, &body);
    let told = house.log("action=sign-in&app=web-shop");
    assert_eq!(told.len(), 1);
    assert_eq!(
        [&told[0]["user"], &told[0]["session"], &told[0]["ip"], &told[0]["city"], &told[0]["browser"]],
        ["guest", id.as_str(), "81.2.69.142", "London", "Firefox 115"]
    );
    assert_eq!(told[0]["detail"], "told by token shop");
    assert_eq!(app.bare_form(INTROSPECT, &format!("token={token}")).ok()["client_id"], "web-shop");
    assert_eq!(app.delete(&format!("/api/v1/sessions/{id}")).status, 204);
    let told = house.log("action=sign-out&app=web-shop");
    assert_eq!([&told[0]["user"], &told[0]["session"]], ["guest", id.as_str()]);
    let session = app.get(&format!("/api/v1/sessions/{id}")).ok();
    assert_eq!([&session["ended_by"], &session["ended_by_user"]], ["user", "guest"]);
    assert_eq!(app.delete(&format!("/api/v1/sessions/{id}")).status, 204, "what has ended stays ended");
}

#[test]
fn another_program_that_ends_an_apps_session_is_not_taken_for_its_user() {
    let house = House::new();
    let (app, id, _) = registered(&house, &json!({"user": "guest"}));
    let other = house.program("guard", &["session:write"]);
    assert_eq!(other.delete(&format!("/api/v1/sessions/{id}")).status, 204);
    let session = app.get(&format!("/api/v1/sessions/{id}")).ok();
    assert_eq!([&session["ended_by"], &session["ended_by_user"]], ["system", "token guard"]);
    let told = house.log("action=logout");
    assert_eq!([&told[0]["user"], &told[0]["target"], &told[0]["app"]], ["token guard", "guest", "rollcall"]);
}

#[test]
fn the_token_of_an_app_says_that_its_own_sessions_are_used_and_ends_its_own_alone() {
    let house = House::new().with_admin("ada").with_member("mia");
    let ada = house.signed_in("ada");
    let token = json!({"name": "notes-1", "scopes": ["session:write"], "app": "notes"});
    let notes = house.bearer(ada.post("/api/v1/tokens", &token).json()["token"].as_str().unwrap());
    let own =
        notes.post("/api/v1/sessions", &json!({"user": "mia"})).json()["id"].as_str().unwrap().to_owned();
    let (shop, foreign, _) = registered(&house, &json!({"user": "mia", "app": "shop"}));
    let here = house.signed_in("mia");

    let moved = json!({"ip": "216.160.83.56"});
    for (other, city) in [(&foreign, Value::Null), (&here.session(), json!("London"))] {
        assert_eq!(notes.post(&format!("/api/v1/sessions/{other}/touch"), &moved).refusal(), "403 forbidden");
        assert_eq!(notes.delete(&format!("/api/v1/sessions/{other}")).refusal(), "403 forbidden");
        let ended = notes.post("/api/v1/sessions/logout", &json!({"sessions": [other]})).ok();
        assert_eq!(ended, json!({"ended": 0}));
        let session = shop.get(&format!("/api/v1/sessions/{other}")).ok();
        assert_eq!([&session["state"], &session["city"]], [&json!("active"), &city]);
    }
    assert_eq!(notes.post(&format!("/api/v1/sessions/{own}/touch"), &moved).status, 204);
    let ended = notes.post("/api/v1/sessions/logout", &json!({"user": "mia"})).ok();
    assert_eq!(ended, json!({"ended": 1}), "of all of hers that one in which the app was opened");
    assert_eq!(here.get("/api/v1/me").status, 200);
}

#[test]
fn whoever_asks_for_a_session_may_show_a_token_as_the_secret_of_an_oauth_client() {
    let house = House::new();
    let (_, _, token) = registered(&house, &json!({"user": "guest"}));
    let asks = |secret: &str| {
        let pair = data_encoding::BASE64.encode(format!("shop:{secret}").as_bytes());
        let client = house.stranger().with("Authorization", &format!("Basic {pair}"));
        client.bare_form(INTROSPECT, &format!("token={token}&token_type_hint=access_token"))
    };
    let secret = house.token("asker", &["session:read"]);
    assert_eq!(asks(&secret).ok()["active"], true);
    assert_eq!(asks(&house.token("writer", &["session:write"])).refusal(), "403 forbidden");
    assert_eq!(asks("rct_nothing").refusal(), "401 no_token");
    let pair = data_encoding::BASE64.encode(format!("shop:{secret}").as_bytes());
    let elsewhere = house.stranger().with("Authorization", &format!("Basic {pair}")).get("/api/v1/sessions");
    assert_eq!(elsewhere.refusal(), "401 no_token", "only where others ask as their standard has it");
}

#[test]
fn a_program_is_told_where_people_are_meant() {
    let house = House::new().with_admin("ada");
    let program = house.program("shop", &["session:read"]);
    for path in ["/api/v1/me", "/api/v1/tokens", "/api/v1/users", "/api/v1/apps"] {
        let reply = program.get(path);
        assert_eq!(reply.refusal(), "401 not_signed_in", "{path}");
        assert!(reply.text().contains("no token opens it"), "{path}: {}", reply.text());
    }
    assert!(house.stranger().get("/api/v1/me").text().contains("sign in first"));
    // Not even where a session comes along.
    let ada = house.signed_in("ada");
    for path in ["/api/v1/me", "/api/v1/users", "/api/v1/tokens"] {
        assert_eq!(
            ada.with("Authorization", "Bearer rct_bad").get(path).refusal(),
            "401 not_signed_in",
            "{path}"
        );
    }
    // A password that a proxy in front asked for comes along with everything.
    let behind = ada.with("Authorization", "Basic YTpi");
    for path in ["/api/v1/me", "/api/v1/users", "/api/v1/tokens", "/api/v1/sessions", "/api/v1/activity"] {
        assert_eq!(behind.get(path).status, 200, "{path}");
    }
}

#[test]
fn a_user_of_rollcalls_is_one_and_the_same_in_every_app_and_locked_out_of_all() {
    let house = House::new().with_admin("ada").with_member("mia");
    let (app, id, _) = registered(&house, &json!({"user": "Mia", "app": "web-shop"}));
    let mia = house.signed_in("mia");
    assert_eq!(mia.get(&format!("/api/v1/sessions/{id}")).ok()["user"], "mia", "she sees it");
    assert_eq!(house.signed_in("ada").patch("/api/v1/users/mia", &json!({"disabled": true})).status, 200);
    assert_eq!(app.post(&format!("/api/v1/sessions/{id}/touch"), &json!({})).refusal(), "410 gone");
    assert_eq!(app.post("/api/v1/sessions", &json!({"user": "mia"})).refusal(), "409 conflict");
}

#[test]
fn a_touch_needs_no_words_and_an_untouched_session_ends() {
    let house = House::new();
    let (app, id, _) = registered(&house, &json!({"user": "guest"}));
    let touch = || app.send(rocket::http::Method::Post, &format!("/api/v1/sessions/{id}/touch"), b"");
    house.later(SignedDuration::from_mins(59));
    assert_eq!(touch().status, 204);
    house.later(SignedDuration::from_mins(59));
    assert_eq!(touch().status, 204);
    let bad = app.with("Content-Type", "text/plain");
    let bad = bad.send(rocket::http::Method::Post, &format!("/api/v1/sessions/{id}/touch"), b"{}");
    assert_eq!(bad.refusal(), "415 unsupported_media_type");
    house.later(SignedDuration::from_mins(60));
    assert_eq!(touch().refusal(), "410 gone");
}

#[test]
fn what_was_last_seen_of_a_session_is_in_it_when_it_has_ended() {
    let house = House::new();
    let (app, id, _) = registered(&house, &json!({"user": "guest", "ip": "81.2.69.142"}));
    app.post(&format!("/api/v1/sessions/{id}/touch"), &json!({"ip": "216.160.83.56"}));
    // Before anything has swept it to disk.
    app.delete(&format!("/api/v1/sessions/{id}"));
    let session = app.get(&format!("/api/v1/sessions/{id}")).ok();
    assert_eq!([&session["state"], &session["ip"], &session["city"]], ["ended", "216.160.83.56", "Milton"]);
}

#[test]
fn a_session_shows_what_was_done_in_it_in_every_app_and_each_of_it_leads_back() {
    let house = House::new().with_admin("ada");
    let body = json!({"user": "guest", "ip": "81.2.69.142", "user_agent": FIREFOX, "app": "web-shop"});
    let (_, id, _) = registered(&house, &body);
    let writer = house.program("writer", &["activity:write"]);
    for n in 0..60 {
        house.later(SignedDuration::from_secs(1));
        let app = ["wiki", "tickets", "web-shop"][n % 3];
        let done = json!({"user": "guest", "action": format!("step-{n}"), "app": app, "session": id});
        assert_eq!(writer.post("/api/v1/activity", &done).status, 200);
    }
    writer.post("/api/v1/activity", &json!({"user": "guest", "action": "elsewhere", "session": "theirs"}));
    let ada = house.signed_in("ada");
    house.caught_up();
    let rows = |page: &str| -> Vec<String> {
        let chips = page.split("<td class=\"action\"><span class=\"chip\">").skip(1);
        chips.map(|rest| rest.split_once('<').unwrap().0.to_owned()).collect()
    };
    let walk = |rows_of: &dyn Fn(&str) -> Vec<String>| -> Vec<String> {
        let (mut all, mut at) = (Vec::new(), format!("/sessions/{id}"));
        loop {
            let page = ada.get(&at).text();
            all.extend(rows_of(&page));
            match page.split_once("\" rel=\"next\"") {
                Some((before, _)) => before.rsplit_once('"').unwrap().1.clone_into(&mut at),
                None => return all,
            }
        }
    };
    let steps: Vec<String> = (0..60).rev().map(|n| format!("step-{n}")).collect();
    let expected = [steps.clone(), vec!["sign-in".to_owned()]].concat();
    assert_eq!(walk(&rows), expected, "newest first, over all apps, page by page");
    assert!(ada.get(&format!("/sessions/{id}")).text().contains(&format!("/activity?session={id}")));

    // A record leads to its session, also when that has ended; what an app calls a session of its own leads nowhere.
    ada.delete(&format!("/api/v1/sessions/{id}"));
    house.caught_up();
    assert_eq!(walk(&rows), [vec!["logout".to_owned()], expected].concat(), "it survives the end");
    let record = |action: &str| {
        let found = house.log(&format!("action={action}")).remove(0);
        ada.get(&format!("/activity/{}", found["id"].as_str().unwrap())).text()
    };
    let page = record("step-7");
    assert!(page.contains(&format!("href=\"/sessions/{id}\"")), "{page}");
    assert!(page.contains("guest, Firefox 115, Ubuntu Linux, London, GB; ended by ada"), "{page}");
    assert!(!record("elsewhere").contains("href=\"/sessions/theirs"));
}
