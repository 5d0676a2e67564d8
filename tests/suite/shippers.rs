//! What log shippers send, in their own protocols: each record is found again, and each refusal is one they understand.

use data_encoding::BASE64;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use prost::Message as _;
use rocket::http::Method;
use rollcall::domain::ingest::Load;
use serde_json::{Value, json};

use super::{
    house::{Caller, FIREFOX, House, LONDON},
    http::{Reply, each},
};

const ACTIVITY: &str = "/api/v1/activity";

fn of_type(program: &Caller<'_>, kind: &str, path: &str, body: &str) -> Reply {
    program.with("Content-Type", kind).send(Method::Post, path, body.as_bytes())
}

fn bulk(program: &Caller<'_>, lines: &[Value]) -> Reply {
    let body = lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    of_type(program, "application/x-ndjson", "/es/_bulk", &body)
}

#[test]
fn a_document_of_the_elastic_common_schema_is_understood_wherever_activities_are_taken() {
    let house = House::new();
    let vault = house.program("vault", &["activity:write"]);
    let document = json!({
        "@timestamp": "2026-03-01T08:00:00.123Z", "message": "Account_2024.csv", "ecs": {"version": "8.11.0"},
        "event": {"action": "restore", "outcome": "failure"}, "user": {"name": "ann", "id": "S-1"},
        "source": {"ip": LONDON}, "user_agent": {"original": FIREFOX}, "service.name": "archive", "tags": ["a", "b"],
    });
    vault.post(ACTIVITY, &document).ok();
    of_type(&vault, "application/x-ndjson", ACTIVITY, &format!("{document}\n")).ok();
    vault.post(ACTIVITY, &json!([document])).ok();
    assert_eq!(bulk(&vault, &[json!({"create": {}}), document]).ok()["errors"], false);
    let found = house.log("app=archive");
    assert_eq!(found.len(), 4);
    for found in found {
        let fields = ["time", "user", "action", "detail", "outcome", "ip", "city", "user_agent"]
            .map(|name| &found[name]);
        let expected = [
            "2026-03-01T08:00:00.123Z",
            "ann",
            "restore",
            "Account_2024.csv",
            "failure",
            LONDON,
            "London",
            FIREFOX,
        ];
        assert_eq!(fields, expected);
        assert_eq!(
            found["attributes"],
            json!({"ecs.version": "8.11.0", "tags": r#"["a","b"]"#, "user.id": "S-1"})
        );
    }
}

#[test]
fn a_record_that_a_shipper_put_its_own_fields_beside_is_still_ours() {
    let house = House::new();
    let vault = house.program("vault", &["activity:write"]);
    let record = json!({"@timestamp": "2026-03-01T08:00:00Z", "user": "ann", "action": "x", "attributes": {"size": 12}});
    vault.post(ACTIVITY, &record).ok();
    let found = house.log("app=vault").remove(0);
    assert_eq!((&found["time"], &found["user"]), (&json!("2026-03-01T08:00:00.000Z"), &json!("ann")));
    assert_eq!(found["attributes"], json!({"size": "12"}));
}

#[test]
fn cloudevents_are_taken_alone_in_batches_and_in_headers() {
    let house = House::new();
    let shop = house.program("shop", &["activity:write"]);
    let event = |id: &str| {
        json!({"specversion": "1.0", "id": id, "source": "/orders", "type": "paid", "subject": "order 9",
               "time": "2026-03-01T08:00:00Z", "data": {"user": "ann", "amount": 3}})
    };
    let alone =
        of_type(&shop, "application/cloudevents+json; charset=utf-8", ACTIVITY, &event("1").to_string());
    assert_eq!(alone.ok()["accepted"], 1);
    let batch = json!([event("1"), event("2")]).to_string();
    let batch = of_type(&shop, "application/cloudevents-batch+json", ACTIVITY, &batch).ok();
    assert_eq!(
        (&batch["accepted"], &batch["duplicates"]),
        (&json!(1), &json!(1)),
        "source and id make it the same"
    );
    let headers = shop
        .with("ce-specversion", "1.0")
        .with("ce-id", "3")
        .with("ce-source", "/orders")
        .with("ce-type", "paid")
        .with("ce-subject", "order%209");
    let bodied = of_type(&headers, "application/json", ACTIVITY, r#"{"user":"ann","amount":3}"#);
    assert_eq!(bodied.ok()["accepted"], 1);
    let plain = headers.with("ce-id", "4").with("ce-authid", "bob");
    assert_eq!(of_type(&plain, "text/plain", ACTIVITY, "three books").ok()["accepted"], 1);
    let bare = headers.with("ce-id", "5").with("ce-authid", "cid").with("ce-type", "refunded");
    let bare = of_type(&bare, "application/json", ACTIVITY, "");
    assert_eq!(bare.ok()["accepted"], 1, "an event may have no data");
    assert_eq!(each(&house.log("action=refunded"), "user"), ["cid"]);
    let found = house.log("action=paid");
    assert_eq!(each(&found, "user"), ["bob", "ann", "ann", "ann"]);
    assert!(found.iter().all(|found| found["target"] == "order 9"), "{found:?}");
    assert_eq!(found[0]["detail"], "three books");
    let expected = json!({"amount": "3", "ce.source": "/orders", "ce.subject": "order 9", "ce.type": "paid"});
    assert_eq!(found[3]["attributes"], expected);
    let old = json!({"specversion": "0.3", "id": "1", "source": "/", "type": "x"});
    assert_eq!(shop.post(ACTIVITY, &old).status, 400);
}

#[test]
fn what_is_too_long_costs_no_shipper_its_record_and_is_said() {
    let house = House::new();
    let beats = house.program("beats", &["activity:write"]);
    let (trace, name) = ("at Foo.bar ".repeat(900), "n".repeat(140));
    let document = json!({"user.name": "ann", "event.action": "crash", "message": "m".repeat(70_000), "error": {"stack_trace": trace},
        (name.clone() + "1"): "one", (name.clone() + "2"): "two"});
    let reply = bulk(&beats, &[json!({"index": {"_index": "logs"}}), document]).ok();
    assert_eq!(reply["errors"], false, "{reply}");
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let record = json!({"eventName": "crash", "attributes": [text("enduser.id", "ann"), text("exception.stacktrace", &trace)]});
    let request = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]});
    assert_eq!(beats.post("/v1/logs", &request).ok(), json!({}));
    let found = house.log("action=crash");
    assert_eq!(found.len(), 2);
    for (found, name) in found.iter().zip(["exception.stacktrace", "error.stack_trace"]) {
        let attributes = &found["attributes"];
        assert_eq!(
            (attributes["cut"].as_str(), attributes[name].as_str()),
            (Some("true"), Some(&trace[..8192]))
        );
    }
    assert_eq!(found[1]["detail"].as_str().unwrap().len(), 65_536);
    let held = found[1]["attributes"].as_object().unwrap();
    let cut: Vec<_> = held.iter().filter(|(held, _)| held.starts_with("nnn")).collect();
    assert!(cut.len() == 2 && cut.iter().all(|(held, _)| held.len() == 128), "{cut:?}");
    // Whoever reads the answer is told instead.
    let refused = json!({"user": "ann", "action": "crash", "attributes": {"trace": trace}});
    assert_eq!(beats.post(ACTIVITY, &refused).status, 400);
}

