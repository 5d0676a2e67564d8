//! Telephones and tablets: their system, and their model where it is told.

use super::{
    hints::Hints,
    programs,
    systems::Machine,
    text::{Text, joined, major, part, shortened, version},
};
use crate::model::device::Kind;

/// What stands for the model where Chrome has taken it out, together with the frozen version before it.
const REDUCED: &str = "K";

/// Parts of an Android comment that are not a model.
const NO_MODELS: &[&str] =
    &["U", "wv", REDUCED, "Mobile", "Tablet", "Linux", "HarmonyOS", "x86_64", "arm_64"];
const NO_MODEL_PREFIXES: &[&str] = &["rv:", "HMSCore", "Android", "GooglePlay", "+", "http"];

/// The first iPad system of its own name.
const FIRST_IPADOS: u32 = 13;
/// From this Safari on, iOS calls itself 18.6 or 18.7 for good, and Safari's version is the system's
/// (`WebKit`, "Features in Safari 26.0", update to the user agent string).
const FIRST_FROZEN_SAFARI: u32 = 26;

/// A telephone or tablet as the `User-Agent` tells it; hints only add to it.
pub(super) fn machine(text: &Text, hints: &Hints) -> Option<Machine> {
    None.or_else(|| windows_phone(text))
        .or_else(|| harmony(text))
        .or_else(|| text.has("Android").then(|| android(text, hints)))
        .or_else(|| apple(text))
        .or_else(|| smaller(text))
}

/// An Android of which neither hints nor text may know version and model.
pub(super) fn android(text: &Text, hints: &Hints) -> Machine {
    let said = text.after("Android").unwrap_or_default();
    let reduced = parts(said).nth(1) == Some(REDUCED);
    let version = match (hints.platform_version.as_str(), reduced) {
        ("", true) => String::new(),
        ("", false) => version(said.trim_start_matches([' ', '-', '/']), 3),
        (hint, _) => shortened(hint).to_owned(),
    };
    let kind = android_kind(text, hints);
    let model = if hints.model.is_empty() { model(said) } else { hints.model.clone() };
    let general = if kind == Kind::Tablet { "Android tablet" } else { "Android phone" };
    let device = if model.is_empty() { general.to_owned() } else { model };
    Machine::new(kind, device, joined("Android", &version))
}

/// An application that sends no more than a browser does in its desktop dress.
pub(super) fn iphone_or_ipad() -> Machine {
    Machine::new(Kind::Unknown, "iPhone or iPad", "iOS or iPadOS")
}

/// A telephone of the time of Java ME: it begins with its model.
pub(super) fn feature_phone(text: &Text) -> Option<Machine> {
    text.has("Profile/MIDP").then(|| Machine::new(Kind::Phone, programs::leading_name(text.as_str()), ""))
}

/// Chrome leaves out `Mobile` on tablets, and so do those that follow it; others say `Tablet`.
fn android_kind(text: &Text, hints: &Hints) -> Kind {
    match hints.mobile {
        Some(false) => Kind::Tablet,
        None if text.has("Tablet") => Kind::Tablet,
        None if text.has("Safari/") && !text.has("Mobile") => Kind::Tablet,
        _ => Kind::Phone,
    }
}

/// The parts of the comment that `rest` is in, up to its closing bracket; models have brackets of their own.
fn parts(rest: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    let end = rest.find(|c: char| match c {
        '(' => {
            depth += 1;
            false
        }
        ')' if depth == 0 => true,
        ')' => {
            depth -= 1;
            false
        }
        _ => false,
    });
    rest[..end.unwrap_or(rest.len())].split(';').map(str::trim)
}

/// The model in an Android comment: the first part that is nothing else, without its build.
fn model(rest: &str) -> String {
    if rest.starts_with(" (") {
        return String::new();
    }
    let is_model = |part: &&str| {
        !part.is_empty()
            && !is_locale(part)
            && !NO_MODELS.contains(part)
            && !NO_MODEL_PREFIXES.iter().any(|prefix| part.starts_with(prefix))
    };
    let part = parts(rest).skip(1).find(is_model).unwrap_or_default();
    let model = part.split("Build/").next().unwrap_or_default().trim();
    let model = model.strip_prefix("SAMSUNG ").or_else(|| model.strip_prefix("SAMSUNG-")).unwrap_or(model);
    if model == REDUCED { String::new() } else { model.to_owned() }
}

