//! `POST /activity`: programs write to the log, and what is counted as accepted is there.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
};

use rocket::http::Method;
use serde_json::{Value, json};

use super::{
    house::{Caller, FIREFOX, House, LONDON},
    http::{Reply, each},
    server::Folder,
};

const ACTIVITY: &str = "/api/v1/activity";

fn ndjson(program: &Caller<'_>, lines: &[u8]) -> Reply {
    program.with("Content-Type", "application/x-ndjson").send(Method::Post, ACTIVITY, lines)
}

fn counts(reply: &Reply) -> [u64; 3] {
    let answer = reply.ok();
    let count = |name: &str| answer[name].as_u64().unwrap();
    [count("accepted"), count("duplicates"), answer["rejected"].as_array().unwrap().len() as u64]
}

#[test]
fn a_user_and_an_action_are_all_that_a_record_needs() {
    let house = House::new();
    let vault = house.program("vault", &["activity:write"]);
    let answer = vault.post(ACTIVITY, &json!({"user": "Ann", "action": "backup"})).ok();
    let id = answer["last"].as_str().unwrap().to_owned();
    assert_eq!(answer, json!({"accepted": 1, "duplicates": 0, "rejected": [], "last": id}));
    let found = house.log("app=vault");
    let expected = json!({
        "id": id, "time": "2026-03-15T12:00:00.000Z", "received": "2026-03-15T12:00:00.000Z",
        "user": "Ann", "action": "backup", "detail": "", "app": "vault", "outcome": "unknown",
        "attributes": {},
    });
    assert_eq!(found, std::slice::from_ref(&expected));
    let reader = house.program("r", &["activity:read"]);
    assert_eq!(reader.get(&format!("{ACTIVITY}/{id}")).ok(), expected);
    assert_eq!(reader.get(&format!("{ACTIVITY}/0000000000000")).refusal(), "404 not_found");
}

#[test]
fn all_that_was_sent_is_kept_and_place_and_device_are_looked_up() {
    let house = House::new();
    let vault = house.program("vault", &["activity:write"]);
    let record = json!({
        "time": "2024-02-29T23:59:59.9996+01:00", "user": "ann", "action": "Restore", "detail": "two\nlines",
        "app": "archive", "outcome": "failure", "session": "s-1", "ip": LONDON, "user_agent": FIREFOX,
        "target": "Account_2024.csv", "attributes": {"region": "north", "size": 12}, "ticket": "INC-4711",
    });
    vault.post(ACTIVITY, &record).ok();
    let found = house.log("app=archive").remove(0);
    for name in ["user", "action", "detail", "app", "outcome", "session", "ip", "user_agent", "target"] {
        assert_eq!(found[name], record[name], "{name}");
    }
    assert_eq!(found["time"], "2024-02-29T22:59:59.999Z");
    assert_eq!(found["attributes"], json!({"region": "north", "size": "12", "ticket": "INC-4711"}));
    assert_eq!([&found["city"], &found["region"], &found["country"]], ["London", "England", "GB"]);
    assert!(found["browser"].as_str().unwrap().starts_with("Firefox"), "{found}");
}

#[test]
fn where_and_on_what_a_record_was_made_have_bounds_too() {
    let house = House::new();
    let vault = house.program("vault", &["activity:write"]);
    for field in ["city", "region", "country", "device", "os", "browser"] {
        let of = |bytes| json!({"user": "ann", "action": "x", field: "y".repeat(bytes)});
        let refused = vault.post(ACTIVITY, &of(1025));
        let said = format!("{field} is longer than 1024 bytes");
        assert!(refused.status == 400 && refused.text().contains(&said), "{}", refused.text());
        assert_eq!(vault.post(ACTIVITY, &of(1024)).ok()["accepted"], 1, "{field}");
    }
    assert_eq!(house.log("app=vault").len(), 6);
}

#[test]
fn what_the_sender_knows_of_the_place_counts_more_than_a_look_up() {
    let house = House::new();
    let vault = house.program("vault", &["activity:write"]);
    let record = json!({
        "user": "ann", "action": "x", "ip": LONDON, "city": "Gdańsk", "country": "PL", "device": "Scanner 9",
    });
    vault.post(ACTIVITY, &record).ok();
    let found = house.log("app=vault").remove(0);
    assert_eq!([&found["city"], &found["country"], &found["device"]], ["Gdańsk", "PL", "Scanner 9"]);
    // Codes are written in upper case, as those of a look-up are.
    for (country, kept) in [("pl", "PL"), ("Poland", "Poland"), ("é", "é")] {
        let record = json!({"user": "ann", "action": "x", "app": "atlas", "ip": LONDON, "country": country});
        vault.post(ACTIVITY, &record).ok();
        assert_eq!(house.log("app=atlas").remove(0)["country"], kept);
    }
}

