//! Webhooks: an app hears of an end at once, signed, and again until it has taken it.

use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    time::{Duration, Instant},
};

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::SignedDuration;
use rollcall::domain::hooks::Courier;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{
    clients::installed,
    house::{Caller, House},
    http::each,
    server::{Client, Folder, PATIENCE},
    stream::Events,
};

/// What an app was posted.
struct Post {
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Post {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.as_str())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Whether it is signed with this secret, as Standard Webhooks says.
    fn is_signed(&self, secret: &str) -> bool {
        let key = BASE64.decode(secret.trim().strip_prefix("whsec_").unwrap().as_bytes()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        let signed =
            format!("{}.{}.{}", self.header("webhook-id"), self.header("webhook-timestamp"), self.body);
        mac.update(signed.as_bytes());
        self.header("webhook-signature") == format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()))
    }
}

/// An app that hears of ends: it answers with what it is told to, and then with 204. A 0 hangs up, a 1 never answers.
struct App {
    address: String,
    answers: Arc<Mutex<VecDeque<u16>>>,
    posts: Receiver<Post>,
}

impl App {
    fn start(answers: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let answers = Arc::new(Mutex::new(answers.iter().copied().collect::<VecDeque<_>>()));
        let (sender, posts) = channel();
        let given = Arc::clone(&answers);
        std::thread::spawn(move || {
            let mut held = Vec::new();
            for stream in listener.incoming() {
                let next = || given.lock().unwrap().pop_front().unwrap_or(204);
                held.extend(serve(stream.unwrap(), next, &sender));
            }
        });
        Self { address, answers, posts }
    }

    fn url(&self) -> String {
        format!("http://{}/rollcall?from=here", self.address)
    }

    /// The next that it is posted.
    fn hears(&self) -> Post {
        self.posts.recv_timeout(PATIENCE).expect("the app is told")
    }

    fn hears_nothing(&self) -> bool {
        self.posts.try_recv().is_err()
    }
}

