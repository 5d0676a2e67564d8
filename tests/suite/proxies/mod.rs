//! Forward-auth through the proxies that people run, each set up as the manual shows: who is let in, who is not, and what the
//! app behind learns of it. All are the real ones but Traefik, for which something of our own stands in.

mod echo;
mod street;
mod traefik;

use super::{
    http::Reply,
    server::{Client, Connection},
};
use street::{Browser, Doorway, Proxy, READERS, ROLLCALL, Street, VAULT, WIKI};

/// Whether a request reached the app.
fn reached(reply: &Reply) -> bool {
    reply.status == 200 && reply.text().to_ascii_lowercase().contains("remote-user:")
}

/// Whom a client pretends to be: with a dash, which no id of a session has by chance.
const IMPOSTOR: &str = "ada-impostor";

/// What the app was told in a header, every time it was.
fn told(reply: &Reply, name: &str) -> Vec<String> {
    assert!(reached(reply), "{} {}", reply.status, reply.text());
    let text = reply.text();
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let as_read = |known: &str| known.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
    let named = lines.filter(|(known, _)| as_read(known).eq_ignore_ascii_case(name));
    named.map(|(_, value)| value.trim().to_owned()).collect()
}

fn location(reply: &Reply) -> &str {
    reply.header("Location").unwrap_or_default()
}

/// The cookies of a browser in which this user has signed in by the way of the app.
fn signed_in(street: &Street, user: &str) -> String {
    let mut browser = street.browser();
    enter(&mut browser, user);
    browser.cookies("wiki.example.org")
}

fn enter(browser: &mut Browser<'_>, user: &str) -> Reply {
    let asked = format!("{WIKI}/page?a=b&c=d");
    let (at, page) = browser.open(&asked);
    assert!(at.starts_with(&format!("{ROLLCALL}/signin?rd=")), "{at}: {}", page.text());
    assert!(page.text().contains("wiki"), "the page names the app: {}", page.text());
    let (at, reply) = browser.sign_in(&page.text(), user);
    assert_eq!(at, asked, "{}", reply.text());
    reply
}

fn who_signs_in_comes_back_to_where_they_wanted_to_go(street: &Street) {
    let mut browser = street.browser();
    let reply = enter(&mut browser, "ann");
    assert!(reply.text().starts_with("GET /page?a=b&c=d HTTP"), "{}", reply.text());
    assert_eq!(told(&reply, "Remote-User"), ["ann"]);
    assert_eq!(told(&reply, "Remote-Groups"), ["readers"]);
    assert_eq!(told(&reply, "Remote-Name"), ["%C3%84nn"]);
    assert_eq!(told(&reply, "Remote-Email").concat(), "", "it is empty, or nginx has left it out");
    assert_eq!(told(&reply, "Remote-Session").len(), 1);
    assert!(!reply.text().contains('{'), "nothing of the configuration reaches the app: {}", reply.text());
    let (at, again) = browser.open(&format!("{WIKI}/other"));
    assert!(at == format!("{WIKI}/other") && reached(&again), "{at} {}", again.text());
    assert_eq!(street.openings(), 1, "the first opening of an app is an activity, and the second is none");
}

fn a_post_goes_through_with_its_body(street: &Street, ann: &Client) {
    let reply = ann.connect().send("POST", "/form", b"three=books");
    assert!(
        reply.text().starts_with("POST /form HTTP") && reply.text().ends_with("three=books"),
        "{}",
        reply.text()
    );
    let form = ann.with("Content-Type", "application/x-www-form-urlencoded");
    let reply = form.connect().send("POST", "/form", b"three=books");
    assert!(reply.text().ends_with("three=books"), "{} {}", reply.status, street.said());
    let long = vec![b'x'; 2 << 20];
    let reply = ann.connect().send("POST", "/form", &long);
    assert!(reply.status == 200 && reply.text().ends_with(&"x".repeat(long.len())), "{}", street.said());
    let page =
        street.at_the_app("").with("Accept", "text/html").connect().send("POST", "/form", b"three=books");
    assert_eq!(page.status, 303, "{}", street.said());
    assert!(location(&page).starts_with(&format!("{ROLLCALL}/signin?rd=")), "{}", location(&page));
}

