//! Who may do what: every call for every role, and from whose pages.

use rocket::http::Method;
use serde_json::{Value, json};

use super::house::{Caller, House};

/// Every call, and what a stranger, a member, an auditor and an administrator are answered. Each is made so
/// that it changes nothing even where it is let in.
fn calls() -> Vec<(Method, &'static str, Value, [u16; 4])> {
    use Method::{Delete, Get, Head, Patch, Post, Put};
    let everybody = [401, 200, 200, 200];
    let overseers = [401, 403, 200, 200];
    let admins = |done| [401, 403, 403, done];
    let programs = [401; 4];
    let none = Value::Null;
    vec![
        (Get, "/me", none.clone(), everybody),
        (Post, "/me/password", json!({"current": "", "password": ""}), [401, 400, 400, 400]),
        (Post, "/step-up", json!({}), [401, 400, 400, 400]),
        (Get, "/me/second-factor", none.clone(), everybody),
        (Post, "/me/second-factor", none.clone(), everybody),
        (Put, "/me/second-factor", json!({"pending": "", "code": ""}), [401, 400, 400, 400]),
        (Post, "/me/second-factor/recovery-codes", json!({"password": ""}), [401, 400, 400, 400]),
        (Post, "/me/second-factor/remove", json!({"password": ""}), [401, 400, 400, 400]),
        (Get, "/me/passkeys", none.clone(), everybody),
        (Post, "/me/passkeys/begin", json!({"password": ""}), [401, 409, 409, 409]),
        (Post, "/me/passkeys", json!({"token": "", "name": "x", "credential": {}}), [401, 409, 409, 409]),
        (Delete, "/me/passkeys/none", none.clone(), [401, 404, 404, 404]),
        (Delete, "/users/none/second-factor", none.clone(), admins(404)),
        (Get, "/sessions", none.clone(), everybody),
        (Get, "/sessions/none", none.clone(), [401, 404, 404, 404]),
        (Delete, "/sessions/none", none.clone(), [401, 404, 404, 404]),
        (Post, "/sessions/logout", json!({"sessions": []}), everybody),
        (Post, "/sessions", json!({"user": "x"}), programs),
        (Post, "/sessions/none/touch", json!({}), programs),
        (Post, "/introspect", none.clone(), programs),
        (Post, "/activity", json!({"user": "x", "action": "y"}), programs),
        (Get, "/activity", none.clone(), everybody),
        (Get, "/activity/none", none.clone(), [401, 404, 404, 404]),
        (Get, "/activity/histogram", none.clone(), everybody),
        (Get, "/activity/facets?field=user", none.clone(), everybody),
        (Get, "/activity.csv", none.clone(), everybody),
        (Get, "/activity.ndjson", none.clone(), everybody),
        (Head, "/activity.csv", none.clone(), everybody),
        (Head, "/activity.ndjson", none.clone(), everybody),
        (Get, "/users", none.clone(), overseers),
        (Get, "/users/ada", none.clone(), overseers),
        (Post, "/users", json!({"user": "", "password": ""}), admins(400)),
        (Patch, "/users/none", json!({}), admins(404)),
        (Post, "/users/none/password", json!({"password": "x"}), admins(404)),
        (Delete, "/users/none", none.clone(), admins(404)),
        (Get, "/tokens", none.clone(), admins(200)),
        (Post, "/tokens", json!({"name": "", "scopes": []}), admins(400)),
        (Delete, "/tokens/none", none.clone(), admins(404)),
        (Get, "/apps", none.clone(), overseers),
        (Post, "/apps", json!({"name": "", "url": ""}), admins(400)),
        (Delete, "/apps/none", none.clone(), admins(404)),
        (Get, "/apps/none/hook", none.clone(), admins(404)),
        (Put, "/apps/none/hook", json!({"url": ""}), admins(400)),
        (Delete, "/apps/none/hook", none.clone(), admins(404)),
        (Post, "/apps/none/hook/retry", none, admins(404)),
    ]
}

fn call(caller: &Caller<'_>, method: Method, path: &str, body: &Value) -> (u16, Option<String>) {
    let path = format!("/api/v1{path}");
    let reply = match body {
        Value::Null => caller.send(method, &path, b""),
        body => {
            caller.with("Content-Type", "application/json").send(method, &path, body.to_string().as_bytes())
        }
    };
    (reply.status, (reply.status >= 400 && method != Method::Head).then(|| reply.refusal()))
}

#[test]
fn each_role_may_do_what_the_contract_says_and_no_more() {
    let house = House::new().with_admin("ada").with_auditor("olga").with_member("mia");
    let roles = [house.stranger(), house.signed_in("mia"), house.signed_in("olga"), house.signed_in("ada")];
    for (method, path, body, expected) in calls() {
        let answered = roles.each_ref().map(|caller| call(caller, method, path, &body).0);
        assert_eq!(answered, expected, "{method} {path}: stranger, member, auditor, admin");
    }
}

