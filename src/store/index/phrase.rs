//! Words one behind the other, of which some may be just beginnings, anywhere or only in the detail.

use std::{ops::Range, sync::Arc};

use tantivy::{
    DocId, DocSet, TERMINATED,
    columnar::ColumnValues,
    postings::{Postings, SegmentPostings},
};

use super::{
    bits::{Bits, Marks},
    deadline::Deadline,
    docsets::{self, AnySet},
    plan::{Plan, each_block},
    search::SearchError,
    terms::{Posting, Span},
};

/// So many places of words that begin in a way are held at once, 8 bytes each, whatever there is of them.
const HELD: usize = 1 << 18;

/// So many may be held for as long as the search lasts, in each segment; of more there is a bit for each document.
const KEPT: usize = 1 << 16;

/// A phrase, ready to be walked.
#[derive(Clone)]
pub(super) struct Phrase {
    /// By their distance from the first one.
    pub(super) words: Vec<PhraseWord>,
    /// The column of the detail's end, if the phrase has to stand before it.
    pub(super) before: Option<Arc<dyn ColumnValues<u64>>>,
}

/// A word of a phrase.
#[derive(Clone)]
pub(super) struct PhraseWord {
    /// Its distance from the first one.
    pub(super) offset: u32,
    pub(super) places: Places,
}

/// Where a word stands.
#[derive(Clone)]
pub(super) enum Places {
    /// As its posting list says.
    Listed(Posting),
    /// Gathered from the posting lists of all words with a prefix: document and position, ascending.
    Gathered(Arc<Vec<(DocId, u32)>>),
}

/// A word of a phrase of which only the beginning is known.
pub(super) struct Begun<'a> {
    /// Its distance from the first one.
    pub(super) offset: u32,
    /// The words that begin so.
    pub(super) span: Span<'a>,
}

/// A phrase some of whose words are beginnings, in one segment.
pub(super) struct Beginnings<'a> {
    /// Its other words.
    pub(super) listed: Phrase,
    pub(super) begun: Vec<Begun<'a>>,
    pub(super) docs: &'a Range<DocId>,
    /// Only these are looked at.
    pub(super) among: Option<Bits>,
    pub(super) deadline: &'a Deadline,
}

impl Beginnings<'_> {
    /// The documents that have the phrase. The words that begin so may be all there are, each in every document: their places
    /// are held a part at a time, and where they are many only the documents are kept.
    pub(super) fn plan(&self) -> Result<Plan, SearchError> {
        let Some((last, others)) = self.begun.split_last() else {
            return Ok(Plan::Phrase(self.listed.clone()));
        };
        let mut found: Option<Marks> = None;
        let mut held = Vec::new();
        last.span.each_place(self.docs, self.among.as_ref(), self.deadline, |doc, positions| {
            held.extend(positions.iter().map(|position| (doc, *position)));
            if held.len() >= HELD {
                let phrase = self.phrase((last, others), std::mem::take(&mut held))?;
                self.add(&phrase, found.get_or_insert_with(|| Marks::none(self.docs.clone())))?;
            }
            Ok(())
        })?;
        let few = held.len() <= KEPT;
        let phrase = self.phrase((last, others), held)?;
        if few && found.is_none() {
            return Ok(Plan::Phrase(phrase));
        }
        let mut found = found.unwrap_or_else(|| Marks::none(self.docs.clone()));
        self.add(&phrase, &mut found)?;
        Ok(Plan::bits(found.done()))
    }

    fn add(&self, phrase: &Phrase, found: &mut Marks) -> Result<(), SearchError> {
        each_block(phrase.open()?.as_mut(), self.docs, self.deadline, |block| found.add_block(block))
    }

    /// The phrase with these places of its last beginning. Of the others only those are gathered that stand right to them.
    fn phrase(
        &self,
        (last, others): (&Begun<'_>, &[Begun<'_>]),
        mut held: Vec<(DocId, u32)>,
    ) -> Result<Phrase, SearchError> {
        held.sort_unstable();
        held.dedup();
        let mut words = self.listed.words.clone();
        let gathered = |offset, places| PhraseWord { offset, places: Places::Gathered(Arc::new(places)) };
        for other in others {
            let distance = last.offset - other.offset;
            let mut right = Vec::new();
            other.span.each_place(self.docs, self.among.as_ref(), self.deadline, |doc, positions| {
                let fits = |position: &&u32| held.binary_search(&(doc, **position + distance)).is_ok();
                right.extend(positions.iter().filter(fits).map(|position| (doc, *position)));
                Ok(())
            })?;
            right.sort_unstable();
            right.dedup();
            words.push(gathered(other.offset, right));
        }
        words.push(gathered(last.offset, held));
        words.sort_by_key(|word| word.offset);
        Ok(Phrase { words, before: self.listed.before.clone() })
    }
}

impl Phrase {
    /// The documents that have the phrase.
    pub(super) fn open(&self) -> Result<AnySet, SearchError> {
        let mut walk = self.walk()?;
        let start = walk.words.iter().map(|word| word.places.doc()).max().unwrap_or(TERMINATED);
        walk.settle(start);
        Ok(Box::new(walk))
    }

    fn walk(&self) -> Result<Walk, SearchError> {
        let words = self.words.iter().map(PhraseWord::open).collect::<Result<Vec<_>, _>>()?;
        Ok(Walk { words, before: self.before.clone(), starts: Vec::new(), places: Vec::new(), doc: 0 })
    }

