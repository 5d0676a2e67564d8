//! What a request may carry, and from whose pages it may come.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use rocket::http::Method;
use rollcall::model::user::{Actor, ActorKind};
use serde_json::{Value, json};

use super::{
    house::{Caller, House, PASSWORD},
    server::Folder,
};

fn call(caller: &Caller<'_>, method: Method, path: &str, body: &Value) -> String {
    let path = format!("/api/v1{path}");
    let caller = caller.with("Content-Type", "application/json");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    caller.send(method, &path, body.as_bytes()).refusal()
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
            let refusal = call(caller, *method, &path.replace("MIAS", &mias), body);
            assert_eq!(refusal, "403 cross_site", "{how}: {method} {path}");
        }
        let form = caller.form("/sessions/logout", &[("all", "1"), ("confirmed", "1")]);
        assert_eq!(form.status, 403, "{how}");
    }
    assert!(ada.is_in() && mia.is_in());
    assert_eq!(house.log("").len(), before, "nothing was done");
    let here = unsaid.with("Origin", "http://rollcall.test");
    let asked = here.post("/api/v1/sessions/logout", &json!({"sessions": []}));
    assert_eq!(asked.status, 200, "an older browser on our own page");
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
fn whoever_is_nobody_yet_sends_little_and_all_that_a_sign_in_takes_fits() {
    let house = House::new().with_admin("ada");
    let stranger = house.stranger();
    let large = "x".repeat(32 << 10);
    for path in ["/api/v1/signin", "/api/v1/signin/passkey"] {
        let json = stranger.with("Content-Type", "application/json");
        assert_eq!(json.send(Method::Post, path, large.as_bytes()).status, 400, "{path}: it is no JSON");
        let more = format!("{large}x");
        assert_eq!(json.send(Method::Post, path, more.as_bytes()).refusal(), "413 too_large", "{path}");
    }
    for path in ["/signin", "/setup"] {
        assert_eq!(stranger.bare_form(path, &format!("user={large}")).status, 413, "{path}");
    }
    // The longest way back, each byte of it in three, and a password of which no byte is less.
    let (next, password) = (format!("/sessions?x={}", "+".repeat(8180)), "+".repeat(1024));
    let wrong = stranger.form("/signin", &[("user", "ada"), ("password", &password), ("next", &next)]);
    assert_eq!(wrong.status, 401, "{}", wrong.text());
    let right = stranger.form("/signin", &[("user", "ada"), ("password", PASSWORD), ("next", &next)]);
    assert_eq!((right.status, right.header("Location")), (303, Some(next.as_str())));
}

#[test]
fn a_form_cannot_pretend_to_be_another_method() {
    let house = House::new().with_admin("ada").with_member("mia");
    let ada = house.signed_in("ada");
    let reply = ada.bare_form("/api/v1/users/mia", "_method=delete");
    assert_ne!(reply.status, 204);
    assert_ne!(
        ada.bare_form("/api/v1/users/mia", "_method=get").status,
        200,
        "it is posted, and not looked at"
    );
    assert_eq!(ada.get("/api/v1/users/mia").status, 200, "mia is still there");
}

#[test]
fn a_form_leaves_every_other_request_its_method() {
    let house = House::new().with_admin("ada").with_member("mia");
    let ada = house.signed_in("ada");
    assert_eq!(
        ada.post("/api/v1/apps", &json!({"name": "wiki", "url": "https://wiki.example.org"})).status,
        201
    );
    let form = ada.with("Content-Type", "application/x-www-form-urlencoded");
    for body in [
        "a=b",
        "{\"url\":\"https://wiki.example.org\"}",
        "_Method=delete",
        "%5Fmethod=delete",
        "_method=options",
    ] {
        let body = body.as_bytes();
        assert_eq!(form.send(Method::Get, "/api/v1/users/mia", body).status, 200);
        let hook = form.send(Method::Put, "/api/v1/apps/wiki/hook", body);
        assert_eq!(hook.refusal(), "415 unsupported_media_type");
        assert!(hook.text().contains("this takes Content-Type: application/json"), "{}", hook.text());
        assert_eq!(form.send(Method::Post, "/api/v1/users/mia", body).status, 405, "it is posted");
    }
    assert_eq!(form.send(Method::Delete, "/api/v1/apps/wiki", b"a=b").status, 204);
}

