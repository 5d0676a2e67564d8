//! Many at once: connections, streams, and sessions that end together. None is answered wrongly, and nothing stays behind.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    server::{Client, Folder, PATIENCE, Server},
    stream::Events,
};

/// The server's open files.
pub(super) fn open_files(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.process())).unwrap().count()
}

/// A line of what the system says of the server's memory, in KiB.
fn memory(server: &Server, what: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.process())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
}

/// Waits until the server holds no more open files than this.
fn settles(server: &Server, at_most: usize) {
    let start = Instant::now();
    while open_files(server) > at_most {
        assert!(start.elapsed() < PATIENCE, "{} files are open, not {at_most}", open_files(server));
        std::thread::yield_now();
    }
}

#[test]
fn hundreds_of_connections_are_answered_without_an_error_and_leave_nothing_behind() {
    let folder = Folder::with_admin();
    let token = folder.run(&["token", "add", "t", "--scope", "activity:write"]).ok().to_owned();
    let server = folder.serve();
    let ada = server.signed_in("ada");
    let before = open_files(&server);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = server.bearer(&token).with("Content-Type", "application/x-ndjson");
        let done = &done;
        scope.spawn(move || {
            let lines = [r#"{"user":"u","action":"tick"}"#; 50].join("\n");
            while !done.load(Ordering::SeqCst) {
                assert_eq!(
                    writer.connect().send("POST", "/api/v1/activity", lines.as_bytes()).ok()["accepted"],
                    50
                );
            }
        });
        let askers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut kept: Vec<_> = (0..100).map(|_| ada.connect()).collect();
                    let paths = ["/api/v1/me", "/api/v1/sessions", "/api/v1/activity?limit=5", "/healthz"];
                    for path in paths {
                        for connection in &mut kept {
                            assert_eq!(connection.send("GET", path, b"").status, 200, "{path}");
                        }
                    }
                })
            })
            .collect();
        for asker in askers {
            asker.join().unwrap();
        }
        done.store(true, Ordering::SeqCst);
    });
    settles(&server, before + 10);
    let own = memory(&server, "RssAnon");
    assert!(own < 300 << 10, "{own} KiB");
    assert_eq!(ada.get("/api/v1/me").status, 200);
}

/// How many hashes the server makes at this moment: each has a thread of that name, which is there a little longer than its hash.
fn hashes(server: &Server) -> usize {
    let threads = fs::read_dir(format!("/proc/{}/task", server.process())).unwrap();
    let names = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim_end() == "password").count()
}

/// What 99 of 100 took at most.
pub(super) fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[(times.len() - 1) * 99 / 100]
}