#[test]
fn a_record_of_a_session_is_where_the_session_is() {
    let house = House::new().with_member("mia");
    let mia = house.signed_in("mia");
    let vault = house.program("vault", &["activity:write"]);
    let session = mia.session();
    vault.post(ACTIVITY, &json!({"user": "mia", "action": "x", "session": session})).ok();
    let found = house.log(&format!("session={session}&app=vault")).remove(0);
    assert_eq!([&found["ip"], &found["city"], &found["user_agent"]], [LONDON, "London", FIREFOX]);
    vault.post(ACTIVITY, &json!({"user": "mia", "action": "y", "session": session, "ip": "10.0.0.1"})).ok();
    let own = house.log("app=vault&action=y").remove(0);
    assert_eq!((&own["ip"], &own["city"]), (&json!("10.0.0.1"), &Value::Null), "the record knows better");
}

#[test]
fn a_record_that_says_but_where_or_but_on_what_has_the_other_of_its_session() {
    let house = House::new().with_member("mia");
    let mia = house.signed_in("mia");
    let vault = house.program("vault", &["activity:write"]);
    let session = mia.session();
    let of_the_session = {
        vault.post(ACTIVITY, &json!({"user": "mia", "action": "alone", "session": session})).ok();
        house.log("app=vault&action=alone").remove(0)
    };
    let said = |action: &str, name: &str, value: &str| {
        let record = json!({"id": action, "user": "mia", "action": action, "session": session, name: value});
        assert_eq!(counts(&vault.post(ACTIVITY, &record)), [1, 0, 0], "{action}");
        assert_eq!(counts(&vault.post(ACTIVITY, &record)), [0, 1, 0], "{action}: it is the same again");
        house.log(&format!("app=vault&action={action}")).remove(0)
    };
    let place = ["ip", "city", "country"];
    let device = ["user_agent", "device", "os", "browser"];
    let addressed = said("addressed", "ip", "216.160.83.56");
    assert_eq!([&addressed["ip"], &addressed["city"]], ["216.160.83.56", "Milton"]);
    for name in device {
        assert!(of_the_session[name].is_string(), "{name}: {of_the_session}");
        assert_eq!(addressed[name], of_the_session[name], "{name}");
    }
    let other = said("agent", "user_agent", "curl/8");
    assert_eq!(other["user_agent"], "curl/8");
    assert_ne!(other["browser"], of_the_session["browser"]);
    for name in place {
        assert_eq!(other[name], of_the_session[name], "{name}");
    }
    // What it says without the address or the agent is said all the same, and nothing of the session's is mixed with it.
    let named = said("named", "city", "Gdańsk");
    assert_eq!(
        [&named["city"], &named["ip"], &named["user_agent"]],
        [&json!("Gdańsk"), &Value::Null, &json!(FIREFOX)]
    );
    let scanner = said("scanner", "device", "Scanner 9");
    assert_eq!(
        [&scanner["device"], &scanner["user_agent"], &scanner["city"]],
        [&json!("Scanner 9"), &Value::Null, &json!("London")]
    );
}

#[test]
fn an_object_an_array_and_lines_are_taken_alike() {
    let house = House::new();
    let vault = house.program("vault", &["activity:write"]);
    let one = |n: u32| json!({"user": "ann", "action": "tick", "detail": format!("n{n}")});
    assert_eq!(counts(&vault.post(ACTIVITY, &one(1))), [1, 0, 0]);
    assert_eq!(counts(&vault.post(ACTIVITY, &json!([one(2), one(3)]))), [2, 0, 0]);
    let lines = format!("{}\r\n\n{}", one(4), one(5));
    for kind in [
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl; charset=utf-8",
        "Application/X-NDJSON",
    ] {
        let sent = vault.with("Content-Type", kind).send(Method::Post, ACTIVITY, lines.as_bytes());
        assert_eq!(counts(&sent), [2, 0, 0], "{kind}");
    }
    assert_eq!(house.log("action=tick").len(), 11);
}

