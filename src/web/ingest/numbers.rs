//! Whole numbers in JSON beyond 64 bits, which some programs name things by. What reads them keeps some sixteen of their digits, and of two
//! such names one would be taken for the other. All their digits are kept, as text.

use std::borrow::Cow;

use memchr::memchr2;
use serde_json::Number;

/// How many digits a number that loses some has at least.
const LONG: usize = 19;

/// A text of JSON in which each whole number beyond 64 bits is a string of its digits. What is no JSON stays none.
pub(super) fn kept(json: &str) -> Cow<'_, str> {
    let (bytes, mut whole, mut known, mut at) = (json.as_bytes(), String::new(), 0, 0);
    if !has_many_digits(bytes) {
        return Cow::Borrowed(json);
    }
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = behind_string(bytes, at),
            b'-' | b'0'..=b'9' => {
                let length = bytes[at..].iter().take_while(|byte| belongs(**byte)).count();
                let number = &json[at..at + length];
                if loses(number) {
                    whole.extend([&json[known..at], "\"", number, "\""]);
                    known = at + length;
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    if known == 0 {
        return Cow::Borrowed(json);
    }
    whole.push_str(&json[known..]);
    Cow::Owned(whole)
}

/// Whether [`LONG`] digits stand side by side anywhere, which they hardly ever do: one byte in so many is looked at.
fn has_many_digits(bytes: &[u8]) -> bool {
    let mut at = LONG - 1;
    while let Some(byte) = bytes.get(at) {
        if !byte.is_ascii_digit() {
            at += LONG;
            continue;
        }
        let before = bytes[..at].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let behind = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if before + behind >= LONG {
            return true;
        }
        at += behind + LONG;
    }
    false
}

/// Where the string ends that begins at `at`, or the text if it does not.
fn behind_string(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    loop {
        match bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
            None => return bytes.len(),
            Some(length) if bytes[at + length] == b'"' => return at + length + 1,
            Some(length) => at += length + 2,
        }
    }
}

fn belongs(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

/// Whether a whole number is read as one that is not; false of what is no number.
fn loses(number: &str) -> bool {
    let is_whole = !number.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
    is_whole && number.len() >= LONG && number.parse::<Number>().is_ok_and(|read| read.is_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_would_lose_digits_is_kept_as_text() {
        for (json, whole) in [
            ("98765432109876543210", r#""98765432109876543210""#),
            (r#"{"id":98765432109876543211,"n":[1]}"#, r#"{"id":"98765432109876543211","n":[1]}"#),
            (
                "[-9223372036854775809, 18446744073709551617]",
                r#"["-9223372036854775809", "18446744073709551617"]"#,
            ),
            (r#"{"a\"1":{"b":98765432109876543210}}"#, r#"{"a\"1":{"b":"98765432109876543210"}}"#),
            ("100000000000000000000", r#""100000000000000000000""#),
        ] {
            assert_eq!(kept(json), whole);
        }
    }

    #[test]
    fn many_digits_are_seen_wherever_they_stand() {
        for (before, digits, behind) in
            (0..45).flat_map(|before| [(before, 18, 7), (before, 19, 0), (before, 19, 40), (before, 20, 3)])
        {
            let text = format!("{:a<before$}{:9<digits$}{:b<behind$}", "", "", "");
            assert_eq!(has_many_digits(text.as_bytes()), digits >= LONG, "{text}");
        }
        let apart = ["9"; 100].join("1 2").repeat(3) + " 123456789012345678";
        assert!(!has_many_digits(apart.as_bytes()));
    }

    #[test]
    fn any_other_number_stays_one_and_what_is_no_json_stays_none() {
        for json in [
            "",
            "0",
            "-0",
            "-0.0",
            "1.10",
            "1.0e3",
            "1e3",
            "0.000120",
            "5e-324",
            "18446744073709551615",
            "-9223372036854775808",
            "1.7976931348623157e308",
            "0.1",
            "0.30000000000000004",
            "0.10000000000000001",
            "0.12345678901234567891",
            "1767225600.123456789012",
            "1e400",
            "1767225600.123",
            r#""98765432109876543211""#,
            r#"{"98765432109876543211":"x\\","a":"\"98765432109876543211"}"#,
            r#""98765432109876543211"#,
            r#""\"#,
            "098765432109876543211",
            "9876543210.9876543.211",
            "98765432109876543211.",
            "98765432109876543211e",
            "98765432109876543211-1",
            "1e400e1",
            "-",
        ] {
            assert!(matches!(kept(json), Cow::Borrowed(same) if same == json), "{json}: {}", kept(json));
        }
    }
}
