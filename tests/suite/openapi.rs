//! What the API says of itself is true: every call is in it, it is what `OpenAPI` takes for a document, and a program made to
//! find what such documents do not say finds nothing.

use std::{
    collections::BTreeSet,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use rocket::http::Method;
use serde_json::{Value, json};

use super::{
    clients::{good, python},
    house::House,
    server::Folder,
};

/// The methods that a document can tell of, as the document writes them.
const METHODS: [&str; 7] = ["get", "head", "post", "put", "patch", "delete", "options"];

fn document(house: &House) -> Value {
    house.stranger().get("/api/v1/openapi.json").ok()
}

/// Every call of the document: method and address.
fn calls(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let calls = paths.iter().flat_map(|(path, item)| {
        METHODS
            .iter()
            .filter_map(move |method| Some((method.to_uppercase(), path.clone(), item.get(method)?)))
    });
    calls.collect()
}

#[test]
fn every_call_that_is_mounted_is_in_the_document_and_no_other() {
    let house = House::new();
    let document = document(&house);
    let described: BTreeSet<(String, String)> =
        calls(&document).into_iter().map(|(method, path, _)| (method, path)).collect();
    let ours = ["/api/", "/es/", "/v1/", "/healthz", "/readyz", "/metrics", "/auth/nginx", "/auth/forward"];
    let addresses = house.addresses().into_iter();
    let mounted: BTreeSet<(String, String)> = addresses
        .map(|(method, address)| (method.to_string(), braced(&address)))
        .filter(|(_, address)| ours.iter().any(|under| address.starts_with(under)) || address == "/es")
        .collect();
    assert!(mounted.len() > 50, "the routes are there");
    assert_eq!(described, mounted);
}

/// `/a/<b>/<c..>` as the document writes it.
fn braced(address: &str) -> String {
    address.replace('<', "{").replace("..>", "}").replace('>', "}")
}

#[test]
fn the_bounds_of_the_document_are_those_of_the_product() {
    let house = House::new().with_admin("ada");
    let (ada, document) = (house.signed_in("ada"), document(&house));
    let mut tried = 0;
    for (method, path, call) in calls(&document) {
        if method != "GET" || path.contains('{') {
            continue;
        }
        for parameter in call["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            let Some(most) = parameter["schema"]["maximum"].as_u64() else { continue };
            let least = parameter["schema"]["minimum"].as_u64().unwrap();
            let other = if path.ends_with("/facets") { "field=user&" } else { "" };
            let answer = |number: u64| ada.get(&format!("{path}?{other}{name}={number}")).status;
            assert_eq!([answer(least), answer(most), answer(most + 1)], [200, 200, 400], "{path}?{name}");
            tried += 1;
        }
    }
    assert!(tried >= 4, "there are bounds");
}

#[test]
fn the_document_says_who_may_call_and_what_everything_is() {
    let house = House::new().with_admin("ada");
    let (stranger, document) = (house.stranger(), document(&house));
    for (method, path, call) in calls(&document) {
        let said = |what: &Value| what.as_str().is_some_and(|text| !text.trim().is_empty());
        assert!(said(&call["summary"]), "{method} {path} says what it does");
        for parameter in call["parameters"].as_array().into_iter().flatten() {
            let told = said(&parameter["description"]) || parameter["in"] == "path";
            assert!(told, "{method} {path}: {}", parameter["name"]);
        }
        for (status, answer) in call["responses"].as_object().unwrap() {
            assert!(said(&answer["description"]), "{method} {path}: {status}");
        }
        let closed = call["security"]
            .as_array()
            .is_some_and(|keys| keys.iter().any(|key| *key != serde_json::json!({})));
        let concrete: String = path
            .split('/')
            .map(|part| if part.starts_with('{') { "none" } else { part })
            .collect::<Vec<_>>()
            .join("/");
        let method: Method = method.parse().unwrap();
        // The stranger says nothing but the address: whoever is refused for that was let in.
        let status = stranger.send(method, &concrete, b"").status;
        // To whom a proxy must be trusted, a stranger is no proxy.
        let refused = if path.starts_with("/auth/") { 403 } else { 401 };
        assert_eq!(status == refused, closed, "{method} {path} answers a stranger {status}");
    }
}

/// A server for a client of the document, and what that client must know.
fn client(folder: &Folder, token: &str, address: &str, prefer: &str) -> Command {
    let hooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi/hooks.py");
    let mut command = Command::new(python().with_file_name("schemathesis"));
    command.current_dir(folder.path());
    command.env("SCHEMATHESIS_HOOKS", hooks).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("ROLLCALL_URL", format!("http://{address}")).env("ROLLCALL_TOKEN", token);
    command.env("ROLLCALL_BIN", env!("CARGO_BIN_EXE_rollcall")).env("ROLLCALL_DATA", folder.path());
    command.env("ROLLCALL_PREFER", prefer);
    command
}

#[test]
fn the_document_is_one_of_openapi_and_its_examples_are_what_they_say() {
    let house = House::new();
    let text = house.stranger().get("/api/v1/openapi.json").text();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi/check.py");
    let mut check = Command::new(python())
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let examples: u32 = good(&check.wait_with_output().unwrap()).trim().parse().unwrap();
    assert!(examples >= 25, "{examples} examples");
}

/// What the document shows as the body of a request: by content type, and text where that is no JSON.
fn examples<'d>(document: &'d Value, call: &'d Value) -> Vec<(&'d str, String)> {
    let bodies = call["requestBody"]["content"].as_object().into_iter().flatten();
    let shown = bodies.filter_map(|(media, body)| {
        let own = body.get("example");
        let named =
            || document.pointer(&body["schema"]["$ref"].as_str()?.replacen('#', "", 1))?.get("example");
        match own.or_else(named)? {
            Value::String(text) => Some((media.as_str(), text.clone())),
            json => Some((media.as_str(), json.to_string())),
        }
    });
    shown.collect()
}

