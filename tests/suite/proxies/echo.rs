//! An app that says what reaches it.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
};

use super::super::server::PATIENCE;

/// What a client of `WebSocket` sends in these tests, and what it must be answered (RFC 6455, 1.3).
pub(super) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// What the app says through a socket.
pub(super) const HELLO: &[u8] = b"\x81\x05hello";

/// Where the app sends two events, the second not before the first was told it to be seen at [`SEEN`].
pub(super) const EVENTS: &str = "/events";
pub(super) const SEEN: &str = "/seen";

/// Whether the first event was seen.
type Seen = Arc<(Mutex<bool>, Condvar)>;

/// Starts one that lives as long as the tests and says its name with every answer; its port.
pub(super) fn start(name: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Seen::default();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let seen = Arc::clone(&seen);
            thread::spawn(move || drop(answer(name, stream, &seen)));
        }
    });
    port
}

/// Answers every request on a connection with its own text; an upgrade with a socket that says hello.
fn answer(name: &str, stream: TcpStream, seen: &Seen) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut head, mut length, mut upgrade) = (Vec::new(), 0, false);
        loop {
            let start = head.len();
            if reader.read_until(b'\n', &mut head)? == 0 {
                return Ok(());
            }
            let line = String::from_utf8_lossy(&head[start..]).trim_end().to_ascii_lowercase();
            match line.split_once(':') {
                Some(("content-length", value)) => length = value.trim().parse().map_err(io::Error::other)?,
                Some(("upgrade", _)) => upgrade = true,
                _ if line.is_empty() => break,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let stream = reader.get_mut();
        if upgrade {
            write!(
                stream,
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
            )?;
            stream.write_all(HELLO)?;
            // It stays open until the client has gone.
            io::copy(&mut reader, &mut io::sink())?;
            return Ok(());
        }
        if head.starts_with(format!("GET {EVENTS} ").as_bytes()) {
            return events(stream, seen);
        }
        if head.starts_with(format!("GET {SEEN} ").as_bytes()) {
            *seen.0.lock().unwrap() = true;
            seen.1.notify_all();
        }
        body.splice(..0, head);
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nAnswered-By: {name}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )?;
        stream.write_all(&body)?;
    }
}

/// Sends one event, and another once somebody says that the first has come.
fn events(stream: &mut TcpStream, seen: &Seen) -> io::Result<()> {
    let event = |name: &str| {
        let event = format!("data: {name}\n\n");
        format!("{:x}\r\n{event}\r\n", event.len())
    };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{}",
        event("first")
    )?;
    let unseen = seen.1.wait_timeout_while(seen.0.lock().unwrap(), PATIENCE, |seen| !*seen).unwrap();
    if !unseen.1.timed_out() {
        write!(stream, "{}0\r\n\r\n", event("second"))?;
    }
    Ok(())
}
