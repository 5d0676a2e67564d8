//! One table of every address: who is let in, by role, by scope, and in whatever state a session, a token or a sign-in is.
//!
//! Nothing is listed twice: a mounted address that no row names fails, and so does a row that names none.

use rocket::http::Method;
use rollcall::web::door::{Plain, Settings};
use serde_json::{Value, json};

use super::{
    house::{Caller, House, PASSWORD},
    http::Reply,
    second_factor::{hidden, set_up, shown},
    server::Folder,
};

/// What is answered a stranger, then a member, an auditor and an administrator, then programs with one scope
/// each in the order of [`SCOPES`]: `x` let in, `-` known but refused, `?` asked who they are.
const DOORS: &[(&str, &[&str])] = &[
    // Anybody: what a page before the sign-in needs, and what says whether the server lives.
    (
        "x xxx xxxxxx",
        &[
            "GET /",
            "GET /api/v1/openapi.json",
            "POST /api/v1/signin",
            "POST /api/v1/signin/passkey",
            "POST /api/v1/signin/passkey/begin",
            "GET /assets/<_>/<_>",
            "GET /auth/handover",
            "GET /favicon.ico",
            "GET /healthz",
            "GET /readyz",
            "GET /setup",
            "POST /setup",
            "GET /signin",
            "POST /signin",
        ],
    ),
    // Nobody but a trusted proxy, which no caller of this table is.
    (
        "- --- ----x-",
        &[
            "GET /.rollcall/callback",
            "HEAD /.rollcall/callback",
            "GET /.rollcall/start",
            "GET /auth/denied",
            "DELETE /auth/forward",
            "GET /auth/forward",
            "OPTIONS /auth/forward",
            "PATCH /auth/forward",
            "POST /auth/forward",
            "PUT /auth/forward",
            "GET /auth/nginx",
        ],
    ),
    // Whoever is signed in.
    (
        "? xxx ??????",
        &[
            "GET /activity",
            "GET /activity/<_>",
            "GET /activity/stream",
            "GET /api/v1/me",
            "GET /api/v1/me/passkeys",
            "POST /api/v1/me/passkeys",
            "POST /api/v1/me/passkeys/begin",
            "DELETE /api/v1/me/passkeys/<_>",
            "POST /api/v1/me/password",
            "GET /api/v1/me/second-factor",
            "POST /api/v1/me/second-factor",
            "PUT /api/v1/me/second-factor",
            "POST /api/v1/me/second-factor/recovery-codes",
            "POST /api/v1/me/second-factor/remove",
            "POST /api/v1/signout",
            "POST /api/v1/step-up",
            "GET /help",
            "GET /help/api",
            "GET /profile",
            "POST /profile",
            "POST /profile/passkeys/remove",
            "POST /profile/password",
            "GET /profile/second-factor",
            "POST /profile/second-factor",
            "POST /profile/second-factor/codes",
            "POST /profile/second-factor/remove",
            "GET /sessions",
            "GET /sessions/<_>",
            "POST /sessions/logout",
            "GET /signout",
            "POST /signout",
            "POST /step-up",
        ],
    ),
    // Whoever is signed in, for what they may see, and programs that read activities.
    (
        "? xxx -x----",
        &[
            "GET /api/v1/activity",
            "GET /api/v1/activity.csv",
            "HEAD /api/v1/activity.csv",
            "GET /api/v1/activity.ndjson",
            "HEAD /api/v1/activity.ndjson",
            "GET /api/v1/activity/<_>",
            "GET /api/v1/activity/<_>/seal",
            "GET /api/v1/activity/facets",
            "GET /api/v1/activity/histogram",
            "GET /api/v1/activity/stream",
        ],
    ),
    // Programs that write activities.
    (
        "? ??? x-----",
        &[
            "POST /api/v1/activity",
            "GET /es",
            "POST /es/<_>/_bulk",
            "PUT /es/<_>/_bulk",
            "POST /es/<_>/_create/<_>",
            "PUT /es/<_>/_create/<_>",
            "POST /es/<_>/_doc",
            "POST /es/<_>/_doc/<_>",
            "PUT /es/<_>/_doc/<_>",
            "GET /es/<_>/<_>",
            "PUT /es/<_>/<_>",
            "POST /es/_bulk",
            "PUT /es/_bulk",
            "GET /es/_cat/health",
            "GET /es/_cluster/health",
            "GET /es/_license",
            "GET /es/_xpack",
            "POST /v1/logs",
        ],
    ),
    // Auditors and administrators.
    ("? -xx ??????", &["GET /api/v1/apps", "GET /api/v1/users", "GET /api/v1/users/<_>"]),
    // Administrators.
    (
        "? --x ??????",
        &[
            "POST /api/v1/apps",
            "DELETE /api/v1/apps/<_>",
            "PATCH /api/v1/apps/<_>",
            "DELETE /api/v1/apps/<_>/hook",
            "GET /api/v1/apps/<_>/hook",
            "PUT /api/v1/apps/<_>/hook",
            "POST /api/v1/apps/<_>/hook/retry",
            "GET /api/v1/settings/second-factor",
            "PUT /api/v1/settings/second-factor",
            "GET /api/v1/tokens",
            "POST /api/v1/tokens",
            "DELETE /api/v1/tokens/<_>",
            "POST /api/v1/users",
            "DELETE /api/v1/users/<_>",
            "PATCH /api/v1/users/<_>",
            "POST /api/v1/users/<_>/password",
            "DELETE /api/v1/users/<_>/second-factor",
            "GET /apps",
            "POST /apps/<_>",
            "POST /apps/<_>/remove",
            "GET /apps/<_>/webhook",
            "POST /apps/<_>/webhook",
            "POST /apps/<_>/webhook/remove",
            "POST /apps/<_>/webhook/retry",
            "POST /apps/add",
            "GET /settings",
            "GET /settings/address",
            "POST /settings/geo",
            "POST /settings/geo/again",
            "POST /settings/geo/reset",
            "POST /settings/retention",
            "POST /settings/second-factor",
            "GET /tokens",
            "POST /tokens/<_>/revoke",
            "POST /tokens/add",
            "GET /users",
            "GET /users/<_>",
            "POST /users/<_>",
            "POST /users/<_>/disable",
            "POST /users/<_>/enable",
            "POST /users/<_>/password",
            "POST /users/<_>/remove",
            "POST /users/<_>/second-factor",
            "POST /users/add",
        ],
    ),
    // Programs that read sessions.
    ("? ??? --x---", &["POST /api/v1/introspect"]),
    // Whoever is signed in, for what they may see, and programs that read sessions.
    ("? xxx --x---", &["GET /api/v1/sessions", "GET /api/v1/sessions/<_>", "GET /api/v1/sessions/stream"]),
    // Programs that write sessions.
    ("? ??? ---x--", &["POST /api/v1/sessions", "POST /api/v1/sessions/<_>/touch"]),
    // Whoever is signed in, for what they may end, and programs that write sessions.
    ("? xxx ---x--", &["DELETE /api/v1/sessions/<_>", "POST /api/v1/sessions/logout"]),
    // This machine, which no caller of this table is, and programs that read the metrics.
    ("? ??? -----x", &["GET /metrics"]),
];

