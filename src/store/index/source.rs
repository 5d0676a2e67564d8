//! Where the index reads the log from.

use std::time::Duration;

use crate::model::{activity::Activity, id::ActivityId};

/// The log, as its followers see it: activities in the order of their ids.
pub trait Source: Send + Sync + 'static {
    /// The id of the newest activity; 0 while there is none.
    fn last(&self) -> ActivityId;

    /// At most `max` activities behind `after`, in the order of their ids and without a gap that could still be filled.
    /// Empty if there is none. What is damaged ends it, and fails where it is the first.
    fn read(&self, after: ActivityId, max: usize) -> Result<Vec<Activity>, SourceError>;

    /// The last of the activities right behind `after` that are damaged, so that no later try will read them; none if they are not.
    fn damaged_behind(&self, after: ActivityId) -> Result<Option<ActivityId>, SourceError>;

    /// Waits until [`Source::read`] has something behind `after`, but not longer than `at_most`, and returns the newest id.
    fn wait(&self, after: ActivityId, at_most: Duration) -> ActivityId;
}

/// The log could not be read just now.
#[derive(Debug, thiserror::Error)]
#[error("the log cannot be read: {0}")]
pub struct SourceError(pub Box<dyn std::error::Error + Send + Sync>);
