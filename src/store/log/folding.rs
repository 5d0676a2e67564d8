//! How the keeper keeps the senders' keys: those that came last become a sorted run, four runs of a size become one.

use std::{iter::Peekable, sync::Arc};

use redb::ReadableTable;

use super::{
    keeper::{Left, SLICE, Work},
    keys::{self, Entry, Filter, Fingerprint, Run},
};
use crate::store::{
    StoreError,
    tables::{KEY_CHUNKS, KEY_RUNS, KEYS_RECENT},
};

/// How many keys wait before they become a run.
pub(super) const RECENT: usize = 1 << 17;

/// So many runs of keys of one size, or more, become one.
const FOUR: usize = 4;

/// A run of more keys is not merged any more: it would take its room twice while it is rewritten.
const LARGE: u64 = 1 << 21;

impl Work {
    /// Makes a run of the recent keys.
    pub(super) fn fold_keys(&self) -> Result<(), Left> {
        let read = self.disk.read()?;
        let recent = read.open_table(KEYS_RECENT).map_err(StoreError::file)?;
        let mut entries: Vec<Entry> = Vec::new();
        let mut pages = Vec::new();
        for value in recent.iter().map_err(StoreError::file)? {
            let (page, value) = value.map_err(StoreError::file)?;
            pages.push(page.value());
            entries.extend(keys::entries(value.value())?);
        }
        let folded = entries.iter().map(|(_, id)| *id).max().unwrap_or(0);
        entries.sort_unstable();
        let about = (entries.len() as u64, folded);
        let (number, filter) = self.write_keys(entries.into_iter().map(Ok), about.0)?;
        self.write(move |write| {
            let listed = keys::listed(number, about);
            write.edit(KEY_RUNS)?.insert(number, listed.as_slice()).map_err(StoreError::file)?;
            let mut recent = write.edit(KEYS_RECENT)?;
            for page in &pages {
                recent.remove(page).map_err(StoreError::file)?;
            }
            Ok(())
        })?;
        let run = Run::new(number, about);
        run.set_filter(filter);
        self.keys.fold(run);
        Ok(())
    }

    /// Makes one run of keys out of those of a size, if there are four or more. Whether there were.
    pub(super) fn merge_keys(&self) -> Result<bool, Left> {
        let mut by_size: Vec<Vec<Arc<Run>>> = Vec::new();
        for run in self.keys.runs().into_iter().filter(|run| run.length < LARGE) {
            let size = (run.length / RECENT as u64).max(1).ilog(FOUR as u64) as usize;
            by_size.resize(by_size.len().max(size + 1), Vec::new());
            by_size[size].push(run);
        }
        let Some(runs) = by_size.into_iter().find(|runs| runs.len() >= FOUR) else { return Ok(false) };
        let numbers: Vec<u64> = runs.iter().map(|run| run.number).collect();
        let length: u64 = runs.iter().map(|run| run.length).sum();
        let about = (length, runs.iter().map(|run| run.newest).max().unwrap_or(0));
        let read = self.disk.read()?;
        let chunks = read.open_table(KEY_CHUNKS).map_err(StoreError::file)?;
        let mut lines = Vec::new();
        for number in &numbers {
            lines.push(keys_of(&chunks, *number)?.peekable());
        }
        let (number, filter) = self.write_keys(Merged(lines), length)?;
        let old = numbers.clone();
        self.write(move |write| {
            let mut runs = write.edit(KEY_RUNS)?;
            runs.insert(number, keys::listed(number, about).as_slice()).map_err(StoreError::file)?;
            for old in &old {
                runs.remove(old).map_err(StoreError::file)?;
            }
            Ok(())
        })?;
        let run = Run::new(number, about);
        run.set_filter(filter);
        self.keys.replace(&numbers, Some(run));
        drop((chunks, read));
        self.remove_leftovers()?;
        Ok(true)
    }

