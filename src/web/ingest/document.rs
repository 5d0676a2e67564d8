//! A record in the words of others: the Elastic Common Schema, the semantic conventions of OpenTelemetry, and our own.
//!
//! Nested and dotted names are the same (`{"user":{"name":…}}` is `user.name`). Of the names that stand for one of our
//! fields the first that holds something that fits counts; whatever is left is kept as an attribute under its dotted name.
//! Programs that ship the logs of others drop what is refused, and nobody hears of it; so a time that is none, or an address
//! that is a host's name, costs a record no more than the field.

use std::{
    borrow::Cow,
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv6Addr},
};

use data_encoding::HEXLOWER;
use jiff::{Timestamp, civil, tz::TimeZone};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::json;
use crate::model::{
    activity::{NewActivity, Outcome, SenderKey, limits},
    place,
};

/// The names of one of our fields, the best first.
pub(super) type Names = &'static [&'static str];

pub(super) const USER: Names =
    &["user", "user.name", "enduser.id", "user.email", "user.id", "enduser.pseudo.id"];
pub(super) const ACTION: Names = &["action", "event.action", "event.name"];
pub(super) const DETAIL: Names = &["detail", "message", "event.reason", "msg", "log"];
pub(super) const APP: Names =
    &["app", "service.name", "event.provider", "event.module", "log.syslog.appname", "process.name"];
pub(super) const TIME: Names = &["time", "@timestamp", "timestamp"];
pub(super) const TARGET: Names = &["target", "user.target.name", "file.path"];
const OUTCOME: Names = &["outcome", "event.outcome"];
const SESSION: Names = &["session", "session.id"];
const USER_AGENT: Names = &["user_agent", "user_agent.original"];
const IP: Names = &["ip", "source.ip", "client.ip"];
/// These may hold a host's name instead.
const ADDRESS: Names =
    &["client.address", "source.address", "network.peer.address", "http.client_ip", "net.sock.peer.addr"];
/// Only where it is sent to us in the first place is an `id` that of a record: elsewhere it may be anybody's.
const OWN_ID: Names = &["id"];
const ID: Names = &["event.id", "log.record.uid"];
const CITY: Names = &["city", "source.geo.city_name", "client.geo.city_name"];
const REGION: Names = &["region", "source.geo.region_name", "client.geo.region_name"];
const COUNTRY: Names = &["country", "source.geo.country_iso_code", "client.geo.country_iso_code"];
const DEVICE: Names = &["device", "user_agent.device.name"];
const OS: Names = &["os", "user_agent.os.full", "user_agent.os.name"];
const BROWSER: Names = &["browser", "user_agent.name"];

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

/// What makes a record the one it is, where the sender says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// This, whatever stands in the document.
    Given(String),
    /// Its `id`, or what others call that.
    Own,
    /// What others call that: a plain `id` is a field like any other.
    Foreign,
}

/// The most fields of a document, before they are gathered into the attributes that a record holds.
pub(super) const FIELDS: usize = 1024;

/// How often a name may stand in a document: the first is the field, the others are kept with a number behind the name.
const NAMESAKES: usize = 16;

/// The longest dotted name of a field, in bytes: one long name around many others would be written once for each of them.
const FIELD_NAME: usize = 1024;

/// Fields by their dotted names. What they hold is text, a number, a truth value or a list.
#[derive(Debug, Default)]
pub(super) struct Document(BTreeMap<String, Value>);

impl Document {
    /// Flattens an object.
    pub(super) fn of(fields: Map<String, Value>) -> Result<Self, String> {
        let mut document = Self::default();
        for (name, value) in fields {
            document.add(name, value)?;
        }
        Ok(document)
    }

