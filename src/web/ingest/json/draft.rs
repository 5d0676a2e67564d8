//! A record in the field names of the contract: gathered field by field, and judged when all of it was seen.

use std::borrow::Cow;

use jiff::Timestamp;

use super::held::{Held, Pairs};
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
    /// Whether a name says that it is written in somebody else's words.
    pub(super) foreign: bool,
}

impl<'a> Draft<'a> {
    /// Puts a field in its place; of a name that comes again the last counts.
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
                self.foreign |= document::is_foreign(&name);
                return self.others.push((name, value));
            }
        };
        *place = value;
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
        activity.time = self.time.filled("time")?.map(|text| time(&text)).transpose()?;
        activity.ip = match self.ip.filled("ip")? {
            None => None,
            Some(ip) => Some(ip.parse().map_err(|_| format!("ip: {ip:.60} is not an address"))?),
        };
        let id = match self.id {
            Held::Nothing => None,
            Held::Text(id) => Some(id.into_owned()),
            Held::Number(id) => Some(id),
            Held::Json(_) | Held::Object(_) => return Err("id: a string".to_owned()),
        };
        activity.key = id.map(|id| SenderKey { sender: sender.to_owned(), id });
        activity.attributes = attributes(self.attributes, self.others)?;
        Ok(activity)
    }
}

/// What stands in `attributes` and then what stands beside them, each sorted by name.
fn attributes(inner: Held<'_>, others: Pairs<'_>) -> Result<Vec<(String, String)>, String> {
    let inner = match inner {
        Held::Nothing => Pairs::new(),
        Held::Object(pairs) => settled(pairs),
        _ => return Err("attributes: an object of strings".to_owned()),
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
            std::mem::swap(later, earlier);
        }
        same
    });
    pairs
}

/// A time as it may be written: RFC 3339, to the millisecond. What is finer is cut off.
pub(in crate::web::ingest) fn time(text: &str) -> Result<Timestamp, String> {
    let at: Timestamp = text
        .trim()
        .parse()
        .map_err(|_| format!("time: {text:.40} is not a time like 2026-01-31T08:00:00Z"))?;
    Timestamp::from_millisecond(at.as_millisecond()).map_err(|_| "time: out of range".to_owned())
}
