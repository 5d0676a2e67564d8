//! The examples of the manual: small apps with a sign-in of their own, run as they are shown.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    clients::installed,
    server::{Client, Folder, PATIENCE, Server},
};

/// An example that runs.
struct Example {
    process: Child,
    address: String,
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn start(
    program: &str,
    package: &str,
    file: &str,
    server: &Server,
    secrets: [&str; 2],
    port: u16,
) -> Example {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/examples").join(file);
    let mut command = Command::new(installed(program, package));
    command.arg(file).env("PYTHONDONTWRITEBYTECODE", "1").env("PORT", port.to_string());
    command.env("ROLLCALL", format!("http://{}", server.address()));
    command.env("TOKEN", secrets[0].trim()).env("SECRET", secrets[1].trim());
    let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address =
        line.trim().strip_prefix("http://").unwrap_or_else(|| panic!("it says {line:?}")).to_owned();
    Example { process, address }
}

/// Signs in, is seen, is logged out, and is told so: what every example does.
fn works(program: &str, package: &str, file: &str) {
    // Where the app will listen must be known before its secret is.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = Folder::with_admin();
    let token = folder.run(&["token", "add", "notes", "--scope", "session:write"]).ok().to_owned();
    folder.run(&["app", "add", "notes", "--url", &format!("http://127.0.0.1:{port}")]).ok();
    let hook = format!("http://127.0.0.1:{port}/rollcall");
    let secret = folder.run(&["app", "hook", "notes", "--url", &hook]).ok().to_owned();
    let server = folder.serve();
    let example = start(program, package, file, &server, [&token, &secret], port);
    let browser = server.stranger().at(&example.address);
    let form = |path: &str, body: &str, client: &Client| client.connect().send("POST", path, body.as_bytes());

    assert_eq!(browser.get("/").status, 401);
    assert_eq!(form("/signin", "user=ada&password=w\u{f6}rong", &browser).status, 401);
    assert_eq!(form("/signin", "user=eve&password=engine", &browser).status, 401);
    let signed_in = form("/signin", "user=ada&password=engine", &browser);
    assert_eq!(signed_in.status, 200, "{}", signed_in.text());
    let browser = browser.with("Cookie", &signed_in.cookie());
    let home = browser.get("/");
    assert_eq!((home.status, home.text().as_str()), (200, "Hello ada"));

    // It is in Session Information, with where and on what.
    let ada = server.signed_in("ada");
    let find = |state: &str| -> Vec<Value> {
        let all = ada.get(&format!("/api/v1/sessions?state={state}")).items();
        all.into_iter().filter(|session| session["apps"] == json!(["notes"])).collect()
    };
    let sessions = find("active");
    assert_eq!(sessions.len(), 1);
    assert_eq!(
        [&sessions[0]["user"], &sessions[0]["ip"], &sessions[0]["browser"]],
        ["ada", "127.0.0.1", "Firefox 115"]
    );

    // A message that is not Rollcall's changes nothing.
    let id = sessions[0]["id"].as_str().unwrap();
    let untrue = json!({"type": "session.ended", "data": {"session": id}}).to_string();
    let forger = browser
        .with("webhook-id", "msg_1")
        .with("webhook-timestamp", "1770000000")
        .with("webhook-signature", "v1,bm90IHRoZSByaWdodCBvbmU=");
    assert_eq!(form("/rollcall", &untrue, &forger).status, 400);
    assert_eq!(form("/rollcall", &untrue, &browser).status, 400, "without a signature");
    assert_eq!(browser.get("/").status, 200);

    // A logout: the app's next request is refused, and the app has taken the message.
    assert_eq!(ada.delete(&format!("/api/v1/sessions/{id}")).status, 204);
    let answered = Instant::now();
    assert_eq!(browser.get("/").status, 401);
    let told =
        ada.get_until("/api/v1/apps/notes/hook", |reply| reply.ok()["deliveries"][0]["tries"] != 0).ok();
    assert!(answered.elapsed() < Duration::from_secs(2), "{:?}", answered.elapsed());
    assert_eq!(told["deliveries"][0]["state"], "told", "it checked the signature: {told}");

    // Signing out of the app is signing out.
    let again = form("/signin", "user=ada&password=engine", &browser);
    let browser = server.stranger().at(&example.address).with("Cookie", &again.cookie());
    assert_eq!(browser.get("/").status, 200);
    assert_eq!(form("/signout", "", &browser).status, 204);
    assert_eq!(browser.get("/").status, 401);
    let ended = find("ended").remove(0);
    assert_eq!([&ended["ended_by"], &ended["ended_by_user"]], ["user", "ada"]);

    // Without Rollcall nobody is let in.
    let third = form("/signin", "user=ada&password=engine", &browser);
    let browser = server.stranger().at(&example.address).with("Cookie", &third.cookie());
    server.kill();
    let start = Instant::now();
    assert_eq!(browser.get("/").status, 503);
    assert!(start.elapsed() < PATIENCE);
}

#[test]
fn the_python_example_shares_its_sessions() {
    works("python3", "python3", "app.py");
}

#[test]
fn the_node_example_shares_its_sessions() {
    works("node", "nodejs", "app.mjs");
}

#[test]
fn an_example_is_short_enough_to_be_read() {
    for text in [include_str!("../../assets/examples/app.py"), include_str!("../../assets/examples/app.mjs")]
    {
        assert!(text.lines().count() < 60, "{} lines", text.lines().count());
    }
}
