//! A body of JSON: one record, ours or in the words of others, or an array of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollcall::web::ingest::{Record, json};
use rollcall_fuzz::{SENDER, holds};
use serde_json::value::RawValue;

fuzz_target!(|input: &[u8]| {
    let line = json::line(input, SENDER);
    if let Some(record) = &line {
        holds(record, input.len());
    }
    let Ok(text) = std::str::from_utf8(input) else {
        assert!(line.is_none_or(|record| record.is_err()), "it is not UTF-8");
        return;
    };
    let read = json::Whole::read(text.to_owned(), SENDER).map(Iterator::collect::<Vec<Record>>);
    let bare = text.strip_prefix('\u{feff}').unwrap_or(text);
    if !bare.trim_ascii_start().starts_with('[') {
        // What is refused as a whole may still be a line: around a line there may be more spaces than JSON knows.
        if let Ok(records) = read {
            assert_eq!(records, Vec::from_iter(line));
        }
        return;
    }
    match (serde_json::from_str::<Vec<&RawValue>>(bare), read) {
        (Ok(items), Ok(records)) => {
            let alone = items.iter().map(|item| json::line(item.get().as_bytes(), SENDER));
            assert_eq!(records, alone.map(|record| record.expect("no empty line")).collect::<Vec<_>>());
            for (record, item) in records.iter().zip(items) {
                holds(record, item.get().len());
            }
        }
        (Err(_), Err(_)) => {}
        (items, read) => panic!("{items:?} and {read:?}"),
    }
});
