//! The files inside the binary, under an address that changes with any of them.

use std::{borrow::Cow, collections::HashMap, io::Write, path::PathBuf, sync::LazyLock};

use data_encoding::HEXLOWER;
use flate2::{Compression, write::GzEncoder};
use rocket::{
    Request, get,
    http::{ContentType, Header},
    request::{FromRequest, Outcome},
    response::Responder,
    routes,
};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

#[derive(RustEmbed)]
#[folder = "assets"]
#[include = "css/*"]
#[include = "js/*"]
#[include = "img/*"]
struct Files;

/// `/assets/<hash of all>`: a page names its files under it, so they can be kept for ever.
pub(super) static PREFIX: LazyLock<String> = LazyLock::new(|| {
    let mut names: Vec<_> = Files::iter().collect();
    names.sort();
    let mut all = Sha256::new();
    for name in names {
        if let Some(file) = Files::get(&name) {
            all.update(name.as_bytes());
            all.update(file.metadata.sha256_hash());
        }
    }
    format!("/assets/{}", HEXLOWER.encode(&all.finalize()[..8]))
});

/// Every file, packed once: they carry no secret that its length could tell.
static PACKED: LazyLock<HashMap<String, Vec<u8>>> = LazyLock::new(|| {
    let packed = Files::iter().filter_map(|name| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&Files::get(&name)?.data).ok()?;
        Some((name.into_owned(), gzip.finish().ok()?))
    });
    packed.collect()
});

#[derive(Responder)]
struct Asset {
    bytes: Cow<'static, [u8]>,
    kind: ContentType,
    cache: Header<'static>,
    encoding: Header<'static>,
    vary: Header<'static>,
}

/// Whether a browser reads gzip.
struct Gzip(bool);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Gzip {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let mut wishes = request.headers().get("Accept-Encoding").flat_map(|line| line.split(','));
        Outcome::Success(Self(wishes.any(|wish| wish.trim() == "gzip")))
    }
}

#[get("/assets/<hash>/<path..>")]
fn asset(hash: &str, path: Option<PathBuf>, gzip: Gzip) -> Option<Asset> {
    // What leads out of here leads nowhere.
    let path = path?;
    let name = path.to_str()?;
    let packed = PACKED.get(name).filter(|_| gzip.0).map(|bytes| Cow::Borrowed(bytes.as_slice()));
    let encoding = Header::new("Content-Encoding", if packed.is_some() { "gzip" } else { "identity" });
    let bytes = packed.or_else(|| Files::get(name).map(|file| file.data))?;
    let ending = path.extension()?.to_str()?;
    // Whoever asks under an old hash gets what there is, but must not keep it.
    let current = PREFIX.strip_prefix("/assets/") == Some(hash);
    let cache = if current { "public, max-age=31536000, immutable" } else { "no-cache" };
    Some(Asset {
        bytes,
        kind: ContentType::from_extension(ending)?,
        cache: Header::new("Cache-Control", cache),
        encoding,
        vary: Header::new("Vary", "Accept-Encoding"),
    })
}

/// Browsers ask for it whatever the page says.
#[get("/favicon.ico")]
fn favicon() -> Option<Asset> {
    let file = Files::get("img/favicon.svg")?;
    Some(Asset {
        bytes: file.data,
        kind: ContentType::SVG,
        cache: Header::new("Cache-Control", "public, max-age=86400"),
        encoding: Header::new("Content-Encoding", "identity"),
        vary: Header::new("Vary", "Accept-Encoding"),
    })
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![asset, favicon]
}
