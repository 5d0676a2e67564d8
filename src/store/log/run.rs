//! A run: what one transaction appended, as it is, until it moves into a volume.
//!
//! ```text
//! byte 0       version
//! bytes 1..5   check sum
//! bytes 5..    canonical records, each behind its length
//! ```
//!
//! It is filed under the id of its first activity; the others have the ids that follow. A run fills a page of the file
//! and no more, so that one activity is read with one page. What retention leaves of several runs is one with gaps, in which before
//! each record stands how many ids are missing. The format before had records one by one; such a row is a run of one.

use super::{
    bytes::{self, HEAD, Input, damaged, put, put_slice},
    record,
};
use crate::{
    model::activity::{Activity, NewActivity},
    store::{StoreError, codec},
};

/// The version of a run. Records of version 1 were rows of their own.
const VERSION: u8 = 2;

/// The version of a run with gaps.
const WITH_GAPS: u8 = 3;

/// The most bytes of a value that fits into a page of redb's (4096) with its key; what is larger takes two pages or more.
pub(super) const PAGE: usize = 4076;

/// A run in the making.
#[derive(Default)]
pub(super) struct Draft {
    bytes: Vec<u8>,
    length: u64,
    record: Vec<u8>,
}

impl Draft {
    /// Adds an activity that is written at `received` (milliseconds), unless the run is full: then false.
    pub(super) fn add(&mut self, activity: &NewActivity, received: i64) -> bool {
        self.record.clear();
        record::write(activity, received, &mut self.record);
        self.add_record()
    }

    /// Adds the record at hand, unless the run is full.
    fn add_record(&mut self) -> bool {
        if self.length == 0 {
            self.bytes.clear();
            self.bytes.resize(HEAD, 0);
        } else if self.bytes.len() + self.record.len() + 3 > PAGE {
            return false;
        }
        put_slice(&mut self.bytes, &self.record);
        self.length += 1;
        true
    }

    /// Adds a record as it is, whatever it says.
    #[cfg(test)]
    pub(super) fn keep(&mut self, record: &[u8]) -> bool {
        self.record.clear();
        self.record.extend_from_slice(record);
        self.add_record()
    }

    /// The canonical bytes of the activity that was added last.
    pub(super) fn record(&self) -> &[u8] {
        &self.record
    }

    /// How many activities it has.
    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// The run's value; the draft is empty again after it.
    pub(super) fn finish(&mut self) -> &[u8] {
        self.length = 0;
        bytes::seal(VERSION, &mut self.bytes);
        &self.bytes
    }
}

/// A run with gaps in the making: what is left of others.
pub(super) struct Rest {
    first: u64,
    /// The id that the next record has, if none is missing before it.
    next: u64,
    bytes: Vec<u8>,
}

impl Rest {
    /// An empty one for activities from the id `first` on.
    pub(super) fn new(first: u64) -> Self {
        Self { first, next: first, bytes: vec![0; HEAD] }
    }

    /// Adds a record, whose id is behind those before it, unless the run is full: then false.
    pub(super) fn keep(&mut self, id: u64, record: &[u8]) -> bool {
        let empty = self.next == self.first;
        // A gap takes ten bytes at most, and a length three.
        if !empty && self.bytes.len() + record.len() + 13 > PAGE {
            return false;
        }
        put(&mut self.bytes, id - self.next);
        put_slice(&mut self.bytes, record);
        self.next = id + 1;
        true
    }

    /// The run's key and value; none if it is empty.
    pub(super) fn finish(mut self) -> Option<(u64, Vec<u8>)> {
        if self.next == self.first {
            return None;
        }
        bytes::seal(WITH_GAPS, &mut self.bytes);
        Some((self.first, self.bytes))
    }
}

/// The canonical records of a run, with their ids.
pub(super) fn records(first: u64, value: &[u8]) -> Result<Records<'_>, StoreError> {
    let (single, gaps, rest) = match value.first() {
        Some(&1) => (Some(codec::open_loose("the log", 1, value)?), false, Input(&[])),
        Some(&WITH_GAPS) => (None, true, bytes::open(WITH_GAPS, value)?),
        _ => (None, false, bytes::open(VERSION, value)?),
    };
    Ok(Records { next: first, single, gaps, rest })
}

/// See [`records`].
pub(super) struct Records<'a> {
    next: u64,
    single: Option<&'a [u8]>,
    /// Whether each record is preceded by how many ids are missing.
    gaps: bool,
    rest: Input<'a>,
}

impl<'a> Records<'a> {
    /// The next record and its id.
    pub(super) fn next(&mut self) -> Result<Option<(u64, &'a [u8])>, StoreError> {
        let record = match self.single.take() {
            Some(record) => record,
            None if self.rest.is_empty() => return Ok(None),
            None => {
                let missing = if self.gaps { self.rest.number()? } else { 0 };
                self.next = self.next.checked_add(missing).ok_or_else(damaged)?;
                self.rest.slice()?
            }
        };
        let id = self.next;
        self.next = id.checked_add(1).ok_or_else(damaged)?;
        Ok(Some((id, record)))
    }
}

/// Calls `each` with the activities of a run, in order.
pub(super) fn each(
    first: u64,
    value: &[u8],
    mut each: impl FnMut(Activity) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut records = records(first, value)?;
    while let Some((id, record)) = records.next()? {
        each(record::read(id, record)?)?;
    }
    Ok(())
}
