//! Proves the log: every record is held against its leaf, every leaf against the tree, and what is missing against what
//! retention says it has taken out.
//!
//! The tree is built anew from what is there, in stretches that are worked on side by side, and compared with what was
//! written down as it grew: so what does not fit is found where it is.

use std::{
    collections::BTreeMap,
    fmt,
    num::NonZero,
    ops::Range as Span,
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use redb::{ReadOnlyTable, ReadTransaction, ReadableTable};

use super::{
    cache::Cache,
    edge::parted,
    removals,
    shelf::Shelf,
    tile::{self, Kept, LEAVES, LEVEL, Piece, Salt, first, place},
    volumes::Volumes,
    walk::{Met, walk},
};
use crate::{
    model::{
        id::ActivityId,
        tree::{Hash, Range},
    },
    store::{
        StoreError,
        tables::{LOG_REMOVALS, LOG_TILES},
    },
};

/// How many tiles are worked on at a time.
const STRETCH: u64 = 64;

/// The most threads that work on it.
const HANDS: usize = 8;

/// Something in the log that is not as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The first activity it is about, by number.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// What is wrong.
    pub trouble: Trouble,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// They are not what was written under these numbers.
    Changed,
    /// They are missing, and no retention has taken them out.
    Missing,
    /// They were put in from elsewhere.
    PutIn,
    /// One or more of them were changed; which cannot be told.
    Among,
    /// They cannot be read.
    Unreadable,
    /// What is kept of their leaves is missing or damaged.
    Leaves,
    /// The list of what retention has taken out was changed.
    Removals,
    /// The tree over all of them is not the one that grew.
    Tree,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last, trouble } = self;
        match (trouble, first == last) {
            (Trouble::Removals | Trouble::Tree, _) => {}
            (_, true) => write!(f, "activity {first} (id {}) ", ActivityId(*first))?,
            (_, false) => write!(
                f,
                "activities {first} to {last} (ids {} to {}) ",
                ActivityId(*first),
                ActivityId(*last)
            )?,
        }
        f.write_str(match (trouble, first == last) {
            (Trouble::Changed, _) => "is not what was written",
            (Trouble::Missing, true) => "is missing, and no retention has removed it",
            (Trouble::Missing, false) => "are missing, and no retention has removed them",
            (Trouble::PutIn, _) => "was put in from elsewhere",
            (Trouble::Among, _) => "are not all what was written; which of them cannot be told",
            (Trouble::Unreadable, _) => "cannot be read",
            (Trouble::Leaves, _) => "cannot be proven: what is kept of the leaves was changed",
            (Trouble::Removals, _) => "the list of what retention has removed was changed",
            (Trouble::Tree, _) => "the tree over all activities is not the one that grew with them",
        })
    }
}

/// What came of a proof.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// How many activities were ever written.
    pub size: u64,
    /// What stands for all of them.
    pub root: Hash,
    /// How many are there.
    pub present: u64,
    /// What stands for all removals, after each of them.
    pub removals: Vec<Hash>,
    /// What is wrong, in order.
    pub faults: Vec<Fault>,
    /// What stood for the first so many activities, for each size that was asked for and can still be told.
    pub roots: BTreeMap<u64, Hash>,
}

