//! The volumes that were read last, unpacked.

use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;

use super::volume::Volume;
use crate::store::StoreError;

/// The most bytes of dictionaries that are held. Those of 10 million activities take some 30 MB.
const MOST: usize = 64 << 20;

/// Volumes by the id of their first activity. What is under an id never changes, so nothing here goes stale.
pub(super) struct Volumes(Mutex<Held>);

struct Held {
    volumes: LruCache<u64, Arc<Volume>>,
    bytes: usize,
}

impl Default for Volumes {
    fn default() -> Self {
        Self(Mutex::new(Held { volumes: LruCache::unbounded(), bytes: 0 }))
    }
}

impl Volumes {
    /// The volume of this id; `load` is asked if it is not at hand.
    pub(super) fn get(
        &self,
        id: u64,
        load: impl FnOnce() -> Result<Volume, StoreError>,
    ) -> Result<Arc<Volume>, StoreError> {
        if let Some(volume) = self.lock().volumes.get(&id) {
            return Ok(Arc::clone(volume));
        }
        let volume = Arc::new(load()?);
        let mut held = self.lock();
        held.bytes += volume.size();
        if let Some(before) = held.volumes.put(id, Arc::clone(&volume)) {
            held.bytes -= before.size();
        }
        while held.bytes > MOST
            && held.volumes.len() > 1
            && let Some((_, oldest)) = held.volumes.pop_lru()
        {
            held.bytes -= oldest.size();
        }
        Ok(volume)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
