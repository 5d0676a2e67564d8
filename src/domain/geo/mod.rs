//! Where an address is: the city database inside the binary, or the one an administrator gave.
//!
//! [`Geo`] looks addresses up in one database at a time and changes it without a restart. A database is only
//! ever served from a private copy in the folder `geo/` of the data, replaced by rename and never written in
//! place, so that it can be mapped into memory: what is not looked at costs nothing. `folder` keeps the copies,
//! `gate` decides which files are good enough, `database` looks up, `record` understands what it finds.
//!
//! Mapped or in memory was decided by measuring what the built-in database (30.2 MB) adds to the resident memory
//! of a process, which has 6.7 MB without it (`VmRSS`, release build, two cores, random addresses):
//!
//! | | opened | 10 look-ups | 100 | 1,000 | 100,000 | a look-up, warm |
//! |---|---|---|---|---|---|---|
//! | mapped | 0.3 MB | 1.9 MB | 10.1 MB | 25.8 MB | 29.6 MB | 1.0 to 1.5 µs |
//! | in memory | 28.8 MB | 28.8 MB | 28.8 MB | 28.8 MB | 28.8 MB | 0.8 to 1.5 µs |
//!
//! The pages of a map come with the look-ups and are the kernel's to take back; a copy in memory is neither. So it is
//! mapped. The first start, which unpacks, adds 2.5 MB and takes 0.2 s (a debug build as well); a later one takes
//! 0.02 to 0.04 s, for the checksum.

mod database;
mod error;
mod folder;
mod gate;
mod packed;
mod record;
#[cfg(test)]
mod tests;

use std::{
    error::Error,
    io::Read,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError, RwLock, RwLockReadGuard},
};

use jiff::Timestamp;

use self::{database::Database, folder::Folder};
use super::memo::Memo;
use crate::model::place::{Network, Place};

pub use self::{error::GeoError, gate::MAX_BYTES};

/// Tells where addresses are.
#[derive(Debug)]
pub struct Geo {
    folder: Folder,
    serving: RwLock<Serving>,
    /// Held while the database is changed, so that what is served and what is kept do not part.
    changing: Mutex<()>,
}

#[derive(Debug)]
struct Serving {
    /// None where no database can be kept: places are unknown then.
    database: Option<Database>,
    info: Info,
    /// What it was asked last: a log names few addresses, again and again. It goes with its database.
    places: Memo<IpAddr, Place, 8192>,
}

/// Which database answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// What the database calls itself: `DBIP-City-Lite`, `GeoLite2-City`.
    pub database_type: String,
    /// When it was built.
    pub built: Timestamp,
    /// The nodes of its search tree: a measure of how much it knows.
    pub nodes: u32,
    /// 4 or 6. One of 6 knows the addresses of 4 as well.
    pub ip_version: u16,
    /// Where it came from.
    pub source: Source,
    /// What its licence asks to be shown beside a place.
    pub attribution: Option<Attribution>,
    /// Why a given database is not the one that answers, in a sentence for an administrator.
    pub problem: Option<String>,
}

/// Where a database came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// From inside the binary.
    BuiltIn,
    /// Put in by an administrator, and kept.
    Given,
    /// Named at the start, until the next.
    Option(PathBuf),
    /// There is none.
    Nowhere,
}

/// The link that a database's licence asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribution {
    /// The words.
    pub text: &'static str,
    /// Where they lead.
    pub link: &'static str,
}

impl Geo {
    /// Opens the best database there is: the one `given` at the start, else the one an administrator has put
    /// into `dir` before, else the built-in one, which is unpacked into `dir` when it is first needed.
    ///
    /// A given database that cannot be used is no error: the next best answers, and [`Info::problem`] says why.
    pub fn open(dir: &Path, given: Option<&Path>) -> Result<Self, GeoError> {
        let folder = Folder::open(dir)?;
        let serving = Serving::best(&folder, given)?;
        Ok(Self { folder, serving: RwLock::new(serving), changing: Mutex::new(()) })
    }

    /// Knows no place, because no database could be opened, and says why. One may be put in later.
    pub fn unknowing(dir: &Path, why: &GeoError) -> Self {
        let serving = Serving::unknowing(refused("the city database", why));
        Self { folder: Folder::at(dir), serving: RwLock::new(serving), changing: Mutex::new(()) }
    }

