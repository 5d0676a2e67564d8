//! The command line: the same with a server on the folder and without one.

use std::{
    fs::Permissions,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    process::Command,
    sync::mpsc,
};

use serde_json::{Value, json};

use super::{
    house::{PASSWORD, fixture, loudly},
    server::{Client, Done, Folder, PATIENCE},
};

fn listed(folder: &Folder, args: &[&str]) -> Vec<String> {
    folder.run(args).ok().lines().skip(1).map(str::to_owned).collect()
}

/// Does this on a folder that no server holds, and on one that a server does.
fn both_ways(work: impl Fn(&Folder)) {
    let folder = Folder::with_admin();
    work(&folder);
    let folder = Folder::with_admin();
    let _server = folder.serve();
    work(&folder);
}

#[test]
fn accounts_are_made_changed_and_removed() {
    both_ways(|folder| {
        let add =
            ["user", "add", "Nora", "--email", "n@example.org", "--groups", "it,staff", "--password-stdin"];
        folder.run_with(&add, format!("{PASSWORD}\n")).says("added nora as member");
        let users = listed(folder, &["user", "list"]);
        assert!(users[0].starts_with("ada") && users[1].starts_with("nora"), "{users:?}");
        assert!(users[1].contains("n@example.org") && users[1].contains("it,staff"), "{users:?}");
        folder
            .run(&["user", "set", "nora", "--role", "auditor", "--full-name", "Nora N"])
            .says("changed nora");
        assert!(listed(folder, &["user", "list"])[1].contains("auditor  Nora N"));
        folder
            .run_with(&["user", "password", "nora", "--password-stdin"], PASSWORD)
            .says("changed the password of nora; 0 sessions ended");
        folder.run(&["user", "disable", "nora"]).says("disabled nora; all sessions ended");
        assert!(listed(folder, &["user", "list"])[1].ends_with("disabled"));
        folder.run(&["user", "enable", "nora"]).says("enabled nora");
        folder.run(&["user", "remove", "nora"]).says("removed nora; all sessions ended");
        assert_eq!(listed(folder, &["user", "list"]).len(), 1);
    });
}

#[test]
fn a_second_factor_is_demanded_by_a_command() {
    both_ways(|folder| {
        let demand = |of: &[&str]| folder.run(&[&["user", "second-factor"], of].concat());
        demand(&[]).says("a second factor is demanded of nobody");
        demand(&["everyone"]).says("a second factor is demanded of everyone");
        demand(&[]).says("a second factor is demanded of everyone");
        demand(&["somebody"]).refuses(2, "nobody, administrators or everyone");
    });
}

#[test]
fn accounts_that_cannot_be_are_refused_in_one_line() {
    both_ways(|folder| {
        let add = |name: &str, password: &str| {
            folder.run_with(&["user", "add", name, "--password-stdin"], password)
        };
        add("ada", PASSWORD).refuses(2, "there is a user ada already");
        add("a b", PASSWORD).refuses(2, "without spaces");
        add("nora", "short").refuses(2, "at least 15 characters");
        add("nora", "").refuses(2, "no password came on standard input");
        add("rollcall", PASSWORD).refuses(2, "cannot be called rollcall");
        let email = ["user", "add", "nora", "--email", "nora@", "--password-stdin"];
        folder.run_with(&email, PASSWORD).refuses(2, "name@host");
        let role = ["user", "add", "nora", "--role", "king", "--password-stdin"];
        folder.run_with(&role, PASSWORD).refuses(2, "admin, auditor or member");
        for verb in ["disable", "enable", "remove", "set"] {
            folder.run(&["user", verb, "nobody"]).refuses(1, "there is no user nobody");
        }
        for last in [&["user", "remove", "ada"][..], &["user", "set", "ada", "--role", "member"]] {
            folder.run(last).refuses(2, "ada is the last administrator");
        }
        assert_eq!(listed(folder, &["user", "list"]).len(), 1);
    });
}