#[test]
fn what_the_document_shows_as_a_request_is_taken() {
    let house = House::new().with_admin("ada");
    let document = document(&house);
    let (ada, stranger) = (house.signed_in("ada"), house.stranger());
    let vault = house.program("vault", &["activity:write", "session:write"]);
    // In an order in which each finds what it is about: the address where it is another one, and who sends.
    let (mut ann, mut session) = (stranger.clone(), String::new());
    let mut tried = BTreeSet::new();
    for (method, path) in [
        ("POST", "/api/v1/users"),
        ("POST", "/api/v1/signin"),
        ("PATCH", "/api/v1/users/{user}"),
        ("POST", "/api/v1/me/password"),
        ("POST", "/api/v1/users/{user}/password"),
        ("POST", "/api/v1/step-up"),
        ("POST", "/api/v1/apps"),
        ("PATCH", "/api/v1/apps/{name}"),
        ("PUT", "/api/v1/apps/{name}/hook"),
        ("POST", "/api/v1/tokens"),
        ("POST", "/api/v1/sessions"),
        ("POST", "/api/v1/sessions/{id}/touch"),
        ("POST", "/api/v1/sessions/logout"),
        ("POST", "/api/v1/activity"),
        ("POST", "/es/_bulk"),
        ("PUT", "/es/_bulk"),
        ("POST", "/es/{index}/_bulk"),
        ("PUT", "/es/{index}/_bulk"),
        ("POST", "/es/{index}/_doc"),
        ("POST", "/es/{index}/_doc/{id}"),
        ("PUT", "/es/{index}/_doc/{id}"),
        ("POST", "/es/{index}/_create/{id}"),
        ("PUT", "/es/{index}/_create/{id}"),
        ("POST", "/v1/logs"),
    ] {
        let call = &document["paths"][path][method.to_lowercase()];
        let address = path
            .replace("{user}", "ann")
            .replace("{name}", "wiki")
            // What is to be made anew must not be there.
            .replace(
                "{index}",
                &format!("{}-{}", path.split('/').nth(3).unwrap_or_default(), method.to_lowercase()),
            )
            .replace("{id}", &session);
        for (media, body) in examples(&document, call) {
            let caller = match path {
                "/api/v1/signin" => &stranger,
                "/api/v1/me/password" => &ann,
                "/api/v1/sessions" | "/api/v1/sessions/{id}/touch" | "/api/v1/activity" => &vault,
                _ if path.starts_with("/api/") => &ada,
                _ => &vault,
            };
            let caller = caller.with("Content-Type", media);
            let reply = caller.send(method.parse().unwrap(), &address, body.as_bytes());
            assert!((200..300).contains(&reply.status), "{method} {path} {media} {body}: {}", reply.text());
            match path {
                "/api/v1/signin" => ann = stranger.with("Cookie", &reply.cookie()),
                "/api/v1/sessions" => reply.json()["id"].as_str().unwrap().clone_into(&mut session),
                "/es/_bulk" | "/es/{index}/_bulk" => assert_eq!(reply.json()["errors"], false, "{body}"),
                "/v1/logs" => assert_eq!(reply.text(), "{}", "none of it was refused"),
                "/api/v1/activity" => assert_eq!(reply.json()["rejected"], json!([]), "{body}"),
                _ => {}
            }
            tried.insert((method.to_owned(), path.to_owned()));
        }
    }
    let shown = calls(&document).into_iter().filter(|(.., call)| !examples(&document, call).is_empty());
    let shown: BTreeSet<_> = shown.map(|(method, path, _)| (method, path)).collect();
    assert_eq!(tried, shown, "every example was sent");
}

