//! What several pages are made of: times, places, links, table heads, fields.

use std::net::IpAddr;

use jiff::{Timestamp, tz::TimeZone};

use crate::model::place::{Network, Place};

/// By which clock and calendar a page is drawn.
#[derive(Clone, Debug)]
pub struct Now {
    /// The time of the request.
    pub at: Timestamp,
    /// The zone in which exact times and dates are shown.
    pub zone: TimeZone,
}

/// A time as people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// RFC 3339, for machines.
    pub iso: String,
    /// `2 min ago`, `in 7 h`, `3 Mar`, `3 Mar 2025`.
    pub ago: String,
    /// `2026-03-03 14:05:09 UTC`.
    pub exact: String,
    /// Whether it is less than a minute old.
    pub fresh: bool,
}

impl Moment {
    /// `time` as it is seen at `now`.
    pub fn new(time: Timestamp, now: &Now) -> Self {
        let zoned = time.to_zoned_datetime(now.zone.clone());
        let this_year = zoned.year() == now.at.to_zoned_datetime(now.zone.clone()).year();
        let date = if this_year { "%-d %b" } else { "%-d %b %Y" };
        let seconds = now.at.as_second().saturating_sub(time.as_second());
        Self {
            iso: time.to_string(),
            ago: relative(seconds).unwrap_or_else(|| zoned.strftime(date).to_string()),
            exact: zoned.strftime("%Y-%m-%d %H:%M:%S %Z").to_string(),
            fresh: (0..60).contains(&seconds),
        }
    }
}

/// How long ago, while that says more than the date does: up to two weeks.
fn relative(seconds: i64) -> Option<String> {
    let words = match seconds.unsigned_abs() {
        0..60 => return Some(if seconds < -10 { "in a moment" } else { "just now" }.to_owned()),
        size @ 60..3600 => format!("{} min", size / 60),
        size @ 3600..86_400 => format!("{} h", size / 3600),
        size @ 86_400..172_800 => format!("{} day", size / 86_400),
        size @ 172_800..1_209_600 => format!("{} days", size / 86_400),
        _ => return None,
    };
    Some(if seconds < 0 { format!("in {words}") } else { format!("{words} ago") })
}

/// A place as the tables show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Where {
    /// The City column; may be empty.
    pub city: String,
    /// Two letters beside it; may be empty.
    pub country: String,
    /// The Location column: region and country, or the network's name.
    pub location: String,
    /// Whether the address is nowhere on the map, so that the location is a network's name.
    pub private: bool,
}

impl Where {
    /// The place of an address.
    pub fn of(place: &Place, ip: Option<IpAddr>) -> Self {
        Self {
            city: place.city.clone().unwrap_or_default(),
            country: place.country.clone().unwrap_or_default(),
            location: place.location(ip),
            private: place.country.is_none() && ip.is_some_and(|ip| Network::of(ip) != Network::Public),
        }
    }

    /// In one line: `Oslo, NO`, `Norway`, `Private network`.
    pub fn line(&self) -> String {
        match (self.city.as_str(), self.country.as_str()) {
            ("", _) => self.location.clone(),
            (city, "") => city.to_owned(),
            (city, country) => format!("{city}, {country}"),
        }
    }
}

/// Words that lead somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The words.
    pub label: String,
    /// Where they lead.
    pub href: String,
}

impl Link {
    /// `label`, leading to `href`.
    pub fn new(label: impl Into<String>, href: impl Into<String>) -> Self {
        Self { label: label.into(), href: href.into() }
    }
}

/// The head of a column.
#[derive(Clone, Debug)]
pub struct Head {
    /// Its words.
    pub label: &'static str,
    /// The address that orders by it; empty where its order means nothing.
    pub href: String,
    /// ARIA's word for how the table is ordered by it: `ascending`, `descending`, or nothing.
    pub sorted: &'static str,
}

