//! A bulk body of Elasticsearch's.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollcall::{
    model::activity::NewActivity,
    web::ingest::{
        bulk::{self, Broken, Operation},
        json,
    },
};
use rollcall_fuzz::{SENDER, holds};
use serde_json::{Map, Value};

fuzz_target!(|text: &str| {
    for index in [None, Some("logs")] {
        let items = match bulk::items(text, index) {
            Ok(items) => items,
            Err(Broken::Many) => panic!("it has {} bytes", text.len()),
            Err(Broken::Line(why)) => {
                let line = why.strip_prefix("line ").and_then(|rest| rest.split_once(':'));
                let line = line.and_then(|(line, _)| line.parse::<usize>().ok());
                assert!(line.is_some_and(|line| (1..=text.split('\n').count()).contains(&line)), "{why}");
                continue;
            }
        };
        let pairs = pairs(text);
        assert_eq!(items.len(), pairs.len());
        for (item, (action, document)) in items.iter().zip(pairs) {
            let (word, about) = read(action).expect("it was taken for an action");
            assert_eq!(item.operation.as_str(), word);
            let named = about.get("_index").and_then(Value::as_str);
            assert!(named.is_none_or(|named| named == item.index), "{} in {action}", item.index);
            let record = item.record(text, SENDER);
            holds(&record, action.len() + document.len() + 64);
            if matches!(item.operation, Operation::Update | Operation::Delete) {
                assert!(record.is_err(), "the log stays as it is");
            } else if let (true, Ok(record)) = (is_foreign(document), record)
                && let Some(Ok(alone)) = json::line(document.as_bytes(), SENDER)
            {
                assert_eq!(fields(record), fields(alone), "{document}");
            }
        }
    }
});

/// Actions and what stands in the line behind each.
fn pairs(text: &str) -> Vec<(&str, &str)> {
    let (mut pairs, mut lines) = (Vec::new(), text.split('\n'));
    while let Some(action) = lines.next() {
        if action.trim().is_empty() {
            continue;
        }
        let deletes = read(action).is_some_and(|(word, _)| word == "delete");
        let document = if deletes { "" } else { lines.next().unwrap_or_default() };
        pairs.push((action, document));
    }
    pairs
}

fn read(action: &str) -> Option<(String, Map<String, Value>)> {
    let action: Map<String, Value> = serde_json::from_str(action.trim()).ok()?;
    let (word, Value::Object(about)) = action.into_iter().next()? else { return None };
    Some((word, about))
}

/// Whether a document is in the words of others: then it is the same record however it was sent.
fn is_foreign(document: &str) -> bool {
    let Ok(Value::Object(fields)) = serde_json::from_str(document) else { return false };
    fields.contains_key("@timestamp") || fields.contains_key("event")
}

/// A record without its id, which is another's here, and the attributes in which that is kept.
fn fields(record: NewActivity) -> NewActivity {
    NewActivity { key: None, attributes: Vec::new(), ..record }
}