#[test]
fn a_flood_of_sign_ins_costs_as_many_hashes_at_once_as_there_are_cores_and_stalls_nobody() {
    const FLOOD: usize = 200;
    let folder = Folder::with_admin();
    folder.run(&["app", "add", "wiki", "--url", "http://wiki.test"]).ok();
    let server = folder.serve_with(&["--trusted-proxy", "127.0.0.1"]);
    let ada = server.signed_in("ada");
    let before = memory(&server, "VmHWM");
    let over = AtomicBool::new(false);
    let (replies, at_once, times) = std::thread::scope(|scope| {
        let others = scope.spawn(|| {
            let asking = ada.with("X-Forwarded-Proto", "http").with("X-Forwarded-Host", "wiki.test");
            let mut kept = asking.connect();
            let (mut at_once, mut times) = (0, Vec::new());
            while !over.load(Ordering::SeqCst) {
                for path in ["/auth/forward", "/api/v1/me", "/sessions"] {
                    let asked = Instant::now();
                    assert_eq!(kept.send("GET", path, b"").status, 200, "{path}");
                    times.push(asked.elapsed());
                }
                at_once = at_once.max(hashes(&server));
            }
            (at_once, times)
        });
        // Each on a name of its own and from an address of its own, so that only what holds for all of them together holds them back.
        let tries: Vec<_> = (0..FLOOD)
            .map(|number| {
                let from = format!("198.51.{}.{}", 100 + number / 250, number % 250);
                let stranger = server.stranger().with("X-Forwarded-For", &from);
                let body = json!({"user": format!("user{number}"), "password": "wrong horse battery staple"});
                scope.spawn(move || {
                    let asked = Instant::now();
                    (stranger.post("/api/v1/signin", &body), asked.elapsed())
                })
            })
            .collect();
        let replies: Vec<_> = tries.into_iter().map(|reply| reply.join().unwrap()).collect();
        over.store(true, Ordering::SeqCst);
        let (at_once, times) = others.join().unwrap();
        (replies, at_once, times)
    });
    for (reply, took) in &replies {
        assert!(matches!(reply.status, 401 | 429), "{}", reply.text());
        assert!(
            reply.status == 401 || reply.header("Retry-After").is_some(),
            "whoever is sent away is told for how long"
        );
        // Four seconds in the line, and a hash on a machine that has other things to do.
        assert!(*took < Duration::from_secs(8), "somebody waited {took:?}");
    }
    let looked = replies.iter().filter(|(reply, _)| reply.status == 401).count();
    let cores = std::thread::available_parallelism().unwrap().get();
    assert!(looked > cores && looked < FLOOD, "{looked} were looked at");
    assert!((1..=2 * cores).contains(&at_once), "{at_once} hashes at once on {cores} cores");
    // A hash takes 19 MiB; the rest is room for two hundred connections, and for what is written of the failures.
    let grown = (memory(&server, "VmHWM") - before) >> 10;
    assert!(grown < cores as u64 * 19 + 48, "{grown} MiB for {looked} hashes on {cores} cores");
    let (asked, p99) = (times.len(), p99(times));
    println!("{looked} of {FLOOD} looked at, {at_once} at once, {grown} MiB; p99 of {asked} others {p99:?}");
    assert!(p99 < Duration::from_millis(250), "others waited {p99:?}");
}

#[test]
fn thousands_of_sessions_end_together_while_others_go_on_and_every_stream_hears_of_each() {
    const MANY: usize = 2000;
    let folder = Folder::with_admin();
    let token = folder.run(&["token", "add", "app", "--scope", "session:write"]).ok().to_owned();
    let server = folder.serve();
    let ada = server.signed_in("ada");
    let app = server.bearer(&token).with("Content-Type", "application/json");
    std::thread::scope(|scope| {
        for part in 0..8 {
            let app = &app;
            scope.spawn(move || {
                let mut kept = app.connect();
                for number in (part..MANY).step_by(8) {
                    let body = json!({"user": format!("guest{number}"), "app": "wiki"}).to_string();
                    let made = kept.send("POST", "/api/v1/sessions", body.as_bytes());
                    assert_eq!(made.status, 201, "{}", made.text());
                }
            });
        }
    });
    let mut streams: Vec<Events> = (0..5).map(|_| Events::open(&ada, "/api/v1/sessions/stream")).collect();
    let over = AtomicBool::new(false);
    let longest = std::thread::scope(|scope| {
        let others = scope.spawn(|| {
            let mut longest = Duration::ZERO;
            while !over.load(Ordering::SeqCst) {
                let asked = Instant::now();
                assert_eq!(ada.get("/api/v1/me").status, 200);
                longest = longest.max(asked.elapsed());
            }
            longest
        });
        let asked = Instant::now();
        let ended = ada.post("/api/v1/sessions/logout", &json!({"all": true, "except_current": true}));
        assert_eq!(ended.ok()["ended"], MANY);
        // The promise is two seconds of a release build on a machine that has nothing else to do.
        assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
        over.store(true, Ordering::SeqCst);
        others.join().unwrap()
    });
    assert!(longest < Duration::from_secs(5), "somebody else waited {longest:?}");
    assert_eq!(ada.get("/api/v1/sessions").ok()["total"], 1);
    assert_eq!(ada.get("/api/v1/sessions?state=ended&limit=1").ok()["total"], MANY);
    let word = "event:ended\n";
    for stream in &mut streams {
        let mut told = stream.text.matches(word).count();
        while told < MANY {
            let seen = stream.text.len().saturating_sub(word.len() - 1);
            assert!(stream.read(), "it ended after {told} of {MANY}");
            told += stream.text[seen..].matches(word).count();
        }
    }
}

