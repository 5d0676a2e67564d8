//! A tile: 256 neighbours in the log's tree, what their leaves were salted with, and what is left of those that are gone.
//!
//! ```text
//! leaf      SHA-256 of: a zero byte, the salt (16 bytes), the id (8 bytes, big-endian), the canonical record
//! salts     a seed of 16 bytes gives two, the halves of SHA-256 of: a byte of value two, the seed; after eight times
//!           that there are 256, and those are the salts
//! ```
//!
//! Somebody who knows a leaf's hash and guesses the record must not be able to tell that the guess is right: that is what
//! the salts are for. Kept one by one they would cost 16 bytes an activity; grown from a seed they cost none. Where
//! retention takes records out, their leaves' hashes stay, of whole subtrees only the root, and of the seed what the
//! others need and no more: a salt that is gone cannot be had from those that are left.
//!
//! Of each leaf that stays there are two bytes of its hash, its *tag*. The tree proves that something was changed, the tag
//! says which.

use sha2::{Digest, Sha256};

use super::bytes::{self, HEAD, Input, damaged, put};
use crate::{
    model::tree::{Hash, Range},
    store::StoreError,
};

/// How many leaves make a tile.
pub(super) const LEAVES: usize = 1 << LEVEL;

/// The level of a tile's root above its leaves.
pub(super) const LEVEL: u32 = 8;

/// How many bytes a full tile has that lost nothing, to a few.
pub(super) const AS_MADE: usize = HEAD + 32 + 17 + 2 * LEAVES;

/// What a leaf is salted with, or several are.
pub(in crate::store) type Salt = [u8; 16];

/// The tile that an activity's leaf is in, and its place there.
pub(super) fn place(id: u64) -> (u64, usize) {
    let leaf = id.saturating_sub(1);
    // Less than a tile has.
    (leaf >> LEVEL, usize::try_from(leaf % LEAVES as u64).unwrap_or_default())
}

/// The id of the first activity of a tile.
pub(super) const fn first(tile: u64) -> u64 {
    (tile << LEVEL) + 1
}

/// The leaf of an activity.
pub(super) fn leaf(salt: &Salt, id: u64, record: &[u8]) -> Hash {
    Hash::leaf([&salt[..], &id.to_be_bytes(), record])
}

/// The leaf of an id whose record was gone before there was a tree.
pub(super) fn unknown() -> Hash {
    Hash::leaf([])
}

/// A subtree of a tile.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    /// Nothing of it is gone: its salts grow from this.
    Seed(Salt),
    /// All of it is gone but for its root.
    Gone(Hash),
    /// Some of it is gone.
    Fork(Box<(Self, Self)>),
}

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tile {
    top: Node,
    /// Of each leaf it has; of one that is gone it says nothing.
    tags: Vec<[u8; 2]>,
}

/// A leaf of a tile, or what is left of several.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Piece {
    /// The leaf at this place has this salt.
    Leaf(usize, Salt),
    /// So many leaves, two to the power of this level, have this root.
    Gone(u32, Hash),
}

impl Tile {
    /// One without leaves.
    pub(super) const fn new(seed: Salt) -> Self {
        Self { top: Node::Seed(seed), tags: Vec::new() }
    }

    /// How many leaves it has.
    pub(super) const fn length(&self) -> usize {
        self.tags.len()
    }

    /// Adds a leaf. Its salt is one of [`Tile::salts`].
    pub(super) fn add(&mut self, leaf: &Hash) {
        self.tags.push([leaf.0[0], leaf.0[1]]);
    }

    /// Whether a leaf has the tag of the one that was added at this place.
    pub(super) fn knows(&self, place: usize, leaf: &Hash) -> bool {
        self.tags.get(place).is_some_and(|tag| leaf.0.starts_with(tag))
    }

    /// The salts of all its leaves, those to come among them; none for what is gone.
    pub(super) fn salts(&self) -> Box<[Option<Salt>; LEAVES]> {
        let mut salts = Box::new([None; LEAVES]);
        grow(&self.top, &mut salts[..]);
        salts
    }

