//! Sessions that are bound to the network they are used from, or to the device they are used on.

use std::fs;

use rollcall::{
    domain::sessions::Limits,
    web::door::{Networks, Settings},
};
use serde_json::json;

use super::{
    house::{Caller, FIREFOX, House, LONDON},
    http::Reply,
    server::{Client, Folder, Server},
};

/// In London's network, and Milton, which is not.
const NEXT_DOOR: &str = "81.2.69.7";
const MILTON: &str = "216.160.83.56";

const CHROME: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36";

fn house(binding: &str) -> House {
    behind(binding, Settings::default()).with_admin("ada").with_member("ann")
}

fn behind(binding: &str, settings: Settings) -> House {
    let limits = Limits { binding: binding.parse().unwrap(), ..Limits::default() };
    House::with_settings_and_limits(settings, limits)
}

/// Whether the session is over, for all that come with its cookie.
fn is_over(browser: &Caller<'_>) -> bool {
    !browser.is_in() && !browser.at(LONDON).with("User-Agent", FIREFOX).is_in()
}

#[test]
fn unless_it_is_bound_a_session_goes_wherever_its_user_goes() {
    for house in [house("none"), House::new().with_member("ann")] {
        let ann = house.signed_in("ann");
        assert!(ann.at(MILTON).with("User-Agent", CHROME).is_in());
        assert!(ann.at("2a02:cf40:1::1").with("User-Agent", "curl/8.5.0").is_in());
        assert!(ann.at("2a02:cf40:2::1").without("User-Agent").is_in());
        assert!(ann.is_in());
    }
}

#[test]
fn a_session_that_is_bound_to_its_network_ends_when_it_is_used_from_another() {
    let house = house("network");
    let (ada, ann, other) = (house.signed_in("ada"), house.signed_in("ann"), house.signed_in("ann"));
    let (id, path) = (ann.session(), format!("/api/v1/sessions/{}", ann.session()));
    assert!(ann.at(NEXT_DOOR).with("User-Agent", CHROME).is_in(), "its network, and any device");
    assert_eq!(ann.at(MILTON).get("/api/v1/me").refusal(), "401 not_signed_in");
    assert!(is_over(&ann), "where it is used rightly too");
    assert!(other.is_in(), "and no other session is");

    let session = ada.get(&path).ok();
    assert_eq!(
        [&session["state"], &session["ended_by"], &session["reason"], &session["ip"]],
        ["ended", "policy", "used from another network", NEXT_DOOR]
    );
    let told = house.log("action=session-expired");
    assert_eq!(told.len(), 1, "once, however often it is tried: {told:?}");
    let told = &told[0];
    assert_eq!(
        [&told["user"], &told["target"], &told["session"], &told["detail"], &told["app"]],
        ["ann", "ann", id.as_str(), "used from another network", "rollcall"]
    );
    assert_eq!([&told["ip"], &told["city"], &told["user_agent"]], [MILTON, "Milton", FIREFOX]);
    assert_eq!(told["attributes"], json!({"last-ip": NEXT_DOOR, "last-user-agent": CHROME}));
}

#[test]
fn whoever_comes_with_the_cookie_is_told_why_at_the_sign_in_and_not_from_where() {
    for (binding, elsewhere, why) in [
        ("network", (MILTON, FIREFOX), "because it was used from another network"),
        ("device", (LONDON, CHROME), "because it was used on another device"),
    ] {
        let house = house(binding);
        let ann = house.signed_in("ann");
        let thief = ann.at(elsewhere.0).with("User-Agent", elsewhere.1).with("Accept", "text/html");
        let sent = thief.get("/profile");
        assert_eq!((sent.status, sent.header("Location")), (303, Some("/signin?next=%2Fprofile")));
        for browser in [&ann, &thief] {
            let page = browser.get("/signin").text();
            assert!(page.contains(why), "{page}");
            assert!(!page.contains(MILTON) && !page.contains(LONDON), "{page}");
        }
        assert!(!house.stranger().get("/signin").text().contains(why), "nobody else is");
    }
}

