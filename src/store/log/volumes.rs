//! The volumes that were read last, unpacked.

use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;

use super::{cache::Cache, volume::Volume};
use crate::store::StoreError;

/// The most bytes of dictionaries that are held. Those of 10 million activities take some 30 MB.
const MOST: usize = 32 << 20;

/// The same for whoever passes by many activities once: those of ten neighbours.
const PASSING: usize = 4 << 20;

/// Volumes by the id of their first activity. What is under an id never changes, so nothing here goes stale.
pub(super) struct Volumes {
    held: Mutex<Held>,
    most: usize,
    /// Those of everybody, for whoever passes by: looked at, and left as they are.
    others: Option<Arc<Cache>>,
}

struct Held {
    volumes: LruCache<u64, Arc<Volume>>,
    bytes: usize,
}

impl Default for Volumes {
    fn default() -> Self {
        Self::holding(MOST, None)
    }
}

impl Volumes {
    fn holding(most: usize, others: Option<Arc<Cache>>) -> Self {
        Self { held: Mutex::new(Held { volumes: LruCache::unbounded(), bytes: 0 }), most, others }
    }

    /// A few of one's own beside those of everybody: whoever reads all of the log once must not have all of it held.
    pub(super) fn beside(others: Arc<Cache>) -> Self {
        Self::holding(PASSING, Some(others))
    }

    /// The volume of this id; `load` is asked if it is not at hand.
    pub(super) fn get(
        &self,
        id: u64,
        load: impl FnOnce() -> Result<Volume, StoreError>,
    ) -> Result<Arc<Volume>, StoreError> {
        if let Some(volume) = self.lock().volumes.get(&id) {
            return Ok(Arc::clone(volume));
        }
        if let Some(volume) = self.others.as_ref().and_then(|others| others.volumes.peek(id)) {
            return Ok(volume);
        }
        let volume = Arc::new(load()?);
        let mut held = self.lock();
        held.bytes += volume.size();
        if let Some(before) = held.volumes.put(id, Arc::clone(&volume)) {
            held.bytes -= before.size();
        }
        while held.bytes > self.most
            && held.volumes.len() > 1
            && let Some((_, oldest)) = held.volumes.pop_lru()
        {
            held.bytes -= oldest.size();
        }
        Ok(volume)
    }

    /// The volume of this id, if it is at hand.
    fn peek(&self, id: u64) -> Option<Arc<Volume>> {
        self.lock().volumes.peek(&id).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
