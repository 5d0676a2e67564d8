//! A connection that is kept, and opened again where the server has closed it meanwhile.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Connection {
    port: u16,
    stream: Option<BufReader<TcpStream>>,
}

/// What was answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    pub(crate) fn new(port: u16) -> Self {
        Self { port, stream: None }
    }

    /// Asks, and reads the answer whole. What is asked on a connection that was closed while it rested is asked on another.
    pub(crate) fn ask(&mut self, first: &str, headers: &[String], body: &str) -> io::Result<Answer> {
        let rested = self.stream.is_some();
        match self.ask_once(first, headers, body) {
            Err(_) if rested => {
                self.stream = None;
                self.ask_once(first, headers, body)
            }
            answer => answer,
        }
    }

    /// An event stream, behind its head.
    pub(crate) fn stream(mut self, path: &str, cookie: &str) -> io::Result<BufReader<TcpStream>> {
        let mut stream = self.open()?;
        let port = self.port;
        write!(
            stream.get_mut(),
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n\r\n"
        )?;
        stream.get_mut().set_read_timeout(None)?;
        let (status, _) = head(&mut stream)?;
        if status == 200 { Ok(stream) } else { Err(io::Error::other(format!("the stream says {status}"))) }
    }

    fn open(&mut self) -> io::Result<BufReader<TcpStream>> {
        if let Some(stream) = self.stream.take() {
            return Ok(stream);
        }
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(BufReader::new(stream))
    }

    fn ask_once(&mut self, first: &str, headers: &[String], body: &str) -> io::Result<Answer> {
        let mut stream = self.open()?;
        let headers = headers.join("\r\n");
        let request = format!(
            "{first} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{headers}\r\nContent-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        );
        stream.get_mut().write_all(request.as_bytes())?;
        let (status, head) = head(&mut stream)?;
        let value = |name: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(':'));
            lines
                .filter(|(known, _)| known.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.trim())
                .next_back()
        };
        let mut body = Vec::new();
        if value("transfer-encoding") == Some("chunked") {
            loop {
                let mut line = String::new();
                stream.read_line(&mut line)?;
                let size = u64::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
                // What follows a chunk is the end of its line.
                io::copy(&mut (&mut stream).take(size + 2), &mut body)?;
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = value("content-length") {
            let length: usize = length.parse().map_err(io::Error::other)?;
            body.resize(length, 0);
            stream.read_exact(&mut body)?;
        }
        let closing = value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        self.stream = (!closing).then_some(stream);
        Ok(Answer { status, head, body })
    }
}

fn head(stream: &mut BufReader<TcpStream>) -> io::Result<(u16, String)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or_else(|| io::Error::other("no status"))?, head))
}
