//! An export and its seal: what somebody changes in the file is found, and named by its row and its activity.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rollcall::domain::accounts::Details;
use rollcall::model::user::{Actor, Role};
use serde_json::{Value, json};

use super::{
    house::{House, PASSWORD},
    http::Reply,
    server::{Client, Folder},
};

/// How many activities are exported: some blocks of 64 and a part of one.
const ROWS: usize = 300;

/// An export, as the lines of its file, and where it lies.
struct Export {
    folder: Folder,
    file: PathBuf,
    lines: Vec<String>,
}

impl Export {
    fn of(form: &str) -> Self {
        let folder = Folder::with_admin();
        let record = |n: usize| {
            let detail = match n % 3 {
                0 => format!("two\nlines, and \"quotes\" {n}"),
                1 => format!("=SUM(A{n})"),
                _ => format!("Account_{n}"),
            };
            json!({"user": "ann", "action": "tick", "app": "t", "detail": detail}).to_string()
        };
        let records: Vec<String> = (0..ROWS).map(record).collect();
        folder.run_with(&["activity", "import", "-"], records.join("\n")).ok();
        let file = folder.beside(&format!("out.{form}"));
        let export = ["activity", "export", "app:t", "--order", "asc", "--format", form, "-o"];
        folder.run(&[&export[..], &[file.to_str().unwrap()]].concat()).ok();
        let text = fs::read_to_string(&file).unwrap();
        // A row of CSV ends where its quotes are closed.
        let mut lines: Vec<String> = Vec::new();
        for part in text.split_inclusive('\n') {
            match lines.last_mut() {
                Some(open) if form == "csv" && open.matches('"').count() % 2 == 1 => open.push_str(part),
                _ => lines.push(part.to_owned()),
            }
        }
        Self { folder, file, lines }
    }

    /// What the command says of the file with these lines.
    fn with(&self, lines: &[String]) -> (i32, Value) {
        fs::write(&self.file, lines.concat()).unwrap();
        self.verified(&[])
    }

    fn verified(&self, more: &[&str]) -> (i32, Value) {
        let nowhere = Folder::new();
        let file = self.file.to_str().unwrap();
        let done = nowhere.run(&[&["verify", "--json", file][..], more].concat());
        (done.code, serde_json::from_str(&done.out).unwrap_or_else(|_| panic!("{} {}", done.out, done.err)))
    }

    /// The file with a change, and all that the command finds.
    fn changed(&self, change: impl FnOnce(&mut Vec<String>)) -> Vec<(u64, String)> {
        let mut lines = self.lines.clone();
        change(&mut lines);
        let (code, verdict) = self.with(&lines);
        assert_eq!((code, &verdict["whole"]), (1, &json!(false)), "{verdict}");
        let faults = verdict["faults"].as_array().unwrap().iter();
        let word = |text: &str| text.rsplit(") ").next().unwrap().to_owned();
        faults
            .map(|fault| (fault["row"].as_u64().unwrap(), word(fault["trouble"].as_str().unwrap())))
            .collect()
    }
}

fn named(row: u64, trouble: &str) -> (u64, String) {
    (row, trouble.to_owned())
}

#[test]
fn a_file_as_it_was_exported_is_whole_with_a_server_and_without_one() {
    for form in ["csv", "ndjson"] {
        let export = Export::of(form);
        let (code, verdict) = export.verified(&[]);
        assert_eq!((code, &verdict["whole"], &verdict["rows"]), (0, &json!(true), &json!(ROWS)), "{verdict}");
        assert_eq!(verdict["asked"], "q=app:t");
        assert!(verdict["activity"].is_string() && verdict["checkpoint"]["size"].is_u64(), "{verdict}");
        let key = verdict["key"].as_str().unwrap().to_owned();
        assert_eq!(export.verified(&["--key", &key]).1["key_known"], true);
        let server = export.folder.serve();
        let file = export.file.to_str().unwrap();
        let again = ["activity", "export", "app:t", "--format", form, "-o", file];
        export.folder.run(&again).ok();
        drop(server);
        let (code, verdict) = export.verified(&["--key", &key]);
        assert_eq!((code, &verdict["whole"]), (0, &json!(true)), "{verdict}");
        let said = export.folder.run(&["verify", file]);
        assert!(said.ok().starts_with("Rows         intact: 300,"), "{}", said.out);
    }
}

