//! Programs that nobody sits in front of: crawlers, scripts, tools and services. They are named as they name
//! themselves; the tables only know which of them hide behind others' names, and what trade they follow.

use super::{
    base::{Base, Category},
    hints::Hints,
    text::{Text, bounded, joined, version},
    trades::{self, Trade},
};

/// A program: its name with its version, and what it does for a living.
pub(super) struct Program {
    pub(super) label: String,
    pub(super) trade: Trade,
}

impl Program {
    fn new(label: impl Into<String>, trade: Trade) -> Self {
        Self { label: label.into(), trade }
    }
}

/// Labels of woothee for programs that it does not know by name.
const LABELS: &[&str] = &["misc crawler", "HTTP Library", "RSSReader"];

/// Senders that write `compatible;` and mean it.
const COMPATIBLE_BROWSERS: &[&str] = &["MSIE", "Konqueror", "Trident/", "Netscape", "Opera"];

/// What a crawler's name has in it.
const CRAWLER_WORDS: &[&str] = &["bot", "crawler", "spider"];

/// Words that say what a program is and not what it is called; and a maker of telephones.
const NO_NAMES: &[&str] = &["bot", "robot", "crawler", "spider", "webcrawler", "cubot"];

/// A program that shows itself wherever it stands in the text, whatever browser it claims to be besides.
pub(super) fn disguised(text: &Text, hints: &Hints, base: &Base) -> Option<Program> {
    None.or_else(|| headless(hints))
        .or_else(|| service(text))
        .or_else(|| listed(text))
        .or_else(|| crawler(text))
        .or_else(|| remembered(text, base))
        .or_else(|| compatible(text, base))
}

/// A program by what its text begins with: nothing else calls itself so.
pub(super) fn leading(text: &Text) -> Option<Program> {
    let label = leading_label(text.as_str());
    let name = leading_name(text.as_str());
    if !is_name(&name) {
        return None;
    }
    let trade = trades::of_name(&name).unwrap_or(Trade::Program);
    Some(Program::new(label, trade))
}

/// The name that `text` begins with: all up to a version, a comment or a list.
pub(super) fn leading_name(text: &str) -> String {
    lead(text).0
}

/// Name and version of what `text` begins with.
pub(super) fn leading_label(text: &str) -> String {
    let (name, rest) = lead(text);
    joined(&name, &rest.strip_prefix('/').map(|rest| version(rest, 3)).unwrap_or_default())
}

