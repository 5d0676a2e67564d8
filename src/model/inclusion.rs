//! That something stands in the log, as a text that proves it to whoever holds a checkpoint.
//!
//! The form is C2SP's `tlog-proof`, so that others' programs check it too. The extra data is the entry itself: what its leaf is
//! the hash of.
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! extra base 64 of the entry
//! index how many leaves stand before it
//! base 64 of the hashes beside the way from its leaf up to the root, the lowest first: RFC 6962, section 2.1.1
//!
//! the checkpoint, as a signed note
//! ```

use std::{fmt, str::FromStr};

use data_encoding::BASE64;

use super::{note::Note, tree::Hash};

/// The first line.
pub const MAGIC: &str = "c2sp.org/tlog-proof@v1";

/// The most hashes on a way: a tree has fewer than two to the power of 64 leaves.
const LONGEST: usize = 64;

/// A proof under a checkpoint. Whether it holds is to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// What stands in the log.
    pub entry: Vec<u8>,
    /// How many leaves stand before its own.
    pub index: u64,
    /// The hashes beside the way up, the lowest first.
    pub path: Vec<Hash>,
    /// The checkpoint.
    pub note: Note,
}

impl Inclusion {
    /// The root of the tree of `size` leaves in which the entry stands at its place; none if the way up has another length than
    /// such a tree's.
    pub fn root(&self, size: u64) -> Option<Hash> {
        if self.index >= size {
            return None;
        }
        let (mut at, mut last) = (self.index, size - 1);
        let mut root = Hash::leaf([&self.entry[..]]);
        let mut path = self.path.iter();
        while last > 0 {
            // Whoever is last on a level of odd length goes up alone.
            if at % 2 == 1 {
                root = path.next()?.with(&root);
            } else if at < last {
                root = root.with(path.next()?);
            }
            (at, last) = (at / 2, last / 2);
        }
        path.next().is_none().then_some(root)
    }
}

impl fmt::Display for Inclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{MAGIC}\nextra {}\nindex {}", BASE64.encode(&self.entry), self.index)?;
        for hash in &self.path {
            writeln!(f, "{hash}")?;
        }
        write!(f, "\n{}", self.note)
    }
}

/// What was given is no such proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a proof that something stands in the log")]
pub struct NotAnInclusion;

impl FromStr for Inclusion {
    type Err = NotAnInclusion;

    fn from_str(text: &str) -> Result<Self, NotAnInclusion> {
        let (proof, note) = text.split_once("\n\n").ok_or(NotAnInclusion)?;
        let mut lines = proof.lines();
        let mut line =
            |name: &str| lines.next().and_then(|line| line.strip_prefix(name)).ok_or(NotAnInclusion);
        if !line(MAGIC)?.is_empty() {
            return Err(NotAnInclusion);
        }
        let entry = BASE64.decode(line("extra ")?.as_bytes()).map_err(|_| NotAnInclusion)?;
        let index = line("index ")?.parse().map_err(|_| NotAnInclusion)?;
        let path = lines.map(|line| line.parse().map_err(|_| NotAnInclusion));
        let path: Vec<Hash> = path.collect::<Result<_, _>>()?;
        let (mut notes, broken) = Note::read_all(note).map_err(|_| NotAnInclusion)?;
        match notes.pop() {
            Some(note) if notes.is_empty() && broken == 0 && path.len() <= LONGEST => {
                Ok(Self { entry, index, path, note })
            }
            _ => Err(NotAnInclusion),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{note::SigningKey, tree::Range};

    fn note() -> Note {
        SigningKey::of(&[1; 32]).unwrap().sign("one\n2\n")
    }

    fn leaves(size: u64) -> Vec<Hash> {
        (0..size).map(|leaf| Hash::leaf([&leaf.to_be_bytes()[..]])).collect()
    }

    fn plain(leaves: &[Hash]) -> Hash {
        let mut tree = Range::default();
        for leaf in leaves {
            tree.push(*leaf);
        }
        tree.root()
    }

    /// PATH of RFC 6962, word for word.
    fn path(at: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() <= 1 {
            return Vec::new();
        }
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        let (mut below, beside) = if at < left.len() {
            (path(at, left), plain(right))
        } else {
            (path(at - left.len(), right), plain(left))
        };
        below.push(beside);
        below
    }

    proptest! {
        #[test]
        fn a_proof_leads_to_the_root_and_nothing_else_does(size in 1..300_u64, at in 0..300_u64, other in 0..300_u64) {
            let at = at % size;
            let leaves = leaves(size);
            let path = path(usize::try_from(at).unwrap(), &leaves);
            let proof = Inclusion { entry: at.to_be_bytes().to_vec(), index: at, path, note: note() };
            let root = plain(&leaves);
            prop_assert_eq!(proof.root(size), Some(root));
            prop_assert_eq!(&proof.to_string().parse::<Inclusion>(), &Ok(proof.clone()));
            if other != at {
                prop_assert_ne!(Inclusion { index: other, ..proof.clone() }.root(size), Some(root));
                prop_assert_ne!(Inclusion { entry: other.to_be_bytes().to_vec(), ..proof.clone() }.root(size), Some(root));
            }
            for changed in 0..proof.path.len() {
                let mut changed_path = proof.path.clone();
                changed_path[changed] = Hash::default();
                prop_assert_ne!(Inclusion { path: changed_path, ..proof.clone() }.root(size), Some(root));
            }
            let mut long = proof.clone();
            long.path.push(root);
            prop_assert_eq!(long.root(size), None);
            if size > 1 {
                let mut short = proof;
                short.path.pop();
                prop_assert_eq!(short.root(size), None);
            }
        }
    }

    #[test]
    fn what_is_no_proof_is_none() {
        let proof = Inclusion { entry: vec![1, 2], index: 7, path: vec![Hash::default()], note: note() };
        let text = proof.to_string();
        insta::assert_snapshot!(text);
        for bad in [
            "",
            MAGIC,
            &text.replace("v1", "v2"),
            &text.replace("extra", "more"),
            &text.replace("index 7", "index -7"),
            &text.replace("\n\n", "\n"),
            &text.replacen("AAAA", "AAA", 1),
            &format!("{text}\n{}", note()),
        ] {
            assert_eq!(bad.parse::<Inclusion>(), Err(NotAnInclusion), "{bad:?}");
        }
    }
}