#[test]
fn a_token_is_shown_in_any_of_the_ways_that_shippers_know() {
    let house = House::new();
    let bearer = house.program("beats", &["activity:write"]);
    let token = bearer.header("Authorization").strip_prefix("Bearer ").unwrap().to_owned();
    let pair = BASE64.encode(format!("rollcall:{token}").as_bytes());
    assert_eq!(bearer.get("/es").status, 200, "with a slash at the end or without");
    for shown in [
        format!("Bearer {token}"),
        format!("Basic {pair}"),
        format!("ApiKey {pair}"),
        format!("ApiKey {token}"),
        format!("apikey {pair}"),
    ] {
        let reply = bearer.with("Authorization", &shown).get("/es/");
        assert_eq!(reply.ok()["tagline"], "You Know, for Search", "{shown}");
        assert_eq!(reply.header("X-Elastic-Product"), Some("Elasticsearch"));
        let head = bearer.with("Authorization", &shown).send(Method::Head, "/es/", b"");
        assert_eq!((head.status, head.header("X-Elastic-Product")), (200, Some("Elasticsearch")));
    }
    let wrong = BASE64.encode(b"rollcall:nothing");
    for shown in [
        format!("Basic {wrong}"),
        "Basic %%".into(),
        "ApiKey".into(),
        format!("Digest {pair}"),
        String::new(),
    ] {
        let reply = bearer.with("Authorization", &shown).get("/es/");
        assert_eq!((reply.status, &reply.json()["status"]), (401, &json!(401)), "{shown}");
        assert_eq!(reply.header("X-Elastic-Product"), Some("Elasticsearch"));
    }
    assert_eq!(bearer.without("Authorization").get("/es/").status, 401);
    let reader = house.program("reads", &["activity:read"]);
    assert_eq!(reader.get("/es/").refusal(), "403 forbidden");
    assert_eq!(bearer.with("Authorization", &format!("Basic {pair}")).get("/api/v1/activity").status, 401);
}

