//! What was done, found again: a Tantivy index that follows the log.
//!
//! The index is derived. It keeps no documents, only which activity has which words and values; an answer is a list
//! of (`time`, id), and the log has the rest. It remembers in its commits how far it has followed, so that a kill or
//! a removed folder costs time and never data; damage means starting over in a new folder.
//!
//! Segments are sorted newest first and merged only with neighbours in time, so the first hits of a posting list are
//! the first rows of the page: a walk takes segments by their newest time, seeks to the period, and stops when the page
//! is full. Nothing is ever scored. What retention has taken out of the log lies behind a horizon, which every
//! search keeps to; its documents leave the files in their own time.

mod bits;
mod compile;
mod count;
mod deadline;
mod dictionary;
mod docsets;
mod document;
mod doubt;
mod facets;
mod files;
mod folder;
mod follower;
mod gather;
mod histogram;
mod lockstep;
mod merge;
mod page;
mod pairs;
mod phrase;
mod plan;
mod purge;
mod schema;
mod search;
mod segment;
mod source;
mod status;
mod stretch;
mod sums;
mod terms;
#[cfg(test)]
mod tests;
mod tokenizer;

use std::{
    collections::HashSet,
    fmt::Display,
    fs,
    panic::catch_unwind,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

pub use deadline::Deadline;
pub use folder::OpenError;
pub use histogram::Bucket;
pub use page::Walk;
pub use search::{Search, SearchError, Searcher};
pub use source::{Source, SourceError};
pub use status::Standstill;

use tantivy::TantivyError;

use crate::model::{
    horizon::Horizon,
    id::ActivityId,
    index::{Behind, State, Status},
};
use files::Files;
use folder::Folder;
use status::Shared;

/// The index and the thread that keeps it up with the log.
pub struct Index {
    shared: Arc<Shared>,
    follower: Mutex<Option<JoinHandle<()>>>,
    dir: PathBuf,
}

impl Index {
    /// Opens the index in the folder `dir` and starts to follow `source`. A folder that is missing, of another version,
    /// ahead of the log or damaged is replaced by a new one, which fills up from the log while it can be searched.
    pub fn open(dir: &Path, source: Arc<dyn Source>) -> Result<Self, OpenError> {
        let last = source.last();
        let folder = Folder::open(dir, last)?;
        let shared = Arc::new(Shared::new(folder.snapshot()?, last));
        let follower = follower::Follower::new(folder, source, Arc::clone(&shared));
        let follower = thread::Builder::new().name("index".into()).spawn(move || follower.run())?;
        Ok(Self { shared, follower: Mutex::new(Some(follower)), dir: dir.to_owned() })
    }

    /// The index as it is now: what comes later does not change what it finds.
    pub fn searcher(&self) -> Searcher {
        Searcher::new(self.shared.snapshot(), Arc::clone(&self.shared.doubt))
    }

    /// How many bytes the files take that are searched now. What a merge is writing, and what it leaves behind for a moment, may be as
    /// much again; it is no more of the log.
    pub fn bytes(&self) -> u64 {
        let snapshot = self.shared.snapshot();
        let segments: HashSet<String> =
            snapshot.segments.iter().map(|segment| segment.id().uuid_string()).collect();
        let files = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let searched = |file: &fs::DirEntry| {
            let name = file.file_name();
            // A file is called by its segment, and by what it holds behind a dot.
            name.to_str().and_then(|name| name.split('.').next()).is_some_and(|name| segments.contains(name))
        };
        files.filter(searched).filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
    }

    /// Why searches are not to be taken for whole, of a log whose newest activity is `last`; none if they lack no more than what is on
    /// its way and there within a second.
    pub fn lacks(&self, last: ActivityId) -> Option<Behind> {
        let status = self.shared.status();
        let lacks = last.0.saturating_sub(status.indexed.0);
        let stands = match status.state {
            State::Checking => return Some(Behind::Unverified),
            State::Following => false,
            State::Retrying(_) | State::Stopped => true,
        };
        if lacks > 0 && (stands || !status.caught_up || lacks > status::FAR) {
            return Some(Behind::Lacks(lacks));
        }
        (status.left_out > 0).then_some(Behind::Damaged(status.left_out))
    }

    /// Holds every file against its check sum: the first that is not as it was written, by its name. What is damaged is made anew, as
    /// it is when a search comes upon it.
    pub fn verify(&self) -> Result<(), String> {
        let damaged = || -> Result<Option<PathBuf>, TantivyError> {
            let index = tantivy::Index::open(Files::open(&self.dir)?)?;
            Ok(sums::first_damaged(&index, &self.dir, || true))
        };
        match catch_unwind(damaged).unwrap_or_else(|_| Err(TantivyError::InternalError("a panic".into()))) {
            Ok(None) => Ok(()),
            Ok(Some(file)) => {
                self.doubt();
                Err(file.file_name().unwrap_or_default().to_string_lossy().into_owned())
            }
            Err(error) => {
                self.doubt();
                Err(brief(&error))
            }
        }
    }

    /// Has the files verified, and made anew where they are damaged: what the index found is not what the log has.
    pub fn doubt(&self) {
        self.shared.doubt.raise();
    }

    /// How far the index is.
    pub fn status(&self) -> Status {
        self.shared.status()
    }

    /// From the next [`Index::searcher`] on, nothing that lies behind `horizon` is found or counted. Its documents are removed
    /// later, in the background, so after a start the same horizon has to be set again, or one further on; never one that
    /// brings something back.
    pub fn forget(&self, horizon: Horizon) {
        self.shared.forget(horizon);
    }

    /// The horizon that was set last.
    pub fn horizon(&self) -> Arc<Horizon> {
        Arc::clone(&self.shared.snapshot().horizon)
    }

    /// Waits until the activity `id` and all before it can be found, and says whether that came true in time.
    pub fn wait_for(&self, id: ActivityId, at_most: Duration) -> bool {
        self.shared.wait_for(id, at_most)
    }

    /// Waits for the same, as long as the index goes on, and says whether it came true in time.
    pub fn follows_to(&self, id: ActivityId, at_most: Duration) -> Result<bool, Standstill> {
        self.shared.follows_to(id, at_most)
    }

    /// Begins anew in an empty folder, and follows the log from its first activity on. How far it is once it has begun.
    pub fn start_over(&self, at_most: Duration) -> Result<Status, Standstill> {
        self.shared.begin_anew(at_most)
    }

    /// Ends the following and keeps what has been read so far, so that the next start has nothing to catch up.
    pub fn stop(&self) {
        self.end(true);
    }

    fn end(&self, keep: bool) {
        self.shared.stop(keep);
        let follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(follower) = follower {
            // A follower that panicked has said so; the log has everything.
            let _ = follower.join();
        }
    }
}

/// The most characters of what goes wrong that are told: Tantivy's errors may quote a whole file.
const BRIEF: usize = 300;

/// What went wrong, in one short line.
fn brief(error: &dyn Display) -> String {
    let told = error.to_string();
    let end = told.char_indices().nth(BRIEF).map_or(told.len(), |(end, _)| end);
    let mut brief = told[..end].replace(char::is_control, " ");
    if end < told.len() {
        brief.push('…');
    }
    brief
}

/// Ends the following at once; what was read and not yet committed will be read again.
impl Drop for Index {
    fn drop(&mut self) {
        self.end(false);
    }
}

#[cfg(test)]
mod brief_tests {
    use super::brief;

    #[test]
    fn what_went_wrong_is_told_in_one_short_line() {
        assert_eq!(brief(&"no\nroom"), "no room");
        let told = brief(&"é".repeat(5000));
        assert_eq!(told.chars().count(), 301);
        assert!(told.ends_with('…'));
    }
}
