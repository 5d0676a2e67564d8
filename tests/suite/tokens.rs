//! API tokens: shown once, good for their scopes, and refused from the moment they are revoked.

use jiff::SignedDuration;
use rocket::http::Method;
use rollcall::{
    domain::{ingest::IngestError, retention::RetentionError},
    model::{
        activity::NewActivity,
        retention::Retention,
        secret::Token,
        user::{Actor, ActorKind},
    },
};
use serde_json::{Value, json};

use super::{house::House, http::each, server::Folder};

const TOKENS: &str = "/api/v1/tokens";

#[test]
fn a_token_is_shown_once_and_listed_without_its_secret() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    let body = json!({"name": "backup-server", "scopes": ["activity:write", "session:read"]});
    let reply = ada.post(TOKENS, &body);
    assert_eq!(reply.status, 201);
    let made = reply.json();
    let secret = made["token"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("rct_"), "{secret}");
    let list = ada.get(TOKENS);
    assert!(!list.text().contains(&secret));
    let listed = list.items();
    assert_eq!(each(&listed, "name"), ["backup-server", "reader"], "the second is the harness's");
    let expected = json!({
        "name": "backup-server", "scopes": ["activity:write", "session:read"],
        "created": "2026-03-15T12:00:00.000Z", "created_by": "ada", "stopped": false, "expires": null, "last_used": null,
    });
    assert_eq!(listed[0], expected);
    assert_eq!((&list.json()["next"], &list.json()["total"]), (&Value::Null, &json!(2)));
    house.later(SignedDuration::from_secs(5));
    assert_eq!(house.bearer(&secret).get("/api/v1/sessions").status, 200);
    assert_eq!(ada.get(TOKENS).items()[0]["last_used"], "2026-03-15T12:00:05.000Z");
    let told = house.log("action=token-added&user=ada");
    assert_eq!(each(&told, "target"), ["backup-server"]);
}

#[test]
fn a_token_that_cannot_be_is_refused_with_the_field() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    let add = |name: &str, scopes: Value, expires: Value| {
        ada.post(TOKENS, &json!({"name": name, "scopes": scopes, "expires": expires})).refusal()
    };
    let one = json!(["metrics"]);
    assert_eq!(add("", one.clone(), Value::Null), "400 bad_field name");
    assert_eq!(add("a b", one.clone(), Value::Null), "400 bad_field name");
    assert_eq!(add("../x", one.clone(), Value::Null), "400 bad_field name");
    assert_eq!(add("t", json!(["root"]), Value::Null), "400 bad_field scopes");
    assert_eq!(add("t", json!([]), Value::Null), "400 bad_field scopes");
    assert_eq!(add("t", json!("metrics"), Value::Null), "400 bad_field scopes");
    assert_eq!(add("t", one.clone(), json!("tomorrow")), "400 bad_field expires");
    assert_eq!(add("t", one.clone(), json!("2026-03-15T12:00:00Z")), "400 bad_field expires");
    assert_eq!(each(&ada.get(TOKENS).items(), "name"), ["reader"]);
    assert_eq!(ada.post(TOKENS, &json!({"name": "t", "scopes": one})).status, 201);
    assert_eq!(add("t", one, Value::Null), "409 conflict");
}

#[test]
fn a_revoked_token_is_refused_at_once() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    let program = house.program("gate", &["session:read"]);
    assert_eq!(program.get("/api/v1/sessions").status, 200);
    assert_eq!(ada.delete("/api/v1/tokens/gate").status, 204);
    assert_eq!(program.get("/api/v1/sessions").refusal(), "401 no_token");
    assert_eq!(ada.delete("/api/v1/tokens/gate").refusal(), "404 not_found");
    let told = house.log("action=token-revoked");
    assert_eq!((each(&told, "user"), each(&told, "target")), (vec!["ada".into()], vec!["gate".into()]));
}