#[test]
fn no_address_of_shippers_opens_to_a_session_or_to_another_scope() {
    let house = House::new().with_admin("ada");
    let (ada, reader) = (house.signed_in("ada"), house.program("reads", &["activity:read", "session:write"]));
    let all = house.addresses();
    let theirs: Vec<_> = all
        .iter()
        .filter(|(_, at)| at == "/es" || at.starts_with("/es/") || at.starts_with("/v1/"))
        .collect();
    assert!(theirs.len() > 10, "{all:?}");
    for (method, address) in theirs {
        let address =
            address.replace("<kind>/<_name..>", "_template/x").replace("<index>", "x").replace("<id>", "1");
        assert_eq!(ada.send(*method, &address, b"{}").status, 401, "{method} {address}");
        assert_eq!(reader.send(*method, &address, b"{}").status, 403, "{method} {address}");
    }
}

#[test]
fn each_item_of_a_bulk_is_answered_for_itself() {
    let house = House::new();
    let beats = house.program("beats", &["activity:write"]);
    let good = json!({"user": {"name": "ann"}, "event": {"action": "x"}});
    let lines = [
        json!({"create": {"_index": "logs-a", "_id": "1"}}),
        good.clone(),
        json!({"index": {"_index": "logs-b", "_id": "1"}}),
        good.clone(),
        json!({"index": {"_index": "logs-b", "_id": "1"}}),
        good.clone(),
        json!({"create": {"_index": "logs-a", "_id": "1"}}),
        good.clone(),
        json!({"index": {}}),
        good.clone(),
        json!({"index": {"_id": "2"}}),
        json!({"message": "nobody"}),
        json!({"update": {"_id": "1"}}),
        json!({"doc": {}}),
        json!({"delete": {"_id": "1"}}),
    ];
    let answer = bulk(&beats, &lines).ok();
    assert_eq!(answer["errors"], true);
    let items = answer["items"].as_array().unwrap();
    let seen: Vec<(&str, u64, &str)> = items
        .iter()
        .map(|item| {
            let (operation, about) = item.as_object().unwrap().iter().next().unwrap();
            let word = about["result"].as_str().or(about["error"]["type"].as_str()).unwrap();
            (operation.as_str(), about["status"].as_u64().unwrap(), word)
        })
        .collect();
    let expected = [
        ("create", 201, "created"),
        ("index", 201, "created"),
        ("index", 200, "noop"),
        ("create", 409, "version_conflict_engine_exception"),
        ("index", 201, "created"),
        ("index", 400, "document_parsing_exception"),
        ("update", 400, "document_parsing_exception"),
        ("delete", 400, "document_parsing_exception"),
    ];
    assert_eq!(seen, expected);
    assert_eq!((&items[0]["create"]["_index"], &items[0]["create"]["_id"]), (&json!("logs-a"), &json!("1")));
    assert_eq!(items[4]["index"]["_index"], "activity");
    let why = items[5]["index"]["error"]["reason"].as_str().unwrap();
    assert_eq!(why, "user is missing or empty");
    let found = house.log("app=beats");
    assert_eq!(found.len(), 3, "an id is one of its index");
    let indices: Vec<&Value> = found.iter().map(|found| &found["attributes"]["_index"]).collect();
    assert_eq!(indices, [&Value::Null, &json!("logs-b"), &json!("logs-a")]);
    assert_eq!(items[4]["index"]["_id"], found[0]["id"], "without an id it is the log's");
    let named = of_type(
        &beats,
        "application/vnd.elasticsearch+x-ndjson; compatible-with=8",
        "/es/logs-c/_bulk",
        &format!("{}\n{good}\n", json!({"index": {}})),
    );
    assert_eq!(named.ok()["items"][0]["index"]["_index"], "logs-c");
    assert_eq!(house.program("other", &["activity:write"]).get("/es/").status, 200);
    let other = house.program("second", &["activity:write"]);
    assert_eq!(
        bulk(&other, &lines[..2]).ok()["items"][0]["create"]["status"],
        201,
        "ids are each token's own"
    );
}

