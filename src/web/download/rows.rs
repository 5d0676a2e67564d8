//! Activities as rows of CSV and lines of JSON.

use std::borrow::Cow;

use csv_core::{QuoteStyle, Terminator, Writer, WriterBuilder};
use memchr::memchr2;

use crate::{
    domain::export::Sheet,
    model::{
        activity::Activity,
        id::ActivityId,
        query::{attribute_key, is_attribute},
        seal::Form,
    },
    web::wire::{ActivityWire, Short},
};

/// The columns of the contract.
const COLUMNS: [&str; 14] = [
    "Time",
    "User",
    "Activity",
    "Detail",
    "App",
    "Outcome",
    "Public IP",
    "City",
    "Location",
    "Device Details",
    "OS Details",
    "Browser Details",
    "Session",
    "Id",
];

/// In which form activities are written.
#[derive(Clone, Debug)]
pub enum Format {
    /// RFC 4180 with a header.
    Csv {
        /// Attributes that get a column each.
        attributes: Vec<String>,
        /// Whether cells stay as they are even where a spreadsheet would run them.
        raw: bool,
    },
    /// A JSON object a line.
    Ndjson,
}

impl Format {
    /// What stands before the first activity.
    pub fn head(&self) -> Vec<u8> {
        match self {
            Self::Ndjson => Vec::new(),
            Self::Csv { attributes, raw } => {
                let names = COLUMNS.iter().copied().chain(attributes.iter().map(String::as_str));
                let mut rows = Rows::new(*raw, 0);
                rows.push(names.map(Cell::Text));
                rows.bytes
            }
        }
    }

    /// Activities, written down.
    pub fn write(&self, activities: &[Activity]) -> Vec<u8> {
        self.write_each(activities, |_, _| ())
    }

    /// The same; `each` is shown every one of them as it was written, with the end of its line.
    pub(super) fn write_each(
        &self,
        activities: &[Activity],
        mut each: impl FnMut(ActivityId, &[u8]),
    ) -> Vec<u8> {
        match self {
            Self::Csv { attributes, raw } => {
                let mut rows = Rows::new(*raw, activities.len());
                let columns: Vec<Column<'_>> = attributes.iter().map(|name| Column::of(name)).collect();
                for activity in activities {
                    let start = rows.bytes.len();
                    rows.activity(activity, &columns);
                    each(activity.id, &rows.bytes[start..]);
                }
                rows.bytes
            }
            Self::Ndjson => {
                let mut bytes = Vec::with_capacity(activities.len() * 640);
                for activity in activities {
                    let start = bytes.len();
                    // Strings and numbers into memory: nothing there can fail.
                    let _ = serde_json::to_writer(&mut bytes, &ActivityWire::from(activity));
                    bytes.push(b'\n');
                    each(activity.id, &bytes[start..]);
                }
                bytes
            }
        }
    }

    /// The form, as a seal says it.
    pub(super) const fn form(&self) -> Form {
        match self {
            Self::Csv { raw: true, .. } => Form::RawCsv,
            Self::Csv { .. } => Form::Csv,
            Self::Ndjson => Form::Ndjson,
        }
    }

    /// The same in the words in which the log tells of it.
    pub fn sheet(&self) -> Sheet {
        let columns = match self {
            Self::Csv { attributes, .. } => attributes.clone(),
            Self::Ndjson => Vec::new(),
        };
        Sheet { form: self.form(), columns }
    }

    /// The format that the log tells of.
    pub fn of(sheet: Sheet) -> Self {
        match sheet.form {
            Form::Csv => Self::Csv { attributes: sheet.columns, raw: false },
            Form::RawCsv => Self::Csv { attributes: sheet.columns, raw: true },
            Form::Ndjson => Self::Ndjson,
        }
    }

    pub(super) const fn ending(&self) -> &'static str {
        match self {
            Self::Csv { raw: true, .. } => "raw.csv",
            Self::Csv { .. } => "csv",
            Self::Ndjson => "ndjson",
        }
    }
}

/// A cell of a CSV file. Only text can be dangerous: numbers and times are our own.
#[derive(Clone, Copy)]
enum Cell<'a> {
    Text(&'a str),
    Own(&'a str),
}

/// A column of an attribute.
struct Column<'a> {
    name: &'a str,
    /// The same as it is compared.
    key: String,
}

impl<'a> Column<'a> {
    fn of(name: &'a str) -> Self {
        Self { name, key: attribute_key(name) }
    }

    /// What stands in it: the attribute of just this name, else the first that the search takes for it.
    fn of_activity<'b>(&self, activity: &'b Activity) -> &'b str {
        let all = || activity.attributes.iter();
        let found = all().find(|(name, _)| name == self.name);
        let found = found.or_else(|| all().find(|(name, _)| is_attribute(name, &self.key)));
        found.map_or("", |(_, value)| value)
    }
}

