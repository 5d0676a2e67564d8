//! Holding a file that was exported against its seal: whether it is what was sealed, and which rows of it are not.
//!
//! Both are read side by side, a window of each in memory. Rows are told apart by the activities they name: where the two
//! part, what comes next in both is looked for, and what lies before it was put into the one or taken out of the other.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    io::{self, BufRead, Read as _},
};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::rows::written_anew;
use crate::{
    domain::evidence::names,
    model::{
        checkpoint::Checkpoint,
        id::ActivityId,
        inclusion::{self, Inclusion},
        note::{Note, VerifyingKey},
        seal::{BLOCK, Block, Form, LONGEST, MAGIC, NotASeal, Row, Statement},
        tree::Hash,
    },
};

/// How many rows of each are looked at together where they part.
const WINDOW: usize = 2048;

/// The most faults that are kept; the others are counted.
const KEPT: usize = 10_000;

/// The longest row, in bytes: a record of 256 KiB whose every letter is doubled, and room besides. What is longer is no row.
const ROW: u64 = 4 << 20;

/// The most bytes of notes behind the lines of a seal.
const NOTES: u64 = 1 << 20;

/// Why a file was not held against a seal.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// What was given as a seal is none.
    #[error(transparent)]
    Seal(#[from] NotASeal),
    /// The seal is not as it was signed.
    #[error("the seal is forged or damaged: {0}")]
    Forged(&'static str),
    /// One of the two could not be read.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// One thing that is wrong with a file. Rows are counted from 1, without the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which row: of the export, or for what was put in of the file.
    pub row: u64,
    /// The activity in that row, where it names one.
    pub id: Option<ActivityId>,
    /// What is wrong with it.
    pub trouble: Trouble,
}

/// What can be wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It says something else.
    Changed,
    /// It is not there.
    Missing,
    /// It was not there.
    PutIn,
    /// It stands elsewhere: as this row of the file.
    Moved(u64),
    /// One of the rows from here to this one is not what was sealed, though its number and the beginning of its hash are.
    Among(u64),
    /// The file ends in it.
    CutOff,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { row, id, trouble } = self;
        let which = id.map_or_else(|| "no activity".to_owned(), |id| format!("activity {id}"));
        match trouble {
            Trouble::Changed => write!(f, "row {row} ({which}) was changed"),
            Trouble::Missing => write!(f, "row {row} ({which}) was taken out"),
            Trouble::PutIn => write!(f, "row {row} of the file ({which}) was put in"),
            Trouble::Moved(to) => write!(f, "row {row} ({which}) was moved: it is row {to} of the file"),
            Trouble::Among(last) => write!(f, "one of the rows {row} to {last} was changed"),
            Trouble::CutOff => write!(f, "row {row} was cut off: the file ends in it"),
        }
    }
}

/// What a seal says, and where it stands in the log.
#[derive(Clone, Debug)]
pub struct Said {
    /// What was exported.
    pub statement: Statement,
    /// The activity of the log that names it, and the checkpoint under which that is proven; none if the seal is of a version
    /// that did not write it there.
    pub place: Option<(ActivityId, Checkpoint)>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Held {
    /// What the seal says.
    pub said: Said,
    /// How many rows the file has.
    pub rows: u64,
    /// Whether its head, with the names of the columns, says something else.
    pub head_changed: bool,
    /// How many rows say what was sealed, and are written in another way.
    pub anew: u64,
    /// What is wrong, in the order of the rows: the first of all.
    pub faults: Vec<Fault>,
    /// How many more there are.
    pub more: u64,
}

impl Held {
    /// Whether the file is what was sealed, byte for byte.
    pub const fn whole(&self) -> bool {
        !self.head_changed && self.anew == 0 && self.faults.is_empty() && self.more == 0
    }