#[test]
fn a_document_alone_is_taken_as_a_bulk_of_one_and_answered_for_itself() {
    let house = House::new();
    let beats = house.program("beats", &["activity:write"]);
    let good = "{\n  \"user\": {\"name\": \"ann\"},\n  \"event\": {\"action\": \"x\"}\n}\n";
    let send = |method: Method, path: &str, body: &str| {
        let reply = beats.with("Content-Type", "application/json").send(method, path, body.as_bytes());
        assert_eq!(reply.header("X-Elastic-Product"), Some("Elasticsearch"));
        (reply.status, reply.json())
    };
    let (post, put) = (Method::Post, Method::Put);
    let shards = json!({"total": 1, "successful": 1, "failed": 0});
    let told = |id: &str, result: &str| json!({"_index": "logs", "_id": id, "_version": 1, "result": result, "_shards": shards, "_seq_no": 0, "_primary_term": 1});
    for (method, path, status, id, result) in [
        (put, "/es/logs/_doc/1", 201, "1", "created"),
        (put, "/es/logs/_doc/1", 200, "1", "noop"),
        (post, "/es/logs/_doc/1?refresh=true", 200, "1", "noop"),
        (put, "/es/logs/_create/a%2Fb", 201, "a/b", "created"),
        (post, "/es/logs/_create/3", 201, "3", "created"),
        (post, "/es/logs/_doc/4?op_type=create", 201, "4", "created"),
    ] {
        assert_eq!(send(method, path, good), (status, told(id, result)), "{method} {path}");
    }
    for (method, path) in [
        (put, "/es/logs/_create/1"),
        (post, "/es/logs/_create/1"),
        (put, "/es/logs/_doc/1?op_type=create"),
        (post, "/es/logs/_doc/1?op_type=create"),
    ] {
        let (status, said) = send(method, path, good);
        assert_eq!((status, &said["status"]), (409, &json!(409)), "{method} {path}");
        assert_eq!(said["error"]["type"], "version_conflict_engine_exception");
        assert_eq!(
            said["error"]["root_cause"][0]["reason"],
            "[1]: version conflict, document already exists"
        );
    }
    let (status, said) = send(post, "/es/logs/_doc", good);
    assert_eq!(status, 201);
    let found = house.log("app=beats");
    assert_eq!(found.len(), 5);
    assert_eq!(said, told(found[0]["id"].as_str().unwrap(), "created"), "without an id it is the log's");
    assert!(found.iter().all(|found| found["attributes"]["_index"] == "logs" && found["user"] == "ann"));
    // The same document in a bulk is the same document.
    let again = bulk(
        &beats,
        &[json!({"create": {"_index": "logs", "_id": "a/b"}}), json!({"user": "ann", "action": "x"})],
    );
    assert_eq!(again.ok()["items"][0]["create"]["status"], 409);
    for (body, kind, why) in [
        ("{\"message\": \"nobody\"}", "document_parsing_exception", "user is missing or empty"),
        (
            "{\"user\": \"ann\",\n \"action\": \"x\", \"message\": \"two\nlines\"}",
            "document_parsing_exception",
            "",
        ),
        (
            "{\"user\": \"ann\", \"action\": \"x\"}\n{\"user\": \"bob\", \"action\": \"x\"}",
            "document_parsing_exception",
            "",
        ),
        (" \n", "bad_request", "the body holds no document; send one as JSON"),
    ] {
        let (status, said) = send(post, "/es/logs/_doc", body);
        assert_eq!((status, &said["error"]["type"]), (400, &json!(kind)), "{body}: {said}");
        let reason = said["error"]["reason"].as_str().unwrap();
        assert!(if why.is_empty() { !reason.is_empty() } else { reason == why }, "{body}: {reason}");
    }
    assert_eq!(
        send(put, "/es/logs/_doc/9?op_type=update", good).1["error"]["reason"],
        "op_type is index or create"
    );
}

