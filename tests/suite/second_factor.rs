//! The second factor: set up, shown at sign-in, used once, and taken away.

use std::sync::Barrier;

use data_encoding::BASE32_NOPAD;
use jiff::SignedDuration;
use ring::hmac;
use rollcall::{
    domain::accounts::Details,
    model::{demand::Demand, user::Actor},
};
use serde_json::{Value, json};

use super::{
    house::{Caller, House, PASSWORD},
    http::{Reply, each},
};

/// What an authenticator shows, `steps` later than now.
pub(super) fn shown(house: &House, secret: &str, steps: i64) -> String {
    code(secret, u64::try_from(house.now().as_second() / 30 + steps).unwrap())
}

/// What an authenticator shows in a step of half a minute since 1970 (RFC 6238).
pub(super) fn code(secret: &str, step: u64) -> String {
    let key = BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key), &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[19] & 15);
    let word = u32::from_be_bytes(tag[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", word % 1_000_000)
}

/// Sets one up for whoever is signed in there: its secret and its recovery codes. The clock is a minute on afterwards.
pub(super) fn set_up(house: &House, caller: &Caller<'_>) -> (String, Vec<String>) {
    let begun = caller.post("/api/v1/me/second-factor", &Value::Null).ok();
    let secret = begun["secret"].as_str().unwrap().to_owned();
    let proof = json!({"pending": begun["pending"], "code": shown(house, &secret, 0)});
    let codes = caller.put("/api/v1/me/second-factor", &proof).ok();
    house.later(SignedDuration::from_mins(1));
    (secret, serde_json::from_value(codes["recovery_codes"].clone()).unwrap())
}

fn sign_in(caller: &Caller<'_>, user: &str, code: &str) -> Reply {
    caller.post("/api/v1/signin", &json!({"user": user, "password": PASSWORD, "code": code}))
}

/// The hidden field of the page's form.
pub(super) fn hidden(page: &Reply, name: &str) -> String {
    let text = page.text();
    let (_, behind) =
        text.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no {name}: {text}"));
    behind.split_once('"').unwrap().0.to_owned()
}

#[test]
fn a_second_factor_makes_no_password_shorter() {
    let house = House::new().with_admin("ada");
    house.wait(house.app.set_demand(&Actor::console(), Demand::Everyone)).unwrap();
    let add = |password: &str| {
        house
            .wait(house.app.add_user(&Actor::console(), "mia", password.to_owned(), Details::default()))
            .is_ok()
    };
    assert!(!add("fourteen chars") && add("fifteen letters"));
}

#[test]
fn whoever_has_a_second_factor_is_asked_for_it() {
    let house = House::new().with_admin("ada").with_member("mia");
    let mia = house.signed_in("mia");
    assert_eq!(
        mia.get("/api/v1/me/second-factor").ok(),
        json!({"set": false, "since": null, "recovery_codes_left": 0})
    );
    let (secret, codes) = set_up(&house, &mia);
    assert_eq!(codes.len(), 10);
    let stranger = house.stranger();
    assert_eq!(stranger.sign_in("mia", PASSWORD).refusal(), "401 code_required code");
    assert_eq!(stranger.sign_in("mia", "wrong horse battery staple").refusal(), "401 refused");
    assert_eq!(sign_in(&stranger, "mia", "000000").refusal(), "401 refused");
    assert_eq!(sign_in(&stranger, "mia", &shown(&house, &secret, -2)).refusal(), "401 refused");
    let reply = sign_in(&stranger, "mia", &shown(&house, &secret, 0));
    assert_eq!(reply.ok()["session"]["mfa"], true);
    assert_eq!(house.signed_in("ada").get("/api/v1/me").ok()["session"]["mfa"], false);
    let ada = house.signed_in("ada");
    assert_eq!(ada.get("/api/v1/users/mia").ok()["second_factor"], true);
    let told = house.log("action=user-second-factor-set");
    assert_eq!((each(&told, "user"), each(&told, "target")), (vec!["mia".into()], vec!["mia".into()]));
    for secret in [secret.as_str(), codes[0].as_str()] {
        assert!(house.log(&format!("q=%22{secret}%22")).is_empty());
    }
}

#[test]
fn a_code_lets_in_once() {
    let house = House::new().with_member("mia");
    let (secret, _) = set_up(&house, &house.signed_in("mia"));
    let code = shown(&house, &secret, 0);
    assert_eq!(sign_in(&house.stranger(), "mia", &code).status, 200);
    assert_eq!(sign_in(&house.stranger(), "mia", &code).refusal(), "401 refused");
    assert_eq!(
        sign_in(&house.stranger(), "mia", &shown(&house, &secret, -1)).refusal(),
        "401 refused",
        "nor one from before"
    );
    assert_eq!(sign_in(&house.stranger(), "mia", &shown(&house, &secret, 1)).status, 200);
}

#[test]
fn of_many_who_show_one_code_at_once_one_is_let_in() {
    let house = House::new().with_member("mia");
    let (secret, codes) = set_up(&house, &house.signed_in("mia"));
    for code in [shown(&house, &secret, 0), codes[3].clone()] {
        let start = Barrier::new(6);
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..6)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        sign_in(&house.stranger(), "mia", &code).status
                    })
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        house.later(SignedDuration::from_hours(2));
    }
}