fn a_script_is_told_and_not_led_away(street: &Street, ann: &Client) {
    let kinds: [&[(&str, &str)]; 4] = [
        &[("Accept", "application/json")],
        &[("Accept", "text/html"), ("X-Requested-With", "XMLHttpRequest")],
        &[("Accept", "text/html"), ("Sec-Fetch-Mode", "cors")],
        &[("Accept", "text/event-stream")],
    ];
    for kind in kinds {
        let as_it =
            |client: Client| kind.iter().fold(client, |client, (name, value)| client.with(name, value));
        let refused = as_it(street.at_the_app("")).get("/data");
        assert_eq!(refused.refusal(), "401 not_signed_in", "{kind:?}");
        assert!(reached(&as_it(ann.clone()).get("/data")), "{kind:?}");
    }
}

fn a_socket_opens_for_who_is_signed_in_alone(street: &Street, ann: &Client) {
    let upgrading = |client: &Client| {
        let client =
            client.with("Connection", "Upgrade").with("Upgrade", "websocket").with("Accept", "text/html");
        let mut connection =
            client.with("Sec-WebSocket-Version", "13").with("Sec-WebSocket-Key", echo::KEY).connect();
        connection.ask("GET", "/socket", b"");
        let (status, _) = connection.head();
        (status, connection)
    };
    assert_eq!(upgrading(&street.at_the_app("")).0, 401);
    let (status, mut connection) = upgrading(ann);
    assert_eq!(
        (status, connection.bytes(echo::HELLO.len())),
        (101, echo::HELLO.to_vec()),
        "{}",
        street.said()
    );
}

fn who_may_not_open_the_app_is_told_so_on_a_page(street: &Street, ann: &Client) {
    let mut browser = street.browser();
    let (_, page) = browser.open(&format!("{WIKI}/page"));
    let (_, refused) = browser.sign_in(&page.text(), "bob");
    assert_eq!(refused.status, 403, "{}", street.said());
    assert!(refused.text().contains("wiki") && refused.text().contains("bob"), "{}", refused.text());
    // Bob got no further than Rollcall. Who was let in before is refused by way of the proxy.
    street.open_to("writers");
    let page = ann.with("Accept", "text/html").get("/page");
    assert_eq!(page.status, 403, "{}", street.said());
    for word in ["wiki", "ann", "writers"] {
        assert!(page.text().contains(word), "{word}: {}", page.text());
    }
    assert!(page.header("Content-Security-Policy").unwrap_or_default().contains("style-src 'sha256-"));
    assert_eq!(ann.with("Accept", "application/json").get("/data").refusal(), "403 forbidden");
    for kind in ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"] {
        for body in ["three=books", "_method=delete", ""] {
            let form = ann.with("Content-Type", kind);
            let page = form.with("Accept", "text/html").connect().send("POST", "/form", body.as_bytes());
            assert!(
                page.status == 403 && page.text().contains("writers"),
                "{kind} {body}: {} {} {}",
                page.status,
                page.text(),
                street.said()
            );
            let script = form.with("Accept", "application/json");
            let script = script.connect().send("PUT", "/data", body.as_bytes());
            assert_eq!(script.refusal(), "403 forbidden", "{kind} {body}: {}", street.said());
        }
    }
    street.open_to(READERS);
    assert!(reached(&ann.get("/page")), "the group counts at the very next request");
}