    /// Its leaves in order, and what is left of those that are gone.
    pub(super) fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::with_capacity(self.length());
        self.cut_up(&self.top, 0, LEVEL, &self.salts()[..], &mut pieces);
        pieces
    }

    fn cut_up(&self, node: &Node, from: usize, level: u32, salts: &[Option<Salt>], pieces: &mut Vec<Piece>) {
        match node {
            Node::Gone(root) => pieces.push(Piece::Gone(level, *root)),
            Node::Seed(_) => {
                let places = from..self.length().min(from + (1 << level));
                pieces.extend(places.filter_map(|place| Some(Piece::Leaf(place, salts[place]?))));
            }
            Node::Fork(below) => {
                self.cut_up(&below.0, from, level - 1, salts, pieces);
                self.cut_up(&below.1, from + (1 << (level - 1)), level - 1, salts, pieces);
            }
        }
    }

    /// Keeps of these leaves, which are in order, only their hashes, and only a root where a whole subtree is gone; but
    /// what stands on either side of one of `cuts` stays apart, because somebody may ask for the tree as it was then.
    pub(super) fn forget(&mut self, gone: &[(usize, Hash)], cuts: &[usize]) {
        let top = std::mem::replace(&mut self.top, Node::Gone(Hash::default()));
        self.top = without(top, 0, LEVEL, gone, cuts);
    }

    /// Appends it to `out`.
    fn write(&self, out: &mut Vec<u8>) {
        put(out, self.length() as u64);
        write_node(&self.top, out);
        for (tag, salt) in self.tags.iter().zip(self.salts().iter()) {
            if salt.is_some() {
                out.extend_from_slice(tag);
            }
        }
    }

    fn read(input: &mut Input<'_>) -> Result<Self, StoreError> {
        let length = input.size()?;
        if length > LEAVES {
            return Err(damaged());
        }
        let mut tile = Self { top: read_node(input, LEVEL)?, tags: vec![[0; 2]; length] };
        let salts = tile.salts();
        for (tag, _) in tile.tags.iter_mut().zip(salts.iter()).filter(|(_, salt)| salt.is_some()) {
            *tag = array(input)?;
        }
        Ok(tile)
    }
}

/// The two that grow from a seed.
fn grown(seed: &Salt) -> (Salt, Salt) {
    let digest: [u8; 32] = Sha256::new().chain_update([2]).chain_update(seed).finalize().into();
    let (mut left, mut right) = (Salt::default(), Salt::default());
    left.copy_from_slice(&digest[..16]);
    right.copy_from_slice(&digest[16..]);
    (left, right)
}

/// Fills in the salts of a subtree.
fn grow(node: &Node, salts: &mut [Option<Salt>]) {
    let (left, right) = salts.split_at_mut(salts.len() / 2);
    match node {
        Node::Gone(_) => {}
        Node::Seed(seed) if left.is_empty() => right[0] = Some(*seed),
        Node::Seed(seed) => {
            let below = grown(seed);
            grow(&Node::Seed(below.0), left);
            grow(&Node::Seed(below.1), right);
        }
        Node::Fork(below) => {
            grow(&below.0, left);
            grow(&below.1, right);
        }
    }
}

fn without(node: Node, from: usize, level: u32, gone: &[(usize, Hash)], cuts: &[usize]) -> Node {
    let [(_, leaf), ..] = gone else { return node };
    let (left, right) = match node {
        Node::Gone(root) => return Node::Gone(root),
        Node::Seed(_) if level == 0 => return Node::Gone(*leaf),
        Node::Seed(seed) => {
            let (left, right) = grown(&seed);
            (Node::Seed(left), Node::Seed(right))
        }
        Node::Fork(below) => *below,
    };
    let middle = from + (1 << (level - 1));
    let (before, behind) = gone.split_at(gone.partition_point(|(place, _)| *place < middle));
    let left = without(left, from, level - 1, before, cuts);
    let right = without(right, middle, level - 1, behind, cuts);
    match (&left, &right) {
        (Node::Gone(left), Node::Gone(right))
            if !cuts.iter().any(|cut| from < *cut && *cut < from + (1 << level)) =>
        {
            Node::Gone(left.with(right))
        }
        _ => Node::Fork(Box::new((left, right))),
    }
}

