//! A block: some hundred activities of a volume in one page of the file.
//!
//! ```text
//! byte 0       version
//! bytes 1..5   check sum
//! then         the volume's id and that of the first activity, as far before the block's; whether ids are missing; time
//!              and receipt of the first activity, and how much older than it the oldest is, in milliseconds
//! then         rows: length, (ids missing before it,) time and receipt since the row before, and what the volume reads
//! ```
//!
//! It is filed under the id that its last activity had when the block was made: the first entry at or behind an id is then
//! the block it stands in, and redb finds that with one page of the file. Ids are missing where retention took activities out.

use super::{
    bytes::{self, HEAD, Input, damaged, put, put_signed, put_slice},
    run::PAGE,
    volume::{Scribe, Volume},
};
use crate::{
    model::{activity::Activity, id::ActivityId},
    store::{
        StoreError,
        codec::{millis, time},
    },
};

const VERSION: u8 = 4;

/// The most bytes that stand before the rows.
const FRONT: usize = HEAD + 2 * 10 + 1 + 3 * 10;

/// When something happened and when it was written, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Times {
    time: i64,
    received: i64,
}

/// A block in the making.
pub(super) struct Draft {
    volume: u64,
    /// The id from which its rows count.
    start: u64,
    /// The id that a row without missing ones before it has.
    next: u64,
    first: Times,
    last: Times,
    oldest: i64,
    rows: Vec<u8>,
    sparse: bool,
    row: Vec<u8>,
}

impl Draft {
    /// An empty block of `volume` for activities from the id `start` on.
    pub(super) fn new(volume: u64, start: u64) -> Self {
        Self {
            volume,
            start,
            next: start,
            first: Times::default(),
            last: Times::default(),
            oldest: i64::MAX,
            rows: Vec::new(),
            sparse: false,
            row: Vec::new(),
        }
    }

    /// Adds an activity, unless the block is full: then false.
    pub(super) fn add(&mut self, activity: &Activity, scribe: &mut Scribe) -> bool {
        if activity.id.0 != self.next && !self.sparse {
            // Rows grow by a fifth at most when they say what is missing before them.
            if self.rows.len() > PAGE / 4 * 3 {
                return false;
            }
            self.thin_out();
        }
        self.row.clear();
        let times = Times { time: millis(activity.time), received: millis(activity.received) };
        self.say(activity.id.0, times);
        scribe.write(activity, &mut self.row);
        if self.is_full() {
            return false;
        }
        self.take(activity.id.0, times);
        true
    }

    /// Has the rows say how many ids are missing before each: before those that are there, none.
    fn thin_out(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        let mut rows = Input(&rows);
        // What was put there is there.
        while let Ok(row) = rows.slice() {
            self.row.clear();
            put(&mut self.row, 0);
            self.row.extend_from_slice(row);
            put_slice(&mut self.rows, &self.row);
        }
        self.sparse = true;
    }

    /// An empty block of `volume` for rows of earlier ones, between which ids are missing.
    pub(super) fn sparse(volume: u64, start: u64) -> Self {
        Self { sparse: true, ..Self::new(volume, start) }
    }

    /// Adds a row of an earlier block of the same volume, unless this one is full or another volume's: then false.
    pub(super) fn keep(&mut self, volume: u64, row: &Row<'_>) -> bool {
        self.row.clear();
        self.say(row.id, row.times);
        self.row.extend_from_slice(row.said.0);
        if self.volume != volume || self.is_full() {
            return false;
        }
        self.take(row.id, row.times);
        true
    }

    /// Whether the row at hand finds no room.
    fn is_full(&self) -> bool {
        !self.rows.is_empty() && FRONT + self.rows.len() + self.row.len() + 3 > PAGE
    }

    /// Begins the row at hand.
    fn say(&mut self, id: u64, times: Times) {
        if self.rows.is_empty() {
            (self.first, self.last) = (times, times);
        }
        if self.sparse {
            put(&mut self.row, id - self.next);
        }
        put_signed(&mut self.row, times.time.wrapping_sub(self.last.time));
        put_signed(&mut self.row, times.received.wrapping_sub(self.last.received));
    }

    /// Takes the row at hand.
    fn take(&mut self, id: u64, times: Times) {
        put_slice(&mut self.rows, &self.row);
        (self.next, self.last, self.oldest) = (id + 1, times, self.oldest.min(times.time));
    }

    /// The block's key and value; none if it is empty.
    pub(super) fn finish(self) -> Option<(u64, Vec<u8>)> {
        if self.rows.is_empty() {
            return None;
        }
        let key = self.next - 1;
        let mut value = vec![0; HEAD];
        put(&mut value, key - self.volume);
        put(&mut value, key - self.start);
        value.push(u8::from(self.sparse));
        put_signed(&mut value, self.first.time);
        put_signed(&mut value, self.first.received);
        put(&mut value, self.first.time.wrapping_sub(self.oldest).cast_unsigned());
        value.extend_from_slice(&self.rows);
        bytes::seal(VERSION, &mut value);
        Some((key, value))
    }
}

/// A block that is read.
pub(super) struct Block<'a> {
    /// The id of the volume it belongs to.
    pub(super) volume: u64,
    /// The time of the oldest activity in it, in milliseconds since 1970.
    pub(super) oldest: i64,
    /// The id that the next row has, if none is missing before it.
    next: u64,
    sparse: bool,
    last: Times,
    rows: Input<'a>,
}

/// A row of a block.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) id: u64,
    times: Times,
    said: Input<'a>,
}

impl<'a> Block<'a> {
    /// The block that is filed under `key`.
    pub(super) fn open(key: u64, value: &'a [u8]) -> Result<Self, StoreError> {
        let mut input = bytes::open(VERSION, value)?;
        let mut before = || key.checked_sub(input.number()?).ok_or_else(damaged);
        let (volume, next) = (before()?, before()?);
        let sparse = input.take(1)? == [1];
        let last = Times { time: input.signed()?, received: input.signed()? };
        let oldest = last.time.wrapping_sub(input.number()?.cast_signed());
        Ok(Self { volume, oldest, next, sparse, last, rows: input })
    }

    /// The id from which its rows count: nothing in it is older, of those that are left.
    pub(super) const fn start(&self) -> u64 {
        self.next
    }

    /// The next row.
    pub(super) fn next(&mut self) -> Result<Option<Row<'a>>, StoreError> {
        if self.rows.is_empty() {
            return Ok(None);
        }
        let mut row = Input(self.rows.slice()?);
        let missing = if self.sparse { row.number()? } else { 0 };
        let id = self.next.checked_add(missing).ok_or_else(damaged)?;
        self.next = id.checked_add(1).ok_or_else(damaged)?;
        self.last.time = self.last.time.wrapping_add(row.signed()?);
        self.last.received = self.last.received.wrapping_add(row.signed()?);
        Ok(Some(Row { id, times: self.last, said: row }))
    }
}

impl Row<'_> {
    /// When it happened, in milliseconds since 1970.
    pub(super) const fn time(&self) -> i64 {
        self.times.time
    }

    /// What the row says, with the help of its volume.
    pub(super) fn read(&self, volume: &Volume) -> Result<Activity, StoreError> {
        let mut activity = Activity {
            id: ActivityId(self.id),
            time: time("the log", self.times.time)?,
            received: time("the log", self.times.received)?,
            ..Activity::default()
        };
        volume.fill(self.said, &mut activity)?;
        Ok(activity)
    }
}