/// Rows of a CSV file in memory.
struct Rows {
    /// Knows what must be quoted.
    rules: Writer,
    raw: bool,
    bytes: Vec<u8>,
}

impl Rows {
    /// None yet, with room for so many of usual length.
    fn new(raw: bool, rows: usize) -> Self {
        let rules =
            WriterBuilder::new().terminator(Terminator::CRLF).quote_style(QuoteStyle::Necessary).build();
        Self { rules, raw, bytes: Vec::with_capacity(rows * 320) }
    }

    fn activity(&mut self, activity: &Activity, columns: &[Column<'_>]) {
        let time = Short::time(activity.time);
        let ip = activity.ip.map(Short::of).unwrap_or_default();
        let id = Short::of(activity.id);
        let location = activity.place.location(activity.ip);
        let cells = [
            Cell::Own(time.as_str()),
            Cell::Text(&activity.user),
            Cell::Text(&activity.action),
            Cell::Text(&activity.detail),
            Cell::Text(&activity.app),
            Cell::Own(activity.outcome.as_str()),
            Cell::Own(ip.as_str()),
            Cell::Text(activity.place.city.as_deref().unwrap_or_default()),
            Cell::Text(&location),
            Cell::Text(&activity.device.device),
            Cell::Text(&activity.device.os),
            Cell::Text(&activity.device.browser),
            Cell::Text(activity.session.as_deref().unwrap_or_default()),
            Cell::Own(id.as_str()),
        ];
        let more = columns.iter().map(|column| Cell::Text(column.of_activity(activity)));
        self.push(cells.into_iter().chain(more));
    }

    /// Writes one row. Where a cell was neutralised, or holds what some spreadsheets split at, the whole row
    /// is quoted.
    fn push<'a>(&mut self, cells: impl Iterator<Item = Cell<'a>> + Clone) {
        let careful = !self.raw
            && cells.clone().any(|cell| match cell {
                Cell::Text(text) => {
                    dangers(text).next().is_some() || memchr2(b';', b'\t', text.as_bytes()).is_some()
                }
                Cell::Own(_) => false,
            });
        for (at, cell) in cells.enumerate() {
            if at > 0 {
                self.bytes.push(b',');
            }
            match cell {
                // What is not careful has no danger in it.
                Cell::Text(text) if careful => self.cell(&neutral(text), careful),
                Cell::Text(text) | Cell::Own(text) => self.cell(text, careful),
            }
        }
        self.bytes.extend_from_slice(b"\r\n");
    }

    fn cell(&mut self, text: &str, careful: bool) {
        let text = text.as_bytes();
        if !careful && !self.rules.should_quote(text) {
            self.bytes.extend_from_slice(text);
            return;
        }
        self.bytes.push(b'"');
        let start = self.bytes.len();
        // Room for a text of nothing but quotes: it always fits.
        self.bytes.resize(start + 2 * text.len(), 0);
        let (_, _, written) = csv_core::quote(text, &mut self.bytes[start..], b'"', b'"', true);
        self.bytes.truncate(start + written);
        self.bytes.push(b'"');
    }
}

/// Whether a spreadsheet would run a text, so that a quote goes before it: whatever would begin a formula
/// (OWASP, CSV Injection; ASVS 5.0, 1.2.10), also behind white space, which some skip.
fn is_dangerous(text: &str) -> bool {
    if text.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return false;
    }
    // Text that has its quote already gets another, or reading it back would take away its own.
    text.trim_start_matches('\'').starts_with(['\t', '\r', '\n', '\0']) || begins_formula(text)
}

/// Whether the first that is not skipped begins a formula.
fn begins_formula(text: &str) -> bool {
    let runs = |c: char| matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠');
    text.chars().find(|c| !is_skipped(*c)).is_some_and(runs)
}

/// Whether some spreadsheets pass over it before a formula.
fn is_skipped(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{feff}' | '\0' | '"' | '\'')
}

/// What may end a cell or a row for whoever reads the file.
const ENDS: [u8; 5] = *b",;\t\r\n";

/// A row of these cells, which somebody has read from a file of ours, as we would have written it.
pub(super) fn written_anew(cells: &[String], raw: bool) -> Vec<u8> {
    let mut rows = Rows::new(raw, 1);
    let plain: Vec<Cow<'_, str>> =
        cells.iter().map(|cell| if raw { cell.as_str().into() } else { plain(cell) }).collect();
    rows.push(plain.iter().map(|cell| Cell::Text(cell)));
    rows.bytes
}

/// Where in a text a formula would begin: at its start, and behind what those take for the end of a cell or a row who read the file
/// with other rules than it was written by.
fn dangers(text: &str) -> impl Iterator<Item = usize> {
    let begins = |at: &usize| {
        let rest = &text[*at..];
        if *at == 0 { is_dangerous(rest) } else { begins_formula(rest) }
    };
    // What is skipped at the start has the quote of the start before it.
    let first = text.find(|c| !is_skipped(c)).unwrap_or(text.len());
    let behind =
        text.bytes().enumerate().skip(first).filter(|(_, byte)| ENDS.contains(byte)).map(|(at, _)| at + 1);
    [0].into_iter().chain(behind).filter(begins)
}

