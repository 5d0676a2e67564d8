//! How soon everybody knows of a logout: the browser's other tabs, and the app that its webhook tells.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use super::client::{ask, asking, sign_in};

/// How many sessions are logged out.
const ROUNDS: usize = 50;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Milliseconds from the answer of a logout, sorted: until another tab of the session was told, and until the app was posted.
pub(crate) struct Known {
    pub(crate) tab: Vec<f64>,
    pub(crate) app: Vec<f64>,
}

/// Logs sessions out of the server at `port`, in which the app wiki has been opened, one after the other.
pub(crate) fn measure(port: u16, cookie: &str) -> anyhow::Result<Known> {
    let (hook, posts) = listen()?;
    let json = |cookie: &str| {
        let cookie = format!("Cookie: {cookie}");
        [cookie, "Sec-Fetch-Site: same-origin".to_owned(), "Content-Type: application/json".to_owned()]
    };
    let set = ask(port, "PUT /api/v1/apps/wiki/hook", &json(cookie), &format!("{{\"url\":\"{hook}\"}}"))?;
    anyhow::ensure!(set.starts_with("HTTP/1.1 201"), "the webhook is not set: {set}");
    let mut known = Known { tab: Vec::new(), app: Vec::new() };
    for _ in 0..ROUNDS {
        let victim = sign_in(port)?;
        let checked = ask(port, "GET /auth/forward", &asking(&victim), "")?;
        let id = checked.lines().find(|line| line.to_ascii_lowercase().starts_with("remote-session"));
        let id =
            id.and_then(|line| line.split(": ").nth(1)).with_context(|| format!("no session: {checked}"))?;
        let ended = follow(port, &victim)?;
        let answer = ask(port, &format!("DELETE /api/v1/sessions/{id}"), &json(cookie), "")?;
        let answered = Instant::now();
        anyhow::ensure!(answer.starts_with("HTTP/1.1 204"), "the logout says {answer}");
        let since = |at: Instant| at.saturating_duration_since(answered).as_secs_f64() * 1000.0;
        known.tab.push(since(ended.recv_timeout(PATIENCE)?));
        known.app.push(since(posts.recv_timeout(PATIENCE)?));
    }
    for times in [&mut known.tab, &mut known.app] {
        times.sort_by(f64::total_cmp);
    }
    Ok(known)
}

/// An app that is told, and when it was.
fn listen() -> anyhow::Result<(String, Receiver<Instant>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}/", listener.local_addr()?);
    let (sender, posts) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // The first byte of it tells as much as the last.
            let _ = BufReader::new(&stream).fill_buf();
            let _ = sender.send(Instant::now());
            let _ =
                (&stream).write_all(b"HTTP/1.1 204 Heard\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        }
    });
    Ok((address, posts))
}

/// Another tab of the session, and when it was told that it has ended.
fn follow(port: u16, cookie: &str) -> anyhow::Result<Receiver<Instant>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    write!(
        stream,
        "GET /api/v1/sessions/stream HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n\r\n"
    )?;
    let mut lines = BufReader::new(stream).lines();
    // It is there once it has greeted.
    while !lines.next().context("the stream ended")??.contains("connected") {}
    let (sender, ended) = channel();
    thread::spawn(move || {
        let mut lines = lines.map_while(Result::ok);
        if lines.any(|line| line == "event:ended") {
            let _ = sender.send(Instant::now());
        }
    });
    Ok(ended)
}
