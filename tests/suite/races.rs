//! A logout against requests that are in flight at that very moment, on kept-alive connections and open streams: none is answered
//! after the logout was.
//!
//! What is asked for once it is answered is refused, and so is whatever was asked for before and is still at work then. What had been
//! looked at for the last time and was on its way out when the session was refused holds the logout up: that is answered behind it. So the
//! server lets nobody through any more from the moment on in which the logout's answer leaves it, and these tests hold it to that by what
//! it does itself, and forgive nothing. (In which order two answers reach a client over two connections is no sign of it: the
//! system carries each for itself. How often a client could take the one for the later one is counted and shown.)

use std::{
    env,
    sync::{
        Barrier, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rocket::{get, routes};
use rollcall::{
    domain::{
        accounts::Details,
        export::{ExportError, Sheet},
        live::Event,
    },
    model::{
        filter::{Asked, Filter, Order},
        seal::Form,
        secret::Token,
        session::{Mandate, Scope},
        user::{Actor, ActorKind, Role},
    },
    web::door::{Member, Networks, Settings},
};
use serde_json::json;
use tokio::sync::Semaphore;

use super::{
    house::{Caller, House, LONDON, PASSWORD},
    http::each,
    server::{Client, Connection, Folder, PATIENCE},
    stream::Events,
};

/// How many sessions are ended: 1,000 races. Set `ROLLCALL_RACES=400` for 10,000.
const ROUNDS: u64 = 40;

/// On how many connections each of them is used meanwhile.
const CONNECTIONS: usize = 25;

/// What is asked for again and again: by programs, by a browser, by a proxy.
const PATHS: [&str; 6] =
    ["/api/v1/me", "/api/v1/sessions", "/sessions", "/activity", "/api/v1/activity?q=sign", "/auth/forward"];

/// How many sessions are ended in each kind of race.
fn rounds() -> u64 {
    env::var("ROLLCALL_RACES").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS)
}

/// Behind a proxy, with an app.
fn house() -> House {
    let trusted_proxies = Networks(vec![Networks::parse(PROXY).unwrap()]);
    let house = House::with_settings(Settings { trusted_proxies, ..Settings::default() }).with_admin("ada");
    let app = json!({"name": "wiki", "url": "http://wiki.test"});
    assert_eq!(house.signed_in("ada").post("/api/v1/apps", &app).status, 201);
    house
}

const PROXY: &str = "10.0.0.2";

/// What a browser sends, and a proxy for it.
fn asking<'h>(victim: &Caller<'h>) -> Caller<'h> {
    victim
        .at(PROXY)
        .with("Accept", "text/html")
        .with("X-Forwarded-For", LONDON)
        .with("X-Forwarded-Proto", "http")
        .with("X-Forwarded-Host", "wiki.test")
}

#[test]
fn a_logout_is_answered_behind_whatever_was_let_out_before_it() {
    let house = house();
    let ada = house.signed_in("ada");
    for path in PATHS {
        let victim = house.signed_in("ada");
        let (session, order) = (victim.session(), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            let (ada, order, session) = (&ada, &order, &session);
            asking(&victim).get_while(path, |status| {
                assert_eq!(status, 200, "{path}");
                let mut happens = house.app.watch_sessions();
                scope.spawn(move || {
                    assert_eq!(ada.delete(&format!("/api/v1/sessions/{session}")).status, 204);
                    order.lock().unwrap().push("the logout");
                });
                // Everything has been done then, and whoever asked for it is yet to be answered.
                while !matches!(house.wait(happens.recv()), Ok(Event::Ended(_))) {}
                order.lock().unwrap().push("the answer");
            });
        });
        assert_eq!(order.into_inner().unwrap(), ["the answer", "the logout"], "{path}");
    }
}

