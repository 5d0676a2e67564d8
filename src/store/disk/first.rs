//! The first start: the file that it makes.

use std::{
    fs::{self, File, Metadata},
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt,
    path::Path,
    sync::Arc,
};

use redb::backends::FileBackend;

use super::{Generation, Holder, beside, open_private};
use crate::store::OpenError;

/// Makes the file beside its place and puts it there when it is whole. One that a kill or a full disk left by half would be
/// refused at the next start as another program's. Of several who begin at the same moment one has the file, and the others are told so.
pub(super) fn begin(path: &Path) -> Result<Generation, OpenError> {
    let failed = |error| OpenError::of(path, error);
    let new = beside(path);
    let file = open_private(&new).map_err(failed)?;
    let which = |file: &Metadata| (file.dev(), file.ino());
    let ours = which(&file.metadata().map_err(failed)?);
    let begun = Generation::first(Arc::new(FileBackend::new(file)?))?;
    let placed = fs::hard_link(&new, path).or_else(|error| match error.kind() {
        ErrorKind::AlreadyExists | ErrorKind::NotFound => Err(error),
        // There are file systems without second names.
        _ => fs::rename(&new, path),
    });
    // Somebody else may have been first, or have taken ours for what a kill had left.
    if fs::metadata(path).map(|there| which(&there)).ok() != Some(ours) {
        return Err(match placed {
            Err(error) if !is_race(&error) => failed(error),
            _ => OpenError::Taken(Holder::of(path)),
        });
    }
    let _ = fs::remove_file(&new);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(begun)
}

fn is_race(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use std::{iter, thread};

    use super::*;
    use crate::store::{FILE, disk::Disk};

    #[test]
    fn what_a_kill_left_beside_is_made_anew_and_nothing_is_left_beside_what_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        // As long as redb makes it at first, and nothing written yet.
        File::create(beside(&path)).unwrap().set_len(1 << 20).unwrap();
        drop(Disk::open(folder.path()).unwrap());
        assert!(path.exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        drop(Disk::open(folder.path()).unwrap());
    }

    #[test]
    fn of_many_who_begin_at_once_one_has_the_file_and_the_others_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let opened: Vec<_> = thread::scope(|scope| {
            let begin = || scope.spawn(|| Disk::open(folder.path()));
            let all: Vec<_> = iter::repeat_with(begin).take(8).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(opened.iter().filter(|opened| opened.is_ok()).count() <= 1);
        drop(opened);
        drop(Disk::open(folder.path()).unwrap());
    }
}