#[test]
fn what_is_changed_taken_out_put_in_or_moved_is_named() {
    for form in ["csv", "ndjson"] {
        let export = Export::of(form);
        // The number of a row's place among the lines: CSV has a head.
        let at = |row: usize| if form == "csv" { row } else { row - 1 };
        for row in [1, 64, 65, 133, ROWS] {
            let number = row as u64;
            let changed = |lines: &mut Vec<String>| lines[at(row)] = lines[at(row)].replacen("ann", "eve", 1);
            assert_eq!(export.changed(changed), [named(number, "was changed")], "{form} {row}");
            let gone = export.changed(|lines| drop(lines.remove(at(row))));
            assert_eq!(gone, [named(number, "was taken out")], "{form} {row}");
            let twice = |lines: &mut Vec<String>| lines.insert(at(row), lines[at(9)].clone());
            assert_eq!(export.changed(twice).len(), 1, "{form} {row}");
        }
        let moved = export.changed(|lines| {
            let line = lines.remove(at(20));
            lines.insert(at(200), line);
        });
        assert_eq!(moved, [named(20, "was moved: it is row 200 of the file")], "{form}");
        assert_eq!(export.changed(|lines| lines.swap(at(70), at(71))).len(), 1, "{form}");
        let many = export.changed(|lines| {
            lines[at(280)] = lines[at(280)].replacen("ann", "eve", 1);
            drop(lines.drain(at(100)..at(103)));
            lines.insert(at(3), lines[at(250)].clone());
        });
        let rows: Vec<u64> = many.iter().map(|(row, _)| *row).collect();
        assert_eq!(rows, [3, 100, 101, 102, 280], "{many:?}");
        let half = export.changed(|lines| {
            let last = lines.last_mut().unwrap();
            last.truncate(last.len() / 2);
        });
        assert_eq!(half, [named(300, "row 300 was cut off: the file ends in it")], "{form}");
        let short = export.changed(|lines| lines.truncate(at(ROWS)));
        assert_eq!(short, [named(300, "was taken out")]);
    }
}

#[test]
fn a_head_that_was_changed_and_a_file_that_a_spreadsheet_saved_are_said() {
    let export = Export::of("csv");
    let mut lines = export.lines.clone();
    lines[0] = lines[0].replace("User", "Nobody");
    let (code, verdict) = export.with(&lines);
    assert_eq!((code, &verdict["head_changed"], &verdict["fault_count"]), (1, &json!(true), &json!(0)));
    // Quotes everywhere, semicolons, and ends of lines without a carriage return.
    for (delimiter, quotes) in [(b',', csv::QuoteStyle::Always), (b';', csv::QuoteStyle::Necessary)] {
        let mut rows = csv::ReaderBuilder::new();
        let text = export.lines.concat();
        let rows = rows.has_headers(false).from_reader(text.as_bytes()).into_records();
        let mut saved = csv::WriterBuilder::new();
        let mut saved = saved.delimiter(delimiter).quote_style(quotes).from_writer(Vec::new());
        rows.for_each(|row| saved.write_record(&row.unwrap()).unwrap());
        let saved = String::from_utf8(saved.into_inner().unwrap()).unwrap();
        let (code, verdict) = export.with(std::slice::from_ref(&saved));
        assert_eq!((code, &verdict["fault_count"]), (1, &json!(0)), "{verdict}");
        assert_eq!(verdict["written_anew"], ROWS + 1, "the head too");
        let said = Folder::new().run(&["verify", export.file.to_str().unwrap()]);
        assert!(said.out.contains("all 300 say what was sealed"), "{}", said.out);
        assert!(said.out.contains("as if a spreadsheet"), "{}", said.out);
        let (_, verdict) = export.with(&[saved.replacen("Account_2", "Account_x", 1)]);
        assert_eq!(verdict["faults"][0]["row"], 3, "a change is found all the same: {verdict}");
    }
}

