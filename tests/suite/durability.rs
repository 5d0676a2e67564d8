//! What has been answered is on disk: `kill -9` takes none of it away.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    http::{Reply, each, walk},
    server::{Client, Folder, Server},
};

#[test]
fn a_logout_that_was_answered_outlives_kill_9() {
    let folder = Folder::with_admin();
    let server = folder.serve();
    let (ada, lost) = (server.signed_in("ada"), server.signed_in("ada"));
    let id = lost.session();
    let body = json!({"sessions": [id], "reason": "lost laptop"});
    assert_eq!(ada.post("/api/v1/sessions/logout", &body).ok()["ended"], 1);
    server.kill();
    let server = folder.serve();
    let (ada, lost) = (moved(&ada, &server), moved(&lost, &server));
    assert_eq!(lost.get("/api/v1/me").refusal(), "401 not_signed_in");
    assert_eq!(ada.get("/api/v1/me").status, 200, "the other one goes on");
    let ended = ada.get("/api/v1/sessions?state=ended").items();
    assert_eq!(each(&ended, "id"), [id.as_str()]);
    let told = ["ended_by", "ended_by_user", "reason"].map(|name| ended[0][name].clone());
    assert_eq!(told, ["user", "ada", "lost laptop"]);
    let log = ada.get_until("/api/v1/activity?action=logout", |reply| !reply.items().is_empty());
    assert_eq!(each(&log.items(), "session"), [id]);
}

/// The same client at the server's new address.
fn moved(client: &Client, server: &Server) -> Client {
    client.at(server.address())
}

#[test]
fn a_last_access_outlives_kill_9_to_within_its_interval() {
    let folder = Folder::with_admin();
    let server = folder.serve();
    let (ada, watched) = (server.signed_in("ada"), server.signed_in("ada"));
    let path = format!("/api/v1/sessions/{}", watched.session());
    let last = |client: &Client| -> jiff::Timestamp {
        client.get(&path).ok()["last_access"].as_str().unwrap().parse().unwrap()
    };
    // Used without a pause for more than one interval, then cut off in the middle.
    let start = Instant::now();
    let mut seen = last(&ada);
    while start.elapsed() < rollcall::domain::sessions::SWEEP + Duration::from_millis(500) {
        assert_eq!(watched.get("/api/v1/me").status, 200);
        seen = last(&ada);
    }
    server.kill();
    let server = folder.serve();
    let kept = last(&moved(&ada, &server));
    let missing = seen.duration_since(kept);
    let allowed = jiff::SignedDuration::try_from(rollcall::domain::sessions::SWEEP).unwrap();
    // A busy machine sweeps late; half an interval is what it gets.
    assert!(missing <= allowed + allowed / 2, "{missing:?} were lost");
}

#[test]
fn a_server_that_is_asked_to_stop_loses_nothing() {
    let folder = Folder::with_admin();
    let server = folder.serve();
    let ada = server.signed_in("ada");
    let path = format!("/api/v1/sessions/{}", ada.session());
    let seen = ada.get(&path).ok()["last_access"].clone();
    assert_eq!(server.stop(), Some(0));
    let listed = folder.run(&["session", "list", "--json"]);
    let sessions: Vec<Value> = serde_json::from_str(listed.ok()).unwrap();
    assert_eq!(sessions[0]["last_access"], seen);
}