#[test]
fn another_document_under_an_id_that_is_known_is_a_conflict_and_not_passed_over() {
    let house = House::new();
    let beats = house.program("beats", &["activity:write"]);
    let document = |message: &str| json!({"@timestamp": "2026-03-01T08:00:00Z", "user.name": "ann", "event.action": "x", "message": message});
    let into = |operation: &str| json!({operation: {"_index": "logs", "_id": "7"}});
    let lines = [
        into("index"),
        document("one"),
        into("index"),
        document("one"),
        into("index"),
        document("two"),
        into("create"),
        document("two"),
    ];
    let answer = bulk(&beats, &lines).ok();
    assert_eq!(answer["errors"], true);
    let items = answer["items"].as_array().unwrap();
    let about = |at: usize| items[at].as_object().unwrap().values().next().unwrap();
    assert_eq!([&about(0)["result"], &about(1)["result"]], ["created", "noop"]);
    for at in [2, 3] {
        let error = &about(at)["error"];
        assert_eq!((&about(at)["status"], &about(at)["_id"]), (&json!(409), &json!("7")), "{error}");
        assert_eq!(error["type"], "version_conflict_engine_exception");
        let reason = error["reason"].as_str().unwrap();
        assert!(reason.starts_with("[7]: version conflict") && reason.contains("append-only"), "{reason}");
    }
    let alone = |message: &str| {
        let body = document(message).to_string();
        of_type(&beats, "application/json", "/es/logs/_doc/7", &body).status
    };
    assert_eq!((alone("one"), alone("two")), (200, 409));
    assert_eq!(each(&house.log("app=beats"), "detail"), ["one"]);
    // What OpenTelemetry and CloudEvents number is told of in their ways.
    let logs = |event: &str| {
        let of = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
        let attributes = [of("user.name", "ann"), of("log.record.uid", "u1")];
        let record = json!({"eventName": event, "attributes": attributes});
        beats.post("/v1/logs", &json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]})).ok()
    };
    assert_eq!((logs("paid"), logs("paid")), (json!({}), json!({})));
    let partial = logs("sent");
    assert!(partial["partialSuccess"]["errorMessage"].as_str().unwrap().contains("append-only"), "{partial}");
    let event = |kind: &str| json!({"specversion": "1.0", "id": "1", "source": "/s", "type": kind, "data": {"user": "ann"}});
    assert_eq!(beats.post(ACTIVITY, &event("paid")).status, 200);
    assert_eq!(beats.post(ACTIVITY, &event("paid")).ok()["duplicates"], 1);
    let other = beats.post(ACTIVITY, &event("sent")).ok();
    assert_eq!((&other["duplicates"], &other["rejected"][0]["line"]), (&json!(1), &json!(1)), "{other}");
}

#[test]
fn whoever_changes_or_removes_a_document_is_told_that_the_log_is_append_only() {
    let house = House::new();
    let beats = house.program("beats", &["activity:write"]);
    for (method, path) in [
        (Method::Delete, "/es/logs/_doc/1"),
        (Method::Post, "/es/logs/_update/1"),
        (Method::Post, "/es/logs/_delete_by_query"),
        (Method::Delete, "/es/logs"),
    ] {
        let reply = beats.with("Content-Type", "application/json").send(method, path, b"{}");
        let said = reply.json();
        assert_eq!(reply.refusal(), "405 method_not_allowed", "{method} {path}");
        assert!(said["error"]["reason"].as_str().unwrap().contains("the log is append-only"), "{said}");
    }
}

