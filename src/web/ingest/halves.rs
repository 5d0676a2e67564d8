//! Halves of characters in JSON. A character beyond the first 65,536 is two escapes there (`\\ud83d\\ude00`), and a program that cuts a text
//! by its length may leave the one of them. That is no text in any Unicode encoding, and no reason to lose what else the record says.

use std::borrow::Cow;

use memchr::{memchr, memmem};

/// How long an escape is.
const ESCAPE: usize = 6;

/// A text of JSON in which each half of a character is this escape instead, which is as long.
pub(super) fn replaced<'t>(json: &'t str, escape: &str) -> Cow<'t, str> {
    if memmem::find(json.as_bytes(), b"\\u").is_none() {
        return Cow::Borrowed(json);
    }
    let (mut whole, mut known, mut at) = (String::new(), 0, 0);
    while let Some(behind) = json.as_bytes().get(at..).and_then(|rest| memchr(b'\\', rest)) {
        at += behind;
        at += match (unit(json, at), unit(json, at + ESCAPE)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 2 * ESCAPE,
            (Some(0xd800..=0xdfff), _) => {
                whole.push_str(&json[known..at]);
                whole.push_str(escape);
                known = at + ESCAPE;
                ESCAPE
            }
            // Any other escape; of `\\\\` the second begins none.
            _ => 2,
        };
    }
    if known == 0 {
        return Cow::Borrowed(json);
    }
    whole.push_str(&json[known..]);
    Cow::Owned(whole)
}

/// The unit of UTF-16 whose escape stands here.
fn unit(json: &str, at: usize) -> Option<u16> {
    let digits = json.get(at..at + ESCAPE)?.strip_prefix("\\u")?;
    // What is read as a number may have a sign.
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_of_a_character_is_replaced_and_nothing_else_is() {
        for (json, whole) in [
            (r#""shipped \ud83d""#, r#""shipped \ufffd""#),
            (r#""\uDE00 \ud83d\ud83d\ude00\udc00""#, r#""\ufffd \ufffd\ud83d\ude00\ufffd""#),
            (r#"{"\ud800":"\ud800x","b":"\\\ud800"}"#, r#"{"\ufffd":"\ufffdx","b":"\\\ufffd"}"#),
        ] {
            assert_eq!(replaced(json, r"\ufffd"), whole);
        }
        for json in [
            "",
            r#""plain""#,
            r#""\ud83d\ude00 \u00e9 \n \\ud83d \\\\ud83d""#,
            r#""\u+123 \ud8"#,
            r"\",
            r"\u",
            r"\ud83ż",
            "\\ż\\ud83",
        ] {
            assert!(matches!(replaced(json, r"\ufffd"), Cow::Borrowed(same) if same == json), "{json}");
        }
    }
}