/// A text with a quote before whatever would begin a formula.
fn neutral(text: &str) -> Cow<'_, str> {
    let mut neutral = String::new();
    let mut done = 0;
    for at in dangers(text) {
        neutral.push_str(&text[done..at]);
        neutral.push('\'');
        done = at;
    }
    if neutral.is_empty() {
        return Cow::Borrowed(text);
    }
    neutral.push_str(&text[done..]);
    Cow::Owned(neutral)
}

/// Text as it was before quotes were put into it.
pub(in crate::web) fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains('\'') {
        return Cow::Borrowed(text);
    }
    // A quote changes nothing of whether what is behind it is dangerous.
    let mut plain = String::new();
    let mut done = 0;
    for at in dangers(text).filter(|at| text[*at..].starts_with('\'')) {
        plain.push_str(&text[done..at]);
        done = at + 1;
    }
    plain.push_str(&text[done..]);
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(raw: bool, cells: &[&str]) -> String {
        let mut rows = Rows::new(raw, 0);
        rows.push(cells.iter().copied().map(Cell::Text));
        String::from_utf8(rows.bytes).unwrap()
    }

    #[test]
    fn what_a_spreadsheet_would_run_is_text() {
        for text in
            ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "\u{feff}=1", "\"=1", "\t"]
        {
            assert_eq!(row(false, &[text]), format!("\"'{}\"\r\n", text.replace('"', "\"\"")), "{text:?}");
        }
        for text in ["", "backup", "a=b", "1-2", "'quoted'"] {
            assert_eq!(row(false, &[text]), format!("{text}\r\n"));
        }
        for text in [
            "=1", "'=1", "''=1", "'a", "a", "", "\t", "'\ta", "''", "a;=1", "a;'=1", ";;=1", "a\r\n'-b",
            "a,'b",
        ] {
            assert_eq!(plain(&neutral(text)), text, "what was neutralised can be read back");
        }
        for (text, written) in [
            (";=cmd|' /C calc'!A0;", "\";'=cmd|' /C calc'!A0;\"\r\n"),
            ("x\n=1", "\"x\n'=1\"\r\n"),
            ("a, +b", "\"a,' +b\"\r\n"),
            ("a;b-c", "\"a;b-c\"\r\n"),
        ] {
            assert_eq!(row(false, &[text]), written, "{text:?}");
        }
    }

    #[test]
    fn cells_are_quoted_as_rfc_4180_says() {
        assert_eq!(row(false, &["a,b", "c\"d", "e\r\nf", ""]), "\"a,b\",\"c\"\"d\",\"e\r\nf\",\r\n");
        assert_eq!(row(false, &["=1", "b;c"]), "\"'=1\",\"b;c\"\r\n");
        assert_eq!(row(false, &["g", "b;c"]), "\"g\",\"b;c\"\r\n");
        assert_eq!(row(true, &["=1", "b;c"]), "=1,b;c\r\n");
        assert_eq!(row(false, &["\"\"\""]), "\"\"\"\"\"\"\"\"\r\n");
    }

    #[test]
    fn the_column_of_an_attribute_is_filled_as_the_search_finds_it() {
        let mut activity = Activity::default();
        let sent =
            [("Region", "a"), ("STRASSE", "b"), ("\u{c9}tage", "c"), ("n\0", "d"), ("n", "e"), ("N", "f")];
        activity.attributes = sent.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let cell = |name| Column::of(name).of_activity(&activity);
        assert_eq!(["region", "REGION", "Region"].map(cell), ["a"; 3]);
        assert_eq!(["strasse", "\u{e9}tage", "N ", "regio", ""].map(cell), ["b", "c", "d", "", ""]);
        assert_eq!(["n", "N"].map(cell), ["e", "f"], "just this name comes before its like");
    }

    proptest::proptest! {
        #[test]
        fn another_reader_finds_what_was_written(cells in proptest::collection::vec(".*", 2..9)) {
            let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
            let reader = |row: String| {
                // A row is never the first of a file, where some bytes are no text.
                let text = format!("head\r\n{row}");
                let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
                let mut rows = rows.records().map(Result::unwrap);
                let read = rows.next().unwrap();
                assert!(rows.next().is_none());
                read
            };
            assert_eq!(reader(row(true, &cells)), cells);
            let read = reader(row(false, &cells));
            assert!(read.iter().map(plain).eq(cells.iter().copied()));
            assert!(read.iter().all(|cell| dangers(cell).all(|at| cell[at..].starts_with('\''))));
        }
    }
}
