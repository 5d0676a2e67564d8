//! Connections that say little or nothing, against somebody who wants to work meanwhile.

use std::{
    env,
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddrV4, TcpStream},
    os::fd::AsRawFd as _,
    time::{Duration, Instant},
};

use nix::{
    ifaddrs::getifaddrs,
    sys::socket::{
        AddressFamily, SockFlag, SockType, SockaddrIn, connect, setsockopt, socket,
        sockopt::{RcvBuf, TcpMaxSeg},
    },
};

use super::{
    house::loudly,
    load::{open_files, p99},
    server::{Folder, PATIENCE, Server},
    stream::Events,
};

/// The deadline of a head and of a body that does not come, with what the rounds and a busy machine add.
const CLOSED_BY: Duration = Duration::from_secs(25);

/// How many times as many connections stall. Set `ROLLCALL_STALLS=4` for two thousand.
fn times() -> usize {
    env::var("ROLLCALL_STALLS").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

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
    let mut silent = stalled(&server, 150 * times(), "");
    let mut heads = stalled(&server, 200 * times(), "GET /healthz HTTP/1.1\r\nHost: rollcall\r\nX-Slow: ");
    let half = "POST /api/v1/signin HTTP/1.1\r\nHost: rollcall\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{\"user\":\"somebody ";
    let mut bodies = stalled(&server, 150 * times(), half);
    // So little of a body that the framework still waits to see whether it is a form: nobody has been asked to answer yet.
    let begun = half.replace("{\"user\":\"somebody ", "{\"user\":");
    let mut begun = stalled(&server, 50 * times(), &begun);

    let (opened, mut took) = (Instant::now(), Vec::new());
    while opened.elapsed() < Duration::from_secs(5) {
        let asked = Instant::now();
        assert_eq!(ada.get("/api/v1/me").status, 200);
        took.push(asked.elapsed());
        trickle(&mut heads);
        trickle(&mut bodies);
    }
    let p99 = p99(took);
    assert!(p99 < Duration::from_millis(500), "others waited for {p99:?}");
    for stream in heads.iter_mut().chain(&mut silent).chain(&mut begun) {
        assert_eq!(last_words(stream), "");
    }
    for stream in &mut bodies {
        let words = last_words(stream);
        assert!(words.starts_with("HTTP/1.1 408 ") && words.contains("slow_body"), "{words:?}");
    }
    assert!(opened.elapsed() < CLOSED_BY, "closed after {:?}", opened.elapsed());
    assert!(start.elapsed() > Duration::from_secs(9), "nobody is hurried");
    assert_eq!(ada.get("/api/v1/me").status, 200);
}

/// An address of this machine that others reach it at: what comes from it is held to what one address may have.
fn outward() -> Option<Ipv4Addr> {
    let addresses = getifaddrs().ok()?.filter_map(|interface| interface.address);
    addresses.filter_map(|address| Some(address.as_sockaddr_in()?.ip())).find(|ip| !ip.is_loopback())
}

#[test]
fn of_more_slow_bodies_than_one_address_may_have_those_that_are_too_many_are_hung_up_on() {
    const MAY_HAVE: usize = 512;
    const HAS: usize = 600;
    let Some(here) = outward() else {
        return loudly("slow bodies of one address were not tested: this machine has no address but its own");
    };
    let folder = Folder::with_admin();
    let server = folder.serve_at(here);
    let half = "POST /signin HTTP/1.1\r\nHost: rollcall\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 30000\r\n\r\nuser=somebody&password=";
    let words: Vec<String> = stalled(&server, HAS, half).iter_mut().map(last_words).collect();
    let hung_up_on = words.iter().filter(|words| words.is_empty()).count();
    assert!(hung_up_on >= HAS - MAY_HAVE, "{hung_up_on} of {HAS} are hung up on");
    let told = words.iter().filter(|words| words.starts_with("HTTP/1.1 408 ")).count();
    assert!(told > 0 && told + hung_up_on == HAS, "{told} of {HAS} had all the time there is");
    assert_eq!(server.signed_in("ada").get("/api/v1/me").status, 200);
}

/// A connection over a line so thin that little of an answer fits into the buffers on the way.
fn over_a_thin_line(server: &Server) -> TcpStream {
    let address: SocketAddrV4 = server.address().parse().unwrap();
    let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    setsockopt(&socket, TcpMaxSeg, &536).unwrap();
    setsockopt(&socket, RcvBuf, &4096).unwrap();
    connect(socket.as_raw_fd(), &SockaddrIn::from(address)).unwrap();
    socket.into()
}

#[test]
fn fifty_clients_that_take_nothing_of_their_answers_hold_nobody_up_and_are_closed_in_time() {
    let folder = Folder::with_admin();
    let server = folder.serve();
    let ada = server.signed_in("ada");
    let mut events = Events::open(&ada, "/api/v1/sessions/stream");
    let before = open_files(&server);
    let start = Instant::now();
    // The description of the API is larger than the buffers on the way.
    let request = format!("GET /api/v1/openapi.json HTTP/1.1\r\nHost: {}\r\n\r\n", server.address());
    let open = |_| {
        let mut stream = over_a_thin_line(&server);
        stream.write_all(request.as_bytes()).unwrap();
        stream
    };
    let deaf: Vec<TcpStream> = (0..50 * times()).map(open).collect();
    let mut took = Vec::new();
    while start.elapsed() < Duration::from_secs(5) {
        let asked = Instant::now();
        assert_eq!(ada.get("/api/v1/me").status, 200);
        took.push(asked.elapsed());
    }
    let p99 = p99(took);
    assert!(p99 < Duration::from_millis(500), "others waited for {p99:?}");
    let open = open_files(&server);
    assert!(
        open + 10 > before + deaf.len(),
        "nobody is hurried: {open} files are open, and {before} were before"
    );
    // A beat every ten seconds: there is nothing else to wait for, since who takes nothing is told nothing.
    while open_files(&server) > before + 10 {
        assert!(start.elapsed() < Duration::from_mins(1), "{} files are open", open_files(&server));
        assert!(events.read(), "whoever listens is not closed");
    }
    assert!(start.elapsed() > Duration::from_secs(29), "closed after {:?}", start.elapsed());
    drop(deaf);
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
