//! Accounts: made, changed, disabled and removed, and what becomes of their sessions.

use jiff::SignedDuration;
use rollcall::domain::sessions::Limits;
use serde_json::{Value, json};

use super::{
    house::{House, PASSWORD},
    http::each,
};

const USERS: &str = "/api/v1/users";
const OTHER: &str = "another horse battery staple";

#[test]
fn an_administrator_adds_a_user_who_can_sign_in() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    let body = json!({
        "user": "Nora", "password": PASSWORD, "role": "auditor", "full_name": "Nora Ćwik",
        "email": "nora@example.org", "groups": ["it", "staff"],
    });
    let reply = ada.post(USERS, &body);
    assert_eq!(reply.status, 201);
    let expected = json!({
        "user": "nora", "role": "auditor", "full_name": "Nora Ćwik", "email": "nora@example.org",
        "groups": ["it", "staff"], "disabled": false, "created": "2026-03-15T12:00:00.000Z",
        "last_sign_in": null, "second_factor": false,
    });
    assert_eq!(reply.json(), expected);
    assert_eq!(ada.get(&format!("{USERS}/nora")).ok(), expected);
    let me = house.signed_in("nora").get("/api/v1/me").ok();
    assert_eq!([&me["role"], &me["full_name"]], ["auditor", "Nora Ćwik"]);
    let list = ada.get(USERS).ok();
    assert_eq!(
        (each(list["items"].as_array().unwrap(), "user"), &list["total"]),
        (vec!["ada".into(), "nora".into()], &json!(2))
    );
    assert_eq!(list["items"][1]["last_sign_in"], "2026-03-15T12:00:00.000Z");
    let told = house.log("action=user-added&user=ada");
    assert_eq!((told.len(), &told[0]["target"]), (1, &json!("nora")));
    assert!(house.log("q=staple").is_empty(), "no password stands in the log");
}

#[test]
fn a_user_that_cannot_be_is_refused_with_the_field() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    let user = |change: (&str, Value)| {
        let mut body = json!({"user": "nora", "password": PASSWORD});
        body[change.0] = change.1;
        ada.post(USERS, &body).refusal()
    };
    assert_eq!(user(("user", json!("ADA"))), "409 conflict");
    assert_eq!(user(("user", json!(""))), "400 bad_field user");
    assert_eq!(user(("user", json!("a b"))), "400 bad_field user");
    assert_eq!(user(("user", json!("a\u{200b}b"))), "400 bad_field user");
    assert_eq!(user(("user", json!("x".repeat(129)))), "400 bad_field user");
    assert_eq!(user(("password", json!("fourteen chars"))), "400 bad_field password");
    assert_eq!(user(("password", json!("x".repeat(1025)))), "400 bad_field password");
    assert_eq!(user(("role", json!("king"))), "400 bad_field role");
    assert_eq!(user(("full_name", json!("a\u{7}"))), "400 bad_field full_name");
    assert_eq!(user(("user", json!("Rollcall"))), "400 bad_field user");
    assert_eq!(user(("user", json!("add"))), "400 bad_field user");
    assert_eq!(user(("user", json!(".."))), "400 bad_field user");
    assert_eq!(user(("email", json!("x".repeat(257)))), "400 bad_field email");
    assert_eq!(user(("email", json!("nora"))), "400 bad_field email");
    assert_eq!(user(("email", json!("nora@example.org, eve@example.org"))), "400 bad_field email");
    assert_eq!(user(("groups", json!(["a,b"]))), "400 bad_field groups");
    assert_eq!(user(("groups", json!([""]))), "400 bad_field groups");
    assert_eq!(user(("groups", json!("it"))), "400 bad_field groups");
    assert_eq!(ada.post(USERS, &json!({"user": "nora"})).refusal(), "400 bad_field password");
    assert_eq!(ada.get(USERS).ok()["total"], 1);
}

#[test]
fn an_address_that_is_none_is_shown_in_the_form_with_what_is_wrong() {
    let house = House::new().with_admin("ada").with_member("mia");
    let ada = house.signed_in("ada");
    let fields = [("full_name", "Mia M"), ("email", "mia at home"), ("role", "member"), ("groups", "")];
    let refused = ada.form("/users/mia", &fields);
    assert_eq!(refused.status, 400);
    let page = refused.text();
    assert!(page.contains("mia at home") && page.contains("name@host"), "{page}");
    assert_eq!(ada.get("/api/v1/users/mia").ok()["full_name"], "");
}

