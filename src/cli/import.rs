//! `activity import`: activities from a file, as many as are good.

use std::io::{self, BufReader, Read, Write};

use anyhow::Context;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;

use super::{
    run::{Io, NO},
    shown::plain,
};
use crate::{
    domain::App,
    model::{
        activity::{NewActivity, SenderKey},
        noun::activities,
        user::Actor,
    },
    store::Appended,
    web::ingest::{Records, csv::Csv, json::Ndjson},
};

/// How many records go into one transaction.
const BATCH: usize = 2000;

/// How many refused records are shown one by one.
const SHOWN: u64 = 20;

/// How much of a file is looked at to know what it is, in bytes.
const HEAD: u64 = 1 << 16;

/// What became of the records so far.
#[derive(Default)]
struct Tally {
    accepted: u64,
    duplicates: u64,
    refused: u64,
    /// The line the last record began in.
    line: u64,
}

impl Tally {
    fn count(&mut self, appended: &[Appended]) {
        for appended in appended {
            match appended {
                Appended::New(_) => self.accepted += 1,
                Appended::Duplicate(_) => self.duplicates += 1,
            }
        }
    }
}

/// Imports what `io` reads; `name` is the file's.
pub(super) fn import(app: &App, runtime: &Handle, name: &str, io: &mut Io<'_>) -> anyhow::Result<u8> {
    let mut records = records(&mut *io.input, name)?;
    let mut tally = Tally::default();
    let mut told = |rows| io.progress.rows(rows, None);
    let read = read_all(app, runtime, &mut *records, &mut tally, io.out, &mut told);
    // Whatever broke, what was taken is in the log, and so is that it came from here.
    let Tally { accepted, duplicates, refused, line } = tally;
    runtime.block_on(app.tell_of_import(&Actor::console(), name, accepted, refused))?;
    read.with_context(|| {
        format!("{name} broke off behind line {line}; {} taken; get it again and import it once more, nothing is taken twice that has an id", activities(accepted))
    })?;
    if refused > SHOWN {
        writeln!(io.out, "and {} more were refused", refused - SHOWN)?;
    }
    writeln!(io.out, "{} taken, {duplicates} were there already, {refused} refused", activities(accepted))?;
    Ok(if accepted + duplicates == 0 { NO } else { 0 })
}

/// The records of a file of this name, whatever it is: packed or not, NDJSON or CSV.
pub fn records<'a>(input: &'a mut (dyn Read + Send), name: &str) -> anyhow::Result<Box<dyn Records + 'a>> {
    let mut input = unpacked(input)?;
    let mut head = Vec::new();
    let looked = input.by_ref().take(HEAD).read_to_end(&mut head);
    let kind = Kind::of(&head);
    if kind == Kind::Nothing {
        looked.as_ref().map_err(|error| anyhow::anyhow!("{name} could not be read: {error}"))?;
    }
    let rest = Rest { failed: looked.err(), input };
    let input = BufReader::with_capacity(1 << 18, io::Cursor::new(head).chain(rest));
    Ok(match kind {
        Kind::Nothing => anyhow::bail!("{name} is empty"),
        Kind::Ndjson => Box::new(Ndjson::new(input, SENDER)),
        Kind::Utf16 => anyhow::bail!(
            "{name} is UTF-16, as some programs on Windows write; save it as UTF-8 (`iconv -f UTF-16 -t UTF-8`)"
        ),
        Kind::Array => anyhow::bail!("{name} is a JSON array; write one object a line (NDJSON), or CSV"),
        Kind::Csv => {
            let csv = Csv::new(input, SENDER).map_err(|error| {
                let none = error.kind() == io::ErrorKind::InvalidData;
                let what = if none { "is neither NDJSON nor CSV" } else { "could not be read" };
                anyhow::Error::from(error).context(format!("{name} {what}"))
            });
            Box::new(csv?)
        }
    })
}

/// Takes record after record, and what waits even where reading breaks off. While one batch goes to disk the next
/// is read.
fn read_all(
    app: &App,
    runtime: &Handle,
    records: &mut dyn Records,
    tally: &mut Tally,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> anyhow::Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    let mut writing = app.ingest(Vec::new());
    loop {
        let mut end: Option<anyhow::Result<()>> = None;
        match records.next_record() {
            Ok(Some((line, record))) => {
                tally.line = line;
                match record.and_then(|record| admitted(app, record)) {
                    Ok(activity) => batch.push(activity),
                    Err(why) => {
                        tally.refused += 1;
                        if tally.refused <= SHOWN {
                            let said = writeln!(out, "line {line}: {}", plain(&why));
                            end = said.err().map(|error| Err(error.into()));
                        }
                    }
                }
            }
            Ok(None) => end = Some(Ok(())),
            Err(error) => end = Some(Err(error.into())),
        }
        if batch.len() == BATCH || end.is_some() {
            tally.count(&runtime.block_on(writing)?);
            progress(tally.accepted + tally.duplicates);
            writing = app.ingest(std::mem::replace(&mut batch, Vec::with_capacity(BATCH)));
        }
        if let Some(end) = end {
            tally.count(&runtime.block_on(writing)?);
            progress(tally.accepted + tally.duplicates);
            return end;
        }
    }
}