/// One way in, as somebody tries it.
type Door = Box<dyn Fn(&Caller<'_>) -> Reply>;

#[test]
fn no_door_answers_before_the_session_is_judged() {
    let house = house("both");
    let get = |path: &'static str| move |thief: &Caller<'_>| thief.with("Accept", "text/html").get(path);
    let doors: Vec<Door> = vec![
        Box::new(get("/sessions")),
        Box::new(get("/api/v1/sessions")),
        Box::new(get("/api/v1/activity.csv")),
        Box::new(get("/signin")),
        Box::new(|thief| {
            thief.get(&format!("/auth/handover?rd=https://wiki.example.org/&nonce={}", "0".repeat(64)))
        }),
        Box::new(|thief| thief.with("Background", "1").get("/api/v1/me")),
        Box::new(|thief| thief.with("Accept", "text/event-stream").get("/api/v1/sessions/stream")),
        Box::new(|thief| thief.post("/api/v1/signout", &json!({}))),
        Box::new(|thief| thief.without("Sec-Fetch-Site").post("/api/v1/me/password", &json!({}))),
        Box::new(|thief| thief.post("/api/v1/signin", &json!({"user": "ann", "password": "no"}))),
        Box::new(|thief| thief.bare_form("/sessions/logout", "all=1")),
    ];
    for (number, door) in doors.iter().enumerate() {
        for elsewhere in [MILTON, LONDON] {
            let ann = house.signed_in("ann");
            let thief = ann.at(elsewhere).with("User-Agent", CHROME);
            let reply = door(&thief);
            let said = reply.text();
            assert!(!said.contains("ann\"") && !said.contains(">ann<"), "door {number} says {said}");
            assert!(is_over(&ann), "door {number}, which answered {}", reply.status);
            assert!(reply.status != 200 || said.contains("was used"), "door {number} says {said}");
        }
    }
    // Where nothing is, nobody is named.
    let ann = house.signed_in("ann");
    let (own, thief) = (ann.with("Accept", "text/html"), ann.at(MILTON).with("Accept", "text/html"));
    assert!(own.get("/nothing").text().contains("/profile"), "a page that failed is still one's own");
    assert!(!thief.get("/nothing").text().contains("/profile"));
}

#[test]
fn what_is_not_public_ends_no_session() {
    let house = house("both");
    let private =
        ["10.1.2.3", "192.168.7.7", "172.16.0.9", "127.0.0.1", "169.254.1.1", "100.64.3.4", "fd12::1", "::1"];
    let ann = house.signed_in("ann");
    for address in private {
        assert!(ann.at(address).is_in(), "from London to {address}");
        assert!(ann.is_in(), "and back");
    }
    for address in private {
        let reply = house.stranger().at(address).sign_in("ann", super::house::PASSWORD);
        let inside = house.stranger().with("Cookie", &reply.cookie()).at(address);
        for other in private {
            assert!(inside.at(other).is_in(), "from {address} to {other}");
        }
    }
    // But it is no way around: a session stays bound to where it began.
    assert!(ann.at("10.1.2.3").is_in());
    house.sweep();
    assert!(!ann.at(MILTON).is_in());
    // And one that began inside is bound to where it first comes out.
    let reply = house.stranger().at("10.1.2.3").sign_in("ann", super::house::PASSWORD);
    let inside = house.stranger().with("Cookie", &reply.cookie()).at("10.1.2.3");
    assert!(inside.is_in() && inside.at(MILTON).is_in() && inside.is_in());
    assert!(!inside.at(LONDON).is_in());
}

#[test]
fn the_other_family_of_addresses_is_another_way_to_the_same_machine() {
    let house = house("network");
    let ann = house.signed_in("ann");
    for _ in 0..3 {
        assert!(ann.at("2a02:cf40:1::1").is_in() && ann.at(LONDON).is_in());
        assert!(ann.at("2a02:cf40:1:99::7").is_in(), "a /48 is one network");
        assert!(ann.at("::ffff:81.2.69.9").is_in(), "and this is IPv4");
    }
    assert!(!ann.at("2a02:cf40:2::1").is_in());
    assert!(is_over(&ann));
    let ann = house.signed_in("ann");
    assert!(ann.at("2a02:cf40:1::1").is_in());
    assert!(!ann.at(MILTON).is_in(), "IPv6 in between makes no way from one IPv4 network to another");
}

#[test]
fn a_session_that_is_bound_to_its_device_ends_on_another_and_lives_through_updates() {
    let house = house("device");
    let updated = FIREFOX.replace("115.0", "140.0").replace("Ubuntu; ", "");
    for same in [FIREFOX, updated.as_str()] {
        let ann = house.signed_in("ann");
        assert!(ann.with("User-Agent", same).at(MILTON).is_in(), "{same}");
        assert!(ann.is_in());
    }
    let on_windows = FIREFOX.replace("X11; Ubuntu; Linux x86_64", "Windows NT 10.0; Win64; x64");
    for other in [CHROME, on_windows.as_str(), "curl/8.5.0", "python-requests/2.32", ""] {
        let ann = house.signed_in("ann");
        let id = ann.session();
        let thief = if other.is_empty() { ann.without("User-Agent") } else { ann.with("User-Agent", other) };
        assert_eq!(thief.get("/api/v1/me").refusal(), "401 not_signed_in", "{other}");
        assert!(is_over(&ann), "{other}");
        let told = &house.log(&format!("action=session-expired&session={id}"))[0];
        assert_eq!([&told["detail"], &told["ip"]], ["used on another device", LONDON], "{other}");
        assert_eq!(told["attributes"]["last-user-agent"], FIREFOX, "{other}");
    }
}

#[test]
fn hints_that_come_and_go_make_no_other_device_nor_does_the_page_of_a_computer() {
    let house = house("both");
    let phone = CHROME.replace("X11; Linux x86_64", "Linux; Android 10; K");
    let reply = house.stranger().with("User-Agent", &phone).sign_in("ann", super::house::PASSWORD);
    let ann = house.stranger().with("Cookie", &reply.cookie()).with("User-Agent", &phone);
    let hinted = ann
        .with("Sec-CH-UA", "\"Brave\";v=\"126\", \"Chromium\";v=\"126\"")
        .with("Sec-CH-UA-Platform", "\"Android\"")
        .with("Sec-CH-UA-Model", "\"Pixel 8\"");
    assert!(hinted.is_in() && ann.is_in() && hinted.is_in());
    assert!(ann.with("User-Agent", CHROME).is_in() && ann.is_in(), "the page as computers see it");
    // Without a name at the beginning, the first that it gives itself is the one it is bound to.
    let reply = house.stranger().without("User-Agent").sign_in("ann", super::house::PASSWORD);
    let nameless = house.stranger().with("Cookie", &reply.cookie()).without("User-Agent");
    assert!(nameless.is_in() && nameless.with("User-Agent", CHROME).is_in());
    assert!(!nameless.with("User-Agent", FIREFOX).is_in());
}

#[test]
fn the_gate_before_the_apps_judges_as_rollcall_does_for_passes_too() {
    let settings = || Settings {
        public_url: Some("https://rollcall.example.org".to_owned()),
        secure: true,
        trusted_proxies: Networks([Networks::parse("10.0.0.2").unwrap()].to_vec()),
        cookie_domain: Some("example.org".to_owned()),
        ..Settings::default()
    };
    let house = behind("both", settings()).with_admin("ada").with_member("ann");
    let app = json!({"name": "wiki", "url": "https://wiki.example.org"});
    assert_eq!(house.signed_in("ada").post("/api/v1/apps", &app).status, 201);
    let staff = json!({"name": "vault", "url": "https://vault.example.org", "groups": ["staff"]});
    assert_eq!(house.signed_in("ada").post("/api/v1/apps", &staff).status, 201);
    let asked = |browser: &Caller<'_>, host: &str, client: &str, at: &str| {
        let browser =
            browser.at("10.0.0.2").with("X-Forwarded-For", client).with("X-Forwarded-Proto", "https");
        browser.with("X-Forwarded-Host", host).with("X-Forwarded-Uri", "/").get(at)
    };
    for at in ["/auth/nginx", "/auth/forward"] {
        for host in ["wiki.example.org", "vault.example.org"] {
            for (client, agent) in [(MILTON, FIREFOX), (LONDON, CHROME)] {
                let reply = house.stranger().sign_in("ann", super::house::PASSWORD);
                let set = reply.headers.iter().filter(|(name, _)| name == "Set-Cookie");
                let cookies: Vec<&str> = set.filter_map(|(_, line)| line.split(';').next()).collect();
                let pass = cookies
                    .iter()
                    .find(|cookie| cookie.starts_with("__Secure-rollcall-apps"))
                    .expect("a pass to the domain");
                let own = house.stranger().with("Cookie", &reply.cookie());
                for cookie in [reply.cookie().as_str(), pass] {
                    let ann = house.stranger().with("Cookie", cookie);
                    let right = asked(&ann, "wiki.example.org", LONDON, at);
                    assert_eq!((right.status, right.header("Remote-User")), (200, Some("ann")), "{cookie}");
                }
                let ann = house.stranger().with("Cookie", pass);
                let refused = asked(&ann.with("User-Agent", agent), host, client, at);
                assert_eq!(refused.refusal(), "401 not_signed_in", "{at}, {client}, {agent}");
                assert_eq!(refused.header("Remote-User"), None);
                assert_eq!(asked(&ann, "wiki.example.org", LONDON, at).status, 401, "it is over");
                assert!(!own.is_in());
            }
        }
    }
    assert_eq!(house.log("action=session-expired").len(), 8);
}