/// Reads a request and answers it; the connection, if it is to stay open.
fn serve(stream: TcpStream, answer: impl FnOnce() -> u16, posts: &Sender<Post>) -> Option<TcpStream> {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let path = lines[0].split(' ').nth(1).unwrap().to_owned();
    let headers = lines[1..].iter().filter_map(|line| line.split_once(": "));
    let headers: Vec<_> = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut post = Post { path, headers, body: String::new() };
    let length = post.header("content-length").parse().unwrap_or(0);
    reader.take(length).read_to_string(&mut post.body).unwrap();
    let answer = answer();
    let _ = posts.send(post);
    match answer {
        0 => None,
        1 => Some(stream),
        status => {
            let mut stream = stream;
            let head =
                format!("HTTP/1.1 {status} So\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
            let _ = stream.write_all(head.as_bytes());
            None
        }
    }
}

/// A house in which the courier is about, with these apps: names, and where they are.
fn house(apps: &[(&str, &App)]) -> House {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    for (name, app) in apps {
        let added =
            ada.post("/api/v1/apps", &json!({"name": name, "url": format!("https://{name}.example")}));
        assert_eq!(added.status, 201, "{}", added.text());
        let set = hook(&ada, name, &app.url());
        assert_eq!(set.status, 201, "{}", set.text());
    }
    let courier = Courier::new(house.app.clone());
    house.wait(async { drop(tokio::spawn(courier.run())) });
    house
}

fn hook(by: &Caller<'_>, app: &str, url: &str) -> super::http::Reply {
    let json = by.with("Content-Type", "application/json");
    let body = json!({ "url": url }).to_string();
    json.send(rocket::http::Method::Put, &format!("/api/v1/apps/{app}/hook"), body.as_bytes())
}

/// A session that an app registered.
fn registered(house: &House, app: &str) -> String {
    session_of(house, &format!("by-{app}"), app)
}

/// A session that an app registered by a new token of this name.
fn session_of(house: &House, token: &str, app: &str) -> String {
    let program = house.program(token, &["session:write"]);
    let made = program.post("/api/v1/sessions", &json!({"user": "guest", "app": app}));
    made.json()["id"].as_str().unwrap().to_owned()
}

/// The last that an app was to be told, once it is so.
fn until(house: &House, app: &str, so: impl Fn(&Value) -> bool) -> Value {
    let (ada, start) = (house.signed_in("ada"), Instant::now());
    loop {
        let told = ada.get(&format!("/api/v1/apps/{app}/hook")).ok()["deliveries"][0].clone();
        if so(&told) {
            return told;
        }
        assert!(start.elapsed() < PATIENCE, "{told}");
        std::thread::yield_now();
    }
}

#[test]
fn an_app_hears_of_a_logout_in_under_a_second_and_can_tell_that_it_is_true() {
    let app = App::start(&[]);
    let folder = Folder::with_admin();
    folder.run(&["app", "add", "wiki", "--url", "https://wiki.example.org"]).ok();
    let secret = folder.run(&["app", "hook", "wiki", "--url", &app.url()]);
    let secret = secret.ok().to_owned();
    assert!(secret.starts_with("whsec_") && secret.lines().count() == 1, "the secret alone, for a script");
    let token = folder.run(&["token", "add", "wiki", "--scope", "session:write"]).ok().to_owned();
    let server = folder.serve();
    let session = json!({"user": "guest", "app": "wiki"});
    let id =
        server.bearer(&token).post("/api/v1/sessions", &session).json()["id"].as_str().unwrap().to_owned();
    let ada = server.signed_in("ada");
    let mut events = Events::open(&ada, "/api/v1/sessions/stream");
    let body = json!({"sessions": [id], "reason": "laptop was stolen"});
    ada.post("/api/v1/sessions/logout", &body).ok();
    let answered = Instant::now();
    let post = app.hears();
    assert!(answered.elapsed() < Duration::from_secs(1), "{:?}", answered.elapsed());
    assert_eq!(post.path, "/rollcall?from=here");
    assert!(post.is_signed(&secret), "{:?}", post.headers);
    assert!(post.header("webhook-id").starts_with("msg_"));
    assert_eq!(post.header("content-type"), "application/json");
    let told = post.json();
    assert_eq!(told["type"], "session.ended");
    let expected = json!({
        "session": id, "user": "guest", "app": "wiki", "ended_by": "admin", "ended_by_user": "ada",
        "reason": "laptop was stolen",
    });
    assert_eq!(told["data"], expected);
    assert_eq!(events.until("told")["id"], id);
    let state = ada.get("/api/v1/apps/wiki/hook").ok();
    assert_eq!([&state["url"], &state["waiting"]], [&json!(app.url()), &json!(0)]);
    assert_eq!([&state["deliveries"][0]["state"], &state["deliveries"][0]["session"]], ["told", id.as_str()]);
    let shown = folder.run(&["app", "hook", "wiki"]);
    assert!(shown.ok().contains("0 waiting") && shown.ok().contains(&id), "{}", shown.out);
    assert!(!shown.ok().contains("whsec_") && !state.to_string().contains("whsec_"), "shown once");
    assert!(ada.get(&format!("/sessions/{id}")).text().contains("wiki was told"));
}

#[test]
fn an_app_is_told_however_its_name_is_written() {
    let app = App::start(&[]);
    let house = house(&[("wiki", &app)]);
    let ada = house.signed_in("ada");
    // What is given of `Wiki` is given of it, and there is no second one.
    let other = json!({"name": "Wiki", "url": "https://other.example.org"});
    assert_eq!(ada.post("/api/v1/apps", &other).refusal(), "409 conflict name");
    let again = ada.patch("/api/v1/apps/Wiki", &json!({"url": "https://other.example.org"}));
    assert_eq!(again.status, 204, "{}", again.text());
    let apps = ada.get("/api/v1/apps").items();
    assert_eq!(
        (each(&apps, "name"), each(&apps, "url")),
        (vec!["wiki".to_owned()], vec!["https://other.example.org".to_owned()])
    );
    let id = registered(&house, "WIKI");
    let session = ada.get(&format!("/api/v1/sessions/{id}")).ok();
    assert_eq!(session["apps"], json!(["wiki"]));
    assert_eq!(ada.delete(&format!("/api/v1/sessions/{id}")).status, 204);
    assert_eq!(app.hears().json()["data"]["app"], "wiki");
    // What no app is called is taken as it is: an app may have sessions before anybody registers it.
    let id = registered(&house, "Elsewhere");
    assert_eq!(ada.get(&format!("/api/v1/sessions/{id}")).ok()["apps"], json!(["Elsewhere"]));
}

#[test]
fn a_token_and_a_webhook_are_one_apps_however_either_writes_its_name_and_whichever_was_first() {
    let app = App::start(&[]);
    let house = house(&[("wiki", &app)]);
    let ada = house.signed_in("ada");
    let scopes = ["session:write", "activity:write"];
    let program = |name: &str, of: &str| {
        let token = json!({"name": name, "scopes": scopes, "app": of});
        house.bearer(ada.post("/api/v1/tokens", &token).json()["token"].as_str().unwrap())
    };
    let begin = |program: &Caller<'_>, body: Value| {
        let reply = program.post("/api/v1/sessions", &body);
        assert_eq!(reply.status, 201, "{}", reply.text());
        reply.json()["id"].as_str().unwrap().to_owned()
    };
    // It is of the app as it is registered: it speaks, ends and is told in that name.
    let use_and_end = |program: &Caller<'_>, id: &str, name: &str| {
        let session = format!("/api/v1/sessions/{id}");
        assert_eq!(program.post(&format!("{session}/touch"), &json!({})).status, 204);
        for (action, named) in [("read", Some(name)), ("wrote", None)] {
            let record = json!({"user": "zoe", "action": action, "app": named, "session": id});
            let taken = program.post("/api/v1/activity", &record);
            assert_eq!(taken.ok()["accepted"], 1, "{}", taken.text());
            let row = &house.log(&format!("action={action}&session={id}"))[0];
            assert_eq!((&row["app"], &row["attributes"]), (&json!(name), &json!({})), "{row}");
        }
        assert_eq!(program.delete(&session).status, 204);
        let told = app.hears().json();
        assert_eq!((&told["data"]["app"], &told["data"]["session"]), (&json!(name), &json!(id)));
        let ended = ada.get(&session).ok();
        assert_eq!(ended["apps"], json!([name]), "{ended}");
    };
    let wiki = program("t", "Wiki");
    for body in
        [json!({"user": "zoe"}), json!({"user": "zoe", "app": "wiki"}), json!({"user": "zoe", "app": "WIKI"})]
    {
        use_and_end(&wiki, &begin(&wiki, body), "wiki");
    }
    let shop = wiki.post("/api/v1/sessions", &json!({"user": "zoe", "app": "shop"}));
    assert_eq!(shop.refusal(), "400 bad_field app");
    // So is one whose app, and one whose session, was there before the app was registered.
    let later = program("later", "Later");
    let id = begin(&later, json!({"user": "zoe"}));
    assert_eq!(ada.get(&format!("/api/v1/sessions/{id}")).ok()["apps"], json!(["Later"]));
    assert_eq!(
        begin(&later, json!({"user": "mia", "app": "LATER"})).len(),
        id.len(),
        "nor need it be at all"
    );
    let added = json!({"name": "later", "url": "https://later.example.org"});
    assert_eq!(ada.post("/api/v1/apps", &added).status, 201);
    assert_eq!(ada.put("/api/v1/apps/LATER/hook", &json!({"url": app.url()})).status, 201);
    use_and_end(&later, &id, "later");
}