/// Questions that would cost more than any answer is worth.
fn dear_questions() -> Vec<(&'static str, String)> {
    let words = |count: usize, word: &str| vec![word; count].join(" ");
    vec![
        ("a long phrase", format!("\"{}\"", words(17, "a"))),
        ("a phrase of five thousand words", format!("\"{}\"", words(5000, "a"))),
        ("too many words", words(33, "a")),
        ("twenty thousand alternatives", words(20_000, "a OR b")),
        ("five thousand denials", words(5000, "NOT a")),
        ("too deep", format!("{}a{}", "(".repeat(9), ")".repeat(9))),
        ("deep enough to break a stack", "(".repeat(100_000)),
        ("too many letters", "a".repeat(513)),
    ]
}

#[test]
fn a_question_that_costs_too_much_is_refused_at_every_door() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    for (what, question) in dear_questions() {
        let asked: String = form_urlencoded::byte_serialize(question.as_bytes()).collect();
        for at in [
            "/api/v1/activity?",
            "/api/v1/activity/histogram?",
            "/api/v1/activity/facets?field=user&",
            "/api/v1/activity/facets?field=user&prefix=a&",
            "/api/v1/activity.csv?",
            "/api/v1/activity.ndjson?",
            "/api/v1/activity/stream?",
        ] {
            let reply = ada.get(&format!("{at}q={asked}"));
            assert_eq!(reply.refusal(), "400 bad_field q", "{what}: {at}");
        }
        assert_eq!(
            ada.send(Method::Head, &format!("/api/v1/activity.csv?q={asked}"), b"").status,
            400,
            "{what}"
        );
        let page = ada.get(&format!("/activity?q={asked}"));
        assert!(
            page.text().contains("class=\"error\"") && !page.text().contains("<tr data-id"),
            "{what}: {}",
            page.text()
        );
        assert_eq!(ada.get(&format!("/activity/stream?q={asked}")).status, 400, "{what}");
    }
    assert_eq!(house.log("action=export").len(), 0, "nothing was begun");
}

#[test]
fn what_a_call_does_not_ask_for_is_refused_and_changes_nothing() {
    let house = House::new().with_admin("ada").with_member("mia");
    let (ada, mia) = (house.signed_in("ada"), house.signed_in("mia"));
    let before = ada.get("/api/v1/users").ok();
    let own = json!({"current": PASSWORD, "password": "another horse battery staple"});
    for (name, value) in [
        ("role", json!("admin")),
        ("user", json!("ada")),
        ("user_id", json!("ada")),
        ("groups", json!(["admins"])),
        ("mfa", json!(true)),
    ] {
        let mut body = own.clone();
        body[name] = value;
        let refused = mia.post("/api/v1/me/password", &body);
        assert_eq!(refused.refusal(), "400 bad_request", "{body}");
        let message = refused.json()["error"]["message"].as_str().unwrap().to_owned();
        assert_eq!(message, format!("there is no field {name} here, but current and password"));
    }
    for (method, path, body) in [
        (Method::Patch, "/users/mia", json!({"user": "eve", "full_name": "Mia"})),
        (Method::Patch, "/users/mia", json!({"rol": "auditor"})),
        (Method::Patch, "/users/mia", json!({"second_factor": true})),
        (Method::Post, "/tokens", json!({"name": "t", "scopes": ["metrics"], "token": "rct_mine"})),
        (Method::Post, "/apps", json!({"name": "a", "url": "https://a.test", "group": ["staff"]})),
        (Method::Post, "/users", json!({"user": "eve", "password": PASSWORD, "is_admin": true})),
    ] {
        assert_eq!(call(&ada, method, path, &body), "400 bad_request", "{path} {body}");
    }
    assert!(ada.is_in() && mia.is_in());
    assert_eq!(ada.get("/api/v1/users").ok(), before);
    assert_eq!(ada.get("/api/v1/tokens").ok()["items"].as_array().unwrap().len(), 1, "the reader of the log");
    assert_eq!(ada.get("/api/v1/apps").ok()["total"], 0);
}

