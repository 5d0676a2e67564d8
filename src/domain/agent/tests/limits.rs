//! Whatever a header holds, the answer is short, clean and there.

use proptest::prelude::*;

use crate::{
    domain::agent::device,
    model::device::{Agent, Device, Kind},
};

/// Whether every text of `device` is short and made of the characters that columns may hold.
fn is_bounded(device: &Device) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " ._-/+!:()".contains(c);
    [&device.device, &device.os, &device.browser]
        .iter()
        .all(|text| text.len() <= 64 && text.chars().all(allowed) && text.trim() == text.as_str())
}

/// The same text in every field, uncut, as no caller should send it.
fn everywhere(text: &str) -> Agent {
    let some = || Some(text.to_owned());
    Agent {
        user_agent: text.to_owned(),
        brands: some(),
        full_versions: some(),
        platform: some(),
        platform_version: some(),
        model: some(),
        mobile: None,
    }
}

#[test]
fn nothing_is_known_of_nothing() {
    for empty in ["", "-", " ", "\0", "\r\n", "(", ")", "\"", "/", "//", ";;;;", "\u{202e}", "\u{1f980}"] {
        assert_eq!(device(&Agent::of(empty)), Device::default(), "{empty:?}");
    }
}

#[test]
fn a_header_of_400_kilobytes_is_answered_like_a_short_one() {
    for piece in
        ["(", ")", ";", "\"", "\\", "Mozilla/5.0 (", "Android ", "compatible; ", "v=", "bot ", "\u{e9}", "\0"]
    {
        let long = piece.repeat(400_000 / piece.len());
        let answer = device(&everywhere(&long));
        assert!(is_bounded(&answer), "{piece:?}: {answer:?}");
        assert_eq!(answer, device(&everywhere(Agent::cut(&long))), "{piece:?}");
    }
}

#[test]
fn control_characters_and_markup_never_reach_a_column() {
    for hostile in [
        "curl/8.5.0\r\nSet-Cookie: a=b",
        "=cmd|' /C calc'!A0",
        "+1+1",
        "@SUM(1)",
        "\u{1b}[31mred/1.0",
        "<img src=x onerror=alert(1)>",
        "Mozilla/5.0 (Linux; Android 14; <b>Pixel</b> \"8\") AppleWebKit/537.36 Chrome/126.0.0.0 Mobile Safari/537.36",
        "a\u{0}b/1.0",
    ] {
        let answer = device(&everywhere(hostile));
        assert!(is_bounded(&answer), "{hostile:?}: {answer:?}");
        let runs = |text: &String| text.starts_with(['=', '+', '-', '@']);
        assert!(![&answer.device, &answer.os, &answer.browser].into_iter().any(runs), "{answer:?}");
    }
}

#[test]
fn a_name_too_long_for_a_column_is_cut() {
    let answer = device(&Agent::of(&format!("{}/1.0", "a".repeat(300))));
    assert_eq!((answer.kind, answer.browser), (Kind::Bot, "a".repeat(64)));
}

/// Pieces that the tables look for, so that arbitrary texts reach past the first look.
const PIECES: &[&str] = &[
    "Mozilla/5.0 ",
    "(",
    ")",
    "; ",
    "Windows NT 10.0",
    "Mac OS X 10_15_7",
    "Android 10",
    "K",
    "Build/",
    "iPhone",
    "CPU OS 17_5",
    "like Mac OS X",
    "Version/",
    "Chrome/",
    "126.0.0.0",
    "Safari/537.36",
    "compatible; ",
    "bot",
    "/",
    "Edg/",
    "wv)",
    "\u{e9}",
    "\"",
    "v=",
    "\\",
    ",",
    "CrOS ",
    "Darwin/",
    "aws-internal/",
    "_11a6ef34-e130-4579-a1d3-79c915cee6ec",
    "99999999999999999999",
    "PlayStation 4 ",
    "[",
    "]",
    " ",
    "KDDI-",
    "DoCoMo/2.0 ",
    "(Edition ",
    "darwin",
    "linux",
    "windows 10.0.",
];

proptest! {
    #[test]
    fn no_text_breaks_the_bounds(text in "\\PC{0,200}|.{0,600}") {
        prop_assert!(is_bounded(&device(&everywhere(&text))));
    }

    #[test]
    fn no_mixture_of_known_pieces_breaks_the_bounds(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..24)) {
        let text = pieces.concat();
        prop_assert!(is_bounded(&device(&everywhere(&text))), "{text:?}");
    }
}
