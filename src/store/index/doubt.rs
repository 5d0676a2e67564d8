//! Doubt: a search came upon something that cannot be, so a file of the index may not be what was written.
//!
//! Whoever searches gets an error that says so, and the follower is asked to verify the files. Nobody but the disk, or somebody who
//! wrote to the folder, can make that happen; a fault of ours could too, and then the files are found whole.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, Ordering},
};

use super::{brief, search::SearchError};

/// Whether there is doubt.
#[derive(Debug, Default)]
pub(super) struct Doubt(AtomicBool);

impl Doubt {
    /// Does some of a search, which raises doubt where it could not read the index or made no sense of it.
    pub(super) fn watch<T>(&self, search: impl FnOnce() -> Result<T, SearchError>) -> Result<T, SearchError> {
        // What a search keeps for the next are values that are whole or not there.
        let found = catch_unwind(AssertUnwindSafe(search)).unwrap_or(Err(SearchError::Nonsense));
        if let Err(error @ (SearchError::Index(_) | SearchError::Nonsense)) = &found {
            if let SearchError::Index(cause) = error {
                log::error!("{error}: {}", brief(cause));
            }
            self.raise();
        }
        found
    }

    /// Asks the follower to verify the files.
    pub(super) fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether there is doubt.
    pub(super) fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Says that the files were verified.
    pub(super) fn settle(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tantivy::TantivyError;

    use super::*;

    #[test]
    fn a_search_that_fails_or_panics_raises_doubt_and_one_that_is_given_up_does_not() {
        let doubt = Doubt::default();
        assert_eq!(doubt.watch(|| Ok(1)).unwrap(), 1);
        assert!(matches!(doubt.watch(|| Err::<(), _>(SearchError::TooSlow)), Err(SearchError::TooSlow)));
        assert!(!doubt.is_raised());
        let damaged =
            doubt.watch(|| Err::<(), _>(TantivyError::InternalError("a list ends early".into()).into()));
        assert!(matches!(damaged, Err(SearchError::Index(_))) && doubt.is_raised());
        doubt.settle();
        let panicked = doubt.watch(|| -> Result<(), SearchError> { panic!("a number that cannot be") });
        assert!(matches!(panicked, Err(SearchError::Nonsense)) && doubt.is_raised());
    }
}