#[test]
fn tokens_are_printed_once_listed_and_revoked() {
    both_ways(|folder| {
        let token = folder.run(&["token", "add", "vault", "--scope", "activity:write", "session:read"]);
        let lines: Vec<&str> = token.ok().lines().collect();
        assert!(lines.len() == 1 && lines[0].starts_with("rct_"), "the token alone, for a script");
        let tokens = listed(folder, &["token", "list"]);
        assert!(tokens[0].starts_with("vault") && tokens[0].contains("activity:write session:read"));
        assert!(tokens[0].contains("host console") && tokens[0].ends_with("never"), "{tokens:?}");
        assert!(!tokens[0].contains("rct_"));
        assert!(tokens[0].contains("  never  "), "it does not expire: {tokens:?}");
        let add = |expires: &str| {
            folder.run(&["token", "add", "guest", "--scope", "metrics", "--expires", expires])
        };
        add("soon").refuses(2, "a token expires at a date like");
        add("2020-01-01").refuses(2, "a token cannot expire in the past");
        add("2199-12-31").ok();
        assert!(listed(folder, &["token", "list"])[0].contains("2200-01-01T00:00:00.000Z"));
        folder.run(&["token", "revoke", "guest"]).says("revoked guest");
        folder.run(&["token", "add", "vault", "--scope", "metrics"]).refuses(2, "vault already");
        folder
            .run(&["token", "add", "Rollcall", "--scope", "metrics"])
            .refuses(2, "cannot be called Rollcall");
        folder.run(&["token", "add", "x", "--scope", "root"]).refuses(2, "a scope is");
        folder.run(&["token", "revoke", "vault"]).says("revoked vault");
        folder.run(&["token", "revoke", "vault"]).refuses(1, "there is no token vault");
    });
}

#[test]
fn apps_are_added_listed_and_removed() {
    both_ways(|folder| {
        let add = ["app", "add", "wiki", "--url", "https://wiki.example.org", "--groups", "it,staff"];
        folder.run(&add).says("added wiki");
        let apps = listed(folder, &["app", "list"]);
        assert!(apps[0].starts_with("wiki  https://wiki.example.org  it,staff  remote"), "{apps:?}");
        folder
            .run(&["app", "add", "x", "--url", "nowhere"])
            .refuses(2, "rollcall: an address is http:// or https://, a host and, if needed, a port");
        for taken in ["rollcall", "ROLLCALL", "add", ".", ".."] {
            let add = ["app", "add", taken, "--url", "https://other.example.org"];
            folder.run(&add).refuses(2, &format!("an app cannot be called {taken}"));
        }
        folder.run(&["app", "add", "a/b", "--url", "https://other.example.org"]).refuses(2, "no slash");
        let add = ["app", "add", " notes ", "--url", "https://n.example.org", "--groups", " it, ,staff ,"];
        folder.run(&add).says("added notes");
        let apps = listed(folder, &["app", "list"]);
        assert!(apps[0].starts_with("notes  https://n.example.org     it,staff  remote"), "{apps:?}");
        let moved = ["app", "add", "notes", "--url", "https://notes.example.org", "--headers", "x-webauth"];
        folder.run(&moved).says("changed notes");
        let apps = listed(folder, &["app", "list"]);
        assert!(apps[0].starts_with("notes  https://notes.example.org  it,staff  x-webauth"), "{apps:?}");
        let opened = ["app", "add", "notes", "--url", "https://notes.example.org", "--groups", ""];
        folder.run(&opened).says("changed notes");
        let apps = listed(folder, &["app", "list"]);
        assert!(apps[0].starts_with("notes  https://notes.example.org            x-webauth"), "{apps:?}");
        folder.run(&["app", "set", "notes", "--groups", "it"]).says("changed notes");
        let apps = listed(folder, &["app", "list"]);
        assert!(apps[0].starts_with("notes  https://notes.example.org  it        x-webauth"), "{apps:?}");
        folder
            .run(&["app", "set", "notes", "--url", "https://wiki.example.org"])
            .refuses(2, "is registered at");
        folder.run(&["app", "set", "notes"]).refuses(2, "--url");
        folder.run(&["app", "set", "nowhere", "--groups", "it"]).refuses(1, "there is no app nowhere");
        folder.run(&["app", "remove", "notes"]).says("removed notes");
        folder.run(&["app", "remove", "wiki"]).says("removed wiki");
        folder.run(&["app", "remove", "wiki"]).refuses(1, "wiki");
    });
}

