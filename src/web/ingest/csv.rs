//! Records as CSV with a header: the columns of Rollcall's own download, or the field names of the contract.
//! Any other column becomes an attribute of its name.

use std::{
    borrow::Cow,
    io::{self, BufRead},
    mem,
};

use super::{Record, Records, json};
use crate::{model::activity::limits, web::download::plain};

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

/// CSV from a file. It is read strictly, and a row that breaks its rules is refused with the number of its line: what a
/// forgiving reader makes of a quote that is missing is a record that nobody wrote, in a log that keeps it.
pub struct Csv<R> {
    input: R,
    names: Vec<String>,
    sender: String,
    /// How many lines were read.
    line: u64,
    /// Whether it is a download of ours, whose cells may carry the quote that keeps spreadsheets from running
    /// them.
    ours: bool,
}

impl<R: BufRead> Csv<R> {
    /// Reads `input`, whose ids are unique for `sender`. Fails where the header lacks a user or an action, or names a column
    /// twice.
    pub fn new(input: R, sender: &str) -> io::Result<Self> {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        let mut csv = Self { input, names: Vec::new(), sender: sender.to_owned(), line: 0, ours: false };
        if csv.input.fill_buf()?.starts_with(MARK) {
            csv.input.consume(MARK.len());
        }
        let refused = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
        let header = match csv.next_row()? {
            None => Vec::new(),
            Some((line, header)) => header.map_err(|why| refused(format!("line {line}: {why}")))?,
        };
        csv.ours = header.len() >= HEADINGS.len()
            && HEADINGS.iter().zip(&header).all(|((heading, _), name)| heading == name);
        let field = |name: &String| {
            let name = name.trim();
            let known = HEADINGS.iter().find(|(heading, _)| *heading == name);
            known.map_or(name, |(_, field)| field).to_owned()
        };
        csv.names = header.iter().map(field).collect();
        for need in ["user", "action"] {
            if !csv.names.iter().any(|name| name == need) {
                let why = "the first line must name the columns, and one of them must be";
                return Err(refused(format!("{why} {need}{}", advice(&header))));
            }
        }
        for (at, name) in csv.names.iter().enumerate() {
            if !name.is_empty() && csv.names[..at].contains(name) {
                return Err(refused(format!("the first line names the column {name:.60} twice")));
            }
        }
        Ok(csv)
    }

    /// The cells of the next row that is not empty, with the line it begins in; none at the end.
    fn next_row(&mut self) -> io::Result<Option<(u64, Cells)>> {
        let (mut row, mut begins) = (Row::default(), self.line + 1);
        loop {
            let available = self.input.fill_buf()?;
            let end = available.is_empty();
            let mut taken = 0;
            let mut whole = end;
            for byte in available {
                taken += 1;
                self.line += u64::from(*byte == b'\n');
                if *byte == b'\n' && row.at != Place::Quoted {
                    whole = true;
                    break;
                }
                row.push(*byte);
            }
            self.input.consume(taken);
            match (whole, row.is_blank()) {
                (true, false) => return Ok(Some((begins, row.cells()))),
                (true, true) if end => return Ok(None),
                (true, true) => (row, begins) = (Row::default(), self.line + 1),
                (false, _) => {}
            }
        }
    }
}

/// What may be done about a first line whose columns are parted by something else, or that does not end where its writer meant it to.
fn advice(header: &[String]) -> &'static str {
    if header.iter().any(|cell| cell.contains('\r')) {
        return "; its lines end in carriage returns alone: write line feeds";
    }
    let [only] = header else { return "" };
    if only.contains(';') {
        "; its columns are parted by semicolons: write commas"
    } else if only.contains('\t') {
        "; its columns are parted by tabs: write commas"
    } else {
        ""
    }
}

/// The cells of a row, or what is wrong with them.
type Cells = Result<Vec<String>, String>;

