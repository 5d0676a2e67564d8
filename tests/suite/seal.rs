//! An export and its seal: what somebody changes in the file is found, and named by its row and its activity.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use super::server::Folder;

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
        let file = folder.path().join(format!("out.{form}"));
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