#[test]
fn sessions_are_listed_and_ended_from_the_command_line() {
    let folder = Folder::with_admin();
    let server = folder.serve();
    let browsers: Vec<Client> = (0..3).map(|_| server.signed_in("ada")).collect();
    let json = folder.run(&["session", "list", "--user", "ada", "--json"]);
    let sessions: Vec<Value> = serde_json::from_str(json.ok()).unwrap();
    assert_eq!(sessions.len(), 3);
    assert!(sessions.iter().all(|session| session["user"] == "ada" && session["ip"] == "127.0.0.1"));
    let table = folder.run(&["session", "list"]);
    let columns = "Public IP  User  City  Location                    Device Details";
    let heading = table.ok().lines().next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    let expected = columns.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(heading.starts_with(&format!("Id {expected}")), "{heading}");
    let first = browsers[0].session();
    folder.run(&["session", "logout", &first]).says("1 session ended");
    assert_eq!(browsers[0].get("/api/v1/me").refusal(), "401 not_signed_in");
    let ended = browsers[1].get(&format!("/api/v1/sessions/{first}")).ok();
    assert_eq!([&ended["ended_by"], &ended["ended_by_user"]], ["admin", "host console"]);
    let again = folder.run(&["session", "logout", &first]);
    assert_eq!((again.code, again.out.as_str()), (1, "0 sessions ended\n"));
    folder.run(&["session", "logout", "--user", "ada"]).says("2 sessions ended");
    assert!(browsers.iter().all(|browser| browser.get("/api/v1/me").status == 401));
    assert_eq!(folder.run(&["session", "logout", "--all"]).code, 1);
    assert_eq!(folder.run(&["session", "logout"]).code, 2, "it must be said which");
    folder.run(&["session", "logout", "nonsense"]).refuses(2, "not an id");
}

#[test]
fn what_a_command_does_while_a_server_runs_counts_there_at_once() {
    let folder = Folder::with_admin();
    let server = folder.serve();
    let ada = server.signed_in("ada");
    folder.run_with(&["user", "add", "mia", "--password-stdin"], PASSWORD).ok();
    let mia = server.signed_in("mia");
    folder.run(&["user", "disable", "mia"]).ok();
    assert_eq!(mia.get("/api/v1/me").refusal(), "401 not_signed_in");
    let token = folder.run(&["token", "add", "t", "--scope", "session:read"]).ok().to_owned();
    assert_eq!(server.bearer(&token).get("/api/v1/sessions").status, 200);
    folder.run(&["token", "revoke", "t"]).ok();
    assert_eq!(server.bearer(&token).get("/api/v1/sessions").refusal(), "401 no_token");
    let body = serde_json::json!({"name": "late", "url": "https://late.example.org"});
    assert_eq!(ada.post("/api/v1/apps", &body).status, 201);
    let found = folder.run(&["activity", "search", "action:app-added", "--json"]);
    assert!(found.ok().contains("\"target\":\"late\""), "a search by command waits for the newest");
}