#[test]
fn what_writes_to_the_log_says_that_the_disk_may_be_full() {
    let house = House::new();
    let document = document(&house);
    // Shippers are told 503, which they understand.
    let ours = |path: &str| !path.starts_with("/es") && !path.starts_with("/v1/");
    let reading = ["/auth/nginx", "/auth/forward", "/api/v1/activity.csv", "/api/v1/activity.ndjson"];
    for (method, path, call) in calls(&document) {
        let writes = match method.as_str() {
            "GET" => reading.contains(&path.as_str()),
            "HEAD" => false,
            _ => ours(&path),
        };
        assert_eq!(call["responses"].get("507").is_some(), writes, "{method} {path}");
    }
}

/// Whatever is sent, the answer is one that the document tells of, and never a fault of ours. Streams do not end, and are
/// left to their own tests. The calls are the same each time: there is no chance in it.
fn finds_nothing(prefer: &str) {
    let folder = Folder::with_admin();
    let scopes =
        ["activity:write", "activity:read", "session:read", "session:write", "auth:check", "metrics"];
    let scopes = scopes.iter().flat_map(|scope| ["--scope", scope]);
    let token = folder
        .run(&["token", "add", "fuzz"].into_iter().chain(scopes).collect::<Vec<_>>())
        .ok()
        .trim()
        .to_owned();
    let server = folder.serve();
    let mut command = client(&folder, &token, server.address(), prefer);
    command.arg("run").arg(format!("http://{}/api/v1/openapi.json", server.address()));
    command.args(["--exclude-path-regex", "/stream$", "--phases", "examples,coverage,fuzzing"]);
    if prefer == "token" {
        // The others take one of the two only, and have been called as they must be by the one with a session.
        command.args(["--include-path-regex", "^/api/v1/(activity|sessions)"]);
    }
    command.args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance"]);
    command.args(["--max-examples", "8", "--seed", "20260315", "--generation-deterministic"]);
    command.args(["--no-shrink", "--no-color", "--request-timeout", "20"]);
    let found = good(&command.output().unwrap());
    assert!(found.contains("generated"), "it called: {found}");
    assert_eq!(server.stop(), Some(0), "and the server still stands");
}

#[test]
fn a_fuzzing_client_with_a_session_finds_nothing_that_the_document_does_not_say() {
    finds_nothing("session");
}

#[test]
fn a_fuzzing_client_with_a_token_finds_nothing_that_the_document_does_not_say() {
    finds_nothing("token");
}
