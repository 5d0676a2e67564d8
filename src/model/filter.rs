//! What to look for in the log, and where on the way through it one is.

use std::{
    fmt,
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher},
};

use data_encoding::BASE32_DNSSEC;
use ipnet::IpNet;
use jiff::Timestamp;

use super::{activity::Outcome, id::ActivityId, period::Range, query::Query, session::Scope};

/// Everything that narrows a look at the log. The parts are joined by AND.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// What was typed in the search box.
    pub query: Query,
    /// Exactly this actor, in any case.
    pub user: Option<String>,
    /// Exactly this program, in any case.
    pub app: Option<String>,
    /// Exactly this action, in any case.
    pub action: Option<String>,
    /// This outcome.
    pub outcome: Option<Outcome>,
    /// Exactly this session.
    pub session: Option<String>,
    /// An address in this network.
    pub ip: Option<IpNet>,
    /// When it happened.
    pub range: Range,
}

impl Filter {
    /// A number that stands for what is looked for, by whom, in whatever period: a named one moves with the clock. Another
    /// question hardly ever has the same. It lasts for as long as the program that says it.
    pub fn fingerprint(&self, scope: &Scope, order: Order) -> u64 {
        let Self { query, user, app, action, outcome, session, ip, range: _ } = self;
        let asked = (query, user, app, action, outcome, session, ip);
        BuildHasherDefault::<DefaultHasher>::default().hash_one((asked, scope, order))
    }
}

/// A filter in the words in which it was asked for: the contract's parameters that narrow it, each with its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked(pub Vec<(&'static str, String)>);

impl Asked {
    /// A number that stands for the question in whatever period and order. Another question hardly ever has the same. It
    /// lasts for as long as the program that says it.
    pub fn fingerprint(&self) -> u64 {
        let elsewhere = ["period", "from", "to", "tz", "order"];
        let question: Vec<_> = self.0.iter().filter(|(name, _)| !elsewhere.contains(name)).collect();
        BuildHasherDefault::<DefaultHasher>::default().hash_one(question)
    }

    /// The same question with a star behind what was typed in the search box.
    #[must_use]
    pub fn begun(&self) -> Self {
        let starred = |(name, value): &(&'static str, String)| {
            let star = if *name == "q" { "*" } else { "" };
            (*name, format!("{value}{star}"))
        };
        Self(self.0.iter().map(starred).collect())
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("everything");
        }
        for (at, (name, value)) in self.0.iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}{name}={value}")?;
        }
        Ok(())
    }
}

impl Default for Range {
    fn default() -> Self {
        Self::ALL
    }
}

/// In which order activities are shown: by time, and by id where the time is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// Newest first.
    #[default]
    Desc,
    /// Oldest first.
    Asc,
}

impl Order {
    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Desc => "desc",
            Self::Asc => "asc",
        }
    }
}

/// Where a page ended: the next one begins behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// The time of the last activity shown, in milliseconds since 1970.
    pub time: i64,
    /// Its id.
    pub id: ActivityId,
}

/// What was given is not the cursor of this very search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this cursor does not belong to this search; start again without it")]
pub struct NotACursor;

impl Cursor {
    /// The cursor as text, bound to the search it belongs to by that search's fingerprint.
    pub fn write(&self, search: u64) -> String {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.time.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.id.0.to_be_bytes());
        bytes[16..].copy_from_slice(&search.to_be_bytes());
        BASE32_DNSSEC.encode(&bytes)
    }

    /// Reads a cursor that [`Cursor::write`] wrote for the same search.
    pub fn read(text: &str, search: u64) -> Result<Self, NotACursor> {
        let bytes: [u8; 24] = BASE32_DNSSEC
            .decode(text.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(NotACursor)?;
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            word
        };
        if u64::from_be_bytes(word(16)) != search {
            return Err(NotACursor);
        }
        let cursor = Self { time: i64::from_be_bytes(word(0)), id: ActivityId(u64::from_be_bytes(word(8))) };
        Timestamp::from_millisecond(cursor.time).map(|_| cursor).map_err(|_| NotACursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_fits_only_the_search_it_came_from() {
        let cursor = Cursor { time: -5, id: ActivityId(9) };
        assert_eq!(Cursor::read(&cursor.write(7), 7), Ok(cursor));
        assert_eq!(Cursor::read(&cursor.write(7), 8), Err(NotACursor));
        assert_eq!(Cursor::read("", 0), Err(NotACursor));
    }
}