#[test]
fn the_webhook_of_an_app_is_found_however_its_name_is_written() {
    let app = App::start(&[]);
    let house = house(&[("wiki", &app)]);
    let ada = house.signed_in("ada");
    assert_eq!(ada.get("/api/v1/apps/WIKI/hook").ok()["url"], json!(app.url()));
    assert_eq!(ada.post("/api/v1/apps/WIKI/hook/retry", &json!({})).ok()["retried"], 0);
    assert!(ada.get("/apps/WIKI/webhook").text().contains(&app.address));
    let elsewhere = json!({"url": "http://127.0.0.1:9/other"});
    assert_eq!(ada.put("/api/v1/apps/Wiki/hook", &elsewhere).status, 201);
    assert_eq!(ada.get("/api/v1/apps/wiki/hook").ok()["url"], elsewhere["url"], "there is no second one");
    assert_eq!(each(&house.log("action=app-hook-set"), "target"), ["wiki", "wiki"]);
    assert_eq!(ada.delete("/api/v1/apps/WIKI/hook").status, 204);
    assert_eq!(ada.get("/api/v1/apps/wiki/hook").refusal(), "404 not_found");
    let folder = Folder::with_admin();
    folder.run(&["app", "add", "wiki", "--url", "https://wiki.example.org"]).ok();
    folder.run(&["app", "hook", "Wiki", "--url", "https://wiki.example.org/hook"]).ok();
    assert!(folder.run(&["app", "hook", "WIKI"]).ok().contains("https://wiki.example.org/hook"));
}

