//! The bridge from [`crate::model::query::words`] to Tantivy's tokenizers.

use tantivy::{
    Index,
    tokenizer::{TextAnalyzer, Token, TokenStream, Tokenizer},
};

use super::schema::NUL;
use crate::model::query::words;

/// The words of a text.
pub(super) const WORDS: &str = "words";
/// The words of a text behind its field's name: `key NUL text`, and every word becomes `key NUL word`.
pub(super) const NAMED_WORDS: &str = "named-words";

/// Makes the tokenizers known to `index`.
pub(super) fn register(index: &Index) {
    let analyzer = |named| TextAnalyzer::from(Words { named, ..Words::default() });
    index.tokenizers().register(WORDS, analyzer(false));
    index.tokenizers().register(NAMED_WORDS, analyzer(true));
}

/// Cuts one text at a time; what it cut is kept so that no text needs new memory.
#[derive(Clone, Default)]
struct Words {
    named: bool,
    text: String,
    /// Where in `text` each word ends, and its position.
    cuts: Vec<(usize, u32)>,
}

struct Stream<'a> {
    words: &'a Words,
    key: &'a str,
    next: usize,
    start: usize,
    token: Token,
}

impl Tokenizer for Words {
    type TokenStream<'a> = Stream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Stream<'a> {
        let split = if self.named { text.find(NUL).map_or(0, |nul| nul + NUL.len_utf8()) } else { 0 };
        let (key, text) = text.split_at(split);
        self.text.clear();
        self.cuts.clear();
        words::tokens(text, |token| {
            self.text.push_str(token.text);
            self.cuts.push((self.text.len(), token.position));
        });
        Stream { words: self, key, next: 0, start: 0, token: Token::default() }
    }
}

impl TokenStream for Stream<'_> {
    fn advance(&mut self) -> bool {
        let Some(&(end, position)) = self.words.cuts.get(self.next) else { return false };
        self.token.text.clear();
        self.token.text.push_str(self.key);
        self.token.text.push_str(&self.words.text[self.start..end]);
        self.token.position = position as usize;
        self.token.position_length = 1;
        self.start = end;
        self.next += 1;
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}
