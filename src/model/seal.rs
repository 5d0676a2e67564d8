//! Seals: what an export was, row by row, signed, so that a file that left the house can be proven without the house.
//!
//! ```text
//! rollcall seal 1
//! for each 64 rows: base 64 of SHA-256 over their leaves, a space, base 64 of the rows
//!
//! the statement: what was exported, with the hash of all lines above
//!
//! — name of the key, signature                                     (as in every signed note)
//!
//! the place in the log of an activity that names the statement     (an Inclusion)
//! ```
//!
//! That activity is written when the seal is made, and the checkpoint in its proof was signed over it. So a seal stands or falls
//! with the log: whoever keeps a checkpoint elsewhere knows that it was not made up later.
//!
//! A leaf is that of RFC 6962: the SHA-256 of a zero byte and the row's bytes, with the end of its line. Of each row there are
//! the number of its activity, as the difference to the one before (zigzag, seven bits a byte, the lowest first), and the
//! first four bytes of its leaf. So a row that was changed, taken out, put in or moved can be named, at some eight bytes a row;
//! and whoever finds another row with the same four bytes is still betrayed by the hash of its 64.

use std::str::FromStr;

use data_encoding::BASE64;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{
    id::ActivityId,
    note::{Note, SigningKey, VerifyingKey},
    tree::Hash,
};

/// How many rows stand in one line of a seal.
pub const BLOCK: usize = 64;

/// The first line of every seal.
pub const MAGIC: &str = "rollcall seal 1";

/// How many bytes of its leaf a row is known by.
const TAG: usize = 4;

/// The longest line: so many rows, each with a number of at most ten bytes, in base 64, and the hash before them.
pub const LONGEST: usize = 46 + (BLOCK * (10 + TAG)).div_ceil(3) * 4;

/// A row, as far as a seal knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its activity.
    pub id: ActivityId,
    tag: [u8; TAG],
}

impl Row {
    /// Whether the row with this leaf is the one that was sealed, as far as four bytes say.
    pub fn is(&self, leaf: &Hash) -> bool {
        leaf.0[..TAG] == self.tag
    }
}

/// A line of a seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What the rows are together: see [`Block::hash`].
    pub hash: Hash,
    /// The rows.
    pub rows: Vec<Row>,
}

impl Block {
    /// The hash of rows with these leaves, one behind the other.
    pub fn hash(leaves: &[Hash]) -> Hash {
        let hash = leaves.iter().fold(Sha256::new(), |hash, leaf| hash.chain_update(leaf.0));
        Hash(hash.finalize().into())
    }

    /// Reads a line behind the row of the activity `before`; none if it is no line of a seal.
    pub fn read(line: &str, before: ActivityId) -> Option<Self> {
        let (hash, rows) = line.split_once(' ')?;
        let (hash, bytes) = (hash.parse().ok()?, BASE64.decode(rows.as_bytes()).ok()?);
        let (mut rest, mut id, mut rows) = (&bytes[..], before.0, Vec::with_capacity(BLOCK));
        while !rest.is_empty() {
            let length = rest.iter().position(|byte| byte & 0x80 == 0)? + 1;
            let (number, behind) = rest.split_at_checked(length).filter(|(number, _)| number.len() <= 10)?;
            let zigzag = number.iter().rev().fold(0_u64, |all, byte| all << 7 | u64::from(byte & 0x7f));
            id = id.wrapping_add((zigzag >> 1) ^ (zigzag & 1).wrapping_neg());
            let (tag, behind) = behind.split_first_chunk()?;
            rows.push(Row { id: ActivityId(id), tag: *tag });
            rest = behind;
        }
        (1..=BLOCK).contains(&rows.len()).then_some(Self { hash, rows })
    }
}

/// A seal in the making: it is handed the rows, and hands out the lines.
pub struct Sealer {
    lines: Sha256,
    rows: u64,
    before: ActivityId,
    leaves: Vec<Hash>,
    known: Vec<u8>,
}

