//! The log proves itself: what somebody changes in its file is found, and named.

use redb::{Database, ReadableTable as _, TableDefinition};
use serde_json::{Value, json};

use super::server::{Folder, Server};

const RUNS: TableDefinition<u64, &[u8]> = TableDefinition::new("log");

/// A folder with an administrator and so many activities of a program.
fn filled(count: usize) -> Folder {
    let folder = Folder::with_admin();
    import(&folder, count);
    folder
}

fn import(folder: &Folder, count: usize) {
    let lines: Vec<String> = (0..count)
        .map(|n| json!({"user": "ann", "action": "backup", "detail": format!("Account_{n}")}).to_string())
        .collect();
    folder.run_with(&["activity", "import", "-"], lines.join("\n")).ok();
}

fn verified(folder: &Folder, more: &[&str]) -> (i32, Value) {
    let done = folder.run(&[&["verify", "--json"][..], more].concat());
    (done.code, serde_json::from_str(&done.out).unwrap())
}

/// The checkpoint that the server has signed last.
fn checkpoint(server: &Server) -> String {
    let ada = server.signed_in("ada");
    let page = ada.get_until("/settings", |reply| reply.text().contains("<pre class=\"checkpoint\""));
    let page = page.text();
    let note = page
        .split("<pre class=\"checkpoint\" tabindex=\"0\">")
        .nth(1)
        .unwrap()
        .split("</pre>")
        .next()
        .unwrap();
    note.replace("&#43;", "+").replace("&#61;", "=").replace("&#x2b;", "+").replace("&#x3d;", "=")
}

/// Changes the data file as somebody would who has not Rollcall do it.
fn tamper(folder: &Folder, change: impl FnOnce(&redb::WriteTransaction)) {
    let file = Database::open(folder.path().join("rollcall.redb")).unwrap();
    let write = file.begin_write().unwrap();
    change(&write);
    write.commit().unwrap();
}

#[test]
fn a_whole_log_is_proven_with_a_server_and_without_one() {
    let folder = filled(700);
    let (code, alone) = verified(&folder, &[]);
    assert_eq!((code, &alone["whole"], &alone["fault_count"]), (0, &json!(true), &json!(0)));
    assert!(alone["present"].as_u64().unwrap() > 700 && alone["unprotected"].is_null(), "{alone}");
    let server = folder.serve();
    let kept = folder.beside("kept.txt");
    std::fs::write(&kept, checkpoint(&server)).unwrap();
    let said = folder.run(&["verify", "--checkpoint", kept.to_str().unwrap()]);
    let lines: Vec<&str> = said.ok().lines().map(|line| line.split("  ").next().unwrap()).collect();
    assert_eq!(lines, ["Records", "Checkpoints", "Outside", "Unprotected", "Key"]);
    drop(server);
    let (code, verdict) = verified(&folder, &["--checkpoint", kept.to_str().unwrap()]);
    assert_eq!((code, &verdict["outside"][0]["standing"]), (0, &json!("consistent")), "{verdict}");
    assert!(verdict["unprotected"].as_u64().unwrap() > 0, "the proofs themselves came after it");
    let plain = folder.run(&["verify"]);
    assert!(plain.ok().contains("it cannot be excluded that the newest are missing"), "{}", plain.out);
    let log = folder.run(&["activity", "search", "action:verify", "--json"]);
    assert_eq!(log.ok().lines().count(), 4);
    std::fs::write(&kept, "nonsense").unwrap();
    folder.run(&["verify", "--checkpoint", kept.to_str().unwrap()]).refuses(2, "holds no checkpoint");
}

#[test]
fn what_was_taken_out_of_the_file_is_named() {
    let folder = filled(700);
    tamper(&folder, |write| {
        let mut runs = write.open_table(RUNS).unwrap();
        let key = runs.iter().unwrap().map(|run| run.unwrap().0.value()).find(|key| *key > 100).unwrap();
        runs.remove(key).unwrap();
    });
    let (code, verdict) = verified(&folder, &[]);
    assert_eq!((code, &verdict["whole"]), (1, &json!(false)));
    let first = &verdict["faults"][0];
    assert!(first["first"].as_u64().unwrap() > 100, "{verdict}");
    assert!(first["trouble"].as_str().unwrap().contains("missing, and no retention"), "{verdict}");
    let said = folder.run(&["verify"]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("Records      NOT INTACT: activities "), "{}", said.out);
}

