//! Forward-auth, as proxies ask: what passes, what is led to the sign-in, and whom nobody believes.

mod apps;
mod handover;
mod pages;

use rocket::http::Method;
use rollcall::web::door::{Networks, Settings};
use serde_json::json;

use super::{
    house::{Caller, House},
    http::{Reply, each},
    server::{Client, Folder},
};

const PROXY: &str = "10.0.0.2";
const PUBLIC: &str = "https://rollcall.example.org";
const DENIED: &str = "is not open to you";

/// Rollcall behind a proxy, with the wiki for everybody, the vault for the staff, and the shop on a domain of its own. Ann is
/// a member, in no group.
fn house() -> House {
    let settings = Settings {
        public_url: Some(PUBLIC.to_owned()),
        secure: true,
        trusted_proxies: Networks([Networks::parse(PROXY).unwrap()].to_vec()),
        cookie_domain: Some("example.org".to_owned()),
        ..Settings::default()
    };
    let house = House::with_settings(settings).with_admin("ada").with_member("ann");
    let ada = house.signed_in("ada");
    for app in [
        json!({"name": "wiki", "url": "https://wiki.example.org"}),
        json!({"name": "vault", "url": "https://vault.example.org:8443", "groups": ["staff"]}),
        json!({"name": "shop", "url": "https://shop.example.com", "headers": "x-webauth"}),
    ] {
        assert_eq!(ada.post("/api/v1/apps", &app).status, 201);
    }
    house
}

/// What a proxy in front of an app passes on of a browser's request.
fn proxied<'h>(browser: &Caller<'h>, address: &str) -> Caller<'h> {
    let (scheme, behind) = address.split_once("://").unwrap();
    let (host, path) = behind.split_once('/').unwrap_or((behind, ""));
    browser
        .at(PROXY)
        .with("Accept", "text/html,*/*")
        .with("X-Forwarded-For", "81.2.69.142")
        .with("X-Forwarded-Method", "GET")
        .with("X-Forwarded-Proto", scheme)
        .with("X-Forwarded-Host", host)
        .with("X-Forwarded-Uri", &format!("/{path}"))
}

fn ask(browser: &Caller<'_>, address: &str) -> Reply {
    proxied(browser, address).get("/auth/forward")
}

fn location(reply: &Reply) -> &str {
    reply.header("Location").expect("it leads somewhere")
}

/// What a browser keeps of an answer's cookies: `name=value` of each.
fn cookies(reply: &Reply) -> Vec<String> {
    let lines = reply.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("Set-Cookie"));
    lines.map(|(_, line)| line.split(';').next().unwrap().to_owned()).collect()
}

#[test]
fn a_request_passes_with_every_identity_header_and_opens_the_app_once() {
    let house = house();
    let ann = house.signed_in("ann");
    for _ in 0..3 {
        let reply = ask(&ann, "https://wiki.example.org/page?a=b");
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.header("Remote-User"), Some("ann"));
        assert_eq!(reply.header("Remote-Session"), Some(ann.session().as_str()));
        for empty in ["Remote-Groups", "Remote-Name", "Remote-Email"] {
            assert_eq!(reply.header(empty), Some(""), "{empty} is set, and empty");
        }
    }
    let opened = house.log("q=action:app-opened");
    assert_eq!(each(&opened, "target"), ["wiki"]);
    assert_eq!(each(&opened, "session"), [ann.session()]);
    let session = ann.get(&format!("/api/v1/sessions/{}", ann.session())).ok();
    assert_eq!(session["apps"], json!(["wiki"]));
}

#[test]
fn identity_is_told_in_the_family_that_the_app_is_set_to_and_may_be_in_any_script() {
    let house = house();
    let ada = house.signed_in("ada");
    let change =
        json!({"full_name": "Anna Müller", "email": "ann@example.org", "groups": ["staff", "küche"]});
    assert_eq!(ada.patch("/api/v1/users/ann", &change).status, 200);
    let ann = house.signed_in("ann");
    let reply = proxied(&ann, "https://shop.example.com/").get("/auth/forward");
    assert_eq!(reply.status, 200);
    for (name, value) in [
        ("X-WEBAUTH-USER", "ann"),
        ("X-WEBAUTH-NAME", "Anna M%C3%BCller"),
        ("X-WEBAUTH-EMAIL", "ann@example.org"),
        ("X-WEBAUTH-GROUPS", "staff,k%C3%BCche"),
        ("Remote-Groups", "staff,k%C3%BCche"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name}");
    }
}

