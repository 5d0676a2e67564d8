//! `POST /activity`: programs write to the log.
//!
//! NDJSON is taken as it comes, some hundred kilobytes at a time, so that a body of any length needs little memory.
//! While one batch goes to disk the next is read and held against the limits, so that neither waits for the other.
//! What is counted as accepted is on disk.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use percent_encoding::percent_decode_str;
use rocket::{Data, Request, http::Status, post, request::FromRequest};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

use crate::{
    domain::{
        App,
        ingest::{Entry, IngestError, Load, RecordError, Voice},
    },
    model::activity::{NewActivity, Outcome},
    web::{
        door::{ActivityWrite, Program},
        failure::{Failure, Reason, Refusal},
        ingest::{
            Record,
            body::{self, Packing, Unpacked, bare, unreadable},
            cloudevents,
            json::Whole,
            lines::Blocks,
            take::{BATCH, admit},
        },
        looking::apart,
        openapi::described,
        wire::Answer,
    },
};

/// From how many bytes on reading records would hold up other requests. A record takes some three microseconds.
const LONG: usize = 16 << 10;

/// Up to how many bytes a body of lines is a short one, of which many may come at once.
const SHORT: usize = 64 << 10;

/// The most refusals that are listed one by one.
const REFUSALS: usize = 10_000;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordRefusal)]
struct Refused {
    /// Which record, counted from 1.
    line: u64,
    /// What is wrong with it.
    error: String,
}

#[derive(Default, Serialize, ToSchema)]
#[schema(as = Taken, example = json!({"accepted": 2, "duplicates": 0, "rejected": [{"line": 3, "error": "user is missing or empty"}], "last": "00000000000g2"}))]
struct Taken {
    /// How many were written.
    accepted: u64,
    /// How many were there already, by the sender's own `id`: those too that say something else under it, which are named below.
    duplicates: u64,
    /// Which were not written, and why: the first ten thousand. Where the body broke off, the last is the line from which on nothing
    /// was read.
    rejected: Vec<Refused>,
    /// How many more were refused.
    #[serde(skip_serializing_if = "is_zero")]
    rejected_more: u64,
    /// The id of the last one that was written or known.
    last: Option<String>,
    /// Where none was good: what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Reason>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What programs send: only `user` and `action` are required, and what is not named here is kept as an attribute.
#[derive(ToSchema)]
#[schema(as = NewActivity, example = json!({
    "user": "ann", "action": "backup", "detail": "Account_2024.csv", "outcome": "success", "ip": "81.2.69.142"
}))]
#[expect(
    dead_code,
    reason = "it is there for the document; records are read field by field, in `web::ingest`"
)]
struct NewRecord {
    /// Who did it.
    user: String,
    /// What they did.
    action: String,
    /// In words.
    detail: Option<String>,
    /// When it happened, to the millisecond; now if not given. RFC 3339 with its zone, or a number since 1970, as such or as text, of which
    /// the digits before the point say what it counts: 9 or 10 are seconds, 12 or 13 milliseconds, 15 or 16 microseconds, 18 or 19
    /// nanoseconds.
    #[schema(value_type = Option<Time>, inline)]
    time: Option<String>,
    /// In which program; the token's name if not given. `rollcall` is not to be had.
    app: Option<String>,
    /// How it came out.
    outcome: Option<Outcome>,
    /// In which session. Place and device are taken from it where it is one of Rollcall's.
    session: Option<String>,
    /// From where; the place is looked up.
    ip: Option<String>,
    /// On what; the device is looked up.
    user_agent: Option<String>,
    /// To what or whom.
    target: Option<String>,
    /// The sender's own, at most 128 bytes: what is sent again under it is not written, and named where it says something else.
    id: Option<String>,
    /// Whatever else there is to know.
    attributes: Option<std::collections::BTreeMap<String, String>>,
}

/// A time as it may be sent.
enum Time {}

impl utoipa::PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        let text = utoipa::openapi::schema::ObjectBuilder::new()
            .schema_type(utoipa::openapi::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::DateTime)))
            .examples(["2026-01-31T08:00:00Z"]);
        let number = utoipa::openapi::schema::ObjectBuilder::new()
            .schema_type(utoipa::openapi::Type::Number)
            .minimum(Some(EARLIEST))
            .examples([1_769_846_400, 1_769_846_400_000_i64]);
        utoipa::openapi::schema::OneOfBuilder::new().item(text).item(number).into()
    }
}

