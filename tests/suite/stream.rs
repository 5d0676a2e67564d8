//! Open connections: they learn of an end at once, and none outlives its session.

use std::{
    fs,
    time::{Duration, Instant},
};

use rollcall::domain::streams::OWN;
use serde_json::{Value, json};

use super::server::{Client, Connection, Folder, PATIENCE};

const STREAM: &str = "/api/v1/sessions/stream";

/// The open stream of sessions, behind its first word.
fn open(client: &Client) -> Events {
    Events::open(client, STREAM)
}

/// An open stream, and all that it has said.
pub(super) struct Events {
    connection: Connection,
    pub(super) text: String,
}

impl Events {
    /// Opens a stream and waits for its first word.
    pub(super) fn open(client: &Client, path: &str) -> Self {
        let mut connection = client.connect();
        connection.ask("GET", path, b"");
        let (status, headers) = connection.head();
        assert_eq!(status, 200);
        let kind = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        assert!(kind.is_some_and(|(_, kind)| kind.starts_with("text/event-stream")), "{headers:?}");
        let mut events = Self { connection, text: String::new() };
        while !events.text.contains("connected") {
            assert!(events.read(), "it greets");
        }
        events
    }

    /// Reads a piece more; whether there was one.
    pub(super) fn read(&mut self) -> bool {
        let chunk = self.connection.chunk();
        self.text.extend(chunk.as_deref().map(String::from_utf8_lossy));
        chunk.is_some()
    }

    /// Reads past an event that holds one of these words and `what`, and forgets all up to there.
    fn pass(&mut self, what: &str, words: [&str; 2]) {
        let passed = |line: &str| line.contains(what) && words.iter().any(|word| line.contains(word));
        while !self.text.split("\n\n").any(passed) {
            let whole = self.text.rfind("\n\n").unwrap_or_default();
            self.text.drain(..whole);
            assert!(self.read(), "the stream ended");
        }
        self.text.clear();
    }

    /// Reads to the end of the stream; the events of this name.
    pub(super) fn rest(mut self, name: &str) -> Vec<Value> {
        while self.read() {}
        self.all(name)
    }

    pub(super) fn all(&self, name: &str) -> Vec<Value> {
        let named = |event: &&str| event.lines().any(|line| line == format!("event:{name}"));
        let data = |event: &str| {
            let line = event.lines().find_map(|line| line.strip_prefix("data:")).expect("data");
            serde_json::from_str(line).unwrap()
        };
        // What stands behind the last empty line has not come whole.
        let whole = self.text.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
        whole.split("\n\n").filter(named).map(data).collect()
    }

    /// Reads until there is an event of this name.
    pub(super) fn until(&mut self, name: &str) -> Value {
        loop {
            if let Some(event) = self.all(name).pop() {
                return event;
            }
            assert!(self.read(), "the stream ended without {name}: {}", self.text);
        }
    }
}

#[test]
fn an_open_page_learns_that_its_session_has_ended_and_its_connections_are_refused() {
    let folder = Folder::with_admin();
    let server = folder.serve();
    let (ada, other) = (server.signed_in("ada"), server.signed_in("ada"));
    let id = other.session();
    let mut kept = other.connect();
    assert_eq!(kept.send("GET", "/api/v1/me", b"").status, 200);
    let events = open(&other);
    assert_eq!(ada.delete(&format!("/api/v1/sessions/{id}")).status, 204);
    assert_eq!(kept.send("GET", "/api/v1/me", b"").refusal(), "401 not_signed_in", "on the same connection");
    let ended = events.rest("ended");
    assert_eq!(ended.len(), 1);
    assert_eq!([&ended[0]["id"], &ended[0]["ended_by_user"]], [id.as_str(), "ada"]);
    assert_eq!(ended[0]["current"], true);
    let mut again = other.connect();
    assert_eq!(again.send("GET", STREAM, b"").status, 401, "it does not come back");
}

