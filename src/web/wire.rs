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
use utoipa::ToSchema;

use crate::model::{
    activity::{Activity, Outcome},
    session::{EndedBy, Session, State},
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
#[derive(Serialize, ToSchema)]
pub struct Items<T, C> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next one begins.
    pub next: Option<String>,
    /// How many there are on all pages.
    pub total: C,
}

/// A session.
#[derive(Serialize, ToSchema)]
#[schema(as = Session, example = json!({
    "id": "8n1c5rd0m7k9g2qv4h6t3w1y5p", "user": "ann", "ip": "81.2.69.142", "city": "London", "region": "England", "country": "GB",
    "location": "London, United Kingdom", "latitude": 51.5142, "longitude": -0.0931, "device": "Desktop", "os": "Ubuntu",
    "browser": "Firefox 140", "user_agent": "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "started": "2026-03-15T12:00:00.000Z", "last_access": "2026-03-15T12:04:31.250Z", "expires": "2026-03-16T12:00:00.000Z",
    "apps": ["wiki"], "mfa": false, "current": true, "state": "active"
}))]
pub struct SessionWire {
    /// The id.
    id: String,
    /// Whose it is.
    user: String,
    /// The address it was last used from.
    ip: Option<String>,
    /// Where that is.
    city: Option<String>,
    /// In which part of the country.
    region: Option<String>,
    /// In which country: ISO 3166-1 alpha-2.
    country: Option<String>,
    /// The text of the Location column.
    location: String,
    /// In degrees, north positive.
    latitude: Option<f64>,
    /// In degrees, east positive.
    longitude: Option<f64>,
    /// On what device.
    device: String,
    /// On what system.
    os: String,
    /// In what browser.
    browser: String,
    /// What the browser says of itself.
    user_agent: String,
    /// When it began.
    #[schema(format = DateTime)]
    started: String,
    /// When it was last used.
    #[schema(format = DateTime)]
    last_access: String,
    /// When it ends at the latest.
    #[schema(format = DateTime)]
    expires: String,
    /// The apps that were opened in it.
    apps: Vec<String>,
    /// Whether a second factor was shown.
    mfa: bool,
    /// Whether it is the one in which this is asked.
    current: bool,
    /// Whether it goes on.
    #[schema(value_type = State)]
    state: &'static str,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    ended: Option<String>,
    /// What ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<EndedBy>)]
    ended_by: Option<&'static str>,
    /// Who, if it was somebody.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_by_user: Option<String>,
    /// Why, if anything was said.
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
#[derive(Serialize, ToSchema)]
#[schema(as = Activity, example = json!({
    "id": "00000000000g2", "time": "2026-03-15T12:00:00.000Z", "received": "2026-03-15T12:00:00.120Z", "user": "ann",
    "action": "backup", "detail": "Account_2024.csv", "app": "salesforce", "outcome": "success", "ip": "81.2.69.142", "city": "London",
    "region": "England", "country": "GB", "attributes": {"ticket": "INC-4711"}
}))]
pub struct ActivityWire<'a> {
    /// The id; later ones are greater.
    #[schema(value_type = String)]
    id: Short,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    time: Short,
    /// When it came here.
    #[schema(value_type = String, format = DateTime)]
    received: Short,
    /// Who did it.
    #[schema(value_type = String)]
    user: &'a str,
    /// What they did.
    #[schema(value_type = String)]
    action: &'a str,
    /// In words; may be empty.
    #[schema(value_type = String)]
    detail: &'a str,
    /// In which program.
    #[schema(value_type = String)]
    app: &'a str,
    /// How it came out.
    #[schema(value_type = Outcome)]
    outcome: &'static str,
    /// In which session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    session: Option<&'a str>,
    /// From where.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    ip: Option<Short>,
    /// Where that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    city: Option<&'a str>,
    /// In which part of the country.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    region: Option<&'a str>,
    /// In which country: ISO 3166-1 alpha-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    country: Option<&'a str>,
    /// On what device.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    device: Option<&'a str>,
    /// On what system.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    os: Option<&'a str>,
    /// In what browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    browser: Option<&'a str>,
    /// What the browser said of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    user_agent: Option<&'a str>,
    /// To what or whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    target: Option<&'a str>,
    /// Whatever else was sent.
    #[schema(value_type = BTreeMap<String, String>)]
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
