//! How many: exact, and without reading documents where a posting list knows.

use std::ops::Range;

use tantivy::DocId;

use super::{
    deadline::Deadline,
    plan::{Plan, each_block},
    search::{Search, SearchError},
    segment::Segment,
};

impl Search {
    /// How many activities there are.
    pub fn count(&self, deadline: &Deadline) -> Result<u64, SearchError> {
        let counts =
            self.of_each(deadline, |segment, part| count(segment, &part.plan, &part.docs, deadline))?;
        Ok(counts.into_iter().sum())
    }
}

fn count(
    segment: &Segment,
    plan: &Plan,
    docs: &Range<DocId>,
    deadline: &Deadline,
) -> Result<u64, SearchError> {
    match plan {
        Plan::Nothing => Ok(0),
        Plan::Everything => Ok(u64::from(docs.end - docs.start)),
        Plan::One(posting) if *docs == (0..segment.len) => Ok(u64::from(posting.len())),
        Plan::One(posting) => {
            let mut blocks = posting.blocks()?;
            let before = blocks.rank(docs.start);
            Ok(u64::from(blocks.rank(docs.end) - before))
        }
        Plan::Not(inner) => {
            let all = u64::from(docs.end - docs.start);
            Ok(all - count(segment, inner, docs, deadline)?)
        }
        plan if plan.is_rare(segment) => {
            let mut total = 0;
            each_block(plan.open(segment)?.as_mut(), docs, deadline, |docs| total += docs.len() as u64)?;
            Ok(total)
        }
        plan => Ok(u64::from(plan.marks(segment, docs, deadline)?.len())),
    }
}