fn lead(text: &str) -> (String, &str) {
    let text = text.trim_start_matches(['[', '"', '\'', ' ']);
    let end = text.find(['/', '(', '[', ']', '{', ';', ',', '<', '"', '=']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let name = name.split(" http").next().unwrap_or_default();
    (bounded(without_instance(name.trim())), rest)
}

/// A browser that a program drives says so in its brands, even when its `User-Agent` was changed.
fn headless(hints: &Hints) -> Option<Program> {
    let brand = hints.browser.as_ref().filter(|brand| brand.is_headless())?;
    Some(Program::new(brand.label(), Trade::Headless))
}

/// A cloud's own service, acting for somebody: `s3.amazonaws.com`, `[S3Console/0.4, aws-internal/3 ...]`.
fn service(text: &Text) -> Option<Program> {
    let bare = text.as_str().trim_matches(['[', ']']);
    let host = bare.ends_with(".amazonaws.com") && !bare.contains(' ');
    if host || bare == "AWS Internal" {
        return Some(Program::new(bare, Trade::Service));
    }
    text.has("aws-internal/").then(|| Program::new(leading_label(bare), Trade::Service))
}

fn listed(text: &Text) -> Option<Program> {
    trades::ANYWHERE.iter().find_map(|(name, trade)| {
        let rest = product(text, name)?;
        Some(Program::new(joined(name, &version_behind(rest, 3)), *trade))
    })
}

/// What follows `name` where it stands as a product: before a slash, or alone at the head of text or comment.
fn product<'a>(text: &'a Text, name: &'a str) -> Option<&'a str> {
    let is_product = |(before, rest): &(&str, &str)| {
        let before = before.trim_end();
        let head = before.is_empty() || before.ends_with(['(', '[', ';', ',']);
        rest.starts_with('/') || (head && (rest.is_empty() || rest.starts_with([' ', ';', ')', '(', ','])))
    };
    text.around(name).find(is_product).map(|(_, rest)| rest)
}

/// A word that is a crawler's name: `GPTBot/1.2`, `Baiduspider+`, but no address and no letter box.
fn crawler(text: &Text) -> Option<Program> {
    let mut words = text.as_str().split([' ', ';', ',', '(', ')', '"']).filter(|word| !is_address(word));
    let (word, name) = words.find_map(|word| Some((word, crawler_name(word)?)))?;
    let lead = leading_label(text.as_str());
    if lead.contains(name) {
        return Some(Program::new(lead, Trade::Crawler));
    }
    let rest = text.after(word).unwrap_or_default();
    let behind = word[name.len()..].to_owned() + rest;
    Some(Program::new(joined(&bounded(name), &version_behind(&behind, 3)), Trade::Crawler))
}

/// The name in a word that has `bot`, `crawler` or `spider` at the end of one of its parts.
fn crawler_name(word: &str) -> Option<&str> {
    let name = word.split(['/', ':', '+']).next().unwrap_or_default();
    let lower = name.to_ascii_lowercase();
    let end = CRAWLER_WORDS.iter().find_map(|kind| {
        let end = lower.find(kind)? + kind.len();
        (!name[end..].starts_with(|c: char| c.is_ascii_lowercase())).then_some(end)
    })?;
    let name = if name[end..].starts_with(|c: char| c.is_ascii_digit()) { &name[..end] } else { name };
    (!NO_NAMES.contains(&name.to_ascii_lowercase().as_str())).then_some(name)
}

fn is_address(word: &str) -> bool {
    word.contains("://") || word.contains('@') || word.contains("www.")
}

/// A program that only woothee knows.
fn remembered(text: &Text, base: &Base) -> Option<Program> {
    let trade = match base.category {
        Category::Crawler => Trade::Crawler,
        Category::Program if base.name.contains("RSS") => Trade::Reader,
        Category::Program => Trade::Script,
        _ => return None,
    };
    let named =
        compatible_label(text).or_else(|| (!claims_browser(text)).then(|| leading_label(text.as_str())));
    let theirs = (!LABELS.contains(&base.name.as_str())).then(|| base.name.clone());
    let label = named.filter(|label| !label.is_empty()).or(theirs)?;
    let trade = trades::of_name(&label).unwrap_or(trade);
    Some(Program::new(label, trade))
}

/// `Mozilla/5.0 (compatible; Example/1.0; +https://example.org)`.
fn compatible(text: &Text, base: &Base) -> Option<Program> {
    if text.has_any(COMPATIBLE_BROWSERS) || base.category == Category::FeaturePhone {
        return None;
    }
    let label = compatible_label(text).filter(|label| is_name(label))?;
    Some(Program::new(label, if is_linked(text) { Trade::Crawler } else { Trade::Program }))
}

fn compatible_label(text: &Text) -> Option<String> {
    text.after("compatible; ").map(leading_label).filter(|label| !label.starts_with("Mozilla"))
}

/// Whether the sender begins as browsers do.
pub(super) fn claims_browser(text: &Text) -> bool {
    ["Mozilla/", "Opera/", "DoCoMo/"]
        .iter()
        .any(|begin| text.as_str().trim_start_matches('"').starts_with(begin))
}

/// Crawlers leave an address where one may complain.
fn is_linked(text: &Text) -> bool {
    text.as_str().contains("+http")
}

fn is_name(name: &str) -> bool {
    name.len() > 1 && name.bytes().any(|b| b.is_ascii_alphabetic())
}

/// A name without the identifier of one run of it: `stratus-red-team_11a6ef34-e130-4579-a1d3-79c915cee6ec`.
fn without_instance(name: &str) -> &str {
    const UUID: usize = 36;
    let Some(at) = name.len().checked_sub(UUID + 1).filter(|at| name.is_char_boundary(*at)) else {
        return name;
    };
    let (stem, tail) = name.split_at(at);
    let uuid = tail.bytes().skip(1).enumerate().all(|(at, b)| match at {
        8 | 13 | 18 | 23 => b == b'-',
        _ => b.is_ascii_hexdigit(),
    });
    if uuid && tail.starts_with(['_', '-']) && !stem.is_empty() { stem } else { name }
}

/// The version behind a name: after a slash, a blank or nothing.
fn version_behind(rest: &str, parts: usize) -> String {
    version(rest.trim_start_matches(['/', ' ']), parts)
}
