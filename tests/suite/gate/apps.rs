//! The apps that the gate opens: how they are added and changed, and for whom they are open then.

use serde_json::json;

use super::{super::http::each, ask, house};

#[test]
fn an_app_that_is_open_to_some_is_opened_to_everybody_only_by_who_says_so() {
    let house = house();
    let (ada, ann) = (house.signed_in("ada"), house.signed_in("ann"));
    let vault = "https://vault.example.org:8443/";
    for again in [
        json!({"name": "vault", "url": vault, "headers": "x-webauth"}),
        json!({"name": "vault", "url": "https://elsewhere.example.org", "groups": []}),
        json!({"name": "VAULT", "url": vault, "groups": []}),
    ] {
        let refused = ada.post("/api/v1/apps", &again);
        assert_eq!(refused.refusal(), "409 conflict name", "{again}");
        assert!(refused.text().contains("change that one instead"), "{}", refused.text());
    }
    let change = json!({"url": vault, "headers": "x-webauth"});
    assert_eq!(ada.patch("/api/v1/apps/vault", &change).status, 204);
    assert_eq!(ask(&ann, vault).status, 403);
    let form = [("name", "vault"), ("url", vault), ("groups", ""), ("headers", "remote")];
    let page = ada.form("/apps/add", &form);
    assert!(page.status == 409 && page.text().contains("there is an app vault already"), "{}", page.text());
    assert_eq!(ask(&ann, vault).status, 403);
    let told = house.log("action=app-changed");
    assert_eq!(each(&told, "detail"), ["https://vault.example.org:8443, open to staff"]);
    assert_eq!(ada.patch("/api/v1/apps/vault", &json!({"groups": []})).status, 204);
    assert_eq!(ask(&ann, vault).status, 200);
    assert!(house.log("action=app-changed")[0]["detail"].as_str().unwrap().ends_with("open to everybody"));
}

#[test]
fn an_app_is_changed_by_what_is_given_and_from_the_next_request_on() {
    let house = house();
    let (ada, ann) = (house.signed_in("ada"), house.signed_in("ann"));
    let vault = "https://vault.example.org:8443/";
    assert_eq!(ask(&ann, vault).status, 403);
    assert_eq!(ada.patch("/api/v1/apps/vault", &json!({"headers": "x-webauth"})).status, 204);
    assert_eq!(ask(&ann, vault).status, 403, "what is not given stays");
    let page = ada.get("/apps?change=vault").text();
    assert!(
        page.contains("Change vault") && page.contains("value=\"https://vault.example.org:8443\""),
        "{page}"
    );
    let wrong = ada.form("/apps/vault", &[("url", "nowhere"), ("groups", "")]);
    assert!(wrong.status == 400 && wrong.text().contains("value=\"nowhere\""), "{}", wrong.text());
    assert_eq!(ask(&ann, vault).status, 403);
    assert_eq!(ada.form("/apps/vault", &[("url", vault), ("groups", "")]).status, 303);
    let reply = ask(&ann, vault);
    assert_eq!((reply.status, reply.header("X-WEBAUTH-USER")), (200, Some("ann")), "the headers stayed");
    let told = house.log("action=app-changed");
    let open_to = |whom: &str| format!("https://vault.example.org:8443, open to {whom}");
    assert_eq!(each(&told, "detail"), [open_to("everybody"), open_to("staff")]);
    let taken = json!({"url": "https://wiki.example.org"});
    assert_eq!(ada.patch("/api/v1/apps/vault", &taken).refusal(), "409 conflict url");
    assert_eq!(ada.patch("/api/v1/apps/vault", &json!({"headers": "x"})).refusal(), "400 bad_field headers");
    assert_eq!(ada.patch("/api/v1/apps/nowhere", &json!({})).refusal(), "404 not_found");
    assert_eq!(ada.form("/apps/nowhere", &[("url", vault)]).status, 404);
    assert_eq!(ada.get("/apps?change=nowhere").status, 404);
    let moved = json!({"url": "https://safe.example.org"});
    assert_eq!(ada.patch("/api/v1/apps/vault", &moved).status, 204);
    assert_eq!((ask(&ann, vault).status, ask(&ann, "https://safe.example.org/").status), (403, 200));
}

#[test]
fn two_apps_cannot_be_at_one_address() {
    let house = house();
    let ada = house.signed_in("ada");
    let twin = json!({"name": "twin", "url": "HTTPS://Wiki.example.org:443/"});
    assert_eq!(ada.post("/api/v1/apps", &twin).refusal(), "409 conflict url");
    let same = json!({"url": "https://wiki.example.org", "groups": ["staff"]});
    assert_eq!(ada.patch("/api/v1/apps/wiki", &same).status, 204, "an app may be changed");
}

#[test]
fn an_app_that_is_added_is_answered_as_it_is() {
    let house = house();
    let ada = house.signed_in("ada");
    let added = ada.post("/api/v1/apps", &json!({"name": " news ", "url": "HTTPS://News.example.org:443/"}));
    assert_eq!(added.status, 201);
    let news = json!({"name": "news", "url": "https://news.example.org", "groups": [], "headers": "remote"});
    assert_eq!(added.json(), news);
    assert!(ada.get("/api/v1/apps").items().contains(&news));
}