#[test]
fn whoever_is_not_signed_in_is_led_to_the_sign_in_if_a_page_was_asked_for() {
    let house = house();
    let stranger = house.stranger().without("Sec-Fetch-Site");
    let asked = proxied(&stranger, "https://wiki.example.org/page?a=b");
    let page = "https://rollcall.example.org/signin?rd=https%3A%2F%2Fwiki.example.org%2Fpage%3Fa%3Db";
    let reply = asked.get("/auth/forward");
    assert_eq!((reply.status, location(&reply)), (302, page));
    let reply = asked.with("X-Forwarded-Method", "POST").get("/auth/forward");
    assert_eq!((reply.status, location(&reply)), (303, page));
    assert_eq!(asked.send(Method::Head, "/auth/forward", b"").status, 302);
    for (name, value) in [
        ("Accept", "application/json"),
        ("Accept", "text/event-stream"),
        ("Accept", "*/*"),
        ("X-Requested-With", "XMLHttpRequest"),
        ("Upgrade", "websocket"),
        // Of a socket this is left where a proxy keeps to itself what is between it and the client.
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-Fetch-Mode", "cors"),
    ] {
        let reply = asked.with(name, value).get("/auth/forward");
        assert_eq!(reply.refusal(), "401 not_signed_in", "{name}: {value}");
    }
    let reply = asked.without("Accept").get("/auth/forward");
    assert_eq!(reply.refusal(), "401 not_signed_in");
    let reply = stranger
        .at(PROXY)
        .with("X-Original-URL", "https://wiki.example.org/page?a=b")
        .with("X-Original-Method", "GET")
        .get("/auth/nginx");
    assert_eq!((reply.refusal().as_str(), location(&reply)), ("401 not_signed_in", page));
}

#[test]
fn an_app_is_open_to_its_groups_alone_and_what_is_no_app_to_nobody() {
    let house = house();
    let ann = house.signed_in("ann");
    let vault = "https://vault.example.org:8443/";
    let reply = ask(&ann, vault);
    assert_eq!(reply.status, 403);
    assert!(reply.text().contains(DENIED) && reply.text().contains("ann"), "{}", reply.text());
    let policy = reply.header("Content-Security-Policy").unwrap();
    assert!(policy.contains("style-src 'sha256-") && policy.contains("frame-ancestors 'none'"), "{policy}");
    let reply = proxied(&ann, vault).with("Accept", "application/json").get("/auth/forward");
    assert_eq!(reply.refusal(), "403 forbidden");
    let denied = ann.at(PROXY).with("X-Original-URL", vault);
    assert_eq!(denied.get("/auth/denied").refusal(), "403 forbidden");
    let denied = denied.with("Accept", "text/html").get("/auth/denied");
    assert_eq!((denied.status, denied.text().contains(DENIED)), (403, true));
    let ada = house.signed_in("ada");
    assert_eq!(ada.patch("/api/v1/users/ann", &json!({"groups": ["staff"]})).status, 200);
    assert_eq!(ask(&ann, vault).status, 200, "the group counts at the very next request");
    for nowhere in ["https://evil.example.org/", "http://wiki.example.org/", "https://wiki.example.org:444/"]
    {
        let script = proxied(&ann, nowhere).with("Accept", "application/json").get("/auth/forward");
        assert_eq!(script.refusal(), "403 no_such_app", "{nowhere}");
        let page = ask(&ann, nowhere);
        assert_eq!(page.status, 403, "{nowhere}");
        assert!(
            page.text().contains("is not open yet") && page.text().contains("under Apps"),
            "{}",
            page.text()
        );
        assert!(page.header("Content-Security-Policy").unwrap().contains("style-src 'sha256-"));
    }
    for same in ["https://WIKI.example.org/", "https://wiki.example.org./", "https://wiki.example.org:443/"] {
        assert_eq!(ask(&ann, same).status, 200, "{same}");
    }
    assert_eq!(ada.delete("/api/v1/apps/wiki").status, 204);
    assert!(ask(&ann, "https://wiki.example.org/").text().contains("is not open yet"));
}

