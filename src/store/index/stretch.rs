//! Stretches: what is left of a segment before the horizon.
//!
//! Retention takes old activities out of the log, and from that moment on the index shows none of them, long before
//! their documents are removed. A segment falls into at most two stretches: the documents that are newer than every
//! moment of the horizon, which pay nothing, and those of which some may be gone. What is older than every moment is in no
//! stretch at all; so a horizon without classes costs nothing but a bound.

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

use tantivy::DocId;

use super::{
    bits::{Bits, Marks},
    compile::Compiler,
    count::Counts,
    deadline::Deadline,
    plan::Plan,
    schema::Fields,
    search::SearchError,
    segment::Segment,
};
use crate::model::horizon::{Class, Horizon};

/// Documents of a segment, one behind the other; at least one.
pub(super) struct Stretch {
    pub(super) segment: Arc<Segment>,
    pub(super) docs: Range<DocId>,
    /// The time of its first document.
    pub(super) newest: i64,
    /// The time of its last one.
    pub(super) oldest: i64,
    pub(super) counts: Counts,
    /// What some of the documents may be gone by; worked out when it is first asked.
    gone: Option<Gone>,
}

struct Gone {
    horizon: Arc<Horizon>,
    bits: OnceLock<Arc<Bits>>,
}

impl Stretch {
    /// The stretches of `segment`, newer first.
    pub(super) fn of(segment: &Arc<Segment>, horizon: &Arc<Horizon>) -> impl Iterator<Item = Self> {
        let clear = segment.docs(horizon.latest(), i64::MAX);
        let mixed = clear.end..segment.docs(horizon.earliest(), i64::MAX).end;
        [(clear, false), (mixed, true)].into_iter().filter(|(docs, _)| !docs.is_empty()).map(
            |(docs, some_gone)| Self {
                newest: segment.time(docs.start),
                oldest: segment.time(docs.end - 1),
                segment: Arc::clone(segment),
                docs,
                counts: Counts::default(),
                gone: some_gone.then(|| Gone { horizon: Arc::clone(horizon), bits: OnceLock::new() }),
            },
        )
    }

    /// The documents from `from` on and before `to`.
    pub(super) fn docs(&self, from: i64, to: i64) -> Range<DocId> {
        let docs = self.segment.docs(from, to);
        let start = docs.start.clamp(self.docs.start, self.docs.end);
        start..docs.end.clamp(start, self.docs.end)
    }

    /// What a search has to leave out: those of its documents that are gone.
    pub(super) fn left_out(&self, fields: &Fields, deadline: &Deadline) -> Result<Plan, SearchError> {
        Ok(match self.gone(fields, deadline)? {
            Some(bits) if bits.len() == self.docs.end - self.docs.start => Plan::Everything,
            Some(bits) if bits.len() > 0 => Plan::Bits(Arc::clone(bits)),
            _ => Plan::Nothing,
        })
    }

    /// Those of its documents that are gone; none where nothing can be.
    pub(super) fn gone(
        &self,
        fields: &Fields,
        deadline: &Deadline,
    ) -> Result<Option<&Arc<Bits>>, SearchError> {
        let Some(gone) = &self.gone else { return Ok(None) };
        if let Some(bits) = gone.bits.get() {
            return Ok(Some(bits));
        }
        let bits = self.work_out(&gone.horizon, fields, deadline)?;
        Ok(Some(gone.bits.get_or_init(|| Arc::new(bits))))
    }

    fn work_out(&self, horizon: &Horizon, fields: &Fields, deadline: &Deadline) -> Result<Bits, SearchError> {
        let mut gone = self.by_rules(horizon, fields, deadline)?;
        for earlier in &horizon.earlier {
            gone.add_all(&self.by_rules(earlier, fields, deadline)?);
        }
        Ok(gone.done())
    }

    /// Of the classes that an activity belongs to, the one with the latest moment decides, so it is gone through last.
    fn by_rules(&self, rules: &Horizon, fields: &Fields, deadline: &Deadline) -> Result<Marks, SearchError> {
        let Self { segment, docs, .. } = self;
        let first_gone = |moment| segment.first_before(moment, docs.clone());
        let mut gone = Marks::none(docs.clone());
        gone.add_range(first_gone(rules.all)..docs.end);
        let mut classes: Vec<_> = rules.classes.iter().collect();
        classes.sort_by_key(|(_, moment)| *moment);
        for (class, moment) in classes {
            let (column, value) = match class {
                Class::App(app) => (fields.app, app),
                Class::Action(action) => (fields.action, action),
            };
            let compiler = Compiler::new(segment, fields, docs.clone(), deadline);
            let gone_from = first_gone(*moment);
            let own = compiler.whole(column, value)?.marks(segment, docs, deadline)?;
            gone.take_away(&own);
            let mut own_gone = Marks::none(docs.clone());
            own_gone.add_range(gone_from..docs.end);
            own_gone.keep(&own);
            gone.add_all(&own_gone);
        }
        Ok(gone)
    }
}
