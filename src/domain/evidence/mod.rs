//! Evidence: checkpoints of the log, signed by the installation's key, and proofs that the log is what they say.
//!
//! The tree grows in the store, with every activity. Here its root is signed, once a minute while anything is written, and
//! sent to where the administrator wants it; and here a proof is judged against those checkpoints, and against such as
//! somebody kept elsewhere. What that promises and what not the manual says.

mod outlets;
mod seals;

use std::{io, num::NonZero, panic::resume_unwind, path::Path, sync::Arc, thread};

use jiff::Timestamp;

pub use self::{
    outlets::{Attester, Outlet, Sent},
    seals::{Request, SealError, Sealed, names},
};
use super::{App, Gone, random, settle};
pub use crate::store::Fault;
use crate::{
    model::{
        activity::{Outcome, action},
        checkpoint::{Checkpoint, NotACheckpoint},
        note::{Note, SigningKey, VerifyingKey},
        noun::activities,
        tree::Range,
        user::Actor,
    },
    store::{self, BackupError, Evidence as _, OpenError, Proof, Store, StoreError, Write},
};

/// What a proof says, and what the checkpoints say to it.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Whether the records are what was written.
    pub proof: Proof,
    /// With what the checkpoints of this log are checked.
    pub key: VerifyingKey,
    /// The newest checkpoint that the log itself keeps, if it keeps any.
    pub newest: Option<Checkpoint>,
    /// Those of its own that speak against it: it does not go on from them, or its key has not signed them.
    pub broken: Vec<(Checkpoint, Standing)>,
    /// Those from outside, as they were given.
    pub outside: Vec<(Checkpoint, Standing)>,
}

/// How a log stands to a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It goes on from what the checkpoint says.
    Consistent,
    /// It has fewer activities than there were then.
    Shorter,
    /// It is another one, or was changed before the checkpoint.
    Other,
    /// The checkpoint is signed by another key, or is not as it was signed.
    Foreign,
    /// What it was then cannot be told, because of what is wrong with it.
    Untold,
}