/// Proves the log of a moment, and tells the roots it had at `sizes`. `progress` hears how many activities are done and of how
/// many.
pub(in crate::store) fn prove(
    read: &ReadTransaction,
    cache: &Cache,
    sizes: &[u64],
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Proof, StoreError> {
    let volumes = &cache.volumes;
    let mut proof = Proof::default();
    let tiles = read.open_table(LOG_TILES).map_err(StoreError::file)?;
    let edge = tiles.last().map_err(StoreError::file)?.map(|(_, value)| Kept::read(value.value()));
    let last = Shelf::open(read, volumes)?.last().unwrap_or_default();
    let (tree, stands) = if let Some(Ok(Kept::Open(tree, stands, _))) = edge {
        (tree, stands)
    } else {
        proof.faults.push(Fault { first: 1, last: last.max(1), trouble: Trouble::Leaves });
        (Range::default(), (0, Hash::default()))
    };
    let size = tree.size();
    let declared = proof.declared(read, stands, size)?;
    (proof.size, proof.root) = (size, tree.root());
    let mut sizes = sizes.to_vec();
    sizes.sort_unstable();
    let all = size.max(last);
    let end = all.div_ceil(LEAVES as u64);
    let work = Work { read, volumes, declared: &declared, sizes: &sizes, size, next: AtomicU64::new(0), end };
    let mut grown =
        Grown { full: Range::default(), open: Range::default(), proof: &mut proof, sizes: &sizes };
    work.share(&mut |parts| {
        for part in parts {
            grown.take(part);
        }
        progress(grown.full.size().min(all), all);
    })?;
    let full = grown.full == parted(&tree).map(|(full, _)| full).unwrap_or_default();
    // Where what is kept of a tile is lost, the tree over all cannot be right either.
    if !full && proof.faults.iter().all(|fault| fault.trouble != Trouble::Leaves) {
        proof.faults.push(Fault { first: 1, last: size.max(1), trouble: Trouble::Tree });
    }
    proof.faults.sort_unstable_by_key(|fault| (fault.first, fault.last, fault.trouble));
    proof.faults.dedup();
    Ok(proof)
}

impl Proof {
    /// What retention says it has taken out, in stretches.
    fn declared(
        &mut self,
        read: &ReadTransaction,
        stands: (u64, Hash),
        size: u64,
    ) -> Result<Vec<(u64, u64)>, StoreError> {
        let all = read.open_table(LOG_REMOVALS).map_err(StoreError::file)?;
        let (mut stretches, mut so_far, mut good) = (Vec::new(), Hash::default(), true);
        for (entry, expected) in all.iter().map_err(StoreError::file)?.zip(0..) {
            let (number, value) = entry.map_err(StoreError::file)?;
            match removals::read(value.value()) {
                Ok(read) => stretches.extend(read),
                Err(_) => good = false,
            }
            good &= number.value() == expected;
            so_far = removals::behind(&so_far, value.value());
            self.removals.push(so_far);
        }
        if !good || stands != (self.removals.len() as u64, so_far) {
            self.faults.push(Fault { first: 1, last: size.max(1), trouble: Trouble::Removals });
        }
        Ok(removals::merged(stretches))
    }
}

/// A tile that was looked at.
struct Part {
    /// The root that was written down when it was full.
    full: Option<Hash>,
    /// The tree of its leaves as they are.
    tree: Range,
    /// The tree of its first leaves, where that was asked for and can be told.
    cuts: Vec<(u64, Range)>,
    present: u64,
    faults: Vec<Fault>,
}

/// The tree of what was looked at, from left to right.
struct Grown<'a> {
    full: Range,
    open: Range,
    proof: &'a mut Proof,
    sizes: &'a [u64],
}

impl Grown<'_> {
    fn take(&mut self, part: Part) {
        self.proof.present += part.present;
        self.proof.faults.extend(part.faults);
        for (size, cut) in part.cuts {
            self.proof.roots.insert(size, self.full.and(&cut).root());
        }
        match part.full {
            None => self.open = part.tree,
            Some(root) => {
                self.full.push_tree(LEVEL, root);
                if self.sizes.binary_search(&self.full.size()).is_ok() {
                    self.proof.roots.insert(self.full.size(), self.full.root());
                }
            }
        }
    }
}

/// What those who look at tiles have in common.
struct Work<'a> {
    read: &'a ReadTransaction,
    volumes: &'a Volumes,
    /// What retention says it has taken out.
    declared: &'a [(u64, u64)],
    sizes: &'a [u64],
    /// How many activities there were ever.
    size: u64,
    /// The tile that nobody has looked at yet, and the one behind the last.
    next: AtomicU64,
    end: u64,
}

