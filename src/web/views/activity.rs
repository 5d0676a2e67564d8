//! The Activity Log: what anybody did, found by period, user and keyword.

use askama::Template;

use crate::{
    model::{
        activity::{Activity, Outcome},
        device::Device,
        index::Behind,
        noun::noun,
        period::Period,
        query::{Field as Named, Query},
    },
    web::draw::chart::Chart,
};

use super::{
    frame::Frame,
    marks::Piece,
    parts::{Link, Moment, Now, Where},
    search::Search,
    text::grouped,
};

/// The page `/activity`.
#[derive(Clone, Debug, Template)]
#[template(path = "activity.html", blocks = ["results"])]
pub struct ActivityPage {
    /// What stands around it.
    pub frame: Frame,
    /// What is looked for, as it stands in the form.
    pub search: Search,
    /// The same as links carry it on, when nobody types any more.
    pub meant: Search,
    /// The users the drop-down offers.
    pub users: Vec<String>,
    /// Narrowings that have no field in the form, each with the address without it.
    pub narrowed: Vec<Link>,
    /// Why the search was not understood, if it was not: then there is nothing below.
    pub fault: Option<Fault>,
    /// Why the period was not understood; empty if it was.
    pub period_fault: String,
    /// How many were found; none while the count is still under way, then the page asks for the block `count` again.
    pub total: Option<Total>,
    /// When they happened; none while it is being counted, then the page asks for `histogram` again.
    pub chart: Option<Chart>,
    /// The rows of this page, in order.
    pub rows: Vec<ActivityRow>,
    /// The address of the page before this one.
    pub newer: Option<String>,
    /// The address of the page behind this one.
    pub older: Option<String>,
    /// The address of the CSV of all that was found.
    pub download: String,
    /// Where one's own downloads stand, each with its seal.
    pub seals: String,
    /// The address of the stream of new rows; empty where there is no place for them.
    pub tail: String,
    /// Whether the log holds anything at all that may be seen.
    pub any: bool,
    /// What no search finds yet, in a sentence; empty where the index is with the log.
    pub behind: String,
    /// The address of the page that waits for what comes later here, if anything does.
    pub slow: Option<String>,
}

/// How many were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    /// The number.
    pub value: u64,
    /// Whether it is exact, or at least so many.
    pub exact: bool,
}

/// What is said above the results while the index has not all of the log, or does not know whether it has.
pub fn behind(behind: Behind) -> String {
    let lacks = match behind {
        Behind::Lacks(lacks) => lacks,
        Behind::Unverified => {
            return "The files of the search index are being verified. Until that is done rows, count and chart may not be right, and there is no download.".to_owned();
        }
        Behind::Damaged(lost) => {
            return format!(
                "{} {} of the log cannot be read: the data file is damaged. Everything else is found, but rows, count and chart are not complete, and there is no download. Run rollcall verify, which names them; a backup from before the damage has them.",
                grouped(lost),
                noun(lost, "activity", "activities")
            );
        }
    };
    let (noun, are) = if lacks == 1 { ("activity", "is") } else { ("activities", "are") };
    format!(
        "{} {noun} of the log {are} not in the search index yet and cannot be found. It catches up by itself; until then rows, count and chart are not complete, and there is no download.",
        grouped(lacks)
    )
}

impl Total {
    /// `12,408 activities`, `at least 10,000 activities`.
    pub fn words(&self) -> String {
        let noun = noun(self.value, "activity", "activities");
        let more = if self.exact { "" } else { "at least " };
        format!("{more}{} {noun}", grouped(self.value))
    }
}

/// Where a search went wrong: the text around the place, and a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it begins, in characters: the first is 1.
    pub column: usize,
    /// What stands before the fault.
    pub before: String,
    /// The word that caused it; empty at the end of the text.
    pub word: String,
    /// What stands after it.
    pub after: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Fault {
    /// The fault in `text` at the character `column`, counted from 1, or at the next word behind it, reaching to
    /// that word's end.
    pub fn at(text: &str, column: usize, message: impl ToString) -> Self {
        let start = text.char_indices().nth(column.saturating_sub(1)).map_or(text.len(), |(at, _)| at);
        let start = text.len() - text[start..].trim_start().len();
        let (before, rest) = text.split_at(start);
        let end = rest
            .char_indices()
            .skip(1)
            .find(|(_, c)| c.is_whitespace() || matches!(c, '(' | ')'))
            .map_or(rest.len(), |(at, _)| at);
        let (word, after) = rest.split_at(end);
        let [before, word, after] = [before, word, after].map(str::to_owned);
        Self { column, before, word, after, message: message.to_string() }
    }
}

impl ActivityPage {
    /// What the Time Period drop-down offers: value, words, and whether it is chosen.
    pub fn periods(&self) -> Vec<(&'static str, &'static str, bool)> {
        let custom = self.search.is_custom();
        let chosen = |period: Period| !custom && period.as_str() == self.search.period;
        Period::ALL
            .into_iter()
            .map(|period| (period.as_str(), period.label(), chosen(period)))
            .chain([("custom", "Custom", custom)])
            .collect()
    }