/// `ja`, `ja-jp`, `en_US`.
fn is_locale(part: &str) -> bool {
    let letters = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic());
    match part.split_once(['-', '_']) {
        Some((language, region)) => letters(language) && letters(region),
        None => letters(part) && part.bytes().all(|b| b.is_ascii_lowercase()),
    }
}

fn windows_phone(text: &Text) -> Option<Machine> {
    if text.has("Windows CE") {
        return Some(Machine::new(Kind::Phone, "Windows phone", "Windows CE"));
    }
    let rest = text.after("Windows Phone")?;
    let rest = rest.strip_prefix(" OS").unwrap_or(rest);
    Some(Machine::new(Kind::Phone, "Windows phone", joined("Windows Phone", &version(rest.trim_start(), 2))))
}

/// Huawei's system: in Android's dress before its fifth version, in its own since.
fn harmony(text: &Text) -> Option<Machine> {
    let name = ["OpenHarmony", "HarmonyOS"].into_iter().find(|name| text.has(name))?;
    let rest = text.after(name).unwrap_or_default();
    let os = joined(name, &version(rest.trim_start(), 2));
    let (kind, general) = match () {
        () if text.has_any(&["(PC", "2in1"]) => (Kind::Desktop, "PC"),
        () if text.has("Tablet") => (Kind::Tablet, "HarmonyOS tablet"),
        () if text.has("Safari/") && !text.has("Mobile") && !text.has("(Phone") => {
            (Kind::Tablet, "HarmonyOS tablet")
        }
        () => (Kind::Phone, "HarmonyOS phone"),
    };
    let model = model(rest);
    Some(Machine::new(kind, if model.is_empty() { general.to_owned() } else { model }, os))
}

fn apple(text: &Text) -> Option<Machine> {
    const DEVICES: &[(&str, &str, Kind)] = &[
        ("iPad", "iPad", Kind::Tablet),
        ("iPod", "iPod touch", Kind::Phone),
        ("iPhone", "iPhone", Kind::Phone),
    ];
    let Some((_, device, kind)) = DEVICES.iter().find(|(mark, _, _)| text.has(mark)) else {
        return apple_network(text);
    };
    let version = ios_version(text);
    let name = match (*kind, major(&version)) {
        (Kind::Tablet, None) => "iOS or iPadOS",
        (Kind::Tablet, Some(FIRST_IPADOS..)) => "iPadOS",
        _ => "iOS",
    };
    Some(Machine::new(*kind, *device, joined(name, &version)))
}

/// The version where it is true; `18.6 or later` where nothing tells how much later.
fn ios_version(text: &Text) -> String {
    const MARKS: &[&str] = &[
        "CPU iPhone OS ",
        "CPU OS ",
        "iPhone OS ",
        "iPadOS ",
        "iOS ",
        "iPhone OS/",
        "iOS/",
        "CPU IPhone OS ",
    ];
    let said = MARKS
        .iter()
        .map(|mark| text.version(mark, 3))
        .find(|version| !version.is_empty())
        .unwrap_or_default();
    let safari = text.version("Version/", 3);
    let frozen = major(&said) == Some(18) && part(&said, 1) >= Some(6);
    match major(&safari) {
        Some(FIRST_FROZEN_SAFARI..) => safari,
        None if frozen => format!("{said} or later"),
        _ => said,
    }
}

/// Programs that let Apple's network library speak for them. It is the same on telephones and computers.
fn apple_network(text: &Text) -> Option<Machine> {
    if text.has("MobileSafari/") {
        return Some(Machine::new(Kind::Unknown, "iPhone or iPad", "iOS"));
    }
    if text.has("iOS ") || text.has("iOS/") {
        return Some(Machine::new(Kind::Unknown, "iPhone or iPad", joined("iOS", &ios_version(text))));
    }
    let network = text.has("CFNetwork/") && text.has("Darwin/") && !text.has("x86_64");
    network.then(|| Machine::new(Kind::Unknown, "Apple device", "iOS or macOS"))
}

/// Systems of few telephones.
fn smaller(text: &Text) -> Option<Machine> {
    const SYSTEMS: &[(&str, &str)] = &[
        ("KAIOS/", "KaiOS"),
        ("Tizen ", "Tizen"),
        ("Sailfish", "Sailfish OS"),
        ("Ubuntu Touch", "Ubuntu Touch"),
    ];
    let (mark, name) = SYSTEMS.iter().find(|(mark, _)| text.has(mark))?;
    Some(Machine::new(Kind::Phone, "Phone", joined(name, &text.version(mark, 2))))
}
