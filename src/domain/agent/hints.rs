//! The client hints: what a Chromium browser says beside its frozen `User-Agent` (W3C User-Agent Client Hints).

use super::text::{Text, joined, version};
use crate::model::device::Agent;

/// The brand that every Chromium browser lists; it is the name only of one that has no other.
const ENGINE: &str = "Chromium";

/// Brands whose name people know otherwise: brand, name, parts of the version that are worth showing.
const NAMES: &[(&str, &str, usize)] = &[
    ("Google Chrome", "Chrome", 1),
    ("Microsoft Edge", "Edge", 1),
    ("Microsoft Edge WebView2", "Edge WebView2", 1),
    ("YaBrowser", "Yandex Browser", 2),
    ("Yandex", "Yandex Browser", 2),
    ("Vivaldi", "Vivaldi", 2),
    ("DuckDuckGo", "DuckDuckGo", 1),
    ("Opera GX", "Opera GX", 1),
    ("OperaMobile", "Opera", 1),
    ("Samsung Internet", "Samsung Internet", 1),
];

/// Brands that sit beside the browser's own and add nothing.
const COMPANIONS: &[&str] = &["Yowser"];

/// Brands that name an engine's owner rather than the program: the `User-Agent` may know the program itself.
const GENERIC: &[&str] = &["Chrome", "Chromium", "Android WebView", "Edge WebView2"];

/// The hints of one request, read; each is empty when it was not sent.
pub(super) struct Hints {
    /// The browser as its brand and version: `Edge 126`.
    pub(super) browser: Option<Brand>,
    /// `Windows`, `macOS`, `Android`.
    pub(super) platform: String,
    /// `15.0.0`.
    pub(super) platform_version: String,
    /// `Pixel 8`.
    pub(super) model: String,
    /// Whether the browser asks for pages for a telephone.
    pub(super) mobile: Option<bool>,
}

/// One entry of a brand list.
pub(super) struct Brand {
    name: String,
    version: String,
    parts: usize,
}

impl Brand {
    /// `Chrome 126`.
    pub(super) fn label(&self) -> String {
        joined(&self.name, &version(&self.version, self.parts))
    }

    /// Whether the brand says less than a program's own name in the `User-Agent` would.
    pub(super) fn is_generic(&self) -> bool {
        GENERIC.contains(&self.name.as_str())
    }

    /// Whether a program drives the browser, and nobody looks at it.
    pub(super) fn is_headless(&self) -> bool {
        self.name == "HeadlessChrome"
    }
}

impl Hints {
    pub(super) fn of(agent: &Agent) -> Self {
        let list = |header: &Option<String>| header.as_deref().and_then(best);
        let text = |header: &Option<String>| header.as_deref().map(string).unwrap_or_default();
        Self {
            browser: list(&agent.full_versions).or_else(|| list(&agent.brands)),
            platform: text(&agent.platform),
            platform_version: version(&text(&agent.platform_version), 3),
            model: text(&agent.model),
            mobile: agent.mobile,
        }
    }
}

/// The brand that names the browser: not a grease one, and the engine only when nothing else is listed.
fn best(header: &str) -> Option<Brand> {
    let brands = brands(header);
    let named = |brand: &&Brand| brand.name != ENGINE && !COMPANIONS.contains(&brand.name.as_str());
    let at = brands.iter().position(|brand| named(&brand)).or_else(|| (!brands.is_empty()).then_some(0))?;
    brands.into_iter().nth(at)
}

/// A brand list without its grease: `"Chromium";v="126", "Not/A)Brand";v="8"` has one brand.
fn brands(header: &str) -> Vec<Brand> {
    items(Text::of(header).as_str()).iter().filter_map(|item| brand(item)).collect()
}

fn brand(item: &str) -> Option<Brand> {
    let (name, parameters) = quoted(item)?;
    let version = parameters.split_once("v=").map(|(_, value)| string(value)).unwrap_or_default();
    if name.is_empty() || is_grease(&name) {
        return None;
    }
    let known = NAMES.iter().find(|(brand, _, _)| *brand == name);
    let (name, parts) = known.map_or((name, 1), |(_, shown, parts)| ((*shown).to_owned(), *parts));
    Some(Brand { name, version, parts })
}

