//! The files inside the binary, under an address that changes with any of them.

use std::{borrow::Cow, sync::LazyLock};

use data_encoding::HEXLOWER;
use rocket::{
    get,
    http::{ContentType, Header},
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

#[derive(Responder)]
struct Asset {
    bytes: Cow<'static, [u8]>,
    kind: ContentType,
    cache: Header<'static>,
}

#[get("/assets/<hash>/<folder>/<name>")]
fn asset(hash: &str, folder: &str, name: &str) -> Option<Asset> {
    let file = Files::get(&format!("{folder}/{name}"))?;
    let ending = name.rsplit_once('.')?.1;
    // Whoever asks under an old hash gets what there is, but must not keep it.
    let current = PREFIX.strip_prefix("/assets/") == Some(hash);
    let cache = if current { "public, max-age=31536000, immutable" } else { "no-cache" };
    Some(Asset {
        bytes: file.data,
        kind: ContentType::from_extension(ending)?,
        cache: Header::new("Cache-Control", cache),
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
    })
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![asset, favicon]
}
