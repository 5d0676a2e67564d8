//! What a search means in one segment: which posting lists, put together how.

use std::{ops::Range, sync::Arc};

use tantivy::{COLLECT_BLOCK_BUFFER_LEN, DocId, DocSet};

use super::{
    bits::{Bits, BitsWalk},
    deadline::Deadline,
    docsets::{AnySet, Both, Dense, Either, Everything, Without},
    lockstep::Lockstep,
    phrase::Phrase,
    search::SearchError,
    segment::Segment,
    terms::Posting,
};

/// Lists are of about one length if one is at most so many times as long as the other: stepping over so many documents
/// costs as much as leaping over them.
const ALIKE: u32 = 12;

/// The documents of a segment that a search, or a part of it, is after. It may name documents outside the period; the
/// period is a range of documents and kept beside it.
#[derive(Clone)]
pub(super) enum Plan {
    Nothing,
    Everything,
    /// Those of one posting list.
    One(Posting),
    /// Those of any of a few posting lists.
    Few(Vec<Posting>),
    /// Those gathered beforehand.
    Bits(Arc<Bits>),
    /// Those of a phrase.
    Phrase(Phrase),
    /// Those of every one of several.
    All(Vec<Plan>),
    /// Those of any of several.
    Any(Vec<Plan>),
    /// All but these.
    Not(Box<Plan>),
}

impl Plan {
    pub(super) fn bits(bits: Bits) -> Self {
        if bits.len() == 0 { Self::Nothing } else { Self::Bits(Arc::new(bits)) }
    }

    /// What is in any of a few lists.
    pub(super) fn few(mut postings: Vec<Posting>) -> Self {
        match postings.len() {
            0 => Self::Nothing,
            1 => Self::One(postings.remove(0)),
            _ => Self::Few(postings),
        }
    }

    /// What is in every one of `plans`.
    pub(super) fn all(plans: Vec<Self>) -> Self {
        let mut kept = Vec::with_capacity(plans.len());
        for plan in plans {
            match plan {
                Self::Nothing => return Self::Nothing,
                Self::Everything => {}
                Self::All(inner) => kept.extend(inner),
                plan => kept.push(plan),
            }
        }
        match kept.len() {
            0 => Self::Everything,
            1 => kept.remove(0),
            _ => Self::All(kept),
        }
    }

    /// What is in any of `plans`.
    pub(super) fn any(plans: Vec<Self>) -> Self {
        let mut kept = Vec::with_capacity(plans.len());
        for plan in plans {
            match plan {
                Self::Everything => return Self::Everything,
                Self::Nothing => {}
                Self::Any(inner) => kept.extend(inner),
                plan => kept.push(plan),
            }
        }
        match kept.len() {
            0 => Self::Nothing,
            1 => kept.remove(0),
            _ => Self::Any(kept),
        }
    }

    /// What is not in `plan`.
    pub(super) fn not(plan: Self) -> Self {
        match plan {
            Self::Nothing => Self::Everything,
            Self::Everything => Self::Nothing,
            Self::Not(inner) => *inner,
            plan => Self::Not(Box::new(plan)),
        }
    }

    /// The documents in order, from the first of the segment on.
    pub(super) fn open(&self, segment: &Segment) -> Result<AnySet, SearchError> {
        Ok(match self {
            Self::Nothing => Box::new(Everything::new(0)),
            Self::Everything => Box::new(Everything::new(segment.len)),
            Self::One(posting) => Box::new(posting.open()?),
            Self::Few(postings) => {
                let sets = postings.iter().map(Posting::open).collect::<Result<Vec<_>, _>>()?;
                Box::new(Either::new(sets))
            }
            Self::Bits(bits) => Box::new(BitsWalk::new(Arc::clone(bits))),
            Self::Phrase(phrase) => phrase.open()?,
            Self::All(plans) => {
                let mut kept: Vec<AnySet> = Vec::new();
                let mut left_out = Vec::new();
                let common = common(plans, segment);
                if common.len() > 1 {
                    let sets = common.iter().map(|posting| posting.open()).collect::<Result<Vec<_>, _>>()?;
                    kept.push(Box::new(Dense::new(sets)));
                }
                let alike = if common.len() > 1 { None } else { alike(plans) };
                if let Some([one, other]) = alike {
                    kept.push(Box::new(Lockstep::new([one.blocks()?, other.blocks()?])));
                }
                let side_by_side = |posting: &Posting| match alike {
                    Some(pair) => pair.iter().any(|of_pair| std::ptr::eq(*of_pair, posting)),
                    None => common.len() > 1 && is_common(posting, segment),
                };
                for plan in plans {
                    match plan {
                        Self::Not(inner) => left_out.push(inner.open(segment)?),
                        Self::One(posting) if side_by_side(posting) => {}
                        plan => kept.push(plan.open(segment)?),
                    }
                }
                if kept.is_empty() {
                    kept.push(Box::new(Everything::new(segment.len)));
                }
                left_out.into_iter().fold(Both::of(kept), |kept, out| Box::new(Without::new(kept, out)))
            }
            Self::Any(plans) => {
                let sets = plans.iter().map(|plan| plan.open(segment)).collect::<Result<Vec<_>, _>>()?;
                Box::new(Either::new(sets))
            }
            Self::Not(inner) => {
                let everything = Box::new(Everything::new(segment.len));
                Box::new(Without::new(everything, inner.open(segment)?))
            }
        })
    }
}

/// The posting lists among `plans` that are so long that leaping through them saves nothing. If there is a short one, it
/// leads instead and all others are leapt through.
fn common<'a>(plans: &'a [Plan], segment: &Segment) -> Vec<&'a Posting> {
    let mut common = Vec::new();
    for plan in plans {
        match plan {
            Plan::One(posting) if is_common(posting, segment) => common.push(posting),
            Plan::Not(_) => {}
            _ => return Vec::new(),
        }
    }
    common
}

/// The two shortest lists among `plans`, if there are but lists and these two are of about one length.
fn alike(plans: &[Plan]) -> Option<[&Posting; 2]> {
    let mut lists = Vec::with_capacity(plans.len());
    for plan in plans {
        match plan {
            Plan::One(posting) => lists.push(posting),
            Plan::Not(_) => {}
            _ => return None,
        }
    }
    lists.sort_by_key(|posting| posting.len());
    match lists[..] {
        [short, long, ..] if long.len() / ALIKE <= short.len() => Some([short, long]),
        _ => None,
    }
}

/// Whether a term stands in more than one of 64 documents.
fn is_common(posting: &Posting, segment: &Segment) -> bool {
    posting.len() > segment.len / 64
}

/// Calls `each` with the documents of `set` within `docs`, up to 64 at a time and in order.
pub(super) fn each_block(
    set: &mut dyn DocSet,
    docs: &Range<DocId>,
    deadline: &Deadline,
    mut each: impl FnMut(&[DocId]),
) -> Result<(), SearchError> {
    let mut buffer = [0; COLLECT_BLOCK_BUFFER_LEN];
    let mut blocks = 0_u32;
    super::docsets::seek(set, docs.start);
    loop {
        let found = set.fill_buffer(&mut buffer);
        let block = &buffer[..found];
        let inside = block.partition_point(|doc| *doc < docs.end);
        each(&block[..inside]);
        if inside < COLLECT_BLOCK_BUFFER_LEN {
            return Ok(());
        }
        blocks += 1;
        if blocks.is_multiple_of(64) {
            deadline.check()?;
        }
    }
}
