//! What a program may do with the API.

use std::{fmt, str::FromStr};

use jiff::Timestamp;

/// A program's access to the API, without the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// Its name, by which it is listed and revoked, and under which its program stands in the log.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<TokenScope>,
    /// When it was made.
    pub created: Timestamp,
    /// By whom.
    pub created_by: String,
    /// When it stops working, if ever.
    pub expires: Option<Timestamp>,
    /// When it was last used, to within a minute.
    pub last_used: Option<Timestamp>,
}

impl ApiToken {
    /// Whether it still works at `now`.
    pub fn valid(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    /// A token's name: letters, digits and `-_.`, at most 64 bytes, so that it can stand in an address.
    pub fn good_name(name: &str) -> bool {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        !name.is_empty()
            && name.len() <= 64
            && name.chars().all(plain)
            && name.chars().any(char::is_alphanumeric)
    }
}

/// One thing a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenScope {
    /// Write activities.
    ActivityWrite,
    /// Search and export everybody's activities.
    ActivityRead,
    /// See sessions, and ask whether one is alive.
    SessionRead,
    /// Register, touch and end sessions.
    SessionWrite,
    /// Ask on a proxy's behalf whether a request may pass.
    AuthCheck,
    /// Read the metrics.
    Metrics,
}

impl TokenScope {
    /// Every scope.
    pub const ALL: [Self; 6] = [
        Self::ActivityWrite,
        Self::ActivityRead,
        Self::SessionRead,
        Self::SessionWrite,
        Self::AuthCheck,
        Self::Metrics,
    ];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ActivityWrite => "activity:write",
            Self::ActivityRead => "activity:read",
            Self::SessionRead => "session:read",
            Self::SessionWrite => "session:write",
            Self::AuthCheck => "auth:check",
            Self::Metrics => "metrics",
        }
    }
}

impl fmt::Display for TokenScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was given is not a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a scope is activity:write, activity:read, session:read, session:write, auth:check or metrics")]
pub struct NotAScope;

impl FromStr for TokenScope {
    type Err = NotAScope;

    fn from_str(text: &str) -> Result<Self, NotAScope> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(NotAScope)
    }
}