#[test]
fn a_new_password_is_answered_behind_whatever_was_let_out_with_the_cookie_of_before() {
    let house = house();
    for path in PATHS {
        let (mia, order) = (house.signed_in("ada"), Mutex::new(Vec::new()));
        let cookie = mia.header("Cookie").split_once('=').unwrap().1.to_owned();
        thread::scope(|scope| {
            let (mia, order) = (&mia, &order);
            asking(mia).get_while(path, |status| {
                assert_eq!(status, 200, "{path}");
                scope.spawn(move || {
                    let body = json!({"current": PASSWORD, "password": "another horse battery staple"});
                    let changed = mia.post("/api/v1/me/password", &body);
                    assert_eq!(changed.status, 200, "{}", changed.text());
                    order.lock().unwrap().push("the new password");
                });
                // Everything has been done then, and whoever asked for it is yet to be answered.
                while house.app.check(&cookie.parse().unwrap()).is_some() {
                    thread::yield_now();
                }
                order.lock().unwrap().push("the answer");
            });
        });
        assert_eq!(order.into_inner().unwrap(), ["the answer", "the new password"], "{path}");
        let back = PASSWORD.to_owned();
        house.wait(house.app.set_password(&Actor::console(), &"ada".parse().unwrap(), back)).unwrap();
    }
}

#[test]
fn whoever_revokes_a_token_is_answered_behind_whatever_was_let_out_before() {
    let house = House::new().with_admin("ada");
    let (ada, program) = (house.signed_in("ada"), house.program("reader-2", &["session:read"]));
    let order = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let revoked = || house.app.tokens().iter().all(|token| token.name != "reader-2");
        let ((), read) = program.get_while("/api/v1/sessions", |status| {
            assert_eq!(status, 200);
            scope.spawn(|| {
                assert_eq!(ada.delete("/api/v1/tokens/reader-2").status, 204);
                order.lock().unwrap().push("the revocation");
            });
            while !(revoked() && house.log("action=token-revoked").len() == 1) {
                thread::yield_now();
            }
            order.lock().unwrap().push("the answer");
        });
        assert!(read.is_some());
    });
    assert_eq!(order.into_inner().unwrap(), ["the answer", "the revocation"]);
}

#[test]
fn who_takes_nothing_of_an_answer_holds_a_logout_up_for_a_second_and_never_gets_the_rest() {
    /// More than is handed over at once.
    #[get("/large")]
    fn large(_member: Member<'_>) -> Vec<u8> {
        vec![b'x'; 1 << 20]
    }

    let house = House::with_routes(routes![large]).with_admin("ada").with_member("mia");
    let ada = house.signed_in("ada");
    for (path, whole) in [("/api/v1/me", true), ("/large", false)] {
        let mia = house.signed_in("mia");
        let session = mia.session();
        let (took, read) = mia.get_while(path, |status| {
            assert_eq!(status, 200);
            let asked = Instant::now();
            assert_eq!(ada.delete(&format!("/api/v1/sessions/{session}")).status, 204);
            asked.elapsed()
        });
        assert!(took >= Duration::from_secs(1) && took < PATIENCE, "{path}: {took:?}");
        // What is small had been handed over at once, were there a connection.
        assert_eq!(read.is_some(), whole, "{path}");
        assert_eq!(mia.get(path).status, if path == "/large" { 303 } else { 401 });
    }
}

#[test]
fn a_page_that_gathers_what_comes_in_says_nothing_of_it_once_its_session_has_ended() {
    let folder = Folder::with_admin();
    let token = folder.run(&["token", "add", "t", "--scope", "activity:write"]).ok().to_owned();
    let server = folder.serve();
    let (ada, writer) = (server.signed_in("ada"), server.bearer(&token));
    for round in 0..5 {
        let victim = server.signed_in("ada");
        let session = victim.session();
        let mut page = Events::open(&victim, "/activity/stream");
        let write =
            |action: String| writer.post("/api/v1/activity", &json!({"user": "u", "action": action})).ok();
        // The first is sent at once, and what comes next is gathered for a moment.
        write(format!("first-{round}"));
        while !page.text.contains(&format!("first-{round}")) {
            assert!(page.read(), "it is told");
        }
        write(format!("second-{round}"));
        write(format!("third-{round}"));
        assert_eq!(ada.delete(&format!("/api/v1/sessions/{session}")).status, 204);
        let told = page.text.len();
        while page.read() {}
        let after = &page.text[told..];
        assert!(!after.contains("second") && !after.contains("third"), "{after}");
    }
}

