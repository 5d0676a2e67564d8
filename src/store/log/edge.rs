//! The right edge of the log's tree: where leaves are added, in the transaction that adds their records.

use redb::{ReadableTable, WriteTransaction};

use super::{
    bytes::damaged,
    removals, size,
    tile::{self, Kept, LEAVES, LEVEL, Salt, Tile, place},
};
use crate::{
    model::tree::{Hash, Range},
    store::{
        StoreError,
        disk::Disk,
        tables::{CHECKPOINTS, LOG_REMOVALS, LOG_TILES},
    },
};

/// Where seeds come from: 16 bytes that nobody can guess.
pub type Random = fn() -> [u8; 16];

/// The tree as it grows. What is not on disk yet is in a copy of it.
#[derive(Clone)]
pub(in crate::store) struct Edge {
    /// The tree of the full tiles, and of the leaves behind them.
    full: Range,
    open: Range,
    /// The tile of those leaves, and what they are salted with.
    tile: Tile,
    salts: Box<[Salt; LEAVES]>,
    /// How many removals there were, and what stands for all of them.
    removals: (u64, Hash),
    /// Tiles that have become full.
    filled: Vec<(u64, Vec<u8>)>,
    changed: bool,
    random: Random,
}

impl Edge {
    /// The edge of the file; that of an empty log if it has none.
    pub(in crate::store) fn of(disk: &Disk, random: Random) -> Result<Self, StoreError> {
        let read = disk.read()?;
        let tiles = read.open_table(LOG_TILES).map_err(StoreError::file)?;
        let Some((_, value)) = tiles.last().map_err(StoreError::file)? else {
            let (full, open, tile) = (Range::default(), Range::default(), Tile::new(random()));
            return Ok(Self { changed: true, ..Self::at(full, open, tile, (0, Hash::default()), random) });
        };
        let Kept::Open(tree, removals, tile) = Kept::read(value.value())? else { return Err(damaged()) };
        let (full, open) = parted(&tree).ok_or_else(damaged)?;
        if open.size() != tile.length() as u64 {
            return Err(damaged());
        }
        Ok(Self::at(full, open, tile, removals, random))
    }

    /// The edge of the file as it is now.
    pub(in crate::store) fn read_again(&self, disk: &Disk) -> Result<Self, StoreError> {
        Self::of(disk, self.random)
    }

    fn at(full: Range, open: Range, tile: Tile, removals: (u64, Hash), random: Random) -> Self {
        let salts = salts(&tile);
        Self { full, open, tile, salts, removals, filled: Vec::new(), changed: false, random }
    }

    /// How many leaves the tree has, which is the id of the newest activity.
    pub(in crate::store) const fn size(&self) -> u64 {
        self.full.size() + self.open.size()
    }

    /// The tree of all leaves.
    pub(in crate::store) fn tree(&self) -> Range {
        self.full.and(&self.open)
    }

    /// How many removals there were, and what stands for all of them.
    pub(in crate::store) const fn removals(&self) -> (u64, Hash) {
        self.removals
    }

    /// Adds the leaf of the activity whose id comes next, with these canonical bytes.
    pub(super) fn add(&mut self, record: &[u8]) {
        let salt = self.salts[self.tile.length()];
        self.push(&tile::leaf(&salt, self.size() + 1, record));
    }

    /// Adds the leaf of an id that has no record.
    pub(super) fn skip(&mut self) {
        let at = self.tile.length();
        self.tile.forget(&[(at, tile::unknown())], &[]);
        self.push(&tile::unknown());
    }

    fn push(&mut self, leaf: &Hash) {
        self.tile.add(leaf);
        self.open.push(*leaf);
        self.changed = true;
        if self.tile.length() == LEAVES {
            let root = self.open.root();
            let number = self.full.size() >> LEVEL;
            self.full.push_tree(LEVEL, root);
            self.filled.push((number, tile::write_full(&root, &self.tile)));
            self.tile = Tile::new((self.random)());
            self.open = Range::default();
            self.salts = salts(&self.tile);
        }
    }

