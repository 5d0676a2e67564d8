//! Which system it runs, and so which machine it is: computers here, the rest in the rooms this one asks.

use super::{
    appliances,
    base::{Base, Category},
    hints::Hints,
    mobiles,
    text::{Text, joined, major, part, shortened, version},
};
use crate::model::device::Kind;

/// A machine as far as it is known.
pub(super) struct Machine {
    pub(super) kind: Kind,
    pub(super) device: String,
    pub(super) os: String,
}

impl Machine {
    pub(super) fn new(kind: Kind, device: impl Into<String>, os: impl Into<String>) -> Self {
        Self { kind, device: device.into(), os: os.into() }
    }
}

/// Both of them call themselves NT 10.0; only the client hints tell them apart.
pub(super) const WINDOWS_10_OR_11: &str = "Windows 10 or 11";

/// Windows by what a browser calls it.
const WINDOWS: &[(&str, &str)] = &[
    ("Windows NT 10.0", WINDOWS_10_OR_11),
    ("Windows NT 6.3", "Windows 8.1"),
    ("Windows NT 6.2", "Windows 8"),
    ("Windows NT 6.1", "Windows 7"),
    ("Windows NT 6.0", "Windows Vista"),
    ("Windows NT 5.2", "Windows XP or Server 2003"),
    ("Windows NT 5.1", "Windows XP"),
    ("Windows NT 5.0", "Windows 2000"),
    ("Windows NT 4.0", "Windows NT 4.0"),
    ("Win 9x 4.90", "Windows Me"),
    ("Windows 98", "Windows 98"),
    ("Win98", "Windows 98"),
    ("Windows 95", "Windows 95"),
    ("Win95", "Windows 95"),
    ("Windows", "Windows"),
];

/// What Chromium reports as platform version before Windows 10: the contract's minor version instead.
const WINDOWS_BEFORE_10: &[(u32, &str)] = &[(1, "Windows 7"), (2, "Windows 8"), (3, "Windows 8.1")];

/// Chromium's platform version of the first Windows 11 (Microsoft, "Detect Windows 11 using Client Hints").
const WINDOWS_11: u32 = 13;

/// The versions that all of macOS from 10.15 on calls itself, whatever it is: Safari and Chrome write three parts,
/// Firefox two, and 10.16 was what macOS 11 told programs built before it.
const FROZEN_MACOS: &[&str] = &["10.15.7", "10.15", "10.16"];

/// What Chrome has called every `ChromeOS` since the `User-Agent` was reduced.
const FROZEN_CHROME_OS: &str = "14541.0.0";

/// Distributions that browsers name, and other systems of the family.
const UNIXES: &[(&str, &str)] = &[
    ("Ubuntu", "Ubuntu Linux"),
    ("Fedora", "Fedora Linux"),
    ("Debian", "Debian Linux"),
    ("Linux Mint", "Linux Mint"),
    ("openSUSE", "openSUSE Linux"),
    ("SUSE", "SUSE Linux"),
    ("CentOS", "CentOS Linux"),
    ("Red Hat", "Red Hat Linux"),
    ("Arch Linux", "Arch Linux"),
    ("Gentoo", "Gentoo Linux"),
    ("Linux", "Linux"),
    ("OpenBSD", "OpenBSD"),
    ("NetBSD", "NetBSD"),
    ("DragonFly", "DragonFly BSD"),
    ("SunOS", "Solaris"),
    ("Haiku", "Haiku"),
];

/// The machine and its system: from the hints where they say more, else from the `User-Agent`, else as woothee has it.
pub(super) fn machine(text: &Text, hints: &Hints, base: &Base) -> Option<Machine> {
    appliances::machine(text)
        .or_else(|| hinted(text, hints))
        .or_else(|| mobiles::machine(text, hints))
        .or_else(|| computer(text))
        .or_else(|| remembered(text, base))
        .or_else(|| mobiles::feature_phone(text))
}

fn hinted(text: &Text, hints: &Hints) -> Option<Machine> {
    let version = hints.platform_version.as_str();
    match hints.platform.as_str() {
        "Windows" if !version.is_empty() => Some(pc(windows_by_hint(version))),
        "macOS" | "Mac OS X" if !version.is_empty() => Some(mac(joined("macOS", shortened(version)))),
        "macOS" | "Mac OS X" if !text.has("Mac OS X") => Some(mac("macOS")),
        "Chrome OS" | "ChromeOS" | "Chromium OS" => Some(chromebook(version)),
        "Android" => Some(mobiles::android(text, hints)),
        "Linux" => Some(pc(unix(text).unwrap_or_else(|| "Linux".to_owned()))),
        _ => None,
    }
}