#[test]
fn packed_lines_are_unpacked() {
    let house = House::new();
    let vault = house.program("vault", &["activity:write"]);
    let lines = "{\"user\":\"ann\",\"action\":\"tick\"}\n".repeat(2500);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(lines.as_bytes()).unwrap();
    let (gzip, zstd) = (gzip.finish().unwrap(), zstd::encode_all(lines.as_bytes(), 1).unwrap());
    assert_eq!(counts(&ndjson(&vault.with("Content-Encoding", "gzip"), &gzip)), [2500, 0, 0]);
    assert_eq!(counts(&ndjson(&vault.with("Content-Encoding", "zstd"), &zstd)), [2500, 0, 0]);
    for (coding, body, refusal) in [
        ("br", &gzip[..], "415 unsupported_media_type"),
        ("gzip", &zstd[..], "400 bad_request"),
        ("zstd", &gzip[..], "400 bad_request"),
        ("gzip", b"".as_slice(), "400 bad_request"),
    ] {
        assert_eq!(ndjson(&vault.with("Content-Encoding", coding), body).refusal(), refusal, "{coding}");
    }
}

#[test]
fn a_long_body_is_counted_exactly() {
    let house = House::new();
    let vault = house.program("vault", &["activity:write"]);
    // Several batches and several blocks of lines, with what is bad and what is there twice across all of them.
    let line = |n: u32| match n {
        n if n % 1000 == 7 => "no record".to_owned(),
        n => format!(
            r#"{{"id":{},"user":"ann","action":"tick","detail":"{}"}}"#,
            if n % 1000 == 8 { 1 } else { n },
            "x".repeat(500)
        ),
    };
    let body: Vec<String> = (1..=9000).map(line).collect();
    let answer = ndjson(&vault, body.join("\n").as_bytes()).ok();
    assert_eq!((&answer["accepted"], &answer["duplicates"]), (&json!(8982), &json!(9)));
    let rejected = answer["rejected"].as_array().unwrap();
    let at: Vec<u64> = rejected.iter().map(|refusal| refusal["line"].as_u64().unwrap()).collect();
    assert_eq!(at, (0..9).map(|n| n * 1000 + 7).collect::<Vec<_>>());
    let newest = house.log("action=tick").remove(0);
    assert_eq!(answer["last"], newest["id"]);
    let array = format!(
        "[{}]",
        body[10..5000]
            .iter()
            .filter(|line| line.starts_with('{'))
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(",")
    );
    let again = vault.with("Content-Type", "application/json").send(Method::Post, ACTIVITY, array.as_bytes());
    assert_eq!(counts(&again)[0], 0);
}

#[test]
fn more_refusals_than_anybody_reads_are_counted_and_sink_no_other_line() {
    let house = House::new();
    let vault = house.program("vault", &["activity:write"]);
    let good = "{\"user\":\"ann\",\"action\":\"good\"}\n".repeat(10);
    let answer = ndjson(&vault, format!("{good}{}{good}", "x\n".repeat(25_001)).as_bytes()).ok();
    assert_eq!((&answer["accepted"], &answer["rejected_more"]), (&json!(20), &json!(15_001)));
    assert_eq!(answer["rejected"].as_array().unwrap().len(), 10_000);
    assert_eq!(house.log("action=good").len(), 20);
}

#[test]
fn of_a_body_that_breaks_off_it_is_said_what_was_taken_and_from_where_on_nothing_was() {
    let house = House::new();
    let vault = house.program("vault", &["activity:write"]).with("Content-Encoding", "gzip");
    let packed = |action: &str, count: u32| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        for n in 1..=count {
            writeln!(gzip, r#"{{"user":"ann","action":"{action}","n":{n},"detail":"{n:0>300}"}}"#).unwrap();
        }
        gzip.finish().unwrap()
    };
    // Several blocks of lines, and less than one.
    for (action, count) in [("long", 9000), ("short", 150)] {
        let whole = packed(action, count);
        let answer = ndjson(&vault, &whole[..whole.len() * 2 / 3]).ok();
        let accepted = answer["accepted"].as_u64().unwrap();
        assert!(accepted > 0 && accepted < u64::from(count), "{answer}");
        let rejected = answer["rejected"].as_array().unwrap();
        assert_eq!((rejected.len(), &rejected[0]["line"]), (1, &json!(accepted + 1)), "{answer}");
        let why = rejected[0]["error"].as_str().unwrap();
        assert!(why.contains("nothing was read from this line on"), "{why}");
        assert_eq!(house.log(&format!("action={action}")).len() as u64, accepted.min(1000));
    }
    let refused = ndjson(&vault, &packed("none", 1)[..20]);
    assert_eq!(refused.refusal(), "400 bad_request", "nothing of it was taken");
}