impl Head {
    /// Heads from their words and the keys they order by, empty for none. `sort` and `desc` are the order at hand,
    /// `link` makes the address of another. A second click on a head turns its order round.
    pub fn row(
        columns: &[(&'static str, &'static str)],
        sort: &str,
        desc: bool,
        link: impl Fn(&str, bool) -> String,
    ) -> Vec<Self> {
        let head = |&(label, key): &(&'static str, &'static str)| {
            if key.is_empty() {
                return Self { label, href: String::new(), sorted: "" };
            }
            let here = key == sort;
            let sorted = match (here, desc) {
                (false, _) => "",
                (true, false) => "ascending",
                (true, true) => "descending",
            };
            Self { label, href: link(key, if here { !desc } else { TIMES.contains(&key) }), sorted }
        };
        columns.iter().map(head).collect()
    }
}

/// Columns whose first order is newest first.
const TIMES: [&str; 5] = ["last", "started", "ended", "created", "used"];

/// A field of a form: what was typed, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    /// What stands in it.
    pub value: String,
    /// What is wrong with it, in one sentence that says what to do.
    pub error: Option<String>,
}

impl Input {
    /// A field with a value and nothing wrong.
    pub fn of(value: impl Into<String>) -> Self {
        Self { value: value.into(), error: None }
    }

    /// A field whose value was refused.
    pub fn refused(value: impl Into<String>, error: impl ToString) -> Self {
        Self { value: value.into(), error: Some(error.to_string()) }
    }
}

/// One of several things to choose from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What is shown.
    pub label: String,
    /// A few words more; may be empty.
    pub hint: String,
    /// Whether it is chosen.
    pub chosen: bool,
}

/// A name and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

impl Fact {
    /// `name` is `value`.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Moment {
        let now = Now {
            at: "2026-03-29T12:00:00Z".parse().unwrap(),
            zone: TimeZone::get("Europe/Warsaw").unwrap(),
        };
        Moment::new(time.parse().unwrap(), &now)
    }

    #[test]
    fn a_time_is_told_by_its_distance_and_exactly() {
        let told = [
            ("2026-03-29T11:59:30Z", "just now"),
            ("2026-03-29T11:58:00Z", "2 min ago"),
            ("2026-03-29T05:00:00Z", "7 h ago"),
            ("2026-03-28T11:00:00Z", "1 day ago"),
            ("2026-03-20T11:00:00Z", "9 days ago"),
            ("2026-01-02T11:00:00Z", "2 Jan"),
            ("2025-12-31T11:00:00Z", "31 Dec 2025"),
            ("2026-03-29T19:30:00Z", "in 7 h"),
        ];
        for (time, ago) in told {
            assert_eq!(at(time).ago, ago, "{time}");
        }
        assert_eq!(at("2026-03-29T00:30:00Z").exact, "2026-03-29 01:30:00 CET");
        assert_eq!(at("2026-03-29T01:30:00Z").exact, "2026-03-29 03:30:00 CEST");
    }

    #[test]
    fn only_the_last_minute_is_fresh() {
        assert!(at("2026-03-29T11:59:01Z").fresh);
        assert!(!at("2026-03-29T11:59:00Z").fresh);
        assert!(!at("2026-03-29T12:00:01Z").fresh);
    }

    #[test]
    fn a_private_address_says_so() {
        let place = Where::of(&Place::default(), Some("10.0.0.8".parse().unwrap()));
        assert_eq!((place.line().as_str(), place.private), ("Private network", true));
        let nowhere = Where::of(&Place::default(), Some("9.9.9.9".parse().unwrap()));
        assert_eq!((nowhere.location.as_str(), nowhere.private), ("Not in the database", false));
    }

    #[test]
    fn a_second_click_turns_the_order_round() {
        let heads = Head::row(
            &[("User", "user"), ("Started", "started"), ("Reason", "")],
            "user",
            false,
            |key, desc| format!("{key}{}", if desc { "-" } else { "+" }),
        );
        assert_eq!((heads[0].href.as_str(), heads[0].sorted), ("user-", "ascending"));
        assert_eq!((heads[1].href.as_str(), heads[1].sorted), ("started-", ""));
        assert_eq!(heads[2].href, "");
    }
}
