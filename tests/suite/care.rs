//! Backups and their way back, what is found damaged, and folders of earlier versions.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use serde_json::{Value, json};

use super::{
    house::{PASSWORD, fixture},
    server::{Done, Folder},
};

fn backup(folder: &Folder, file: &Path) -> Done {
    folder.run(&["backup", file.to_str().unwrap()])
}

fn restore(folder: &Folder, file: &Path) -> Done {
    folder.run(&["restore", file.to_str().unwrap()])
}

/// How many activities a search finds.
fn found(folder: &Folder, query: &str) -> usize {
    let found = folder.run(&["activity", "search", "--json", "--limit", "100000", "--", query]);
    assert!(found.code < 2, "{}", found.err);
    found.out.lines().count()
}

/// A folder with 1233 activities of somebody's.
fn with_activities() -> Folder {
    let folder = Folder::with_admin();
    folder.run(&["activity", "import", fixture("cloudtrail.ndjson").to_str().unwrap()]).ok();
    folder
}

#[test]
fn a_backup_of_a_busy_server_is_one_moment_of_it_and_comes_back_whole_elsewhere() {
    let folder = with_activities();
    let token = folder.run(&["token", "add", "t", "--scope", "activity:write"]).ok().to_owned();
    let server = folder.serve();
    let ada = server.signed_in("ada");
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("all.backup");
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let before = std::thread::scope(|scope| {
        let writer = server.bearer(&token).with("Content-Type", "application/x-ndjson");
        scope.spawn(|| {
            let writer = writer;
            while !stop.load(Ordering::SeqCst) {
                let lines = [r#"{"user":"u","action":"tick"}"#; 100].join("\n");
                let reply = writer.connect().send("POST", "/api/v1/activity", lines.as_bytes());
                assert_eq!(reply.ok()["accepted"], 100);
                sent.fetch_add(100, Ordering::SeqCst);
            }
        });
        while sent.load(Ordering::SeqCst) < 1000 {
            std::thread::yield_now();
        }
        let before = sent.load(Ordering::SeqCst);
        backup(&folder, &file).says("");
        stop.store(true, Ordering::SeqCst);
        before
    });
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    restore(&folder, &file).refuses(2, "stop it");
    ada.get_until("/api/v1/activity?action=backup", |reply| reply.items().len() == 1);
    server.kill();

    let other = Folder::new();
    let restored = restore(&other, &file);
    assert!(restored.ok().contains("1 user; 1 session ended"), "{}", restored.out);
    other.run(&["check"]).ok();
    let ticks = u64::try_from(found(&other, "action:tick")).unwrap();
    assert!(before <= ticks && ticks <= sent.into_inner() && ticks.is_multiple_of(100), "{before} {ticks}");
    assert_eq!(found(&other, "app:s3"), 137);
    assert_eq!(found(&other, "action:restore"), 1);
    let server = other.serve();
    let ada = ada.at(server.address());
    assert_eq!(ada.get("/api/v1/me").status, 401, "a session of before opens nothing");
    let ada = server.signed_in("ada");
    let ended = ada.get("/api/v1/sessions?state=ended").items();
    let reasons: Vec<&Value> = ended.iter().map(|session| &session["reason"]).collect();
    assert_eq!(reasons, ["a backup was restored"]);
}

#[test]
fn a_data_file_that_is_gone_becomes_no_new_one_beside_what_was_made_of_it() {
    let folder = with_activities();
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("all.backup");
    backup(&folder, &file).says("");
    fs::remove_file(folder.path().join("rollcall.redb")).unwrap();
    let add = ["user", "add", "eve", "--password-stdin"];
    let refused = folder.run_with(&add, "seven quiet herons\n");
    refused.refuses(2, "is gone");
    assert!(refused.err.contains("rollcall restore FILE"), "{}", refused.err);
    assert!(!folder.path().join("rollcall.redb").exists());
    restore(&folder, &file).ok();
    assert_eq!(found(&folder, "app:s3"), 137);
}

#[test]
fn a_restore_says_what_comes_back_with_it_and_refuses_what_nobody_could_sign_in_to() {
    let folder = with_activities();
    folder.run(&["token", "add", "old", "--scope", "activity:read"]).ok();
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("all.backup");
    backup(&folder, &file).says("");
    folder.run(&["token", "revoke", "old"]).ok();
    for worked in [false, true] {
        let said = restore(&folder, &file);
        assert!(said.ok().contains("these tokens work: old\n"), "{}", said.out);
        let since = said
            .out
            .contains("tokens that worked no more, and do: old; to undo it: rollcall token revoke NAME");
        assert_eq!(since, !worked, "{}", said.out);
    }
    let aside = fs::read_dir(folder.path()).unwrap().flatten();
    let aside = aside.filter(|file| file.file_name().to_string_lossy().contains(".before-")).count();
    assert_eq!(aside, 2, "each is kept, within one second too");
    let empty = Folder::new();
    empty.run_with(&["activity", "import", "-"], "{\"user\":\"a\",\"action\":\"b\"}\n").ok();
    backup(&empty, &file).says("");
    restore(&folder, &file).refuses(1, "no account in it");
    assert_eq!(found(&folder, "app:s3"), 137);
}

#[test]
fn what_was_taken_away_since_a_backup_and_comes_back_with_it_is_said() {
    let folder = Folder::with_admin();
    for name in ["mia", "otto", "zoe", "eve"] {
        folder.run_with(&["user", "add", name, "--password-stdin"], PASSWORD).ok();
    }
    folder.run(&["user", "set", "eve", "--role", "admin"]).ok();
    folder.run(&["user", "set", "zoe", "--groups", "staff,vault"]).ok();
    for (app, groups) in [("wiki", "staff"), ("vault", "vault,staff"), ("shop", ""), ("desk", "staff")] {
        let url = format!("https://{app}.example.org");
        folder.run(&["app", "add", app, "--url", &url, "--groups", groups]).ok();
    }
    for name in ["kept", "leaked"] {
        folder.run(&["token", "add", name, "--scope", "activity:write"]).ok();
    }
    let server = folder.serve();
    for (maker, name) in [("ada", "hers"), ("eve", "stopped")] {
        let made = json!({"name": name, "scopes": ["activity:write"]});
        assert_eq!(server.signed_in(maker).post("/api/v1/tokens", &made).status, 201);
    }
    assert_eq!(server.stop(), Some(0));
    let elsewhere = tempfile::tempdir().unwrap();
    let (file, later) = (elsewhere.path().join("all.backup"), elsewhere.path().join("later.backup"));
    backup(&folder, &file).says("");
    folder.run(&["token", "revoke", "leaked"]).ok();
    folder.run(&["user", "remove", "mia"]).ok();
    folder.run(&["user", "disable", "otto"]).ok();
    folder.run_with(&["user", "password", "zoe", "--password-stdin"], "seven quiet herons stand").ok();
    folder.run(&["user", "set", "eve", "--role", "member"]).ok();
    folder.run(&["user", "set", "zoe", "--groups", "staff"]).ok();
    folder.run(&["user", "second-factor", "everyone"]).ok();
    folder.run(&["app", "remove", "wiki"]).ok();
    folder.run(&["app", "set", "vault", "--groups", "wheel,staff"]).ok();
    folder.run(&["app", "set", "shop", "--groups", "staff"]).ok();
    folder.run(&["app", "set", "desk", "--groups", "staff,it"]).ok();
    backup(&folder, &later).says("");
    let said = restore(&folder, &file);
    let lines: Vec<&str> = said.ok().lines().collect();
    assert!(lines[1].starts_with("its last activity is of 20"), "{}", said.out);
    assert_eq!(
        lines[2..lines.len() - 1],
        [
            "these tokens work: hers, kept, leaked, stopped",
            "tokens that worked no more, and do: leaked, stopped; to undo it: rollcall token revoke NAME",
            "users who were removed or disabled since, and can sign in: mia, otto; to undo it: rollcall user disable NAME",
            "users who had another role since, and have that of then: eve; to undo it: rollcall user set NAME --role R",
            "users who were taken from groups since, and are in them: zoe (vault); to undo it: rollcall user set NAME --groups …",
            "users who had another password since, and have that of then: zoe; to undo it: rollcall user password NAME",
            "second factors were demanded since, and are not: everyone; to undo it: rollcall user second-factor WHOM",
            "apps that were removed since, and are there: wiki; to undo it: rollcall app remove NAME",
            "apps that were closed to these since, and are open to them: shop (everybody), vault (vault); to undo it: rollcall app set NAME --groups …",
        ]
    );
    // Where there is nothing to hold it against that is said, and what does not work is not named.
    let said = restore(&Folder::new(), &later);
    assert!(
        said.ok().contains("these tokens work, also such as were revoked since: hers, kept\n"),
        "{}",
        said.out
    );
    assert!(said.out.contains("there is no telling what was taken away since"), "{}", said.out);
}

#[test]
fn a_backup_of_another_installation_is_said_to_be_one() {
    let (folder, other) = (Folder::with_admin(), Folder::with_admin());
    let elsewhere = tempfile::tempdir().unwrap();
    let (own, foreign) = (elsewhere.path().join("own.backup"), elsewhere.path().join("foreign.backup"));
    backup(&folder, &own).says("");
    backup(&other, &foreign).says("");
    let verified = |file: &Path, more: &[&str]| {
        let said = folder.run(&[&["verify", file.to_str().unwrap(), "--json"], more].concat());
        (said.code, serde_json::from_str::<Value>(&said.out).unwrap())
    };
    let (code, verdict) = verified(&own, &[]);
    assert_eq!((code, &verdict["key_known"]), (0, &json!(false)));
    let key = verdict["key"].as_str().unwrap();
    let (code, verdict) = verified(&own, &["--key", key]);
    assert_eq!((code, &verdict["whole"], &verdict["key_known"]), (0, &json!(true), &json!(true)));
    let (code, verdict) = verified(&foreign, &["--key", key]);
    assert_eq!((code, &verdict["whole"], &verdict["key_known"]), (1, &json!(false), &json!(false)));
    let told = folder.run(&["verify", foreign.to_str().unwrap(), "--key", key]);
    assert!(told.code == 1 && told.out.contains("Key          NOT THE ONE that was given"), "{}", told.out);
    let said = "this backup is of another installation";
    assert!(!restore(&folder, &own).ok().contains(said));
    assert!(restore(&folder, &foreign).ok().contains(said));
}

#[test]
fn a_backup_that_is_not_as_it_was_written_leaves_everything_as_it_is() {
    let folder = with_activities();
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("all.backup");
    backup(&folder, &file).says("");
    let whole = fs::read(&file).unwrap();
    let refused = |bytes: &[u8], words: &str| {
        fs::write(&file, bytes).unwrap();
        restore(&folder, &file).refuses(1, words);
    };
    refused(b"", "no backup of rollcall's");
    refused(b"PK\x03\x04 something else altogether", "no backup of rollcall's");
    for end in [18, 20, 100, whole.len() / 2, whole.len() - 1] {
        refused(&whole[..end], "it was cut off");
    }
    for at in [23, 60, whole.len() / 3, whole.len() - 40, whole.len() - 1] {
        let mut flipped = whole.clone();
        flipped[at] ^= 4;
        refused(&flipped, "damaged");
    }
    refused(&[&whole[..], b"!"].concat(), "added behind its end");
    assert_eq!(found(&folder, "app:s3"), 137);
    assert_eq!(found(&folder, "action:restore"), 0);
    assert!(!folder.path().join("restoring").exists());

    fs::write(&file, &whole).unwrap();
    let restored = restore(&folder, &file);
    assert!(restored.ok().contains("what was there is kept"), "{}", restored.out);
    assert_eq!(found(&folder, "action:restore"), 1);
    let aside = fs::read_dir(folder.path()).unwrap().flatten();
    let aside = aside.filter(|file| file.file_name().to_string_lossy().contains(".before-")).count();
    assert_eq!(aside, 1);
}

#[test]
fn a_damaged_data_file_is_refused_and_a_backup_takes_its_place() {
    let folder = with_activities();
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("all.backup");
    backup(&folder, &file).says("");
    let data = folder.path().join("rollcall.redb");
    let whole = fs::read(&data).unwrap();
    for length in [0, 100, 4096, whole.len() / 2, whole.len() - 4096] {
        fs::write(&data, &whole[..length]).unwrap();
        let refused = folder.run(&["user", "list"]);
        assert_eq!(refused.code, 2, "{length}: {}{}", refused.out, refused.err);
        assert!(refused.err.contains("rollcall restore FILE"), "{length}: {}", refused.err);
    }
    fs::write(&data, b"this is no data file at all, however one looks at it").unwrap();
    let refused = folder.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.code, 2, "{}", refused.err);
    restore(&folder, &file).ok();
    folder.run(&["check"]).ok();
    assert_eq!(found(&folder, "app:s3"), 137);
}