#[test]
fn ids_are_a_tokens_own_and_no_later_ones_of_its_name() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    let record = json!({"id": "1", "user": "ann", "action": "once"});
    let first = house.program("vault", &["activity:write"]);
    assert_eq!(counts(&first.post(ACTIVITY, &record)), [1, 0, 0]);
    assert_eq!(counts(&first.post(ACTIVITY, &record)), [0, 1, 0]);
    assert_eq!(ada.delete("/api/v1/tokens/vault").status, 204);
    house.later(jiff::SignedDuration::from_secs(1));
    let second = house.program("vault", &["activity:write"]);
    assert_eq!(counts(&second.post(ACTIVITY, &record)), [1, 0, 0], "another program's first");
}

#[test]
fn a_time_may_be_a_number_since_1970_and_a_body_begin_with_a_mark() {
    let house = House::new();
    let vault = house.program("vault", &["activity:write"]);
    let times = [
        json!(1_767_323_045),
        json!("1767323045.5"),
        json!(1_767_323_045_678_i64),
        json!("2026-01-02T03:04:05Z"),
    ];
    let records: Vec<Value> =
        times.iter().map(|time| json!({"user": "ann", "action": "tick", "time": time})).collect();
    let marked = format!("\u{feff}{}", json!(records));
    let sent = vault.with("Content-Type", "application/json").send(Method::Post, ACTIVITY, marked.as_bytes());
    assert_eq!(counts(&sent), [4, 0, 0]);
    let found = each(&house.log("action=tick&order=asc"), "time").join(" ");
    assert_eq!(
        found,
        "2026-01-02T03:04:05.000Z 2026-01-02T03:04:05.000Z 2026-01-02T03:04:05.500Z 2026-01-02T03:04:05.678Z"
    );
    for time in [json!(12), json!("20260102030405"), json!(-1), json!("9999-12-31T23:59:59Z"), json!(1e300)] {
        let refused = vault.post(ACTIVITY, &json!({"user": "ann", "action": "x", "time": time}));
        assert_eq!(refused.refusal(), "400 bad_request", "{time}");
        assert!(refused.json()["error"]["message"].as_str().unwrap().contains("time: "), "{time}");
    }
}

