//! How long activities are kept: for so long, for so much room, and for a time of their own where a program or an action
//! has one.

use std::{fmt, str::FromStr};

use jiff::{Span, Timestamp, ToSpan, tz::TimeZone};

use super::{
    activity::{OWN_APP, action},
    horizon::{Class, Horizon},
};

/// What an administrator has set. The default keeps everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// For how long activities without a rule of their own are kept.
    pub all: Keep,
    /// How many bytes the log and its index may take; what is oldest goes first, whatever other rules say.
    pub size: Option<u64>,
    /// Rules of their own. Where two fit, the shorter time counts.
    pub classes: Vec<(Class, Keep)>,
}

/// For how long something is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// For ever.
    #[default]
    Forever,
    /// So many days.
    Days(u16),
    /// So many calendar months.
    Months(u16),
    /// So many calendar years.
    Years(u16),
}

/// The most rules of their own.
pub const MOST: usize = 100;

/// A gigabyte, as sizes are written.
pub const GIGABYTE: u64 = 1_000_000_000;

/// Why a text is not a retention. The sentence says what would be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRetention {
    /// Not a time.
    #[error("{0:.40}: write a time as 90d, 6m or 2y, or forever")]
    Keep(String),
    /// Not a size.
    #[error("{0:.40}: write a size in GB, as 20 or 0.5")]
    Size(String),
    /// Not a rule.
    #[error("{0:.60}: write a rule as app NAME TIME or action NAME TIME, like app wiki 90d")]
    Rule(String),
    /// Two rules for one thing.
    #[error("{0:.60}: there is a rule for it already")]
    Twice(String),
    /// A rule for what tells of rules.
    #[error(
        "what Rollcall tells of itself, of settings and of retention is the evidence of who set this: it is kept as long as all else, or longer"
    )]
    Evidence,
    /// Too many rules.
    #[error("there can be at most {MOST} rules")]
    Many,
}

impl Keep {
    /// The moment before which everything is too old at `now`, in milliseconds since 1970.
    pub fn moment(self, now: Timestamp) -> i64 {
        let span: Span = match self {
            Self::Forever => return i64::MIN,
            Self::Days(days) => i64::from(days).days(),
            Self::Months(months) => i64::from(months).months(),
            Self::Years(years) => i64::from(years).years(),
        };
        let then = now.to_zoned_datetime(TimeZone::UTC).checked_sub(span);
        then.map_or(i64::MIN, |then| then.timestamp().as_millisecond())
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forever => f.write_str("forever"),
            Self::Days(days) => write!(f, "{days}d"),
            Self::Months(months) => write!(f, "{months}m"),
            Self::Years(years) => write!(f, "{years}y"),
        }
    }
}

impl FromStr for Keep {
    type Err = BadRetention;

    fn from_str(text: &str) -> Result<Self, BadRetention> {
        let text = text.trim();
        if text.is_empty() || text.eq_ignore_ascii_case("forever") {
            return Ok(Self::Forever);
        }
        let bad = || BadRetention::Keep(text.to_owned());
        let (number, unit) = text.split_at_checked(text.len() - 1).ok_or_else(bad)?;
        let number: u16 = number.trim().parse().map_err(|_| bad())?;
        match unit {
            _ if number == 0 => Err(bad()),
            "d" => Ok(Self::Days(number)),
            "m" => Ok(Self::Months(number)),
            "y" => Ok(Self::Years(number)),
            _ => Err(bad()),
        }
    }
}

impl Retention {
    /// What is too old at `now`. Room is not a matter of time and not in it.
    pub fn horizon(&self, now: Timestamp) -> Horizon {
        let moment = |(class, keep): &(Class, Keep)| (class.clone(), keep.moment(now));
        Horizon::new(self.classes.iter().map(moment).collect(), self.all.moment(now))
    }

