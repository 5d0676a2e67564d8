//! Rollcall calls nobody: by default it opens no connection, not even when a network is there or missing.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use super::{
    house::{PASSWORD, loudly},
    server::Folder,
};

/// The calls of `connect` that reach for a network, in what strace wrote down.
fn attempts(trace: &Path) -> Vec<String> {
    let trace = fs::read_to_string(trace).unwrap();
    assert!(trace.contains("+++ exited with"), "strace followed to the end: {trace}");
    let reaching = |line: &&str| line.contains("connect(") && line.contains("sa_family=AF_INET");
    trace.lines().filter(reaching).map(str::to_owned).collect()
}

/// Whether an empty network namespace can be made and watched here.
fn can_watch() -> bool {
    let tried = ["strace -V", "unshare -n ip link set lo up", "curl --version", "nsenter --version"];
    tried.iter().all(|line| {
        let tried = Command::new("sh").args(["-c", line]).output();
        tried.is_ok_and(|tried| tried.status.success())
    })
}

#[test]
fn no_connection_is_opened_from_the_start_to_the_stop() {
    if !can_watch() {
        assert!(std::env::var_os("CI").is_none(), "strace, ip, curl and the right to unshare must be there");
        loudly("whether Rollcall calls anybody was not tested: it takes strace, ip, curl and root");
        return;
    }
    let folder = Folder::with_admin();
    let token = folder.run(&["token", "add", "sender", "--scope", "activity:write"]);
    let written = tempfile::tempdir().unwrap();
    let (trace, control) = (written.path().join("server"), written.path().join("control"));

    // In an empty namespace, where this machine can reach itself and nobody else.
    let server = folder.command(&["serve", "--listen", "127.0.0.1:0"]);
    let mut command = Command::new("unshare");
    command.args([
        "-n",
        "sh",
        "-c",
        "ip link set lo up && exec strace -f -q -e trace=connect -o \"$@\"",
        "sh",
    ]);
    command.arg(&trace).arg(server.get_program()).args(server.get_args());
    // As it is by default: with the cities that are inside the binary.
    command.env_remove("ROLLCALL_GEO").stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let address = line.trim_end().strip_prefix("Rollcall is ready at ").expect("it is ready").to_owned();

    let inside = child.id().to_string();
    let ask = |args: &[&str]| {
        let curl =
            Command::new("nsenter").args(["-n", "-t", &inside, "curl", "-sf"]).args(args).output().unwrap();
        assert!(curl.status.success(), "{args:?}: {curl:?}");
        String::from_utf8(curl.stdout).unwrap()
    };
    let at = |path: &str| format!("{address}{path}");
    let jar = written.path().join("cookies");
    let jar = jar.to_str().unwrap();
    let json = "Content-Type: application/json";
    let origin = format!("Origin: {address}");
    let who = serde_json::json!({"user": "ada", "password": PASSWORD}).to_string();
    ask(&["-c", jar, "-H", json, "-H", &origin, "-d", &who, &at("/api/v1/signin")]);
    let bearer = format!("Authorization: Bearer {}", token.ok().trim());
    let record = r#"{"user":"ann","action":"backup","ip":"81.2.69.142","user_agent":"curl/8"}"#;
    let sent = ask(&["-H", json, "-H", &bearer, "-d", record, &at("/api/v1/activity")]);
    assert!(sent.contains("\"accepted\":1"), "{sent}");
    for path in ["/sessions", "/activity", "/settings", "/users", "/profile", "/help", "/api/v1/activity.csv"]
    {
        ask(&["-b", jar, &at(path)]);
    }
    // Whom strace started is the server.
    let server = fs::read_to_string(format!("/proc/{inside}/task/{inside}/children")).unwrap();
    assert!(Command::new("kill").args(["-TERM", server.trim()]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    assert_eq!(attempts(&trace), Vec::<String>::new());

    // The same watch sees what does connect.
    let watched = Command::new("strace")
        .args(["-f", "-q", "-e", "trace=connect", "-o"])
        .arg(&control)
        .args(["curl", "-s", "--max-time", "1", "http://127.0.0.1:9/"])
        .output();
    assert!(watched.is_ok());
    assert!(!attempts(&control).is_empty(), "the watch is blind");
}
