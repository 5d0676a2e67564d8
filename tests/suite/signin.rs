//! Coming in and going out.

use std::sync::Barrier;

use jiff::SignedDuration;
use rollcall::{domain::accounts::Details, model::user::Actor};
use serde_json::json;

use super::{
    house::{Caller, House, PASSWORD},
    http::{Reply, each},
    server::Folder,
};

#[test]
fn whoever_was_logged_out_is_told_why_at_the_sign_in_and_strangers_are_not() {
    let house = House::new().with_admin("ada").with_member("mia");
    let ada = house.signed_in("ada");
    let nothing = house.stranger().get("/signin").text();
    assert!(!nothing.contains("role=\"alert\""), "{nothing}");
    let told = |browser: &Caller<'_>| {
        let page = browser.get("/signin").text();
        let (_, behind) = page.split_once("role=\"alert\">").expect("it says why");
        behind.split_once('<').unwrap().0.to_owned()
    };
    let mia = house.signed_in("mia");
    let reason = json!({"user": "mia", "reason": "the laptop was stolen"});
    ada.post("/api/v1/sessions/logout", &reason).ok();
    assert_eq!(told(&mia), "You were logged out by an administrator.", "who and why is not said");
    assert_eq!(
        told(&mia.with("Cookie", &format!("{}; other=1", mia.header("Cookie")))),
        "You were logged out by an administrator."
    );
    let mia = house.signed_in("mia");
    ada.patch("/api/v1/users/mia", &json!({"role": "auditor"})).ok();
    assert_eq!(told(&mia), "You were logged out because your role was changed.");
    let mia = house.signed_in("mia");
    ada.post("/api/v1/users/mia/password", &json!({"password": "another horse battery staple"}));
    assert_eq!(told(&mia), "You were logged out because the password was changed.");
    ada.post("/api/v1/users/mia/password", &json!({"password": PASSWORD}));
    let mia = house.signed_in("mia");
    house.later(SignedDuration::from_hours(1));
    assert_eq!(told(&mia), "Your session ended after 1 hour without use.", "before anything swept it away");
    house.sweep();
    assert_eq!(told(&mia), "Your session ended after 1 hour without use.");
    let mia = house.signed_in("mia");
    let ada = house.signed_in("ada");
    ada.patch("/api/v1/users/mia", &json!({"disabled": true})).ok();
    assert_eq!(told(&mia), "You were logged out.", "nobody learns so that an account is disabled");
    let forged = mia.with("Cookie", "rollcall=rcs_0000000000000000000000000000000000000000000");
    assert!(!forged.get("/signin").text().contains("role=\"alert\""));
    ada.patch("/api/v1/users/mia", &json!({"disabled": false})).ok();
    let mia = house.signed_in("mia");
    assert!(told(&mia).starts_with("You are signed in as mia."), "the session at hand counts");
}

