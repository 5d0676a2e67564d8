//! The live tail: what comes into the log, told to those who look for it and may see it, each once and in order.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    house::PASSWORD,
    http::each,
    server::{Client, Folder, Server},
    stream::Events,
};

const STREAM: &str = "/api/v1/activity/stream";

/// What is told well under a second after it was written is told live; the rest is room for a busy machine.
const LIVE: Duration = Duration::from_secs(5);

/// A server with the administrator ada and the member mia, and two programs: one that writes, one that reads.
struct Scene {
    folder: Folder,
    server: Server,
    writer: Client,
    reader: Client,
}

impl Scene {
    fn new() -> Self {
        let folder = Folder::with_admin();
        folder.run_with(&["user", "add", "mia", "--password-stdin"], PASSWORD).ok();
        let token =
            |name: &str, scope: &str| folder.run(&["token", "add", name, "--scope", scope]).ok().to_owned();
        let (write, read) = (token("writer", "activity:write"), token("reader", "activity:read"));
        let server = folder.serve();
        let (writer, reader) = (server.bearer(&write), server.bearer(&read));
        Self { folder, server, writer, reader }
    }

    /// Writes activities; the id of the last of them.
    fn write(&self, activities: &Value) -> String {
        self.writer.post("/api/v1/activity", activities).ok()["last"].as_str().unwrap().to_owned()
    }

    /// Writes so many with this detail, numbered from `from`.
    fn number(&self, from: usize, count: usize, detail: &str) {
        let one = |number| json!({"user": "ann", "action": "count", "target": number, "detail": detail});
        self.write(&(from..from + count).map(|number| one(number.to_string())).collect());
    }
}

/// Reads until this many activities have been told.
fn read(events: &mut Events, count: usize) -> Vec<Value> {
    let mut told = events.text.matches("event:activity\n").count();
    while told < count || !events.text.ends_with("\n\n") {
        let before = events.text.len().saturating_sub("event:activity\n".len() - 1);
        assert!(events.read(), "the stream ended after {told} of {count}");
        told += events.text[before..].matches("event:activity\n").count();
    }
    events.all("activity")
}

/// The number of the last event, as a browser would remember it.
fn last_event(events: &Events) -> String {
    let whole = events.text.rsplit_once("\n\n").unwrap().0;
    whole.lines().rev().find_map(|line| line.strip_prefix("id:")).unwrap().to_owned()
}

/// The numbers that [`Scene::number`] gave.
fn numbers(told: &[Value]) -> Vec<usize> {
    each(told, "target").iter().map(|number| number.parse().unwrap()).collect()
}

#[test]
fn what_comes_in_is_told_at_once_as_the_log_holds_it() {
    let scene = Scene::new();
    // Who follows everything is told of that too.
    let mut events = Events::open(&scene.reader, &format!("{STREAM}?app=writer"));
    let written = Instant::now();
    let id =
        scene.write(&json!({"user": "ann", "action": "backup", "detail": "two\nlines", "ip": "81.2.69.142"}));
    let told = read(&mut events, 1);
    assert!(written.elapsed() < LIVE, "{:?}", written.elapsed());
    assert_eq!(told, [scene.reader.get(&format!("/api/v1/activity/{id}")).ok()]);
    assert_eq!(last_event(&events), id);
}

#[test]
fn a_stream_tells_what_its_filter_finds_and_nothing_else() {
    let scene = Scene::new();
    let filters = [
        ("q=Backup+-nightly", vec![0, 4]),
        ("q=detail:%22the+back%22*", vec![0]),
        ("user=ANN", vec![0, 1]),
        ("app=vault", vec![0, 2]),
        ("action=sign-in", vec![2]),
        ("q=action:sign", vec![2, 3]),
        ("outcome=failure", vec![3]),
        ("session=s1", vec![4]),
        ("ip=10.0.0.0/8", vec![1]),
        ("user=ann&q=ip:10.0.0.0/8+OR+vault&period=7d&order=asc&limit=1&cursor=x&tz=UTC", vec![0, 1]),
    ];
    let mut open: Vec<_> = filters
        .iter()
        .map(|(filter, found)| (filter, found, Events::open(&scene.reader, &format!("{STREAM}?{filter}"))))
        .collect();
    scene.write(&json!([
        {"user": "ann", "action": "copy", "app": "vault", "detail": "the backup", "target": "0"},
        {"user": "Ann", "action": "copy", "detail": "nightly backup", "ip": "10.1.2.3", "target": "1"},
        {"user": "bob", "action": "Sign-In", "app": "Vault", "target": "2"},
        {"user": "bob", "action": "sign-in-failed", "outcome": "failure", "target": "3"},
        {"user": "bob", "action": "Restore", "detail": "BackupOf", "session": "S1", "target": "4"},
    ]));
    // One that all of them find ends the waiting for what must not be told.
    let all = json!({"user": "ann", "action": "sign-in", "app": "vault", "detail": "the backup", "outcome": "failure",
                     "session": "s1", "ip": "10.9.9.9", "target": "9"});
    scene.write(&all);
    for (filter, found, events) in &mut open {
        let told = numbers(&read(events, found.len() + 1));
        assert_eq!(told, [&found[..], &[9]].concat(), "{filter}");
    }
}

