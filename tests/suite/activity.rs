//! Finding what was done. What is expected follows from the records below by a few lines of plain Rust, never
//! from the index.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    house::{Caller, House},
    http::{each, walk},
};

/// An hour apart, from midnight in UTC on 2026-03-01 on: user, action, app, outcome, address, detail.
const DONE: [[&str; 6]; 12] = [
    ["mia", "CreateBucket", "s3", "success", "10.1.2.3", "nightly backup of Account_2024.csv"],
    ["max", "backup", "vault", "failure", "10.1.2.4", "disk full, INC-4711"],
    ["Mia", "backup", "vault", "success", "81.2.69.142", "Überprüfung der Datei"],
    ["ann", "delete", "s3", "success", "192.168.1.1", "bucket emptied by hand"],
    ["max", "DeleteBucket", "s3", "failure", "10.1.2.4", "access denied"],
    ["mia", "compare", "vault", "unknown", "2001:db8::7", "left and right"],
    ["ann", "backup", "vault", "success", "192.168.1.1", "right and left"],
    ["max", "restore", "vault", "success", "10.200.0.1", "INC-4712"],
    ["mia", "backup", "s3", "failure", "10.1.2.3", "denied: access to bucket"],
    ["ann", "replicate", "vault", "success", "81.2.69.142", "backups of the year"],
    ["max", "backup", "vault", "success", "10.1.2.4", "done"],
    ["mia", "signoff", "vault", "success", "10.1.2.3", "INC-4711 closed"],
];

fn time(hour: usize) -> String {
    format!("2026-03-01T{hour:02}:00:00Z")
}

/// A house whose log holds [`DONE`]; `n` counts the records.
fn house() -> House {
    let house = House::new().with_admin("ada").with_member("mia");
    let program = house.program("loader", &["activity:write"]);
    let records: Vec<Value> = DONE
        .iter()
        .enumerate()
        .map(|(n, [user, action, app, outcome, ip, detail])| {
            json!({
                "time": time(n), "user": user, "action": action, "app": app, "outcome": outcome, "ip": ip,
                "detail": detail, "n": n, "attributes": {"region": if n % 2 == 0 { "north" } else { "south" }},
            })
        })
        .collect();
    assert_eq!(program.post("/api/v1/activity", &json!(records)).ok()["accepted"], 12);
    house.caught_up();
    house
}

#[test]
fn a_name_is_found_with_or_without_its_accents_but_nobody_sees_for_another() {
    let house = House::new().with_admin("ada").with_member("zoe");
    let program = house.program("loader", &["activity:write"]);
    let records: Vec<Value> = ["Zoe", "Zoë", "ZOË", "zoey", "Łukasz"]
        .map(|user| json!({"user": user, "action": "tick", "attributes": {"cost centre": "north wing"}}))
        .into();
    assert_eq!(program.post("/api/v1/activity", &json!(records)).ok()["accepted"], 5);
    house.caught_up();
    let ada = house.signed_in("ada");
    let users = |caller: &Caller<'_>, query: &str| {
        let path = format!("/api/v1/activity?q={}&action=tick&order=asc", encoded(query));
        each(&caller.get(&path).items(), "user").concat()
    };
    for (query, expected) in [
        ("user:zoe", "ZoeZoëZOË"),
        ("user:ZOË", "ZoeZoëZOË"),
        ("user:zoë*", "ZoeZoëZOËzoey"),
        ("-user:zoe", "zoeyŁukasz"),
        ("user:lukasz", "Łukasz"),
        ("attr.\"Cost Centre\":north user:zoey", "zoey"),
    ] {
        assert_eq!(users(&ada, query), expected, "{query}");
    }
    let zoe = house.signed_in("zoe");
    for query in ["", "user:zoë", "user:z*"] {
        assert_eq!(users(&zoe, query), "Zoe", "{query}");
    }
}

/// Which records of [`DONE`] a search finds, in its order; Rollcall's own are left out.
fn found(caller: &Caller<'_>, query: &str) -> Vec<usize> {
    let answer = caller.get(&format!("/api/v1/activity?limit=1000&{query}")).ok();
    let items = answer["items"].as_array().unwrap();
    assert_eq!(answer["total"], json!({"value": items.len(), "exact": true}), "{query}");
    assert!(answer["took_us"].is_u64());
    items.iter().filter_map(|item| item["attributes"]["n"].as_str()).map(|n| n.parse().unwrap()).collect()
}

