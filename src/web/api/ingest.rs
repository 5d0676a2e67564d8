//! `POST /activity`: programs write to the log.
//!
//! NDJSON is taken as it comes, some hundred kilobytes at a time, so that a body of any length needs little memory.
//! While one batch goes to disk the next is read and held against the limits, so that neither waits for the other.
//! What is counted as accepted is on disk.

use std::{io, pin::Pin};

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use rocket::{Data, Request, data::ByteUnit, http::Status, post, request::FromRequest, routes};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt, BufReader};

use crate::{
    domain::{App, ingest::IngestError},
    model::activity::NewActivity,
    store::Appended,
    web::{
        door::{ActivityWrite, Program},
        failure::Failure,
        ingest::{Record, json::Whole, lines::Blocks},
        looking::apart,
        wire::Answer,
    },
};

/// The largest JSON object or array, unpacked: it is held in memory.
const JSON: usize = 32 << 20;

/// The largest body on the wire.
const BODY: u64 = 4 << 30;

/// The most that NDJSON may unpack to.
const UNPACKED: u64 = 16 << 30;

/// How many records go into one transaction at most: a thousand a request is what shippers send.
const BATCH: usize = 2000;

/// From how many bytes on reading records would hold up other requests. A record takes some three microseconds.
const LONG: usize = 16 << 10;

/// How many bytes of a packed body are read at a time.
const READ: usize = 64 << 10;

/// The most refusals that are listed one by one.
const REFUSALS: usize = 10_000;

#[derive(Debug, Serialize)]
struct Refusal {
    line: u64,
    error: String,
}

#[derive(Default, Serialize)]
struct Taken {
    accepted: u64,
    duplicates: u64,
    rejected: Vec<Refusal>,
    last: Option<String>,
}

/// What the body is and how it is packed.
struct Kind {
    lines: bool,
    packing: Packing,
}

enum Packing {
    None,
    Gzip,
    Zstd,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Kind {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> rocket::request::Outcome<Self, ()> {
        let refuse = |message| {
            Failure::media_type(message).remember(request);
            rocket::outcome::Outcome::Error((Status::UnsupportedMediaType, ()))
        };
        let bare = |name| {
            let line: Option<&str> = request.headers().get_one(name);
            line.and_then(|line| line.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase()
        };
        let lines = match bare("Content-Type").as_str() {
            "application/json" => false,
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines" => true,
            _ => return refuse("send application/json or application/x-ndjson"),
        };
        let packing = match bare("Content-Encoding").as_str() {
            "" | "identity" => Packing::None,
            "gzip" | "x-gzip" => Packing::Gzip,
            "zstd" => Packing::Zstd,
            _ => return refuse("Content-Encoding is gzip, zstd or nothing"),
        };
        rocket::outcome::Outcome::Success(Self { lines, packing })
    }
}

#[post("/activity", data = "<data>")]
async fn write(
    program: Program<'_, ActivityWrite>,
    kind: Kind,
    data: Data<'_>,
) -> Result<(Status, Answer<Taken>), Failure> {
    // One more than may come, so that what is too long is not taken for its beginning.
    let body = data.open(ByteUnit::from(BODY + 1));
    let most = if matches!(kind.packing, Packing::None) { BODY } else { UNPACKED };
    let body: Pin<Box<dyn AsyncRead + Send>> = match kind.packing {
        Packing::None => Box::pin(body),
        // Packed files that were joined are one packed file: shippers send them so.
        Packing::Gzip => {
            let mut unpacked = GzipDecoder::new(BufReader::with_capacity(READ, body));
            unpacked.multiple_members(true);
            Box::pin(unpacked)
        }
        Packing::Zstd => {
            let mut unpacked = ZstdDecoder::new(BufReader::with_capacity(READ, body));
            unpacked.multiple_members(true);
            Box::pin(unpacked)
        }
    };
    let mut taking =
        Taking { app: program.app, name: program.name(), writing: None, taken: Taken::default() };
    let read = if kind.lines { taking.lines(body, most).await } else { taking.whole(body).await };
    // Whatever stopped the reading, nothing is under way any more when it is answered.
    let written = taking.settle().await;
    read?;
    written?;
    let taken = taking.taken;
    let good = taken.accepted + taken.duplicates > 0;
    if !good && taken.rejected.is_empty() {
        return Err(Failure::bad_request("the body holds no activity"));
    }
    Ok((if good { Status::Ok } else { Status::BadRequest }, Answer(taken)))
}

/// Records on their way to disk.
struct Taking<'a> {
    app: &'a App,
    /// The program's.
    name: &'a str,
    /// The batch that is being written. There is never more than one: where it fails, none behind it was begun.
    writing: Option<Writing>,
    taken: Taken,
}

type Writing = Pin<Box<dyn Future<Output = Result<Vec<Appended>, IngestError>> + Send>>;

impl Taking<'_> {
    async fn lines(&mut self, body: impl AsyncRead + Unpin, most: u64) -> Result<(), Failure> {
        let mut blocks = Blocks::new(body, self.name, most);
        while let Some(block) = blocks.next().await.map_err(|error| match error.kind() {
            io::ErrorKind::FileTooLarge => Failure::too_large(most),
            _ => unreadable(&error),
        })? {
            let long = block.length() > LONG;
            self.take(block, long).await?;
        }
        Ok(())
    }