#[test]
fn a_check_finds_a_flipped_bit_wherever_it_matters() {
    let folder = with_activities();
    folder
        .run(&["check"])
        .says("all is as it was written: 1235 activities in the log, 1235 of them to be found");
    let data = folder.path().join("rollcall.redb");
    let whole = fs::read(&data).unwrap();
    let (mut found_out, mut place) = (0, 0x9e37_79b9_u64);
    for _ in 0..40 {
        place = place.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(place >> 20).unwrap() % whole.len();
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (place % 8);
        fs::write(&data, &flipped).unwrap();
        let checked = folder.run(&["check"]);
        match checked.code {
            // It was in a page that nothing is in.
            0 => assert!(checked.out.contains("1235 activities"), "{at}: {}", checked.out),
            1 => found_out += 1,
            code => panic!("{at}: {code} {}", checked.err),
        }
    }
    assert!(found_out >= 5, "{found_out} of 40");
}

#[test]
fn what_a_restore_that_was_killed_has_left_is_gone_once_the_server_runs() {
    let folder = Folder::with_admin();
    let left = folder.path().join("restoring");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("rollcall.redb"), "a copy of everything").unwrap();
    let server = folder.serve();
    assert!(!left.exists());
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_file_that_is_empty_or_another_programs_is_not_whole_and_becomes_nobodys_new_one() {
    use redb::ReadableDatabase as _;
    let folder = Folder::with_admin();
    let data = folder.path().join("rollcall.redb");
    let copy = folder.path().join("copy.redb");
    fs::write(&data, b"").unwrap();
    fs::write(&copy, b"").unwrap();
    folder.run(&["check"]).refuses(1, "it is empty");
    folder.run(&["verify"]).refuses(1, "it is empty");
    folder.run(&["verify", copy.to_str().unwrap()]).refuses(1, "is empty");
    fs::remove_file(&data).unwrap();
    let other = redb::Database::create(&data).unwrap();
    let write = other.begin_write().unwrap();
    write.open_table(redb::TableDefinition::<u64, u64>::new("theirs")).unwrap().insert(1, 1).unwrap();
    write.commit().unwrap();
    drop(other);
    let before = fs::read(&data).unwrap();
    fs::copy(&data, &copy).unwrap();
    for command in ["check", "verify"] {
        folder.run(&[command]).refuses(1, "another program wrote it");
    }
    folder.run(&["verify", copy.to_str().unwrap()]).refuses(1, "another program wrote it");
    folder.run(&["user", "list"]).refuses(2, "another program wrote it");
    assert_eq!(fs::read(&data).unwrap().len(), before.len(), "nothing was put into it");
    let theirs = redb::Database::open(&data).unwrap();
    assert_eq!(theirs.begin_read().unwrap().list_tables().unwrap().count(), 1);
}

