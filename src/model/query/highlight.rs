//! The marks in a result: which parts of a text a query's words hit.

use std::ops::Range;

use super::{Field, Node, Query, Value, fold, fold_value, words};

/// The places in `text`, the value of `field`, that the words of `query` hit, in bytes, ascending and apart. What is
/// excluded marks nothing.
pub fn highlight(text: &str, field: &Field, query: &Query) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut open: Vec<&Node> = query.root().into_iter().collect();
    let mut owned: Option<Vec<Owned>> = None;
    while let Some(node) = open.pop() {
        match node {
            Node::All(nodes) | Node::Any(nodes) => open.extend(nodes),
            Node::Not(_) => {}
            Node::Term(term) => {
                let (wanted, prefix) = match &term.value {
                    Value::Text(wanted) => (wanted, false),
                    Value::Prefix(wanted) => (wanted, true),
                    Value::Network(_) | Value::Outcome(_) => continue,
                };
                let anywhere = term.field == Field::Anywhere;
                if !anywhere && term.field != *field {
                    continue;
                }
                let tokens = owned.get_or_insert_with(|| tokens(text));
                if anywhere || !field.is_whole() || (*field == Field::Action && words::is_one_word(wanted)) {
                    phrase(tokens, &words::asked(wanted, prefix), &mut found);
                }
                if !anywhere && field.is_whole() && !text.is_empty() {
                    let folded = |text: &str| {
                        let folded = fold_value(text);
                        if *field == Field::User { fold(&folded) } else { folded }
                    };
                    let (value, wanted) = (folded(text), folded(wanted));
                    if value == wanted || (prefix && value.starts_with(&wanted)) {
                        found.push(0..text.len());
                    }
                }
            }
        }
    }
    merge(found)
}

/// Whether the words of a phrase stand one behind the other in `text`.
pub fn has_words(text: &str, asked: &[words::Asked]) -> bool {
    let mut found = Vec::new();
    phrase(&tokens(text), asked, &mut found);
    !found.is_empty()
}

struct Owned {
    text: String,
    position: u32,
    at: Range<usize>,
}

fn tokens(text: &str) -> Vec<Owned> {
    let mut all = Vec::new();
    words::tokens(text, |token| {
        all.push(Owned { text: token.text.to_owned(), position: token.position, at: token.at });
    });
    all
}

/// Adds the places of every occurrence of the words one behind the other.
fn phrase(tokens: &[Owned], asked: &[words::Asked], found: &mut Vec<Range<usize>>) {
    let Some(first) = asked.first() else { return };
    let hit = |token: &Owned, word: &words::Asked| {
        token.text == word.text || (word.prefix && token.text.starts_with(&word.text))
    };
    for start in tokens.iter().filter(|token| hit(token, first)) {
        let places: Option<Vec<Range<usize>>> = asked
            .iter()
            .map(|word| {
                let position = start.position + (word.offset - first.offset);
                let behind = tokens.partition_point(|token| token.position < position);
                let here = tokens[behind..].iter().take_while(|token| token.position == position);
                here.into_iter().find(|token| hit(token, word)).map(|token| token.at.clone())
            })
            .collect();
        found.extend(places.into_iter().flatten());
    }
}

fn merge(mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
    found.sort_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<usize>> = Vec::new();
    for range in found {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(text: &str, field: &Field, query: &str) -> String {
        let mut out = text.to_owned();
        for range in highlight(text, field, &Query::parse(query).unwrap()).into_iter().rev() {
            out.insert(range.end, ']');
            out.insert(range.start, '[');
        }
        out
    }

    #[test]
    fn the_words_that_were_found_are_marked() {
        let detail = |text, query| marked(text, &Field::Detail, query);
        assert_eq!(
            detail("Kraków backup of Account_2024.csv", "krakow account"),
            "[Kraków] backup of [Account]_2024.csv"
        );
        assert_eq!(detail("CreateBucket failed", "bucket"), "Create[Bucket] failed");
        assert_eq!(detail("INC-4711 and INC-4712", "INC-4711"), "[INC]-[4711] and INC-4712");
        assert_eq!(detail("backups, backup", "back*"), "[backups], [backup]");
        assert_eq!(detail("restore the backup", "backup -restore"), "restore the [backup]");
        assert_eq!(detail("東京都庁", "京都"), "東[京都]庁");
        assert_eq!(detail("user ann", "user:ann"), "user ann", "another field's value is not marked here");
    }

    #[test]
    fn a_whole_value_is_marked_as_a_whole() {
        assert_eq!(marked("Ann", &Field::User, "user:ann"), "[Ann]");
        assert_eq!(marked("Zoë", &Field::User, "user:zoe"), "[Zoë]");
        assert_eq!(marked("sign-in-failed", &Field::Action, "action:sign-in"), "sign-in-failed");
        assert_eq!(marked("sign-in-failed", &Field::Action, "action:sign"), "[sign]-in-failed");
    }
}