#[test]
fn an_app_that_fails_is_told_again_later_and_knows_the_message_again() {
    let app = App::start(&[500, 302, 0]);
    let house = house(&[("wiki", &app)]);
    let id = registered(&house, "wiki");
    assert_eq!(house.signed_in("ada").delete(&format!("/api/v1/sessions/{id}")).status, 204);
    let first = app.hears();
    let problems = [("answered 500", 5), ("answered 302; redirects are not followed", 20), ("", 60)];
    for (tries, (problem, wait)) in (1..).zip(problems) {
        let told = until(&house, "wiki", |told| told["tries"] == tries);
        assert_eq!(told["state"], "waiting");
        assert!(told["problem"].as_str().unwrap().starts_with(problem), "{told}");
        let due: jiff::Timestamp = told["at"].as_str().unwrap().parse().unwrap();
        assert_eq!((due - house.now()).as_secs(), wait);
        assert!(app.hears_nothing(), "not before it is due");
        house.later(SignedDuration::from_secs(wait));
        let again = app.hears();
        assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
        assert_eq!(again.body, first.body);
        let sent: i64 = again.header("webhook-timestamp").parse().unwrap();
        assert_eq!(sent, house.now().as_second(), "it is signed anew");
    }
    assert_eq!(until(&house, "wiki", |told| told["state"] == "told")["tries"], 4);
    assert!(app.hears_nothing());
}

#[test]
fn an_app_that_never_takes_it_is_given_up_and_one_that_is_gone_at_once() {
    let app = App::start(&[500; 10]);
    let gone = App::start(&[410]);
    let house = house(&[("wiki", &app), ("old", &gone)]);
    let ids = [registered(&house, "wiki"), registered(&house, "old")];
    let end = house.program("guard", &["session:write"]);
    assert_eq!(end.post("/api/v1/sessions/logout", &json!({"sessions": ids})).ok()["ended"], 2);
    gone.hears();
    let told = until(&house, "old", |told| told["state"] == "given_up");
    assert_eq!([&told["problem"], &told["tries"]], [&json!("answered 410"), &json!(1)]);
    for tries in 1..=10 {
        app.hears();
        until(&house, "wiki", |told| told["tries"] == tries);
        if tries < 10 {
            house.signed_in("ada").form("/apps/wiki/webhook/retry", &[]);
        }
    }
    assert_eq!(until(&house, "wiki", |told| told["state"] == "given_up")["problem"], "answered 500");
    assert!(app.hears_nothing() && gone.hears_nothing());
    // Whoever has mended the app has it told after all.
    let ada = house.signed_in("ada");
    assert!(ada.get("/apps/wiki/webhook").text().contains("nothing, but some was given up"));
    ada.form("/apps/wiki/webhook/retry", &[]);
    app.hears();
    assert_eq!(until(&house, "wiki", |told| told["state"] == "told")["tries"], 1);
    assert!(ada.get("/apps/wiki/webhook").text().contains("<dd>nothing</dd>") && gone.hears_nothing());
}