#[test]
fn a_check_may_name_the_kind_of_a_body_that_it_does_not_bring() {
    // Proxies ask by GET, without a body, and copy the client's headers into the question.
    let house = house();
    let ann = house.signed_in("ann");
    let form = "application/x-www-form-urlencoded";
    for kind in [form, "multipart/form-data; boundary=x", "application/json"] {
        let ann = ann.with("Content-Type", kind);
        let posted = proxied(&ann, "https://wiki.example.org/form").with("X-Forwarded-Method", "POST");
        assert_eq!(posted.get("/auth/forward").status, 200, "{kind}");
        let original =
            |url: &str| ann.at(PROXY).with("X-Original-URL", url).with("X-Original-Method", "POST");
        let reply = original("https://wiki.example.org/form").get("/auth/nginx");
        assert_eq!(
            (reply.status, reply.header("Remote-User")),
            (200, Some("ann")),
            "{kind}: {}",
            reply.text()
        );
        let denied = original("https://vault.example.org:8443/form").with("Accept", "text/html");
        for at in ["/auth/nginx", "/auth/denied"] {
            let reply = denied.get(at);
            assert_eq!((reply.status, reply.text().contains(DENIED)), (403, true), "{kind} {at}");
            // Nor is it of any matter where it does bring it, as by a configuration that hands on everything.
            for body in ["three=books", "_method=delete", "{}"] {
                let reply = denied.send(Method::Get, at, body.as_bytes());
                assert_eq!((reply.status, reply.text().contains(DENIED)), (403, true), "{kind} {at} {body}");
            }
        }
    }
}

#[test]
fn a_socket_may_be_asked_for_by_its_own_scheme() {
    let house = house();
    let ann = house.signed_in("ann");
    let socket = proxied(&ann, "https://wiki.example.org/live")
        .with("X-Forwarded-Proto", "wss")
        .with("Upgrade", "websocket");
    assert_eq!(socket.get("/auth/forward").status, 200);
    let both = socket.with("X-Original-URL", "wss://wiki.example.org/live");
    assert_eq!(both.get("/auth/forward").status, 200);
    assert_eq!(both.get("/auth/nginx").status, 200);
    let plain = proxied(&ann, "https://wiki.example.org/live").with("X-Forwarded-Proto", "ws");
    assert_eq!(plain.get("/auth/forward").status, 403, "that is http://wiki.example.org, which is no app");
}

#[test]
fn only_a_trusted_proxy_is_believed_and_only_what_it_says_once() {
    let house = house();
    let ann = house.signed_in("ann");
    let asked = proxied(&ann, "https://wiki.example.org/");
    let stranger = asked.at("10.0.0.3");
    let elsewhere = stranger.with("Accept", "application/json").get("/auth/forward");
    assert_eq!(elsewhere.refusal(), "403 not_a_trusted_proxy");
    assert!(elsewhere.text().contains("--trusted-proxy 10.0.0.3"), "{}", elsewhere.text());
    // It is the first mistake in a set-up, and the proxy hands what is said of it on to a browser.
    for at in ["/auth/forward", "/auth/denied", "/.rollcall/start?rd=%2F"] {
        let page = stranger.get(at);
        let text = page.text();
        assert!(
            page.status == 403 && text.contains("--trusted-proxy 10.0.0.3"),
            "{at}: {} {text}",
            page.status
        );
        assert!(text.contains("<style>") && !text.contains("href=\"/") && !text.contains("src="), "{text}");
    }
    assert_eq!(asked.at("10.0.0.3").get("/auth/nginx").status, 403);
    for (name, value) in [
        ("X-Forwarded-Host", "wiki.example.org, vault.example.org:8443"),
        ("X-Forwarded-Proto", "https,http"),
    ] {
        assert_eq!(asked.with(name, value).get("/auth/forward").refusal(), "400 bad_request", "{name}");
    }
    assert_eq!(asked.without("X-Forwarded-Host").get("/auth/forward").status, 400);
    assert_eq!(asked.without("X-Forwarded-Proto").get("/auth/forward").status, 400);
    // Where a proxy sets one family and hands the other on as the client wrote it, one of the two is forged.
    let forged = asked.with("X-Original-URL", "https://nowhere.example.org/");
    for at in ["/auth/forward", "/auth/nginx"] {
        let reply = forged.get(at);
        assert_eq!(reply.refusal(), "400 bad_request", "{at}");
        assert!(reply.text().contains("must name the same site"), "{}", reply.text());
    }
    let agreeing = asked.with("X-Original-URL", "https://WIKI.example.org:443/elsewhere");
    assert_eq!(agreeing.get("/auth/forward").status, 200);
    assert_eq!(agreeing.get("/auth/nginx").status, 200);
    let nobody = House::new().with_admin("ada");
    let reply = proxied(&nobody.signed_in("ada"), "https://wiki.example.org/").without("Accept");
    let reply = reply.get("/auth/forward");
    assert_eq!(reply.refusal(), "403 not_a_trusted_proxy", "nobody is trusted unless it is said");
}

