//! What others call things, and how they write them: the one table of their names for our fields, and what a value says where a time, an
//! outcome or an address is looked for.

use std::{borrow::Cow, net::IpAddr};

use jiff::{Timestamp, civil, tz::TimeZone};
use serde_json::Value;

use crate::{
    model::{activity::Outcome, place},
    web::ingest::json,
};

/// The names of one of our fields, the best first.
pub(in crate::web::ingest) type Names = &'static [&'static str];

pub(in crate::web::ingest) const USER: Names =
    &["user", "user.name", "enduser.id", "user.email", "user.id", "enduser.pseudo.id"];
pub(in crate::web::ingest) const ACTION: Names = &["action", "event.action", "event.name"];
pub(in crate::web::ingest) const DETAIL: Names = &["detail", "message", "event.reason", "msg", "log"];
pub(in crate::web::ingest) const APP: Names =
    &["app", "service.name", "event.provider", "event.module", "log.syslog.appname", "process.name"];
pub(in crate::web::ingest) const TIME: Names = &["time", "@timestamp", "timestamp"];
pub(in crate::web::ingest) const TARGET: Names = &["target", "user.target.name", "file.path"];
pub(super) const OUTCOME: Names = &["outcome", "event.outcome"];
pub(super) const SESSION: Names = &["session", "session.id"];
pub(super) const USER_AGENT: Names = &["user_agent", "user_agent.original"];
pub(super) const IP: Names = &["ip", "source.ip", "client.ip"];
/// These may hold a host's name instead.
pub(super) const ADDRESS: Names =
    &["client.address", "source.address", "network.peer.address", "http.client_ip", "net.sock.peer.addr"];
/// Only where it is sent to us in the first place is an `id` that of a record: elsewhere it may be anybody's.
pub(super) const OWN_ID: Names = &["id"];
pub(super) const ID: Names = &["event.id", "log.record.uid"];
pub(super) const CITY: Names = &["city", "source.geo.city_name", "client.geo.city_name"];
pub(super) const REGION: Names = &["region", "source.geo.region_name", "client.geo.region_name"];
pub(super) const COUNTRY: Names = &["country", "source.geo.country_iso_code", "client.geo.country_iso_code"];
pub(super) const DEVICE: Names = &["device", "user_agent.device.name"];
pub(super) const OS: Names = &["os", "user_agent.os.full", "user_agent.os.name"];
pub(super) const BROWSER: Names = &["browser", "user_agent.name"];

/// Every name that stands for one of our fields.
const KNOWN: [Names; 19] = [
    USER, ACTION, DETAIL, APP, TIME, TARGET, OUTCOME, SESSION, USER_AGENT, IP, ADDRESS, OWN_ID, ID, CITY,
    REGION, COUNTRY, DEVICE, OS, BROWSER,
];

/// What programs write of how something came out, in lower case.
const SUCCESS: [&str; 10] =
    ["success", "succeeded", "successful", "ok", "pass", "passed", "allow", "allowed", "accepted", "granted"];
const FAILURE: [&str; 11] = [
    "failure",
    "failed",
    "fail",
    "error",
    "deny",
    "denied",
    "refused",
    "rejected",
    "blocked",
    "forbidden",
    "unsuccessful",
];

/// Whether a name stands for one of our fields.
pub(in crate::web::ingest) fn is_known(name: &str) -> bool {
    KNOWN.iter().any(|names| names.contains(&name))
}

/// Whether a name in a record says that it is written in somebody else's words.
pub(in crate::web::ingest) fn is_foreign(name: &str) -> bool {
    matches!(name, "@timestamp" | "specversion" | "event" | "ecs")
        || ["event.", "ecs.", "user.", "source.", "client.", "user_agent."]
            .iter()
            .any(|group| name.starts_with(group))
}

/// Whether what stands in an object under this name may have names of others for our fields: `source` does, as `source.ip` is one.
pub(in crate::web::ingest) fn is_group(name: &str) -> bool {
    let is_of_it = |known: &&str| known.strip_prefix(name).is_some_and(|inner| inner.starts_with('.'));
    KNOWN.iter().any(|names| names.iter().any(&is_of_it))
}

pub(super) fn is_empty(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// Whether a value says something in one word or text.
pub(super) fn counts(value: &Value) -> bool {
    (value.is_string() && !is_empty(value)) || value.is_number()
}

/// A text or a number, as text.
pub(super) fn plain(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text.trim())),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}

/// Text as it is, anything else as JSON.
pub(super) fn plain_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// A time: as we write it; and one without a zone is UTC.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let civil = || {
        let civil: civil::DateTime = text.parse().ok()?;
        let at = TimeZone::UTC.to_timestamp(civil).ok()?;
        Timestamp::from_millisecond(at.as_millisecond()).ok()
    };
    // What is older than any computer is a clock that was never set.
    json::time(text).ok().or_else(civil).filter(|at| *at >= Timestamp::UNIX_EPOCH)
}

/// How it came out, and whether the word is ours; another is kept beside.
pub(super) fn outcome(word: &str) -> Option<(Outcome, bool)> {
    if let Ok(outcome) = word.parse() {
        return Some((outcome, true));
    }
    let word = word.to_lowercase();
    let said = |words: &[&str]| words.contains(&word.as_str());
    let outcome =
        if said(&SUCCESS) { Outcome::Success } else { said(&FAILURE).then_some(Outcome::Failure)? };
    Some((outcome, false))
}

/// An address, and whether it is all that was said; a port or an interface behind it is kept beside.
pub(super) fn address(text: &str) -> Option<(IpAddr, bool)> {
    if let Ok(ip) = text.parse() {
        return Some((ip, true));
    }
    place::address_on(text).map(|ip| (ip, false))
}