#[test]
fn a_token_stops_with_whoever_made_it_and_goes_with_their_account() {
    let house = House::new().with_admin("ada").with_admin("bob");
    let (ada, bob) = (house.signed_in("ada"), house.signed_in("bob"));
    let made = bob.post(TOKENS, &json!({"name": "nightly", "scopes": ["session:read"]})).json();
    let nightly = house.bearer(made["token"].as_str().unwrap());
    let console = house.program("gate", &["session:read"]);
    let status = || nightly.get("/api/v1/sessions").status;
    let stopped = || {
        house
            .signed_in("ada")
            .get(TOKENS)
            .items()
            .iter()
            .find(|token| token["name"] == "nightly")
            .map(|token| token["stopped"].clone())
    };
    assert_eq!((status(), stopped()), (200, Some(json!(false))));
    for (off, on) in [
        (json!({"disabled": true}), json!({"disabled": false})),
        (json!({"role": "member"}), json!({"role": "admin"})),
    ] {
        assert_eq!(ada.patch("/api/v1/users/bob", &off).status, 200);
        assert_eq!((status(), stopped()), (401, Some(json!(true))), "{off}");
        assert!(ada.get("/tokens").text().contains(">stopped<"));
        assert_eq!(ada.patch("/api/v1/users/bob", &on).status, 200);
        assert_eq!((status(), stopped()), (200, Some(json!(false))), "{on}");
    }
    assert_eq!(ada.delete("/api/v1/users/bob").status, 204);
    assert_eq!((status(), stopped()), (401, None));
    let told = house.log("action=token-revoked").remove(0);
    assert_eq!(
        (&told["target"], &told["detail"]),
        (&json!("nightly"), &json!("the account of bob was removed"))
    );
    assert_eq!(console.get("/api/v1/sessions").status, 200, "the console's stay");
}

#[test]
fn a_token_works_until_it_expires() {
    let house = House::new().with_admin("ada");
    let body = json!({"name": "t", "scopes": ["session:read"], "expires": "2026-03-15T12:30:00Z"});
    let made = house.signed_in("ada").post(TOKENS, &body).json();
    assert_eq!(made["expires"], "2026-03-15T12:30:00.000Z");
    let program = house.bearer(made["token"].as_str().unwrap());
    house.later(SignedDuration::from_secs(30 * 60 - 1));
    assert_eq!(program.get("/api/v1/sessions").status, 200);
    house.later(SignedDuration::from_secs(1));
    assert_eq!(program.get("/api/v1/sessions").refusal(), "401 no_token");
}

#[test]
fn an_expiry_is_chosen_on_the_page_as_the_last_day_where_one_is() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    let add = |name: &str, expires: &str| {
        let fields = [("name", name), ("scope", "session:read"), ("expires", expires), ("tz", "Asia/Tokyo")];
        ada.form("/tokens/add", &fields)
    };
    let refused = add("late", "2026-03-14");
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("a token cannot expire in the past"));
    let made = add("guest", "2026-03-16").text();
    let (_, token) = made.split_once("value=\"rct_").expect("it is shown");
    let program = house.bearer(&format!("rct_{}", token.split_once('"').unwrap().0));
    assert_eq!(ada.get(TOKENS).items()[0]["expires"], "2026-03-16T15:00:00.000Z");
    assert_eq!(program.get("/api/v1/sessions").status, 200);
    let page = ada.get("/tokens").text();
    assert!(page.contains("2026-03-16 15:00:00 UTC") && !page.contains(">expired<"));
    house.later(SignedDuration::from_hours(27));
    assert_eq!(program.get("/api/v1/sessions").refusal(), "401 no_token");
    let page = house.signed_in("ada").get("/tokens").text();
    assert!(page.contains(">expired<"), "it says so");
}

