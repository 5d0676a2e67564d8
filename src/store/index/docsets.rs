//! Sets of documents that are walked in order: all of several, any of several, all but some.

use tantivy::{DocId, DocSet, TERMINATED};

/// A set whose kind is not known in advance.
pub(super) type AnySet = Box<dyn DocSet>;

/// Every document of a segment.
pub(super) struct Everything {
    doc: DocId,
    end: DocId,
}

impl Everything {
    pub(super) fn new(end: DocId) -> Self {
        Self { doc: if end == 0 { TERMINATED } else { 0 }, end }
    }
}

impl DocSet for Everything {
    fn advance(&mut self) -> DocId {
        self.seek(self.doc.saturating_add(1))
    }

    fn seek(&mut self, target: DocId) -> DocId {
        self.doc = if target >= self.end { TERMINATED } else { target };
        self.doc
    }

    fn doc(&self) -> DocId {
        self.doc
    }

    fn size_hint(&self) -> u32 {
        self.end
    }
}

/// The documents that are in every one of several sets.
pub(super) struct Both {
    /// The smallest, which leads.
    first: AnySet,
    others: Vec<AnySet>,
}

impl Both {
    /// The intersection of at least one set.
    pub(super) fn of(mut sets: Vec<AnySet>) -> AnySet {
        sets.sort_by_key(DocSet::cost);
        let mut sets = sets.into_iter();
        let Some(first) = sets.next() else { return Box::new(Everything::new(0)) };
        let others: Vec<AnySet> = sets.collect();
        if others.is_empty() {
            return first;
        }
        let mut both = Self { first, others };
        let start = both.first.doc();
        both.settle(start);
        Box::new(both)
    }

    /// Moves on from `doc`, where the first set stands, to the next document that all have.
    fn settle(&mut self, mut doc: DocId) -> DocId {
        'candidates: while doc != TERMINATED {
            for other in &mut self.others {
                let found = seek(other.as_mut(), doc);
                if found != doc {
                    doc = seek(self.first.as_mut(), found);
                    continue 'candidates;
                }
            }
            return doc;
        }
        TERMINATED
    }
}

impl DocSet for Both {
    fn advance(&mut self) -> DocId {
        let doc = self.first.advance();
        self.settle(doc)
    }

    fn seek(&mut self, target: DocId) -> DocId {
        let doc = seek(self.first.as_mut(), target);
        self.settle(doc)
    }

    fn doc(&self) -> DocId {
        self.first.doc()
    }

    fn size_hint(&self) -> u32 {
        self.first.size_hint()
    }
}

/// The documents of one set that are not in another.
pub(super) struct Without {
    kept: AnySet,
    left_out: AnySet,
}

impl Without {
    pub(super) fn new(kept: AnySet, left_out: AnySet) -> Self {
        let mut without = Self { kept, left_out };
        without.settle();
        without
    }

    fn settle(&mut self) -> DocId {
        loop {
            let doc = self.kept.doc();
            if doc == TERMINATED || seek(self.left_out.as_mut(), doc) != doc {
                return doc;
            }
            self.kept.advance();
        }
    }
}

impl DocSet for Without {
    fn advance(&mut self) -> DocId {
        self.kept.advance();
        self.settle()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        seek(self.kept.as_mut(), target);
        self.settle()
    }

    fn doc(&self) -> DocId {
        self.kept.doc()
    }

    fn size_hint(&self) -> u32 {
        self.kept.size_hint()
    }
}

/// The documents that are in at least one of several sets, gathered a window at a time.
pub(super) struct Either<S> {
    sets: Vec<S>,
    window: Window,
    doc: DocId,
    hint: u32,
}

impl<S: DocSet> Either<S> {
    pub(super) fn new(sets: Vec<S>) -> Self {
        let hint = sets.iter().fold(0, |sum: u32, set| sum.saturating_add(set.size_hint()));
        let mut either = Self { sets, window: Window::new(), doc: 0, hint };
        either.doc = either.fill(0);
        either
    }

    /// Gathers the window that holds the first document from `target` on, and returns that document.
    fn fill(&mut self, target: DocId) -> DocId {
        let mut first = TERMINATED;
        self.sets.retain_mut(|set| {
            let doc = seek(set, target);
            first = first.min(doc);
            doc != TERMINATED
        });
        if first != TERMINATED {
            self.window.begin(first);
            for set in &mut self.sets {
                self.window.gather(set);
            }
        }
        first
    }
}