#[test]
fn a_seal_that_is_forged_or_of_another_installation_is_said() {
    let (export, other) = (Export::of("csv"), Export::of("csv"));
    let beside = |export: &Export| PathBuf::from(format!("{}.seal", export.file.display()));
    let seal = fs::read_to_string(beside(&export)).unwrap();
    let file = export.file.to_str().unwrap();
    let refuses = |seal: &str, words: &str| {
        fs::write(beside(&export), seal).unwrap();
        Folder::new().run(&["verify", file]).refuses(1, words);
    };
    refuses(&seal.replace("rows 300", "rows 299"), "forged or damaged: its statement");
    let first = seal.lines().nth(1).unwrap();
    refuses(&seal.replacen(&format!("{first}\n"), "", 1), "forged or damaged: its lines");
    refuses(&seal[..seal.len() / 2], "no seal of an export");
    let place = seal.find("c2sp.org/tlog-proof@v1").unwrap();
    let changed = |from: &str, to: &str| format!("{}{}", &seal[..place], seal[place..].replacen(from, to, 1));
    let theirs = fs::read_to_string(beside(&other)).unwrap();
    let their_place = &theirs[theirs.find("c2sp.org/tlog-proof@v1").unwrap()..];
    refuses(&changed("index ", "index 1"), "the log of its checkpoint does not hold it");
    refuses(&changed("extra ", "extra AAAA"), "the log of its checkpoint does not hold it");
    refuses(&changed("\ntime 20", "\ntime 19"), "its checkpoint is not what its key has signed");
    refuses(&changed("index ", "indices "), "its proof that the log holds it cannot be read");
    refuses(&format!("{}{their_place}", &seal[..place]), "its checkpoint is not what its key has signed");
    fs::write(beside(&export), &seal[..place]).unwrap();
    let (code, verdict) = export.verified(&[]);
    assert_eq!(
        (code, &verdict["whole"], &verdict["activity"]),
        (1, &json!(false), &Value::Null),
        "{verdict}"
    );
    assert_eq!(verdict["faults"], json!([]), "the file is what was signed, and nothing says when that was");
    let key = verdict["key"].as_str().unwrap();
    let said = Folder::new().run(&["verify", file, "--key", key]);
    assert!(said.code == 1 && said.out.contains("Log          NOT PROVEN: "), "{}", said.out);
    refuses("nonsense", "no seal of an export");
    fs::remove_file(beside(&export)).unwrap();
    Folder::new().run(&["verify", file]).refuses(2, "has no seal beside it");
    // What others have sealed is whole in itself, and not ours.
    let theirs = beside(&other);
    let key = other.verified(&[]).1["key"].as_str().unwrap().to_owned();
    fs::write(beside(&export), &seal).unwrap();
    let (code, verdict) = export.verified(&["--key", &key]);
    assert_eq!(
        (code, &verdict["whole"], &verdict["fault_count"]),
        (1, &json!(false), &json!(0)),
        "{verdict}"
    );
    let said = Folder::new().run(&["verify", file, "--key", &key]);
    assert!(said.out.contains("NOT THE ONE that was given"), "{}", said.out);
    assert_eq!(export.verified(&["--seal", theirs.to_str().unwrap()]).0, 1, "the seal of another export");
    Folder::new().run(&["verify", file, "--key", "x"]).refuses(2, "not a key");
}