fn what_a_client_says_of_itself_is_not_believed(street: &Street, ann: &Client) {
    let claims = [
        ("Remote-User", IMPOSTOR),
        ("remote_user", IMPOSTOR),
        ("REMOTE_GROUPS", "admins"),
        ("Remote-Email", "ada-impostor@example.org"),
        ("X_Webauth_User", IMPOSTOR),
        ("X-Webauth-User", IMPOSTOR),
        ("X-Auth_Request-User", IMPOSTOR),
        ("X-Forwarded-For", "6.6.6.6"),
        ("Forwarded", "for=6.6.6.6"),
        ("X-Real-IP", "6.6.6.6"),
        ("X-Original-URL", "http://open.example.org/"),
        ("X-Forwarded-Host", "open.example.org"),
        ("X-Forwarded-Uri", "/open"),
        ("X-Forwarded-Method", "OPTIONS"),
        // As programs read them that take an underscore for a dash.
        ("X_Forwarded_For", "6.6.6.6"),
        ("X-Forwarded_For", "6.6.6.6"),
        ("X_Forwarded_Host", IMPOSTOR),
        ("X_Forwarded_Proto", IMPOSTOR),
        ("X_Real_IP", "6.6.6.6"),
        ("X_Original_URL", "http://6.6.6.6/"),
        // What apps build their addresses of.
        ("X-Forwarded-Port", IMPOSTOR),
        ("X-Forwarded-Prefix", IMPOSTOR),
        ("X-Forwarded-Server", IMPOSTOR),
        ("X-Forwarded-Scheme", IMPOSTOR),
        ("X-Forwarded-Ssl", IMPOSTOR),
        ("X-Original-Host", IMPOSTOR),
    ];
    // And whatever else there may be in a name (RFC 9110, 5.6.2): PHP reads a dot as an underscore.
    let odd = "!#$%&'*+.^_`|~".chars().flat_map(|mark| {
        ["Remote-User", "X-Forwarded-For"].map(|name| (name.replace('-', &mark.to_string()), IMPOSTOR))
    });
    let odd: Vec<(String, &str)> = odd.collect();
    let odd = odd.iter().map(|(name, value)| (name.as_str(), *value));
    let claims: Vec<(&str, &str)> = claims.into_iter().chain(odd).collect();
    let claiming =
        |client: Client| claims.iter().fold(client, |client, (name, value)| client.with(name, value));
    let reply = claiming(ann.clone()).get("/page");
    assert_eq!(told(&reply, "Remote-User"), ["ann"]);
    assert_eq!(told(&reply, "Remote-Groups"), ["readers"]);
    assert_eq!(told(&reply, "Remote-Email").concat(), "");
    assert!(!reply.text().contains("6.6.6.6") && !reply.text().contains(IMPOSTOR), "{}", reply.text());
    let page = claiming(street.at_the_app("")).with("Accept", "text/html").get("/page");
    let encoded = "http%3A%2F%2Fwiki.example.org%2Fpage";
    assert_eq!((page.status, location(&page)), (302, format!("{ROLLCALL}/signin?rd={encoded}").as_str()));
    // What is the app's own goes there.
    for own in ["X-Auth-Token", "X-Auth-Key", "Authorization"] {
        assert_eq!(told(&ann.with(own, "the app's own").get("/page"), own), ["the app's own"]);
    }
    // What Connection names is not to go further; what Rollcall says is.
    let reply = ann.with("Connection", "close, Remote-User, X-Forwarded-For").get("/page");
    assert_eq!(told(&reply, "Remote-User"), ["ann"]);
}

fn what_is_no_text_in_a_cookie_a_header_or_an_address_keeps_nobody_out(street: &Street, cookies: &str) {
    let own = format!("Cookie: {cookies}; pref=");
    let cookie = [own.as_bytes(), b"caf\xe9; theme=dark"].concat();
    let reached = |answer: &str| {
        answer.starts_with("HTTP/1.1 200 ")
            && answer.to_ascii_lowercase().contains("\r\nremote-user: ann\r\n")
    };
    let html: &[u8] = b"Accept: text/html";
    let disposition: &[u8] = b"Content-Disposition: attachment; filename=\"caf\xe9.txt\"";
    let answer = street.says_to(b"/page", &[&cookie, html, disposition]);
    assert!(reached(&answer) && answer.contains("theme=dark"), "{answer} {}", street.said());
    // An address that no browser sends is refused, or goes to the app; nobody is told that the server is broken.
    let answer = street.says_to(b"/caf\xe9", &[&cookie]);
    assert!(reached(&answer) || answer.starts_with("HTTP/1.1 400 "), "{answer} {}", street.said());
    // Nor does it stand in the way to the sign-in.
    let stranger: &[u8] = b"Cookie: pref=caf\xe9; theme=dark";
    let answer = street.says_to(b"/page", &[stranger, html]);
    assert!(
        answer.starts_with("HTTP/1.1 302 ") && answer.contains("/signin?rd="),
        "{answer} {}",
        street.said()
    );
    let answer = street.says_to(b"/.rollcall/start?rd=%2Fpage", &[stranger, html]);
    assert!(
        answer.starts_with("HTTP/1.1 303 ") && answer.contains("/auth/handover?rd="),
        "{answer} {}",
        street.said()
    );
}