const SCOPES: [&str; 6] =
    ["activity:write", "activity:read", "session:read", "session:write", "auth:check", "metrics"];

/// Every mounted address with what the table says of it, its placeholders without their names.
fn doors(house: &House) -> Vec<(Method, String, String)> {
    let nameless = |part: &str| if part.starts_with('<') { "<_>" } else { part }.to_owned();
    let known = |named: &str| DOORS.iter().find(|(_, addresses)| addresses.contains(&named));
    let mut doors = Vec::new();
    for (method, address) in house.addresses() {
        let at = address.split('/').map(nameless).collect::<Vec<_>>().join("/");
        let named = format!("{method} {at}");
        let (who, _) = known(&named).unwrap_or_else(|| panic!("{named} stands in no row of the table"));
        doors.push((method, at, who.replace(' ', "")));
    }
    for named in DOORS.iter().flat_map(|(_, addresses)| *addresses) {
        let mounted = doors.iter().filter(|(method, at, _)| format!("{method} {at}") == *named).count();
        assert_eq!(mounted, 1, "{named} is mounted once");
    }
    doors
}

/// Knocks with a body that nothing takes, so that whoever is let in changes nothing.
fn knock(caller: &Caller<'_>, method: Method, at: &str) -> Reply {
    caller.with("Content-Type", "text/x-none").send(method, &at.replace("<_>", "none"), b"")
}

/// Whether an address is of programs: whoever may not come in is told so, and not led to the sign-in.
fn of_programs(at: &str) -> bool {
    ["/api/", "/es", "/v1/", "/metrics"].iter().any(|begin| at.starts_with(begin))
}

