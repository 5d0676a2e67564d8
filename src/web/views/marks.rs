//! Where in a text the words stand that somebody looked for.

/// A stretch of text, marked or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The text.
    pub text: String,
    /// Whether it is what was looked for.
    pub hit: bool,
}

impl Piece {
    /// `text` in pieces, so that every place where one of `words` stands, in any case, is a piece of its own.
    pub fn cut(text: &str, words: &[String]) -> Vec<Self> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((start, end)) = first_hit(rest, words) {
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

/// The first place where one of `words` stands, the longest of them there.
fn first_hit(text: &str, words: &[String]) -> Option<(usize, usize)> {
    text.char_indices().find_map(|(start, _)| {
        let end = words.iter().filter_map(|word| starts_with(&text[start..], word)).max()?;
        Some((start, start + end))
    })
}

/// How many bytes of `text` say `word`, in any case, if it begins with it.
fn starts_with(text: &str, word: &str) -> Option<usize> {
    if word.is_empty() {
        return None;
    }
    let mut left = text.char_indices();
    for wanted in word.chars().flat_map(char::to_lowercase) {
        let (_, found) = left.next()?;
        if !found.to_lowercase().eq([wanted]) {
            return None;
        }
    }
    Some(left.next().map_or(text.len(), |(at, _)| at))
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
    }
}
