//! What the installation signs with, and the checkpoints it has signed.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use super::{
    Read, StoreError, View, Write,
    codec::{self, Row},
    log,
    tables::{CHECKPOINTS, META, SIGNING_KEY},
};
use crate::model::{
    checkpoint::Checkpoint,
    id::ActivityId,
    note::{Note, VerifyingKey},
    tree::{Hash, Range},
};

const TABLE: &str = "the checkpoints";
const VERSION: u8 = 1;

/// A checkpoint but for its size, which is the key.
#[derive(Serialize, Deserialize)]
struct CheckpointRecord {
    time: i64,
    root: [u8; 32],
    removals: (u64, [u8; 32]),
    /// 64 bytes; longer arrays than of 32 are beyond serde.
    signature: ([u8; 32], [u8; 32]),
}

/// Questions about evidence.
pub trait Evidence: View {
    /// What the key of the installation grows from; none before its first start.
    fn signing_seed(&self) -> Result<Option<[u8; 32]>, StoreError> {
        let meta = self.table(META)?;
        let seed = meta.get(SIGNING_KEY).map_err(StoreError::file)?;
        let row = Row::of(META, SIGNING_KEY);
        seed.map(|bytes| codec::open("the signing key", row, VERSION, bytes.value())).transpose()
    }

    /// The newest checkpoint, signed by `key`.
    fn newest_checkpoint(&self, key: &VerifyingKey) -> Result<Option<(Checkpoint, Note)>, StoreError> {
        let all = self.table(CHECKPOINTS)?;
        let newest = all.last().map_err(StoreError::file)?;
        newest.map(|(size, value)| read(key, size.value(), value.value())).transpose()
    }

    /// The checkpoint of the log when it was so long, if one was signed then.
    fn checkpoint_at(&self, size: u64, key: &VerifyingKey) -> Result<Option<(Checkpoint, Note)>, StoreError> {
        let all = self.table(CHECKPOINTS)?;
        let value = all.get(size).map_err(StoreError::file)?;
        value.map(|value| read(key, size, value.value())).transpose()
    }

    /// All checkpoints, from the oldest on.
    fn checkpoints(&self, key: &VerifyingKey) -> Result<Vec<(Checkpoint, Note)>, StoreError> {
        let all = self.table(CHECKPOINTS)?;
        let mut checkpoints = Vec::new();
        for entry in all.iter().map_err(StoreError::file)? {
            let (size, value) = entry.map_err(StoreError::file)?;
            checkpoints.push(read(key, size.value(), value.value())?);
        }
        Ok(checkpoints)
    }
}

impl<V: View> Evidence for V {}

fn decode(size: u64, value: &[u8]) -> Result<CheckpointRecord, StoreError> {
    codec::open(TABLE, Row::of(CHECKPOINTS, size), VERSION, value)
}

fn read(key: &VerifyingKey, size: u64, value: &[u8]) -> Result<(Checkpoint, Note), StoreError> {
    let CheckpointRecord { time, root, removals, signature } = decode(size, value)?;
    let checkpoint = Checkpoint {
        origin: key.name().to_owned(),
        size,
        root: Hash(root),
        time: codec::time(TABLE, time)?,
        removals: (removals.0, Hash(removals.1)),
    };
    let mut whole = [0; 64];
    whole[..32].copy_from_slice(&signature.0);
    whole[32..].copy_from_slice(&signature.1);
    let note = Note::signed(checkpoint.text(), key, &whole);
    Ok((checkpoint, note))
}

impl Write<'_> {
    /// Keeps what the key of the installation grows from.
    pub fn put_signing_seed(&mut self, seed: &[u8; 32]) -> Result<(), StoreError> {
        let bytes = codec::seal(Row::of(META, SIGNING_KEY), VERSION, seed);
        self.edit(META)?.insert(SIGNING_KEY, bytes.as_slice()).map_err(StoreError::file)?;
        Ok(())
    }

    /// The tree over all activities, with those that this transaction appends, and what stands for all removals.
    pub fn tree(&self) -> (Range, (u64, Hash)) {
        (self.batch.edge.tree(), self.batch.edge.removals())
    }

    /// Keeps a checkpoint of this very moment. From then on the tree can be told as it was then, whatever is removed.
    pub fn put_checkpoint(&mut self, checkpoint: &Checkpoint, note: &Note) -> Result<(), StoreError> {
        let signature = note.signature().unwrap_or([0; 64]);
        let half = |at: usize| signature[at..at + 32].try_into().unwrap_or_default();
        let record = CheckpointRecord {
            time: codec::millis(checkpoint.time),
            root: checkpoint.root.0,
            removals: (checkpoint.removals.0, checkpoint.removals.1.0),
            signature: (half(0), half(32)),
        };
        let value = codec::seal(Row::of(CHECKPOINTS, checkpoint.size), VERSION, &record);
        self.edit(CHECKPOINTS)?.insert(checkpoint.size, value.as_slice()).map_err(StoreError::file)?;
        Ok(())
    }
}

impl Read {
    /// Holds every checkpoint against its checksum; what it says is proven by others.
    pub(super) fn check_checkpoints(&self) -> Result<(), StoreError> {
        for entry in self.table(CHECKPOINTS)?.iter().map_err(StoreError::file)? {
            let (size, value) = entry.map_err(StoreError::file)?;
            decode(size.value(), value.value())?;
        }
        Ok(())
    }

    /// Proves the log: see [`log::Proof`]. `sizes` are those whose roots are asked for; `progress` hears how many activities
    /// are done, and of how many.
    pub fn prove(&self, sizes: &[u64], progress: &mut dyn FnMut(u64, u64)) -> Result<log::Proof, StoreError> {
        log::prove(&self.transaction, &self.cache, sizes, progress)
    }

    /// The way of an activity up to the root over the first `size`: see [`log::Way`]. None if it is not there, or retention has
    /// left too little beside it; of the size of a checkpoint it always leaves enough.
    pub fn include(&self, id: ActivityId, size: u64) -> Result<Option<log::Way>, StoreError> {
        log::include(&self.transaction, &self.cache, id.0, size)
    }
}
