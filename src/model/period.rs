//! The Time Period of the Activity Log: a name counted back from now, or two ends.

use std::{fmt, str::FromStr};

use jiff::{Span, Timestamp, ToSpan, civil::Date, tz::TimeZone};

/// A named period, counted back from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// Last 24 hours.
    Day,
    /// 7 days.
    Week,
    /// 1 calendar month.
    Month,
    /// 3 calendar months.
    Quarter,
    /// 6 calendar months.
    HalfYear,
    /// 1 calendar year.
    Year,
    /// Everything.
    All,
}

impl Period {
    /// Every period, the shortest first.
    pub const ALL: [Self; 7] =
        [Self::Day, Self::Week, Self::Month, Self::Quarter, Self::HalfYear, Self::Year, Self::All];

    /// The contract's name for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "1m",
            Self::Quarter => "3m",
            Self::HalfYear => "6m",
            Self::Year => "1y",
            Self::All => "all",
        }
    }

    /// The words of the drop-down.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Day => "Last 24 hours",
            Self::Week => "7 days",
            Self::Month => "1 month",
            Self::Quarter => "3 months",
            Self::HalfYear => "6 months",
            Self::Year => "1 year",
            Self::All => "All",
        }
    }

    /// The range it stands for at `now`, in the calendar of `tz`. Its end is open: an activity whose clock
    /// runs ahead belongs to the last 24 hours.
    pub fn range(self, now: Timestamp, tz: &TimeZone) -> Range {
        let span: Span = match self {
            Self::Day => 24.hours(),
            Self::Week => 7.days(),
            Self::Month => 1.month(),
            Self::Quarter => 3.months(),
            Self::HalfYear => 6.months(),
            Self::Year => 1.year(),
            Self::All => return Range::ALL,
        };
        let from = now
            .to_zoned_datetime(tz.clone())
            .checked_sub(span)
            .map_or(Timestamp::MIN, |zoned| zoned.timestamp());
        Range { from, to: Timestamp::MAX }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Period {
    type Err = BadTime;

    fn from_str(text: &str) -> Result<Self, BadTime> {
        Self::ALL.into_iter().find(|period| period.as_str() == text).ok_or(BadTime::Period)
    }
}

/// All instants from `from` on and before `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first instant in it.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
}

impl Range {
    /// Everything.
    pub const ALL: Self = Self { from: Timestamp::MIN, to: Timestamp::MAX };

    /// Whether all of `other` lies in it.
    pub fn holds(&self, other: &Self) -> bool {
        self.from <= other.from && other.to <= self.to
    }

    /// The range from a `from` to a `to` as the contract writes them: RFC 3339, or a bare date, which stands
    /// for its first instant at the start of a range and takes its whole day at the end, in `tz`. A missing
    /// end is open.
    pub fn between(from: Option<&str>, to: Option<&str>, tz: &TimeZone) -> Result<Self, BadTime> {
        let start = |date: Date| date.to_zoned_datetime(tz.clone()).map(|zoned| zoned.timestamp());
        let from = match from.map(|text| Moment::parse(text).ok_or(BadTime::From)).transpose()? {
            None => Timestamp::MIN,
            Some(Moment::Instant(at)) => at,
            // The last day that there is begins behind whatever can be told.
            Some(Moment::Date(date)) => {
                start(date).or(if date.year() > 0 { Ok(Timestamp::MAX) } else { Err(BadTime::From) })?
            }
        };
        let to = match to.map(|text| Moment::parse(text).ok_or(BadTime::To)).transpose()? {
            None => Timestamp::MAX,
            Some(Moment::Instant(at)) => at,
            // The last day that there is has no other behind it.
            Some(Moment::Date(date)) => date.tomorrow().and_then(start).unwrap_or(Timestamp::MAX),
        };
        if from >= to { Err(BadTime::Backwards) } else { Ok(Self { from, to }) }
    }

