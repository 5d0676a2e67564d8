//! Connections that say little or nothing, against somebody who wants to work meanwhile.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use super::server::{Folder, PATIENCE, Server};

/// The deadline of a head and of a body that does not come, with what the rounds and a busy machine add.
const CLOSED_BY: Duration = Duration::from_secs(25);

/// So many connections on which this was sent, and nothing more.
fn stalled(server: &Server, count: usize, sent: &str) -> Vec<TcpStream> {
    let open = |_| {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(sent.as_bytes()).unwrap();
        stream
    };
    (0..count).map(open).collect()
}

/// What the server still says before it closes.
fn last_words(stream: &mut TcpStream) -> String {
    let mut words = Vec::new();
    match stream.read_to_end(&mut words) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "it stays open"),
    }
    String::from_utf8(words).unwrap()
}

/// Whether this can still be said on all of them.
fn trickle(streams: &mut [TcpStream]) {
    for stream in streams {
        // Those that are closed already are what the test is about.
        let _ = stream.write_all(b"x");
    }
}

#[test]
fn five_hundred_connections_that_stall_keep_nobody_out_and_are_closed_in_time() {
    let folder = Folder::with_admin();
    let server = folder.serve();
    let ada = server.signed_in("ada");
    let start = Instant::now();
    let mut silent = stalled(&server, 150, "");
    let mut heads = stalled(&server, 200, "GET /healthz HTTP/1.1\r\nHost: rollcall\r\nX-Slow: ");
    let half = "POST /api/v1/signin HTTP/1.1\r\nHost: rollcall\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{\"user\":\"somebody ";
    let mut bodies = stalled(&server, 150, half);
    // So little of a body that the framework still waits to see whether it is a form: nobody has been asked to answer yet.
    let begun = half.replace("{\"user\":\"somebody ", "{\"user\":");
    let mut begun = stalled(&server, 50, &begun);

    let mut slowest = Duration::ZERO;
    while start.elapsed() < Duration::from_secs(5) {
        let asked = Instant::now();
        assert_eq!(ada.get("/api/v1/me").status, 200);
        slowest = slowest.max(asked.elapsed());
        trickle(&mut heads);
        trickle(&mut bodies);
    }
    assert!(slowest < Duration::from_secs(2), "somebody waited for {slowest:?}");
    for stream in heads.iter_mut().chain(&mut silent).chain(&mut begun) {
        assert_eq!(last_words(stream), "");
    }
    for stream in &mut bodies {
        let words = last_words(stream);
        assert!(words.starts_with("HTTP/1.1 408 ") && words.contains("slow_body"), "{words:?}");
    }
    assert!(start.elapsed() < CLOSED_BY, "closed after {:?}", start.elapsed());
    assert!(start.elapsed() > Duration::from_secs(9), "nobody is hurried");
    assert_eq!(ada.get("/api/v1/me").status, 200);
}

#[test]
fn a_handshake_that_does_not_go_on_is_broken_off() {
    let server = Folder::new();
    let server = server.serve_with(&["--tls-self-signed"]);
    // Nothing, the beginning of a record, and the beginning of plain HTTP.
    for mut stream in
        ["", "\x16\x03\x01", "GET / HTTP/1.1\r\nHost: "].map(|sent| stalled(&server, 1, sent).remove(0))
    {
        assert_eq!(last_words(&mut stream), "");
    }
}
