//! One page of what was found, in the order of (time, id): a walk that stops when it has enough.
//!
//! Segments overlap in time, because late and imported activities are indexed when they come: newest first they are walked side
//! by side, each opened once its turn has come; oldest first one behind the other. Within a segment documents stand newest
//! first, but those of the same time in no order that could be relied on; so what is found goes through a heap as large as the
//! page, and the walk goes on for as long as it meets the time of the last one in it.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, VecDeque, binary_heap::PeekMut},
};

use tantivy::{DocId, DocSet};

use super::{
    deadline::Deadline,
    docsets::{self, AnySet},
    plan::Plan,
    search::{Part, Search, SearchError},
    segment::Segment,
};
use crate::model::filter::{Cursor, Order};

/// How many documents the first step of a walk back through a segment looks at. Each further step takes four times
/// as many, so that a walk looks at no more than some five times what it needs.
const STEP: u32 = 1024;

/// Activities of the same time are in no order that could be relied on, so each page looks at all of them again. A walk
/// takes at least so large a part of them that it looks at each no more than about so many times; what it took ahead
/// needs one byte an activity of that time.
const PASSES: usize = 16;

impl Search {
    /// The first `limit` activities behind `after`, in `order`.
    pub fn page(
        &self,
        order: Order,
        after: Option<Cursor>,
        limit: usize,
        deadline: &Deadline,
    ) -> Result<Vec<Cursor>, SearchError> {
        self.look(order, after, limit, deadline).map(|(found, _)| found)
    }

    /// A page, and how many documents were looked at for it.
    fn look(
        &self,
        order: Order,
        after: Option<Cursor>,
        limit: usize,
        deadline: &Deadline,
    ) -> Result<(Vec<Cursor>, usize), SearchError> {
        self.watched(|| match order {
            _ if limit == 0 => Ok((Vec::new(), 0)),
            Order::Desc => self.newest(after, limit, deadline),
            Order::Asc => self.oldest(after, limit, deadline),
        })
    }

    /// Everything behind `after` in `order`, `chunk` activities at a time. However many there are, it needs no more
    /// memory than a page; all of them are of the same moment.
    pub fn walk(self, order: Order, after: Option<Cursor>, chunk: usize, deadline: Deadline) -> Walk {
        let chunk = chunk.max(1);
        let ahead = VecDeque::new();
        Walk { search: self, order, after, chunk, stride: chunk, ahead, deadline, done: false }
    }

    fn newest(
        &self,
        after: Option<Cursor>,
        limit: usize,
        deadline: &Deadline,
    ) -> Result<(Vec<Cursor>, usize), SearchError> {
        let mut best = Best::<Reverse<Cursor>>::new(limit);
        let mut closed = self.closed(after);
        let mut open = BinaryHeap::<Open<'_>>::with_capacity(closed.len());
        let mut looked = 0_usize;
        loop {
            // Whatever comes next is no newer than this, and may be in a stretch that is not open yet.
            let next = open.peek().map(|open| open.time);
            let newest = closed.last().map(|(newest, _)| *newest);
            let Some(time) = next.max(newest) else { break };
            if best.last().is_some_and(|Reverse(last)| time < last.time) {
                break;
            }
            if newest == Some(time)
                && let Some((_, index)) = closed.pop()
            {
                open.extend(self.open(index, after, deadline)?);
                continue;
            }
            let Some(mut first) = open.peek_mut() else { break };
            let cursor = first.segment.cursor(first.doc);
            if after.is_none_or(|after| cursor < after) {
                best.offer(Reverse(cursor));
            }
            if !first.advance() {
                PeekMut::pop(first);
            }
            looked += 1;
            if looked.is_multiple_of(4096) {
                deadline.check()?;
            }
        }
        Ok((best.sorted().map(|Reverse(cursor)| cursor).collect(), looked))
    }

    /// The stretches that may have something behind `after`, each with the time of its newest document there; the newest come
    /// last.
    fn closed(&self, after: Option<Cursor>) -> Vec<(i64, usize)> {
        let until = self.until(after);
        let mut closed: Vec<(i64, usize)> = Vec::with_capacity(self.snapshot.stretches.len());
        for (stretch, index) in self.snapshot.stretches.iter().zip(0..) {
            if stretch.newest < until {
                closed.push((stretch.newest, index));
            } else if stretch.oldest < until {
                let start = stretch.segment.first_before(until, stretch.docs.clone());
                closed.push((stretch.segment.time(start), index));
            }
        }
        closed.sort_unstable();
        closed
    }

    /// Everything that is searched behind `after`, newest first, is older than this.
    fn until(&self, after: Option<Cursor>) -> i64 {
        after.map_or(i64::MAX, |after| after.time.saturating_add(1)).min(self.period.end)
    }

