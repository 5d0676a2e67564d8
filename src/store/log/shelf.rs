//! Where in the log an activity stands, and how it is read: in a run or in a block, which nobody else has to know.

use std::{cell::RefCell, ops::Bound, sync::Arc};

use redb::{AccessGuard, ReadOnlyTable, ReadTransaction, ReadableTable};

use super::{
    block::Block,
    bytes::{self, HEAD, damaged},
    record,
    run::{self, PAGE},
    volume::Volume,
    volumes::Volumes,
};
use crate::{
    model::activity::Activity,
    store::{
        StoreError,
        tables::{LOG_BLOCKS, LOG_RUNS, LOG_VOLUMES},
    },
};

/// The version of a part of a volume.
const PART: u8 = 4;

/// The most bytes of a volume in one part, so that each fills a page.
const PART_LENGTH: usize = PAGE - HEAD - 8;

/// The log of one moment, open to be read.
pub(super) struct Shelf<'a> {
    pub(super) runs: ReadOnlyTable<u64, &'static [u8]>,
    pub(super) blocks: ReadOnlyTable<u64, &'static [u8]>,
    volumes: ReadOnlyTable<(u64, u32), &'static [u8]>,
    /// The id where the runs begin: what is before it is in blocks.
    open: u64,
    cache: &'a Volumes,
    /// The volume that was asked for last.
    at_hand: RefCell<Option<(u64, Arc<Volume>)>>,
}

impl<'a> Shelf<'a> {
    pub(super) fn open(transaction: &ReadTransaction, cache: &'a Volumes) -> Result<Self, StoreError> {
        let runs = transaction.open_table(LOG_RUNS).map_err(StoreError::file)?;
        let open = runs.first().map_err(StoreError::file)?.map_or(u64::MAX, |(id, _)| id.value());
        Ok(Self {
            runs,
            blocks: transaction.open_table(LOG_BLOCKS).map_err(StoreError::file)?,
            volumes: transaction.open_table(LOG_VOLUMES).map_err(StoreError::file)?,
            open,
            cache,
            at_hand: RefCell::new(None),
        })
    }