#[test]
fn a_new_password_closes_the_streams_that_the_cookie_of_before_had_opened() {
    let folder = Folder::with_admin();
    folder.run_with(&["user", "add", "mia", "--password-stdin"], super::house::PASSWORD).ok();
    let server = folder.serve_with(&["--trusted-proxy", "127.0.0.1"]);
    let mia = server.signed_in("mia");
    let id = mia.session();
    let paths = [STREAM, "/api/v1/activity/stream", "/activity/stream"];
    let streams = paths.map(|path| Events::open(&mia, path));
    let new = "another horse battery staple";
    let changed =
        mia.post("/api/v1/me/password", &json!({"current": super::house::PASSWORD, "password": new}));
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert_eq!(mia.get("/api/v1/me").refusal(), "401 not_signed_in");
    // All that happens from here on is told to whoever has the new cookie alone.
    let after = server.stranger().with("Cookie", &changed.cookie());
    let mut hears = Events::open(&after, "/api/v1/activity/stream");
    let elsewhere = server.stranger().with("X-Forwarded-For", "198.51.100.7");
    let other = elsewhere.post("/api/v1/signin", &json!({"user": "mia", "password": new}));
    assert_eq!(other.status, 200, "{}", other.text());
    assert_eq!(hears.until("activity")["ip"], "198.51.100.7");
    assert_eq!(after.session(), id, "it goes on");
    assert_eq!(after.post("/api/v1/signout", &json!({})).status, 204);
    for (mut stream, path) in streams.into_iter().zip(paths) {
        while stream.read() {}
        let text = &stream.text;
        assert!(!text.contains("198.51.100.7") && !text.contains("sign-out"), "{path}: {text}");
        assert!(!text.contains("event:ended"), "{path}: {text}");
    }
}

#[test]
fn a_stream_tells_only_what_its_reader_may_see() {
    let folder = Folder::with_admin();
    folder.run_with(&["user", "add", "mia", "--password-stdin"], super::house::PASSWORD).ok();
    let server = folder.serve();
    let (ada, mia) = (server.signed_in("ada"), server.signed_in("mia"));
    let (mut all, mut own) = (open(&ada), open(&mia));
    let second = server.signed_in("ada");
    let id = second.session();
    assert_eq!(all.until("session")["id"], id.as_str());
    second.post("/api/v1/signout", &json!({}));
    assert_eq!(all.until("ended")["id"], id.as_str());
    let third = server.signed_in("mia").session();
    // Events come in order: had mia been told of ada's, she would have been told before this.
    assert_eq!(own.until("session")["id"], third.as_str());
    assert!(!own.text.contains(&id) && !own.text.contains("\"ada\""), "{}", own.text);
}

#[test]
fn nobody_has_any_number_of_streams_and_one_that_ends_makes_room() {
    let folder = Folder::with_admin();
    folder.run_with(&["user", "add", "mia", "--password-stdin"], super::house::PASSWORD).ok();
    let server = folder.serve();
    let (ada, other, mia) = (server.signed_in("ada"), server.signed_in("ada"), server.signed_in("mia"));
    let paths = [STREAM, "/api/v1/activity/stream", "/activity/stream"].into_iter().cycle();
    let open: Vec<Events> = paths.take(OWN as usize - 1).map(|path| Events::open(&ada, path)).collect();
    let last = Events::open(&other, STREAM);
    for path in [STREAM, "/api/v1/activity/stream"] {
        let reply = ada.get(path);
        assert_eq!(reply.refusal(), "429 busy");
        assert!(reply.text().contains("128 of your streams are open"), "{}", reply.text());
        assert_eq!(reply.header("Retry-After"), Some("10"));
    }
    assert_eq!(ada.get("/activity/stream").status, 429);
    drop(Events::open(&mia, STREAM));
    other.post("/api/v1/signout", &json!({}));
    assert_eq!(last.rest("ended").len(), 1);
    let mut again = ada.connect();
    let start = Instant::now();
    loop {
        again.ask("GET", STREAM, b"");
        if again.head().0 == 200 {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "no room is made");
        again = ada.connect();
    }
    drop(open);
}

/// What a process holds: memory of its own in KB, threads, and sockets.
fn held(process: u32) -> [usize; 3] {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let files = fs::read_dir(format!("/proc/{process}/fd")).unwrap().filter_map(Result::ok);
    let sockets = files.filter_map(|file| fs::read_link(file.path()).ok());
    let sockets = sockets.filter(|file| file.to_string_lossy().starts_with("socket:")).count();
    [number("RssAnon:"), number("Threads:"), sockets]
}