/// The records that fulfil a condition, newest first.
fn those(fulfil: impl Fn(&[&str; 6]) -> bool) -> Vec<usize> {
    (0..DONE.len()).rev().filter(|n| fulfil(&DONE[*n])).collect()
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[test]
fn every_parameter_narrows_as_it_says() {
    let house = house();
    let ada = house.signed_in("ada");
    let find = |query: &str| found(&ada, query);
    assert_eq!(find(""), those(|_| true));
    assert_eq!(find("user=mia"), those(|r| r[0].eq_ignore_ascii_case("mia")));
    assert_eq!(find("user=MIA&app=vault"), those(|r| r[0].eq_ignore_ascii_case("mia") && r[2] == "vault"));
    assert_eq!(find("action=backup"), those(|r| r[1] == "backup"));
    assert_eq!(find("outcome=failure"), those(|r| r[3] == "failure"));
    assert_eq!(find("outcome=unknown"), those(|r| r[3] == "unknown"));
    assert_eq!(find("ip=10.1.2.3"), those(|r| r[4] == "10.1.2.3"));
    assert_eq!(find("ip=10.0.0.0/8"), those(|r| r[4].starts_with("10.")));
    assert_eq!(find("ip=2001:db8::/32"), those(|r| r[4].starts_with("2001:db8")));
    assert_eq!(find("ip=0.0.0.0/0"), those(|r| !r[4].contains(':')), "IPv6 lies in no IPv4 network");
    assert_eq!(find("user=nobody"), those(|_| false));
    assert_eq!(
        find("user=&app=&action=&outcome=&period=&from=&to=&q="),
        those(|_| true),
        "empty is not given"
    );
    assert_eq!(find("order=asc"), (0..12).collect::<Vec<_>>());
    assert_eq!(find("order=asc&user=ann"), [3, 6, 9]);
}

#[test]
fn the_search_box_finds_what_it_promises() {
    let house = house();
    let ada = house.signed_in("ada");
    for (query, expected) in [
        ("bucket", vec![8, 4, 3, 0]),
        ("account", vec![0]),
        ("INC-4711", vec![11, 1]),
        ("inc", vec![11, 7, 1]),
        ("uberprufung", vec![2]),
        ("\"access denied\"", vec![4]),
        ("access denied", vec![8, 4]),
        ("\"left and right\"", vec![5]),
        ("back*", vec![10, 9, 8, 6, 2, 1, 0]),
        ("backup -outcome:success", vec![8, 1]),
        ("user:ann OR action:restore", vec![9, 7, 6, 3]),
        ("(user:ann OR user:max) action:backup", vec![10, 6, 1]),
        ("user.name:max event.outcome:failure", vec![4, 1]),
        ("source.ip:192.168.0.0/16", vec![6, 3]),
        ("attr.region:north user:mia", vec![8, 2, 0]),
        ("attr.n:7", vec![7]),
        ("city:london", vec![9, 2]),
        ("country:GB", vec![9, 2]),
        ("app:vault NOT user:max NOT user:ann", vec![11, 5, 2]),
        ("zebra", vec![]),
    ] {
        assert_eq!(found(&ada, &format!("q={}", encoded(query))), expected, "{query}");
    }
    assert_eq!(found(&ada, "q=buck"), Vec::<usize>::new());
    assert_eq!(found(&ada, "q=buck&typing=1"), [8, 4, 3, 0], "as one types");
}

#[test]
fn a_country_is_found_by_its_name_and_by_its_code_whichever_the_record_has() {
    let house = House::new().with_admin("ada");
    let program = house.program("app", &["activity:write"]);
    let record =
        |country: &str| json!({"user": "ann", "action": "tick", "country": country, "detail": country});
    let sent: Vec<_> = ["PL", "Poland", "pl", "poland", "DE", "Polish"].map(record).into();
    program.post("/api/v1/activity", &json!(sent)).ok();
    house.caught_up();
    for query in ["country:PL", "country:pl", "country:Poland", "country:POLAND", "country:Poland*"] {
        let mut found = each(&house.log(&format!("q={}", encoded(query))), "detail");
        found.sort();
        assert_eq!(found, ["PL", "Poland", "pl", "poland"], "{query}");
    }
    let mut found = each(&house.log("q=country:Pol*"), "detail");
    found.sort();
    assert_eq!(found, ["PL", "Poland", "Polish", "pl", "poland"], "or what else begins so");
    assert_eq!(each(&house.log("q=country:Germany"), "detail"), ["DE"]);
    let sent: Vec<_> = ["CI", "Côte d'Ivoire", "Cote d'Ivoire"].map(record).into();
    program.post("/api/v1/activity", &json!(sent)).ok();
    house.caught_up();
    for query in ["country:ci", "country:\"CÔTE D'IVOIRE\"", "country:\"cote d'ivoire\""] {
        assert_eq!(house.log(&format!("q={}", encoded(query))).len(), 3, "{query}");
    }
}

#[test]
fn a_query_that_is_not_understood_says_in_which_column_and_is_never_guessed_at() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    for (query, column) in [
        ("backup \"open", 8),
        ("(a b", 1),
        ("a b)", 4),
        ("nosuch:field", 1),
        ("a outcome:maybe", 11),
        ("a ip:10.0.0", 6),
        ("a OR", 3),
        ("- a", 1),
        ("a *b", 3),
        ("()", 1),
    ] {
        for path in ["/activity", "/activity/histogram", "/activity.csv"] {
            let reply = ada.get(&format!("/api/v1{path}?q={}", encoded(query)));
            assert_eq!(reply.refusal(), "400 bad_field q", "{query}");
            assert_eq!(reply.json()["error"]["column"], column, "{query}: {}", reply.text());
        }
    }
    let deep = encoded(&"(".repeat(5000));
    assert_eq!(ada.get(&format!("/api/v1/activity?q={deep}")).refusal(), "400 bad_field q");
}

