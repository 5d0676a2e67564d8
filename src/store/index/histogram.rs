//! How many and how many failures, over time: exact.

use std::ops::Range;

use tantivy::DocId;

use super::{
    bits::Marks,
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
        let count = |segment: &Segment, part: &Part| {
            let failure = format!("{}{NUL}", Outcome::Failure);
            let failures = Posting::exact(segment.inverted(outcome)?, failure.as_bytes())?;
            Count { segment, part, failures, ends: ends(segment, part, edges), deadline }.buckets()
        };
        let parts = self.watched(|| self.of_all(deadline, count))?;
        for part in parts {
            for (bucket, found) in buckets.iter_mut().zip(part.iter().rev()) {
                bucket.total += found.total;
                bucket.failures += found.failures;
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

/// The buckets of one stretch, newest first.
struct Count<'a> {
    segment: &'a Segment,
    part: &'a Part,
    failures: Option<Posting>,
    ends: Vec<DocId>,
    deadline: &'a Deadline,
}

impl Count<'_> {
    fn buckets(&self) -> Result<Vec<Bucket>, SearchError> {
        let mut buckets = vec![Bucket::default(); self.ends.len() - 1];
        match &self.part.plan {
            Plan::Everything => {
                for (bucket, docs) in buckets.iter_mut().zip(self.stretches()) {
                    bucket.total = u64::from(docs.end - docs.start);
                }
                if let Some(failures) = &self.failures {
                    self.by_rank(failures, &mut buckets, |bucket| &mut bucket.failures)?;
                }
            }
            plan if plan.is_rare(self.segment) => self.one_by_one(plan, &mut buckets)?,
            Plan::One(posting) => {
                self.by_rank(posting, &mut buckets, |bucket| &mut bucket.total)?;
                let marks = self.part.plan.marks(self.segment, &self.docs(), self.deadline)?;
                self.failures_of(marks, &mut buckets)?;
            }
            plan => {
                let marks = plan.marks(self.segment, &self.docs(), self.deadline)?;
                for (bucket, docs) in buckets.iter_mut().zip(self.stretches()) {
                    bucket.total = u64::from(marks.len_in(&docs));
                }
                self.failures_of(marks, &mut buckets)?;
            }
        }
        Ok(buckets)
    }

    /// The documents of each bucket.
    fn stretches(&self) -> impl Iterator<Item = Range<DocId>> {
        self.ends.windows(2).map(|ends| ends[0]..ends[1])
    }

    /// The documents of all buckets.
    fn docs(&self) -> Range<DocId> {
        self.ends[0]..self.ends[self.ends.len() - 1]
    }

    /// Counts those of a list by their ranks alone.
    fn by_rank(
        &self,
        list: &Posting,
        buckets: &mut [Bucket],
        count: impl Fn(&mut Bucket) -> &mut u64,
    ) -> Result<(), SearchError> {
        let mut blocks = list.blocks()?;
        let mut before = blocks.rank(self.ends[0]);
        for (bucket, end) in buckets.iter_mut().zip(&self.ends[1..]) {
            let rank = blocks.rank(*end);
            *count(bucket) = u64::from(rank - before);
            before = rank;
        }
        Ok(())
    }

    /// Counts those of `marks` that failed.
    fn failures_of(&self, mut marks: Marks, buckets: &mut [Bucket]) -> Result<(), SearchError> {
        let Some(failures) = &self.failures else { return Ok(()) };
        let docs = self.docs();
        marks.keep(&Plan::One(failures.clone()).marks(self.segment, &docs, self.deadline)?);
        for (bucket, docs) in buckets.iter_mut().zip(self.stretches()) {
            bucket.failures = u64::from(marks.len_in(&docs));
        }
        Ok(())
    }

    /// Counts a few.
    fn one_by_one(&self, plan: &Plan, buckets: &mut [Bucket]) -> Result<(), SearchError> {
        let mut failures = self.failures.as_ref().map(Posting::open).transpose()?;
        let mut now = 0;
        each_block(plan.open(self.segment)?.as_mut(), &self.docs(), self.deadline, |docs| {
            for &doc in docs {
                while self.ends[now + 1] <= doc {
                    now += 1;
                }
                buckets[now].total += 1;
                if let Some(failures) = &mut failures {
                    buckets[now].failures += u64::from(docsets::seek(failures, doc) == doc);
                }
            }
        })
    }
}
