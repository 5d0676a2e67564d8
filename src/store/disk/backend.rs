//! What a database is opened over: one file that outlives the databases that are opened over it.
//!
//! After a write that failed, redb refuses to do anything more, and rightly: what it holds in memory may not be what the
//! file holds. A database opened anew finds its way. So the file stays open, with the lock that keeps other processes
//! out, and databases come and go over it. One that has been replaced must not touch the file again, not even to say
//! goodbye: it is [revoked](Backend::revoke).

use std::{
    fmt, io,
    ops::Bound,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
};

use redb::{BackendError, StorageBackend};

/// The file under the databases.
pub(in crate::store) type Medium = Arc<dyn StorageBackend>;

/// The file as one database sees it, until it is revoked.
#[derive(Clone)]
pub(super) struct Backend(Arc<Inner>);

struct Inner {
    medium: Medium,
    /// Whether an earlier database has locked the file already.
    locked: bool,
    revoked: AtomicBool,
    /// The [`Fault`] that it came upon.
    fault: AtomicU8,
    /// Where the file takes no writes at all: what would have been written, which is what opening writes. Such a database
    /// can be read.
    frozen: Option<Mutex<Overlay>>,
}

/// Why redb does nothing more over a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// There was no room for a write.
    Full = 1,
    /// Something else failed.
    Other = 2,
}

#[derive(Default)]
struct Overlay {
    length: Option<u64>,
    writes: Vec<(u64, Vec<u8>)>,
}

impl Backend {
    /// The first to be opened over the file.
    pub(super) fn first(medium: Medium) -> Self {
        Self::new(medium, false, None)
    }

    /// One that takes the place of another.
    pub(super) fn next(medium: Medium) -> Self {
        Self::new(medium, true, None)
    }

    /// One that takes the place of another and keeps what it writes to itself.
    pub(super) fn frozen(medium: Medium) -> Self {
        Self::new(medium, true, Some(Mutex::default()))
    }

    fn new(medium: Medium, locked: bool, frozen: Option<Mutex<Overlay>>) -> Self {
        Self(Arc::new(Inner {
            medium,
            locked,
            revoked: AtomicBool::new(false),
            fault: AtomicU8::new(0),
            frozen,
        }))
    }

    /// Keeps its database from the file from now on.
    pub(super) fn revoke(&self) {
        self.0.revoked.store(true, Ordering::SeqCst);
    }

    /// What it came upon, if anything has failed.
    pub(super) fn fault(&self) -> Option<Fault> {
        match self.0.fault.load(Ordering::SeqCst) {
            0 => None,
            1 => Some(Fault::Full),
            _ => Some(Fault::Other),
        }
    }

    /// Does something with the file, and remembers if it failed.
    fn with<T>(&self, work: impl FnOnce(&dyn StorageBackend) -> io::Result<T>) -> io::Result<T> {
        self.file().and_then(work).inspect_err(|error| {
            let fault = if is_full(error) { Fault::Full } else { Fault::Other };
            // The first one is the cause.
            let _ = self.0.fault.compare_exchange(0, fault as u8, Ordering::SeqCst, Ordering::SeqCst);
        })
    }

    fn file(&self) -> io::Result<&dyn StorageBackend> {
        if self.0.revoked.load(Ordering::SeqCst) {
            return Err(io::Error::other("the file has been opened anew since; try again"));
        }
        Ok(&*self.0.medium)
    }

    fn overlay(&self) -> Option<std::sync::MutexGuard<'_, Overlay>> {
        Some(self.0.frozen.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the data file")
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        let length = self.overlay().and_then(|overlay| overlay.length);
        length.map_or_else(|| self.with(StorageBackend::len), Ok)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let Some(overlay) = self.overlay() else { return self.with(|file| file.read(offset, out)) };
        let there = self.with(StorageBackend::len)?.saturating_sub(offset);
        let there = usize::try_from(there).map_or(out.len(), |there| there.min(out.len()));
        out[there..].fill(0);
        self.with(|file| file.read(offset, &mut out[..there]))?;
        for (start, bytes) in &overlay.writes {
            lay_over(out, offset, bytes, *start);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let Some(mut overlay) = self.overlay() else { return self.with(|file| file.set_len(len)) };
        overlay.length = Some(len);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.0.frozen.is_some() { Ok(()) } else { self.with(StorageBackend::sync_data) }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let Some(mut overlay) = self.overlay() else { return self.with(|file| file.write(offset, data)) };
        overlay.writes.push((offset, data.to_vec()));
        Ok(())
    }

    /// The locks stay for whoever comes next; they go with the file.
    fn close(&self) -> io::Result<()> {
        Ok(())
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        if self.0.locked { Ok(true) } else { self.0.medium.try_lock_range(start, end) }
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        if self.0.locked { Ok(true) } else { self.0.medium.try_lock_shared_range(start, end) }
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        if self.0.locked { Ok(()) } else { self.0.medium.lock_range(start, end) }
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        if self.0.locked { Ok(()) } else { self.0.medium.lock_shared_range(start, end) }
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        if self.0.locked { Ok(()) } else { self.0.medium.unlock_range(start, end) }
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.medium.query_lock_range(start, end)
    }
}

/// Whether a write failed because there was no room.
pub(in crate::store) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Puts those of `bytes`, which begin at `start`, over `out`, which begins at `offset`, that lie within it.
fn lay_over(out: &mut [u8], offset: u64, bytes: &[u8], start: u64) {
    let (from, to) = (offset.max(start), (offset + out.len() as u64).min(start + bytes.len() as u64));
    if from < to {
        let within = |at: u64, of: u64| usize::try_from(at - of).unwrap_or(usize::MAX);
        out[within(from, offset)..within(to, offset)]
            .copy_from_slice(&bytes[within(from, start)..within(to, start)]);
    }
}

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;

    use super::*;

    #[test]
    fn what_is_written_over_a_frozen_file_is_read_there_and_nowhere_else() {
        let medium: Medium = Arc::new(InMemoryBackend::new());
        medium.set_len(8).unwrap();
        medium.write(0, b"abcdefgh").unwrap();
        let frozen = Backend::frozen(Arc::clone(&medium));
        frozen.set_len(12).unwrap();
        frozen.write(6, b"XYZ").unwrap();
        frozen.write(1, b"Q").unwrap();
        let mut out = [0; 10];
        frozen.read(0, &mut out).unwrap();
        assert_eq!((&out, frozen.len().unwrap()), (b"aQcdefXYZ\0", 12));
        let mut out = [0; 8];
        medium.read(0, &mut out).unwrap();
        assert_eq!(&out, b"abcdefgh");
        let next = Backend::next(medium);
        next.revoke();
        assert!(next.read(0, &mut out).is_err() && next.write(0, b"!").is_err());
    }
}