/// A stranger before a door that is closed to them learns how to come in, in the way that they understand.
fn shows_the_way_in(named: &str, method: Method, at: &str, reply: &Reply) {
    let sent_away = reply.header("Location").is_some_and(|to| to.starts_with("/signin"));
    assert_eq!(
        (reply.status, sent_away),
        if method == Method::Get && !of_programs(at) { (303, true) } else { (401, false) },
        "{named}"
    );
    if at.starts_with("/api/") {
        assert_eq!(reply.header("WWW-Authenticate"), Some("Bearer"), "{named}");
    }
}

fn verdict(method: Method, reply: &Reply) -> char {
    let text = String::from_utf8_lossy(&reply.body);
    let refusals =
        ["his is for administrators", "his token lacks the scope", "nly a trusted proxy may ask this"];
    let sign_in = reply.header("Location").is_some_and(|to| to.starts_with("/signin"));
    match reply.status {
        401 => '?',
        303 if sign_in => '?',
        // An answer to HEAD gives no reason.
        403 if method == Method::Head || refusals.iter().any(|words| text.contains(words)) => '-',
        _ => 'x',
    }
}

/// What must stand on every answer, whoever gets it and why.
fn tells_browsers(named: &str, reply: &Reply) {
    let policy = reply.header("Content-Security-Policy").unwrap_or_default();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{named}: {policy}");
    for (name, value) in [
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "same-origin"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{named}: {name}");
    }
    assert!(reply.header("Permissions-Policy").is_some(), "{named}");
    assert!(reply.header("Cache-Control").is_some(), "{named}");
    assert_eq!(reply.header("Server"), None, "{named}");
}

#[test]
fn every_address_lets_in_whom_the_table_names_and_nobody_else() {
    let house = House::new().with_admin("ada").with_auditor("olga").with_member("mia");
    let users = ["mia", "olga", "ada"];
    let mut callers = vec![house.stranger()];
    callers.extend(users.map(|name| house.signed_in(name)));
    callers.extend(SCOPES.map(|scope| house.program(&scope.replace(':', "-"), &[scope])));
    for (method, at, expected) in doors(&house) {
        let mut answered = String::new();
        for caller in &callers {
            let reply = knock(caller, method, &at);
            let (named, verdict) = (format!("{method} {at}"), verdict(method, &reply));
            tells_browsers(&named, &reply);
            assert!(reply.status < 500 || reply.status == 501, "{named} answers {}", reply.status);
            if answered.is_empty() && verdict == '?' {
                shows_the_way_in(&named, method, &at, &reply);
            }
            answered.push(verdict);
        }
        assert_eq!(answered, expected, "{method} {at}");
        if at.ends_with("/signout") {
            for (caller, name) in callers[1..].iter_mut().zip(users) {
                *caller = house.signed_in(name);
            }
        }
    }
}