impl ToSchema for Time {}

/// The least number that is a time: of nine digits, in seconds, it lies in 1973.
const EARLIEST: u64 = 100_000_000;

/// One record, or many.
enum Records {}

impl utoipa::PartialSchema for Records {
    fn schema() -> RefOr<Schema> {
        let many = utoipa::openapi::schema::ArrayBuilder::new()
            .items(<NewRecord as utoipa::PartialSchema>::schema());
        utoipa::openapi::schema::OneOfBuilder::new()
            .item(<NewRecord as utoipa::PartialSchema>::schema())
            .item(many)
            .into()
    }
}

impl ToSchema for Records {}

/// What is answered where no record was good.
enum NoneTaken {}

impl utoipa::PartialSchema for NoneTaken {
    fn schema() -> RefOr<Schema> {
        let mut either = utoipa::openapi::schema::AnyOfBuilder::new()
            .item(<Taken as utoipa::PartialSchema>::schema())
            .item(<Refusal as utoipa::PartialSchema>::schema())
            .build();
        let error = "user is missing or empty";
        let message = format!("no activity of the body could be taken; line 1: {error}");
        either.example = Some(serde_json::json!({
            "accepted": 0, "duplicates": 0, "rejected": [{"line": 1, "error": error}], "last": null,
            "error": {"code": "bad_request", "message": message}
        }));
        Schema::AnyOf(either).into()
    }
}

impl ToSchema for NoneTaken {}

/// What the body is.
enum Kind {
    Json,
    Lines,
    /// The data of a `CloudEvent` in binary mode: what its headers say of it, and its `Content-Type`.
    Event(Vec<(String, String)>, String),
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Kind {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> rocket::request::Outcome<Self, ()> {
        let headers = request.headers();
        if headers.contains("ce-specversion") {
            let attributes = headers.iter().filter_map(|header| {
                let name = header.name().as_str().to_ascii_lowercase();
                let value = percent_decode_str(header.value()).decode_utf8_lossy().into_owned();
                name.strip_prefix("ce-").map(|name| (name.to_owned(), value))
            });
            let content_type = headers.get_one("Content-Type").unwrap_or_default().to_ascii_lowercase();
            return rocket::outcome::Outcome::Success(Self::Event(attributes.collect(), content_type));
        }
        rocket::outcome::Outcome::Success(match bare(request, "Content-Type").as_str() {
            "application/json" | "application/cloudevents+json" | "application/cloudevents-batch+json" => {
                Self::Json
            }
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines" => Self::Lines,
            _ => {
                Failure::media_type("send application/json, application/x-ndjson or a CloudEvent")
                    .remember(request);
                return rocket::outcome::Outcome::Error((Status::UnsupportedMediaType, ()));
            }
        })
    }
}

/// Write activities to the log.
///
/// One object, an array of them, or NDJSON, packed with gzip, deflate or zstd or not; documents of the Elastic Common Schema and
/// `CloudEvents` too. What is counted as accepted is on disk before the answer. One bad record does not sink the others.
#[utoipa::path(
    params(
        ("Content-Encoding" = inline(Option<Packing>), Header, description = "How the body is packed."),
    ),
    request_body(content(
        (Records = "application/json"),
        (String = "application/x-ndjson", example = "{\"user\":\"ann\",\"action\":\"backup\"}\n{\"user\":\"bob\",\"action\":\"restore\"}\n"),
        (Object = "application/cloudevents+json", example = json!({
            "specversion": "1.0", "id": "7", "source": "/shop", "type": "order.paid", "subject": "order 9", "authid": "ann", "data": {"amount": 3}
        })),
        (Vec<Object> = "application/cloudevents-batch+json", example = json!([
            {"specversion": "1.0", "id": "8", "source": "/shop", "type": "order.sent", "subject": "order 9", "authid": "ann"}
        ])),
    )),
    security(("token" = ["activity:write"])),
    responses(
        (status = 200, body = Taken),
        (status = 400, body = NoneTaken, description = "None was good: what each lacks, or that the body could not be read."),
        (status = 429, body = Refusal),
        (status = 503, body = Refusal)
    ),
)]
#[post("/activity", data = "<data>")]
async fn write(
    program: Program<'_, ActivityWrite>,
    kind: Kind,
    packing: Packing,
    data: Data<'_>,
) -> Result<(Status, Answer<Taken>), Failure> {
    let (app, name) = (program.app, program.name());
    let _turn = app.intake(name, Load::Any)?;
    let body = packing.unpack(data);
    let mut taking = Taking { program: &program, writing: None, taken: Taken::default() };
    let read = match kind {
        Kind::Lines => taking.lines(body, packing.most()).await,
        Kind::Json => match body::text(app, name, body).await {
            Ok((text, _turn)) => taking.whole(text).await,
            Err(failure) => Err(failure.into()),
        },
        Kind::Event(attributes, content_type) => match body::whole(app, name, body).await {
            Ok((data, _turn)) => {
                let read = move |_: App| {
                    cloudevents::binary(attributes.into_iter(), &content_type, &data)
                        .map_err(Failure::bad_request)
                };
                match apart(app, read).await {
                    Ok(event) => taking.whole(event).await,
                    Err(failure) => Err(failure.into()),
                }
            }
            Err(failure) => Err(failure.into()),
        },
    };
    // Whatever stopped the reading, nothing is under way any more when it is answered.
    let written = taking.settle().await.map_err(Failure::from);
    let mut taken = taking.taken;
    let known = taken.accepted + taken.duplicates;
    written.map_err(|failure| failure.behind(known))?;
    match read {
        Ok(()) => {}
        // The sender of a body that broke off is told what of it was taken, and from where on to send it again.
        Err(Stop::Body { line, failure }) if known > 0 && failure.status() == Status::BadRequest => {
            let error = format!("{}; nothing was read from this line on", failure.message());
            taken.rejected.push(Refused { line, error });
        }
        Err(Stop::Body { line, failure }) => {
            let place =
                if known > 0 { format!("nothing was read from line {line} on") } else { String::new() };
            return Err(failure.behind(known).saying(&place));
        }
        Err(Stop::Other(failure)) => return Err(failure.behind(known)),
    }
    if known > 0 {
        return Ok((Status::Ok, Answer(taken)));
    }
    let first = taken.rejected.first();
    let first = first.ok_or_else(|| Failure::bad_request("the body holds no activity"))?;
    let message = format!("no activity of the body could be taken; line {}: {}", first.line, first.error);
    taken.error = Some(Failure::bad_request(message).into_reason());
    Ok((Status::BadRequest, Answer(taken)))
}

