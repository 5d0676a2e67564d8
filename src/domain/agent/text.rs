//! What a sender wrote, made harmless, and the few ways the tables look into it.
//!
//! Nothing here walks further than [`Agent::MAX_BYTES`], and nothing leaves this room but printable ASCII from a
//! short list, so that no header can put a control character, a quote or a tag into a column.

use crate::model::device::Agent;

/// The most bytes of any text of a [`Device`](crate::model::device::Device).
pub(super) const MAX_BYTES: usize = 64;

/// A header as it is judged: printable ASCII, at most [`Agent::MAX_BYTES`].
///
/// The tables ask some two hundred times whether a mark begins a word of it. So the places where words begin are
/// looked for once and sorted by their first letter: most questions end at a letter that no word begins with.
pub(super) struct Text {
    text: String,
    begins: Vec<(u8, usize)>,
}

impl Text {
    /// `raw`, cut, with a space for every character that no honest product name holds.
    pub(super) fn of(raw: &str) -> Self {
        let printable = |c: char| if c.is_ascii_graphic() { c } else { ' ' };
        let text: String = Agent::cut(raw).chars().map(printable).collect();
        let text = text.trim().to_owned();
        let bytes = text.as_bytes();
        let is_begin = |at: &usize| *at == 0 || !(joins(bytes[at - 1]) && joins(bytes[*at]));
        let mut begins: Vec<(u8, usize)> =
            (0..bytes.len()).filter(is_begin).map(|at| (bytes[at], at)).collect();
        begins.sort_unstable();
        Self { text, begins }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether `mark` stands somewhere, at the beginning of a word: `Chrome/` is not in `HeadlessChrome/`.
    pub(super) fn has(&self, mark: &str) -> bool {
        self.after(mark).is_some()
    }

    /// Whether any of `marks` does.
    pub(super) fn has_any(&self, marks: &[&str]) -> bool {
        marks.iter().any(|mark| self.has(mark))
    }

    /// What follows the first `mark` that begins a word.
    pub(super) fn after(&self, mark: &str) -> Option<&str> {
        self.around(mark).next().map(|(_, rest)| rest)
    }

    /// What stands before and behind each `mark` that begins a word.
    pub(super) fn around(&self, mark: &str) -> impl Iterator<Item = (&str, &str)> {
        let initial = mark.bytes().next().unwrap_or_default();
        let from = self.begins.partition_point(|(byte, _)| *byte < initial);
        let begins = self.begins[from..].iter().take_while(move |(byte, _)| *byte == initial);
        begins.filter_map(move |(_, at)| Some((&self.text[..*at], self.text[*at..].strip_prefix(mark)?)))
    }

    /// The version behind `mark`, of at most `parts` parts; empty when none is written there.
    pub(super) fn version(&self, mark: &str, parts: usize) -> String {
        self.after(mark).map(|rest| version(rest, parts)).unwrap_or_default()
    }
}

/// Whether two such bytes beside one another belong to one word.
fn joins(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
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
