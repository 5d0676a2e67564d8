//! On what somebody is: what a `User-Agent` and the client hints beside it tell, and no more than that.
//!
//! The order of judgement is the point of this room. A program is recognised first, because it may wear any
//! browser's clothes; then the machine with its system, where hints come before the text that browsers have frozen;
//! then the browser. Every step asks our own tables and, last, woothee, whose data ends in 2021. What none of
//! them knows stays empty. Where the truth is one of two, both are said: `Windows 10 or 11`.
//!
//! A hostile header costs no more than an honest one: only [`Agent::MAX_BYTES`] of it are read, and a result is at
//! most 64 bytes of letters, digits and a little punctuation.

mod appliances;
mod base;
mod browsers;
mod hints;
mod mobiles;
mod programs;
mod stated;
mod systems;
mod text;
mod trades;

#[cfg(test)]
mod tests;

use self::{
    base::{Base, Category},
    hints::Hints,
    programs::Program,
    systems::Machine,
    text::{Text, bounded},
    trades::Trade,
};
use crate::model::device::{Agent, Device, Kind};

/// The value of the `Accept-CH` header that asks Chromium browsers for the hints [`device`] reads. Brands and whether
/// it is a telephone come without being asked for.
pub const ACCEPT_CH: &str =
    "Sec-CH-UA-Platform, Sec-CH-UA-Platform-Version, Sec-CH-UA-Model, Sec-CH-UA-Full-Version-List";

/// What `agent` says it is. Every text is at most 64 bytes of printable ASCII, and empty when nothing is known.
pub fn device(agent: &Agent) -> Device {
    let text = Text::of(&agent.user_agent);
    let hints = Hints::of(agent);
    let base = Base::of(text.as_str());

    if let Some(program) = programs::disguised(&text, &hints, &base) {
        return of_program(&program, &text, &hints, &base);
    }
    let machine = systems::machine(&text, &hints, &base);
    if !is_browser(&text, &base, machine.as_ref())
        && let Some(program) = programs::leading(&text)
    {
        return of_program(&program, &text, &hints, &base);
    }
    let browser = browser(&text, &hints, &base, machine.as_ref());
    let machine = machine.unwrap_or_else(|| Machine::new(Kind::Unknown, "", ""));
    of_parts(machine.kind, &machine.device, &machine.os, &browser)
}

fn of_parts(kind: Kind, device: &str, os: &str, browser: &str) -> Device {
    Device { kind, device: bounded(device), os: bounded(os), browser: bounded(browser) }
}

/// A program's device is its trade. A crawler that names a system is in disguise; the others say where they run.
fn of_program(program: &Program, text: &Text, hints: &Hints, base: &Base) -> Device {
    let os = match program.trade {
        Trade::Crawler => String::new(),
        Trade::Headless => systems::machine(text, hints, base).map(|machine| machine.os).unwrap_or_default(),
        _ => stated::system(text),
    };
    of_parts(Kind::Bot, program.trade.word(), &os, &program.label)
}

/// Whether a person is behind it: it begins as browsers do, is one by name, or runs on what people carry about.
fn is_browser(text: &Text, base: &Base, machine: Option<&Machine>) -> bool {
    programs::claims_browser(text)
        || browsers::leads(text)
        || matches!(base.category, Category::FeaturePhone | Category::Appliance)
        || machine.is_some_and(|machine| machine.kind != Kind::Desktop)
}

/// The browser's name; of an application on a telephone, the application's.
fn browser(text: &Text, hints: &Hints, base: &Base, machine: Option<&Machine>) -> String {
    if base.category == Category::FeaturePhone {
        return base.browser();
    }
    let name = browsers::name(text, hints);
    if !name.is_empty() {
        return name;
    }
    let appliance = machine.is_some_and(|machine| machine.kind == Kind::Appliance);
    match () {
        () if base.is_browser_of_its_own() && !(appliance && base.is_machine()) => base.browser(),
        () if programs::claims_browser(text) || text.has("Profile/MIDP") => String::new(),
        () => programs::leading(text).map(|program| program.label).unwrap_or_default(),
    }
}
