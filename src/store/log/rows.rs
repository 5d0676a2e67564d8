//! The activities that pages showed last, ready to be shown again.
//!
//! A page shows 50 activities that mostly lie far apart, and each costs a page of the file. Administrators look at the same
//! ones again: they refresh, go back, open one, narrow a search. What an id stands for never changes, so what is
//! here can be wrong in one way only: retention may have taken it out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::model::activity::Activity;

/// The most bytes that are held: some twenty thousand activities.
const MOST: usize = 16 << 20;

/// What an activity takes beside its texts: itself, its place in the cache, and the allocator's share.
const FRAME: usize = size_of::<Activity>() + 256;

/// Activities by id.
pub(super) struct Rows(Mutex<Held>);

struct Held {
    rows: LruCache<u64, Arc<Activity>>,
    bytes: usize,
    epoch: Epoch,
}

/// How often something has been taken out of the log since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Epoch(u64);

impl Default for Rows {
    fn default() -> Self {
        Self(Mutex::new(Held { rows: LruCache::unbounded(), bytes: 0, epoch: Epoch::default() }))
    }
}

impl Rows {
    /// The epoch of now, to be asked before the moment begins in which rows are read.
    pub(super) fn epoch(&self) -> Epoch {
        self.lock().epoch
    }

    /// What is at hand of `ids`, each in its place.
    pub(super) fn get(&self, ids: impl IntoIterator<Item = u64>) -> Vec<Option<Arc<Activity>>> {
        let mut held = self.lock();
        ids.into_iter().map(|id| held.rows.get(&id).cloned()).collect()
    }

    /// Keeps what was read in a moment of `epoch`. What was read before something was taken out is not kept after it.
    pub(super) fn keep(&self, epoch: Epoch, rows: &[Arc<Activity>]) {
        let mut held = self.lock();
        if held.epoch != epoch {
            return;
        }
        for row in rows {
            held.bytes += weight(row);
            if let Some(before) = held.rows.put(row.id.0, Arc::clone(row)) {
                held.bytes -= weight(&before);
            }
        }
        while held.bytes > MOST
            && let Some((_, oldest)) = held.rows.pop_lru()
        {
            held.bytes -= weight(&oldest);
        }
    }

    /// Forgets everything: something has been taken out of the log.
    pub(super) fn forget(&self) {
        let mut held = self.lock();
        held.rows.clear();
        held.bytes = 0;
        held.epoch.0 += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an activity takes in memory, in bytes, roughly.
fn weight(activity: &Activity) -> usize {
    let place = &activity.place;
    let maybe = [
        &activity.session,
        &activity.user_agent,
        &activity.target,
        &place.city,
        &place.region,
        &place.country,
    ];
    let texts = [&activity.user, &activity.action, &activity.detail, &activity.app];
    let device = &activity.device;
    let attributes = activity.attributes.iter().map(|(name, value)| 48 + name.len() + value.len());
    FRAME
        + texts.map(String::len).iter().sum::<usize>()
        + maybe.map(|text| text.as_ref().map_or(0, String::len)).iter().sum::<usize>()
        + device.device.len()
        + device.os.len()
        + device.browser.len()
        + attributes.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::ActivityId;

    fn row(id: u64, detail: usize) -> Arc<Activity> {
        Arc::new(Activity { id: ActivityId(id), detail: "x".repeat(detail), ..Activity::default() })
    }

    #[test]
    fn what_is_large_makes_room_by_its_size() {
        let rows = Rows::default();
        let size = MOST / 8;
        for id in 1..=100 {
            rows.keep(rows.epoch(), &[row(id, size)]);
        }
        let held: Vec<u64> = (1..=100).filter(|id| rows.get([*id])[0].is_some()).collect();
        assert_eq!(held, [94, 95, 96, 97, 98, 99, 100]);
        rows.keep(rows.epoch(), &[row(100, 1), row(200, MOST)]);
        assert!(rows.get([100, 200]).iter().all(Option::is_none), "what is larger than all is not held");
        assert_eq!(rows.lock().bytes, 0);
    }

    #[test]
    fn what_was_read_before_a_removal_is_not_kept_after_it() {
        let rows = Rows::default();
        let before = rows.epoch();
        rows.keep(before, &[row(1, 1)]);
        rows.forget();
        assert!(rows.get([1])[0].is_none());
        rows.keep(before, &[row(1, 1)]);
        assert!(rows.get([1])[0].is_none());
        rows.keep(rows.epoch(), &[row(2, 1)]);
        assert_eq!(rows.get([1, 2])[1].as_ref().map(|row| row.id), Some(ActivityId(2)));
    }
}
