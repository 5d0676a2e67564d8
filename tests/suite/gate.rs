//! Forward-auth, as proxies ask: what passes, what is led to the sign-in, and whom nobody believes.

use rocket::http::Method;
use rollcall::web::door::{Networks, Settings};
use serde_json::json;

use super::{
    house::{Caller, House, PASSWORD},
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
fn whoever_may_not_open_an_app_is_told_so_by_the_sign_in_and_not_asked_for_a_password() {
    let house = House::new().with_admin("ada");
    assert!(house.signed_in("ada").get("/signin").text().contains("password"));
    let house = self::house();
    let ada = house.signed_in("ada");
    for nobodys in ["a,b", "", "a\nb"] {
        let closed = json!({"name": "closed", "url": "https://closed.example.com", "groups": [nobodys]});
        assert_eq!(ada.post("/api/v1/apps", &closed).refusal(), "400 bad_field groups", "{nobodys:?}");
    }
    assert_eq!(ada.patch("/api/v1/apps/shop", &json!({"groups": ["staff"]})).status, 204);
    let ann = house.signed_in("ann");
    for address in ["https%3A%2F%2Fshop.example.com%2F", "https%3A%2F%2Fvault.example.org%3A8443%2F"] {
        let page = ann.get(&format!("/signin?rd={address}"));
        assert_eq!(page.status, 403, "{address}");
        assert!(page.text().contains(DENIED) && page.text().contains("switch=1"), "{}", page.text());
        let switch = ann.get(&format!("/signin?rd={address}&switch=1"));
        assert!(switch.status == 200 && switch.text().contains("name=\"password\""), "another may sign in");
    }
    // It is told behind the answer.
    house.sweep();
    assert!(!house.log("action=access-denied&user=ann").is_empty());
}

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
fn what_goes_wrong_at_an_apps_own_address_is_said_by_a_page_that_needs_no_other_file() {
    let house = house();
    let ann = house.signed_in("ann");
    let page = proxied(&house.stranger(), "https://shop.example.com/");
    let page = page.get("/.rollcall/callback?code=x&rd=%2F");
    assert_eq!(page.status, 403, "{}", page.text());
    let text = page.text();
    assert!(text.contains("<style>") && !text.contains("href=\"/") && !text.contains("src="), "{text}");
    assert!(text.contains(PUBLIC), "{text}");
    let lost = proxied(&ann, "https://nowhere.example.com/").get("/.rollcall/start?rd=%2F");
    assert!(
        lost.text().contains("no app is registered") || lost.text().contains("No app is registered"),
        "{}",
        lost.text()
    );
}

#[test]
fn what_nginx_fetches_for_an_app_needs_no_other_file_and_leads_to_rollcall_itself() {
    let house = house();
    let ann = house.signed_in("ann");
    let fetched = |browser: &Caller<'_>, address: &str| {
        browser.at(PROXY).with("X-Original-URL", address).with("Accept", "text/html").get("/auth/denied")
    };
    // An app that nobody registered, and one that opens by now.
    for (address, said) in [
        ("https://nowhere.example.org/x", "is not open yet"),
        ("https://wiki.example.org/x", "would pass now; try again"),
    ] {
        let page = fetched(&ann, address);
        let text = page.text();
        assert!(page.status == 403 && text.contains(said), "{} {text}", page.status);
        assert!(text.contains("<style>") && !text.contains("href=\"/") && !text.contains("src="), "{text}");
        assert!(text.contains(PUBLIC), "{text}");
        assert!(page.header("Content-Security-Policy").unwrap().contains("style-src 'sha256-"));
    }
    let lost = ann.at(PROXY).with("X-Original-URL", "https://nowhere.example.org/x").get("/auth/denied");
    assert_eq!(lost.refusal(), "403 no_such_app");
    // Who has been signed out meanwhile.
    let stranger = house.stranger();
    let led = fetched(&stranger, "https://vault.example.org:8443/x");
    let back = "https%3A%2F%2Fvault.example.org%3A8443%2Fx";
    assert_eq!((led.status, location(&led)), (303, format!("{PUBLIC}/signin?rd={back}").as_str()));
    let script = stranger.at(PROXY).with("X-Original-URL", "https://vault.example.org:8443/x");
    for script in
        [script.clone(), script.with("Accept", "text/html").with("X-Requested-With", "XMLHttpRequest")]
    {
        assert_eq!(script.get("/auth/denied").refusal(), "401 not_signed_in");
    }
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
fn an_app_leads_to_the_sign_out_which_asks_first_and_leads_on_to_registered_apps_alone() {
    let house = house();
    let (wiki, encoded) =
        ("https://wiki.example.org/bye?a=b", "https%3A%2F%2Fwiki.example.org%2Fbye%3Fa%3Db");
    let ann = house.signed_in("ann");
    assert_eq!(ask(&ann, wiki).status, 200);
    let page = ann.with("Sec-Fetch-Site", "same-site").get(&format!("/signout?rd={encoded}"));
    let text = page.text();
    assert_eq!(page.status, 200, "{text}");
    let field = format!("name=\"rd\" value=\"{wiki}\"");
    for shown in ["Sign out", "ann", "<li>wiki</li>", "action=\"/signout\"", &field] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    let policy = page.header("Content-Security-Policy").unwrap();
    assert!(policy.contains("form-action 'self' https://wiki.example.org;"), "{policy}");
    assert!(ann.is_in() && ask(&ann, wiki).status == 200, "looking ends nothing");
    let out = ann.form("/signout", &[("rd", wiki)]);
    assert_eq!((out.status, location(&out)), (303, wiki));
    assert!(!ann.is_in());
    assert_eq!(ask(&ann, wiki).status, 302, "and what it had opened is closed");
    let again = ann.get(&format!("/signout?rd={encoded}"));
    assert_eq!((again.status, location(&again)), (303, wiki), "who is out already is led on");
    for (nowhere, encoded) in [
        ("https://evil.example.com/", "https%3A%2F%2Fevil.example.com%2F"),
        (
            "https://wiki.example.org@evil.example.com/",
            "https%3A%2F%2Fwiki.example.org%40evil.example.com%2F",
        ),
        ("//evil.example.com", "%2F%2Fevil.example.com"),
        ("/\\evil.example.com", "%2F%5Cevil.example.com"),
        ("javascript:1", "javascript%3A1"),
        ("", ""),
    ] {
        let (ann, stranger) = (house.signed_in("ann"), house.stranger());
        let address = format!("/signout?rd={encoded}");
        let page = ann.get(&address);
        assert!(page.status == 200 && !page.text().contains("name=\"rd\""), "{nowhere}: {}", page.text());
        let said = page.text().contains("no app of this organisation");
        assert_eq!(said, !nowhere.is_empty(), "{nowhere}: {}", page.text());
        let out = ann.form("/signout", &[("rd", nowhere)]);
        for reply in [out, stranger.get(&address)] {
            assert_eq!((reply.status, location(&reply)), (303, "/signin?done=signed-out"), "{nowhere}");
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
fn a_sign_in_leads_back_to_registered_apps_alone() {
    let house = house();
    let stranger = house.stranger();
    let sign_in = |rd: &str| {
        let fields = [("user", "ann"), ("password", PASSWORD), ("next", rd)];
        stranger.form("/signin", &fields)
    };
    let reply = sign_in("https://wiki.example.org/page?a=b");
    assert_eq!((reply.status, location(&reply)), (303, "https://wiki.example.org/page?a=b"));
    for evil in [
        "//evil",
        "/\\evil",
        "\\/evil",
        "https:evil",
        "https://wiki.example.org@evil",
        "https://wiki.example.org.evil",
        "javascript:alert(1)",
        "\t//evil",
        "https://wiki.example.org\r\nX: y",
        "https://evil#wiki.example.org",
        "http://wiki.example.org/",
        "https://wiki.example.org:444/",
        "https://wiki.example.org\\@evil",
    ] {
        let reply = sign_in(evil);
        assert_eq!((reply.status, location(&reply)), (303, "/sessions"), "{evil:?}");
    }
    let page = stranger.get("/signin?rd=https%3A%2F%2Fwiki.example.org%2Fpage");
    assert!(page.text().contains("to open wiki") && page.text().contains("https://wiki.example.org/page"));
    let policy = page.header("Content-Security-Policy").unwrap();
    assert!(policy.contains("form-action 'self' https://wiki.example.org;"), "{policy}");
    let page = stranger.get("/signin?rd=https%3A%2F%2Fevil.example%2F");
    assert!(page.text().contains("no app of this organisation") && !page.text().contains("evil.example"));
}

#[test]
fn a_sign_in_opens_the_apps_of_the_domain_by_a_cookie_that_opens_nothing_else() {
    let house = house();
    let reply = house.stranger().sign_in("ann", PASSWORD);
    let lines: Vec<_> =
        reply.headers.iter().filter(|(name, _)| name == "set-cookie" || name == "Set-Cookie").collect();
    let line = lines.iter().find(|(_, line)| line.starts_with("__Secure-rollcall-apps=rcp_")).unwrap();
    assert!(line.1.ends_with("; Domain=example.org; Path=/; Secure; HttpOnly; SameSite=Lax"), "{}", line.1);
    let pass = cookies(&reply).into_iter().find(|cookie| cookie.starts_with("__Secure")).unwrap();
    let browser = house.stranger().with("Cookie", &pass);
    assert_eq!(ask(&browser, "https://wiki.example.org/").status, 200);
    assert_eq!(ask(&browser, "https://shop.example.com/").status, 302, "it is not in the domain");
    assert_eq!(browser.get("/api/v1/me").status, 401, "it opens nothing of ours");
    let own = cookies(&reply).into_iter().find(|cookie| cookie.starts_with("__Host-rollcall=")).unwrap();
    let token = own.split_once('=').unwrap().1;
    let forged = house.stranger().with("Cookie", &format!("__Secure-rollcall-apps={token}"));
    assert_eq!(ask(&forged, "https://wiki.example.org/").status, 302, "a token of the session is no pass");
    let out = house.stranger().with("Cookie", &own).with("Content-Type", "application/json");
    let reply = out.send(Method::Post, "/api/v1/signout", b"");
    assert_eq!(reply.status, 204);
    assert!(
        reply.headers.iter().any(|(_, line)| line.starts_with("__Secure-rollcall-apps=; Domain=example.org"))
    );
    assert_eq!(ask(&browser, "https://wiki.example.org/").status, 302);
}

/// A browser's way to the shop, which is on another domain: what it holds at the shop's host in the end.
fn hand_over<'h>(house: &'h House, ann: &Caller<'_>) -> (Caller<'h>, String) {
    let browser = house.stranger();
    let led = ask(&browser, "https://shop.example.com/cart?x=1");
    let portal = location(&led).strip_prefix(PUBLIC).unwrap().to_owned();
    let start = ann.get(&portal);
    assert_eq!(start.status, 303, "whoever is signed in goes on at once: {}", start.text());
    let start = location(&start);
    assert_eq!(start, "https://shop.example.com/.rollcall/start?rd=%2Fcart%3Fx%3D1");
    let start = start.strip_prefix("https://shop.example.com").unwrap();
    let started = proxied(&browser, "https://shop.example.com/").get(start);
    let nonce = started.cookie();
    assert!(nonce.starts_with("__Host-rollcall-handover="), "{nonce}");
    let over = ann.get(location(&started).strip_prefix(PUBLIC).unwrap());
    let callback = location(&over).strip_prefix("https://shop.example.com").unwrap().to_owned();
    (browser.with("Cookie", &nonce), callback)
}

#[test]
fn a_session_is_handed_over_to_an_app_on_another_domain_and_ends_there_too() {
    let house = house();
    let ann = house.signed_in("ann");
    let (browser, callback) = hand_over(&house, &ann);
    let done = proxied(&browser, "https://shop.example.com/").get(&callback);
    assert_eq!((done.status, location(&done)), (303, "https://shop.example.com/cart?x=1"), "{}", done.text());
    let pass = cookies(&done).into_iter().find(|cookie| cookie.starts_with("__Host-rollcall-app=")).unwrap();
    let browser = house.stranger().with("Cookie", &pass);
    assert_eq!(ask(&browser, "https://shop.example.com/").header("Remote-User"), Some("ann"));
    let elsewhere =
        house.stranger().with("Cookie", &pass.replace("__Host-rollcall-app", "__Secure-rollcall-apps"));
    assert_eq!(ask(&elsewhere, "https://wiki.example.org/").status, 302, "it is good at its own host alone");
    let ada = house.signed_in("ada");
    assert_eq!(ada.delete(&format!("/api/v1/sessions/{}", ann.session())).status, 204);
    assert_eq!(ask(&browser, "https://shop.example.com/").status, 302);
}

#[test]
fn a_new_password_closes_the_apps_to_whatever_was_got_with_the_cookie_of_before() {
    const NEW: &str = "another horse battery staple";
    let house = house();
    let holding = |cookie: &str| house.stranger().with("Cookie", cookie);
    let [wiki, shop] = ["https://wiki.example.org/", "https://shop.example.com/"];
    let pass_of = |reply: &Reply, name: &str| {
        cookies(reply).into_iter().find(|cookie| cookie.starts_with(name)).expect("a pass")
    };
    let signed_in = house.stranger().sign_in("ann", PASSWORD);
    let ann = holding(&signed_in.cookie());
    let of_the_domain = pass_of(&signed_in, "__Secure-rollcall-apps=");
    let (browser, callback) = hand_over(&house, &ann);
    let at_the_shop = pass_of(&proxied(&browser, shop).get(&callback), "__Host-rollcall-app=");
    let on_its_way = hand_over(&house, &ann);
    assert_eq!(ask(&holding(&of_the_domain), wiki).status, 200);
    assert_eq!(ask(&holding(&at_the_shop), shop).status, 200);

    let body = json!({"current": PASSWORD, "password": NEW});
    let changed = ann.post("/api/v1/me/password", &body);
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert_eq!(ask(&holding(&of_the_domain), wiki).status, 302);
    assert_eq!(ask(&holding(&at_the_shop), shop).status, 302);
    let (browser, callback) = on_its_way;
    assert_eq!(proxied(&browser, shop).get(&callback).status, 403, "a code of before is worth nothing");
    // Whoever has changed it goes on, here and in the apps.
    let new = pass_of(&changed, "__Secure-rollcall-apps=");
    assert_ne!(new, of_the_domain);
    assert_eq!(ask(&holding(&new), wiki).header("Remote-User"), Some("ann"));
    let ann = holding(&changed.cookie());
    assert!(ann.is_in());
    let (browser, callback) = hand_over(&house, &ann);
    assert_eq!(proxied(&browser, shop).get(&callback).status, 303);

    // A page does so too.
    let again = ann.form("/profile/password", &[("current", NEW), ("password", PASSWORD)]);
    assert_eq!(again.status, 303, "{}", again.text());
    assert_eq!(ask(&holding(&new), wiki).status, 302);
    assert_eq!(ask(&holding(&pass_of(&again, "__Secure-rollcall-apps=")), wiki).status, 200);
}

#[test]
fn a_code_hands_over_once_soon_and_in_the_same_browser() {
    let house = house();
    let ann = house.signed_in("ann");
    let at_shop = |browser: &Caller<'_>, callback: &str| {
        proxied(browser, "https://shop.example.com/").get(callback).status
    };
    let (browser, callback) = hand_over(&house, &ann);
    assert_eq!(at_shop(&browser, &callback), 303);
    assert_eq!(at_shop(&browser, &callback), 403, "it was used");
    let (browser, callback) = hand_over(&house, &ann);
    let (other, _) = hand_over(&house, &ann);
    assert_eq!(at_shop(&other, &callback), 403, "it is another browser's");
    assert_eq!(at_shop(&browser, &callback), 403, "and was tried");
    let (browser, callback) = hand_over(&house, &ann);
    assert_eq!(proxied(&browser, "https://wiki.example.org/").get(&callback).status, 403, "another app");
    let (browser, callback) = hand_over(&house, &ann);
    house.later(jiff::SignedDuration::from_secs(60));
    assert_eq!(at_shop(&browser, &callback), 403, "it is too old");
    let (browser, callback) = hand_over(&house, &ann);
    let ada = house.signed_in("ada");
    assert_eq!(ada.delete(&format!("/api/v1/sessions/{}", ann.session())).status, 204);
    assert_eq!(at_shop(&browser, &callback), 403, "the session has ended");
}

/// The start of a browser's way to a page of the shop: the cookie that it holds from then on, and where it is to come back to.
fn start_at_the_shop(browser: &Caller<'_>, ann: &Caller<'_>, page: &str) -> (String, String) {
    let start = format!("/.rollcall/start?rd={page}");
    let started = proxied(browser, "https://shop.example.com/").get(&start);
    let over = ann.get(location(&started).strip_prefix(PUBLIC).unwrap());
    let callback = location(&over).strip_prefix("https://shop.example.com").unwrap().to_owned();
    (started.cookie(), callback)
}

#[test]
fn several_tabs_of_an_app_that_are_opened_at_once_are_all_let_in() {
    let house = house();
    let (ann, browser) = (house.signed_in("ann"), house.stranger());
    let shop = "https://shop.example.com/";
    let back = |cookies: &str, callback: &str| proxied(&browser.with("Cookie", cookies), shop).get(callback);
    let (cookie, first) = start_at_the_shop(&browser, &ann, "/t1");
    let (cookie, second) = start_at_the_shop(&browser.with("Cookie", &cookie), &ann, "/t2");
    let done = back(&cookie, &first);
    assert_eq!((done.status, location(&done)), (303, "https://shop.example.com/t1"), "{}", done.text());
    let pass = cookies(&done).into_iter().find(|cookie| cookie.starts_with("__Host-rollcall-app=")).unwrap();
    // The nonces are gone with the first; what it was given opens the second too, which gets nothing of its own, and so does going back.
    for (callback, page) in [(&second, "/t2"), (&first, "/t1")] {
        let on = back(&pass, callback);
        assert_eq!((on.status, location(&on)), (303, format!("https://shop.example.com{page}").as_str()));
        assert!(cookies(&on).is_empty(), "{:?}", on.headers);
    }
    // Not to another site, whatever is asked for, nor where it may not go on.
    for rd in ["https://evil.test/", "//evil.test/", "/\\evil.test", "@evil.test"] {
        let rd: String = form_urlencoded::byte_serialize(rd.as_bytes()).collect();
        let on = back(&pass, &format!("/.rollcall/callback?code=x&rd={rd}"));
        assert!(on.status == 303 && location(&on).starts_with(shop), "{}", location(&on));
    }
    let ada = house.signed_in("ada");
    assert_eq!(ada.delete(&format!("/api/v1/sessions/{}", ann.session())).status, 204);
    let page = back(&pass, &second);
    assert_eq!(page.status, 403);
    assert!(page.text().contains("href=\"https://shop.example.com/t2\""), "it leads on: {}", page.text());
}

#[test]
fn each_way_to_an_app_has_a_nonce_of_its_own_and_a_browser_holds_a_few() {
    let house = house();
    let (ann, browser) = (house.signed_in("ann"), house.stranger());
    let shop = "https://shop.example.com/";
    // What was put there by somebody else proves nothing of a way that begins later.
    let (planted, _) = start_at_the_shop(&browser, &ann, "/planted");
    let (held, callback) = start_at_the_shop(&browser.with("Cookie", &planted), &ann, "/x");
    assert_ne!(held, planted);
    let thief = proxied(&browser.with("Cookie", &planted), shop).get(&callback);
    assert_eq!((thief.status, cookies(&thief).len()), (403, 0));
    // The oldest go, and what is no nonce is not kept.
    let mut cookie = "__Host-rollcall-handover=rcx_x.rcp_y..".to_owned();
    let mut ways = Vec::new();
    for way in 0..5 {
        let (next, callback) = start_at_the_shop(&browser.with("Cookie", &cookie), &ann, &format!("/{way}"));
        cookie = next;
        ways.push(callback);
    }
    assert_eq!(cookie.matches("rcx_").count(), 4, "{cookie}");
    let statuses = ways.iter().map(|way| proxied(&browser.with("Cookie", &cookie), shop).get(way).status);
    assert_eq!(statuses.collect::<Vec<_>>(), [403, 303, 303, 303, 303]);
}

#[test]
fn a_look_at_where_a_code_leads_does_not_use_it_up() {
    let house = house();
    let ann = house.signed_in("ann");
    let (browser, callback) = hand_over(&house, &ann);
    let shop = "https://shop.example.com/";
    let look = proxied(&browser, shop).send(Method::Head, &callback, b"");
    assert_eq!((look.status, cookies(&look).len()), (204, 0));
    assert_eq!(proxied(&browser, shop).get(&callback).status, 303);
    assert_eq!(browser.send(Method::Head, &callback, b"").status, 403, "nobody but a proxy looks");
}

#[test]
fn an_app_of_another_scheme_is_handed_its_session_as_no_cookie_of_ours_opens_it() {
    for (public, secure, app) in [
        ("http://rollcall.example.org", false, "https://wiki.example.org"),
        ("https://rollcall.example.org", true, "http://wiki.example.org"),
        ("http://rollcall.example.org", false, "https://rollcall.example.org:8443"),
    ] {
        let settings = Settings {
            public_url: Some(public.to_owned()),
            secure,
            trusted_proxies: Networks([Networks::parse(PROXY).unwrap()].to_vec()),
            cookie_domain: Some("example.org".to_owned()),
            ..Settings::default()
        };
        let house = House::with_settings(settings).with_admin("ada").with_member("ann");
        let wiki = json!({"name": "wiki", "url": app});
        assert_eq!(house.signed_in("ada").post("/api/v1/apps", &wiki).status, 201);
        let ann = house.signed_in("ann");
        let led = ask(&house.stranger(), &format!("{app}/x"));
        let start = ann.get(location(&led).strip_prefix(public).unwrap());
        assert_eq!(location(&start), format!("{app}/.rollcall/start?rd=%2Fx"), "from {public}");
        // And by that way the browser gets there.
        let started = proxied(&house.stranger(), &format!("{app}/")).get("/.rollcall/start?rd=%2Fx");
        let over = ann.get(location(&started).strip_prefix(public).unwrap());
        let callback = location(&over).strip_prefix(app).unwrap().to_owned();
        let browser = house.stranger().with("Cookie", &started.cookie());
        let handed = proxied(&browser, &format!("{app}/")).get(&callback);
        let pass = cookies(&handed).into_iter().find(|cookie| cookie.contains("=rcp_")).expect("a pass");
        let reply = ask(&house.stranger().with("Cookie", &pass), &format!("{app}/x"));
        assert_eq!((reply.status, reply.header("Remote-User")), (200, Some("ann")), "{public} and {app}");
    }
}

#[test]
fn passes_that_are_over_do_not_stand_in_the_way_of_the_one_that_lives() {
    let house = house();
    let pass = |user: &str| {
        let signed_in = house.stranger().sign_in(user, PASSWORD);
        cookies(&signed_in).into_iter().find(|cookie| cookie.starts_with("__Secure")).unwrap()
    };
    let (anns, adas) = (pass("ann"), pass("ada"));
    let dead = format!("__Secure-rollcall-apps=rcp_{}", "A".repeat(43));
    let shown = |cookies: &str| {
        let reply = ask(&house.stranger().with("Cookie", cookies), "https://wiki.example.org/");
        (reply.status, reply.header("Remote-User").unwrap_or_default().to_owned())
    };
    let as_ann = || (200, "ann".to_owned());
    assert_eq!(shown(&format!("{dead}; {anns}")), as_ann());
    assert_eq!(shown(&format!("{anns}; {dead}; {anns}")), as_ann());
    // Whose the browser is nobody knows then, and one of them may have been put there by somebody else.
    assert_eq!(shown(&format!("{anns}; {adas}")).0, 302);
}

#[test]
fn a_proxy_that_does_not_send_the_callback_here_is_named_instead_of_a_loop() {
    let house = house();
    let ann = house.signed_in("ann");
    let reply = ann.get("/signin?rd=https%3A%2F%2Fshop.example.com%2F.rollcall%2Fstart%3Frd%3D%252F");
    assert_eq!(reply.status, 409);
    assert!(reply.text().contains("does not send /.rollcall/"), "{}", reply.text());
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

#[test]
fn a_path_that_no_uri_may_hold_and_browsers_send_is_come_back_to_all_the_same() {
    let house = house();
    let (ann, browser) = (house.signed_in("ann"), house.stranger());
    let portal = |address: &str| location(&ask(&browser, address)).strip_prefix(PUBLIC).unwrap().to_owned();
    let wiki = "https://wiki.example.org/find|this^that?q={a}";
    let on = ann.get(&portal(wiki));
    assert_eq!((on.status, location(&on)), (303, wiki));
    let shop = "https://shop.example.com/find|this^that?q={a}";
    let at_shop = |browser: &Caller<'_>, reply: &Reply| {
        proxied(browser, "https://shop.example.com/")
            .get(location(reply).strip_prefix("https://shop.example.com").unwrap())
    };
    let started = at_shop(&browser, &ann.get(&portal(shop)));
    let over = ann.get(location(&started).strip_prefix(PUBLIC).unwrap());
    let done = at_shop(&browser.with("Cookie", &started.cookie()), &over);
    assert_eq!((done.status, location(&done)), (303, shop), "{}", done.text());
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