#[test]
fn an_export_is_written_whole_or_not_at_all() {
    both_ways(|folder| {
        let lines = "{\"user\":\"ann\",\"action\":\"tick\",\"app\":\"t\"}\n".repeat(2345);
        folder.run_with(&["activity", "import", "-"], lines).ok();
        let elsewhere = tempfile::tempdir().unwrap();
        let file = elsewhere.path().join("all.ndjson");
        let export = |query: &str, more: &[&str]| {
            let args = ["activity", "export", query, "--format", "ndjson", "-o", file.to_str().unwrap()];
            folder.run(&[&args, more].concat())
        };
        export("app:t", &[]).says("");
        let rows = || -> Vec<Value> {
            let text = std::fs::read_to_string(&file).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        let newest = rows();
        assert_eq!(newest.len(), 2345);
        export("app:t", &["--order", "asc"]).says("");
        assert!(rows().into_iter().eq(newest.iter().rev().cloned()), "oldest first");
        export("(", &[]).refuses(2, "column 1");
        assert_eq!(rows().len(), 2345, "what failed leaves what was there");
        let names = std::fs::read_dir(elsewhere.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let names: std::collections::BTreeSet<_> = names.collect();
        let expected = ["all.ndjson", "all.ndjson.seal"].map(Into::into);
        assert_eq!(names, expected.into(), "and nothing beside it but its seal");
        let proven = folder.run(&["verify", file.to_str().unwrap()]);
        assert!(proven.ok().contains("intact: 2345,"), "{}", proven.out);
        let printed = folder.run(&["activity", "export", "app:t", "--format", "ndjson"]);
        assert_eq!(printed.ok().lines().count(), 2345);
        assert_eq!(printed.err, "", "progress is for terminals");
        let seals =
            || folder.run(&["activity", "search", "action:export-sealed", "--json"]).out.lines().count();
        let before = seals();
        for nowhere_beside in ["-", "/dev/stdout"] {
            let all = ["activity", "export", "app:t", "--format", "ndjson", "-o", nowhere_beside];
            assert_eq!(folder.run(&all).ok(), printed.out, "{nowhere_beside}");
        }
        assert_eq!(seals(), before, "the log tells of no seal that nobody was given");
    });
}

#[test]
fn a_search_prints_all_that_was_asked_for_however_long_its_rows_are() {
    both_ways(|folder| {
        // Together they are several pages of text.
        let record = |n: usize| {
            let detail = format!("{n} {}", "x".repeat(60_000));
            json!({"user": "ann", "action": "copy", "app": "c", "detail": detail}).to_string() + "\n"
        };
        folder.run_with(&["activity", "import", "-"], (0..200).map(record).collect::<String>()).ok();
        let search = |more: &[&str]| {
            let found = folder.run(&[&["activity", "search", "app:c"], more].concat());
            found.ok().lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let lines = search(&["--json", "--limit", "200"]);
        let number = |line: &String| {
            let detail = serde_json::from_str::<Value>(line).unwrap()["detail"].as_str().unwrap().to_owned();
            detail.split_once(' ').unwrap().0.parse::<usize>().unwrap()
        };
        assert_eq!(lines.iter().map(number).collect::<Vec<_>>(), (0..200).rev().collect::<Vec<_>>());
        assert_eq!(search(&["--json", "--limit", "150"]), lines[..150]);
        assert_eq!(search(&["--limit", "1000"]).len(), 201, "and the headings");
        let some = search(&["--limit", "150"]);
        assert!(some.len() == 152 && some[151].starts_with("and there are more: --limit N"), "{}", some[151]);
        assert_eq!(folder.run(&["activity", "search", "app:none"]).code, 1, "nothing is found");
    });
}

#[test]
fn a_file_of_ones_own_may_lie_in_the_data_folder() {
    both_ways(|folder| {
        let (backup, export) = (folder.path().join("all.backup"), folder.path().join("all.csv"));
        folder.run(&["backup", backup.to_str().unwrap()]).ok();
        folder.run(&["activity", "export", "-o", export.to_str().unwrap()]).ok();
        folder.run(&["verify", backup.to_str().unwrap()]).ok();
        folder.run(&["verify", export.to_str().unwrap()]).ok();
        folder.run(&["check"]).ok();
    });
}

#[test]
fn nothing_is_written_over_the_data_whichever_way_leads_there() {
    both_ways(|folder| {
        let data = folder.path().join("rollcall.redb");
        let (name, way, seal) = (data.to_str().unwrap(), folder.beside("way"), folder.beside("out.csv.seal"));
        let (copy, linked) = (folder.beside("copy.redb"), folder.beside("linked"));
        std::os::unix::fs::symlink(folder.path(), &way).unwrap();
        std::os::unix::fs::symlink(&data, &seal).unwrap();
        std::fs::copy(&data, &copy).unwrap();
        std::fs::hard_link(&data, &linked).unwrap();
        let (over_way, out) = (way.join("index/meta.json"), folder.beside("out.csv"));
        let new = folder.path().join("rollcall.new");
        for file in [name, over_way.to_str().unwrap(), new.to_str().unwrap()] {
            let own = format!("{file} is the data folder's own; name another place");
            folder.run(&["backup", file]).refuses(2, &own);
            folder.run(&["activity", "export", "-o", file]).refuses(2, &own);
            let serve = ["serve", "--listen", "127.0.0.1:0", "--checkpoint-file", file];
            folder.run(&serve).refuses(2, &own);
        }
        folder.run(&["activity", "export", "-o", out.to_str().unwrap()]).refuses(2, "the data folder's own");
        for file in [&copy, &linked] {
            let (file, why) = (file.to_str().unwrap(), "is a data file, which nothing else replaces");
            folder.run(&["backup", file]).refuses(2, why);
            folder.run(&["activity", "export", "-o", file]).refuses(2, why);
            folder.run(&["serve", "--checkpoint-file", file]).refuses(2, why);
        }
        assert!(std::fs::read(&data).unwrap().starts_with(b"redb"));
        assert!(!new.exists() && folder.run(&["user", "list"]).ok().contains("ada"));
        assert!(folder.run(&["activity", "search"]).ok().contains("user-added"), "all of it is there");
    });
}

#[test]
fn a_backup_is_its_owners_alone_whatever_it_replaces() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::with_admin();
    let (file, export) = (folder.beside("all.backup"), folder.beside("all.csv"));
    let over = |file: &std::path::Path, before: u32, command: &[&str]| {
        std::fs::write(file, "x").unwrap();
        std::fs::set_permissions(file, Permissions::from_mode(before)).unwrap();
        folder.run(&[command, &[file.to_str().unwrap()]].concat()).ok();
        std::fs::metadata(file).unwrap().permissions().mode() & 0o7777
    };
    for before in [0o666, 0o755, 0o640, 0o600, 0o400] {
        assert_eq!(over(&file, before, &["backup"]), 0o600, "over {before:o}");
    }
    for (before, after) in [(0o600, 0o600), (0o640, 0o640), (0o666, 0o666), (0o755, 0o644)] {
        assert_eq!(over(&export, before, &["activity", "export", "-o"]), after, "over {before:o}");
    }
}

#[test]
fn an_export_into_a_device_leaves_the_device_there() {
    use std::os::unix::fs::FileTypeExt as _;
    let folder = Folder::with_admin();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::read_to_string(pipe).unwrap()
    });
    folder.run(&["activity", "export", "-o", pipe.to_str().unwrap()]).says("");
    assert!(reader.join().unwrap().starts_with("Time,User,"));
    assert!(std::fs::metadata(&pipe).unwrap().file_type().is_fifo());
}

