//! What is counted, as Prometheus reads it, and who may read it.

use rollcall::web::door::{Networks, Settings};
use serde_json::json;

use super::house::{Caller, House};

fn text(house: &House) -> String {
    let reply = house.stranger().at("127.0.0.1").with("Host", "127.0.0.1:8080").get("/metrics");
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    reply.text()
}

/// The value of a sample.
fn value(text: &str, sample: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("there is no {sample} in {text}")).parse().unwrap()
}

#[test]
fn what_happens_is_counted() {
    let house = House::new().with_admin("ada").with_member("ann");
    let before = text(&house);
    assert!(value(&before, "rollcall_sessions_live").abs() < 0.5);
    let ann = house.signed_in("ann");
    assert_eq!(house.stranger().sign_in("ann", "not the password").status, 401);
    let sender = house.program("sender", &["activity:write"]);
    let records = json!([{"user": "ann", "action": "backup", "id": "1"}, {"user": "ann", "action": "backup", "id": "1"}, {"user": "ann"}]);
    assert_eq!(sender.post("/api/v1/activity", &records).status, 200);
    assert_eq!(house.signed_in("ada").delete(&format!("/api/v1/sessions/{}", ann.session())).status, 204);
    house.caught_up();
    let after = text(&house);
    for (sample, count) in [
        ("rollcall_sessions_live", 1.0),
        ("rollcall_sign_ins_total{outcome=\"success\"}", 2.0),
        ("rollcall_sign_ins_total{outcome=\"failure\"}", 1.0),
        ("rollcall_sign_ins_total{outcome=\"held_back\"}", 0.0),
        ("rollcall_sessions_ended_total{by=\"admin\"}", 1.0),
        ("rollcall_activities_received_total{result=\"accepted\"}", 1.0),
        ("rollcall_activities_received_total{result=\"duplicate\"}", 1.0),
        ("rollcall_activities_received_total{result=\"rejected\"}", 1.0),
        ("rollcall_checks_total{decision=\"pass\"}", 0.0),
        ("rollcall_index_behind_activities", 0.0),
        ("rollcall_index_behind_seconds", 0.0),
        ("rollcall_writable", 1.0),
        ("rollcall_commits_failed_total", 0.0),
    ] {
        assert!((value(&after, sample) - count).abs() < 0.5, "{sample}: {after}");
    }
    for grown in [
        "rollcall_commit_seconds_count",
        "rollcall_http_requests_total{part=\"api\",status=\"2xx\"}",
        "rollcall_log_last_id",
    ] {
        assert!(value(&after, grown) > value(&before, grown), "{grown}");
    }
    for there in [
        "rollcall_data_bytes{part=\"log\"}",
        "rollcall_data_bytes{part=\"free\"}",
        "process_resident_memory_bytes",
        "process_open_fds",
    ] {
        assert!(value(&after, there) > 0.0, "{there}");
    }
}

#[test]
fn metrics_are_for_this_machine_and_for_tokens_with_their_scope() {
    let house = House::new().with_admin("ada");
    let asks = |caller: &Caller<'_>| caller.get("/metrics").status;
    assert_eq!(asks(&house.stranger()), 401);
    assert_eq!(asks(&house.signed_in("ada")), 401, "a session does not open them");
    assert_eq!(asks(&house.program("scraper", &["metrics"])), 200);
    assert_eq!(asks(&house.program("other", &["activity:read"])), 403);
    let here = house.stranger().at("127.0.0.1").with("Host", "localhost:8080");
    assert_eq!(asks(&here.at("::1")), 200);
    // A proxy on this machine speaks for somebody elsewhere.
    for header in ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host"] {
        assert_eq!(asks(&here.with(header, "127.0.0.1")), 401, "{header}");
    }
    // So does a browser on it, for the page of a site that has its name lead here.
    for (host, status) in [
        ("127.0.0.1", 200),
        ("[::1]:8080", 200),
        ("rollcall.localhost", 200),
        ("evil.example", 401),
        ("evil.example:8080", 401),
        ("127.0.0.1.evil.example", 401),
        ("", 401),
    ] {
        assert_eq!(asks(&here.with("Host", host)), status, "{host:?}");
    }
    assert_eq!(here.with("Host", "evil.example").get("/healthz").status, 200, "nothing else is held to it");
    // One that is trusted speaks for others even where it says nothing of them.
    let here = Networks([Networks::parse("127.0.0.0/8").unwrap()].to_vec());
    let house = House::with_settings(Settings { trusted_proxies: here, ..Settings::default() });
    assert_eq!(asks(&house.stranger().at("127.0.0.1").with("Host", "127.0.0.1")), 401);
    assert_eq!(asks(&house.program("scraper", &["metrics"]).at("127.0.0.1")), 200);
}

#[test]
fn the_dashboard_asks_only_for_what_is_counted() {
    let house = House::new().with_admin("ada");
    let counted = text(&house);
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/grafana.json");
    let dashboard: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 5, "there is something to see");
    for panel in panels {
        for target in panel["targets"].as_array().unwrap() {
            let asked = target["expr"].as_str().unwrap();
            let names = asked.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let names: Vec<_> =
                names.filter(|name| name.starts_with("rollcall_") || name.starts_with("process_")).collect();
            assert!(!names.is_empty(), "{asked}");
            for name in names {
                assert!(counted.contains(name), "{name} is not counted");
            }
        }
    }
}
