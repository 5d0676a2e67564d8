//! Bodies of any length: they pass through the server, and are never in it as a whole.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    thread,
};

use flate2::{Compression, write::GzEncoder};
use serde_json::json;

use super::server::{Client, Folder, PATIENCE};

/// How often the piece is sent: 256 MB of it, whatever it is packed into on its way.
const TIMES: usize = 256;

/// How many bytes more the server may hold at its worst: what it takes in is written and indexed meanwhile. The body alone has
/// 256 MB.
const ROOM: usize = 160 << 20;

/// 1 MB of records, most of which is space.
fn piece() -> Vec<u8> {
    let record = b"{\"user\":\"ann\",\"action\":\"backup\"}";
    let mut line = [record.as_slice(), &b" ".repeat(50_000)].concat();
    line.push(b'\n');
    let mut piece = line.repeat(20);
    piece.resize(1 << 20, b' ');
    piece.push(b'\n');
    piece
}

/// The most that a process has held since it was last asked to forget that, in bytes.
fn peak(process: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<usize>().unwrap() * 1024
}

#[test]
fn a_long_body_of_lines_needs_no_memory_of_its_length_however_it_is_packed() {
    let folder = Folder::with_admin();
    let token = folder.run(&["token", "add", "writer", "--scope", "activity:write"]);
    let server = folder.serve();
    let writer = server.bearer(token.ok());
    let piece = piece();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let mut zstd = zstd::Encoder::new(Vec::new(), 1).unwrap();
    for _ in 0..TIMES {
        gzip.write_all(&piece).unwrap();
        zstd.write_all(&piece).unwrap();
    }
    let (gzip, zstd) = (gzip.finish().unwrap(), zstd.finish().unwrap());
    let send = |client: &Client, body: &[u8], times| {
        // Counting begins anew.
        fs::write(format!("/proc/{}/clear_refs", server.process()), "5").unwrap();
        let before = peak(server.process());
        let reply = client.connect().pour("/api/v1/activity", body, times);
        let grown = peak(server.process()) - before;
        assert!(grown < ROOM, "{grown} bytes for {}", TIMES * piece.len());
        reply
    };
    let packed = [("identity", &piece, TIMES), ("gzip", &gzip, 1), ("zstd", &zstd, 1)];
    for (packing, body, times) in packed {
        let writer = writer.with("Content-Encoding", packing);
        let told = send(&writer.with("Content-Type", "application/x-ndjson"), body, times).ok();
        assert_eq!((&told["accepted"], &told["rejected"]), (&json!(20 * TIMES), &json!([])), "{packing}");
    }
}

#[test]
fn a_body_in_chunks_that_never_ends_is_refused_at_the_bound_and_the_connection_closed() {
    let folder = Folder::with_admin();
    let token = folder.run(&["token", "add", "writer", "--scope", "activity:write"]);
    let server = folder.serve();
    fs::write(format!("/proc/{}/clear_refs", server.process()), "5").unwrap();
    let before = peak(server.process());
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "POST /api/v1/activity HTTP/1.1\r\nHost: rollcall\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n",
        token.ok().trim()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // Read meanwhile: what has come is lost when the connection breaks.
    let mut reading = stream.try_clone().unwrap();
    let answer = thread::spawn(move || {
        let mut answer = Vec::new();
        let mut chunk = [0; 4096];
        while let Ok(read @ 1..) = reading.read(&mut chunk) {
            answer.extend_from_slice(&chunk[..read]);
        }
        String::from_utf8(answer).unwrap()
    });
    let chunk = [b"100000\r\n".as_slice(), &b" ".repeat(1 << 20), b"\r\n"].concat();
    let sent = (0..TIMES).take_while(|_| stream.write_all(&chunk).is_ok()).count();
    let answer = answer.join().unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("too_large"), "{answer:?}");
    assert!((31..TIMES).contains(&sent), "{sent} MiB were taken before the connection was closed");
    let grown = peak(server.process()) - before;
    assert!(grown < 64 << 20, "{grown} bytes, which is more than twice the bound");
}

#[test]
fn a_body_that_is_not_as_long_as_it_says_is_refused_and_nothing_of_it_is_kept() {
    let folder = Folder::with_admin();
    let token = folder.run(&["token", "add", "writer", "--scope", "activity:write"]);
    let server = folder.serve();
    let record = "{\"user\":\"ann\",\"action\":\"lie\"}";
    for lengths in
        ["Content-Length: 5000", "Content-Length: 31\r\nContent-Length: 5000", "Content-Length: -1"]
    {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "POST /api/v1/activity HTTP/1.1\r\nHost: rollcall\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n{lengths}\r\n\r\n{record}",
            token.ok().trim()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{lengths}: {answer:?}");
    }
    let kept = folder.run(&["activity", "search", "--json", "action:lie"]);
    assert_eq!(kept.out, "");
}
