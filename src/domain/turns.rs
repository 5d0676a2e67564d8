//! How many do the same thing at once.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::model::user::{Actor, ActorKind};

/// A user or a program: one of each may have the same name.
pub(super) type Who = (bool, String);

pub(super) fn who(by: &Actor) -> Who {
    (by.kind == ActorKind::Token, by.name.clone())
}

/// Counts for each of `K` how many turns are taken.
#[derive(Debug)]
pub struct Turns<K>(Arc<Mutex<HashMap<K, u32>>>);

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub struct Turn<K: Eq + Hash> {
    turns: Arc<Mutex<HashMap<K, u32>>>,
    who: K,
}

impl<K: Eq + Hash + Clone> Turns<K> {
    /// A turn for `who`; none where they have `most` already.
    pub fn take(&self, who: K, most: u32) -> Option<Turn<K>> {
        let mut turns = lock(&self.0);
        let taken = turns.entry(who.clone()).or_default();
        if *taken >= most {
            return None;
        }
        *taken += 1;
        Some(Turn { turns: Arc::clone(&self.0), who })
    }

    /// How many turns `who` has.
    pub fn taken(&self, who: &K) -> u32 {
        lock(&self.0).get(who).copied().unwrap_or_default()
    }

    /// Whether nobody has a turn, and nobody is remembered.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        lock(&self.0).is_empty()
    }
}

impl<K: Eq + Hash> Drop for Turn<K> {
    fn drop(&mut self) {
        let mut turns = lock(&self.turns);
        if let Some(taken) = turns.get_mut(&self.who) {
            *taken -= 1;
            if *taken == 0 {
                turns.remove(&self.who);
            }
        }
    }
}

fn lock<K>(turns: &Mutex<HashMap<K, u32>>) -> MutexGuard<'_, HashMap<K, u32>> {
    turns.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_their_own_turns_and_gives_them_back() {
        let turns = Turns::default();
        let first = turns.take("ann", 2).unwrap();
        let second = turns.take("ann", 2).unwrap();
        assert!(turns.take("ann", 2).is_none());
        assert!(turns.take("bob", 2).is_some());
        assert_eq!((turns.taken(&"ann"), turns.taken(&"bob")), (2, 0));
        drop(first);
        assert!(turns.take("ann", 2).is_some());
        drop(second);
        assert!(turns.is_empty());
    }
}
