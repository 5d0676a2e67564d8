//! Looking terms up in a segment's dictionary: one, or all of a range.

use std::{ops::Range, sync::Arc};

use tantivy::{
    DocId, DocSet, InvertedIndexReader,
    postings::{BlockSegmentPostings, Postings, SegmentPostings, TermInfo},
    schema::IndexRecordOption,
};

use super::{
    bits::{Bits, Marks},
    deadline::Deadline,
    dictionary::{Dictionary, between},
    docsets,
    plan::Plan,
    search::SearchError,
    segment::Segment,
};

/// So many posting lists are read side by side; the documents of more are gathered beforehand, one list at a time, so
/// that a short prefix costs time but no memory.
pub(super) const FEW: usize = 256;

/// The documents that have one term.
#[derive(Clone)]
pub(super) struct Posting {
    index: Arc<InvertedIndexReader>,
    info: TermInfo,
}

impl Posting {
    /// The posting list of `term`, if anything has it.
    pub(super) fn exact(dictionary: &Dictionary, term: &[u8]) -> Result<Option<Self>, SearchError> {
        let info = dictionary.get(term)?;
        Ok(info.map(|info| Self { index: Arc::clone(&dictionary.index), info }))
    }

    /// The posting list of a term that a walk through the dictionary came by.
    pub(super) fn of(index: &Arc<InvertedIndexReader>, info: &TermInfo) -> Self {
        Self { index: Arc::clone(index), info: info.clone() }
    }

    /// How many documents of the segment have the term.
    pub(super) fn len(&self) -> u32 {
        self.info.doc_freq
    }

    pub(super) fn open(&self) -> Result<SegmentPostings, SearchError> {
        Ok(self.index.read_postings_from_terminfo(&self.info, IndexRecordOption::Basic)?)
    }

    pub(super) fn open_with_positions(&self) -> Result<SegmentPostings, SearchError> {
        Ok(self.index.read_postings_from_terminfo(&self.info, IndexRecordOption::WithFreqsAndPositions)?)
    }

    /// The list in blocks, which can tell how many documents stand before one without reading them.
    pub(super) fn blocks(&self) -> Result<BlockSegmentPostings, SearchError> {
        Ok(self.index.read_block_postings_from_terminfo(&self.info, IndexRecordOption::Basic)?)
    }
}

/// A part of a dictionary: the terms from the first key on and before the second.
pub(super) struct Span<'a> {
    pub(super) dictionary: &'a Dictionary,
    pub(super) from: Vec<u8>,
    pub(super) to: Vec<u8>,
}

impl<'a> Span<'a> {
    /// Every term.
    pub(super) fn all(dictionary: &'a Dictionary) -> Self {
        Self::prefix(dictionary, "")
    }

    /// The terms that begin with `key`. Keys are UTF-8, in which no byte is 255.
    pub(super) fn prefix(dictionary: &'a Dictionary, key: &str) -> Self {
        let mut to = key.as_bytes().to_vec();
        to.push(u8::MAX);
        Self { dictionary, from: key.into(), to }
    }

    /// Calls `each` with every term until it fails.
    pub(super) fn each(
        &self,
        deadline: &Deadline,
        mut each: impl FnMut(&[u8], &TermInfo) -> Result<(), SearchError>,
    ) -> Result<(), SearchError> {
        let mut stream = self.dictionary.index.terms().range().ge(&self.from).lt(&self.to).into_stream()?;
        let mut count = 0_u32;
        while let Some((term, info)) = stream.next() {
            each(term, info)?;
            count += 1;
            if count.is_multiple_of(1024) {
                deadline.check()?;
            }
        }
        Ok(())
    }

    /// The documents of `docs` that have any of the terms that `wanted` accepts.
    pub(super) fn documents(
        &self,
        docs: &Range<DocId>,
        deadline: &Deadline,
        wanted: impl FnMut(&[u8]) -> bool,
    ) -> Result<Plan, SearchError> {
        Ok(match self.lists(docs, deadline, wanted)? {
            Lists::Few(postings) => Plan::few(postings),
            Lists::Many(marks) => Plan::bits(marks.done()),
        })
    }

    /// The documents of `docs` that have any of the terms. Where these are few they are not looked up again.
    pub(super) fn all_documents(
        &self,
        docs: &Range<DocId>,
        deadline: &Deadline,
    ) -> Result<Plan, SearchError> {
        self.known_documents(&between(&self.from, &self.to), docs, deadline, |_| true)
    }

