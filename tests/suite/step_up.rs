//! What takes a fresh proof of who one is.

use jiff::SignedDuration;
use rocket::http::Method;
use rollcall::domain::sessions::Limits;
use serde_json::{Value, json};

use super::{
    house::{Caller, House, PASSWORD},
    http::Reply,
};

/// A house with an administrator who signed in half an hour ago, and has used the session since.
fn later(house: &House, who: &Caller<'_>) {
    for _ in 0..3 {
        house.later(SignedDuration::from_mins(10));
        assert!(who.is_in());
    }
}

fn stale() -> House {
    House::new().with_admin("ada").with_member("mia").with_member("max")
}

#[test]
fn what_only_the_user_should_do_takes_a_proof_that_is_not_old() {
    let house = stale();
    let ada = house.signed_in("ada");
    let id = |user: &str| house.signed_in(user).session();
    house.later(SignedDuration::from_mins(30) - SignedDuration::from_millis(1));
    assert_eq!(ada.post("/api/v1/tokens", &json!({"name": "a", "scopes": ["metrics"]})).status, 201);
    house.later(SignedDuration::from_millis(1));
    let several = json!({"sessions": [id("mia"), id("max")]});
    let guarded = [
        ("post", "/api/v1/tokens", json!({"name": "b", "scopes": ["metrics"]}), 201),
        ("put", "/api/v1/apps/none/hook", json!({"url": "https://app.example.org"}), 404),
        ("post", "/api/v1/sessions/logout", several, 200),
        ("post", "/api/v1/apps", json!({"name": "wiki", "url": "https://wiki.example.org"}), 201),
        ("patch", "/api/v1/apps/wiki", json!({"groups": ["staff"]}), 204),
        ("delete", "/api/v1/apps/wiki/hook", Value::Null, 404),
        ("delete", "/api/v1/apps/wiki", Value::Null, 204),
        ("patch", "/api/v1/users/mia", json!({"groups": ["staff"]}), 200),
        ("patch", "/api/v1/users/mia", json!({"role": "auditor"}), 200),
        ("patch", "/api/v1/users/mia", json!({"disabled": true}), 200),
        ("patch", "/api/v1/users/mia", json!({"disabled": false}), 200),
        ("post", "/api/v1/users/mia/password", json!({"password": "another horse battery staple"}), 204),
        ("post", "/api/v1/users", json!({"user": "nora", "password": PASSWORD}), 201),
        ("delete", "/api/v1/users/max/second-factor", Value::Null, 404),
        ("put", "/api/v1/settings/second-factor", json!({"of": "nobody"}), 200),
        ("delete", "/api/v1/users/max", Value::Null, 204),
    ];
    let call = |method: &str, path: &str, body: &Value| -> Reply {
        match method {
            "post" => ada.post(path, body),
            "put" => ada.put(path, body),
            "patch" => ada.patch(path, body),
            _ => ada.delete(path),
        }
    };
    for (method, path, body, _) in &guarded {
        assert_eq!(call(method, path, body).refusal(), "403 step_up_required", "{method} {path}");
    }
    assert_eq!(ada.get("/api/v1/users").ok()["total"], 3, "nothing was done");
    // What is not of this kind goes on.
    assert_eq!(ada.patch("/api/v1/users/mia", &json!({"full_name": "Mia"})).status, 200);
    assert_eq!(
        ada.post("/api/v1/sessions/logout", &json!({"sessions": [id("mia")]})).ok(),
        json!({"ended": 1})
    );
    assert_eq!(
        ada.post("/api/v1/sessions/logout", &json!({"user": "ada", "except_current": true})).status,
        200
    );

    let path = "/api/v1/step-up";
    assert_eq!(
        ada.post(path, &json!({"password": "wrong horse battery"})).refusal(),
        "400 bad_field current"
    );
    assert_eq!(ada.post(path, &json!({})).refusal(), "400 bad_request");
    assert_eq!(ada.post(path, &json!({"password": PASSWORD})).status, 204);
    for (method, path, body, done) in &guarded {
        assert_eq!(call(method, path, body).status, *done, "{method} {path}");
    }
    later(&house, &ada);
    assert_eq!(
        ada.post("/api/v1/tokens", &json!({"name": "c", "scopes": ["metrics"]})).status,
        403,
        "it gets old"
    );
}

