//! How much room blocks and tiles take, and how many activities are there.
//!
//! As they are made, a block has a page of its own and a tile the sixth of one. Those that retention took something out of do not,
//! and to look at all of them takes seconds. So what they take is counted along with each change, in the same transaction.

use redb::{ReadableTable, ReadableTableMetadata};

use super::{
    block::Block,
    keeper::{Left, Work},
    run,
    shelf::Shelf,
    tile,
};
use crate::store::{
    StoreError, View, Write,
    codec::{self, Row},
    tables::{LOG_BLOCKS, LOG_SIZE, LOG_TILES, META},
};

const TABLE: &str = "what was counted of the log";

/// A page of the file, in bytes.
pub(super) const PAGE: u64 = 4096;

/// What redb writes along with a value: its key, and where both end.
const ALONG: u64 = 16;

/// How many bytes of the file a value takes that has so many: what is longer than half a page has one of its own, or as many as
/// the next power of two, and what is shorter shares one, of which a quarter is free.
pub(super) const fn of_value(length: usize) -> u64 {
    let length = length as u64 + ALONG;
    if length > PAGE {
        length.next_power_of_two()
    } else if length > PAGE / 2 {
        PAGE
    } else {
        length + length / 3
    }
}

/// What a value takes in the place of another, in bytes.
pub(super) fn difference(before: usize, now: Option<usize>) -> i64 {
    now.map_or(0, of_value).cast_signed() - of_value(before).cast_signed()
}

/// What was counted.
#[derive(Clone, Copy, Default)]
struct Counted {
    /// What blocks take, in bytes.
    blocks: i64,
    /// What tiles take beyond what they took as they were made, in bytes.
    tiles: i64,
    /// How many activities were taken out of the log.
    removed: u64,
}

impl Counted {
    /// What was counted so far; none in a file in which nobody has counted yet.
    fn of(meta: &impl ReadableTable<&'static str, &'static [u8]>) -> Result<Option<Self>, StoreError> {
        let Some(value) = meta.get(LOG_SIZE).map_err(StoreError::file)? else { return Ok(None) };
        let bytes = codec::open_plain(TABLE, Row::of(META, LOG_SIZE), value.value())?;
        let counted = (|| {
            let (blocks, rest) = bytes.split_first_chunk()?;
            let (tiles, removed) = rest.split_first_chunk()?;
            Some(Self {
                blocks: i64::from_be_bytes(*blocks),
                tiles: i64::from_be_bytes(*tiles),
                removed: u64::from_be_bytes(removed.try_into().ok()?),
            })
        })();
        Ok(counted)
    }

    fn value(self) -> Vec<u8> {
        let bytes =
            [self.blocks.to_be_bytes(), self.tiles.to_be_bytes(), self.removed.to_be_bytes()].concat();
        codec::seal_plain(Row::of(META, LOG_SIZE), &bytes)
    }
}

/// How many bytes all blocks and tiles take.
pub(super) fn of_blocks_and_tiles(view: &impl View) -> Result<u64, StoreError> {
    // Full tiles are made while requests are answered, and are all alike.
    let tiles = view.table(LOG_TILES)?.len().map_err(StoreError::file)? * of_value(tile::AS_MADE);
    Ok(match Counted::of(&view.table(META)?)? {
        Some(counted) => tiles.saturating_add_signed(counted.blocks.saturating_add(counted.tiles)),
        None => tiles + view.table(LOG_BLOCKS)?.len().map_err(StoreError::file)? * PAGE,
    })
}

/// How many bytes are taken by what stays of activities that were taken out of the log: the hashes of their leaves.
pub(super) fn of_what_is_gone(view: &impl View) -> Result<u64, StoreError> {
    let counted = Counted::of(&view.table(META)?)?.unwrap_or_default();
    Ok(u64::try_from(counted.tiles).unwrap_or_default())
}

/// How many activities were taken out of the log; none in a file in which nobody has counted yet.
pub(super) fn removed(view: &impl View) -> Result<u64, StoreError> {
    Ok(Counted::of(&view.table(META)?)?.unwrap_or_default().removed)
}

impl Write<'_> {
    /// Counts what blocks and tiles take more or less than before, in bytes, and what was taken out with that. A file in which
    /// nobody has counted yet is [measured](Work::measure) as a whole.
    pub(super) fn grow_log(&mut self, blocks: i64, tiles: i64, removed: u64) -> Result<(), StoreError> {
        let mut meta = self.edit(META)?;
        if let Some(mut counted) = Counted::of(&meta)? {
            counted.blocks = counted.blocks.saturating_add(blocks);
            counted.tiles = counted.tiles.saturating_add(tiles);
            counted.removed += removed;
            meta.insert(LOG_SIZE, counted.value().as_slice()).map_err(StoreError::file)?;
        }
        Ok(())
    }
}

impl Work {
    /// Counts what there is in a file in which nobody has counted yet. Nobody but the keeper changes it meanwhile.
    pub(super) fn measure(&self) -> Result<(), Left> {
        let read = self.disk.read()?;
        if Counted::of(&read.open_table(META).map_err(StoreError::file)?)?.is_some() {
            return Ok(());
        }
        let log = Shelf::open(&read, &self.cache.volumes)?;
        let (mut counted, mut there) = (Counted::default(), 0_u64);
        for entry in log.blocks.iter().map_err(StoreError::file)? {
            let (key, value) = entry.map_err(StoreError::file)?;
            counted.blocks += of_value(value.value().len()).cast_signed();
            let mut block = Block::open(key.value(), value.value())?;
            while block.next()?.is_some() {
                there += 1;
            }
            self.go_on()?;
        }
        for entry in log.runs.iter().map_err(StoreError::file)? {
            let (key, value) = entry.map_err(StoreError::file)?;
            let mut records = run::records(key.value(), value.value())?;
            while records.next()?.is_some() {
                there += 1;
            }
        }
        for entry in read.open_table(LOG_TILES).map_err(StoreError::file)?.iter().map_err(StoreError::file)? {
            let (_, tile) = entry.map_err(StoreError::file)?;
            counted.tiles += difference(tile::AS_MADE, Some(tile.value().len()));
            self.go_on()?;
        }
        counted.removed = log.last()?.saturating_sub(there);
        self.write(move |write| {
            write.edit(META)?.insert(LOG_SIZE, counted.value().as_slice()).map(drop).map_err(StoreError::file)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_shares_a_page_and_what_is_long_takes_a_power_of_two() {
        assert_eq!(of_value(4000), PAGE);
        assert_eq!(of_value(4096), 2 * PAGE);
        assert_eq!(of_value(2048), PAGE);
        assert!((PAGE / 8..PAGE / 5).contains(&of_value(tile::AS_MADE)));
        assert_eq!(difference(4000, None), -4096);
    }
}