    /// Those of `candidates` that have the phrase.
    pub(super) fn among(
        &self,
        candidates: &Bits,
        docs: &Range<DocId>,
        deadline: &Deadline,
    ) -> Result<Marks, SearchError> {
        let mut walk = self.walk()?;
        let mut marks = Marks::none(docs.clone());
        for (count, doc) in candidates.iter().enumerate() {
            if walk.words.iter_mut().all(|word| word.places.seek(doc) == doc) && walk.has_phrase(doc) {
                marks.add(doc);
            }
            if count % 4096 == 0 {
                deadline.check()?;
            }
        }
        Ok(marks)
    }

    /// At most how many documents have it.
    pub(super) fn at_most(&self) -> u32 {
        let len = |word: &PhraseWord| match &word.places {
            Places::Listed(posting) => posting.len(),
            Places::Gathered(places) => u32::try_from(places.len()).unwrap_or(u32::MAX),
        };
        self.words.iter().map(len).min().unwrap_or(0)
    }
}

impl PhraseWord {
    fn open(&self) -> Result<OpenWord, SearchError> {
        let places = match &self.places {
            Places::Listed(posting) => OpenPlaces::Listed(Box::new(posting.open_with_positions()?)),
            Places::Gathered(places) => OpenPlaces::Gathered { places: Arc::clone(places), at: 0 },
        };
        Ok(OpenWord { offset: self.offset, places })
    }
}

struct Walk {
    words: Vec<OpenWord>,
    before: Option<Arc<dyn ColumnValues<u64>>>,
    starts: Vec<u32>,
    places: Vec<u32>,
    doc: DocId,
}

struct OpenWord {
    offset: u32,
    places: OpenPlaces,
}

enum OpenPlaces {
    Listed(Box<SegmentPostings>),
    Gathered { places: Arc<Vec<(DocId, u32)>>, at: usize },
}

impl OpenPlaces {
    fn doc(&self) -> DocId {
        match self {
            Self::Listed(postings) => postings.doc(),
            Self::Gathered { places, at } => places.get(*at).map_or(TERMINATED, |(doc, _)| *doc),
        }
    }

    fn seek(&mut self, target: DocId) -> DocId {
        match self {
            Self::Listed(postings) => docsets::seek(postings.as_mut(), target),
            Self::Gathered { places, at } => {
                // Mostly not far, so it is looked for in strides of twice the length each.
                let rest = &places[*at..];
                let mut stride = 1;
                while rest.get(stride).is_some_and(|(doc, _)| *doc < target) {
                    stride *= 2;
                }
                let (from, to) = (stride / 2, rest.len().min(stride));
                *at += from + rest[from..to].partition_point(|(doc, _)| *doc < target);
                self.doc()
            }
        }
    }

    fn len(&self) -> u32 {
        match self {
            Self::Listed(postings) => postings.size_hint(),
            Self::Gathered { places, .. } => u32::try_from(places.len()).unwrap_or(u32::MAX),
        }
    }

    fn positions(&mut self, into: &mut Vec<u32>) {
        match self {
            Self::Listed(postings) => postings.positions(into),
            Self::Gathered { places, at } => {
                let doc = self_doc(places, *at);
                into.clear();
                into.extend(
                    places[*at..].iter().take_while(|(d, _)| *d == doc).map(|(_, position)| *position),
                );
            }
        }
    }
}

fn self_doc(places: &[(DocId, u32)], at: usize) -> DocId {
    places.get(at).map_or(TERMINATED, |(doc, _)| *doc)
}

impl Walk {
    /// Moves on to the first document from `doc` on that has the phrase.
    fn settle(&mut self, mut doc: DocId) -> DocId {
        'candidates: while doc < TERMINATED {
            for word in &mut self.words {
                let found = word.places.seek(doc);
                if found != doc {
                    doc = found;
                    continue 'candidates;
                }
            }
            if self.has_phrase(doc) {
                break;
            }
            doc += 1;
        }
        self.doc = doc.min(TERMINATED);
        self.doc
    }

    /// Whether the words, all of which stand at `doc`, are one behind the other there.
    fn has_phrase(&mut self, doc: DocId) -> bool {
        let Some((first, others)) = self.words.split_first_mut() else { return false };
        first.places.positions(&mut self.starts);
        if let Some(before) = &self.before {
            let end = before.get_val(doc);
            self.starts.retain(|start| u64::from(*start) < end);
        }
        for word in others {
            if self.starts.is_empty() {
                return false;
            }
            word.places.positions(&mut self.places);
            let distance = word.offset - first.offset;
            let mut places = self.places.iter().copied().peekable();
            self.starts.retain(|start| {
                let wanted = start + distance;
                while places.next_if(|place| *place < wanted).is_some() {}
                places.peek() == Some(&wanted)
            });
        }
        !self.starts.is_empty()
    }
}

impl DocSet for Walk {
    fn advance(&mut self) -> DocId {
        self.settle(self.doc.saturating_add(1))
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if target <= self.doc { self.doc } else { self.settle(target) }
    }

    fn doc(&self) -> DocId {
        self.doc
    }

    fn size_hint(&self) -> u32 {
        self.words.iter().map(|word| word.places.len()).min().unwrap_or(0)
    }

    fn cost(&self) -> u64 {
        // Reading positions is some ten times as dear as reading documents.
        u64::from(self.size_hint()) * 10
    }
}
