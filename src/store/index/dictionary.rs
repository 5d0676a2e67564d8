//! The terms of a field in one segment, and what was looked up of them lately.
//!
//! A search looks its words up in every segment, and does so again with every page, count and refresh. Each look-up is a walk
//! through an automaton and two tables, some ten places of the file far apart; a segment never changes, so what it said once
//! it would say again.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use lru::LruCache;
use tantivy::{InvertedIndexReader, postings::TermInfo};

use super::{deadline::Deadline, schema, search::SearchError, terms::Span};
use crate::model::query;

/// So many look-ups are kept of each field of a segment: with their keys some 25 KB.
const KEPT: usize = 256;

/// A look-up that comes upon more terms is not kept.
const FEW: usize = 8;

/// What was found under a term, or in a part of the dictionary.
type Known = LruCache<Box<[u8]>, Box<[TermInfo]>>;

/// The dictionary of a field, and the way to its posting lists.
pub(super) struct Dictionary {
    pub(super) index: Arc<InvertedIndexReader>,
    known: Mutex<Known>,
    accented: OnceLock<Box<[Plain]>>,
}

/// A value as it is without accents, and what stands about its term.
type Plain = (String, TermInfo);

impl Dictionary {
    pub(super) fn new(index: Arc<InvertedIndexReader>) -> Self {
        Self { index, known: Mutex::new(LruCache::unbounded()), accented: OnceLock::new() }
    }

    /// What stands about `term`, if anything has it.
    pub(super) fn get(&self, term: &[u8]) -> Result<Option<TermInfo>, SearchError> {
        if let Some(found) = self.lock().get(term) {
            return Ok(found.first().cloned());
        }
        let found = self.index.terms().get(term)?;
        self.keep(term, found.as_slice());
        Ok(found)
    }

    /// The terms whose value has letters beyond ASCII, which are the only ones that accents can make another. The first time
    /// all terms are read through.
    pub(super) fn accented(&self, deadline: &Deadline) -> Result<&[Plain], SearchError> {
        if let Some(known) = self.accented.get() {
            return Ok(known);
        }
        let mut found = Vec::new();
        Span::all(self).each(deadline, |term, info| {
            let value = std::str::from_utf8(term).map_or("", schema::folded);
            if !value.is_ascii() {
                found.push((query::fold(value), info.clone()));
            }
            Ok(())
        })?;
        Ok(self.accented.get_or_init(|| found.into()))
    }

    /// What was kept of several terms under this name.
    pub(super) fn kept(&self, name: &[u8]) -> Option<Box<[TermInfo]>> {
        self.lock().get(name).cloned()
    }

    /// Keeps several terms under a name, if they are few.
    pub(super) fn keep_few<'a>(&self, name: &[u8], found: impl ExactSizeIterator<Item = &'a TermInfo>) {
        if found.len() <= FEW {
            self.keep(name, &found.cloned().collect::<Vec<_>>());
        }
    }

    fn keep(&self, key: &[u8], found: &[TermInfo]) {
        let mut known = self.lock();
        known.put(key.into(), found.into());
        if known.len() > KEPT {
            known.pop_lru();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a part of a dictionary is kept under, from its first term on and before the second. No text has a byte of 255, so it is no
/// term; and addresses, which may have, are never looked up one by one.
pub(super) fn between(from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(from.len() + to.len() + 1);
    key.extend_from_slice(from);
    key.push(u8::MAX);
    key.extend_from_slice(to);
    key
}

/// What the terms are kept under that have the words of `text`, or with `prefix` words that begin so. No part of a dictionary ends
/// before such a name.
pub(super) fn worded(text: &str, prefix: bool) -> Vec<u8> {
    [&[u8::MAX, u8::from(prefix)], text.as_bytes()].concat()
}
