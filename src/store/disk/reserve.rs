//! Room set aside for the day on which the disk is full.
//!
//! It is a file that nobody reads. When a write finds no room the file goes, and in its room what must not wait is still
//! written: who signed in, who was signed out. It is made again as soon as there is twice its room: that is how it is
//! known that the disk is no longer full.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{FallocateFlags, fallocate},
    sys::statvfs::statvfs,
};

/// Its size, in bytes: some 50,000 sign-ins and logouts.
const SIZE: u64 = 32 << 20;

/// It takes at most such a part of the file system.
const PART: u64 = 32;

/// The reserve of a data folder.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
}

impl Reserve {
    pub(super) fn of(folder: &Path) -> Self {
        Self { path: folder.join("reserve") }
    }

    /// Sets the room aside. False where there is too little; what cannot be asked of this file system is taken for enough.
    pub(super) fn set_aside(&self) -> bool {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let Ok(system) = statvfs(folder) else { return true };
        let unit = system.fragment_size();
        let size = SIZE.min(system.blocks() * unit / PART);
        if fs::metadata(&self.path).is_ok_and(|file| file.len() == size) {
            return true;
        }
        if system.blocks_available() * unit < 2 * size {
            return false;
        }
        let made = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.path);
        let made = made.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)));
        let length = i64::try_from(size).unwrap_or(i64::MAX);
        match made.and_then(|file| fallocate(&file, FallocateFlags::empty(), 0, length)) {
            Ok(()) => true,
            Err(error) => {
                let _ = fs::remove_file(&self.path);
                !matches!(error, Errno::ENOSPC | Errno::EDQUOT)
            }
        }
    }

    /// Bytes that are free where it is; none where that cannot be told.
    pub(super) fn free(&self) -> Option<u64> {
        let system = statvfs(self.path.parent().unwrap_or(Path::new("."))).ok()?;
        Some(system.blocks_available() * system.fragment_size())
    }

    /// Gives the room to whoever needs it.
    pub(super) fn release(&self) {
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            log::error!("the room set aside could not be given out: {error}");
        }
    }
}
