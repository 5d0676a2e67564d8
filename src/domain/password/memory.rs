//! The memory that hashes are made in: for as many as are made at once, and no more.
//!
//! A hash goes through 19 MiB at least. Were each to ask for its own, the allocator would go on holding what the ones before let go of a
//! moment ago: in a flood of sign-ins that was twice as much as is in use. So whoever is done leaves it to the next, and every few
//! seconds it is let go where nobody waits.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use argon2::Block;

/// What was left by those who are done, and how many wait for their turn.
#[derive(Default)]
pub(super) struct Memory {
    left: Mutex<Vec<Vec<Block>>>,
    waiting: AtomicUsize,
}

impl Memory {
    /// Does what takes memory. To be called by whoever has a turn: there are never more of these than there are turns.
    pub(super) fn lend<T>(&self, work: impl FnOnce(&mut Vec<Block>) -> T) -> T {
        let left = || self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let mut blocks = left().pop().unwrap_or_default();
        let result = work(&mut blocks);
        left().push(blocks);
        result
    }

    /// Lets go of what was left, unless somebody waits for it.
    pub(super) fn rest(&self) {
        if self.waiting() == 0 {
            self.left.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// How many wait for their turn.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// A place in the line, until it is dropped.
pub(super) struct Place<'a> {
    memory: &'a Memory,
    /// How many stood there before.
    pub(super) ahead: usize,
}

impl<'a> Place<'a> {
    pub(super) fn take(memory: &'a Memory) -> Self {
        Self { memory, ahead: memory.waiting.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.memory.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_left_to_whoever_comes_next_and_let_go_where_nobody_waits() {
        let memory = Memory::default();
        let grow = |blocks: &mut Vec<Block>| {
            let before = blocks.len();
            blocks.resize(8, Block::default());
            before
        };
        assert_eq!((memory.lend(grow), memory.lend(grow)), (0, 8));
        let place = Place::take(&memory);
        memory.rest();
        assert_eq!(memory.lend(grow), 8, "somebody waits");
        drop(place);
        memory.rest();
        assert_eq!(memory.lend(grow), 0);
    }
}
