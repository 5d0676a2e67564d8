//! One record of the log with every field, and the links that narrow a search to a value of it.

use askama::Template;

use crate::model::{
    activity::{Activity, Outcome},
    query::Field as Named,
};

use super::{
    frame::Frame,
    parts::{Moment, Now},
    search::Search,
};

/// The page `/activity/{id}`: one record with every field. Its block `record` opens in place under the row.
#[derive(Clone, Debug, Template)]
#[template(path = "record.html", blocks = ["record"])]
pub struct RecordPage {
    /// What stands around it.
    pub frame: Frame,
    /// What was done.
    pub action: String,
    /// Who did it.
    pub user: String,
    /// When.
    pub time: Moment,
    /// How it went.
    pub outcome: Outcome,
    /// The address of the seal, where it tells of an export; empty otherwise.
    pub seal: String,
    /// Every field that has a value.
    pub fields: Vec<Field>,
    /// The address of the search it was found by.
    pub back: String,
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name, as people read it.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Whether it is an address, an id or a raw string.
    pub raw: bool,
    /// The address of the same search with only this value; empty where the grammar has no such field.
    pub only: String,
    /// The address of the same search without this value.
    pub not: String,
    /// Where the value itself leads; empty for nowhere.
    pub href: String,
    /// What else is to be said of it; may be empty.
    pub note: String,
}

impl Field {
    /// The longest value that still makes a link; longer ones make addresses that no proxy takes.
    const LINKED: usize = 256;

    /// A field that the grammar knows as `key`, with links that narrow `search`; an empty key has none.
    pub fn of(name: &str, key: &str, value: impl ToString, search: &Search) -> Self {
        let value = value.to_string();
        let linked = !key.is_empty() && value.len() <= Self::LINKED;
        let link = |search: Search| if linked { search.href("/activity") } else { String::new() };
        Self {
            name: name.into(),
            raw: matches!(key, "ip" | "session" | "id" | "user_agent") || key.starts_with("attr."),
            only: link(search.only(key, &value)),
            not: link(search.without(key, &value)),
            href: String::new(),
            note: String::new(),
            value,
        }
    }

    /// Every field of `activity` that has a value, in the order of the table and then the rest.
    pub fn all(activity: &Activity, search: &Search, now: &Now) -> Vec<Self> {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let ip = activity.ip.map(|ip| ip.to_string()).unwrap_or_default();
        let known = [
            ("User", "user", activity.user.clone()),
            ("Activity", "action", activity.action.clone()),
            ("Detail", "detail", activity.detail.clone()),
            ("Target", "target", text(&activity.target)),
            ("App", "app", activity.app.clone()),
            ("Outcome", "outcome", activity.outcome.to_string()),
            ("Public IP", "ip", ip),
            ("City", "city", text(&activity.place.city)),
            ("Location", "", activity.place.location(activity.ip)),
            ("Country", "country", text(&activity.place.country)),
            ("Device Details", "device", activity.device.device.clone()),
            ("OS Details", "os", activity.device.os.clone()),
            ("Browser Details", "browser", activity.device.browser.clone()),
            ("User agent", "", text(&activity.user_agent)),
            ("Session", "session", text(&activity.session)),
        ];
        let mut fields = vec![Self::of("Time", "", Moment::new(activity.time, now).exact, search)];
        let known = known.into_iter().filter(|(.., value)| !value.is_empty());
        fields.extend(known.map(|(name, key, value)| Self::of(name, key, value, search)));
        fields.extend(
            activity.attributes.iter().map(|(name, value)| Self::of(name, &attribute(name), value, search)),
        );
        fields.push(Self::of("Received", "", Moment::new(activity.received, now).exact, search));
        fields.push(Self { raw: true, ..Self::of("Id", "", activity.id, search) });
        fields
    }
}

/// How the grammar names an attribute.
fn attribute(name: &str) -> String {
    let field = Named::Attribute(name.to_owned()).to_string();
    field.trim_end_matches(':').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_narrowed_to_however_its_field_is_called() {
        let search = Search::default();
        assert_eq!(Field::of("App", "app", "wiki", &search).not, "/activity?q=-app:wiki");
        assert_eq!(
            Field::of("duration ms", &attribute("duration ms"), 1840, &search).only,
            "/activity?q=attr.%22duration+ms%22:1840"
        );
        assert_eq!(Field::of("Detail", "detail", "x".repeat(257), &search).only, "");
        assert_eq!(Field::of("Location", "", "Norway", &search).only, "");
    }
}
