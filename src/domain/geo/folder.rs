//! The folder of private copies: written under another name, synced, renamed, and never touched again.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use sha2::{Digest, Sha256};

use super::{
    GeoError, MAX_BYTES,
    database::Database,
    gate,
    packed::{self, UNPACKED_SHA256},
};

/// What an administrator put in.
const GIVEN: &str = "given.mmdb";

/// The copy of what was named at the start.
const OPTION: &str = "option.mmdb";

/// How the names of unfinished copies end.
const UNFINISHED: &str = ".tmp";

/// The folder `geo/` of the data.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

/// A copy that is not served yet. It goes when it is dropped; were the process killed before, the next start
/// finds its lock free and removes it.
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
    file: File,
}

impl Draft {
    /// Looks into it.
    pub(super) fn open(&self) -> Result<Database, GeoError> {
        Database::open(&self.path)
    }
}

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self, GeoError> {
        let folder = Self::at(path);
        folder.make_way().map_err(|error| folder.fault(error))?;
        folder.make().and_then(|()| folder.clear()).map_err(|error| folder.fault(error))?;
        Ok(folder)
    }

    /// The folder as it may be, which is made when something is to be kept in it.
    pub(super) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    fn make(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path)
    }

    /// Moves aside what stands in its place and is no folder.
    fn make_way(&self) -> io::Result<()> {
        if fs::symlink_metadata(&self.path).is_err() || self.path.is_dir() {
            return Ok(());
        }
        let aside = self.path.with_extension("aside");
        clear_way(&aside)?;
        fs::rename(&self.path, &aside)?;
        log::warn!("{} is no folder; it is kept as {}", self.path.display(), aside.display());
        Ok(())
    }

    /// Copies a database in and vets the copy, which nobody can change any more.
    pub(super) fn admit(&self, content: impl Read) -> Result<Draft, GeoError> {
        let mut draft = self.draft()?;
        self.fill(&mut draft, content)?;
        gate::sniff(&mut draft.file)?;
        gate::vet(&draft.open()?)?;
        Ok(draft)
    }

    /// Makes an admitted copy the one that was put in.
    pub(super) fn keep(&self, draft: Draft) -> Result<Database, GeoError> {
        Database::open(&self.finish(draft, GIVEN)?)
    }

    /// The database that was put in, vetted again: the disk may have damaged it since.
    pub(super) fn kept(&self) -> Result<Option<Database>, GeoError> {
        let path = self.path.join(GIVEN);
        if !path.exists() {
            return Ok(None);
        }
        gate::open(&path)?;
        gate::vet(&Database::open(&path)?)?;
        // Opened anew, so that the pages that were looked at for this are given back.
        Database::open(&path).map(Some)
    }

    /// Forgets the database that was put in.
    pub(super) fn forget(&self) -> Result<(), GeoError> {
        let path = self.path.join(GIVEN);
        match clear_way(&path).and_then(|()| fs::remove_file(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.fault(error)),
            _ => Ok(()),
        }
    }

    /// A copy of a database that stays somebody else's.
    pub(super) fn borrow(&self, candidate: &Path) -> Result<Database, GeoError> {
        let draft = self.admit(gate::open(candidate)?)?;
        Database::open(&self.finish(draft, OPTION)?)
    }

    /// The built-in database, unpacked if it is not there yet, or not whole.
    pub(super) fn built_in(&self) -> Result<Database, GeoError> {
        let name = built_in_name();
        let path = self.path.join(&name);
        // To open a pipe is to wait for its other end.
        let is_whole =
            path.is_file() && File::open(&path).and_then(sha256).is_ok_and(|sum| sum == UNPACKED_SHA256);
        if !is_whole {
            let mut draft = self.draft()?;
            let unpacked = zstd::Decoder::new(packed::reader()).map_err(|_| GeoError::BuiltIn)?;
            self.fill(&mut draft, unpacked)?;
            if sha256(&draft.file).map_err(|error| self.fault(error))? != UNPACKED_SHA256 {
                return Err(GeoError::BuiltIn);
            }
            self.finish(draft, &name)?;
        }
        Database::open(&path)
    }

    fn draft(&self) -> Result<Draft, GeoError> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        // Since the start the folder may have gone, or come to be possible. What keeps it from being made keeps the copy as well.
        let _ = self.make();
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = self.path.join(format!("{}-{count}{UNFINISHED}", process::id()));
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&path);
        let file = file.map_err(|error| self.fault(error))?;
        // On a file system without locks an abandoned draft stays: better that than removing one in use.
        let _ = file.lock();
        Ok(Draft { path, file })
    }

    /// Writes all there is, and leaves the file at its beginning.
    fn fill(&self, draft: &mut Draft, mut content: impl Read) -> Result<(), GeoError> {
        let mut taken = 0;
        let mut part = vec![0; 1 << 16];
        loop {
            let bytes = content.read(&mut part).map_err(GeoError::Unreadable)?;
            if bytes == 0 {
                return draft.file.rewind().map_err(|error| self.fault(error));
            }
            taken += bytes as u64;
            if taken > MAX_BYTES {
                return Err(GeoError::TooLarge);
            }
            draft.file.write_all(&part[..bytes]).map_err(|error| self.fault(error))?;
        }
    }

    /// Gives a copy its name, for good once this has returned.
    fn finish(&self, draft: Draft, name: &str) -> Result<PathBuf, GeoError> {
        let path = self.path.join(name);
        let finished = draft
            .file
            .sync_all()
            .and_then(|()| clear_way(&path))
            .and_then(|()| fs::rename(&draft.path, &path))
            .and_then(|()| File::open(&self.path)?.sync_all());
        finished.map_err(|error| self.fault(error))?;
        Ok(path)
    }

    /// Removes what nobody needs: copies that were never finished, of the last start's option, and of built-in
    /// databases that are not of this version. Whoever has one of them mapped keeps it until it is closed.
    fn clear(&self) -> io::Result<()> {
        let current = built_in_name();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_old = name == OPTION || (name.starts_with("city-") && name != current);
            let is_abandoned =
                || !path.is_file() || File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
            if is_old || (name.ends_with(UNFINISHED) && is_abandoned()) {
                let _ = fs::remove_file(&path);
            }
        }
        Ok(())
    }

    fn fault(&self, error: io::Error) -> GeoError {
        GeoError::Folder { folder: self.path.clone(), error }
    }
}

impl Drop for Draft {
    /// Finds nothing to remove when it was finished.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes a folder that stands where a file is to be: all else a rename replaces.
fn clear_way(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|about| about.is_dir()) {
        fs::remove_dir_all(path)
    } else {
        Ok(())
    }
}

/// Every version of the built-in database has a name of its own.
fn built_in_name() -> String {
    format!("city-{}.mmdb", &UNPACKED_SHA256[..16])
}

/// The SHA-256 of what is left to read, in hexadecimal.
fn sha256(mut content: impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut part = vec![0; 1 << 16];
    loop {
        match content.read(&mut part)? {
            0 => return Ok(data_encoding::HEXLOWER.encode(&hasher.finalize())),
            bytes => hasher.update(&part[..bytes]),
        }
    }
}
