//! Cuts spans to the finest networks that are kept.

use rustc_hash::FxHashMap;

use crate::{places::PlaceId, source::Span};

/// The size of a cell: a network of so many bits.
#[derive(Clone, Copy)]
pub(crate) struct Cut {
    bits: u8,
}

/// Cells beside one another that are at the same place. The runs of a family follow one another without a gap.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    /// The first cell; the run ends where the next begins.
    pub(crate) first: u64,
    pub(crate) place: Option<PlaceId>,
}

/// The runs of a family over all its cells.
pub(crate) struct Runs {
    pub(crate) bits: u8,
    pub(crate) runs: Vec<Run>,
}

impl Cut {
    pub(crate) fn to(bits: u8) -> Self {
        Self { bits }
    }

    /// Gives every cell to the place that covers most of it, or to none when most of it is nowhere.
    pub(crate) fn runs(self, spans: &[Span]) -> Runs {
        let mut runs = Runs { bits: self.bits, runs: vec![Run { first: 0, place: None }] };
        let mut next = 0;
        for cell in spans.chunk_by(|a, b| self.cell(a) == self.cell(b)) {
            let first = self.cell(&cell[0]);
            runs.begin(next, first, None);
            next = first + self.cells(&cell[0]);
            runs.begin(first, next, self.winner(cell));
        }
        runs.begin(next, 1 << self.bits, None);
        runs
    }

    fn cell(self, span: &Span) -> u64 {
        u64::try_from(span.first >> (128 - self.bits)).expect("a cell has at most 64 bits")
    }

    fn cells(self, span: &Span) -> u64 {
        1 << self.bits.saturating_sub(span.prefix)
    }

    /// Counted in parts of a cell: a span of the cell's own size has 2^64 of them.
    fn winner(self, spans: &[Span]) -> Option<PlaceId> {
        if let [span] = spans
            && span.prefix <= self.bits
        {
            return Some(span.place);
        }
        const WHOLE: u128 = 1 << 96;
        let mut parts: FxHashMap<PlaceId, u128> = FxHashMap::default();
        for span in spans {
            *parts.entry(span.place).or_default() += WHOLE >> (span.prefix - self.bits);
        }
        let nowhere = WHOLE - parts.values().sum::<u128>();
        let (place, part) =
            parts.into_iter().max_by_key(|(place, part)| (*part, std::cmp::Reverse(*place)))?;
        (part >= nowhere).then_some(place)
    }
}

impl Runs {
    /// Notes that the cells from `first` up to `end` are at `place`.
    fn begin(&mut self, first: u64, end: u64, place: Option<PlaceId>) {
        let last = self.runs.last_mut().expect("there is a first run");
        if first == end || last.place == place {
        } else if last.first == first {
            last.place = place;
        } else {
            self.runs.push(Run { first, place });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(first: [u8; 4], prefix: u8, place: PlaceId) -> Span {
        Span { first: u128::from(u32::from_be_bytes(first)) << 96, prefix, place, origin: 0 }
    }

    fn runs(spans: &[Span]) -> Vec<(u64, Option<PlaceId>)> {
        Cut::to(24).runs(spans).runs.iter().map(|run| (run.first, run.place)).collect()
    }

    #[test]
    fn a_cell_goes_to_the_place_that_covers_most_of_it() {
        let spans = [span([1, 0, 0, 0], 26, 7), span([1, 0, 0, 64], 26, 8), span([1, 0, 0, 128], 25, 8)];
        assert_eq!(runs(&spans), [(0, None), (0x01_00_00, Some(8)), (0x01_00_01, None)]);
    }

    #[test]
    fn a_cell_that_is_mostly_nowhere_is_nowhere() {
        assert_eq!(runs(&[span([1, 0, 0, 0], 26, 7)]), [(0, None)]);
    }

    #[test]
    fn neighbours_at_one_place_are_one_run() {
        let spans = [span([1, 0, 0, 0], 23, 7), span([1, 0, 2, 0], 24, 7), span([1, 0, 3, 0], 24, 9)];
        assert_eq!(
            runs(&spans),
            [(0, None), (0x01_00_00, Some(7)), (0x01_00_03, Some(9)), (0x01_00_04, None)]
        );
    }
}
