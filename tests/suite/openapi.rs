//! What the API says of itself is true: every call is in it, it is what `OpenAPI` takes for a document, and a program made to
//! find what such documents do not say finds nothing.

mod device;

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    mem::discriminant,
    path::Path,
    process::{Command, Stdio},
};

use jiff::SignedDuration;
use rocket::http::Method;
use serde_json::{Value, json};

use self::device::Device;
use super::{
    clients::{good, python},
    house::{Caller, House, PASSWORD},
    second_factor::code,
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

#[test]
fn every_call_that_takes_a_body_says_what_becomes_of_one_that_comes_too_slowly() {
    let document = document(&House::new());
    let taking = calls(&document).into_iter().filter(|(_, _, call)| call.get("requestBody").is_some());
    let silent: Vec<_> = taking.filter(|(_, _, call)| call["responses"].get("408").is_none()).collect();
    assert!(silent.is_empty(), "{silent:?}");
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
    assert!(examples >= 90, "{examples} examples");
}

/// The bodies of a request or of an answer, by content type.
fn bodies(of: &Value) -> impl Iterator<Item = (&str, &Value)> {
    of["content"].as_object().into_iter().flatten().map(|(media, body)| (media.as_str(), body))
}

/// What the document shows of a body: at the body itself, or at the record that it is.
fn example<'d>(document: &'d Value, body: &'d Value) -> Option<&'d Value> {
    let named = || document.pointer(&body["schema"]["$ref"].as_str()?.replacen('#', "", 1))?.get("example");
    body.get("example").or_else(named)
}

#[test]
fn every_body_that_is_taken_and_every_good_answer_has_an_example() {
    let house = House::new();
    let document = document(&house);
    let (mut seen, mut bare) = (0, Vec::new());
    for (method, path, call) in calls(&document) {
        let answers = call["responses"].as_object().unwrap().iter();
        let good = answers.filter(|(status, _)| status.starts_with('2'));
        let good = good.map(|(status, answer)| (status.as_str(), answer));
        for (which, of) in good.chain([("request", &call["requestBody"])]) {
            for (media, body) in bodies(of) {
                seen += 1;
                if example(&document, body).is_none() {
                    bare.push(format!("{method} {path}: {which}, {media}"));
                }
            }
        }
    }
    assert!(seen > 80, "{seen} bodies");
    assert!(bare.is_empty(), "without an example:\n{}", bare.join("\n"));
}

/// The calls that take a body, in an order in which each finds what it is about.
const TAKING: [(&str, &str); 32] = [
    ("POST", "/api/v1/users"),
    ("POST", "/api/v1/signin"),
    ("PATCH", "/api/v1/users/{user}"),
    ("POST", "/api/v1/me/password"),
    ("POST", "/api/v1/users/{user}/password"),
    ("POST", "/api/v1/step-up"),
    ("POST", "/api/v1/me/passkeys/begin"),
    ("POST", "/api/v1/me/passkeys"),
    ("POST", "/api/v1/signin/passkey"),
    ("PUT", "/api/v1/me/second-factor"),
    ("POST", "/api/v1/me/second-factor/recovery-codes"),
    ("POST", "/api/v1/me/second-factor/remove"),
    ("POST", "/api/v1/apps"),
    ("PATCH", "/api/v1/apps/{name}"),
    ("PUT", "/api/v1/apps/{name}/hook"),
    ("POST", "/api/v1/tokens"),
    ("POST", "/api/v1/sessions"),
    ("POST", "/api/v1/sessions/{id}/touch"),
    ("POST", "/api/v1/introspect"),
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
    // From then on Ada owes one.
    ("PUT", "/api/v1/settings/second-factor"),
];

/// Holds what came of a call against what is shown of it: all that is shown is there, and of the same kind.
fn is_as_shown(real: &Value, shown: &Value, place: &str) {
    match (real, shown) {
        (Value::Object(real), Value::Object(shown)) => {
            for (name, shown) in shown {
                let real = real.get(name).unwrap_or_else(|| panic!("{place}: {name} is only shown"));
                is_as_shown(real, shown, &format!("{place} {name}"));
            }
        }
        (Value::Array(real), Value::Array(shown)) => {
            if let [Some(real), Some(shown)] = [real, shown].map(|list| list.first()) {
                is_as_shown(real, shown, place);
            }
        }
        (Value::Null, _) | (_, Value::Null) => {}
        _ => assert_eq!(discriminant(real), discriminant(shown), "{place}"),
    }
}

/// Of what only one server and one device know, what they say: an example shows what another one said.
struct Real<'h> {
    ada: Caller<'h>,
    stranger: Caller<'h>,
    step: u64,
    device: Device,
    /// What the device knows Ada by.
    handle: Value,
    /// A session that was registered.
    session: Value,
}