#[test]
fn the_right_password_opens_a_session_with_a_cookie_that_scripts_cannot_read() {
    let house = House::new().with_admin("ada");
    let browser = house.stranger();
    let reply = browser.sign_in("ada", PASSWORD);
    let answer = reply.ok();
    assert_eq!((&answer["user"], &answer["role"]), (&json!("ada"), &json!("admin")));
    assert_eq!(answer["session"]["user"], "ada");
    assert_eq!(answer["session"]["current"], true);
    let cookie = reply.header("Set-Cookie").unwrap();
    assert!(cookie.starts_with("rollcall=rcs_"), "{cookie}");
    for attribute in ["; Path=/", "; HttpOnly", "; SameSite=Lax"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Domain") && !cookie.contains("Max-Age"), "{cookie}");
    let me = browser.with("Cookie", &reply.cookie()).get("/api/v1/me").ok();
    assert_eq!(me["session"]["id"], answer["session"]["id"]);
    assert_eq!(me["groups"], json!([]));
    let token = reply.cookie().split_once('=').unwrap().1.to_owned();
    assert!(!reply.text().contains(&token), "the token stands in the cookie alone");
}

#[test]
fn over_tls_the_cookie_is_for_this_host_and_for_tls_alone() {
    let settings = rollcall::web::door::Settings {
        public_url: Some("https://rollcall.example.org".into()),
        secure: true,
        ..Default::default()
    };
    let house = House::with_settings(settings).with_admin("ada");
    let reply = house.stranger().sign_in("ada", PASSWORD);
    let cookie = reply.header("Set-Cookie").unwrap();
    assert!(cookie.starts_with("__Host-rollcall=rcs_") && cookie.contains("; Secure"), "{cookie}");
    let browser = house.stranger().with("Cookie", &reply.cookie());
    assert!(browser.is_in());
    let renamed = reply.cookie().replace("__Host-", "");
    assert!(!house.stranger().with("Cookie", &renamed).is_in(), "a cookie that plain HTTP could have set");
    let gone = browser.post("/api/v1/signout", &json!({}));
    let cookie = gone.header("Set-Cookie").unwrap();
    assert!(cookie.starts_with("__Host-rollcall=;") && cookie.contains("; Secure"), "{cookie}");
}

#[test]
fn an_account_has_one_name_however_it_is_typed() {
    let house = House::new().with_admin("ada");
    for typed in ["ADA", " ada ", "ａｄａ"] {
        assert_eq!(house.stranger().sign_in(typed, PASSWORD).ok()["user"], "ada", "{typed:?}");
    }
}

#[test]
fn nobody_learns_which_of_user_and_password_was_wrong() {
    let house = House::new().with_admin("ada").with_member("dora");
    assert_eq!(house.signed_in("ada").patch("/api/v1/users/dora", &json!({"disabled": true})).status, 200);
    let wrong = house.stranger().sign_in("ada", "wrong horse battery staple");
    assert_eq!(wrong.refusal(), "401 refused");
    assert_eq!(wrong.header("Set-Cookie"), None);
    for (user, password) in [
        ("nobody", PASSWORD),
        ("dora", PASSWORD),
        ("dora", "wrong horse battery staple"),
        ("ada", ""),
        ("", ""),
        ("not a user name", PASSWORD),
    ] {
        let other = house.stranger().sign_in(user, password);
        assert_eq!(other, wrong, "{user:?} and {password:?} are told apart");
    }
    assert_eq!(house.app.live_sessions(&rollcall::model::session::Scope::All, None).len(), 1, "ada's");
}

#[test]
fn a_failed_sign_in_is_in_the_log_and_what_may_be_a_password_is_not() {
    let house = House::new().with_admin("ada");
    house.stranger().sign_in("ada", "wrong horse battery staple");
    house.stranger().sign_in("nobody", PASSWORD);
    house.stranger().sign_in("my secret in the wrong box", "x");
    let failed = house.log("action=sign-in-failed&order=asc");
    assert_eq!(each(&failed, "user"), ["ada", "nobody", "(not a user name)"]);
    assert_eq!(each(&failed, "outcome"), ["failure"; 3]);
    assert_eq!(each(&failed, "ip"), ["81.2.69.142"; 3]);
    assert_eq!(each(&failed, "city"), ["London"; 3]);
    assert_eq!(house.log("q=secret").len(), 0);
}

#[test]
fn what_a_sign_in_does_not_ask_for_is_not_listened_to() {
    let house = House::new().with_admin("ada").with_member("mia");
    let body = json!({"user": "mia", "password": PASSWORD, "role": "admin", "mfa": true, "is_admin": true});
    let answer = house.stranger().post("/api/v1/signin", &body).ok();
    assert_eq!((&answer["role"], &answer["session"]["mfa"]), (&json!("member"), &json!(false)));
}

#[test]
fn a_sign_in_takes_json_from_ones_own_page_or_from_a_program() {
    let house = House::new().with_admin("ada");
    let body = json!({"user": "ada", "password": PASSWORD}).to_string();
    let post = |caller: &Caller<'_>, kind: &str| {
        let caller = caller.with("Content-Type", kind);
        caller.send(rocket::http::Method::Post, "/api/v1/signin", body.as_bytes())
    };
    let browser = house.stranger();
    assert_eq!(post(&browser, "text/plain").refusal(), "415 unsupported_media_type");
    let elsewhere = browser.with("Sec-Fetch-Site", "cross-site");
    assert_eq!(post(&elsewhere, "application/json").refusal(), "403 cross_site");
    let program = browser.without("Sec-Fetch-Site");
    let foreign = program.with("Origin", "http://evil.test");
    assert_eq!(post(&foreign, "application/json").refusal(), "403 cross_site");
    assert_eq!(browser.post("/api/v1/signin", &json!({"user": "ada"})).refusal(), "400 bad_field password");
    assert_eq!(browser.get("/api/v1/signin?user=ada&password=x").refusal(), "405 method_not_allowed");
    assert_eq!(house.log("action=sign-in").len(), 0, "nobody was signed in so far");
    assert_eq!(post(&program, "application/json; charset=utf-8").status, 200);
}

#[test]
fn signing_in_again_in_the_same_browser_ends_the_session_before() {
    let house = House::new().with_admin("ada");
    let before = house.signed_in("ada");
    let id = before.session();
    let reply = before.sign_in("ada", PASSWORD);
    assert_eq!(reply.status, 200);
    assert!(!before.is_in());
    let after = house.stranger().with("Cookie", &reply.cookie());
    assert_ne!(after.session(), id);
    let ended = after.get(&format!("/api/v1/sessions/{id}")).ok();
    assert_eq!((&ended["state"], &ended["ended_by"]), (&json!("ended"), &json!("user")));
}

