//! Texts in a few bytes that can be read one by one: their words by number, with the space behind them implied.
//!
//! A general compressor needs a page of neighbours to be good, and then has to unpack all of them for one. Details are
//! sentences of a few thousand words, names and numbers; with their commonest words in a dictionary, a word takes 1.6
//! bytes, and a text is read in some hundred nanoseconds without touching its neighbours.
//!
//! A text is cut at its spaces. A chunk that is no word of the dictionary is cut again, into digits and the rest
//! (`TK-004711` is `TK-` and a number), or stands there as it is, whichever is shorter.
//!
//! ```text
//! code   number = what << 1 | whether a space follows
//! what 0 a literal: length, bytes
//! what 1 digits:    how many (at most 18), their value
//! what n the word n - 2 of the dictionary
//! ```

use super::{
    bytes::{Input, damaged, put, put_slice},
    dictionary::{Codes, Dictionary, Tally},
};
use crate::store::StoreError;

const LITERAL: u64 = 0;
const DIGITS: u64 = 1;
const WORDS: u64 = 2;

/// The most digits whose value fits.
const FIT: usize = 18;

/// The longest word that may come into a dictionary, in bytes.
const LONGEST: usize = 64;

/// How often a word must occur to be worth its entry.
const OFTEN: u32 = 3;

/// The most words of a dictionary.
const MOST: usize = 1 << 16;

/// Counts the chunks of a text.
pub(super) fn count(tally: &mut Tally, text: &str) {
    for chunk in text.split(' ').filter(|chunk| (1..=LONGEST).contains(&chunk.len())) {
        tally.see(chunk.as_bytes());
    }
}

/// The words that are worth an entry, from the chunks that were counted: those that come often, and the pieces of the others.
pub(super) fn words(chunks: &Tally) -> Codes {
    let mut words = Tally::default();
    for (chunk, count) in chunks.iter() {
        if count >= OFTEN {
            words.see_often(chunk, count);
        } else if let Ok(chunk) = std::str::from_utf8(chunk) {
            for piece in pieces(chunk) {
                words.see_often(piece.as_bytes(), count);
            }
        }
    }
    words.rank(MOST, |word, count| count >= OFTEN && word.len() > 1 || count >= 100)
}

/// Appends `text`.
pub(super) fn write(words: &Codes, text: &str, out: &mut Vec<u8>) {
    if text.is_empty() {
        return;
    }
    let mut cut = Vec::new();
    let mut chunks = text.split(' ').peekable();
    while let Some(chunk) = chunks.next() {
        let space = u64::from(chunks.peek().is_some());
        if let Some(word) = words.number(chunk.as_bytes()) {
            put(out, (u64::from(word) + WORDS) << 1 | space);
            continue;
        }
        cut.clear();
        let mut rest = pieces(chunk).peekable();
        while let Some(piece) = rest.next() {
            write_piece(words, piece, if rest.peek().is_some() { 0 } else { space }, &mut cut);
        }
        if !cut.is_empty() && cut.len() < chunk.len() + 2 {
            out.extend_from_slice(&cut);
        } else {
            put(out, LITERAL << 1 | space);
            put_slice(out, chunk.as_bytes());
        }
    }
}

fn write_piece(words: &Codes, piece: &str, space: u64, out: &mut Vec<u8>) {
    if let Some(word) = words.number(piece.as_bytes()) {
        put(out, (u64::from(word) + WORDS) << 1 | space);
    } else if let Some(value) = value(piece) {
        put(out, DIGITS << 1 | space);
        put(out, piece.len() as u64);
        put(out, value);
    } else {
        put(out, LITERAL << 1 | space);
        put_slice(out, piece.as_bytes());
    }
}

/// Reads the whole of `input` as one text.
pub(super) fn read(words: &Dictionary, mut input: Input<'_>) -> Result<String, StoreError> {
    let mut text = Vec::with_capacity(input.0.len() * 4);
    while !input.is_empty() {
        let code = input.number()?;
        match code >> 1 {
            LITERAL => text.extend_from_slice(input.slice()?),
            DIGITS => {
                let length = input.size()?;
                read_digits(length, input.number()?, &mut text)?;
            }
            word => {
                let number = usize::try_from(word - WORDS).map_err(|_| damaged())?;
                text.extend_from_slice(words.get(number).ok_or_else(damaged)?);
            }
        }
        if code & 1 == 1 {
            text.push(b' ');
        }
    }
    String::from_utf8(text).map_err(|_| damaged())
}

fn read_digits(length: usize, mut value: u64, text: &mut Vec<u8>) -> Result<(), StoreError> {
    if length > FIT {
        return Err(damaged());
    }
    let start = text.len();
    text.resize(start + length, b'0');
    for digit in text[start..].iter_mut().rev() {
        *digit += (value % 10).to_le_bytes()[0];
        value /= 10;
    }
    if value == 0 { Ok(()) } else { Err(damaged()) }
}

/// The value of a piece that is digits alone and not too many.
fn value(piece: &str) -> Option<u64> {
    if piece.len() > FIT || !piece.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    piece.parse().ok()
}

/// A chunk, cut where digits begin and end.
fn pieces(chunk: &str) -> impl Iterator<Item = &str> {
    let mut rest = chunk;
    std::iter::from_fn(move || {
        let digits = rest.bytes().next()?.is_ascii_digit();
        let end = rest.bytes().position(|byte| byte.is_ascii_digit() != digits).unwrap_or(rest.len());
        let (piece, behind) = rest.split_at(end);
        rest = behind;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn learnt(texts: &[&str]) -> Codes {
        let mut chunks = Tally::default();
        for text in texts {
            count(&mut chunks, text);
        }
        words(&chunks)
    }

    fn there_and_back(words: &Codes, text: &str) -> usize {
        let mut bytes = Vec::new();
        write(words, text, &mut bytes);
        assert_eq!(read(&words.dictionary, Input(&bytes)).unwrap(), text);
        bytes.len()
    }

    #[test]
    fn a_known_word_takes_a_byte_and_a_number_its_value() {
        let known =
            learnt(&["retention policy of TK-1", "retention policy of TK-2", "retention policy of TK-3"]);
        assert_eq!(there_and_back(&known, "retention policy of"), 3);
        assert_eq!(there_and_back(&known, "TK-000123 policy"), 1 + 3 + 1);
        assert_eq!(there_and_back(&known, "policy  of "), 1 + 2 + 1 + 2);
        assert_eq!(there_and_back(&known, ""), 0);
    }

    #[test]
    fn what_is_new_takes_two_bytes_more_than_it_is_long() {
        let none = Codes::default();
        for text in ["Kraków", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "00000000000000000000000000000000001"]
        {
            assert!(there_and_back(&none, text) <= text.len() + 2, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_text_comes_back(texts in prop::collection::vec("(\\PC| |[a-c]{1,2}|[0-9]){0,30}", 1..20)) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let words = learnt(&texts.repeat(3));
            for text in texts {
                there_and_back(&words, text);
                there_and_back(&Codes::default(), text);
            }
        }

        #[test]
        fn damaged_bytes_are_an_error_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let words = learnt(&["a b c", "a b c", "a b c"]);
            let _ = read(&words.dictionary, Input(&bytes));
        }
    }
}
