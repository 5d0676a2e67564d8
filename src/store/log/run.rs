//! A run: what one transaction appended, as it is, until it moves into a volume.
//!
//! ```text
//! byte 0       version
//! bytes 1..5   check sum
//! bytes 5..    canonical records, each behind its length
//! ```
//!
//! It is filed under the id of its first activity; the others have the ids that follow. A run fills a page of the file
//! and no more, so that one activity is read with one page. The format before had records one by one; such a row is a run
//! of one.

use super::{
    bytes::{self, HEAD, Input, put_slice},
    record,
};
use crate::{
    model::activity::{Activity, NewActivity},
    store::{StoreError, codec},
};

/// The version of a run. Records of version 1 were rows of their own.
const VERSION: u8 = 2;

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

/// The canonical records of a run, with their ids.
pub(super) fn records(first: u64, value: &[u8]) -> Result<Records<'_>, StoreError> {
    if value.first() == Some(&1) {
        return Ok(Records {
            next: first,
            single: Some(codec::check("the log", 1, value)?),
            rest: Input(&[]),
        });
    }
    Ok(Records { next: first, single: None, rest: bytes::open(VERSION, value)? })
}

/// See [`records`].
pub(super) struct Records<'a> {
    next: u64,
    single: Option<&'a [u8]>,
    rest: Input<'a>,
}

impl<'a> Records<'a> {
    /// The next record and its id.
    pub(super) fn next(&mut self) -> Result<Option<(u64, &'a [u8])>, StoreError> {
        let record = match self.single.take() {
            Some(record) => record,
            None if self.rest.is_empty() => return Ok(None),
            None => self.rest.slice()?,
        };
        let id = self.next;
        self.next += 1;
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