#[test]
fn a_seal_with_a_damaged_byte_is_what_is_said_to_be_damaged() {
    let export = Export::of("csv");
    let (file, beside) = (export.file.to_str().unwrap(), format!("{}.seal", export.file.display()));
    let seal = fs::read(&beside).unwrap();
    let nowhere = Folder::new();
    let place = String::from_utf8_lossy(&seal).find("c2sp.org/tlog-proof@v1").unwrap();
    let statement = seal.windows(2).position(|two| two == b"\n\n").unwrap();
    // In the rows, at the end of one, in the statement, in the proof, and in the last byte.
    for at in [statement / 2, statement, statement + 3, place - 8, place + 4, seal.len() - 1] {
        let mut damaged = seal.clone();
        damaged[at] |= 0x80;
        fs::write(&beside, damaged).unwrap();
        let words = format!("rollcall: {beside}: the seal is forged or damaged");
        nowhere.run(&["verify", file]).refuses(1, &words);
    }
}

/// A folder with two users and what both did, in a hundred rows each.
fn shared() -> Folder {
    let folder = Folder::with_admin();
    folder.run_with(&["user", "add", "mia", "--password-stdin"], PASSWORD).ok();
    import(&folder, 0..100);
    folder
}

fn import(folder: &Folder, numbers: std::ops::Range<usize>) {
    let record = |user: &str, n: usize| {
        let (note, second) = (format!("={n}"), n % 60);
        json!({"user": user, "action": "tick", "app": "t", "detail": format!("Account_{n}, \"two\"\nlines"),
            "time": format!("2026-03-01T00:00:{second:02}Z"), "attributes": {"note": note}})
        .to_string()
    };
    let lines: Vec<String> = numbers.flat_map(|n| [record("ann", n), record("mia", n)]).collect();
    folder.run_with(&["activity", "import", "-"], lines.join("\n")).ok();
}

/// Downloads into a file; the activity that tells of it.
fn download(client: &Client, path: &str, file: &Path) -> String {
    let reply = client.get(path);
    assert_eq!(reply.status, 200, "{}", reply.text());
    fs::write(file, &reply.body).unwrap();
    reply.header("Activity").unwrap().to_owned()
}

/// Puts a seal beside the file.
fn put(seal: &Reply, file: &Path) {
    assert_eq!(seal.status, 200, "{}", seal.text());
    fs::write(format!("{}.seal", file.display()), &seal.body).unwrap();
}

fn verified(file: &Path, more: &[&str]) -> (i32, Value) {
    let done = Folder::new().run(&[&["verify", "--json", file.to_str().unwrap()][..], more].concat());
    (done.code, serde_json::from_str(&done.out).unwrap_or_else(|_| panic!("{} {}", done.out, done.err)))
}