#[test]
fn a_proxy_that_shows_a_token_is_believed_wherever_it_asks_from() {
    let house = house();
    let (ada, ann) = (house.signed_in("ada"), house.signed_in("ann"));
    let asked = proxied(&ann, "https://wiki.example.org/page")
        .at("10.0.0.3")
        .with("X-Forwarded-For", "89.160.20.112");
    let showing = |program: &Caller<'_>| asked.with("Authorization", program.header("Authorization"));
    let proxy = house.program("proxy", &["auth:check"]);
    let reply = showing(&proxy).get("/auth/forward");
    assert_eq!((reply.status, reply.header("Remote-User")), (200, Some("ann")));
    let session = ada.get(&format!("/api/v1/sessions/{}", reply.header("Remote-Session").unwrap())).ok();
    assert_eq!(session["ip"], "89.160.20.112", "it is believed of the client's address too");
    let leads = showing(&proxy).without("Cookie").get("/auth/forward");
    assert_eq!(leads.status, 302, "the token is the proxy's, and no session");
    let original = showing(&proxy).with("X-Original-URL", "https://wiki.example.org/page");
    assert_eq!(original.get("/auth/nginx").status, 200);
    let other = house.program("other", &["session:read", "session:write", "activity:read"]);
    assert_eq!(showing(&other).get("/auth/forward").refusal(), "403 forbidden");
    for client in ["Basic YW5uOng=", "Bearer of-the-app", ""] {
        let reply = asked.with("Authorization", client).without("Accept").get("/auth/forward");
        assert_eq!(reply.refusal(), "403 not_a_trusted_proxy", "{client:?} is the client's own");
        assert_eq!(asked.at(PROXY).with("Authorization", client).get("/auth/forward").status, 200);
    }
    assert_eq!(ada.delete("/api/v1/tokens/proxy").status, 204);
    let reply = showing(&proxy).without("Accept").get("/auth/forward");
    assert_eq!(reply.refusal(), "403 not_a_trusted_proxy");
}

#[test]
fn after_a_logout_the_very_next_request_is_refused() {
    let house = house();
    let (ada, ann) = (house.signed_in("ada"), house.signed_in("ann"));
    let asked = proxied(&ann, "https://wiki.example.org/");
    assert_eq!(asked.get("/auth/forward").status, 200);
    let id = ann.session();
    assert_eq!(ada.delete(&format!("/api/v1/sessions/{id}")).status, 204);
    assert_eq!(asked.get("/auth/forward").status, 302);
    let again = house.signed_in("ann");
    let asked = proxied(&again, "https://wiki.example.org/");
    assert_eq!(asked.get("/auth/forward").status, 200);
    assert_eq!(ada.patch("/api/v1/users/ann", &json!({"disabled": true})).status, 200);
    assert_eq!(asked.get("/auth/forward").status, 302);
}

#[test]
fn nothing_but_a_live_session_passes_whatever_else_is_sent() {
    let house = house();
    let (ada, ann) = (house.signed_in("ada"), house.signed_in("ann"));
    let asked = proxied(&ann, "https://wiki.example.org/page");
    let cookie = ann.header("Cookie").to_owned();
    let (name, token) = cookie.split_once('=').unwrap();
    let other = house.program("other", &["session:read"]).header("Authorization").replace("Bearer ", "");
    let shorter = &token[..token.len() - 1];
    let sent = [
        String::new(),
        format!("{name}="),
        format!("{name}={shorter}"),
        format!("{name}={}", token.to_ascii_uppercase()),
        format!("{name}={other}"),
        format!("{name}={token}x"),
        format!("{name}=\"{token}\""),
        // Of two, either may be somebody else's.
        format!("{cookie}; {cookie}"),
        format!("{name}=\u{fffd}\u{0}"),
        format!("{}={token}", name.to_ascii_uppercase()),
        format!("rollcall={token}"),
        format!("__Secure-rollcall-apps={token}"),
    ];
    for cookie in sent {
        let reply = asked.with("Cookie", &cookie).get("/auth/forward");
        assert_eq!(reply.status, 302, "{cookie:?}");
        assert_eq!(reply.header("Remote-User"), None, "{cookie:?}");
    }
    let nobody = asked.without("Cookie");
    for (name, value) in [
        ("User-Agent", "kube-probe/1.31"),
        ("User-Agent", "GoogleHC/1.0"),
        ("Authorization", "Basic YW5uOmNvcnJlY3QgaG9yc2UgYmF0dGVyeSBzdGFwbGU="),
        ("Remote-User", "ann"),
        ("X-Forwarded-User", "ann"),
    ] {
        assert_eq!(nobody.with(name, value).get("/auth/forward").status, 302, "{name}: {value}");
    }
    assert_eq!(asked.get("/auth/forward").status, 200);
    assert_eq!(ada.patch("/api/v1/users/ann", &json!({"disabled": true})).status, 200);
    assert_eq!(asked.get("/auth/forward").status, 302, "a disabled user has no session");
}