    /// Whether the file looks like one that another program has written anew: one whose quotes, line ends or numbers are
    /// other ones nearly everywhere.
    pub const fn resaved(&self) -> bool {
        self.anew > 0
            || (self.said.statement.contents.rows > 1
                && self.faults.len() as u64 + self.more >= self.said.statement.contents.rows)
    }
}

/// Reads what a seal says and whether it is as it was signed, by the key that it names, and stands in the log of that key.
pub fn statement(seal: &mut dyn BufRead) -> Result<Said, ProofError> {
    let mut lines = Lines { seal, before: ActivityId(0), ended: false };
    let mut sum = Sha256::new();
    match lines.next() {
        Ok(Some(first)) if first == MAGIC => {}
        Err(ProofError::Io(error)) => return Err(error.into()),
        _ => return Err(NotASeal.into()),
    }
    sum.update(format!("{MAGIC}\n"));
    let mut rows = 0;
    while let Some(line) = lines.next()?.filter(|line| !line.is_empty()) {
        sum.update(format!("{line}\n"));
        rows += lines.block(&line)?.rows.len() as u64;
    }
    let mut end = Vec::new();
    lines.seal.take(NOTES).read_to_end(&mut end)?;
    let end = String::from_utf8(end).map_err(|_| ProofError::Forged("what it ends with is no text"))?;
    let proof = end.find(inclusion::MAGIC).unwrap_or(end.len());
    let (notes, proof) = end.split_at(proof);
    let (notes, broken) = Note::read_all(notes).map_err(|_| NotASeal)?;
    if broken > 0 {
        return Err(NotASeal.into());
    }
    let note = notes.first().ok_or(NotASeal)?;
    let statement: Statement = note.text().parse()?;
    if !note.is_of(&statement.key) {
        return Err(ProofError::Forged("its statement is not what its key has signed"));
    }
    if (Hash(sum.finalize().into()), rows) != (statement.contents.lines, statement.contents.rows) {
        return Err(ProofError::Forged("its lines are not those that were signed"));
    }
    let place = if proof.is_empty() { None } else { Some(place(proof, note, &statement.key)?) };
    Ok(Said { statement, place })
}

/// The place in the log that a proof shows for a statement.
fn place(proof: &str, statement: &Note, key: &VerifyingKey) -> Result<(ActivityId, Checkpoint), ProofError> {
    let forged = ProofError::Forged;
    let proof: Inclusion =
        proof.parse().map_err(|_| forged("its proof that the log holds it cannot be read"))?;
    let checkpoint: Checkpoint =
        proof.note.text().parse().map_err(|_| forged("its proof ends with no checkpoint"))?;
    if !proof.note.is_of(key) || checkpoint.origin != key.name() {
        return Err(forged("its checkpoint is not what its key has signed"));
    }
    if proof.root(checkpoint.size) != Some(checkpoint.root) {
        return Err(forged("the log of its checkpoint does not hold it"));
    }
    if !names(&proof.entry, statement) {
        return Err(forged("what the log holds in its place names another one"));
    }
    Ok((ActivityId(proof.index + 1), checkpoint))
}

/// Holds `file` against the lines of `seal`, of which `said` is what [`statement`] has read. `progress` hears how many rows are
/// done, and of how many.
pub fn hold(
    file: &mut dyn BufRead,
    seal: &mut dyn BufRead,
    said: Said,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Held, ProofError> {
    let contents = said.statement.contents;
    let mut reader = Reader { file, form: contents.form, delimiter: b',', rows: 0, cut: false };
    let (head_changed, head_anew) = reader.head(&contents.head)?;
    let mut lines = Lines { seal, before: ActivityId(0), ended: false };
    lines.next()?;
    let held = Held { rows: 0, head_changed, anew: u64::from(head_anew), faults: Vec::new(), more: 0, said };
    let mut aligner = Aligner {
        lines,
        reader,
        expected: VecDeque::new(),
        found: VecDeque::new(),
        sealed: 0,
        done: 0,
        hashes: VecDeque::new(),
        leaves: Vec::with_capacity(BLOCK),
        clean: true,
        missing: Vec::new(),
        extra: Vec::new(),
        held,
    };
    aligner.run(progress)?;
    Ok(aligner.judge())
}

/// The lines of a seal.
struct Lines<'a> {
    seal: &'a mut dyn BufRead,
    before: ActivityId,
    /// Whether what comes now is the statement.
    ended: bool,
}

impl Lines<'_> {
    /// The next one without its end; none at the end of the file.
    fn next(&mut self) -> Result<Option<String>, ProofError> {
        let mut line = Vec::new();
        (&mut *self.seal).take(LONGEST as u64 + 1).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        // It began as a seal does, so it was one.
        let line = String::from_utf8(line).map_err(|_| ProofError::Forged("a line of it is no text"))?;
        Ok(Some(line.strip_suffix('\n').ok_or(NotASeal)?.to_owned()))
    }

    fn block(&mut self, line: &str) -> Result<Block, ProofError> {
        let block =
            Block::read(line, self.before).ok_or(ProofError::Forged("a line of it cannot be read"))?;
        self.before = block.rows.last().map_or(self.before, |row| row.id);
        Ok(block)
    }

    /// The next rows; none behind the last, however often one asks.
    fn rows(&mut self) -> Result<Option<Block>, ProofError> {
        if self.ended {
            return Ok(None);
        }
        let line = self.next()?.filter(|line| !line.is_empty());
        self.ended = line.is_none();
        line.map(|line| self.block(&line)).transpose()
    }
}