    /// The activities with these ids, in the order asked; those that are gone are left out.
    pub(super) fn activities(&self, ids: &[u64]) -> Result<Vec<Activity>, StoreError> {
        let mut wanted: Vec<(u64, usize)> = ids.iter().copied().zip(0..).collect();
        wanted.sort_unstable();
        let mut found: Vec<Option<Activity>> = vec![None; ids.len()];
        let mut wanted = &wanted[..];
        while let Some((id, _)) = wanted.first() {
            let before = wanted.len();
            wanted = if *id < self.open {
                self.in_block(wanted, &mut found)?
            } else {
                self.in_run(wanted, &mut found)?
            };
            if wanted.len() == before {
                // It is gone.
                wanted = &wanted[1..];
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// Finds those of `wanted` that stand in the run of the first of them, and returns the others.
    fn in_run<'w>(
        &self,
        mut wanted: &'w [(u64, usize)],
        found: &mut [Option<Activity>],
    ) -> Result<&'w [(u64, usize)], StoreError> {
        let Some((first, value)) = at(&self.runs, wanted[0].0)? else { return Ok(wanted) };
        let mut records = run::records(first, value.value())?;
        while let Some((id, record)) = records.next()? {
            while let Some((_, place)) = wanted.first().filter(|(wanted, _)| *wanted == id) {
                found[*place] = Some(record::read(id, record)?);
                wanted = &wanted[1..];
            }
            if wanted.is_empty() {
                break;
            }
        }
        Ok(wanted)
    }

    /// Finds those of `wanted` that stand in the block of the first of them, and returns the others.
    fn in_block<'w>(
        &self,
        mut wanted: &'w [(u64, usize)],
        found: &mut [Option<Activity>],
    ) -> Result<&'w [(u64, usize)], StoreError> {
        let Some((key, value)) = from(&self.blocks, wanted[0].0)? else { return Ok(wanted) };
        let mut block = Block::open(key, value.value())?;
        let volume = self.volume(block.volume)?;
        while let Some(row) = block.next()? {
            while let Some((_, place)) = wanted.first().filter(|(wanted, _)| *wanted == row.id) {
                found[*place] = Some(row.read(&volume)?);
                wanted = &wanted[1..];
            }
            if wanted.first().is_none_or(|(wanted, _)| *wanted < row.id) {
                break;
            }
        }
        Ok(wanted)
    }

    /// At most `most` activities that came after `after`, in order of arrival.
    pub(super) fn after(&self, after: u64, most: usize) -> Result<Vec<Activity>, StoreError> {
        let mut found = Vec::with_capacity(most.min(4096));
        match self.gather_after(after, most, &mut found) {
            // They are had all the same, and whoever asks for what is behind them learns of the damage.
            Err(StoreError::Damaged(_)) if !found.is_empty() => {}
            gathered => gathered?,
        }
        Ok(found)
    }

    fn gather_after(&self, after: u64, most: usize, found: &mut Vec<Activity>) -> Result<(), StoreError> {
        if after.saturating_add(1) < self.open {
            self.after_in_blocks(after, most, found)?;
        }
        if found.len() < most {
            self.after_in_runs(after, most, found)?;
        }
        Ok(())
    }

    /// The last id of the block or run right behind `after`, if that is damaged.
    pub(super) fn damaged_behind(&self, after: u64) -> Result<Option<u64>, StoreError> {
        match self.after(after, 1) {
            Ok(_) => return Ok(None),
            Err(StoreError::Damaged(_)) => {}
            Err(error) => return Err(error),
        }
        if after.saturating_add(1) < self.open
            && let Some(row) = self.blocks.range(after.saturating_add(1)..).map_err(StoreError::file)?.next()
        {
            return Ok(Some(row.map_err(StoreError::file)?.0.value()));
        }
        // A run reaches as far as the next begins.
        let next = self.runs.range(after.saturating_add(2)..).map_err(StoreError::file)?.next();
        match next {
            Some(row) => Ok(Some(row.map_err(StoreError::file)?.0.value() - 1)),
            None => Ok(None),
        }
    }

    fn after_in_blocks(&self, after: u64, most: usize, found: &mut Vec<Activity>) -> Result<(), StoreError> {
        for row in self.blocks.range(after.saturating_add(1)..).map_err(StoreError::file)? {
            let (key, value) = row.map_err(StoreError::file)?;
            let mut block = Block::open(key.value(), value.value())?;
            let volume = self.volume(block.volume)?;
            while let Some(row) = block.next()? {
                if found.len() == most {
                    return Ok(());
                }
                if row.id > after {
                    found.push(row.read(&volume)?);
                }
            }
        }
        Ok(())
    }

    fn after_in_runs(&self, after: u64, most: usize, found: &mut Vec<Activity>) -> Result<(), StoreError> {
        let start = at(&self.runs, after.saturating_add(1))?.map_or(0, |(key, _)| key);
        for row in self.runs.range(start..).map_err(StoreError::file)? {
            let (key, value) = row.map_err(StoreError::file)?;
            let mut records = run::records(key.value(), value.value())?;
            while let Some((id, record)) = records.next()? {
                if found.len() == most {
                    return Ok(());
                }
                if id > after {
                    found.push(record::read(id, record)?);
                }
            }
        }
        Ok(())
    }

    /// The volume of this id.
    pub(super) fn volume(&self, id: u64) -> Result<Arc<Volume>, StoreError> {
        if let Some((known, volume)) = &*self.at_hand.borrow()
            && *known == id
        {
            return Ok(Arc::clone(volume));
        }
        let volume = self.cache.get(id, || {
            let mut packed = Vec::new();
            for part in self.volumes.range((id, 0)..=(id, u32::MAX)).map_err(StoreError::file)? {
                let (_, part) = part.map_err(StoreError::file)?;
                packed.extend_from_slice(bytes::open(PART, part.value())?.0);
            }
            Volume::read(&packed)
        })?;
        self.at_hand.replace(Some((id, Arc::clone(&volume))));
        Ok(volume)
    }

    /// The newest id; 0 while there is none.
    pub(super) fn last(&self) -> Result<u64, StoreError> {
        if let Some((first, value)) = self.runs.last().map_err(StoreError::file)? {
            let mut records = run::records(first.value(), value.value())?;
            let mut last = first.value();
            while let Some((id, _)) = records.next()? {
                last = id;
            }
            return Ok(last);
        }
        let Some((key, value)) = self.blocks.last().map_err(StoreError::file)? else { return Ok(0) };
        let mut block = Block::open(key.value(), value.value())?;
        let mut last = 0;
        while let Some(row) = block.next()? {
            last = row.id;
        }
        if last == 0 { Err(damaged()) } else { Ok(last) }
    }
}

/// A volume as the parts it is kept in.
pub(super) fn parts(packed: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    packed.chunks(PART_LENGTH).map(|chunk| {
        let mut part = vec![0; HEAD];
        part.extend_from_slice(chunk);
        bytes::seal(PART, &mut part);
        part
    })
}

/// A run or a block, with the id it is filed under.
type Entry<'t> = (u64, AccessGuard<'t, &'static [u8]>);

/// The first entry at or behind `id`: the block that an activity stands in, if it stands in any.
fn from<'t>(table: &'t ReadOnlyTable<u64, &'static [u8]>, id: u64) -> Result<Option<Entry<'t>>, StoreError> {
    let mut cursor = table.lower_bound(Bound::Included(id)).map_err(StoreError::file)?;
    let entry = cursor.peek_next().map_err(StoreError::file)?;
    Ok(entry.map(|(key, value)| (key.value(), value)))
}

/// The last entry at or before `id`: the run that an activity stands in, if it stands in any.
fn at<'t>(table: &'t ReadOnlyTable<u64, &'static [u8]>, id: u64) -> Result<Option<Entry<'t>>, StoreError> {
    let mut cursor = table.upper_bound(Bound::Included(id)).map_err(StoreError::file)?;
    let entry = cursor.peek_prev().map_err(StoreError::file)?;
    Ok(entry.map(|(key, value)| (key.value(), value)))
}
