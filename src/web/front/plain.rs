//! Plain HTTP spoken to the port that speaks TLS: people who forgot the `s`.

use std::io;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::web::headers;

/// The first byte of a handshake (RFC 8446, section 5.1: the content type of a record).
const HANDSHAKE: u8 = 22;

/// How much is read of what is answered so: closing with more unread would take the answer back.
const READ: usize = 16 << 10;

/// Whether something else than TLS is spoken. Waits for the first byte.
pub(super) async fn is_spoken(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(first[0] != HANDSHAKE)
}

/// Answers a request; whatever is no request is left without one.
pub(super) async fn refuse(mut stream: TcpStream, public_url: Option<&str>) -> io::Result<()> {
    let mut head = Vec::new();
    let mut bytes = (&mut stream).take(READ as u64);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if bytes.read_buf(&mut head).await? == 0 || !head[0].is_ascii_alphabetic() {
            return Ok(());
        }
    }
    stream.write_all(answer(public_url).as_bytes()).await?;
    stream.shutdown().await
}

fn answer(public_url: Option<&str>) -> String {
    let told = match public_url {
        Some(url) => format!("This port speaks TLS: go to {url}/\n"),
        None => "This port speaks TLS: write https:// instead of http://\n".to_owned(),
    };
    format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n{}\r\n{told}",
        told.len(),
        headers::lines()
    )
}
