//! Records as they come, and what a slow and plain reader finds in them.

use std::borrow::Cow;

use proptest::prelude::*;
use serde_json::{Value, de::StrRead};

use super::{Key, Ndjson, Twice, Whole, foreign, judged, line, no_object, plain, time, too_long};
use crate::{
    model::activity::{NewActivity, Outcome, SenderKey, limits},
    web::ingest::{Record, Records as _, document::say_replaced, halves, numbers},
};

fn one(text: &str) -> Record {
    line(text.as_bytes(), "vault").unwrap()
}

#[test]
fn a_record_needs_a_user_and_an_action_and_keeps_all_it_is_given() {
    let record = one(
        r#"{"time":"2026-01-02T03:04:05.6789Z","user":"ann","action":"backup","id":7,"ip":"10.0.0.1","size":12,"attributes":{"k":"v","n":null,"o":{"a":1}}}"#,
    )
    .unwrap();
    assert_eq!(record.time.unwrap().to_string(), "2026-01-02T03:04:05.678Z");
    assert_eq!(record.key, Some(SenderKey { sender: "vault".into(), id: "7".into() }));
    let pairs: Vec<_> = record.attributes.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(pairs, [("k", "v"), ("o", r#"{"a":1}"#), ("size", "12")]);
}

#[test]
fn of_two_numbers_beyond_64_bits_neither_is_taken_for_the_other() {
    let numbered =
        |id: &str| one(&format!(r#"{{"user":"ann","action":"a","id":{id},"mac":{{"n":[{id}]}}}}"#));
    for id in ["98765432109876543210", "98765432109876543211", "-9223372036854775809"] {
        let record = numbered(id).unwrap();
        assert_eq!(record.key.unwrap().id, id);
        let nested = format!(r#"{{"n":["{id}"]}}"#);
        let expected = [("mac", nested.as_str())];
        let pairs: Vec<_> = record.attributes.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(pairs, expected);
    }
    let ecs = one(r#"{"user":{"name":"ann"},"event":{"action":"a","id":98765432109876543210}}"#).unwrap();
    assert!(format!("{ecs:?}").contains("98765432109876543210"), "{ecs:?}");
}

#[test]
fn an_array_is_whole_or_nothing_and_its_records_are_taken_one_by_one() {
    let read = |text: &str| Whole::read(text.to_owned(), "x").map(Vec::from_iter);
    for broken in ["[", "[{}", "[{},]", "[{}]]", "[{} {}]", "", "{} {}"] {
        assert!(read(broken).is_err(), "{broken}");
    }
    assert_eq!(read("\n[ ]\n").unwrap(), []);
    let mixed = r#"[{"user":"a","action":"],["},7 ,{"user":"\ud800"},[1,[2]],{"user":"b","action":","}]"#;
    let users: Vec<_> =
        read(mixed).unwrap().into_iter().map(|record| record.map(|record| record.user)).collect();
    let bad = |why: &str| Err(why.to_owned());
    let half = Ok("\u{fffd}".to_owned());
    let none = bad("a record is a JSON object");
    assert_eq!(users, [Ok("a".to_owned()), none.clone(), half, none, Ok("b".to_owned())]);
}

#[test]
fn a_record_is_too_long_however_it_comes() {
    let long = format!(r#"{{"user":"a","action":"b","x":"{}"}}"#, "y".repeat(limits::RECORD));
    for body in [long.clone(), format!("[{long}]"), format!(" {long}\n")] {
        let read: Vec<_> = Whole::read(body, "x").unwrap().collect();
        assert_eq!(read, [Err(too_long())]);
    }
}

#[test]
fn a_bad_record_says_what_is_wrong() {
    assert_eq!(one("[]").unwrap_err(), "a record is a JSON object");
    assert_eq!(one("{").unwrap_err(), "not JSON: EOF while parsing an object");
    assert_eq!(one(r#"{"user":1}"#).unwrap_err(), "user must be a string, and this is a number");
    assert!(one(r#"{"user":"a","action":"b","ip":"nowhere"}"#).unwrap_err().starts_with("ip: nowhere"));
    assert!(one(r#"{"user":"a","action":"b","time":"yesterday"}"#).unwrap_err().starts_with("time:"));
    assert_eq!(line(b"\xff{}", "x").unwrap().unwrap_err(), "the line is not UTF-8");
    assert!(line(b" \r\n", "x").is_none());
}

#[test]
fn lines_are_counted_and_an_endless_one_costs_no_memory() {
    let long = "x".repeat(limits::RECORD * 3);
    let text = format!(
        "\u{feff}{{\"user\":\"a\",\"action\":\"b\"}}\r\n\n{long}\n{{\"user\":\"c\",\"action\":\"d\"}}"
    );
    let mut records = Ndjson::new(text.as_bytes(), "x");
    assert!(matches!(records.next_record().unwrap(), Some((1, Ok(_)))));
    assert!(matches!(records.next_record().unwrap(), Some((3, Err(why))) if why.contains("at most")));
    assert!(matches!(records.next_record().unwrap(), Some((4, Ok(record))) if record.user == "c"));
    assert!(records.next_record().unwrap().is_none());
}

#[test]
fn a_record_is_in_the_words_of_others_where_such_a_name_holds_an_object() {
    for text in [
        r#"{"user":"ann","action":"login","source":{"ip":"81.2.69.142"}}"#,
        r#"{"user":{"name":"ann"},"action":"login","client":{"ip":"81.2.69.142"}}"#,
        r#"{"user":"ann","action":"login","client.ip":"81.2.69.142"}"#,
        r#"{"enduser":{"id":"ann"},"action":"login","ip":"81.2.69.142"}"#,
    ] {
        let record = one(text).unwrap();
        assert_eq!((&*record.user, &*record.action), ("ann", "login"), "{text}");
        assert_eq!(record.ip.map(|ip| ip.to_string()).as_deref(), Some("81.2.69.142"), "{text}");
        assert_eq!(record.attributes, [], "{text}");
    }
    let agent =
        one(r#"{"user":"ann","action":"login","user_agent":{"original":"curl/8"},"session":{"id":"s1"}}"#);
    let agent = agent.unwrap();
    assert_eq!((agent.user_agent.as_deref(), agent.session.as_deref()), (Some("curl/8"), Some("s1")));
    // In our own words an object is an attribute, and no user.
    let own = one(r#"{"user":"ann","action":"login","order":{"id":7}}"#).unwrap();
    assert_eq!(own.attributes, [("order".to_owned(), r#"{"id":7}"#.to_owned())]);
    let nobody = r#"{"user":["ann"],"action":"login"}"#;
    assert_eq!(one(nobody).unwrap_err(), "user must be a string, and this is a list");
}

#[test]
fn a_name_that_stands_twice_is_refused_wherever_it_stands_and_half_a_character_is_not() {
    for (text, name) in [
        (r#"{"user":"bob","user":"ann","action":"login"}"#, "user"),
        (r#"{"user":{"name":"bob"},"user":"ann","action":"login"}"#, "user"),
        (r#"{"user":"ann","action":"login","us\u0065r":null}"#, "user"),
        (r#"{"user":"ann","action":"login","size":1,"size":1}"#, "size"),
        (r#"{"user":"ann","action":"login","attributes":{"b":1,"b":2,"a":"x","a":"y"}}"#, "a"),
        (r#"{"user":"ann","action":"login","order":{"id":1,"id":2}}"#, "id"),
        (r#"{"user":"ann","action":"login","orders":[{"id":1,"id":2}]}"#, "id"),
        (r#"{"event.action":"login","user":{"name":"ann","name":"bob"}}"#, "name"),
        (r#"{"specversion":"1.0","id":"1","source":"/","type":"x","id":"2"}"#, "id"),
    ] {
        let why = format!("{name}: stands there twice; name it once");
        assert_eq!(one(text).unwrap_err(), why, "{text}");
        let array = Whole::read(format!("[{text}]"), "x").unwrap();
        assert_eq!(array.collect::<Vec<_>>(), [Err(why)], "{text}");
    }
    let null =
        one(r#"{"user":null,"user":"ann","action":"login","a":null,"a":1,"attributes":null}"#).unwrap();
    assert_eq!(null.attributes, [("a".to_owned(), "1".to_owned())], "null says nothing that could be lost");
    let marked = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().chain(&[("replaced", "true")]);
        pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
    };
    for text in [
        r#"{"user":"ann","action":"x","detail":"shipped \ud83d","size":1}"#,
        r#"{"user.name":"ann","event.action":"x","message":"shipped \ud83d","size":1}"#,
    ] {
        let half = one(text).unwrap();
        assert_eq!((&*half.user, &*half.action, &*half.detail), ("ann", "x", "shipped \u{fffd}"), "{text}");
        assert_eq!(half.attributes, marked(&[("size", "1")]), "{text}");
    }
    let full: Vec<_> = (0..limits::ATTRIBUTES).map(|n| format!(r#""a{n}":1"#)).collect();
    let full = one(&format!(r#"{{"user":"ann","action":"\ude00",{}}}"#, full.join(","))).unwrap();
    assert_eq!(full.attributes.len(), limits::ATTRIBUTES, "nothing is lost for it");
}

/// What a record is when all of it is read into a [`Value`] first: slow and plain.
fn plainly(text: &str, sender: &str) -> Record {
    type Fields = serde_json::Map<String, Value>;
    fn any(fields: &mut Fields, name: &str) -> Result<Option<String>, String> {
        match fields.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(no_string(name, &other)),
        }
    }
    fn no_string(name: &str, value: &Value) -> String {
        let is = match value {
            Value::Number(_) => "a number",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
            Value::Bool(_) => "true or false",
            Value::Null | Value::String(_) => unreachable!(),
        };
        format!("{name} must be a string, and this is {is}")
    }
    fn filled(fields: &mut Fields, name: &str) -> Result<Option<String>, String> {
        Ok(any(fields, name)?.filter(|text| !text.is_empty()))
    }
    fn attribute((name, value): (String, Value)) -> Option<(String, String)> {
        match value {
            Value::Null => None,
            Value::String(text) => Some((name, text)),
            other => Some((name, other.to_string())),
        }
    }
    let whole = halves::replaced(text, r"\ufffd");
    let value = Twice::Refused.read(StrRead::new(&numbers::kept(&whole))).map_err(|error| {
        if error.is_data() { plain(&error) } else { format!("not JSON: {}", plain(&error)) }
    })?;
    let Value::Object(mut fields) = value else { return no_object() };
    if ["user", "session", "user_agent"].iter().any(|name| fields.get(*name).is_some_and(Value::is_object)) {
        return judged(foreign(text, sender, Key::Own));
    }
    let fields = &mut fields;
    let mut record = NewActivity::new(String::new(), String::new(), String::new());
    let texts = [&mut record.user, &mut record.action, &mut record.detail, &mut record.app];
    for (name, text) in ["user", "action", "detail", "app"].into_iter().zip(texts) {
        *text = any(fields, name)?.unwrap_or_default();
    }
    record.session = filled(fields, "session")?;
    record.user_agent = filled(fields, "user_agent")?;
    record.target = filled(fields, "target")?;
    let place = &mut record.place;
    let names = [&mut place.city, &mut place.region, &mut place.country];
    for (name, text) in ["city", "region", "country"].into_iter().zip(names) {
        *text = filled(fields, name)?;
    }
    let device = &mut record.device;
    let texts = [&mut device.device, &mut device.os, &mut device.browser];
    for (name, text) in ["device", "os", "browser"].into_iter().zip(texts) {
        *text = any(fields, name)?.unwrap_or_default();
    }
    record.outcome = match filled(fields, "outcome")? {
        None => Outcome::Unknown,
        Some(word) => word.parse().map_err(|error| format!("outcome: {error}"))?,
    };
    record.time = match fields.get("time") {
        Some(Value::Number(number)) => Some(time(&number.to_string())?),
        _ => filled(fields, "time")?.map(|text| time(&text)).transpose()?,
    };
    fields.remove("time");
    record.ip = match filled(fields, "ip")? {
        None => None,
        Some(ip) => Some(ip.parse().map_err(|_| format!("ip: {ip:.60} is not an address"))?),
    };
    record.key = match fields.remove("id") {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) => Some(id),
        Some(Value::Number(id)) => Some(id.to_string()),
        Some(other) => return Err(no_string("id", &other)),
    }
    .map(|id| SenderKey { sender: sender.to_owned(), id });
    fields.remove("received");
    match fields.remove("attributes") {
        None | Some(Value::Null) => {}
        Some(Value::Object(inner)) => {
            record.attributes = inner.into_iter().filter_map(attribute).collect();
        }
        Some(_) => return Err("attributes must be an object of strings".to_owned()),
    }
    if let Some((name, _)) = record.attributes.iter().find(|(name, _)| fields.contains_key(name)) {
        return Err(format!("{name:.60}: stands in attributes and beside them; name it once"));
    }
    record.attributes.extend(std::mem::take(fields).into_iter().filter_map(attribute));
    if matches!(whole, Cow::Owned(_)) {
        say_replaced(&mut record);
    }
    Ok(record)
}

fn names() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "user",
        "action",
        "detail",
        "app",
        "session",
        "user_agent",
        "target",
        "city",
        "region",
        "country",
        "device",
        "os",
        "browser",
        "outcome",
        "time",
        "ip",
        "id",
        "received",
        "attributes",
        "size",
        "a",
        "",
        "us\\u0065r",
        "\\n",
        "ż",
    ])
}

fn values() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => proptest::sample::select(vec![
            "null", "1767323045", "1767323045678", "true", "false", "0", "-1", "18446744073709551616", "1.0", "-0", "-0.0", "1e3", "1e999", "0.1", "\"\"",
            "\"ann\"", "\"success\"", "\"Failure\"", "\"10.0.0.1\"", "\"2026-01-02T03:04:05.6789Z\"",
            "\"\\ud83d\\ude00\\n\"", "\"\\ud800\"", "\"ż\"", "[]", "{}",
        ]).prop_map(str::to_owned),
        1 => any::<f64>().prop_map(|number| number.to_string()),
        1 => any::<i64>().prop_map(|number| number.to_string()),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            objects(inner),
        ]
    })
}

fn objects(values: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    proptest::collection::vec((names(), values), 0..7).prop_map(|pairs| {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("\"{name}\" : {value}")).collect();
        format!("{{{}}}", pairs.join(","))
    })
}

proptest! {
    #[test]
    fn one_pass_over_the_text_finds_what_many_over_a_value_find(
        text in prop_oneof![8 => objects(values()), 1 => values()],
        cut in proptest::option::weighted(0.1, 0_usize..60),
    ) {
        let cut = cut.map(|cut| text.floor_char_boundary(cut.min(text.len())));
        let text = &text[..cut.unwrap_or(text.len())];
        if let Some(read) = line(text.as_bytes(), "x") {
            prop_assert_eq!(&read, &plainly(text, "x"));
            // Two halves can be a whole: "[", "]" is one text.
            if cut.is_none() {
                let array = Whole::read(format!(" [{text} ,\n{text}] "), "x").unwrap();
                prop_assert_eq!(array.collect::<Vec<_>>(), vec![read.clone(), read]);
            }
        }
    }
}