#[test]
fn a_backup_into_a_device_leaves_the_device_there_and_is_whole_whichever_way_leads_to_it() {
    use std::os::unix::fs::{FileTypeExt as _, symlink};
    both_ways(|folder| {
        let (pipe, way, out) = (folder.beside("pipe"), folder.beside("way"), folder.beside("out"));
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        symlink(&pipe, &way).unwrap();
        symlink("/proc/self/fd/1", &out).unwrap();
        let mut backups = Vec::new();
        for named in [&pipe, &way] {
            let (read, whole) = mpsc::channel();
            let from = pipe.clone();
            std::thread::spawn(move || read.send(std::fs::read(from).unwrap()));
            folder.run(&["backup", named.to_str().unwrap()]).says("");
            backups.push(whole.recv_timeout(PATIENCE).expect("it comes through the pipe"));
            assert!(std::fs::metadata(&pipe).unwrap().file_type().is_fifo());
        }
        let printed = folder.command(&["backup", out.to_str().unwrap()]).output().unwrap();
        assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
        backups.push(printed.stdout);
        for link in [&way, &out] {
            assert!(std::fs::symlink_metadata(link).unwrap().is_symlink(), "{}", link.display());
        }
        for backup in backups {
            let (other, file) = (Folder::new(), folder.beside("all.backup"));
            std::fs::write(&file, backup).unwrap();
            other.run(&["restore", file.to_str().unwrap()]).ok();
            assert!(other.run(&["user", "list"]).ok().contains("ada"));
        }
    });
}

