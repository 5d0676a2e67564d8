//! Which passwords are taken: long ones that nobody would try first (NIST SP 800-63B-4, 3.1.1.2). There are no
//! rules of what they must be composed of.

use std::io::{BufRead, BufReader};

use unicode_normalization::UnicodeNormalization;

use crate::model::secret::{Password, WeakPassword};

/// Passwords of eight characters and more that people are known to choose, folded and sorted, a line each;
/// `data/README.md` says where they come from.
static COMMON: &[u8] = include_bytes!("../../../data/common-passwords.zst");

/// A shorter name is part of too many words to be held against anybody, in characters.
const NAME: usize = 4;

/// What must be left of a password without the names in it, in letters and digits.
const REST: usize = 8;

/// Takes a password that somebody wants to have from now on, or says why not. `names` are what anybody would
/// try first: the user's, the organisation's, the host's.
pub(in crate::domain) fn choose<'a>(
    text: String,
    names: impl IntoIterator<Item = &'a str>,
) -> Result<Password, WeakPassword> {
    let password = Password::chosen(text.clone())?;
    let folded = fold(&text);
    if is_common(&folded) {
        return Err(WeakPassword::Common);
    }
    if is_repetition(&folded) || is_sequence(&folded) {
        return Err(WeakPassword::Pattern);
    }
    let names = names.into_iter().flat_map(|name| {
        name.split(|c: char| !c.is_alphanumeric()).chain([name]).map(fold).collect::<Vec<_>>()
    });
    match little_but_names(&folded, names) {
        Some(name) => Err(WeakPassword::Name(name)),
        None => Ok(password),
    }
}

/// The form in which passwords are compared here: case and forms of letters do not make one harder to guess.
fn fold(text: &str) -> String {
    text.nfkc().collect::<String>().to_lowercase().trim().to_owned()
}

/// Whether it is one of the list. The list is unpacked for each question, which takes a millisecond beside the
/// thirty of a hash, and nothing of it stays in memory.
fn is_common(folded: &str) -> bool {
    let Ok(unpacked) = zstd::Decoder::new(COMMON) else { return false };
    BufReader::new(unpacked).lines().map_while(Result::ok).any(|line| line == folded)
}

/// Whether it is a few characters again and again.
fn is_repetition(folded: &str) -> bool {
    let letters: Vec<char> = folded.chars().collect();
    (1..=letters.len() / 2).any(|unit| {
        let repeats = letters.iter().skip(unit).zip(&letters).all(|(later, earlier)| later == earlier);
        repeats && (unit < REST || is_common(&letters[..unit].iter().collect::<String>()))
    })
}

/// Whether it counts up or down, or stays: `123456789012345`, `abcdefghijklmnop`, `aaaabbbbccccdddd`.
fn is_sequence(folded: &str) -> bool {
    let letters: Vec<u32> = folded.chars().map(u32::from).collect();
    let step = |pair: &[u32]| {
        let around = matches!((pair[0], pair[1]), (0x39, 0x30) | (0x30, 0x39));
        pair[0].abs_diff(pair[1]) <= 1 || around
    };
    letters.windows(2).filter(|pair| !step(pair)).count() <= 1
}

/// The name without which next to nothing is left of the password, if there is one.
fn little_but_names(folded: &str, names: impl Iterator<Item = String>) -> Option<String> {
    let mut names: Vec<String> = names.filter(|name| name.chars().count() >= NAME).collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    let (mut rest, mut held) = (folded.to_owned(), None);
    for name in names {
        if rest.contains(&name) {
            rest = rest.replace(&name, " ");
            held.get_or_insert(name);
        }
    }
    held.filter(|_| rest.chars().filter(|c| c.is_alphanumeric()).count() < REST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str) -> Option<WeakPassword> {
        choose(text.to_owned(), ["rollcall", "ada.lovelace", "Example GmbH"]).err()
    }

    #[test]
    fn a_password_that_many_people_have_is_refused() {
        for common in ["1qaz2wsx3edc4rfv", "qwerty123456789", "PASSWORDpassword", "ｑｗｅｒｔｙ123456789 "]
        {
            assert!(matches!(judged(common), Some(WeakPassword::Common | WeakPassword::Pattern)), "{common}");
        }
        assert_eq!(judged("PolniyPizdec0211"), Some(WeakPassword::Common));
    }

    #[test]
    fn a_pattern_is_refused() {
        for pattern in ["aaaaaaaaaaaaaaaa", "abcabcabcabcabc", "123456789012345", "zyxwvutsrqponmlk"] {
            assert!(judged(pattern).is_some(), "{pattern}");
        }
    }

    #[test]
    fn a_name_is_no_secret() {
        for name in ["rollcall-rollcall", "Rollcall Example 26", "ada.lovelace.2026", "lovelace+example!"] {
            assert!(matches!(judged(name), Some(WeakPassword::Name(_))), "{name}: {:?}", judged(name));
        }
        assert_eq!(judged("lovelace reads eleven books"), None);
    }

    #[test]
    fn nothing_else_is_asked_of_a_password() {
        for fine in
            ["correct horse battery staple", "849302716453920", "söäüpfwklqemnrt", "           x  y  z"]
        {
            assert_eq!(judged(fine), None, "{fine}");
        }
    }

    #[test]
    fn the_list_holds_what_it_is_said_to_hold() {
        let unpacked = zstd::decode_all(COMMON).unwrap();
        let lines: Vec<&str> = std::str::from_utf8(&unpacked).unwrap().lines().collect();
        assert!(lines.len() > 19_000 && lines.is_sorted());
        assert!(lines.iter().all(|line| fold(line) == *line && line.chars().count() >= REST));
    }
}
