//! What the apps were told of a session's end, in words: `told 3 of 4 apps, Wiki: retry in 20 s`.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::hook::{Delivery, DeliveryState};

/// How far the apps have been told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// In one line.
    pub line: String,
    /// Whether every app was told, or is being told for the first time.
    pub good: bool,
    /// App by app: its name, and how far it has been told.
    pub apps: Vec<(String, String)>,
}

impl Told {
    /// All of `deliveries` as they stand at `now`, of one session or of several that ended together: an app has been told
    /// when it was told of each. None if there is nothing to tell.
    pub fn of(deliveries: &[Delivery], now: Timestamp) -> Option<Self> {
        let mut worst: BTreeMap<&str, &Delivery> = BTreeMap::new();
        for delivery in deliveries {
            let known = worst.entry(&delivery.app).or_insert(delivery);
            if badness(delivery) > badness(known) {
                *known = delivery;
            }
        }
        if worst.is_empty() {
            return None;
        }
        let (all, told) = (worst.len(), worst.values().filter(|delivery| badness(delivery) == 0).count());
        let untried = worst.values().filter(|delivery| badness(delivery) == 1).count();
        let rest = worst.values().filter(|delivery| badness(delivery) > 1);
        let rest: Vec<String> =
            rest.map(|delivery| format!("{}: {}", delivery.app, short(delivery, now))).collect();
        let head = match (told, untried, all) {
            (told, 0, all) if told == all && all == 1 => format!("told {}", name(&worst)),
            (told, 0, all) if told == all => format!("told {all} apps"),
            (0, untried, all) if untried == all && all == 1 => format!("telling {}", name(&worst)),
            (0, untried, all) if untried == all => format!("telling {all} apps"),
            (told, _, 1) => format!("told {told} of 1 app"),
            (told, _, all) => format!("told {told} of {all} apps"),
        };
        let line = if rest.is_empty() { head } else { format!("{head}, {}", rest.join("; ")) };
        let apps = worst.values().map(|delivery| (delivery.app.clone(), long(delivery, now))).collect();
        Some(Self { line, good: rest.is_empty(), apps })
    }
}

fn name<'a>(apps: &BTreeMap<&'a str, &Delivery>) -> &'a str {
    apps.keys().next().copied().unwrap_or_default()
}

const fn badness(delivery: &Delivery) -> u8 {
    match delivery.state {
        DeliveryState::Told(_) => 0,
        DeliveryState::Waiting(_) if delivery.tries == 0 => 1,
        DeliveryState::Waiting(_) => 2,
        DeliveryState::GivenUp(_) => 3,
    }
}

/// `retry in 20 s`.
fn short(delivery: &Delivery, now: Timestamp) -> String {
    match delivery.state {
        DeliveryState::Told(_) => "told".to_owned(),
        DeliveryState::Waiting(_) if delivery.tries == 0 => "being told".to_owned(),
        DeliveryState::Waiting(due) if due <= now => "trying again now".to_owned(),
        DeliveryState::Waiting(due) => format!("retry in {}", while_of((due - now).as_secs())),
        DeliveryState::GivenUp(_) => "given up".to_owned(),
    }
}

/// `retry in 20 s; answered 500, tried 2 times`.
pub fn long(delivery: &Delivery, now: Timestamp) -> String {
    let short = short(delivery, now);
    match (delivery.state, delivery.problem.as_str()) {
        (DeliveryState::Told(at), _) => {
            let after = (at.as_millisecond() - delivery.ended.as_millisecond()).max(0);
            let after = if after < 1000 { format!("{after} ms") } else { while_of(after / 1000) };
            format!("told {after} after the end")
        }
        (_, "") => short,
        (_, problem) if delivery.tries == 0 => format!("{short}; {problem}"),
        (_, problem) if delivery.tries == 1 => format!("{short}; {problem}"),
        (_, problem) => format!("{short}; {problem}, tried {} times", delivery.tries),
    }
}

/// `20 s`, `5 min`, `3 h`.
fn while_of(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{} s", seconds.max(1)),
        60..3600 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::SessionId;

    fn delivery(app: &str, tries: u32, state: DeliveryState) -> Delivery {
        let problem = if tries > 1 { "answered 500" } else { "" }.to_owned();
        let session = SessionId::from_bytes([0; 16]);
        Delivery { app: app.into(), session, ended: Timestamp::UNIX_EPOCH, tries, state, problem }
    }

    #[test]
    fn the_line_says_who_was_told_and_who_not_yet() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let told = |app| delivery(app, 1, DeliveryState::Told(at(0)));
        let waits = |app| delivery(app, 2, DeliveryState::Waiting(at(25)));
        let line = |deliveries: &[Delivery]| Told::of(deliveries, at(5)).map(|told| told.line);
        assert_eq!(line(&[]), None);
        assert_eq!(line(&[told("Wiki")]).unwrap(), "told Wiki");
        assert_eq!(line(&[told("Wiki"), told("Shop"), told("Wiki")]).unwrap(), "told 2 apps");
        let four = [told("a"), told("b"), told("c"), waits("Wiki")];
        assert_eq!(line(&four).unwrap(), "told 3 of 4 apps, Wiki: retry in 20 s");
        let untried = delivery("Wiki", 0, DeliveryState::Waiting(at(0)));
        assert_eq!(line(std::slice::from_ref(&untried)).unwrap(), "telling Wiki");
        assert_eq!(line(&[told("a"), untried]).unwrap(), "told 1 of 2 apps");
        let lost = delivery("Shop", 10, DeliveryState::GivenUp(at(9)));
        assert_eq!(
            line(&[told("Shop"), lost, waits("Wiki")]).unwrap(),
            "told 0 of 2 apps, Shop: given up; Wiki: retry in 20 s"
        );
        assert_eq!(long(&waits("Wiki"), at(5)), "retry in 20 s; answered 500, tried 2 times");
    }
}
