//! What is sent: sessions and activities in JSON, in the words of the contract.

use std::{fmt, fmt::Write as _};

use jiff::{
    Timestamp,
    fmt::{StdFmtWrite, temporal::DateTimePrinter},
};
use rocket::{
    Request,
    http::ContentType,
    response::{self, Responder},
};
use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::model::{
    activity::Activity,
    session::{Session, State},
};

/// An answer in JSON.
pub struct Answer<T>(pub T);

impl<'r, T: Serialize> Responder<'r, 'static> for Answer<T> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        match serde_json::to_vec(&self.0) {
            Ok(body) => (ContentType::JSON, body).respond_to(request),
            Err(error) => super::failure::Failure::internal(&error).respond_to(request),
        }
    }
}

/// A time as the contract writes it: RFC 3339 in UTC with milliseconds, always.
pub fn time(at: Timestamp) -> String {
    Short::time(at).as_str().to_owned()
}

/// A text of at most 40 bytes that needs no memory of its own: a time, an id, an address. What many rows are written
/// from has several of them.
#[derive(Clone, Copy)]
pub struct Short {
    bytes: [u8; 40],
    length: usize,
}

impl Default for Short {
    fn default() -> Self {
        Self { bytes: [0; 40], length: 0 }
    }
}

impl Short {
    /// Whatever shows itself in 40 bytes; cut where it does not.
    pub fn of(short: impl fmt::Display) -> Self {
        let mut text = Self::default();
        let fits = write!(text, "{short}");
        debug_assert!(fits.is_ok(), "{short} is too long");
        text
    }

    /// [`time`].
    pub fn time(at: Timestamp) -> Self {
        const MILLISECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
        let mut text = Self::default();
        let fits = MILLISECONDS.print_timestamp(&at, StdFmtWrite(&mut text));
        debug_assert!(fits.is_ok(), "{at} is too long");
        text
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // It is made of whole texts.
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

impl Serialize for Short {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A page of something.
#[derive(Serialize)]
pub struct Items<T, C> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next one begins.
    pub next: Option<String>,
    /// How many there are on all pages.
    pub total: C,
}

/// A session.
#[derive(Serialize)]
pub struct SessionWire {
    id: String,
    user: String,
    ip: Option<String>,
    city: Option<String>,
    region: Option<String>,
    country: Option<String>,
    location: String,
    latitude: Option<f64>,
    longitude: Option<f64>,
    device: String,
    os: String,
    browser: String,
    user_agent: String,
    started: String,
    last_access: String,
    expires: String,
    apps: Vec<String>,
    mfa: bool,
    current: bool,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_by_user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl SessionWire {
    /// The session; `current` if it is the one in which it is asked for.
    pub fn new(session: Session, current: bool) -> Self {
        let state = if session.ending.is_some() { State::Ended } else { State::Active };
        let (ended, ended_by, ended_by_user, reason) = match session.ending {
            None => (None, None, None, None),
            Some(end) => (Some(time(end.at)), Some(end.by.as_str()), end.by_user, Some(end.reason)),
        };
        Self {
            id: session.id.to_string(),
            user: session.user.to_string(),
            location: session.place.location(session.ip),
            ip: session.ip.map(|ip| ip.to_string()),
            city: session.place.city,
            region: session.place.region,
            country: session.place.country,
            latitude: session.place.latitude,
            longitude: session.place.longitude,
            device: session.device.device,
            os: session.device.os,
            browser: session.device.browser,
            user_agent: session.user_agent,
            started: time(session.started),
            last_access: time(session.last_access),
            expires: time(session.expires),
            apps: session.apps,
            mfa: session.mfa,
            current,
            state: state.as_str(),
            ended,
            ended_by,
            ended_by_user,
            reason,
        }
    }
}

/// An activity.
#[derive(Serialize)]
pub struct ActivityWire<'a> {
    id: Short,
    time: Short,
    received: Short,
    user: &'a str,
    action: &'a str,
    detail: &'a str,
    app: &'a str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<Short>,
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    os: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    browser: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    attributes: Pairs<'a>,
}

impl<'a> From<&'a Activity> for ActivityWire<'a> {
    fn from(activity: &'a Activity) -> Self {
        let filled = |text: &'a str| (!text.is_empty()).then_some(text);
        Self {
            id: Short::of(activity.id),
            time: Short::time(activity.time),
            received: Short::time(activity.received),
            user: &activity.user,
            action: &activity.action,
            detail: &activity.detail,
            app: &activity.app,
            outcome: activity.outcome.as_str(),
            session: activity.session.as_deref(),
            ip: activity.ip.map(Short::of),
            city: activity.place.city.as_deref(),
            region: activity.place.region.as_deref(),
            country: activity.place.country.as_deref(),
            device: filled(&activity.device.device),
            os: filled(&activity.device.os),
            browser: filled(&activity.device.browser),
            user_agent: activity.user_agent.as_deref(),
            target: activity.target.as_deref(),
            attributes: Pairs(&activity.attributes),
        }
    }
}

/// Names and values as a JSON object, in their order.
struct Pairs<'a>(&'a [(String, String)]);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::ActivityId;

    #[test]
    fn every_time_id_and_address_is_short_enough() {
        for at in [Timestamp::MIN, Timestamp::MAX, Timestamp::UNIX_EPOCH] {
            assert_eq!(time(at), format!("{at:.3}"));
        }
        assert_eq!(time("2026-01-02T03:04:05.6789Z".parse().unwrap()), "2026-01-02T03:04:05.678Z");
        let longest = "1111:2222:3333:4444:5555:6666:7777:8888";
        assert_eq!(Short::of(longest.parse::<std::net::IpAddr>().unwrap()).as_str(), longest);
        assert_eq!(Short::of(ActivityId(u64::MAX)).as_str(), ActivityId(u64::MAX).to_string());
    }
}
