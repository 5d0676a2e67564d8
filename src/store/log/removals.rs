//! What was removed, removal by removal.
//!
//! That a record is not there is in order only if it says so here. Each removal is written in the transaction that takes
//! the records out: the ids, as stretches, each as how far it begins behind the one before and how long it is. One hash
//! stands for all removals and their order: that of the node above the one before and the leaf of the newest.
//! Checkpoints name it.

use super::bytes::{self, HEAD, Input, damaged, put};
use crate::{model::tree::Hash, store::StoreError};

const VERSION: u8 = 1;

/// The stretches that ids make which are in order: the first and the last of each.
pub(super) fn stretches(ids: &[u64]) -> Vec<(u64, u64)> {
    ids.chunk_by(|one, next| *next == one + 1)
        .map(|stretch| (stretch[0], stretch[stretch.len() - 1]))
        .collect()
}

/// A removal, to be kept.
pub(super) fn write(stretches: &[(u64, u64)]) -> Vec<u8> {
    let mut value = vec![0; HEAD];
    let mut at = 0;
    for (first, last) in stretches {
        put(&mut value, first - at);
        put(&mut value, last - first);
        at = *last;
    }
    bytes::seal(VERSION, &mut value);
    value
}

/// The stretches of a removal.
pub(super) fn read(value: &[u8]) -> Result<Vec<(u64, u64)>, StoreError> {
    let mut input = bytes::open(VERSION, value)?;
    let (mut stretches, mut at) = (Vec::new(), 0_u64);
    let mut next = |input: &mut Input<'_>| {
        at = at.checked_add(input.number()?).ok_or_else(damaged)?;
        Ok::<_, StoreError>(at)
    };
    while !input.is_empty() {
        stretches.push((next(&mut input)?, next(&mut input)?));
    }
    Ok(stretches)
}

/// What stands for all removals, with this one behind those that `before` stands for.
pub(super) fn behind(before: &Hash, value: &[u8]) -> Hash {
    before.with(&Hash::leaf([value.get(HEAD..).unwrap_or_default()]))
}

/// Sorts stretches, and makes one of those that touch.
pub(super) fn merged(mut stretches: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    stretches.sort_unstable();
    let mut merged: Vec<(u64, u64)> = Vec::new();
    for (first, last) in stretches {
        match merged.last_mut() {
            Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    merged
}

/// Whether an id is in one of the stretches, which are in order.
pub(super) fn holds(stretches: &[(u64, u64)], id: u64) -> bool {
    let behind = stretches.partition_point(|(first, _)| *first <= id);
    behind.checked_sub(1).is_some_and(|at| id <= stretches[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removal_is_read_as_it_was_written() {
        let stretches = stretches(&[1, 2, 3, 7, 9, 10]);
        assert_eq!(stretches, [(1, 3), (7, 7), (9, 10)]);
        assert_eq!(read(&write(&stretches)).unwrap(), stretches);
        let merged = merged(vec![(9, 10), (4, 6), (1, 3), (8, 8), (20, 30), (25, 26)]);
        assert_eq!(merged, [(1, 6), (8, 10), (20, 30)]);
        let held: Vec<u64> = (0..32).filter(|id| holds(&merged, *id)).collect();
        assert_eq!(held, [1, 2, 3, 4, 5, 6, 8, 9, 10, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30]);
    }

    #[test]
    fn what_stands_for_removals_knows_their_order() {
        let (one, two) = (write(&[(1, 1)]), write(&[(2, 2)]));
        let none = Hash::default();
        assert_ne!(behind(&behind(&none, &one), &two), behind(&behind(&none, &two), &one));
    }
}
