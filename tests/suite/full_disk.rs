//! A disk that runs full under a running server, and has room again.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    house::{PASSWORD, loudly},
    server::{Client, Folder, PATIENCE, Server},
};

/// How long any answer may take while the disk is full.
const HANG: Duration = Duration::from_secs(5);

/// How often somebody searches on a full disk: written down, each would take a kilobyte and a page of the file.
const SEARCHES: u32 = 1000;

/// A small disk of its own.
pub(crate) struct SmallDisk(TempDir);

impl SmallDisk {
    /// One of so many megabytes; none where none can be mounted.
    pub(crate) fn mount(megabytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}m");
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        mounted.is_ok_and(|mounted| mounted.status.success()).then_some(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room that is left.
    pub(crate) fn fill(&self) -> PathBuf {
        let ballast = tempfile::Builder::new().prefix("ballast").tempfile_in(self.path()).unwrap();
        let (mut file, ballast) = ballast.keep().unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
        ballast
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// Sends a batch of activities, and says how it was answered and in what time.
fn send(writer: &Client, batch: u32) -> (u16, Duration) {
    let line = |n| format!(r#"{{"user":"u{n}","action":"tick","detail":"{batch:0900}","id":"{batch}-{n}"}}"#);
    let lines = (0..500).map(line).collect::<Vec<_>>().join("\n");
    let start = Instant::now();
    let reply = writer.connect().send("POST", "/api/v1/activity", lines.as_bytes());
    (reply.status, start.elapsed())
}

fn logs_out(server: &Server, ada: &Client, lost: &Client) {
    let start = Instant::now();
    let reply = ada.post("/api/v1/sessions/logout", &json!({"sessions": [lost.session()]}));
    assert_eq!((reply.status, reply.ok()["ended"].as_u64()), (200, Some(1)));
    assert_eq!(lost.get("/api/v1/me").status, 401);
    assert!(start.elapsed() < HANG);
    let here = server.stranger();
    let ready = here.get("/readyz");
    assert!(ready.status == 503 && ready.text().starts_with("cannot write: "), "{}", ready.text());
    // Strangers are not told why.
    let ready = here.with("X-Forwarded-For", "6.6.6.6").get("/readyz");
    assert_eq!((ready.status, ready.text().as_str()), (503, "not ready\n"));
}

#[test]
fn a_server_starts_on_a_disk_that_has_run_full_while_it_was_stopped() {
    let Some(disk) = SmallDisk::mount(90) else {
        return loudly("a full disk was not tested: a small one can only be mounted by root");
    };
    let folder = Folder::inside(disk.path());
    let server = folder.serve();
    let lost = server.signed_in("ada");
    server.stop();
    let ballast = disk.fill();
    let server = folder.serve();
    let (ada, lost) = (server.signed_in("ada"), lost.at(server.address()));
    logs_out(&server, &ada, &lost);
    std::fs::remove_file(ballast).unwrap();
    server.stranger().get_until("/readyz", |reply| reply.status == 200);
}

#[test]
fn where_others_take_the_last_of_the_disk_apps_stay_open_and_no_command_waits_for_the_index() {
    let Some(disk) = SmallDisk::mount(48) else {
        return loudly("a full disk was not tested: a small one can only be mounted by root");
    };
    let folder = Folder::inside(disk.path());
    folder.run(&["app", "add", "wiki", "--url", "https://wiki.example.org"]).says("added wiki");
    let token = folder.run(&["token", "add", "t", "--scope", "activity:write", "activity:read"]);
    let server = folder.serve_with(&["--trusted-proxy", "127.0.0.1"]);
    let program = server.bearer(token.ok());
    let writer = program.with("Content-Type", "application/x-ndjson");
    // The index has all there is, this look with it, and lets go of nothing any more: what comes now it has no room for.
    let before = json!({"value": 5, "exact": true});
    program.get_until("/api/v1/activity?limit=10", |reply| reply.json()["total"] == before);
    let mut ballast = vec![disk.fill()];
    let ada = server.signed_in("ada");
    let asked = ada.with("X-Forwarded-Proto", "https").with("X-Forwarded-Host", "wiki.example.org");
    let mut batch = 0;
    while send(&writer, batch).0 != 507 {
        batch += 1;
        assert!(batch < 1000, "the disk does not run full");
    }
    // What was set aside has been given out, and is gone too.
    ballast.push(disk.fill());
    let groups: Vec<String> = (0..100).map(|n| format!("{n:0200}")).collect();
    let mut added = 0;
    loop {
        let app =
            json!({"name": format!("a{added}"), "url": format!("https://a{added}.test"), "groups": groups});
        let reply = ada.post("/api/v1/apps", &app);
        if reply.status == 507 {
            break;
        }
        assert_eq!(reply.status, 201, "{}", reply.text());
        added += 1;
        assert!(added < 500, "there is no end of the room");
    }
    let mut gate = asked.with("X-Forwarded-Uri", "/").connect();
    for _ in 0..3 {
        let passed = gate.send("GET", "/auth/forward", b"");
        assert_eq!((passed.status, passed.header("Remote-User")), (200, Some("ada")), "{}", passed.text());
    }
    ballast.push(disk.fill());
    for command in [&["check"][..], &["activity", "search", "action:tick"]] {
        let start = Instant::now();
        folder.run(command).refuses(2, "and does not go on: the disk is full; it catches up by itself");
        assert!(start.elapsed() < PATIENCE, "{command:?}");
    }
    // And there is room again.
    for ballast in ballast {
        std::fs::remove_file(ballast).unwrap();
    }
    server.stranger().get_until("/readyz", |reply| reply.status == 200);
    let opened = "/api/v1/activity?action=app-opened&limit=10";
    let opened = program.get_until(opened, |reply| !reply.items().is_empty()).items();
    assert_eq!((opened.len(), &opened[0]["target"]), (1, &json!("wiki")));
    assert_eq!(opened[0]["session"], ada.session());
    assert!(folder.run(&["check"]).ok().starts_with("all is as it was written"));
}

#[test]
fn on_a_full_disk_people_work_on_activities_wait_and_all_recovers_by_itself() {
    let Some(disk) = SmallDisk::mount(48) else {
        return loudly("a full disk was not tested: a small one can only be mounted by root");
    };
    let folder = Folder::inside(disk.path());
    let token = folder.run(&["token", "add", "t", "--scope", "activity:write", "activity:read"]);
    let token = token.ok().to_owned();
    folder.run_with(&["user", "add", "mia", "--password-stdin"], PASSWORD).ok();
    let server = folder.serve();
    let mia = server.signed_in("mia");
    let (ada, lost) = (server.signed_in("ada"), server.signed_in("ada"));
    let later = server.signed_in("ada");
    let writer = server.bearer(&token).with("Content-Type", "application/x-ndjson");
    let mut accepted = 0;
    let (status, _) = send(&writer, 0);
    assert_eq!(status, 200);
    accepted += 500;
    // They can be found before the disk is full, after which the index may not go on.
    ada.get_until("/api/v1/activity?action=tick&limit=10", |reply| reply.items().len() == 10);
    let ballast = disk.fill();
    let mut batch = 1;
    loop {
        let (status, took) = send(&writer, batch);
        assert!(took < HANG, "{took:?}");
        batch += 1;
        if status == 507 {
            break;
        }
        assert_eq!(status, 200);
        accepted += 500;
        assert!(batch < 1000, "the disk does not run full");
    }
    // People. What a member can do over and over takes nothing of what is left for the others.
    let other = json!({"current": PASSWORD, "password": "nine purple ducks on a pond"});
    let changed = mia.post("/api/v1/me/password", &other).status;
    assert_eq!((changed, server.signed_in("mia").get("/api/v1/me").status), (507, 200));
    // Nor does whoever searches over and over, though the log is to be told of each.
    let free = || {
        let disk = nix::sys::statvfs::statvfs(disk.path()).unwrap();
        disk.blocks_available() * disk.fragment_size()
    };
    let (before, mut searching) = (free(), ada.connect());
    for n in 0..SEARCHES {
        let path = format!("/api/v1/activity?q=looked-for-{n}-{n:0200}&limit=1");
        assert_eq!(searching.send("GET", &path, b"").status, 200);
    }
    assert!(before - free() < 1 << 20, "{} bytes less", before - free());
    logs_out(&server, &ada, &lost);
    let again = server.signed_in("ada");
    assert_eq!(again.get("/api/v1/me").status, 200);
    assert_eq!(ada.get("/api/v1/activity?action=tick&limit=10").items().len(), 10);
    let page = ada.get("/sessions").text();
    assert!(page.contains("The disk is full"), "{page}");
    // Programs, each in the status it knows.
    let document = b"{\"create\":{}}\n{\"user\":{\"name\":\"u\"},\"event\":{\"action\":\"tock\"}}\n";
    assert_eq!(writer.connect().send("POST", "/es/_bulk", document).status, 503);
    // A crash and a start in the midst of it: what was to be told is lost with it, and what comes after is told once there is room.
    server.kill();
    let server = folder.serve();
    let (ada, lost, later) =
        (ada.at(server.address()), lost.at(server.address()), later.at(server.address()));
    assert_eq!(lost.get("/api/v1/me").status, 401, "it had ended");
    logs_out(&server, &ada, &later);
    let writer = writer.at(server.address());
    assert_eq!(send(&writer, batch).0, 507);
    assert_eq!(ada.get("/api/v1/activity?q=looked-for-at-last&limit=1").status, 200);
    // And there is room again.
    std::fs::remove_file(ballast).unwrap();
    let start = Instant::now();
    server.stranger().get_until("/readyz", |reply| reply.status == 200);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!(send(&writer, batch).0, 200);
    accepted += 500;
    let reader = server.bearer(&token);
    // Swept every three seconds, and seen once before the crash and once after it.
    let told = "/api/v1/activity?action=disk-full&limit=10";
    let told =
        reader.get_until(told, |reply| reply.items().iter().any(|told| told["outcome"] == "success")).items();
    assert!(told.iter().any(|told| told["outcome"] == "failure"), "{told:?}");
    let at_last = |told: &Value| told["detail"].as_str().unwrap().contains("looked-for-at-last");
    reader.get_until("/api/v1/activity?action=search&user=ada", |reply| reply.items().iter().any(at_last));
    let count = |reply: &super::http::Reply| reply.json()["total"]["value"].as_u64().unwrap();
    let found = reader.get_until("/api/v1/activity?action=tick&limit=1", |reply| count(reply) >= accepted);
    assert_eq!(count(&found), accepted, "what was refused is not there, and what was taken is");
    assert!(!ada.get("/sessions").text().contains("The disk is full"));
    assert!(start.elapsed() < PATIENCE);
}