#[test]
fn a_server_tells_the_log_that_it_starts_and_stops() {
    let folder = Folder::with_admin();
    for _ in 0..2 {
        folder.serve().stop();
    }
    let told =
        folder.run(&["activity", "search", "--json", "action:server-started OR action:server-stopped"]);
    let actions: Vec<String> = told
        .ok()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["action"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(actions, ["server-stopped", "server-started", "server-stopped", "server-started"]);
}

#[test]
fn a_command_does_not_wait_for_a_server_that_was_stopped() {
    let folder = Folder::with_admin();
    let server = folder.serve();
    server.signal("STOP");
    let started = std::time::Instant::now();
    let told = folder.run(&["user", "list"]);
    let process = format!("the server that runs on this folder (process {})", server.process());
    let lines: Vec<&str> = told.err.lines().collect();
    let [waits, gives_up] = lines[..] else { panic!("{lines:?}") };
    assert!(
        waits.contains(&format!("{process} has not answered yet; it is waited for 8 seconds more")),
        "{waits}"
    );
    assert!(
        gives_up.contains(&format!("{process} does not answer; it was stopped or is stuck")),
        "{gives_up}"
    );
    assert_eq!(told.code, 2);
    assert!(started.elapsed() < std::time::Duration::from_secs(30), "{:?}", started.elapsed());
    server.signal("CONT");
    folder.run(&["user", "list"]).ok();
}

#[test]
fn a_folder_that_cannot_be_written_to_is_refused_with_what_to_do_and_its_file_is_proven_all_the_same() {
    let folder = Folder::with_admin();
    let rights = |mode| std::fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
    // For the administrator of the machine rights hold only without the power to pass over them.
    let run = |args: &[&str]| {
        let command = folder.command(args);
        let mut without = Command::new("setpriv");
        without.args(["--bounding-set", "-all"]).arg(command.get_program()).args(command.get_args());
        let done = without.output();
        match done {
            Ok(done) if !String::from_utf8_lossy(&done.stderr).starts_with("setpriv:") => Done::of(done),
            _ => folder.run(args),
        }
    };
    let file = folder.path().join("rollcall.redb");
    rights(0o500);
    let whole = std::fs::read(&file).unwrap();
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["user", "list"], &["check"], &["verify"]] {
        let refused = run(command);
        refused.refuses(2, "cannot be written to: ");
        assert!(
            refused.err.contains("--data DIR") && refused.err.contains("rollcall verify FILE"),
            "{}",
            refused.err
        );
    }
    run(&["verify", file.to_str().unwrap()]).ok();
    rights(0o700);
    std::fs::set_permissions(&file, Permissions::from_mode(0o400)).unwrap();
    run(&["user", "list"]).refuses(2, "rollcall.redb cannot be written to: ");
    assert_eq!(std::fs::read(&file).unwrap(), whole);
}

#[test]
fn the_first_start_prints_the_way_to_the_first_administrator() {
    let folder = Folder::new();
    let mut server = folder.serve();
    let line = server.line();
    let way = format!("Make the first administrator at http://{}/setup?code=", server.address());
    let code = line.strip_prefix(&way).unwrap_or_else(|| panic!("it says {line:?}"));
    assert_eq!(code.len(), 19, "{code}");
    let page = server.stranger().get(&format!("/setup?code={code}"));
    assert!(page.status == 200 && page.text().contains(code));
    folder.run_with(&["user", "add", "ada", "--role", "admin", "--password-stdin"], PASSWORD).ok();
    assert_eq!(server.stranger().get("/setup").status, 404, "there is an administrator now");
}

#[test]
fn an_address_is_looked_up_in_whichever_database_is_in_use() {
    let folder = Folder::with_admin();
    // What MaxMind's test data say of 81.2.69.142.
    let found = folder.run(&["geo", "81.2.69.142"]);
    for words in ["London", "England, United Kingdom", "GB", "51.5142, -0.0931", "GeoLite2-City"] {
        assert!(found.ok().contains(words), "{words}: {}", found.out);
    }
    assert!(folder.run(&["geo", "10.0.0.1"]).ok().contains("Private network"));
    assert_eq!(folder.run(&["geo", "8.8.8.8"]).code, 1);
    folder.run(&["geo"]).refuses(2, "say which address");
    let broken = fixture("mmdb/libmaxminddb-corrupt-search-tree.mmdb");
    let refused = folder.run(&["geo", "update", broken.to_str().unwrap()]);
    assert_eq!(refused.code, 2, "{}", refused.out);
    assert!(folder.run(&["geo", "81.2.69.142"]).ok().contains("London"), "the old one goes on");
}

#[test]
fn wrong_usage_is_told_from_a_no() {
    let folder = Folder::new();
    folder.run(&["user", "list"]).refuses(2, "there is no data in");
    assert_eq!(folder.run(&["nonsense"]).code, 2);
    assert_eq!(folder.run(&["user", "add", "x"]).code, 2, "the password must come from somewhere");
    folder.run(&["activity", "search", "-x"]).refuses(2, "unexpected argument '-x' found; try --help");
    folder.run(&["serve", "--listen", "8080"]).refuses(2, "listen:");
    let written = |settings: &str| std::fs::write(folder.path().join("rollcall.toml"), settings).unwrap();
    for (settings, told) in [
        ("lisen = \"x\"", "rollcall.toml: there is no setting lisen"),
        ("insecure-http = \"perhaps\"", "insecure-http: true or false, not \"perhaps\""),
        ("listen = [\"127.0.0.1:1\"]", "listen: one text, not a list"),
        ("trusted-proxy = [10]", "trusted-proxy: a list of texts"),
        ("sessions-per-user = \"many\"", "sessions-per-user: a whole number, not \"many\""),
        ("listen = ", "rollcall.toml: line 1"),
    ] {
        written(settings);
        folder.run(&["serve"]).refuses(2, told);
    }
}

