//! Where in a text the words stand that somebody looked for.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// A stretch of text, marked or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The text.
    pub text: String,
    /// Whether it is what was looked for.
    pub hit: bool,
}

impl Piece {
    /// `text` in pieces, so that every place where one of `words` stands, whatever the case and the accents, is a
    /// piece of its own.
    pub fn cut(text: &str, words: &[String]) -> Vec<Self> {
        let words: Vec<Vec<char>> = words
            .iter()
            .map(|word| word.chars().flat_map(fold).collect())
            .filter(|word: &Vec<_>| !word.is_empty())
            .collect();
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((start, end)) = first_hit(rest, &words) {
            if start > 0 {
                pieces.push(Self { text: rest[..start].into(), hit: false });
            }
            pieces.push(Self { text: rest[start..end].into(), hit: true });
            rest = &rest[end..];
        }
        if !rest.is_empty() {
            pieces.push(Self { text: rest.into(), hit: false });
        }
        pieces
    }
}

/// The first place where one of `words` stands, the longest of them there. `words` are folded.
fn first_hit(text: &str, words: &[Vec<char>]) -> Option<(usize, usize)> {
    text.char_indices().find_map(|(start, _)| {
        let end = words.iter().filter_map(|word| starts_with(&text[start..], word)).max()?;
        Some((start, start + end))
    })
}

/// How many bytes of `text` say the folded `word`, if it begins with it: whole characters with their accents.
fn starts_with(text: &str, word: &[char]) -> Option<usize> {
    let mut left = word;
    for (at, c) in text.char_indices() {
        if left.is_empty() && !is_combining_mark(c) {
            return Some(at);
        }
        for folded in fold(c) {
            left = left.strip_prefix(&[folded])?;
        }
    }
    left.is_empty().then_some(text.len())
}

/// A character without its case and accents: what the index compares.
fn fold(c: char) -> impl Iterator<Item = char> {
    [c].into_iter().nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_are_marked_in_any_case_and_the_longest_wins() {
        let piece = |text: &str, hit| Piece { text: text.into(), hit };
        let words = ["account".to_owned(), "acc".to_owned(), "2024".to_owned()];
        assert_eq!(
            Piece::cut("My Account_2024.csv", &words),
            [
                piece("My ", false),
                piece("Account", true),
                piece("_", false),
                piece("2024", true),
                piece(".csv", false)
            ]
        );
        assert_eq!(Piece::cut("Äpfel", &["äpfel".to_owned()]), [piece("Äpfel", true)]);
        assert_eq!(Piece::cut("", &words), []);
        assert_eq!(Piece::cut("", &[String::new()]), []);
    }

    #[test]
    fn an_accent_more_or_less_is_still_a_hit() {
        let hit =
            |text: &str, word: &str| Piece::cut(text, &[word.to_owned()]).into_iter().find(|piece| piece.hit);
        let marked = |text: &str| Some(Piece { text: text.into(), hit: true });
        assert_eq!(hit("in Krakow", "kraków"), marked("Krakow"));
        assert_eq!(hit("in KRAKÓW!", "krakow"), marked("KRAKÓW"));
        assert_eq!(hit("cafe\u{301}s", "cafe"), marked("cafe\u{301}"), "the accent belongs to its letter");
        assert_eq!(hit("ﬁle", "f"), None, "half a ligature cannot be marked");
        assert_eq!(hit("ﬁle", "file"), marked("ﬁle"));
    }
}