const SEED: u8 = 0;
const GONE: u8 = 1;
const FORK: u8 = 2;

fn write_node(node: &Node, out: &mut Vec<u8>) {
    match node {
        Node::Seed(seed) => {
            out.push(SEED);
            out.extend_from_slice(seed);
        }
        Node::Gone(root) => {
            out.push(GONE);
            out.extend_from_slice(&root.0);
        }
        Node::Fork(below) => {
            out.push(FORK);
            write_node(&below.0, out);
            write_node(&below.1, out);
        }
    }
}

fn read_node(input: &mut Input<'_>, level: u32) -> Result<Node, StoreError> {
    match input.take(1)? {
        [SEED] => Ok(Node::Seed(array(input)?)),
        [GONE] => Ok(Node::Gone(Hash(array(input)?))),
        [FORK] if level > 0 => {
            let left = read_node(input, level - 1)?;
            Ok(Node::Fork(Box::new((left, read_node(input, level - 1)?))))
        }
        _ => Err(damaged()),
    }
}

fn array<const N: usize>(input: &mut Input<'_>) -> Result<[u8; N], StoreError> {
    input.take(N)?.try_into().map_err(|_| damaged())
}

/// The version of a tile that is full, and of the one that grows.
const FULL: u8 = 1;
const OPEN: u8 = 2;

/// A full tile under its root, to be kept.
pub(super) fn write_full(root: &Hash, tile: &Tile) -> Vec<u8> {
    let mut value = vec![0; HEAD];
    value.extend_from_slice(&root.0);
    tile.write(&mut value);
    bytes::seal(FULL, &mut value);
    value
}

/// What is kept of the open end: the tree of all that is there, how many removals there were and what stands for all of them,
/// and the tile that grows.
pub(super) fn write_open(tree: &Range, removals: (u64, &Hash), tile: &Tile) -> Vec<u8> {
    let mut value = vec![0; HEAD];
    put(&mut value, tree.size());
    for peak in tree.peaks() {
        value.extend_from_slice(&peak.0);
    }
    put(&mut value, removals.0);
    value.extend_from_slice(&removals.1.0);
    tile.write(&mut value);
    bytes::seal(OPEN, &mut value);
    value
}

/// A tile as it is kept.
pub(super) enum Kept {
    /// Full, with its root.
    Full(Hash, Tile),
    /// The open end: see [`write_open`].
    Open(Range, (u64, Hash), Tile),
}

impl Kept {
    pub(super) fn read(value: &[u8]) -> Result<Self, StoreError> {
        if value.first() == Some(&FULL) {
            let mut input = bytes::open(FULL, value)?;
            let root = Hash(array(&mut input)?);
            return Ok(Self::Full(root, Tile::read(&mut input)?));
        }
        let mut input = bytes::open(OPEN, value)?;
        let size = input.number()?;
        let peaks = (0..size.count_ones()).map(|_| array(&mut input).map(Hash)).collect::<Result<_, _>>()?;
        let tree = Range::of(size, peaks).ok_or_else(damaged)?;
        let removals = (input.number()?, Hash(array(&mut input)?));
        Ok(Self::Open(tree, removals, Tile::read(&mut input)?))
    }

