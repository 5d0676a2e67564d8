//! The way from the leaf of an activity up to the root that the log had when it was so long.
//!
//! What stands beside that way are roots of full tiles, which are kept, and below them the leaves of two tiles at most: the
//! activity's own and the one in which the log ended then.

use redb::{ReadOnlyTable, ReadTransaction};

use super::{
    bytes::damaged,
    cache::Cache,
    proof::View,
    record,
    shelf::Shelf,
    tile::{Kept, LEVEL, Piece, Salt, first, place},
    walk::{Met, walk},
};
use crate::{
    model::{
        activity::Activity,
        tree::{Hash, Range},
    },
    store::{StoreError, tables::LOG_TILES},
};

/// What the leaf of an activity is the hash of, and the hashes beside its way up, the lowest first.
pub type Way = (Vec<u8>, Vec<Hash>);

/// The way of an activity to the root over the first `size`; none if it is not there, or if retention has left too little of
/// what stands beside it.
pub(in crate::store) fn include(
    read: &ReadTransaction,
    cache: &Cache,
    id: u64,
    size: u64,
) -> Result<Option<Way>, StoreError> {
    if id == 0 || id > size {
        return Ok(None);
    }
    let tiles = read.open_table(LOG_TILES).map_err(StoreError::file)?;
    let mut climb =
        Climb { tiles, log: Shelf::open(read, &cache.volumes)?, id, entry: Vec::new(), last: None };
    let (number, _) = place(id);
    climb.pieces(number)?;
    let mut path = Vec::new();
    if climb.entry.is_empty() || !climb.beside(0, size, &mut path)? {
        return Ok(None);
    }
    Ok(Some((climb.entry, path)))
}

/// The activity that an entry is of.
pub fn read_entry(entry: &[u8]) -> Result<Activity, StoreError> {
    let (_, rest) = entry.split_first_chunk::<{ size_of::<Salt>() }>().ok_or_else(damaged)?;
    let (id, bytes) = rest.split_first_chunk().ok_or_else(damaged)?;
    record::read(u64::from_be_bytes(*id), bytes)
}

/// A subtree of a tile: its first leaf, by number from nought; two to the power of what it has; its root.
type Subtree = (u64, u32, Hash);

struct Climb<'a> {
    tiles: ReadOnlyTable<u64, &'static [u8]>,
    log: Shelf<'a>,
    id: u64,
    /// What the leaf of the activity is the hash of, once it was met.
    entry: Vec<u8>,
    /// The tile that was looked into last.
    last: Option<(u64, Vec<Subtree>)>,
}

impl Climb<'_> {
    /// Puts down what stands beside the way among the leaves `from` to `to`, the lowest first. Whether all of it is there.
    fn beside(&mut self, from: u64, to: u64, path: &mut Vec<Hash>) -> Result<bool, StoreError> {
        let length = to - from;
        if length <= 1 {
            return Ok(true);
        }
        let middle = from + length.next_power_of_two() / 2;
        let (left, right) = ((from, middle), (middle, to));
        let (way, beside) = if self.id <= middle { (left, right) } else { (right, left) };
        if !self.beside(way.0, way.1, path)? {
            return Ok(false);
        }
        let tree = self.tree(beside.0, beside.1)?;
        path.extend(tree.as_ref().map(Range::root));
        Ok(tree.is_some())
    }

    /// The tree of the leaves `from` to `to`, which begins where a tree of its size does.
    fn tree(&mut self, from: u64, to: u64) -> Result<Option<Range>, StoreError> {
        let mut tree = Range::default();
        loop {
            let at = from + tree.size();
            if at == to {
                return Ok(Some(tree));
            }
            let (number, end) = (at >> LEVEL, ((at >> LEVEL) + 1) << LEVEL);
            if at.is_multiple_of(1 << LEVEL) && end <= to {
                let kept = self.tiles.get(number).map_err(StoreError::file)?.ok_or_else(damaged)?;
                let Kept::Full(root, _) = Kept::read(kept.value())? else { return Err(damaged()) };
                tree.push_tree(LEVEL, root);
                continue;
            }
            let piece = self.pieces(number)?.iter().find(|(first, ..)| *first == at);
            match piece {
                Some((_, level, root)) if at + (1 << level) <= to => tree.push_tree(*level, *root),
                _ => return Ok(None),
            }
        }
    }

    /// What there is of a tile.
    fn pieces(&mut self, number: u64) -> Result<&[Subtree], StoreError> {
        if self.last.as_ref().is_none_or(|(last, _)| *last != number) {
            let pieces = self.look(number)?;
            self.last = Some((number, pieces));
        }
        Ok(self.last.as_ref().map(|(_, pieces)| &pieces[..]).unwrap_or_default())
    }

    fn look(&mut self, number: u64) -> Result<Vec<Subtree>, StoreError> {
        let mut view = View::of(&self.tiles, number)?;
        walk(&self.log, first(number), first(number + 1) - 1, &mut |met| {
            if let Met::Record(id, record) = met
                && let (tile, at) = place(id)
                && tile == number
                && let Some(salt) = view.meet(at, id, record)
                && id == self.id
            {
                self.entry = [&salt[..], &id.to_be_bytes(), record].concat();
            }
            Ok(())
        })?;
        let Some(kept) = &view.kept else { return Err(damaged()) };
        let (mut pieces, mut next) = (Vec::new(), number << LEVEL);
        for piece in kept.tile().pieces() {
            let (level, root) = match piece {
                Piece::Leaf(at, _) => (0, view.leaves[at].ok_or_else(damaged)?),
                Piece::Gone(level, root) => (level, root),
            };
            pieces.push((next, level, root));
            next += 1 << level;
        }
        Ok(pieces)
    }
}
