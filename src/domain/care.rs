//! Care of the data: backups and their way back, a check of everything, and the index made anew.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;

pub use crate::store::forbids;

use super::{App, activity::LookError, clock::Clock, evidence, random, returned::Returned};
use crate::{
    model::{
        activity::{NewActivity, OWN_APP, action},
        filter::{Filter, Order},
        id::ActivityId,
        note::SigningKey,
        noun::sessions,
        session::{EndedBy, Ending, Scope},
        user::Actor,
    },
    store::{
        self, BackupError, FILE, Fault, Holder, OpenError, Progress, Sessions as _, Store, StoreError,
        Users as _,
        index::{Deadline, SearchError},
    },
};

/// How long anything may take of which nobody knows how much there is.
const LONG: Duration = Duration::from_hours(24);

/// How often progress is told.
const TICK: Duration = Duration::from_millis(200);

/// How many hits of the index are compared at once.
const CHUNK: usize = 10_000;

/// Why the data could not be cared for.
#[derive(Debug, thiserror::Error)]
pub enum CareError {
    /// The backup.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The index.
    #[error(transparent)]
    Look(#[from] LookError),
    /// The index has not what the log has.
    #[error("the search index and the log differ at activity {0}; `rollcall reindex` makes it anew")]
    Index(ActivityId),
    /// A file of the index is not as it was written.
    #[error(
        "{0} of the search index is not as it was written; it is being made anew from the log, which has everything"
    )]
    IndexFile(String),
    /// A folder or a file.
    #[error("{0} could not be put in its place: {1}")]
    Place(String, #[source] io::Error),
    /// The log in a backup does not prove itself.
    #[error("the log in the backup is not what was written: {0}")]
    Evidence(Fault),
    /// A checkpoint in a backup does not fit its log, or is not as it was signed.
    #[error("the log in the backup is not what was signed: checkpoint {0} does not fit it")]
    Checkpoint(u64),
    /// Nobody could sign in.
    #[error(
        "the backup has no account in it, so nobody could sign in; it was made before the first administrator was"
    )]
    Nobody,
    /// The log in a backup could not be proven.
    #[error(transparent)]
    Verify(evidence::VerifyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<OpenError> for CareError {
    fn from(error: OpenError) -> Self {
        Self::Backup(error.into())
    }
}

/// What a check has looked at, all of it as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// So many activities are in the log.
    pub activities: u64,
    /// So many of them are to be found, and are.
    pub found: u64,
}

/// What was restored.
#[derive(Clone, Debug)]
pub struct Restored {
    /// So many activities are in the log now.
    pub activities: u64,
    /// So many accounts there are.
    pub users: usize,
    /// So many sessions that were live in it have ended.
    pub ended: usize,
    /// What of it opens something, also where it had been closed since.
    pub returned: Returned,
    /// Whether the data that was there is another installation's, by the key that signs its log.
    pub foreign: bool,
    /// When the last activity in it was received: what was done since is not in it.
    pub made: Option<Timestamp>,
    /// Where the data is that was there before, if there was any.
    pub aside: Option<PathBuf>,
}

impl App {
    /// Writes one moment of everything down, and tells the log of it first, where that can be written to: a backup is wanted most
    /// where it cannot. Blocks.
    pub fn backup(&self, by: &Actor, out: &mut dyn Write, progress: Progress<'_>) -> Result<u64, CareError> {
        let (now, told) = (self.now(), self.did(by, action::BACKUP));
        let later = told.clone();
        let written = self.0.store.write(now, move |write| write.append(&told).map(drop)).wait();
        written.or_else(|error: StoreError| self.or_later(error, vec![later], now))?;
        Ok(store::write_backup(&self.0.store.snapshot()?, out, progress)?)
    }