/// A row of the file.
struct Found {
    /// Which it is, from 1.
    row: u64,
    /// Which activity it names; where its leaf is that of the row of the seal that stands beside it, that row's.
    id: Option<ActivityId>,
    leaf: Hash,
    /// What its leaf would be, had we written what it says, where that is another one.
    ours: Option<Hash>,
}

/// The rows of a file.
struct Reader<'a> {
    file: &'a mut dyn BufRead,
    form: Form,
    delimiter: u8,
    rows: u64,
    /// Whether the file has ended in the midst of a row.
    cut: bool,
}

impl Reader<'_> {
    /// The bytes of the next row, with the end of its line; none behind the last.
    fn bytes(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut row = Vec::new();
        loop {
            let before = row.len();
            (&mut *self.file).take(ROW - before as u64).read_until(b'\n', &mut row)?;
            // A line ends a row, unless it is within quotes.
            let open = self.form != Form::Ndjson && memchr::memchr_iter(b'"', &row).count() % 2 == 1;
            let ended = row.len() == before || row.len() as u64 >= ROW;
            if ended || !open {
                self.cut |= row.last().is_some_and(|last| *last != b'\n');
                return Ok((!row.is_empty()).then_some(row));
            }
        }
    }

    /// Reads the head: whether it says something else than was sealed, and whether it is only written in another way.
    fn head(&mut self, sealed: &Hash) -> io::Result<(bool, bool)> {
        if self.form == Form::Ndjson {
            return Ok((Hash::leaf([&b""[..]]) != *sealed, false));
        }
        let row = self.bytes()?.unwrap_or_default();
        if Hash::leaf([&row[..]]) == *sealed {
            return Ok((false, false));
        }
        for delimiter in [b',', b';', b'\t'] {
            self.delimiter = delimiter;
            let ours = self.cells(&row).map(|cells| written_anew(&cells, self.form == Form::RawCsv));
            if ours.is_some_and(|ours| Hash::leaf([&ours[..]]) == *sealed) {
                return Ok((false, true));
            }
        }
        self.delimiter = b',';
        Ok((true, false))
    }

    fn cells(&self, row: &[u8]) -> Option<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new();
        let reader = reader.has_headers(false).flexible(true).delimiter(self.delimiter);
        let record = reader.from_reader(row).into_records().next()?.ok()?;
        Some(record.iter().map(str::to_owned).collect())
    }

    /// The next row, beside which this one of the seal stands; none behind the last.
    fn next(&mut self, beside: Option<&Row>) -> io::Result<Option<Found>> {
        /// Where the number of the activity stands among the columns.
        const ID: usize = 13;
        #[derive(Deserialize)]
        struct Line {
            id: String,
        }
        let Some(bytes) = self.bytes()? else { return Ok(None) };
        self.rows += 1;
        let leaf = Hash::leaf([&bytes[..]]);
        let (id, ours) = if let Some(row) = beside.filter(|row| row.is(&leaf)) {
            (Some(row.id), None)
        } else if self.form == Form::Ndjson {
            (serde_json::from_slice::<Line>(&bytes).ok().and_then(|line| line.id.parse().ok()), None)
        } else {
            let cells = self.cells(&bytes).unwrap_or_default();
            let ours = Hash::leaf([&written_anew(&cells, self.form == Form::RawCsv)[..]]);
            (cells.get(ID).and_then(|id| id.parse().ok()), (ours != leaf).then_some(ours))
        };
        Ok(Some(Found { row: self.rows, id, leaf, ours }))
    }
}

/// A row that is only in one of the two: which it is there, and its activity.
type Odd = (u64, Option<ActivityId>);

/// Reads both, side by side.
struct Aligner<'a> {
    lines: Lines<'a>,
    reader: Reader<'a>,
    /// Rows of the seal that are not dealt with yet, the first of them behind `done`.
    expected: VecDeque<Row>,
    found: VecDeque<Found>,
    /// How many rows of the seal were read, and how many of them are done.
    sealed: u64,
    done: u64,
    /// The hashes of the blocks that are not done.
    hashes: VecDeque<Hash>,
    /// The leaves of the block at hand, and whether each of its rows is what it seems.
    leaves: Vec<Hash>,
    clean: bool,
    missing: Vec<Odd>,
    extra: Vec<Odd>,
    held: Held,
}