    /// Opens the stretch at `index`; none if it has nothing behind `after`.
    fn open(
        &self,
        index: usize,
        after: Option<Cursor>,
        deadline: &Deadline,
    ) -> Result<Option<Open<'_>>, SearchError> {
        let (segment, part) = self.part(index, deadline)?;
        if matches!(part.plan, Plan::Nothing) {
            return Ok(None);
        }
        let mut docs = part.docs.clone();
        if after.is_some() {
            docs.start = segment.first_before(self.until(after), docs.clone());
        }
        let mut set = part.plan.open(segment)?;
        let doc = docsets::seek(set.as_mut(), docs.start);
        Ok((doc < docs.end).then(|| Open { time: segment.time(doc), doc, end: docs.end, set, segment }))
    }

    fn oldest(
        &self,
        after: Option<Cursor>,
        limit: usize,
        deadline: &Deadline,
    ) -> Result<(Vec<Cursor>, usize), SearchError> {
        let mut best = Best::<Cursor>::new(limit);
        let mut looked = 0;
        let stretches = &self.snapshot.stretches;
        let mut order: Vec<usize> = (0..stretches.len()).collect();
        order.sort_by_key(|index| stretches[*index].oldest);
        for index in order {
            if best.last().is_some_and(|last| stretches[index].oldest > last.time) {
                break;
            }
            let (segment, part) = self.part(index, deadline)?;
            looked += oldest_in(segment, part, after, &mut best, deadline)?;
        }
        Ok((best.sorted().collect(), looked))
    }
}

/// A stretch that is being walked, as it stands at a document that was found.
struct Open<'a> {
    time: i64,
    doc: DocId,
    /// The first document behind the period.
    end: DocId,
    set: AnySet,
    segment: &'a Segment,
}

impl Open<'_> {
    /// Moves on to the next document, if there is one.
    fn advance(&mut self) -> bool {
        self.doc = self.set.advance();
        if self.doc >= self.end {
            return false;
        }
        self.time = self.segment.time(self.doc);
        true
    }
}

/// The newest is the greatest.
impl Ord for Open<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.time.cmp(&other.time)
    }
}

impl PartialOrd for Open<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Open<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.time == other.time
    }
}

impl Eq for Open<'_> {}

/// Walks back through a segment, step by step, because posting lists can only be read forward; says how many documents it
/// looked at.
fn oldest_in(
    segment: &Segment,
    part: &Part,
    after: Option<Cursor>,
    best: &mut Best<Cursor>,
    deadline: &Deadline,
) -> Result<usize, SearchError> {
    let mut looked = 0;
    let mut docs = part.docs.clone();
    if let Some(after) = after {
        docs.end = segment.first_before(after.time, docs.clone());
    }
    let mut step = STEP;
    while !docs.is_empty() {
        let start = docs.end.saturating_sub(step).max(docs.start);
        let mut set = part.plan.open(segment)?;
        let mut doc = docsets::seek(set.as_mut(), start);
        while doc < docs.end {
            let cursor = segment.cursor(doc);
            if after.is_none_or(|after| cursor > after) {
                best.offer(cursor);
            }
            doc = set.advance();
            looked += 1;
        }
        deadline.check()?;
        if start > docs.start && best.last().is_some_and(|last| segment.time(start - 1) > last.time) {
            break;
        }
        docs.end = start;
        step = step.saturating_mul(4);
    }
    Ok(looked)
}

/// The least of what was offered, as many as fit.
struct Best<T> {
    heap: BinaryHeap<T>,
    limit: usize,
}

impl<T: Ord> Best<T> {
    fn new(limit: usize) -> Self {
        Self { heap: BinaryHeap::new(), limit }
    }

    /// The greatest of them, once there are as many as fit: only what is less matters any more.
    fn last(&self) -> Option<&T> {
        self.heap.peek().filter(|_| self.heap.len() == self.limit)
    }

    fn offer(&mut self, item: T) {
        if self.heap.len() < self.limit {
            self.heap.push(item);
        } else if let Some(mut last) = self.heap.peek_mut()
            && item < *last
        {
            *last = item;
        }
    }

    fn sorted(self) -> impl Iterator<Item = T> {
        self.heap.into_sorted_vec().into_iter()
    }
}

/// A walk over everything a search finds, a chunk at a time. It ends after a chunk that failed.
pub struct Walk {
    search: Search,
    order: Order,
    after: Option<Cursor>,
    chunk: usize,
    /// How many are looked for at once: more than a chunk where many have the same time.
    pub(super) stride: usize,
    /// What was found beyond the last chunk.
    ahead: VecDeque<Cursor>,
    deadline: Deadline,
    done: bool,
}

impl Walk {
    fn look(&mut self) -> Result<(), SearchError> {
        let (found, looked) = self.search.look(self.order, self.after, self.stride, &self.deadline)?;
        self.done = found.len() < self.stride;
        self.after = found.last().copied().or(self.after);
        self.ahead = found.into();
        self.stride = self.chunk.max(looked / PASSES);
        Ok(())
    }
}

impl Iterator for Walk {
    type Item = Result<Vec<Cursor>, SearchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ahead.is_empty()
            && !self.done
            && let Err(error) = self.look()
        {
            self.done = true;
            return Some(Err(error));
        }
        let chunk: Vec<Cursor> = self.ahead.drain(..self.chunk.min(self.ahead.len())).collect();
        (!chunk.is_empty()).then_some(Ok(chunk))
    }
}