    /// Looks at every record, and holds the index against the log. Blocks.
    pub fn inspect(&self, progress: Progress<'_>) -> Result<Checked, CareError> {
        let _still = self.0.retaining.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let read = self.0.store.snapshot()?;
        let mut shown: Vec<u64> = Vec::new();
        let activities = store::sift(|| {
            read.check(&mut |activity| {
                shown.push(activity.id.0);
                if shown.len().is_multiple_of(CHUNK) {
                    progress(shown.len() as u64, None);
                }
            })
        })?;
        let last = ActivityId(shown.last().copied().unwrap_or(0));
        self.0.index.verify().map_err(CareError::IndexFile)?;
        self.followed_to(last, LONG)?;
        let search = self.0.index.searcher().search(&Filter::default(), &Scope::All);
        let mut found: Vec<u64> = Vec::with_capacity(shown.len());
        for hits in search.walk(Order::Asc, None, CHUNK, Deadline::within(LONG)) {
            // What came since is nobody's concern.
            found
                .extend(hits.map_err(LookError::from)?.iter().map(|hit| hit.id.0).filter(|id| *id <= last.0));
        }
        found.sort_unstable();
        if let Some(differs) = first_difference(&shown, &found) {
            return Err(CareError::Index(ActivityId(differs)));
        }
        Ok(Checked { activities, found: found.len() as u64 })
    }

    /// Makes the index anew from the log, which can be searched meanwhile as far as it has come. How many activities are
    /// in it. Blocks until it has caught up.
    pub fn reindex(&self, progress: Progress<'_>) -> Result<u64, CareError> {
        let mut status = self.0.index.start_over(LONG).map_err(|why| self.stands(why))?;
        while status.indexed < status.last {
            progress(status.indexed.0, Some(status.last.0));
            self.0.index.follows_to(status.last, TICK).map_err(|why| self.stands(why))?;
            status = self.0.index.status();
        }
        let everything = self.0.index.searcher().search(&Filter::default(), &Scope::All);
        let count = everything.count(&Deadline::within(LONG));
        Ok(count.map_err(|error: SearchError| LookError::from(error))?)
    }
}

/// The first number that is in one of two sorted lists only.
fn first_difference(a: &[u64], b: &[u64]) -> Option<u64> {
    let at = a.iter().zip(b).position(|(a, b)| a != b).unwrap_or(a.len().min(b.len()));
    match (a.get(at), b.get(at)) {
        (Some(a), Some(b)) => Some(*a.min(b)),
        (one, other) => one.or(other).copied(),
    }
}

/// Puts a backup in the place of the data in `folder`, which no other process may have open. It is proven first: unpacked
/// beside, every sum and every record held against it, and only then put there. What was there is kept beside. All sessions
/// that were live in the backup end: some of them had been ended since. Blocks.
pub fn restore(
    folder: &Path,
    input: &mut dyn io::Read,
    clock: &Clock,
    progress: Progress<'_>,
) -> Result<Restored, CareError> {
    let place = |path: &Path| {
        let path = path.display().to_string();
        move |error| CareError::Place(path, error)
    };
    // Whoever has the data open keeps it, and while we have it nobody else gets it. Damage is no reason to leave it there.
    let live = folder.join(FILE);
    let known = live.exists();
    let held = match known.then(|| Store::open(folder, clock.now(), random::bytes)) {
        Some(Err(OpenError::Taken(holder))) => return Err(OpenError::Taken(holder).into()),
        Some(Ok(store)) => Some(store),
        Some(Err(_)) | None => None,
    };
    let staging = Staging::make(folder)?;
    store::unpack_backup(input, &staging.0, progress)?;
    let restored = Store::open(&staging.0, clock.now(), random::bytes)?;
    let mut made = None;
    let activities = restored.snapshot()?.check(&mut |activity| made = Some(activity.received))?;
    let told = &mut |done, all| progress(done, Some(all));
    let verdict = evidence::verify_restored(&restored, clock.now(), told).map_err(|error| match error {
        evidence::VerifyError::Store(error) => CareError::Store(error),
        error => CareError::Verify(error),
    })?;
    if let Some(fault) = verdict.proof.faults.first() {
        return Err(CareError::Evidence(*fault));
    }
    if let Some((broken, _)) = verdict.broken.first() {
        return Err(CareError::Checkpoint(broken.size));
    }
    let users = restored.snapshot()?.users()?.len();
    if users == 0 {
        return Err(CareError::Nobody);
    }
    // What was there may be damaged, and then nothing is known of it.
    let before = held.as_ref().and_then(|held| returned(&restored, Some(held), clock.now()).ok());
    let returned = before.map_or_else(|| returned(&restored, None, clock.now()), Ok)?;
    // Where nothing is known of what was there, nothing can be said of whose it was.
    let seed = held
        .as_ref()
        .and_then(|held| store::sift(|| held.read(store::Evidence::signing_seed)).ok().flatten());
    let foreign = seed.and_then(|seed| SigningKey::of(&seed)).is_some_and(|key| *key.public() != verdict.key);
    let ended = end_all(&restored, clock.now())?;
    drop(restored);
    if !known && live.exists() {
        // A server has begun one meanwhile.
        return Err(OpenError::Taken(Holder::of(&live)).into());
    }
    // Derived from another log, and not to be told from one of this.
    let index = folder.join("index");
    if let Ok(there) = fs::symlink_metadata(&index) {
        // What stands in its place may be no folder.
        let removed = if there.is_dir() { fs::remove_dir_all(&index) } else { fs::remove_file(&index) };
        removed.map_err(place(&index))?;
    }
    let aside = live.exists().then(|| {
        let mut names = (0..).map(|nth| match nth {
            0 => format!("{FILE}.before-{}", clock.now().as_second()),
            nth => format!("{FILE}.before-{}-{nth}", clock.now().as_second()),
        });
        // Two may be restored within a second.
        names.find_map(|name| Some(folder.join(name)).filter(|path| !path.exists())).unwrap_or_default()
    });
    if let Some(aside) = &aside {
        // A second name, so that at no moment there is none.
        fs::hard_link(&live, aside).map_err(place(aside))?;
    }
    fs::rename(staging.0.join(FILE), &live).map_err(place(&live))?;
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(place(folder))?;
    // Only now may others have the folder: what they find in it is what was restored.
    drop(held);
    Ok(Restored { activities, users, ended, returned, foreign, made, aside })
}