#[test]
fn every_command_has_an_example_in_its_help() {
    let folder = Folder::new();
    let help = |path: &[&str]| folder.run(&[path, &["--help"]].concat()).ok().to_owned();
    let mut waiting: Vec<Vec<String>> = vec![Vec::new()];
    let mut seen = 0;
    while let Some(path) = waiting.pop() {
        let words: Vec<&str> = path.iter().map(String::as_str).collect();
        let text = help(&words);
        let below: Vec<&str> = text
            .split_once("Commands:\n")
            .map_or("", |(_, behind)| behind.split("\n\n").next().unwrap())
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .filter(|word| *word != "help")
            .collect();
        assert!(!below.is_empty() || text.contains("Example"), "rollcall {} --help", words.join(" "));
        seen += 1;
        waiting.extend(below.into_iter().map(|word| [&path[..], &[word.to_owned()]].concat()));
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn a_folder_of_a_newer_version_is_refused_with_its_name_and_left_alone() {
    use redb::{ReadableDatabase as _, ReadableTable as _};
    const META: redb::TableDefinition<&str, &[u8]> = redb::TableDefinition::new("meta");
    let folder = Folder::with_admin();
    let file = folder.path().join("rollcall.redb");
    {
        let data = redb::Database::open(&file).unwrap();
        let write = data.begin_write().unwrap();
        {
            let mut meta = write.open_table(META).unwrap();
            meta.insert("format", 4711_u32.to_le_bytes().as_slice()).unwrap();
            meta.insert("written-by", b"99.1.0".as_slice()).unwrap();
        }
        write.commit().unwrap();
    }
    let kept = || -> Vec<(String, Vec<u8>)> {
        let data = redb::Database::open(&file).unwrap();
        let meta = data.begin_read().unwrap().open_table(META).unwrap();
        let rows = meta.iter().unwrap().map(Result::unwrap);
        rows.map(|(name, value)| (name.value().to_owned(), value.value().to_vec())).collect()
    };
    let before = kept();
    for args in [&["serve", "--listen", "127.0.0.1:0"][..], &["user", "list"], &["check"], &["reindex"]] {
        let refused = folder.run(args);
        assert_eq!(refused.code, 2, "{args:?}: {}{}", refused.out, refused.err);
        assert!(refused.err.contains("99.1.0"), "{args:?}: {}", refused.err);
    }
    assert_eq!(kept(), before);
}

#[test]
fn a_folder_of_another_user_is_refused() {
    let folder = Folder::with_admin();
    let ours = std::fs::metadata(folder.path()).unwrap().uid();
    if chown(folder.path(), Some(65_534), None).is_err() {
        return loudly("a folder of another user was not tested: only root can give one away");
    }
    folder.run(&["user", "list"]).refuses(2, "and this runs as another user: run it as");
    chown(folder.path(), Some(ours), None).unwrap();
    assert!(folder.run(&["user", "list"]).ok().contains("ada"));
}

#[test]
fn an_export_goes_to_standard_output_where_it_is_named_and_says_where_it_cannot_go() {
    let folder = Folder::with_admin();
    let export = |to: &str| folder.run(&["activity", "export", "action:user-added", "-o", to]);
    assert_eq!(export("-").ok().lines().count(), 2, "a head and a row");
    assert!(!std::path::Path::new("-").exists());
    export("/nowhere/at/all.csv")
        .refuses(2, "there is no folder /nowhere/at; make it, or name another place");
}

#[test]
fn a_folder_that_others_can_read_is_closed_and_that_is_said() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::with_admin();
    let file = folder.path().join("rollcall.redb");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for (path, open) in [(folder.path(), 0o755), (&file, 0o644)] {
        std::fs::set_permissions(path, Permissions::from_mode(open)).unwrap();
    }
    let done = folder.run(&["user", "list"]);
    assert!(done.ok().contains("ada") && done.err.contains("could be read by others"), "{}", done.err);
    assert_eq!((mode(folder.path()), mode(&file)), (0o700, 0o600));
    assert_eq!(folder.run(&["user", "list"]).err, "", "it is said once");
}
