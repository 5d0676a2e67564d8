//! Senders of syslog that mean no good, or no better.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpStream, UdpSocket},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use nix::sys::socket::{setsockopt, sockopt::RcvBufForce};
use serde_json::json;

use super::{
    http::each,
    server::{Client, Folder, PATIENCE, Server},
};

/// A server with syslog: itself, where syslog is taken, and who reads the log.
fn serve(folder: &Folder) -> (Server, String, Client) {
    let reader = folder.run(&["token", "add", "reader", "--scope", "activity:read"]).ok().to_owned();
    let mut server = folder.serve_with(&["--syslog", "127.0.0.1:0"]);
    let (at, reader) = (taken_at(&server.line()), server.bearer(&reader));
    (server, at, reader)
}

/// Where the server says that syslog is taken.
fn taken_at(said: &str) -> String {
    said.strip_prefix("Syslog is taken at ").and_then(|said| said.split_once(',')).unwrap().0.to_owned()
}

/// How much memory a process holds, in bytes.
fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn an_endless_message_costs_no_memory_and_holds_up_nobody() {
    let folder = Folder::with_admin();
    let (server, at, reader) = serve(&folder);
    let before = resident(server.process());
    let mut counted = TcpStream::connect(&at).unwrap();
    counted.write_all(b"999999999 <13>1 - h endless - - - ").unwrap();
    let mut endless = TcpStream::connect(&at).unwrap();
    let mut silent = TcpStream::connect(&at).unwrap();
    silent.write_all(b"100 <13>1 - h ").unwrap();
    let rubbish = vec![b'x'; 1 << 20];
    for _ in 0..150 {
        endless.write_all(&rubbish).unwrap();
        counted.write_all(&rubbish).unwrap();
    }
    let mut other = TcpStream::connect(&at).unwrap();
    other.write_all(b"<13>1 - h other - - - through\n").unwrap();
    reader.get_until("/api/v1/activity?app=other", |reply| reply.items().len() == 1);
    let grown = resident(server.process()).saturating_sub(before);
    assert!(grown < 40 << 20, "{grown} bytes more");
    // The message behind the one that was too long is taken as if nothing had been.
    endless.write_all(b"\n<13>1 - h behind - - - x\n").unwrap();
    reader.get_until("/api/v1/activity?app=behind", |reply| reply.items().len() == 1);
    let asked = Instant::now();
    assert_eq!(server.stop(), Some(0), "with senders connected");
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
}

#[test]
fn what_pythons_handler_sends_is_taken_over_udp_and_tcp() {
    let folder = Folder::with_admin();
    let (_server, at, reader) = serve(&folder);
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.send_to(b"<14>byudp: one\0", &at).unwrap();
    // It ends messages with a NUL, and keeps the connection open.
    let mut tcp = TcpStream::connect(&at).unwrap();
    for n in 0..5 {
        tcp.write_all(format!("<11>bytcp: {n}\0").as_bytes()).unwrap();
    }
    for (app, details, severity) in
        [("byudp", vec!["one"], "info"), ("bytcp", vec!["4", "3", "2", "1", "0"], "err")]
    {
        let path = format!("/api/v1/activity?app={app}");
        let items = reader.get_until(&path, |reply| reply.items().len() == details.len()).items();
        assert_eq!(each(&items, "detail"), details);
        for item in items {
            assert_eq!(
                (&item["user"], &item["attributes"]["log.syslog.severity.name"]),
                (&json!("127.0.0.1"), &json!(severity))
            );
        }
    }
}