    /// Whether nothing is ever removed.
    pub fn keeps_all(&self) -> bool {
        let forever = |keep: &Keep| *keep == Keep::Forever;
        forever(&self.all) && self.size.is_none() && self.classes.iter().all(|(_, keep)| forever(keep))
    }

    /// What is kept, in words, as the log tells of it.
    pub fn said(&self) -> String {
        if self.keeps_all() {
            return "everything is kept".to_owned();
        }
        let all = match self.all {
            Keep::Forever => "kept forever".to_owned(),
            keep => format!("kept for {keep}"),
        };
        let size = self.size.map(|_| format!("at most {} GB", self.gigabytes()));
        let rules = self.rules();
        [all].into_iter().chain(size).chain(rules.lines().map(str::to_owned)).collect::<Vec<_>>().join("; ")
    }

    /// The rules, one a line, as [`Retention::read`] takes them.
    pub fn rules(&self) -> String {
        let rule = |(class, keep): &(Class, Keep)| match class {
            Class::App(name) => format!("app {name} {keep}"),
            Class::Action(name) => format!("action {name} {keep}"),
        };
        self.classes.iter().map(rule).collect::<Vec<_>>().join("\n")
    }

    /// The size as it is written, in gigabytes; empty without a limit.
    pub fn gigabytes(&self) -> String {
        let text = |size: u64| format!("{}.{:03}", size / GIGABYTE, size % GIGABYTE / (GIGABYTE / 1000));
        self.size
            .map(|size| text(size).trim_end_matches('0').trim_end_matches('.').to_owned())
            .unwrap_or_default()
    }

    /// Reads what was typed: a time, a size in gigabytes, and rules one a line. Empty stands for no limit. What tells who set a
    /// retention, and what it took, is given no shorter time than all else: it could be had removed with what it tells of.
    pub fn read(all: &str, gigabytes: &str, rules: &str) -> Result<Self, BadRetention> {
        let read = Self::of(all, gigabytes, rules)?;
        let tells = |class: &Class| match class {
            Class::App(name) => name == OWN_APP,
            Class::Action(name) => [action::RETENTION, action::SETTING_CHANGED].contains(&&**name),
        };
        // At whichever moment: a month is shorter than a year.
        let moment = |keep: Keep| keep.moment(Timestamp::UNIX_EPOCH);
        let short = |keep: Keep| moment(keep) > moment(read.all);
        let lost = read.classes.iter().any(|(class, keep)| tells(class) && short(*keep));
        if lost { Err(BadRetention::Evidence) } else { Ok(read) }
    }

    fn of(all: &str, gigabytes: &str, rules: &str) -> Result<Self, BadRetention> {
        let mut retention = Self { all: all.parse()?, size: size(gigabytes)?, classes: Vec::new() };
        for line in rules.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (class, keep) = rule(line)?;
            if retention.classes.iter().any(|(known, _)| *known == class) {
                return Err(BadRetention::Twice(line.to_owned()));
            }
            if retention.classes.len() == MOST {
                return Err(BadRetention::Many);
            }
            retention.classes.push((class, keep));
        }
        Ok(retention)
    }
}

fn size(text: &str) -> Result<Option<u64>, BadRetention> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let bad = || BadRetention::Size(text.to_owned());
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits =
        |text: &str| !text.is_empty() && text.len() < 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) {
        return Err(bad());
    }
    let thousandths: u64 = format!("{part:0<3.3}").parse().map_err(|_| bad())?;
    let size = whole.parse::<u64>().map_err(|_| bad())? * GIGABYTE + thousandths * (GIGABYTE / 1000);
    if size == 0 { Err(bad()) } else { Ok(Some(size)) }
}

/// A name may have spaces: it is what stands between the first word and the last.
fn rule(line: &str) -> Result<(Class, Keep), BadRetention> {
    let bad = || BadRetention::Rule(line.to_owned());
    let (kind, rest) = line.split_once(' ').ok_or_else(bad)?;
    let (name, keep) = rest.rsplit_once(' ').ok_or_else(bad)?;
    let name = super::query::fold_value(name.trim());
    if name.is_empty() {
        return Err(bad());
    }
    let class = match kind {
        "app" => Class::App(name),
        "action" => Class::Action(name),
        _ => return Err(bad()),
    };
    Ok((class, keep.parse()?))
}

