//! A set of documents as bits.

use std::{ops::Range, sync::Arc};

use tantivy::{DocId, DocSet, TERMINATED};

/// Which documents of a range belong to a set.
pub(super) struct Bits {
    marks: Marks,
    len: u32,
}

/// A set that is being put together.
#[derive(Clone)]
pub(super) struct Marks {
    docs: Range<DocId>,
    /// The document of the first bit: that of the range, or one of the up to 63 before it.
    base: DocId,
    /// No bit outside the range is set.
    words: Vec<u64>,
}

impl Marks {
    /// No document of `docs`.
    pub(super) fn none(docs: Range<DocId>) -> Self {
        let base = docs.start / 64 * 64;
        let words = (docs.end.max(base) - base).div_ceil(64);
        Self { docs, base, words: vec![0; words as usize] }
    }

    /// Every document of `docs`.
    pub(super) fn all(docs: Range<DocId>) -> Self {
        let mut marks = Self::none(docs.clone());
        marks.add_range(docs);
        marks
    }

    /// Adds a document of the range, or takes it away.
    pub(super) fn set(&mut self, doc: DocId, there: bool) {
        let at = doc - self.base;
        let word = &mut self.words[(at / 64) as usize];
        let bit = 1 << (at % 64);
        *word = if there { *word | bit } else { *word & !bit };
    }

    pub(super) fn add(&mut self, doc: DocId) {
        self.set(doc, true);
    }

    /// Adds documents of the range that stand one behind the other.
    pub(super) fn add_range(&mut self, docs: Range<DocId>) {
        each_word(self.base, &docs, |word, mask| self.words[word] |= mask);
    }

    /// Adds those of `block`, which ascends, that are of the range.
    pub(super) fn add_block(&mut self, block: &[DocId]) {
        let from = block.partition_point(|doc| *doc < self.docs.start);
        let to = block.partition_point(|doc| *doc < self.docs.end);
        let Some(first) = block[from..to].first() else { return };
        // A word is put together before it is written: in a common list the next document is mostly in the same.
        let (mut word, mut bits) = ((first - self.base) / 64, 0);
        for doc in &block[from..to] {
            let at = doc - self.base;
            if at / 64 != word {
                self.words[word as usize] |= bits;
                (word, bits) = (at / 64, 0);
            }
            bits |= 1 << (at % 64);
        }
        self.words[word as usize] |= bits;
    }

    /// Adds what is in `bits`, as far as it is of the range.
    pub(super) fn add_bits(&mut self, bits: &Bits) {
        let other = &bits.marks;
        let docs = self.docs.start.max(other.docs.start)..self.docs.end.min(other.docs.end);
        let shift = |word: usize| (self.base as usize + word * 64).wrapping_sub(other.base as usize) / 64;
        each_word(self.base, &docs, |word, mask| self.words[word] |= other.words[shift(word)] & mask);
    }

    /// Adds what is in `other`, a set of the same range.
    pub(super) fn add_all(&mut self, other: &Self) {
        self.zip(other, |a, b| a | b);
    }

    /// Keeps what is in `other` too, a set of the same range.
    pub(super) fn keep(&mut self, other: &Self) {
        self.zip(other, |a, b| a & b);
    }

    /// Takes away what is in `other`, a set of the same range.
    pub(super) fn take_away(&mut self, other: &Self) {
        self.zip(other, |a, b| a & !b);
    }

    /// What is not in it, of its range.
    pub(super) fn flip(&mut self) {
        each_word(self.base, &self.docs.clone(), |word, mask| self.words[word] ^= mask);
    }

