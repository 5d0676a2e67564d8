//! Many at once: connections, streams, and sessions that end together. None is answered wrongly, and nothing stays behind.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    server::{Folder, PATIENCE, Server},
    stream::Events,
};

/// The server's open files.
fn open_files(server: &Server) -> usize {
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

#[test]
fn a_flood_of_sign_ins_takes_memory_for_as_many_hashes_as_there_are_cores() {
    let folder = Folder::with_admin();
    let server = folder.serve();
    let ada = server.signed_in("ada");
    let before = memory(&server, "VmHWM");
    let over = AtomicBool::new(false);
    let (looked, longest) = std::thread::scope(|scope| {
        let others = scope.spawn(|| {
            let mut longest = Duration::ZERO;
            while !over.load(Ordering::SeqCst) {
                let asked = Instant::now();
                assert_eq!(ada.get("/api/v1/me").status, 200);
                longest = longest.max(asked.elapsed());
            }
            longest
        });
        let tries: Vec<_> = (0..100)
            .map(|number| {
                let stranger = server.stranger();
                let body = json!({"user": format!("user{number}"), "password": "wrong horse battery staple"});
                scope.spawn(move || stranger.post("/api/v1/signin", &body))
            })
            .collect();
        let replies: Vec<_> = tries.into_iter().map(|reply| reply.join().unwrap()).collect();
        over.store(true, Ordering::SeqCst);
        for reply in &replies {
            assert!(matches!(reply.status, 401 | 429), "{}", reply.text());
            assert!(reply.status == 401 || reply.header("Retry-After").is_some());
        }
        (replies.iter().filter(|reply| reply.status == 401).count(), others.join().unwrap())
    });
    let cores = std::thread::available_parallelism().unwrap().get();
    assert!(looked > cores, "{looked} were looked at");
    // A hash takes 19 MiB; the rest is room for a hundred connections.
    let grown = (memory(&server, "VmHWM") - before) >> 10;
    assert!(grown < cores as u64 * 19 + 64, "{grown} MiB for {looked} hashes on {cores} cores");
    assert!(longest < Duration::from_secs(5), "somebody else waited {longest:?}");
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
