//! What a program may do with the API.

use std::{fmt, str::FromStr};

use jiff::{Span, Timestamp, ToSpan, tz::TimeZone};

use super::{period::Range, retention::Keep};

/// A program's access to the API, without the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// Its name, by which it is listed and revoked, and under which its program stands in the log.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<TokenScope>,
    /// The app that its program is, where it is one: whatever it writes is that app's.
    pub app: Option<String>,
    /// Whether the ids of its records are its own. Those of a token that was made before they were are its name's, so that what was
    /// sent is known again.
    pub own_ids: bool,
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

    /// Who the ids of its records are unique for: this token, and no later one of its name.
    pub fn sender(&self) -> String {
        let name = &self.name;
        if self.own_ids { format!("{name} {}", self.created.as_millisecond()) } else { name.clone() }
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

/// When a token that is made at `now` stops working, as it is written: a date, to whose end it works in `zone`; a time;
/// or a while from now, like `90d`, `6m` or `1y`. Nothing, or `never`, is for ever.
pub fn expiry(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Option<Timestamp>, NotAnExpiry> {
    let text = text.trim();
    if text.is_empty() || text.eq_ignore_ascii_case("never") {
        return Ok(None);
    }
    if let Ok(range) = Range::between(None, Some(text), zone) {
        return Ok(Some(range.to));
    }
    let span: Span = match text.parse().map_err(|_| NotAnExpiry)? {
        Keep::Forever => return Ok(None),
        Keep::Days(days) => i64::from(days).days(),
        Keep::Months(months) => i64::from(months).months(),
        Keep::Years(years) => i64::from(years).years(),
    };
    let then = now.to_zoned_datetime(zone.clone()).checked_add(span).map_err(|_| NotAnExpiry)?;
    Ok(Some(then.timestamp()))
}

/// What was given is no time to stop working at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a token expires at a date like 2026-12-31, a time like 2026-12-31T08:00:00Z, or after 90d, 6m or 1y"
)]
pub struct NotAnExpiry;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_a_day_a_time_or_a_while() {
        let now = "2026-01-31T12:00:00Z".parse().unwrap();
        let zone = TimeZone::get("Europe/Warsaw").unwrap();
        let read = |text: &str| expiry(text, now, &zone).map(|at| at.map(|at| at.to_string()));
        for (text, at) in [
            ("2026-12-31", "2026-12-31T23:00:00Z"),
            ("2026-12-31T08:00:00+02:00", "2026-12-31T06:00:00Z"),
            ("90d", "2026-05-01T11:00:00Z"),
            ("1m", "2026-02-28T12:00:00Z"),
            ("1y", "2027-01-31T12:00:00Z"),
        ] {
            assert_eq!(read(text), Ok(Some(at.to_owned())), "{text}");
        }
        assert_eq!((read(""), read("never"), read("forever")), (Ok(None), Ok(None), Ok(None)));
        for bad in ["tomorrow", "0d", "-1d", "2026-02-30", "99999999y"] {
            assert_eq!(read(bad), Err(NotAnExpiry), "{bad}");
        }
    }
}