    fn zip(&mut self, other: &Self, join: impl Fn(u64, u64) -> u64) {
        debug_assert_eq!(self.docs, other.docs);
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word = join(*word, *other);
        }
    }

    /// How many documents there are.
    pub(super) fn len(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    /// How many of them are of `docs`, which are of the range.
    pub(super) fn len_in(&self, docs: &Range<DocId>) -> u32 {
        let mut len = 0;
        each_word(self.base, docs, |word, mask| len += (self.words[word] & mask).count_ones());
        len
    }

    /// How many of `block` there are.
    pub(super) fn len_of(&self, block: &[DocId]) -> u32 {
        let from = block.partition_point(|doc| *doc < self.docs.start);
        let to = block.partition_point(|doc| *doc < self.docs.end);
        let bit = |doc: &DocId| {
            let at = doc - self.base;
            self.words[(at / 64) as usize] >> (at % 64) & 1
        };
        // At most as many as documents in a block.
        u32::try_from(block[from..to].iter().map(bit).sum::<u64>()).unwrap_or(u32::MAX)
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

    /// The set, which does not change any more.
    pub(super) fn done(self) -> Bits {
        Bits { len: self.len(), marks: self }
    }
}

/// Calls `each` with every word that holds documents of `docs`, and their bits in it.
fn each_word(base: DocId, docs: &Range<DocId>, mut each: impl FnMut(usize, u64)) {
    if docs.is_empty() {
        return;
    }
    let (start, last) = (docs.start - base, docs.end - 1 - base);
    for word in start / 64..=last / 64 {
        let mut mask = u64::MAX;
        if word == start / 64 {
            mask &= u64::MAX << (start % 64);
        }
        if word == last / 64 {
            mask &= u64::MAX >> (63 - last % 64);
        }
        each(word as usize, mask);
    }
}

impl Bits {
    /// The first document from `doc` on; [`TERMINATED`] if there is none.
    pub(super) fn next(&self, doc: DocId) -> DocId {
        self.marks.next(doc)
    }

    /// How many documents there are.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// How many of `block` there are.
    pub(super) fn len_of(&self, block: &[DocId]) -> u32 {
        self.marks.len_of(block)
    }

    /// Every document in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = DocId> + '_ {
        let mut doc = self.marks.next(0);
        std::iter::from_fn(move || {
            let now = doc;
            (now != TERMINATED).then(|| {
                doc = self.marks.next(now + 1);
                now
            })
        })
    }
}

/// A walk over [`Bits`].
pub(super) struct BitsWalk {
    bits: Arc<Bits>,
    doc: DocId,
}

impl BitsWalk {
    pub(super) fn new(bits: Arc<Bits>) -> Self {
        let doc = bits.marks.next(0);
        Self { bits, doc }
    }
}

impl DocSet for BitsWalk {
    fn advance(&mut self) -> DocId {
        self.seek(self.doc.saturating_add(1))
    }

    fn seek(&mut self, target: DocId) -> DocId {
        self.doc = if target >= TERMINATED { TERMINATED } else { self.bits.marks.next(target) };
        self.doc
    }

    fn doc(&self) -> DocId {
        self.doc
    }

    fn size_hint(&self) -> u32 {
        self.bits.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_together_at_the_edges_of_words_is_right() {
        for docs in [0..0, 0..64, 5..6, 63..65, 70..200, 64..128, 100..321] {
            let odd = |doc: &DocId| doc % 3 == 1;
            let block: Vec<DocId> = (0..400).filter(odd).collect();
            let mut marks = Marks::none(docs.clone());
            marks.add_block(&block);
            let expected: Vec<DocId> = docs.clone().filter(odd).collect();
            assert_eq!(marks.clone().done().iter().collect::<Vec<_>>(), expected);
            assert_eq!(Marks::all(docs.clone()).len_of(&block), marks.len());
            let mut others = marks.clone();
            others.flip();
            assert_eq!(others.len() + marks.len(), docs.end - docs.start);
            for half in [docs.start..docs.start + (docs.end - docs.start) / 2, docs.clone()] {
                assert_eq!(marks.len_in(&half) as usize, half.clone().filter(odd).count());
                let mut copy = Marks::none(half.clone());
                copy.add_bits(&marks.clone().done());
                assert_eq!(copy.len(), marks.len_in(&half));
                let mut wider = Marks::none(0..400);
                wider.add_bits(&copy.done());
                assert_eq!(wider.len(), marks.len_in(&half));
            }
        }
    }
}
