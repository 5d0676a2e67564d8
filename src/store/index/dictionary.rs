//! The terms of a field in one segment, and what was looked up of them lately.
//!
//! A search looks its words up in every segment, and does so again with every page, count and refresh. Each look-up is a walk
//! through an automaton and two tables, some ten places of the file far apart; a segment never changes, so what it said once
//! it would say again.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use lru::LruCache;
use tantivy::{InvertedIndexReader, postings::TermInfo};

use super::{deadline::Deadline, schema, search::SearchError, terms::Span};
use crate::model::query;

/// So many look-ups are kept of each field of a segment: with their keys some 25 KB.
const KEPT: usize = 256;

/// A look-up that comes upon more terms is not kept.
const FEW: usize = 8;

/// So many values with letters beyond ASCII are kept of each field of a segment, and so many bytes of them. Strangers choose the names
/// of users: where there are more, all are gone through each time.
const ACCENTED: usize = 2048;
const ACCENTED_TEXT: usize = 128 << 10;

/// What was found under a term, or in a part of the dictionary.
type Known = LruCache<Box<[u8]>, Box<[TermInfo]>>;

/// The dictionary of a field, and the way to its posting lists.
pub(super) struct Dictionary {
    pub(super) index: Arc<InvertedIndexReader>,
    known: Mutex<Known>,
    /// Nothing where there are too many.
    accented: OnceLock<Option<Box<[Plain]>>>,
    /// How far somebody came in finding them whose time was over.
    finding: Mutex<Finding>,
}

/// A term whose value has letters beyond ASCII.
pub(super) struct Plain {
    /// The value without its accents.
    pub(super) value: String,
    pub(super) term: Box<[u8]>,
    pub(super) info: TermInfo,
}

/// Terms that were found so far.
#[derive(Default)]
struct Finding {
    /// Where it goes on.
    from: Vec<u8>,
    found: Vec<Plain>,
    text: usize,
}

impl Finding {
    /// Reads on until the end, or until it is too much.
    fn go_on(&mut self, dictionary: &Dictionary, deadline: &Deadline) -> Result<(), SearchError> {
        let rest = Span { from: mem::take(&mut self.from), ..Span::all(dictionary) };
        rest.each(deadline, |term, info| {
            // The first key behind this one.
            self.from.clear();
            self.from.extend_from_slice(term);
            self.from.push(0);
            let value = std::str::from_utf8(term).map_or("", schema::folded);
            if !value.is_ascii() {
                let plain = Plain { value: query::fold(value), term: term.into(), info: info.clone() };
                self.text += plain.value.len() + plain.term.len();
                self.found.push(plain);
            }
            if self.is_too_much() { Err(SearchError::TooSlow) } else { Ok(()) }
        })
    }

    /// Whether there are more than are kept.
    const fn is_too_much(&self) -> bool {
        self.found.len() > ACCENTED || self.text > ACCENTED_TEXT
    }
}

impl Dictionary {
    pub(super) fn new(index: Arc<InvertedIndexReader>) -> Self {
        let known = Mutex::new(LruCache::unbounded());
        Self { index, known, accented: OnceLock::new(), finding: Mutex::default() }
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

    /// The terms whose value has letters beyond ASCII, in their order, which are the only ones that accents can make another; none
    /// where there are too many to be kept. The first time all terms are read through, and whoever comes after one whose time was
    /// over goes on where they stopped.
    pub(super) fn accented(&self, deadline: &Deadline) -> Result<Option<&[Plain]>, SearchError> {
        if let Some(known) = self.accented.get() {
            return Ok(known.as_deref());
        }
        let mut finding = mem::take(&mut *self.finding());
        let walked = finding.go_on(self, deadline);
        if !finding.is_too_much()
            && let Err(error) = walked
        {
            let mut kept = self.finding();
            if kept.from < finding.from {
                *kept = finding;
            }
            return Err(error);
        }
        let found = (!finding.is_too_much()).then(|| finding.found.into());
        Ok(self.accented.get_or_init(|| found).as_deref())
    }

    fn finding(&self) -> MutexGuard<'_, Finding> {
        self.finding.lock().unwrap_or_else(PoisonError::into_inner)
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

/// What the terms are kept under whose value is `plain` without accents, or with `prefix` begins so. It is no [`worded`] name either.
pub(super) fn unaccented(plain: &str, prefix: bool) -> Vec<u8> {
    [&[u8::MAX, 2 + u8::from(prefix)], plain.as_bytes()].concat()
}

/// What the terms are kept under that have the words of `text`, or with `prefix` words that begin so. No part of a dictionary ends
/// before such a name.
pub(super) fn worded(text: &str, prefix: bool) -> Vec<u8> {
    [&[u8::MAX, u8::from(prefix)], text.as_bytes()].concat()
}
