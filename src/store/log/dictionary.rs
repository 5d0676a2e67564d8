//! What occurs again and again, written down once and called by its number.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::bytes::{Input, put, put_slice};
use crate::store::StoreError;

/// Entries by number, the commonest first, so that those who are called most have the shortest numbers.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Dictionary {
    bytes: Box<[u8]>,
    /// Where each entry ends.
    ends: Box<[u32]>,
}

impl Dictionary {
    fn of<'a>(entries: impl Iterator<Item = &'a [u8]>) -> Self {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for entry in entries {
            bytes.extend_from_slice(entry);
            ends.push(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        }
        Self { bytes: bytes.into(), ends: ends.into() }
    }

    /// The entry of this number.
    pub(super) fn get(&self, number: usize) -> Option<&[u8]> {
        let end = *self.ends.get(number)? as usize;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        self.bytes.get(start..end)
    }

    /// What it takes in memory, in bytes.
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + 4 * self.ends.len()
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        put(out, self.ends.len() as u64);
        let mut start = 0;
        for end in &self.ends {
            put(out, u64::from(end - start));
            start = *end;
        }
        put_slice(out, &self.bytes);
    }

    pub(super) fn read(input: &mut Input<'_>) -> Result<Self, StoreError> {
        let count = input.size()?;
        let (mut ends, mut end) = (Vec::new(), 0_u32);
        for _ in 0..count {
            let length = u32::try_from(input.number()?).map_err(|_| super::bytes::damaged())?;
            end = end.checked_add(length).ok_or_else(super::bytes::damaged)?;
            ends.push(end);
        }
        let bytes = input.slice()?;
        if bytes.len() != end as usize {
            return Err(super::bytes::damaged());
        }
        Ok(Self { bytes: bytes.into(), ends: ends.into() })
    }
}

/// Counts what occurs, to find out what deserves a number.
#[derive(Default)]
pub(super) struct Tally {
    numbers: HashMap<Box<[u8]>, u32, RandomState>,
    counts: Vec<u32>,
    bytes: usize,
}

/// The most bytes that a tally keeps; what comes new after that is not counted and gets no number.
const MOST: usize = 24 << 20;

/// What an entry costs a tally beside its bytes, roughly.
const ENTRY: usize = 64;

impl Tally {
    /// Counts `entry` once more, and returns its number in the order of appearance.
    pub(super) fn see(&mut self, entry: &[u8]) -> Option<u32> {
        self.see_often(entry, 1)
    }

    /// The same, `times` at once.
    pub(super) fn see_often(&mut self, entry: &[u8], times: u32) -> Option<u32> {
        if let Some(number) = self.numbers.get(entry) {
            let count = &mut self.counts[*number as usize];
            *count = count.saturating_add(times);
            return Some(*number);
        }
        if self.bytes >= MOST {
            return None;
        }
        let number = u32::try_from(self.counts.len()).ok()?;
        self.bytes += entry.len() + ENTRY;
        self.numbers.insert(entry.into(), number);
        self.counts.push(times);
        Some(number)
    }

    /// Every entry with how often it was seen.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], u32)> {
        self.numbers.iter().map(|(entry, number)| (&**entry, self.counts[*number as usize]))
    }

    /// The entries that `wanted` accepts, by number: at most `most` of them, the commonest first.
    pub(super) fn rank(&self, most: usize, wanted: impl Fn(&[u8], u32) -> bool) -> Codes {
        let mut kept: Vec<(&[u8], u32)> =
            self.iter().filter(|(entry, count)| wanted(entry, *count)).collect();
        kept.sort_unstable_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
        kept.truncate(most);
        let dictionary = Dictionary::of(kept.iter().map(|(entry, _)| *entry));
        let codes = kept.iter().zip(0..).map(|((entry, _), code)| (Box::from(*entry), code)).collect();
        Codes { dictionary, codes }
    }
}

/// A dictionary that can also be asked for the number of an entry: what it takes to write with it.
#[derive(Default)]
pub(super) struct Codes {
    pub(super) dictionary: Dictionary,
    codes: HashMap<Box<[u8]>, u32, RandomState>,
}

impl Codes {
    /// Has the dictionary hold each entry as `write` writes it. It is still found as it was.
    pub(super) fn rewrite(&mut self, write: impl Fn(&[u8], &mut Vec<u8>)) {
        let mut written = Vec::new();
        for number in 0.. {
            let Some(entry) = self.dictionary.get(number) else { break };
            let mut out = Vec::new();
            write(entry, &mut out);
            written.push(out);
        }
        self.dictionary = Dictionary::of(written.iter().map(Vec::as_slice));
    }

    /// The number of an entry.
    pub(super) fn number(&self, entry: &[u8]) -> Option<u32> {
        self.codes.get(entry).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commonest_has_the_smallest_number() {
        let mut tally = Tally::default();
        for word in ["b", "a", "b", "c", "a", "b"] {
            tally.see(word.as_bytes());
        }
        let codes = tally.rank(10, |_, count| count > 1);
        assert_eq!((codes.number(b"b"), codes.number(b"a"), codes.number(b"c")), (Some(0), Some(1), None));
        let mut bytes = Vec::new();
        codes.dictionary.write(&mut bytes);
        let read = Dictionary::read(&mut Input(&bytes)).unwrap();
        assert_eq!(read, codes.dictionary);
        assert_eq!((read.get(0), read.get(1), read.get(2)), (Some(&b"b"[..]), Some(&b"a"[..]), None));
        for end in 0..bytes.len() {
            assert!(Dictionary::read(&mut Input(&bytes[..end])).is_err(), "{end}");
        }
    }
}