#[test]
fn every_activity_that_was_acknowledged_outlives_kill_9_and_is_found() {
    let folder = Folder::with_admin();
    let token = folder.run(&["token", "add", "t", "--scope", "activity:write", "activity:read"]);
    let token = token.ok().to_owned();
    let server = folder.serve();
    let acknowledged = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        let writer = server.bearer(&token).with("Content-Type", "application/x-ndjson");
        let acknowledged = &acknowledged;
        scope.spawn(move || {
            for batch in 0_u64.. {
                let line = |n| format!(r#"{{"user":"u","action":"tick","id":"{batch}-{n}"}}"#);
                let lines = (0..100).map(line).collect::<Vec<_>>().join("\n");
                match writer.try_post("/api/v1/activity", lines.as_bytes()) {
                    Some(reply) => {
                        assert_eq!(reply.ok()["accepted"], 100);
                        acknowledged.fetch_add(100, std::sync::atomic::Ordering::SeqCst);
                    }
                    None => break,
                }
            }
        });
        let start = Instant::now();
        while acknowledged.load(std::sync::atomic::Ordering::SeqCst) < 2000 {
            assert!(start.elapsed() < super::server::PATIENCE);
            std::thread::yield_now();
        }
        server.kill();
    });
    let acknowledged = acknowledged.into_inner();
    let server = folder.serve();
    let reader = server.bearer(&token);
    let found = |reply: &Reply| reply.json()["total"]["value"].as_u64().unwrap();
    let reply =
        reader.get_until("/api/v1/activity?action=tick&limit=1", |reply| found(reply) >= acknowledged);
    // A batch that was written may not have been answered any more; none is written by half.
    assert!(matches!(found(&reply) - acknowledged, 0 | 100), "{} of {acknowledged}", found(&reply));
    let all = walk("/api/v1/activity?action=tick&limit=1000", |path| reader.get(path)).concat();
    let mut ids = each(&all, "id");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len() as u64, found(&reply));
}

#[test]
fn an_index_that_is_gone_or_damaged_is_built_anew() {
    let folder = Folder::new();
    let file = super::house::fixture("cloudtrail.ndjson");
    folder.run(&["activity", "import", file.to_str().unwrap()]).ok();
    let count = || {
        let found = folder.run(&["activity", "search", "app:s3", "--json", "--limit", "1000"]);
        found.ok().lines().count()
    };
    // `jq -r .app cloudtrail.ndjson | grep -cx s3` says 137.
    assert_eq!(count(), 137);
    let index = folder.path().join("index");
    std::fs::remove_dir_all(&index).unwrap();
    assert_eq!(count(), 137, "it was gone");
    for entry in walk_files(&index) {
        let length = std::fs::metadata(&entry).unwrap().len();
        std::fs::File::options().write(true).open(&entry).unwrap().set_len(length / 2).unwrap();
    }
    assert_eq!(count(), 137, "every file was cut in half");
}