#[test]
fn a_token_opens_what_its_scopes_name_and_nothing_else() {
    let house = House::new().with_admin("ada");
    let calls: [(&str, Method, &str, &str); 12] = [
        ("activity:read", Method::Get, "/activity", ""),
        ("activity:read", Method::Get, "/activity/none", ""),
        ("activity:read", Method::Get, "/activity/histogram", ""),
        ("activity:read", Method::Get, "/activity/facets?field=app", ""),
        ("activity:read", Method::Get, "/activity.csv", ""),
        ("activity:write", Method::Post, "/activity", "{}"),
        ("session:read", Method::Get, "/sessions", ""),
        ("session:read", Method::Get, "/sessions/none", ""),
        ("session:write", Method::Delete, "/sessions/none", ""),
        ("session:write", Method::Post, "/sessions/logout", "{}"),
        ("session:write", Method::Post, "/sessions", "{}"),
        ("session:write", Method::Post, "/sessions/none/touch", "{}"),
    ];
    let scopes =
        ["activity:write", "activity:read", "session:read", "session:write", "auth:check", "metrics"];
    for scope in scopes {
        let program = house.program(&scope.replace(':', "-"), &[scope]);
        for (needs, method, path, body) in calls {
            let caller = program.with("Content-Type", "application/json");
            let reply = caller.send(method, &format!("/api/v1{path}"), body.as_bytes());
            if needs == scope {
                assert!(!matches!(reply.status, 401 | 403), "{scope} opens {method} {path}");
            } else {
                assert_eq!(reply.refusal(), "403 forbidden", "{scope} does not open {method} {path}");
                assert!(reply.text().contains(needs), "it says which scope is missing");
            }
        }
        for managing in ["/users", "/tokens", "/apps", "/me"] {
            let reply = program.get(&format!("/api/v1{managing}"));
            assert_eq!(reply.status, 401, "no token manages: {managing}");
        }
    }
}

#[test]
fn what_is_no_token_is_refused_whatever_else_is_sent() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    let session = ada.header("Cookie").split_once('=').unwrap().1.to_owned();
    for line in [
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer x".to_owned(),
        format!("Bearer {session}"),
        format!("Bearer {}", "rct_".to_owned() + &"A".repeat(43)),
    ] {
        for caller in [house.stranger(), ada.clone()] {
            let reply = caller.with("Authorization", &line).get("/api/v1/sessions");
            assert_eq!(reply.refusal(), "401 no_token", "{line}");
        }
    }
    let basic = house.stranger().with("Authorization", "Basic YWRhOmFkYQ==").get("/api/v1/sessions");
    assert_eq!(basic.refusal(), "401 no_token");
}

#[test]
fn what_the_token_of_an_app_writes_is_that_apps_whatever_it_says() {
    let house = House::new().with_admin("ada").with_member("mia");
    let ada = house.signed_in("ada");
    let scopes = json!(["activity:write", "session:write"]);
    let made = ada.post(TOKENS, &json!({"name": "wiki-1", "scopes": scopes, "app": " wiki "})).json();
    assert_eq!(made["app"], "wiki");
    assert_eq!(ada.get(TOKENS).items()[1]["app"], "wiki");
    assert_eq!(
        house.log("action=token-added&user=ada")[0]["detail"],
        "activity:write session:write for wiki"
    );
    assert!(ada.get("/tokens").text().contains("for wiki"));
    let wiki = house.bearer(made["token"].as_str().unwrap());
    let other = house.program("shipper", &["activity:write", "session:write"]);

    let body = json!([
        {"user": "mia", "action": "read-1"},
        {"user": "mia", "action": "read-2", "app": "wiki"},
        {"user": "mia", "action": "read-3", "app": "vault", "attributes": {"claimed-app": "forged", "of": "page"}},
        {"user": "mia", "action": "read-4", "app": "rollcall"},
    ]);
    let answer = wiki.post("/api/v1/activity", &body).ok();
    assert_eq!((&answer["accepted"], &answer["rejected"][0]["line"]), (&json!(3), &json!(4)), "{answer}");
    let lines = "{\"index\":{\"_index\":\"vault\"}}\n{\"user.name\":\"mia\",\"event.action\":\"read-5\",\"service.name\":\"vault\"}\n";
    let bulk =
        wiki.with("Content-Type", "application/x-ndjson").send(Method::Post, "/es/_bulk", lines.as_bytes());
    assert_eq!(bulk.ok()["errors"], false);
    for (action, attributes) in [
        ("read-1", json!({})),
        ("read-2", json!({})),
        ("read-3", json!({"claimed-app": "vault", "of": "page"})),
        ("read-5", json!({"claimed-app": "vault", "_index": "vault"})),
    ] {
        let row = &house.log(&format!("action={action}"))[0];
        assert_eq!((&row["app"], &row["attributes"]), (&json!("wiki"), &attributes), "{row}");
    }
    let record = json!({"user": "mia", "action": "read-6", "app": "vault"});
    assert_eq!(other.post("/api/v1/activity", &record).ok()["accepted"], 1);
    assert_eq!(house.log("action=read-6")[0]["app"], "vault", "a token of no app ships for many");

    let full: serde_json::Map<String, Value> = (0..64).map(|n| (n.to_string(), json!("x"))).collect();
    let record = json!({"user": "mia", "action": "read", "app": "vault", "attributes": full});
    assert_eq!(wiki.post("/api/v1/activity", &record).ok()["accepted"], 1, "ours is beside its own");
    let kept = house.log("action=read");
    let (held, claimed) = (kept[0]["attributes"].as_object().unwrap(), &kept[0]["attributes"]["claimed-app"]);
    assert_eq!((held.len(), claimed), (65, &json!("vault")));
    let mut again = kept[0].clone();
    again["app"] = json!("copy");
    assert_eq!(other.post("/api/v1/activity", &again).ok()["accepted"], 1, "what was exported can come back");
    assert_eq!(other.post("/api/v1/activity", &record).status, 200);
}