#[test]
fn a_bulk_of_many_is_answered_in_order() {
    let house = House::new();
    let beats = house.program("beats", &["activity:write"]);
    let lines: Vec<Value> = (0..5000)
        .flat_map(|n| {
            let user = if n % 7 == 0 { Value::Null } else { json!(format!("u{n}")) };
            [json!({"create": {"_id": format!("{n}")}}), json!({"user": user, "event.action": "tick"})]
        })
        .collect();
    let answer = bulk(&beats, &lines).ok();
    let items = answer["items"].as_array().unwrap();
    assert_eq!(items.len(), 5000);
    for (n, item) in items.iter().enumerate() {
        let status = if n % 7 == 0 { 400 } else { 201 };
        assert_eq!(
            (&item["create"]["_id"], &item["create"]["status"]),
            (&json!(n.to_string()), &json!(status))
        );
    }
    let total = house.program("r", &["activity:read"]);
    house.caught_up();
    let total = total.get("/api/v1/activity?app=beats&limit=1").ok()["total"]["value"].clone();
    assert_eq!(total, 5000 - 715);
}

#[test]
fn a_bulk_that_is_none_is_refused_as_a_whole() {
    let house = House::new();
    let beats = house.program("beats", &["activity:write"]);
    for body in ["", "\n", "{}", "{\"create\":{}}\n", "x\n{}\n"] {
        let reply = of_type(&beats, "application/x-ndjson", "/es/_bulk", body);
        assert_eq!(reply.refusal(), "400 bad_request", "{body:?}");
        assert_eq!(
            (&reply.json()["status"], &reply.json()["error"]["type"]),
            (&json!(400), &json!("bad_request"))
        );
    }
    let long = "x".repeat(33 << 20);
    assert_eq!(of_type(&beats, "application/x-ndjson", "/es/_bulk", &long).refusal(), "413 too_large");
    let packed = beats.with("Content-Encoding", "br");
    assert_eq!(
        of_type(&packed, "application/x-ndjson", "/es/_bulk", "x").refusal(),
        "415 unsupported_media_type"
    );
}

#[test]
fn what_clients_ask_before_they_write_lets_them_write() {
    let house = House::new();
    let beats = house.program("beats", &["activity:write"]);
    assert_eq!(beats.get("/es/_license").ok()["license"]["status"], "active");
    assert_eq!(beats.get("/es/_xpack").ok()["features"]["ilm"]["available"], false);
    assert_eq!(beats.get("/es/_cluster/health").ok()["status"], "green");
    assert_eq!(beats.get("/es/_cat/health").status, 200);
    for setup in
        ["_index_template/logs", "_template/logs", "_ilm/policy/logs", "_ingest/pipeline/x", "_data_stream/x"]
    {
        let path = format!("/es/{setup}");
        assert_eq!(beats.send(Method::Head, &path, b"").status, 200, "{setup}");
        assert_eq!(beats.send(Method::Put, &path, b"{}").ok()["acknowledged"], true, "{setup}");
    }
    assert_eq!(beats.get("/es/_search").refusal(), "404 not_found");
    assert_eq!(beats.get("/es/activity/_mapping").refusal(), "404 not_found");
    assert_eq!(beats.send(Method::Put, "/es/activity/_settings", b"{}").refusal(), "404 not_found");
}