#[test]
fn an_app_that_does_not_answer_is_in_nobodys_way() {
    let (slow, quick) = (App::start(&[1; 100]), App::start(&[]));
    // By name, so that the slow one comes first.
    let house = house(&[("a-slow", &slow), ("quick", &quick)]);
    let slows: Vec<String> = (0..40).map(|n| session_of(&house, &format!("s{n}"), "a-slow")).collect();
    let one = registered(&house, "quick");
    let end = house.program("guard", &["session:write"]);
    assert_eq!(end.post("/api/v1/sessions/logout", &json!({"sessions": slows})).ok()["ended"], 40);
    slow.hears();
    assert_eq!(end.delete(&format!("/api/v1/sessions/{one}")).status, 204);
    let answered = Instant::now();
    quick.hears();
    assert!(answered.elapsed() < Duration::from_secs(1), "{:?}", answered.elapsed());
    let mut at_once = 1;
    while slow.posts.recv_timeout(Duration::from_millis(300)).is_ok() {
        at_once += 1;
    }
    assert_eq!(at_once, 4, "no app has more than four tries in the air");
}

#[test]
fn apps_that_hang_hold_up_no_other_however_many_they_are() {
    let hanging: Vec<App> = (0..9).map(|_| App::start(&[1; 8])).collect();
    let quick = App::start(&[]);
    let names: Vec<String> = (0..9).map(|n| format!("hang{n}")).collect();
    let apps = names.iter().map(String::as_str).zip(&hanging).chain([("zebra", &quick)]);
    let house = house(&apps.collect::<Vec<_>>());
    let ada = house.signed_in("ada");
    for name in &names {
        for nth in 0..6 {
            let id = session_of(&house, &format!("{name}-{nth}"), name);
            assert_eq!(ada.delete(&format!("/api/v1/sessions/{id}")).status, 204);
        }
    }
    for app in &hanging {
        app.hears();
    }
    let id = registered(&house, "zebra");
    let ended = Instant::now();
    assert_eq!(ada.delete(&format!("/api/v1/sessions/{id}")).status, 204);
    quick.hears();
    assert!(ended.elapsed() < Duration::from_secs(1), "{:?}", ended.elapsed());
}

#[test]
fn what_an_app_is_to_be_told_survives_a_crash_and_an_end_while_nothing_ran() {
    let app = App::start(&[500, 500, 500]);
    let folder = Folder::with_admin();
    folder.run(&["app", "add", "wiki", "--url", "https://wiki.example.org"]).ok();
    folder.run(&["app", "hook", "wiki", "--url", &app.url()]).ok();
    let token = folder.run(&["token", "add", "wiki", "--scope", "session:write"]).ok().to_owned();
    let register = |program: &Client| {
        let made = program.post("/api/v1/sessions", &json!({"user": "guest", "app": "wiki"}));
        made.json()["id"].as_str().unwrap().to_owned()
    };
    let server = folder.serve();
    let program = server.bearer(&token);
    let (first, second) = (register(&program), register(&program));
    assert_eq!(program.delete(&format!("/api/v1/sessions/{first}")).status, 204);
    let told = app.hears();
    server.kill();
    app.answers.lock().unwrap().clear();
    // Without a server nobody is told; with the next one both are.
    folder.run(&["session", "logout", &second]).says("1 session ended");
    assert!(app.hears_nothing());
    let server = folder.serve();
    folder.run(&["app", "hook", "wiki", "--retry"]).ok();
    let mut again = [app.hears(), app.hears()];
    again.sort_by_key(|post| post.json()["data"]["session"] != first.as_str());
    assert_eq!(again[0].header("webhook-id"), told.header("webhook-id"));
    assert_eq!(again[1].json()["data"]["session"], second.as_str());
    let ada = server.signed_in("ada");
    ada.get_until("/api/v1/apps/wiki/hook", |reply| reply.ok()["waiting"] == 0);
}

