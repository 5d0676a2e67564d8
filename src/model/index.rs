//! How far the search index is with the log.

use std::fmt;

use super::id::ActivityId;

/// How far the index is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// This activity and all before it can be found.
    pub indexed: ActivityId,
    /// The newest activity of the log that the index has heard of.
    pub last: ActivityId,
    /// Whether it is as far as the log was when it last fell far behind: when it was opened, begun anew, or could not keep up. What
    /// it lacks from then on is on its way, and there within a second.
    pub caught_up: bool,
    /// How many activities before `indexed` are damaged in the log, and so cannot be found.
    pub left_out: u64,
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

/// Why nothing that the index answers may be called exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    /// It lacks so many activities of the log.
    Lacks(u64),
    /// Its files are being verified, and nobody knows yet whether to believe them.
    Unverified,
    /// So many activities of the log are damaged and could not be read.
    Damaged(u64),
}

impl Behind {
    /// What is to be done about it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Lacks(_) | Self::Unverified => "it catches up by itself: ask again when it has",
            Self::Damaged(_) => "`rollcall verify` names them, and a backup from before the damage has them",
        }
    }
}

impl fmt::Display for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lacks(lacks) => write!(f, "the search index lacks {lacks} activities of the log"),
            Self::Unverified => f.write_str("the files of the search index are being verified"),
            Self::Damaged(lost) => write!(f, "{lost} activities of the log are damaged and cannot be read"),
        }
    }
}
