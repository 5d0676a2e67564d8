//! The file itself: opened for this process alone, and exchanged for a smaller copy while everybody goes on.

use std::{
    fs::{self, File, OpenOptions},
    io,
    ops::Deref,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use redb::{
    Database, ReadTransaction, ReadableDatabase, WriteTransaction,
    backends::{FileBackend, InMemoryBackend},
};

use super::{FILE, OpenError, StoreError};

/// How much of the file is held in memory, in bytes. The operating system caches it as well; this only spares
/// the copying.
const CACHE: usize = 12 << 20;

/// The file of now.
pub(super) struct Disk {
    current: RwLock<Arc<Database>>,
    /// Where it is; none where it is in memory.
    path: Option<PathBuf>,
}

/// One moment of the file. It keeps the file it is of, even where that has been exchanged since.
pub(super) struct Moment {
    // Goes before the file it reads.
    transaction: ReadTransaction,
    _file: Arc<Database>,
}

impl Deref for Moment {
    type Target = ReadTransaction;

    fn deref(&self) -> &ReadTransaction {
        &self.transaction
    }
}

impl Disk {
    /// Opens the file in `folder`, or makes a new one there.
    pub(super) fn open(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(FILE);
        // What a kill left of a copy.
        let _ = fs::remove_file(beside(&path));
        let db = open(&path)?;
        Ok(Self { current: RwLock::new(Arc::new(db)), path: Some(path) })
    }

    pub(super) fn in_memory() -> Result<Self, OpenError> {
        Ok(Self::over(redb::Builder::new().create_with_backend(InMemoryBackend::new())?))
    }

    /// A database that is in no file.
    pub(super) fn over(db: Database) -> Self {
        Self { current: RwLock::new(Arc::new(db)), path: None }
    }

    pub(super) fn read(&self) -> Result<Moment, StoreError> {
        let file = self.current();
        Ok(Moment { transaction: file.begin_read().map_err(StoreError::file)?, _file: file })
    }

    pub(super) fn write(&self) -> Result<WriteTransaction, StoreError> {
        self.current().begin_write().map_err(StoreError::file)
    }

    /// How many bytes the file takes on the disk, which is less than it is long where it has grown ahead of what was written;
    /// 0 where it is in memory.
    pub(super) fn length(&self) -> u64 {
        self.path.as_ref().and_then(|path| fs::metadata(path).ok()).map_or(0, |file| file.blocks() * 512)
    }

    /// An empty file beside this one, to be filled and then put in its place; none where it is in memory.
    pub(super) fn copy(&self) -> Result<Option<Copy>, OpenError> {
        let Some(path) = &self.path else { return Ok(None) };
        let new = beside(path);
        let _ = fs::remove_file(&new);
        let db = open(&new)?;
        Ok(Some(Copy { db: Some(db), path: new }))
    }

    /// Puts `copy` in the place of the file. Whoever still reads the old one may go on. Nobody may write meanwhile.
    pub(super) fn exchange(&self, mut copy: Copy) -> io::Result<()> {
        let (Some(path), Some(db)) = (&self.path, copy.db.take()) else { return Ok(()) };
        fs::rename(&copy.path, path)?;
        // What is written from now on is written there, so there it must be found after a power cut.
        let folder = path.parent().map_or_else(|| File::open("."), File::open)?;
        folder.sync_all()?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(db);
        Ok(())
    }

    fn current(&self) -> Arc<Database> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A file that is to take the place of another. It goes away if it does not come to that.
pub(super) struct Copy {
    db: Option<Database>,
    path: PathBuf,
}

impl Copy {
    pub(super) fn write(&self) -> Result<WriteTransaction, StoreError> {
        self.db.as_ref().ok_or(StoreError::Closed)?.begin_write().map_err(StoreError::file)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if self.db.take().is_some() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// `rollcall.redb` becomes `rollcall.redb.new`.
fn beside(path: &Path) -> PathBuf {
    path.with_extension("redb.new")
}

fn open(path: &Path) -> Result<Database, OpenError> {
    let file = open_private(path).map_err(|error| OpenError::Io(path.display().to_string(), error))?;
    Ok(redb::Builder::new().set_cache_size(CACHE).create_with_backend(FileBackend::new(file)?)?)
}

/// Opens a file that nobody but its owner can read.
fn open_private(path: &Path) -> io::Result<File> {
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let mut rights = file.metadata()?.permissions();
    if rights.mode() & 0o077 != 0 {
        rights.set_mode(0o600);
        file.set_permissions(rights)?;
    }
    Ok(file)
}
