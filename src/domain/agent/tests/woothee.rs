//! Every row of woothee's test sets is answered as truthfully as woothee does.
//!
//! For each row, where woothee gives an answer (not `UNKNOWN`):
//! - its category is our kind, by [`kinds`];
//! - its name is what our browser begins with, or, where it gives a machine's name as the browser's too, our device;
//! - its system is what our system begins with, by [`SYSTEMS`], and its version is in ours, zeros at the end apart.
//!
//! Where we know better, [`BETTER`] or [`RENAMED`] says what we say instead, and why.

use super::{fixture, of};
use crate::model::device::{Device, Kind};

const SETS: &[&str] = &[
    "appliance",
    "blank",
    "crawler",
    "crawler_google",
    "crawler_nonmajor",
    "misc",
    "mobilephone_au",
    "mobilephone_docomo",
    "mobilephone_misc",
    "mobilephone_softbank",
    "mobilephone_willcom",
    "pc_lowpriority",
    "pc_misc",
    "pc_windows",
    "smartphone_android",
    "smartphone_ios",
    "smartphone_misc",
];

/// Woothee's systems that go by another name with us.
const SYSTEMS: &[(&str, &[&str])] = &[
    ("Windows UNKNOWN Ver", &["Windows"]),
    ("Mac OSX", &["Mac OS X", "OS X", "macOS"]),
    ("iPhone", &["iOS"]),
    ("iPad", &["iOS"]),
    ("iPod", &["iOS"]),
    ("Windows Phone OS", &["Windows Phone"]),
    ("BlackBerry 10", &["BlackBerry"]),
    // They say which BSD and which Linux it is.
    ("BSD", &["FreeBSD"]),
    ("Linux", &["Linux", "Ubuntu Linux", "Debian Linux"]),
    // Carriers, gateways and a sort of television are no systems: nothing is known.
    ("docomo", &[""]),
    ("au", &[""]),
    ("SoftBank", &[""]),
    ("WILLCOM", &[""]),
    ("emobile", &[""]),
    ("jig", &[""]),
    ("Mobile Transcoder", &[""]),
    ("DigitalTV", &[""]),
];

/// Woothee's names that stand for a family of programs, or that changed; ours name the program itself.
const RENAMED: &[(&str, &[&str])] = &[
    ("SamsungBrowser", &["Samsung Internet"]),
    ("Webview", &["Android WebView", "iOS WebView"]),
    ("Yahoo! Japan", &["Yahoo! Japan", "Y!J-"]),
    ("Yahoo! Pipes", &["Yahoo Pipes"]),
    ("Naver Yeti", &["Yeti"]),
    ("Apple iCloud", &["Apple-PubSub"]),
    ("salesforce radian6", &["R6_"]),
    ("Genieo Web Filter", &["Genieo"]),
    ("topsy Butterfly", &["Butterfly"]),
    ("SeoMoz rogerbot", &["rogerbot"]),
    ("ahref AhrefsBot", &["AhrefsBot"]),
    ("goo", &["ichiro", "gooblogsearch"]),
    ("livedoor FeedFetcher", &["livedoor FeedFetcher", "Fastladder FeedFetcher"]),
    ("twitter", &["Twitterbot"]),
    ("facebook", &["facebookexternalhit"]),
    ("trendiction", &["trendictionbot"]),
    ("Googlebot Mobile", &["Googlebot-Mobile"]),
    ("Google Mediapartners", &["Mediapartners-Google"]),
    ("Google Feedfetcher", &["Feedfetcher-Google"]),
    ("Google AppEngine", &["AppEngine-Google"]),
    ("Google FeedBurner", &["FeedBurner"]),
    ("Safari RSSReader", &["AppleSyndication"]),
    ("Windows RSSReader", &["Windows-RSS-Platform"]),
];

/// Woothee's names for programs it does not know: ours must be in the text itself.
const NAMELESS: &[&str] = &["misc crawler", "HTTP Library", "RSSReader"];

/// Rows that we answer otherwise: a piece of the text, what we say, and why.
const BETTER: &[(&str, [&str; 4], &str)] = &[
    (
        "VocusBot 0.4",
        ["bot", "Crawler", "", "VocusBot 0.4"],
        "it says that it is an aggregator; the Windows beside it is a disguise",
    ),
    (
        "Blogos/1.13 CFNetwork",
        ["unknown", "Apple device", "iOS or macOS", "Blogos 1.13"],
        "Apple's network library is the same on telephones and computers",
    ),
    (
        "MobileSafari/7534.48.3",
        ["unknown", "iPhone or iPad", "iOS", "Safari"],
        "it may be a telephone or a tablet",
    ),
    (
        "Android 2.3.5; ja-jp; ISW11F",
        ["phone", "ISW11F", "Android 2.3.5", "Android Browser 4.0"],
        "Android's own browser is not Safari",
    ),
    (
        "Android 3.1; ja-jp; L-06C",
        ["tablet", "L-06C", "Android 3.1", "Android Browser 4.0"],
        "Android's own browser is not Safari",
    ),
    (
        "(BB10; Touch)",
        ["phone", "BlackBerry", "BlackBerry 10.3.1", "BlackBerry Browser 10.3"],
        "nor is BlackBerry's",
    ),
    (
        "Opera/9.50 (Nintendo DSi",
        ["appliance", "Nintendo DSi", "Nintendo DSi", "Opera 9.50"],
        "a console, though its browser has a name of its own",
    ),
    (
        "InfoPath.1) Sleipnir/2.8.0",
        ["desktop", "PC", "Windows XP", "Sleipnir 2.8"],
        "Sleipnir shows its pages with Internet Explorer, and says so after its own name",
    ),
    (
        "(Tablet; rv:26.0) Gecko/18.0",
        ["tablet", "Tablet", "Firefox OS", "Firefox 26"],
        "the number beside the system is the browser's",
    ),
    (
        "rv:9.2.1) (mimic Gecko",
        ["desktop", "Mac", "Mac OS Classic", "Firefox 3"],
        "the number beside the system is the browser's",
    ),
];