#[test]
fn a_flood_over_tcp_is_taken_whole_and_does_not_keep_udp_out() {
    let folder = Folder::with_admin();
    let (server, at, reader) = serve(&folder);
    let to = at.clone();
    let flood = std::thread::spawn(move || {
        let mut flood = TcpStream::connect(to).unwrap();
        for n in 0..20_000 {
            writeln!(flood, "<13>1 - h flood - m{n} - x").unwrap();
        }
    });
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.send_to(b"<13>1 - h datagram - - - x", &at).unwrap();
    reader.get_until("/api/v1/activity?app=datagram", |reply| reply.items().len() == 1);
    flood.join().unwrap();
    let all = |reply: &super::http::Reply| reply.ok()["total"]["value"] == 20_000;
    reader.get_until("/api/v1/activity?app=flood&limit=1", all);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn what_is_dropped_is_counted_and_told() {
    let folder = Folder::with_admin();
    let mut command = folder.command(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--syslog",
        "127.0.0.1:0",
        "--syslog-from",
        "10.0.0.0/8",
    ]);
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(server.stdout.take().unwrap()).lines();
    let said = said.find_map(|line| {
        let at = line.unwrap();
        Some(at.strip_prefix("Syslog is taken at ")?.split_once(',')?.0.to_owned())
    });
    let at = said.unwrap();
    let mut stranger = TcpStream::connect(&at).unwrap();
    stranger.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // Whoever is not listed is hung up on.
    let heard = std::io::Read::read(&mut stranger, &mut [0]);
    assert!(
        matches!(heard, Ok(0))
            || heard.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
    );
    assert!(Command::new("kill").args(["-TERM", &server.id().to_string()]).status().unwrap().success());
    let output = server.wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("syslog: dropped 1 from addresses that --syslog-from does not list"), "{told}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn another_message_under_an_id_that_is_known_is_counted_and_told() {
    let folder = Folder::with_admin();
    let reader = folder.run(&["token", "add", "reader", "--scope", "activity:read"]).ok().to_owned();
    let said = folder.beside("said");
    let shell = ["sh", "-c", r#"exec "$@" --syslog 127.0.0.1:0 2> "$0""#, &said.display().to_string()];
    let mut server = folder.serve_under(&shell.map(str::to_owned));
    let (at, reader) = (taken_at(&server.line()), server.bearer(&reader));
    let mut sender = TcpStream::connect(&at).unwrap();
    for (id, action) in [("7", "one"), ("7", "one"), ("7", "two"), ("8", "last")] {
        let fields = json!({"event.id": id, "user.name": "ann", "event.action": action});
        writeln!(sender, "<13>1 - h shop - - - {fields}").unwrap();
    }
    reader.get_until("/api/v1/activity?app=shop&action=last", |reply| reply.items().len() == 1);
    assert_eq!(each(&reader.get("/api/v1/activity?app=shop").items(), "action"), ["last", "one"]);
    assert_eq!(server.stop(), Some(0));
    let told = fs::read_to_string(said).unwrap();
    let first = "syslog: dropped 1 that cannot be kept (the first: another record came with this id before";
    assert!(told.contains(first), "{told}");
}

#[test]
fn a_wrong_address_or_network_is_refused_at_the_start() {
    let folder = Folder::with_admin();
    folder.run(&["serve", "--syslog", "514"]).refuses(2, "syslog:");
    folder
        .run(&["serve", "--syslog", "127.0.0.1:0", "--syslog-from", "0.0.0.0/0"])
        .refuses(2, "syslog-from: 0.0.0.0/0 would hear anybody; name the address itself");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    folder.run(&["serve", "--listen", "127.0.0.1:0", "--syslog", &at]).refuses(2, &at);
}

/// How many bytes of what was sent over UDP to this address nobody has read yet. None where the list, which others change while it
/// is read, has left it out.
fn unread(at: &str) -> Option<u64> {
    let port: u16 = at.rsplit(':').next().unwrap().parse().unwrap();
    let list = fs::read_to_string("/proc/net/udp").unwrap();
    let here = format!(":{port:04X}");
    let mut lines = list.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let line = lines.find(|fields| fields[1].ends_with(&here))?;
    u64::from_str_radix(line[4].split_once(':').unwrap().1, 16).ok()
}

/// Sends so many messages while the server stands still, waits until it has read all that the system held, and stops it. How many of
/// them are in the log.
fn found_of_a_burst(folder: &Folder, server: Server, at: &str, sent: usize) -> usize {
    server.signal("STOP");
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    for n in 0..sent {
        udp.send_to(format!("<13>1 - h burst - - - {n}").as_bytes(), at).unwrap();
    }
    server.signal("CONT");
    let since = Instant::now();
    while unread(at) != Some(0) {
        assert!(since.elapsed() < PATIENCE, "it is not read");
        std::thread::yield_now();
    }
    assert_eq!(server.stop(), Some(0));
    let all = ["activity", "search", "app:burst", "--json", "--limit", "50000"];
    folder.run(&all).ok().lines().count()
}

#[test]
fn of_a_burst_over_udp_each_message_is_taken_or_counted() {
    // More than the system holds, whoever asks.
    const SENT: usize = 40_000;
    let folder = Folder::with_admin();
    let said = folder.beside("said");
    let mut command = folder.command(&["serve", "--listen", "127.0.0.1:0", "--syslog", "127.0.0.1:0"]);
    command.stderr(fs::File::create(&said).unwrap());
    let mut server = Server::start(command);
    let at = taken_at(&server.line());
    let found = found_of_a_burst(&folder, server, &at, SENT);
    let said = fs::read_to_string(said).unwrap();
    let told =
        said.lines().filter_map(|line| line.split_once("syslog: dropped ")?.1.split_once(" over UDP,"));
    let missed: usize = told.filter_map(|(count, _)| count.parse::<usize>().ok()).sum();
    assert!(missed > 0, "{said}");
    assert_eq!(found + missed, SENT, "{said}");
}

#[test]
fn a_burst_over_udp_that_the_system_holds_is_taken_whole() {
    let folder = Folder::with_admin();
    let (server, at, _) = serve(&folder);
    // Several times as much as waits to be written; or as much as is held where nobody may ask for more than `net.core.rmem_default`.
    let asked = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sent = if setsockopt(&asked, RcvBufForce, &(8 << 20)).is_ok() { 5000 } else { 250 };
    assert_eq!(found_of_a_burst(&folder, server, &at, sent), sent);
}