#[test]
fn a_check_is_a_use_of_the_session_from_where_the_client_is() {
    let house = house();
    let ann = house.signed_in("ann");
    house.later(jiff::SignedDuration::from_mins(50));
    assert_eq!(ask(&ann.with("X-Forwarded-For", "2.125.160.216"), "https://wiki.example.org/").status, 200);
    house.later(jiff::SignedDuration::from_mins(50));
    let asked = proxied(&ann, "https://wiki.example.org/").with("X-Forwarded-For", "9.9.9.9, 2.125.160.216");
    assert_eq!(asked.get("/auth/forward").status, 200, "it was not idle");
    let session = house.signed_in("ada").get("/api/v1/sessions?user=ann").items();
    assert_eq!(each(&session, "ip"), ["2.125.160.216"]);
}

#[test]
fn a_request_is_judged_by_whatever_method_a_client_uses() {
    let folder = Folder::with_admin();
    let add = ["app", "add", "files", "--url", "https://files.example.org"];
    folder.run(&add).says("added files");
    let server = folder.serve_with(&["--trusted-proxy", "127.0.0.1"]);
    let ada = server.signed_in("ada");
    let asked = |browser: &Client| {
        browser
            .with("X-Forwarded-Proto", "https")
            .with("X-Forwarded-Host", "files.example.org")
            .with("X-Forwarded-Uri", "/dav/")
    };
    let ask = |browser: &Client, method: &str| browser.connect().send(method, "/auth/forward", b"");
    for method in ["PROPFIND", "MKCOL", "REPORT", "M-SEARCH", "LOCK", "TRACE", "QUERY"] {
        let passed = ask(&asked(&ada), method);
        assert_eq!((passed.status, passed.header("Remote-User")), (200, Some("ada")), "{method}");
        assert_eq!(passed.header("Cache-Control"), Some("no-store"), "{method}");
        let refused = ask(&asked(&server.stranger()), method);
        assert_eq!(refused.status, 401, "{method}");
        let page = asked(&server.stranger()).with("Accept", "text/html");
        assert_eq!(ask(&page, method).status, 303, "{method}: what follows is asked for by GET");
        assert_eq!(refused.header("X-Content-Type-Options"), Some("nosniff"), "{method}");
        let said = asked(&ada).with("X-Forwarded-Method", method);
        assert_eq!(ask(&said, "GET").status, 200, "{method} in a header");
        assert_eq!(
            ask(&ada, method).refusal(),
            "400 bad_request",
            "{method}: it does not say what is asked for"
        );
        let elsewhere = asked(&ada).with("X-Original-URL", "https://other.example.org/");
        assert_eq!(ask(&elsewhere, method).status, 400, "{method}");
    }
    assert_eq!(ada.connect().send("PROPFIND", "/api/v1/me", b"").status, 400, "it is no method of ours");
    drop(server);
    let server = folder.serve();
    let stranger = asked(&server.signed_in("ada"));
    assert_eq!(ask(&stranger, "PROPFIND").refusal(), "403 not_a_trusted_proxy");
}

#[test]
fn no_app_is_open_to_whoever_owes_a_second_factor() {
    let house = house();
    let (ada, ann) = (house.signed_in("ada"), house.signed_in("ann"));
    assert_eq!(ask(&ann, "https://wiki.example.org/").status, 200);
    ada.put("/api/v1/settings/second-factor", &json!({"of": "everyone"})).ok();
    let led = ask(&ann, "https://wiki.example.org/");
    let sign_in = "https://rollcall.example.org/signin?rd=https%3A%2F%2Fwiki.example.org%2F";
    assert_eq!((led.status, location(&led)), (302, sign_in));
    let on = ann.get(sign_in.strip_prefix(PUBLIC).unwrap());
    assert_eq!((on.status, location(&on)), (303, "/profile/second-factor"));
}