/// What a backup brings back, held against the data that was there, if it can be read.
fn returned(backup: &Store, before: Option<&Store>, now: Timestamp) -> Result<Returned, StoreError> {
    store::sift(|| {
        let before = before.map(Store::snapshot).transpose()?;
        Returned::of(&backup.snapshot()?, before.as_ref(), now)
    })
}

/// Ends what was live when the backup was made, and tells the log of the restore.
fn end_all(store: &Store, now: Timestamp) -> Result<usize, CareError> {
    let live = store.snapshot()?.live_sessions()?;
    let by = Actor::console();
    let written = store.write(now, move |write| {
        for (_, session) in &live {
            let reason = "a backup was restored".to_owned();
            let ending = Ending { at: now, by: EndedBy::System, by_user: None, reason: reason.clone() };
            if write.end_session(session.id, None, ending)?.is_some() {
                let mut told = NewActivity::new(&by.name, action::LOGOUT, OWN_APP).saying(reason);
                told.target = Some(session.user.to_string());
                told.session = Some(session.id.to_string());
                write.append(&told)?;
            }
        }
        let told = NewActivity::new(&by.name, action::RESTORE, OWN_APP);
        write.append(&told.saying(format!("{} ended", sessions(live.len()))))?;
        Ok::<_, StoreError>(live.len())
    });
    Ok(written.wait()?)
}

/// Where a backup is unpacked until it is proven.
const STAGING: &str = "restoring";

/// Removes what a restore that was killed has left in `folder`, which is a copy of everything. Whoever calls it holds the data file,
/// and so nobody restores meanwhile but into a folder that had none, who then finds that it has one and gives up.
pub(super) fn remove_leftovers(folder: &Path) {
    let path = folder.join(STAGING);
    if let Err(error) = clear(&path) {
        log::warn!("{}, which a restore left there, could not be removed: {error}", path.display());
    }
}

fn clear(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A folder for what is not yet proven. It goes away with all that is left in it.
struct Staging(PathBuf);

impl Staging {
    fn make(folder: &Path) -> Result<Self, CareError> {
        use std::os::unix::fs::DirBuilderExt;
        let path = folder.join(STAGING);
        let made = clear(&path).and_then(|()| fs::DirBuilder::new().mode(0o700).create(&path));
        made.map_err(|error| CareError::Place(path.display().to_string(), error))?;
        Ok(Self(path))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_the_lowest_number_that_is_in_one_list_only() {
        assert_eq!(first_difference(&[1, 2, 3], &[1, 2, 3]), None);
        assert_eq!(first_difference(&[1, 2, 3], &[1, 3]), Some(2));
        assert_eq!(first_difference(&[1, 2], &[1, 2, 7]), Some(7));
        assert_eq!(first_difference(&[1], &[]), Some(1));
    }
}
