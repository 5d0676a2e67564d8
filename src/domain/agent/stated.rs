//! Which system a program says it runs on. Programs have no common form for it: `Linux/5.4`, `os/macos#23.4.0`,
//! `(linux/amd64)`, `x86_64-apple-darwin19.0`, `Windows/11`.

use super::{
    systems::{WINDOWS_10_OR_11, windows},
    text::{Text, joined, major, version},
};

/// Distributions, before the kernel they all share.
const DISTRIBUTIONS: &[(&str, &str)] = &[
    ("ubuntu", "Ubuntu Linux"),
    ("debian", "Debian Linux"),
    ("fedora", "Fedora Linux"),
    ("alpine", "Alpine Linux"),
];

/// Builds of Windows by the system that alone has them (Microsoft, Windows release information). Others are shared with a Windows Server.
const WINDOWS_BUILDS: &[(&str, &str)] = &[
    ("19041", "Windows 10"),
    ("19042", "Windows 10"),
    ("19043", "Windows 10"),
    ("19044", "Windows 10"),
    ("19045", "Windows 10"),
    ("20348", "Windows Server 2022"),
    ("22000", "Windows 11"),
    ("22621", "Windows 11"),
    ("22631", "Windows 11"),
    ("26200", "Windows 11"),
];

/// The system a program states; empty when it does not.
pub(super) fn system(text: &Text) -> String {
    let lower = text.as_str().to_ascii_lowercase();
    None.or_else(|| windows_by_build(&lower))
        .or_else(|| windows(text).filter(|name| *name != "Windows").map(str::to_owned))
        .or_else(|| windows_by_word(&lower))
        .or_else(|| macos(&lower))
        .or_else(|| {
            DISTRIBUTIONS
                .iter()
                .find(|(word, _)| behind(&lower, word).is_some())
                .map(|(_, name)| (*name).to_owned())
        })
        .or_else(|| behind(&lower, "linux").map(|rest| joined("Linux", &version(rest, 2))))
        .or_else(|| behind(&lower, "freebsd").map(|rest| joined("FreeBSD", &version(rest, 2))))
        .unwrap_or_default()
}

/// What follows `word` and one separator, where it stands alone; addresses do not count.
fn behind<'a>(lower: &'a str, word: &str) -> Option<&'a str> {
    lower.match_indices(word).find_map(|(at, _)| {
        let (before, rest) = (&lower[..at], &lower[at + word.len()..]);
        let alone = !before.ends_with(|c: char| c.is_ascii_alphanumeric())
            && !rest.starts_with(|c: char| c.is_ascii_lowercase());
        let address = before
            .rsplit([' ', '(', ';'])
            .next()
            .is_some_and(|word| word.contains("://") || word.contains("www."));
        (alone && !address).then(|| rest.strip_prefix(['/', '#', '-', ' ']).unwrap_or(rest))
    })
}

fn windows_by_build(lower: &str) -> Option<String> {
    let build = version(lower.split_once("windows 10.0.")?.1, 1);
    let known = WINDOWS_BUILDS.iter().find(|(known, _)| *known == build);
    Some(known.map_or("Windows", |(_, name)| name).to_owned())
}

fn windows_by_word(lower: &str) -> Option<String> {
    let rest = ["windows", "win32", "win64"].iter().find_map(|word| behind(lower, word))?;
    let name = match major(&version(rest, 1)) {
        Some(11) => "Windows 11",
        Some(10) => WINDOWS_10_OR_11,
        _ => "Windows",
    };
    Some(name.to_owned())
}

fn macos(lower: &str) -> Option<String> {
    let kernel = behind(lower, "darwin").or_else(|| behind(lower, "os/macos#"));
    let word = || {
        behind(lower, "macos")
            .or_else(|| behind(lower, "mac os x"))
            .map(|rest| joined("macOS", &version(rest, 2)))
    };
    kernel.map(|rest| joined("macOS", &by_kernel(major(&version(rest, 1))))).or_else(word)
}

/// The macOS that a major version of its kernel, Darwin, belongs to.
fn by_kernel(darwin: Option<u32>) -> String {
    match darwin {
        Some(number @ 5..=19) => format!("10.{}", number - 4),
        Some(number @ 20..=24) => (number - 9).to_string(),
        Some(25) => "26".to_owned(),
        _ => String::new(),
    }
}