#[test]
fn a_damaged_copy_is_an_answer_in_one_sentence_of_ours() {
    let folder = with_activities();
    let data = folder.path().join("rollcall.redb");
    let whole = fs::read(&data).unwrap();
    let copy = folder.path().join("copy.redb");
    let (mut found_out, mut place) = (0, 0x51_7cc1_b727_u64);
    for round in 0..30 {
        place = place.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(place >> 20).unwrap() % whole.len();
        let mut damaged = whole.clone();
        match round % 3 {
            0 => damaged.truncate(at),
            1 => damaged[..4096].fill(0),
            _ => damaged[at / 4096 * 4096..][..4096].fill(0xff),
        }
        fs::write(&copy, &damaged).unwrap();
        let said = folder.run(&["verify", copy.to_str().unwrap()]);
        match said.code {
            // It was in a page that nothing is in.
            0 => {}
            1 => found_out += 1,
            code => panic!("{round} at {at}: {code} {}", said.err),
        }
        assert!(!said.err.contains("panicked"), "{}", said.err);
        assert!(said.err.lines().count() <= 1, "{}", said.err);
    }
    assert!(found_out >= 15, "{found_out} of 30");
}

#[test]
fn the_index_is_made_anew_while_a_server_runs_and_while_none_does() {
    let folder = with_activities();
    folder.run(&["reindex"]).says("the search index has been made anew: 1235 activities");
    let server = folder.serve();
    folder.run(&["reindex"]).says("the search index has been made anew: 1236 activities");
    folder.run(&["check"]).ok();
    let ada = server.signed_in("ada");
    assert_eq!(ada.get("/api/v1/activity?q=app:s3&limit=1").json()["total"]["value"], 137);
}

