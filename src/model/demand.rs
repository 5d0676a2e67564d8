//! Of whom a second factor is demanded.

use std::{fmt, str::FromStr};

use super::user::Role;

/// Who must have a second factor to do anything; the fewest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Demand {
    /// Nobody: everybody may have one.
    #[default]
    Nobody,
    /// Administrators.
    Administrators,
    /// Everybody with an account.
    Everyone,
}

impl Demand {
    /// Every demand, the least first.
    pub const ALL: [Self; 3] = [Self::Nobody, Self::Administrators, Self::Everyone];

    /// The word it goes by everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Administrators => "administrators",
            Self::Everyone => "everyone",
        }
    }

    /// Whether it is made of users of this role.
    pub fn is_of(self, role: Role) -> bool {
        match self {
            Self::Nobody => false,
            Self::Administrators => role == Role::Admin,
            Self::Everyone => true,
        }
    }
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was given is not a demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a second factor is demanded of nobody, administrators or everyone")]
pub struct NotADemand;

impl FromStr for Demand {
    type Err = NotADemand;

    fn from_str(text: &str) -> Result<Self, NotADemand> {
        Self::ALL.into_iter().find(|demand| demand.as_str() == text).ok_or(NotADemand)
    }
}