    /// Writes what has changed.
    pub(super) fn write(&mut self, transaction: &WriteTransaction) -> Result<(), StoreError> {
        if !std::mem::take(&mut self.changed) {
            return Ok(());
        }
        let mut tiles = transaction.open_table(LOG_TILES).map_err(StoreError::file)?;
        for (number, tile) in self.filled.drain(..) {
            tiles.insert(number, tile.as_slice()).map_err(StoreError::file)?;
        }
        let open =
            tile::write_open(&self.full.and(&self.open), (self.removals.0, &self.removals.1), &self.tile);
        tiles.insert(self.full.size() >> LEVEL, open.as_slice()).map_err(StoreError::file)?;
        Ok(())
    }

    /// Keeps of activities, whose ids are in order, only the hashes of their leaves, and writes down that they were removed.
    pub(super) fn forget(
        &mut self,
        gone: &[(u64, Hash)],
        transaction: &WriteTransaction,
    ) -> Result<i64, StoreError> {
        let mut grown = 0;
        let sizes = transaction.open_table(CHECKPOINTS).map_err(StoreError::file)?;
        let mut tiles = transaction.open_table(LOG_TILES).map_err(StoreError::file)?;
        for gone in gone.chunk_by(|(one, _), (next, _)| place(*one).0 == place(*next).0) {
            let number = place(gone[0].0).0;
            let leaves: Vec<(usize, Hash)> = gone.iter().map(|(id, leaf)| (place(*id).1, *leaf)).collect();
            // A checkpoint of `n` leaves cuts behind the leaf of the activity `n`.
            let mut cuts = Vec::new();
            for size in sizes.range(tile::first(number)..tile::first(number + 1)).map_err(StoreError::file)? {
                cuts.push(place(size.map_err(StoreError::file)?.0.value()).1 + 1);
            }
            if number == self.full.size() >> LEVEL {
                self.tile.forget(&leaves, &cuts);
                self.changed = true;
                continue;
            }
            let before = if let Some((_, tile)) = self.filled.iter().find(|(filled, _)| *filled == number) {
                tile.clone()
            } else {
                tiles.get(number).map_err(StoreError::file)?.ok_or_else(damaged)?.value().to_vec()
            };
            let Kept::Full(root, mut tile) = Kept::read(&before)? else { return Err(damaged()) };
            tile.forget(&leaves, &cuts);
            let value = tile::write_full(&root, &tile);
            grown += size::difference(before.len(), Some(value.len()));
            self.filled.retain(|(filled, _)| *filled != number);
            tiles.insert(number, value.as_slice()).map_err(StoreError::file)?;
        }
        let ids: Vec<u64> = gone.iter().map(|(id, _)| *id).collect();
        self.declare(&ids, transaction)?;
        Ok(grown)
    }

    /// Writes down that these activities, whose ids are in order, are not there any more.
    pub(super) fn declare(&mut self, ids: &[u64], transaction: &WriteTransaction) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let value = removals::write(&removals::stretches(ids));
        let mut all = transaction.open_table(LOG_REMOVALS).map_err(StoreError::file)?;
        all.insert(self.removals.0, value.as_slice()).map_err(StoreError::file)?;
        self.removals = (self.removals.0 + 1, removals::behind(&self.removals.1, &value));
        self.changed = true;
        Ok(())
    }
}

fn salts(tile: &Tile) -> Box<[Salt; LEAVES]> {
    // A leaf that is gone is never added again.
    Box::new(tile.salts().map(Option::unwrap_or_default))
}

/// The tree of the full tiles, and of the leaves behind them.
pub(super) fn parted(tree: &Range) -> Option<(Range, Range)> {
    let behind = tree.size() % LEAVES as u64;
    let full = tree.size() - behind;
    let (above, below) = tree.peaks().split_at(full.count_ones() as usize);
    Range::of(full, above.to_vec()).zip(Range::of(behind, below.to_vec()))
}