impl Sealer {
    /// Begins a seal, with its first line.
    pub fn begin() -> (Self, String) {
        let (lines, leaves) = (Sha256::new(), Vec::with_capacity(BLOCK));
        let mut sealer = Self { lines, rows: 0, before: ActivityId(0), leaves, known: Vec::new() };
        let first = sealer.line(MAGIC);
        (sealer, first)
    }

    /// Adds the row of an activity. A line, where one has become full.
    pub fn row(&mut self, id: ActivityId, bytes: &[u8]) -> Option<String> {
        let leaf = Hash::leaf([bytes]);
        let step = id.0.wrapping_sub(self.before.0);
        // Small steps are small numbers, in whichever direction.
        let mut zigzag = (step << 1) ^ (step >> 63).wrapping_neg();
        while zigzag > 0x7f {
            self.known.push(zigzag.to_le_bytes()[0] | 0x80);
            zigzag >>= 7;
        }
        self.known.push(zigzag.to_le_bytes()[0]);
        self.known.extend_from_slice(&leaf.0[..TAG]);
        self.leaves.push(leaf);
        (self.before, self.rows) = (id, self.rows + 1);
        (self.leaves.len() == BLOCK).then(|| self.block())
    }

    fn block(&mut self) -> String {
        let line = format!("{} {}", Block::hash(&self.leaves), BASE64.encode(&self.known));
        self.leaves.clear();
        self.known.clear();
        self.line(&line)
    }

    fn line(&mut self, text: &str) -> String {
        let line = format!("{text}\n");
        self.lines.update(&line);
        line
    }

    /// The last line, if there is a row that none holds yet; how many rows there were, and the hash of all lines.
    pub fn finish(mut self) -> (Option<String>, u64, Hash) {
        let last = (!self.leaves.is_empty()).then(|| self.block());
        (last, self.rows, Hash(self.lines.finalize().into()))
    }
}

/// In which form rows were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// CSV, in which what a spreadsheet would run is text.
    Csv,
    /// CSV as it is.
    RawCsv,
    /// A JSON object a line.
    Ndjson,
}

impl Form {
    const ALL: [Self; 3] = [Self::Csv, Self::RawCsv, Self::Ndjson];

    /// The word in a statement, and in the activity that tells of an export.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::RawCsv => "raw-csv",
            Self::Ndjson => "ndjson",
        }
    }
}

/// What was given is not the form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an export is csv, raw-csv or ndjson")]
pub struct NotAForm;

impl FromStr for Form {
    type Err = NotAForm;

    fn from_str(text: &str) -> Result<Self, NotAForm> {
        Self::ALL.into_iter().find(|form| form.as_str() == text).ok_or(NotAForm)
    }
}

/// What an export holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// In which form.
    pub form: Form,
    /// How many rows, besides the head.
    pub rows: u64,
    /// The leaf of what stands before the first row.
    pub head: Hash,
    /// The hash of the seal's lines.
    pub lines: Hash,
}

/// What is signed of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What it holds.
    pub contents: Contents,
    /// When, to the millisecond.
    pub time: Timestamp,
    /// What was looked for, in words.
    pub asked: String,
    /// With what the signature is checked. Anybody can name a key of their own: it proves something to who knows this one.
    pub key: VerifyingKey,
}

/// The first line of a statement: nothing else that is signed begins so.
const SAYS: &str = "an export of rollcall";

/// A note that is no statement of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no seal of an export of rollcall's")]
pub struct NotASeal;

/// What an activity names a statement by: the SHA-256 of its text.
pub fn name(statement: &Note) -> Hash {
    Hash(Sha256::digest(statement.text()).into())
}

impl Statement {
    /// Signs it.
    pub fn sign(&self, key: &SigningKey) -> Note {
        let Self { contents: Contents { form, rows, head, lines }, time, asked, key: public } = self;
        let asked = asked.replace(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'), " ");
        key.sign(&format!(
            "{SAYS}\nform {}\nrows {rows}\nhead {head}\nlines {lines}\ntime {time:.3}\nasked {asked}\nkey {public}\n",
            form.as_str()
        ))
    }
}

impl FromStr for Statement {
    type Err = NotASeal;

