//! The lines of `Cookie` that a request brings, one a line.
#![no_main]

use cookie::Cookie;
use libfuzzer_sys::fuzz_target;
use rollcall::{
    model::secret::{Familiar, Token},
    web::door::only_cookie,
};

const NAMES: [&str; 6] = [
    "__Host-rollcall",
    "rollcall",
    "rollcall-browser",
    "__Host-rollcall-app",
    "__Secure-rollcall-apps",
    "rollcall-handover",
];

fuzz_target!(|input: &str| {
    let lines: Vec<&str> = input.lines().collect();
    // Browsers leave no space there, and whoever does means no cookie of ours.
    let spaced = input.split('=').any(|part| part.ends_with(char::is_whitespace));
    for name in NAMES {
        let found = only_cookie(lines.iter().copied(), name);
        if !spaced {
            assert_eq!(found.map(str::trim), as_others_read_it(&lines, name).as_deref(), "{name}");
        }
        // Browsers may send it in pieces, and of what is there twice nothing is believed.
        let joined = lines.join("; ");
        assert_eq!(only_cookie([joined.as_str()].into_iter(), name), found);
        let more = |pair: &str| format!("{pair}; {joined}");
        let other = more("theme=dark");
        assert_eq!(only_cookie([other.as_str()].into_iter(), name), found);
        let Some(value) = found else { continue };
        assert!(!value.contains([';', '\n']));
        let twice = more(&format!("{name}={value}"));
        assert_eq!(only_cookie([twice.as_str()].into_iter(), name), None);
        // A secret has one form.
        if let Ok(token) = value.parse::<Token>() {
            assert_eq!(token.reveal(), value);
        }
        if let Ok(mark) = value.parse::<Familiar>() {
            assert_eq!(mark.reveal(), value);
        }
    }
});

/// The value of the only cookie of this name.
fn as_others_read_it(lines: &[&str], name: &str) -> Option<String> {
    let cookies = lines.iter().flat_map(|line| Cookie::split_parse(*line)).flatten();
    let mut named = cookies.filter(|cookie| cookie.name() == name);
    let only = named.next()?;
    named.next().is_none().then(|| only.value().to_owned())
}