#[test]
fn what_has_ended_or_never_was_opens_no_more_than_a_stranger_does() {
    let house = House::new().with_admin("ada").with_admin("eve").with_admin("gone").with_admin("half");
    let (secret, _) = set_up(&house, &house.signed_in("half"));
    let (ended, disabled, removed) =
        (house.signed_in("ada"), house.signed_in("eve"), house.signed_in("gone"));
    let ada = house.signed_in("ada");
    let session = ended.session();
    let token = |name: &str, expires: Option<&str>| {
        let made = ada.post("/api/v1/tokens", &json!({"name": name, "scopes": SCOPES, "expires": expires}));
        assert_eq!(made.status, 201, "{}", made.text());
        house.bearer(made.json()["token"].as_str().expect("it is shown once"))
    };
    let (revoked, expired) = (token("revoked", None), token("expired", Some("2026-03-15T12:02:00Z")));
    assert_eq!(ada.delete(&format!("/api/v1/sessions/{session}")).status, 204);
    assert_eq!(ada.patch("/api/v1/users/eve", &json!({"disabled": true})).status, 200);
    assert_eq!(ada.delete("/api/v1/users/gone").status, 204);
    assert_eq!(ada.delete("/api/v1/tokens/revoked").status, 204);
    house.later(jiff::SignedDuration::from_mins(2));
    assert!(ada.is_in(), "the others are still in");

    let cookie = ada.header("Cookie").to_owned();
    let stranger = house.stranger();
    // The password was shown, and the second factor is yet to come.
    let step = stranger.form("/signin", &[("user", "half"), ("password", PASSWORD)]);
    let half = hidden(&step, "half");
    let as_a_session = half.replace("rch_", "rcs_");
    assert_ne!(half, as_a_session);
    let token = cookie.split_once('=').expect("it has a value").1.to_owned();
    let basic = data_encoding::BASE64.encode(format!("ada:{PASSWORD}").as_bytes());
    let callers = [
        ("ended", ended),
        ("disabled", disabled),
        ("removed", removed),
        ("revoked", revoked),
        ("expired", expired),
        ("no token", house.bearer("rollcall_0000")),
        ("no session", stranger.with("Cookie", "rollcall=rubbish")),
        ("two sessions", stranger.with("Cookie", &format!("{cookie}; {cookie}"))),
        ("a session as a token", stranger.with("Authorization", &format!("Bearer {cookie}"))),
        ("a session as a field", stranger.with("X-Session", &cookie)),
        (
            "a session among a hundred cookies",
            stranger.with("Cookie", &format!("{}{cookie}", format!("{cookie}x; ").repeat(100))),
        ),
        ("a long cookie", stranger.with("Cookie", &format!("rollcall={}", "A".repeat(8192)))),
        ("a cookie of other letters", stranger.with("Cookie", "rollcall=\"rcs_\u{e9} \"")),
        ("a password with each request", stranger.with("Authorization", &format!("Basic {basic}"))),
        ("the half of a sign-in", stranger.with("Cookie", &format!("rollcall={half}"))),
        ("one that passes for a session", stranger.with("Cookie", &format!("rollcall={as_a_session}"))),
        ("the half of a sign-in as a token", house.bearer(&half)),
        ("the half of a sign-in as a field", stranger.with("X-Session", &half)),
    ];
    let program = house.token("good", &SCOPES);
    for (method, at, expected) in doors(&house) {
        let expected = expected.chars().next();
        for (who, caller) in &callers {
            assert_eq!(Some(verdict(method, &knock(caller, method, &at))), expected, "{method} {at}: {who}");
        }
        // What is good in its place is not taken from an address, which stands in histories and logs.
        let secrets = format!(
            "rollcall={token}&session={token}&token={program}&access_token={program}&half={half}&user=ada&password={PASSWORD}"
        );
        let asked = format!("{at}?{}", secrets.replace(' ', "+"));
        let reply = knock(&stranger, method, &asked);
        // The API refuses what it has no parameter for before it asks who it is; an answer to HEAD does not say so.
        let said = method == Method::Head || reply.text().contains("this call has no parameter");
        let refused = reply.status == 400 && said;
        assert!(refused || Some(verdict(method, &reply)) == expected, "{method} {at}: in the address");
        assert!(
            !reply.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("Set-Cookie")),
            "{method} {at}"
        );
    }
    // It was alive all the time.
    let whole = stranger.form("/signin", &[("half", &half), ("code", &shown(&house, &secret, 0))]);
    assert_eq!((whole.status, whole.header("Location")), (303, Some("/sessions")), "{}", whole.text());
}

/// What is open to somebody of whom a second factor is demanded and who has none: what it takes to set it up, and the way out.
const BEFORE_THE_FACTOR: [&str; 11] = [
    "GET /api/v1/me",
    "GET /api/v1/me/second-factor",
    "POST /api/v1/me/second-factor",
    "PUT /api/v1/me/second-factor",
    "POST /api/v1/signout",
    "POST /api/v1/step-up",
    "GET /profile/second-factor",
    "GET /signout",
    "POST /profile/second-factor",
    "POST /signout",
    "POST /step-up",
];

/// Whether somebody is sent to set up their second factor.
fn owes_a_factor(method: Method, reply: &Reply) -> bool {
    match reply.status {
        303 => reply.header("Location") == Some("/profile/second-factor"),
        // An answer to HEAD gives no reason.
        403 => method == Method::Head || reply.text().contains("second_factor_required"),
        _ => false,
    }
}