    /// Adds a field, and flattens it where it is an object. Where the name is taken it gets a number behind it. Fails where the
    /// name is too long, or where there are too many.
    pub(super) fn add(&mut self, name: String, value: Value) -> Result<(), String> {
        if name.len() > FIELD_NAME {
            return Err(format!("{name:.60}: a field's name can have at most {FIELD_NAME} bytes"));
        }
        match value {
            Value::Null => Ok(()),
            Value::Object(fields) => {
                fields.into_iter().try_for_each(|(inner, value)| self.add(format!("{name}.{inner}"), value))
            }
            _ if self.0.len() >= FIELDS => Err(format!("a document can have at most {FIELDS} fields")),
            // A list of one and the one are the same to those who speak so.
            Value::Array(mut list) if list.len() == 1 && !list[0].is_array() => {
                self.add(name, list.pop().unwrap_or_default())
            }
            value if self.0.get(&name) == Some(&value) => Ok(()),
            value if !self.0.contains_key(&name) => {
                self.0.insert(name, value);
                Ok(())
            }
            // Each is looked for among those before it, so there is an end.
            _ if self.0.contains_key(&format!("{name} {NAMESAKES}")) => {
                Err(format!("{name:.60}: stands there more than {NAMESAKES} times"))
            }
            value => {
                self.keep(&name, value);
                Ok(())
            }
        }
    }

    /// Sets a field, whatever it held.
    pub(super) fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.0.insert(name.into(), value.into());
    }

    /// Sets a field where none of its names holds anything that counts. What held its first name is kept beside it.
    pub(super) fn suggest(&mut self, names: Names, value: impl Into<Value>) {
        if names.iter().any(|name| self.0.get(*name).is_some_and(counts)) {
            return;
        }
        if let Some(held) = self.0.insert(names[0].to_owned(), value.into()).filter(|held| !is_empty(held)) {
            self.keep(names[0], held);
        }
    }

    /// Sets the time where none of its names holds one, as what carried the record has it.
    pub(super) fn suggest_time(&mut self, at: String) {
        let known = |name: &&str| self.0.get(*name).and_then(plain).is_some_and(|text| time(&text).is_some());
        if !TIME.iter().any(known)
            && let Some(held) = self.0.insert(TIME[0].to_owned(), at.into())
        {
            self.keep(TIME[0], held);
        }
    }

    /// Keeps what a name held that is taken, with a number behind the name; of very many the last stays.
    fn keep(&mut self, name: &str, value: Value) {
        let mut numbered = (2..=NAMESAKES).map(|number| format!("{name} {number}"));
        let free = numbered.find(|name| !self.0.contains_key(name));
        self.0.insert(free.unwrap_or_else(|| format!("{name} {NAMESAKES}")), value);
    }

    /// Takes over what another says and this does not.
    pub(super) fn lend(&mut self, other: &Self) {
        for (name, value) in &other.0 {
            if !self.has(name) {
                self.set(name, value.clone());
            }
        }
    }

    /// Whether a field is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Takes out the first of these that holds a text or a number.
    fn one(&mut self, names: Names) -> Option<String> {
        let name = names.iter().find(|name| self.0.get(**name).is_some_and(counts))?;
        self.0.remove(*name).map(plain_text)
    }

    /// Takes out the first of these that holds a text or a number. Of a list, which Elastic's schema lets every field hold, it is
    /// the first of them, and the list stays.
    fn text(&mut self, names: Names) -> Option<String> {
        let (name, first) = names.iter().find_map(|name| match self.0.get(*name)? {
            Value::Array(list) => {
                Some((name, Some(plain(list.iter().find(|one| counts(one))?)?.into_owned())))
            }
            one => counts(one).then_some((name, None)),
        })?;
        first.or_else(|| self.0.remove(*name).map(plain_text))
    }

    /// The first of these that can be read as what it should be. It is taken out where nothing of it is lost with that.
    fn fitting<T>(&mut self, names: Names, read: impl Fn(&str) -> Option<(T, bool)>) -> Option<T> {
        names.iter().find_map(|name| {
            let (read, whole) = read(&plain(self.0.get(*name)?)?)?;
            if whole {
                self.0.remove(*name);
            }
            Some(read)
        })
    }

    /// The record it is. `sender` is who ids are unique for.
    pub(super) fn judge(mut self, sender: &str, key: Key) -> NewActivity {
        let user = self.text(USER).unwrap_or_default();
        let action = self.text(ACTION).unwrap_or_default();
        let mut activity = NewActivity::new(user, action, self.text(APP).unwrap_or_default());
        activity.detail = self.text(DETAIL).unwrap_or_default();
        activity.time = self.fitting(TIME, |text| time(text).map(|at| (at, true)));
        activity.target = self.text(TARGET);
        activity.session = self.one(SESSION);
        activity.user_agent = self.text(USER_AGENT);
        activity.outcome = self.fitting(OUTCOME, outcome).unwrap_or(Outcome::Unknown);
        activity.ip = self.fitting(IP, address).or_else(|| self.fitting(ADDRESS, address));
        activity.place.city = self.text(CITY);
        activity.place.region = self.text(REGION);
        activity.place.country = self.text(COUNTRY);
        if activity.user_agent.is_none() {
            activity.device.device = self.text(DEVICE).unwrap_or_default();
            activity.device.os = self.text(OS).unwrap_or_default();
            activity.device.browser = self.text(BROWSER).unwrap_or_default();
        }
        let id = match key {
            Key::Given(id) => Some(id),
            // What a list begins with tells no record from the next.
            Key::Own => self.one(OWN_ID).or_else(|| self.one(ID)),
            Key::Foreign => self.one(ID),
        };
        activity.key = id.map(|id| SenderKey { sender: sender.to_owned(), id: short(id) });
        activity.attributes = self.attributes();
        activity
    }

    /// What is left. Where that is more than a record holds, the largest groups of names become one attribute each, as
    /// JSON: agents send fifty fields about the machine they run on. Each field is moved once, however many groups there are.
    fn attributes(self) -> Vec<(String, String)> {
        let folded = self.folded();
        let (mut fields, mut groups) = (BTreeMap::new(), BTreeMap::<String, Map<String, Value>>::new());
        for (name, value) in self.0 {
            let group = top(&name);
            if folded.contains(group) {
                let inner = name.split_once('.').map_or(name.as_str(), |(_, inner)| inner).to_owned();
                groups.entry(format!("{group}.*")).or_default().insert(inner, value);
            } else {
                fields.insert(name, value);
            }
        }
        fields.extend(groups.into_iter().map(|(name, inside)| (name, Value::Object(inside))));
        if fields.len() > limits::ATTRIBUTES {
            let keep = fields.keys().nth(limits::ATTRIBUTES - 1).cloned().unwrap_or_default();
            let mut others: Map<_, _> = fields.split_off(&keep).into_iter().collect();
            if let Some(Value::Object(own)) = fields.remove("others.*") {
                others.extend(own);
            }
            fields.insert("others.*".to_owned(), Value::Object(others));
        }
        let bare = |name: String| name.strip_prefix("attributes.").map(str::to_owned).unwrap_or(name);
        fields.into_iter().map(|(name, value)| (bare(name), plain_text(value))).collect()
    }

    /// The groups of names that must become one attribute each, so that there are not more than a record holds.
    fn folded(&self) -> BTreeSet<String> {
        let mut left = self.0.len();
        if left <= limits::ATTRIBUTES {
            return BTreeSet::new();
        }
        let mut groups = BTreeMap::<&str, usize>::new();
        for name in self.0.keys() {
            *groups.entry(top(name)).or_default() += 1;
        }
        let mut groups: Vec<_> = groups.into_iter().filter(|(_, count)| *count > 1).collect();
        groups.sort_by_key(|(_, count)| Reverse(*count));
        let needed = groups.into_iter().take_while(|(_, count)| {
            let more = left > limits::ATTRIBUTES;
            left = left.saturating_sub(count - 1);
            more
        });
        needed.map(|(group, _)| group.to_owned()).collect()
    }
}