#[test]
fn other_parameters_that_are_not_understood_are_named() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    for (query, field) in [
        ("outcome=maybe", "outcome"),
        ("ip=here", "ip"),
        ("ip=10.0.0.0/33", "ip"),
        ("period=2w", "period"),
        ("from=yesterday", "from"),
        ("to=2026-02-30", "to"),
        ("from=2026-03-02&to=2026-03-01", "from"),
        ("tz=Mars/Olympus", "tz"),
        ("order=up", "order"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("cursor=x", "cursor"),
    ] {
        let refusal = ada.get(&format!("/api/v1/activity?{query}")).refusal();
        assert_eq!(refusal, format!("400 bad_field {field}"), "{query}");
    }
    let facets = |query: &str| ada.get(&format!("/api/v1/activity/facets?{query}")).refusal();
    assert_eq!(facets(""), "400 bad_field field");
    assert_eq!(facets("field=password"), "400 bad_field field");
    assert_eq!(ada.get("/api/v1/activity/histogram?buckets=0").refusal(), "400 bad_field buckets");
    assert_eq!(ada.get("/api/v1/activity/not-an-id").refusal(), "404 not_found");
}

#[test]
fn a_parameter_that_is_misspelt_or_there_twice_asks_for_nothing() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    for (path, said) in [
        ("activity.csv?usr=ann", "this call has no parameter usr; it has q, user, "),
        ("activity.ndjson?user%5B%5D=ann", "no parameter user[]"),
        ("activity?user=ann&user=bob", "user is there more than once"),
        ("activity?q=backup&limti=5", "no parameter limti"),
        ("activity/facets?field=user&user=a&user=b", "more than once"),
        ("activity/histogram?bucket=3", "no parameter bucket"),
        ("activity/histogram?limit=3&limit=4&bucket=3", "no parameter bucket"),
        ("activity/stream?uesr=ann", "no parameter uesr"),
        ("sessions?users=ann", "no parameter users"),
    ] {
        let refused = ada.get(&format!("/api/v1/{path}"));
        assert_eq!(refused.status, 400, "{path}");
        let message = refused.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(said), "{path}: {message}");
    }
    assert!(house.log("action=export").is_empty());
    // The address of a search is that of its chart, too; a list may be said more than once, and what is empty is not said.
    assert_eq!(ada.get("/api/v1/activity/histogram?q=backup&limit=5&cursor=x").status, 200);
    assert_eq!(ada.get("/api/v1/activity.csv?attribute=a&attribute=b&usr=&user=ann").status, 200);
}

#[test]
fn a_call_without_parameters_refuses_one_that_no_call_has_too() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    let session = format!("sessions/{}", ada.session());
    let writer = house.program("writer", &["activity:write"]);
    for path in ["apps", "me", session.as_str(), "openapi.json", "users/ada"] {
        assert_eq!(ada.get(&format!("/api/v1/{path}")).status, 200, "{path}");
        let refused = ada.get(&format!("/api/v1/{path}?bogus=1"));
        assert_eq!(refused.refusal(), "400 bad_request", "{path}");
        assert!(
            refused.text().contains("this call has no parameters, and so no bogus"),
            "{}",
            refused.text()
        );
        // One of another call says nothing, and one that is empty is none.
        assert_eq!(ada.get(&format!("/api/v1/{path}?user=ada&bogus=")).status, 200, "{path}");
    }
    let record = json!({"user": "ann", "action": "tick"});
    let refused = writer.post("/api/v1/activity?bogus=1", &record);
    assert_eq!(refused.refusal(), "400 bad_request");
    assert!(house.log("action=tick").is_empty());
    assert_eq!(ada.delete(&format!("/api/v1/{session}?bogus=1")).refusal(), "400 bad_request");
    assert!(ada.is_in());
}

#[test]
fn what_is_no_utf_8_is_refused_by_its_name_and_asks_for_nothing() {
    let house = House::new().with_admin("ada");
    let (ada, stranger) = (house.signed_in("ada"), house.stranger());
    for (path, field) in [
        ("activity?user=%ff", "user"),
        ("activity?q=a&user=%C3%28", "user"),
        ("activity.csv?q=backup%E2%82", "q"),
        ("sessions?user=ann+%fe", "user"),
    ] {
        let refused = ada.get(&format!("/api/v1/{path}"));
        assert_eq!(refused.refusal(), format!("400 bad_field {field}"), "{path}");
    }
    assert!(house.log("action=export").is_empty());
    assert_eq!(ada.get("/activity?user=%ff").status, 400, "the page says so too");
    let form = stranger.bare_form("/signin", "user=%ff&password=x");
    assert_eq!(form.status, 400, "{}", form.text());
    assert_eq!(ada.get("/api/v1/activity?user=%C3%A5sa&q=%2541").status, 200);
}

