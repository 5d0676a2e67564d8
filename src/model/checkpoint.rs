//! A checkpoint: what the log was at a moment, in five lines that a person can keep elsewhere.
//!
//! The form is C2SP's `tlog-checkpoint`: whose log, how many activities, the root of the tree over them; and as lines of
//! our own behind those the time, and how many removals there were by retention with the hash that stands for them. It
//! is signed as a [`Note`].

use std::str::FromStr;

use jiff::Timestamp;

use super::{
    note::{Note, SigningKey},
    tree::Hash,
};

/// What the log was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose log: the name of the key that signs it.
    pub origin: String,
    /// How many activities had been written.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// When, to the millisecond.
    pub time: Timestamp,
    /// How many removals there had been, and what stands for them.
    pub removals: (u64, Hash),
}

/// A note that is no checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a checkpoint of Rollcall's; copy all lines of it, from rollcall/… to the signature")]
pub struct NotACheckpoint;

impl Checkpoint {
    /// The lines that are signed.
    pub fn text(&self) -> String {
        let Self { origin, size, root, time, removals } = self;
        format!("{origin}\n{size}\n{root}\ntime {time:.3}\nremovals {} {}\n", removals.0, removals.1)
    }

    /// Signs it.
    pub fn sign(&self, key: &SigningKey) -> Note {
        key.sign(&self.text())
    }
}

impl FromStr for Checkpoint {
    type Err = NotACheckpoint;

    fn from_str(text: &str) -> Result<Self, NotACheckpoint> {
        let mut lines = text.lines();
        let mut line = || lines.next().ok_or(NotACheckpoint);
        let (origin, size, root) = (line()?.to_owned(), line()?, line()?);
        let time = line()?.strip_prefix("time ").ok_or(NotACheckpoint)?;
        let removals = line()?.strip_prefix("removals ").and_then(|line| line.split_once(' '));
        let (count, stands) = removals.ok_or(NotACheckpoint)?;
        Ok(Self {
            origin,
            size: size.parse().map_err(|_| NotACheckpoint)?,
            root: root.parse().map_err(|_| NotACheckpoint)?,
            time: time.parse().map_err(|_| NotACheckpoint)?,
            removals: (
                count.parse().map_err(|_| NotACheckpoint)?,
                stands.parse().map_err(|_| NotACheckpoint)?,
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_read_as_it_was_written() {
        let key = SigningKey::of(&[1; 32]).unwrap();
        let checkpoint = Checkpoint {
            origin: key.public().name().to_owned(),
            size: 4711,
            root: Hash::leaf([&b"x"[..]]),
            time: "2026-03-15T12:00:00.5Z".parse().unwrap(),
            removals: (2, Hash::default()),
        };
        let note = checkpoint.sign(&key);
        insta::assert_snapshot!(note);
        let read = Note::read_all(&note.to_string()).unwrap().0.remove(0);
        assert!(read.is_of(key.public()));
        assert_eq!(read.text().parse(), Ok(checkpoint));
        assert_eq!("x\n1\n".parse::<Checkpoint>(), Err(NotACheckpoint));
    }
}
