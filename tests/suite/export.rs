//! Downloads: every row of what was looked for, in files that other programs read right.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use rocket::http::Method;
use rollcall::{
    domain::export::Sheet,
    model::{
        filter::{Asked, Filter, Order},
        seal::Form,
        session::Scope,
        user::{Actor, ActorKind, Role},
    },
};
use serde_json::{Value, json};

use super::{
    house::{Caller, House, LONDON, loudly},
    server::Folder,
};

const HEADER: &str = "Time,User,Activity,Detail,App,Outcome,Public IP,City,Location,Device Details,\
                      OS Details,Browser Details,Session,Id";

/// Texts that break careless writers and careless readers.
const NASTY: [&str; 14] = [
    "plain",
    "comma, and \"quotes\"",
    "two\r\nlines",
    "two\nlines",
    "  spaces  ",
    "semi;colon",
    "tab\tin it",
    "Zażółć gęślą jaźń 漢字 😀",
    "=HYPERLINK(\"http://evil.test\")",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "'quoted",
];

fn house() -> House {
    let house = House::new().with_admin("ada").with_member("mia");
    let records: Vec<Value> = (0..)
        .zip(NASTY)
        .map(|(n, text)| {
            json!({
                "time": format!("2026-03-01T00:00:{n:02}.250Z"), "user": "mia", "action": format!("a{n}"),
                "detail": text, "app": "t", "ip": LONDON, "target": text, "attributes": {"note": text, "k,1": "v"},
            })
        })
        .collect();
    let program = house.program("loader", &["activity:write"]);
    assert_eq!(program.post("/api/v1/activity", &json!(records)).ok()["accepted"], NASTY.len());
    house.caught_up();
    house
}

fn csv(caller: &Caller<'_>, query: &str) -> String {
    let reply = caller.get(&format!("/api/v1/activity.csv?app=t&order=asc&{query}"));
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.text()
}

/// Rows of cells, read by Python's `csv`; none where there is no Python, which only a machine of somebody's
/// own may lack.
fn read_by_python(text: &str) -> Option<Vec<Vec<String>>> {
    let script = "import csv,json,sys,io\n\
        text=io.TextIOWrapper(sys.stdin.buffer,encoding='utf-8',newline='')\n\
        json.dump(list(csv.reader(text,strict=True)),sys.stdout)";
    let started =
        Command::new("python3").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut python) = started else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must have python3");
        loudly("python3 IS MISSING: the CSV was NOT read back with another reader");
        return None;
    };
    python.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "python3 refuses the file");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn a_download_is_named_after_the_day_and_typed_after_its_form() {
    let house = house();
    let ada = house.signed_in("ada");
    for (path, kind, name) in [
        ("/api/v1/activity.csv", "text/csv; charset=utf-8", "activity-2026-03-15.csv"),
        ("/api/v1/activity.csv?raw=1", "text/csv; charset=utf-8", "activity-2026-03-15.raw.csv"),
        ("/api/v1/activity.ndjson", "application/x-ndjson", "activity-2026-03-15.ndjson"),
        ("/api/v1/activity.csv?tz=Pacific/Kiritimati", "text/csv; charset=utf-8", "activity-2026-03-16.csv"),
    ] {
        let reply = ada.get(path);
        assert_eq!(reply.header("Content-Type"), Some(kind), "{path}");
        let disposition = format!("attachment; filename=\"{name}\"");
        assert_eq!(reply.header("Content-Disposition"), Some(disposition.as_str()), "{path}");
    }
}

#[test]
fn the_columns_are_the_contracts_and_lines_end_as_rfc_4180_says() {
    let house = house();
    let text = csv(&house.signed_in("ada"), "q=attr.note:plain");
    let mut lines = text.split("\r\n");
    assert_eq!(lines.next(), Some(HEADER));
    let row = lines.next().unwrap();
    let start =
        "2026-03-01T00:00:00.250Z,mia,a0,plain,t,unknown,81.2.69.142,London,\"England, United Kingdom\",";
    assert!(row.starts_with(start), "{row}");
    assert_eq!((lines.next(), lines.next()), (Some(""), None), "{text}");
    let empty = csv(&house.signed_in("ada"), "q=zebra");
    assert_eq!(empty, format!("{HEADER}\r\n"));
}