#[test]
fn in_ten_thousand_races_no_answer_is_on_its_way_when_the_logout_is_answered() {
    let house = house();
    let ada = house.signed_in("ada");
    let in_flight = AtomicUsize::new(0);
    for round in 0..rounds() {
        let victim = house.signed_in("ada");
        let (session, asking) = (victim.session(), asking(&victim));
        let (ready, out) = (Barrier::new(CONNECTIONS + 1), AtomicBool::new(false));
        thread::scope(|scope| {
            for path in PATHS.into_iter().cycle().take(CONNECTIONS) {
                let (asking, ready, out, in_flight) = (&asking, &ready, &out, &in_flight);
                scope.spawn(move || {
                    ready.wait();
                    loop {
                        let before = out.load(Ordering::SeqCst);
                        let ((status, after), _) =
                            asking.get_while(path, |status| (status, out.load(Ordering::SeqCst)));
                        assert!(refused(status) || !after, "{path} is answered {status} after the logout");
                        in_flight.fetch_add(usize::from(after && !before), Ordering::SeqCst);
                        if before {
                            break;
                        }
                    }
                });
            }
            ready.wait();
            for _ in 0..round % 20 {
                assert!(ada.is_in());
            }
            assert_eq!(ada.delete(&format!("/api/v1/sessions/{session}")).status, 204);
            out.store(true, Ordering::SeqCst);
        });
    }
    let in_flight = in_flight.into_inner();
    println!("{in_flight} were in flight when the logout was answered, and all of them were refused");
    // A race that nobody runs nobody loses.
    assert!(in_flight as u64 > rounds(), "only {in_flight} requests were in flight");
}

#[test]
fn what_is_in_flight_when_a_session_ends_is_refused_and_so_is_all_that_follows() {
    let folder = Folder::with_admin();
    folder.run(&["app", "add", "wiki", "--url", "http://wiki.test"]).ok();
    let token = folder.run(&["token", "add", "watch", "--scope", "metrics"]).ok().to_owned();
    let server = folder.serve_with(&["--trusted-proxy", "127.0.0.1"]);
    let (ada, watch) = (server.signed_in("ada"), server.bearer(&token));
    let races: Vec<Race> =
        (0..rounds()).map(|round| race(&ada, &server.signed_in("ada"), &watch, round)).collect();
    let late: Vec<&str> = races.iter().flat_map(|race| race.late.clone()).collect();
    let in_flight: usize = races.iter().map(|race| race.in_flight).sum();
    let mut until_refused: Vec<Duration> = races.iter().map(|race| race.until_refused).collect();
    until_refused.sort_unstable();
    let slowest = until_refused[until_refused.len() * 999 / 1000];
    println!(
        "{} of {in_flight} in flight came over their connection after the logout over its own, sent before: {late:?}; \
         the first refusal came {slowest:?} after the logout at most (p99.9)",
        late.len()
    );
    // A race that nobody runs nobody loses.
    assert!(in_flight > races.len(), "only {in_flight} requests were in flight");
}

