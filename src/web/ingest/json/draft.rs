//! A record in the field names of the contract: gathered field by field, and judged when all of it was seen.

use std::{borrow::Cow, mem};

use jiff::Timestamp;

use super::held::{Held, Pairs, first_twice};
use crate::{
    model::activity::{NewActivity, Outcome, SenderKey},
    web::ingest::{Record, document},
};

/// A record as it was written, not yet judged.
#[derive(Default)]
pub(super) struct Draft<'a> {
    user: Held<'a>,
    action: Held<'a>,
    detail: Held<'a>,
    app: Held<'a>,
    session: Held<'a>,
    user_agent: Held<'a>,
    target: Held<'a>,
    city: Held<'a>,
    region: Held<'a>,
    country: Held<'a>,
    device: Held<'a>,
    os: Held<'a>,
    browser: Held<'a>,
    outcome: Held<'a>,
    time: Held<'a>,
    ip: Held<'a>,
    id: Held<'a>,
    /// The log's own; a record that was exported carries it.
    received: Held<'a>,
    attributes: Held<'a>,
    others: Pairs<'a>,
    /// The first of the names above, by the alphabet, that came again.
    twice: Option<Cow<'a, str>>,
    /// Whether a name that is none of ours says that it is written in somebody else's words.
    foreign: bool,
}

impl<'a> Draft<'a> {
    /// Puts a field in its place. A name that comes again is kept in mind.
    pub(super) fn put(&mut self, name: Cow<'a, str>, value: Held<'a>) {
        let place = match &*name {
            "user" => &mut self.user,
            "action" => &mut self.action,
            "detail" => &mut self.detail,
            "app" => &mut self.app,
            "session" => &mut self.session,
            "user_agent" => &mut self.user_agent,
            "target" => &mut self.target,
            "city" => &mut self.city,
            "region" => &mut self.region,
            "country" => &mut self.country,
            "device" => &mut self.device,
            "os" => &mut self.os,
            "browser" => &mut self.browser,
            "outcome" => &mut self.outcome,
            "time" => &mut self.time,
            "ip" => &mut self.ip,
            "id" => &mut self.id,
            "received" => &mut self.received,
            "attributes" => &mut self.attributes,
            _ => {
                self.foreign |= document::is_foreign(&name) || value.is_object() && document::is_group(&name);
                return self.others.push((name, value));
            }
        };
        if !matches!(mem::replace(place, value), Held::Nothing) {
            self.twice = self.twice.take().into_iter().chain([name]).min();
        }
    }

    /// Whether it is written in somebody else's words, as `{"user":{"name":…}}` is.
    pub(super) fn is_foreign(&self) -> bool {
        self.foreign || [&self.user, &self.session, &self.user_agent].into_iter().any(Held::is_object)
    }

    /// The first name, by the alphabet, of which the later value would hide one before it.
    pub(super) fn twice(&mut self) -> Option<String> {
        let ours = self.twice.take().map(Cow::into_owned);
        ours.into_iter().chain(first_twice(&mut self.others)).min()
    }

    /// The record that it is; `sender` is who its `id` is unique for.
    pub(super) fn judge(self, sender: &str) -> Record {
        let mut activity =
            NewActivity::new(self.user.any("user")?, self.action.any("action")?, String::new());
        activity.detail = self.detail.any("detail")?;
        activity.app = self.app.any("app")?;
        activity.session = self.session.named("session")?;
        activity.user_agent = self.user_agent.named("user_agent")?;
        activity.target = self.target.named("target")?;
        activity.place.city = self.city.named("city")?;
        activity.place.region = self.region.named("region")?;
        activity.place.country = self.country.named("country")?;
        activity.device.device = self.device.any("device")?;
        activity.device.os = self.os.any("os")?;
        activity.device.browser = self.browser.any("browser")?;
        activity.outcome = match self.outcome.filled("outcome")? {
            None => Outcome::Unknown,
            Some(word) => word.parse().map_err(|error| format!("outcome: {error}"))?,
        };
        activity.time = match self.time {
            Held::Number(number) => Some(time(&number)?),
            text => text.filled("time")?.map(|text| time(&text)).transpose()?,
        };
        activity.ip = match self.ip.filled("ip")? {
            None => None,
            Some(ip) => Some(ip.parse().map_err(|_| format!("ip: {ip:.60} is not an address"))?),
        };
        let id = match self.id {
            Held::Nothing => None,
            Held::Text(id) => Some(id.into_owned()),
            Held::Number(id) => Some(id),
            other => return Err(other.no_string("id")),
        };
        activity.key = id.map(|id| SenderKey { sender: sender.to_owned(), id });
        activity.attributes = attributes(self.attributes, self.others)?;
        Ok(activity)
    }
}

/// What stands in `attributes` and then what stands beside them, each sorted by name. No name stands in one of them twice.
fn attributes(inner: Held<'_>, others: Pairs<'_>) -> Result<Vec<(String, String)>, String> {
    let inner = match inner {
        Held::Nothing => Pairs::new(),
        Held::Object(pairs) => settled(pairs),
        _ => return Err("attributes must be an object of strings".to_owned()),
    };
    let others = settled(others);
    let beside = |name: &str| others.binary_search_by(|(known, _)| (**known).cmp(name)).is_ok();
    if let Some((name, _)) = inner.iter().find(|(name, held)| !matches!(held, Held::Nothing) && beside(name))
    {
        return Err(format!("{name:.60}: stands in attributes and beside them; name it once"));
    }
    let all = inner.into_iter().chain(others);
    Ok(all.filter_map(|(name, held)| Some((name.into_owned(), held.attribute()?))).collect())
}

/// Pairs sorted by name, and of each name the last.
fn settled(mut pairs: Pairs<'_>) -> Pairs<'_> {
    // Stable: those of one name stay in their order.
    pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
    pairs.dedup_by(|later, earlier| {
        let same = later.0 == earlier.0;
        if same {
            mem::swap(later, earlier);
        }
        same
    });
    pairs
}

/// A time as it may be written: RFC 3339, or a number that counts from 1970. What is finer than a millisecond is cut off.
pub(in crate::web::ingest) fn time(text: &str) -> Result<Timestamp, String> {
    let text = text.trim();
    let wrong = || {
        let example = "a time like 2026-01-31T08:00:00Z, nor seconds or milliseconds since 1970";
        if text.starts_with("9999-12-3") {
            return format!("time: {text:.40} lies behind the last day of the log, 9999-12-29");
        }
        format!("time: {text:.40} is not {example}")
    };
    let at = since_1970(text).or_else(|| text.parse().ok()).ok_or_else(wrong)?;
    Timestamp::from_millisecond(at.as_millisecond()).map_err(|_| wrong())
}

/// The moment of a number since 1970, of which the digits say what it counts: ten are seconds until 2286, and no time that is written
/// without its signs (`20260131`, `20260131080000`) has as many as a time in any of the units.
fn since_1970(text: &str) -> Option<Timestamp> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if !whole.bytes().chain(part.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let unit: i128 = match whole.len() {
        9..=10 => 1_000_000_000,
        12..=13 => 1_000_000,
        15..=16 => 1_000,
        18..=19 => 1,
        _ => return None,
    };
    let part: i128 = format!("{part:0<9.9}").parse().ok()?;
    Timestamp::from_nanosecond(whole.parse::<i128>().ok()? * unit + part * unit / 1_000_000_000).ok()
}
