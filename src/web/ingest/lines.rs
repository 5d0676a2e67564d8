//! NDJSON as it comes over the wire: cut into blocks of whole lines, each of which is read at a stretch.

use std::{io, mem};

use memchr::{memchr, memrchr};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{Record, json};
use crate::model::activity::limits;

/// From how many bytes on a block is whole: a batch of a thousand records of usual size is one. It has room for the
/// longest record and then some.
const BLOCK: usize = 1 << 20;

/// How many bytes are made room for at first; a body of one record needs no more.
const FIRST: usize = 8 << 10;

/// Cuts what it reads into [`Block`]s. However long the input or any line of it is, it holds no more than two blocks.
pub struct Blocks<R> {
    input: R,
    sender: String,
    /// How many bytes may still come.
    most: u64,
    /// What was read behind the last whole line.
    rest: Vec<u8>,
    /// The number of the first line of the next block.
    line: u64,
    ended: bool,
}

impl<R: AsyncRead + Unpin> Blocks<R> {
    /// Reads `input`, of at most `most` bytes, whose ids are unique for `sender`.
    pub fn new(input: R, sender: &str, most: u64) -> Self {
        Self { input, sender: sender.to_owned(), most, rest: Vec::new(), line: 1, ended: false }
    }

    /// The next lines; none at the end. Where reading failed the lines that had come whole are there all the same, and none behind
    /// them; it fails with [`io::ErrorKind::FileTooLarge`] where more comes than may.
    pub async fn next(&mut self) -> (Option<Block>, Option<io::Error>) {
        let mut bytes = mem::take(&mut self.rest);
        let mut failed = None;
        while !self.ended && failed.is_none() && bytes.len() < BLOCK {
            failed = self.read(&mut bytes).await.err();
        }
        match memrchr(b'\n', &bytes) {
            _ if self.ended => {}
            Some(end) => self.rest = bytes.split_off(end + 1),
            // What broke off is not taken for a line.
            None if failed.is_some() => bytes.clear(),
            None => {
                // A line that is too long, whatever comes: as much of it is kept as is needed to say so.
                bytes.truncate(limits::RECORD + 2);
                failed = self.skip_line().await.err();
            }
        }
        if bytes.is_empty() {
            return (None, failed);
        }
        let lines = memchr::memchr_iter(b'\n', &bytes).count() as u64;
        let block = Block { bytes, at: 0, line: self.line, sender: self.sender.clone() };
        self.line += lines.max(1);
        (Some(block), failed)
    }

    /// The number of the line behind the last block.
    pub const fn line(&self) -> u64 {
        self.line
    }

    /// Reads to the end of a line and keeps what is behind it.
    async fn skip_line(&mut self) -> io::Result<()> {
        let mut bytes = Vec::new();
        while !self.ended {
            bytes.clear();
            self.read(&mut bytes).await?;
            if let Some(end) = memchr(b'\n', &bytes) {
                self.rest = bytes.split_off(end + 1);
                break;
            }
        }
        Ok(())
    }

    /// Reads once, into room that doubles.
    async fn read(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        if into.len() == into.capacity() {
            into.reserve(into.len().max(FIRST));
        }
        let read = self.input.read_buf(into).await?;
        self.ended = read == 0;
        self.most = self.most.checked_sub(read as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(())
    }
}

/// Some lines, read one after the other.
pub struct Block {
    bytes: Vec<u8>,
    at: usize,
    line: u64,
    sender: String,
}

impl Block {
    /// How many bytes are still to be read.
    pub fn length(&self) -> usize {
        self.bytes.len() - self.at
    }
}

impl Iterator for Block {
    type Item = (u64, Record);

    /// The next record, with the number of its line.
    fn next(&mut self) -> Option<(u64, Record)> {
        while self.at < self.bytes.len() {
            let rest = &self.bytes[self.at..];
            let end = memchr(b'\n', rest).unwrap_or(rest.len());
            let record = json::line(&rest[..end], &self.sender);
            let line = self.line;
            self.at = (self.at + end + 1).min(self.bytes.len());
            self.line += 1;
            if let Some(record) = record {
                return Some((line, record));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a whole text holds, with the largest block that was made of it.
    fn read(text: &[u8]) -> (Vec<(u64, Record)>, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut blocks, mut records, mut largest) = (Blocks::new(text, "x", 1 << 30), Vec::new(), 0);
            while let (Some(block), None) = blocks.next().await {
                largest = largest.max(block.bytes.capacity());
                records.extend(block);
            }
            (records, largest)
        })
    }

    #[test]
    fn lines_are_counted_and_an_endless_one_costs_no_memory() {
        let long = "x".repeat(BLOCK * 3 + 7);
        let text = format!(
            "\u{feff}{{\"user\":\"a\",\"action\":\"b\"}}\r\n\n{long}\n{{\"user\":\"c\",\"action\":\"d\"}}\n{long}"
        );
        let (records, largest) = read(text.as_bytes());
        let seen: Vec<_> = records
            .iter()
            .map(|(line, record)| (*line, record.as_ref().map(|record| &*record.user)))
            .collect();
        let long = Err(&format!("a record can have at most {} bytes", limits::RECORD));
        assert_eq!(seen, [(1, Ok("a")), (3, long), (4, Ok("c")), (5, long)]);
        assert!(largest <= 4 * BLOCK, "{largest}");
    }

    #[test]
    fn what_is_too_long_is_not_taken_for_its_beginning() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let text = b"{\n{\n{\n".as_slice();
        let read = |most| runtime.block_on(Blocks::new(text, "x", most).next()).1.map(|error| error.kind());
        assert_eq!(read(6), None);
        assert_eq!(read(5), Some(io::ErrorKind::FileTooLarge));
    }

    #[test]
    fn lines_are_the_same_wherever_blocks_are_cut() {
        let line = |n: u64| {
            let detail = "y".repeat(usize::try_from(n * 37 % 3000).unwrap());
            format!("{{\"user\":\"u{n}\",\"action\":\"a\",\"detail\":\"{detail}\"}}\n")
        };
        let text: String = (1..=2000).map(line).collect();
        assert!(text.len() > 2 * BLOCK);
        let (records, largest) = read(text.as_bytes());
        assert!(largest <= 4 * BLOCK, "{largest}");
        assert_eq!(records.len(), 2000);
        for (n, (line, record)) in (1..).zip(records) {
            assert_eq!((line, record.unwrap().user), (n, format!("u{n}")));
        }
        assert_eq!(read(b"").0, []);
        assert_eq!(read(b"\n\r\n  \n").0, []);
    }
}