#[test]
fn what_is_wrong_with_a_body_is_said_by_its_field_and_never_in_our_types() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    let said = |path: &str, body: &str| {
        let reply = ada.with("Content-Type", "application/json").send(Method::Post, path, body.as_bytes());
        assert_eq!(reply.status, 400, "{path} {body}");
        let error = reply.json()["error"].take();
        format!("{}: {}", error["field"].as_str().unwrap_or("-"), error["message"].as_str().unwrap())
    };
    for (path, body, expected) in [
        ("/api/v1/users", "[]", "-: the body is a JSON object"),
        ("/api/v1/users", r#"{"user":7}"#, "user: user is a string"),
        ("/api/v1/users", r#"{"user":"eve"}"#, "password: password is missing"),
        ("/api/v1/sessions/logout", r#"{"all":1}"#, "all: all is true or false"),
        ("/api/v1/sessions/logout", r#"{"all":true,"all":false}"#, "-: all stands twice; name it once"),
        (
            "/api/v1/tokens",
            r#"{"name":"t","scopes":[1]}"#,
            "scopes: scopes is a list, and each in it a string",
        ),
    ] {
        assert_eq!(said(path, body), expected);
    }
    for (path, body) in [
        ("/api/v1/users", "{"),
        ("/api/v1/signin/passkey", r#"{"token":"t","credential":7}"#),
        ("/api/v1/me/passkeys", r#"{"token":"t","name":"n"}"#),
    ] {
        let reply = ada.with("Content-Type", "application/json").send(Method::Post, path, body.as_bytes());
        for jargon in ["struct", "invalid type", "expected", "u64", "sequence"] {
            assert!(!reply.text().contains(jargon), "{path}: {}", reply.text());
        }
    }
}

#[test]
fn nobody_has_an_account_before_somebody_made_one() {
    let house = House::new();
    for (user, password) in [
        ("admin", "admin"),
        ("root", "root"),
        ("root", ""),
        ("admin", "password"),
        ("rollcall", "rollcall"),
        ("", ""),
    ] {
        let reply = house.stranger().sign_in(user, password);
        assert_eq!(reply.refusal(), "401 refused", "{user}");
    }
    assert!(house.app.users().is_empty());
}

#[test]
fn what_unpacks_to_more_than_is_held_is_refused_and_nothing_of_it_is_kept() {
    let house = House::new();
    let program = house.program("bomb", &["activity:write"]).with("Content-Type", "application/json");
    let record = br#"[{"user":"ann","action":"bomb"}]"#;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let blank = vec![b' '; 1 << 20];
    for _ in 0..64 {
        gzip.write_all(&blank).unwrap();
    }
    gzip.write_all(record).unwrap();
    let packed = gzip.finish().unwrap();
    assert!(packed.len() < 1 << 20, "it is small on its way");
    let zstd = zstd::encode_all([blank.repeat(64).as_slice(), record].concat().as_slice(), 1).unwrap();
    let mut twice = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    twice.write_all(&packed).unwrap();
    let twice = twice.finish().unwrap();
    let send = |coding: &str, body: &[u8]| {
        program.with("Content-Encoding", coding).send(Method::Post, "/api/v1/activity", body)
    };
    assert_eq!(send("gzip", &packed).refusal(), "413 too_large");
    assert_eq!(send("zstd", &zstd).refusal(), "413 too_large");
    assert_eq!(send("gzip, gzip", &twice).refusal(), "415 unsupported_media_type");
    assert_eq!(send("gzip", &twice).status, 400, "it is unpacked once");
    let mut small = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    small.write_all(record).unwrap();
    let small = small.finish().unwrap();
    assert_eq!(send("gzip", &small[..small.len() - 9]).status, 400, "it breaks off");
    let mut wrong = small.clone();
    let sum = small.len() - 8;
    wrong[sum] ^= 1;
    assert_eq!(send("gzip", &wrong).status, 400, "its sum is another");
    // A frame of zstd that wants two gigabytes to be unpacked in, by its third byte behind the magic number, and one block as it is.
    let block = u32::try_from(record.len()).unwrap() << 3 | 1;
    let wide = [&[0x28, 0xb5, 0x2f, 0xfd, 0, (31 - 10) << 3], &block.to_le_bytes()[..3], record].concat();
    assert_eq!(send("zstd", &wide).status, 400, "it takes more memory than anybody has for it");
    let plain = program.send(Method::Post, "/api/v1/activity", &blank.repeat(33));
    assert_eq!(plain.refusal(), "413 too_large");
    assert_eq!(house.log("action=bomb").len(), 0);
}

/// A program of this name.
fn named(name: &str) -> Actor {
    Actor { name: name.to_owned(), kind: ActorKind::Token, ..Actor::console() }
}

#[test]
fn who_sends_many_searches_leaves_half_of_the_turns_to_others() {
    let house = House::new().with_admin("ada");
    let (many, few) = (house.program("many", &["activity:read"]), house.program("few", &["activity:read"]));
    house.caught_up();
    let mut running = Vec::new();
    while let Ok(turn) = house.wait(house.app.turn_to_search(&named("token many"))) {
        running.push(turn);
        assert!(running.len() < 1000, "there is no end to them");
    }
    assert!(!running.is_empty());
    for path in ["/api/v1/activity", "/api/v1/activity/histogram", "/api/v1/activity.csv"] {
        assert_eq!(many.get(path).refusal(), "503 busy", "{path}");
        assert_eq!(few.get(path).status, 200, "{path}");
    }
    assert_eq!(house.signed_in("ada").get("/activity").status, 200);
    running.pop();
    assert_eq!(many.get("/api/v1/activity").status, 200);
}

#[test]
fn so_many_searches_run_at_once_and_nobody_else_waits_for_them() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    house.caught_up();
    // Searches that take long; each has its turn until it ends, whether or not anybody still waits for it.
    let mut running = Vec::new();
    for who in ["ann", "bob"].map(named) {
        while let Ok(turn) = house.wait(house.app.turn_to_search(&who)) {
            running.push(turn);
            assert!(running.len() < 1000, "there is no end to them");
        }
    }
    let doors = [
        "/api/v1/activity",
        "/api/v1/activity/histogram",
        "/api/v1/activity/facets?field=user",
        "/api/v1/activity.csv",
    ];
    std::thread::scope(|scope| {
        let asked = doors.map(|path| scope.spawn(|| ada.get(path)));
        // Meanwhile everybody else goes on.
        assert_eq!(house.stranger().sign_in("ada", PASSWORD).status, 200);
        assert!(ada.is_in());
        assert_eq!(ada.get("/api/v1/sessions").status, 200);
        for reply in asked.map(|asked| asked.join().unwrap()) {
            assert_eq!(reply.refusal(), "503 busy");
            assert_eq!(reply.header("Retry-After"), Some("5"));
        }
    });
    assert_eq!(ada.get("/activity").status, 503);
    let page = ada.get("/activity?q=%28");
    assert_eq!(page.status, 400, "who can be chosen is not waited for");
    assert!(page.text().contains("<option value=\"ada\">"), "{}", page.text());
    running.pop();
    for path in doors {
        assert_eq!(ada.get(path).status, 200, "{path}");
    }
    assert_eq!(ada.get("/activity").status, 200);
}

/// What the server at `address` answers to a request with this head.
fn answer(address: &str, head: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[test]
fn a_request_names_its_host_once() {
    let folder = Folder::with_admin();
    let server = folder.serve();
    let host = server.address().to_owned();
    let status = |head: &str| answer(&host, head).split(' ').nth(1).unwrap_or_default().to_owned();
    for path in ["/signin", "/api/v1/me", "/auth/forward", "/no-such-page"] {
        assert_eq!(status(&format!("GET {path} HTTP/1.1\r\n")), "400", "{path} without a host");
        let two = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nHost: evil.test\r\n");
        assert_eq!(status(&two), "400", "{path} with two hosts");
    }
    assert_eq!(status(&format!("GET /signin HTTP/1.1\r\nHost: {host}\r\n")), "200");
    assert_eq!(status("GET /healthz HTTP/1.0\r\n"), "200");
    assert_eq!(status(&format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n")), "400");
}

/// The library that reads requests answers these itself, before there is anything that headers could be set on.
#[test]
fn what_is_no_request_is_refused_with_nothing_in_it_and_the_connection_closed() {
    let folder = Folder::new();
    let server = folder.serve();
    let long = format!("GET /{} HTTP/1.1\r\nHost: rollcall\r\n", "a".repeat(1 << 16));
    let many = format!("GET / HTTP/1.1\r\nHost: rollcall\r\n{}", "X-Y: z\r\n".repeat(100));
    for (head, status) in [
        (long.as_str(), "414"),
        (&many, "431"),
        ("GET / HTTP/9.9\r\nHost: rollcall\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: rollcall\r\nX Y: z\r\n", "400"),
        ("POST / HTTP/1.1\r\nHost: rollcall\r\nContent-Length: 1\r\nContent-Length: 2\r\n", "400"),
        ("\u{1}\r\n", "400"),
    ] {
        let answer = answer(server.address(), head);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{status}: {answer:?}"));
        let mut lines = head.lines();
        assert_eq!(lines.next().unwrap().split(' ').nth(1), Some(status), "{answer}");
        assert_eq!(body, "", "{status}");
        let mut names: Vec<&str> = lines.map(|line| line.split_once(':').unwrap().0).collect();
        names.sort_unstable();
        assert_eq!(names, ["connection", "content-length", "date"], "{status}");
    }
}

#[test]
fn nobody_fills_the_servers_log_by_being_refused() {
    let folder = Folder::with_admin();
    let file = folder.path().join("said");
    let server = folder.serve_saying(&file);
    let nobody = server.bearer("rct_none");
    for path in
        ["/auth/nginx", "/auth/forward", "/auth/denied", "/es", "/.rollcall/start", "/metrics", "/none"]
    {
        assert!(nobody.get(path).status >= 400, "{path}");
    }
    for path in
        ["/es/_bulk", "/v1/logs", "/api/v1/activity", "/api/v1/tokens", "/settings/retention", "/tokens/add"]
    {
        assert!(nobody.post(path, &json!({})).status >= 400, "{path}");
    }
    nobody.get("/api/v1/openapi.json?x=y");
    assert_eq!(server.stop(), Some(0));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "");
}

#[test]
fn a_request_in_the_name_of_another_site_is_sent_to_the_public_address() {
    let folder = Folder::with_admin();
    let token = folder.run(&["token", "add", "shipper", "--scope", "activity:read"]).ok().trim().to_owned();
    let server = folder.serve_as(&["--public-url", "https://rollcall.example.org"]);
    let ask = |path: &str, host: &str, more: &str| {
        answer(server.address(), &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}"))
    };
    let status =
        |path: &str, host: &str| ask(path, host, "").split(' ').nth(1).unwrap_or_default().to_owned();
    for host in ["evil.test", "evil.test:8080", "rollcall.example.org.evil.test", "127.0.0.1.evil.test"] {
        for path in ["/", "/signin", "/setup", "/api/v1/me", "/api/v1/openapi.json", "/metrics", "/none"] {
            assert_eq!(status(path, host), "421", "{path} at {host}");
        }
    }
    let told = ask("/api/v1/me", "evil.test", "");
    assert!(
        told.contains(r#""code":"other_host""#) && told.contains("https://rollcall.example.org"),
        "{told}"
    );
    assert!(ask("/signin", "evil.test", "").contains("Rollcall is at https://rollcall.example.org"));
    let port = server.address().split(':').nth(1).unwrap();
    for host in [
        "rollcall.example.org",
        "ROLLCALL.example.org.:443",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "rollcall.localhost",
    ] {
        assert_eq!(status("/signin", host), "200", "{host}");
    }
    assert_eq!(status("/metrics", &format!("localhost:{port}")), "200");
    // Who looks whether we live, who asks for an app, and who shows a token need not know the address.
    assert_eq!((status("/healthz", "rollcall"), status("/readyz", "rollcall")), ("200".into(), "200".into()));
    assert_eq!(
        (status("/auth/nginx", "wiki.test"), status("/.rollcall/start", "wiki.test")),
        ("403".into(), "403".into())
    );
    let shown = format!("Authorization: Bearer {token}\r\n");
    assert!(ask("/api/v1/activity?limit=1", "rollcall:8080", &shown).starts_with("HTTP/1.1 200"));
    // Any page can send another word in the place of a token, and one that works no more is another word.
    folder.run(&["token", "revoke", "shipper"]).ok();
    let nobodys = format!("Authorization: Bearer {}\r\n", token.replace("rct_", "rct_A"));
    for other in ["Authorization: x\r\n", "Authorization: Basic YTpi\r\n", &nobodys, &shown] {
        assert!(ask("/signin", "evil.test", other).starts_with("HTTP/1.1 421"), "{other}");
    }
    drop(server);
    let behind =
        folder.serve_as(&["--public-url", "https://rollcall.example.org", "--trusted-proxy", "127.0.0.1"]);
    assert!(
        answer(behind.address(), "GET /signin HTTP/1.1\r\nHost: upstream\r\n").starts_with("HTTP/1.1 200")
    );
}
