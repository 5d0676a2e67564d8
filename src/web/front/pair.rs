//! A certificate and its key, as they stand in two files of PEM.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use rustls::{
    Error, InconsistentKeys,
    crypto::ring::default_provider,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject as _},
    },
    sign::CertifiedKey,
};
use sha2::{Digest as _, Sha256};
use x509_parser::{extensions::GeneralName, parse_x509_certificate};

use super::certificate::TlsError;

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// SHA-256 of its DER, in pairs of digits with colons between them, as browsers and `openssl x509 -fingerprint` show it.
    pub fingerprint: String,
    /// The first moment at which it holds.
    pub from: Timestamp,
    /// The last.
    pub until: Timestamp,
    /// The names and addresses it is for.
    pub names: Vec<String>,
}

impl Facts {
    /// What is wrong with it at this time, if anything is.
    pub(super) fn fault(&self, now: Timestamp) -> Option<String> {
        if now > self.until {
            return Some(format!("the certificate expired on {}: browsers refuse it", date(self.until)));
        }
        (now < self.from).then(|| {
            format!("the certificate holds from {} on: browsers refuse it until then", date(self.from))
        })
    }
}

/// The day of a time, in UTC.
fn date(at: Timestamp) -> jiff::civil::Date {
    at.to_zoned_datetime(jiff::tz::TimeZone::UTC).date()
}

/// A certificate, its chain, its key, and what it says.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) facts: Facts,
}

impl Pair {
    /// Reads a pair. That the key is the certificate's is proven; what the certificate says of times and names is not held
    /// against anything.
    pub(super) fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain = chain(certificate)?;
        let facts = facts(&chain[0]).ok_or_else(|| TlsError::Garbled(certificate.to_owned()))?;
        let private = private(key)?;
        let pair =
            CertifiedKey::from_der(chain, private, &default_provider()).map_err(|error| match error {
                Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    TlsError::Mismatch { certificate: certificate.to_owned(), key: key.to_owned() }
                }
                error => TlsError::Key(key.to_owned(), error.to_string()),
            })?;
        Ok(Self { key: Arc::new(pair), facts })
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|error| TlsError::Unreadable(path.to_owned(), error))
}

/// The certificates of a file, of which there is one at least: the server's own first, then those that vouch for it.
fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = bytes(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|_| TlsError::Garbled(path.to_owned()))?;
    if chain.is_empty() { Err(TlsError::NoCertificate(path.to_owned())) } else { Ok(chain) }
}

fn private(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = bytes(path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        let encrypted = text.windows(9).any(|word| word == b"ENCRYPTED");
        let path = PathBuf::from(path);
        match error {
            _ if encrypted => TlsError::Encrypted(path),
            pem::Error::NoItemsFound => TlsError::NoKey(path),
            error => TlsError::Key(path, error.to_string()),
        }
    })
}

fn facts(certificate: &CertificateDer<'_>) -> Option<Facts> {
    let (_, read) = parse_x509_certificate(certificate).ok()?;
    let validity = read.validity();
    let extension = read.subject_alternative_name().ok()?;
    let names = extension.iter().flat_map(|list| &list.value.general_names).filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    });
    let digest = Sha256::digest(certificate);
    let pairs: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    Some(Facts {
        fingerprint: pairs.join(":"),
        from: Timestamp::from_second(validity.not_before.timestamp()).ok()?,
        until: Timestamp::from_second(validity.not_after.timestamp()).ok()?,
        names: names.collect(),
    })
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(std::net::Ipv4Addr::from(four).to_string());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|six| std::net::Ipv6Addr::from(six).to_string())
}

/// What tells one state of a file from another: a file that was written to or replaced has another.
pub(super) type Stamp = (std::time::SystemTime, u64, u64);

/// The stamps of these files; none for one that cannot be looked at.
pub(super) fn stamps(files: [&Path; 2]) -> [Option<Stamp>; 2] {
    use std::os::unix::fs::MetadataExt as _;
    let stamp = |path: &Path| -> io::Result<Stamp> {
        let about = fs::metadata(path)?;
        Ok((about.modified()?, about.len(), about.ino()))
    };
    files.map(|path| stamp(path).ok())
}
