//! Open connections: they learn of an end at once, and none outlives its session.

use serde_json::{Value, json};

use super::server::{Client, Connection, Folder};

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
fn a_hundred_open_streams_do_not_keep_the_server_from_stopping() {
    let folder = Folder::with_admin();
    let server = folder.serve();
    let ada = server.signed_in("ada");
    let paths = [STREAM, "/api/v1/activity/stream"].into_iter().cycle().take(100);
    let events: Vec<Events> = paths.map(|path| Events::open(&ada, path)).collect();
    let asked = std::time::Instant::now();
    assert_eq!(server.stop(), Some(0));
    assert!(asked.elapsed() < std::time::Duration::from_secs(2), "{:?}", asked.elapsed());
    drop(events);
}