#[test]
fn one_bad_line_does_not_sink_the_others() {
    let house = House::new();
    let vault = house.program("vault", &["activity:write"]);
    let lines = [
        r#"{"user":"ann","action":"good"}"#.to_owned(),
        "not json".to_owned(),
        r#"{"user":"ann"}"#.to_owned(),
        String::new(),
        r#"{"user":"bob","action":"good","ip":"999.1.1.1"}"#.to_owned(),
        r#"{"user":"bob","action":"good","time":"yesterday"}"#.to_owned(),
        r#"{"user":"bob","action":"good","outcome":"maybe"}"#.to_owned(),
        r#"{"user":"  ","action":"good"}"#.to_owned(),
        r#"["user"]"#.to_owned(),
        format!(r#"{{"user":"bob","action":"good","detail":"{}"}}"#, "x".repeat(300 << 10)),
        r#"{"user":"cid","action":"good"}"#.to_owned(),
        r#"{"user":"bob","action":"good","app":"Rollcall"}"#.to_owned(),
    ];
    let mut body = lines.join("\n").into_bytes();
    body.extend_from_slice(b"\n{\"user\":\"\xff\",\"action\":\"good\"}\n");
    let answer = ndjson(&vault, &body).ok();
    assert_eq!((&answer["accepted"], &answer["duplicates"]), (&json!(2), &json!(0)));
    let rejected = answer["rejected"].as_array().unwrap();
    let at: Vec<u64> = rejected.iter().map(|refusal| refusal["line"].as_u64().unwrap()).collect();
    assert_eq!(at, [2, 3, 5, 6, 7, 8, 9, 10, 12, 13]);
    let why = each(rejected, "error");
    for (about, why) in
        ["JSON", "action", "ip", "time", "outcome", "user", "object", "bytes", "rollcall", "UTF-8"]
            .iter()
            .zip(&why)
    {
        assert!(why.contains(about), "{why} should speak of {about}");
    }
    let mut good = each(&house.log("action=good"), "user");
    good.sort();
    assert_eq!(good, ["ann", "cid"]);
}

#[test]
fn a_text_that_is_none_and_a_name_that_stands_twice_cost_their_record_and_half_a_character_costs_none() {
    let house = House::new();
    let vault = house.program("vault", &["activity:write"]);
    let lines = [
        r#"{"user":"ann","action":"good","detail":"shipped \ud83d"}"#,
        r#"{"user":"ann","action":"good","detail":"a\u0000b"}"#,
        "{\"user\":\"ann\u{fffe}\",\"action\":\"good\"}",
        r#"{"user":"ann","user":"bob","action":"good"}"#,
        r#"{"user":"ann","action":"good","attributes":{"a":{"b":1,"b":2}}}"#,
        r#"{"user":"cid","action":"good","size":null,"size":1}"#,
    ];
    let answer = ndjson(&vault, lines.join("\n").as_bytes()).ok();
    let why: Vec<_> =
        answer["rejected"].as_array().unwrap().iter().map(|refused| &refused["error"]).collect();
    let no_text =
        |field: &str| json!(format!("{field} has NUL or U+FFFE in it, which are no text; leave them out"));
    let twice = |name: &str| json!(format!("{name}: stands there twice; name it once"));
    assert_eq!(why, [&no_text("detail"), &no_text("user"), &twice("user"), &twice("b")]);
    assert_eq!(answer["accepted"], 2);
    let ann = house.log("user=ann").remove(0);
    assert_eq!(
        (&ann["detail"], &ann["attributes"]),
        (&json!("shipped \u{fffd}"), &json!({"replaced": "true"}))
    );
    assert_eq!(house.log("user=cid")[0]["attributes"], json!({"size": "1"}));
}

#[test]
fn a_body_that_cannot_be_read_says_where_and_what_to_do() {
    let house = House::new();
    let vault = house.program("vault", &["activity:write"]);
    let said = |body: &[u8]| {
        let sent = vault.with("Content-Type", "application/json").send(Method::Post, ACTIVITY, body);
        assert_eq!(sent.refusal(), "400 bad_request");
        sent.json()["error"]["message"].as_str().unwrap().to_owned()
    };
    let record = r#"{"user":"ann","action":"x"}"#;
    let lines = said(format!("{record}\n\n{record}\n").as_bytes());
    let hint = "; for a record a line send Content-Type: application/x-ndjson";
    assert_eq!(lines, format!("the body is not JSON: trailing characters at line 3 column 1{hint}"));
    assert!(!said(b"[{]").contains(hint));
    let latin = [b"[\n{\"user\":\"ann\"},\n {\"user\":\"zo\xeb\"}]".as_slice(), b"\xff"];
    assert_eq!(
        latin.map(said),
        ["line 3 column 13", "line 1 column 1"].map(|at| format!("the body is not UTF-8 at {at}"))
    );
}

#[test]
fn a_body_that_was_deflated_is_unpacked() {
    let house = House::new();
    let vault = house.program("vault", &["activity:write"]);
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut zlib, br#"{"user":"ann","action":"deflated"}"#).unwrap();
    let packed = zlib.finish().unwrap();
    let sent = |bytes: &[u8]| {
        let vault = vault.with("Content-Type", "application/json").with("Content-Encoding", "deflate");
        vault.send(Method::Post, ACTIVITY, bytes)
    };
    assert_eq!(counts(&sent(&packed)), [1, 0, 0]);
    assert_eq!(house.log("action=deflated").len(), 1);
    for broken in [&packed[..packed.len() - 5], b"no zlib", &[]] {
        assert_eq!(sent(broken).refusal(), "400 bad_request");
    }
}

#[test]
fn where_no_line_was_good_the_whole_is_refused() {
    let house = House::new();
    let vault = house.program("vault", &["activity:write"]);
    let reply = ndjson(&vault, b"x\ny\n");
    assert_eq!(reply.status, 400);
    let answer = reply.json();
    assert_eq!((&answer["accepted"], answer["rejected"].as_array().unwrap().len()), (&json!(0), 2));
    assert_eq!(reply.refusal(), "400 bad_request");
    assert!(answer["error"]["message"].as_str().unwrap().contains("line 1: not JSON"), "{answer}");
    assert_eq!(answer["last"], Value::Null);
    assert_eq!(vault.post(ACTIVITY, &json!({"user": "ann"})).status, 400);
    for empty in ["[]", "", "   ", "{"] {
        let sent =
            vault.with("Content-Type", "application/json").send(Method::Post, ACTIVITY, empty.as_bytes());
        assert_eq!(sent.refusal(), "400 bad_request", "{empty:?}");
    }
    assert_eq!(ndjson(&vault, b"\n\n").refusal(), "400 bad_request");
}

#[test]
fn other_kinds_of_bodies_are_not_taken() {
    let house = House::new();
    let vault = house.program("vault", &["activity:write"]);
    for kind in ["text/plain", "application/x-www-form-urlencoded", "text/csv", ""] {
        let reply = vault.with("Content-Type", kind).send(Method::Post, ACTIVITY, b"{}");
        assert_eq!(reply.refusal(), "415 unsupported_media_type", "{kind:?}");
    }
}

#[test]
fn a_record_with_an_id_is_written_once_per_token() {
    let house = House::new();
    let (vault, other) =
        (house.program("vault", &["activity:write"]), house.program("other", &["activity:write"]));
    let record = |id: Value| json!({"id": id, "user": "ann", "action": "once"});
    let first = vault.post(ACTIVITY, &record(json!("a-1")));
    assert_eq!(counts(&first), [1, 0, 0]);
    let again = vault.post(ACTIVITY, &record(json!("a-1")));
    assert_eq!(counts(&again), [0, 1, 0]);
    assert_eq!(again.json()["last"], first.json()["last"], "it says under which id it is known");
    let both =
        vault.post(ACTIVITY, &json!([record(json!("a-2")), record(json!("a-2")), record(json!("a-1"))]));
    assert_eq!(counts(&both), [1, 2, 0]);
    assert_eq!(counts(&other.post(ACTIVITY, &record(json!("a-1")))), [1, 0, 0]);
    assert_eq!(counts(&vault.post(ACTIVITY, &record(json!("x".repeat(128))))), [1, 0, 0]);
    assert_eq!(vault.post(ACTIVITY, &record(json!("x".repeat(129)))).status, 400);
    assert_eq!(vault.post(ACTIVITY, &record(json!(""))).status, 400);
    assert_eq!(vault.post(ACTIVITY, &record(json!({}))).status, 400);
    assert_eq!(house.log("action=once").len(), 4);
}

#[test]
fn another_record_under_an_id_that_is_known_is_refused_and_neither_lost_unsaid_nor_written_twice() {
    let house = House::new();
    let vault = house.program("vault", &["activity:write"]);
    let record = |id: &str, detail: &str| json!({"id": id, "user": "ann", "action": "once", "detail": detail, "ip": LONDON});
    let first = vault.post(ACTIVITY, &record("a", "one"));
    assert_eq!(counts(&first), [1, 0, 0]);
    let known = first.json()["last"].as_str().unwrap().to_owned();
    let other = vault.post(ACTIVITY, &record("a", "two"));
    assert_eq!(counts(&other), [0, 1, 1], "by its id it is there: {}", other.text());
    let why = other.json()["rejected"][0]["error"].as_str().unwrap().to_owned();
    for word in ["id", known.as_str(), "append-only", "an id of its own"] {
        assert!(why.contains(word), "{why} should speak of {word}");
    }
    // Each is told in its line, whatever else was wrong, and also within one body.
    let lines = [
        record("b", "one").to_string(),
        record("a", "one").to_string(),
        record("a", "three").to_string(),
        "no record".to_owned(),
        record("b", "two").to_string(),
        record("c", "one").to_string(),
    ];
    let answer = ndjson(&vault, lines.join("\n").as_bytes()).ok();
    assert_eq!((&answer["accepted"], &answer["duplicates"]), (&json!(2), &json!(3)));
    let at: Vec<u64> = answer["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|refusal| refusal["line"].as_u64().unwrap())
        .collect();
    assert_eq!(at, [3, 4, 5]);
    let newest = house.log("action=once").remove(0);
    assert_eq!(answer["last"], newest["id"]);
    assert_eq!(each(&house.log("action=once"), "detail"), ["one", "one", "one"]);
    for (name, value) in [
        ("user", json!("bob")),
        ("action", json!("twice")),
        ("app", json!("archive")),
        ("outcome", json!("failure")),
        ("ip", json!("10.0.0.1")),
        ("time", json!("2026-03-15T12:00:01Z")),
        ("target", json!("x")),
        ("size", json!(1)),
    ] {
        let mut changed = record("a", "one");
        changed[name] = value;
        assert_eq!(counts(&vault.post(ACTIVITY, &changed)), [0, 1, 1], "{name}");
    }
}

#[test]
fn a_record_that_comes_again_is_the_same_whatever_was_found_out_of_it_meanwhile() {
    let house = House::new().with_member("mia");
    let (mia, vault) = (house.signed_in("mia"), house.program("vault", &["activity:write"]));
    let record = json!({"id": "a", "user": "mia", "action": "x", "session": mia.session(), "size": 1, "ticket": "INC-1"});
    assert_eq!(counts(&vault.post(ACTIVITY, &record)), [1, 0, 0]);
    // The session moves, and the clock goes on: when it came and where it was, the record does not say.
    assert!(mia.at("216.160.83.56").is_in());
    house.later(jiff::SignedDuration::from_mins(5));
    let again = r#"{"ticket":"INC-1","size":1,"action":"x","user":"mia","session":"SESSION","id":"a"}"#;
    let again = again.replace("SESSION", &mia.session());
    assert_eq!(counts(&ndjson(&vault, again.as_bytes())), [0, 1, 0], "in another order");
    assert_eq!(house.log("action=x&app=vault").len(), 1);
}

#[test]
fn nobody_writes_in_rollcalls_own_name() {
    let house = House::new();
    let vault = house.program("vault", &["activity:write"]);
    for app in ["rollcall", "Rollcall", " ROLLCALL ", "ｒｏｌｌｃａｌｌ", "rollcall\u{200b}", "rоllсall"]
    {
        let reply = vault.post(ACTIVITY, &json!({"user": "ada", "action": "sign-in", "app": app}));
        assert_eq!(reply.status, 400, "{app}");
    }
    assert_eq!(house.log("action=sign-in").len(), 0);
}

#[test]
fn an_attribute_has_one_value() {
    let house = House::new();
    let vault = house.program("vault", &["activity:write"]);
    let record = json!({"user": "ann", "action": "x", "size": "outer", "attributes": {"size": "inner"}});
    let answer = vault.post(ACTIVITY, &record);
    assert_eq!(answer.status, 400, "JSON with a name twice would be read as anybody likes");
    assert!(answer.json()["rejected"][0]["error"].as_str().unwrap().contains("size"));
}

#[test]
fn what_is_written_can_be_found_within_a_second() {
    let house = House::new();
    let vault = house.program("vault", &["activity:write"]);
    let last = vault.post(ACTIVITY, &json!({"user": "ann", "action": "x"})).ok()["last"].clone();
    let id: rollcall::model::id::ActivityId = last.as_str().unwrap().parse().unwrap();
    let answered = std::time::Instant::now();
    assert!(house.app.index().wait_for(id, std::time::Duration::from_secs(10)));
    // The promise is a second; a machine that is busy with other things gets three.
    assert!(answered.elapsed() < std::time::Duration::from_secs(3), "{:?}", answered.elapsed());
}

#[test]
fn a_token_that_is_revoked_ends_the_body_that_is_still_coming() {
    let folder = Folder::with_admin();
    let server = folder.serve();
    let token = folder.run(&["token", "add", "shop", "--scope", "activity:write"]).ok().trim().to_owned();
    let reader = server.bearer(folder.run(&["token", "add", "reader", "--scope", "activity:read"]).ok());
    let lines =
        |action: &str, count: usize| format!("{{\"user\":\"ann\",\"action\":\"{action}\"}}\n").repeat(count);
    let (early, late) = (lines("early", 60_000), lines("late", 10_000));
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let length = early.len() + late.len();
    let head = format!(
        "POST /api/v1/activity HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/x-ndjson\r\nContent-Length: {length}\r\n\r\n",
        server.address()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(early.as_bytes()).unwrap();
    let path = "/api/v1/activity?action=early&limit=1";
    reader.get_until(path, |reply| !reply.items().is_empty());
    folder.run(&["token", "revoke", "shop"]).ok();
    // It may have been answered, and closed, before there is anything late.
    let _ = stream.write_all(late.as_bytes());
    let mut status = String::new();
    BufReader::new(stream).read_line(&mut status).unwrap();
    assert!(status.starts_with("HTTP/1.1 401"), "{status}");
    assert_eq!(reader.get("/api/v1/activity?action=late").items(), [] as [Value; 0]);
}
