//! The folder of the index: opened if it can be believed, else begun anew beside the old one and renamed.

use std::{
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use tantivy::{
    Index, IndexReader, ReloadPolicy, TantivyError,
    directory::{FileSlice, footer::Footer},
};

use super::{
    brief,
    document::Document,
    files::Files,
    schema::{self, Fields, VERSION},
    segment::Snapshot,
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
            Ok(folder) if folder.indexed().is_some_and(|indexed| indexed <= last) => Ok(folder),
            Ok(folder) => {
                log::warn!("the search index is of another version or another log; it is built anew");
                drop(folder);
                Self::begin(path)
            }
            Err(error) => {
                if path.exists() {
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
        fs::create_dir_all(&new)?;
        let index = schema::create(Files::open(&new).map_err(TantivyError::from)?)?;
        let mut writer = index.writer_with_num_threads::<Document>(1, 15_000_000)?;
        let mut commit = writer.prepare_commit()?;
        commit.set_payload(&payload(ActivityId(0)));
        commit.commit()?;
        drop(writer);
        drop(index);
        if path.exists() {
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

    /// How far the index has followed, as its last commit says; none if another version wrote it.
    pub(super) fn indexed(&self) -> Option<ActivityId> {
        let payload = self.index.load_metas().ok()?.payload?;
        let (version, indexed) = payload.split_once(' ')?;
        (version.parse() == Ok(VERSION)).then_some(())?;
        indexed.parse().ok().map(ActivityId)
    }

    /// The index as its last commit left it.
    pub(super) fn snapshot(&self) -> Result<Snapshot, TantivyError> {
        self.snapshot_after(None)
    }

    /// The same, with what `before` has open already.
    pub(super) fn snapshot_after(&self, before: Option<&Snapshot>) -> Result<Snapshot, TantivyError> {
        // Asked before the segments are, so that it can only say too little.
        let indexed = self.indexed().unwrap_or(ActivityId(0));
        self.reader.reload()?;
        Snapshot::new(self.reader.searcher().segment_readers(), before, self.fields, indexed)
    }

    /// Whether every file is as it was written. It gives up, with yes, once it is not to `go_on`.
    ///
    /// The files are read, not mapped: what is looked at through a map that searches use stays resident, here all of it.
    pub(super) fn is_whole(&self, go_on: impl Fn() -> bool) -> bool {
        let files = match self.files() {
            Ok(files) => files,
            Err(error) => {
                log::warn!("the search index cannot be verified: {}", brief(&error));
                return false;
            }
        };
        files.iter().all(|file| match catch_unwind(AssertUnwindSafe(|| is_as_written(file, &go_on))) {
            Ok(Ok(whole)) => whole,
            Ok(Err(error)) => {
                log::warn!("{} cannot be verified: {error}", file.display());
                false
            }
            Err(_) => false,
        })
    }

    /// The files of the segments that the last commit names.
    fn files(&self) -> Result<Vec<PathBuf>, TantivyError> {
        let there = self.index.directory().list_managed_files();
        let named = self.index.load_metas()?.list_segment_files();
        Ok(named.intersection(&there).map(|file| self.path.join(file)).collect())
    }
}

/// Whether the check sum at the end of a file is that of the file.
fn is_as_written(file: &Path, go_on: impl Fn() -> bool) -> io::Result<bool> {
    let (footer, body) = Footer::extract_footer(FileSlice::open(file)?)?;
    let mut sum = crc32fast::Hasher::new();
    for chunk in body.stream_file_chunks() {
        sum.update(&chunk?);
        if !go_on() {
            return Ok(true);
        }
    }
    Ok(sum.finalize() == footer.crc)
}

/// What a commit remembers: the version of the format, and the last activity in it.
pub(super) fn payload(indexed: ActivityId) -> String {
    format!("{VERSION} {}", indexed.0)
}

/// `index` becomes `index.new`.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(ending);
    path.with_file_name(name)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
