//! How many and how many failures, over time: exact.

use tantivy::{DocId, DocSet};

use super::{
    deadline::Deadline,
    docsets,
    plan::{Plan, each_block},
    schema::NUL,
    search::{Part, Search, SearchError},
    segment::Segment,
    terms::Posting,
};
use crate::model::activity::Outcome;

/// What happened in one stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// How many activities.
    pub total: u64,
    /// How many of them failed.
    pub failures: u64,
}

impl Search {
    /// The activities between each two neighbours of `edges`, which ascend and are milliseconds since 1970; the later edge
    /// does not belong to its bucket. There is a bucket less than there are edges.
    pub fn histogram(&self, edges: &[i64], deadline: &Deadline) -> Result<Vec<Bucket>, SearchError> {
        let mut buckets = vec![Bucket::default(); edges.len().saturating_sub(1)];
        let outcome = self.snapshot.fields.outcome;
        for part in self.parts(deadline) {
            let (segment, part) = part?;
            let failure = format!("{}{NUL}", Outcome::Failure);
            let failures = Posting::exact(&segment.inverted(outcome)?, failure.as_bytes())?;
            let ends = ends(segment, part, edges);
            match &part.plan {
                Plan::Everything => by_rank(None, failures.as_ref(), &ends, &mut buckets)?,
                Plan::One(posting) => {
                    by_rank(Some(posting), None, &ends, &mut buckets)?;
                    if let Some(failures) = failures {
                        let sets: Vec<docsets::AnySet> =
                            vec![Box::new(posting.open()?), Box::new(failures.open()?)];
                        let mut both = docsets::Both::of(sets);
                        one_by_one(both.as_mut(), &ends, deadline, |bucket, count| {
                            buckets[bucket].failures += count;
                        })?;
                    }
                }
                plan => {
                    let mut failures = failures.map(|failures| failures.open()).transpose()?;
                    let mut set = plan.open(segment)?;
                    let mut now = 0;
                    let docs = ends[0]..ends[ends.len() - 1];
                    each_block(set.as_mut(), &docs, deadline, |docs| {
                        for &doc in docs {
                            while ends[now + 1] <= doc {
                                now += 1;
                            }
                            let bucket = &mut buckets[ends.len() - 2 - now];
                            bucket.total += 1;
                            if let Some(failures) = &mut failures {
                                bucket.failures += u64::from(docsets::seek(failures, doc) == doc);
                            }
                        }
                    })?;
                }
            }
        }
        Ok(buckets)
    }
}

/// Where the buckets end in a segment, newest first: bucket `n` from the newest takes the documents from `ends[n]` on and
/// before `ends[n + 1]`, as far as they are in the period. At least one end.
fn ends(segment: &Segment, part: &Part, edges: &[i64]) -> Vec<DocId> {
    let mut ends = Vec::with_capacity(edges.len().max(1));
    let mut start = part.docs.start;
    for edge in edges.iter().rev() {
        start = segment.first_before(*edge, start..part.docs.end);
        ends.push(start);
    }
    if ends.is_empty() {
        ends.push(start);
    }
    ends
}

/// Counts documents, all of them or those of a list, by their ranks alone.
fn by_rank(
    total: Option<&Posting>,
    failures: Option<&Posting>,
    ends: &[DocId],
    buckets: &mut [Bucket],
) -> Result<(), SearchError> {
    let mut totals = total.map(Posting::blocks).transpose()?;
    let mut failed = failures.map(Posting::blocks).transpose()?;
    let mut before: Option<(u32, u32)> = None;
    for (index, end) in ends.iter().enumerate() {
        let now = (
            totals.as_mut().map_or(*end, |blocks| blocks.rank(*end)),
            failed.as_mut().map_or(0, |blocks| blocks.rank(*end)),
        );
        if let Some(before) = before {
            let bucket = &mut buckets[ends.len() - 1 - index];
            bucket.total += u64::from(now.0 - before.0);
            bucket.failures += u64::from(now.1 - before.1);
        }
        before = Some(now);
    }
    Ok(())
}

/// Counts the documents of a set, bucket by bucket.
fn one_by_one(
    set: &mut dyn DocSet,
    ends: &[DocId],
    deadline: &Deadline,
    mut count: impl FnMut(usize, u64),
) -> Result<(), SearchError> {
    let mut now = 0;
    let docs = ends[0]..ends[ends.len() - 1];
    each_block(set, &docs, deadline, |docs| {
        for &doc in docs {
            while ends[now + 1] <= doc {
                now += 1;
            }
            count(ends.len() - 2 - now, 1);
        }
    })
}