    /// Where an address is, as far as the database knows. Addresses of private networks are nowhere; an IPv4
    /// address inside an IPv6 one counts as the IPv4 address.
    pub fn place(&self, ip: IpAddr) -> Place {
        match Network::of(ip) {
            Network::Private | Network::Loopback | Network::LinkLocal | Network::Shared => Place::default(),
            Network::Public | Network::Reserved => {
                let (ip, serving) = (ip.to_canonical(), self.serving());
                let place = |database: &Database| database.place(ip);
                serving.places.get(&ip, || serving.database.as_ref().map(place).unwrap_or_default())
            }
        }
    }

    /// Which database answers.
    pub fn info(&self) -> Info {
        self.serving().info.clone()
    }

    /// Serves a copy of the database at `candidate` from now on, and after every start that names no other.
    ///
    /// When it is refused, the one that answers goes on.
    pub fn replace(&self, candidate: &Path) -> Result<Info, GeoError> {
        self.replace_once(candidate, |_| Ok(()))
    }

    /// The same, once `agreed` has seen which it is and let it be served.
    pub fn replace_once<E: From<GeoError>>(
        &self,
        candidate: &Path,
        agreed: impl FnOnce(&Info) -> Result<(), E>,
    ) -> Result<Info, E> {
        self.replace_from_once(gate::open(candidate)?, agreed)
    }

    /// Like [`Geo::replace`], with the content of the file, of which at most [`MAX_BYTES`] are taken.
    pub fn replace_from(&self, content: impl Read) -> Result<Info, GeoError> {
        self.replace_from_once(content, |_| Ok(()))
    }

    /// The same, once `agreed` has seen which it is and let it be served.
    pub fn replace_from_once<E: From<GeoError>>(
        &self,
        content: impl Read,
        agreed: impl FnOnce(&Info) -> Result<(), E>,
    ) -> Result<Info, E> {
        let draft = self.folder.admit(content)?;
        agreed(&draft.open()?.info(Source::Given))?;
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let database = self.folder.keep(draft)?;
        Ok(self.serve(Serving::new(database, Source::Given)))
    }

    /// Forgets the database that was put in, and serves the built-in one.
    pub fn reset(&self) -> Result<Info, GeoError> {
        self.reset_once(|| Ok(()))
    }

    /// The same, once `agreed` has let it be served.
    pub fn reset_once<E: From<GeoError>>(&self, agreed: impl FnOnce() -> Result<(), E>) -> Result<Info, E> {
        let database = self.folder.built_in()?;
        agreed()?;
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.folder.forget()?;
        Ok(self.serve(Serving::new(database, Source::BuiltIn)))
    }

    fn serving(&self) -> RwLockReadGuard<'_, Serving> {
        self.serving.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Only the exchange waits for look-ups and lets them wait; the old database is closed after it.
    fn serve(&self, new: Serving) -> Info {
        let info = new.info.clone();
        let mut serving = self.serving.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *serving, new);
        drop(serving);
        drop(old);
        info
    }
}

impl Serving {
    fn best(folder: &Folder, option: Option<&Path>) -> Result<Self, GeoError> {
        let mut problem = None;
        if let Some(path) = option {
            match folder.borrow(path) {
                Ok(database) => return Ok(Self::new(database, Source::Option(path.to_owned()))),
                Err(error) => problem = Some(refused(&path.display().to_string(), &error)),
            }
        }
        match folder.kept() {
            Ok(Some(database)) => return Ok(Self::new(database, Source::Given).with(problem)),
            Ok(None) => {}
            Err(error) => problem = problem.or(Some(refused("the database that was put in", &error))),
        }
        Ok(Self::new(folder.built_in()?, Source::BuiltIn).with(problem))
    }

    fn new(database: Database, source: Source) -> Self {
        let info = database.info(source);
        Self { database: Some(database), info, places: Memo::default() }
    }

    fn unknowing(problem: String) -> Self {
        let info = Info {
            database_type: "none".to_owned(),
            built: Timestamp::UNIX_EPOCH,
            nodes: 0,
            ip_version: 6,
            source: Source::Nowhere,
            attribution: None,
            problem: Some(problem),
        };
        Self { database: None, info, places: Memo::default() }
    }

    fn with(mut self, problem: Option<String>) -> Self {
        self.info.problem = problem;
        self
    }
}

fn refused(what: &str, error: &GeoError) -> String {
    let problem = format!("{what} is not used: {error}");
    match error.source() {
        Some(cause) => log::warn!("{problem} ({cause})"),
        None => log::warn!("{problem}"),
    }
    problem
}