#[test]
fn a_recovery_code_lets_in_once_and_the_log_says_so() {
    let house = House::new().with_member("mia");
    let mia = house.signed_in("mia");
    let (_, codes) = set_up(&house, &mia);
    assert_eq!(sign_in(&house.stranger(), "mia", &codes[0].to_uppercase()).ok()["session"]["mfa"], true);
    assert_eq!(sign_in(&house.stranger(), "mia", &codes[0]).refusal(), "401 refused");
    let told = house.log("action=user-recovery-code-used");
    assert_eq!((each(&told, "user"), each(&told, "detail")), (vec!["mia".into()], vec!["9 left".into()]));
    assert_eq!(mia.get("/api/v1/me/second-factor").ok()["recovery_codes_left"], 9);
    let path = "/api/v1/me/second-factor/recovery-codes";
    assert_eq!(
        mia.post(path, &json!({"password": "wrong horse battery"})).refusal(),
        "400 bad_field current"
    );
    let new = mia.post(path, &json!({"password": PASSWORD})).ok();
    assert_eq!(sign_in(&house.stranger(), "mia", &codes[1]).refusal(), "401 refused", "those of before");
    let new: Vec<String> = serde_json::from_value(new["recovery_codes"].clone()).unwrap();
    assert_eq!(sign_in(&house.stranger(), "mia", &new[1]).status, 200);
}

#[test]
fn the_pages_ask_for_the_code_in_a_second_step() {
    let house = House::new().with_member("mia");
    let mia = house.signed_in("mia");
    let page = mia.get("/profile/second-factor");
    assert!(page.text().contains("<svg class=\"qr\""));
    let (_, behind) =
        page.text().split_once("<code class=\"secret\">").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let secret = behind.split_once('<').unwrap().0.to_owned();
    let pending = hidden(&page, "pending");
    let wrong = mia.form("/profile/second-factor", &[("pending", &pending), ("code", "000000")]);
    assert_eq!((wrong.status, hidden(&wrong, "pending")), (400, pending.clone()), "the same picture again");
    assert!(wrong.text().contains("not the code your authenticator shows"));
    let done =
        mia.form("/profile/second-factor", &[("pending", &pending), ("code", &shown(&house, &secret, 0))]);
    assert_eq!(done.status, 200);
    assert_eq!(done.text().matches("<li>").count(), 10);
    assert_eq!(mia.get("/profile/second-factor").status, 303, "it is on");
    house.later(SignedDuration::from_mins(1));

    let browser = house.stranger();
    let step = browser.form("/signin", &[("user", "mia"), ("password", PASSWORD), ("next", "/help")]);
    assert_eq!((step.status, step.header("Set-Cookie")), (200, None));
    assert!(step.text().contains("name=\"code\"") && !step.text().contains("name=\"password\""));
    let half = hidden(&step, "half");
    for cookie in [format!("rollcall={half}"), format!("rollcall={}", half.replace("rch_", "rcs_"))] {
        assert!(!browser.with("Cookie", &cookie).is_in(), "a half opens nothing");
    }
    assert_eq!(
        house.app.live_sessions(&rollcall::model::session::Scope::All, None).len(),
        1,
        "nor is it a session"
    );
    let wrong = browser.form("/signin", &[("half", &half), ("code", "000000"), ("next", "/help")]);
    assert_eq!((wrong.status, hidden(&wrong, "half")), (401, half.clone()));
    assert_eq!(hidden(&wrong, "next"), "/help");
    let code = shown(&house, &secret, 0);
    let reply = browser.form("/signin", &[("half", &half), ("code", &code), ("next", "/help")]);
    assert_eq!((reply.status, reply.header("Location")), (303, Some("/help")));
    let again = browser.with("Cookie", &reply.cookie());
    assert_eq!(again.get("/api/v1/me").ok()["session"]["mfa"], true);
    let over = browser.form("/signin", &[("half", &half), ("code", &code)]);
    assert!(over.status == 401 && over.text().contains("begin again"));
}