#[test]
fn log_records_of_opentelemetry_are_taken_and_the_bad_ones_counted() {
    let house = House::new();
    let shop = house.program("shop", &["activity:write"]);
    let record = |name: &str, user: Option<&str>, id: &str| {
        let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
        let mut attributes = vec![text("client.address", LONDON), text("log.record.uid", id)];
        attributes.extend(user.map(|user| text("enduser.id", user)));
        json!({"timeUnixNano": "1772352000123456789", "eventName": name, "body": {"stringValue": "three books"}, "attributes": attributes})
    };
    let request = json!({"resourceLogs": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "orders"}}]},
        "scopeLogs": [{"logRecords": [
            record("paid", Some("ann"), "1"), record("", Some("ann"), "2"), record("paid", None, "3"), record("paid", Some("ann"), "1"),
        ]}],
    }]});
    let reply = shop.post("/v1/logs", &request);
    let partial = reply.ok()["partialSuccess"].clone();
    assert_eq!(partial["rejectedLogRecords"], 2, "{partial}");
    assert_eq!(partial["errorMessage"], "the first that was refused: action is missing or empty");
    let found = house.log("app=orders");
    assert_eq!(found.len(), 1, "the same record is written once");
    let fields = ["user", "action", "detail", "ip", "city", "time"].map(|name| &found[0][name]);
    assert_eq!(fields, ["ann", "paid", "three books", LONDON, "London", "2026-03-01T08:00:00.123Z"]);
    assert_eq!(shop.post("/v1/logs", &json!({})).ok(), json!({}));
    // What a program has nothing to say of it may write as null, as the JSON of protocol buffers has it.
    let sparse = json!({"timeUnixNano": null, "severityText": null, "body": null, "traceId": null, "eventName": "refunded", "attributes": [
        {"key": "user.name", "value": {"stringValue": "bob"}}, {"key": "reason", "value": null},
    ]});
    let request = json!({"resourceLogs": [
        {"resource": null, "scopeLogs": [{"scope": null, "logRecords": [sparse]}, {"logRecords": null}]}, {"scopeLogs": null},
    ]});
    assert_eq!(shop.post("/v1/logs", &request).ok(), json!({}), "none of it was refused");
    assert_eq!(each(&house.log("action=refunded"), "user"), ["bob"]);
    let refused = of_type(&shop, "application/json", "/v1/logs", "{");
    assert_eq!((refused.refusal().as_str(), &refused.json()["code"]), ("400 bad_request", &json!(3)));
    let binary = of_type(&shop, "application/x-protobuf", "/v1/logs", "\u{1}");
    assert_eq!((binary.status, binary.header("Content-Type")), (400, Some("application/x-protobuf")));
    assert_eq!(of_type(&shop, "application/x-protobuf", "/v1/logs", "").status, 200);
    assert_eq!(of_type(&shop, "text/plain", "/v1/logs", "x").refusal(), "415 unsupported_media_type");
}

#[test]
fn a_log_record_that_cannot_be_read_costs_no_other_and_a_text_that_is_none_not_even_its_own() {
    let house = House::new();
    let shop = house.program("shop", &["activity:write"]);
    let record = |user: &str, more: &str| {
        let user = format!(r#"{{"key":"user.name","value":{{"stringValue":"{user}"}}}}"#);
        format!(r#"{{"eventName":"x","attributes":[{user}]{more}}}"#)
    };
    let records = [
        record("ann", ""),
        record("bob", r#","body":{"stringValue":"shipped \ud83d"}"#),
        record("bad", r#","traceId":"xyz""#),
        record("cid", r#","severityNumber":"SEVERITY_NUMBER_INFO""#),
        record("dan", r#","body":{"stringValue":"nul \u0000."}"#),
    ];
    let body = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{}]}}]}}]}}"#, records.join(","));
    let partial = of_type(&shop, "application/json", "/v1/logs", &body).ok()["partialSuccess"].clone();
    assert_eq!(partial["rejectedLogRecords"], 1, "{partial}");
    let why = r#"not OTLP: invalid value: string "xyz", expected an id in hexadecimal"#;
    assert_eq!(partial["errorMessage"], format!("the first that was refused: {why}"));
    let kept = |user: &str| {
        let record = house.log(&format!("app=shop&user={user}")).remove(0);
        (record["detail"].as_str().unwrap().to_owned(), record["attributes"].clone())
    };
    let replaced = json!({"replaced": "true"});
    assert_eq!(kept("ann"), (String::new(), json!({})));
    assert_eq!(kept("bob"), ("shipped \u{fffd}".to_owned(), replaced.clone()));
    assert_eq!(kept("cid"), (String::new(), json!({"log.level": "INFO"})));
    assert_eq!(kept("dan"), ("nul \u{fffd}.".to_owned(), replaced.clone()));
    assert_eq!(house.log("app=shop&user=bad").len(), 0);

    // The same in protocol buffers: fields of bytes within one another, the innermost a text.
    let field = |number: u8, inside: &[u8]| {
        let length = u8::try_from(inside.len()).unwrap();
        assert!(length < 128);
        [&[number << 3 | 2, length][..], inside].concat()
    };
    let record = |user: &[u8], body: &[u8]| {
        let user = field(6, &[field(1, b"user.name"), field(2, &field(1, user))].concat());
        field(2, &[field(12, b"x"), field(5, body), user].concat())
    };
    let records =
        [record(b"eve", &field(1, b"bin \xff\xfe.")), record(b"bad", &[0x0a, 9, 1]), record(b"fay", &[])];
    // Each in a scope of its own.
    let body: Vec<u8> = records.iter().flat_map(|record| field(1, &field(2, record))).collect();
    let binary = shop.with("Content-Type", "application/x-protobuf");
    let reply = binary.send(Method::Post, "/v1/logs", &body);
    assert_eq!(reply.status, 200);
    let answer = ExportLogsServiceResponse::decode(reply.body.as_slice()).unwrap();
    let partial = answer.partial_success.unwrap();
    assert_eq!(partial.rejected_log_records, 1);
    assert!(partial.error_message.starts_with("the first that was refused: not OTLP: "), "{partial:?}");
    assert_eq!(kept("eve"), ("bin \u{fffd}\u{fffd}.".to_owned(), replaced));
    assert_eq!(kept("fay"), (String::new(), json!({})));
    assert_eq!(house.log("app=shop&user=bad").len(), 0);
}