#[test]
fn a_role_that_changes_ends_the_sessions_and_counts_at_once() {
    let house = House::new().with_admin("ada").with_member("mia");
    let (ada, mia) = (house.signed_in("ada"), house.signed_in("mia"));
    let id = mia.session();
    let changed = ada.patch("/api/v1/users/mia", &json!({"role": "auditor"})).ok();
    assert_eq!([&changed["user"], &changed["role"]], ["mia", "auditor"]);
    assert!(!mia.is_in());
    let ended = ada.get(&format!("/api/v1/sessions/{id}")).ok();
    assert_eq!([&ended["ended_by"], &ended["reason"]], ["policy", "role changed"]);
    let again = house.signed_in("mia");
    assert_eq!(again.get(USERS).status, 200);
    ada.patch("/api/v1/users/mia", &json!({"role": "auditor", "full_name": "Mia"})).ok();
    assert!(again.is_in(), "the role did not change");
    assert_eq!(again.get("/api/v1/me").ok()["full_name"], "Mia");
}

#[test]
fn what_a_change_does_not_name_stays() {
    let house = House::new().with_admin("ada").with_member("mia");
    let ada = house.signed_in("ada");
    ada.patch("/api/v1/users/mia", &json!({"email": "m@example.org", "groups": ["it"]})).ok();
    let mia = ada.patch("/api/v1/users/mia", &json!({"full_name": "Mia"})).ok();
    assert_eq!([&mia["email"], &mia["full_name"], &mia["role"]], ["m@example.org", "Mia", "member"]);
    assert_eq!(mia["groups"], json!(["it"]));
    let before = house.log("action=user-changed").len();
    ada.patch("/api/v1/users/mia", &json!({"full_name": "Mia"})).ok();
    assert_eq!(house.log("action=user-changed").len(), before, "nothing was changed");
}

#[test]
fn a_change_that_is_refused_changes_nothing_at_all() {
    let house = House::new().with_admin("ada").with_member("mia");
    let (ada, mia) = (house.signed_in("ada"), house.signed_in("mia"));
    let before = ada.get("/api/v1/users/mia").ok();
    for body in [
        json!({"disabled": true, "role": "king"}),
        json!({"disabled": true, "email": "a\u{7}"}),
        json!({"disabled": true, "email": "mia"}),
        json!({"full_name": "Mia", "groups": ["a,b"]}),
    ] {
        assert_eq!(ada.patch("/api/v1/users/mia", &body).status, 400, "{body}");
        assert_eq!(ada.get("/api/v1/users/mia").ok(), before, "{body}");
    }
    assert!(mia.is_in());
    let own = ada.get("/api/v1/users/ada").ok();
    let body = json!({"disabled": true, "full_name": "Ada"});
    assert_eq!(ada.patch("/api/v1/users/ada", &body).refusal(), "409 conflict");
    assert_eq!(ada.get("/api/v1/users/ada").ok(), own);
}

#[test]
fn a_disabled_user_is_out_at_once_and_stays_out() {
    let house = House::new().with_admin("ada").with_member("mia");
    let (ada, mia) = (house.signed_in("ada"), house.signed_in("mia"));
    let id = mia.session();
    assert_eq!(ada.patch("/api/v1/users/mia", &json!({"disabled": true})).ok()["disabled"], true);
    assert!(!mia.is_in());
    let ended = ada.get(&format!("/api/v1/sessions/{id}")).ok();
    assert_eq!([&ended["ended_by"], &ended["reason"]], ["policy", "account disabled"]);
    assert_eq!(house.stranger().sign_in("mia", PASSWORD).refusal(), "401 refused");
    ada.patch("/api/v1/users/mia", &json!({"disabled": false})).ok();
    assert!(house.signed_in("mia").is_in());
    assert!(!mia.is_in(), "what has ended stays ended");
    for verb in ["user-disabled", "user-enabled"] {
        let told = house.log(&format!("action={verb}"));
        assert_eq!((each(&told, "user"), each(&told, "target")), (vec!["ada".into()], vec!["mia".into()]));
    }
}

