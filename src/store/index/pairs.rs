//! Two threads for what is counted as a whole.
//!
//! Segments are independent, so a count over many activities is shared by two threads. What a list answers by its
//! length or its ranks is over before a thread would have begun, and a page needs only the newest segments.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use super::{
    deadline::Deadline,
    plan::Plan,
    search::{Part, Search, SearchError},
    segment::Segment,
};

/// From so many documents on a second thread, which costs some 50 microseconds, is worth it.
const MANY: u32 = 300_000;

impl Search {
    /// What `count` says of each stretch that holds anything, in no order.
    pub(super) fn of_each<T: Send>(
        &self,
        deadline: &Deadline,
        count: impl Fn(&Segment, &Part) -> Result<T, SearchError> + Sync,
    ) -> Result<Vec<T>, SearchError> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut counts = Vec::new();
            while let Some(index) = self.following(&next) {
                let (segment, part) = self.part(index, deadline)?;
                if !matches!(part.plan, Plan::Nothing) {
                    counts.push(count(segment, part)?);
                }
            }
            Ok(counts)
        };
        if !self.is_much(deadline)? {
            return work();
        }
        thread::scope(|scope| {
            let other = thread::Builder::new().name("count".into()).spawn_scoped(scope, work);
            let mut counts = work()?;
            if let Ok(other) = other {
                // A panic goes on where the search was asked.
                counts.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
            }
            Ok(counts)
        })
    }

    fn following(&self, next: &AtomicUsize) -> Option<usize> {
        let index = next.fetch_add(1, Ordering::Relaxed);
        (index < self.snapshot.stretches.len()).then_some(index)
    }

    /// Whether so much has to be looked at that two threads are sooner done than one.
    fn is_much(&self, deadline: &Deadline) -> Result<bool, SearchError> {
        let mut documents = 0_u32;
        for (index, stretch) in self.snapshot.stretches.iter().enumerate() {
            let docs = self.docs(stretch);
            documents = documents.saturating_add(docs.end - docs.start);
            if documents >= MANY {
                let (segment, part) = self.part(index, deadline)?;
                return Ok(!part.plan.is_known(segment));
            }
        }
        Ok(false)
    }
}