#[test]
fn a_program_shows_its_token_each_time_and_is_not_asked() {
    let house = stale();
    let program = house.program("ops", &["session:write"]);
    house.later(SignedDuration::from_hours(5));
    house.signed_in("mia");
    house.signed_in("max");
    assert_eq!(program.post("/api/v1/sessions/logout", &json!({"all": true})).ok(), json!({"ended": 2}));
}

#[test]
fn a_page_asks_and_then_goes_on_with_what_was_typed() {
    let house = stale();
    let ada = house.signed_in("ada");
    later(&house, &ada);
    let fields = [("name", "backup-1"), ("scope", "metrics"), ("scope", "session:read"), ("expires", "")];
    let asked = ada.form("/tokens/add", &fields);
    assert_eq!(asked.status, 403);
    let text = asked.text();
    for hidden in [
        r#"name="step-up-then" value="/tokens/add""#,
        r#"name="name" value="backup-1""#,
        r#"name="scope" value="metrics""#,
        r#"name="scope" value="session:read""#,
    ] {
        assert!(text.contains(hidden), "{hidden} is not in {text}");
    }
    assert_eq!(text.matches("name=\"csrf\"").count(), 2, "that of signing out, and one of its own");
    assert!(text.contains("Is it you, ada?") && !text.contains("authenticator"));
    let answer = |proof: &str| {
        let own = [("step-up-then", "/tokens/add"), ("step-up-proof", proof)];
        ada.form("/step-up", &[&own[..], &fields[..3]].concat())
    };
    let wrong = answer("wrong horse battery staple");
    assert!(wrong.status == 400 && wrong.text().contains("not your current password"));
    assert!(
        wrong.text().contains(r#"name="scope" value="metrics""#) && !wrong.text().contains("wrong horse")
    );
    let right = answer(PASSWORD);
    assert_eq!(
        (right.status, right.header("Location")),
        (307, Some("/tokens/add")),
        "the browser sends it again"
    );
    let made = ada.form("/tokens/add", &fields);
    assert!(made.status == 200 && made.text().contains("rct_"));
    for elsewhere in ["//evil.test", "https://evil.test", ""] {
        let own = [("step-up-then", elsewhere), ("step-up-proof", PASSWORD)];
        assert_eq!(ada.form("/step-up", &own).status, 400, "{elsewhere}");
    }
    assert_eq!(house.log("action=sign-in-failed").len(), 1);
}

#[test]
fn logging_several_others_out_on_the_page_asks_too() {
    let house = stale();
    let ada = house.signed_in("ada");
    later(&house, &ada);
    let (mia, max) = (house.signed_in("mia"), house.signed_in("max"));
    let (first, second) = (mia.session(), max.session());
    let fields =
        [("session", first.as_str()), ("session", second.as_str()), ("confirmed", "1"), ("reason", "why")];
    assert_eq!(ada.form("/sessions/logout", &fields).status, 403);
    assert!(mia.is_in() && max.is_in());
    let own = [("step-up-then", "/sessions/logout"), ("step-up-proof", PASSWORD)];
    assert_eq!(ada.form("/step-up", &[&own[..], &fields[..]].concat()).status, 307);
    assert_eq!(ada.form("/sessions/logout", &fields).status, 303);
    assert!(!mia.is_in() && !max.is_in());
}

#[test]
fn how_long_a_proof_is_fresh_can_be_set() {
    let limits = Limits { proof: std::time::Duration::from_mins(1), ..Limits::default() };
    let house = House::with_limits(limits).with_admin("ada");
    let ada = house.signed_in("ada");
    house.later(SignedDuration::from_mins(1));
    assert_eq!(ada.post("/api/v1/tokens", &json!({"name": "a", "scopes": ["metrics"]})).status, 403);
}

#[test]
fn other_sessions_that_are_ended_one_by_one_ask_at_the_second() {
    let house = stale();
    let ada = house.signed_in("ada");
    later(&house, &ada);
    let others = ["mia", "max", "ada", "max", "mia"].map(|user| house.signed_in(user));
    let end = |n: usize| ada.delete(&format!("/api/v1/sessions/{}", others[n].session()));
    assert_eq!(ada.delete("/api/v1/sessions/none").status, 404, "nothing was ended");
    assert_eq!(end(0).status, 204, "in a hurry");
    // By whichever door, and one's own too, but not the one at hand.
    assert_eq!(end(1).refusal(), "403 step_up_required");
    assert_eq!(end(2).refusal(), "403 step_up_required");
    let one = json!({"sessions": [others[1].session()]});
    assert_eq!(ada.post("/api/v1/sessions/logout", &one).refusal(), "403 step_up_required");
    let fields = [("session", others[1].session()), ("confirmed", "1".to_owned())];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(ada.form("/sessions/logout", &fields).status, 403);
    assert!(others[1..].iter().all(Caller::is_in));
    let second = house.signed_in("ada");
    assert_eq!(second.post("/api/v1/signout", &Value::Null).status, 204);
    house.later(SignedDuration::from_mins(10));
    assert_eq!(end(3).status, 204, "not for ever");
    assert_eq!(end(1).status, 403);
    assert_eq!(ada.post("/api/v1/step-up", &json!({"password": PASSWORD})).status, 204);
    assert_eq!((end(1).status, end(2).status, end(4).status), (204, 204, 204));
}

#[test]
fn ending_several_of_ones_own_asks_too() {
    let house = stale();
    let mia = house.signed_in("mia");
    later(&house, &mia);
    let others = [house.signed_in("mia"), house.signed_in("mia")];
    let all = json!({"all": true, "except_current": true});
    assert_eq!(mia.post("/api/v1/sessions/logout", &all).refusal(), "403 step_up_required");
    assert!(others.iter().all(Caller::is_in));
    assert_eq!(mia.post("/api/v1/step-up", &json!({"password": PASSWORD})).status, 204);
    assert_eq!(mia.post("/api/v1/sessions/logout", &all).ok(), json!({"ended": 2}));
}

#[test]
fn keeping_somebody_out_and_exchanging_the_cities_asks_on_the_page() {
    let house = stale();
    let ada = house.signed_in("ada");
    later(&house, &ada);
    for at in ["/users/mia/disable", "/users/mia/enable", "/settings/geo/reset"] {
        let asked = ada.form(at, &[]);
        assert!(asked.status == 403 && asked.text().contains("Is it you, ada?"), "{at}");
    }
    // A file is not carried along: it is chosen again.
    let upload = || {
        let body = "--x\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\nnone\r\n--x--\r\n";
        ada.with("Content-Type", "multipart/form-data; boundary=x").send(
            Method::Post,
            "/settings/geo",
            body.as_bytes(),
        )
    };
    let asked = upload();
    let then = r#"name="step-up-then" value="/settings/geo/again""#;
    assert!(asked.status == 403 && asked.text().contains(then), "{}", asked.text());
    let own = [("step-up-then", "/settings/geo/again"), ("step-up-proof", PASSWORD)];
    assert_eq!(ada.form("/step-up", &own).header("Location"), Some("/settings/geo/again"));
    let led = ada.form("/settings/geo/again", &[]);
    assert_eq!((led.status, led.header("Location")), (303, Some("/settings?done=geo-again#geo")));
    assert!(!upload().text().contains("Is it you"), "the form is asked about now");
}