    /// Both ends as they are, in a text that [`Range::read`] reads: an open one is two dots.
    pub fn write(&self) -> String {
        let end = |at: Timestamp, open| if at == open { "..".to_owned() } else { at.to_string() };
        format!("{}/{}", end(self.from, Timestamp::MIN), end(self.to, Timestamp::MAX))
    }

    /// The range that [`Range::write`] wrote.
    pub fn read(text: &str) -> Option<Self> {
        let end = |text: &str, open| if text == ".." { Some(open) } else { text.parse().ok() };
        let (from, to) = text.split_once('/')?;
        Some(Self { from: end(from, Timestamp::MIN)?, to: end(to, Timestamp::MAX)? })
    }

    /// The part that lies in both; with ends that are the wrong way round where none does.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), to: self.to.min(other.to) }
    }
}

enum Moment {
    Instant(Timestamp),
    Date(Date),
}

impl Moment {
    fn parse(text: &str) -> Option<Self> {
        // How many programs write "for ever". The calendar ends a day earlier, so that its last instant is one in every zone.
        if text.starts_with("9999-12-31T")
            && Self::parse(&text.replacen("9999-12-31", "9999-12-29", 1)).is_some()
        {
            return Some(Self::Instant(Timestamp::MAX));
        }
        let bytes = text.as_bytes();
        if bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-' {
            return text.parse().ok().map(Self::Date);
        }
        text.parse().ok().map(Self::Instant)
    }
}

/// Why a period or an end of it was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTime {
    /// Not one of the seven names.
    #[error("a period is one of 24h, 7d, 1m, 3m, 6m, 1y and all")]
    Period,
    /// `from` is neither a time nor a date.
    #[error("from is a date like 2026-01-31 or a time like 2026-01-31T08:00:00Z")]
    From,
    /// `to` is neither a time nor a date.
    #[error("to is a date like 2026-01-31 or a time like 2026-01-31T08:00:00Z")]
    To,
    /// The end does not lie behind the start.
    #[error("from must lie before to")]
    Backwards,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_counted_by_the_calendar() {
        let now = "2026-03-31T12:00:00Z".parse().unwrap();
        let range = Period::Month.range(now, &TimeZone::UTC);
        assert_eq!(range.from.to_string(), "2026-02-28T12:00:00Z");
        assert_eq!(Period::Year.range(now, &TimeZone::UTC).from.to_string(), "2025-03-31T12:00:00Z");
    }

    #[test]
    fn a_bare_end_date_takes_its_whole_day_in_its_zone() {
        let zone = TimeZone::get("Europe/Warsaw").unwrap();
        let range = Range::between(Some("2026-03-29"), Some("2026-03-29"), &zone).unwrap();
        assert_eq!(range.from.to_string(), "2026-03-28T23:00:00Z");
        assert_eq!(
            range.to.to_string(),
            "2026-03-29T22:00:00Z",
            "the day the clocks go forward has 23 hours"
        );
    }

    #[test]
    fn a_range_says_which_end_is_wrong() {
        let between = |from, to| Range::between(from, to, &TimeZone::UTC);
        assert_eq!(between(Some("yesterday"), None), Err(BadTime::From));
        assert_eq!(between(None, Some("2026-02-30")), Err(BadTime::To));
        assert_eq!(between(Some("2026-02-02"), Some("2026-02-01")), Err(BadTime::Backwards));
        assert_eq!(between(None, None), Ok(Range::ALL));
        assert!(between(Some("2026-02-02T10:00:00+02:00"), Some("2026-02-02T08:00:00.001Z")).is_ok());
    }

    #[test]
    fn a_range_is_read_as_it_was_written() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (from, to) = (at("2026-03-01T00:00:00.000000001Z"), at("2026-03-02T00:00:00Z"));
        for range in
            [Range::ALL, Range { from, to }, Range { from, ..Range::ALL }, Range { to, ..Range::ALL }]
        {
            assert_eq!(Range::read(&range.write()), Some(range));
        }
        assert_eq!(Range::ALL.write(), "../..");
        assert_eq!(Range::read("2026"), None);
    }
}
