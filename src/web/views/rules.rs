//! What no asset and no template may contain, because the content policy would refuse it, or because it would ask
//! another host.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

/// Addresses of other hosts that may stand in a file: names of XML namespaces, and what the manual shows.
const NAMED: [&str; 5] = [
    "http://www.w3.org/2000/svg",
    "https://wiki.example.com",
    "https://rollcall.example.com",
    "https://rollcall.example.org",
    "http://127.0.0.1:8080",
];

fn files(folder: &str, kind: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(folder);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == kind))
        .map(|path| (path.clone(), fs::read_to_string(&path).expect("text")))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "there are {kind} files in {}", folder.display());
    files
}

/// What all that a page can load weighs on the wire, in bytes: the promise is less than 60 kB.
const MOST: usize = 60_000;

/// Attributes of a tag: everything between `<name` and `>`, outside of template code.
fn tags(html: &str) -> impl Iterator<Item = &str> {
    html.split('<').skip(1).filter_map(|rest| rest.split_once('>').map(|(tag, _)| tag))
}

fn has_attribute(tag: &str, wanted: impl Fn(&str) -> bool) -> bool {
    tag.split_ascii_whitespace().skip(1).filter_map(|part| part.split_once('=')).any(|(name, _)| wanted(name))
}

#[test]
fn no_template_has_an_inline_handler_style_or_script() {
    for (path, text) in files("templates", "html") {
        for tag in tags(&text) {
            let at = format!("{}: <{tag}>", path.display());
            assert!(!has_attribute(tag, |name| name == "style"), "style attribute in {at}");
            assert!(!has_attribute(tag, |name| name.len() > 2 && name.starts_with("on")), "handler in {at}");
            // The pages at an app's own address bring their style along, allowed by its hash.
            let brought = path.ends_with("denied.html") || path.ends_with("elsewhere.html");
            assert!(brought || !tag.starts_with("style"), "style element in {at}");
            assert!(!tag.starts_with("script") || tag.contains(" src="), "inline script in {at}");
        }
        assert!(!text.contains("javascript:"), "{}", path.display());
    }
}

#[test]
fn no_asset_names_another_host() {
    let all = [("templates", "html"), ("css", "css"), ("js", "js"), ("img", "svg"), ("img/kinds", "svg")];
    for (path, text) in all.into_iter().flat_map(|(folder, kind)| files(folder, kind)) {
        let known = NAMED.iter().fold(text, |text, name| text.replace(name, ""));
        for sign in ["http://", "https://", "@import", "url(//"] {
            assert!(!known.contains(sign), "{} names another host: {sign}", path.display());
        }
    }
}

#[test]
fn text_becomes_elements_in_one_place_only() {
    for (path, text) in files("js", "js") {
        let one = path.ends_with("swap.js");
        for sign in ["innerHTML", ".createPolicy("] {
            assert_eq!(text.matches(sign).count(), usize::from(one), "{sign} in {}", path.display());
        }
        for sign in [
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "setAttribute(\"style",
        ] {
            assert!(!text.contains(sign), "{sign} in {}", path.display());
        }
    }
}

#[test]
fn every_icon_that_is_asked_for_is_drawn() {
    let drawn =
        files("img", "svg").into_iter().find(|(path, _)| path.ends_with("icons.svg")).expect("the icons").1;
    for (path, text) in files("templates", "html") {
        for name in text.split("icon(frame.assets, \"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(
                drawn.contains(&format!("<symbol id=\"{name}\"")),
                "{name}, wanted by {}",
                path.display()
            );
        }
    }
}

#[test]
fn every_module_is_loaded_and_every_stylesheet_linked() {
    let scripts = files("js", "js");
    let all: String = scripts.iter().map(|(_, text)| text.as_str()).collect();
    let base =
        files("templates", "html").into_iter().find(|(path, _)| path.ends_with("base.html")).expect("base").1;
    for (path, _) in scripts.iter().chain(&files("css", "css")) {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(all.contains(&format!("\"./{name}\"")) || base.contains(name), "{name} is used");
    }
}

#[test]
fn all_assets_together_are_light() {
    let all = [("css", "css"), ("js", "js"), ("img", "svg"), ("img/kinds", "svg")];
    let weight = |text: &str| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(text.as_bytes()).expect("a vector takes everything");
        packed.finish().expect("a vector takes everything").len()
    };
    let sum: usize =
        all.into_iter().flat_map(|(folder, kind)| files(folder, kind)).map(|(_, text)| weight(&text)).sum();
    assert!(sum < MOST, "{sum} bytes");
}
