//! A set of documents as bits.

use std::ops::Range;

use tantivy::{DocId, DocSet, TERMINATED};

/// Which documents of a range belong to a set.
pub(super) struct Bits {
    /// The document of the first bit, a multiple of 64.
    base: DocId,
    words: Vec<u64>,
    len: u32,
}

impl Bits {
    /// No document of `start..end`.
    pub(super) fn empty(start: DocId, end: DocId) -> Self {
        let base = start / 64 * 64;
        let words = (end.max(base) - base).div_ceil(64);
        Self { base, words: vec![0; words as usize], len: 0 }
    }

    /// Adds a document of the range.
    pub(super) fn insert(&mut self, doc: DocId) {
        let at = doc - self.base;
        let word = &mut self.words[(at / 64) as usize];
        let bit = 1 << (at % 64);
        self.len += u32::from(*word & bit == 0);
        *word |= bit;
    }

    /// Adds a document of the range, or takes it away.
    pub(super) fn set(&mut self, doc: DocId, there: bool) {
        let at = doc - self.base;
        let word = &mut self.words[(at / 64) as usize];
        let bit = 1 << (at % 64);
        match (*word & bit != 0, there) {
            (false, true) => self.len += 1,
            (true, false) => self.len -= 1,
            _ => return,
        }
        *word ^= bit;
    }

    /// Adds `docs`, all of which are of the range.
    pub(super) fn fill(&mut self, docs: Range<DocId>) {
        for doc in docs {
            self.insert(doc);
        }
    }

    pub(super) fn contains(&self, doc: DocId) -> bool {
        doc.checked_sub(self.base)
            .and_then(|at| Some(self.words.get((at / 64) as usize)? >> (at % 64) & 1 == 1))
            .unwrap_or(false)
    }

    /// How many documents there are.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// The first document from `doc` on; [`TERMINATED`] if there is none.
    pub(super) fn next(&self, doc: DocId) -> DocId {
        let at = doc.saturating_sub(self.base);
        let mut word = (at / 64) as usize;
        let mut rest = self.words.get(word).map_or(0, |bits| bits & (u64::MAX << (at % 64)));
        loop {
            if rest != 0 {
                let place = u32::try_from(word).unwrap_or(u32::MAX) * 64;
                return self.base + place + rest.trailing_zeros();
            }
            word += 1;
            match self.words.get(word) {
                Some(bits) => rest = *bits,
                None => return TERMINATED,
            }
        }
    }

    /// Every document in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = DocId> + '_ {
        let mut doc = self.next(0);
        std::iter::from_fn(move || {
            let now = doc;
            (now != TERMINATED).then(|| {
                doc = self.next(now + 1);
                now
            })
        })
    }
}

/// A walk over [`Bits`].
pub(super) struct BitsWalk {
    bits: std::sync::Arc<Bits>,
    doc: DocId,
}

impl BitsWalk {
    pub(super) fn new(bits: std::sync::Arc<Bits>) -> Self {
        let doc = bits.next(0);
        Self { bits, doc }
    }
}

impl DocSet for BitsWalk {
    fn advance(&mut self) -> DocId {
        self.seek(self.doc.saturating_add(1))
    }

    fn seek(&mut self, target: DocId) -> DocId {
        self.doc = if target >= TERMINATED { TERMINATED } else { self.bits.next(target) };
        self.doc
    }

    fn doc(&self) -> DocId {
        self.doc
    }

    fn size_hint(&self) -> u32 {
        self.bits.len()
    }
}
