//! The file itself: opened for this process alone, opened anew after a write that failed, and exchanged for a smaller
//! copy while everybody goes on.

pub(super) mod backend;
mod first;
mod holder;
mod reserve;

use std::{
    fs::{self, File, OpenOptions},
    io, mem,
    ops::Deref,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use redb::{
    Database, ReadTransaction, ReadableDatabase, WriteTransaction,
    backends::{FileBackend, InMemoryBackend},
};

pub use self::holder::Holder;
use self::{
    backend::{Backend, Fault, Medium},
    reserve::Reserve,
};
use super::{FILE, OpenError, StoreError};

/// How much of the file is held in memory, in bytes. The operating system caches it as well; this only spares
/// the copying.
const CACHE: usize = 12 << 20;

/// A file of at most so many bytes is held against its sums, page by page, whenever it is opened: half a million activities,
/// and a tenth of a second. It would take two seconds for a gigabyte; there our own sums tell of damage when a record is read,
/// and `check` of all of it.
const CHECKED: u64 = 64 << 20;

/// The file of now.
pub(super) struct Disk {
    current: RwLock<Generation>,
    /// Where it is; none where it is in memory.
    path: Option<PathBuf>,
    reserve: Option<Reserve>,
    /// Whether the folder may not know yet, for good, which file it is: one was put in its place and the sync of that failed.
    unsettled: AtomicBool,
}

/// The file, and the database that is opened over it now.
struct Generation {
    database: Arc<Database>,
    backend: Backend,
    medium: Medium,
    /// Whether it can be read only, because the file takes no writes.
    frozen: bool,
}

impl Generation {
    fn open(medium: Medium, backend: Backend, frozen: bool, check: bool) -> Result<Self, OpenError> {
        let mut builder = redb::Builder::new();
        builder.set_cache_size(CACHE).set_check_integrity_on_open(check);
        let opened = catch_unwind(AssertUnwindSafe(|| builder.create_with_backend(backend.clone())));
        // Damage can have any form, and redb has not thought of all of them.
        let opened = opened.map_err(|_| OpenError::Damaged("it cannot be made sense of".into()))?;
        Ok(Self { database: Arc::new(opened?), backend, medium, frozen })
    }

    fn first(medium: Medium) -> Result<Self, OpenError> {
        let check = medium.len().is_ok_and(|bytes| bytes <= CHECKED);
        Self::open(Arc::clone(&medium), Backend::first(medium), false, check)
    }

    /// The next over the same file, which every other before has been revoked over, or only reads.
    fn next(medium: &Medium) -> Result<Self, OpenError> {
        Self::open(Arc::clone(medium), Backend::next(Arc::clone(medium)), false, false)
    }

    /// The next over the same file, which leaves it as it is.
    fn next_frozen(&self) -> Result<Self, OpenError> {
        Self::open(Arc::clone(&self.medium), Backend::frozen(Arc::clone(&self.medium)), true, false)
    }
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

/// Lets go of a generation. One that failed in the middle of something may stumble over it once more.
fn bury(old: Generation) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(old)));
}