fn an_app_that_is_not_registered_shows_a_page_that_needs_nothing_else(street: &Street, cookies: &str) {
    street.without_the_vault(|| {
        for cookies in [cookies, ""] {
            let page = street.at("vault.example.org", cookies).with("Accept", "text/html").get("/page");
            let text = page.text();
            assert!(page.status == 403 && text.contains("is not open yet"), "{} {text}", page.status);
            assert!(
                !text.contains("href=\"/") && !text.contains("src="),
                "it would be at the app's host: {text}"
            );
            assert!(text.contains(ROLLCALL), "{text}");
            let script =
                street.at("vault.example.org", cookies).with("Accept", "application/json").get("/data");
            assert_eq!(script.refusal(), "403 no_such_app");
        }
    });
}

fn events_come_as_they_are_sent(street: &Street, ann: &Client) {
    let listening = ann.with("Accept", "text/event-stream");
    let mut listening = listening.connect();
    listening.ask("GET", echo::EVENTS, b"");
    let (status, _) = listening.head();
    assert_eq!(status, 200, "{}", street.said());
    let mut heard = |event: &str| {
        let mut text = Vec::new();
        while !text.ends_with(b"\n\n") {
            text.extend(listening.chunk().expect("there is more"));
        }
        assert_eq!(String::from_utf8(text).unwrap(), format!("data: {event}\n\n"));
    };
    heard("first");
    assert!(reached(&ann.get(echo::SEEN)));
    heard("second");
}

fn an_app_is_judged_by_its_own_groups_whatever_host_the_client_names(street: &Street, cookies: &str) {
    let mut eve = street.browser();
    let (_, page) = eve.open(&format!("{VAULT}/secret"));
    let (at, reply) = eve.sign_in(&page.text(), "eve");
    assert_eq!(
        (at, reply.header("Answered-By")),
        (format!("{VAULT}/secret"), Some("vault")),
        "{}",
        street.said()
    );
    // Ann holds what opens the wiki.
    let names = [
        "wiki.example.org",
        "vault.example.org",
        "other.example.org",
        "wiki.example.org:81",
        "VAULT.example.org",
    ];
    for host in names {
        for path in [
            "/secret",
            "http://wiki.example.org/secret",
            "http://vault.example.org/secret",
            "http://other.example.org/secret",
        ] {
            let reply = street.at(host, cookies).get(path);
            let by = reply.header("Answered-By");
            assert_ne!(by, Some("vault"), "{host} {path}: {}", reply.text());
            if host == "wiki.example.org" && path == "/secret" {
                assert_eq!(by, Some("wiki"), "{}", street.said());
            }
            let reply = street.at_the_vaults_own_proxy(host, cookies).get(path);
            assert_eq!(
                reply.header("Answered-By"),
                None,
                "{host} {path}, by the vault's own proxy: {}",
                reply.text()
            );
        }
    }
    let own =
        street.at_the_vaults_own_proxy("vault.example.org", &eve.cookies("vault.example.org")).get("/secret");
    assert_eq!(own.header("Answered-By"), Some("vault"), "{}", own.text());
}

fn a_host_that_no_site_names_is_refused(proxy: Proxy, street: &Street, cookies: &str) {
    let refusal = match proxy {
        Proxy::Apache => 400,
        Proxy::Traefik => 404,
        Proxy::Haproxy | Proxy::Nginx | Proxy::Caddy => 421,
    };
    for host in ["other.example.org", "198.51.100.7"] {
        for path in ["/", "/.rollcall/start"] {
            for cookies in [cookies, ""] {
                let reply = street.at(host, cookies).get(path);
                assert_eq!(reply.status, refusal, "{host} {path}: {}", reply.text());
            }
        }
    }
}