impl Work<'_> {
    /// Looks at all tiles, several stretches at a time, and hands them out in order.
    fn share(&self, take: &mut dyn FnMut(Vec<Part>)) -> Result<(), StoreError> {
        let hands = thread::available_parallelism().map_or(1, NonZero::get).min(HANDS);
        let (sender, looked_at) = mpsc::sync_channel(hands);
        thread::scope(|scope| {
            for _ in 0..hands {
                let sender = sender.clone();
                scope.spawn(move || {
                    loop {
                        let start = self.next.fetch_add(STRETCH, Ordering::Relaxed);
                        let stretch = start..self.end.min(start + STRETCH);
                        if start >= self.end || sender.send((start, self.look(stretch))).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let (mut waiting, mut next) = (BTreeMap::new(), 0);
            for (start, parts) in looked_at {
                waiting.insert(start, parts?);
                while let Some(parts) = waiting.remove(&next) {
                    take(parts);
                    next += STRETCH;
                }
            }
            Ok(())
        })
    }

    /// Looks at some tiles.
    fn look(&self, numbers: Span<u64>) -> Result<Vec<Part>, StoreError> {
        let tiles = self.read.open_table(LOG_TILES).map_err(StoreError::file)?;
        let log = Shelf::open(self.read, self.volumes)?;
        let (from, to) = (first(numbers.start), first(numbers.end) - 1);
        let views = numbers.map(|number| View::of(&tiles, number));
        let mut views = views.collect::<Result<Vec<_>, _>>()?;
        let start = place(from).0;
        let (mut faults, mut unreadable) = (Vec::new(), Vec::new());
        walk(&log, from, to, &mut |met| {
            let (id, trouble) = match met {
                Met::Again(id) => ((id, id), Trouble::PutIn),
                Met::Damaged(first, last) => {
                    unreadable.push((first, last));
                    ((first, last), Trouble::Unreadable)
                }
                Met::Record(id, record) => {
                    let (tile, at) = place(id);
                    let view = usize::try_from(tile - start).ok().and_then(|tile| views.get_mut(tile));
                    if view.is_some_and(|view| view.meet(at, id, record).is_some())
                        || id <= self.size && self.lost(&tiles, tile)?
                    {
                        return Ok(());
                    }
                    ((id, id), Trouble::PutIn)
                }
            };
            faults.push(Fault { first: id.0, last: id.1, trouble });
            Ok(())
        })?;
        let mut parts: Vec<Part> = views
            .into_iter()
            .filter(|view| view.base <= self.size)
            .map(|view| self.part(view, &unreadable))
            .collect();
        match parts.first_mut() {
            Some(part) => part.faults.extend(faults),
            None if faults.is_empty() => {}
            None => {
                parts.push(Part { full: None, tree: Range::default(), cuts: Vec::new(), present: 0, faults });
            }
        }
        Ok(parts)
    }

    /// Whether nothing is known of the leaves of a tile.
    fn lost(&self, tiles: &ReadOnlyTable<u64, &'static [u8]>, tile: u64) -> Result<bool, StoreError> {
        let kept = tiles.get(tile).map_err(StoreError::file)?;
        Ok(first(tile) <= self.size && kept.is_none_or(|kept| Kept::read(kept.value()).is_err()))
    }

    /// Holds what was met against what is known of a tile.
    fn part(&self, view: View, unreadable: &[(u64, u64)]) -> Part {
        let View { base, kept, leaves, .. } = view;
        let mut part =
            Part { full: None, tree: Range::default(), cuts: Vec::new(), present: 0, faults: Vec::new() };
        let end = base + LEAVES as u64 - 1;
        let Some(kept) = kept else {
            part.full = Some(Hash::default());
            part.faults.push(Fault { first: base, last: end.min(self.size), trouble: Trouble::Leaves });
            return part;
        };
        let (tile, mut changed) = (kept.tile(), Vec::new());
        let readable = |id: &u64| !unreadable.iter().any(|(first, last)| (first..=last).contains(&id));
        let mut missing = Vec::new();
        for piece in tile.pieces() {
            let id = base + part.tree.size();
            match piece {
                Piece::Leaf(at, _) => {
                    match leaves[at] {
                        Some(leaf) if tile.knows(at, &leaf) => {}
                        Some(_) => changed.push(id),
                        None => missing.push(id),
                    }
                    part.present += u64::from(leaves[at].is_some());
                    part.tree.push(leaves[at].unwrap_or_default());
                }
                Piece::Gone(level, root) => {
                    let gone = id..id + (1 << level);
                    missing.extend(gone.filter(|id| !removals::holds(self.declared, *id)));
                    part.tree.push_tree(level, root);
                }
            }
            let size = base - 1 + part.tree.size();
            if part.tree.size() < LEAVES as u64 && self.sizes.binary_search(&size).is_ok() {
                part.cuts.push((size, part.tree.clone()));
            }
        }
        let stands = match &kept {
            Kept::Full(root, _) => {
                part.full = Some(*root);
                part.tree.root() == *root
            }
            Kept::Open(tree, ..) => parted(tree).is_some_and(|(_, open)| open == part.tree),
        };
        let whole = missing.is_empty() && changed.is_empty();
        missing.retain(readable);
        for stretch in removals::stretches(&missing) {
            part.faults.push(Fault { first: stretch.0, last: stretch.1, trouble: Trouble::Missing });
        }
        let trouble = if stands { Trouble::Leaves } else { Trouble::Changed };
        part.faults.extend(changed.into_iter().map(|id| Fault { first: id, last: id, trouble }));
        if !stands && whole {
            part.faults.push(Fault { first: base, last: end.min(self.size), trouble: Trouble::Among });
        }
        if !stands {
            // What it was cannot be told any more.
            part.cuts.clear();
        }
        part
    }
}

/// A tile and what was met of it.
pub(super) struct View {
    /// The id of its first activity.
    base: u64,
    /// What is kept of it, if that can be read.
    pub(super) kept: Option<Kept>,
    salts: Box<[Option<Salt>; LEAVES]>,
    /// The leaves of what was met.
    pub(super) leaves: Vec<Option<Hash>>,
}

impl View {
    pub(super) fn of(tiles: &ReadOnlyTable<u64, &'static [u8]>, number: u64) -> Result<Self, StoreError> {
        let kept = tiles.get(number).map_err(StoreError::file)?;
        let kept = kept.and_then(|value| Kept::read(value.value()).ok());
        let salts = kept.as_ref().map_or_else(|| Box::new([None; LEAVES]), |kept| kept.tile().salts());
        Ok(Self { base: first(number), kept, salts, leaves: vec![None; LEAVES] })
    }

    /// Takes note of a record. What its leaf is salted with, if there is one of it.
    pub(super) fn meet(&mut self, at: usize, id: u64, record: &[u8]) -> Option<Salt> {
        let known = self.kept.as_ref().is_some_and(|kept| at < kept.tile().length());
        let salt = self.salts[at].filter(|_| known)?;
        self.leaves[at] = Some(tile::leaf(&salt, id, record));
        Some(salt)
    }
}
