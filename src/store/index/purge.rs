//! Giving room back: documents that lie behind the horizon leave the files.
//!
//! Searches do not need this. They read a segment with all documents it was written with, as if none had been deleted, and
//! leave out what the horizon hides. So Tantivy's deletions are nothing but a note for the next merge on what not to
//! write again; it makes no difference whether a search meets them, nor at what point a kill ends the work.

use std::{collections::HashMap, fmt, sync::Arc};

use tantivy::{
    DocId, IndexWriter, Score, SegmentReader, TantivyError,
    index::SegmentId,
    query::{ConstScorer, EnableScoring, Explanation, Query, Scorer, Weight},
};

use super::{
    bits::{Bits, BitsWalk, Marks},
    deadline::Deadline,
    document::Document,
    search::SearchError,
    segment::Snapshot,
};

/// Once a quarter of a segment is gone it is written again: at most a third of what is left is kept too long, and
/// under a steady retention a document is written again some four times less often than it would be for each day.
const WORTHWHILE: u32 = 4;

/// What is to be removed.
#[derive(Default)]
pub(super) struct Purge {
    /// The documents of segments of which something is left, which have to be written again.
    rewritten: Vec<SegmentId>,
    /// All documents that go, segment by segment.
    doomed: HashMap<SegmentId, Arc<Bits>>,
}

impl Purge {
    /// Every segment that is wholly gone, and the first of those of which enough is: so that following goes on between
    /// one and the next.
    pub(super) fn of(snapshot: &Snapshot) -> Result<Self, SearchError> {
        let mut purge = Self::default();
        for segment in &snapshot.segments {
            let mut seen = 0;
            let mut left = 0;
            for stretch in snapshot.stretches.iter().filter(|stretch| Arc::ptr_eq(&stretch.segment, segment))
            {
                let gone = stretch.gone(&snapshot.fields, &Deadline::never())?.map_or(0, |gone| gone.len());
                let docs = stretch.docs.end - stretch.docs.start;
                left += docs - gone;
                seen = seen.max(stretch.docs.end);
            }
            let gone = segment.len - left;
            let all = gone == segment.len;
            if !all && (!purge.rewritten.is_empty() || gone < segment.len.div_ceil(WORTHWHILE)) {
                continue;
            }
            let mut doomed = Marks::none(0..segment.len);
            doomed.add_range(seen..segment.len);
            for stretch in snapshot.stretches.iter().filter(|stretch| Arc::ptr_eq(&stretch.segment, segment))
            {
                if let Some(gone) = stretch.gone(&snapshot.fields, &Deadline::never())? {
                    doomed.add_bits(gone);
                }
            }
            if !all {
                purge.rewritten.push(segment.id());
            }
            purge.doomed.insert(segment.id(), Arc::new(doomed.done()));
        }
        Ok(purge)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.doomed.is_empty()
    }

    /// The segments that have to be merged, each with nothing but itself, once the deletions are committed.
    pub(super) fn rewritten(&self) -> &[SegmentId] {
        &self.rewritten
    }

    /// Tells `writer` what is deleted, from its next commit on. That commit drops segments that have nothing left.
    pub(super) fn delete(&self, writer: &IndexWriter<Document>) -> Result<(), TantivyError> {
        writer.delete_query(Box::new(Doomed(Arc::new(self.doomed.clone())))).map(drop)
    }
}

/// Documents of some segments, by their numbers. In any other segment it finds nothing, even if that was made of one
/// of these meanwhile.
#[derive(Clone)]
struct Doomed(Arc<HashMap<SegmentId, Arc<Bits>>>);

impl Query for Doomed {
    fn weight(&self, _: EnableScoring<'_>) -> Result<Box<dyn Weight>, TantivyError> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for Doomed {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> Result<Box<dyn Scorer>, TantivyError> {
        let bits =
            self.0.get(&reader.segment_id()).map_or_else(|| Arc::new(Marks::none(0..0).done()), Arc::clone);
        Ok(Box::new(ConstScorer::new(BitsWalk::new(bits), boost)))
    }

    fn explain(&self, _: &SegmentReader, _: DocId) -> Result<Explanation, TantivyError> {
        Ok(Explanation::new("behind the horizon", 1.0))
    }
}

impl fmt::Debug for Doomed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Doomed")
    }
}