/// Who an imported id is unique for: all imports together.
const SENDER: &str = "import";

/// A record that is held against the limits, with an id that is of this very record. Files from different sources count from
/// one each, so an id alone would make their records each other's duplicates.
fn admitted(app: &App, record: NewActivity) -> Result<NewActivity, String> {
    let key = key(&record);
    let admitted = app.admit(record).map_err(|error| error.to_string())?;
    Ok(NewActivity { key, ..admitted })
}

/// The id of a record that brings one: a digest over all that the file says of it, field by field. It stands in the log for good and has to
/// be the same whenever the file comes again, by whatever version it is read; so the form is written down here and never changes. What is
/// empty is left out: a field that a later version knows changes nothing for the records without it.
fn key(record: &NewActivity) -> Option<SenderKey> {
    let own = record.key.as_ref()?;
    let (place, device) = (&record.place, &record.device);
    let time = record.time.map(|at| at.as_millisecond().to_string());
    let ip = record.ip.map(|ip| ip.to_string());
    let fields = [
        ("id", Some(own.id.as_str())),
        ("time", time.as_deref()),
        ("user", Some(&record.user)),
        ("action", Some(&record.action)),
        ("detail", Some(&record.detail)),
        ("app", Some(&record.app)),
        ("outcome", Some(record.outcome.as_str())),
        ("session", record.session.as_deref()),
        ("ip", ip.as_deref()),
        ("city", place.city.as_deref()),
        ("region", place.region.as_deref()),
        ("country", place.country.as_deref()),
        ("device", Some(&device.device)),
        ("os", Some(&device.os)),
        ("browser", Some(&device.browser)),
        ("user_agent", record.user_agent.as_deref()),
        ("target", record.target.as_deref()),
    ];
    let mut digest = Sha256::new_with_prefix("rollcall import 1");
    // Each part behind its length, so that no two records are the same text.
    let mut add = |part: &str| {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    };
    for (name, text) in fields {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            add(name);
            add(text);
        }
    }
    let mut attributes: Vec<_> = record.attributes.iter().collect();
    attributes.sort_unstable();
    for (name, value) in attributes {
        // No field's name has a dot.
        add(&format!("attr.{name}"));
        add(value);
    }
    Some(SenderKey { sender: SENDER.to_owned(), id: HEXLOWER.encode(&digest.finalize()) })
}

/// The input as it was before it was packed, if it was.
fn unpacked<'a>(input: &'a mut (dyn Read + Send)) -> anyhow::Result<Box<dyn Read + 'a>> {
    let mut head = [0; 4];
    let mut read = 0;
    while read < head.len() {
        match input.read(&mut head[read..])? {
            0 => break,
            more => read += more,
        }
    }
    let whole = io::Cursor::new(head[..read].to_vec()).chain(input);
    Ok(match &head[..read] {
        [0x1f, 0x8b, ..] => Box::new(Packed(flate2::read::MultiGzDecoder::new(whole))),
        [0x28, 0xb5, 0x2f, 0xfd] => Box::new(Packed(zstd::Decoder::new(whole)?)),
        _ => Box::new(whole),
    })
}

/// What is unpacked. Where that goes no further, the packers' own words (`incomplete frame`) help nobody.
struct Packed<R>(R);

impl<R: Read> Read for Packed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            io::ErrorKind::UnexpectedEof => io::Error::other("it ends in the middle of what was packed"),
            _ => io::Error::other(format!("what was packed is damaged ({error})")),
        })
    }
}

/// What comes behind the head of a file. Where reading failed while the head was looked at, that is the end of it.
struct Rest<R> {
    failed: Option<io::Error>,
    input: R,
}

impl<R: Read> Read for Rest<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.failed.take().map_or_else(|| self.input.read(into), Err)
    }
}

/// What a file is, by how it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Nothing,
    Utf16,
    Ndjson,
    Array,
    Csv,
}