#[test]
fn a_removed_user_is_out_at_once_and_what_they_did_stays() {
    let house = House::new().with_admin("ada").with_member("mia");
    let (ada, mia) = (house.signed_in("ada"), house.signed_in("mia"));
    let id = mia.session();
    assert_eq!(ada.delete("/api/v1/users/mia").status, 204);
    assert!(!mia.is_in());
    assert_eq!(ada.get("/api/v1/users/mia").refusal(), "404 not_found");
    assert_eq!(ada.delete("/api/v1/users/mia").refusal(), "404 not_found");
    assert_eq!(house.stranger().sign_in("mia", PASSWORD).refusal(), "401 refused");
    let ended = ada.get(&format!("/api/v1/sessions/{id}")).ok();
    assert_eq!([&ended["ended_by"], &ended["reason"]], ["system", "account removed"]);
    assert_eq!(house.log("user=mia&action=sign-in").len(), 1);
}

#[test]
fn somebody_is_always_left_to_manage() {
    let house = House::new().with_admin("ada").with_admin("bob").with_member("mia");
    let ada = house.signed_in("ada");
    ada.patch("/api/v1/users/bob", &json!({"disabled": true})).ok();
    for (path, change) in
        [("/api/v1/users/ada", json!({"role": "member"})), ("/api/v1/users/ada", json!({"disabled": true}))]
    {
        assert_eq!(ada.patch(path, &change).refusal(), "409 conflict", "{change}");
    }
    assert_eq!(ada.delete("/api/v1/users/ada").refusal(), "409 conflict", "bob is disabled");
    assert!(ada.is_in());
    ada.patch("/api/v1/users/bob", &json!({"disabled": false})).ok();
    assert_eq!(ada.delete("/api/v1/users/ada").status, 204);
    assert!(!ada.is_in());
}

#[test]
fn a_new_password_ends_every_session_of_its_user() {
    let house = House::new().with_admin("ada").with_member("mia");
    let (ada, mia) = (house.signed_in("ada"), house.signed_in("mia"));
    let path = "/api/v1/users/mia/password";
    assert_eq!(ada.post(path, &json!({"password": "short"})).refusal(), "400 bad_field password");
    assert!(mia.is_in());
    assert_eq!(ada.post(path, &json!({"password": OTHER})).status, 204);
    assert!(!mia.is_in() && ada.is_in());
    assert_eq!(house.stranger().sign_in("mia", PASSWORD).refusal(), "401 refused");
    assert_eq!(house.stranger().sign_in("mia", OTHER).status, 200);
    assert_eq!(
        ada.post("/api/v1/users/none/password", &json!({"password": OTHER})).refusal(),
        "404 not_found"
    );
}

#[test]
fn changing_ones_own_password_takes_the_old_one_and_ends_ones_other_sessions() {
    let house = House::new().with_member("mia").with_member("max");
    let (mia, other, max) = (house.signed_in("mia"), house.signed_in("mia"), house.signed_in("max"));
    let wrong = mia.form("/profile/password", &[("current", "wrong horse battery"), ("password", OTHER)]);
    assert_eq!(wrong.status, 400);
    assert!(wrong.text().contains("not your current password"));
    let short = mia.form("/profile/password", &[("current", PASSWORD), ("password", "short")]);
    assert_eq!(short.status, 400);
    assert!(other.is_in());
    let done = mia.form("/profile/password", &[("current", PASSWORD), ("password", OTHER)]);
    assert_eq!(
        (done.status, done.header("Location")),
        (303, Some("/profile?done=password")),
        "{}",
        done.text()
    );
    assert!(!mia.is_in() && !other.is_in() && max.is_in(), "the token of before opens nothing");
    assert!(
        house.stranger().with("Cookie", &done.cookie()).is_in(),
        "the session at hand goes on with a new one"
    );
    assert_eq!(house.log("action=logout&user=mia").len(), 1, "the other session's end is told");
    assert_eq!(house.stranger().sign_in("mia", PASSWORD).refusal(), "401 refused");
    assert_eq!(house.stranger().sign_in("mia", OTHER).status, 200);
}

