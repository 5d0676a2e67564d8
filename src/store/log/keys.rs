//! The senders' own ids: what makes a record that is sent again a duplicate.
//!
//! A key is ten bytes of SHA-256 over the sender and its id, and the activity it became. Filed by hash in one table,
//! every thousand of them would rewrite a thousand pages: at ten million keys that is most of what a commit writes. So
//! they are kept as a log-structured merge tree keeps them (O'Neil et al., 1996): what is recent lies in order of
//! arrival, and in memory; every now and then that becomes a sorted run; and four runs of a size become one. A run
//! has a Bloom filter in memory, so that a new key costs no read.
//!
//! Of 10 million keys, two different ones meet with a probability of 4 in 10^11.

use std::{
    collections::HashMap,
    ops::Bound,
    sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use fastbloom::BloomFilter;
use redb::ReadableTable;
use sha2::{Digest, Sha256};

use super::{
    bytes::{self, HEAD, damaged},
    folding::RECENT,
    run::PAGE,
};
use crate::{
    model::activity::SenderKey,
    store::{
        StoreError,
        codec::{self, Row},
        disk::Disk,
        tables::{KEY_RUNS, KEYS_RECENT},
    },
};

/// A sender's id, hashed.
pub(super) type Fingerprint = [u8; 10];

/// What a key's entry takes: the fingerprint, and five bytes of the activity's id, which suffice for 10^12.
const ENTRY: usize = 15;

/// How many entries fit into a page with a key of 18 bytes.
pub(super) const FIT: usize = (PAGE - HEAD - 10) / ENTRY;

const VERSION: u8 = 5;

/// How often a filter may be wrong about a key that is new: then a page is read.
const WRONG: f64 = 0.005;

/// A key and the activity it became.
pub(super) type Entry = (Fingerprint, u64);

/// What a key is filed under.
pub(super) fn fingerprint(key: &SenderKey) -> Fingerprint {
    let digest = Sha256::new().chain_update(&key.sender).chain_update([0]).chain_update(&key.id).finalize();
    let mut fingerprint = [0; 10];
    fingerprint.copy_from_slice(&digest[..10]);
    fingerprint
}

/// The keys, as the writer looks them up.
#[derive(Default)]
pub(in crate::store) struct Keys(RwLock<Known>);

#[derive(Default)]
struct Known {
    recent: HashMap<Fingerprint, u64>,
    runs: Vec<Arc<Run>>,
}

impl Known {
    fn of(disk: &Disk) -> Result<Self, StoreError> {
        let read = disk.read()?;
        let mut known = Self::default();
        for value in
            read.open_table(KEYS_RECENT).map_err(StoreError::file)?.iter().map_err(StoreError::file)?
        {
            let (_, value) = value.map_err(StoreError::file)?;
            known.recent.extend(entries(value.value())?);
        }
        for run in read.open_table(KEY_RUNS).map_err(StoreError::file)?.iter().map_err(StoreError::file)? {
            let (number, run) = run.map_err(StoreError::file)?;
            known.runs.push(Arc::new(Run::new(number.value(), about(number.value(), run.value())?)));
        }
        Ok(known)
    }
}

/// How a run is listed: how many keys it has, and the newest activity that one of them became.
pub(super) fn listed(number: u64, (length, newest): (u64, u64)) -> Vec<u8> {
    let bytes = [length.to_le_bytes(), newest.to_le_bytes()].concat();
    codec::seal_plain(Row::of(KEY_RUNS, number), &bytes)
}

/// What the list says of a run.
pub(super) fn about(number: u64, bytes: &[u8]) -> Result<(u64, u64), StoreError> {
    let bytes = codec::open_plain("the log", Row::of(KEY_RUNS, number), bytes)?;
    match bytes.as_chunks() {
        ([length, newest], []) => Ok((u64::from_le_bytes(*length), u64::from_le_bytes(*newest))),
        _ => Err(damaged()),
    }
}

/// A sorted run of keys.
pub(super) struct Run {
    pub(super) number: u64,
    /// How many keys it has.
    pub(super) length: u64,
    /// The newest activity that one of them became.
    pub(super) newest: u64,
    filter: OnceLock<BloomFilter>,
}

impl Run {
    pub(super) fn new(number: u64, (length, newest): (u64, u64)) -> Self {
        Self { number, length, newest, filter: OnceLock::new() }
    }

    pub(super) fn has_filter(&self) -> bool {
        self.filter.get().is_some()
    }

    pub(super) fn set_filter(&self, filter: Filter) {
        // A second one would say the same.
        let _ = self.filter.set(filter.0);
    }

    fn may_have(&self, key: &Fingerprint) -> bool {
        self.filter.get().is_none_or(|filter| filter.contains_hash(hash(key)))
    }
}

/// A filter in the making.
pub(super) struct Filter(BloomFilter);

impl Filter {
    pub(super) fn new(length: u64) -> Self {
        let expected = usize::try_from(length).unwrap_or(usize::MAX).max(1);
        Self(BloomFilter::with_false_pos(WRONG).seed(&0).expected_items(expected))
    }

    pub(super) fn add(&mut self, key: &Fingerprint) {
        self.0.insert_hash(hash(key));
    }
}

fn hash(key: &Fingerprint) -> u64 {
    key.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

impl Keys {
    /// The keys of a file. The filters of its runs are made later: until then, finding takes a read more.
    pub(in crate::store) fn of(disk: &Disk) -> Result<Self, StoreError> {
        Ok(Self(RwLock::new(Known::of(disk)?)))
    }

    /// Takes the keys of the file for true: what was written of them last may be there or not. Nobody may write meanwhile.
    pub(super) fn read_again(&self, disk: &Disk) -> Result<(), StoreError> {
        *self.write() = Known::of(disk)?;
        Ok(())
    }

    /// The activity that a key became, if it is known. `chunks` is the table of runs.
    pub(super) fn find(
        &self,
        key: &Fingerprint,
        chunks: &impl ReadableTable<(u64, &'static Fingerprint), &'static [u8]>,
    ) -> Result<Option<u64>, StoreError> {
        let known = self.read();
        if let Some(id) = known.recent.get(key) {
            return Ok(Some(*id));
        }
        for run in known.runs.iter().rev().filter(|run| run.may_have(key)) {
            let place = Bound::Included((run.number, key));
            let mut cursor = chunks.upper_bound(place).map_err(StoreError::file)?;
            let Some((first, chunk)) = cursor.peek_prev().map_err(StoreError::file)? else { continue };
            if first.value().0 == run.number
                && let Some(id) = find_in(chunk.value(), key)?
            {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Takes up keys that are on disk now.
    pub(super) fn learn(&self, entries: impl IntoIterator<Item = Entry>) {
        self.write().recent.extend(entries);
    }

    /// How many keys are in no run yet.
    pub(super) fn recent(&self) -> usize {
        self.read().recent.len()
    }

    pub(super) fn runs(&self) -> Vec<Arc<Run>> {
        self.read().runs.clone()
    }

    /// Takes up a run that was made of the recent keys up to its newest.
    pub(super) fn fold(&self, run: Run) {
        let mut known = self.write();
        known.recent.retain(|_, id| *id > run.newest);
        // A burst must not be held in memory for good.
        known.recent.shrink_to(RECENT);
        known.runs.push(Arc::new(run));
    }

    /// Puts `merged`, if anything is left, in the place of the runs with these numbers.
    pub(super) fn replace(&self, numbers: &[u64], merged: Option<Run>) {
        let mut known = self.write();
        known.runs.retain(|known| !numbers.contains(&known.number));
        known.runs.extend(merged.map(Arc::new));
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find_in(chunk: &[u8], key: &Fingerprint) -> Result<Option<u64>, StoreError> {
    let entries = bytes::open(VERSION, chunk)?.0.as_chunks::<ENTRY>().0;
    let found = entries.binary_search_by(|entry| entry[..10].cmp(key));
    Ok(found.ok().map(|at| entry(&entries[at]).1))
}

/// The keys of a value.
pub(super) fn entries(value: &[u8]) -> Result<impl Iterator<Item = Entry>, StoreError> {
    let (entries, rest) = bytes::open(VERSION, value)?.0.as_chunks::<ENTRY>();
    if rest.is_empty() { Ok(entries.iter().map(entry)) } else { Err(damaged()) }
}

fn entry(bytes: &[u8; ENTRY]) -> Entry {
    let (mut key, mut id) = ([0; 10], [0; 8]);
    key.copy_from_slice(&bytes[..10]);
    id[3..].copy_from_slice(&bytes[10..]);
    (key, u64::from_be_bytes(id))
}

/// Keys as values of a page each, with the first entry of each.
pub(super) fn values(entries: &[Entry]) -> impl Iterator<Item = (&Entry, Vec<u8>)> {
    entries.chunks(FIT).map(|chunk| {
        let mut value = vec![0; HEAD];
        for (key, id) in chunk {
            value.extend_from_slice(key);
            value.extend_from_slice(&id.to_be_bytes()[3..]);
        }
        bytes::seal(VERSION, &mut value);
        (&chunk[0], value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_and_its_id_make_a_key_together() {
        let key = |sender: &str, id: &str| fingerprint(&SenderKey { sender: sender.into(), id: id.into() });
        assert_eq!(key("a", "1"), key("a", "1"));
        assert_ne!(key("a", "1"), key("b", "1"));
        assert_ne!(key("ab", "c"), key("a", "bc"));
    }

    #[test]
    fn keys_come_back_from_the_pages_they_were_put_in() {
        let all: Vec<Entry> = (0..1000_u64)
            .map(|n| (fingerprint(&SenderKey { sender: String::new(), id: n.to_string() }), n + (1 << 39)))
            .collect();
        let pages: Vec<Vec<u8>> = values(&all).map(|(_, value)| value).collect();
        assert!(pages.iter().all(|page| page.len() <= PAGE - 10) && pages.len() == 1000_usize.div_ceil(FIT));
        let read: Vec<Entry> = pages.iter().flat_map(|page| entries(page).unwrap()).collect();
        assert_eq!(read, all);
    }
}
