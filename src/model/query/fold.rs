//! Folding: the one form in which letters are compared, without regard to case and accents.

use std::ops::Range;

use unicode_normalization::char::{compose, decompose_compatible};

/// What a folded character is to a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// An upper-case letter before it was folded.
    Upper,
    /// A letter of a script with cases, in lower case.
    Lower,
    /// A letter of any other script.
    Letter,
    /// A digit.
    Digit,
    /// A character of a script that is written without spaces: Chinese, Japanese, Korean.
    Ideograph,
    /// Anything else: it stands between words.
    Separator,
}

/// Calls `emit` with every character of `text` as it is folded, its class, and where in `text` it comes from.
/// One character may fold to several (`ß`) or to none (an accent).
pub(super) fn fold_each(text: &str, mut emit: impl FnMut(char, Class, Range<usize>)) {
    let mut held: Option<(char, Range<usize>)> = None;
    for (at, c) in text.char_indices() {
        let source = at..at + c.len_utf8();
        if c.is_ascii() {
            release(&mut held, &mut emit);
            emit(c.to_ascii_lowercase(), ascii_class(c), source);
        } else if may_compose(c) {
            // Syllables of Hangul and voiced kana may come in pieces; they are put together, never taken apart.
            compose_onto(&mut held, c, source, &mut emit);
        } else {
            let upper = c.is_uppercase();
            decompose_compatible(c, |part| {
                if may_compose(part) {
                    compose_onto(&mut held, part, source.clone(), &mut emit);
                } else if !is_accent(part) {
                    release(&mut held, &mut emit);
                    fold_letter(part, upper, &source, &mut emit);
                }
            });
        }
    }
    release(&mut held, &mut emit);
}

/// `text` as it is compared, separators and all.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_each(text, |c, _, _| folded.push(c));
    folded
}

/// The class of a character of ASCII.
pub(super) fn ascii_class(c: char) -> Class {
    match c {
        'a'..='z' => Class::Lower,
        'A'..='Z' => Class::Upper,
        '0'..='9' => Class::Digit,
        _ => Class::Separator,
    }
}

/// Folds a character that is already decomposed: lower case, and the letters that carry their accent within.
fn fold_letter(
    c: char,
    upper: bool,
    source: &Range<usize>,
    emit: &mut impl FnMut(char, Class, Range<usize>),
) {
    let plain = match c {
        'ß' | 'ẞ' => "ss",
        'æ' | 'Æ' => "ae",
        'œ' | 'Œ' => "oe",
        'ø' | 'Ø' => "o",
        'ł' | 'Ł' => "l",
        'đ' | 'Đ' | 'ð' | 'Ð' => "d",
        'þ' | 'Þ' => "th",
        'ħ' | 'Ħ' => "h",
        'ŧ' | 'Ŧ' => "t",
        'ı' => "i",
        'ς' => "σ",
        _ => "",
    };
    if plain.is_empty() {
        for low in c.to_lowercase().filter(|low| !is_accent(*low)) {
            emit(low, class(low, upper || c.is_uppercase()), source.clone());
        }
    } else {
        for letter in plain.chars() {
            emit(letter, if upper { Class::Upper } else { Class::Lower }, source.clone());
        }
    }
}

/// The class of a folded character.
fn class(c: char, upper: bool) -> Class {
    if is_ideograph(c) {
        Class::Ideograph
    } else if c.is_numeric() {
        Class::Digit
    } else if c.is_alphabetic() {
        match (upper, c.is_lowercase()) {
            (true, _) => Class::Upper,
            (false, true) => Class::Lower,
            (false, false) => Class::Letter,
        }
    } else if unicode_normalization::char::is_combining_mark(c) {
        // A vowel sign is part of its word; only accents are dropped.
        Class::Letter
    } else {
        Class::Separator
    }
}

/// Marks that one may or may not write, and characters that cannot be seen.
const fn is_accent(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}' | '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}'..='\u{5c2}'
        | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}'
        | '\u{ad}' | '\u{200c}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

/// Scripts whose words are not parted by spaces and are therefore found by pairs of characters.
const fn is_ideograph(c: char) -> bool {
    matches!(c,
        '\u{1100}'..='\u{11ff}' | '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{30ff}' | '\u{3105}'..='\u{312f}'
        | '\u{3131}'..='\u{318e}' | '\u{31a0}'..='\u{31bf}' | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{a960}'..='\u{a97f}' | '\u{ac00}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}')
        && c != '\u{30fb}'
}

/// Characters that are put together with the one before them, or wait for the one behind.
const fn may_compose(c: char) -> bool {
    matches!(c,
        '\u{1100}'..='\u{11ff}' | '\u{ac00}'..='\u{d7a3}' | '\u{3041}'..='\u{30fa}' | '\u{30fc}'..='\u{30ff}')
}

type Held = Option<(char, Range<usize>)>;

fn compose_onto(
    held: &mut Held,
    c: char,
    source: Range<usize>,
    emit: &mut impl FnMut(char, Class, Range<usize>),
) {
    if let Some((before, place)) = held
        && let Some(whole) = compose(*before, c)
    {
        *before = whole;
        place.end = source.end;
        return;
    }
    release(held, emit);
    *held = Some((c, source));
}

fn release(held: &mut Held, emit: &mut impl FnMut(char, Class, Range<usize>)) {
    if let Some((c, place)) = held.take() {
        emit(c, class(c, false), place);
    }
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn case_and_accents_make_no_difference() {
        for (written, folded) in [
            ("CreateBucket", "createbucket"),
            ("Kraków", "krakow"),
            ("Krako\u{301}w", "krakow"),
            ("ŁÓDŹ", "lodz"),
            ("Straße STRASSE", "strasse strasse"),
            ("Ærø", "aero"),
            ("İstanbul ISTANBUL ıstanbul", "istanbul istanbul istanbul"),
            ("Đà Nẵng", "da nang"),
            ("ﬁle ①", "file 1"),
            ("ＡＢＣ１", "abc1"),
            ("ΟΔΟΣ οδος", "οδοσ οδοσ"),
            ("Ёлка", "елка"),
            ("soft\u{ad}hyphen", "softhyphen"),
        ] {
            assert_eq!(fold(written), folded, "{written:?}");
        }
    }

    #[test]
    fn syllables_in_pieces_are_the_same_as_whole_ones() {
        assert_eq!(fold("\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}"), "한국");
        assert_eq!(fold("か\u{3099}"), "が");
        assert_eq!(fold("ｶﾞｽ"), "ガス");
        assert_ne!(fold("ガス"), fold("カス"));
    }
}