#[test]
fn whoever_owes_a_second_factor_comes_in_nowhere_but_where_it_is_set_up() {
    let house = House::new().with_admin("ada").with_auditor("olga").with_member("mia");
    let users = ["mia", "olga", "ada"];
    let mut callers = users.map(|name| house.signed_in(name));
    let demanded = callers[2].put("/api/v1/settings/second-factor", &json!({"of": "everyone"}));
    assert_eq!(demanded.status, 200, "{}", demanded.text());
    let mut set_up_here = 0;
    for (method, at, who) in doors(&house) {
        let named = format!("{method} {at}");
        let (stranger, signed_in) = (&who[..1], &who[1..4]);
        let before = BEFORE_THE_FACTOR.contains(&named.as_str());
        set_up_here += usize::from(before);
        for (caller, user) in callers.iter().zip(users) {
            let reply = knock(caller, method, &at);
            tells_browsers(&named, &reply);
            let owes = owes_a_factor(method, &reply);
            if before {
                assert!(
                    !owes && verdict(method, &reply) == 'x',
                    "{named}: {user} is answered {}",
                    reply.status
                );
            } else if stranger == "?" && signed_in != "???" {
                // Whatever their role would open, and before that is told.
                assert!(owes, "{named}: {user} is answered {} {}", reply.status, reply.text());
            } else {
                // Like anybody: what is open to strangers, to programs, to proxies.
                assert_eq!(verdict(method, &reply).to_string(), stranger, "{named}: {user}");
            }
        }
        if at.ends_with("/signout") {
            callers = users.map(|name| house.signed_in(name));
        }
    }
    assert_eq!(set_up_here, BEFORE_THE_FACTOR.len(), "each of them is mounted");
}

#[test]
fn no_address_takes_a_change_that_was_made_on_another_site() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    let unsaid = ada.without("Sec-Fetch-Site");
    let elsewhere = [
        ("it does not say", unsaid.clone()),
        ("cross-site", ada.with("Sec-Fetch-Site", "cross-site")),
        ("same-site", ada.with("Sec-Fetch-Site", "same-site")),
        ("typed", ada.with("Sec-Fetch-Site", "none")),
        ("no origin", unsaid.with("Origin", "null")),
        ("another host", unsaid.with("Origin", "http://rollcall.test.evil.test")),
        ("another port", unsaid.with("Origin", "http://rollcall.test:81")),
        ("another scheme", unsaid.with("Origin", "https://rollcall.test")),
        ("a dot more", unsaid.with("Origin", "http://rollcall.test.")),
    ];
    let mut tried = 0;
    for (method, at, who) in doors(&house) {
        let takes_the_cookie = who.as_bytes()[3] == b'x';
        if matches!(method, Method::Get | Method::Head) || !takes_the_cookie {
            continue;
        }
        tried += 1;
        for (how, caller) in &elsewhere {
            let reply = knock(caller, method, &at);
            assert_eq!(reply.status, 403, "{how}: {method} {at}");
            let text = reply.text();
            assert!(text.contains("was not made on one of Rollcall"), "{how}: {method} {at}: {text}");
        }
    }
    assert!(tried > 40, "the changes were tried");
    // Where nobody need be signed in, a program may come in that says nothing, with a cookie that opens nothing any more too.
    let gone = house.signed_in("ada");
    assert_eq!(gone.post("/api/v1/signout", &Value::Null).status, 204);
    for program in [house.stranger().without("Sec-Fetch-Site"), gone.without("Sec-Fetch-Site")] {
        assert_eq!(program.sign_in("ada", PASSWORD).status, 200);
    }
    assert!(ada.is_in());
}

/// What an administrator finds of what can be changed, but for when it was last used.
fn kept(house: &House, ada: &Caller<'_>) -> Vec<Value> {
    let lists = ["users", "tokens", "apps", "sessions", "sessions?state=ended"];
    let mut kept: Vec<Value> = lists.iter().map(|list| ada.get(&format!("/api/v1/{list}")).ok()).collect();
    let items = kept.iter_mut().flat_map(|list| list["items"].as_array_mut().into_iter().flatten());
    for item in items {
        for moving in ["last_access", "last_used", "apps"] {
            item.as_object_mut().expect("an object").remove(moving);
        }
    }
    let settings = ada.get("/settings").text();
    let (_, retention) = settings.split_once("/settings/retention").expect("its form is on the page");
    kept.push(json!(retention.split("</form>").next()));
    // Who looks may be written down.
    let told = house
        .log("app=rollcall")
        .into_iter()
        .filter(|row| row["action"] != "search" && row["action"] != "export");
    kept.extend(told);
    kept
}