#[test]
fn the_token_of_an_app_names_no_session_in_which_the_app_was_not_opened() {
    let house = House::new().with_admin("ada").with_member("mia");
    let ada = house.signed_in("ada");
    let token = json!({"name": "wiki-1", "scopes": ["activity:write", "session:write"], "app": "wiki"});
    let wiki = house.bearer(ada.post(TOKENS, &token).json()["token"].as_str().unwrap());
    let other = house.program("shop", &["activity:write", "session:write"]);
    let register = |program: &super::house::Caller<'_>, body: Value| {
        let reply = program.post("/api/v1/sessions", &body);
        assert_eq!(reply.status, 201, "{}", reply.text());
        reply.json()["id"].as_str().unwrap().to_owned()
    };
    let own = register(&wiki, json!({"user": "mia", "ip": "216.160.83.56"}));
    assert_eq!(ada.get(&format!("/api/v1/sessions/{own}")).ok()["apps"], json!(["wiki"]));
    let claimed = wiki.post("/api/v1/sessions", &json!({"user": "mia", "app": "shop"}));
    assert_eq!(claimed.refusal(), "400 bad_field app");
    let shops = register(&other, json!({"user": "mia", "ip": "81.2.69.142"}));
    let here = house.signed_in("mia");

    let name = |program: &super::house::Caller<'_>, session: &str| {
        program.post("/api/v1/activity", &json!({"user": "mia", "action": "read", "session": session})).json()
    };
    for foreign in [shops.as_str(), &here.session()] {
        let told = name(&wiki, foreign);
        let why = told["rejected"][0]["error"].as_str().unwrap();
        assert!(why.contains("in which wiki was not opened"), "{told}");
        assert_eq!(name(&other, foreign)["accepted"], 1, "a token of no app ships for many");
    }
    assert_eq!(ada.delete(&format!("/api/v1/sessions/{shops}")).status, 204);
    assert_eq!(name(&wiki, &shops)["accepted"], 0, "when it has ended too");
    assert_eq!(name(&wiki, &own)["accepted"], 1);
    assert_eq!(house.log(&format!("session={own}&action=read"))[0]["city"], "Milton");
    assert_eq!(name(&wiki, "session-42")["accepted"], 1, "a session of its own");
}

