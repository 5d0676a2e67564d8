//! Words: how a text is cut into what can be searched for, the same way for the index, for a query and for the
//! marks in a result.
//!
//! A text falls into segments at everything that is neither letter nor digit; segments have consecutive
//! positions. A segment is found whole and, where it is an identifier, by its parts (`CreateBucket`: create,
//! bucket; `Account2024`: account, 2024) and by what neighbouring parts are together (`RunEC2Instances`: ec2, runec2,
//! ec2instances), all of which share its position. What is asked for is never cut into parts:
//! a compound such as `INC-4711` becomes a phrase of its segments. Runs of Chinese, Japanese or Korean characters
//! are found by pairs.

use std::ops::Range;

use super::fold::{Class, ascii_class, fold_each};

/// The longest word in bytes; a longer segment is cut into such pieces, as if they were written apart.
pub const WORD_BYTES: usize = 200;

/// A segment with more parts than this is a random name rather than an identifier, and found only whole.
const PARTS: usize = 12;

/// So many neighbouring parts are found together at most: each more would be as many words again.
const TOGETHER: usize = 4;

/// One word of a text, whole or in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// The folded word.
    pub text: &'a str,
    /// Which segment of the text it belongs to, counted from 0.
    pub position: u32,
    /// Where in the text it stands, in bytes.
    pub at: Range<usize>,
}

/// One word that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The folded word.
    pub text: String,
    /// How many positions behind the first word of the phrase.
    pub offset: u32,
    /// Whether any word that begins so will do.
    pub prefix: bool,
}

/// Cuts `text` into the words by which it can be found, in the order of their positions, and returns the number of
/// positions.
pub fn tokens(text: &str, mut emit: impl FnMut(Token<'_>)) -> u32 {
    let mut position = 0;
    if text.is_ascii() {
        let mut run = Run::new();
        ascii_segments(text, |at| {
            let word = &text[at.clone()];
            if let Some(lower) = simple(word.as_bytes()) {
                let folded = if lower { word } else { run.lower(word) };
                emit(Token { text: folded, position, at });
                position += 1;
            } else {
                run.fill_ascii(text, at);
                position = run.tokens(position, &mut emit);
            }
        });
    } else {
        segments(text, |run| position = run.tokens(position, &mut emit));
    }
    position
}

/// How many positions [`tokens`] would give `text`.
pub fn positions(text: &str) -> u32 {
    let mut count = 0;
    if text.is_ascii() {
        ascii_segments(text, |at| count += at.len().div_ceil(WORD_BYTES));
        return u32::try_from(count).unwrap_or(u32::MAX);
    }
    let mut count = 0;
    segments(text, |run| match run.script {
        Script::Letters => run.pieces(|_, _| count += 1),
        Script::Ideographs => count += u32::try_from(run.chars.len()).unwrap_or(u32::MAX),
    });
    count
}

/// Calls `each` with where every segment of a text in ASCII stands.
fn ascii_segments(text: &str, mut each: impl FnMut(Range<usize>)) {
    let mut start = None;
    for (at, byte) in text.bytes().enumerate() {
        match (start, byte.is_ascii_alphanumeric()) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                each(from..at);
                start = None;
            }
            _ => {}
        }
    }
    if let Some(from) = start {
        each(from..text.len());
    }
}

/// Whether a segment in ASCII is found only whole, as most are, which can be said without taking it apart: it is a number, in
/// capitals, or in small letters but for the first. If so, whether it is folded as it stands.
fn simple(segment: &[u8]) -> Option<bool> {
    let (first, rest) = segment.split_first()?;
    if segment.len() > WORD_BYTES {
        return None;
    }
    let whole = match first {
        b'0'..=b'9' => rest.iter().all(u8::is_ascii_digit),
        b'a'..=b'z' => rest.iter().all(u8::is_ascii_lowercase),
        _ => rest.iter().all(u8::is_ascii_lowercase) || rest.iter().all(u8::is_ascii_uppercase),
    };
    whole.then_some(!first.is_ascii_uppercase())
}

