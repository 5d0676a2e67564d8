//! Where it is kept: one redb file is the truth, and what is derived from it lies beside it.
//!
//! One closure is one transaction. [`Store::read`] sees one moment of the whole file; [`Store::write`] hands
//! its closure to the one writer thread ([`writer`]), which puts everything that waits into one durable
//! transaction, and answers only when it is on disk. What happens and the activity that tells of it are
//! written by the same closure, so neither can exist without the other.

mod apps;
mod aside;
mod backup;
mod bonds;
mod check;
mod codec;
mod disk;
mod evidence;
mod factors;
mod guard;
mod health;
mod hooks;
pub mod index;
mod log;
mod map;
mod meter;
mod passes;
mod passkeys;
mod sessions;
mod settings;
mod tables;
#[cfg(test)]
pub(crate) mod tests;
mod tokens;
mod users;
mod writer;

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};

use jiff::Timestamp;
use redb::{Key, ReadableTable, TableDefinition, Value};

use crate::model::horizon::Horizon;

pub use self::{
    apps::Apps,
    backup::{BackupError, Progress, unpack as unpack_backup, write as write_backup},
    bonds::Bonds,
    check::check_file,
    disk::Holder,
    evidence::Evidence,
    factors::Factors,
    guard::{MAGIC, forbids},
    health::Health,
    hooks::{DeliveryCursor, Hooks},
    log::{Appended, Fault, Horizons, Log, Proof, Random, Trouble, Way, read_entry},
    map::Map,
    meter::Meter,
    passes::Passes,
    passkeys::Passkeys,
    sessions::{EndedCursor, Sessions},
    settings::Settings,
    tokens::Tokens,
    users::{Credential, Users},
    writer::{Pending, Write},
};
use self::{
    disk::{Disk, Moment},
    writer::Weight,
};

/// The name of the truth inside the data folder.
pub const FILE: &str = "rollcall.redb";

/// The truth, and the thread that writes it. Dropping it finishes what was handed to the writer.
#[derive(Clone)]
pub struct Store {
    disk: Arc<Disk>,
    // Ends before the writer it hands its work to.
    keeper: Arc<log::Keeper>,
    writer: Arc<writer::Writer>,
    tail: Arc<log::Tail>,
    cache: Arc<log::Cache>,
}

impl Store {
    /// Opens the file in `folder`, or makes a new one there, for this process alone. `random` gives what nobody can guess.
    pub fn open(folder: &Path, now: Timestamp, random: Random) -> Result<Self, OpenError> {
        Self::over(Disk::open(folder)?, now, random)
    }

    /// A store in memory, which is gone when it is dropped.
    pub fn in_memory(now: Timestamp, random: Random) -> Result<Self, OpenError> {
        Self::over(Disk::in_memory()?, now, random)
    }

    fn over(disk: Disk, now: Timestamp, random: Random) -> Result<Self, OpenError> {
        tables::prepare(&disk, now)?;
        let edge = log::seal_up(&disk, random)?;
        let disk = Arc::new(disk);
        let tail = Arc::new(log::Tail::at(edge.size()));
        let (cache, keys) = (Arc::default(), Arc::new(log::Keys::of(&disk)?));
        let writer = writer::Writer::start(Arc::clone(&disk), Arc::clone(&tail), Arc::clone(&keys), edge);
        let writer = Arc::new(writer);
        let keeper = log::Keeper::start(Arc::clone(&disk), Arc::clone(&writer), keys, Arc::clone(&cache));
        Ok(Self { disk, keeper: Arc::new(keeper), writer, tail, cache })
    }

    /// Looks at one moment of the whole file.
    pub fn read<T, E: From<StoreError>>(&self, look: impl FnOnce(&Read) -> Result<T, E>) -> Result<T, E> {
        look(&self.snapshot()?)
    }

    /// One moment of the whole file, for as long as it is held. A long-held one keeps the file from reusing
    /// the room of what is removed meanwhile.
    pub fn snapshot(&self) -> Result<Read, StoreError> {
        Read::of(&self.disk, &self.cache)
    }

    /// Changes something, at `now`. The closure runs in the writer thread, in a transaction that it may share
    /// with others; where it fails, nothing that it did remains. It may be run again after somebody else's
    /// failure, so it must not count on running once. What it returns is handed out when it is on disk.
    pub fn write<T, E>(
        &self,
        now: Timestamp,
        change: impl FnMut(&mut Write<'_>) -> Result<T, E> + Send + 'static,
    ) -> Pending<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.writer.submit(now, Weight::Light, change)
    }

    /// Changes something as [`Store::write`] does, but for one thing: where the disk is full, this waits for room before
    /// the rest does. For what can be sent again.
    pub fn write_bulk<T, E>(
        &self,
        now: Timestamp,
        change: impl FnMut(&mut Write<'_>) -> Result<T, E> + Send + 'static,
    ) -> Pending<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.writer.submit(now, Weight::Bulk, change)
    }

    /// Removes what lies behind `horizon` from the file, in slices of a few milliseconds between which others write; what
    /// comes later takes its room. How many activities that were. Blocks until it is done, which may take minutes; whoever is
    /// killed meanwhile has it done again.
    pub fn remove_behind(&self, horizon: Horizon) -> Result<u64, StoreError> {
        self.keeper.remove(horizon).blocking_recv().unwrap_or(Err(StoreError::Closed))
    }

    /// How the file takes what is written to it.
    pub fn health(&self) -> Health {
        self.writer.health()
    }

    /// How often it was found out what had come of changes that were answered with [`StoreError::Unknown`]. Whoever keeps in memory
    /// what is on disk looks at the disk anew when this has grown.
    pub fn settled(&self) -> u64 {
        self.writer.settled()
    }