/// A pipe that nobody ever writes into.
fn pipe(path: &std::path::Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// What stands there instead, and how it comes there.
type Damage<'a> = (&'a str, &'a dyn Fn());

#[test]
fn whatever_stands_in_the_place_of_the_index_it_is_made_anew() {
    use std::{fs, os::unix::fs::symlink};
    let folder = Folder::with_admin();
    let index = folder.path().join("index");
    let damages: [Damage<'_>; 6] = [
        ("a file", &|| {
            fs::remove_dir_all(&index).unwrap();
            fs::write(&index, "x").unwrap();
        }),
        ("a pipe", &|| {
            fs::remove_dir_all(&index).unwrap();
            pipe(&index);
        }),
        ("a link to nowhere", &|| {
            fs::remove_dir_all(&index).unwrap();
            symlink("/nowhere", &index).unwrap();
        }),
        ("a pipe in it", &|| {
            fs::remove_file(index.join("meta.json")).unwrap();
            pipe(&index.join("meta.json"));
        }),
        ("a folder in it", &|| {
            fs::remove_file(index.join("meta.json")).unwrap();
            fs::create_dir(index.join("meta.json")).unwrap();
        }),
        ("files beside it", &|| {
            fs::remove_dir_all(&index).unwrap();
            fs::write(folder.path().join("index.new"), "x").unwrap();
            fs::write(folder.path().join("index.old"), "x").unwrap();
        }),
    ];
    for (what, damage) in damages {
        damage();
        assert!(folder.run(&["user", "list"]).ok().contains("ada"), "{what}");
        damage();
        assert_eq!(folder.run(&["verify"]).code, 0, "{what}");
        damage();
        let server = folder.serve();
        let ada = server.signed_in("ada");
        ada.get_until("/api/v1/activity?action=user-added", |reply| {
            reply.status == 200 && reply.items().len() == 1
        });
        drop(server);
        assert!(folder.run(&["check"]).ok().contains("all is as it was written"), "{what}");
        let backup = folder.beside("all.backup");
        let backup = backup.to_str().unwrap();
        folder.run(&["backup", backup]).ok();
        damage();
        folder.run(&["restore", backup]).ok();
        folder.run(&["check"]).ok();
    }
}

#[test]
fn whatever_stands_in_the_place_of_the_city_database_keeps_nobody_out() {
    use std::{fs, os::unix::fs::symlink};
    let folder = Folder::with_admin();
    let geo = folder.path().join("geo");
    // With the database that came with it, which is unpacked into the folder.
    let london = || {
        let mut command = folder.command(&["geo", "81.2.69.142"]);
        let done = command.env_remove("ROLLCALL_GEO").output().unwrap();
        String::from_utf8(done.stdout).unwrap()
    };
    let known = london();
    assert!(known.contains("London"), "{known}");
    let entries = fs::read_dir(&geo).unwrap().map(|entry| entry.unwrap().path());
    let unpacked = entries.into_iter().find(|path| path.to_str().unwrap().contains("city-")).unwrap();
    fs::remove_file(&unpacked).unwrap();
    fs::create_dir_all(unpacked.join("in it")).unwrap();
    assert_eq!(london(), known, "a folder in its place");
    fs::remove_file(&unpacked).unwrap();
    pipe(&unpacked);
    pipe(&geo.join("1-0.tmp"));
    assert_eq!(london(), known, "a pipe in its place");
    for option in ["option.mmdb", "given.mmdb"] {
        fs::create_dir_all(geo.join(option)).unwrap();
        assert!(folder.run(&["geo", "81.2.69.142"]).ok().contains("London"), "a folder as {option}");
        assert_eq!(london(), known, "a folder as {option}");
    }
    for _ in 0..2 {
        fs::remove_dir_all(&geo).unwrap();
        fs::write(&geo, "x").unwrap();
        assert_eq!(london(), known, "a file in the place of the folder");
    }
    assert_eq!(fs::read(folder.path().join("geo.aside")).unwrap(), b"x", "it was nothing of ours to remove");

    // A folder in which nobody can write.
    fs::remove_dir_all(&geo).unwrap();
    symlink("/proc", &geo).unwrap();
    assert!(folder.run(&["user", "list"]).ok().contains("ada"));
    assert_eq!(folder.run(&["verify"]).code, 0);
    let said = folder.run(&["geo", "81.2.69.142"]);
    assert!(said.code == 1 && said.out.contains("none: the city database is not used: "), "{}", said.out);
    let server = folder.serve();
    let page = server.signed_in("ada").get("/settings").text().clone();
    assert!(page.contains("the city database is not used: cannot keep city databases in"), "{page}");
    drop(server);
    fs::remove_file(&geo).unwrap();
    assert_eq!(london(), known, "and all is well once it can be made");
}

fn walk_files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk_files(&path)) } else { files.push(path) }
    }
    files
}

#[test]
fn a_second_server_on_a_folder_is_refused_and_the_first_goes_on() {
    let folder = Folder::with_admin();
    let mut server = folder.serve();
    let second = folder.run(&["serve", "--listen", "127.0.0.1:0"]);
    second.refuses(
        2,
        &format!("another rollcall (process {}) is running on this data folder", server.process()),
    );
    // One that was stopped has it too, and nobody waits to hear that.
    server.signal("STOP");
    let second = folder.run(&["serve", "--listen", "127.0.0.1:0"]);
    second.refuses(2, &format!("(process {})", server.process()));
    server.signal("CONT");
    assert!(server.is_running());
    assert_eq!(server.stranger().get("/readyz").status, 200);
    folder.run(&["user", "list"]).ok();
}
