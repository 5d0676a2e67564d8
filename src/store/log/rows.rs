//! The activities that pages showed last, ready to be shown again.
//!
//! A page shows 50 activities that mostly lie far apart, and each costs a page of the file. Administrators look at the same
//! ones again: they refresh, go back, open one, narrow a search. What an id stands for never changes, so what is
//! here can be wrong in one way only: retention may have taken it out.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasherDefault, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::model::activity::Activity;

/// The most bytes that are held: some twenty thousand activities.
const MOST: usize = 16 << 20;

/// What an activity takes beside its texts: itself, its place in the cache, and the allocator's share.
const FRAME: usize = size_of::<Activity>() + 256;

/// Activities by id.
#[derive(Default)]
pub(super) struct Rows(Mutex<Held>);

/// What was shown since it was looked at last for being thrown out stays: nearly as good as throwing out what was not shown for
/// longest, and a row costs a look into one table instead of the mending of a list, whose neighbours lie anywhere in memory.
#[derive(Default)]
struct Held {
    rows: HashMap<u64, Row, BuildHasherDefault<Spread>>,
    /// What is held, in the order in which it is looked at.
    line: VecDeque<u64>,
    bytes: usize,
    epoch: Epoch,
}

struct Row {
    activity: Arc<Activity>,
    shown: bool,
}

/// Ids are our own and follow one another: nobody can choose them so that they fall together.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, id: u64) {
        // The golden ratio as a fraction of 2^64 (Fibonacci hashing, Knuth 6.4); the table wants both ends to be mixed.
        let product = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = product ^ (product >> 32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// How often something has been taken out of the log since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Epoch(u64);

impl Rows {
    /// The epoch of now, to be asked before the moment begins in which rows are read.
    pub(super) fn epoch(&self) -> Epoch {
        self.lock().epoch
    }

    /// What is at hand of `ids`, each in its place.
    pub(super) fn get(&self, ids: impl IntoIterator<Item = u64>) -> Vec<Option<Arc<Activity>>> {
        let mut held = self.lock();
        let show = |id| {
            let row = held.rows.get_mut(&id)?;
            row.shown = true;
            Some(Arc::clone(&row.activity))
        };
        ids.into_iter().map(show).collect()
    }

    /// Keeps what was read in a moment of `epoch`. What was read before something was taken out is not kept after it.
    pub(super) fn keep(&self, epoch: Epoch, rows: &[Arc<Activity>]) {
        let mut held = self.lock();
        if held.epoch != epoch {
            return;
        }
        for activity in rows {
            held.bytes += weight(activity);
            let row = Row { activity: Arc::clone(activity), shown: false };
            match held.rows.insert(activity.id.0, row) {
                Some(before) => held.bytes -= weight(&before.activity),
                None => held.line.push_back(activity.id.0),
            }
        }
        while held.bytes > MOST
            && let Some(id) = held.line.pop_front()
        {
            match held.rows.get_mut(&id) {
                Some(row) if row.shown => {
                    row.shown = false;
                    held.line.push_back(id);
                }
                _ => {
                    let out = held.rows.remove(&id);
                    held.bytes -= out.map_or(0, |row| weight(&row.activity));
                }
            }
        }
    }

    /// Forgets everything: something has been taken out of the log.
    pub(super) fn forget(&self) {
        let mut held = self.lock();
        *held = Held { epoch: Epoch(held.epoch.0 + 1), ..Held::default() };
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an activity takes in memory, in bytes, roughly.
fn weight(activity: &Activity) -> usize {
    FRAME + activity.text() + 48 * activity.attributes.len()
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
        rows.keep(rows.epoch(), &[row(200, MOST)]);
        assert!(rows.get([200])[0].is_none(), "what is larger than all is not held");
        assert!(rows.lock().bytes <= MOST);
        rows.keep(rows.epoch(), &[row(300, MOST / 2), row(400, MOST / 2)]);
        let held = rows.lock();
        assert_eq!(held.rows.len(), held.line.len());
        assert!(held.bytes <= MOST);
    }

    #[test]
    fn what_was_shown_stays_longer_than_what_was_not() {
        let rows = Rows::default();
        for id in 1..=100 {
            rows.keep(rows.epoch(), &[row(id, MOST / 8)]);
            assert!(rows.get([1])[0].is_some(), "it is shown again and again");
        }
        assert!(rows.get([50])[0].is_none());
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
