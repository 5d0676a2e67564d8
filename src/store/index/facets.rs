//! Which values there are, and how often: exact, in the spelling they came in.
//!
//! There may be as many values as activities. Each stretch says what it has in the order of its terms, and these are read side by
//! side, so that all spellings of a value come one behind the other and only the most frequent values are ranked. What the
//! stretches say is held until then: the bytes of each term, and two numbers.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, binary_heap::PeekMut},
};

use tantivy::{postings::TermInfo, schema::Field as Column};

use super::{
    bits::Bits,
    deadline::Deadline,
    dictionary::Dictionary,
    docsets,
    plan::Plan,
    schema::{self, Fields},
    search::{Part, Search, SearchError, Searcher},
    segment::Segment,
    terms::{Posting, Span},
};
use crate::model::{
    facet::{Facet, FacetField},
    filter::Filter,
    query,
    session::Scope,
};

/// Where the values of a field are kept.
fn column(field: FacetField, fields: &Fields) -> Column {
    match field {
        FacetField::User => fields.user,
        FacetField::App => fields.app,
        FacetField::Action => fields.action,
        FacetField::Outcome => fields.outcome,
        FacetField::Country => fields.country,
        FacetField::City => fields.city,
        FacetField::Device => fields.device,
        FacetField::Os => fields.os,
        FacetField::Browser => fields.browser,
    }
}

impl Search {
    /// The `limit` most frequent values of `field`; equally frequent ones by name. Activities without a value have none.
    pub fn facets(
        &self,
        field: FacetField,
        limit: usize,
        deadline: &Deadline,
    ) -> Result<Vec<Facet>, SearchError> {
        self.values(field, "", limit, deadline)
    }

    fn values(
        &self,
        field: FacetField,
        prefix: &str,
        limit: usize,
        deadline: &Deadline,
    ) -> Result<Vec<Facet>, SearchError> {
        let column = column(field, &self.snapshot.fields);
        let count = |segment: &Segment, part: &Part| {
            let index = segment.inverted(column)?;
            let hits = hits(segment, part, deadline)?;
            let mut counted = Counted::default();
            each_begun(index, prefix, deadline, |term, info| {
                let count = count(&Posting::of(&index.index, info), &hits)?;
                if count > 0 {
                    counted.add(term, count);
                }
                Ok(())
            })?;
            Ok(counted)
        };
        let counted = self.watched(|| self.of_all(deadline, count))?;
        Ok(most_frequent(&counted, limit))
    }
}

impl Searcher {
    /// The `limit` most frequent values of `field` that begin with `prefix`, in any case and with or without accents: what to
    /// propose while somebody types. Values that occur only outside `scope` are not among them.
    pub fn suggest(
        &self,
        field: FacetField,
        prefix: &str,
        scope: &Scope,
        limit: usize,
        deadline: &Deadline,
    ) -> Result<Vec<Facet>, SearchError> {
        let key = schema::value_key(prefix);
        self.search(&Filter::default(), scope).values(field, &key, limit, deadline)
    }
}

/// Calls `each`, in their order, with the terms whose value begins with `prefix`, with or without its accents, until it fails.
fn each_begun(
    index: &Dictionary,
    prefix: &str,
    deadline: &Deadline,
    mut each: impl FnMut(&[u8], &TermInfo) -> Result<(), SearchError>,
) -> Result<(), SearchError> {
    let plain = query::fold(prefix);
    if plain.is_empty() {
        return Span::all(index).each(deadline, each);
    }
    let Some(accented) = index.accented(deadline)? else {
        return Span::all(index).each(deadline, |term, info| {
            let value = std::str::from_utf8(term).map_or("", schema::folded);
            let begins = if value.is_ascii() {
                value.starts_with(&plain)
            } else {
                query::fold(value).starts_with(&plain)
            };
            if begins { each(term, info) } else { Ok(()) }
        });
    };
    let mut accented = accented.iter().filter(|known| known.value.starts_with(&plain)).peekable();
    if plain.is_ascii() {
        Span::prefix(index, &plain).each(deadline, |term, info| {
            while let Some(before) = accented.next_if(|known| *known.term < *term) {
                each(&before.term, &before.info)?;
            }
            // It may begin as it was typed, and have its accents behind.
            accented.next_if(|known| *known.term == *term);
            each(term, info)
        })?;
    }
    accented.try_for_each(|known| each(&known.term, &known.info))
}

