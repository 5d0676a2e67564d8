//! Whatever bytes come in, the answer is one that was meant: samples of each format, changed and mixed at random, at every
//! door that takes them. Nothing may panic, which is a 500 here, and nothing may hang.
//!
//! `ROLLCALL_FUZZ_SECONDS` says how long each door is worked at; its default is for the tests of every day.
//! `ROLLCALL_FUZZ_SEED` makes it another run than the one of every day.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value as Any},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
};
use prost::Message as _;
use rocket::http::Method;
use rollcall::{
    domain::geo::Geo,
    model::{note::Note, query::Query, retention::Retention},
    store::unpack_backup,
    web::door::{Networks, Settings},
};
use serde_json::json;

use super::house::{Caller, House, LONDON, fixture};

/// How long each door is worked at, in seconds.
const SECONDS: f64 = 1.5;

/// How long one input may take: this is a debug build, on a machine that is busy with the other tests.
const HANG: Duration = Duration::from_secs(5);

/// The longest input, in bytes, but for samples that are longer.
const LONGEST: usize = 4096;

/// What stands in many formats and is at the edge of something.
const WORDS: &[&str] = &[
    "\"",
    "'",
    "\\",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    ":",
    ",",
    ";",
    "=",
    "*",
    "-",
    "%",
    "&",
    "#",
    "/",
    "//",
    "..",
    "\0",
    "\r\n",
    "\n",
    "\t",
    " ",
    "\u{feff}",
    "\u{202e}",
    "é",
    "ß",
    "字",
    "😀",
    "null",
    "true",
    "-1",
    "0",
    "1e999",
    "18446744073709551616",
    "9999-12-31T23:59:59.999Z",
    "-9999-01-01",
    "2026-02-30",
    "NaN",
    " OR ",
    "user:",
    "ip:",
    "attr.x:",
    "\\u0000",
    "\\ud800",
    "[[[[[[[[",
    "{\"a\":{\"a\":{\"a\":",
    "((((((((",
    "http://",
    "https://a@b:99999/",
    "::ffff:1.2.3.4",
    "[::1]:80",
    "255.255.255.256",
    "for=",
    "rcs_",
    "%00",
    "%c3%28",
    "<13>1 ",
];

/// Random numbers (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }

    /// A sample, changed in a few places.
    fn changed(&mut self, samples: &[&[u8]]) -> Vec<u8> {
        let mut bytes = self.of(samples).to_vec();
        for _ in 0..=self.below(6) {
            let at = self.below(bytes.len() + 1);
            match self.below(8) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 if at < bytes.len() => bytes[at] = u8::try_from(self.below(256)).unwrap(),
                2 => bytes.truncate(at),
                3 => {
                    let end = bytes.len().min(at + 1 + self.below(16));
                    bytes.drain(at..end);
                }
                4 if bytes.len() < LONGEST => {
                    // A piece of it once more, or many times.
                    let piece = bytes[at..bytes.len().min(at + 1 + self.below(32))].to_vec();
                    bytes.splice(at..at, piece.repeat(1 + self.below(20)));
                }
                5 => {
                    // The end of another.
                    let other = self.of(samples);
                    let from = self.below(other.len() + 1);
                    bytes.truncate(at);
                    bytes.extend_from_slice(&other[from..]);
                }
                _ => {
                    let word = self.of(WORDS);
                    bytes.splice(at..at, word.bytes());
                }
            }
        }
        bytes
    }
}

/// Works at a door for as long as is due. How often.
fn fuzz(samples: &[&[u8]], mut meet: impl FnMut(&[u8])) -> usize {
    let variable = |name| std::env::var(name).ok();
    let seconds = variable("ROLLCALL_FUZZ_SECONDS").and_then(|text| text.parse().ok()).unwrap_or(SECONDS);
    let seed = variable("ROLLCALL_FUZZ_SEED").and_then(|text| text.parse().ok()).unwrap_or(0x9e37_79b9);
    let mut random = Random(seed);
    let start = Instant::now();
    let mut times = 0;
    while start.elapsed() < Duration::from_secs_f64(seconds) {
        let input = random.changed(samples);
        let begun = Instant::now();
        meet(&input);
        assert!(begun.elapsed() < HANG, "{:?} takes {:?}", String::from_utf8_lossy(&input), begun.elapsed());
        times += 1;
    }
    assert!(times > 0, "nothing was tried");
    times
}

