//! A segment of the index, with its columns at hand, and all segments of one moment.

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

use tantivy::{DocId, SegmentReader, TantivyError, columnar::ColumnValues, index::SegmentId, schema::Field};

use super::{
    dictionary::Dictionary,
    schema::{DETAIL_END, Fields, ID, TIME},
    search::SearchError,
    stretch::Stretch,
};
use crate::model::{filter::Cursor, horizon::Horizon, id::ActivityId};

/// A part of the index: documents in the order of their times, newest first.
pub(super) struct Segment {
    reader: SegmentReader,
    /// By the number of the field.
    inverted: Box<[OnceLock<Dictionary>]>,
    time: Arc<dyn ColumnValues<i64>>,
    ids: Arc<dyn ColumnValues<u64>>,
    pub(super) detail_end: Arc<dyn ColumnValues<u64>>,
    /// How many documents it has; never 0.
    pub(super) len: DocId,
    /// The time of its first document.
    pub(super) newest: i64,
    /// The time of its last one.
    pub(super) oldest: i64,
}

impl Segment {
    /// The columns of a segment; none if it is empty.
    pub(super) fn open(reader: SegmentReader) -> Result<Option<Self>, TantivyError> {
        let len = reader.max_doc();
        if len == 0 {
            return Ok(None);
        }
        let columns = reader.fast_fields();
        let time = columns.column_first_or_default::<i64>(TIME)?;
        let ids = columns.column_first_or_default::<u64>(ID)?;
        let detail_end = columns.column_first_or_default::<u64>(DETAIL_END)?;
        let (newest, oldest) = (time.get_val(0), time.get_val(len - 1));
        let inverted = reader.schema().fields().map(|_| OnceLock::new()).collect();
        Ok(Some(Self { reader, inverted, time, ids, detail_end, len, newest, oldest }))
    }

    pub(super) fn id(&self) -> SegmentId {
        self.reader.segment_id()
    }

    /// The dictionary and the posting lists of a field.
    pub(super) fn inverted(&self, field: Field) -> Result<&Dictionary, SearchError> {
        // Tantivy keeps them as well, behind a lock and a map that cost as much as looking a word up.
        let Some(kept) = self.inverted.get(field.field_id() as usize) else {
            return Err(TantivyError::SchemaError(format!("there is no {field:?}")).into());
        };
        if let Some(inverted) = kept.get() {
            return Ok(inverted);
        }
        let inverted = self.reader.inverted_index(field)?;
        Ok(kept.get_or_init(|| Dictionary::new(inverted)))
    }

    pub(super) fn time(&self, doc: DocId) -> i64 {
        self.time.get_val(doc)
    }

    /// What a document stands for.
    pub(super) fn cursor(&self, doc: DocId) -> Cursor {
        Cursor { time: self.time.get_val(doc), id: ActivityId(self.ids.get_val(doc)) }
    }

    /// The first document that is older than `time`, among those of `within`; its end if there is none.
    ///
    /// Times run nearly evenly, so where it is can be guessed; every third step halves what is left, so that it comes to an end
    /// as soon where they do not. Halving alone looks at four times as many places of the column, all of them far apart.
    pub(super) fn first_before(&self, time: i64, within: Range<DocId>) -> DocId {
        let Range { start: mut low, end: mut high } = within;
        // No document between is newer or older than these.
        let (mut newest, mut oldest) = (self.newest, self.oldest);
        for step in 1_u32.. {
            if low >= high {
                break;
            }
            let halfway = low + (high - low) / 2;
            let middle = match u64::try_from(i128::from(newest) - i128::from(oldest)) {
                Ok(width @ 1..) if !step.is_multiple_of(3) => {
                    let before =
                        u128::from(newest.saturating_sub(time).clamp(0, i64::MAX).cast_unsigned().min(width));
                    let guess = before * u128::from(high - low) / u128::from(width);
                    DocId::try_from(guess).map_or(halfway, |guess| low + guess.min(high - low - 1))
                }
                _ => halfway,
            };
            let found = self.time(middle);
            if found < time {
                (high, oldest) = (middle, found);
            } else {
                (low, newest) = (middle + 1, found);
            }
        }
        low
    }

    /// The documents from `from` on and before `to`.
    pub(super) fn docs(&self, from: i64, to: i64) -> Range<DocId> {
        let start = if to > self.newest { 0 } else { self.first_before(to, 0..self.len) };
        let end = if from <= self.oldest { self.len } else { self.first_before(from, start..self.len) };
        start..end.max(start)
    }
}

/// The whole index at one moment.
pub(super) struct Snapshot {
    pub(super) segments: Vec<Arc<Segment>>,
    /// What can be found in them; newest first, by their newest document.
    pub(super) stretches: Vec<Arc<Stretch>>,
    /// What lies behind it cannot be found.
    pub(super) horizon: Arc<Horizon>,
    pub(super) fields: Fields,
    /// This activity and all before it are in it.
    pub(super) indexed: ActivityId,
}

impl Snapshot {
    /// The index as `readers` see it. Segments that `before` had open already are taken from there.
    pub(super) fn new(
        readers: &[SegmentReader],
        before: Option<&Self>,
        fields: Fields,
        indexed: ActivityId,
    ) -> Result<Self, TantivyError> {
        let mut segments = Vec::with_capacity(readers.len());
        for reader in readers {
            let known =
                before.and_then(|before| before.segments.iter().find(|s| s.id() == reader.segment_id()));
            match known {
                Some(segment) => segments.push(Arc::clone(segment)),
                None => segments.extend(Segment::open(reader.clone())?.map(Arc::new)),
            }
        }
        let nothing = Self::default_of(fields);
        Ok(before.unwrap_or(&nothing).with(segments, indexed))
    }

    fn default_of(fields: Fields) -> Self {
        let (segments, stretches) = (Vec::new(), Vec::new());
        Self { segments, stretches, horizon: Arc::default(), fields, indexed: ActivityId(0) }
    }

    /// The same with other segments; what is known of those that stay is kept.
    fn with(&self, segments: Vec<Arc<Segment>>, indexed: ActivityId) -> Self {
        let mut stretches = Vec::with_capacity(segments.len());
        for segment in &segments {
            let before = stretches.len();
            let known = self.stretches.iter().filter(|stretch| Arc::ptr_eq(&stretch.segment, segment));
            stretches.extend(known.cloned());
            if stretches.len() == before {
                stretches.extend(Stretch::of(segment, &self.horizon).map(Arc::new));
            }
        }
        stretches.sort_by_key(|stretch| std::cmp::Reverse(stretch.newest));
        Self { segments, stretches, horizon: Arc::clone(&self.horizon), fields: self.fields, indexed }
    }

    /// The same before another horizon.
    pub(super) fn before(&self, horizon: &Arc<Horizon>) -> Self {
        let bare = Self { horizon: Arc::clone(horizon), ..Self::default_of(self.fields) };
        bare.with(self.segments.clone(), self.indexed)
    }
}