/// The documents of a segment whose values are counted.
enum Hits {
    All,
    Some(Bits),
}

fn hits(segment: &Segment, part: &Part, deadline: &Deadline) -> Result<Hits, SearchError> {
    if matches!(part.plan, Plan::Everything) && part.docs == (0..segment.len) {
        return Ok(Hits::All);
    }
    Ok(Hits::Some(part.plan.gather(segment, &part.docs, deadline)?))
}

/// How many of `hits` have a term: by reading its list, or, where it is much longer, by looking every hit up in it.
fn count(posting: &Posting, hits: &Hits) -> Result<u64, SearchError> {
    let bits = match hits {
        Hits::All => return Ok(u64::from(posting.len())),
        Hits::Some(bits) => bits,
    };
    if u64::from(bits.len()) * 16 < u64::from(posting.len()) {
        let mut list = posting.open()?;
        return Ok(bits.iter().filter(|doc| docsets::seek(&mut list, *doc) == *doc).count() as u64);
    }
    let mut blocks = posting.blocks()?;
    let mut count = 0;
    while !blocks.docs().is_empty() {
        count += u64::from(bits.len_of(blocks.docs()));
        blocks.advance();
    }
    Ok(count)
}

/// The terms of a stretch that are in some of its hits, in their order, and in how many.
#[derive(Default)]
struct Counted {
    /// One behind the other.
    terms: Vec<u8>,
    /// Where each ends, and its count.
    counts: Vec<(usize, u64)>,
}

impl Counted {
    /// Adds the term behind all others.
    fn add(&mut self, term: &[u8], count: u64) {
        self.terms.extend_from_slice(term);
        self.counts.push((self.terms.len(), count));
    }

    fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let mut start = 0;
        self.counts
            .iter()
            .map(move |&(end, count)| (&self.terms[std::mem::replace(&mut start, end)..end], count))
    }
}

/// Calls `each` with every term of `all` in order, and its counts together.
fn side_by_side<'a>(all: &'a [Counted], mut each: impl FnMut(&'a [u8], u64)) {
    let mut walks: Vec<_> = all.iter().map(Counted::iter).collect();
    let first = walks.iter_mut().enumerate().filter_map(|(index, walk)| Some(Reverse((walk.next()?, index))));
    let mut next: BinaryHeap<_> = first.collect();
    let mut last: Option<(&[u8], u64)> = None;
    while let Some(mut first) = next.peek_mut() {
        let Reverse(((term, count), index)) = *first;
        match &mut last {
            Some((same, total)) if *same == term => *total += count,
            last => {
                if let Some((term, total)) = last.replace((term, count)) {
                    each(term, total);
                }
            }
        }
        match walks[index].next() {
            Some(behind) => *first = Reverse((behind, index)),
            None => {
                PeekMut::pop(first);
            }
        }
    }
    if let Some((term, total)) = last {
        each(term, total);
    }
}

/// A value with all its spellings. The more often it stands anywhere the greater it is, and of two the one that comes first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Ranked<'a> {
    total: u64,
    /// As it is compared.
    folded: Reverse<&'a str>,
    /// How often its most frequent spelling stands anywhere.
    most: u64,
    spelling: Reverse<&'a str>,
}

/// The `limit` most frequent values of what was counted.
fn most_frequent<'a>(counted: &'a [Counted], limit: usize) -> Vec<Facet> {
    let mut kept = BinaryHeap::new();
    let mut keep = |value: Option<Ranked<'a>>| {
        kept.extend(value.map(Reverse));
        if kept.len() > limit {
            kept.pop();
        }
    };
    let mut value: Option<Ranked<'a>> = None;
    side_by_side(counted, |term, count| {
        let Ok(term) = std::str::from_utf8(term) else { return };
        let Some((folded, _)) = term.split_once(schema::NUL) else { return };
        let spelling = (count, Reverse(schema::written(term)));
        match &mut value {
            Some(same) if same.folded.0 == folded => {
                same.total += count;
                (same.most, same.spelling) = spelling.max((same.most, same.spelling));
            }
            value => {
                let new = Ranked { total: count, folded: Reverse(folded), most: count, spelling: spelling.1 };
                keep(value.replace(new));
            }
        }
    });
    keep(value);
    let facet = |Reverse(value): Reverse<Ranked<'_>>| Facet {
        value: value.spelling.0.to_owned(),
        count: value.total,
    };
    kept.into_sorted_vec().into_iter().map(facet).collect()
}
