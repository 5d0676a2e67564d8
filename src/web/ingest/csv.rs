//! Records as CSV with a header: the columns of Rollcall's own download, or the field names of the contract.
//! Any other column becomes an attribute of its name.

use std::io::{self, Read};

use super::{Record, Records, json};
use crate::web::download::plain;

/// The headings of a download, and the fields they stand for. Location is not read back: it follows from
/// the place.
const HEADINGS: [(&str, &str); 14] = [
    ("Time", "time"),
    ("User", "user"),
    ("Activity", "action"),
    ("Detail", "detail"),
    ("App", "app"),
    ("Outcome", "outcome"),
    ("Public IP", "ip"),
    ("City", "city"),
    ("Location", ""),
    ("Device Details", "device"),
    ("OS Details", "os"),
    ("Browser Details", "browser"),
    ("Session", "session"),
    ("Id", "id"),
];

/// CSV from a file.
pub struct Csv<R> {
    rows: csv::Reader<R>,
    names: Vec<String>,
    sender: String,
    /// The reader counts a line when it has seen the line feed, which behind a carriage return is only at the
    /// next row.
    behind: u64,
    /// Whether it is a download of ours, whose cells may carry the quote that keeps spreadsheets from running
    /// them.
    ours: bool,
}

impl<R: Read> Csv<R> {
    /// Reads `input`, whose ids are unique for `sender`. Fails where the header lacks a user or an action.
    pub fn new(input: R, sender: &str) -> io::Result<Self> {
        let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(input);
        let header = rows.headers().map_err(io::Error::other)?;
        let ours = HEADINGS.iter().zip(header).all(|((heading, _), name)| *heading == name);
        let names: Vec<String> = header
            .iter()
            .map(|name| {
                let name = name.trim().trim_start_matches('\u{feff}');
                let known = HEADINGS.iter().find(|(heading, _)| *heading == name);
                known.map_or_else(|| name.to_owned(), |(_, field)| (*field).to_owned())
            })
            .collect();
        for need in ["user", "action"] {
            if !names.iter().any(|name| name == need) {
                let why = format!("the first line must name the columns, and one of them must be {need}");
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
        }
        let behind = u64::from(rows.position().line() == 1);
        Ok(Self { rows, names, sender: sender.to_owned(), behind, ours })
    }
}

impl<R> Csv<R> {
    fn cell<'a>(&self, cell: &'a str) -> &'a str {
        if self.ours { plain(cell) } else { cell }
    }
}

impl<R: Read> Records for Csv<R> {
    fn next_record(&mut self) -> io::Result<Option<(u64, Record)>> {
        let mut row = csv::StringRecord::new();
        match self.rows.read_record(&mut row) {
            Ok(false) => Ok(None),
            Ok(true) => {
                let line = row.position().map_or(0, csv::Position::line) + self.behind;
                let cells =
                    self.names.iter().zip(&row).filter(|(name, cell)| !name.is_empty() && !cell.is_empty());
                let cells = cells.map(|(name, cell)| (name.as_str(), self.cell(cell)));
                Ok(Some((line, json::of_cells(cells, &self.sender))))
            }
            Err(error) => match error.position().map(csv::Position::line) {
                Some(line) if !error.is_io_error() => {
                    Ok(Some((line + self.behind, Err("the line is not UTF-8".to_owned()))))
                }
                _ => Err(io::Error::other(error)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_is_read_back() {
        let text = "Time,User,Activity,Detail,Location,Id,ticket\r\n2026-01-02T03:04:05.000Z,ann,backup,\"a,b\",Nowhere,x,INC-1\r\n";
        let mut csv = Csv::new(text.as_bytes(), "x").unwrap();
        let (line, record) = csv.next_record().unwrap().unwrap();
        let record = record.unwrap();
        assert_eq!(
            (line, record.user.as_str(), record.action.as_str(), record.detail.as_str()),
            (2, "ann", "backup", "a,b")
        );
        assert_eq!(record.attributes, [("ticket".to_owned(), "INC-1".to_owned())]);
        assert!(csv.next_record().unwrap().is_none());
    }

    #[test]
    fn lines_are_counted_whatever_ends_them() {
        for end in ["\n", "\r\n"] {
            let text = ["user,action", "a,b", "c,d"].join(end);
            let mut csv = Csv::new(text.as_bytes(), "x").unwrap();
            let lines: Vec<u64> =
                std::iter::from_fn(|| csv.next_record().unwrap()).map(|(line, _)| line).collect();
            assert_eq!(lines, [2, 3], "{end:?}");
        }
    }

    #[test]
    fn a_header_without_a_user_is_refused() {
        assert!(Csv::new("a,b\n1,2\n".as_bytes(), "x").is_err());
    }
}
