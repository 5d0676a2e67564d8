//! One page of what was found, in the order of (time, id): a walk that stops when it has enough.
//!
//! Segments are visited by their newest (or oldest) time and may overlap, because late and imported activities are
//! indexed when they come. Within a segment documents stand newest first, but those of the same time in no order that
//! could be relied on; so what is found goes through a heap as large as the page, and the walk goes on for as long as
//! it meets the time of the last one in it.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

use tantivy::DocSet;

use super::{
    deadline::Deadline,
    docsets,
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
        match order {
            _ if limit == 0 => Ok((Vec::new(), 0)),
            Order::Desc => self.newest(after, limit, deadline),
            Order::Asc => self.oldest(after, limit, deadline),
        }
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
        let mut looked = 0_usize;
        for (index, stretch) in self.snapshot.stretches.iter().enumerate() {
            if best.last().is_some_and(|Reverse(last)| stretch.newest < last.time) {
                break;
            }
            let (segment, part) = self.part(index, deadline)?;
            let mut docs = part.docs.clone();
            if let Some(after) = after {
                docs.start = segment.first_before(after.time.saturating_add(1), docs.clone());
            }
            if docs.is_empty() {
                continue;
            }
            let mut set = part.plan.open(segment)?;
            let mut doc = docsets::seek(set.as_mut(), docs.start);
            while doc < docs.end {
                let cursor = segment.cursor(doc);
                if best.last().is_some_and(|Reverse(last)| cursor.time < last.time) {
                    break;
                }
                if after.is_none_or(|after| cursor < after) {
                    best.offer(Reverse(cursor));
                }
                doc = set.advance();
                looked += 1;
                if looked.is_multiple_of(4096) {
                    deadline.check()?;
                }
            }
        }
        Ok((best.sorted().map(|Reverse(cursor)| cursor).collect(), looked))
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
        if self.ahead.is_empty() && !self.done {
            if let Err(error) = self.look() {
                self.done = true;
                return Some(Err(error));
            }
        }
        let chunk: Vec<Cursor> = self.ahead.drain(..self.chunk.min(self.ahead.len())).collect();
        (!chunk.is_empty()).then_some(Ok(chunk))
    }
}