#[test]
fn the_page_says_after_a_logout_who_was_told_and_who_not_yet() {
    let (good, bad) = (App::start(&[]), App::start(&[500, 500]));
    let house = house(&[("wiki", &good), ("shop", &bad)]);
    let ids = [registered(&house, "wiki"), registered(&house, "shop")];
    let ada = house.signed_in("ada");
    let fields = [("session", ids[0].as_str()), ("session", &ids[1]), ("confirmed", "1")];
    let reply = ada.form("/sessions/logout", &fields);
    let place = reply.header("Location").unwrap().to_owned();
    let page = ada.get(&place).text();
    assert!(page.contains("Told 1 of 2 apps, shop: retry in 5 s."), "{page}");
    let notice = ada.with("Fragment", "notice").get(&place).text();
    assert!(notice.contains("retry in 5 s") && !notice.contains("<html"), "{notice}");
    let page = ada.get(&format!("/sessions/{}", ids[1])).text();
    assert!(page.contains("retry in 5 s; answered 500"), "{page}");
    let page = ada.get("/apps").text();
    assert!(page.contains(">1 waiting<") && page.contains(">set<"), "{page}");
    let page = ada.get("/apps/shop/webhook").text();
    assert!(page.contains("retry in 5 s; answered 500") && page.contains(&ids[1]), "{page}");
    bad.answers.lock().unwrap().clear();
    assert_eq!(ada.form("/apps/shop/webhook/retry", &[]).status, 303);
    until(&house, "shop", |told| told["state"] == "told");
    let page = ada.get(&place).text();
    assert!(page.contains("Told 2 apps."), "{page}");
}

#[test]
fn a_webhook_is_set_changed_and_removed_and_the_log_knows() {
    let (old, new) = (App::start(&[500; 3]), App::start(&[]));
    let house = house(&[("wiki", &old)]);
    let ada = house.signed_in("ada");
    let id = registered(&house, "wiki");
    ada.delete(&format!("/api/v1/sessions/{id}"));
    let first = old.hears();
    until(&house, "wiki", |told| told["tries"] == 1);
    // What waits goes to the new address at once, signed with the new secret.
    let page = ada.form("/apps/wiki/webhook", &[("url", &new.url())]).text();
    let secret = page.split_once("value=\"whsec_").expect("it is shown").1.split_once('"').unwrap().0;
    let post = new.hears();
    assert_eq!(post.header("webhook-id"), first.header("webhook-id"));
    assert!(post.is_signed(&format!("whsec_{secret}")));
    assert!(!ada.get("/apps/wiki/webhook").text().contains("whsec_"), "it is shown once");
    until(&house, "wiki", |told| told["state"] == "told");

    let refused = ada.form("/apps/wiki/webhook", &[("url", "ftp://wiki")]);
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("a webhook&#39;s address is http:// or https://"), "{}", refused.text());
    assert_eq!(hook(&ada, "wiki", "http://ann:secret@wiki/").refusal(), "400 bad_field url");
    assert_eq!(hook(&ada, "nowhere", &new.url()).refusal(), "404 not_found");
    assert_eq!(ada.get("/apps/nowhere/webhook").status, 404);

    // What is removed tells nobody any more, and gives up what waits.
    hook(&ada, "wiki", "http://127.0.0.1:1/");
    house.later(SignedDuration::from_secs(1));
    let id = session_of(&house, "again", "wiki");
    ada.delete(&format!("/api/v1/sessions/{id}"));
    until(&house, "wiki", |told| told["tries"] == 1);
    assert_eq!(ada.form("/apps/wiki/webhook/remove", &[]).status, 303);
    assert_eq!(ada.get("/api/v1/apps/wiki/hook").refusal(), "404 not_found");
    assert!(ada.get(&format!("/sessions/{id}")).text().contains("given up; the webhook was removed"));
    let told = |action: &str| house.log(&format!("action={action}")).len();
    assert_eq!((told("app-hook-set"), told("app-hook-removed")), (3, 1));
}