/// A folder as version 0.1.0 left it, in the second format: two accounts, three sessions of which one has ended, a token,
/// an app, and 412 activities.
#[test]
fn a_folder_of_the_second_format_has_in_it_what_it_had() {
    const TOKEN: &str = "rct_Q0YFestj5VilxZ6S1s3Juz9C7W4s3tjIVF7dRTx8WE8";
    let folder = Folder::new();
    let packed = fs::read(fixture("folders/format2.redb.zst")).unwrap();
    let data = zstd::decode_all(packed.as_slice()).unwrap();
    fs::write(folder.path().join("rollcall.redb"), data).unwrap();
    // Sessions that were left open have come to their end since, and are told of.
    assert_eq!(found(&folder, "-action:session-expired"), 412);
    assert_eq!(found(&folder, "bucket"), 56);
    assert_eq!(found(&folder, "user:bob action:backup app:vault"), 3);
    folder.run(&["check"]).ok();
    let users = folder.run(&["user", "list"]);
    assert!(users.ok().contains("Ada Lovelace") && users.out.contains("it,finance"), "{}", users.out);
    assert!(folder.run(&["app", "list"]).ok().contains("https://wiki.example.org"));
    let server = folder.serve();
    let program = server.bearer(TOKEN);
    let sent = program.with("Content-Type", "application/json");
    // The sender's key is known from before, and so is the record that came with it.
    let again = r#"{"user":"bob","action":"backup","app":"vault","id":"k2","detail":"nightly 2","time":"2026-03-02T10:00:00Z"}"#;
    let posted = |body: &str| sent.connect().send("POST", "/api/v1/activity", body.as_bytes());
    assert_eq!(posted(again).ok()["duplicates"], 1);
    assert_eq!(posted(&again.replace("nightly 2", "another")).ok()["duplicates"], 1, "by its id it is there");
    let ada = server.signed_in("ada");
    let ended = ada.get("/api/v1/sessions?state=ended").items();
    assert!(ended.iter().any(|session| session["user"] == "bob" && session["ended_by"] == "admin"));
}
