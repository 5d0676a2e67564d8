//! What others try: pages of other sites, and texts that are no texts.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
};

use serde_json::{Value, json};

use super::{Browser, Chromium, House, PASSWORD, chromium::Kind};

/// Somebody else's site: it shows an empty page at every path, on every name of this machine.
fn another_site() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let page = "<!doctype html><title>a prize</title><body>click here";
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{page}",
                page.len()
            );
        }
    });
    address
}

/// All that a page can send to another site without asking it first, and what it gets to read: nothing.
const SEND: &str = r#"
    const [house, done] = arguments;
    const logout = house + "/api/v1/sessions/logout", all = JSON.stringify({ all: true });
    const form = new URLSearchParams({ all: "1", confirmed: "1", session: "x" });
    const send = (to, body, type) => fetch(to, { method: "POST", mode: "no-cors", credentials: "include",
        headers: type ? { "Content-Type": type } : {}, body });
    const picture = (src) => new Promise((next) => { const image = new Image(); image.onload = image.onerror = next; image.src = src; });
    const stream = new Promise((next) => { const events = new EventSource(house + "/api/v1/sessions/stream", { withCredentials: true });
        events.onopen = () => next("opened"); events.onerror = () => { events.close(); next("closed"); }; });
    const read = fetch(house + "/api/v1/me", { credentials: "include" }).then(() => "read", () => "closed");
    const script = new Promise((next) => { const element = document.createElement("script"); element.onload = () => next("ran");
        element.onerror = () => next("closed"); element.src = house + "/api/v1/activity.csv"; document.head.append(element); });
    navigator.sendBeacon(logout, new Blob([all], { type: "text/plain" }));
    const sent = [send(logout, all, "text/plain"), send(logout, all), send(house + "/sessions/logout", form), send(house + "/signout", form),
        send(house + "/api/v1/signout", ""), send(house + "/users/add", new URLSearchParams({ user: "eve", role: "admin", password: "correct horse battery staple" })),
        picture(house + "/signout"), picture(house + "/api/v1/sessions/logout?all=1"), picture(house + "/sessions/logout?all=1&confirmed=1")];
    Promise.allSettled(sent).then(() => Promise.all([stream, read, script])).then(done);
"#;

/// Sends a form as a page's own, which leads the whole window there.
const LEAD: &str = r#"
    const [action, kind, fields] = arguments;
    const form = document.createElement("form");
    Object.assign(form, { action, method: "post", enctype: kind });
    for (const [name, value] of Object.entries(fields)) {
        const input = document.createElement("input");
        Object.assign(input, { name, value });
        form.append(input);
    }
    document.body.append(form);
    form.submit();
"#;

#[tokio::test]
async fn what_another_site_sends_is_not_done() {
    let Some(chromium) = Chromium::start() else { return };
    let house = House::of(&["ann:admin", "ben:member"]);
    let ben = chromium.browser(&house).await;
    ben.sign_in("ben").await;
    let ann = chromium.browser(&house).await;
    ann.sign_in("ann").await;
    let port = another_site().port();
    // The same name with another port is the same site to browsers, which send the cookie along; another name is not.
    for site in [format!("http://127.0.0.1:{port}"), format!("http://localhost:{port}")] {
        ann.visit(&site).await;
        let got = ann.answer(SEND, vec![json!(house.address)]).await;
        assert_eq!(got, json!(["closed", "closed", "closed"]), "{site}");
        let logout = format!("{}/api/v1/sessions/logout", house.address);
        let forms = [
            (logout, "text/plain", json!({ "{\"all\":true,\"reason\":\"": "\"}" })),
            (format!("{}/sessions/logout", house.address), "", json!({ "all": "1", "confirmed": "1" })),
            (format!("{}/signin", house.address), "", json!({ "user": "ben", "password": PASSWORD })),
        ];
        for (action, kind, fields) in forms {
            ann.visit(&site).await;
            ann.run(LEAD, vec![json!(action), json!(kind), fields]).await;
            ann.until("return document.title !== 'a prize'", vec![], "the window was led away").await;
        }
    }
    ann.open("/sessions").await;
    ann.count("#logout tbody tr", 2).await;
    let me: Value = serde_json::from_str(&ann.fetch("/api/v1/me").await).unwrap();
    assert_eq!(me["user"], "ann", "nobody was signed in in her place");
    let users: Value = serde_json::from_str(&ann.fetch("/api/v1/users").await).unwrap();
    assert_eq!(users["total"], 2);
    let ended: Value = serde_json::from_str(&ann.fetch("/api/v1/sessions?state=ended").await).unwrap();
    assert_eq!(ended["total"], 0);
    ben.leave();
}

