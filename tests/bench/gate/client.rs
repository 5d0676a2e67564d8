//! What asks: once, and `wrk` as fast as it can.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Command,
};

use anyhow::Context as _;

/// Everybody's.
pub(crate) const PASSWORD: &str = "four horses in a field";

/// How many connections ask at once.
const CONNECTIONS: &str = "32";

/// What the proxy sends with every check.
pub(crate) fn asking(cookie: &str) -> [String; 8] {
    [
        format!("Cookie: {cookie}"),
        "User-Agent: Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0".into(),
        "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8".into(),
        "X-Forwarded-For: 203.0.113.7".into(),
        "X-Forwarded-Proto: https".into(),
        "X-Forwarded-Host: wiki.example.org".into(),
        "X-Forwarded-Method: GET".into(),
        "X-Forwarded-Uri: /page?a=b".into(),
    ]
}

/// Asks once; the head of the answer.
pub(crate) fn ask(port: u16, first: &str, headers: &[String], body: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    let headers = [headers.join("\r\n"), String::new()].join("\r\n");
    write!(
        stream,
        "{first} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text.split("\r\n\r\n").next().unwrap_or_default().to_owned())
}

pub(crate) fn sign_in(port: u16) -> anyhow::Result<String> {
    let body = format!("{{\"user\":\"ann\",\"password\":\"{PASSWORD}\"}}");
    let headers = ["Content-Type: application/json".to_owned()];
    let head = ask(port, "POST /api/v1/signin", &headers, &body)?;
    let cookie = head.lines().find(|line| line.to_ascii_lowercase().starts_with("set-cookie"));
    let cookie =
        cookie.and_then(|line| line.split_once(": ")?.1.split(';').next()).with_context(|| head.clone())?;
    Ok(cookie.to_owned())
}

/// The headers of the answer to a check that lets the request pass, but for those that every server writes by itself.
pub(crate) fn headers(port: u16, cookie: &str) -> anyhow::Result<Vec<(String, String)>> {
    let head = ask(port, "GET /auth/forward", &asking(cookie), "")?;
    anyhow::ensure!(head.starts_with("HTTP/1.1 200"), "the check says {head}");
    let own = ["content-length", "connection", "date"];
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let lines = lines.filter(|(name, _)| !own.contains(&name.to_ascii_lowercase().as_str()));
    Ok(lines.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect())
}

/// What `wrk` saw.
pub(crate) struct Load {
    /// Answers a second.
    pub(crate) rate: f64,
    /// Milliseconds, in which 99 of 100 were answered.
    pub(crate) p99: f64,
}

pub(crate) fn load(port: u16, cookie: &str, seconds: u32) -> anyhow::Result<Load> {
    let mut wrk = Command::new("wrk");
    wrk.args(["-t", "2", "-c", CONNECTIONS, "-d", &format!("{seconds}s"), "--latency"]);
    for line in asking(cookie) {
        wrk.args(["-H", &line]);
    }
    let output = wrk.arg(format!("http://127.0.0.1:{port}/auth/forward")).output();
    let text = String::from_utf8(output.context("wrk is missing; install it")?.stdout)?;
    anyhow::ensure!(!text.contains("Non-2xx"), "not every answer was good: {text}");
    let value = |name: &str| text.lines().find_map(|line| line.trim().strip_prefix(name).map(str::trim));
    let rate = value("Requests/sec:").context("wrk does not say how many")?.parse()?;
    let p99 = value("99%").context("wrk does not say how long")?;
    let millis = |text: &str, unit: f64| text.parse::<f64>().map(|value| value * unit);
    let p99 = match (p99.strip_suffix("us"), p99.strip_suffix("ms")) {
        (Some(text), _) => millis(text, 0.001),
        (_, Some(text)) => millis(text, 1.0),
        _ => millis(p99.trim_end_matches('s'), 1000.0),
    };
    Ok(Load { rate, p99: p99? })
}