/// As it is kept: the time, the size, and the rules, each on a line of its own.
impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}", self.all, self.gigabytes(), self.rules())
    }
}

impl FromStr for Retention {
    type Err = BadRetention;

    fn from_str(text: &str) -> Result<Self, BadRetention> {
        let mut parts = text.splitn(3, '\n');
        let mut next = || parts.next().unwrap_or_default();
        Self::of(next(), next(), next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_kept_and_shown_again() {
        let typed =
            Retention::read(" 1y", "0.5", "app Wiki 90d\n\naction sign-in forever\napp my shop 6m").unwrap();
        assert_eq!(typed.rules(), "app wiki 90d\naction sign-in forever\napp my shop 6m");
        assert_eq!((typed.size, typed.gigabytes().as_str()), (Some(500_000_000), "0.5"));
        assert_eq!(typed.to_string().parse(), Ok(typed));
        assert!(Retention::default().to_string().parse::<Retention>().unwrap().keeps_all());
    }

    #[test]
    fn what_is_kept_is_said_in_words() {
        let said = |all, size, rules| Retention::read(all, size, rules).unwrap().said();
        assert_eq!(said("", "", "app wiki forever"), "everything is kept");
        assert_eq!(
            said("2m", "", "app wiki 18m\naction sign-in 30d"),
            "kept for 2m; app wiki 18m; action sign-in 30d"
        );
        assert_eq!(said("", "0.005", ""), "kept forever; at most 0.005 GB");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_what_would_be() {
        for (all, size, rules) in [
            ("1", "", ""),
            ("0d", "", ""),
            ("-1d", "", ""),
            ("y", "", ""),
            ("1w", "", ""),
            ("é", "", ""),
            ("", "1 GB", ""),
            ("", "0", ""),
            ("", "-1", ""),
            ("", ".5", ""),
            ("", "", "wiki 90d"),
            ("", "", "app 90d"),
            ("", "", "user ann 90d"),
            ("", "", "app wiki 90d\napp WIKI 1y"),
        ] {
            assert!(Retention::read(all, size, rules).is_err(), "{all:?} {size:?} {rules:?}");
        }
    }

    #[test]
    fn what_tells_of_retention_is_kept_no_shorter_than_all_else() {
        let read = |all: &str, rules: &str| Retention::read(all, "", rules).map(drop);
        for rule in ["app Rollcall", "action retention", "action setting-changed"] {
            assert_eq!(read("", &format!("{rule} 5y")), Err(BadRetention::Evidence), "{rule}");
            assert_eq!(read("1y", &format!("{rule} 11m")), Err(BadRetention::Evidence), "{rule}");
            assert_eq!(read("1y", &format!("{rule} 1y")), Ok(()), "{rule}");
            assert_eq!(read("90d", &format!("{rule} forever")), Ok(()), "{rule}");
        }
        assert_eq!(read("", "action sign-in 90d\napp wiki 1d"), Ok(()));
        // One that was set before stays readable.
        assert!("forever\n\napp rollcall 90d".parse::<Retention>().is_ok());
    }

    #[test]
    fn months_are_those_of_the_calendar() {
        let now: Timestamp = "2026-03-31T12:00:00Z".parse().unwrap();
        let then = |keep: &str| {
            Timestamp::from_millisecond(keep.parse::<Keep>().unwrap().moment(now)).unwrap().to_string()
        };
        assert_eq!(then("1m"), "2026-02-28T12:00:00Z");
        assert_eq!(then("1y"), "2025-03-31T12:00:00Z");
        assert_eq!(then("30d"), "2026-03-01T12:00:00Z");
        assert_eq!(Keep::Forever.moment(now), i64::MIN);
    }
}