    /// One object, or an array of them.
    async fn whole(&mut self, body: impl AsyncRead + Unpin) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        let read = body.take(JSON as u64 + 1).read_to_end(&mut bytes).await;
        read.map_err(|error| unreadable(&error))?;
        if bytes.len() > JSON {
            return Err(Failure::too_large(JSON as u64));
        }
        let text = String::from_utf8(bytes).map_err(|_| Failure::bad_request("the body is not UTF-8"))?;
        let (long, name) = (text.len() > LONG, self.name.to_owned());
        let read = move |_: App| {
            Whole::read(text, &name)
                .map_err(|error| Failure::bad_request(format!("the body is not JSON: {error}")))
        };
        let records = if long { apart(self.app, read).await? } else { read(self.app.clone())? };
        self.take((1..).zip(records), long).await
    }

    /// Takes all of `records`, a batch at a time; `long` where reading them takes its time.
    async fn take(
        &mut self,
        records: impl Iterator<Item = (u64, Record)> + Send + 'static,
        long: bool,
    ) -> Result<(), Failure> {
        let mut records = records.fuse();
        loop {
            let name = self.name.to_owned();
            let read = move |app: App| {
                let batch = Batch::read(&app, &name, &mut records);
                Ok::<_, Failure>((batch, records))
            };
            let batch;
            (batch, records) = if long { apart(self.app, read).await? } else { read(self.app.clone())? };
            let last = batch.admitted.len() < BATCH;
            self.refuse(batch.refused)?;
            self.settle().await?;
            self.writing = Some(Box::pin(self.app.ingest(batch.admitted)));
            if last {
                return Ok(());
            }
        }
    }

    fn refuse(&mut self, refused: Vec<Refusal>) -> Result<(), Failure> {
        let rejected = &mut self.taken.rejected;
        rejected.extend(refused);
        if rejected.len() > REFUSALS {
            return Err(Failure::bad_request(format!(
                "more than {REFUSALS} records were refused; the first: {}",
                rejected[0].error
            )));
        }
        Ok(())
    }

    /// Waits for the batch that is being written, and counts it.
    async fn settle(&mut self) -> Result<(), Failure> {
        let Some(writing) = self.writing.take() else { return Ok(()) };
        let mut last = None;
        for appended in writing.await? {
            let (count, id) = match appended {
                Appended::New(id) => (&mut self.taken.accepted, id),
                Appended::Duplicate(id) => (&mut self.taken.duplicates, id),
            };
            *count += 1;
            last = Some(id);
        }
        self.taken.last = last.map(|id| id.to_string()).or(self.taken.last.take());
        Ok(())
    }
}

/// Records that were read and held against the limits.
#[derive(Default)]
struct Batch {
    admitted: Vec<NewActivity>,
    refused: Vec<Refusal>,
}

impl Batch {
    /// Reads until the batch is full, or so much was refused that there is no point in going on.
    fn read(app: &App, name: &str, records: &mut impl Iterator<Item = (u64, Record)>) -> Self {
        let mut batch = Self::default();
        for (line, record) in records {
            let admitted = record.and_then(|mut activity| {
                if activity.app.is_empty() {
                    name.clone_into(&mut activity.app);
                }
                app.admit(activity).map_err(|error| error.to_string())
            });
            match admitted {
                Ok(activity) => batch.admitted.push(activity),
                Err(error) => batch.refused.push(Refusal { line, error }),
            }
            if batch.admitted.len() == BATCH || batch.refused.len() > REFUSALS {
                break;
            }
        }
        batch
    }
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::bad_request(format!("the body could not be read or unpacked: {error}"))
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![write]
}
