//! A `CloudEvent` in headers: the type of its data, then its attributes, one a line, an empty line, and its data.
#![no_main]

use std::collections::BTreeMap;

use data_encoding::BASE64;
use libfuzzer_sys::fuzz_target;
use rollcall::{
    model::activity::{NewActivity, limits},
    web::ingest::{Record, cloudevents, json},
};
use rollcall_fuzz::{SENDER, holds};
use serde_json::{Map, Value};

fuzz_target!(|input: &[u8]| {
    let end = input.windows(2).position(|two| two == b"\n\n").unwrap_or(input.len());
    let (Ok(head), data) = (std::str::from_utf8(&input[..end]), input.get(end + 2..).unwrap_or_default())
    else {
        return;
    };
    let mut lines = head.lines();
    let kind = lines.next().unwrap_or_default();
    let attributes: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let event = match cloudevents::binary(attributes.clone().into_iter(), kind, data) {
        Ok(event) => event,
        Err(why) => return holds(&Err(why), input.len()),
    };
    let Ok(Value::Object(fields)) = serde_json::from_str(&event) else {
        // What lies as deep as may be lies deeper inside an event, and is refused then.
        return assert!(json::line(event.as_bytes(), SENDER).is_some_and(|record| record.is_err()));
    };
    let said = |name: &str| attributes.contains_key(name);
    for (name, value) in &attributes {
        let of_data = matches!(name.as_str(), "data" | "data_base64" | "datacontenttype");
        assert!(of_data || fields[name] == value.as_str(), "{name} is {}", fields[name]);
    }
    let Some(record) = json::line(event.as_bytes(), SENDER) else { panic!("{event} is no empty line") };
    holds(&record, event.len());
    if attributes.get("specversion").map(String::as_str) != Some("1.0") {
        return;
    }
    if let Ok(NewActivity { key, .. }) = &record {
        // Source and id are what makes it the event it is; what is too long for an id is shortened.
        let id = format!("{} {}", attributes["source"], attributes["id"]);
        let kept = key.as_ref().map(|key| key.id.as_str());
        assert!(kept == Some(&id) || id.len() > limits::SENDER_ID, "{kept:?}");
    }
    if said("data") || said("data_base64") || said("datacontenttype") {
        return;
    }
    // The same event in one piece, with its data in base 64.
    let mut whole: Map<String, Value> =
        attributes.into_iter().map(|(name, value)| (name, value.into())).collect();
    whole.insert("data_base64".to_owned(), BASE64.encode(data).into());
    if !kind.is_empty() {
        whole.insert("datacontenttype".to_owned(), kind.into());
    }
    let whole = Value::Object(whole).to_string();
    let Some(whole) = json::line(whole.as_bytes(), SENDER) else { panic!("no empty line") };
    if let (Some(one), Some(other)) = (without_kind(record), without_kind(whole)) {
        assert_eq!(one, other);
    }
});

/// A record without what is said of the kind of its data. None where it was refused, or where so much is said that fields were put
/// together, for then it is one of those.
fn without_kind(record: Record) -> Option<NewActivity> {
    let mut record = record.ok().filter(|record| record.attributes.len() < limits::ATTRIBUTES)?;
    record.attributes.retain(|(name, _)| name != "ce.datacontenttype");
    let folded = record.attributes.iter().any(|(name, _)| name.ends_with(".*"));
    (!folded).then_some(record)
}