#[test]
fn of_what_is_still_at_work_when_the_logout_is_answered_nothing_is_answered() {
    static BEGUN: Semaphore = Semaphore::const_new(0);
    static MAY_END: Semaphore = Semaphore::const_new(0);

    /// Has let its session in, and is not done before it may.
    #[get("/at-work")]
    async fn at_work(_member: Member<'_>) -> &'static str {
        BEGUN.add_permits(1);
        let _ = MAY_END.acquire().await.unwrap();
        "what only the signed in may see"
    }

    let house = House::with_routes(routes![at_work]).with_admin("ada").with_member("mia");
    let (ada, mia, other) = (house.signed_in("ada"), house.signed_in("mia"), house.signed_in("mia"));
    let session = mia.session();
    thread::scope(|scope| {
        let asked = [&mia; CONNECTIONS].map(|mia| scope.spawn(|| mia.get("/at-work")));
        let of_another = scope.spawn(|| other.get("/at-work"));
        let all = u32::try_from(CONNECTIONS + 1).unwrap();
        house.wait(BEGUN.acquire_many(all)).unwrap().forget();
        assert_eq!(ada.delete(&format!("/api/v1/sessions/{session}")).status, 204);
        MAY_END.add_permits(1);
        for asked in asked {
            let reply = asked.join().unwrap();
            assert_eq!((reply.status, reply.text().as_str()), (303, ""), "it had begun before the logout");
        }
        assert_eq!(of_another.join().unwrap().status, 200, "nobody else is refused for it");
    });
}

/// What came of one logout.
struct Race {
    /// How many requests were in flight when it was answered.
    in_flight: usize,
    /// Those of them that had been let through, and came later all the same.
    late: Vec<&'static str>,
    /// From its answer to the first refusal of what was asked for then.
    until_refused: Duration,
}

/// How many the server has let through so far, as it counts them: before it hands an answer over.
fn let_through(watch: &Client) -> u64 {
    let text = watch.get("/metrics").text();
    let count = |part: &str| -> u64 {
        let name = format!("rollcall_http_requests_total{{part=\"{part}\",status=\"2xx\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    };
    ["pages", "api", "gate"].map(count).iter().sum()
}

fn race(ada: &Client, victim: &Client, watch: &Client, round: u64) -> Race {
    let events = Events::open(victim, "/api/v1/sessions/stream");
    let asking = victim
        .with("Accept", "text/html")
        .with("X-Forwarded-Proto", "http")
        .with("X-Forwarded-Host", "wiki.test");
    let mut connections: Vec<(Connection, &'static str)> =
        PATHS.into_iter().cycle().take(CONNECTIONS).map(|path| (asking.connect(), path)).collect();
    for (connection, path) in &mut connections {
        assert_eq!(connection.send("GET", path, b"").status, 200, "{path}");
        connection.ask("GET", path, b"");
    }
    let (mut kept, mut logout) = (asking.connect(), ada.connect());
    assert_eq!(kept.send("GET", PATHS[0], b"").status, 200);
    let target = format!("/api/v1/sessions/{}", victim.session());
    let begin = Instant::now() + Duration::from_micros(round % 20 * 100);
    let mut asked = false;
    // One thread plays all of them, so that nothing lies unread for long when the logout is answered.
    'racing: loop {
        for (connection, path) in &mut connections {
            if connection.has_come() {
                let status = connection.answer().status;
                assert!(asked || !refused(status), "{path} is answered {status} before the logout");
                connection.ask("GET", path, b"");
            }
            if !asked && Instant::now() >= begin {
                logout.ask("DELETE", &target, b"");
                asked = true;
            }
            if asked && logout.has_come() {
                break 'racing;
            }
        }
        assert!(begin.elapsed() < PATIENCE, "the logout is not answered");
        thread::yield_now();
    }
    // What is here by now was answered before anybody could know.
    let in_flight: Vec<bool> = connections.iter_mut().map(|(connection, _)| !connection.has_come()).collect();
    assert_eq!(logout.answer().status, 204);
    let answered = Instant::now();
    assert!(refused(kept.send("GET", PATHS[0], b"").status), "the very next is refused");
    let until_refused = answered.elapsed();
    let by_then = let_through(watch);
    let mut race = Race { in_flight: 0, late: Vec::new(), until_refused };
    for ((mut connection, path), in_flight) in connections.into_iter().zip(in_flight) {
        let status = connection.answer().status;
        race.in_flight += usize::from(in_flight);
        if in_flight && !refused(status) {
            race.late.push(path);
        }
        connection.ask("GET", path, b"");
        let status = connection.answer().status;
        assert!(refused(status), "{path} was asked for after the logout and answered {status}");
    }
    assert_eq!(let_through(watch), by_then, "the server let somebody through after the logout");
    assert_eq!(events.rest("ended").len(), 1, "the stream says so and ends");
    race
}

/// Whether a status says that nobody is signed in; pages and proxies lead to the sign-in.
fn refused(status: u16) -> bool {
    matches!(status, 401 | 302 | 303)
}

#[test]
fn of_a_change_and_a_logout_that_race_the_log_says_which_came_first() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    for round in 0..30 {
        let victim = house.signed_in("ada");
        let (session, name) = (victim.session(), format!("token-{round}"));
        let token = json!({"name": name, "scopes": ["metrics"]});
        let ready = Barrier::new(2);
        let status = thread::scope(|scope| {
            let making = scope.spawn(|| {
                ready.wait();
                victim.post("/api/v1/tokens", &token).status
            });
            ready.wait();
            assert_eq!(ada.delete(&format!("/api/v1/sessions/{session}")).status, 204);
            making.join().unwrap()
        });
        let made = house.log(&format!("action=token-added&session={session}"));
        let ended = house.log(&format!("action=logout&session={session}")).remove(0);
        assert_eq!(made.is_empty(), !house.app.tokens().iter().any(|known| known.name == name));
        assert!(!made.is_empty() || status == 401, "{status}, and nothing was made");
        for made in made {
            assert!(made["id"].as_str() < ended["id"].as_str(), "{made} came after {ended}");
        }
    }
}

#[test]
fn what_was_asked_for_in_a_session_is_not_written_once_the_session_has_ended() {
    let house = House::new().with_admin("ada");
    let victim = house.signed_in("ada");
    let session = victim.session().parse().unwrap();
    // Who is acting was found out while the session was live.
    let kind = ActorKind::User(Role::Admin);
    let by = Actor { name: "ada".to_owned(), kind, session: Some(session), ..Actor::console() };
    let late = |name: &str| {
        let made = house.app.add_token(&by, name, vec!["metrics".parse().unwrap()], None, None);
        let full_name = Some(name.to_owned());
        let details = Details { full_name, ..Details::default() };
        let ada = "ada".parse().unwrap();
        let changed = house.app.change_user(&by, &ada, details);
        (house.wait(made).is_ok(), house.wait(changed).is_ok())
    };
    assert_eq!(late("before"), (true, true));
    assert_eq!(victim.post("/api/v1/signout", &json!({})).status, 204);
    assert_eq!(late("after"), (false, false));
    let sheet = Sheet { form: Form::Ndjson, columns: Vec::new() };
    let export =
        house.app.export(&by, &Scope::All, &Filter::default(), Order::Desc, &Asked::default(), &sheet);
    assert!(matches!(export, Err(ExportError::Gone(_))));
    assert_eq!(house.log("action=token-added&user=ada").len(), 1);
    assert_eq!(house.log("action=export").len(), 0);
}

#[test]
fn what_was_begun_with_a_cookie_is_not_written_once_there_is_another() {
    let house = House::new().with_admin("ada").with_member("mia");
    let (ada, mia) = (house.signed_in("ada"), house.signed_in("mia"));
    let id = ada.session();
    let acting = |cookie: &str| {
        let token: Token = cookie.split_once('=').unwrap().1.parse().unwrap();
        let (kind, session) = (ActorKind::User(Role::Admin), Some(id.parse().unwrap()));
        Actor { name: "ada".to_owned(), kind, session, token: Some(token.hash()), ..Actor::console() }
    };
    let by = acting(ada.header("Cookie"));
    let body = json!({"current": PASSWORD, "password": "another horse battery staple"});
    let changed = ada.post("/api/v1/me/password", &body);
    assert_eq!(changed.status, 200, "{}", changed.text());
    let make = |by: &Actor, name: &str| {
        house.wait(house.app.add_token(by, name, vec!["metrics".parse().unwrap()], None, None)).is_ok()
    };
    let end = |by: &Actor| {
        let victim = mia.session().parse().unwrap();
        house.wait(house.app.log_out(by, &Mandate::of(Role::Admin, &"ada".parse().unwrap()), &[victim], ""))
    };
    assert!(!make(&by, "late") && end(&by).is_err() && mia.is_in());
    let by = acting(&changed.cookie());
    assert!(make(&by, "new") && end(&by).is_ok() && !mia.is_in());
    assert_eq!(each(&house.log("action=token-added&user=ada"), "target"), ["new"]);
}

#[test]
fn what_a_handler_found_is_thrown_away_if_the_session_ends_meanwhile() {
    /// Ends its own session and goes on, as one does whose session somebody else ends.
    #[get("/slow")]
    async fn slow(member: Member<'_>) -> &'static str {
        member.app.sign_out(&member.actor(), &member.live).await.unwrap();
        "what only the signed in may see"
    }

    let house = House::with_routes(routes![slow]).with_member("mia");
    let reply = house.signed_in("mia").get("/slow");
    assert_eq!((reply.status, reply.header("Location")), (303, Some("/signin?next=%2Fslow")));
    assert_eq!(reply.text(), "");
    assert!(reply.header("Content-Security-Policy").is_some(), "it has the headers of every answer");
}