#[test]
fn a_column_of_an_attribute_has_what_the_search_finds_by_its_name() {
    let house = House::new().with_admin("ada");
    let program = house.program("loader", &["activity:write"]);
    let sent = ["Region", "region", "REGION"]
        .map(|name| json!({"user": "mia", "action": name, "app": "t", "attributes": {name: "north"}}));
    program.post("/api/v1/activity", &json!(sent)).ok();
    house.caught_up();
    let text = csv(&house.signed_in("ada"), "q=attr.region:north&attribute=region");
    let cells: Vec<_> = text.lines().map(|line| line.rsplit(',').next().unwrap()).collect();
    assert_eq!(cells, ["region", "north", "north", "north"], "{text}");
}

#[test]
fn another_reader_finds_in_every_cell_what_was_written() {
    let house = house();
    let ada = house.signed_in("ada");
    let query = "attribute=note&attribute=k%2C1&attribute=none";
    let Some(raw) = read_by_python(&csv(&ada, &format!("{query}&raw=1"))) else { return };
    let header: Vec<&str> = HEADER.split(',').chain(["note", "k,1", "none"]).collect();
    assert_eq!(raw[0], header);
    let column = |rows: &[Vec<String>], at: usize| -> Vec<String> {
        rows[1..].iter().map(|row| row[at].clone()).collect()
    };
    assert!(raw.iter().all(|row| row.len() == 17), "every row has every column");
    assert_eq!(column(&raw, 3), NASTY, "untouched");
    assert_eq!(column(&raw, 14), NASTY);
    assert_eq!(column(&raw, 15), ["v"; NASTY.len()]);
    assert_eq!(column(&raw, 16), [""; NASTY.len()]);
    let safe = read_by_python(&csv(&ada, query)).unwrap();
    let runs = |text: &str| text.starts_with(['=', '+', '-', '@', '\t']);
    let neutral = NASTY.map(|text| if runs(text) { format!("'{text}") } else { text.to_owned() });
    assert_eq!(column(&safe, 3), neutral);
    assert_eq!(column(&safe, 14), neutral);
    assert!(column(&safe, 0).iter().all(|time| time.starts_with("2026-03-01T00:00:")), "times stay times");
}

#[test]
fn no_cell_of_any_column_begins_a_formula_unless_it_was_asked_for() {
    let house = House::new().with_admin("ada");
    let program = house.program("loader", &["activity:write"]);
    let evil = "=1+1";
    let record = json!({
        "user": evil, "action": evil, "detail": evil, "app": "=t", "city": evil, "region": "=region",
        "country": evil, "device": evil, "os": evil, "browser": evil, "session": evil,
        "attributes": {"=name": evil},
    });
    program.post("/api/v1/activity", &record).ok();
    house.caught_up();
    let ada = house.signed_in("ada");
    let path = "/api/v1/activity.csv?app=%3Dt&attribute=%3Dname";
    let Some(rows) = read_by_python(&ada.get(path).text()) else { return };
    assert_eq!(rows.len(), 2);
    for cell in rows.concat() {
        assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
    }
    let raw = read_by_python(&ada.get(&format!("{path}&raw=1")).text()).unwrap();
    assert!(raw[1].iter().all(|cell| !cell.starts_with('\'')), "raw is untouched: {:?}", raw[1]);
    assert_eq!(raw[0][14], "=name");
}