#[test]
fn a_session_of_an_app_is_held_to_what_the_app_says_of_it() {
    let house = house("both");
    let app = house.program("shop", &["session:write", "session:read"]);
    let registered = |body: serde_json::Value| {
        let id = app.post("/api/v1/sessions", &body).json()["id"].as_str().unwrap().to_owned();
        format!("/api/v1/sessions/{id}")
    };
    for elsewhere in [json!({"ip": MILTON}), json!({"user_agent": CHROME})] {
        let session = registered(json!({"user": "guest", "ip": LONDON, "user_agent": FIREFOX}));
        let touch = |body: &serde_json::Value| app.post(&format!("{session}/touch"), body);
        for same in [json!({}), json!({"ip": NEXT_DOOR}), json!({"ip": "10.0.0.1", "user_agent": FIREFOX})] {
            assert_eq!(touch(&same).status, 204, "{same}");
        }
        assert_eq!(touch(&elsewhere).refusal(), "410 gone");
        assert_eq!(touch(&json!({})).refusal(), "410 gone");
        let ended = app.get(&session).ok();
        assert_eq!([&ended["state"], &ended["ended_by"]], ["ended", "policy"]);
    }
    // Of one of which nothing was said, what is said first.
    let session = registered(json!({"user": "guest"}));
    let touch = |body: &serde_json::Value| app.post(&format!("{session}/touch"), body).status;
    assert_eq!(touch(&json!({"ip": LONDON, "user_agent": FIREFOX})), 204);
    assert_eq!(touch(&json!({"ip": MILTON})), 410);
}