/// The same for text: what of the input is none is left out.
fn fuzz_text(samples: &[&str], mut meet: impl FnMut(&str)) {
    let samples: Vec<&[u8]> = samples.iter().map(|sample| sample.as_bytes()).collect();
    fuzz(&samples, |input| meet(&String::from_utf8_lossy(input)));
}

/// Sends a body of a kind to an address, again and again.
fn fuzz_body(program: &Caller<'_>, kind: &str, path: &str, samples: &[&[u8]]) {
    let program = program.with("Content-Type", kind);
    fuzz(samples, |input| {
        let reply = program.send(Method::Post, path, input);
        assert!(reply.status < 500, "{kind} {path} {input:?}: {}", reply.status);
    });
}

/// What can stand in a header that gets as far as us: hyper refuses the rest.
fn header(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').collect()
}

/// What can stand in an address that gets as far as us.
fn escaped(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[test]
fn the_search_box() {
    let samples = [
        "restore \"Account 2024\" -user:ann (app:vault OR app:wiki*) ip:10.0.0.0/8",
        "attr.size:12 user.name:ann outcome:failure country:GB detail:\"a b\"",
        "INC-4711 Müller 東京 CreateBucket -(a OR -b)",
    ];
    fuzz_text(&samples, |text| {
        for parsed in [Query::parse(text), Query::parse_typing(text)] {
            if let Err(error) = parsed {
                assert!(!error.to_string().is_empty());
            }
        }
    });
}

#[test]
fn a_search_of_the_api_and_its_parameters() {
    let house = House::new();
    let program = house.program("seeker", &["activity:read"]);
    program.get("/api/v1/activity");
    let samples = [
        "q=restore -user:ann&period=7d&limit=10",
        "from=2026-01-01&to=2026-02-01T00:00:00Z&tz=Europe/Berlin&order=asc&cursor=abc",
        "user=ann&app=vault&ip=10.0.0.0/8&outcome=failure&session=x&buckets=20&field=app",
    ];
    fuzz_text(&samples, |text| {
        let pairs = text.split('&').map(|pair| match pair.split_once('=') {
            Some((name, value)) => format!("{}={}", escaped(name), escaped(value)),
            None => escaped(pair),
        });
        let query = pairs.collect::<Vec<_>>().join("&");
        for path in ["activity", "activity/histogram", "activity/facets"] {
            let reply = program.get(&format!("/api/v1/{path}?{query}"));
            assert!(reply.status < 500, "{path}?{query}: {}", reply.status);
        }
    });
}

#[test]
fn activities_in_json_and_what_is_like_it() {
    let house = House::new();
    let program = house.program("vault", &["activity:write"]);
    let path = "/api/v1/activity";
    let ours = json!({"user": "ann", "action": "restore", "time": "2026-03-01T08:00:00.123Z", "id": "k1", "ip": LONDON,
        "attributes": {"size": 12, "a": {"b": [1, null]}}, "outcome": "failure", "detail": "Account_2024.csv"})
    .to_string();
    let ecs = json!({"@timestamp": "2026-03-01T08:00:00Z", "event": {"action": "x", "outcome": "success"},
        "user": {"name": "ann"}, "source.ip": LONDON, "tags": ["a"]})
    .to_string();
    let event = json!({"specversion": "1.0", "id": "1", "source": "/s", "type": "order.paid", "time": "2026-03-01T08:00:00Z",
        "data": {"user": "ann", "action": "paid"}})
    .to_string();
    let array = format!("[{ours},{ecs},{event}]");
    let lines = format!("{ours}\n{ecs}\n\n{event}\n");
    let [ours, ecs, event, array, lines] = [&ours, &ecs, &event, &array, &lines].map(String::as_bytes);
    fuzz_body(&program, "application/json", path, &[ours, ecs, event, array]);
    fuzz_body(&program, "application/x-ndjson", path, &[lines]);
    fuzz_body(&program, "application/cloudevents+json", path, &[event]);
    fuzz_body(&program, "application/cloudevents-batch+json", path, &[array]);
    let bulk =
        [&b"{\"create\":{\"_id\":\"1\"}}\n"[..], ecs, b"\n{\"index\":{\"_index\":\"a\"}}\n", ours, b"\n"]
            .concat();
    fuzz_body(&program, "application/x-ndjson", "/es/_bulk", &[&bulk]);
}

#[test]
fn packed_bodies() {
    let house = House::new();
    let program = house.program("vault", &["activity:write"]);
    let record = br#"{"user":"ann","action":"restore"}"#.repeat(20);
    let zstd = zstd::encode_all(&record[..], 3).unwrap();
    fuzz_body(
        &program.with("Content-Encoding", "zstd"),
        "application/x-ndjson",
        "/api/v1/activity",
        &[&zstd],
    );
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &record).unwrap();
    let gzip = gzip.finish().unwrap();
    fuzz_body(
        &program.with("Content-Encoding", "gzip"),
        "application/x-ndjson",
        "/api/v1/activity",
        &[&gzip],
    );
}