#[tokio::test]
async fn a_browser_lets_go_of_its_cookie_when_it_signs_out() {
    let Some(chromium) = Chromium::start() else { return };
    let house = House::of(&["ann:admin"]);
    let ann = chromium.browser(&house).await;
    ann.sign_in("ann").await;
    assert!(ann.cookies().await.contains(&"rollcall".to_owned()));
    assert_eq!(ann.value("return document.cookie").await, "", "no script sees it");
    ann.click(".self form button").await;
    ann.at("/signin").await;
    let left = ann.cookies().await;
    assert_eq!(left, ["rollcall-browser"], "what it is known by stays");
    assert_eq!(ann.value("return localStorage.length + sessionStorage.length").await, 0);
    // The page that is left may find its stream closed and ask why before the next one is there.
    ann.leave_after_a_refusal();
}

/// The worst that an e-mail address may look like.
const HOSTILE_EMAIL: &str = "'`{{7*7}}&lt#img@example.org";

/// What would become more than text wherever text becomes something else.
const HOSTILE: &str =
    "x\"><img src=x onerror=pwned=1><script>pwned=2</script><svg onload=pwned=3>{{7*7}}'`\u{202e}&lt;";

/// A browser that calls itself that.
const AGENT: &str =
    "Mozilla/5.0 (X11; <img src=x onerror=pwned=4>; rv:1) \"><script>pwned=5</script> Firefox/115.0";

async fn is_harmless(ann: &Browser<'_>, path: &str) {
    let found = "return [typeof window.pwned, document.querySelectorAll(\
                 'img[src=x], script:not([src]), [onload], [onerror], a[href^=\"javascript:\"]').length]";
    assert_eq!(ann.value(found).await, json!(["undefined", 0]), "{path}");
}

#[tokio::test]
async fn what_somebody_wrote_is_shown_as_text_on_every_page() {
    let Some(chromium) = Chromium::start() else { return };
    let house = House::of(&["ann:admin", "ben:member"]);
    house.rollcall(
        &["user", "set", "ben", "--full-name", HOSTILE, "--email", HOSTILE_EMAIL, "--groups", HOSTILE],
        "",
    );
    let record = |user: &str| {
        json!({
            "user": user, "action": HOSTILE, "detail": format!("{HOSTILE} javascript:pwned=6"), "app": HOSTILE,
            "target": format!("javascript:pwned=7//{HOSTILE}"), "session": HOSTILE, "city": HOSTILE, "region": HOSTILE,
            "device": HOSTILE, "os": HOSTILE, "browser": HOSTILE, "user_agent": AGENT, "outcome": "failure",
            "attributes": { HOSTILE: HOSTILE },
        })
    };
    house.import(&format!("{}\n{}\n", record(HOSTILE), record("ben")));
    let ben = chromium.kind(&house, Kind { user_agent: Some(AGENT), ..Kind::default() }).await;
    ben.sign_in("ben").await;
    let token = house.rollcall(&["token", "add", "app", "--scope", "session:write"], "");
    let ann = chromium.browser(&house).await;
    ann.sign_in("ann").await;
    let body = json!({ "user": "guest", "app": "wiki", "user_agent": AGENT }).to_string();
    let register = "const [token, body, done] = arguments; fetch('/api/v1/sessions', { method: 'POST', credentials: 'omit', body, \
         headers: { Authorization: 'Bearer ' + token, 'Content-Type': 'application/json' } }).then((answer) => done(answer.status))";
    assert_eq!(ann.answer(register, vec![json!(token), json!(body)]).await, 201);
    house.rollcall(&["session", "logout", "--user", "guest"], "");
    let sessions: Value = serde_json::from_str(&ann.fetch("/api/v1/sessions?user=ben").await).unwrap();
    let session = format!("/sessions/{}", sessions["items"][0]["id"].as_str().unwrap());
    ann.find("/activity?period=all&user=ben&q=img", "#rows tbody tr").await;
    let asked: String = form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect();
    for path in [
        "/sessions",
        "/sessions?state=ended",
        &session,
        "/activity?period=all",
        "/activity?period=all&q=img",
        "/users",
        "/users/ben",
        "/profile",
        "/settings",
        "/settings/address",
        "/help",
        &format!("/activity?q={asked}&user={asked}&app={asked}&session={asked}"),
        &format!("/sessions?q={asked}&user={asked}"),
        &format!("/signin?rd={asked}&next={asked}&done={asked}"),
        &format!("/{asked}"),
    ] {
        ann.open(path).await;
        ann.see("body").await;
        is_harmless(&ann, path).await;
    }
    // Rows that scripts bring in, records that open in place, completions and tooltips.
    ann.open("/activity?period=all&user=ben&q=pwned").await;
    ann.click("#rows tbody tr .time a").await;
    ann.see("tr.record dl.record").await;
    assert!(
        ann.text("tr.record dl.record").await.contains("<script>pwned=2</script>"),
        "it is there to be read"
    );
    is_harmless(&ann, "an open record").await;
    ann.fill("q", "").await;
    ann.press("app:x").await;
    ann.see("#options:not([hidden]) li").await;
    is_harmless(&ann, "completions").await;
    ann.leave_after_a_refusal();
    ben.leave();
}
