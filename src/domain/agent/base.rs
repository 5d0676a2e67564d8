//! The base under our tables: what woothee knows. Its data ends in 2021, so it is asked for what has not changed
//! since: Internet Explorer, telephones before the smartphone, consoles and crawlers of that time.

use woothee::parser::Parser;

use super::text::{joined, version};

/// Networks and gateways that woothee files under systems: a carrier runs no program.
const NO_SYSTEMS: &[&str] =
    &["docomo", "au", "SoftBank", "WILLCOM", "emobile", "jig", "Mobile Transcoder", "DigitalTV"];

/// Its systems whose name is another one today.
const SYSTEMS: &[(&str, &str)] = &[
    ("Windows UNKNOWN Ver", "Windows"),
    ("Mac OSX", "Mac OS X"),
    ("Windows Phone OS", "Windows Phone"),
    ("iPhone", "iOS"),
    ("iPad", "iOS"),
    ("iPod", "iOS"),
    ("BlackBerry 10", "BlackBerry"),
];

/// Systems beside which woothee reports the browser's version as theirs.
const NO_VERSIONS: &[&str] = &["Firefox OS", "Mac OS Classic"];

/// Names that woothee gives to whatever claims them; our tables know those by their versions.
const FAMILIES: &[&str] = &["Safari", "Chrome", "Webview"];

/// The category whose rows report a number of another thing as their version: the telephone's model.
const MODEL_AS_VERSION: &str = "mobilephone";

/// The sorts of sender that woothee tells apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Category {
    Computer,
    Smartphone,
    FeaturePhone,
    Appliance,
    Crawler,
    /// Libraries and readers of feeds.
    Program,
    Unknown,
}

/// What woothee says; a text is empty where it says `UNKNOWN`.
pub(super) struct Base {
    pub(super) category: Category,
    pub(super) name: String,
    pub(super) os: String,
    pub(super) os_version: String,
    /// The model of a telephone from before the smartphone.
    pub(super) model: String,
    version: String,
}

impl Base {
    pub(super) fn of(text: &str) -> Self {
        let found = Parser::new().parse(text).unwrap_or_default();
        let feature_phone = found.category == MODEL_AS_VERSION;
        let said = known(found.version);
        Self {
            category: category(found.category),
            name: known(found.name).to_owned(),
            os: system(known(found.os)).to_owned(),
            os_version: if NO_VERSIONS.contains(&found.os) {
                String::new()
            } else {
                known(&found.os_version).to_owned()
            },
            model: if feature_phone { said.to_owned() } else { String::new() },
            version: if feature_phone { String::new() } else { version(said, 2) },
        }
    }

    /// Whether woothee's name is a browser's, and not one that every engine of its family claims.
    pub(super) fn is_browser_of_its_own(&self) -> bool {
        let program = matches!(self.category, Category::Crawler | Category::Program);
        !program && !self.name.is_empty() && !FAMILIES.contains(&self.name.as_str())
    }

    /// Whether woothee names the machine where it should name the browser.
    pub(super) fn is_machine(&self) -> bool {
        self.name == self.os
    }

    /// `Internet Explorer 11`, or `docomo`.
    pub(super) fn browser(&self) -> String {
        joined(&self.name, super::text::shortened(&self.version))
    }
}

fn category(name: &str) -> Category {
    match name {
        "pc" => Category::Computer,
        "smartphone" => Category::Smartphone,
        "mobilephone" => Category::FeaturePhone,
        "appliance" => Category::Appliance,
        "crawler" => Category::Crawler,
        "misc" => Category::Program,
        _ => Category::Unknown,
    }
}

fn known(text: &str) -> &str {
    if text == woothee::woothee::VALUE_UNKNOWN { "" } else { text }
}

fn system(name: &str) -> &str {
    if NO_SYSTEMS.contains(&name) {
        return "";
    }
    SYSTEMS.iter().find(|(theirs, _)| *theirs == name).map_or(name, |(_, ours)| ours)
}