#[test]
fn no_address_changes_anything_by_being_looked_at() {
    let house = House::new().with_admin("ada").with_member("mia");
    let (ada, mia) = (house.signed_in("ada"), house.signed_in("mia"));
    let app = json!({"name": "wiki", "url": "https://wiki.example.org"});
    assert_eq!(ada.post("/api/v1/apps", &app).status, 201);
    let before = kept(&house, &ada);
    let page = ada.get("/profile").text();
    let csrf = page
        .split_once("name=\"csrf\" value=\"")
        .expect("a form")
        .1
        .split_once('"')
        .expect("its end")
        .0
        .to_owned();
    let given = format!(
        "csrf={csrf}&session={}&all=1&confirmed=1&user=mia&name=wiki&role=admin&password=another+horse+battery&_method=delete",
        mia.session()
    );
    let mut tried = 0;
    for (_, at, _) in doors(&house) {
        for name in ["mia", "wiki", "reader", &mia.session()] {
            for method in [Method::Get, Method::Head] {
                let reply = ada.send(method, &format!("{}?{given}", at.replace("<_>", name)), b"");
                assert!(reply.status < 500, "{method} {at} answers {}", reply.status);
                tried += 1;
            }
        }
    }
    assert!(tried > 1000, "{tried}");
    assert!(ada.is_in() && mia.is_in());
    assert_eq!(kept(&house, &ada), before);
}

#[test]
fn a_path_that_is_written_in_another_way_opens_no_more() {
    let house = House::new().with_admin("ada").with_member("mia");
    let (mia, stranger) = (house.signed_in("mia"), house.stranger());
    for path in [
        "//users",
        "/users/",
        "/%75sers",
        "/Users",
        "/x/../users",
        "/users%2f",
        "/./users",
        "/users;x",
        "/api/v1//users",
        "/api/v1/users/",
        "/api/v1/%75sers",
        "/api/v1/x/../users",
    ] {
        for (caller, least) in [(&mia, 403), (&stranger, 303)] {
            let reply = caller.get(path);
            assert!(reply.status >= least, "{path} answers {}", reply.status);
            assert!(!reply.text().contains("mia@") && !reply.text().contains("\"ada\""), "{path}");
        }
    }
    for nowhere in [
        "/assets/../Cargo.toml",
        "/assets/x/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/assets/x/..%2f..%2fetc/passwd",
        "/assets/x/..%5c..%5cpasswd",
        "/assets/x/a%00.css",
        "/nothing",
        "/api/v1/nothing",
    ] {
        let reply = stranger.get(nowhere);
        tells_browsers(nowhere, &reply);
        assert_eq!(reply.status, 404, "{nowhere}");
        assert!(!reply.text().contains("root:"), "{nowhere}");
    }
}

#[test]
fn beyond_this_machine_it_speaks_plain_http_only_where_told_so_and_reminds_administrators() {
    let refused = Folder::with_admin().run(&["serve", "--listen", "0.0.0.0:0"]);
    refused.refuses(2, "--insecure-http");
    let house = House::with_settings(Settings { plain: Some(Plain::Here), ..Settings::default() });
    let house = house.with_admin("ada").with_auditor("olga");
    let reminder = "this is plain HTTP beyond this machine";
    let (ada, olga) = (house.signed_in("ada"), house.signed_in("olga"));
    for page in ["/sessions", "/activity", "/settings", "/profile", "/help"] {
        assert!(ada.get(page).text().contains(reminder), "{page}");
    }
    assert!(!olga.get("/sessions").text().contains(reminder), "who can do nothing about it");
}

#[test]
fn a_proxy_that_nobody_says_speaks_tls_is_warned_of_at_the_start_and_on_pages() {
    let folder = Folder::with_admin();
    let said = folder.beside("said");
    let reminder = "Passwords and sessions may be read on their way to the proxy";
    let proxies = "trusted-proxy = [\"127.0.0.1\", \"10.0.0.2\"]\n";
    std::fs::write(folder.path().join("rollcall.toml"), proxies).unwrap();
    let server = folder.serve_saying(&said);
    assert!(server.signed_in("ada").get("/sessions").text().contains(reminder));
    server.stop();
    let lines = std::fs::read_to_string(&said).unwrap();
    assert!(lines.contains(reminder) && lines.contains("--public-url https://"), "{lines}");
}

#[test]
fn a_wrong_method_is_told_which_are_right() {
    let house = House::new();
    let stranger = house.stranger();
    for (method, path, allow) in [
        (Method::Put, "/api/v1/me", "GET, HEAD"),
        (Method::Get, "/api/v1/signout", "POST"),
        (Method::Post, "/api/v1/sessions/abc", "DELETE, GET, HEAD"),
    ] {
        let reply = stranger.send(method, path, b"");
        assert_eq!(reply.status, 405, "{method} {path}: {}", reply.text());
        assert_eq!(reply.header("Allow"), Some(allow), "{path}");
        assert_eq!(reply.json()["error"]["code"], "method_not_allowed");
    }
    assert_eq!(stranger.get("/api/v1/nothing").status, 404);
}