#[test]
fn signing_out_ends_the_session_and_takes_the_cookie_away() {
    let house = House::new().with_admin("ada").with_member("mia");
    let (mia, other) = (house.signed_in("mia"), house.signed_in("mia"));
    let id = mia.session();
    let reply = mia.post("/api/v1/signout", &json!({}));
    assert_eq!((reply.status, reply.body.len()), (204, 0));
    let cookie = reply.header("Set-Cookie").unwrap();
    assert!(cookie.starts_with("rollcall=;") && cookie.contains("Max-Age=0"), "{cookie}");
    assert_eq!(reply.header("Clear-Site-Data"), Some("\"cache\", \"storage\""));
    assert_eq!(mia.get("/api/v1/me").refusal(), "401 not_signed_in");
    assert_eq!(mia.post("/api/v1/signout", &json!({})).refusal(), "401 not_signed_in");
    assert!(other.is_in(), "only this one ends");
    let ended = house.signed_in("ada").get(&format!("/api/v1/sessions/{id}")).ok();
    assert_eq!(
        [&ended["state"], &ended["ended_by"], &ended["ended_by_user"], &ended["ended"]],
        ["ended", "user", "mia", "2026-03-15T12:00:00.000Z"]
    );
    let told = house.log("action=sign-out");
    assert_eq!((each(&told, "user"), each(&told, "session")), (vec!["mia".into()], vec![id]));
}

#[test]
fn the_pages_sign_in_and_out_too() {
    let house = House::new().with_member("mia").with_admin("ada");
    let browser = house.stranger();
    let refused = browser.form("/signin", &[("user", "mia"), ("password", "wrong"), ("next", "/help")]);
    assert_eq!(refused.status, 401);
    assert!(refused.text().contains("User or password is wrong."));
    let reply =
        browser.form("/signin", &[("user", "mia"), ("password", PASSWORD), ("next", "/activity?q=x")]);
    assert_eq!((reply.status, reply.header("Location")), (303, Some("/activity?q=x")));
    let mia = browser.with("Cookie", &reply.cookie());
    assert_eq!(mia.bare_form("/signout", "").status, 403, "a form without the session's token");
    assert!(mia.is_in());
    let reply = mia.form("/signout", &[]);
    assert_eq!((reply.status, reply.header("Location")), (303, Some("/signin?done=signed-out")));
    assert!(!mia.is_in());
    for elsewhere in ["//evil.test", "https://evil.test", "/\\evil.test"] {
        let reply = browser.form("/signin", &[("user", "mia"), ("password", PASSWORD), ("next", elsewhere)]);
        assert_eq!(reply.header("Location"), Some("/sessions"), "{elsewhere}");
    }
}

#[test]
fn passwords_are_typed_into_fields_that_managers_know_and_that_cut_nothing_off() {
    let house = House::new().with_member("mia");
    let mia = house.signed_in("mia");
    let setup = House::new().stranger().get("/setup").text();
    for (page, kinds) in [
        (house.stranger().get("/signin").text(), &["current-password"][..]),
        (mia.get("/profile").text(), &["current-password", "new-password"]),
        (setup, &["new-password"]),
    ] {
        let fields: Vec<&str> =
            page.split("<input").filter(|field| field.contains("type=\"password\"")).collect();
        let fields: Vec<&str> = fields.iter().map(|field| field.split('>').next().unwrap()).collect();
        assert_eq!(fields.len(), kinds.len(), "{page}");
        for (field, kind) in fields.iter().zip(kinds) {
            let known = [format!("autocomplete={kind}"), format!("autocomplete=\"{kind}\"")];
            assert!(known.iter().any(|known| field.contains(known)), "{field}");
            assert!(!field.contains("maxlength") && !field.contains("onpaste"), "{field}");
        }
    }
}

fn first_admin<'a>(name: &'a str, code: &'a str) -> [(&'a str, &'a str); 4] {
    [("code", code), ("user", name), ("password", PASSWORD), ("full_name", "")]
}

