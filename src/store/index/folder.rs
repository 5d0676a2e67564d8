//! The folder of the index: opened if it can be believed, else begun anew beside the old one and renamed.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    panic::catch_unwind,
    path::{Path, PathBuf},
    time::Instant,
};

use tantivy::{Index, IndexReader, ReloadPolicy, TantivyError};

use super::{
    brief,
    document::Document,
    files::Files,
    schema::{self, Fields, VERSION},
    segment::Snapshot,
    sums::{self, Rounds},
};
use crate::model::id::ActivityId;

/// Why there is no index at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be used.
    #[error("the search index's folder cannot be used: {0}")]
    Folder(#[from] io::Error),
    /// A new index cannot be made in it.
    #[error("the search index cannot be made: {0}")]
    Index(#[from] TantivyError),
}

/// An open index and where it stands.
pub(super) struct Folder {
    path: PathBuf,
    pub(super) index: Index,
    pub(super) reader: IndexReader,
    pub(super) fields: Fields,
}

impl Folder {
    /// Opens the index at `path`, or begins a new one if it is missing, of another version, damaged, or knows activities
    /// behind `last`, the newest of the log: those of another log, then.
    pub(super) fn open(path: &Path, last: ActivityId) -> Result<Self, OpenError> {
        for left in [beside(path, "new"), beside(path, "old")] {
            remove(&left)?;
        }
        match Self::believed(path) {
            Ok(folder) if matches!(folder.indexed(), Ok(Some(indexed)) if indexed <= last) => Ok(folder),
            Ok(folder) => {
                log::warn!("the search index is of another version or another log; it is built anew");
                drop(folder);
                Self::begin(path)
            }
            Err(error) => {
                if fs::symlink_metadata(path).is_ok() {
                    log::warn!("the search index cannot be opened and is built anew: {}", brief(&error));
                }
                Self::begin(path)
            }
        }
    }

    /// Begins anew, in place of this one. What still reads the old files may go on.
    pub(super) fn start_over(&self) -> Result<Self, OpenError> {
        Self::begin(&self.path)
    }

    /// Opens what is there, if all of it can be opened. Damage can have any form, and Tantivy has not thought of all of them.
    fn believed(path: &Path) -> Result<Self, TantivyError> {
        let opened = catch_unwind(|| {
            let folder = Self::existing(path)?;
            folder.snapshot().map(|_| folder)
        });
        opened.unwrap_or_else(|_| Err(TantivyError::InternalError("it cannot be made sense of".into())))
    }

    fn existing(path: &Path) -> Result<Self, TantivyError> {
        refuse_what_waits(path)?;
        let index = Index::open(Files::open(path)?)?;
        let (schema, _) = schema::schema();
        if index.schema() != schema || *index.settings() != schema::settings() {
            return Err(TantivyError::SchemaError("another schema".into()));
        }
        super::tokenizer::register(&index);
        Self::with(path, index)
    }

    /// Makes an empty index beside `path` and puts it there, so that at no moment there is half an index.
    fn begin(path: &Path) -> Result<Self, OpenError> {
        let (new, old) = (beside(path, "new"), beside(path, "old"));
        remove(&new)?;
        remove(&old)?;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&new)?;
        let index = schema::create(Files::open(&new).map_err(TantivyError::from)?)?;
        let mut writer = index.writer_with_num_threads::<Document>(1, 15_000_000)?;
        let mut commit = writer.prepare_commit()?;
        commit.set_payload(&payload(ActivityId(0), 0));
        commit.commit()?;
        drop(writer);
        drop(index);
        // Whatever it is: a file, a pipe or a link to nowhere may stand in its place.
        if fs::symlink_metadata(path).is_ok() {
            fs::rename(path, &old)?;
        }
        fs::rename(&new, path)?;
        remove(&old)?;
        Ok(Self::existing(path)?)
    }

    fn with(path: &Path, index: Index) -> Result<Self, TantivyError> {
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let (_, fields) = schema::schema();
        Ok(Self { path: path.to_owned(), index, reader, fields })
    }

    /// How far the index has followed, as its last commit says; none if another version wrote it. Where that cannot be read nobody may
    /// take it for nothing: all would be added once more.
    pub(super) fn indexed(&self) -> Result<Option<ActivityId>, TantivyError> {
        Ok(self.said(1)?.map(ActivityId))
    }

    /// How many activities before that it had to leave out, because the log could not read them any more.
    pub(super) fn left_out(&self) -> Result<u64, TantivyError> {
        Ok(self.said(2)?.unwrap_or_default())
    }

    /// A number of the last commit's payload.
    fn said(&self, at: usize) -> Result<Option<u64>, TantivyError> {
        let payload = self.index.load_metas()?.payload.unwrap_or_default();
        let mut words = payload.split(' ');
        let known = words.next().and_then(|version| version.parse().ok()) == Some(VERSION);
        Ok(words.nth(at - 1).filter(|_| known).and_then(|word| word.parse().ok()))
    }

    /// The index as its last commit left it.
    pub(super) fn snapshot(&self) -> Result<Snapshot, TantivyError> {
        self.snapshot_after(None)
    }

    /// The same, with what `before` has open already.
    pub(super) fn snapshot_after(&self, before: Option<&Snapshot>) -> Result<Snapshot, TantivyError> {
        // Asked before the segments are, so that it can only say too little.
        let indexed = self.indexed()?.unwrap_or(ActivityId(0));
        self.reader.reload()?;
        Snapshot::new(self.reader.searcher().segment_readers(), before, self.fields, indexed)
    }

    /// The first file that is not as it was written. It gives up, with none, once it is not to `go_on`.
    pub(super) fn first_damaged(&self, go_on: impl Fn() -> bool) -> Option<PathBuf> {
        sums::first_damaged(&self.index, &self.path, go_on)
    }

    /// The next step of a round through the files: one that is damaged, if it came upon one.
    pub(super) fn look_on(&self, rounds: &mut Rounds, now: Instant) -> Option<PathBuf> {
        rounds.step(&self.index, &self.path, now)
    }
}

/// What a commit remembers: the version of the format, and the last activity in it.
/// And, where there are any, how many before it were left out.
pub(super) fn payload(indexed: ActivityId, left_out: u64) -> String {
    match left_out {
        0 => format!("{VERSION} {}", indexed.0),
        left_out => format!("{VERSION} {} {left_out}", indexed.0),
    }
}

/// `index` becomes `index.new`.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(ending);
    path.with_file_name(name)
}

/// Refuses a folder in which a pipe, a socket or a device lies. Tantivy opens what has the right name, and to open a pipe is to wait
/// for its other end.
fn refuse_what_waits(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        if fs::metadata(&path).is_ok_and(|about| !about.is_file() && !about.is_dir()) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} is no file", path.display())));
        }
    }
    Ok(())
}

/// Removes whatever is there: what stands in the place of a folder need not be one.
fn remove(path: &Path) -> io::Result<()> {
    let is_folder = fs::symlink_metadata(path).is_ok_and(|about| about.is_dir());
    match if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) } {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