/// The first part of a dotted name. Our own `attributes` are no group.
fn top(name: &str) -> &str {
    let name = name.strip_prefix("attributes.").unwrap_or(name);
    name.split('.').next().unwrap_or(name)
}

/// Whether a name stands for one of our fields.
pub(super) fn is_known(name: &str) -> bool {
    KNOWN.iter().any(|names| names.contains(&name))
}

/// Whether a name in a record says that it is written in somebody else's words.
pub(super) fn is_foreign(name: &str) -> bool {
    matches!(name, "@timestamp" | "specversion" | "event" | "ecs")
        || ["event.", "ecs.", "user.", "source."].iter().any(|group| name.starts_with(group))
}

fn is_empty(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// Whether a value says something in one word or text.
fn counts(value: &Value) -> bool {
    (value.is_string() && !is_empty(value)) || value.is_number()
}

/// A text or a number, as text.
fn plain(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text.trim())),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}

/// Text as it is, anything else as JSON.
fn plain_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// A time: as we write it; and one without a zone is UTC.
fn time(text: &str) -> Option<Timestamp> {
    let civil = || {
        let civil: civil::DateTime = text.parse().ok()?;
        let at = TimeZone::UTC.to_timestamp(civil).ok()?;
        Timestamp::from_millisecond(at.as_millisecond()).ok()
    };
    // What is older than any computer is a clock that was never set.
    json::time(text).ok().or_else(civil).filter(|at| *at >= Timestamp::UNIX_EPOCH)
}

