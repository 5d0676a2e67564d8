//! What many sessions have in common, held once for all of them: an organisation has few places, devices and browsers.

use std::{
    collections::HashSet,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

/// So many are held before it is looked for the first time whether anybody still needs them.
const FEW: usize = 64;

/// Values, each of them once.
pub(super) struct Shared<T>(Mutex<Held<T>>);

struct Held<T> {
    values: HashSet<Arc<T>>,
    /// With so many, those that nobody needs any more are let go.
    enough: usize,
}

impl<T: Eq + Hash> Shared<T> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Held { values: HashSet::new(), enough: FEW }))
    }

    /// The one of all that are equal to `value`.
    pub(super) fn of(&self, value: T) -> Arc<T> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = held.values.get(&value) {
            return Arc::clone(known);
        }
        if held.values.len() >= held.enough {
            held.values.retain(|value| Arc::strong_count(value) > 1);
            held.enough = FEW.max(held.values.len() * 2);
        }
        let value = Arc::new(value);
        held.values.insert(Arc::clone(&value));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_equal_is_held_once_and_what_nobody_needs_is_let_go() {
        let shared = Shared::new();
        let first = shared.of("Firefox".to_owned());
        assert!(Arc::ptr_eq(&first, &shared.of("Firefox".to_owned())));
        for n in 0..10 * FEW {
            shared.of(n.to_string());
        }
        let held = shared.0.lock().unwrap();
        assert!(held.values.len() <= FEW, "{}", held.values.len());
        assert!(held.values.contains(&first));
    }
}
