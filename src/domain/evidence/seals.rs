//! Seals of exports: what one held, signed, and the place in the log of an activity that says so.
//!
//! That activity is written together with a checkpoint over it. So a seal is proven under that checkpoint from the beginning,
//! and later under any other of the log's.

use std::{fmt, sync::Arc};

use super::sign;
use crate::model::user::Actor;
use crate::{
    domain::{
        App, Gone,
        export::{Past, Told},
    },
    model::{
        activity::{Activity, OWN_APP, action},
        checkpoint::Checkpoint,
        id::ActivityId,
        inclusion::Inclusion,
        note::Note,
        seal::{self, Contents, Statement},
        session::Scope,
        tree::Hash,
    },
    store::{Appended, Evidence as _, StoreError, read_entry},
};

/// The attribute that names a statement.
const STATEMENT: &str = "statement";

/// The end of a seal: what is said of an export, and the proof that the log says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The [`Statement`].
    pub statement: Note,
    /// The place in the log of the activity that names it.
    pub proof: Inclusion,
}

impl fmt::Display for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}\n{}", self.statement, self.proof)
    }
}

/// Why there is no seal.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The activity is not there, or not for the one who asks.
    #[error("there is no such activity")]
    Unknown,
    /// It is of no export, or of one by a version that told less of it.
    #[error("this activity tells of no export that a seal can be made of")]
    NoExport,
    /// The export held what others did, and the one who asks may not see that any more.
    #[error("this export holds what others did, which you may not see")]
    Others,
    /// There is no checkpoint of that size.
    #[error(
        "no checkpoint was signed when the log had {0} activities; a checkpoint says its size in its second line"
    )]
    NoCheckpoint(u64),
    /// The seal was made after that checkpoint.
    #[error("this export was sealed as activity {sealed}, after the checkpoint of {size}; take a later one")]
    Later {
        /// The number of the activity that tells of the sealing.
        sealed: u64,
        /// The size of the checkpoint.
        size: u64,
    },
    /// The export is not as it was when it was sealed.
    #[error(
        "what is read now is not what was sealed then: Rollcall writes it in another way since, or the log was changed"
    )]
    Otherwise,
    /// The session of the one who asked has ended.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a seal is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The export.
    pub past: Past,
    /// Where it was sealed before, and is to be proven to have been: the activity that tells of it, under that checkpoint.
    again: Option<(Activity, Checkpoint, Note)>,
}

/// What the activity of a sealing says of what was sealed.
fn named(sealing: &Activity) -> Option<Hash> {
    if sealing.app != OWN_APP || sealing.action != action::EXPORT_SEALED {
        return None;
    }
    sealing.attributes.iter().find(|(name, _)| name == STATEMENT)?.1.parse().ok()
}

/// Whether the entry of a log is an activity that names this statement.
pub fn names(entry: &[u8], statement: &Note) -> bool {
    read_entry(entry).ok().and_then(|sealing| named(&sealing)) == Some(seal::name(statement))
}

impl App {
    /// The export that an activity tells of, or of whose sealing it does: then the same seal is to be made once more, under the
    /// checkpoint of `size` activities, or the one that was signed with it.
    pub fn seal_of(&self, scope: &Scope, id: ActivityId, size: Option<u64>) -> Result<Request, SealError> {
        let found = self.activity(scope, id)?.ok_or(SealError::Unknown)?;
        let (told, again) = if named(&found).is_some() {
            let size = size.unwrap_or(found.id.0);
            if size < found.id.0 {
                return Err(SealError::Later { sealed: found.id.0, size });
            }
            let checkpoint = self.0.store.read(|read| read.checkpoint_at(size, self.verifying_key()))?;
            let (checkpoint, note) = checkpoint.ok_or(SealError::NoCheckpoint(size))?;
            let export = found.target.as_deref().and_then(|id| id.parse().ok()).ok_or(SealError::NoExport)?;
            let told = self.activity(scope, export)?.ok_or(SealError::Unknown)?;
            (told, Some((found, checkpoint, note)))
        } else if size.is_some() {
            return Err(SealError::NoExport);
        } else {
            (found, None)
        };
        let past = Past::of(told).ok_or(SealError::NoExport)?;
        if past.scope == Scope::All && *scope != Scope::All {
            return Err(SealError::Others);
        }
        Ok(Request { past, again })
    }

    /// Stands for what an export held. The log is told, in an activity that names what is said, and a checkpoint is signed over it.
    /// Blocks.
    pub fn seal(&self, by: &Actor, contents: Contents, told: &Told) -> Result<Sealed, SealError> {
        let statement = self.statement(contents, told);
        let mut sealing = self.did(by, action::EXPORT_SEALED).to(told.id).saying(told.asked.clone());
        let attributes =
            [("rows", contents.rows.to_string()), (STATEMENT, seal::name(&statement).to_string())];
        sealing.attributes = attributes.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let (key, now) = (Arc::clone(&self.0.signing), self.now());
        let written = self.change(by, move |write| {
            let (Appended::New(id) | Appended::Duplicate(id)) = write.append(&sealing)?;
            Ok::<_, SealError>((id, sign(write, &key, now)?))
        });
        let (id, (checkpoint, note)) = written.wait()?;
        self.proven(statement, id, &checkpoint, note)
    }

    /// The seal that a request is for. Blocks.
    pub fn seal_again(
        &self,
        by: &Actor,
        contents: Contents,
        told: &Told,
        request: Request,
    ) -> Result<Sealed, SealError> {
        let Some((sealing, checkpoint, note)) = request.again else { return self.seal(by, contents, told) };
        let statement = self.statement(contents, told);
        if named(&sealing) != Some(seal::name(&statement)) {
            return Err(SealError::Otherwise);
        }
        self.proven(statement, sealing.id, &checkpoint, note)
    }

    fn statement(&self, contents: Contents, told: &Told) -> Note {
        let key = self.verifying_key().clone();
        let asked = told.asked.clone();
        Statement { contents, time: told.time, asked, key }.sign(&self.0.signing)
    }

    /// A statement with the proof that the activity `id`, which names it, is in the log of this checkpoint.
    fn proven(
        &self,
        statement: Note,
        id: ActivityId,
        checkpoint: &Checkpoint,
        note: Note,
    ) -> Result<Sealed, SealError> {
        let way = self.0.store.read(|read| read.include(id, checkpoint.size))?;
        let (entry, path) = way.ok_or(SealError::Unknown)?;
        let proof = Inclusion { entry, index: id.0 - 1, path, note };
        if proof.root(checkpoint.size) != Some(checkpoint.root) {
            return Err(StoreError::Damaged("the tree of the log").into());
        }
        Ok(Sealed { statement, proof })
    }
}