/// With the most characters that a sign-in leads back to, each of which is encoded in three.
fn a_long_address_leads_to_the_sign_in_and_back(street: &Street) {
    let asked = format!("{WIKI}/?");
    let asked = asked.clone() + &"&".repeat(8192 - asked.len());
    let mut browser = street.browser();
    let (at, page) = browser.open(&asked);
    assert!(at.starts_with(&format!("{ROLLCALL}/signin?rd=")), "{} {at:.80}: {}", page.status, street.said());
    let (at, reply) = browser.sign_in(&page.text(), "ann");
    assert!(at == asked && reached(&reply), "{} {at:.80}: {}", reply.status, street.said());
}

fn an_app_is_sent_its_own_cookies_and_none_of_rollcalls(street: &Street, cookies: &str) {
    let others = "__Host-rollcall=H1; rollcall=H2; __Secure-rollcall-apps=H3";
    let own = ["theme=dark", "myrollcall=1", "a=b=c"];
    for line in [
        format!("{cookies}; {}; {others}; {}; {}", own[0], own[1], own[2]),
        format!("{}; {others}; {}; {cookies}; {}", own[0], own[1], own[2]),
        format!("{};{};{others};{}; {cookies}", own[0], own[1], own[2]),
    ] {
        let told = told(&street.at_the_app(&line).get("/page"), "Cookie").concat();
        for own in own {
            assert!(
                told.split("; ").flat_map(|part| part.split(';')).any(|pair| pair == own),
                "{own}: {told}"
            );
        }
        let pass = cookies.split_once('=').unwrap().1;
        assert!(!told.contains(pass) && !told.contains("=H"), "{told}");
    }
    // Of several lines some proxies make one.
    let lines = street.at_the_app("theme=dark").with("Cookie", &format!("{cookies}; {others}"));
    let told_of_lines = told(&lines.get("/page"), "Cookie").concat();
    assert!(
        !told_of_lines.contains(cookies.split_once('=').unwrap().1) && !told_of_lines.contains("=H"),
        "{told_of_lines}"
    );
    // None is hidden behind ever so many.
    let many = "rollcall-x=H; ".repeat(40);
    for line in [format!("{many}{cookies}"), format!("{cookies}; {many}theme=dark")] {
        let told = told(&street.at_the_app(&line).get("/page"), "Cookie").concat();
        assert!(!told.contains("=H") && !told.contains(cookies.split_once('=').unwrap().1), "{told}");
    }
}

fn the_session_shows_where_the_client_is_and_not_where_the_proxy_or_the_client_says(
    street: &Street,
    ann: &Client,
) {
    let session = told(&ann.with("X-Forwarded-For", "6.6.6.6").get("/page"), "Remote-Session").remove(0);
    let row = street.session(&session);
    assert_eq!((&row["ip"], &row["apps"]), (&"127.0.0.1".into(), &["wiki"].as_slice().into()));
}

fn a_logout_is_seen_by_the_very_next_request(street: &Street, cookies: &str) {
    let mut kept = street.at_the_app(cookies).connect();
    assert!(reached(&kept.send("GET", "/before", b"")));
    street.log_out("ann");
    let next: Reply = Connection::send(&mut kept, "GET", "/after", b"");
    assert_eq!(next.status, 401, "{}", next.text());
}

fn without_rollcall_nobody_comes_in(street: Street, cookies: &str) {
    let ann = street.at_the_app(cookies);
    let Street { server, .. } = &street;
    let killed = std::process::Command::new("kill").args(["-KILL", &server.process().to_string()]).status();
    assert!(killed.unwrap().success());
    for client in [ann, street.at_the_app("")] {
        let reply = client.with("Accept", "text/html").get("/page");
        assert!(reply.status >= 500, "{} {}", reply.status, reply.text());
    }
}

