//! That somebody was refused what is not theirs is told.

use jiff::SignedDuration;
use rollcall::web::door::{Networks, Settings};
use serde_json::{Value, json};

use super::{
    house::{House, LONDON},
    http::each,
};

/// What is told of refusals, the oldest first: who, what and why.
fn told(house: &House) -> Vec<[String; 3]> {
    // No answer waits for it to be written; the sweep does.
    house.sweep();
    let mut rows = house.log("action=access-denied");
    rows.reverse();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    rows.iter().map(|row| ["user", "target", "detail"].map(|name| text(row, name))).collect()
}

#[test]
fn who_is_refused_what_their_role_does_not_open_is_told_once_for_a_while() {
    let house = House::new().with_admin("ada").with_auditor("olga").with_member("mia");
    let (mia, olga, ada) = (house.signed_in("mia"), house.signed_in("olga"), house.signed_in("ada"));
    for _ in 0..3 {
        assert_eq!(mia.get("/api/v1/users?q=secret").refusal(), "403 forbidden");
        assert_eq!(mia.get("/tokens").status, 403);
        assert_eq!(mia.at("216.160.83.56").post("/api/v1/tokens", &json!({})).refusal(), "403 forbidden");
        let admins = format!("/api/v1/sessions/{}", ada.session());
        assert_eq!(olga.delete(&admins).refusal(), "403 forbidden");
        assert_eq!(mia.post("/api/v1/sessions/logout", &json!({"user": "ada"})).refusal(), "403 forbidden");
    }
    let expected = [
        ["mia", "GET /api/v1/users", "this is for administrators and auditors"],
        ["mia", "GET /tokens", "this is for administrators"],
        ["olga", &format!("DELETE /api/v1/sessions/{}", ada.session()), "you may end only your own sessions"],
        ["mia", "POST /api/v1/sessions/logout", "you may end only your own sessions"],
    ];
    assert_eq!(told(&house), expected, "without what stood in the query");

    let row = &house.log("action=access-denied&user=olga")[0];
    assert_eq!([&row["outcome"], &row["app"], &row["ip"]], ["failure", "rollcall", LONDON]);
    assert_eq!(row["session"], olga.session());
    assert_eq!(each(&mia.get("/api/v1/activity?action=access-denied").items(), "user"), ["mia"; 3]);

    house.later(SignedDuration::from_mins(10) - SignedDuration::from_secs(1));
    assert_eq!(mia.get("/tokens").status, 403);
    assert_eq!(told(&house).len(), 4, "it is the same still");
    house.later(SignedDuration::from_secs(1));
    assert_eq!(mia.at("216.160.83.56").get("/tokens").status, 403);
    assert_eq!(told(&house)[4], ["mia", "GET /tokens", "this is for administrators"]);
    assert_eq!(house.log("action=access-denied")[0]["city"], "Milton");
    // Another session is another matter.
    assert_eq!(house.signed_in("mia").get("/tokens").status, 403);
    assert_eq!(told(&house).len(), 6);
}

#[test]
fn a_program_that_lacks_a_scope_fills_no_log() {
    let house = House::new().with_admin("ada");
    let program = house.program("shipper", &["activity:write"]);
    for _ in 0..100 {
        assert_eq!(program.get("/api/v1/activity").refusal(), "403 forbidden");
        assert_eq!(program.get("/api/v1/sessions").refusal(), "403 forbidden");
        assert_eq!(program.get("/metrics").status, 403);
    }
    assert_eq!(
        told(&house),
        [
            ["token shipper", "GET /api/v1/activity", "this token lacks the scope activity:read"],
            ["token shipper", "GET /api/v1/sessions", "this token lacks the scope session:read"],
            ["token shipper", "GET /metrics", "this token lacks the scope metrics"],
        ]
    );
}

#[test]
fn who_may_not_open_an_app_is_told_with_the_app() {
    let settings = Settings {
        trusted_proxies: Networks([Networks::parse("10.0.0.2").unwrap()].to_vec()),
        ..Settings::default()
    };
    let house = House::with_settings(settings).with_admin("ada").with_member("mia");
    let ada = house.signed_in("ada");
    for (name, groups) in [("wiki", json!([])), ("vault", json!(["staff"])), ("safe", json!(["staff"]))] {
        let app = json!({"name": name, "url": format!("http://{name}.example.org"), "groups": groups});
        assert_eq!(ada.post("/api/v1/apps", &app).status, 201);
    }
    let mia = house.signed_in("mia");
    let ask = |host: &str, at: &str| {
        let proxied =
            mia.at("10.0.0.2").with("X-Forwarded-For", "216.160.83.56").with("X-Forwarded-Proto", "http");
        proxied.with("X-Forwarded-Host", host).with("X-Forwarded-Uri", "/letters?to=max").get(at).status
    };
    for _ in 0..3 {
        assert_eq!(ask("wiki.example.org", "/auth/nginx"), 200);
        assert_eq!(ask("vault.example.org", "/auth/nginx"), 403);
        assert_eq!(ask("safe.example.org", "/auth/forward"), 403);
        let over = format!("/auth/handover?rd=http://safe.example.org/&nonce={}", "0".repeat(64));
        assert_eq!(mia.get(&over).status, 403);
    }
    let expected = [["mia", "vault", "may not open vault"], ["mia", "safe", "may not open safe"]];
    assert_eq!(told(&house), expected);
    assert_eq!(house.log("action=access-denied")[0]["city"], "Milton", "where it was asked from");
}

#[test]
fn nothing_is_told_of_who_is_nobody_yet_nor_of_what_is_only_asked_again_for() {
    let house = House::new().with_admin("ada").with_member("mia");
    let (mia, ada, stranger) = (house.signed_in("mia"), house.signed_in("ada"), house.stranger());
    assert_eq!(stranger.get("/api/v1/users").refusal(), "401 not_signed_in");
    assert_eq!(house.bearer("rct_none").get("/api/v1/activity").refusal(), "401 no_token");
    assert_eq!(stranger.get("/auth/nginx").refusal(), "403 not_a_trusted_proxy");
    assert_eq!(
        mia.with("Sec-Fetch-Site", "cross-site").post("/api/v1/tokens", &json!({})).refusal(),
        "403 cross_site"
    );
    assert_eq!(mia.bare_form("/sessions/logout", "all=1&csrf=of-another").status, 403);
    house.later(SignedDuration::from_mins(31));
    let token = json!({"name": "t", "scopes": ["metrics"]});
    assert_eq!(ada.post("/api/v1/tokens", &token).refusal(), "403 step_up_required");
    let foreign = format!("/api/v1/sessions/{}", ada.session());
    assert_eq!(mia.get(&foreign).refusal(), "404 not_found", "which is like one that never was");
    assert_eq!(told(&house).len(), 0);
}
