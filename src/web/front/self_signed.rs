//! The certificate that Rollcall makes for itself: no authority vouches for it, so people look at its fingerprint once.

use std::{
    fs, io,
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use rocket::time::OffsetDateTime;

use super::{certificate::TlsError, pair::Pair};

/// How long one holds: the most that Apple's systems take of anybody (825 days, support.apple.com/103769), because each new
/// one is to be looked at again.
const HOLDS: SignedDuration = SignedDuration::from_hours(825 * 24);

/// So long before its end another is made.
const RENEWED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Before it is made it holds already, for clients whose clock is late.
const LATE: SignedDuration = SignedDuration::from_hours(24);

/// The names by which a server is reached that listens at `listen` on the machine `machine`, and at `public_url` for people.
pub fn names(listen: SocketAddr, public_url: Option<&str>, machine: Option<String>) -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    if listen.ip().is_unspecified() {
        names.extend(["127.0.0.1".to_owned(), "::1".to_owned()]);
        names.extend(machine.filter(|name| !name.is_empty()));
    } else {
        names.push(listen.ip().to_canonical().to_string());
    }
    let url = public_url.and_then(|url| url.parse::<http::Uri>().ok());
    let host = url.as_ref().and_then(http::Uri::host);
    let host = host.map(|host| host.trim_matches(['[', ']']).to_ascii_lowercase());
    names.extend(host.filter(|host| !names.contains(host)));
    names
}

/// Where the pair lies, and for whom it is.
#[derive(Clone, Debug)]
pub(super) struct Maker {
    folder: PathBuf,
    names: Vec<String>,
}

impl Maker {
    /// One that keeps its pair, which is for these names, in the data folder `folder`.
    pub(super) fn new(folder: &Path, names: Vec<String>) -> Self {
        Self { folder: folder.join("tls"), names }
    }

    pub(super) fn files(&self) -> (PathBuf, PathBuf) {
        (self.folder.join("certificate.pem"), self.folder.join("key.pem"))
    }

    /// The pair that is there, or a new one where there is none that goes on holding for the same names.
    pub(super) fn pair(&self, now: Timestamp) -> Result<Pair, TlsError> {
        let (certificate, key) = self.files();
        if certificate.exists() {
            match Pair::read(&certificate, &key) {
                Ok(pair) if !self.is_due(&pair, now) => return Ok(pair),
                Ok(_) => {}
                Err(error) => log::warn!("{error}; another certificate is made"),
            }
        }
        self.make(now)
    }

    /// Whether it is time for another: the end is near, the clock says it does not hold yet, or a name is missing.
    pub(super) fn is_due(&self, pair: &Pair, now: Timestamp) -> bool {
        let facts = &pair.facts;
        now < facts.from
            || now + RENEWED > facts.until
            || self.names.iter().any(|name| !facts.names.contains(name))
    }

    /// Makes a pair, puts it where the last one was, and reads it again.
    pub(super) fn make(&self, now: Timestamp) -> Result<Pair, TlsError> {
        let (certificate, key) = self.files();
        let (made, private) = self.draw_up(now).map_err(|error| TlsError::Making(error.to_string()))?;
        let mut folder = fs::DirBuilder::new();
        folder.recursive(true).mode(0o700);
        let written = folder.create(&self.folder).and_then(|()| write(&key, &private));
        let written = written.and_then(|()| write(&certificate, &made));
        written.map_err(|error| TlsError::Making(error.to_string()))?;
        Pair::read(&certificate, &key)
    }

    fn draw_up(&self, now: Timestamp) -> Result<(String, String), rcgen::Error> {
        let moment = |at: Timestamp| {
            OffsetDateTime::from_unix_timestamp(at.as_second()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
        };
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut asked = CertificateParams::new(self.names.clone())?;
        asked.distinguished_name = DistinguishedName::new();
        asked.distinguished_name.push(DnType::CommonName, "Rollcall");
        asked.not_before = moment(now - LATE);
        asked.not_after = moment(now + HOLDS - LATE);
        asked.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        asked.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        Ok((asked.self_signed(&key)?.pem(), key.serialize_pem()))
    }
}

/// Writes a file that is its owner's alone, whole or not at all.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let part = path.with_extension("part");
    let _ = fs::remove_file(&part);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&part, path)
}