/// Every family of headers reaches the app that is set to it, and what a client says by their names does not.
fn an_app_is_told_by_the_names_it_is_set_to(proxy: Proxy) {
    for (family, headers) in [
        (
            "x-auth-request",
            [
                "X-Auth-Request-User",
                "X-Auth-Request-Preferred-Username",
                "X-Auth-Request-Email",
                "X-Auth-Request-Groups",
            ],
        ),
        (
            "x-forwarded",
            ["X-Forwarded-User", "X-Forwarded-Preferred-Username", "X-Forwarded-Email", "X-Forwarded-Groups"],
        ),
        ("x-webauth", ["X-Webauth-User", "X-Webauth-Name", "X-Webauth-Email", "X-Webauth-Groups"]),
    ] {
        let Some(street) = Street::telling(proxy, family) else { return };
        let ann = street.at_the_app(&signed_in(&street, "ann"));
        let claiming = headers.iter().fold(ann, |client, name| client.with(name, IMPOSTOR));
        let reply = claiming.get("/page");
        let [user, second, email, groups] = headers.map(|name| told(&reply, name).concat());
        let second_is = if family == "x-webauth" { "%C3%84nn" } else { "ann" };
        assert_eq!(
            [user.as_str(), &second, &email, &groups],
            ["ann", second_is, "", "readers"],
            "{family}: {}",
            reply.text()
        );
        assert_eq!(told(&reply, "Remote-User"), ["ann"]);
        assert!(!reply.text().contains(IMPOSTOR), "{}", reply.text());
    }
}

