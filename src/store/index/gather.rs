//! Everything a plan names, at once: what takes part in an answer as a whole is put together as bits, a word of 64
//! documents at a time, instead of being walked.

use std::ops::Range;

use tantivy::{DocId, postings::BlockSegmentPostings};

use super::{
    bits::{Bits, Marks},
    deadline::Deadline,
    plan::{Plan, each_block},
    search::SearchError,
    segment::Segment,
    terms::Posting,
};

/// What names at most one of so many documents is walked: leaping is cheaper then than looking at all bits.
const RARE: u32 = 128;

impl Plan {
    /// The documents within `docs`.
    pub(super) fn gather(
        &self,
        segment: &Segment,
        docs: &Range<DocId>,
        deadline: &Deadline,
    ) -> Result<Bits, SearchError> {
        Ok(self.marks(segment, docs, deadline)?.done())
    }

    /// At most how many documents of the segment there are.
    fn at_most(&self, segment: &Segment) -> u32 {
        match self {
            Self::Nothing => 0,
            Self::Everything | Self::Not(_) => segment.len,
            Self::One(posting) => posting.len(),
            Self::Few(postings) => postings.iter().fold(0, |sum, list| sum.saturating_add(list.len())),
            Self::Bits(bits) => bits.len(),
            Self::Phrase(phrase) => phrase.at_most(),
            Self::All(plans) => plans.iter().map(|plan| plan.at_most(segment)).min().unwrap_or(0),
            Self::Any(plans) => plans.iter().fold(0, |sum, plan| sum.saturating_add(plan.at_most(segment))),
        }
    }

    /// Whether the length of a list, or the ranks in it, are what it counts.
    pub(super) fn is_by_rank(&self) -> bool {
        match self {
            Self::Not(inner) => inner.is_by_rank(),
            Self::Nothing | Self::Everything | Self::One(_) => true,
            _ => false,
        }
    }

    /// Whether lists alone, or few documents, answer what it counts.
    pub(super) fn is_known(&self, segment: &Segment) -> bool {
        match self {
            Self::Not(inner) => inner.is_known(segment),
            plan => plan.is_by_rank() || plan.is_rare(segment),
        }
    }

    /// Whether it is better walked than gathered.
    pub(super) fn is_rare(&self, segment: &Segment) -> bool {
        self.at_most(segment) < segment.len / RARE
    }

    /// The documents within `docs`, to go on with.
    pub(super) fn marks(
        &self,
        segment: &Segment,
        docs: &Range<DocId>,
        deadline: &Deadline,
    ) -> Result<Marks, SearchError> {
        let mut marks = Marks::none(docs.clone());
        self.add_to(&mut marks, segment, docs, deadline)?;
        Ok(marks)
    }

    fn add_to(
        &self,
        marks: &mut Marks,
        segment: &Segment,
        docs: &Range<DocId>,
        deadline: &Deadline,
    ) -> Result<(), SearchError> {
        deadline.check()?;
        match self {
            Self::Nothing => {}
            Self::Everything => marks.add_range(docs.clone()),
            Self::One(posting) => posting.add_to(marks, docs)?,
            Self::Few(postings) => {
                for posting in postings {
                    posting.add_to(marks, docs)?;
                }
            }
            Self::Bits(bits) => marks.add_bits(bits),
            Self::Any(plans) => {
                for plan in plans {
                    plan.add_to(marks, segment, docs, deadline)?;
                }
            }
            Self::Not(inner) => {
                let mut others = inner.marks(segment, docs, deadline)?;
                others.flip();
                marks.add_all(&others);
            }
            Self::All(plans) if !self.is_rare(segment) => {
                marks.add_all(&all(plans, segment, docs, deadline)?);
            }
            Self::All(_) | Self::Phrase(_) => {
                each_block(self.open(segment)?.as_mut(), docs, deadline, |block| marks.add_block(block))?;
            }
        }
        Ok(())
    }
}

/// What is in every one of `plans`.
fn all(
    plans: &[Plan],
    segment: &Segment,
    docs: &Range<DocId>,
    deadline: &Deadline,
) -> Result<Marks, SearchError> {
    // Phrases come last: each has only to be looked for where all else is.
    let (phrases, others): (Vec<&Plan>, Vec<&Plan>) =
        plans.iter().partition(|plan| matches!(plan, Plan::Phrase(_)));
    let mut kept: Option<Marks> = None;
    for plan in others {
        let out = matches!(plan, Plan::Not(_));
        let inner = if let Plan::Not(inner) = plan { inner } else { plan };
        let found = inner.marks(segment, docs, deadline)?;
        let kept = kept.get_or_insert_with(|| Marks::all(docs.clone()));
        if out { kept.take_away(&found) } else { kept.keep(&found) }
    }
    for plan in phrases {
        let Plan::Phrase(phrase) = plan else { continue };
        kept = Some(match kept {
            Some(kept) => phrase.among(&kept.done(), docs, deadline)?,
            None => plan.marks(segment, docs, deadline)?,
        });
    }
    Ok(kept.unwrap_or_else(|| Marks::all(docs.clone())))
}

impl Posting {
    /// Adds the documents within `docs` to marks of that range.
    fn add_to(&self, marks: &mut Marks, docs: &Range<DocId>) -> Result<(), SearchError> {
        marks.add_list(&mut self.blocks()?, docs);
        Ok(())
    }
}

impl Marks {
    /// Adds the documents of a list within `docs`, which are the range of the marks.
    pub(super) fn add_list(&mut self, list: &mut BlockSegmentPostings, docs: &Range<DocId>) {
        if docs.is_empty() {
            return;
        }
        list.seek(docs.start);
        loop {
            let block = list.docs();
            self.add_block(block);
            if block.last().is_none_or(|last| *last >= docs.end) {
                return;
            }
            list.advance();
        }
    }
}
