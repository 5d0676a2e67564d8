//! Downloads: CSV and NDJSON, row by row, of any length.
//!
//! A download is written in a thread of its own, a chunk at a time, and read from a short queue, so that it
//! takes the same little memory whatever its length. Where something fails in the middle the connection is
//! broken off: what looks whole is whole.

use std::{
    borrow::Cow,
    io::{self, Write},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use csv::QuoteStyle;
use rocket::{
    Request, Response,
    http::{ContentType, Header},
    response::{self, Responder},
};
use tokio::{
    io::{AsyncRead, ReadBuf},
    runtime::Handle,
    sync::mpsc,
    time,
};

use super::{
    door::Lease,
    wire::{self, ActivityWire},
};
use crate::{domain::export::Export, model::activity::Activity};

/// How long a reader of a download may take nothing.
const PATIENCE: Duration = Duration::from_mins(1);

/// The last chunk: without it a download is not whole, whatever came before.
const END: Vec<u8> = Vec::new();

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

/// A cell of a CSV file. Only text can be dangerous: numbers and times are our own.
enum Cell<'a> {
    Text(Cow<'a, str>),
    Own(String),
}

impl Format {
    /// What stands before the first activity.
    pub fn head(&self) -> Vec<u8> {
        match self {
            Self::Ndjson => Vec::new(),
            Self::Csv { attributes, raw } => {
                let names = COLUMNS.iter().copied().chain(attributes.iter().map(String::as_str));
                let mut rows = Rows::new(*raw);
                rows.push(names.map(text));
                rows.finish()
            }
        }
    }

    /// Activities, written down.
    pub fn write(&self, activities: &[Activity]) -> Vec<u8> {
        match self {
            Self::Csv { attributes, raw } => {
                let mut rows = Rows::new(*raw);
                for activity in activities {
                    rows.push(cells(activity, attributes));
                }
                rows.finish()
            }
            Self::Ndjson => {
                let mut bytes = Vec::with_capacity(activities.len() * 512);
                for activity in activities {
                    // Strings and numbers into memory: nothing there can fail.
                    let _ = serde_json::to_writer(&mut bytes, &ActivityWire::from(activity));
                    bytes.push(b'\n');
                }
                bytes
            }
        }
    }

    const fn ending(&self) -> &'static str {
        match self {
            Self::Csv { raw: true, .. } => "raw.csv",
            Self::Csv { .. } => "csv",
            Self::Ndjson => "ndjson",
        }
    }
}

fn text(text: &str) -> Cell<'_> {
    Cell::Text(text.into())
}

fn cells<'a>(activity: &'a Activity, attributes: &'a [String]) -> impl Iterator<Item = Cell<'a>> {
    let attribute = |name: &String| activity.attributes.iter().find(|(known, _)| known == name);
    [
        Cell::Own(wire::time(activity.time)),
        text(&activity.user),
        text(&activity.action),
        text(&activity.detail),
        text(&activity.app),
        text(activity.outcome.as_str()),
        Cell::Own(activity.ip.map(|ip| ip.to_string()).unwrap_or_default()),
        text(activity.place.city.as_deref().unwrap_or_default()),
        Cell::Text(activity.place.location(activity.ip).into()),
        text(&activity.device.device),
        text(&activity.device.os),
        text(&activity.device.browser),
        text(activity.session.as_deref().unwrap_or_default()),
        Cell::Own(activity.id.to_string()),
    ]
    .into_iter()
    .chain(attributes.iter().map(move |name| text(attribute(name).map_or("", |(_, value)| value))))
}

/// Rows of a CSV file in memory.
struct Rows {
    writer: csv::Writer<Vec<u8>>,
    style: QuoteStyle,
    raw: bool,
}

impl Rows {
    fn new(raw: bool) -> Self {
        Self { writer: writer(QuoteStyle::Necessary, Vec::new()), style: QuoteStyle::Necessary, raw }
    }

    /// Writes one row. Where a cell was neutralised, or holds what some spreadsheets split at, the whole row
    /// is quoted.
    fn push<'a>(&mut self, cells: impl Iterator<Item = Cell<'a>>) {
        let mut careful = false;
        let cells: Vec<Cow<'_, str>> = cells
            .map(|cell| match cell {
                Cell::Own(text) => Cow::Owned(text),
                Cell::Text(text) if self.raw => text,
                Cell::Text(text) => {
                    let changed = match neutral(&text) {
                        Cow::Owned(neutral) => Some(neutral),
                        Cow::Borrowed(_) => None,
                    };
                    careful |= changed.is_some() || text.contains([';', '\t']);
                    changed.map_or(text, Cow::Owned)
                }
            })
            .collect();
        let style = if careful { QuoteStyle::Always } else { QuoteStyle::Necessary };
        if std::mem::discriminant(&style) != std::mem::discriminant(&self.style) {
            let so_far = std::mem::replace(&mut self.writer, writer(style, Vec::new())).into_inner();
            self.writer = writer(style, so_far.unwrap_or_default());
            self.style = style;
        }
        // A writer into memory does not fail.
        let _ = self.writer.write_record(cells.iter().map(|cell| cell.as_bytes()));
    }

    fn finish(self) -> Vec<u8> {
        self.writer.into_inner().unwrap_or_default()
    }
}

fn writer(style: QuoteStyle, into: Vec<u8>) -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).quote_style(style).from_writer(into)
}