    /// Writes sorted keys as a run that is not listed yet. Its number and filter.
    pub(super) fn write_keys(
        &self,
        entries: impl Iterator<Item = Result<Entry, StoreError>>,
        length: u64,
    ) -> Result<(u64, Filter), Left> {
        let number = self.keys.runs().iter().map(|run| run.number).max().unwrap_or(0) + 1;
        let mut filter = Filter::new(length);
        let mut entries = entries.peekable();
        while entries.peek().is_some() {
            let slice = entries.by_ref().take(keys::FIT * SLICE).collect::<Result<Vec<_>, _>>()?;
            for (key, _) in &slice {
                filter.add(key);
            }
            let pages: Vec<(Fingerprint, Vec<u8>)> =
                keys::values(&slice).map(|((key, _), value)| (*key, value)).collect();
            self.write(move |write| {
                let mut chunks = write.edit(KEY_CHUNKS)?;
                for (key, value) in &pages {
                    chunks.insert((number, key), value.as_slice()).map_err(StoreError::file)?;
                }
                Ok(())
            })?;
            self.go_on()?;
        }
        Ok((number, filter))
    }

    /// Removes the pages of runs of keys that are not listed: those that a kill left, and those that were merged.
    pub(super) fn remove_leftovers(&self) -> Result<(), Left> {
        let read = self.disk.read()?;
        let chunks = read.open_table(KEY_CHUNKS).map_err(StoreError::file)?;
        let listed = read.open_table(KEY_RUNS).map_err(StoreError::file)?;
        let mut from = 0;
        loop {
            let found = chunks.range((from, &[0; 10])..).map_err(StoreError::file)?.next();
            let Some((key, _)) = found.transpose().map_err(StoreError::file)? else { return Ok(()) };
            let number = key.value().0;
            if listed.get(number).map_err(StoreError::file)?.is_none() {
                self.remove_run(&chunks, number)?;
            }
            from = number + 1;
        }
    }

    fn remove_run(
        &self,
        chunks: &impl ReadableTable<(u64, &'static Fingerprint), &'static [u8]>,
        number: u64,
    ) -> Result<(), Left> {
        let range = (number, &[0; 10])..=(number, &[u8::MAX; 10]);
        let mut pages = chunks.range(range).map_err(StoreError::file)?.peekable();
        while pages.peek().is_some() {
            let mut slice: Vec<Fingerprint> = Vec::new();
            for page in pages.by_ref().take(SLICE * 4) {
                slice.push(*page.map_err(StoreError::file)?.0.value().1);
            }
            self.write(move |write| {
                let mut chunks = write.edit(KEY_CHUNKS)?;
                for key in &slice {
                    chunks.remove((number, key)).map_err(StoreError::file)?;
                }
                Ok(())
            })?;
            self.go_on()?;
        }
        Ok(())
    }

    /// Makes the filters of runs that were there at the start.
    pub(super) fn make_filters(&self) -> Result<(), Left> {
        let read = self.disk.read()?;
        let chunks = read.open_table(KEY_CHUNKS).map_err(StoreError::file)?;
        for run in self.keys.runs().into_iter().filter(|run| !run.has_filter()) {
            let mut filter = Filter::new(run.length);
            for entry in keys_of(&chunks, run.number)? {
                filter.add(&entry?.0);
            }
            run.set_filter(filter);
            self.go_on()?;
        }
        Ok(())
    }
}

/// The keys of a run, in order.
fn keys_of(
    chunks: &impl ReadableTable<(u64, &'static Fingerprint), &'static [u8]>,
    number: u64,
) -> Result<impl Iterator<Item = Result<Entry, StoreError>> + '_, StoreError> {
    let range = (number, &[0; 10])..=(number, &[u8::MAX; 10]);
    let pages = chunks.range(range).map_err(StoreError::file)?;
    Ok(pages.flat_map(|page| {
        let entries = page
            .map_err(StoreError::file)
            .and_then(|(_, value)| Ok(keys::entries(value.value())?.collect::<Vec<_>>()));
        match entries {
            Ok(entries) => entries.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        }
    }))
}

/// Several sorted lines of keys as one.
struct Merged<I: Iterator>(Vec<Peekable<I>>);

impl<I: Iterator<Item = Result<Entry, StoreError>>> Iterator for Merged<I> {
    type Item = Result<Entry, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        // An error comes first, and ends it all.
        let key = |line: &mut Peekable<I>| line.peek().map(|next| next.as_ref().ok().copied());
        let lines = self.0.iter_mut().enumerate();
        let (_, least) = lines.filter_map(|(at, line)| Some((key(line)?, at))).min()?;
        self.0[least].next()
    }
}