impl Real<'_> {
    fn body(&mut self, path: &str, shown: &Value) -> Value {
        let real = match path {
            "/api/v1/me/passkeys" => {
                let begun = self.ada.post(&format!("{path}/begin"), &json!({"password": PASSWORD})).ok();
                self.handle = begun["options"]["user"]["id"].clone();
                json!({"token": begun["token"], "credential": self.device.make(&begun["options"])})
            }
            "/api/v1/signin/passkey" => {
                let begun = self.stranger.post(&format!("{path}/begin"), &Value::Null).ok();
                let shown = self.device.show(&begun["options"], &self.handle);
                json!({"token": begun["token"], "credential": shown})
            }
            "/api/v1/me/second-factor" => {
                let begun = self.ada.post(path, &Value::Null).ok();
                let code = code(begun["secret"].as_str().unwrap(), self.step);
                json!({"pending": begun["pending"], "code": code})
            }
            "/api/v1/introspect" => json!({"token": self.session["token"]}),
            _ => return shown.clone(),
        };
        let mut body = shown.clone();
        for (name, real) in real.as_object().unwrap() {
            is_as_shown(real, &shown[name], path);
            body[name] = real.clone();
        }
        body
    }
}

/// A body as it is sent: a form, text as it is, or JSON.
fn written(media: &str, body: &Value) -> String {
    match body {
        Value::Object(fields) if media == "application/x-www-form-urlencoded" => {
            let fields = fields.iter().map(|(name, value)| (name, value.as_str().unwrap()));
            form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
        }
        Value::String(text) => text.clone(),
        json => json.to_string(),
    }
}

#[test]
fn what_the_document_shows_as_a_request_is_taken_and_answered_as_it_shows() {
    let house = House::new().with_admin("ada");
    let document = document(&house);
    // Passkeys want TLS, or this machine.
    let [ada, stranger] =
        [house.signed_in("ada"), house.stranger()].map(|caller| caller.with("Host", "localhost:8080"));
    let vault = house.program("vault", &["activity:write", "session:write", "session:read"]);
    let mut ann = stranger.clone();
    let mut real = Real {
        ada: ada.clone(),
        stranger: stranger.clone(),
        step: u64::try_from(house.now().as_second() / 30).unwrap(),
        device: Device::new(),
        handle: Value::Null,
        session: Value::Null,
    };
    for (method, path) in TAKING {
        let call = &document["paths"][path][method.to_lowercase()];
        // What is to be made anew must not be there.
        let index = format!("{}-{}", path.split('/').nth(3).unwrap_or_default(), method.to_lowercase());
        let address = path
            .replace("{user}", "ann")
            .replace("{name}", "wiki")
            .replace("{index}", &index)
            .replace("{id}", real.session["id"].as_str().unwrap_or_default());
        for (media, body) in bodies(&call["requestBody"]) {
            let shown = example(&document, body).unwrap_or_else(|| panic!("{method} {path} {media}"));
            let body = written(media, &real.body(path, shown));
            let caller = match path {
                "/api/v1/signin" | "/api/v1/signin/passkey" => &stranger,
                "/api/v1/me/password" => &ann,
                "/api/v1/sessions"
                | "/api/v1/sessions/{id}/touch"
                | "/api/v1/introspect"
                | "/api/v1/activity" => &vault,
                _ if !path.starts_with("/api/") => &vault,
                _ => &ada,
            };
            let caller = caller.with("Content-Type", media);
            let reply = caller.send(method.parse().unwrap(), &address, body.as_bytes());
            let place = format!("{method} {path} {media} {body}");
            assert!((200..300).contains(&reply.status), "{place}: {} {}", reply.status, reply.text());
            for (kind, answer) in bodies(&call["responses"][reply.status.to_string()]) {
                if kind == "application/json" && reply.header("Content-Type") == Some(kind) {
                    is_as_shown(&reply.json(), example(&document, answer).unwrap(), &place);
                }
            }
            match path {
                "/api/v1/signin" => ann = stranger.with("Cookie", &reply.cookie()),
                "/api/v1/sessions" => real.session = reply.json(),
                "/es/_bulk" | "/es/{index}/_bulk" => assert_eq!(reply.json()["errors"], false, "{body}"),
                "/v1/logs" if media.ends_with("json") => assert_eq!(reply.text(), "{}", "none was refused"),
                "/v1/logs" => assert_eq!(reply.text(), "", "none was refused"),
                "/api/v1/activity" => assert_eq!(reply.json()["rejected"], json!([]), "{body}"),
                _ => {}
            }
        }
    }
    let taking = calls(&document).into_iter().filter(|(.., call)| bodies(&call["requestBody"]).count() > 0);
    let taking: BTreeSet<_> = taking.map(|(method, path, _)| (method, path)).collect();
    let tried = TAKING.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned()));
    assert_eq!(tried.collect::<BTreeSet<_>>(), taking, "every example was sent");
}

