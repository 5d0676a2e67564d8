//! The manual.

use std::time::Duration;

use rocket::{get, routes};

use super::{Html, inside, show};
use crate::web::{
    door::{Member, Params},
    failure::Failure,
    openapi::manual::MANUAL,
    views::{Page, help::Help, reference::Reference},
};

#[get("/help")]
fn help(member: Member<'_>, params: Params) -> Result<Html, Failure> {
    let limits = member.app.limits();
    let frame = inside(&member, Page::Help, &params);
    show(&Help { frame, idle: in_words(limits.idle), absolute: in_words(limits.absolute) })
}

#[get("/help/api")]
fn reference(member: Member<'_>, params: Params) -> Result<Html, Failure> {
    show(&Reference { frame: inside(&member, Page::Help, &params), manual: &MANUAL })
}

/// `1 hour`, `24 hours`, `90 minutes`.
pub(super) fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    let (count, one, many) = match seconds {
        s if s > 0 && s % 3600 == 0 => (s / 3600, "hour", "hours"),
        s if s > 0 && s % 60 == 0 => (s / 60, "minute", "minutes"),
        s => (s, "second", "seconds"),
    };
    format!("{count} {}", if count == 1 { one } else { many })
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![help, reference]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_said_in_its_largest_whole_unit() {
        assert_eq!(in_words(Duration::from_hours(1)), "1 hour");
        assert_eq!(in_words(Duration::from_mins(90)), "90 minutes");
        assert_eq!(in_words(Duration::from_secs(45)), "45 seconds");
    }
}