/// A row, read byte by byte: RFC 4180, where lines end as they like.
#[derive(Default)]
struct Row {
    /// The cells that are whole, and the one that is being read.
    cells: Vec<Vec<u8>>,
    cell: Vec<u8>,
    /// How many bytes they have.
    length: usize,
    at: Place,
    wrong: bool,
}

/// Where in a cell the reading is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// Before its first character.
    #[default]
    Start,
    /// In one without quotes.
    Bare,
    /// Behind the quote that opened it.
    Quoted,
    /// Behind the quote that closed it, or the first of two that stand for one.
    Closed,
}

impl Row {
    /// Reads on, but for the end of a line that is the end of the row.
    fn push(&mut self, byte: u8) {
        self.at = match (self.at, byte) {
            (Place::Start, b'"') => Place::Quoted,
            (Place::Quoted, b'"') | (Place::Closed, b'\r') => Place::Closed,
            (Place::Start | Place::Bare | Place::Closed, b',') => {
                self.length += 1;
                if self.length <= limits::RECORD {
                    self.cells.push(mem::take(&mut self.cell));
                }
                Place::Start
            }
            (Place::Closed, b'"') | (Place::Quoted, _) => self.keep(byte, Place::Quoted),
            (Place::Start | Place::Bare, _) => self.keep(byte, Place::Bare),
            (Place::Closed, _) => {
                self.wrong = true;
                // Whatever it was, the line ends it.
                Place::Bare
            }
        };
    }

    /// Keeps a byte, unless there are more than a record may have.
    fn keep(&mut self, byte: u8, then: Place) -> Place {
        self.length += 1;
        if self.length <= limits::RECORD {
            self.cell.push(byte);
        }
        then
    }

    /// Whether nothing stands in it.
    fn is_blank(&self) -> bool {
        self.cells.is_empty()
            && !self.wrong
            && matches!(self.at, Place::Start | Place::Bare)
            && self.cell.trim_ascii().is_empty()
    }

    /// All cells, or what is wrong with them.
    fn cells(mut self) -> Cells {
        if self.length > limits::RECORD {
            return Err(json::too_long());
        }
        if self.at == Place::Quoted {
            return Err("a quote that opens a cell is never closed".to_owned());
        }
        if self.wrong {
            return Err(
                "a quote in the middle of a cell ends it; one that belongs to it is written twice".to_owned()
            );
        }
        if self.at == Place::Bare && self.cell.last() == Some(&b'\r') {
            self.cell.pop();
        }
        let cells = self.cells.into_iter().chain([self.cell]).map(String::from_utf8);
        cells.collect::<Result<_, _>>().map_err(|_| "the line is not UTF-8".to_owned())
    }
}

impl<R: BufRead> Records for Csv<R> {
    fn next_record(&mut self) -> io::Result<Option<(u64, Record)>> {
        let Some((line, row)) = self.next_row()? else { return Ok(None) };
        Ok(Some((line, row.and_then(|row| self.record(&row)))))
    }
}