#[test]
fn a_request_of_otlp_that_holds_too_much_is_refused_before_it_is_read() {
    let house = House::new();
    let shop = house.program("shop", &["activity:write"]);
    let request =
        |records: &str| format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{records}]}}]}}]}}"#);
    let most = "a request can hold at most";
    for (records, why) in [
        (vec!["{}"; 100_000].join(","), "100000 records"),
        (
            format!(r#"{{"attributes":[{}]}}"#, vec!["{}"; 2_000_001].join(",")),
            "2000000 attributes and values",
        ),
    ] {
        let refused = of_type(&shop, "application/json", "/v1/logs", &request(&records));
        assert_eq!(refused.refusal(), "413 too_large", "{why}");
        assert!(
            refused.text().contains(&format!("{most} {why}; send them in several")),
            "{}",
            refused.text()
        );
    }
    assert_eq!(house.log("app=shop").len(), 0);
}

#[test]
fn a_program_with_too_much_under_way_is_told_to_wait() {
    let house = House::new().with_admin("ada");
    let shop = house.program("shop", &["activity:write"]);
    let record = json!({"user": "ann", "action": "x"});
    let mut turns: Vec<_> =
        (0..Load::Any.most()).map(|_| house.app.intake("shop", Load::Any).unwrap()).collect();
    let lines = [json!({"create": {}}), record.clone()];
    for reply in [shop.post(ACTIVITY, &record), bulk(&shop, &lines), shop.post("/v1/logs", &json!({}))] {
        assert_eq!((reply.refusal().as_str(), reply.header("Retry-After")), ("429 busy", Some("1")));
    }
    assert_eq!(house.program("other", &["activity:write"]).post(ACTIVITY, &record).status, 200);
    // People sign in, look and sign out as ever.
    let (ada, other) = (house.signed_in("ada"), house.signed_in("ada"));
    assert_eq!(ada.get("/activity").status, 200);
    assert_eq!(ada.delete(&format!("/api/v1/sessions/{}", other.session())).status, 204);
    assert!(!other.is_in());
    turns.pop();
    for _ in 0..3 {
        assert_eq!(shop.post(ACTIVITY, &record).status, 200, "each gives its turn back");
    }
    drop(turns);
    let large = json!([record, {"user": "x", "action": "x".repeat(2 << 20)}]);
    let held: Vec<_> =
        (0..Load::Whole.most()).map(|_| house.app.intake("shop", Load::Whole).unwrap()).collect();
    assert_eq!(shop.post(ACTIVITY, &large).refusal(), "429 busy");
    assert_eq!(shop.post(ACTIVITY, &record).status, 200, "a small one needs no such turn");
    drop(held);
    assert_eq!(shop.post(ACTIVITY, &large).ok()["accepted"], 1);
}

#[test]
fn nobody_ships_in_rollcalls_own_name() {
    let house = House::new();
    let beats = house.program("beats", &["activity:write"]);
    let document = json!({"user.name": "ada", "event.action": "sign-in", "service": {"name": "rollcall"}});
    let item = bulk(&beats, &[json!({"create": {}}), document]).ok()["items"][0]["create"].clone();
    assert_eq!(item["status"], 400, "{item}");
    let event = json!({"specversion": "1.0", "id": "1", "source": "/", "type": "sign-in", "data": {"user": "ada", "app": "Rollcall"}});
    assert_eq!(beats.post(ACTIVITY, &event).status, 400);
    assert_eq!(house.log("app=rollcall&action=sign-in").len(), 0);
}