#[test]
fn a_code_is_proof_enough_when_asked_again_and_is_used_up_by_it() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    let (secret, codes) = set_up(&house, &ada);
    house.later(SignedDuration::from_mins(40));
    let token = json!({"name": "a", "scopes": ["metrics"]});
    assert_eq!(ada.post("/api/v1/tokens", &token).refusal(), "403 step_up_required");
    let code = shown(&house, &secret, 0);
    let proof = json!({"code": code});
    assert_eq!(ada.post("/api/v1/step-up", &json!({"code": "000000"})).status, 400);
    assert_eq!(ada.post("/api/v1/step-up", &proof).status, 204);
    assert_eq!(ada.post("/api/v1/tokens", &token).status, 201);
    assert_eq!(ada.post("/api/v1/step-up", &proof).status, 400);
    assert_eq!(sign_in(&house.stranger(), "ada", &code).refusal(), "401 refused");
    assert_eq!(ada.post("/api/v1/step-up", &json!({"code": codes[0]})).status, 204);
}

#[test]
fn a_recovery_code_that_is_shown_when_asked_again_is_told_of_too() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    let (secret, codes) = set_up(&house, &ada);
    let path = "/api/v1/step-up";
    assert_eq!(ada.post(path, &json!({"code": shown(&house, &secret, 0)})).status, 204);
    assert!(house.log("action=user-recovery-code-used").is_empty(), "it was none of these");
    assert_eq!(ada.post(path, &json!({"code": codes[0]})).status, 204);
    assert_eq!(ada.post(path, &json!({"code": codes[0]})).status, 400);
    let told = house.log("action=user-recovery-code-used");
    assert_eq!((each(&told, "user"), each(&told, "detail")), (vec!["ada".into()], vec!["9 left".into()]));
    assert_eq!((each(&told, "session"), each(&told, "city")), (vec![ada.session()], vec!["London".into()]));
}

#[test]
fn a_half_dies_after_five_minutes_and_after_five_wrong_codes() {
    let house = House::new().with_member("mia");
    let (secret, _) = set_up(&house, &house.signed_in("mia"));
    let browser = house.stranger();
    let begin = || hidden(&browser.form("/signin", &[("user", "mia"), ("password", PASSWORD)]), "half");
    let half = begin();
    house.later(SignedDuration::from_mins(5));
    let late = browser.form("/signin", &[("half", &half), ("code", &shown(&house, &secret, 0))]);
    assert!(late.status == 401 && late.text().contains("begin again"));
    let half = begin();
    for _ in 0..5 {
        let wrong = browser.form("/signin", &[("half", &half), ("code", "000000")]);
        assert!(wrong.text().contains("That code is wrong"), "{}", wrong.text());
    }
    let over = browser.form("/signin", &[("half", &half), ("code", &shown(&house, &secret, 0))]);
    assert!(over.status == 401 && over.text().contains("begin again"));
}

#[test]
fn codes_count_with_passwords() {
    let house = House::new().with_member("mia");
    let (secret, _) = set_up(&house, &house.signed_in("mia"));
    let elsewhere = house.stranger().at("203.0.113.50");
    let begin = || elsewhere.form("/signin", &[("user", "mia"), ("password", PASSWORD)]);
    let half = hidden(&begin(), "half");
    for _ in 0..4 {
        assert_eq!(elsewhere.form("/signin", &[("half", &half), ("code", "000000")]).status, 401);
        assert_eq!(sign_in(&elsewhere, "mia", "000000").status, 401);
    }
    let code = shown(&house, &secret, 0);
    assert_eq!(elsewhere.form("/signin", &[("half", &half), ("code", &code)]).status, 429);
    assert_eq!(sign_in(&elsewhere, "mia", &code).refusal(), "429 too_many_tries");
    assert_eq!(begin().status, 429);
    assert_eq!(sign_in(&house.stranger(), "mia", &code).status, 200, "where she is known");
}

#[test]
fn a_lost_factor_is_taken_away_by_an_administrator_and_ones_own_by_the_password() {
    let house = House::new().with_admin("ada").with_member("mia").with_member("max");
    let (ada, mia, max) = (house.signed_in("ada"), house.signed_in("mia"), house.signed_in("max"));
    set_up(&house, &mia);
    let path = "/api/v1/users/mia/second-factor";
    assert_eq!(max.delete(path).status, 403);
    assert_eq!(ada.delete(path).status, 204);
    assert_eq!(ada.delete(path).refusal(), "404 not_found");
    assert_eq!(house.stranger().sign_in("mia", PASSWORD).status, 200);
    set_up(&house, &max);
    assert!(ada.get("/users/max").text().contains("Remove the second factor"));
    assert_eq!(ada.form("/users/max/second-factor", &[]).status, 303);
    set_up(&house, &max);
    let wrong = max.form("/profile/second-factor/remove", &[("current", "wrong horse battery")]);
    assert!(wrong.status == 400 && wrong.text().contains("not your current password"));
    assert_eq!(max.form("/profile/second-factor/remove", &[("current", PASSWORD)]).status, 303);
    let told = house.log("action=user-second-factor-removed&order=asc");
    assert_eq!(each(&told, "user"), ["ada", "ada", "max"]);
    assert_eq!(each(&told, "target"), ["mia", "max", "max"]);
}

