//! Passkeys, as far as a server can be asked without a device; the rest is a journey in the browser.

use rollcall::web::door::Settings;
use serde_json::{Value, json};

use super::house::{House, PASSWORD};

fn house() -> House {
    let url = "https://rollcall.example.org";
    let settings = Settings { public_url: Some(url.into()), secure: true, ..Settings::default() };
    House::with_settings(settings).with_member("mia")
}

#[test]
fn a_passkey_takes_the_password_and_a_device() {
    let house = house();
    let mia = house.signed_in("mia");
    let path = "/api/v1/me/passkeys/begin";
    assert_eq!(mia.post(path, &json!({"password": "wrong horse"})).refusal(), "400 bad_field current");
    let begun = mia.post(path, &json!({"password": PASSWORD})).ok();
    let options = &begun["options"];
    assert_eq!([&options["rp"]["id"], &options["user"]["name"]], ["rollcall.example.org", "mia"]);
    let wishes = &options["authenticatorSelection"];
    assert_eq!([&wishes["residentKey"], &wishes["userVerification"]], ["required", "required"]);
    let answer = |name: &str, token: &Value| {
        let body = json!({"token": token, "name": name, "credential": {"id": "x"}});
        mia.post("/api/v1/me/passkeys", &body).refusal()
    };
    assert_eq!(answer("", &begun["token"]), "400 bad_field name");
    assert_eq!(answer(&"x".repeat(65), &begun["token"]), "400 bad_field name");
    assert_eq!(answer("phone", &begun["token"]), "400 bad_field credential");
    assert_eq!(answer("phone", &json!("rch_x")), "400 bad_field credential");
    assert_eq!(mia.get("/api/v1/me/passkeys").ok()["total"], 0);
    assert_eq!(mia.delete("/api/v1/me/passkeys/eA").refusal(), "404 not_found");
}

#[test]
fn a_question_to_a_device_tells_nobody_who_has_an_account_and_is_asked_once() {
    let house = house();
    let stranger = house.stranger();
    let asked = stranger.post("/api/v1/signin/passkey/begin", &json!({})).ok();
    assert_eq!(asked["options"]["allowCredentials"], json!([]));
    assert_eq!(asked["options"]["userVerification"], "required");
    let body = json!({"token": asked["token"], "credential": {"id": "x"}});
    assert_eq!(stranger.post("/api/v1/signin/passkey", &body).refusal(), "401 refused");
    assert_eq!(stranger.post("/api/v1/signin/passkey", &body).refusal(), "401 sign_in_over");
    assert!(stranger.get("/signin").text().contains("data-passkey"));
}

#[test]
fn without_tls_there_are_passkeys_on_this_machine_alone() {
    let house = House::new().with_member("mia");
    let mia = house.signed_in("mia");
    let begin = "/api/v1/signin/passkey/begin";
    assert_eq!(house.stranger().post(begin, &json!({})).refusal(), "409 conflict");
    assert!(!house.stranger().get("/signin").text().contains("data-passkey"));
    assert!(!mia.get("/profile").text().contains("data-passkey"));
    let here = house.stranger().with("Host", "localhost:8080");
    assert_eq!(here.post(begin, &json!({})).ok()["options"]["rpId"], "localhost");
}

#[test]
fn passkeys_that_nobody_knows_are_looked_at_a_few_times_and_the_log_is_not_flooded() {
    let house = house();
    let stranger = house.stranger();
    let mut held = 0;
    for _ in 0..30 {
        let asked = stranger.post("/api/v1/signin/passkey/begin", &json!({})).ok();
        let body = json!({"token": asked["token"], "credential": {"id": "x"}});
        match stranger.post("/api/v1/signin/passkey", &body).refusal().as_str() {
            "401 refused" => assert_eq!(held, 0),
            refusal => {
                assert_eq!(refusal, "429 too_many_tries");
                held += 1;
            }
        }
    }
    assert_eq!((held, house.log("action=sign-in-failed").len()), (22, 8));
    assert_eq!(stranger.sign_in("mia", PASSWORD).status, 200, "nobody's password is held back for it");
}

#[test]
fn an_address_is_asked_so_many_questions_that_those_of_others_stay() {
    let house = house();
    let begin = "/api/v1/signin/passkey/begin";
    let (one, other) = (house.stranger().at("10.1.1.1"), house.stranger().at("10.1.1.2"));
    let theirs = other.post(begin, &json!({})).ok();
    let answers: Vec<u16> = (0..150).map(|_| one.post(begin, &json!({})).status).collect();
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 120);
    assert_eq!(answers.last(), Some(&429));
    let body = json!({"token": theirs["token"], "credential": {"id": "x"}});
    assert_eq!(other.post("/api/v1/signin/passkey", &body).refusal(), "401 refused", "it was still known");
}
