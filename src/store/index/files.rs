//! The folder of the index as Tantivy sees it: files that are mapped by [`Map`], so that what was looked at can be let go.

use std::{
    fmt,
    fs::{self, File},
    io,
    path::Path,
    sync::Arc,
};

use tantivy::directory::{
    Directory, DirectoryLock, FileHandle, Lock, MmapDirectory, OwnedBytes, WatchCallback, WatchHandle,
    WritePtr,
    error::{DeleteError, LockError, OpenDirectoryError, OpenReadError, OpenWriteError},
};

use crate::store::map::Map;

/// A folder. All but the reading is Tantivy's own.
#[derive(Clone)]
pub(super) struct Files {
    folder: MmapDirectory,
    path: Arc<Path>,
}

impl Files {
    pub(super) fn open(path: &Path) -> Result<Self, OpenDirectoryError> {
        let folder = MmapDirectory::open(path)?;
        Ok(Self { folder, path: path.into() })
    }

    /// The bytes of a file; none of an empty one, which cannot be mapped.
    fn bytes(&self, file: &Path) -> io::Result<OwnedBytes> {
        let path = self.path.join(file);
        must_be_file(&path)?;
        let file = File::open(path)?;
        let empty = file.metadata()?.len() == 0;
        Ok(if empty { OwnedBytes::empty() } else { OwnedBytes::new(Map::of(&file)?) })
    }
}

/// Refuses what is there and no file, such as a pipe: to open one is to wait for its other end.
pub(super) fn must_be_file(path: &Path) -> io::Result<()> {
    if fs::metadata(path)?.is_file() {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "it is no file"))
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Files({})", self.path.display())
    }
}

impl Directory for Files {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        match self.bytes(path) {
            Ok(bytes) => Ok(Arc::new(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(OpenReadError::FileDoesNotExist(path.to_owned()))
            }
            Err(error) => Err(OpenReadError::wrap_io_error(error, path.to_owned())),
        }
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.folder.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.folder.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        self.folder.open_write(path)
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        match must_be_file(&self.path.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(OpenReadError::wrap_io_error(error, path.to_owned()))
            }
            _ => self.folder.atomic_read(path),
        }
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        self.folder.atomic_write(path, data)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.folder.sync_directory()
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        self.folder.acquire_lock(lock)
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.folder.watch(callback)
    }
}