/// Browsers put a brand into the list that changes its punctuation, lest anybody match on it: `Not/A)Brand`.
fn is_grease(name: &str) -> bool {
    let letters: String = name.chars().filter(char::is_ascii_alphabetic).collect();
    matches!(letters.to_ascii_lowercase().as_str(), "notabrand" | "notanybrand")
}

/// The items of a structured-field list: cut at the commas that stand outside quotes (RFC 8941, 3.1).
fn items(list: &str) -> Vec<&str> {
    let (mut items, mut begin, mut inside, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in list.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if inside => escaped = true,
            '"' => inside = !inside,
            ',' if !inside => {
                items.push(&list[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    items.push(&list[begin..]);
    items
}

/// A quoted string at the head of `item` and what follows it (RFC 8941, 3.3.3).
fn quoted(item: &str) -> Option<(String, &str)> {
    let inner = item.trim_start().strip_prefix('"')?;
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in inner.char_indices() {
        match c {
            _ if escaped => {
                escaped = false;
                value.push(c);
            }
            '\\' => escaped = true,
            '"' => return Some((value.trim().to_owned(), &inner[at + 1..])),
            _ => value.push(c),
        }
    }
    None
}

/// A header that is one string. Some proxies and applications drop the quotes, and then it is all of it.
fn string(header: &str) -> String {
    let text = Text::of(header);
    quoted(text.as_str()).map_or_else(|| text.as_str().replace('"', ""), |(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(header: &str) -> Option<String> {
        best(header).map(|brand| brand.label())
    }

    #[test]
    fn the_browser_is_the_brand_that_is_neither_grease_nor_the_engine() {
        let chrome = r#""Not/A)Brand";v="8", "Chromium";v="126", "Google Chrome";v="126""#;
        assert_eq!(label(chrome).as_deref(), Some("Chrome 126"));
        let brave = r#""Brave";v="137", "Chromium";v="137", "Not/A)Brand";v="24""#;
        assert_eq!(label(brave).as_deref(), Some("Brave 137"));
        let yandex = r#""Chromium";v="124", "YaBrowser";v="24.6", "Not-A.Brand";v="99", "Yowser";v="2.5""#;
        assert_eq!(label(yandex).as_deref(), Some("Yandex Browser 24.6"));
        let bare = r#""Chromium";v="126", "Not;A=Brand";v="24""#;
        assert_eq!(label(bare).as_deref(), Some("Chromium 126"));
    }

    #[test]
    fn every_spelling_of_the_grease_brand_is_passed_over() {
        for grease in [
            r"Not A;Brand",
            r" Not A(Brand",
            "Not?A_Brand",
            "Not.A/Brand",
            r#"\\Not\"A;Brand"#,
            "(Not(A:Brand",
        ] {
            assert_eq!(
                label(&format!(r#""{grease}";v="99", "Chromium";v="90""#)).as_deref(),
                Some("Chromium 90")
            );
            assert_eq!(label(&format!(r#""{grease}";v="99""#)), None);
        }
    }

    #[test]
    fn commas_semicolons_and_escapes_inside_quotes_belong_to_the_name() {
        assert_eq!(
            label(r#""A, Inc; v=\"2\"";v="7", "Chromium";v="1""#).as_deref(),
            Some(r#"A, Inc; v="2" 7"#)
        );
    }

    #[test]
    fn what_is_no_list_of_strings_says_nothing() {
        for bad in ["", ",", "\"", "\"\"", "Chrome;v=1", "\"open", ";;;", "\\\\", "\u{0}\r\n", "(((((((((("] {
            assert_eq!(label(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_string_is_read_with_and_without_its_quotes() {
        assert_eq!(string(r#""Pixel 8""#), "Pixel 8");
        assert_eq!(string("Pixel 8"), "Pixel 8");
        assert_eq!(string(r#""""#), "");
    }
}