impl<R> Csv<R> {
    /// The record of a row.
    fn record(&self, row: &[String]) -> Record {
        if let Some(surplus) =
            row.get(self.names.len()..).filter(|more| more.iter().any(|cell| !cell.is_empty()))
        {
            let (cells, columns) = (self.names.len() + surplus.len(), self.names.len());
            return Err(format!("there are {cells} cells, and the first line names {columns} columns"));
        }
        let cells = self.names.iter().zip(row).filter(|(name, cell)| !name.is_empty() && !cell.is_empty());
        let cells = cells.map(|(name, cell)| {
            (name.as_str(), if self.ours { plain(cell) } else { Cow::Borrowed(cell.as_str()) })
        });
        json::of_cells(cells, &self.sender)
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

    /// What becomes of each row: its line, and its detail or why it is refused.
    fn read(text: &str) -> Vec<(u64, Result<String, String>)> {
        let mut csv = Csv::new(text.as_bytes(), "x").unwrap();
        std::iter::from_fn(|| csv.next_record().unwrap())
            .map(|(line, record)| (line, record.map(|record| record.detail)))
            .collect()
    }

    fn refusals(text: &str) -> Vec<(u64, String)> {
        read(text).into_iter().filter_map(|(line, record)| Some((line, record.err()?))).collect()
    }

    #[test]
    fn a_header_without_a_user_or_with_a_column_twice_is_refused() {
        let refused = |text: &str| Csv::new(text.as_bytes(), "x").err().map(|error| error.to_string());
        assert!(refused("a,b\n1,2\n").unwrap().ends_with("must be user"));
        assert!(refused("user;action\n1;2\n").unwrap().ends_with("parted by semicolons: write commas"));
        assert!(refused("user\taction\n1\t2\n").unwrap().ends_with("parted by tabs: write commas"));
        assert!(refused("user,action\ra,b\r").unwrap().ends_with("write line feeds"));
        assert!(refused("user,action,ip,Public IP\n").unwrap().contains("the column ip twice"));
        assert!(refused("user,\"action\n").unwrap().starts_with("line 1: a quote that opens"));
        assert_eq!(refused("\u{feff}\"user\",action,,\n"), None);
    }

    #[test]
    fn what_stands_in_quotes_is_read_as_it_is_meant() {
        let text = "user,action,detail\na,b,\"c, \"\"d\"\"\r\n\r\n e\"\n\na,b\na,b,,\na,b,c \"d\",";
        let details: Vec<_> = read(text).into_iter().map(|(line, record)| (line, record.unwrap())).collect();
        let details: Vec<_> = details.iter().map(|(line, detail)| (*line, detail.as_str())).collect();
        assert_eq!(details, [(2, "c, \"d\"\r\n\r\n e"), (6, ""), (7, ""), (8, "c \"d\"")]);
    }

    #[test]
    fn a_quote_that_is_not_closed_costs_its_row_and_makes_no_other() {
        let rows = "user,action,detail\na,b,c\n";
        let open = format!("{rows}a,b,\"never\nx,y,z\nx,y,z\n");
        assert_eq!(refusals(&open), [(3, "a quote that opens a cell is never closed".to_owned())]);
        assert_eq!(read(&open).len(), 2);
        let closed_by_the_next = format!("{rows}a,b,\"never\nx,y,\"z\"\nx,y,z\n");
        let read = read(&closed_by_the_next);
        assert_eq!(read.len(), 3, "{read:?}");
        assert!(read[0].1.is_ok() && read[1].1.is_err() && read[1].0 == 3, "{read:?}");
        assert_eq!(read[2], (5, Ok("z".to_owned())));
    }

    #[test]
    fn a_row_of_a_quote_in_the_wrong_place_alone_is_refused_too() {
        let refused = refusals("user,action\n\"\"x\n\n\"\" \na,b\n\"\"x");
        assert_eq!(refused.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 4, 6], "{refused:?}");
        assert!(refused.iter().all(|(_, why)| why.starts_with("a quote in the middle")), "{refused:?}");
    }

    #[test]
    fn cells_without_a_column_are_refused_and_empty_ones_say_nothing() {
        let refused = refusals("user,action\na,b,c\na,b,\na,b,,c\n");
        let told = |cells| format!("there are {cells} cells, and the first line names 2 columns");
        assert_eq!(refused, [(2, told(3)), (4, told(4))]);
    }

    #[test]
    fn a_row_that_is_too_long_is_refused_and_the_next_is_not() {
        let long = "x".repeat(limits::RECORD);
        let text = format!("user,action,detail\na,b,\"{long}\n{long}\"\na,b,{long}\na,b,c\n");
        let read = read(&text);
        assert_eq!(read[0], (2, Err(json::too_long())));
        assert_eq!(read[1], (4, Err(json::too_long())));
        assert_eq!(read[2], (5, Ok("c".to_owned())));
    }
}
