//! A search: a filter within a scope, on the index of one moment.

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

use tantivy::{DocId, TantivyError};

use super::{
    compile::Compiler,
    count::Question,
    deadline::Deadline,
    doubt::Doubt,
    plan::Plan,
    segment::{Segment, Snapshot},
    stretch::Stretch,
};
use crate::{
    model::{filter::Filter, horizon::Horizon, id::ActivityId, session::Scope},
    store::map,
};

/// The index of one moment. It costs little to make, and keeps the files it reads.
#[derive(Clone)]
pub struct Searcher {
    pub(super) snapshot: Arc<Snapshot>,
    doubt: Arc<Doubt>,
}

/// One search. Everything it is asked is answered from the same moment, and what it means in a segment is worked out once.
pub struct Search {
    pub(super) snapshot: Arc<Snapshot>,
    filter: Filter,
    scope: Scope,
    question: OnceLock<Arc<Question>>,
    /// One for each stretch, in the snapshot's order.
    parts: Vec<OnceLock<Part>>,
    doubt: Arc<Doubt>,
    /// The period: from the first instant in it, before the second, in milliseconds since 1970.
    pub(super) period: Range<i64>,
}

/// What a search means in one stretch of a segment.
pub(super) struct Part {
    /// The documents of the period.
    pub(super) docs: Range<DocId>,
    pub(super) plan: Plan,
}

/// Why a search has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// Its time is over, or nobody waits for it.
    #[error("the search took too long; narrow it by a period or another word")]
    TooSlow,
    /// The index cannot be read.
    #[error(
        "the search index cannot be read; its files are verified now, and it is made anew where they are damaged"
    )]
    Index(#[from] TantivyError),
    /// The index cannot be made sense of.
    #[error(
        "the search index cannot be made sense of; its files are verified now, and it is made anew where they are damaged"
    )]
    Nonsense,
}

impl From<std::io::Error> for SearchError {
    fn from(error: std::io::Error) -> Self {
        Self::Index(error.into())
    }
}

impl Searcher {
    pub(super) fn new(snapshot: Arc<Snapshot>, doubt: Arc<Doubt>) -> Self {
        Self { snapshot, doubt }
    }

    /// The same index as it is seen before another horizon.
    #[must_use]
    pub fn before(&self, horizon: &Horizon) -> Self {
        let before = self.snapshot.before(&Arc::new(horizon.clone()));
        Self::new(Arc::new(before), Arc::clone(&self.doubt))
    }

    /// This activity and all before it can be found.
    pub fn indexed(&self) -> ActivityId {
        self.snapshot.indexed
    }

    /// How many activities are in the index, those among them that retention hides and that are still to be taken out.
    pub fn activities_there(&self) -> u64 {
        self.snapshot.segments.iter().map(|segment| u64::from(segment.len)).sum()
    }

    /// A search for what `filter` is after, of what may be seen in `scope`.
    pub fn search(&self, filter: &Filter, scope: &Scope) -> Search {
        // An activity's time is a whole number of milliseconds; the ends of a period need not be.
        let whole = |at: jiff::Timestamp| {
            let floor = at.as_nanosecond().div_euclid(1_000_000);
            let exact = floor * 1_000_000 == at.as_nanosecond();
            i64::try_from(if exact { floor } else { floor + 1 }).unwrap_or(i64::MAX)
        };
        Search {
            snapshot: Arc::clone(&self.snapshot),
            filter: filter.clone(),
            scope: scope.clone(),
            question: OnceLock::new(),
            doubt: Arc::clone(&self.doubt),
            parts: self.snapshot.stretches.iter().map(|_| OnceLock::new()).collect(),
            period: whole(filter.range.from)..whole(filter.range.to),
        }
    }
}

impl Search {
    /// Does some of the search: in doubt where it fails on what it read, and without leaving much of that in memory.
    pub(super) fn watched<T>(
        &self,
        search: impl FnOnce() -> Result<T, SearchError>,
    ) -> Result<T, SearchError> {
        let found = self.doubt.watch(search);
        map::tend_now_and_then();
        found
    }

    /// What the search means in the stretch at `index`.
    pub(super) fn part(&self, index: usize, deadline: &Deadline) -> Result<(&Segment, &Part), SearchError> {
        let stretch = self.snapshot.stretches[index].as_ref();
        let segment = stretch.segment.as_ref();
        if let Some(part) = self.parts[index].get() {
            return Ok((segment, part));
        }
        deadline.check()?;
        let docs = self.docs(stretch);
        let plan = if docs.is_empty() {
            Plan::Nothing
        } else {
            let fields = &self.snapshot.fields;
            let compiler = Compiler::new(segment, fields, docs.clone(), deadline);
            compiler.filter(&self.filter, &self.scope, stretch.left_out(fields, deadline)?)?
        };
        Ok((segment, self.parts[index].get_or_init(|| Part { docs, plan })))
    }

    /// What is looked for and by whom, in any period.
    pub(super) fn question(&self) -> &Arc<Question> {
        self.question.get_or_init(|| Arc::new(Question::new(&self.filter, &self.scope)))
    }

    /// The documents of a stretch that are of the period.
    pub(super) fn docs(&self, stretch: &Stretch) -> Range<DocId> {
        stretch.docs(self.period.start, self.period.end)
    }
}
