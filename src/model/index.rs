//! How far the search index is with the log.

use super::id::ActivityId;

/// How far the index is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// This activity and all before it can be found.
    pub indexed: ActivityId,
    /// The newest activity of the log that the index has heard of.
    pub last: ActivityId,
    /// What it is doing.
    pub state: State,
}

/// What keeps the index up with the log is doing this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It verifies the files' check sums before it believes them.
    Checking,
    /// It reads the log and keeps up with it.
    Following,
    /// It could not go on, for this reason, and tries again; what is indexed can be searched.
    Retrying(String),
    /// It has ended.
    Stopped,
}