#[test]
fn an_activity_is_answered_and_downloaded_as_the_document_shows_it() {
    let house = House::new();
    let document = document(&house);
    let shown = &document["components"]["schemas"]["Activity"]["example"];
    house.later(SignedDuration::from_millis(120));
    let mut record = shown.clone();
    for found_out in ["id", "received", "city", "region", "country"] {
        record.as_object_mut().unwrap().remove(found_out);
    }
    house.program("vault", &["activity:write"]).post("/api/v1/activity", &record).ok();
    house.caught_up();
    let reader = house.program("reader-of-it", &["activity:read"]);
    let page = reader.get("/api/v1/activity?app=salesforce").ok();
    let id = page["items"][0]["id"].as_str().unwrap().to_owned();
    let (id, shown_id) = (id.as_str(), shown["id"].as_str().unwrap());
    let read = |text: &str| serde_json::from_str::<Value>(&text.replace(id, shown_id)).unwrap();
    assert_eq!(read(&page["items"][0].to_string()), *shown);
    let text = |path: &str, media: &str| {
        let get = &document["paths"][path]["get"]["responses"]["200"]["content"];
        (reader.get(&format!("{path}?app=salesforce")).text(), get[media]["example"].as_str().unwrap())
    };
    let (csv, shown_csv) = text("/api/v1/activity.csv", "text/csv");
    assert_eq!(csv.replace(id, shown_id), shown_csv);
    let seal = &document["paths"]["/api/v1/activity/{id}/seal"]["get"]["responses"]["200"]["content"];
    let (folder, seal) = (Folder::new(), seal["text/plain"]["example"].as_str().unwrap());
    let file = folder.beside("shown.csv");
    fs::write(&file, shown_csv).unwrap();
    fs::write(file.with_added_extension("seal"), seal).unwrap();
    folder.run(&["verify", file.to_str().unwrap()]).ok();
    let (line, shown_line) = text("/api/v1/activity.ndjson", "application/x-ndjson");
    assert_eq!(read(&line), read(shown_line));
}

#[test]
fn what_writes_to_the_log_says_that_the_disk_may_be_full() {
    let house = House::new();
    let document = document(&house);
    // Shippers are told 503, which they understand, and no check waits for the disk.
    let ours = |path: &str| !["/es", "/v1/", "/auth/"].iter().any(|other| path.starts_with(other));
    let reading = ["/api/v1/activity.csv", "/api/v1/activity.ndjson"];
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
