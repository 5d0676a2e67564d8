//! Televisions, consoles and other things that are neither computer nor telephone.

use super::{
    systems::Machine,
    text::{Text, joined},
};
use crate::model::device::Kind;

/// One appliance: how it is known, what it is, what it runs, and where that thing's version stands.
struct Row {
    mark: &'static str,
    device: &'static str,
    os: &'static str,
    version: &'static str,
}

const fn row(mark: &'static str, device: &'static str, os: &'static str, version: &'static str) -> Row {
    Row { mark, device, os, version }
}

impl Row {
    /// The system and its version, when the text names it; a console's is certain without that.
    fn system(&self, text: &Text) -> String {
        let version = if self.version.is_empty() { String::new() } else { text.version(self.version, 2) };
        let console = CONSOLES.iter().any(|name| self.os.starts_with(name));
        match () {
            () if console && !version.is_empty() => format!("{} ({version})", self.os),
            () if console || self.version.is_empty() || text.has(self.version) => joined(self.os, &version),
            () => String::new(),
        }
    }
}

const ROWS: &[Row] = &[
    row("PlayStation 5", "PlayStation 5", "PlayStation 5", "PlayStation 5/"),
    row("PlayStation 4/", "PlayStation 4", "PlayStation 4", "PlayStation 4/"),
    row("PlayStation 4", "PlayStation 4", "PlayStation 4", "PlayStation 4 "),
    row("PlayStation Vita", "PlayStation Vita", "PlayStation Vita", "PlayStation Vita "),
    row("PLAYSTATION 3;", "PlayStation 3", "PlayStation 3", "PLAYSTATION 3; "),
    row("PLAYSTATION 3", "PlayStation 3", "PlayStation 3", "PLAYSTATION 3 "),
    row("Xbox Series X", "Xbox Series X", "Xbox Series X", ""),
    row("Xbox One", "Xbox One", "Xbox One", ""),
    row("Trident/5.0; Xbox)", "Xbox 360", "Xbox 360", ""),
    row("Xbox", "Xbox", "Xbox", ""),
    row("Nintendo Switch", "Nintendo Switch", "Nintendo Switch", ""),
    row("New Nintendo 3DS", "New Nintendo 3DS", "Nintendo 3DS", ""),
    row("AppleTV", "Apple TV", "tvOS", ""),
    row("Apple TV", "Apple TV", "tvOS", "CPU OS "),
    row("Watch OS", "Apple Watch", "watchOS", "Watch OS "),
    row("watchOS", "Apple Watch", "watchOS", "watchOS/"),
    row("Web0S", "Smart TV", "webOS", ""),
    row("webOS.TV", "Smart TV", "webOS", ""),
    row("NetCast", "Smart TV", "NetCast", "NetCast."),
    row("SMART-TV", "Smart TV", "Tizen", "Tizen "),
    row("TV Safari/", "Smart TV", "Tizen", "Tizen "),
    row("Roku/", "Roku", "Roku OS", "Roku/DVP-"),
    row("CrKey/", "Chromecast", "", ""),
    row("; AFT", "Fire TV", "Android", "Android "),
    row("BRAVIA", "Smart TV", "Android", "Android "),
    row("Chromecast", "Chromecast", "Android", "Android "),
    row("Android TV", "Smart TV", "Android", "Android "),
    row("Google TV", "Smart TV", "Android", "Android "),
    row("GoogleTV", "Smart TV", "Android", "Android "),
    row("SHIELD Android TV", "Smart TV", "Android", "Android "),
    row("HbbTV/", "Smart TV", "", ""),
    row("SmartTV", "Smart TV", "", ""),
    row("Smart-TV", "Smart TV", "", ""),
    row("InettvBrowser/", "Smart TV", "", ""),
    row("Quest 3S", "Quest 3S", "Android", "Android "),
    row("Quest 3", "Quest 3", "Android", "Android "),
    row("Quest Pro", "Quest Pro", "Android", "Android "),
    row("Quest 2", "Quest 2", "Android", "Android "),
    row("OculusBrowser/", "Quest", "", ""),
    row("Tesla/", "Tesla", "", ""),
    row("QtCarBrowser", "Tesla", "", ""),
    row("Kindle/", "Kindle", "", ""),
];

/// Systems whose name is the machine's: their version stands in brackets, lest it be read as the machine's.
const CONSOLES: &[&str] = &["PlayStation", "Xbox", "Nintendo"];

/// The appliance, when it is one.
pub(super) fn machine(text: &Text) -> Option<Machine> {
    let row = ROWS.iter().find(|row| text.has(row.mark))?;
    Some(Machine::new(Kind::Appliance, row.device, row.system(text)))
}