/// A browser whose address a trusted proxy on this machine tells.
fn from(browser: &Client, ip: &str) -> Client {
    set(browser, "X-Forwarded-For", ip)
}

fn set(browser: &Client, name: &str, value: &str) -> Client {
    browser.without(name).with(name, value)
}

fn signed_in(server: &Server) -> Client {
    let stranger = from(&server.stranger(), LONDON);
    let body = json!({"user": "ada", "password": super::house::PASSWORD});
    stranger.with("Cookie", &stranger.post("/api/v1/signin", &body).cookie())
}

fn is_in(browser: &Client) -> bool {
    browser.get("/api/v1/me").status == 200
}

#[test]
fn what_a_session_is_bound_to_outlives_the_server() {
    let folder = Folder::with_admin();
    fs::write(
        folder.path().join("rollcall.toml"),
        "bind-sessions = \"both\"\ntrusted-proxy = \"127.0.0.1\"\n",
    )
    .unwrap();
    let server = folder.serve();
    let (moved, still) = (signed_in(&server), signed_in(&server));
    // Over IPv6 last, and on the other name of its browser.
    let updated = FIREFOX.replace("115.0", "140.0");
    assert!(is_in(&set(&from(&moved, "2a02:cf40:1::1"), "User-Agent", &updated)));
    assert_eq!(server.stop(), Some(0));
    folder.run(&["check"]).ok();

    let server = folder.serve();
    let [moved, still] = [moved, still].map(|browser| browser.at(server.address()));
    assert!(is_in(&from(&moved, "2a02:cf40:1::2")));
    assert!(is_in(&from(&moved, "81.2.69.1")));
    assert!(!is_in(&from(&moved, MILTON)), "the network of IPv4 was not forgotten over that of IPv6");
    assert!(is_in(&still));
    assert!(!is_in(&set(&still, "User-Agent", CHROME)));
    drop(server);
    let server = folder.serve();
    assert!(
        !is_in(&moved.at(server.address())) && !is_in(&still.at(server.address())),
        "and what has ended has ended"
    );
}

#[test]
fn what_sessions_are_bound_to_is_forgotten_while_they_are_not() {
    let folder = Folder::with_admin();
    let serve =
        |binding: &str| folder.serve_with(&["--trusted-proxy", "127.0.0.1", "--bind-sessions", binding]);
    let server = serve("both");
    let ada = signed_in(&server);
    assert!(is_in(&from(&ada, "2a02:cf40:1::1")) && is_in(&ada));
    assert_eq!(server.stop(), Some(0));
    let server = serve("none");
    let ada = ada.at(server.address());
    assert!(is_in(&from(&ada, "2a02:cf40:2::1")) && is_in(&set(&from(&ada, MILTON), "User-Agent", CHROME)));
    assert_eq!(server.stop(), Some(0));
    let server = serve("network");
    let ada = ada.at(server.address());
    assert!(is_in(&from(&ada, MILTON)), "it is bound to where it was used last");
    assert!(is_in(&from(&ada, "2a02:cf40:2::1")) && is_in(&from(&ada, MILTON)));
    assert!(!is_in(&from(&ada, LONDON)));
}

#[test]
fn sessions_are_bound_to_nothing_else() {
    let folder = Folder::new();
    let refused = folder.run(&["serve", "--bind-sessions", "city"]);
    refused
        .refuses(2, "bind-sessions: sessions are bound to network, device or both, or to none, not \"city\"");
}
