use super::{super::Record, *};

fn read(json: &str) -> Record {
    let Value::Object(fields) = serde_json::from_str(json).unwrap() else { panic!("no object") };
    Ok(Document::of(fields)?.judge("vault", Key::Foreign))
}

fn attributes(record: &NewActivity) -> Vec<(&str, &str)> {
    record.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

#[test]
fn nested_and_dotted_names_are_the_same() {
    let nested = r#"{"@timestamp":"2026-01-02T03:04:05.678Z","event":{"action":"login","outcome":"failure","id":"e1","category":["iam"]},
        "user":{"name":"ann","id":1000},"source":{"ip":"10.0.0.1","port":22},"user_agent":{"original":"curl/8","name":"curl"},
        "message":"no","service":{"name":"shop"},"tags":["a","b"],"empty":{},"nothing":null}"#;
    let dotted = r#"{"@timestamp":"2026-01-02T03:04:05.678Z","event.action":"login","event.outcome":"failure","event.id":"e1","event.category":"iam",
        "user.name":"ann","user.id":1000,"source.ip":"10.0.0.1","source.port":22,"user_agent.original":"curl/8","user_agent.name":"curl",
        "message":"no","service.name":"shop","tags":["a","b"]}"#;
    let record = read(nested).unwrap();
    assert_eq!(record, read(dotted).unwrap());
    assert_eq!(
        (&*record.user, &*record.action, &*record.detail, &*record.app),
        ("ann", "login", "no", "shop")
    );
    assert_eq!((record.outcome, record.ip.unwrap().to_string()), (Outcome::Failure, "10.0.0.1".to_owned()));
    assert_eq!(record.key.as_ref().unwrap().id, "e1");
    assert_eq!(
        attributes(&record),
        [
            ("event.category", "iam"),
            ("source.port", "22"),
            ("tags", r#"["a","b"]"#),
            ("user.id", "1000"),
            ("user_agent.name", "curl")
        ]
    );
}