#[test]
fn the_first_administrator_needs_the_code_of_the_terminal() {
    let house = House::new();
    let code = house.app.setup_code().unwrap();
    let browser = house.stranger();
    assert_eq!(browser.get("/signin").header("Location"), Some("/setup"));
    for wrong in ["", "AAAA-BBBB-CCCC-DDDD", &code[1..]] {
        assert_eq!(browser.form("/setup", &first_admin("eve", wrong)).status, 403, "{wrong:?}");
    }
    let short = [("code", code.as_str()), ("user", "ada"), ("password", "fourteen chars")];
    let refused = browser.form("/setup", &short);
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("at least 15 characters"));
    assert!(house.app.users().is_empty());
    let typed = code.to_lowercase().replace('-', " ");
    let made = browser.form("/setup", &first_admin("ada", &typed));
    assert_eq!((made.status, made.header("Location")), (303, Some("/signin?done=set-up")));
    assert_eq!(house.signed_in("ada").get("/api/v1/me").ok()["role"], "admin");
    assert_eq!(browser.get("/setup").status, 404, "it does not open again");
    assert_eq!(browser.form("/setup", &first_admin("eve", &code)).status, 409);
    assert_eq!(house.app.users().len(), 1);
}

#[test]
fn of_two_who_race_through_the_setup_one_becomes_administrator() {
    let house = House::new();
    let code = house.app.setup_code().unwrap();
    let start = Barrier::new(2);
    let race = |name: &'static str| {
        let browser = house.stranger();
        start.wait();
        browser.form("/setup", &first_admin(name, &code)).status
    };
    let mut statuses = std::thread::scope(|scope| {
        let racers = [scope.spawn(|| race("ada")), scope.spawn(|| race("bob"))];
        racers.map(|racer| racer.join().unwrap())
    });
    statuses.sort_unstable();
    // 404 where the winner was through before the other one's form was looked at.
    assert!(matches!(statuses, [303, 404 | 409]), "{statuses:?}");
    assert_eq!(house.app.users().len(), 1);
    assert_eq!(house.log("action=user-added").len(), 1);
}

/// How much memory was gone through for one try to sign in, in KiB, as the metrics say.
fn work(metrics: impl Fn() -> Reply, sign_in: impl FnOnce() -> u16) -> (u16, u64) {
    let done = || {
        let text = metrics().text();
        let line =
            text.lines().find_map(|line| line.strip_prefix("rollcall_password_hashing_kibibytes_total "));
        line.expect("it is counted").parse::<u64>().unwrap()
    };
    let before = done();
    let status = sign_in();
    (status, done() - before)
}

#[test]
fn as_much_is_hashed_whoever_tries_and_whatever_is_wrong() {
    let house = House::new().with_member("mia").with_member("bob");
    let details = Details { disabled: Some(true), ..Details::default() };
    house.wait(house.app.change_user(&Actor::console(), &"bob".parse().unwrap(), details)).unwrap();
    let one = 2 * 19 * 1024;
    let wrong = "wrong horse battery staple";
    let stranger = house.stranger();
    let metrics = || house.stranger().at("127.0.0.1").with("Host", "localhost").get("/metrics");
    for (name, password, status) in [
        ("mia", PASSWORD, 200),
        ("mia", wrong, 401),
        ("bob", PASSWORD, 401),
        ("bob", wrong, 401),
        ("nobody", PASSWORD, 401),
        ("no such name\u{7}", PASSWORD, 401),
    ] {
        let tried = work(metrics, || stranger.sign_in(name, password).status);
        assert_eq!(tried, (status, one), "{name:?} {password:?}");
    }
    // The page goes the same way.
    for name in ["mia", "bob", "nobody"] {
        let (_, done) =
            work(metrics, || stranger.form("/signin", &[("user", name), ("password", wrong)]).status);
        assert_eq!(done, one, "{name}");
    }
}

#[test]
fn as_much_is_hashed_whoever_tries_where_some_hashes_cost_less_than_others() {
    let folder = Folder::with_admin();
    for name in ["mia", "bob"] {
        folder.run_with(&["user", "add", name, "--password-stdin"], PASSWORD).ok();
    }
    folder.run(&["user", "disable", "bob"]).ok();
    let wrong = "wrong horse battery staple";
    let dearest = 2 * 24 * 1024;
    // The cost is raised, of which mia's hash learns when she signs in, and lowered again.
    for cost in ["24", "19"] {
        let server = folder.serve_with(&["--password-memory", cost]);
        let sign_in = |name: &str, password: &str| {
            let body = json!({"user": name, "password": password});
            server.stranger().post("/api/v1/signin", &body).status
        };
        for (name, password) in
            [("ada", wrong), ("mia", wrong), ("bob", wrong), ("bob", PASSWORD), ("nobody", PASSWORD)]
        {
            let tried = work(|| server.stranger().get("/metrics"), || sign_in(name, password));
            assert_eq!(tried, (401, dearest), "{name:?} {password:?} where a hash costs {cost} MiB");
        }
        assert_eq!(sign_in("mia", PASSWORD), 200);
        assert_eq!(server.stop(), Some(0));
    }
}