    /// What the writer measures of itself.
    pub fn meter(&self) -> &Meter {
        self.writer.meter()
    }

    /// Bytes that are free where the file is; none where that cannot be told.
    pub fn free_bytes(&self) -> Option<u64> {
        self.disk.free_bytes()
    }

    /// The log, for those who follow it.
    pub fn log(&self) -> Log {
        Log::new(Arc::clone(&self.disk), Arc::clone(&self.tail), log::Cache::beside(&self.cache))
    }
}

/// One moment of the file.
pub struct Read {
    transaction: Moment,
    cache: Arc<log::Cache>,
    /// That of the cache, before the moment began.
    epoch: log::Epoch,
}

impl Read {
    fn of(disk: &Disk, cache: &Arc<log::Cache>) -> Result<Self, StoreError> {
        let epoch = cache.epoch();
        Ok(Self { transaction: disk.read()?, cache: Arc::clone(cache), epoch })
    }
}

/// What can be looked at: a moment of the file, or a change in the making. The nouns of this floor add their
/// questions to it ([`Users`], [`Sessions`], …).
pub trait View {
    /// Opens a table to read it.
    fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<K, V>,
    ) -> Result<impl ReadableTable<K, V>, StoreError>;
}

impl View for Read {
    fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<K, V>,
    ) -> Result<impl ReadableTable<K, V>, StoreError> {
        self.transaction.open_table(table).map_err(StoreError::file)
    }
}

/// Looks at what may be damaged. Damage can have any form, and redb has not thought of all of them: what it stumbles over is
/// damage too.
pub fn sift<T, E: From<StoreError>>(look: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(look)).unwrap_or_else(|_| Err(StoreError::Damaged("the data file").into()))
}

/// Why something could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// redb could not do it.
    #[error("the data file could not be read or written: {0}")]
    File(#[source] Box<redb::Error>),
    /// A record does not have the form or the checksum it was written with.
    #[error(
        "a record in {0} is damaged; stop the server and put a backup in its place: rollcall restore FILE"
    )]
    Damaged(&'static str),
    /// There is no room on the disk.
    #[error("the disk is full; this can be written again as soon as there is room")]
    Full,
    /// The file takes no writes.
    #[error("the data file cannot be written to just now")]
    Failing,
    /// The file failed in the middle of it, and cannot be asked yet. It is on disk whole, or not at all.
    #[error("the data file failed while this was written, and whether it was kept is not known yet")]
    Unknown,
    /// The file failed, and could not be opened anew.
    #[error("the data file could not be opened again: {0}")]
    Reopen(String),
    /// The writer thread has stopped.
    #[error("the data file has been closed")]
    Closed,
}

impl StoreError {
    /// Whether what could not be written, or may not have been, can be tried again another time: nothing is wrong with it.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Full | Self::Failing | Self::Unknown)
    }

    fn file(error: impl Into<redb::Error>) -> Self {
        match error.into() {
            redb::Error::Io(error) if disk::backend::is_full(&error) => Self::Full,
            redb::Error::Corrupted(_) => Self::Damaged("the data file"),
            error => Self::File(Box::new(error)),
        }
    }
}

/// Why the data file was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operating system refused.
    #[error("{0} could not be opened: {1}")]
    Io(String, #[source] io::Error),
    /// The operating system lets nobody write there, or not the user that we run as.
    #[error(
        "{0} cannot be written to: {1}; let the user that rollcall runs as write there, or copy the data folder to where it may and name that with --data DIR; `rollcall verify FILE` proves a backup or a copy of the data file without writing"
    )]
    Unwritable(String, #[source] io::Error),
    /// Another process has it.
    #[error(
        "another rollcall{0} is running on this data folder; send commands while it runs, end it, or name another folder with --data DIR"
    )]
    Taken(Holder),
    /// Written by a later version.
    #[error(
        "the data folder was written in format {found} by rollcall {by}; this one knows format {known}: use that version or a later one"
    )]
    Newer {
        /// The format found.
        found: u32,
        /// The version that wrote it.
        by: String,
        /// The newest format known here.
        known: u32,
    },
    /// There is none, and something beside it that is made of one.
    #[error(
        "the data file {FILE} is gone, and its {0} is still there; put a backup in its place (rollcall restore FILE), or remove {0} as well to begin anew"
    )]
    Missing(&'static str),
    /// It is damaged, or not ours.
    #[error(
        "the data file is damaged or no file of rollcall's ({0}); put a backup in its place: rollcall restore FILE"
    )]
    Damaged(String),
    /// The disk or the file system failed.
    #[error(
        "the data file could not be opened: {0}; what failed is the disk or its file system: the system's log says more, and then try again"
    )]
    Failing(#[source] io::Error),
    /// It opened, and then failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OpenError {
    /// Why what lies at `path` was not opened.
    pub fn of(path: &Path, error: io::Error) -> Self {
        let path = path.display().to_string();
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::Unwritable(path, error)
            }
            _ => Self::Io(path, error),
        }
    }
}

impl From<redb::DatabaseError> for OpenError {
    fn from(error: redb::DatabaseError) -> Self {
        match error {
            redb::DatabaseError::DatabaseAlreadyOpen => Self::Taken(Holder::default()),
            redb::DatabaseError::Storage(redb::StorageError::Io(error)) if disk::backend::is_full(&error) => {
                Self::Store(StoreError::Full)
            }
            // What the system itself says of the disk says nothing of what is on it, and no backup mends it.
            redb::DatabaseError::Storage(redb::StorageError::Io(error)) if error.raw_os_error().is_some() => {
                Self::Failing(error)
            }
            other => Self::Damaged(other.to_string()),
        }
    }
}