impl Disk {
    /// Opens the file in `folder`, or makes a new one there.
    pub(super) fn open(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(FILE);
        // What a kill left of a copy.
        let _ = fs::remove_file(beside(&path));
        // redb would begin anew; but where there is an index or a reserve there was something.
        let left = ["index", "reserve"].into_iter().find(|name| folder.join(name).exists());
        let current = match fs::metadata(&path) {
            Ok(file) if file.len() == 0 && left.is_some() => {
                return Err(OpenError::Damaged("it is empty".into()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => match left {
                Some(left) => return Err(OpenError::Missing(left)),
                None => first::begin(&path)?,
            },
            _ => open(&path)?,
        };
        let current = RwLock::new(current);
        let reserve = Some(Reserve::of(folder));
        Ok(Self { current, path: Some(path), reserve, unsettled: AtomicBool::new(false) })
    }

    pub(super) fn in_memory() -> Result<Self, OpenError> {
        Self::over(Arc::new(InMemoryBackend::new()))
    }

    /// One over something that is no file.
    pub(super) fn over(medium: Medium) -> Result<Self, OpenError> {
        let current = RwLock::new(Generation::first(medium)?);
        Ok(Self { current, path: None, reserve: None, unsettled: AtomicBool::new(false) })
    }

    pub(super) fn read(&self) -> Result<Moment, StoreError> {
        let file = self.current();
        Ok(Moment { transaction: file.begin_read().map_err(StoreError::file)?, _file: file })
    }

    pub(super) fn write(&self) -> Result<WriteTransaction, StoreError> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        if current.frozen || self.settle().is_err() {
            return Err(StoreError::Failing);
        }
        current.database.begin_write().map_err(StoreError::file)
    }

    /// Whether the file can be read only, because it took no writes when it was last opened.
    pub(super) fn is_frozen(&self) -> bool {
        self.current.read().unwrap_or_else(PoisonError::into_inner).frozen
    }

    /// Opens the file anew: after a write that failed nothing else helps. Moments that are still held end. Where that
    /// fails too, the file can be read, and the next call tries again. Nobody may write meanwhile. What opens writes and syncs, which
    /// may take as long as a disk that hangs: until it is done the file is read over one that writes nothing.
    pub(super) fn reopen(&self) -> Result<(), OpenError> {
        let medium = {
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            current.backend.revoke();
            let medium = Arc::clone(&current.medium);
            if let Ok(frozen) = current.next_frozen() {
                let old = mem::replace(&mut *current, frozen);
                drop(current);
                bury(old);
            }
            medium
        };
        let next = Generation::next(&medium)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.backend.revoke();
        let old = mem::replace(&mut *current, next);
        drop(current);
        bury(old);
        Ok(())
    }

    /// Why nothing more can be done over the file until it is opened anew, if that is so.
    pub(super) fn fault(&self) -> Option<StoreError> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.backend.fault().map(|fault| match fault {
            Fault::Full => StoreError::Full,
            Fault::Other => StoreError::Failing,
        })
    }

    /// Sets room aside for the day on which the disk is full. Whether there is enough.
    pub(super) fn set_aside(&self) -> bool {
        self.reserve.as_ref().is_none_or(Reserve::set_aside)
    }

    /// Gives out the room that was set aside: the disk is full.
    pub(super) fn release(&self) {
        self.reserve.as_ref().inspect(|reserve| reserve.release());
    }

    /// Bytes that are free where the file is; none where that cannot be told.
    pub(super) fn free_bytes(&self) -> Option<u64> {
        self.reserve.as_ref()?.free()
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
        let file = open(&new)?;
        Ok(Some(Copy { file: Some(file), path: new }))
    }

    /// Puts `copy` in the place of the file. Whoever still reads the old one may go on. Nobody may write meanwhile.
    pub(super) fn exchange(&self, mut copy: Copy) -> io::Result<()> {
        let (Some(path), Some(file)) = (&self.path, copy.file.take()) else { return Ok(()) };
        if let Err(error) = fs::rename(&copy.path, path) {
            // It goes away as one does of which nothing came.
            copy.file = Some(file);
            return Err(error);
        }
        // From here on the old file has no name: nothing may be written to it any more, whatever else fails.
        let old = mem::replace(&mut *self.current.write().unwrap_or_else(PoisonError::into_inner), file);
        // redb writes and syncs what it closes, seconds of it on a busy disk, which is for nothing here: neither those who read wait for
        // it, behind the lock, nor those who write.
        let closing = thread::Builder::new().name("old file".into());
        let closing = closing.spawn(move || {
            let _ = catch_unwind(AssertUnwindSafe(|| drop(old)));
        });
        drop(closing);
        self.unsettled.store(true, Ordering::SeqCst);
        self.settle()
    }

    /// Makes sure that after a power cut the folder has the file that is written to.
    fn settle(&self) -> io::Result<()> {
        if !self.unsettled.load(Ordering::SeqCst) {
            return Ok(());
        }
        let folder =
            self.path.as_deref().and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        self.unsettled.store(false, Ordering::SeqCst);
        Ok(())
    }

    fn current(&self) -> Arc<Database> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).database)
    }
}

/// A file that is to take the place of another. It goes away if it does not come to that.
pub(super) struct Copy {
    file: Option<Generation>,
    path: PathBuf,
}

impl Copy {
    pub(super) fn write(&self) -> Result<WriteTransaction, StoreError> {
        self.file.as_ref().ok_or(StoreError::Closed)?.database.begin_write().map_err(StoreError::file)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// `rollcall.redb` becomes `rollcall.redb.new`.
fn beside(path: &Path) -> PathBuf {
    path.with_extension("redb.new")
}

fn open(path: &Path) -> Result<Generation, OpenError> {
    let file = open_private(path).map_err(|error| OpenError::of(path, error))?;
    let opened = FileBackend::new(file)
        .map_err(OpenError::from)
        .and_then(|backend| Generation::first(Arc::new(backend)));
    opened.map_err(|error| match error {
        OpenError::Taken(_) => OpenError::Taken(Holder::of(path)),
        other => other,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_cannot_take_the_place_of_the_file_goes_away() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path()).unwrap();
        let copy = disk.copy().unwrap().unwrap();
        let path = folder.path().join(FILE);
        // Nothing takes the place of a folder.
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(disk.exchange(copy).is_err());
        assert!(!beside(&path).exists(), "it would take room until the next one is made");
    }
}
