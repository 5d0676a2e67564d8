//! What was found out and will be asked again.

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::Hash,
    mem,
    sync::{Mutex, PoisonError},
};

/// Remembers the answers to the questions that were asked last, at least `MOST` of them and never more than
/// twice as many: when `MOST` are young they become old, and what was old and not asked for since is forgotten.
#[derive(Debug)]
pub(super) struct Memo<K, V, const MOST: usize>(Mutex<Ages<K, V>>);

#[derive(Debug)]
struct Ages<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K, V, const MOST: usize> Default for Memo<K, V, MOST> {
    fn default() -> Self {
        Self(Mutex::new(Ages { young: HashMap::new(), old: HashMap::new() }))
    }
}

impl<K: Eq + Hash, V: Clone, const MOST: usize> Memo<K, V, MOST> {
    /// The answer to `question`, found out by `find` where it is not remembered. Nobody waits for another's
    /// finding out; two may find out the same.
    pub(super) fn get<Q>(&self, question: &Q, find: impl FnOnce() -> V) -> V
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(known) = self.known(question) {
            return known;
        }
        let found = find();
        self.lock().learn::<MOST>(question.to_owned(), found.clone());
        found
    }

    fn known<Q: Eq + Hash + ?Sized>(&self, question: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let mut ages = self.lock();
        if let Some(known) = ages.young.get(question) {
            return Some(known.clone());
        }
        let (question, known) = ages.old.remove_entry(question)?;
        ages.learn::<MOST>(question, known.clone());
        Some(known)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Ages<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash, V> Ages<K, V> {
    fn learn<const MOST: usize>(&mut self, question: K, answer: V) {
        if self.young.len() >= MOST {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(question, answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(memo: &Memo<String, usize, 4>, question: &str) -> bool {
        let mut found_out = false;
        let answer = memo.get(question, || {
            found_out = true;
            question.len()
        });
        assert_eq!(answer, question.len());
        found_out
    }

    #[test]
    fn what_is_asked_again_is_not_found_out_again() {
        let memo = Memo::default();
        assert!(asked(&memo, "a"));
        assert!(!asked(&memo, "a"));
        for other in ["b", "c", "d", "e", "f"] {
            assert!(asked(&memo, other));
            assert!(!asked(&memo, "a"), "it was asked for again and again");
        }
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten() {
        let memo = Memo::default();
        for n in 0..100 {
            asked(&memo, &format!("q{n}"));
            let ages = memo.lock();
            assert!(ages.young.len() + ages.old.len() <= 8);
        }
        assert!(!asked(&memo, "q98"));
        assert!(asked(&memo, "q1"));
    }
}