#[test]
fn a_set_up_is_its_users_own() {
    let house = House::new().with_member("mia").with_member("max");
    let (mia, max) = (house.signed_in("mia"), house.signed_in("max"));
    let begun = max.post("/api/v1/me/second-factor", &Value::Null).ok();
    let code = shown(&house, begun["secret"].as_str().unwrap(), 0);
    let proof = json!({"pending": begun["pending"], "code": code});
    assert_eq!(mia.put("/api/v1/me/second-factor", &proof).refusal(), "400 bad_field pending");
    assert_eq!(max.put("/api/v1/me/second-factor", &proof).status, 200);
    let another = max.post("/api/v1/me/second-factor", &Value::Null).ok();
    let proof =
        json!({"pending": another["pending"], "code": shown(&house, another["secret"].as_str().unwrap(), 0)});
    assert_eq!(max.put("/api/v1/me/second-factor", &proof).refusal(), "409 conflict", "one at a time");
}

#[test]
fn who_must_have_a_second_factor_sets_one_up_before_anything_else() {
    let house = House::new().with_admin("ada").with_auditor("otto").with_member("mia");
    let (ada, otto, mia) = (house.signed_in("ada"), house.signed_in("otto"), house.signed_in("mia"));
    let demand = "/api/v1/settings/second-factor";
    assert_eq!(ada.get(demand).ok(), json!({"of": "nobody"}));
    assert_eq!(ada.put(demand, &json!({"of": "somebody"})).refusal(), "400 bad_field of");
    ada.put(demand, &json!({"of": "administrators"})).ok();
    assert_eq!(ada.get("/api/v1/sessions").refusal(), "403 second_factor_required");
    assert_eq!(ada.put(demand, &json!({"of": "nobody"})).refusal(), "403 second_factor_required");
    assert_eq!((otto.get("/sessions").status, mia.get("/sessions").status), (200, 200));

    // Pages lead there, and nothing else is on it but the way out.
    let away = ada.get("/activity");
    assert_eq!((away.status, away.header("Location")), (303, Some("/profile/second-factor")));
    let page = ada.get("/profile/second-factor");
    assert!(page.text().contains("Set it up to go on") && !page.text().contains("href=\"/sessions\""));
    assert_eq!(ada.get("/api/v1/me").status, 200);
    set_up(&house, &ada);
    ada.put(demand, &json!({"of": "everyone"})).ok();
    assert_eq!(ada.get("/api/v1/me/second-factor").ok()["set"], true);
    let removal = ada.post("/api/v1/me/second-factor/remove", &json!({"password": PASSWORD}));
    assert_eq!(removal.refusal(), "409 conflict");
    for caller in [&otto, &mia] {
        assert_eq!(caller.get("/api/v1/activity").refusal(), "403 second_factor_required");
        assert_eq!(caller.get("/sessions").status, 303);
    }

    // Who signs in again is no further, and who may not stay may leave.
    let again = house.signed_in("mia");
    assert_eq!(again.get("/sessions").status, 303);
    assert_eq!(again.post("/api/v1/signout", &Value::Null).status, 204);
    set_up(&house, &mia);
    assert_eq!(mia.get("/sessions").status, 200);
    let told = house.log("action=setting-changed");
    assert_eq!(
        (each(&told, "target"), each(&told, "detail")),
        (vec!["second factor".into(); 2], vec!["everyone".into(), "administrators".into()])
    );
}

#[test]
fn a_second_factor_is_demanded_by_the_page_too() {
    let house = House::new().with_admin("ada").with_member("mia");
    let (ada, mia) = (house.signed_in("ada"), house.signed_in("mia"));
    assert_eq!(ada.form("/settings/second-factor", &[("of", "somebody")]).status, 400);
    assert_eq!(mia.form("/settings/second-factor", &[("of", "nobody")]).status, 403);
    assert_eq!(mia.get("/sessions").status, 200);
    let saved = ada.form("/settings/second-factor", &[("of", "everyone")]);
    assert_eq!(saved.status, 303, "{}", saved.text());
    assert_eq!((ada.get("/sessions").status, mia.get("/sessions").status), (303, 303));
}