/// How it came out, and whether the word is ours; another is kept beside.
fn outcome(word: &str) -> Option<(Outcome, bool)> {
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
fn address(text: &str) -> Option<(IpAddr, bool)> {
    if let Ok(ip) = text.parse() {
        return Some((ip, true));
    }
    let zoned = text.split_once('%').and_then(|(ip, _)| ip.parse::<Ipv6Addr>().ok()).map(IpAddr::V6);
    zoned.or_else(|| place::address(text)).map(|ip| (ip, false))
}

/// Cuts whatever is longer than the log takes, where nobody would hear that it was not taken; the attribute `cut` says so.
pub(super) fn cut(activity: &mut NewActivity) {
    let NewActivity { user, action, app, session, target, .. } = activity;
    let mut cut = false;
    let mut hold = |text: &mut String, most: usize| {
        if text.len() > most {
            text.truncate(text.floor_char_boundary(most));
            cut = true;
        }
    };
    for text in [Some(user), Some(action), Some(app), session.as_mut(), target.as_mut()].into_iter().flatten()
    {
        hold(text, limits::NAME);
    }
    hold(&mut activity.detail, limits::DETAIL);
    if let Some(agent) = &mut activity.user_agent {
        hold(agent, limits::USER_AGENT);
    }
    for (name, value) in &mut activity.attributes {
        hold(name, limits::ATTRIBUTE_NAME);
        hold(value, limits::ATTRIBUTE_VALUE);
    }
    activity.attributes.retain(|(name, _)| !name.is_empty());
    if cut {
        activity.mark("cut", "true");
    }
}

/// A name for a record that is no longer than those that are kept: a long one by its SHA-256.
pub(super) fn short(id: String) -> String {
    if id.len() <= limits::SENDER_ID {
        id
    } else {
        format!("sha256 {}", HEXLOWER.encode(&Sha256::digest(id)))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Record, *};

    fn read(json: &str) -> Record {
        let Value::Object(fields) = serde_json::from_str(json).unwrap() else { panic!("no object") };
        Ok(Document::of(fields)?.judge("vault", Key::Foreign))
    }

    fn attributes(record: &NewActivity) -> Vec<(&str, &str)> {
        record.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    #[test]
    fn nested_and_dotted_names_are_the_same() {
        let nested = r#"{"@timestamp":"2026-01-02T03:04:05.678Z","event":{"action":"login","outcome":"failure","id":"e1","category":["iam"]},
            "user":{"name":"ann","id":1000},"source":{"ip":"10.0.0.1","port":22},"user_agent":{"original":"curl/8","name":"curl"},
            "message":"no","service":{"name":"shop"},"tags":["a","b"],"empty":{},"nothing":null}"#;
        let dotted = r#"{"@timestamp":"2026-01-02T03:04:05.678Z","event.action":"login","event.outcome":"failure","event.id":"e1","event.category":"iam",
            "user.name":"ann","user.id":1000,"source.ip":"10.0.0.1","source.port":22,"user_agent.original":"curl/8","user_agent.name":"curl",
            "message":"no","service.name":"shop","tags":["a","b"]}"#;
        let record = read(nested).unwrap();
        assert_eq!(record, read(dotted).unwrap());
        assert_eq!(
            (&*record.user, &*record.action, &*record.detail, &*record.app),
            ("ann", "login", "no", "shop")
        );
        assert_eq!(
            (record.outcome, record.ip.unwrap().to_string()),
            (Outcome::Failure, "10.0.0.1".to_owned())
        );
        assert_eq!(record.key.as_ref().unwrap().id, "e1");
        assert_eq!(
            attributes(&record),
            [
                ("event.category", "iam"),
                ("source.port", "22"),
                ("tags", r#"["a","b"]"#),
                ("user.id", "1000"),
                ("user_agent.name", "curl")
            ]
        );
    }

    #[test]
    fn times_are_taken_as_elasticsearch_takes_them() {
        for (written, meant) in [
            (r#""2026-01-02T03:04:05.6789+01:00""#, "2026-01-02T02:04:05.678Z"),
            (r#""2026-01-02T03:04:05""#, "2026-01-02T03:04:05Z"),
            (r#""2026-01-02""#, "2026-01-02T00:00:00Z"),
            ("1767323045678", "2026-01-02T03:04:05.678Z"),
            (r#""1767323045678""#, "2026-01-02T03:04:05.678Z"),
            ("1767323045", "2026-01-02T03:04:05Z"),
            ("1767323045.678", "2026-01-02T03:04:05.678Z"),
            ("1767323045678901", "2026-01-02T03:04:05.678Z"),
            ("1767323045678901234", "2026-01-02T03:04:05.678Z"),
        ] {
            let record = read(&format!(r#"{{"@timestamp":{written}}}"#)).unwrap();
            assert_eq!(record.time.unwrap().to_string(), meant, "{written}");
        }
    }

    #[test]
    fn what_does_not_fit_a_field_is_kept_beside_it_and_costs_no_record() {
        for (json, name, value) in [
            (r#"{"@timestamp":"soon"}"#, "@timestamp", "soon"),
            (r#"{"@timestamp":1e300}"#, "@timestamp", "1e+300"),
            (r#"{"time":"12:00"}"#, "time", "12:00"),
            (r#"{"time":-5}"#, "time", "-5"),
            (r#"{"ip":"web1"}"#, "ip", "web1"),
            (r#"{"source.ip":"laptop.test"}"#, "source.ip", "laptop.test"),
            (r#"{"client":{"address":"laptop.test"}}"#, "client.address", "laptop.test"),
            (r#"{"outcome":"perhaps"}"#, "outcome", "perhaps"),
            (r#"{"event.outcome":200}"#, "event.outcome", "200"),
        ] {
            let record = read(json).unwrap();
            assert_eq!((record.time, record.ip, record.outcome), (None, None, Outcome::Unknown), "{json}");
            assert_eq!(attributes(&record), [(name, value)], "{json}");
        }
        let record =
            read(r#"{"time":"12:00","@timestamp":"2026-01-02","ip":"web1","source.ip":"10.0.0.1"}"#).unwrap();
        assert_eq!(record.time.unwrap().to_string(), "2026-01-02T00:00:00Z", "the next of its names");
        assert_eq!(record.ip.unwrap().to_string(), "10.0.0.1");
        assert_eq!(attributes(&record), [("ip", "web1"), ("time", "12:00")]);
    }

    #[test]
    fn an_address_may_have_a_port_and_an_outcome_another_word() {
        for (written, meant) in [
            ("10.0.0.1:22", "10.0.0.1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("[::1]", "::1"),
            ("fe80::1%eth0", "fe80::1"),
        ] {
            let record = read(&format!(r#"{{"source.ip":"{written}"}}"#)).unwrap();
            assert_eq!(record.ip.unwrap().to_string(), meant, "{written}");
            assert_eq!(attributes(&record), [("source.ip", written)]);
        }
        let bare = read(r#"{"client.address":"::1"}"#).unwrap();
        assert_eq!((bare.ip.unwrap().to_string().as_str(), attributes(&bare)), ("::1", vec![]));
        for (word, meant) in
            [("OK", Outcome::Success), ("Failed", Outcome::Failure), ("denied", Outcome::Failure)]
        {
            let record = read(&format!(r#"{{"outcome":"{word}"}}"#)).unwrap();
            assert_eq!((record.outcome, attributes(&record)), (meant, vec![("outcome", word)]));
        }
        assert_eq!(attributes(&read(r#"{"outcome":"failure"}"#).unwrap()), []);
    }

    #[test]
    fn of_a_name_that_stands_there_twice_both_are_kept() {
        let record = read(r#"{"user":{"name":"ann"},"user.name":"bob","a":{"b":1},"a.b":1}"#).unwrap();
        assert_eq!(record.user, "ann");
        assert_eq!(attributes(&record), [("a.b", "1"), ("user.name 2", "bob")]);
    }

    #[test]
    fn a_plain_id_is_a_field_like_any_other_where_it_is_not_sent_to_us() {
        let text = r#"{"user":"ann","action":"x","id":7}"#;
        let record = read(text).unwrap();
        assert_eq!((record.key.as_ref(), attributes(&record)), (None, vec![("id", "7")]));
        let Value::Object(fields) = serde_json::from_str(text).unwrap() else { panic!("no object") };
        let own = Document::of(fields).unwrap().judge("vault", Key::Own);
        assert_eq!(own.key.unwrap().id, "7");
        let long = "x".repeat(400);
        let id = |id: &str| read(&format!(r#"{{"event.id":"{id}"}}"#)).unwrap().key.unwrap().id;
        assert!(id(&long).len() <= limits::SENDER_ID && id(&long) != id(&format!("{long}y")));
    }

    #[test]
    fn of_a_list_the_first_is_the_field_and_the_list_stays() {
        let record = read(
            r#"{"user":{"name":["root","wheel"]},"event":{"action":[null,"created","attributes_modified"],"id":["a","b"]}}"#,
        )
        .unwrap();
        assert_eq!((record.user.as_str(), record.action.as_str()), ("root", "created"));
        assert_eq!(record.key, None, "a list is no id");
        let kept = attributes(&record);
        assert!(kept.contains(&("event.action", r#"[null,"created","attributes_modified"]"#)), "{kept:?}");
        assert!(kept.contains(&("user.name", r#"["root","wheel"]"#)), "{kept:?}");
        assert!(read(r#"{"user":"ann","action":[]}"#).unwrap().action.is_empty(), "and is refused for it");
    }

    #[test]
    fn what_would_take_more_than_its_text_is_refused() {
        let many: Vec<String> = (0..20_000).map(|n| format!(r#""a{n}":1"#)).collect();
        let why = read(&format!("{{{}}}", many.join(","))).unwrap_err();
        assert_eq!(why, "a document can have at most 1024 fields");
        let long = "x".repeat(2000);
        assert!(
            read(&format!(r#"{{"{long}":{{"a":1,"b":2}}}}"#)).unwrap_err().contains("at most 1024 bytes")
        );
    }

    #[test]
    fn of_many_groups_as_many_are_folded_as_is_needed() {
        // 500 groups of two: each that is folded makes one attribute of two, so all of them are, and it is still too many.
        let pairs: Vec<String> = (0..500).map(|n| format!(r#""g{n:03}":{{"x":1,"y":2}}"#)).collect();
        let record = read(&format!("{{{}}}", pairs.join(","))).unwrap();
        assert_eq!(record.attributes.len(), 64);
        let (_, others) = record.attributes.iter().find(|(name, _)| name == "others.*").unwrap();
        let others: Map<String, Value> = serde_json::from_str(others).unwrap();
        assert_eq!((others.len(), &others["g499.*"]["y"]), (437, &Value::from(2)));
        // 70 fields in groups of 5 and 2: folding the larger ones suffices.
        let fives = (0..4).flat_map(|group| (0..5).map(move |n| format!(r#""five{group}.{n}":1"#)));
        let twos = (0..25).flat_map(|group| (0..2).map(move |n| format!(r#""two{group:02}.{n}":1"#)));
        let record = read(&format!("{{{}}}", fives.chain(twos).collect::<Vec<_>>().join(","))).unwrap();
        let folded: Vec<_> = record
            .attributes
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| name.ends_with(".*"))
            .collect();
        assert_eq!((record.attributes.len(), folded), (62, vec!["five0.*", "five1.*"]));
    }

    #[test]
    fn more_fields_than_a_record_holds_are_kept_in_groups() {
        let host: Vec<String> = (0..60).map(|n| format!(r#""f{n}":{n}"#)).collect();
        let agent: Vec<String> = (0..20).map(|n| format!(r#""f{n}":{n}"#)).collect();
        let text = format!(r#"{{"host":{{{}}},"agent":{{{}}}}}"#, host.join(","), agent.join(","));
        let record = read(&text).unwrap();
        assert_eq!(record.attributes.len(), 21);
        let (_, folded) = record.attributes.iter().find(|(name, _)| name == "host.*").unwrap();
        let folded: Map<String, Value> = serde_json::from_str(folded).unwrap();
        assert_eq!((folded.len(), &folded["f59"]), (60, &Value::from(59)));
    }
}
