//! Bodies as they come over the wire: packed or not.

use std::{io, pin::Pin, str::Utf8Error};

use async_compression::tokio::bufread::{GzipDecoder, ZlibDecoder, ZstdDecoder};
use memchr::{memchr_iter, memrchr};
use rocket::{Data, Request, data::ByteUnit, http::Status, request::FromRequest};
use tokio::io::{AsyncRead, AsyncReadExt as _, BufReader};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use crate::{
    domain::{
        App,
        ingest::{Intake, Load},
    },
    web::{failure::Failure, openapi::words::one_of, paced::Paced},
};

/// The largest body on the wire.
pub const BODY: u64 = 4 << 30;

/// The most that a body may unpack to.
pub const UNPACKED: u64 = 16 << 30;

/// The largest body that is held in memory, unpacked.
pub const WHOLE: usize = 32 << 20;

/// From how many bytes on a body that is held in memory is a large one.
const LARGE: usize = 1 << 20;

/// How many bytes a reader must find free to learn that there is nothing more.
const SPARE: usize = 4 << 10;

/// How many bytes of a packed body are read at a time.
const READ: usize = 64 << 10;

/// How a body is packed, as its `Content-Encoding` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    None,
    /// RFC 1952.
    Gzip,
    /// RFC 1950, which HTTP calls deflate.
    Deflate,
    /// RFC 8878.
    Zstd,
}

impl PartialSchema for Packing {
    fn schema() -> RefOr<Schema> {
        one_of(["gzip", "deflate", "zstd", "identity"]).into()
    }
}

impl ToSchema for Packing {}

/// A header's value without parameters, in small letters.
pub fn bare(request: &Request<'_>, name: &str) -> String {
    let line: Option<&str> = request.headers().get_one(name);
    line.and_then(|line| line.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase()
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Packing {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> rocket::request::Outcome<Self, ()> {
        let packing = match bare(request, "Content-Encoding").as_str() {
            "" | "identity" => Self::None,
            "gzip" | "x-gzip" => Self::Gzip,
            "deflate" => Self::Deflate,
            "zstd" => Self::Zstd,
            _ => {
                Failure::media_type("Content-Encoding is gzip, deflate, zstd or nothing").remember(request);
                return rocket::outcome::Outcome::Error((Status::UnsupportedMediaType, ()));
            }
        };
        rocket::outcome::Outcome::Success(packing)
    }
}

/// What a body unpacks to, as it comes.
pub type Unpacked<'r> = Pin<Box<dyn AsyncRead + Send + 'r>>;

impl Packing {
    /// The most that a body packed so may unpack to.
    pub const fn most(self) -> u64 {
        if matches!(self, Self::None) { BODY } else { UNPACKED }
    }

    /// Unpacks a body.
    pub fn unpack(self, data: Data<'_>) -> Unpacked<'_> {
        // One more than may come, so that what is too long is not taken for its beginning.
        let body = Paced::new(data.open(ByteUnit::from(BODY + 1)));
        match self {
            Self::None => Box::pin(body),
            // Packed files that were joined are one packed file: shippers send them so.
            Self::Gzip => {
                let mut unpacked = GzipDecoder::new(BufReader::with_capacity(READ, body));
                unpacked.multiple_members(true);
                Box::pin(unpacked)
            }
            Self::Deflate => Box::pin(ZlibDecoder::new(BufReader::with_capacity(READ, body))),
            Self::Zstd => {
                let mut unpacked = ZstdDecoder::new(BufReader::with_capacity(READ, body));
                unpacked.multiple_members(true);
                Box::pin(unpacked)
            }
        }
    }
}

/// Reads a body of `program` that is held in memory. What comes with it is to be kept as long as the body.
pub async fn whole(
    app: &App,
    program: &str,
    mut body: Unpacked<'_>,
) -> Result<(Vec<u8>, Option<Intake>), Failure> {
    let mut bytes = Vec::new();
    let read = (&mut body).take(LARGE as u64).read_to_end(&mut bytes).await;
    let read = read.map_err(|error| unreadable(&error))?;
    if read < LARGE {
        return Ok((bytes, None));
    }
    let turn = app.intake(program, Load::Whole)?;
    // All there may be at once, and what a reader wants to have left at the end: a buffer that grows is copied into one of twice its
    // length, which holds three times the bound by the time it is passed. What is not filled takes no memory.
    bytes.reserve_exact(WHOLE + SPARE - LARGE);
    let read = body.take((WHOLE - LARGE) as u64 + 1).read_to_end(&mut bytes).await;
    read.map_err(|error| unreadable(&error))?;
    if bytes.len() > WHOLE { Err(Failure::too_large(WHOLE as u64)) } else { Ok((bytes, Some(turn))) }
}

/// The same where it is text.
pub async fn text(app: &App, program: &str, body: Unpacked<'_>) -> Result<(String, Option<Intake>), Failure> {
    let (bytes, turn) = whole(app, program, body).await?;
    let text = String::from_utf8(bytes).map_err(|error| not_utf_8(error.as_bytes(), error.utf8_error()))?;
    Ok((text, turn))
}

/// What the sender of a body is told that is no text: where it ceases to be one.
fn not_utf_8(bytes: &[u8], error: Utf8Error) -> Failure {
    let good = &bytes[..error.valid_up_to()];
    let line = memchr_iter(b'\n', good).count() + 1;
    let column = good.len() - memrchr(b'\n', good).map_or(0, |end| end + 1) + 1;
    Failure::bad_request(format!("the body is not UTF-8 at line {line} column {column}"))
}

/// What the sender of a body that broke off is told.
pub fn unreadable(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::TimedOut {
        return Failure::slow_body();
    }
    Failure::bad_request(format!("the body could not be read or unpacked: {error}"))
}