#[test]
fn a_download_is_proven_by_the_seal_that_is_had_of_its_activity() {
    let folder = shared();
    let server = folder.serve();
    let ada = server.signed_in("ada");
    ada.get_until("/api/v1/activity?app=t&limit=1", |reply| reply.json()["total"]["value"] == 200);
    let file = folder.path().join("download");
    let key = folder.run(&["verify", "--json"]);
    let key = serde_json::from_str::<Value>(key.ok()).unwrap()["key"].as_str().unwrap().to_owned();
    // How many rows there are, after so many rounds in each of which there are twenty more.
    for (at, (query, rows, name)) in [
        ("csv?app=t", 200, "csv"),
        ("csv?app=t&raw=1&attribute=note&attribute=k%2C1&order=asc&user=ann", 110, "raw.csv"),
        ("csv?q=account+-tock&from=2026-03-01&to=2026-03-01&tz=Europe%2FWarsaw&app=t", 240, "csv"),
        ("ndjson?app=t&q=Account_7&period=all", 2, "ndjson"),
        ("ndjson?app=t&q=Account_7&typing=1", 22, "ndjson"),
        ("csv?q=nobody&user=nobody", 0, "csv"),
    ]
    .into_iter()
    .enumerate()
    {
        let activity = download(&ada, &format!("/api/v1/activity.{query}"), &file);
        // What comes later, at whatever time, is not in it.
        import(&folder, 100 * (at + 1)..100 * (at + 1) + 10);
        ada.get_until("/api/v1/activity?app=t&limit=1", |reply| {
            reply.json()["total"]["value"] == 200 + 20 * (at + 1)
        });
        let seal = ada.get(&format!("/api/v1/activity/{activity}/seal"));
        assert_eq!(seal.header("Content-Type"), Some("text/plain; charset=utf-8"));
        let disposition = seal.header("Content-Disposition").unwrap();
        assert!(disposition.ends_with(&format!(".{name}.seal\"")), "{disposition}");
        put(&seal, &file);
        let (code, verdict) = verified(&file, &["--key", &key]);
        assert_eq!(
            (code, &verdict["rows"], &verdict["key_known"]),
            (0, &json!(rows), &json!(true)),
            "{query} {verdict}"
        );
        let page = ada.get(&format!("/activity/{activity}")).text();
        assert!(page.contains(&format!("/api/v1/activity/{activity}/seal")), "{page}");
        // Whatever is done to the file afterwards is found.
        let text = fs::read_to_string(&file).unwrap();
        for changed in [
            text.replacen("ann", "eve", 1),
            text.replacen("mia", "eve", 1),
            format!("{text}x\r\n"),
            format!("x{text}"),
        ] {
            if changed != text {
                fs::write(&file, changed).unwrap();
                let (code, verdict) = verified(&file, &[]);
                assert_eq!((code, &verdict["whole"]), (1, &json!(false)), "{query} {verdict}");
            }
        }
    }
    ada.get_until("/api/v1/activity?action=export-sealed", |reply| reply.json()["total"]["value"] == 6);
}

#[test]
fn a_seal_is_had_again_and_under_a_checkpoint_that_was_kept_elsewhere() {
    let folder = shared();
    let server = folder.serve();
    let ada = server.signed_in("ada");
    ada.get_until("/api/v1/activity?app=t&limit=1", |reply| reply.json()["total"]["value"] == 200);
    let (file, kept) = (folder.path().join("download.csv"), folder.path().join("kept"));
    let activity = download(&ada, "/api/v1/activity.csv?app=t", &file);
    let first = ada.get(&format!("/api/v1/activity/{activity}/seal"));
    put(&first, &file);
    let (_, verdict) = verified(&file, &[]);
    let sealing = verdict["activity"].as_str().unwrap().to_owned();
    let size = verdict["checkpoint"]["size"].as_u64().unwrap();
    let again = ada.get(&format!("/api/v1/activity/{sealing}/seal"));
    assert_eq!(again.text(), first.text(), "it is one and the same");
    // Later the log has other checkpoints: that of another seal, for one.
    import(&folder, 100..400);
    let later = ada.get(&format!("/api/v1/activity/{activity}/seal"));
    fs::write(&kept, &later.body).unwrap();
    let kept = kept.to_str().unwrap();
    let (code, verdict) = verified(&file, &["--checkpoint", kept]);
    assert_eq!((code, &verdict["outside"]), (1, &json!("not_told")), "{verdict}");
    let note = later.text().rsplit("\n\n").nth(1).unwrap().to_owned();
    let later: u64 = note.lines().nth(1).unwrap().parse().unwrap();
    assert!(later > size + 600, "{later}");
    let seal = ada.get(&format!("/api/v1/activity/{sealing}/seal?checkpoint={later}"));
    put(&seal, &file);
    let (code, verdict) = verified(&file, &["--checkpoint", kept]);
    assert_eq!(
        (code, &verdict["outside"], &verdict["checkpoint"]["size"]),
        (0, &json!("consistent"), &json!(later)),
        "{verdict}"
    );
    assert_eq!(verdict["activity"], sealing.as_str(), "and it is the sealing of then");
    let said = Folder::new().run(&["verify", file.to_str().unwrap(), "--checkpoint", kept]);
    assert!(said.ok().contains("which was kept elsewhere, is the one it is proven under"), "{}", said.out);
    // The log goes on from both.
    let beside = format!("{}.seal", file.display());
    for seal in [kept, &beside] {
        let said = folder.run(&["verify", "--json", "--checkpoint", seal]);
        let verdict: Value = serde_json::from_str(said.ok()).unwrap();
        assert_eq!(verdict["outside"][0]["standing"], "consistent", "{verdict}");
    }
    // Another installation's log of that length is another log.
    let other = shared();
    let kept_there = other.path().join("kept");
    let elsewhere = other.serve();
    let there = elsewhere.signed_in("ada");
    let activity = download(&there, "/api/v1/activity.csv?app=t", &kept_there);
    fs::write(&kept_there, there.get(&format!("/api/v1/activity/{activity}/seal")).body).unwrap();
    let (code, verdict) = verified(&file, &["--checkpoint", kept_there.to_str().unwrap()]);
    assert_eq!((code, &verdict["outside"]), (1, &json!("another_key")), "{verdict}");
    let refused = |path: &str| ada.get(&format!("/api/v1/activity/{path}")).refusal();
    assert_eq!(refused(&format!("{sealing}/seal?checkpoint={}", size - 1)), "400 bad_field checkpoint");
    assert_eq!(refused(&format!("{sealing}/seal?checkpoint={}", size + 1)), "400 bad_field checkpoint");
    assert_eq!(refused(&format!("{sealing}/seal?checkpoint=x")), "400 bad_field checkpoint");
    assert_eq!(refused("0000000000001/seal"), "404 not_found");
    assert_eq!(refused("nonsense/seal"), "404 not_found");
}

