//! Text with what was looked for marked in it.

use crate::model::query::{Field, Query, highlight};

/// A stretch of text, marked or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The text.
    pub text: String,
    /// Whether it is what was looked for.
    pub hit: bool,
}

impl Piece {
    /// The `text` of a field in pieces, so that every place that `query` hits is a piece of its own.
    pub fn cut(text: &str, field: &Field, query: &Query) -> Vec<Self> {
        let mut pieces = Vec::new();
        let mut done = 0;
        for hit in highlight(text, field, query) {
            if done < hit.start {
                pieces.push(Self { text: text[done..hit.start].into(), hit: false });
            }
            done = hit.end;
            pieces.push(Self { text: text[hit].into(), hit: true });
        }
        if done < text.len() {
            pieces.push(Self { text: text[done..].into(), hit: false });
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_search_hits_is_a_piece_of_its_own() {
        let query = Query::parse("account -nightly").unwrap();
        let pieces = Piece::cut("My Account_2024.csv, nightly", &Field::Detail, &query);
        let marked: Vec<_> =
            pieces.iter().filter(|piece| piece.hit).map(|piece| piece.text.as_str()).collect();
        assert_eq!(marked, ["Account"]);
        assert_eq!(
            pieces.iter().map(|piece| piece.text.as_str()).collect::<String>(),
            "My Account_2024.csv, nightly"
        );
        assert_eq!(Piece::cut("", &Field::Detail, &query), []);
    }
}