#[test]
fn log_records_of_opentelemetry() {
    let house = House::new();
    let program = house.program("shop", &["activity:write"]);
    let text = |text: &str| Some(AnyValue { value: Some(Any::StringValue(text.to_owned())) });
    let attribute =
        |key: &str, value: &str| KeyValue { key: key.to_owned(), value: text(value), ..KeyValue::default() };
    let record = LogRecord {
        time_unix_nano: 1_772_352_000_123_456_789,
        event_name: "paid".to_owned(),
        body: text("three books"),
        attributes: vec![attribute("enduser.id", "ann"), attribute("client.address", LONDON)],
        trace_id: vec![1; 16],
        ..LogRecord::default()
    };
    let scope = ScopeLogs { log_records: vec![record.clone(), record], ..ScopeLogs::default() };
    let logs = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
    let request = ExportLogsServiceRequest { resource_logs: vec![logs] };
    fuzz_body(&program, "application/x-protobuf", "/v1/logs", &[&request.encode_to_vec()]);
    let request = json!({"resourceLogs": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "orders"}}]},
        "scopeLogs": [{"logRecords": [{"timeUnixNano": "1772352000123456789", "eventName": "paid",
        "body": {"kvlistValue": {"values": [{"key": "a", "value": {"intValue": "1"}}]}},
        "attributes": [{"key": "enduser.id", "value": {"stringValue": "ann"}}]}]}]}]});
    fuzz_body(&program, "application/json", "/v1/logs", &[request.to_string().as_bytes()]);
}

#[test]
fn forms_and_json_that_people_send() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    let form =
        b"keep=90d&size=1.5&rules=app+wiki+10d%0Aaction+x+forever&csrf=abc&sessions=a&next=%2Fsessions";
    for path in ["/settings/retention", "/signin", "/sessions/logout"] {
        fuzz_body(&ada, "application/x-www-form-urlencoded", path, &[form]);
    }
    let json = br#"{"sessions":["a"],"user":"mia","all":true,"except_current":true,"reason":"lost","name":"t","scopes":["metrics"]}"#;
    fuzz_body(&ada, "application/json", "/api/v1/sessions/logout", &[json]);
    fuzz_body(&ada, "application/json", "/api/v1/tokens", &[json]);
    fuzz_text(&["90d\n20\napp wiki 10d", "forever\n0.5\naction x 2y", "6m\n\n"], |text| {
        let mut parts = text.splitn(3, '\n').map(str::to_owned);
        let mut part = || parts.next().unwrap_or_default();
        if let Ok(read) = Retention::read(&part(), &part(), &part()) {
            assert_eq!(read.to_string().parse::<Retention>().as_ref(), Ok(&read), "{text:?}");
        }
    });
}