/// Forgets the most memory that the server ever held, so that what comes next has a peak of its own.
fn forget_peak(server: &Server) {
    fs::write(format!("/proc/{}/clear_refs", server.process()), "5").unwrap();
}

/// How many activities of `t` a question finds; none where that cannot be told yet. Who would download them is told how many there are,
/// however long it takes to count them.
fn counted(ada: &Client, asked: &str) -> Option<usize> {
    let head = ada.connect().send("HEAD", &format!("/api/v1/activity.csv?app=t&q={asked}"), b"");
    // While the index is behind there is no exact count, and it says so.
    assert!(matches!(head.status, 200 | 503), "{head:?}");
    head.header("Rows").and_then(|rows| rows.parse().ok())
}

/// Waits until so many activities of `t` can be found.
fn until_all_are_found(ada: &Client, all: usize, at_most: Duration) {
    let begun = Instant::now();
    while counted(ada, "") != Some(all) {
        assert!(begun.elapsed() < at_most, "it is not all found");
    }
}

#[test]
fn the_allocator_is_told_to_give_memory_back_soon_unless_somebody_has_told_it_otherwise() {
    let folder = Folder::with_admin();
    let told = |server: &Server| {
        let variables = fs::read(format!("/proc/{}/environ", server.process())).unwrap();
        let told =
            variables.split(|byte| *byte == 0).filter_map(|one| one.strip_prefix(b"MIMALLOC_PURGE_DELAY="));
        told.map(|value| String::from_utf8(value.to_vec()).unwrap()).collect::<Vec<_>>()
    };
    let server = folder.serve();
    assert_eq!(told(&server), ["10"]);
    let name = fs::read_to_string(format!("/proc/{}/comm", server.process())).unwrap();
    assert_eq!(name, "rollcall\n", "it goes by its name as before");
    drop(server);
    assert_eq!(told(&folder.serve_in(&[("MIMALLOC_PURGE_DELAY", Path::new("77"))])), ["77"]);
}

/// How many words there are that begin alike. Set `ROLLCALL_TERMS` for more.
const TERMS: usize = 400_000;

#[test]
fn a_prefix_of_very_many_words_costs_time_and_no_memory_and_is_answered_exactly() {
    /// So many words stand in one activity.
    const EACH: usize = 4_000;
    let terms: usize =
        std::env::var("ROLLCALL_TERMS").ok().and_then(|text| text.parse().ok()).unwrap_or(TERMS);
    let folder = Folder::with_admin();
    let token = folder.run(&["token", "add", "t", "--scope", "activity:write"]).ok().to_owned();
    let server = folder.serve();
    let ada = server.signed_in("ada");
    let mut writer = server.bearer(&token).with("Content-Type", "application/json").connect();
    for first in (0..terms).step_by(EACH) {
        let words: Vec<String> = (first..first + EACH).map(|word| format!("a{word:09}")).collect();
        let record =
            json!({"user": "u", "action": "tick", "app": "t", "detail": format!("go {}", words.join(" "))});
        assert_eq!(
            writer.send("POST", "/api/v1/activity", record.to_string().as_bytes()).ok()["accepted"],
            1
        );
    }
    let all = terms / EACH;
    until_all_are_found(&ada, all, PATIENCE + Duration::from_millis(terms as u64 / 10));
    forget_peak(&server);
    let before = memory(&server, "VmHWM");
    let mut slowest = Duration::ZERO;
    // One letter begins all of them; a second word and a phrase must not have them kept either.
    for asked in ["a*", "a0*", "detail:a*", "tick+a*", "%22go+a%22*", "detail:%22go+a0%22*"] {
        let begun = Instant::now();
        let page = ada.get(&format!("/api/v1/activity?limit=1&app=t&q={asked}"));
        assert_eq!(page.items().len(), 1, "{asked}");
        assert_eq!(counted(&ada, asked), Some(all), "{asked}");
        slowest = slowest.max(begun.elapsed());
    }
    let grown = (memory(&server, "VmHWM") - before) >> 10;
    println!("{terms} words: {slowest:?} at most, {grown} MiB");
    assert!(grown < 64, "{grown} MiB");
    // A search that takes longer is given up, and says so.
    assert!(slowest < Duration::from_secs(20), "{slowest:?}");
}