#[derive(Default, Debug)]
struct Row {
    target: String,
    name: String,
    os: String,
    os_version: String,
    category: String,
}

/// The rows of a set: YAML of one list of flat maps, which is all these files are.
fn rows(set: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for line in fixture(&format!("woothee/{set}.yaml")).lines() {
        if line.starts_with("- ") {
            rows.push(Row::default());
        }
        let Some((key, value)) = line.trim_start_matches(['-', ' ']).split_once(": ") else { continue };
        let Some(row) = rows.last_mut().filter(|_| !line.starts_with('#')) else { continue };
        let value = match value.trim().trim_matches('\'') {
            "UNKNOWN" | "~" => String::new(),
            value => value.to_owned(),
        };
        match key {
            "target" => row.target = value,
            "name" => row.name = value,
            "os" => row.os = value,
            "os_version" => row.os_version = value,
            "category" => row.category = value,
            _ => {}
        }
    }
    rows
}

fn kinds(category: &str) -> &'static [Kind] {
    match category {
        "pc" => &[Kind::Desktop],
        // Woothee does not tell tablets apart.
        "smartphone" => &[Kind::Phone, Kind::Tablet],
        "mobilephone" => &[Kind::Phone],
        "appliance" => &[Kind::Appliance],
        "crawler" | "misc" => &[Kind::Bot],
        "" => &[Kind::Unknown],
        other => panic!("no such category: {other}"),
    }
}

fn wrong(row: &Row, device: &Device) -> Option<&'static str> {
    if let Some((_, better, _)) = BETTER.iter().find(|(piece, _, _)| row.target.contains(piece)) {
        let ours = [device.kind.as_str(), &device.device, &device.os, &device.browser];
        return (ours != *better).then_some("not the better answer");
    }
    if !kinds(&row.category).contains(&device.kind) {
        return Some("kind");
    }
    if !name_agrees(row, device) {
        return Some("name");
    }
    if !os_agrees(row, device) {
        return Some("os");
    }
    None
}

fn name_agrees(row: &Row, device: &Device) -> bool {
    let name = row.name.as_str();
    if NAMELESS.contains(&name) {
        let first = device.browser.split(' ').next().unwrap_or_default();
        return first.len() > 1 && row.target.contains(first);
    }
    if name == row.os && row.category == "appliance" {
        return device.device.starts_with(name);
    }
    let renamed = RENAMED.iter().find(|(theirs, _)| *theirs == name);
    renamed.map_or(device.browser.starts_with(name), |(_, ours)| {
        ours.iter().any(|name| device.browser.starts_with(name))
    })
}

fn os_agrees(row: &Row, device: &Device) -> bool {
    let known = SYSTEMS.iter().find(|(theirs, _)| *theirs == row.os);
    let named = match known {
        Some((_, [""])) => device.os.is_empty(),
        Some((_, ours)) => ours.iter().any(|os| device.os.starts_with(os)),
        None => device.os.starts_with(&row.os),
    };
    // What stands beside "NT" or an architecture is not what people call the version.
    let version = row.os_version.split(' ').find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let version = version.filter(|_| !row.os_version.starts_with("NT "));
    let version = version.map(|version| version.split('-').next().unwrap_or_default().to_owned());
    let version = version.map(|version| version.split('.').take(3).collect::<Vec<_>>().join("."));
    named && version.is_none_or(|version| device.os.contains(&version))
}

#[test]
fn every_row_of_woothees_test_sets_is_answered_truthfully() {
    let rows: Vec<Row> = SETS.iter().flat_map(|set| rows(set)).collect();
    // grep -h '^- target' *.yaml | wc -l
    assert_eq!(rows.len(), 253);
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            let device = of(&row.target);
            wrong(row, &device).map(|what| format!("{what}: {row:?}\n   {device:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_better_answer_belongs_to_a_row() {
    let rows: Vec<Row> = SETS.iter().flat_map(|set| rows(set)).collect();
    for (piece, _, _) in BETTER {
        assert_eq!(rows.iter().filter(|row| row.target.contains(piece)).count(), 1, "{piece}");
    }
    for (name, _) in RENAMED {
        assert!(rows.iter().any(|row| row.name == *name), "{name}");
    }
}
