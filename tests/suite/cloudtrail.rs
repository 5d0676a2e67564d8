//! The import of a real file: `tests/fixtures/cloudtrail.ndjson`, 1,233 activities of AWS CloudTrail.
//!
//! Every number here was counted in the file itself, before it was imported, by this:
//!
//! ```sh
//! cd tests/fixtures; f=cloudtrail.ndjson
//! wc -l < $f                                                                  # 1233
//! jq -r .user $f | sort -u | wc -l                                            # 15
//! jq -r .action $f | sort -u | wc -l                                          # 211
//! jq -r .app $f | sort | uniq -c | sort -rn | head -4                         # 401 ec2, 167 ssm, 163 iam, 137 s3
//! jq -r .outcome $f | sort | uniq -c                                          # 136 failure, 1097 success
//! jq -r 'select(.user=="bert-jan" and .outcome=="failure").action' $f | wc -l # 108
//! jq -r .action $f | grep -cx Decrypt                                         # 72
//! jq -r 'select(.ip).ip' $f | grep -c '^10\.'                                 # 221
//! jq -r 'select(.ip).ip' $f | grep -c '^192\.168\.'                           # 872
//! jq -r .time $f | awk '$0 < "2023-07-10T12:00:00Z"' | wc -l                  # 327
//! jq -r .time $f | awk '$0 >= "2023-07-10T12:00:00Z" && $0 < "2023-07-10T12:15:00Z"' | wc -l # 535
//! grep -c 'is not authorized to perform' $f                                   # 8
//! ```
//!
//! Words are harder, since `bucket` is to find `CreateBucket`. This Python cuts texts where the contract does:
//!
//! ```python
//! import json, re
//! rows = [json.loads(line) for line in open("cloudtrail.ndjson")]
//! def words(text):
//!     for run in re.findall(r"[^\W_]+", text):
//!         yield run.lower()
//!         yield from (w.lower() for w in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", run))
//! texts = lambda r: [r["action"], r["detail"], r["user"], r["app"], *r["attributes"].values()]
//! count = lambda good: sum(any(good(w) for t in texts(r) for w in words(t)) for r in rows)
//! count("bucket".__eq__), count("secret".__eq__), count("role".__eq__), count("snapshot".__eq__)  # 136 93 93 22
//! count(lambda w: w.startswith("describe")), count(lambda w: w.startswith("get"))                 # 545 306
//! # and of bert-jan's failures: bucket 43, role 9, parameter 15
//! ```

use std::process::Stdio;

use serde_json::Value;

use super::{
    house::fixture,
    http::{Reply, each},
    server::{Client, Folder, Server},
};

const LINES: u64 = 1233;
const IMPORTED: &str = "1233 activities taken, 0 were there already, 0 refused";

fn file() -> String {
    fixture("cloudtrail.ndjson").to_str().unwrap().to_owned()
}