    fn from_str(text: &str) -> Result<Self, NotASeal> {
        fn parsed<T: FromStr>(text: &str) -> Result<T, NotASeal> {
            text.parse().map_err(|_| NotASeal)
        }
        let mut lines = text.lines();
        if lines.next() != Some(SAYS) {
            return Err(NotASeal);
        }
        let mut line = |name: &str| {
            let value = lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
            value.ok_or(NotASeal)
        };
        let contents = Contents {
            form: parsed(line("form")?)?,
            rows: parsed(line("rows")?)?,
            head: parsed(line("head")?)?,
            lines: parsed(line("lines")?)?,
        };
        Ok(Self {
            contents,
            time: parsed(line("time")?)?,
            asked: line("asked")?.to_owned(),
            key: parsed(line("key")?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sealed(rows: &[(u64, String)]) -> (Vec<String>, u64, Hash) {
        let (mut sealer, first) = Sealer::begin();
        let mut lines = vec![first];
        lines.extend(rows.iter().filter_map(|(id, text)| sealer.row(ActivityId(*id), text.as_bytes())));
        let (last, count, hash) = sealer.finish();
        lines.extend(last);
        (lines, count, hash)
    }

    proptest! {
        #[test]
        fn a_seal_tells_the_rows_it_was_made_of(rows in proptest::collection::vec((any::<u64>(), ".*"), 0..200)) {
            let (lines, count, hash) = sealed(&rows);
            prop_assert_eq!(count, rows.len() as u64);
            prop_assert_eq!(Hash(Sha256::digest(lines.concat()).into()), hash);
            prop_assert!(lines.iter().all(|line| line.len() <= LONGEST + 1));
            let mut before = ActivityId(0);
            let mut left = &rows[..];
            for line in &lines[1..] {
                let block = Block::read(line.trim_end(), before).unwrap();
                let (these, rest) = left.split_at(block.rows.len());
                let leaves: Vec<Hash> = these.iter().map(|(_, text)| Hash::leaf([text.as_bytes()])).collect();
                prop_assert_eq!(Block::hash(&leaves), block.hash);
                for ((row, (id, _)), leaf) in block.rows.iter().zip(these).zip(&leaves) {
                    prop_assert!(row.id == ActivityId(*id) && row.is(leaf));
                    before = row.id;
                }
                left = rest;
            }
            prop_assert!(left.is_empty());
        }
    }

    #[test]
    fn what_is_no_line_of_a_seal_is_none() {
        let (lines, ..) = sealed(&[(7, "a\n".to_owned())]);
        let line = lines[1].trim_end();
        assert!(Block::read(line, ActivityId(0)).is_some());
        for bad in
            ["", "x", &line[..line.len() - 4], &line.replace(' ', ""), &format!("{line}AAAA"), &line[1..]]
        {
            assert_eq!(Block::read(bad, ActivityId(0)), None, "{bad:?}");
        }
    }

    #[test]
    fn a_statement_is_read_as_it_was_signed() {
        let key = SigningKey::of(&[1; 32]).unwrap();
        let statement = Statement {
            contents: Contents {
                form: Form::RawCsv,
                rows: 12,
                head: Hash::leaf([&b"Time,User\r\n"[..]]),
                lines: Hash::default(),
            },
            time: "2026-03-15T12:00:00.5Z".parse().unwrap(),
            asked: "q=a user=b".to_owned(),
            key: key.public().clone(),
        };
        let note = statement.sign(&key);
        assert!(note.is_of(key.public()));
        assert_eq!(note.text().parse(), Ok(statement.clone()));
        let nasty = Statement { asked: "q=a\n\n\u{2014} b\u{2028}".to_owned(), ..statement };
        let read: Statement = nasty.sign(&key).text().parse().unwrap();
        assert_eq!(read.asked, "q=a  \u{2014} b ", "what was asked adds no line");
        assert_eq!("x\n".parse::<Statement>(), Err(NotASeal));
    }
}
