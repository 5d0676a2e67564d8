//! The certificate that the front shows: read at the start, and again whenever its files change.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::time::interval;

use super::{
    pair::{Facts, Pair, Stamp, stamps},
    self_signed::Maker,
};
use crate::domain::clock::Clock;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Where the certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Two files in PEM.
    Files {
        /// The certificate, and those that vouch for it.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
    /// Rollcall makes it.
    SelfSigned {
        /// The names and addresses it is for.
        names: Vec<String>,
    },
}

/// Why there is no certificate to show.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read.
    #[error("{} could not be read: {}; the user that Rollcall runs as must be able to read it", .0.display(), .1)]
    Unreadable(PathBuf, io::Error),
    /// There is no certificate in it.
    #[error("{} holds no certificate; it must be PEM, with -----BEGIN CERTIFICATE-----", .0.display())]
    NoCertificate(PathBuf),
    /// What is there is no certificate.
    #[error("{} holds a certificate that cannot be read; have it issued again", .0.display())]
    Garbled(PathBuf),
    /// There is no key in it.
    #[error("{} holds no private key; it must be PEM, with -----BEGIN PRIVATE KEY-----", .0.display())]
    NoKey(PathBuf),
    /// The key has a passphrase.
    #[error("the key in {} is encrypted, and nobody is there to type its passphrase; write it without one: openssl pkey -in {} -out FILE", .0.display(), .0.display())]
    Encrypted(PathBuf),
    /// The key is of no use.
    #[error("the key in {} cannot be used ({}); RSA from 2048 bits on, ECDSA (P-256, P-384) and Ed25519 are understood", .0.display(), .1)]
    Key(PathBuf, String),
    /// The two are not of each other.
    #[error("the key in {} is not that of the first certificate in {}; the server's own certificate comes first", .key.display(), .certificate.display())]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's.
        key: PathBuf,
    },
    /// None could be made.
    #[error("a certificate could not be made: {0}")]
    Making(String),
}

/// Where the pair lies, and who makes it if nobody else does.
enum Origin {
    Files(PathBuf, PathBuf),
    Made(Maker),
}

/// The certificate, which may be exchanged at any time. Connections that are open go on with the one they began with.
pub struct Certificate {
    origin: Origin,
    clock: Clock,
    shown: RwLock<Shown>,
}

struct Shown {
    pair: Pair,
    /// The files as they were when they were last read.
    read: [Option<Stamp>; 2],
    /// The files as they were when they were last looked at.
    seen: [Option<Stamp>; 2],
    /// Why what lies there now is not shown.
    refused: Option<String>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.facts()).finish_non_exhaustive()
    }
}

impl Certificate {
    /// Reads the certificate, or makes it in the data folder `folder`.
    pub fn open(source: Source, folder: &Path, clock: Clock) -> Result<Self, TlsError> {
        let origin = match source {
            Source::Files { certificate, key } => Origin::Files(certificate, key),
            Source::SelfSigned { names } => Origin::Made(Maker::new(folder, names)),
        };
        let now = clock.now();
        let (read, pair) = match &origin {
            // The stamps first: what changes while it is read is read again.
            Origin::Files(certificate, key) => (stamps([certificate, key]), Pair::read(certificate, key)?),
            Origin::Made(maker) => ([None; 2], maker.pair(now)?),
        };
        if let Some(fault) = pair.facts.fault(now) {
            log::warn!("{fault}");
        }
        Ok(Self { origin, clock, shown: RwLock::new(Shown { pair, read, seen: read, refused: None }) })
    }

    /// Whether Rollcall made it itself.
    pub fn is_self_signed(&self) -> bool {
        matches!(self.origin, Origin::Made(_))
    }

    /// The file it lies in.
    pub fn file(&self) -> PathBuf {
        match &self.origin {
            Origin::Files(certificate, _) => certificate.clone(),
            Origin::Made(maker) => maker.files().0,
        }
    }

    /// What it says.
    pub fn facts(&self) -> Facts {
        self.shown().pair.facts.clone()
    }

    /// What an administrator should know: the files hold something that cannot be shown, or what is shown does not hold now.
    pub fn problem(&self) -> Option<String> {
        let shown = self.shown();
        let refused = shown.refused.as_ref();
        let refused = refused.map(|why| format!("{why}. The certificate from before is still shown."));
        refused.or_else(|| shown.pair.facts.fault(self.clock.now()))
    }

    /// Looks after it for as long as the server runs.
    pub async fn keep(self: Arc<Self>) {
        let mut tick = interval(LOOK);
        loop {
            tick.tick().await;
            let certificate = self.clone();
            let _ = tokio::task::spawn_blocking(move || certificate.look()).await;
        }
    }

    /// Looks at the files once. One that has changed is read when it has stayed the same from one look to the next, because two
    /// files are not exchanged in one moment.
    fn look(&self) {
        match &self.origin {
            Origin::Files(certificate, key) => {
                let now = stamps([certificate, key]);
                let shown = self.shown();
                let (read, seen) = (shown.read, shown.seen);
                drop(shown);
                if now != seen {
                    self.write().seen = now;
                } else if now != read {
                    let pair = Pair::read(certificate, key);
                    self.take(pair, now);
                }
            }
            Origin::Made(maker) => {
                let now = self.clock.now();
                let due = maker.is_due(&self.shown().pair, now);
                if due {
                    self.take(maker.make(now), [None; 2]);
                }
            }
        }
    }

    /// Reads the files anew at once, whether they look as if they had changed or not, for whoever asks for it.
    pub fn read_anew(&self) {
        if let Origin::Files(certificate, key) = &self.origin {
            let now = stamps([certificate, key]);
            self.write().seen = now;
            self.take(Pair::read(certificate, key), now);
        }
    }

    fn take(&self, pair: Result<Pair, TlsError>, read: [Option<Stamp>; 2]) {
        let mut shown = self.write();
        shown.read = read;
        match pair {
            Ok(pair) => {
                if pair.facts.fingerprint != shown.pair.facts.fingerprint {
                    log::warn!("another certificate is shown from now on: {}", pair.facts.fingerprint);
                }
                if let Some(fault) = pair.facts.fault(self.clock.now()) {
                    log::warn!("{fault}");
                }
                (shown.pair, shown.refused) = (pair, None);
            }
            Err(error) => {
                let why = error.to_string();
                if shown.refused.as_ref() != Some(&why) {
                    log::error!("{why}; the certificate from before is still shown");
                }
                shown.refused = Some(why);
            }
        }
    }

    fn shown(&self) -> RwLockReadGuard<'_, Shown> {
        self.shown.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Shown> {
        self.shown.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.shown().pair.key.clone())
    }
}