/// Text as a spreadsheet shows it and never runs it: a quote goes before whatever would begin a formula
/// (OWASP, CSV Injection; ASVS 5.0, 1.2.10), also behind white space, which some skip.
fn neutral(text: &str) -> Cow<'_, str> {
    let skipped = |c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\0' | '"' | '\'');
    let runs = |c: char| matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠');
    let first = text.chars().next();
    let dangerous = first.is_some_and(|c| matches!(c, '\t' | '\r' | '\n' | '\0'))
        || text.chars().find(|c| !skipped(*c)).is_some_and(runs);
    if dangerous { format!("'{text}").into() } else { text.into() }
}

/// Text as it was before [`neutral`] put a quote before it.
pub(super) fn plain(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if matches!(neutral(rest), Cow::Owned(_)) => rest,
        _ => text,
    }
}

/// A download under way.
pub struct Download {
    name: String,
    kind: ContentType,
    rows: u64,
    chunks: mpsc::Receiver<io::Result<Vec<u8>>>,
}

impl Download {
    /// Begins to write `export` in `format`. It stops when nobody reads it any more, and breaks off when
    /// the session that asked for it ends.
    pub fn begin(mut export: Export, format: Format, date: jiff::civil::Date, lease: Lease) -> Self {
        let (sender, chunks) = mpsc::channel(4);
        let download = Self {
            name: format!("activity-{date}.{}", format.ending()),
            kind: match format {
                Format::Csv { .. } => ContentType::new("text", "csv").with_params(("charset", "utf-8")),
                Format::Ndjson => ContentType::new("application", "x-ndjson"),
            },
            rows: export.rows(),
            chunks,
        };
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || {
            // A reader that stands still must not hold the thread, and the moment it reads, for ever.
            let send = |chunk| {
                let sending = time::timeout(PATIENCE, sender.send(chunk));
                runtime.block_on(sending).is_ok_and(|sent| sent.is_ok())
            };
            let head = format.head();
            if head != END && !send(Ok(head)) {
                return;
            }
            loop {
                if lease.over() {
                    let _ =
                        send(Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the session has ended")));
                    return;
                }
                let chunk = match export.next_chunk() {
                    Ok(None) => {
                        let _ = send(Ok(END));
                        return;
                    }
                    Ok(Some(activities)) => Ok(format.write(&activities)),
                    Err(error) => {
                        log::error!("an export broke off: {error}");
                        Err(io::Error::other("the export failed"))
                    }
                };
                let failed = chunk.is_err();
                if !send(chunk) || failed {
                    return;
                }
            }
        });
        download
    }
}

impl<'r> Responder<'r, 'static> for Download {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        Response::build()
            .header(self.kind)
            .header(Header::new("Content-Disposition", format!("attachment; filename=\"{}\"", self.name)))
            .header(Header::new("Rows", self.rows.to_string()))
            .streamed_body(Chunks { chunks: self.chunks, current: io::Cursor::new(Vec::new()) })
            .ok()
    }
}

/// Chunks from a queue as one stream of bytes; an error in it breaks the connection.
struct Chunks {
    chunks: mpsc::Receiver<io::Result<Vec<u8>>>,
    current: io::Cursor<Vec<u8>>,
}

impl AsyncRead for Chunks {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let room = into.initialize_unfilled();
            let read = io::Read::read(&mut self.current, room)?;
            if read > 0 {
                into.advance(read);
                return Poll::Ready(Ok(()));
            }
            match ready!(self.chunks.poll_recv(context)) {
                // Whoever wrote has gone without a word.
                None => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Some(chunk) => match chunk? {
                    end if end == END => return Poll::Ready(Ok(())),
                    chunk => self.current = io::Cursor::new(chunk),
                },
            }
        }
    }
}

/// Writes an export to wherever a command wants it; `progress` hears of every chunk's rows.
pub fn write_all(
    mut export: Export,
    format: &Format,
    into: &mut dyn Write,
    mut progress: impl FnMut(u64),
) -> Result<u64, WriteError> {
    into.write_all(&format.head())?;
    let mut rows = 0;
    while let Some(activities) = export.next_chunk()? {
        into.write_all(&format.write(&activities))?;
        rows += activities.len() as u64;
        progress(rows);
    }
    into.flush()?;
    Ok(rows)
}

/// Why an export was not written to its end.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The log could not be read.
    #[error(transparent)]
    Look(#[from] crate::domain::activity::LookError),
    /// What it was written to failed.
    #[error("the export could not be written: {0}")]
    Io(#[from] io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_run_is_text() {
        for text in
            ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "\u{feff}=1", "\"=1", "\t"]
        {
            assert_eq!(neutral(text), format!("'{text}"), "{text:?}");
        }
        for text in ["", "backup", "a=b", "1-2", "'quoted'", "{\"a\": \"=1\"}"] {
            assert_eq!(neutral(text), text);
        }
        for text in ["=1", "'=1", "''=1", "'a", "a", "", "\t"] {
            assert_eq!(plain(&neutral(text)), text, "what was neutralised can be read back");
        }
    }

    #[test]
    fn cells_are_quoted_as_rfc_4180_says() {
        let mut rows = Rows::new(false);
        rows.push(["a,b", "c\"d", "e\r\nf", ""].into_iter().map(text));
        rows.push(["=1", "b;c"].into_iter().map(text));
        rows.push(["g"].into_iter().map(text));
        let bytes = rows.finish();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "\"a,b\",\"c\"\"d\",\"e\r\nf\",\r\n\"'=1\",\"b;c\"\r\ng\r\n"
        );
    }
}