#[test]
fn a_hundred_open_streams_cost_nothing_that_grows() {
    let folder = Folder::with_admin();
    let scopes = ["--scope", "activity:write", "--scope", "session:write"];
    let token = folder.run(&[&["token", "add", "program"], &scopes[..]].concat());
    let server = folder.serve();
    let (ada, program) = (server.signed_in("ada"), server.bearer(token.ok()));
    let mut streams: Vec<Events> = ["/api/v1/activity/stream", STREAM]
        .into_iter()
        .cycle()
        .take(100)
        .map(|path| Events::open(&ada, path))
        .collect();
    // Everybody is told of a hundred activities, and of a session that begins and ends.
    let mut happen = |rounds: usize| {
        for _ in 0..rounds {
            let session = program.post("/api/v1/sessions", &json!({"user": "bob", "app": "wiki"}));
            let id = session.json()["id"].as_str().unwrap().to_owned();
            let record = |n: u32| json!({"user": "bob", "action": "read", "target": n.to_string(), "attributes": {"of": "x".repeat(500)}});
            let records: Value = (0..100).map(record).collect();
            assert_eq!(program.post("/api/v1/activity", &records).status, 200);
            assert_eq!(program.delete(&format!("/api/v1/sessions/{id}")).status, 204);
            for events in &mut streams {
                events.pass(&id, ["event:ended", "\"sign-out\""]);
            }
        }
    };
    happen(10);
    let before = held(server.process());
    happen(40);
    let after = held(server.process());
    let grown = after[0].saturating_sub(before[0]);
    // Were each stream to keep what it was told, it would be more than 100 MB.
    assert!(grown < 32 * 1024, "{before:?}, then {after:?}");
    assert_eq!(before[2], after[2], "sockets");
    assert!(after[1] <= before[1] + 4, "threads: {before:?}, then {after:?}");
}

/// How often a stream is opened and closed. Set `ROLLCALL_STREAMS` for more.
const COMING: usize = 1000;

#[test]
fn streams_that_come_and_go_however_they_go_leave_no_reader_and_no_memory_behind() {
    /// So many at a time of each user.
    const AT_ONCE: usize = 100;
    let folder = Folder::with_admin();
    let coming = std::env::var("ROLLCALL_STREAMS").ok().and_then(|text| text.parse().ok()).unwrap_or(COMING);
    let names: Vec<String> = (0..5).map(|number| format!("user{number}")).collect();
    for name in &names {
        folder.run_with(&["user", "add", name, "--password-stdin"], super::house::PASSWORD).ok();
    }
    let server = folder.serve();
    let users: Vec<Client> = names.iter().map(|name| server.signed_in(name)).collect();
    let watch = server.stranger();
    let none = |reply: &super::http::Reply| reply.text().contains("\nrollcall_streams_open 0\n");
    let come_and_go = || {
        for user in &users {
            let open: Vec<Events> = (0..AT_ONCE).map(|_| open(user)).collect();
            for (number, events) in open.into_iter().enumerate() {
                // One half closes its connection, and the other is simply gone.
                if number % 2 == 0 { drop(events) } else { events.connection.cut() }
            }
        }
        let gone = Instant::now();
        watch.get_until("/metrics", none);
        gone.elapsed()
    };
    come_and_go();
    let before = held(server.process());
    for _ in 0..(coming / (users.len() * AT_ONCE)).max(2) - 1 {
        let took = come_and_go();
        // The server learns at the next heartbeat that somebody has gone: ten seconds at most.
        assert!(took < Duration::from_secs(15), "there are readers left after {took:?}");
    }
    let after = held(server.process());
    assert!(after[0] < before[0] + 16 * 1024, "{before:?}, then {after:?}");
    assert!(after[2] <= before[2] + 2, "sockets: {before:?}, then {after:?}");
}

#[test]
fn a_hundred_open_streams_do_not_keep_the_server_from_stopping() {
    let folder = Folder::with_admin();
    let server = folder.serve();
    let ada = server.signed_in("ada");
    let paths = [STREAM, "/api/v1/activity/stream"].into_iter().cycle().take(100);
    let events: Vec<Events> = paths.map(|path| Events::open(&ada, path)).collect();
    let asked = Instant::now();
    assert_eq!(server.stop(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    drop(events);
}
