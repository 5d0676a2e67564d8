//! What comes from elsewhere, on a terminal: what the terminal would obey is shown, not done.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use serde::Serialize;

use crate::model::user::unseen;

/// A text as a terminal may have it: for control characters, and such as turn the direction of writing or are not seen, there stands
/// the sign of what cannot be shown.
pub(super) fn plain(text: &str) -> String {
    let shown = |c| match c {
        '\n' | '\r' | '\t' => ' ',
        c if unseen(c) => '\u{fffd}',
        c => c,
    };
    text.chars().map(shown).collect()
}

/// An error and what caused it, in one line; a cause that has been named is not named again.
pub(super) fn causes(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if !said.contains(&text) {
            let colon = if said.is_empty() { "" } else { ": " };
            let _ = write!(said, "{colon}{text}");
        }
    }
    plain(&said)
}

/// Writes a value as JSON in one line, or in several, and a line's end behind it. What a terminal would obey is escaped, which is
/// the same to whoever reads it as JSON.
pub(super) fn json(out: &mut dyn Write, value: &impl Serialize, pretty: bool) -> io::Result<()> {
    let text = if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) }?;
    let mut shown = String::with_capacity(text.len() + 1);
    let mut units = [0; 2];
    for c in text.chars() {
        // Within a string: those of ASCII are escaped already, but for the last.
        if c >= '\u{7f}' && unseen(c) {
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    writeln!(out, "{shown}")
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;
    use serde_json::{Value, json};

    use super::*;

    const HOSTILE: &str = "a\u{1b}[31m\u{9b}2J\u{7f}\u{202e}gnp.\u{200b}";

    #[test]
    fn a_terminal_obeys_nothing_that_comes_from_elsewhere() {
        let shown = plain(HOSTILE);
        assert_eq!(shown, "a\u{fffd}[31m\u{fffd}2J\u{fffd}\u{fffd}gnp.\u{fffd}");
        for pretty in [false, true] {
            let mut out = Vec::new();
            let value = json!({"user": HOSTILE, "place": "Łódź 東京 😀"});
            json(&mut out, &value, pretty).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(!text.chars().any(|c| c != '\n' && unseen(c)), "{text:?}");
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
    }

    #[test]
    fn a_cause_is_named_once() {
        let missing = io::Error::other("there is no such file");
        let said = Err::<(), _>(missing).context("x could not be opened: there is no such file");
        assert_eq!(causes(&said.unwrap_err()), "x could not be opened: there is no such file");
        let other = Err::<(), _>(io::Error::other("no\u{1b} room")).context("x could not be written");
        assert_eq!(causes(&other.unwrap_err()), "x could not be written: no\u{fffd} room");
    }
}
