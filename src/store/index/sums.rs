//! The check sums of the index's files: each file ends with the sum of all before it, and is held against it at the start, when a
//! search came upon something that cannot be, and every so often while nothing happened.
//!
//! The files are read, not mapped: what is looked at through a map that searches use stays resident, here all of it.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::errno::Errno;
use tantivy::{
    HasLen, Index, TantivyError,
    directory::{FileSlice, error::OpenReadError, footer::Footer},
};

use super::{brief, files::must_be_file};

/// How much of a file is read at once, in bytes.
const CHUNK: usize = 1 << 20;

/// How much is read in one step of a round, in bytes: some milliseconds from the system's cache, and less than a fifth of a second
/// from any disk, which is the time that what is new may wait for the follower.
const STEP: usize = 16 << 20;

/// How long after one round the next begins. Damage that no search meets stands at most so long; each round reads all of the index.
const ROUND: Duration = Duration::from_hours(6);

/// The files that the last commit names, all of them below `folder`.
pub(super) fn files(index: &Index, folder: &Path) -> Result<Vec<PathBuf>, TantivyError> {
    let there = index.directory().list_managed_files();
    let named = index.load_metas()?.list_segment_files();
    let mut files: Vec<PathBuf> = named.intersection(&there).map(|file| folder.join(file)).collect();
    files.sort_unstable();
    Ok(files)
}

/// The first file of the index that is not as it was written, or cannot be read. It gives up, with none, once it is not to `go_on`.
pub(super) fn first_damaged(index: &Index, folder: &Path, go_on: impl Fn() -> bool) -> Option<PathBuf> {
    let files = match files(index, folder) {
        Ok(files) => files,
        Err(error) => {
            let list = folder.join("meta.json");
            return (!believed(&list, Err(cause(&error)))).then_some(list);
        }
    };
    files.into_iter().find(|file| {
        let sum = Sum::of(file).and_then(|mut sum| {
            while go_on() {
                if let Some(whole) = sum.read(CHUNK)? {
                    return Ok(whole);
                }
            }
            Ok(true)
        });
        !believed(file, sum) && is_named(index, folder, file)
    })
}

/// Whether a file is still one of the index: merges remove others meanwhile.
fn is_named(index: &Index, folder: &Path, file: &Path) -> bool {
    files(index, folder).map_or(true, |named| named.iter().any(|named| named == file))
}

/// Whether a file is to be believed. What says nothing of the file, as where no more files can be opened or there is no memory, is no
/// reason not to: it is looked at again.
fn believed(file: &Path, whole: io::Result<bool>) -> bool {
    whole.unwrap_or_else(|error| {
        let damage = [io::ErrorKind::NotFound, io::ErrorKind::InvalidData, io::ErrorKind::UnexpectedEof];
        // A disk that cannot read it says so in a number of its own.
        let unreadable = error.raw_os_error() == Some(Errno::EIO as i32);
        if error.kind() != io::ErrorKind::NotFound {
            log::warn!("{} cannot be verified: {error}", file.display());
        }
        !unreadable && !damage.contains(&error.kind())
    })
}

/// Why the list of the files could not be read, as the system says it. What the system says nothing of is damage.
fn cause(error: &TantivyError) -> io::Error {
    let (TantivyError::IoError(said)
    | TantivyError::OpenReadError(OpenReadError::IoError { io_error: said, .. })) = error
    else {
        return io::Error::new(io::ErrorKind::InvalidData, brief(error));
    };
    said.raw_os_error().map_or_else(|| io::Error::new(said.kind(), brief(said)), io::Error::from_raw_os_error)
}

/// The sum of a file, of which some was read.
struct Sum {
    body: FileSlice,
    read: usize,
    hasher: crc32fast::Hasher,
    written: u32,
}

