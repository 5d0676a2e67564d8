//! A file that is imported: NDJSON or CSV, packed or not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollcall::{
    cli::import::records,
    web::ingest::{Record, Records, csv::Csv, json},
};
use rollcall_fuzz::{Pieces, SENDER, holds};
use serde_json::{Map, Value};

/// The longest packed file: one of a few bytes may hold a thousand times that.
const PACKED: usize = 512;

type Lines = Vec<(u64, Record)>;

fuzz_target!(|input: &[u8]| {
    let packed = input.starts_with(&[0x1f, 0x8b]) || input.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
    if packed && input.len() > PACKED {
        return;
    }
    let (lines, failed) = read(Pieces::of(input, usize::MAX));
    assert!(lines.windows(2).all(|two| two[0].0 < two[1].0), "lines come one after the other");
    for (_, record) in &lines {
        holds(record, if packed { input.len() << 16 } else { input.len() });
    }
    if !packed {
        let ends = input.split(|byte| *byte == b'\n').count() as u64 - 1;
        assert!(lines.last().is_none_or(|(line, _)| *line <= ends + 1), "there are {ends} ends of lines");
        for size in [1, 7] {
            assert_eq!(read(Pieces::of(input, size)), (lines.clone(), failed.clone()), "in pieces of {size}");
        }
    }
    if let Ok(text) = std::str::from_utf8(input)
        && let Ok(csv) = Csv::new(input, SENDER)
    {
        is_what_others_read(text, csv);
    }
});

/// The records of a file as far as it can be read, and why not further.
fn read(mut file: Pieces<'_>) -> (Lines, Option<String>) {
    let mut lines = Lines::new();
    let mut read = match records(&mut file, "file") {
        Ok(read) => read,
        Err(error) => return (lines, Some(format!("{error:#}"))),
    };
    loop {
        match read.next_record() {
            Ok(Some(line)) => lines.push(line),
            Ok(None) => return (lines, None),
            Err(error) => return (lines, Some(error.to_string())),
        }
    }
}

/// CSV that is read without a complaint is what everybody else takes it for: its rows are the objects of their cells.
fn is_what_others_read(text: &str, mut csv: Csv<&[u8]>) {
    let mut records = Vec::new();
    while let Some((_, record)) = csv.next_record().expect("nothing fails") {
        records.push(record);
    }
    // Others end a line at a carriage return as well; and what is a line of spaces to us is a cell to them, behind a mark too.
    let unmarked = text.strip_prefix('\u{feff}').unwrap_or(text);
    let of_ours = unmarked.trim_start().starts_with("Time,");
    let spaced = unmarked.lines().any(|line| line.trim().is_empty() && !line.is_empty());
    let lone = text.replace("\r\n", "\n").contains('\r');
    if lone || spaced || of_ours || records.iter().any(Result::is_err) {
        return;
    }
    let mut rows = csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(text.as_bytes());
    let mut rows = rows.records().map(|row| row.expect("it is UTF-8"));
    let Some(names) = rows.next() else { panic!("it has a header") };
    if names.iter().any(|name| !is_plain(name.trim())) {
        return;
    }
    let nothing = json::line(b"{}", SENDER).expect("no empty line");
    let theirs = rows.map(|row| {
        let cells = names.iter().zip(&row).filter(|(name, cell)| !name.trim().is_empty() && !cell.is_empty());
        let object: Map<String, Value> =
            cells.map(|(name, cell)| (name.trim().to_owned(), cell.into())).collect();
        json::line(Value::Object(object).to_string().as_bytes(), SENDER).expect("no empty line")
    });
    // An empty line is none, and to others sometimes a row without a cell.
    let theirs: Vec<_> = theirs.filter(|record| *record != nothing).collect();
    records.retain(|record| *record != nothing);
    assert_eq!(records, theirs);
}

/// Whether a column is called so in JSON too, and stands for the same there.
fn is_plain(name: &str) -> bool {
    let known = ["user", "action", "detail", "app", "outcome", "time", "ip", "id", "session", "target", "os"];
    known.contains(&name) || name.starts_with("x-") || name.is_empty()
}