#[test]
fn an_older_copy_of_the_file_is_found_by_a_checkpoint_from_outside() {
    let folder = filled(300);
    let file = folder.path().join("rollcall.redb");
    let older = std::fs::read(&file).unwrap();
    import(&folder, 500);
    let kept = folder.beside("kept.txt");
    let server = folder.serve_with(&["--checkpoint-file", kept.to_str().unwrap()]);
    server.signed_in("ada").get_until("/settings", |reply| reply.text().contains("that of "));
    drop(server);
    let kept = kept.to_str().unwrap();
    assert_eq!(verified(&folder, &["--checkpoint", kept]).0, 0);
    std::fs::write(&file, older).unwrap();
    std::fs::remove_dir_all(folder.path().join("index")).unwrap();
    let (code, verdict) = verified(&folder, &["--checkpoint", kept]);
    assert_eq!((code, &verdict["fault_count"]), (1, &json!(0)), "the copy is whole in itself");
    assert_eq!(verdict["outside"][0]["standing"], "newest_missing");
    // It goes on as another log of the same length, and is not the one that was signed.
    import(&folder, 600);
    let (code, verdict) = verified(&folder, &["--checkpoint", kept]);
    assert_eq!((code, &verdict["outside"][0]["standing"]), (1, &json!("not_consistent")));
    // Nor is somebody else's.
    let (code, verdict) = verified(&filled(1000), &["--checkpoint", kept]);
    assert_eq!((code, &verdict["outside"][0]["standing"]), (1, &json!("another_key")));
}

#[test]
fn a_checkpoint_with_a_byte_that_is_no_text_is_said_and_costs_no_other() {
    let folder = filled(300);
    let server = folder.serve();
    let first = checkpoint(&server);
    drop(server);
    let kept = folder.beside("kept.txt");
    let put = |bytes: &[u8]| std::fs::write(&kept, bytes).unwrap();
    let file = kept.to_str().unwrap();
    let lines = first.trim_end();
    // Wherever it lies: in what is signed, at the end of a line, in the dash before the signature, and in the signature.
    for at in [0, lines.find('\n').unwrap(), lines.find('\u{2014}').unwrap() + 1, lines.len() - 4] {
        let mut damaged = lines.as_bytes().to_vec();
        damaged[at] = 0xff;
        put(&[&damaged, "\n\n".as_bytes(), lines.as_bytes(), b"\n\n"].concat());
        let (code, verdict) = verified(&folder, &["--checkpoint", file]);
        assert!(code == 0 && verdict["outside_broken"].as_u64() > Some(0), "byte {at}: {verdict}");
        let outside = verdict["outside"].as_array().unwrap();
        assert_eq!((outside.len(), &outside[0]["standing"]), (1, &json!("consistent")), "{verdict}");
        put(&[&damaged[..], b"\n\n"].concat());
        folder.run(&["verify", "--checkpoint", file]).refuses(2, "holds no checkpoint");
    }
}

#[test]
fn a_backup_is_proven_without_a_folder_and_a_changed_log_is_not_restored() {
    let folder = filled(300);
    let (good, bad) = (folder.beside("good.backup"), folder.beside("bad.backup"));
    folder.run(&["backup", good.to_str().unwrap()]).ok();
    let nowhere = Folder::new();
    let (code, verdict) = verified(&nowhere, &[good.to_str().unwrap()]);
    assert_eq!((code, &verdict["whole"]), (0, &json!(true)), "{verdict}");
    tamper(&folder, |write| {
        let mut runs = write.open_table(RUNS).unwrap();
        let key = runs.iter().unwrap().map(|run| run.unwrap().0.value()).find(|key| *key > 100).unwrap();
        runs.remove(key).unwrap();
    });
    folder.run(&["backup", bad.to_str().unwrap()]).ok();
    let (code, verdict) = verified(&nowhere, &[bad.to_str().unwrap()]);
    assert_eq!((code, &verdict["whole"]), (1, &json!(false)));
    folder.run(&["restore", bad.to_str().unwrap()]).refuses(1, "is not what was written: activities");
    assert!(folder.run(&["restore", good.to_str().unwrap()]).ok().starts_with("restored "));
    assert_eq!(verified(&folder, &[]).0, 0, "a restored log goes on and proves itself");
    std::fs::write(&bad, "rollcall backup 2").unwrap();
    nowhere.run(&["verify", bad.to_str().unwrap()]).refuses(2, "no backup of rollcall's");
}

#[test]
fn a_copy_of_the_data_file_is_proven_where_it_lies() {
    let folder = filled(300);
    let (copy, nowhere) = (folder.path().join("copy.redb"), Folder::new());
    let file = copy.to_str().unwrap();
    std::fs::copy(folder.path().join("rollcall.redb"), &copy).unwrap();
    let before = std::fs::read(&copy).unwrap();
    let (code, verdict) = verified(&nowhere, &[file]);
    assert_eq!((code, &verdict["whole"]), (0, &json!(true)), "{verdict}");
    assert_eq!(std::fs::read(&copy).unwrap(), before, "it is only read");
    assert!(!nowhere.path().join("rollcall.redb").exists());
    tamper(&folder, |write| {
        let mut runs = write.open_table(RUNS).unwrap();
        let key = runs.iter().unwrap().map(|run| run.unwrap().0.value()).find(|key| *key > 100).unwrap();
        runs.remove(key).unwrap();
    });
    std::fs::copy(folder.path().join("rollcall.redb"), &copy).unwrap();
    assert_eq!(verified(&nowhere, &[file]).0, 1);
    std::fs::write(&copy, &before[..before.len() / 2]).unwrap();
    assert_eq!(nowhere.run(&["verify", file]).code, 1, "cut off");
}