    /// The documents of `docs` that have any of the terms that `wanted` accepts. Where these are few they are kept under `name`, so
    /// that the terms are not gone through again.
    pub(super) fn known_documents(
        &self,
        name: &[u8],
        docs: &Range<DocId>,
        deadline: &Deadline,
        wanted: impl FnMut(&[u8]) -> bool,
    ) -> Result<Plan, SearchError> {
        let dictionary = self.dictionary;
        if let Some(known) = dictionary.kept(name) {
            return Ok(Plan::few(known.iter().map(|info| Posting::of(&dictionary.index, info)).collect()));
        }
        Ok(match self.lists(docs, deadline, wanted)? {
            Lists::Few(postings) => {
                dictionary.keep_few(name, postings.iter().map(|posting| &posting.info));
                Plan::few(postings)
            }
            Lists::Many(marks) => Plan::bits(marks.done()),
        })
    }

    fn lists(
        &self,
        docs: &Range<DocId>,
        deadline: &Deadline,
        mut wanted: impl FnMut(&[u8]) -> bool,
    ) -> Result<Lists, SearchError> {
        let index = &self.dictionary.index;
        let mut few: Vec<Posting> = Vec::new();
        let mut many: Option<Gathered> = None;
        self.each(deadline, |term, info| {
            if !wanted(term) {
                return Ok(());
            }
            if many.is_none() && few.len() < FEW {
                few.push(Posting::of(index, info));
                return Ok(());
            }
            let gathered = many.get_or_insert_with(|| Gathered::new(docs.clone()));
            for posting in few.drain(..) {
                gathered.add(index, &posting.info)?;
            }
            gathered.add(index, info)
        })?;
        Ok(many.map_or(Lists::Few(few), |gathered| Lists::Many(gathered.marks)))
    }

    /// The documents of `docs` in whose detail any of the terms stands.
    pub(super) fn documents_by_detail(
        &self,
        segment: &Segment,
        docs: &Range<DocId>,
        deadline: &Deadline,
    ) -> Result<Plan, SearchError> {
        let mut marks = Marks::none(docs.clone());
        self.each_place(docs, None, deadline, |doc, positions| {
            // Positions ascend and the detail comes first.
            if positions.first().is_some_and(|first| u64::from(*first) < segment.detail_end.get_val(doc)) {
                marks.add(doc);
            }
            Ok(())
        })?;
        Ok(Plan::bits(marks.done()))
    }

    /// Calls `each` with every document of `docs`, or of these those `among` some, that has any of the terms, and where; term by
    /// term, until it fails.
    pub(super) fn each_place(
        &self,
        docs: &Range<DocId>,
        among: Option<&Bits>,
        deadline: &Deadline,
        mut each: impl FnMut(DocId, &[u32]) -> Result<(), SearchError>,
    ) -> Result<(), SearchError> {
        // What is looked at next, where only some are.
        let next = |doc: DocId| among.map_or(doc, |bits| bits.next(doc));
        let mut positions = Vec::new();
        let mut looked = 0_usize;
        self.each(deadline, |_, info| {
            let first = next(docs.start);
            if first >= docs.end {
                return Ok(());
            }
            let option = IndexRecordOption::WithFreqsAndPositions;
            let mut postings = self.dictionary.index.read_postings_from_terminfo(info, option)?;
            let mut doc = docsets::seek(&mut postings, first);
            while doc < docs.end {
                let wanted = next(doc);
                if wanted >= docs.end {
                    break;
                }
                if wanted == doc {
                    postings.positions(&mut positions);
                    each(doc, &positions)?;
                    looked += positions.len();
                    doc = postings.advance();
                } else {
                    doc = docsets::seek(&mut postings, wanted);
                }
                looked += 1;
                if looked >= 1 << 14 {
                    looked = 0;
                    deadline.check()?;
                }
            }
            Ok(())
        })
    }
}

/// The posting lists of a part of a dictionary.
enum Lists {
    Few(Vec<Posting>),
    /// What is in any of them.
    Many(Marks),
}

/// Documents gathered from many posting lists.
struct Gathered {
    docs: Range<DocId>,
    marks: Marks,
    blocks: BlockSegmentPostings,
}

impl Gathered {
    fn new(docs: Range<DocId>) -> Self {
        let marks = Marks::none(docs.clone());
        Self { docs, marks, blocks: BlockSegmentPostings::empty() }
    }

    fn add(&mut self, index: &InvertedIndexReader, info: &TermInfo) -> Result<(), SearchError> {
        // Only lists of a field without frequencies may be read through one that was opened empty, so the first
        // opens it properly and the next ones reuse its buffers.
        if self.blocks.doc_freq() == 0 {
            self.blocks = index.read_block_postings_from_terminfo(info, IndexRecordOption::Basic)?;
        } else {
            index.reset_block_postings_from_terminfo(info, &mut self.blocks)?;
        }
        self.marks.add_list(&mut self.blocks, &self.docs);
        Ok(())
    }
}