#[test]
fn both_ends_of_a_period_are_where_they_are_said_to_be() {
    let house = House::new().with_admin("ada");
    let program = house.program("loader", &["activity:write"]);
    let times = [
        "2026-02-28T22:59:59.999Z",
        "2026-02-28T23:00:00Z",
        "2026-02-28T23:59:59.999Z",
        "2026-03-01T00:00:00Z",
        "2026-03-01T22:59:59.999Z",
        "2026-03-01T23:59:59.999Z",
        "2026-03-02T00:00:00Z",
    ];
    let records: Vec<Value> = (0..)
        .zip(times)
        .map(|(n, time)| json!({"user": "x", "action": "y", "app": "t", "time": time, "n": n}))
        .collect();
    program.post("/api/v1/activity", &json!(records)).ok();
    house.caught_up();
    let ada = house.signed_in("ada");
    let find = |query: &str| found(&ada, &format!("app=t&order=asc&{query}"));
    assert_eq!(find("from=2026-03-01&to=2026-03-01"), [3, 4, 5], "the last day is in it, to its end");
    assert_eq!(find("from=2026-03-01"), [3, 4, 5, 6]);
    assert_eq!(find("to=2026-02-28"), [0, 1, 2]);
    for end in ["9999-12-31", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999%2B01:00"] {
        assert_eq!(find(&format!("from=2026-03-01&to={end}")), [3, 4, 5, 6], "{end}: no end");
    }
    assert_eq!(find("from=2026-03-01&to=2026-03-01&tz=Europe/Warsaw"), [1, 2, 3, 4], "an hour ahead");
    assert_eq!(find("from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z"), [3, 4, 5], "before that instant");
    assert_eq!(find("from=2026-03-01T01:00:00%2B01:00&to=2026-03-01T00:00:00.001Z"), [3]);
    let told = ada.get("/api/v1/activity?app=t&from=2026-03-01&to=2026-03-02&period=custom").ok();
    assert_eq!(told["total"]["value"], 4);
}

#[test]
fn a_named_period_is_counted_back_from_now_by_the_calendar() {
    let house = House::new().with_admin("ada");
    let program = house.program("loader", &["activity:write"]);
    // Now is 2026-03-15T12:00:00Z; each period's first instant and the one before it.
    let edges = [
        ("24h", "2026-03-14T12:00:00Z"),
        ("7d", "2026-03-08T12:00:00Z"),
        ("1m", "2026-02-15T12:00:00Z"),
        ("3m", "2025-12-15T12:00:00Z"),
        ("6m", "2025-09-15T12:00:00Z"),
        ("1y", "2025-03-15T12:00:00Z"),
        ("all", "1970-01-01T00:00:00.001Z"),
    ];
    let mut records = vec![json!({"user": "x", "action": "y", "app": "t", "time": "2026-03-15T12:05:00Z"})];
    for (_, edge) in edges {
        let at: Timestamp = edge.parse().unwrap();
        for time in [at, Timestamp::from_millisecond(at.as_millisecond() - 1).unwrap()] {
            records.push(json!({"user": "x", "action": "y", "app": "t", "time": time.to_string()}));
        }
    }
    assert_eq!(program.post("/api/v1/activity", &json!(records)).ok()["accepted"], records.len());
    house.caught_up();
    let ada = house.signed_in("ada");
    for (n, (period, _)) in edges.iter().enumerate() {
        let found = ada.get(&format!("/api/v1/activity?app=t&period={period}")).ok();
        // What runs ahead, two for each shorter period, and this one's first instant.
        let expected = if *period == "all" { records.len() } else { 2 + 2 * n };
        assert_eq!(found["total"]["value"], expected, "{period}");
    }
}

#[test]
fn pages_hold_everything_exactly_once_in_both_orders() {
    let house = House::new().with_admin("ada");
    let program = house.program("loader", &["activity:write"]);
    // Many at the same moment: the order among them must be one, too.
    let records: Vec<Value> = (0..100)
        .map(|n| json!({"user": "x", "action": "y", "app": "t", "time": time(n / 30), "n": n}))
        .collect();
    program.post("/api/v1/activity", &json!(records)).ok();
    house.caught_up();
    let ada = house.signed_in("ada");
    let newest_first = each(&ada.get("/api/v1/activity?app=t&limit=1000").items(), "id");
    assert_eq!(newest_first.len(), 100);
    for (limit, order) in [(1, "desc"), (7, "desc"), (7, "asc"), (50, "desc"), (100, "asc")] {
        let path = format!("/api/v1/activity?app=t&limit={limit}&order={order}");
        let pages = walk(&path, |path| {
            let reply = ada.get(path);
            assert_eq!(reply.ok()["total"], json!({"value": 100, "exact": true}));
            reply
        });
        assert_eq!(pages.len(), 100_usize.div_ceil(limit), "no empty page behind the last");
        let mut ids = each(&pages.concat(), "id");
        if order == "asc" {
            ids.reverse();
        }
        assert_eq!(ids, newest_first, "in pages of {limit}, {order}");
    }
    let cursor = ada.get("/api/v1/activity?app=t&limit=7").ok()["next"].as_str().unwrap().to_owned();
    for other in ["app=t&order=asc", "app=s", "q=x", "app=t&user=x"] {
        let reply = ada.get(&format!("/api/v1/activity?limit=7&{other}&cursor={cursor}"));
        assert_eq!(reply.refusal(), "400 bad_field cursor", "{other}: a cursor belongs to its search");
    }
}

