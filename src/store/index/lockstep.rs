//! Two posting lists of about one length, side by side.

use tantivy::{DocId, DocSet, TERMINATED, postings::BlockSegmentPostings};

/// The documents that are in both of two lists. Each is read a block at a time and no document is searched for in a block: where
/// one list has nearly as many as the other, leaping from one to the other would stop at most of them anyway, and a leap costs as
/// much as twenty steps.
pub(super) struct Lockstep {
    lists: [BlockSegmentPostings; 2],
    /// Where in its block each of them stands.
    at: [usize; 2],
    doc: DocId,
}

impl Lockstep {
    pub(super) fn new(lists: [BlockSegmentPostings; 2]) -> Self {
        let mut both = Self { lists, at: [0, 0], doc: 0 };
        // A list that was just opened stands nowhere yet.
        both.at = both.lists.each_mut().map(|list| list.seek(0));
        both.settle();
        both
    }

    /// Moves on to the first document, from where they stand, that both have.
    fn settle(&mut self) -> DocId {
        self.doc = loop {
            let [left, right] = &mut self.lists;
            let [i, j] = &mut self.at;
            let (mine, theirs) = (left.docs(), right.docs());
            let found = loop {
                let (Some(this), Some(that)) = (mine.get(*i), theirs.get(*j)) else { break None };
                if this == that {
                    break Some(*this);
                }
                *i += usize::from(this < that);
                *j += usize::from(that < this);
            };
            if let Some(doc) = found {
                break doc;
            }
            // A block is at its end: on to the next that may have the other's document.
            let over = match (mine.get(*i).copied(), theirs.get(*j).copied()) {
                (None, Some(doc)) => {
                    *i = left.seek(doc);
                    *i >= left.docs().len()
                }
                (Some(doc), None) => {
                    *j = right.seek(doc);
                    *j >= right.docs().len()
                }
                _ => {
                    left.advance();
                    *i = 0;
                    left.docs().is_empty()
                }
            };
            if over {
                break TERMINATED;
            }
        };
        self.doc
    }
}

impl DocSet for Lockstep {
    fn advance(&mut self) -> DocId {
        if self.doc == TERMINATED {
            return TERMINATED;
        }
        self.at = self.at.map(|at| at + 1);
        self.settle()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if target > self.doc {
            for (list, at) in self.lists.iter_mut().zip(&mut self.at) {
                *at = list.seek(target);
            }
            self.settle();
        }
        self.doc
    }

    fn doc(&self) -> DocId {
        self.doc
    }

    fn size_hint(&self) -> u32 {
        self.lists.iter().map(BlockSegmentPostings::doc_freq).min().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use tantivy::{
        Index, Term, doc,
        schema::{IndexRecordOption, STRING, Schema},
    };

    use super::*;

    const DOCS: DocId = 3000;

    /// What it is called, and which documents are in it.
    type List = (&'static str, fn(DocId) -> bool);

    /// Lists that end within blocks of 128 and with them, that begin late and end early, and that have nothing in common.
    const LISTS: [List; 10] = [
        ("even", |doc| doc % 2 == 0),
        ("odd", |doc| doc % 2 == 1),
        ("third", |doc| doc % 3 == 0),
        ("squares", |doc| doc * doc % 7 == 2),
        ("one block", |doc| doc % 11 == 0 && doc < 11 * 128),
        ("two blocks", |doc| doc % 5 == 0 && doc < 5 * 256),
        ("late", |doc| doc > 2500),
        ("early", |doc| doc < 200),
        ("last", |doc| doc == DOCS - 1),
        ("all", |_| true),
    ];

    #[test]
    fn two_lists_have_in_common_what_is_in_both_wherever_the_walk_begins_and_leaps_to() {
        let mut schema = Schema::builder();
        let field = schema.add_text_field("in", STRING);
        let index = Index::create_in_ram(schema.build());
        let mut writer = index.writer_with_num_threads(1, 15_000_000).unwrap();
        for number in 0..DOCS {
            let mut document = doc!();
            LISTS.iter().filter(|(_, has)| has(number)).for_each(|(name, _)| document.add_text(field, name));
            writer.add_document(document).unwrap();
        }
        writer.commit().unwrap();
        let searcher = index.reader().unwrap().searcher();
        assert_eq!(searcher.segment_readers().len(), 1, "documents stand as they came");
        let inverted = searcher.segment_reader(0).inverted_index(field).unwrap();
        let open = |name| {
            let term = Term::from_field_text(field, name);
            inverted.read_block_postings(&term, IndexRecordOption::Basic).unwrap().unwrap()
        };
        for (one, is_in_one) in LISTS {
            for (other, is_in_other) in LISTS {
                let expected: Vec<DocId> =
                    (0..DOCS).filter(|doc| is_in_one(*doc) && is_in_other(*doc)).collect();
                let mut both = Lockstep::new([open(one), open(other)]);
                let mut walked = Vec::new();
                while both.doc() != TERMINATED {
                    walked.push(both.doc());
                    both.advance();
                }
                assert_eq!(walked, expected, "{one} and {other}");
                assert_eq!(both.advance(), TERMINATED);
                for leap in [1, 7, 130, 700, DOCS + 1] {
                    let mut both = Lockstep::new([open(one), open(other)]);
                    let mut target = leap;
                    while target < 2 * DOCS {
                        let next = expected.iter().copied().find(|doc| *doc >= target).unwrap_or(TERMINATED);
                        if both.doc() < target {
                            assert_eq!(both.seek(target), next, "{one} and {other} from {target} on");
                        }
                        target += leap;
                    }
                }
            }
        }
    }
}