#[test]
fn a_record_that_names_the_session_of_somebody_else_says_so_and_did_not_happen_where_that_is() {
    let house = House::new().with_admin("ada");
    let shop = house.program("shop", &["activity:write", "session:write"]);
    let body = json!({"user": "ada", "ip": "81.2.69.142"});
    let session = shop.post("/api/v1/sessions", &body).json()["id"].as_str().unwrap().to_owned();
    for (user, action) in [("ADA", "own"), ("mia", "another")] {
        let record = json!({"user": user, "action": action, "session": session,
            "attributes": {"session-user": "nobody"}});
        assert_eq!(shop.post("/api/v1/activity", &record).ok()["accepted"], 1);
    }
    let own = &house.log("action=own")[0];
    assert_eq!([&own["city"], &own["attributes"]], [&json!("London"), &json!({})]);
    let another = &house.log("action=another")[0];
    assert_eq!([&another["city"], &another["ip"]], [&Value::Null, &Value::Null]);
    assert_eq!(another["attributes"], json!({"session-user": "ada"}));
}

#[test]
fn an_app_that_cannot_be_is_refused_and_one_that_can_is_kept() {
    let folder = Folder::with_admin();
    for wrong in ["rollcall", "ROLLCALL", &"x".repeat(65), "a\u{200b}b"] {
        let add = folder.run(&["token", "add", "t", "--scope", "activity:write", "--app", wrong]);
        add.refuses(2, "an app's name");
    }
    let token = folder.run(&["token", "add", "t", "--scope", "activity:write", "--app", "wiki"]);
    assert!(folder.run(&["token", "list"]).ok().contains("activity:write for wiki"));
    folder.run(&["check"]).ok();
    let server = folder.serve();
    let record = json!({"user": "mia", "action": "read", "app": "vault"});
    assert_eq!(server.bearer(token.ok()).post("/api/v1/activity", &record).status, 200);
    assert_eq!(server.stop(), Some(0), "where its last use is written down");
    assert!(folder.run(&["token", "list"]).ok().contains("activity:write for wiki"));
    let found = folder.run(&["activity", "search", "attr.claimed-app:vault", "--json"]);
    assert!(found.ok().contains("\"app\":\"wiki\""), "{}", found.out);

    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    let app = json!({"name": "t", "scopes": ["metrics"], "app": "rollcall"});
    assert_eq!(ada.post(TOKENS, &app).refusal(), "400 bad_field app");
    let form = [("name", "t"), ("scope", "metrics"), ("app", "rollcall"), ("expires", "")];
    let again = ada.form("/tokens/add", &form);
    assert_eq!(again.status, 400);
    assert!(again.text().contains("is not rollcall") && again.text().contains("value=\"rollcall\""));
    let form = [("name", "t"), ("scope", "metrics"), ("app", ""), ("expires", "")];
    assert_eq!(ada.form("/tokens/add", &form).status, 200);
    assert_eq!(ada.get(TOKENS).items()[1].get("app"), None, "of any");
}

#[test]
fn what_a_program_had_begun_is_not_written_once_its_token_is_revoked() {
    let house = House::new().with_admin("ada");
    let secret: Token = house.token("late", &["activity:write", "session:write"]).parse().unwrap();
    let by = Actor {
        name: "token late".to_owned(),
        kind: ActorKind::Token,
        session: None,
        token: Some(secret.hash()),
        ip: None,
    };
    let send = |action| {
        let record = house.app.admit(NewActivity::new("mia", action, "wiki")).unwrap();
        house.wait(house.app.enter(by.token, vec![record]))
    };
    let set = |size| {
        let rules = Retention { size: Some(size), ..Retention::default() };
        house.caught_up();
        house.app.set_retention(&by, &rules, &house.app.outlook(&rules).unwrap())
    };
    assert!(send("before").is_ok());
    assert!(set(1 << 40).is_ok());
    assert_eq!(house.signed_in("ada").delete("/api/v1/tokens/late").status, 204);
    assert!(matches!(send("after"), Err(IngestError::Revoked)));
    assert!(matches!(set(1 << 41), Err(RetentionError::Gone(_))));
    assert!(house.log("action=after").is_empty());
}
