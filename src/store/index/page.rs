//! One page of what was found, in the order of (time, id): a walk that stops when it has enough.
//!
//! Segments are visited by their newest (or oldest) time and may overlap, because late and imported activities are
//! indexed when they come. Within a segment documents stand newest first, but those of the same time in no order that
//! could be relied on; so what is found goes through a heap as large as the page, and the walk goes on for as long as
//! it meets the time of the last one in it.

use std::{cmp::Reverse, collections::BinaryHeap};

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

impl Search {
    /// The first `limit` activities behind `after`, in `order`.
    pub fn page(
        &self,
        order: Order,
        after: Option<Cursor>,
        limit: usize,
        deadline: &Deadline,
    ) -> Result<Vec<Cursor>, SearchError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        match order {
            Order::Desc => self.newest(after, limit, deadline),
            Order::Asc => self.oldest(after, limit, deadline),
        }
    }

    /// Everything behind `after` in `order`, `chunk` activities at a time. However many there are, it needs no more
    /// memory than a page; all of them are of the same moment.
    pub fn walk(self, order: Order, after: Option<Cursor>, chunk: usize, deadline: Deadline) -> Walk {
        Walk { search: self, order, after, chunk: chunk.max(1), deadline, done: false }
    }

    fn newest(
        &self,
        after: Option<Cursor>,
        limit: usize,
        deadline: &Deadline,
    ) -> Result<Vec<Cursor>, SearchError> {
        let mut best = Best::<Reverse<Cursor>>::new(limit);
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
            let mut seen = 0_u32;
            while doc < docs.end {
                let cursor = segment.cursor(doc);
                if best.last().is_some_and(|Reverse(last)| cursor.time < last.time) {
                    break;
                }
                if after.is_none_or(|after| cursor < after) {
                    best.offer(Reverse(cursor));
                }
                doc = set.advance();
                seen += 1;
                if seen.is_multiple_of(4096) {
                    deadline.check()?;
                }
            }
        }
        Ok(best.sorted().map(|Reverse(cursor)| cursor).collect())
    }

    fn oldest(
        &self,
        after: Option<Cursor>,
        limit: usize,
        deadline: &Deadline,
    ) -> Result<Vec<Cursor>, SearchError> {
        let mut best = Best::<Cursor>::new(limit);
        let stretches = &self.snapshot.stretches;
        let mut order: Vec<usize> = (0..stretches.len()).collect();
        order.sort_by_key(|index| stretches[*index].oldest);
        for index in order {
            if best.last().is_some_and(|last| stretches[index].oldest > last.time) {
                break;
            }
            let (segment, part) = self.part(index, deadline)?;
            oldest_in(segment, part, after, &mut best, deadline)?;
        }
        Ok(best.sorted().collect())
    }
}

/// Walks back through a segment, step by step, because posting lists can only be read forward.
fn oldest_in(
    segment: &Segment,
    part: &Part,
    after: Option<Cursor>,
    best: &mut Best<Cursor>,
    deadline: &Deadline,
) -> Result<(), SearchError> {
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
        }
        deadline.check()?;
        if start > docs.start && best.last().is_some_and(|last| segment.time(start - 1) > last.time) {
            break;
        }
        docs.end = start;
        step = step.saturating_mul(4);
    }
    Ok(())
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
    deadline: Deadline,
    done: bool,
}

impl Iterator for Walk {
    type Item = Result<Vec<Cursor>, SearchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let page = self.search.page(self.order, self.after, self.chunk, &self.deadline);
        self.done = page.as_ref().map_or(true, |page| page.len() < self.chunk);
        if let Ok(page) = &page {
            self.after = page.last().copied().or(self.after);
        }
        match page {
            Ok(page) if page.is_empty() => None,
            page => Some(page),
        }
    }
}