#[test]
fn a_page_of_long_rows_ends_early_and_the_next_goes_on_behind_it() {
    let house = House::new().with_admin("ada");
    let program = house.program("vault", &["activity:write", "activity:read"]);
    let record = |n: usize| json!({"user": "bob", "action": "edit", "detail": format!("row {n} {}", "x".repeat(60_000))});
    let records: Vec<Value> = (0..200).map(record).collect();
    for part in records.chunks(20) {
        assert_eq!(program.post("/api/v1/activity", &json!(part)).json()["accepted"], part.len());
    }
    house.caught_up();
    let pages = walk("/api/v1/activity?app=vault&limit=1000", |path| {
        let reply = program.get(path);
        assert!(reply.text().len() < 10_000_000, "{}", reply.text().len());
        assert_eq!(reply.json()["total"]["value"], 200);
        reply
    });
    assert!(pages.len() > 1);
    let rows = each(&pages.concat(), "detail");
    let seen: Vec<usize> = rows.iter().map(|row| row.split(' ').nth(1).unwrap().parse().unwrap()).collect();
    assert_eq!(seen, (0..200).rev().collect::<Vec<_>>());
}

#[test]
fn what_arrives_meanwhile_moves_no_page() {
    let house = house();
    let ada = house.signed_in("ada");
    let first = ada.get("/api/v1/activity?app=vault&limit=3").ok();
    let program = house.program("late", &["activity:write"]);
    program.post("/api/v1/activity", &json!({"user": "x", "action": "late", "app": "vault"})).ok();
    house.caught_up();
    let cursor = first["next"].as_str().unwrap();
    let second = ada.get(&format!("/api/v1/activity?app=vault&limit=1000&cursor={cursor}")).items();
    let vault = those(|r| r[2] == "vault");
    let numbers: Vec<usize> =
        second.iter().map(|item| item["attributes"]["n"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(numbers, vault[3..]);
}

#[test]
fn a_histogram_counts_everything_once() {
    let house = house();
    let ada = house.signed_in("ada");
    let query = "from=2026-03-01&to=2026-03-01T12:00:00Z&buckets=4";
    let answer = ada.get(&format!("/api/v1/activity/histogram?{query}")).ok();
    assert_eq!([&answer["from"], &answer["to"]], ["2026-03-01T00:00:00.000Z", "2026-03-01T12:00:00.000Z"]);
    let expected: Vec<Value> = (0..4)
        .map(|bucket| {
            let part = &DONE[bucket * 3..bucket * 3 + 3];
            let failures = part.iter().filter(|r| r[3] == "failure").count();
            json!({"time": format!("2026-03-01T{:02}:00:00.000Z", bucket * 3), "total": 3, "failures": failures})
        })
        .collect();
    assert_eq!(answer["buckets"], json!(expected));
    let open = ada.get("/api/v1/activity/histogram?app=vault&buckets=7").ok();
    let total: u64 =
        open["buckets"].as_array().unwrap().iter().map(|bucket| bucket["total"].as_u64().unwrap()).sum();
    assert_eq!(total, those(|r| r[2] == "vault").len() as u64);
}

#[test]
fn a_histogram_has_no_more_parts_than_its_time_has_milliseconds() {
    let house = house();
    let ada = house.signed_in("ada");
    for (range, parts) in [
        ("from=2026-03-01T00:00:00.000Z&to=2026-03-01T00:00:00.003Z", 3),
        ("from=2026-03-01T00:00:00.000Z&to=2026-03-01T00:00:00.001Z", 1),
        ("from=2026-03-01T00:00:00.000Z&to=2026-03-01T00:00:00.060Z", 60),
        ("from=2026-03-01T00:00:00.000Z&to=2026-03-01T00:00:00.061Z", 60),
        ("user=nobody", 1),
    ] {
        let answer = ada.get(&format!("/api/v1/activity/histogram?{range}")).ok();
        let bars = each(answer["buckets"].as_array().unwrap(), "time");
        assert_eq!(bars.len(), parts, "{range}: {bars:?}");
        assert!(bars.is_sorted_by(|one, next| one < next), "{range}: {bars:?}");
    }
}

#[test]
fn a_clock_that_runs_ahead_does_not_press_the_last_day_together() {
    let house = House::new().with_admin("ada");
    let program = house.program("loader", &["activity:write"]);
    let at = |hours: i64| (house.now() + SignedDuration::from_hours(hours)).to_string();
    let records = [-20, -2, 20].map(|hours| json!({"user": "bob", "action": "tick", "time": at(hours)}));
    assert_eq!(program.post("/api/v1/activity", &json!(records)).ok()["accepted"], 3);
    house.caught_up();
    let ada = house.signed_in("ada");
    let day = ada.get("/api/v1/activity/histogram?q=action:tick&period=24h&buckets=4").ok();
    let end: Timestamp = day["to"].as_str().unwrap().parse().unwrap();
    assert!(end <= house.now(), "the bars end now: {day}");
    let totals: Vec<_> =
        day["buckets"].as_array().unwrap().iter().map(|bucket| bucket["total"].clone()).collect();
    assert_eq!(totals, [1, 0, 0, 2], "{day}");
    // The last bar leads to all that it holds.
    let page = ada.get("/activity?q=action:tick&period=24h&wait=1").text();
    assert!(page.contains("3 activities"), "{page}");
    let bars = page
        .split("<a href=\"")
        .filter(|bar| bar.contains("data-from"))
        .filter_map(|bar| bar.split_once('"'));
    let last = bars.last().unwrap().0.replace("&#38;", "&");
    assert_eq!(ada.get(&last).text().matches("<tr data-id").count(), 1, "{last}");
}

#[test]
fn facets_count_the_values_of_a_field() {
    let house = house();
    let ada = house.signed_in("ada");
    let facets = |query: &str| ada.get(&format!("/api/v1/activity/facets?{query}")).ok();
    assert_eq!(
        facets("field=outcome&app=vault"),
        json!({"field": "outcome", "exact": true, "items": [
            {"value": "success", "count": 6}, {"value": "failure", "count": 1}, {"value": "unknown", "count": 1},
        ]})
    );
    let users = facets("field=user&action=backup");
    let counts: Vec<(String, u64)> = users["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["value"].as_str().unwrap().to_lowercase(), item["count"].as_u64().unwrap()))
        .collect();
    let mut sorted = counts.clone();
    sorted.sort();
    assert_eq!(sorted, [("ann".into(), 1), ("max".into(), 2), ("mia".into(), 2)], "{counts:?}");
    assert_eq!(facets("field=app&limit=1")["items"].as_array().unwrap().len(), 1);
    let begun = facets("field=action&prefix=re");
    let mut begun = each(begun["items"].as_array().unwrap(), "value");
    begun.sort();
    assert_eq!(begun, ["replicate", "restore"]);
}

#[test]
fn a_member_finds_counts_and_downloads_their_own_and_nothing_else() {
    let house = house();
    let mia = house.signed_in("mia");
    house.caught_up();
    let own = those(|r| r[0].eq_ignore_ascii_case("mia"));
    for query in ["", "user=max", "q=user:max", "q=NOT%20user:mia", "q=user:max%20OR%20user:mia", "q=-zebra"]
    {
        let items = mia.get(&format!("/api/v1/activity?limit=1000&{query}")).items();
        assert!(each(&items, "user").iter().all(|user| user.eq_ignore_ascii_case("mia")), "{query}");
        let total = mia.get(&format!("/api/v1/activity?limit=1&{query}")).ok()["total"]["value"].clone();
        assert_eq!(total, items.len(), "{query}: not even the number of others'");
        let csv = mia.get(&format!("/api/v1/activity.csv?{query}")).text();
        let lines: Vec<&str> = csv.lines().skip(1).collect();
        assert!(lines.iter().all(|line| line.to_lowercase().contains(",mia,")), "{query}: {csv}");
        let ndjson = mia.get(&format!("/api/v1/activity.ndjson?{query}")).text();
        for line in ndjson.lines() {
            let item: Value = serde_json::from_str(line).unwrap();
            assert_eq!(item["user"].as_str().unwrap().to_lowercase(), "mia", "{query}");
        }
        let spread = mia.get(&format!("/api/v1/activity/histogram?buckets=9&{query}&to=2026-03-02")).ok();
        let sum: u64 =
            spread["buckets"].as_array().unwrap().iter().map(|b| b["total"].as_u64().unwrap()).sum();
        assert!(sum <= own.len() as u64, "{query}: {sum}");
        for field in ["user", "action", "city"] {
            for how in [query, "prefix=m", "prefix=r"] {
                let facets = mia.get(&format!("/api/v1/activity/facets?field={field}&{how}")).items();
                let values = each(&facets, "value");
                let foreign =
                    ["max", "ann", "ada", "delete", "DeleteBucket", "restore", "replicate", "user-added"];
                assert!(!values.iter().any(|value| foreign.contains(&value.as_str())), "{how}: {values:?}");
            }
        }
    }
    assert_eq!(found(&mia, ""), own);
    let ada = house.signed_in("ada");
    let foreign = ada.get("/api/v1/activity?user=max&limit=1").items()[0]["id"].as_str().unwrap().to_owned();
    let (a, b) = (mia.get(&format!("/api/v1/activity/{foreign}")), mia.get("/api/v1/activity/zzzzzzzzzzzzz"));
    assert_eq!((a.refusal().as_str(), &a.body), ("404 not_found", &b.body));
    let cursor = ada.get("/api/v1/activity?limit=2").ok()["next"].as_str().unwrap().to_owned();
    assert_eq!(mia.get(&format!("/api/v1/activity?cursor={cursor}")).refusal(), "400 bad_field cursor");
}

#[test]
fn a_page_that_did_not_wait_for_its_count_and_chart_gets_them_one_by_one() {
    let house = House::new().with_admin("ada");
    let program = house.program("vault", &["activity:write"]);
    let records: Vec<Value> = (0..7).map(|_| json!({"user": "bob", "action": "backup"})).collect();
    assert_eq!(program.post("/api/v1/activity", &json!(records)).status, 200);
    house.caught_up();
    let ada = house.signed_in("ada");
    let part = |name: &str| ada.with("Fragment", name).get("/activity?user=bob&period=1m").text();
    assert_eq!(part("count").trim(), "7 activities");
    let chart = part("histogram");
    assert!(chart.contains("<svg") && !chart.contains("id=\"rows\""), "{chart}");
    let whole = ada.get("/activity?user=bob&period=1m&wait=1").text();
    assert!(whole.contains("7 activities") && !whole.contains("data-late"));
}

#[test]
fn while_the_index_lacks_something_nothing_is_called_exact_and_nothing_is_downloaded() {
    let house = House::new().with_admin("ada");
    let program = house.program("app", &["activity:write"]);
    let edit = json!({"user": "bob", "action": "edit"});
    program.post("/api/v1/activity", &edit).ok();
    let ada = house.signed_in("ada");
    house.caught_up();
    let total = |caller: &Caller<'_>| caller.get("/api/v1/activity?user=bob").ok()["total"].clone();
    assert_eq!(total(&ada), json!({"value": 1, "exact": true}));
    assert!(!ada.get("/activity?user=bob").text().contains("not in the search index"));
    assert_eq!(ada.get("/api/v1/activity.csv?user=bob").status, 200);
    house.caught_up();
    // It cannot go on, and then something comes in.
    house.app.index().stop();
    program.post("/api/v1/activity", &edit).ok();
    assert_eq!(total(&ada), json!({"value": 1, "exact": false}));
    for counted in ["histogram?user=bob", "facets?field=user"] {
        assert_eq!(ada.get(&format!("/api/v1/activity/{counted}")).ok()["exact"], false, "{counted}");
    }
    let page = ada.get("/activity?user=bob").text();
    assert!(page.contains("not in the search index yet") && page.contains("at least 1 activity"), "{page}");
    for file in ["activity.csv", "activity.ndjson"] {
        let refused = ada.get(&format!("/api/v1/{file}?user=bob"));
        assert_eq!(refused.status, 503, "{file}");
        let error = &refused.json()["error"];
        assert_eq!(error["code"], "index_behind", "{file}");
        assert!(error["message"].as_str().unwrap().contains("ask again"), "{error}");
    }
    assert_eq!(ada.get("/settings").status, 200);
}

#[test]
fn every_link_of_a_page_that_is_being_typed_carries_on_what_it_shows() {
    let house = House::new().with_admin("ada");
    let program = house.program("vault", &["activity:write"]);
    let records: Vec<Value> = (0..60).map(|_| json!({"user": "bob", "action": "backup"})).collect();
    assert_eq!(program.post("/api/v1/activity", &json!(records)).status, 200);
    house.caught_up();
    let ada = house.signed_in("ada");
    let page = ada.get("/activity?q=user:bob+back&typing=1&period=24h").text();
    assert!(page.contains("60 activities") && page.contains("value=\"user:bob back\""), "{page}");
    let links: Vec<String> = page
        .split("href=\"")
        .filter_map(|rest| rest.split_once('"'))
        .map(|(link, _)| link.replace("&#38;", "&"))
        .filter(|link| link.contains("q="))
        .collect();
    for link in &links {
        assert!(link.contains("q=user:bob+back%2A&") && !link.contains("typing"), "{link}");
    }
    let one = |part: &str| links.iter().find(|link| link.contains(part)).unwrap();
    assert_eq!(ada.get(one("cursor=")).text().matches("<tr data-id").count(), 10);
    assert_eq!(ada.get(one("activity.csv")).text().lines().count(), 61);
    assert_eq!(ada.get(one("order=asc")).text().matches("<tr data-id").count(), 50);
}

#[test]
fn a_page_of_a_search_that_is_not_understood_says_so_and_keeps_what_was_typed() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    for (asked, typed, why) in [
        ("backup+(", "backup (", "never closed"),
        ("port:80", "port:80", "port"),
        ("ip:none", "ip:none", "ip"),
    ] {
        let page = ada.get(&format!("/activity?q={asked}"));
        assert_eq!(page.status, 400, "{asked}");
        let text = page.text();
        assert!(text.contains(&format!("value=\"{typed}\"")) && text.contains(why), "{asked}: {text}");
    }
    let page = ada.get("/activity?q=backup+-usr:mia").text();
    assert!(page.contains("Column 9: there is no field &#34;usr&#34;; did you mean user:"), "{page}");
    assert_eq!(ada.get("/activity?q=%22port:80%22").status, 200, "in quotation marks it is text");
}

/// Links of a page that lead to an address that begins so.
fn links(page: &str, address: &str) -> Vec<String> {
    let all = page.split("href=\"").filter_map(|rest| rest.split_once('"'));
    all.map(|(link, _)| link.replace("&#38;", "&")).filter(|link| link.starts_with(address)).collect()
}

#[test]
fn a_period_and_ends_mean_the_same_on_the_page_as_in_the_api() {
    let house = House::new().with_admin("ada");
    let program = house.program("vault", &["activity:write"]);
    // Now is 2026-03-15T12:00:00Z.
    let record = |time: &str| json!({"user": "bob", "action": "tick", "time": time});
    let records = ["2026-03-01T00:00:00Z", "2026-03-09T00:00:00Z", "2026-03-12T00:00:00Z"].map(record);
    assert_eq!(program.post("/api/v1/activity", &json!(records)).status, 200);
    house.caught_up();
    let ada = house.signed_in("ada");
    for (range, expected) in [
        ("period=7d&from=2026-03-01", 2),
        ("period=7d&to=2026-03-10", 1),
        ("period=7d&from=2026-03-10&to=2026-03-31", 1),
        ("period=24h&from=2026-03-01", 0),
        ("period=all&from=2026-03-02", 2),
        ("period=custom&from=2026-03-02", 2),
        ("from=2026-03-02", 2),
        ("period=custom", 3),
        ("period=1m", 3),
    ] {
        let found = ada.get(&format!("/api/v1/activity?q=action:tick&{range}")).ok();
        assert_eq!(found["total"]["value"], expected, "{range}");
        let page = ada.get(&format!("/activity?q=action:tick&wait=1&{range}")).text();
        assert_eq!(page.matches("<tr data-id").count(), expected, "{range}");
        for link in
            links(&page, "/api/v1/activity.csv").iter().chain(&links(&page, "/activity?q=action:tick&"))
        {
            let followed = ada.get(link).text();
            if link.contains(".csv") {
                assert_eq!(followed.lines().count(), expected + 1, "{range}: {link}");
            } else {
                let rows = followed.matches("<tr data-id").count();
                // A bar of the chart is a part of it.
                assert!(
                    rows == expected || (link.contains('T') && rows < expected),
                    "{range}: {link}: {rows}"
                );
            }
        }
    }
    // Nothing can be in both, which is another answer than that nothing is.
    for path in ["/api/v1/activity", "/api/v1/activity/histogram", "/api/v1/activity.csv"] {
        let apart = ada.get(&format!("{path}?period=7d&to=2026-03-01"));
        assert_eq!(apart.refusal(), "400 bad_field to", "{path}");
        assert!(apart.text().contains("2026-03-08T12:00:00Z"), "{}", apart.text());
    }
    let both = ada.get("/activity?period=7d&from=2026-03-10").text();
    assert!(
        both.contains("<option value=\"7d\" selected>") && both.contains("value=\"2026-03-10\""),
        "{both}"
    );
    assert!(both.contains("class=\"custom open\""), "both are seen");
}

#[test]
fn no_row_that_a_page_shows_is_missing_from_its_download_however_late_that_is() {
    let house = House::new().with_admin("ada");
    let program = house.program("vault", &["activity:write"]);
    let record = |time: &str| json!({"user": "bob", "action": "tick", "time": time});
    let records = ["2026-03-14T12:00:00Z", "2026-03-15T12:00:00Z", "2026-03-15T12:30:00Z"].map(record);
    assert_eq!(program.post("/api/v1/activity", &json!(records)).status, 200);
    house.caught_up();
    let ada = house.signed_in("ada");
    let page = ada.get("/activity?q=action:tick&period=24h").text();
    assert_eq!(page.matches("<tr data-id").count(), 3, "one is of a clock that runs ahead");
    house.later(SignedDuration::from_mins(10));
    let download = links(&page, "/api/v1/activity.csv").remove(0);
    assert_eq!(ada.get(&download).text().lines().count(), 4, "{download}");
    assert_eq!(ada.get("/activity?q=action:tick&period=24h").text().matches("<tr data-id").count(), 2);
}