/// Rollcall's own address is led through the proxy too: everything that people and programs do there.
fn rollcall_itself_is_reached_through_it(proxy: Proxy, street: &Street) {
    let mut browser = street.browser();
    let (_, page) = browser.open(&format!("{ROLLCALL}/signin"));
    let (at, page) = browser.sign_in(&page.text(), "ada");
    assert_eq!((at, page.status), (format!("{ROLLCALL}/sessions"), 200), "{}", street.said());
    let host = ROLLCALL.strip_prefix("http://").unwrap();
    let cookies = browser.cookies(host);
    let ada = street.at(host, &cookies).with("Origin", ROLLCALL);
    // What a client says of where it comes from is not believed, nor does anybody ask through it who may pass to an app.
    let claims = [("X-Forwarded-For", "6.6.6.6"), ("Forwarded", "for=6.6.6.6"), ("X-Real-IP", "6.6.6.6")];
    let claiming = claims.iter().fold(ada.clone(), |client, (name, value)| client.with(name, value));
    let me = claiming.get("/api/v1/me").ok();
    let session = street.session(me["session"]["id"].as_str().unwrap());
    assert_eq!(session["ip"], "127.0.0.1", "{me}");
    if !matches!(proxy, Proxy::Traefik) {
        let spellings = ["", "/", "//"].into_iter().flat_map(|end| {
            ["/auth/forward", "/auth/nginx", "/auth//forward", "/auth/%66orward", "//auth/%6eginx"]
                .map(|path| format!("{path}{end}"))
        });
        for path in spellings {
            let asked = ada.with("X-Forwarded-Proto", "http").with("X-Forwarded-Host", "wiki.example.org");
            let asked = asked.with("X-Forwarded-Uri", "/").with("X-Original-URL", "http://wiki.example.org/");
            let reply = asked.get(&path);
            assert_eq!(reply.status, 404, "{path}: {}", reply.text());
        }
        // A stream says at once what happens.
        let mut stream = ada.with("Accept", "text/event-stream").connect();
        stream.ask("GET", "/api/v1/sessions/stream", b"");
        assert_eq!(stream.head().0, 200, "{}", street.said());
        let mut told = Vec::new();
        let mut hears = |what: &str| {
            while !String::from_utf8_lossy(&told).contains(what) {
                told.extend(stream.chunk().expect("there is more"));
            }
        };
        hears("connected");
        signed_in(street, "ann");
        hears("event:session");
    }
    // What shippers send is long, and is taken whole; and a download comes as it is.
    let line = |n: u32| format!(r#"{{"user":"ann","action":"tick","id":"{n}","detail":"{n:0100}"}}"#);
    let lines = (0..20_000).map(line).collect::<Vec<_>>().join("\n");
    let shipper = street.at(host, "").with("Authorization", &format!("Bearer {}", street.token()));
    let sent = shipper.with("Content-Type", "application/x-ndjson");
    let sent = sent.connect().send("POST", "/api/v1/activity", lines.as_bytes());
    assert_eq!(sent.ok()["accepted"], 20_000, "{} {}", sent.text(), street.said());
    let found = "/api/v1/activity?action=tick&limit=1";
    ada.get_until(found, |reply| {
        reply.json()["total"] == serde_json::json!({"value": 20_000, "exact": true})
    });
    // What stands in for Traefik knows no answers in pieces.
    if !matches!(proxy, Proxy::Traefik) {
        let csv = ada.get("/api/v1/activity.csv?action=tick");
        assert_eq!(csv.text().lines().count(), 20_001, "{}", street.said());
    }
    let out = ada.post("/api/v1/sessions/logout", &serde_json::json!({"sessions": [session["id"]]}));
    assert_eq!((out.status, ada.get("/api/v1/me").status), (200, 401), "{}", out.text());
}

fn holds(proxy: Proxy) {
    let Some(street) = Street::with(proxy) else { return };
    who_signs_in_comes_back_to_where_they_wanted_to_go(&street);
    let cookies = signed_in(&street, "ann");
    let ann = street.at_the_app(&cookies);
    a_post_goes_through_with_its_body(&street, &ann);
    a_script_is_told_and_not_led_away(&street, &ann);
    a_socket_opens_for_who_is_signed_in_alone(&street, &ann);
    who_may_not_open_the_app_is_told_so_on_a_page(&street, &ann);
    what_a_client_says_of_itself_is_not_believed(&street, &ann);
    an_app_that_is_not_registered_shows_a_page_that_needs_nothing_else(&street, &cookies);
    an_app_is_judged_by_its_own_groups_whatever_host_the_client_names(&street, &cookies);
    a_host_that_no_site_names_is_refused(proxy, &street, &cookies);
    a_long_address_leads_to_the_sign_in_and_back(&street);
    rollcall_itself_is_reached_through_it(proxy, &street);
    // Traefik takes away no single cookie, as the manual says, and what does as it says hands on what is whole.
    if !matches!(proxy, Proxy::Traefik) {
        what_is_no_text_in_a_cookie_a_header_or_an_address_keeps_nobody_out(&street, &cookies);
        events_come_as_they_are_sent(&street, &ann);
        an_app_is_sent_its_own_cookies_and_none_of_rollcalls(&street, &cookies);
    }
    the_session_shows_where_the_client_is_and_not_where_the_proxy_or_the_client_says(&street, &ann);
    a_logout_is_seen_by_the_very_next_request(&street, &cookies);
    without_rollcall_nobody_comes_in(street, &cookies);
    an_app_is_told_by_the_names_it_is_set_to(proxy);
}

#[test]
fn haproxy_lets_in_whom_rollcall_lets_in() {
    holds(Proxy::Haproxy);
}

#[test]
fn apache_lets_in_whom_rollcall_lets_in() {
    holds(Proxy::Apache);
}

#[test]
fn nginx_lets_in_whom_rollcall_lets_in() {
    holds(Proxy::Nginx);
}

#[test]
fn caddy_lets_in_whom_rollcall_lets_in() {
    holds(Proxy::Caddy);
}

/// Traefik itself is not run, but what stands in for it: see there.
#[test]
fn what_does_as_traefik_is_said_to_do_lets_in_whom_rollcall_lets_in() {
    holds(Proxy::Traefik);
}

#[test]
fn caddy_refuses_what_it_has_no_site_for_and_leads_to_tls_whoever_asks_for_one_it_has() {
    let Some(caddy) = Doorway::of_caddy_with_certificates() else { return };
    let led = caddy.answer("wiki.example.org");
    assert!(
        led.starts_with("HTTP/1.1 308 ") && led.contains("\r\nLocation: https://wiki.example.org/page\r\n"),
        "{led}"
    );
    let refused = caddy.answer("other.example.org");
    assert!(refused.starts_with("HTTP/1.1 421 "), "{refused}");
}