    pub(super) const fn tile(&self) -> &Tile {
        match self {
            Self::Full(_, tile) | Self::Open(_, _, tile) => tile,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A tile of so many leaves, and their hashes.
    fn tile(length: usize) -> (Tile, Vec<Hash>) {
        let mut tile = Tile::new([7; 16]);
        let salts = tile.salts();
        let leaves: Vec<Hash> =
            (0..length).map(|place| leaf(&salts[place].unwrap(), place as u64 + 1, b"record")).collect();
        for leaf in &leaves {
            tile.add(leaf);
        }
        (tile, leaves)
    }

    /// The tree of the first `length` leaves, if what is left of the tile tells it.
    fn tree(tile: &Tile, leaves: &[Hash], length: usize) -> Option<Hash> {
        let mut tree = Range::default();
        for piece in tile.pieces() {
            if tree.size() == length as u64 {
                break;
            }
            match piece {
                Piece::Leaf(place, salt) => {
                    assert_eq!(leaf(&salt, place as u64 + 1, b"record"), leaves[place]);
                    assert_eq!(place as u64, tree.size());
                    tree.push(leaves[place]);
                }
                Piece::Gone(level, root) => tree.push_tree(level, root),
            }
        }
        (tree.size() == length as u64).then(|| tree.root())
    }

    fn plain(leaves: &[Hash]) -> Hash {
        let mut tree = Range::default();
        for leaf in leaves {
            tree.push(*leaf);
        }
        tree.root()
    }

    proptest! {
        #[test]
        fn what_is_gone_leaves_the_tree_as_it_was_and_no_salt_behind(
            length in 1..=LEAVES,
            rounds in prop::collection::vec((0..LEAVES, 0..LEAVES, any::<bool>()), 0..12),
            cuts in prop::collection::vec(0..=LEAVES, 0..4),
        ) {
            let (mut tile, leaves) = tile(length);
            let mut left = vec![true; length];
            for (from, some, every) in rounds {
                let places = (from..length.min(from + some)).step_by(if every { 1 } else { 3 });
                let gone: Vec<(usize, Hash)> = places.filter(|place| left[*place]).map(|place| (place, leaves[place])).collect();
                for (place, _) in &gone {
                    left[*place] = false;
                }
                tile.forget(&gone, &cuts);
                let read = match Kept::read(&write_full(&Hash::default(), &tile)).unwrap() {
                    Kept::Full(_, tile) => tile,
                    Kept::Open(..) => unreachable!(),
                };
                prop_assert_eq!(read.pieces(), tile.pieces());
                prop_assert_eq!(tree(&read, &leaves, length), Some(plain(&leaves)));
                for cut in cuts.iter().filter(|cut| **cut <= length) {
                    prop_assert_eq!(tree(&read, &leaves, *cut), Some(plain(&leaves[..*cut])), "at {}", cut);
                }
                let salts = read.salts();
                for (place, left) in left.iter().enumerate() {
                    prop_assert_eq!(salts[place].is_some(), *left);
                    prop_assert!(!left || read.knows(place, &leaves[place]));
                }
            }
        }
    }

    #[test]
    fn a_tile_of_which_all_is_gone_takes_no_more_than_a_root() {
        let (mut tile, leaves) = tile(LEAVES);
        let full = write_full(&plain(&leaves), &tile).len();
        assert!(full < 580, "{full} bytes");
        let gone: Vec<_> = leaves.iter().copied().enumerate().collect();
        tile.forget(&gone, &[]);
        assert_eq!(tile.pieces(), [Piece::Gone(LEVEL, plain(&leaves))]);
        assert!(write_full(&plain(&leaves), &tile).len() < 80);
    }

    #[test]
    fn the_open_end_is_read_as_it_was_written_and_damage_is_noticed() {
        let (tile, leaves) = tile(3);
        let mut range = Range::default();
        for leaf in &leaves {
            range.push(*leaf);
        }
        let value = write_open(&range, (5, &leaves[0]), &tile);
        let Kept::Open(tree, removals, read) = Kept::read(&value).unwrap() else { panic!("it is open") };
        assert_eq!((tree, removals, read), (range, (5, leaves[0]), tile));
        for bit in 0..value.len() * 8 {
            let mut damaged = value.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Kept::read(&damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn places_count_from_the_first_activity() {
        assert_eq!([place(1), place(256), place(257)], [(0, 0), (0, 255), (1, 0)]);
        assert_eq!([first(0), first(1)], [1, 257]);
    }
}