impl Aligner<'_> {
    fn run(&mut self, progress: &mut dyn FnMut(u64, u64)) -> Result<(), ProofError> {
        let total = self.held.said.statement.contents.rows;
        loop {
            self.fill(1)?;
            match (self.expected.front(), self.found.front()) {
                (None, None) => return Ok(()),
                (Some(row), Some(found)) if Some(row.id) == found.id => self.pair(),
                _ => self.part()?,
            }
            if self.done.is_multiple_of(8192) {
                progress(self.done, total);
            }
        }
    }

    /// Has so many rows of both at hand, as far as there are.
    fn fill(&mut self, rows: usize) -> Result<(), ProofError> {
        while self.expected.len() < rows
            && let Some(block) = self.lines.rows()?
        {
            self.sealed += block.rows.len() as u64;
            self.hashes.push_back(block.hash);
            self.expected.extend(block.rows);
        }
        while self.found.len() < rows
            && let Some(found) = self.reader.next(self.expected.get(self.found.len()))?
        {
            self.found.push_back(found);
        }
        Ok(())
    }

    /// Both have the same activity next.
    fn pair(&mut self) {
        let (Some(row), Some(found)) = (self.expected.pop_front(), self.found.pop_front()) else { return };
        if row.is(&found.leaf) {
            self.leaves.push(found.leaf);
        } else if found.ours.is_some_and(|ours| row.is(&ours)) {
            self.held.anew += 1;
            self.clean = false;
            // All of it is there, but for the end of its line.
            self.reader.cut &= found.row != self.reader.rows;
        } else {
            self.clean = false;
            if !(self.reader.cut && found.row == self.reader.rows) {
                self.fault(self.done + 1, found.id, Trouble::Changed);
            }
        }
        self.advance();
    }

    /// They part: what both have next, as near as can be, is looked for.
    fn part(&mut self) -> Result<(), ProofError> {
        self.fill(WINDOW)?;
        let mut places = HashMap::with_capacity(self.expected.len());
        for (at, row) in self.expected.iter().enumerate().rev() {
            places.insert(row.id, at);
        }
        let common = self.found.iter().enumerate();
        let common = common.filter_map(|(at, found)| Some((*places.get(&found.id?)?, at)));
        let (gone, new) =
            common.min_by_key(|(gone, new)| gone + new).unwrap_or((self.expected.len(), self.found.len()));
        for found in self.found.drain(..new) {
            note(&mut self.extra, &mut self.held.more, (found.row, found.id));
        }
        for _ in 0..gone {
            if let Some(row) = self.expected.pop_front() {
                note(&mut self.missing, &mut self.held.more, (self.done + 1, Some(row.id)));
                self.clean = false;
                self.advance();
            }
        }
        Ok(())
    }

    /// A row of the seal is done; where it was the last of its block, the block is held against its hash.
    fn advance(&mut self) {
        self.done += 1;
        let last = self.done == self.held.said.statement.contents.rows;
        if !self.done.is_multiple_of(BLOCK as u64) && !last {
            return;
        }
        let hash = self.hashes.pop_front();
        if self.clean && hash != Some(Block::hash(&self.leaves)) {
            let first = (self.done - 1) / BLOCK as u64 * BLOCK as u64 + 1;
            self.fault(first, None, Trouble::Among(self.done));
        }
        self.leaves.clear();
        self.clean = true;
    }

    fn fault(&mut self, row: u64, id: Option<ActivityId>, trouble: Trouble) {
        if self.held.faults.len() < KEPT {
            self.held.faults.push(Fault { row, id, trouble });
        } else {
            self.held.more += 1;
        }
    }

    /// What is missing here and was put in there has been moved.
    fn judge(mut self) -> Held {
        let mut elsewhere: HashMap<ActivityId, u64> =
            self.extra.iter().filter_map(|(row, id)| Some(((*id)?, *row))).collect();
        let cut = self.reader.cut.then_some(self.reader.rows);
        let mut moved = Vec::new();
        for (row, id) in std::mem::take(&mut self.missing) {
            let to = id.and_then(|id| elsewhere.remove(&id));
            moved.extend(to);
            if to.is_none() && cut == Some(row) {
                continue;
            }
            self.fault(row, id, to.map_or(Trouble::Missing, Trouble::Moved));
        }
        moved.sort_unstable();
        for (row, id) in std::mem::take(&mut self.extra) {
            if moved.binary_search(&row).is_err() && cut != Some(row) {
                self.fault(row, id, Trouble::PutIn);
            }
        }
        if let Some(row) = cut {
            self.fault(row, None, Trouble::CutOff);
        }
        self.held.faults.sort_by_key(|fault| fault.row);
        self.held.rows = self.reader.rows;
        self.held
    }
}

/// Keeps what is odd, or counts it where there is too much of it.
fn note(odd: &mut Vec<Odd>, more: &mut u64, this: Odd) {
    if odd.len() < KEPT {
        odd.push(this);
    } else {
        *more += 1;
    }
}