#[test]
fn times_are_taken_as_elasticsearch_takes_them() {
    for (written, meant) in [
        (r#""2026-01-02T03:04:05.6789+01:00""#, "2026-01-02T02:04:05.678Z"),
        (r#""2026-01-02T03:04:05""#, "2026-01-02T03:04:05Z"),
        (r#""2026-01-02""#, "2026-01-02T00:00:00Z"),
        ("1767323045678", "2026-01-02T03:04:05.678Z"),
        (r#""1767323045678""#, "2026-01-02T03:04:05.678Z"),
        ("1767323045", "2026-01-02T03:04:05Z"),
        ("1767323045.678", "2026-01-02T03:04:05.678Z"),
        ("1767323045678901", "2026-01-02T03:04:05.678Z"),
        ("1767323045678901234", "2026-01-02T03:04:05.678Z"),
    ] {
        let record = read(&format!(r#"{{"@timestamp":{written}}}"#)).unwrap();
        assert_eq!(record.time.unwrap().to_string(), meant, "{written}");
    }
}

#[test]
fn what_does_not_fit_a_field_is_kept_beside_it_and_costs_no_record() {
    for (json, name, value) in [
        (r#"{"@timestamp":"soon"}"#, "@timestamp", "soon"),
        (r#"{"@timestamp":1e300}"#, "@timestamp", "1e+300"),
        (r#"{"time":"12:00"}"#, "time", "12:00"),
        (r#"{"time":-5}"#, "time", "-5"),
        (r#"{"ip":"web1"}"#, "ip", "web1"),
        (r#"{"source.ip":"laptop.test"}"#, "source.ip", "laptop.test"),
        (r#"{"client":{"address":"laptop.test"}}"#, "client.address", "laptop.test"),
        (r#"{"outcome":"perhaps"}"#, "outcome", "perhaps"),
        (r#"{"event.outcome":200}"#, "event.outcome", "200"),
    ] {
        let record = read(json).unwrap();
        assert_eq!((record.time, record.ip, record.outcome), (None, None, Outcome::Unknown), "{json}");
        assert_eq!(attributes(&record), [(name, value)], "{json}");
    }
    let record =
        read(r#"{"time":"12:00","@timestamp":"2026-01-02","ip":"web1","source.ip":"10.0.0.1"}"#).unwrap();
    assert_eq!(record.time.unwrap().to_string(), "2026-01-02T00:00:00Z", "the next of its names");
    assert_eq!(record.ip.unwrap().to_string(), "10.0.0.1");
    assert_eq!(attributes(&record), [("ip", "web1"), ("time", "12:00")]);
}

#[test]
fn an_address_may_have_a_port_and_an_outcome_another_word() {
    for (written, meant) in [
        ("10.0.0.1:22", "10.0.0.1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[::1]", "::1"),
        ("fe80::1%eth0", "fe80::1"),
    ] {
        let record = read(&format!(r#"{{"source.ip":"{written}"}}"#)).unwrap();
        assert_eq!(record.ip.unwrap().to_string(), meant, "{written}");
        assert_eq!(attributes(&record), [("source.ip", written)]);
    }
    let bare = read(r#"{"client.address":"::1"}"#).unwrap();
    assert_eq!((bare.ip.unwrap().to_string().as_str(), attributes(&bare)), ("::1", vec![]));
    for (word, meant) in
        [("OK", Outcome::Success), ("Failed", Outcome::Failure), ("denied", Outcome::Failure)]
    {
        let record = read(&format!(r#"{{"outcome":"{word}"}}"#)).unwrap();
        assert_eq!((record.outcome, attributes(&record)), (meant, vec![("outcome", word)]));
    }
    assert_eq!(attributes(&read(r#"{"outcome":"failure"}"#).unwrap()), []);
}

#[test]
fn of_a_name_that_stands_there_twice_both_are_kept() {
    let record = read(r#"{"user":{"name":"ann"},"user.name":"bob","a":{"b":1},"a.b":1}"#).unwrap();
    assert_eq!(record.user, "ann");
    assert_eq!(attributes(&record), [("a.b", "1"), ("user.name 2", "bob")]);
}

#[test]
fn a_plain_id_is_a_field_like_any_other_where_it_is_not_sent_to_us() {
    let text = r#"{"user":"ann","action":"x","id":7}"#;
    let record = read(text).unwrap();
    assert_eq!((record.key.as_ref(), attributes(&record)), (None, vec![("id", "7")]));
    let Value::Object(fields) = serde_json::from_str(text).unwrap() else { panic!("no object") };
    let own = Document::of(fields).unwrap().judge("vault", Key::Own);
    assert_eq!(own.key.unwrap().id, "7");
    let long = "x".repeat(400);
    let id = |id: &str| read(&format!(r#"{{"event.id":"{id}"}}"#)).unwrap().key.unwrap().id;
    assert!(id(&long).len() <= limits::SENDER_ID && id(&long) != id(&format!("{long}y")));
}

#[test]
fn of_a_list_the_first_is_the_field_and_the_list_stays() {
    let record = read(
        r#"{"user":{"name":["root","wheel"]},"event":{"action":[null,"created","attributes_modified"],"id":["a","b"]}}"#,
    )
    .unwrap();
    assert_eq!((record.user.as_str(), record.action.as_str()), ("root", "created"));
    assert_eq!(record.key, None, "a list is no id");
    let kept = attributes(&record);
    assert!(kept.contains(&("event.action", r#"[null,"created","attributes_modified"]"#)), "{kept:?}");
    assert!(kept.contains(&("user.name", r#"["root","wheel"]"#)), "{kept:?}");
    assert!(read(r#"{"user":"ann","action":[]}"#).unwrap().action.is_empty(), "and is refused for it");
}

#[test]
fn what_would_take_more_than_its_text_is_refused() {
    let many: Vec<String> = (0..20_000).map(|n| format!(r#""a{n}":1"#)).collect();
    let why = read(&format!("{{{}}}", many.join(","))).unwrap_err();
    assert_eq!(why, "a document can have at most 1024 fields");
    let long = "x".repeat(2000);
    assert!(read(&format!(r#"{{"{long}":{{"a":1,"b":2}}}}"#)).unwrap_err().contains("at most 1024 bytes"));
}

#[test]
fn of_many_groups_as_many_are_folded_as_is_needed() {
    // 500 groups of two: each that is folded makes one attribute of two, so all of them are, and it is still too many.
    let pairs: Vec<String> = (0..500).map(|n| format!(r#""g{n:03}":{{"x":1,"y":2}}"#)).collect();
    let record = read(&format!("{{{}}}", pairs.join(","))).unwrap();
    assert_eq!(record.attributes.len(), 64);
    let (_, others) = record.attributes.iter().find(|(name, _)| name == "others.*").unwrap();
    let others: Map<String, Value> = serde_json::from_str(others).unwrap();
    assert_eq!((others.len(), &others["g499.*"]["y"]), (437, &Value::from(2)));
    // 70 fields in groups of 5 and 2: folding the larger ones suffices.
    let fives = (0..4).flat_map(|group| (0..5).map(move |n| format!(r#""five{group}.{n}":1"#)));
    let twos = (0..25).flat_map(|group| (0..2).map(move |n| format!(r#""two{group:02}.{n}":1"#)));
    let record = read(&format!("{{{}}}", fives.chain(twos).collect::<Vec<_>>().join(","))).unwrap();
    let folded: Vec<_> =
        record.attributes.iter().map(|(name, _)| name.as_str()).filter(|name| name.ends_with(".*")).collect();
    assert_eq!((record.attributes.len(), folded), (62, vec!["five0.*", "five1.*"]));
}

#[test]
fn more_fields_than_a_record_holds_are_kept_in_groups() {
    let host: Vec<String> = (0..60).map(|n| format!(r#""f{n}":{n}"#)).collect();
    let agent: Vec<String> = (0..20).map(|n| format!(r#""f{n}":{n}"#)).collect();
    let text = format!(r#"{{"host":{{{}}},"agent":{{{}}}}}"#, host.join(","), agent.join(","));
    let record = read(&text).unwrap();
    assert_eq!(record.attributes.len(), 21);
    let (_, folded) = record.attributes.iter().find(|(name, _)| name == "host.*").unwrap();
    let folded: Map<String, Value> = serde_json::from_str(folded).unwrap();
    assert_eq!((folded.len(), &folded["f59"]), (60, &Value::from(59)));
}