/// Why a log was not verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// What was given as a checkpoint is none.
    #[error(transparent)]
    Checkpoint(#[from] NotACheckpoint),
    /// The session of the one who asked has ended.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// What was given as a backup is none, or not whole.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The log could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Proves the log in a backup, which is unpacked into the empty folder `staging`, and judges it by the key in it. Blocks.
pub fn verify_backup(
    input: &mut dyn io::Read,
    staging: &Path,
    now: Timestamp,
    from_outside: Vec<Note>,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<Verdict, VerifyError> {
    store::unpack_backup(input, staging, progress)?;
    verify_folder(staging, now, from_outside, progress)
}

/// Proves the log in a copy of a data folder, of which only the data file is needed, and judges it by the key in it. The copy
/// is written to, where it has an earlier format or was not closed well. Blocks.
pub fn verify_folder(
    staging: &Path,
    now: Timestamp,
    from_outside: Vec<Note>,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<Verdict, VerifyError> {
    let outside = checkpoints(from_outside)?;
    let store = Store::open(staging, now, random::bytes).map_err(BackupError::from)?;
    let key = signing_key(&store, now).map_err(BackupError::from)?;
    prove(&store, key.public(), outside, &mut |done, all| progress(done, Some(all)))
}

/// Proves the log of a data file that was unpacked from a backup, and judges it by the key in it. Blocks.
pub(super) fn verify_restored(
    store: &Store,
    now: Timestamp,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Verdict, VerifyError> {
    let key = signing_key(store, now).map_err(BackupError::from)?;
    prove(store, key.public(), Vec::new(), progress)
}

/// Notes that are to be checkpoints.
fn checkpoints(notes: Vec<Note>) -> Result<Vec<(Checkpoint, Note)>, NotACheckpoint> {
    notes.into_iter().map(|note| Ok((note.text().parse()?, note))).collect()
}

fn prove(
    store: &Store,
    key: &VerifyingKey,
    outside: Vec<(Checkpoint, Note)>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Verdict, VerifyError> {
    let (proof, own) = store::sift(|| {
        let read = store.snapshot()?;
        let own = read.checkpoints(key)?;
        let sizes: Vec<u64> = own.iter().chain(&outside).map(|(checkpoint, _)| checkpoint.size).collect();
        Ok::<_, StoreError>((read.prove(&sizes, progress)?, own))
    })?;
    Ok(judge(proof, key, own, outside))
}

impl Verdict {
    /// Whether nothing speaks against the log.
    pub fn whole(&self) -> bool {
        let stands = |(_, standing): &(Checkpoint, Standing)| *standing == Standing::Consistent;
        self.proof.faults.is_empty() && self.broken.is_empty() && self.outside.iter().all(stands)
    }

    /// The newest checkpoint from outside that the log goes on from.
    pub fn anchor(&self) -> Option<&Checkpoint> {
        let stand = self.outside.iter().filter(|(_, standing)| *standing == Standing::Consistent);
        stand.map(|(checkpoint, _)| checkpoint).max_by_key(|checkpoint| checkpoint.size)
    }

    /// How many activities came after it: nobody would see the loss of those.
    pub fn unprotected(&self) -> Option<u64> {
        Some(self.proof.size.saturating_sub(self.anchor()?.size))
    }
}

impl App {
    /// With what the checkpoints of this log are checked.
    pub fn verifying_key(&self) -> &VerifyingKey {
        self.0.signing.public()
    }

    /// The newest checkpoint that was signed, if any was.
    pub fn newest_checkpoint(&self) -> Result<Option<(Checkpoint, Note)>, StoreError> {
        self.0.store.read(|read| read.newest_checkpoint(self.verifying_key()))
    }

    /// A checkpoint of now: the newest there is if nothing was written since, or else one that is signed now. Blocks.
    pub fn checkpoint(&self) -> Result<(Checkpoint, Note), StoreError> {
        let key = Arc::clone(&self.0.signing);
        let now = self.now();
        let signed = self.0.store.write(now, move |write| {
            let (tree, removals) = write.tree();
            if let Some(newest) = write.newest_checkpoint(key.public())?
                && (newest.0.size, newest.0.removals) == (tree.size(), removals)
            {
                return Ok(newest);
            }
            sign(write, &key, now)
        });
        signed.wait()
    }

    /// Proves the log as it is now, and holds it against its own checkpoints and those `from_outside`. That it was done is
    /// told to the log. `progress` hears how many activities are done, and of how many. Blocks.
    pub fn verify(
        &self,
        by: &Actor,
        from_outside: Vec<Note>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Verdict, VerifyError> {
        let verdict = prove(&self.0.store, self.verifying_key(), checkpoints(from_outside)?, progress)?;
        let mut told = self.did(by, action::VERIFY).saying(said(&verdict));
        told.outcome = if verdict.whole() { Outcome::Success } else { Outcome::Failure };
        let (now, later) = (self.now(), told.clone());
        let written = self.change(by, move |write| {
            write.append(&told)?;
            Ok::<_, VerifyError>(())
        });
        match written.wait() {
            // The verdict is what was asked for, and takes no room.
            Err(VerifyError::Store(error)) => self.or_later(error, vec![later], now)?,
            told => told?,
        }
        Ok(verdict)
    }
}

/// Signs a checkpoint of the log with all that this change has appended, and keeps it.
fn sign(write: &mut Write<'_>, key: &SigningKey, now: Timestamp) -> Result<(Checkpoint, Note), StoreError> {
    let (tree, removals) = write.tree();
    let origin = key.public().name().to_owned();
    let checkpoint = Checkpoint { origin, size: tree.size(), root: tree.root(), time: now, removals };
    let note = checkpoint.sign(key);
    write.put_checkpoint(&checkpoint, &note)?;
    Ok((checkpoint, note))
}

/// What came of it, for the activity that tells of it.
fn said(verdict: &Verdict) -> String {
    let Proof { present, faults, .. } = &verdict.proof;
    let first = faults.first().map(Fault::to_string);
    let broken = verdict.broken.first().map(|(broken, standing)| match standing {
        Standing::Foreign => format!("checkpoint {} is not as this log's key has signed it", broken.size),
        _ => format!("checkpoint {} does not fit", broken.size),
    });
    let stand = verdict.outside.iter().find(|(_, standing)| *standing != Standing::Consistent);
    let stand = stand.map(|(outside, _)| format!("checkpoint {} from outside does not fit", outside.size));
    first
        .or(broken)
        .or(stand)
        .unwrap_or_else(|| format!("{}, all as they were written", activities(*present)))
}

/// Holds a proof against checkpoints.
fn judge(
    proof: Proof,
    key: &VerifyingKey,
    own: Vec<(Checkpoint, Note)>,
    outside: Vec<(Checkpoint, Note)>,
) -> Verdict {
    let newest = own.last().map(|(checkpoint, _)| checkpoint.clone());
    let signed = signed(&own, key);
    let judged = own.into_iter().zip(signed).map(|((checkpoint, _), signed)| {
        let standing = if signed { standing(&checkpoint, &proof) } else { Standing::Foreign };
        (checkpoint, standing)
    });
    let broken =
        judged.filter(|(_, standing)| !matches!(standing, Standing::Consistent | Standing::Untold)).collect();
    let outside = outside.into_iter().map(|(checkpoint, note)| {
        let ours = note.is_of(key) && checkpoint.origin == key.name();
        let standing = if ours { standing(&checkpoint, &proof) } else { Standing::Foreign };
        (checkpoint, standing)
    });
    let outside = outside.collect();
    Verdict { proof, key: key.clone(), newest, broken, outside }
}

/// Which of these are signed by the key: else somebody could write another time into one. They are as many as there were minutes
/// in which something was written, half a million a year, and a signature takes a twentieth of a millisecond; so all cores look.
fn signed(own: &[(Checkpoint, Note)], key: &VerifyingKey) -> Vec<bool> {
    let hands = thread::available_parallelism().map_or(1, NonZero::get);
    let look = |notes: &[(Checkpoint, Note)]| -> Vec<bool> {
        notes.iter().map(|(_, note)| note.is_of(key)).collect()
    };
    thread::scope(|scope| {
        let parts = own.chunks(own.len().div_ceil(hands).max(1));
        let looking: Vec<_> = parts.map(|part| scope.spawn(move || look(part))).collect();
        // A panic goes on where it was asked.
        looking
            .into_iter()
            .flat_map(|part| part.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    })
}

fn standing(checkpoint: &Checkpoint, proof: &Proof) -> Standing {
    let Checkpoint { size, root, removals: (count, stands), .. } = checkpoint;
    if *size > proof.size || *count > proof.removals.len() as u64 {
        return Standing::Shorter;
    }
    let before = count.checked_sub(1).and_then(|at| proof.removals.get(usize::try_from(at).ok()?));
    if before.copied().unwrap_or_default() != *stands {
        return Standing::Other;
    }
    let was = if *size == 0 { Some(Range::default().root()) } else { proof.roots.get(size).copied() };
    match was {
        Some(was) if was == *root => Standing::Consistent,
        Some(_) => Standing::Other,
        None => Standing::Untold,
    }
}

/// The key of the installation, made at the first start.
pub(super) fn signing_key(store: &Store, now: Timestamp) -> Result<SigningKey, OpenError> {
    let known = store.read(store::Evidence::signing_seed)?;
    let seed = if let Some(seed) = known {
        seed
    } else {
        let seed: [u8; 32] = random::bytes();
        settle(store.write(now, move |write| write.put_signing_seed(&seed)))?;
        seed
    };
    SigningKey::of(&seed).ok_or(OpenError::Store(StoreError::Damaged("the signing key")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::activity::NewActivity;

    #[test]
    fn a_checkpoint_of_the_logs_own_with_another_time_than_it_was_signed_with_is_named() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let store = Store::in_memory(at(1_800_000_000), || [7; 16]).unwrap();
        let key = signing_key(&store, at(1_800_000_000)).unwrap();
        let sizes: Vec<u64> = (1..=40)
            .map(|minute| {
                let (now, key) = (at(1_800_000_000 + 60 * minute), SigningKey::of(&seed(&store)).unwrap());
                let signed = store.write(now, move |write| {
                    write.append(&NewActivity::new("ann", "tick", "t"))?;
                    sign(write, &key, now).map(|(checkpoint, _)| checkpoint.size)
                });
                signed.wait().unwrap()
            })
            .collect();
        let judged = || prove(&store, key.public(), Vec::new(), &mut |_, _| {}).unwrap();
        assert!(judged().whole());
        let read = store.snapshot().unwrap();
        let (checkpoint, note) = read.checkpoint_at(sizes[20], key.public()).unwrap().unwrap();
        let forged = Checkpoint { time: at(1_700_000_000), ..checkpoint };
        store.write(at(1_800_100_000), move |write| write.put_checkpoint(&forged, &note)).wait().unwrap();
        let verdict = judged();
        let broken: Vec<_> =
            verdict.broken.iter().map(|(broken, standing)| (broken.size, *standing)).collect();
        assert_eq!(broken, [(sizes[20], Standing::Foreign)]);
        assert_eq!(
            said(&verdict),
            format!("checkpoint {} is not as this log's key has signed it", sizes[20])
        );
    }

    fn seed(store: &Store) -> [u8; 32] {
        store.read(store::Evidence::signing_seed).unwrap().unwrap()
    }
}