#[test]
fn a_seal_is_for_whoever_may_see_what_was_exported() {
    let house = House::new().with_admin("ada").with_member("mia").with_member("bob").with_auditor("otto");
    let program = house.program("loader", &["activity:write"]);
    let records: Vec<Value> =
        ["mia", "bob", "ann"].map(|user| json!({"user": user, "action": "tick", "app": "t"})).to_vec();
    program.post("/api/v1/activity", &json!(records)).ok();
    house.caught_up();
    let (mia, ada, otto) = (house.signed_in("mia"), house.signed_in("ada"), house.signed_in("otto"));
    let own = mia.get("/api/v1/activity.csv?app=t");
    assert_eq!(own.header("Rows"), Some("1"));
    let own = format!("/api/v1/activity/{}/seal", own.header("Activity").unwrap());
    let all = otto.get("/api/v1/activity.csv?app=t");
    assert_eq!(all.header("Rows"), Some("3"));
    let all = format!("/api/v1/activity/{}/seal", all.header("Activity").unwrap());
    for (who, caller) in [("mia", &mia), ("ada", &ada), ("otto", &otto)] {
        let seal = caller.get(&own);
        assert_eq!((seal.status, seal.header("Rows")), (200, Some("1")), "{who}");
    }
    assert_eq!(house.signed_in("bob").get(&own).refusal(), "404 not_found");
    assert_eq!(mia.get(&all).refusal(), "404 not_found");
    assert_eq!((ada.get(&all).status, otto.get(&all).header("Rows")), (200, Some("3")));
    assert_eq!(house.bearer(&house.token("auditing", &["activity:read"])).get(&all).status, 200);
    let told = house.log("action=export-sealed&user=otto").remove(0);
    assert_eq!((&told["detail"], &told["attributes"]["rows"]), (&json!("app=t"), &json!("3")), "{told}");
    // Who was an auditor keeps the activity, and not what the export held.
    let details = Details { role: Some(Role::Member), ..Details::default() };
    house.wait(house.app.change_user(&Actor::console(), &"otto".parse().unwrap(), details)).unwrap();
    assert_eq!(house.signed_in("otto").get(&all).refusal(), "403 forbidden");
    for path in [all.clone(), own] {
        assert_eq!(house.stranger().get(&path).refusal(), "401 not_signed_in");
    }
}
