//! What a sender wrote, made harmless, and the few ways the tables look into it.
//!
//! Nothing here walks further than [`Agent::MAX_BYTES`], and nothing leaves this room but printable ASCII from a
//! short list, so that no header can put a control character, a quote or a tag into a column.

use crate::model::device::Agent;

/// The most bytes of any text of a [`Device`](crate::model::device::Device).
pub(super) const MAX_BYTES: usize = 64;

/// A header as it is judged: printable ASCII, at most [`Agent::MAX_BYTES`].
pub(super) struct Text(String);

impl Text {
    /// `raw`, cut, with a space for every character that no honest product name holds.
    pub(super) fn of(raw: &str) -> Self {
        let printable = |c: char| if c.is_ascii_graphic() { c } else { ' ' };
        let text: String = Agent::cut(raw).chars().map(printable).collect();
        Self(text.trim().to_owned())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `mark` stands somewhere, at the beginning of a word.
    pub(super) fn has(&self, mark: &str) -> bool {
        after(&self.0, mark).is_some()
    }

    /// Whether any of `marks` does.
    pub(super) fn has_any(&self, marks: &[&str]) -> bool {
        marks.iter().any(|mark| self.has(mark))
    }

    /// What follows the first `mark` that begins a word.
    pub(super) fn after(&self, mark: &str) -> Option<&str> {
        after(&self.0, mark)
    }

    /// The version behind `mark`, of at most `parts` parts; empty when none is written there.
    pub(super) fn version(&self, mark: &str, parts: usize) -> String {
        self.after(mark).map(|rest| version(rest, parts)).unwrap_or_default()
    }
}

/// What follows the first `mark` in `text` that begins a word: `Chrome/` is not found in `HeadlessChrome/`.
pub(super) fn after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    let joins = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    text.match_indices(mark)
        .find(|(at, _)| !(mark.starts_with(joins) && text[..*at].ends_with(joins)))
        .map(|(at, _)| &text[at + mark.len()..])
}

/// The number that `text` begins with: `17_5_1 like` and three parts give `17.5.1`, `v1.29.1` gives `1.29.1`.
pub(super) fn version(text: &str, parts: usize) -> String {
    let number = text.strip_prefix('v').unwrap_or(text);
    let end = number.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '_')).unwrap_or(number.len());
    let parts: Vec<&str> =
        number[..end].split(['.', '_']).take_while(|part| !part.is_empty()).take(parts).collect();
    parts.join(".")
}

/// A version without its trailing zeros, as people say it: `14.0.0` is 14, `14.5.0` is 14.5, 0 stays.
pub(super) fn shortened(version: &str) -> &str {
    let mut short = version;
    while let Some(rest) = short.strip_suffix(".0") {
        short = rest;
    }
    short
}

/// The first part of a version as a number; nothing when there is none.
pub(super) fn major(version: &str) -> Option<u32> {
    part(version, 0)
}

/// The `nth` part of a version as a number.
pub(super) fn part(version: &str, nth: usize) -> Option<u32> {
    version.split('.').nth(nth)?.parse().ok()
}

/// `name` and `version` with a space between, or the one that is there.
pub(super) fn joined(name: &str, version: &str) -> String {
    format!("{name} {version}").trim().to_owned()
}

/// `text` as a column may show it: letters, digits and a little punctuation, single spaces, nothing at its ends
/// that a spreadsheet would run, at most [`MAX_BYTES`].
pub(super) fn bounded(text: &str) -> String {
    let allowed = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '_' | '-' | '/' | '+' | '!' | ':' | '(' | ')')
    };
    let kept: String = text.chars().filter(|c| allowed(*c)).collect();
    let mut line = kept.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    line.truncate(MAX_BYTES);
    let inner = |c: char| matches!(c, ' ' | '.' | '_' | '-' | '/' | '+' | ':');
    line.trim_start_matches(|c: char| inner(c) || matches!(c, '!' | ')')).trim_end_matches(inner).to_owned()
}