/// The words to look for when `text` is asked for, one behind the other; with `prefix`, the last one is just the
/// beginning of a word. Empty if `text` has neither letters nor digits.
pub fn asked(text: &str, prefix: bool) -> Vec<Asked> {
    let mut words: Vec<Asked> = Vec::new();
    let mut offset = 0;
    segments(text, |run| match run.script {
        Script::Letters => run.pieces(|piece, _| {
            words.push(Asked { text: run.text(&piece).to_owned(), offset, prefix: false });
            offset += 1;
        }),
        Script::Ideographs => {
            let count = run.chars.len();
            // Every second pair says it all; an odd last character needs the pair it ends.
            let mut starts: Vec<usize> = (0..count.saturating_sub(1)).step_by(2).collect();
            if count % 2 == 1 {
                starts.push(count.saturating_sub(2));
            }
            for start in starts {
                let pair = start..(start + 2).min(count);
                words.push(Asked {
                    text: run.text(&pair).to_owned(),
                    offset: offset + u32::try_from(start).unwrap_or(u32::MAX),
                    prefix: count == 1,
                });
            }
            offset += u32::try_from(count).unwrap_or(u32::MAX);
        }
    });
    if let (true, Some(last)) = (prefix, words.last_mut()) {
        last.prefix |= !is_pair(&last.text);
    }
    words
}

/// Whether `text` is a single segment: a word without separators.
pub fn is_one_word(text: &str) -> bool {
    let mut words = 0;
    let mut separators = false;
    fold_each(text, |_, class, _| separators |= class == Class::Separator);
    segments(text, |_| words += 1);
    words == 1 && !separators
}

/// Whether the last character of `text` belongs to a word.
pub fn ends_in_word(text: &str) -> bool {
    let mut last = Class::Separator;
    fold_each(text, |_, class, _| last = class);
    last != Class::Separator
}