#[test]
fn a_program_changes_ones_own_password_too() {
    let house = House::new().with_admin("ada").with_member("mia");
    let (mia, other) = (house.signed_in("mia"), house.signed_in("mia"));
    let path = "/api/v1/me/password";
    let wrong = mia.post(path, &json!({"current": "wrong horse battery", "password": OTHER}));
    assert_eq!(wrong.refusal(), "400 bad_field current");
    let done = mia.post(path, &json!({"current": PASSWORD, "password": OTHER}));
    assert_eq!(done.ok(), json!({"ended": 1}));
    assert!(!mia.is_in() && !other.is_in());
    let mia = house.stranger().with("Cookie", &done.cookie());
    assert!(mia.is_in());
    let ada = house.signed_in("ada");
    let set = ada.post("/api/v1/users/ada/password", &json!({"password": OTHER}));
    assert_eq!(set.status, 204);
    assert!(!ada.is_in() && house.stranger().with("Cookie", &set.cookie()).is_in());
    assert_eq!(
        ada.with("Cookie", &set.cookie())
            .post("/api/v1/users/mia/password", &json!({"password": PASSWORD}))
            .header("Set-Cookie"),
        None
    );
}

#[test]
fn a_password_that_anybody_would_try_is_refused_with_the_reason() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    let refused = |password: &str| {
        let body = json!({"user": "lovelace", "full_name": "Augusta King", "password": password});
        let reply = ada.post(USERS, &body);
        assert_eq!(reply.refusal(), "400 bad_field password", "{password}");
        reply.json()["error"]["message"].as_str().unwrap().to_owned()
    };
    for common in ["qwerty123456789", "1QAZ2wsx3edc4rfv", "PolniyPizdec0211"] {
        assert!(refused(common).contains("among the first"), "{common}");
    }
    for name in ["lovelacelovelace", "Augusta.King.1815", "rollcall-rollcall"] {
        assert!(refused(name).contains("little more than the name"), "{name}");
    }
    assert!(refused("abcdabcdabcdabcd").contains("pattern"));
    let long: String = (0..1024).map(|n| char::from_digit(10 + n * n % 25, 36).unwrap()).collect();
    assert_eq!(ada.post(USERS, &json!({"user": "lovelace", "password": long})).status, 201);
    assert_eq!(house.stranger().sign_in("lovelace", &long).status, 200);
    assert_eq!(house.stranger().sign_in("lovelace", &long[..1023]).status, 401, "no byte is cut off");
}

#[test]
fn a_user_has_no_more_sessions_than_are_allowed() {
    let limits = Limits { per_user: Some(2), ..Limits::default() };
    let house = House::with_limits(limits).with_member("mia").with_member("max");
    let (first, max) = (house.signed_in("mia"), house.signed_in("max"));
    let id = first.session();
    house.later(SignedDuration::from_secs(1));
    let second = house.signed_in("mia");
    house.later(SignedDuration::from_secs(1));
    let third = house.signed_in("mia");
    assert!(!first.is_in() && second.is_in() && third.is_in() && max.is_in());
    let ended = third.get(&format!("/api/v1/sessions/{id}")).ok();
    assert_eq!([&ended["ended_by"], &ended["reason"]], ["policy", "more than 2 sessions at once"]);
    assert_eq!(house.log("action=session-expired&user=mia").len(), 1);
}

#[test]
fn a_profile_changes_what_one_is_called_and_nothing_one_may_do() {
    let house = House::new().with_admin("ada").with_member("mia");
    let (ada, mia) = (house.signed_in("ada"), house.signed_in("mia"));
    ada.patch("/api/v1/users/mia", &json!({"email": "mia@example.org"})).ok();
    // Apps are told the address, and may know their users by it.
    let fields =
        [("full_name", "Mia M"), ("email", "ada@example.org"), ("role", "admin"), ("groups", "root")];
    assert_eq!(mia.form("/profile", &fields).status, 303);
    let me = mia.get("/api/v1/me").ok();
    assert_eq!([&me["full_name"], &me["email"], &me["role"]], ["Mia M", "mia@example.org", "member"]);
    assert_eq!(me["groups"], json!([]));
    let page = mia.get("/profile").text();
    assert!(page.contains("<dd>mia@example.org</dd>") && !page.contains("name=\"email\""), "{page}");
}
