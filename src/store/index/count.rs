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
        let mut total = 0;
        for part in self.parts(deadline) {
            let (segment, part) = part?;
            total += count(segment, &part.plan, &part.docs, deadline)?;
        }
        Ok(total)
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
        plan => {
            let mut total = 0;
            each_block(plan.open(segment)?.as_mut(), docs, deadline, |docs| total += docs.len() as u64)?;
            Ok(total)
        }
    }
}
