//! What runs short or is taken away under a running server: open files, the index, and the room for it. Whatever was acknowledged
//! stays, and all recovers.

use std::{
    fs::{self, File},
    io::Write as _,
    net::TcpStream,
    path::{Path, PathBuf},
    thread,
    time::Instant,
};

use serde_json::json;

use super::{
    full_disk::SmallDisk,
    house::loudly,
    http::Reply,
    server::{Client, Folder, PATIENCE},
};

const TICKS: &str = "/api/v1/activity?action=tick&limit=1";

fn token(folder: &Folder) -> String {
    folder.run(&["token", "add", "t", "--scope", "activity:write", "activity:read"]).ok().trim().to_owned()
}

/// Sends so many activities, all of which must be taken.
fn send(program: &Client, count: usize) {
    let records: Vec<_> = (0..count)
        .map(|n| json!({"user": "ann", "action": "tick", "detail": format!("Account_{n}")}))
        .collect();
    assert_eq!(program.post("/api/v1/activity", &json!(records)).ok()["accepted"], count);
}

fn found(reply: &Reply) -> Option<u64> {
    reply.json()["total"]["value"].as_u64()
}

#[test]
fn where_files_run_short_nobody_is_lost_and_it_goes_on_by_itself() {
    let folder = Folder::with_admin();
    let program = ["sh", "-c", "ulimit -Sn 160; ulimit -Hn 160; exec \"$0\" \"$@\""].map(str::to_owned);
    let mut server = folder.serve_under(&program);
    let ada = server.signed_in("ada");
    // More than it may open, all at once and silent.
    let idle: Vec<_> = (0..400).map_while(|_| TcpStream::connect(server.address()).ok()).collect();
    assert!(idle.len() > 160, "{}", idle.len());
    // Whoever idles longest gives way, so that others are answered all the while.
    ada.get_until("/api/v1/me", |reply| reply.status == 200);
    let started = Instant::now();
    while ada.try_send("GET", "/api/v1/me", b"").is_err() {
        assert!(started.elapsed() < PATIENCE, "nobody is answered");
        thread::yield_now();
    }
    drop(idle);
    assert_eq!(server.signed_in("ada").get("/api/v1/me").status, 200);
    assert!(server.is_running());
    assert_eq!(ada.post("/api/v1/signout", &json!({})).status, 204);
}

#[test]
fn where_files_run_short_no_index_is_taken_for_damaged_and_each_activity_is_found_once() {
    let folder = Folder::with_admin();
    let (token, complaints) = (token(&folder), folder.beside("complaints"));
    let program = ["sh", "-c", "ulimit -Sn 160; ulimit -Hn 160; exec \"$0\" \"$@\""].map(str::to_owned);
    let server = folder.try_serve_under(&program, &[], &complaints).unwrap_or_else(|said| panic!("{said}"));
    let program = server.bearer(&token);
    let half = "POST /api/v1/signin HTTP/1.1\r\nHost: rollcall\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{\"user\":\"somebody ";
    for round in 1..=5 {
        // The index takes it in a fifth of a second later, when strangers have every file.
        send(&program, 100);
        let slow: Vec<_> = (0..400)
            .map_while(|_| {
                let mut stream = TcpStream::connect(server.address()).ok()?;
                stream.write_all(half.as_bytes()).ok().map(|()| stream)
            })
            .collect();
        assert!(slow.len() > 160, "{}", slow.len());
        let started = Instant::now();
        let finds = || program.try_send("GET", TICKS, b"").ok().filter(|reply| reply.status == 200);
        while finds().and_then(|reply| found(&reply)) != Some(round * 100) {
            assert!(started.elapsed() < PATIENCE, "what was sent is not found");
            thread::yield_now();
        }
    }
    let said = fs::read_to_string(&complaints).unwrap();
    assert!(!said.contains("built anew") && !said.contains("is not as it was written"), "{said}");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn an_index_that_is_cut_under_a_running_server_is_made_anew_by_it_or_by_the_next() {
    let folder = Folder::with_admin();
    let token = token(&folder);
    let mut server = folder.serve();
    send(&server.bearer(&token), 3000);
    server.bearer(&token).get_until(TICKS, |reply| found(reply) == Some(3000));
    for file in files(&folder.path().join("index")) {
        File::options().write(true).open(file).unwrap().set_len(0).unwrap();
    }
    // What is mapped and not there any more ends the process, and its supervisor starts it again; a server that had
    // read what it was asked for goes on.
    for query in [TICKS, "/api/v1/activity?q=Account_7&limit=10", "/api/v1/activity/histogram?q=account"] {
        let _ = server.bearer(&token).try_send("GET", query, b"");
    }
    if server.is_running() {
        server.kill_now();
    }
    drop(server);
    let server = folder.serve();
    let program = server.bearer(&token);
    program.get_until(TICKS, |reply| reply.status == 200 && found(reply) == Some(3000));
    send(&program, 1);
    program.get_until(TICKS, |reply| found(reply) == Some(3001));
}

#[test]
fn without_room_for_the_index_activities_and_logouts_are_written_and_found_once_there_is() {
    let Some(disk) = SmallDisk::mount(24) else {
        return loudly("an index without room was not tested: a small disk can only be mounted by root");
    };
    let folder = Folder::with_admin();
    let token = token(&folder);
    let server = folder.serve();
    send(&server.bearer(&token), 1000);
    server.bearer(&token).get_until(TICKS, |reply| found(reply) == Some(1000));
    assert_eq!(server.stop(), Some(0));
    // The index moves to a disk of its own.
    let index = folder.path().join("index");
    for file in files(&index) {
        fs::copy(&file, disk.path().join(file.file_name().unwrap())).unwrap();
    }
    fs::remove_dir_all(&index).unwrap();
    std::os::unix::fs::symlink(disk.path(), &index).unwrap();
    let server = folder.serve();
    let program = server.bearer(&token);
    program.get_until(TICKS, |reply| found(reply) == Some(1000));
    assert!(fs::symlink_metadata(&index).unwrap().is_symlink(), "it was taken as it is");
    let ballast = disk.fill();
    let (ada, lost) = (server.signed_in("ada"), server.signed_in("ada"));
    for _ in 0..10 {
        send(&program, 2000);
    }
    let ended = ada.post("/api/v1/sessions/logout", &json!({"sessions": [lost.session()]}));
    assert_eq!((ended.ok()["ended"].clone(), lost.get("/api/v1/me").status), (json!(1), 401));
    assert_eq!(server.stranger().get("/readyz").status, 200, "the log has room");
    assert!(found(&program.get(TICKS)).is_some_and(|found| found < 21_000), "the index has none");
    fs::remove_file(ballast).unwrap();
    program.get_until(TICKS, |reply| found(reply) == Some(21_000));
}
