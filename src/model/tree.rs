//! Merkle trees as RFC 6962 (section 2.1) builds them: one hash that stands for a list, its order and its length.
//!
//! A leaf is hashed behind a zero byte and a node behind a one, so that neither can be taken for the other. A [`Range`] is
//! the tree of a list that grows: of each of its whole subtrees only the root, at most 64 hashes for any length.

use std::{fmt, str::FromStr};

use data_encoding::BASE64;
use sha2::{Digest, Sha256};

/// A SHA-256 in a tree: that of a leaf, of a subtree or of the whole. Written in base 64.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The hash of a leaf whose content is these bytes, one behind the other.
    pub fn leaf<'a>(content: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let hash = content.into_iter().fold(Sha256::new().chain_update([0]), Digest::chain_update);
        Self(hash.finalize().into())
    }

    /// The hash of the node above two subtrees.
    #[must_use]
    pub fn with(&self, right: &Self) -> Self {
        Self(Sha256::new().chain_update([1]).chain_update(self.0).chain_update(right.0).finalize().into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What was given is not a hash in base 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a SHA-256 in base 64")]
pub struct NotAHash;

impl FromStr for Hash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let bytes = BASE64.decode(text.as_bytes()).map_err(|_| NotAHash)?;
        bytes.try_into().map(Self).map_err(|_| NotAHash)
    }
}

/// The tree of a list that grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    size: u64,
    /// The roots of its whole subtrees, the largest and first one first: one for each bit of its size that is set.
    peaks: Vec<Hash>,
}

impl Range {
    /// The tree of `size` leaves whose whole subtrees have these roots; none if so many do not make one.
    pub fn of(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (size.count_ones() as usize == peaks.len()).then_some(Self { size, peaks })
    }

    /// How many leaves it has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of its whole subtrees, the largest first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.push_tree(0, leaf);
    }

    /// Adds a subtree of two to the power of `level` leaves, of which so many times as many are there already.
    pub fn push_tree(&mut self, level: u32, root: Hash) {
        debug_assert!(self.size.is_multiple_of(1 << level), "a subtree stands where its like would");
        let mut root = root;
        let mut width = 1_u64 << level;
        self.size += width;
        // Each subtree that is whole on its left makes one of twice its size with it.
        while self.size & width == 0
            && let Some(left) = self.peaks.pop()
        {
            root = left.with(&root);
            width <<= 1;
        }
        self.peaks.push(root);
    }

    /// This tree and behind it one of fewer leaves than its last subtree has.
    #[must_use]
    pub fn and(&self, behind: &Self) -> Self {
        Self { size: self.size + behind.size, peaks: [&self.peaks[..], &behind.peaks].concat() }
    }

    /// The hash of the whole. That of an empty list is the SHA-256 of nothing.
    pub fn root(&self) -> Hash {
        let root = self.peaks.iter().rev().copied().reduce(|right, left| left.with(&right));
        root.unwrap_or_else(|| Hash(Sha256::digest([]).into()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// MTH of RFC 6962, word for word.
    fn plain(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash(Sha256::digest([]).into()),
            [leaf] => *leaf,
            _ => {
                let k = (1..32).map(|bit| 1 << bit).take_while(|k| *k < leaves.len()).last().unwrap_or(1);
                plain(&leaves[..k]).with(&plain(&leaves[k..]))
            }
        }
    }

    #[test]
    fn hashes_are_those_of_the_known_answers() {
        // The vectors that Certificate Transparency's own implementations share.
        let leaves: [&[u8]; 8] = [
            b"",
            b"\0",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let known = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut tree = Range::default();
        for (leaf, known) in leaves.into_iter().zip(known) {
            tree.push(Hash::leaf([leaf]));
            assert_eq!(data_encoding::HEXLOWER.encode(&tree.root().0), known);
        }
    }

    proptest! {
        #[test]
        fn a_tree_that_grew_is_the_tree_of_its_leaves(size in 0..600_u32, cut in 0..600_u32) {
            let leaves: Vec<Hash> = (0..size).map(|leaf| Hash::leaf([&leaf.to_be_bytes()[..]])).collect();
            let mut tree = Range::default();
            for leaf in &leaves {
                tree.push(*leaf);
            }
            prop_assert_eq!(tree.root(), plain(&leaves));
            prop_assert_eq!(&Range::of(tree.size(), tree.peaks().to_vec()), &Some(tree.clone()));
            // In whole subtrees, and what is left over behind them.
            let mut whole = Range::default();
            let trees = leaves.chunks_exact(64);
            let mut rest = Range::default();
            for leaf in trees.remainder() {
                rest.push(*leaf);
            }
            for subtree in trees {
                whole.push_tree(6, plain(subtree));
            }
            prop_assert_eq!(whole.and(&rest), tree);
            let first = &leaves[..leaves.len().min(cut as usize)];
            let mut tree = Range::default();
            for leaf in first {
                tree.push(*leaf);
            }
            prop_assert_eq!(tree.root(), plain(first));
        }
    }

    #[test]
    fn a_hash_is_read_as_it_is_written() {
        let hash = Hash::leaf([&b"x"[..]]);
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!("AAAA".parse::<Hash>(), Err(NotAHash));
        assert_eq!("no".parse::<Hash>(), Err(NotAHash));
    }
}
