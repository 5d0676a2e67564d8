//! `POST /activity`: programs write to the log.
//!
//! NDJSON is taken as it comes, a few hundred lines at a time, so that a body of any length needs little
//! memory. What is counted as accepted is on disk.

use std::{io, pin::Pin};

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use rocket::{Data, Request, data::ByteUnit, http::Status, post, request::FromRequest, routes};
use serde::Serialize;
use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

use crate::{
    model::activity::{NewActivity, limits},
    store::Appended,
    web::{
        door::{ActivityWrite, Program},
        failure::Failure,
        ingest::{Record, json},
        wire::Answer,
    },
};

/// The largest JSON object or array, unpacked: it is held in memory.
const JSON: usize = 32 << 20;

/// The largest body on the wire.
const BODY: u64 = 4 << 30;

/// The most that NDJSON may unpack to.
const UNPACKED: u64 = 16 << 30;

/// How many records go into one transaction.
const BATCH: usize = 1000;

/// The most refusals that are listed one by one.
const REFUSALS: usize = 10_000;

#[derive(Serialize)]
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
    let body = BufReader::new(data.open(ByteUnit::from(BODY)));
    let body: Pin<Box<dyn AsyncRead + Send>> = match kind.packing {
        Packing::None => Box::pin(body),
        // Packed files that were joined are one packed file: shippers send them so.
        Packing::Gzip => {
            let mut unpacked = GzipDecoder::new(body);
            unpacked.multiple_members(true);
            Box::pin(unpacked)
        }
        Packing::Zstd => {
            let mut unpacked = ZstdDecoder::new(body);
            unpacked.multiple_members(true);
            Box::pin(unpacked)
        }
    };
    let mut taking = Taking { program: &program, waiting: Vec::new(), taken: Taken::default() };
    if kind.lines {
        lines(&mut taking, BufReader::with_capacity(64 << 10, body.take(UNPACKED))).await?;
    } else {
        whole(&mut taking, body).await?;
    }
    taking.flush().await?;
    let taken = taking.taken;
    let good = taken.accepted + taken.duplicates > 0;
    if !good && taken.rejected.is_empty() {
        return Err(Failure::bad_request("the body holds no activity"));
    }
    Ok((if good { Status::Ok } else { Status::BadRequest }, Answer(taken)))
}

/// Records on their way to disk.
struct Taking<'a, 'r> {
    program: &'a Program<'r, ActivityWrite>,
    waiting: Vec<NewActivity>,
    taken: Taken,
}

impl Taking<'_, '_> {
    async fn push(&mut self, line: u64, record: Record) -> Result<(), Failure> {
        let admitted = record.and_then(|mut activity| {
            if activity.app.is_empty() {
                self.program.name().clone_into(&mut activity.app);
            }
            self.program.app.admit(activity).map_err(|error| error.to_string())
        });
        match admitted {
            Ok(activity) => self.waiting.push(activity),
            Err(error) if self.taken.rejected.len() < REFUSALS => {
                self.taken.rejected.push(Refusal { line, error });
            }
            Err(_) => {
                return Err(Failure::bad_request(format!(
                    "more than {REFUSALS} records were refused; the first: {}",
                    self.taken.rejected[0].error
                )));
            }
        }
        if self.waiting.len() >= BATCH {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        for appended in self.program.app.ingest(std::mem::take(&mut self.waiting)).await? {
            match appended {
                Appended::New(id) => {
                    self.taken.accepted += 1;
                    self.taken.last = Some(id.to_string());
                }
                Appended::Duplicate(id) => {
                    self.taken.duplicates += 1;
                    self.taken.last = Some(id.to_string());
                }
            }
        }
        Ok(())
    }
}

/// One object, or an array of them.
async fn whole(taking: &mut Taking<'_, '_>, body: impl AsyncRead + Unpin) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    let read = body.take(JSON as u64 + 1).read_to_end(&mut bytes).await;
    read.map_err(|error| unreadable(&error))?;
    if bytes.len() > JSON {
        return Err(Failure::too_large(JSON as u64));
    }
    let value: Value = serde_json::from_slice(&bytes)
        .map_err(|error| Failure::bad_request(format!("the body is not JSON: {error}")))?;
    let records = match value {
        Value::Array(records) => records,
        one => vec![one],
    };
    for (line, value) in (1..).zip(records) {
        taking.push(line, json::record(value, taking.program.name())).await?;
    }
    Ok(())
}

async fn lines(taking: &mut Taking<'_, '_>, mut body: impl AsyncBufRead + Unpin) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        if read_line(&mut body, &mut bytes).await.map_err(|error| unreadable(&error))? == 0 {
            break;
        }
        if let Some(record) = json::line(&bytes, taking.program.name()) {
            taking.push(number, record).await?;
        }
    }
    Ok(())
}

/// Reads a line of any length, and keeps as much of it as is needed to say that it is too long.
async fn read_line(input: &mut (impl AsyncBufRead + Unpin), into: &mut Vec<u8>) -> io::Result<usize> {
    let mut read = 0;
    loop {
        let available = input.fill_buf().await?;
        if available.is_empty() {
            return Ok(read);
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(available.len(), |end| end + 1);
        let room = (limits::RECORD + 2).saturating_sub(into.len());
        into.extend_from_slice(&available[..taken.min(room)]);
        input.consume(taken);
        read += taken;
        if end.is_some() {
            return Ok(read);
        }
    }
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::bad_request(format!("the body could not be read or unpacked: {error}"))
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![write]
}