impl Sum {
    /// Begins with a file, which has to end as all of them do. What is not of that form can make Tantivy panic.
    fn of(file: &Path) -> io::Result<Self> {
        must_be_file(file)?;
        let footer = catch_unwind(AssertUnwindSafe(|| Footer::extract_footer(FileSlice::open(file)?)));
        let nonsense = || io::Error::new(io::ErrorKind::InvalidData, "its end cannot be made sense of");
        let (footer, body) = footer.unwrap_or_else(|_| Err(nonsense()))?;
        Ok(Self { body, read: 0, hasher: crc32fast::Hasher::new(), written: footer.crc })
    }

    /// Reads on, at most so many bytes. Whether the file is as it was written, once all of it was read.
    fn read(&mut self, bytes: usize) -> io::Result<Option<bool>> {
        let end = self.body.len().min(self.read + bytes);
        while self.read < end {
            let to = end.min(self.read + CHUNK);
            self.hasher.update(&self.body.slice(self.read..to).read_bytes()?);
            self.read = to;
        }
        let done = self.read == self.body.len();
        Ok(done.then(|| self.hasher.clone().finalize() == self.written))
    }
}

/// Rounds through the files of an index in use, a step at a time.
pub(super) struct Rounds {
    /// When the next round begins.
    next: Instant,
    /// What this round has yet to look at.
    left: Vec<PathBuf>,
    at: Option<(PathBuf, Sum)>,
}

impl Rounds {
    /// The first round is one [`ROUND`] after `now`, when all was verified.
    pub(super) fn new(now: Instant) -> Self {
        Self { next: now + ROUND, left: Vec::new(), at: None }
    }

    /// The next step, to be taken about once a second. A file that is damaged, if this step came upon one: of all the files it looks at
    /// the ends, which one that was cut off has not, and of a few megabytes, while a round is under way, at each byte.
    pub(super) fn step(&mut self, index: &Index, folder: &Path, now: Instant) -> Option<PathBuf> {
        let files = files(index, folder).ok()?;
        let cut = files.iter().find(|file| !believed(file, Sum::of(file).map(|_| true)));
        if let Some(cut) = cut.filter(|file| is_named(index, folder, file)) {
            return Some(cut.clone());
        }
        if now >= self.next {
            self.next = now + ROUND;
            self.left = files;
        }
        let mut bytes = STEP;
        while bytes > 0 {
            let (file, mut sum) = if let Some(at) = self.at.take() {
                at
            } else {
                let file = self.left.pop()?;
                // What merges have removed meanwhile is no loss.
                let Ok(sum) = Sum::of(&file) else { continue };
                (file, sum)
            };
            let before = sum.read;
            match sum.read(bytes) {
                Ok(None) => {
                    self.at = Some((file, sum));
                    return None;
                }
                Ok(Some(true)) => bytes = bytes.saturating_sub((sum.read - before).max(1)),
                whole => {
                    let whole = whole.map(|_| false);
                    return (!believed(&file, whole) && is_named(index, folder, &file)).then_some(file);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_list_that_the_system_does_not_let_be_read_is_believed_and_one_that_is_damaged_is_not() {
        let list = Path::new("meta.json");
        let of = |said: io::Error| {
            let said = Arc::new(said);
            let opened = OpenReadError::IoError { io_error: Arc::clone(&said), filepath: list.to_owned() };
            [TantivyError::IoError(said), TantivyError::OpenReadError(opened)]
        };
        for number in [Errno::EMFILE, Errno::ENFILE, Errno::ENOMEM] {
            for error in of(io::Error::from_raw_os_error(number as i32)) {
                assert!(believed(list, Err(cause(&error))), "{error}");
            }
        }
        let gone = TantivyError::OpenReadError(OpenReadError::FileDoesNotExist(list.to_owned()));
        let nonsense = TantivyError::InternalError("no list".to_owned());
        let unreadable = of(io::Error::from_raw_os_error(Errno::EIO as i32));
        let no_file = of(io::Error::new(io::ErrorKind::InvalidData, "it is no file"));
        for error in unreadable.into_iter().chain(no_file).chain([gone, nonsense]) {
            assert!(!believed(list, Err(cause(&error))), "{error}");
        }
    }
}