#[test]
fn a_download_has_as_many_rows_as_the_search_has_hits() {
    let house = House::new().with_admin("ada");
    let program = house.program("loader", &["activity:write"]);
    // More than any page and any chunk, and no round number.
    let line = |n| format!(r#"{{"user":"u{}","action":"tick","app":"t","detail":"a\nb"}}"#, n % 7);
    let lines = (0..3217).map(line).collect::<Vec<_>>().join("\n");
    let lines = program.with("Content-Type", "application/x-ndjson").send(
        Method::Post,
        "/api/v1/activity",
        lines.as_bytes(),
    );
    assert_eq!(lines.ok()["accepted"], 3217);
    house.caught_up();
    let ada = house.signed_in("ada");
    for query in ["app=t", "app=t&user=u3", "app=t&user=u3&order=asc", "q=zebra"] {
        let total = ada.get(&format!("/api/v1/activity?limit=1&{query}")).ok()["total"]["value"].clone();
        let reply = ada.get(&format!("/api/v1/activity.csv?{query}"));
        let rows = csv::Reader::from_reader(reply.body.as_slice()).into_records().count();
        assert_eq!(total, rows, "{query}");
        assert_eq!(reply.header("Rows"), Some(rows.to_string().as_str()));
        let ndjson = ada.get(&format!("/api/v1/activity.ndjson?{query}")).text();
        assert_eq!(ndjson.lines().count(), rows, "{query}");
    }
    let paged = super::http::walk("/api/v1/activity?app=t&limit=1000", |path| ada.get(path)).concat();
    let ndjson = ada.get("/api/v1/activity.ndjson?app=t").text();
    let exported: Vec<Value> = ndjson.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(exported, paged, "the same rows in the same order");
}

#[test]
fn a_download_is_in_the_log_with_what_was_looked_for() {
    let house = house();
    let mia = house.signed_in("mia");
    mia.get("/api/v1/activity.csv?app=t&q=plain&order=asc");
    let told = house.log("action=export").remove(0);
    assert_eq!([&told["user"], &told["session"]], ["mia", mia.session().as_str()]);
    assert!(told["detail"].as_str().unwrap().contains("q=plain"), "{told}");
    // `plain` stands in one record.
    assert_eq!(told["attributes"]["rows"], "1");
}

#[test]
fn whoever_asks_only_what_would_come_begins_no_export() {
    let house = house();
    let ada = house.signed_in("ada");
    for path in ["/api/v1/activity.csv?app=t&q=plain", "/api/v1/activity.ndjson?app=t"] {
        let (head, get) = (ada.send(Method::Head, path, b""), ada.get(path));
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        for name in ["Content-Type", "Content-Disposition", "Rows"] {
            assert_eq!(head.header(name), get.header(name), "{path} {name}");
            assert!(head.header(name).is_some(), "{path} {name}");
        }
    }
    assert_eq!(house.log("action=export").len(), 2, "two were read");
    let wrong = ada.send(Method::Head, "/api/v1/activity.csv?q=%28", b"");
    assert_eq!(wrong.status, 400);
}

#[test]
fn a_third_download_at_once_has_to_wait() {
    let house = house();
    let ada = house.signed_in("ada");
    let by = Actor { name: "ada".into(), kind: ActorKind::User(Role::Admin), ..Actor::console() };
    let (all, sheet) = (Filter::default(), Sheet { form: Form::Ndjson, columns: Vec::new() });
    let begin = || house.app.export(&by, &Scope::All, &all, Order::Desc, &Asked::default(), &sheet).unwrap();
    let (one, _two) = (begin(), begin());
    let refused = ada.get("/api/v1/activity.csv?app=t");
    assert_eq!(refused.refusal(), "429 busy");
    assert!(refused.header("Retry-After").is_some());
    assert!(refused.text().contains("2 of your downloads"), "{}", refused.text());
    assert_eq!(
        house.signed_in("mia").get("/api/v1/activity.csv?app=t").status,
        200,
        "it is nobody else's matter"
    );
    assert_eq!(house.log("action=export").len(), 3, "what was refused is none");
    drop(one);
    assert_eq!(ada.get("/api/v1/activity.csv?app=t").status, 200);
}

#[test]
fn a_download_that_ends_in_the_middle_is_seen_to_be_broken() {
    let folder = Folder::with_admin();
    let server = folder.serve();
    let token = folder.run(&["token", "add", "t", "--scope", "activity:write"]);
    let program = server.bearer(token.ok()).with("Content-Type", "application/x-ndjson");
    // More than all buffers on the way can hold.
    let line =
        format!("{{\"user\":\"u\",\"action\":\"a\",\"app\":\"t\",\"detail\":\"{}\"}}\n", "x".repeat(60_000));
    let body = line.repeat(600);
    assert_eq!(program.connect().send("POST", "/api/v1/activity", body.as_bytes()).ok()["accepted"], 600);
    let ada = server.signed_in("ada");
    ada.get_until("/api/v1/activity?app=t&limit=1", |reply| reply.json()["total"]["value"] == 600);
    let begin = || {
        let mut reading = ada.connect();
        reading.ask("GET", "/api/v1/activity.csv?app=t", b"");
        let (status, headers) = reading.head();
        assert_eq!(status, 200, "{headers:?}");
        assert!(headers.iter().any(|(name, rows)| name.eq_ignore_ascii_case("rows") && rows == "600"));
        assert!(!headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")));
        reading.chunk().unwrap();
        reading
    };
    let whole = begin().rest().unwrap();
    assert!(whole > 600 * 60_000, "{whole}");
    let mut reading = begin();
    folder.run(&["session", "logout", "--user", "ada"]).says("1 session ended");
    assert!(reading.rest().is_err(), "it ends without the last chunk");
}