    /// Whether everybody's activity is seen, so that a user can be chosen.
    pub fn sees_all(&self) -> bool {
        self.frame.who.as_ref().is_some_and(super::Who::sees_all)
    }

    /// The same search over all time.
    pub fn all_time(&self) -> String {
        let search =
            Search { period: "all".into(), from: String::new(), to: String::new(), ..self.meant.clone() };
        search.href("/activity")
    }

    /// The block `histogram` alone.
    pub fn as_histogram(&self) -> impl Template + '_ {
        Histogram { chart: self.chart.as_ref() }
    }

    /// The block `count` alone.
    pub fn as_count(&self) -> impl Template + '_ {
        Count { total: self.total }
    }

    /// The block `rows` alone.
    pub fn as_rows(&self) -> impl Template + '_ {
        Rows { meant: &self.meant, rows: &self.rows }
    }

    /// The name that stands in the User field.
    pub fn user_shown(&self) -> &str {
        match &self.frame.who {
            Some(who) if !who.sees_all() => &who.name,
            _ => &self.search.user,
        }
    }
}

// askama renders a block alone only where no condition stands around it; these three stand inside one.

#[derive(Template)]
#[template(path = "activity-histogram.html")]
struct Histogram<'a> {
    chart: Option<&'a Chart>,
}

#[derive(Template)]
#[template(path = "activity-count.html")]
struct Count {
    total: Option<Total>,
}

#[derive(Template)]
#[template(path = "activity-rows.html")]
struct Rows<'a> {
    meant: &'a Search,
    rows: &'a [ActivityRow],
}

/// Rows that have come in while the page is open.
#[derive(Debug, Template)]
#[template(path = "activity-news.html")]
pub struct NewRows {
    /// How many were found; the oldest of them may have gone by unseen.
    pub found: usize,
    /// The others, the newest first.
    pub rows: Vec<ActivityRow>,
}

/// An activity as a row.
#[derive(Clone, Debug)]
pub struct ActivityRow {
    /// Its place in the log.
    pub id: String,
    /// The address of the record, with the search it was found by.
    pub href: String,
    /// When it happened.
    pub time: Moment,
    /// Who did it.
    pub user: Vec<Piece>,
    /// What was done.
    pub action: Vec<Piece>,
    /// More of it.
    pub detail: Vec<Piece>,
    /// In which program.
    pub app: String,
    /// How it went.
    pub outcome: Outcome,
    /// From where.
    pub place: Where,
    /// On what.
    pub device: Device,
}

impl ActivityRow {
    /// The row of `activity`, opened under `search`. What `query` hits is marked.
    pub fn of(activity: &Activity, search: &Search, query: &Query, now: &Now) -> Self {
        let id = activity.id.to_string();
        Self {
            href: search.href(&format!("/activity/{id}")),
            id,
            time: Moment::new(activity.time, now),
            user: Piece::cut(&activity.user, &Named::User, query),
            action: Piece::cut(&activity.action, &Named::Action, query),
            detail: Piece::cut(&said(activity), &Named::Detail, query),
            app: activity.app.clone(),
            outcome: activity.outcome,
            place: Where::of(&activity.place, activity.ip),
            device: activity.device.clone(),
        }
    }
}

impl ActivityRow {
    /// The Device column: the browser, or whatever else is known of the device.
    pub fn on(&self) -> &str {
        let known = [&self.device.browser, &self.device.device, &self.device.os];
        known.into_iter().find(|text| !text.is_empty()).map_or("", |text| text)
    }
}

/// The Detail column: the detail and the target, as far as a line can show them.
fn said(activity: &Activity) -> String {
    const LINE: usize = 300;
    let target = activity.target.as_deref().unwrap_or_default();
    let text = match (activity.detail.as_str(), target) {
        ("", target) => target.to_owned(),
        (detail, "") => detail.to_owned(),
        (detail, target) if detail.contains(target) => detail.to_owned(),
        (detail, target) => format!("{target} · {detail}"),
    };
    match text.char_indices().nth(LINE) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_points_at_its_word() {
        let fault = Fault::at("user:änn )backup x", 10, "x");
        assert_eq!(
            (fault.before.as_str(), fault.word.as_str(), fault.after.as_str()),
            ("user:änn ", ")backup", " x")
        );
        let space = Fault::at("(backup  OR", 8, "x");
        assert_eq!((space.before.as_str(), space.word.as_str()), ("(backup  ", "OR"));
        let end = Fault::at("a OR", 99, "x");
        assert_eq!((end.before.as_str(), end.word.as_str()), ("a OR", ""));
    }

    #[test]
    fn a_count_says_whether_it_is_exact() {
        assert_eq!(Total { value: 12_408, exact: true }.words(), "12,408 activities");
        assert_eq!(Total { value: 1, exact: true }.words(), "1 activity");
        assert_eq!(Total { value: 10_000, exact: false }.words(), "at least 10,000 activities");
    }
}