#[test]
fn every_call_of_the_api_is_in_the_table_above() {
    let known: Vec<(Method, String)> = calls()
        .into_iter()
        .map(|(method, path, ..)| {
            let path = path.split('?').next().unwrap();
            (method, format!("/api/v1{}", path.replace("none", "<_>").replace("/users/ada", "/users/<_>")))
        })
        .collect();
    let open = [
        (Method::Post, "/api/v1/signin"),
        (Method::Post, "/api/v1/signin/passkey/begin"),
        (Method::Post, "/api/v1/signin/passkey"),
        (Method::Post, "/api/v1/signout"),
        (Method::Get, "/api/v1/openapi.json"),
    ];
    let streams = [(Method::Get, "/api/v1/sessions/stream"), (Method::Get, "/api/v1/activity/stream")];
    for (method, address) in House::new().addresses() {
        if !address.starts_with("/api/") {
            continue;
        }
        let elsewhere = open.iter().chain(&streams).any(|known| *known == (method, address.as_str()));
        assert!(elsewhere || known.contains(&(method, nameless(&address))), "{method} {address} is untried");
    }
}

/// An address whose placeholders have lost their names.
fn nameless(address: &str) -> String {
    let parts = address.split('/');
    parts.map(|part| if part.starts_with('<') { "<_>" } else { part }).collect::<Vec<_>>().join("/")
}

#[test]
fn every_address_is_closed_to_a_stranger_but_the_few_that_must_be_open() {
    let open = [
        "GET /",
        "GET /signin",
        "POST /signin",
        "GET /setup",
        "POST /setup",
        "POST /api/v1/signin",
        "GET /api/v1/openapi.json",
        "POST /api/v1/signin/passkey/begin",
        "POST /api/v1/signin/passkey",
        "GET /healthz",
        "GET /readyz",
        "GET /favicon.ico",
        "GET /assets/<_>/<_>",
        // It leads whoever has no session to the sign-in, where the app is that they are to be led back to.
        "GET /auth/handover",
    ];
    let house = House::new().with_admin("ada");
    let stranger = house.stranger();
    let addresses = house.addresses();
    assert!(addresses.len() > 50, "the routes are there");
    for (method, address) in addresses {
        let named = format!("{method} {}", nameless(&address));
        if open.contains(&named.as_str()) {
            continue;
        }
        let reply = stranger.send(method, &nameless(&address).replace("<_>", "ada"), b"");
        // What only a proxy may ask says so to everybody else, whoever they are.
        if ["/auth/", "/.rollcall/"].iter().any(|at| address.starts_with(at)) {
            assert_eq!(reply.status, 403, "{named}");
            assert!(reply.text().contains("nly a trusted proxy may ask this"), "{named}");
            continue;
        }
        let sent_away =
            reply.status == 303 && reply.header("Location").is_some_and(|to| to.starts_with("/signin"));
        assert!(reply.status == 401 || sent_away, "{named} answers a stranger {}", reply.status);
        let of_programs = ["/api/", "/es", "/v1/", "/metrics"].iter().any(|at| address.starts_with(at));
        assert_eq!(sent_away, method == Method::Get && !of_programs, "{named}");
        if reply.status == 401 && address.starts_with("/api/") {
            assert_eq!(reply.header("WWW-Authenticate"), Some("Bearer"), "{named}");
        }
    }
}

#[test]
fn what_a_browser_sends_for_another_site_changes_nothing() {
    let house = House::new().with_admin("ada").with_member("mia");
    let (ada, mia) = (house.signed_in("ada"), house.signed_in("mia"));
    let mias = mia.session();
    let unsaid = ada.without("Sec-Fetch-Site");
    let before = house.log("").len();
    let elsewhere = [
        ("it does not say", unsaid.clone()),
        ("cross-site", ada.with("Sec-Fetch-Site", "cross-site")),
        ("same-site", ada.with("Sec-Fetch-Site", "same-site")),
        ("typed", ada.with("Sec-Fetch-Site", "none")),
        ("another origin", unsaid.with("Origin", "http://evil.test")),
        ("another port", unsaid.with("Origin", "http://rollcall.test:81")),
        ("another scheme", unsaid.with("Origin", "https://rollcall.test")),
        ("no origin", unsaid.with("Origin", "null")),
    ];
    let changes: [(Method, &str, Value); 9] = [
        (Method::Post, "/signout", json!({})),
        (Method::Delete, "/sessions/MIAS", Value::Null),
        (Method::Post, "/sessions/logout", json!({"all": true})),
        (Method::Post, "/users", json!({"user": "eve", "password": "correct horse battery staple"})),
        (Method::Patch, "/users/mia", json!({"role": "admin"})),
        (Method::Delete, "/users/mia", Value::Null),
        (Method::Post, "/tokens", json!({"name": "t", "scopes": ["metrics"]})),
        (Method::Post, "/apps", json!({"name": "a", "url": "https://a.test"})),
        (Method::Post, "/users/mia/password", json!({"password": "another horse battery"})),
    ];
    for (how, caller) in &elsewhere {
        for (method, path, body) in &changes {
            let (status, refusal) = call(caller, *method, &path.replace("MIAS", &mias), body);
            assert_eq!((status, refusal.as_deref()), (403, Some("403 cross_site")), "{how}: {method} {path}");
        }
        let form = caller.form("/sessions/logout", &[("all", "1"), ("confirmed", "1")]);
        assert_eq!(form.status, 403, "{how}");
    }
    assert!(ada.is_in() && mia.is_in());
    assert_eq!(house.log("").len(), before, "nothing was done");
    let here = unsaid.with("Origin", "http://rollcall.test");
    let asked = call(&here, Method::Post, "/sessions/logout", &json!({"sessions": []}));
    assert_eq!(asked.0, 200, "an older browser on our own page");
}

