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
    /// The first document of the window, a multiple of 64.
    base: DocId,
    window: [u64; WORDS],
    doc: DocId,
    hint: u32,
}

const WORDS: usize = 64;
const WINDOW: DocId = 64 * 64;

impl<S: DocSet> Either<S> {
    pub(super) fn new(sets: Vec<S>) -> Self {
        let hint = sets.iter().fold(0, |sum: u32, set| sum.saturating_add(set.size_hint()));
        let mut either = Self { sets, base: 0, window: [0; WORDS], doc: 0, hint };
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
        if first == TERMINATED {
            return TERMINATED;
        }
        self.base = first / 64 * 64;
        self.window = [0; WORDS];
        let end = self.base.saturating_add(WINDOW);
        for set in &mut self.sets {
            let mut doc = set.doc();
            while doc < end {
                let at = doc - self.base;
                self.window[(at / 64) as usize] |= 1 << (at % 64);
                doc = set.advance();
            }
        }
        first
    }

    /// The first document of the window from `target` on, if there is one.
    fn within(&self, target: DocId) -> Option<DocId> {
        let at = target.checked_sub(self.base).filter(|at| *at < WINDOW)?;
        let start = at / 64;
        let mut rest = self.window[start as usize] & (u64::MAX << (at % 64));
        for word in start..WINDOW / 64 {
            if word > start {
                rest = self.window[word as usize];
            }
            if rest != 0 {
                return Some(self.base + word * 64 + rest.trailing_zeros());
            }
        }
        None
    }
}

impl<S: DocSet> DocSet for Either<S> {
    fn advance(&mut self) -> DocId {
        self.seek(self.doc.saturating_add(1))
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if target <= self.doc {
            return self.doc;
        }
        self.doc = if target >= TERMINATED {
            TERMINATED
        } else {
            match self.within(target) {
                Some(doc) => doc,
                None => self.fill(target.max(self.base.saturating_add(WINDOW).min(TERMINATED))),
            }
        };
        self.doc
    }

    fn doc(&self) -> DocId {
        self.doc
    }

    fn size_hint(&self) -> u32 {
        self.hint
    }
}

/// Seeks where a set may already stand behind the target.
pub(super) fn seek<S: DocSet + ?Sized>(set: &mut S, target: DocId) -> DocId {
    let doc = set.doc();
    if doc < target { set.seek(target) } else { doc }
}