/// Why reading went no further.
enum Stop {
    /// The body, in which nothing was read from this line on.
    Body { line: u64, failure: Failure },
    /// Something else, which may be over when the body is sent again.
    Other(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

impl From<IngestError> for Stop {
    fn from(error: IngestError) -> Self {
        Self::Other(error.into())
    }
}

/// Where what was read before a failure ends: with that failure.
struct Broken(Option<io::Error>);

impl AsyncRead for Broken {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.take().map_or(Ok(()), Err))
    }
}

/// Records on their way to disk.
struct Taking<'a> {
    program: &'a Program<'a, ActivityWrite>,
    /// The batch that is being written. There is never more than one: where it fails, none behind it was begun.
    writing: Option<Writing>,
    taken: Taken,
}

/// A batch that is being written.
struct Writing {
    entries: Pin<Box<dyn Future<Output = Result<Vec<Entry>, IngestError>> + Send>>,
    /// In which line each of its records stood.
    lines: Vec<u64>,
    /// What of it was refused before.
    refused: Vec<Refused>,
}

impl Taking<'_> {
    async fn lines(&mut self, mut body: Unpacked<'_>, most: u64) -> Result<(), Stop> {
        let (app, name) = (self.program.app, self.program.name());
        let mut first = Vec::new();
        let read = (&mut body).take(SHORT as u64).read_to_end(&mut first).await;
        let short = first.len() < SHORT;
        let _turn = if short { None } else { Some(app.intake(name, Load::Lines)?) };
        // What came before it broke off is read first.
        let rest = Broken(read.err()).chain(body);
        let mut blocks = Blocks::new(first.as_slice().chain(rest), &self.program.sender(), most);
        loop {
            let (block, broken) = blocks.next().await;
            if let Some(block) = block {
                let long = block.length() > LONG;
                self.take(block, long).await?;
            } else if broken.is_none() {
                return Ok(());
            }
            if let Some(error) = broken {
                let failure = match error.kind() {
                    io::ErrorKind::FileTooLarge => Failure::too_large(most),
                    _ => unreadable(&error),
                };
                // It counts what it has.
                self.settle().await?;
                return Err(Stop::Body { line: blocks.line(), failure });
            }
        }
    }

    /// One object, or an array of them.
    async fn whole(&mut self, text: String) -> Result<(), Stop> {
        let (long, sender) = (text.len() > LONG, self.program.sender());
        let read = move |_: App| {
            Whole::read(text, &sender).map_err(|error| {
                let said = format!("the body is not JSON: {error}");
                // A record, and then another: that is what lines of them look like.
                let lines = said.contains(": trailing characters at line ");
                let hint = "; for a record a line send Content-Type: application/x-ndjson";
                Failure::bad_request(if lines { said + hint } else { said })
            })
        };
        let records =
            if long { apart(self.program.app, read).await? } else { read(self.program.app.clone())? };
        self.take((1..).zip(records), long).await
    }

    /// Takes all of `records`, a batch at a time; `long` where reading them takes its time.
    async fn take(
        &mut self,
        records: impl Iterator<Item = (u64, Record)> + Send + 'static,
        long: bool,
    ) -> Result<(), Stop> {
        let mut records = records.fuse();
        loop {
            let (app, voice) = (self.program.app, self.program.voice());
            let read = move |app: App| {
                let batch = Batch::read(&app, &voice, &mut records);
                Ok::<_, Failure>((batch, records))
            };
            let batch;
            (batch, records) = if long { apart(app, read).await? } else { read(app.clone())? };
            let last = batch.admitted.len() < BATCH && batch.refused.len() < REFUSALS;
            self.settle().await?;
            self.program.still_may()?;
            let Batch { admitted, lines, refused } = batch;
            let entries = Box::pin(app.enter(Some(self.program.hash()), admitted));
            self.writing = Some(Writing { entries, lines, refused });
            if last {
                return Ok(());
            }
        }
    }

    fn refuse(&mut self, refused: Vec<Refused>) {
        let Taken { rejected, rejected_more, .. } = &mut self.taken;
        let all = rejected.len() + refused.len();
        rejected.extend(refused);
        rejected.truncate(REFUSALS);
        *rejected_more += (all - rejected.len()) as u64;
    }

    /// Waits for the batch that is being written, and counts it.
    async fn settle(&mut self) -> Result<(), IngestError> {
        let Some(Writing { entries, lines, mut refused }) = self.writing.take() else { return Ok(()) };
        let mut last = None;
        for (entry, line) in entries.await?.into_iter().zip(lines) {
            if let Entry::Other(id) = entry {
                refused.push(Refused { line, error: RecordError::Other(id).to_string() });
            }
            *match entry {
                Entry::New(_) => &mut self.taken.accepted,
                Entry::Again(_) | Entry::Other(_) => &mut self.taken.duplicates,
            } += 1;
            last = Some(entry.id());
        }
        refused.sort_unstable_by_key(|refused| refused.line);
        self.refuse(refused);
        self.taken.last = last.map(|id| id.to_string()).or(self.taken.last.take());
        Ok(())
    }
}

/// Records that were read and held against the limits.
#[derive(Default)]
struct Batch {
    admitted: Vec<NewActivity>,
    /// The lines of those.
    lines: Vec<u64>,
    refused: Vec<Refused>,
}

impl Batch {
    /// Reads until the batch is full, of what is good or of what is refused.
    fn read(app: &App, voice: &Voice, records: &mut impl Iterator<Item = (u64, Record)>) -> Self {
        let mut batch = Self::default();
        for (line, record) in records {
            let admitted = admit(app, voice, record);
            match admitted {
                Ok(activity) => {
                    batch.admitted.push(activity);
                    batch.lines.push(line);
                }
                Err(error) => batch.refused.push(Refused { line, error }),
            }
            if batch.admitted.len() == BATCH || batch.refused.len() == REFUSALS {
                break;
            }
        }
        batch
    }
}

described![write];