#[test]
fn a_body_of_another_kind_is_refused_and_changes_nothing() {
    let house = House::new().with_admin("ada").with_member("mia");
    let (ada, mia) = (house.signed_in("ada"), house.signed_in("mia"));
    let logout = (Method::Post, "/api/v1/sessions/logout", r#"{"user":"mia"}"#);
    let token = (Method::Post, "/api/v1/tokens", r#"{"name":"t","scopes":["metrics"]}"#);
    let change = (Method::Patch, "/api/v1/users/mia", r#"{"disabled":true}"#);
    for (kind, calls) in [
        ("text/plain", &[logout, token, change][..]),
        ("application/jsonx", &[logout, token, change]),
        ("application/x-www-form-urlencoded", &[logout, token]),
        ("multipart/form-data", &[logout, token]),
    ] {
        for (method, path, body) in calls {
            let reply = ada.with("Content-Type", kind).send(*method, path, body.as_bytes());
            assert_eq!(reply.refusal(), "415 unsupported_media_type", "{kind}: {path}");
        }
    }
    let bare = ada.send(Method::Post, "/api/v1/sessions/logout", br#"{"user":"mia"}"#);
    assert_eq!(bare.refusal(), "415 unsupported_media_type");
    assert!(mia.is_in());
}

#[test]
fn a_body_that_is_too_large_or_no_text_is_refused() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada").with("Content-Type", "application/json");
    let large = format!("{{\"reason\":\"{}\"}}", "x".repeat(2 << 20));
    let post = |body: &[u8]| ada.send(Method::Post, "/api/v1/sessions/logout", body).refusal();
    assert_eq!(post(large.as_bytes()), "413 too_large");
    assert_eq!(post(b"\xff\xfe"), "400 bad_request");
    assert_eq!(post(b""), "400 bad_request");
    assert_eq!(post(b"{"), "400 bad_request");
    let deep = "[".repeat(100_000);
    assert_eq!(post(deep.as_bytes()), "400 bad_request");
}

#[test]
fn a_form_cannot_pretend_to_be_another_method() {
    let house = House::new().with_admin("ada").with_member("mia");
    let ada = house.signed_in("ada");
    let reply = ada.bare_form("/api/v1/users/mia", "_method=delete");
    assert_ne!(reply.status, 204);
    assert_eq!(ada.get("/api/v1/users/mia").status, 200, "mia is still there");
}

#[test]
fn nothing_changes_by_being_looked_at() {
    let house = House::new().with_admin("ada").with_member("mia");
    let (ada, mia) = (house.signed_in("ada"), house.signed_in("mia"));
    let before = house.log("").len();
    for path in ["/signout", "/api/v1/signout", "/sessions/logout", "/api/v1/sessions/logout?user=mia"] {
        for method in [Method::Get, Method::Head] {
            let status = ada.send(method, path, b"").status;
            assert!(status == 404 || status == 405, "{method} {path} answers {status}");
        }
    }
    assert!(ada.is_in() && mia.is_in());
    assert_eq!(house.log("").len(), before);
}

#[test]
fn every_answer_tells_browsers_how_little_they_may_do_with_it() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    for path in ["/sessions", "/api/v1/me", "/api/v1/nothing", "/nothing", "/healthz", "/api/v1/activity.csv"]
    {
        let reply = ada.get(path);
        let policy = reply.header("Content-Security-Policy").unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(reply.header("X-Content-Type-Options"), Some("nosniff"), "{path}");
        assert_eq!(reply.header("X-Frame-Options"), Some("DENY"), "{path}");
        assert_eq!(reply.header("Cache-Control"), Some("no-store"), "{path}");
        assert_eq!(reply.header("Server"), None, "{path}");
    }
    assert_eq!(ada.get("/api/v1/nothing").refusal(), "404 not_found");
    assert_eq!(house.stranger().get("/healthz").text(), "ok\n");
    assert_eq!(house.stranger().get("/readyz").status, 200);
}