/// A server over the imported file, and a program that reads the log.
fn imported() -> (Folder, Server, Client) {
    let folder = Folder::new();
    folder.run(&["activity", "import", &file()]).says(IMPORTED);
    let token = folder.run(&["token", "add", "reader", "--scope", "activity:read"]);
    let server = folder.serve();
    let reader = server.bearer(token.ok());
    // The import, the token, the start and what the file holds.
    let all = |reply: &Reply| reply.json()["total"]["value"] == LINES + 3;
    reader.get_until("/api/v1/activity?limit=1&q=-(app:rollcall+action:search)", all);
    (folder, server, reader)
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[test]
fn every_activity_of_the_file_is_found_by_what_stands_in_it() {
    let (_folder, _server, reader) = imported();
    let total = |query: &str| {
        let answer = reader.get(&format!("/api/v1/activity?limit=1&{query}")).ok();
        assert_eq!(answer["total"]["exact"], true);
        answer["total"]["value"].as_u64().unwrap()
    };
    let search = |text: &str| total(&format!("q={}", encoded(text)));
    assert_eq!(search("-app:rollcall"), LINES);
    for (app, count) in [("ec2", 401), ("ssm", 167), ("iam", 163), ("s3", 137)] {
        assert_eq!(total(&format!("app={app}")), count, "{app}");
    }
    assert_eq!(total("outcome=failure"), 136);
    assert_eq!(search("-app:rollcall outcome:success"), 1097);
    assert_eq!(total("user=bert-jan&outcome=failure"), 108);
    for (word, count) in [("bucket", 43), ("role", 9), ("parameter", 15)] {
        assert_eq!(total(&format!("user=bert-jan&outcome=failure&q={word}")), count, "{word}");
    }
    assert_eq!(total("action=Decrypt"), 72);
    assert_eq!(total("ip=10.0.0.0/8"), 221);
    assert_eq!(search("ip:192.168.0.0/16"), 872);
    for (word, count) in [("bucket", 136), ("secret", 93), ("role", 93), ("snapshot", 22)] {
        assert_eq!(search(word), count, "{word}");
    }
    assert_eq!(search("describe*"), 545);
    assert_eq!(search("get*"), 306);
    assert_eq!(search("\"is not authorized to perform\""), 8);
    assert_eq!(total("to=2023-07-10T12:00:00Z"), 327);
    assert_eq!(total("from=2023-07-10T12:00:00Z&to=2023-07-10T12:15:00Z"), 535);
    assert_eq!(total("from=2023-07-10&to=2023-07-10"), LINES);
    assert_eq!(total("from=2023-07-11&app=s3"), 0);
    assert_eq!(total("period=24h&app=s3"), 0);
    let distinct = |field: &str| {
        let query = format!("field={field}&limit=1000&to=2023-07-10");
        reader.get(&format!("/api/v1/activity/facets?{query}")).items().len()
    };
    assert_eq!((distinct("user"), distinct("action"), distinct("outcome")), (15, 211, 2));
}

#[test]
fn the_whole_file_comes_out_as_it_went_in() {
    let (_folder, _server, reader) = imported();
    let exported = reader.get("/api/v1/activity.ndjson?to=2023-07-10&order=asc").text();
    let given = std::fs::read_to_string(file()).unwrap();
    let exported: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let given: Vec<Value> = given.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(exported.len(), given.len());
    // Their times are whole seconds and the file is in their order, so both orders are the same.
    let by_event = |items: &[Value]| -> std::collections::BTreeMap<String, Value> {
        let id = |item: &Value| item["attributes"]["event_id"].as_str().unwrap().to_owned();
        items.iter().map(|item| (id(item), item.clone())).collect()
    };
    let (exported, given) = (by_event(&exported), by_event(&given));
    for (id, given) in &given {
        let exported = &exported[id];
        for name in ["user", "action", "app", "outcome", "ip", "user_agent", "detail", "attributes"] {
            assert_eq!(exported[name], given[name], "{name} of {id}");
        }
        let time: jiff::Timestamp = exported["time"].as_str().unwrap().parse().unwrap();
        assert_eq!(time, given["time"].as_str().unwrap().parse().unwrap());
    }
    let csv = reader.get("/api/v1/activity.csv?user=bert-jan&outcome=failure&q=bucket");
    let mut rows = csv::Reader::from_reader(csv.body.as_slice());
    let users: Vec<String> = rows.records().map(|row| row.unwrap()[1].to_owned()).collect();
    assert_eq!(users, ["bert-jan"; 43]);
}

#[test]
fn the_command_searches_and_exports_the_same_with_a_server_and_without() {
    let folder = Folder::new();
    folder.run(&["activity", "import", &file()]).says(IMPORTED);
    let look = || {
        let query =
            ["activity", "search", "bucket outcome:failure", "--user", "bert-jan", "--json", "--limit"];
        let found = folder.run(&[&query[..], &["1000"]].concat());
        let found: Vec<Value> = found.ok().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(found.len(), 43);
        assert!(each(&found, "user").iter().all(|user| user == "bert-jan"));
        let table = folder.run(&["activity", "search", "Decrypt", "--limit", "100"]);
        assert_eq!(table.ok().lines().count(), 73, "a heading and 72 rows");
        let period = ["activity", "export", "--from", "2023-07-10T12:00:00Z", "--to", "2023-07-10T12:15:00Z"];
        let csv = folder.run(&period);
        assert_eq!(csv::Reader::from_reader(csv.ok().as_bytes()).records().count(), 535);
        let none = folder.run(&["activity", "search", "zebra"]);
        assert_eq!(none.code, 1, "the answer is no");
        folder.run(&["activity", "search", "\"open"]).refuses(2, "column 1");
        folder.run(&["activity", "search", "x", "--period", "2w"]).refuses(2, "24h, 7d");
    };
    look();
    let _server = folder.serve();
    look();
    let target = folder.beside("out.ndjson");
    let export = ["activity", "export", "app:s3", "--format", "ndjson", "-o", target.to_str().unwrap()];
    folder.run(&export).ok();
    assert_eq!(std::fs::read_to_string(&target).unwrap().lines().count(), 137);
    assert!(!folder.beside("out.ndjson.part").exists());
}

#[test]
fn an_import_takes_packed_files_and_its_own_export_and_says_what_it_refused() {
    let folder = Folder::new();
    let lines = std::fs::read(file()).unwrap();
    folder.run_with(&["activity", "import", "-"], zstd::encode_all(&lines[..], 1).unwrap()).says(IMPORTED);
    let csv = folder.run(&["activity", "export", "--", "-app:rollcall"]).ok().to_owned();
    let other = Folder::new();
    other.run_with(&["activity", "import", "-"], &csv).says(IMPORTED);
    let again = other.run(&["activity", "export", "--", "-app:rollcall"]).ok().to_owned();
    let cells = |text: &str| -> Vec<Vec<String>> {
        let mut rows: Vec<Vec<String>> = csv::Reader::from_reader(text.as_bytes())
            .records()
            .map(|row| row.unwrap().iter().take(7).map(str::to_owned).collect())
            .collect();
        rows.sort();
        rows
    };
    assert_eq!(cells(&again), cells(&csv), "what was exported is imported as it was");
    let some = b"{\"user\":\"a\",\"action\":\"b\",\"id\":1}\nnonsense\n{\"user\":\"a\"}\n";
    let done = folder.run_with(&["activity", "import", "-"], some);
    assert_eq!(done.code, 0);
    let said: Vec<&str> = done.out.lines().collect();
    assert!(said[0].starts_with("line 2: not JSON") && said[1].starts_with("line 3: action"), "{said:?}");
    assert_eq!(said[2], "1 activity taken, 0 were there already, 2 refused");
    let twice = folder.run_with(&["activity", "import", "-"], some);
    assert!(twice.out.ends_with("0 activities taken, 1 were there already, 2 refused\n"), "{}", twice.out);
    assert_eq!(folder.run_with(&["activity", "import", "-"], "{}\n").code, 1, "nothing was good");
    folder.run_with(&["activity", "import", "-"], "").refuses(2, "empty");
    folder.run_with(&["activity", "import", "-"], "[{}]").refuses(2, "one object a line");
    folder.run_with(&["activity", "import", "-"], "Name,Age\nx,1\n").refuses(2, "user");
    let cut = "tion\":\"edit\"}\n{\"user\":\"ann\",\"action\":\"cut out of the middle\"}\n";
    let done = folder.run_with(&["activity", "import", "-"], cut);
    assert!(done.ok().starts_with("line 1: ") && done.out.contains("1 activity taken"), "{}", done.out);
    folder.run(&["activity", "import", "/nowhere/file"]).refuses(2, "could not be opened");
}

#[test]
fn an_import_refuses_what_is_no_whole_record_and_says_in_which_line() {
    let folder = Folder::new();
    let import = |text: &str| folder.run_with(&["activity", "import", "-"], text);
    let rows = "user,action,detail\nann,one,ok\nann,two,o,k\nann,three,\"never closed\nann,four,lost in it\n";
    let done = import(rows);
    let said: Vec<&str> = done.ok().lines().collect();
    assert_eq!(
        said,
        [
            "line 3: there are 4 cells, and the first line names 3 columns",
            "line 4: a quote that opens a cell is never closed",
            "1 activity taken, 0 were there already, 2 refused"
        ]
    );
    let long = "x".repeat(129);
    let ids = format!(
        "{{\"user\":\"a\",\"action\":\"b\",\"id\":\"\"}}\n{{\"user\":\"a\",\"action\":\"b\",\"id\":\"{long}\"}}\n"
    );
    let done = import(&ids);
    assert_eq!(done.code, 1);
    let said: Vec<&str> = done.out.lines().collect();
    assert_eq!(said[..2], ["line 1: id is missing or empty", "line 2: id is longer than 128 bytes"]);
    // So does a packed file that was cut off, wherever that was.
    let packed = [
        ("gzip", {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut gzip, rows.as_bytes()).unwrap();
            gzip.finish().unwrap()
        }),
        ("zstd", zstd::encode_all(rows.as_bytes(), 1).unwrap()),
    ];
    for (kind, packed) in packed {
        let cut = folder.run_with(&["activity", "import", "-"], &packed[..packed.len() - 12]);
        cut.refuses(2, "it ends in the middle of what was packed");
        assert!(cut.err.starts_with("rollcall: - "), "{kind}: {}", cut.err);
    }
    let header = "user,\"action\n";
    import(header).refuses(2, "line 1: a quote that opens a cell is never closed");
}

#[test]
fn an_import_goes_through_the_server_that_holds_the_folder() {
    let folder = Folder::with_admin();
    let server = folder.serve();
    let mut command = folder.command(&["activity", "import", &file()]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end(), IMPORTED);
    assert!(output.stderr.is_empty(), "no progress bar where nobody looks");
    let ada = server.signed_in("ada");
    ada.get_until("/api/v1/activity?app=s3&limit=1", |reply| reply.json()["total"]["value"] == 137);
    let told = ada.get_until("/api/v1/activity?action=import", |reply| !reply.items().is_empty()).items();
    assert_eq!(told[0]["detail"], "1233 activities taken, 0 refused");
}
