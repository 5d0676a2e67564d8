//! A walk through the log as it stands in the file, record by record, that goes on behind what is damaged.

use std::ops::Bound;

use redb::ReadableTable;

use super::{block::Block, record, run, shelf::Shelf};
use crate::store::StoreError;

/// What is met on the way.
pub(super) enum Met<'a> {
    /// The canonical bytes of an activity.
    Record(u64, &'a [u8]),
    /// An activity where ids as high or higher have been met already.
    Again(u64),
    /// Something that cannot be read, with activities among these ids.
    Damaged(u64, u64),
}

/// Walks from the activity `first` to `last`.
pub(super) fn walk(
    log: &Shelf<'_>,
    first: u64,
    last: u64,
    meet: &mut dyn FnMut(Met<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut walk = Walk { first, last, before: 0, bytes: Vec::new(), meet };
    for entry in log.blocks.range(first..).map_err(StoreError::file)? {
        let (key, value) = entry.map_err(StoreError::file)?;
        if walk.block(log, key.value(), value.value())? {
            break;
        }
    }
    let mut cursor = log.runs.upper_bound(Bound::Included(first)).map_err(StoreError::file)?;
    let start = cursor.peek_prev().map_err(StoreError::file)?.map_or(0, |(key, _)| key.value());
    drop(cursor);
    for entry in log.runs.range(start..).map_err(StoreError::file)? {
        let (key, value) = entry.map_err(StoreError::file)?;
        if walk.run(key.value(), value.value())? {
            break;
        }
    }
    Ok(())
}

struct Walk<'m> {
    first: u64,
    last: u64,
    /// The highest id met.
    before: u64,
    bytes: Vec<u8>,
    meet: &'m mut dyn FnMut(Met<'_>) -> Result<(), StoreError>,
}

impl Walk<'_> {
    /// Meets what is in a block. Whether it is one behind the last activity: of such a one only the first is met, to see that
    /// what was before it does not reach into it.
    fn block(&mut self, log: &Shelf<'_>, key: u64, value: &[u8]) -> Result<bool, StoreError> {
        let opened = Block::open(key, value).and_then(|block| Ok((log.volume(block.volume)?, block)));
        let (volume, mut block) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.damaged(error, key),
        };
        loop {
            let read = block.next().and_then(|row| row.map(|row| row.read(&volume)).transpose());
            let activity = match read {
                Ok(Some(activity)) => activity,
                Ok(None) => return Ok(false),
                Err(error) => return self.damaged(error, key),
            };
            let mut bytes = std::mem::take(&mut self.bytes);
            bytes.clear();
            record::write_again(&activity, &mut bytes);
            let met = self.record(activity.id.0, &bytes);
            self.bytes = bytes;
            if met? {
                return Ok(true);
            }
        }
    }

    /// Meets what is in a run, likewise.
    fn run(&mut self, key: u64, value: &[u8]) -> Result<bool, StoreError> {
        let mut records = match run::records(key, value) {
            Ok(records) => records,
            Err(error) => return self.damaged(error, key),
        };
        loop {
            match records.next() {
                Ok(Some((id, record))) if self.record(id, record)? => return Ok(true),
                Ok(Some(_)) => {}
                Ok(None) => return Ok(false),
                Err(error) => return self.damaged(error, key),
            }
        }
    }

    /// Meets a record. Whether it is behind the last.
    fn record(&mut self, id: u64, record: &[u8]) -> Result<bool, StoreError> {
        if id <= self.before {
            (self.meet)(Met::Again(id))?;
        } else if (self.first..=self.last).contains(&id) {
            (self.meet)(Met::Record(id, record))?;
        }
        self.before = self.before.max(id);
        Ok(id > self.last)
    }

    /// Goes on behind what cannot be read and is filed under `key`, unless it is the file that cannot.
    fn damaged(&mut self, error: StoreError, key: u64) -> Result<bool, StoreError> {
        let StoreError::Damaged(_) = error else { return Err(error) };
        let from = (self.before + 1).max(self.first).min(key);
        if from <= self.last {
            (self.meet)(Met::Damaged(from, key))?;
        }
        self.before = self.before.max(key);
        Ok(key > self.last)
    }
}