#[test]
fn a_member_is_told_only_of_their_own() {
    let scene = Scene::new();
    let (ada, mia) = (scene.server.signed_in("ada"), scene.server.signed_in("mia"));
    let mut all = Events::open(&ada, &format!("{STREAM}?q=copy"));
    let mut own = Events::open(&mia, &format!("{STREAM}?q=copy"));
    let mut none = Events::open(&mia, &format!("{STREAM}?user=ann&q=copy"));
    let mut past = Events::open(&mia, &format!("{STREAM}?last_event_id=0000000000000"));
    scene.write(&json!([
        {"user": "ann", "action": "copy", "target": "1"},
        {"user": "Mia", "action": "copy", "target": "2"},
        {"user": "miami", "action": "copy", "target": "3"},
        {"user": "mia", "action": "copy", "target": "4"},
    ]));
    assert_eq!(numbers(&read(&mut all, 4)), [1, 2, 3, 4]);
    assert_eq!(numbers(&read(&mut own, 2)), [2, 4]);
    let hers = read(&mut past, 3);
    assert_eq!(each(&hers, "action"), ["sign-in", "copy", "copy"], "the past is hers alone as well");
    assert_eq!(each(&hers, "user"), ["mia", "Mia", "mia"]);
    mia.post("/api/v1/signout", &json!({}));
    while none.read() {}
    assert_eq!(none.all("activity"), Vec::<Value>::new());
}

#[test]
fn whoever_comes_back_misses_nothing_and_is_told_nothing_twice() {
    let scene = Scene::new();
    let filter = format!("{STREAM}?user=ann");
    let mut events = Events::open(&scene.reader, &filter);
    let (mut told, mut from) = (Vec::new(), 0);
    // More than is read at once, before, while and after the reader is away; the last time nobody else is there.
    for count in [1, 700, 3, 1300, 40] {
        scene.number(from, count, "");
        from += count;
        told.extend(numbers(&read(&mut events, count / 2 + 1)));
        let last = last_event(&events);
        drop(events);
        scene.number(from, count, "");
        from += count;
        events =
            Events::open(&scene.reader.with("Last-Event-ID", &last), &format!("{filter}&last_event_id=0"));
        let missed = from - told.len();
        scene.number(from, 2, "");
        from += 2;
        told.extend(numbers(&read(&mut events, missed + 2)));
        let last = last_event(&events);
        events = Events::open(&scene.reader, &format!("{filter}&last_event_id={last}"));
    }
    assert_eq!(told, (0..from).collect::<Vec<_>>());
}

#[test]
fn whoever_loses_the_connection_before_the_first_event_goes_on_from_there() {
    let scene = Scene::new();
    let events = Events::open(&scene.reader, &format!("{STREAM}?user=ann"));
    let last = last_event(&events);
    drop(events);
    scene.number(0, 3, "");
    let mut events = Events::open(&scene.reader.with("Last-Event-ID", &last), &format!("{STREAM}?user=ann"));
    assert_eq!(numbers(&read(&mut events, 3)), [0, 1, 2]);
}