/// A pair of characters of a script without spaces is a whole word of the index, never the beginning of one.
fn is_pair(word: &str) -> bool {
    let mut count = 0;
    let mut ideographs = true;
    fold_each(word, |_, class, _| {
        count += 1;
        ideographs &= class == Class::Ideograph;
    });
    ideographs && count == 2
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Script {
    Letters,
    Ideographs,
}

/// A segment while it is being cut: its folded text, and for every character where it begins there.
struct Run {
    script: Script,
    folded: String,
    chars: Vec<Char>,
}

struct Char {
    folded: usize,
    class: Class,
    source: Range<usize>,
}

/// Calls `each` with every segment of `text`. The segment is reused, so that cutting a text allocates only once.
fn segments(text: &str, mut each: impl FnMut(&Run)) {
    let mut run = Run::new();
    fold_each(text, |c, class, source| {
        let script = match class {
            Class::Separator => None,
            Class::Ideograph => Some(Script::Ideographs),
            _ => Some(Script::Letters),
        };
        if !run.chars.is_empty() && script != Some(run.script) {
            each(&run);
            run.folded.clear();
            run.chars.clear();
        }
        if let Some(script) = script {
            run.script = script;
            run.chars.push(Char { folded: run.folded.len(), class, source });
            run.folded.push(c);
        }
    });
    if !run.chars.is_empty() {
        each(&run);
    }
}

impl Run {
    fn new() -> Self {
        Self { script: Script::Letters, folded: String::new(), chars: Vec::new() }
    }

    /// A word in ASCII, in small letters.
    fn lower(&mut self, word: &str) -> &str {
        self.folded.clear();
        self.folded.push_str(word);
        self.folded.make_ascii_lowercase();
        &self.folded
    }

    /// Becomes the segment of a text in ASCII that stands `at`.
    fn fill_ascii(&mut self, text: &str, at: Range<usize>) {
        self.chars.clear();
        let place = |(folded, byte): (usize, u8)| Char {
            folded,
            class: ascii_class(byte.into()),
            source: at.start + folded..at.start + folded + 1,
        };
        self.chars.extend(text[at.clone()].bytes().enumerate().map(place));
        self.lower(&text[at]);
    }

    /// Cuts the segment into words, the first at `position`, and returns the position behind the last.
    fn tokens(&self, mut position: u32, emit: &mut impl FnMut(Token<'_>)) -> u32 {
        match self.script {
            Script::Letters => self.pieces(|piece, whole| {
                emit(Token { text: self.text(&piece), position, at: self.source(&piece) });
                if whole {
                    self.parts(|part| {
                        emit(Token { text: self.text(&part), position, at: self.source(&part) });
                    });
                }
                position += 1;
            }),
            Script::Ideographs => {
                for index in 0..self.chars.len() {
                    let pair = index..(index + 2).min(self.chars.len());
                    emit(Token { text: self.text(&pair), position, at: self.source(&pair) });
                    position += 1;
                }
            }
        }
        position
    }

    /// The folded text of a range of characters.
    fn text(&self, chars: &Range<usize>) -> &str {
        let start = self.chars[chars.start].folded;
        let end = self.chars.get(chars.end).map_or(self.folded.len(), |next| next.folded);
        &self.folded[start..end]
    }

    /// Where a range of characters stands in the original text.
    fn source(&self, chars: &Range<usize>) -> Range<usize> {
        self.chars[chars.start].source.start..self.chars[chars.end - 1].source.end
    }

    /// The pieces of at most [`WORD_BYTES`], and whether a piece is the whole segment.
    fn pieces(&self, mut each: impl FnMut(Range<usize>, bool)) {
        if self.folded.len() <= WORD_BYTES {
            return each(0..self.chars.len(), true);
        }
        let mut start = 0;
        while start < self.chars.len() {
            let limit = self.chars[start].folded + WORD_BYTES;
            let end = self.chars.partition_point(|c| c.folded <= limit);
            // The character at `end - 1` begins within the limit but may end behind it.
            let whole = end == self.chars.len() && self.folded.len() <= limit;
            let end = if whole { end } else { end - 1 };
            each(start..end, false);
            start = end;
        }
    }

    /// The parts of an identifier, alone and together with their neighbours, but not all of them; nothing if it has just one, or so
    /// many that it cannot be one.
    fn parts(&self, mut each: impl FnMut(Range<usize>)) {
        let mut cuts = [0; PARTS];
        let mut count = 0;
        for index in 1..self.chars.len() {
            if self.begins_part(index) {
                if count == PARTS - 1 {
                    return;
                }
                cuts[count] = index;
                count += 1;
            }
        }
        if count == 0 || (count > 1 && self.is_hexadecimal()) {
            return;
        }
        let cuts = &cuts[..count];
        let bound = |index: usize| match index {
            0 => 0,
            index => cuts.get(index - 1).copied().unwrap_or(self.chars.len()),
        };
        let parts = count + 1;
        // Where the parts are about one character long, it is a random name.
        let together = if self.chars.len() < 2 * parts { 1 } else { TOGETHER };
        for several in 1..=together.min(parts - 1) {
            for first in 0..=parts - several {
                each(bound(first)..bound(first + several));
            }
        }
    }

    /// Whether a new part begins at a character: between letters and digits, at a capital behind a small letter, and
    /// at the last capital of several when a small letter follows (`DBInstances`).
    fn begins_part(&self, index: usize) -> bool {
        let class = |index: usize| self.chars.get(index).map(|c| c.class);
        // One character may have been folded to several; it is not cut.
        if self.chars[index].source == self.chars[index - 1].source {
            return false;
        }
        match (class(index - 1), class(index)) {
            (Some(Class::Digit), Some(now)) => now != Class::Digit,
            (Some(_), Some(Class::Digit)) | (Some(Class::Lower), Some(Class::Upper)) => true,
            (Some(Class::Upper), Some(Class::Upper)) => class(index + 1) == Some(Class::Lower),
            _ => false,
        }
    }

    /// A check sum or a piece of a UUID: its letters and digits alternate by chance.
    fn is_hexadecimal(&self) -> bool {
        self.folded.bytes().all(|byte| byte.is_ascii_hexdigit())
            && self.folded.bytes().any(|byte| byte.is_ascii_digit())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_in_ascii_is_cut_as_any_other(text in "([A-Z]{0,3}[a-z]{0,3}[0-9]{0,3}[ ._-]{0,2}){0,9}|[a-z]{190,410}|[A-Za-z0-9]{195,205}") {
            let mut found = Vec::new();
            let count = tokens(&text, |token| found.push((token.text.to_owned(), token.position, token.at)));
            let (mut general, mut position) = (Vec::new(), 0);
            segments(&text, |run| {
                position = run.tokens(position, &mut |token| general.push((token.text.to_owned(), token.position, token.at)));
            });
            prop_assert_eq!(found, general);
            prop_assert_eq!((count, positions(&text)), (position, position));
        }
    }

    fn words(text: &str) -> String {
        let mut out = Vec::new();
        tokens(text, |token| out.push(format!("{}@{}", token.text, token.position)));
        out.join(" ")
    }

    fn asks(text: &str, prefix: bool) -> String {
        let star = |word: &Asked| if word.prefix { "*" } else { "" };
        asked(text, prefix)
            .iter()
            .map(|word| format!("{}{}@{}", word.text, star(word), word.offset))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn identifiers_are_found_whole_and_by_their_parts() {
        for (text, expected) in [
            ("CreateBucket", "createbucket@0 create@0 bucket@0"),
            (
                "DescribeDBInstances",
                "describedbinstances@0 describe@0 db@0 instances@0 describedb@0 dbinstances@0",
            ),
            ("Account_2024.csv", "account@0 2024@1 csv@2"),
            ("Account2024", "account2024@0 account@0 2024@0"),
            ("INC-4711", "inc@0 4711@1"),
            ("10.248.16.43", "10@0 248@1 16@2 43@3"),
            ("s3:PutObject", "s3@0 s@0 3@0 putobject@1 put@1 object@1"),
            ("ec2", "ec2@0 ec@0 2@0"),
            ("XMLHttpRequest", "xmlhttprequest@0 xml@0 http@0 request@0 xmlhttp@0 httprequest@0"),
            ("PutS3Object", "puts3object@0 put@0 s@0 3@0 object@0 puts@0 s3@0 3object@0 puts3@0 s3object@0"),
            ("Enable2FA", "enable2fa@0 enable@0 2@0 fa@0 enable2@0 2fa@0"),
            ("Zażółć GĘŚLĄ", "zazolc@0 gesla@1"),
            ("StraßenBahn", "strassenbahn@0 strassen@0 bahn@0"),
            ("", ""),
            ("--- !", ""),
        ] {
            assert_eq!(words(text), expected, "{text:?}");
        }
    }

    #[test]
    fn check_sums_and_random_names_are_found_only_whole() {
        assert_eq!(words("9f86d081"), "9f86d081@0");
        assert_eq!(words("q83Vd9XzA7kLm2Pw5TrY0b"), "q83vd9xza7klm2pw5try0b@0");
        assert_eq!(words("aX3kP9"), "ax3kp9@0 a@0 x@0 3@0 k@0 p@0 9@0", "no two of its parts are a word");
        assert_eq!(
            words("bed2"),
            "bed2@0 bed@0 2@0",
            "one letter run and one number are still an identifier"
        );
    }

    #[test]
    fn scripts_without_spaces_are_found_by_pairs() {
        assert_eq!(words("東京都2024年"), "東京@0 京都@1 都@2 2024@3 年@4");
        assert_eq!(asks("東京都", false), "東京@0 京都@1");
        assert_eq!(asks("東京都庁", false), "東京@0 都庁@2");
        assert_eq!(asks("東", false), "東*@0");
        assert_eq!(asks("東京2024", false), "東京@0 2024@2");
        assert_eq!(asks("東京", true), "東京@0");
        assert_eq!(words("한국어"), "한국@0 국어@1 어@2");
    }

    #[test]
    fn what_is_asked_for_is_never_cut_into_parts() {
        assert_eq!(asks("CreateBucket", false), "createbucket@0");
        assert_eq!(asks("INC-4711", false), "inc@0 4711@1");
        assert_eq!(asks("INC-47", true), "inc@0 47*@1");
        assert_eq!(asks("---", false), "");
    }

    #[test]
    fn an_overlong_word_is_cut_alike_in_a_text_and_in_a_query() {
        let long = "ab".repeat(250);
        let expected = format!("{0}@0 {0}@1 {1}@2", "ab".repeat(100), "ab".repeat(50));
        assert_eq!(words(&long), expected);
        assert_eq!(asks(&long, false), expected);
        let wide = "ж".repeat(101);
        assert_eq!(words(&wide), format!("{}@0 ж@1", "ж".repeat(100)));
        assert_eq!(positions(&long), 3);
    }

    #[test]
    fn a_word_knows_where_it_stands() {
        let text = "é CreateBucket";
        let mut places = Vec::new();
        tokens(text, |token| places.push(text[token.at].to_owned()));
        assert_eq!(places, ["é", "CreateBucket", "Create", "Bucket"]);
        let mut found = 0;
        tokens(&"Part".repeat(12), |token| found += usize::from(token.text.len() <= 4 * TOGETHER));
        assert_eq!(found, 12 + 11 + 10 + 9, "no more than four together");
    }

    #[test]
    fn one_word_has_no_separators() {
        assert!(is_one_word("sign") && is_one_word("CreateBucket"));
        assert!(
            !is_one_word("sign-in") && !is_one_word("-sign") && !is_one_word("東京2024") && !is_one_word("")
        );
        assert!(ends_in_word("sign-in") && !ends_in_word("sign-"));
    }
}