#[test]
fn cookies_addresses_and_the_way_back_in_headers() {
    let networks = Networks::parse("10.0.0.0/8").into_iter().collect();
    let settings = Settings { trusted_proxies: Networks(networks), ..Settings::default() };
    let house = House::with_settings(settings).with_admin("ada");
    let ada = house.signed_in("ada").at("10.0.0.1");
    let cookie = ada.header("Cookie").to_owned();
    let samples = [
        "X-Forwarded-For|203.0.113.7, 10.0.0.2",
        "Forwarded|for=\"[2001:db8::17]:4711\";proto=https;host=a.example, for=10.0.0.2",
        "X-Original-URL|https://wiki.example.org/a?b=c",
        "X-Forwarded-Uri|/a/../b?rd=https://evil.example/",
        "X-Forwarded-Host|wiki.example.org:8443",
        "Host|rollcall.test:80",
        "Sec-CH-UA|\"Chromium\";v=\"124\", \"Not:A-Brand\";v=\"99\"",
        "User-Agent|Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0",
        "Accept-Language|de-DE,de;q=0.9,*;q=0.1",
        "If-None-Match|\"abc\", W/\"d\"",
        "Origin|http://rollcall.test",
        "Authorization|Bearer rct_Q0YFestj5VilxZ6S1s3Juz9C7W4s3tjIVF7dRTx8WE8",
        &format!("Cookie|{cookie}; rollcall-browser=rcb_x"),
    ];
    fuzz_text(&samples, |text| {
        let Some((name, value)) = text.split_once('|') else { return };
        let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        if name.is_empty() {
            return;
        }
        let caller = ada.with(&name, &header(value));
        for path in ["/api/v1/me", "/settings/address", "/auth/nginx", "/auth/forward"] {
            let reply = caller.get(path);
            assert!(reply.status < 500, "{name}: {value:?} at {path}: {}", reply.status);
        }
    });
    fuzz_text(
        &["/sessions?user=a", "https://wiki.example.org/x", "//evil.example/", "/\\evil.example"],
        |text| {
            for path in ["/signin?next=", "/signin?rd=", "/auth/forward?rd=", "/auth/handover?code="] {
                let reply = ada.get(&format!("{path}{}", escaped(text)));
                assert!(reply.status < 500, "{path}{text}: {}", reply.status);
                let to = reply.header("Location").unwrap_or("/").to_owned();
                let at_home = to.starts_with('/') && !to.starts_with("//") && !to.contains('\\');
                assert!(at_home || to.starts_with("http://rollcall.test/"), "{path}{text} leads to {to}");
            }
        },
    );
}

#[test]
fn backups_that_are_none() {
    let house = House::new().with_admin("ada");
    let mut whole = Vec::new();
    house.app.backup(&rollcall::model::user::Actor::console(), &mut whole, &mut |_, _| {}).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let unpack = |input: &[u8]| {
        let _ = fs::remove_file(folder.path().join(rollcall::store::FILE));
        unpack_backup(&mut &input[..], folder.path(), &mut |_, _| {})
    };
    assert!(unpack(&whole).is_ok());
    fuzz(&[&whole], |input| {
        assert!(input == whole || unpack(input).is_err(), "it was believed");
    });
}

#[test]
fn checkpoints_that_are_none() {
    let house = House::new();
    let (_, note) = house.app.checkpoint().unwrap();
    fuzz_text(&[&note.to_string()], |text| {
        for read in Note::read_all(text).unwrap_or_default().0 {
            let (again, _) = Note::read_all(&read.to_string()).unwrap();
            assert_eq!(again.len(), 1, "{text:?}");
            assert_eq!(again[0].to_string(), read.to_string());
        }
    });
}

#[test]
fn city_databases_that_are_none() {
    // A record may be at the end of 512 pointers to pointers, which take 4 MB of stack where nothing is optimised.
    thread::Builder::new().stack_size(8 << 20).spawn(city_databases).unwrap().join().unwrap();
}

fn city_databases() {
    let whole = fs::read(fixture("mmdb/GeoIP2-City-Test.mmdb")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let geo = Geo::open(folder.path(), Some(&fixture("mmdb/GeoLite2-City-Test.mmdb"))).unwrap();
    fuzz(&[&whole], |input| {
        // Where it is taken it answers something, and the server lives.
        let _ = geo.replace_from(input);
        for ip in [LONDON, "2001:218::1", "216.160.83.56", "1.1.1.1"] {
            let _ = geo.place(ip.parse().unwrap());
        }
    });
}
