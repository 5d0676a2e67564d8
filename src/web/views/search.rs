//! A look at the log as it stands in the address: what the form shows, what every link of the page carries on.

use std::fmt::Write;

use crate::model::period::Period;

/// The parameters of `/activity`, as they were given. Empty ones are left out of every address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// What was typed in the search box.
    pub q: String,
    /// Exactly this actor.
    pub user: String,
    /// Exactly this program.
    pub app: String,
    /// Exactly this action.
    pub action: String,
    /// `success`, `failure` or `unknown`.
    pub outcome: String,
    /// Exactly this session.
    pub session: String,
    /// An address or a network.
    pub ip: String,
    /// One of the contract's names, or `custom` where `from` and `to` alone say it; empty stands for that too.
    pub period: String,
    /// A date or RFC 3339.
    pub from: String,
    /// A date or RFC 3339.
    pub to: String,
    /// The zone of bare dates, by its IANA name.
    pub tz: String,
    /// `asc`, or nothing for newest first.
    pub order: String,
}

impl Search {
    /// Every parameter that is given, in the contract's order.
    pub fn pairs(&self) -> Vec<(&'static str, &str)> {
        let zone = if self.has_ends() { self.tz.as_str() } else { "" };
        let period = match self.period.as_str() {
            "custom" if self.has_ends() => "",
            // Nothing at all would stand for the month.
            "custom" => Period::All.as_str(),
            named => named,
        };
        [
            ("q", self.q.as_str()),
            ("user", &self.user),
            ("app", &self.app),
            ("action", &self.action),
            ("outcome", &self.outcome),
            ("session", &self.session),
            ("ip", &self.ip),
            ("period", period),
            ("from", &self.from),
            ("to", &self.to),
            ("tz", zone),
            ("order", &self.order),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect()
    }

    /// Whether ends are given rather than a named period.
    pub fn is_custom(&self) -> bool {
        self.period == "custom" || (self.period.is_empty() && self.has_ends())
    }

    /// Whether an end is given. Beside a named period both count, as everywhere: what is in the one and in the other.
    pub fn has_ends(&self) -> bool {
        !self.from.is_empty() || !self.to.is_empty()
    }

    /// Whether an end is an instant, which a date field cannot hold.
    pub fn is_exact(&self) -> bool {
        [&self.from, &self.to].into_iter().any(|end| end.contains('T'))
    }

    /// The address of `path` with this search.
    pub fn href(&self, path: &str) -> String {
        self.with(path, &[])
    }

    /// The address of `path` with this search and `more` parameters.
    pub fn with(&self, path: &str, more: &[(&str, &str)]) -> String {
        let mut href = path.to_owned();
        let mut mark = '?';
        for (name, value) in self.pairs().into_iter().chain(more.iter().copied()) {
            href.push(mark);
            href.push_str(name);
            href.push('=');
            encode(value, &mut href);
            mark = '&';
        }
        href
    }

    /// The address of the same search in the other order of time.
    pub fn turned(&self) -> String {
        let order = if self.order == "asc" { "" } else { "asc" };
        Self { order: order.into(), ..self.clone() }.href("/activity")
    }

    /// The same search for a stretch of time with exact ends.
    #[must_use]
    pub fn between(&self, from: &str, to: &str) -> Self {
        Self { period: String::new(), from: from.into(), to: to.into(), tz: String::new(), ..self.clone() }
    }

    /// The same search, narrowed to one value of a field of the grammar.
    #[must_use]
    pub fn only(&self, field: &str, value: &str) -> Self {
        self.narrowed(&term(field, value))
    }

    /// The same search without one value of a field.
    #[must_use]
    pub fn without(&self, field: &str, value: &str) -> Self {
        self.narrowed(&format!("-{}", term(field, value)))
    }

    fn narrowed(&self, term: &str) -> Self {
        let q = self.q.trim();
        let q = if q.is_empty() {
            term.to_owned()
        } else if q.contains(" OR ") {
            format!("({q}) {term}")
        } else {
            format!("{q} {term}")
        };
        Self { q, ..self.clone() }
    }
}

/// A term of the grammar that means exactly this value.
pub fn term(field: &str, value: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '/' | ':' | '@' | '-');
    if !value.is_empty() && value.chars().all(plain) && !value.starts_with('-') {
        return format!("{field}:{value}");
    }
    format!("{field}:\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Appends `text` as a value of a query string.
pub fn encode(text: &str, to: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'-'
            | b'_'
            | b'.'
            | b'~'
            | b':'
            | b'/'
            | b'@'
            | b',' => {
                to.push(char::from(byte));
            }
            b' ' => to.push('+'),
            _ => {
                // Writing to a String cannot fail.
                let _ = write!(to, "%{byte:02X}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_carries_all_that_was_given_and_nothing_else() {
        let search =
            Search { q: "a&b \"c d\" ä".into(), period: "7d".into(), tz: "UTC".into(), ..Search::default() };
        assert_eq!(search.href("/activity"), "/activity?q=a%26b+%22c+d%22+%C3%A4&period=7d");
        assert_eq!(Search::default().href("/activity"), "/activity");
        assert_eq!(
            search.with("/activity", &[("cursor", "x=")]),
            format!("{}&cursor=x%3D", search.href("/activity"))
        );
    }

    #[test]
    fn two_ends_replace_the_named_period() {
        let search = Search { period: "7d".into(), tz: "Europe/Warsaw".into(), ..Search::default() };
        let drag = search.between("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
        assert_eq!(drag.href(""), "?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z");
        assert!(drag.is_custom() && drag.is_exact());
    }

    #[test]
    fn a_named_period_stands_beside_ends_and_custom_beside_nothing_is_everything() {
        let both = Search { period: "7d".into(), from: "2026-01-01".into(), ..Search::default() };
        assert_eq!(both.href(""), "?period=7d&from=2026-01-01");
        assert!(!both.is_custom() && both.has_ends());
        let ends = Search { period: "custom".into(), ..both };
        assert_eq!((ends.href("").as_str(), ends.is_custom()), ("?from=2026-01-01", true));
        let neither = Search { from: String::new(), ..ends };
        assert_eq!((neither.href("").as_str(), neither.is_custom()), ("?period=all", true));
    }

    #[test]
    fn a_value_becomes_a_term_whatever_stands_in_it() {
        assert_eq!(term("action", "CreateBucket"), "action:CreateBucket");
        assert_eq!(term("detail", "say \"hi\" \\o/"), r#"detail:"say \"hi\" \\o/""#);
        assert_eq!(term("target", "-x"), "target:\"-x\"");
        assert_eq!(term("target", ""), "target:\"\"");
        let either = Search { q: "a OR b".into(), ..Search::default() };
        assert_eq!(either.without("user", "eve").q, "(a OR b) -user:eve");
        assert_eq!(Search::default().only("user", "ann").q, "user:ann");
    }
}