/// A computer's system as the `User-Agent` alone tells it.
fn computer(text: &Text) -> Option<Machine> {
    None.or_else(|| windows(text).map(pc))
        .or_else(|| apple(text))
        .or_else(|| Some(chromebook(&text.after("CrOS ").map(behind_a_word)?)))
        .or_else(|| unix(text).map(pc))
}

/// What only woothee remembers.
fn remembered(text: &Text, base: &Base) -> Option<Machine> {
    let os = joined(&base.os, &version(&base.os_version, 3));
    match base.category {
        Category::Computer if base.os.starts_with("Mac") => Some(mac(base.os.as_str())),
        Category::Computer => Some(pc(os)),
        Category::Smartphone if text.has("Tablet") => Some(Machine::new(Kind::Tablet, "Tablet", os)),
        Category::Smartphone if base.os.starts_with("BlackBerry") => {
            Some(Machine::new(Kind::Phone, "BlackBerry", os))
        }
        Category::Smartphone => Some(Machine::new(Kind::Phone, "Phone", os)),
        Category::FeaturePhone => Some(Machine::new(Kind::Phone, base.model.as_str(), os)),
        Category::Appliance => Some(Machine::new(Kind::Appliance, base.os.as_str(), os)),
        Category::Crawler | Category::Program | Category::Unknown => None,
    }
}

fn pc(os: impl Into<String>) -> Machine {
    Machine::new(Kind::Desktop, "PC", os)
}

fn mac(os: impl Into<String>) -> Machine {
    Machine::new(Kind::Desktop, "Mac", os)
}

fn chromebook(version: &str) -> Machine {
    let version = if version == FROZEN_CHROME_OS { "" } else { version };
    Machine::new(Kind::Desktop, "Chromebook", joined("ChromeOS", version))
}

/// The version behind the architecture: `x86_64 15633.69.0`.
fn behind_a_word(rest: &str) -> String {
    rest.split_once(' ').map(|(_, after)| version(after, 3)).unwrap_or_default()
}

fn windows_by_hint(version: &str) -> &'static str {
    let before_10 = || {
        let minor = part(version, 1)?;
        WINDOWS_BEFORE_10.iter().find(|(known, _)| *known == minor).map(|(_, name)| *name)
    };
    match major(version) {
        Some(0) => before_10().unwrap_or("Windows"),
        Some(number) if number >= WINDOWS_11 => "Windows 11",
        Some(_) => "Windows 10",
        None => WINDOWS_10_OR_11,
    }
}

/// Windows as the `User-Agent` calls it.
pub(super) fn windows(text: &Text) -> Option<&'static str> {
    WINDOWS.iter().find(|(mark, _)| text.has(mark)).map(|(_, name)| *name)
}

/// A Mac; or an iPad that claims to be one, which only the iOS names of other browsers give away.
fn apple(text: &Text) -> Option<Machine> {
    let rest = text.after("Mac OS X")?;
    if text.has_any(&["CriOS/", "FxiOS/", "EdgiOS/", "OPT/", "OPX/"]) {
        return Some(mobiles::iphone_or_ipad());
    }
    let version = version(rest.trim_start(), 3);
    Some(mac(macos(&version)))
}

/// The system's name at the time, and its version where it is true.
fn macos(version: &str) -> String {
    if version.is_empty() || FROZEN_MACOS.contains(&version) {
        return "macOS".to_owned();
    }
    let name = match (major(version), part(version, 1)) {
        (Some(10), Some(0..=7)) => "Mac OS X",
        (Some(10), Some(8..=11)) => "OS X",
        _ => "macOS",
    };
    joined(name, version)
}

fn unix(text: &Text) -> Option<String> {
    if let Some(rest) = text.after("FreeBSD") {
        return Some(joined("FreeBSD", &version(rest.trim_start(), 2)));
    }
    UNIXES.iter().find(|(mark, _)| text.has(mark)).map(|(_, name)| (*name).to_owned())
}