#[test]
fn a_reader_who_is_slow_gets_all_of_it_from_the_log() {
    let scene = Scene::new();
    let mut slow = Events::open(&scene.reader, &format!("{STREAM}?user=ann"));
    let mut quick = Events::open(&scene.reader, &format!("{STREAM}?user=ann&q=last"));
    // Far more than sockets hold, and than is kept for who is a little slow.
    let long = "x".repeat(16 * 1024);
    for from in (0..2000).step_by(100) {
        scene.number(from, 100, &long);
    }
    scene.number(2000, 1, "last");
    assert_eq!(numbers(&read(&mut quick, 1)), [2000], "the others do not wait");
    assert_eq!(numbers(&read(&mut slow, 2001)), (0..=2000).collect::<Vec<_>>());
}

#[test]
fn a_stream_ends_with_its_session_its_token_and_its_server() {
    let scene = Scene::new();
    let (ada, mia) = (scene.server.signed_in("ada"), scene.server.signed_in("mia"));
    let [all, own, by_token, left] =
        [&ada, &mia, &scene.reader, &ada].map(|client| Events::open(client, &format!("{STREAM}?user=eve")));
    assert_eq!(ada.delete(&format!("/api/v1/sessions/{}", mia.session())).status, 204);
    let ended = Instant::now();
    assert_eq!(own.rest("activity"), Vec::<Value>::new());
    assert!(ended.elapsed() < LIVE, "{:?}", ended.elapsed());
    assert_eq!(mia.get(STREAM).refusal(), "401 not_signed_in", "a browser does not come back after that");
    scene.folder.run(&["token", "revoke", "reader"]).ok();
    assert_eq!(by_token.rest("activity"), Vec::<Value>::new());
    assert_eq!(scene.reader.get(STREAM).status, 401);
    // A reader that has gone is no trouble either.
    drop(left);
    let stopped = Instant::now();
    let Scene { server, folder: _folder, .. } = scene;
    assert_eq!(server.stop(), Some(0));
    assert!(stopped.elapsed() < LIVE * 2, "{:?}", stopped.elapsed());
    drop(all);
}

#[test]
fn what_a_stream_cannot_mean_is_refused() {
    let scene = Scene::new();
    let refused = |path: &str| scene.reader.get(&format!("{STREAM}?{path}")).refusal();
    assert_eq!(refused("from=2026-01-01"), "400 bad_field from");
    assert_eq!(refused("to=2026-01-01"), "400 bad_field to");
    assert_eq!(refused("last_event_id=x"), "400 bad_field last_event_id");
    assert_eq!(refused("q=(backup"), "400 bad_field q");
    assert_eq!(refused("ip=here"), "400 bad_field ip");
    assert_eq!(scene.writer.get(STREAM).refusal(), "403 forbidden");
    assert_eq!(scene.server.stranger().get(STREAM).status, 401);
    // A number that the log has not come to, as after a copy was put back, means its end.
    let ahead = format!("{STREAM}?user=ann&last_event_id=vvvvvvvvvvvvu");
    let mut events = Events::open(&scene.reader, &ahead);
    scene.number(0, 1, "");
    assert_eq!(numbers(&read(&mut events, 1)), [0]);
}

#[test]
fn the_page_is_sent_rows_drawn_like_its_own() {
    let scene = Scene::new();
    let mia = scene.server.signed_in("mia");
    let page = mia.get("/activity?q=copy&period=7d").text();
    let (_, tail) = page.split_once("data-tail=\"").expect("it can be followed");
    let tail = tail.split('"').next().unwrap().replace("&#38;", "&");
    assert!(tail.starts_with("/activity/stream?q=copy&period=7d&last_event_id="), "{tail}");
    let old = json!({"user": "mia", "action": "copy", "time": "2020-01-01T00:00:00Z"});
    let id = scene.write(&json!([old, {"user": "mia", "action": "copy", "detail": "a <b>\rid:evil"}, {"user": "ann", "action": "copy"}]));
    let mut events = Events::open(&mia, &tail);
    while !events.text.contains("</tbody>") {
        assert!(events.read());
    }
    let text = &events.text;
    assert_eq!(text.matches("<tr data-id").count(), 1, "hers, of the period: {text}");
    assert!(text.contains("<tbody data-found=\"1\">") && text.contains("<mark>copy</mark>"), "{text}");
    assert!(text.contains("&#60;b&#62;\ndata:id:evil"), "{text}");
    assert_eq!(last_event(&events), id);
    for elsewhere in ["/activity?order=asc", "/activity?from=2020-01-01&to=2020-02-01"] {
        assert!(!mia.get(elsewhere).text().contains("data-tail"), "{elsewhere} has no place for new rows");
    }
}
