//! Which values there are, and how often: exact, in the spelling they came in.

use std::collections::HashMap;

use tantivy::schema::Field as Column;

use super::{
    bits::Bits,
    deadline::Deadline,
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

/// By the value as it is compared: the spellings it came in, and how often each.
type Tally = HashMap<String, Vec<Facet>>;

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
            let mut counted = Vec::new();
            Span::prefix(index, prefix).each(deadline, |term, info| {
                let count = count(&Posting::of(&index.index, info), &hits)?;
                if count > 0 {
                    counted.push((term.to_vec(), count));
                }
                Ok(())
            })?;
            Ok(counted)
        };
        let counted = self.doubt.watch(|| self.of_all(deadline, count))?;
        let mut tally = Tally::new();
        for (term, count) in counted.into_iter().flatten() {
            add(&mut tally, &term, count);
        }
        Ok(ranked(tally, limit))
    }
}

impl Searcher {
    /// The `limit` most frequent values of `field` that begin with `prefix`, in any case: what to propose while somebody
    /// types. Values that occur only outside `scope` are not among them.
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

fn add(tally: &mut Tally, term: &[u8], count: u64) {
    let Ok(term) = std::str::from_utf8(term) else { return };
    let Some((folded, _)) = term.split_once(schema::NUL) else { return };
    let spellings = match tally.get_mut(folded) {
        Some(spellings) => spellings,
        None => tally.entry(folded.to_owned()).or_default(),
    };
    let value = schema::written(term);
    match spellings.iter_mut().find(|facet| facet.value == value) {
        Some(facet) => facet.count += count,
        None => spellings.push(Facet { value: value.to_owned(), count }),
    }
}

fn ranked(tally: Tally, limit: usize) -> Vec<Facet> {
    let mut facets: Vec<(String, Facet)> = tally
        .into_iter()
        .filter_map(|(folded, spellings)| {
            let count = spellings.iter().map(|facet| facet.count).sum();
            let most = |a: &Facet, b: &Facet| a.count.cmp(&b.count).then_with(|| b.value.cmp(&a.value));
            let value = spellings.into_iter().max_by(most)?.value;
            Some((folded, Facet { value, count }))
        })
        .collect();
    facets.sort_by(|(a, x), (b, y)| y.count.cmp(&x.count).then_with(|| a.cmp(b)));
    facets.truncate(limit);
    facets.into_iter().map(|(_, facet)| facet).collect()
}
