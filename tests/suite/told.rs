//! What the log tells of Rollcall itself.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    house::{House, LONDON, PASSWORD},
    http::each,
    second_factor,
    server::Folder,
};

const OTHER: &str = "another horse battery staple";

#[test]
fn whatever_matters_to_safety_is_in_the_log() {
    let house = House::new().with_admin("ada").with_member("mia");
    house.stranger().sign_in("mia", "wrong horse battery staple");
    let ada = house.signed_in("ada");
    let mia = house.signed_in("mia");
    let mias = mia.session();
    assert_eq!(ada.post("/api/v1/users", &json!({"user": "eve", "password": PASSWORD})).status, 201);
    assert_eq!(ada.patch("/api/v1/users/eve", &json!({"role": "auditor"})).status, 200);
    assert_eq!(ada.patch("/api/v1/users/eve", &json!({"disabled": true})).status, 200);
    assert_eq!(ada.patch("/api/v1/users/eve", &json!({"disabled": false})).status, 200);
    assert_eq!(ada.post("/api/v1/users/eve/password", &json!({"password": OTHER})).status, 204);
    assert_eq!(ada.delete("/api/v1/users/eve").status, 204);
    assert_eq!(ada.post("/api/v1/tokens", &json!({"name": "t", "scopes": ["metrics"]})).status, 201);
    assert_eq!(ada.delete("/api/v1/tokens/t").status, 204);
    let app = json!({"name": "wiki", "url": "https://wiki.example.org"});
    assert_eq!(ada.post("/api/v1/apps", &app).status, 201);
    let hook = json!({"url": "https://wiki.example.org/hook"});
    assert_eq!(ada.put("/api/v1/apps/wiki/hook", &hook).status, 201);
    assert_eq!(ada.delete("/api/v1/apps/wiki/hook").status, 204);
    assert_eq!(ada.delete("/api/v1/apps/wiki").status, 204);
    let begun = mia.post("/api/v1/me/second-factor", &Value::Null).ok();
    let seed = begun["secret"].as_str().unwrap();
    let step = u64::try_from(house.now().as_second() / 30).unwrap();
    let proof = json!({"pending": begun["pending"], "code": second_factor::code(seed, step)});
    let codes = mia.put("/api/v1/me/second-factor", &proof).ok();
    let code = json!({"user": "mia", "password": PASSWORD, "code": codes["recovery_codes"][0]});
    assert_eq!(house.stranger().post("/api/v1/signin", &code).status, 200);
    assert_eq!(
        mia.post("/api/v1/me/second-factor/recovery-codes", &json!({"password": PASSWORD})).status,
        200
    );
    assert_eq!(ada.delete("/api/v1/users/mia/second-factor").status, 204);
    assert_eq!(mia.get("/api/v1/activity.csv").status, 200);
    assert_eq!(ada.form("/settings/retention", &[("keep", "10y"), ("size", ""), ("rules", "")]).status, 303);
    assert_eq!(ada.post("/api/v1/sessions/logout", &json!({"sessions": [mias]})).ok()["ended"], 1);
    let idle = house.signed_in("mia");
    house.later(SignedDuration::from_hours(1));
    assert!(!idle.is_in());
    house.sweep();
    let last = house.signed_in("ada");
    assert_eq!(last.post("/api/v1/signout", &json!({})).status, 204);

    let told = house.log("app=rollcall");
    let actions: BTreeSet<String> = each(&told, "action").into_iter().collect();
    for action in [
        "sign-in",
        "sign-in-failed",
        "sign-out",
        "logout",
        "session-expired",
        "export",
        "user-added",
        "user-changed",
        "user-disabled",
        "user-enabled",
        "user-password-changed",
        "user-removed",
        "user-second-factor-set",
        "user-second-factor-removed",
        "user-recovery-code-used",
        "user-recovery-codes-made",
        "token-added",
        "token-revoked",
        "app-added",
        "app-removed",
        "app-hook-set",
        "app-hook-removed",
        "setting-changed",
    ] {
        assert!(actions.contains(action), "{action} is not told: {actions:?}");
    }
    for row in &told {
        assert!(row["user"].as_str().is_some_and(|user| !user.is_empty()), "who: {row}");
        assert!(row["time"].as_str().is_some_and(|time| time.ends_with('Z')), "when: {row}");
        let outcome = if row["action"] == "sign-in-failed" { "failure" } else { "success" };
        assert_eq!(row["outcome"], outcome, "{row}");
        // What the console did at the beginning has no address.
        let by_the_console = row["user"] == "host console";
        assert!(by_the_console || row["action"] == "session-expired" || row["ip"] == LONDON, "where: {row}");
    }
    // Whom it was done to, where it is not always oneself.
    for row in told.iter().filter(|row| row["action"].as_str().unwrap().starts_with("user-")) {
        let own = row["action"].as_str().unwrap().contains("recovery-code");
        assert!(own || row["target"].as_str().is_some_and(|target| !target.is_empty()), "{row}");
    }
}

#[test]
fn a_setting_that_is_another_at_the_next_start_is_in_the_log() {
    let folder = Folder::with_admin();
    let started = |options: &[&str]| {
        assert_eq!(folder.serve_with(options).stop(), Some(0));
        let told = folder.run(&["activity", "export", "action:setting-changed", "--format", "ndjson"]);
        let told = told.ok().lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        told.map(|one| [&one["target"], &one["detail"]].map(|text| text.as_str().unwrap().to_owned()))
            .collect::<Vec<_>>()
    };
    assert!(started(&["--session-idle", "2h"]).is_empty(), "there was nothing before");
    let first = started(&["--session-idle", "3h", "--trusted-proxy", "10.0.0.0/8", "--trusted-proxy", "::1"]);
    let second = started(&["--session-idle", "3h"]);
    let expected = [
        ["trusted-proxy", "the default, instead of 10.0.0.0/8, ::1"],
        ["trusted-proxy", "10.0.0.0/8, ::1, instead of the default"],
        ["session-idle", "3h, instead of 2h"],
    ];
    let expected = expected.map(|one| one.map(str::to_owned));
    assert_eq!(first, expected[1..], "newest first");
    assert_eq!(second, expected);
    assert_eq!(started(&["--session-idle", "3h"]), expected, "nothing has changed");
}
