//! Where a message ends in a stream: RFC 6587, both of its ways.
//!
//! A message that begins with a number and a space has that many bytes; any other ends with its line, or with a NUL. Which it is,
//! each message says anew. However long a message claims to be, no more than the longest one is held.

use std::io;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};

/// The most digits that are taken for a length.
const DIGITS: usize = 9;

/// How many bytes are read at a time.
const READ: usize = 8 << 10;

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A message.
    Message(Vec<u8>),
    /// One that is longer than may be; it has been read over.
    TooLong,
}

/// Cuts a stream into messages.
pub struct Frames<R> {
    input: BufReader<R>,
    most: usize,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    /// Reads messages of at most `most` bytes.
    pub fn new(input: R, most: usize) -> Self {
        Self { input: BufReader::with_capacity(READ, input), most }
    }

    /// Waits until a message begins; false at the end.
    pub async fn begun(&mut self) -> io::Result<bool> {
        loop {
            let there = self.input.fill_buf().await?;
            if there.is_empty() {
                return Ok(false);
            }
            // Some send both, a length and a line's end.
            let between = there.iter().take_while(|byte| matches!(byte, b'\n' | b'\r' | b' ' | 0)).count();
            if between < there.len() {
                self.input.consume(between);
                return Ok(true);
            }
            self.input.consume(between);
        }
    }

    /// Reads the message that has begun.
    pub async fn next(&mut self) -> io::Result<Frame> {
        let mut head = Vec::new();
        loop {
            let there = self.input.fill_buf().await?;
            match there.first() {
                Some(digit) if digit.is_ascii_digit() && head.len() < DIGITS => {
                    head.push(*digit);
                    self.input.consume(1);
                }
                Some(b' ') if !head.is_empty() => {
                    self.input.consume(1);
                    let length = head.iter().fold(0, |length, digit| length * 10 + u64::from(digit - b'0'));
                    return self.counted(length).await;
                }
                _ => return self.line(head).await,
            }
        }
    }

    async fn counted(&mut self, length: u64) -> io::Result<Frame> {
        let mut rest = (&mut self.input).take(length);
        if length > self.most as u64 {
            let skipped = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
            return if skipped == length {
                Ok(Frame::TooLong)
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            };
        }
        let mut bytes = Vec::new();
        rest.read_to_end(&mut bytes).await?;
        if bytes.len() as u64 == length {
            Ok(Frame::Message(bytes))
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    /// Reads to the end of the line, to a NUL, or to the end of the stream.
    async fn line(&mut self, mut bytes: Vec<u8>) -> io::Result<Frame> {
        let mut long = false;
        loop {
            let there = self.input.fill_buf().await?;
            // Python's handler ends what it sends with a NUL (RFC 6587, 3.4.2).
            let end = memchr::memchr2(b'\n', 0, there);
            let taken = end.unwrap_or(there.len());
            long |= bytes.len() + taken > self.most;
            if !long {
                bytes.extend_from_slice(&there[..taken]);
            }
            let ended = end.is_some() || there.is_empty();
            self.input.consume(end.map_or(taken, |end| end + 1));
            if ended {
                return Ok(if long { Frame::TooLong } else { Frame::Message(bytes) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Vec<Result<String, &'static str>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut frames, mut read) = (Frames::new(text, 20), Vec::new());
            while frames.begun().await.unwrap() {
                read.push(match frames.next().await {
                    Ok(Frame::Message(bytes)) => Ok(String::from_utf8(bytes).unwrap()),
                    Ok(Frame::TooLong) => Err("too long"),
                    Err(_) => Err("cut"),
                });
            }
            read
        })
    }

    #[test]
    fn both_framings_may_be_mixed() {
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(
            read(b"5 <1>a\n<2>b\r\n6 <3>\nc\n\n\0<4>d"),
            [ok("<1>a\n"), ok("<2>b\r"), ok("<3>\nc\n"), ok("<4>d")]
        );
        assert_eq!(read(b"12:30 x\n1234567890 y\n"), [ok("12:30 x"), ok("1234567890 y")]);
        assert_eq!(read(b"<1>a\0<2>b\0\n3 <3>\0<4>d\n"), [ok("<1>a"), ok("<2>b"), ok("<3>"), ok("<4>d")]);
        assert_eq!(
            read(b"4 <1>\0<2>b\0"),
            [ok("<1>\0"), ok("<2>b")],
            "where its length is said it is a part"
        );
    }

    #[test]
    fn what_is_too_long_is_read_over() {
        let long = "x".repeat(21);
        let text = format!("21 {long}<1>a\n{long}\n<2>b\n9 cut");
        assert_eq!(
            read(text.as_bytes()),
            [Err("too long"), Ok("<1>a".to_owned()), Err("too long"), Ok("<2>b".to_owned()), Err("cut")]
        );
        assert_eq!(read(format!("999999999 {long}").as_bytes()), [Err("cut")]);
    }
}
