//! How many: exact, and without reading documents where a posting list knows.

use std::{
    hash::{Hash, Hasher},
    num::NonZeroUsize,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use lru::LruCache;
use tantivy::DocId;

use super::{
    deadline::Deadline,
    plan::{Plan, each_block},
    search::{Search, SearchError},
    segment::Segment,
};
use crate::model::{
    filter::{Filter, Order},
    period,
    session::Scope,
};

/// So many counts are kept of each stretch: some ten kilobytes, of which there are a few dozen.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(127);

/// Counts of a stretch that were not to be had by the length of a list and the ranks in it alone, with the documents of the period in
/// which they were counted. A stretch never changes, so who asks again, with every page and every refresh, waits only for what has
/// come since and where the period ends.
pub(super) struct Counts(Mutex<LruCache<Arc<Question>, Counted>>);

struct Counted {
    within: Range<DocId>,
    count: u64,
}

/// What tells a search, whatever its period, from every other.
#[derive(PartialEq)]
pub(super) struct Question {
    filter: Filter,
    scope: Scope,
    hash: u64,
}

impl Question {
    pub(super) fn new(filter: &Filter, scope: &Scope) -> Self {
        let hash = filter.fingerprint(scope, Order::Desc);
        Self { filter: Filter { range: period::Range::ALL, ..filter.clone() }, scope: scope.clone(), hash }
    }
}

impl Eq for Question {}

impl Hash for Question {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(KEPT)))
    }
}

impl Counts {
    fn of(&self, question: &Question, within: &Range<DocId>) -> Option<u64> {
        self.lock().get(question).filter(|counted| counted.within == *within).map(|counted| counted.count)
    }

    fn keep(&self, question: Arc<Question>, within: Range<DocId>, count: u64) {
        self.lock().put(question, Counted { within, count });
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<Arc<Question>, Counted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Search {
    /// How many activities there are.
    pub fn count(&self, deadline: &Deadline) -> Result<u64, SearchError> {
        match self.count_within(deadline)? {
            (count, true) => Ok(count),
            (_, false) => Err(SearchError::TooSlow),
        }
    }

    /// How many activities there are, and whether that is all: else there are at least so many, counted until the time was
    /// over, the newest first.
    pub fn count_within(&self, deadline: &Deadline) -> Result<(u64, bool), SearchError> {
        self.watched(|| self.counted_within(deadline))
    }

    fn counted_within(&self, deadline: &Deadline) -> Result<(u64, bool), SearchError> {
        let stretches = &self.snapshot.stretches;
        let (mut counted, mut unknown) = (AtomicU64::new(0), Vec::new());
        for (index, stretch) in stretches.iter().enumerate() {
            let docs = self.docs(stretch);
            if docs.is_empty() {
                continue;
            }
            match stretch.counts.of(self.question(), &docs) {
                Some(count) => *counted.get_mut() += count,
                None => unknown.push(index),
            }
        }
        let all = self.of_each(&unknown, deadline, |index, segment, part| {
            let count = count(segment, &part.plan, &part.docs, deadline)?;
            counted.fetch_add(count, Ordering::Relaxed);
            if !part.plan.is_by_rank() {
                stretches[index].counts.keep(Arc::clone(self.question()), part.docs.clone(), count);
            }
            Ok(())
        });
        let exact = match all {
            Ok(_) => true,
            Err(SearchError::TooSlow) => false,
            Err(error) => return Err(error),
        };
        Ok((counted.into_inner(), exact))
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