impl Kind {
    /// What begins with `head`. Lines of objects are that also where the first line is none, as when a file was cut out of another in
    /// the middle of a line: it is refused by its number, and the others are taken.
    fn of(head: &[u8]) -> Self {
        // Its mark, or letters of which each has a byte of zero beside it.
        let zeros = [0, 1, 2, 3].map(|at| head.get(at).is_some_and(|byte| *byte == 0));
        let pairs = zeros == [true, false, true, false] || zeros == [false, true, false, true];
        if matches!(head, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) || pairs {
            return Self::Utf16;
        }
        let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
        let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let first = lines.next().unwrap_or_default();
        match first.first() {
            None => Self::Nothing,
            Some(b'{') => Self::Ndjson,
            Some(b'[') => Self::Array,
            Some(_) if names_columns(first) => Self::Csv,
            Some(_) => {
                let object = |line: &[u8]| line.starts_with(b"{\"") && line.ends_with(b"}");
                if lines.any(object) { Self::Ndjson } else { Self::Csv }
            }
        }
    }
}

/// Whether a line may be the first of a CSV file: some of its columns are ours.
fn names_columns(line: &[u8]) -> bool {
    let names = line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let bare = |name: &[u8]| {
        name.iter().filter(|byte| **byte != b'"').map(u8::to_ascii_lowercase).collect::<Vec<_>>()
    };
    names.map(bare).filter(|name| matches!(name.as_slice(), b"user" | b"action" | b"activity")).count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::activity::Outcome;

    #[test]
    fn a_record_that_comes_again_has_the_id_that_it_had() {
        let mut record = NewActivity::new("ann", "edit", "wiki").saying("Żółw").to("page 9");
        assert_eq!(key(&record), None, "a record without an id may be another one like it");
        record.key = Some(SenderKey { sender: SENDER.to_owned(), id: "7".to_owned() });
        record.time = "2026-01-02T03:04:05.678Z".parse().ok();
        record.ip = "2001:db8::1".parse().ok();
        record.place.city = Some("Kraków".to_owned());
        record.device.os = "Linux".to_owned();
        record.attributes = vec![("size".to_owned(), "3".to_owned()), ("branch".to_owned(), String::new())];
        let id = |record: &NewActivity| key(record).unwrap().id;
        let first = id(&record);
        // Logs hold this: whoever changes it makes every file that is imported once more twice what it was.
        assert_eq!(first, "607417e398a1472146444f97037a944e4b88c4da791d18fd6f29afe4f0862b1e");
        record.attributes.reverse();
        record.session = Some(String::new());
        assert_eq!(id(&record), first, "in any order, and what is empty says nothing");
        let changes: [fn(&mut NewActivity); 6] = [
            |record| record.user = "bob".into(),
            |record| record.outcome = Outcome::Unknown,
            |record| record.time = None,
            |record| record.attributes[0].1 = "x".into(),
            |record| record.attributes.truncate(1),
            |record| record.key.as_mut().unwrap().id = "8".into(),
        ];
        for change in changes {
            let mut other = record.clone();
            change(&mut other);
            assert_ne!(id(&other), first, "{other:?}");
        }
    }

    #[test]
    fn a_file_is_known_by_how_it_begins_also_where_its_first_line_is_none_of_it() {
        for (head, kind) in [
            ("", Kind::Nothing),
            ("\u{feff} \n", Kind::Nothing),
            ("{\"user\":\"ann\"}", Kind::Ndjson),
            ("\u{feff}\n {}", Kind::Ndjson),
            ("[{}]", Kind::Array),
            ("user,action\nann,edit\n", Kind::Csv),
            ("Name,Age\nx,1\n", Kind::Csv),
            ("on\":\"edit\"}\n{\"user\":\"ann\"}\n", Kind::Ndjson),
            ("\"user\",Action,detail\nann,edit,\"\n{\"\"a\"\":1}\n\"\n", Kind::Csv),
        ] {
            assert_eq!(Kind::of(head.as_bytes()), kind, "{head}");
        }
        for head in [&b"\xff\xfeu\0s\0"[..], b"\xfe\xff\0u\0s", b"\0u\0s", b"u\0s\0"] {
            assert_eq!(Kind::of(head), Kind::Utf16, "{head:?}");
        }
        // What a log that was cut while it was written begins with.
        assert_eq!(Kind::of(b"\0\0\0\0\0\n{\"user\":\"ann\"}\n"), Kind::Ndjson);
        assert_eq!(Kind::of(b"{\0\"user\":\"ann\"}\n{\"user\":\"ann\"}\n"), Kind::Ndjson);
    }
}