#[test]
fn the_log_keeps_nothing_of_a_webhooks_address_that_may_be_a_secret() {
    let house = house(&[]);
    let ada = house.signed_in("ada");
    let app = json!({"name": "wiki", "url": "https://wiki.example.org"});
    assert_eq!(ada.post("/api/v1/apps", &app).status, 201);
    let url = "http://127.0.0.1:1/hook?token=SECRETXYZ";
    assert_eq!(hook(&ada, "wiki", url).status, 201);
    assert_eq!(ada.get("/api/v1/apps/wiki/hook").ok()["url"], url, "administrators see where it goes");
    let told = house.log("");
    let set = told.iter().find(|told| told["action"] == "app-hook-set").expect("it is told");
    assert_eq!(set["detail"], "http://127.0.0.1:1/hook");
    assert!(!json!(told).to_string().contains("SECRETXYZ"), "{told:?}");
}

#[test]
fn a_session_that_expires_is_told_like_any_other() {
    let app = App::start(&[]);
    let house = house(&[("wiki", &app)]);
    let id = registered(&house, "wiki");
    house.later(SignedDuration::from_hours(2));
    house.sweep();
    let told = app.hears().json();
    assert_eq!([&told["data"]["session"], &told["data"]["ended_by"]], [id.as_str(), "policy"]);
}

#[test]
fn a_server_stops_while_an_app_does_not_answer() {
    let app = App::start(&[1; 10]);
    let folder = Folder::with_admin();
    folder.run(&["app", "add", "wiki", "--url", "https://wiki.example.org"]).ok();
    folder.run(&["app", "hook", "wiki", "--url", &app.url()]).ok();
    let token = folder.run(&["token", "add", "wiki", "--scope", "session:write"]).ok().to_owned();
    let server = folder.serve();
    let program = server.bearer(&token);
    let made = program.post("/api/v1/sessions", &json!({"user": "guest", "app": "wiki"})).json();
    program.delete(&format!("/api/v1/sessions/{}", made["id"].as_str().unwrap()));
    app.hears();
    let asked = Instant::now();
    assert_eq!(server.stop(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
}

/// An app behind TLS, whose certificate is its own authority.
const SECURE: &str = r#"
import http.server, ssl, sys
class App(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), App)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_port, flush=True)
server.serve_forever()
"#;

#[test]
fn an_app_behind_tls_is_told_if_its_certificate_is_trusted_and_not_otherwise() {
    let certificates = tempfile::tempdir().unwrap();
    let file = |name: &str| certificates.path().join(name);
    let mut openssl = Command::new(installed("openssl", "openssl"));
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]);
    openssl.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    // An authority cannot be the server itself: the certificate is trusted as what it is.
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    let made = openssl.arg("-keyout").arg(file("key")).arg("-out").arg(file("certificate")).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut app = Command::new(installed("python3", "python3"))
        .args(["-c", SECURE])
        .args([file("certificate"), file("key")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(app.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let url = format!("https://localhost:{}/rollcall", port.trim());
    let problem = tell(&url, Path::new("/etc/ssl/certs/ca-certificates.crt"), "waiting");
    assert!(problem.to_lowercase().contains("certificate"), "{problem}");
    assert_eq!(tell(&url, &file("certificate"), "told"), "");
    app.kill().unwrap();
    app.wait().unwrap();
}

/// Ends a session under a webhook, with a server that trusts these authorities; why it was not told.
fn tell(url: &str, authorities: &Path, state: &str) -> String {
    let folder = Folder::with_admin();
    folder.run(&["app", "add", "wiki", "--url", "https://wiki.example.org"]).ok();
    folder.run(&["app", "hook", "wiki", "--url", url]).ok();
    let token = folder.run(&["token", "add", "wiki", "--scope", "session:write"]).ok().to_owned();
    let server = folder.serve_in(&[("SSL_CERT_FILE", authorities)]);
    let program = server.bearer(&token);
    let made = program.post("/api/v1/sessions", &json!({"user": "guest", "app": "wiki"})).json();
    program.delete(&format!("/api/v1/sessions/{}", made["id"].as_str().unwrap()));
    let ada = server.signed_in("ada");
    let last = |reply: &super::http::Reply| reply.ok()["deliveries"][0].clone();
    let reply = ada.get_until("/api/v1/apps/wiki/hook", |reply| last(reply)["tries"] != 0);
    assert_eq!(last(&reply)["state"], state, "{}", reply.text());
    last(&reply)["problem"].as_str().unwrap_or_default().to_owned()
}