#[test]
fn a_phrase_that_ends_in_a_beginning_takes_no_memory_for_each_place_it_may_stand_at() {
    const RECORDS: usize = 900;
    let folder = Folder::with_admin();
    let token = folder.run(&["token", "add", "t", "--scope", "activity:write"]).ok().to_owned();
    let server = folder.serve();
    let ada = server.signed_in("ada");
    let mut writer = server.bearer(&token).with("Content-Type", "application/json").connect();
    // Ten millions of places, which are 75 MiB, where a word that is asked for may begin.
    let record = json!({"user": "u", "action": "tick", "app": "t", "detail": "a b ".repeat(10_900)});
    for _ in 0..RECORDS {
        assert_eq!(
            writer.send("POST", "/api/v1/activity", record.to_string().as_bytes()).ok()["accepted"],
            1
        );
    }
    until_all_are_found(&ada, RECORDS, PATIENCE);
    forget_peak(&server);
    let before = memory(&server, "VmHWM");
    for (asked, found) in
        [("%22a+b%22*", RECORDS), ("%22b+a%22*", RECORDS), ("%22b+b%22*", 0), ("detail:%22a+b%22*", RECORDS)]
    {
        assert_eq!(counted(&ada, asked), Some(found), "{asked}");
    }
    let grown = (memory(&server, "VmHWM") - before) >> 10;
    println!("{grown} MiB");
    assert!(grown < 48, "{grown} MiB");
}

#[test]
fn a_long_download_takes_no_memory_of_its_length_and_has_nothing_that_came_later() {
    const ROWS: usize = 60_000;
    const EACH: usize = 1_000;
    let folder = Folder::with_admin();
    let token = folder.run(&["token", "add", "t", "--scope", "activity:write"]).ok().to_owned();
    let server = folder.serve();
    let ada = server.signed_in("ada");
    let mut writer = server.bearer(&token).with("Content-Type", "application/x-ndjson").connect();
    let detail = "x".repeat(500);
    let mut write = || {
        let line = json!({"user": "u", "action": "tick", "app": "t", "detail": detail}).to_string() + "\n";
        let written = writer.send("POST", "/api/v1/activity", line.repeat(EACH).as_bytes());
        assert_eq!(written.ok()["accepted"], EACH);
    };
    (0..ROWS / EACH).for_each(|_| write());
    let all = json!({"value": ROWS, "exact": true});
    ada.get_until("/api/v1/activity?app=t&limit=1", |reply| reply.json()["total"] == all);
    let before = memory(&server, "RssAnon");
    let mut download = ada.connect();
    let asked = Instant::now();
    download.ask("GET", "/api/v1/activity.ndjson?app=t", b"");
    let (status, headers) = download.head();
    let first = asked.elapsed();
    let rows = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("rows"));
    assert_eq!((status, rows.map(|(_, rows)| rows.as_str())), (200, Some(ROWS.to_string().as_str())));
    let (mut read, mut most) = (0, 0);
    while let Some(chunk) = download.chunk() {
        let more = chunk.split(|byte| *byte == b'\n').count() - 1;
        // Every so often something comes in, which is none of it.
        if (read + more) / (ROWS / 8) > read / (ROWS / 8) {
            write();
            most = most.max(memory(&server, "RssAnon"));
        }
        read += more;
    }
    assert_eq!(read, ROWS);
    let grown = most.saturating_sub(before) >> 10;
    println!("{ROWS} rows of 500 bytes and more: the head after {first:?}, {grown} MiB");
    assert!(grown < 32, "{grown} MiB");
}