impl<S: DocSet> DocSet for Either<S> {
    fn advance(&mut self) -> DocId {
        self.seek(self.doc.saturating_add(1))
    }

    fn seek(&mut self, target: DocId) -> DocId {
        let target = target.min(TERMINATED);
        if target > self.doc {
            self.doc = match self.window.next(target) {
                Some(doc) => doc,
                None => self.fill(target.max(self.window.end())),
            };
        }
        self.doc
    }

    fn doc(&self) -> DocId {
        self.doc
    }

    fn size_hint(&self) -> u32 {
        self.hint
    }
}

/// The documents that are in every one of several sets, none of which is much smaller than the others: gathered a window at
/// a time, because leaping from one to the next would stop at nearly every document.
pub(super) struct Dense<S> {
    sets: Vec<S>,
    window: Window,
    doc: DocId,
}

impl<S: DocSet> Dense<S> {
    pub(super) fn new(sets: Vec<S>) -> Self {
        let mut dense = Self { sets, window: Window::new(), doc: 0 };
        dense.doc = dense.fill(0);
        dense
    }

    /// Gathers the window that holds the first common document from `target` on, and returns that document.
    fn fill(&mut self, mut target: DocId) -> DocId {
        loop {
            for set in &mut self.sets {
                target = target.max(seek(set, target));
            }
            if target >= TERMINATED {
                return TERMINATED;
            }
            let mut sets = self.sets.iter_mut();
            self.window.begin(target);
            if let Some(first) = sets.next() {
                self.window.gather(first);
            }
            for set in sets {
                let mut other = Window::new();
                other.begin(target);
                other.gather(set);
                self.window.keep(&other);
            }
            if let Some(doc) = self.window.next(target) {
                return doc;
            }
            target = self.window.end();
        }
    }
}

impl<S: DocSet> DocSet for Dense<S> {
    fn advance(&mut self) -> DocId {
        self.seek(self.doc.saturating_add(1))
    }

    fn seek(&mut self, target: DocId) -> DocId {
        let target = target.min(TERMINATED);
        if target > self.doc {
            self.doc = match self.window.next(target) {
                Some(doc) => doc,
                None => self.fill(target.max(self.window.end())),
            };
        }
        self.doc
    }

    fn doc(&self) -> DocId {
        self.doc
    }

    fn size_hint(&self) -> u32 {
        self.sets.iter().map(DocSet::size_hint).min().unwrap_or(0)
    }
}

/// A stretch of 4096 documents as bits.
struct Window {
    /// The first document, a multiple of 64.
    base: DocId,
    words: [u64; WORDS],
}

const WORDS: usize = 64;
const WINDOW: DocId = 64 * 64;

impl Window {
    const fn new() -> Self {
        Self { base: 0, words: [0; WORDS] }
    }

    /// Moves to where `doc` is, and is empty there.
    fn begin(&mut self, doc: DocId) {
        self.base = doc / 64 * 64;
        self.words = [0; WORDS];
    }

    /// The first document behind it.
    fn end(&self) -> DocId {
        self.base.saturating_add(WINDOW).min(TERMINATED)
    }

    /// Adds the documents of a set from where it stands.
    fn gather<S: DocSet>(&mut self, set: &mut S) {
        let end = self.end();
        let mut doc = seek(set, self.base);
        while doc < end {
            let at = doc - self.base;
            self.words[(at / 64) as usize] |= 1 << (at % 64);
            doc = set.advance();
        }
    }

    /// Keeps only what is in `other` too, which begins where it begins.
    fn keep(&mut self, other: &Self) {
        for (word, kept) in self.words.iter_mut().zip(&other.words) {
            *word &= kept;
        }
    }

    /// The first document from `target` on, if there is one.
    fn next(&self, target: DocId) -> Option<DocId> {
        let at = target.checked_sub(self.base).filter(|at| *at < WINDOW)?;
        let start = at / 64;
        let mut rest = self.words[start as usize] & (u64::MAX << (at % 64));
        for word in start..WINDOW / 64 {
            if word > start {
                rest = self.words[word as usize];
            }
            if rest != 0 {
                return Some(self.base + word * 64 + rest.trailing_zeros());
            }
        }
        None
    }
}

/// Seeks where a set may already stand behind the target.
pub(super) fn seek<S: DocSet + ?Sized>(set: &mut S, target: DocId) -> DocId {
    let doc = set.doc();
    if doc < target { set.seek(target) } else { doc }
}
