//! A record in the words of others: the Elastic Common Schema, the semantic conventions of OpenTelemetry, and our own.
//!
//! Nested and dotted names are the same (`{"user":{"name":…}}` is `user.name`). Of the names that stand for one of our
//! fields the first that holds something that fits counts; whatever is left is kept as an attribute under its dotted name.
//! Programs that ship the logs of others drop what is refused, and nobody hears of it; so a time that is none, or an address
//! that is a host's name, costs a record no more than the field.

#[cfg(test)]
mod tests;
mod words;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use data_encoding::HEXLOWER;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

pub(super) use self::words::{ACTION, APP, DETAIL, TARGET, TIME, USER, is_foreign, is_group, is_known};
use self::words::{
    ADDRESS, BROWSER, CITY, COUNTRY, DEVICE, ID, IP, Names, OS, OUTCOME, OWN_ID, REGION, SESSION, USER_AGENT,
    address, counts, is_empty, outcome, plain, plain_text, time,
};
use crate::{
    domain::ingest::{NO_TEXT, has_no_text},
    model::activity::{NewActivity, Outcome, SenderKey, limits},
};

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

/// Cuts whatever is longer than the log takes, where nobody would hear that it was not taken; the attribute `cut` says so.
pub(super) fn cut(activity: &mut NewActivity) {
    let NewActivity { user, action, app, session, target, place, device, .. } = activity;
    let mut cut = false;
    let mut hold = |text: &mut String, most: usize| {
        if text.len() > most {
            text.truncate(text.floor_char_boundary(most));
            cut = true;
        }
    };
    let always = [user, action, app, &mut device.device, &mut device.os, &mut device.browser];
    let maybe = [session, target, &mut place.city, &mut place.region, &mut place.country];
    for text in always.into_iter().chain(maybe.into_iter().flatten()) {
        hold(text, limits::NAME);
    }
    hold(&mut activity.detail, limits::DETAIL);
    if let Some(agent) = &mut activity.user_agent {
        hold(agent, limits::USER_AGENT);
    }
    for (name, value) in &mut activity.attributes {
        if name.len() > limits::ATTRIBUTE_NAME {
            // Another may begin alike.
            let told_apart = format!("~{}", &HEXLOWER.encode(&Sha256::digest(&*name))[..8]);
            hold(name, limits::ATTRIBUTE_NAME - told_apart.len());
            name.push_str(&told_apart);
        }
        hold(value, limits::ATTRIBUTE_VALUE);
    }
    activity.attributes.retain(|(name, _)| !name.is_empty());
    if cut {
        activity.mark("cut", "true");
    }
}

/// What a record is called in which something that is no text was replaced by U+FFFD.
const REPLACED: &str = "replaced";

/// Says of a record that something in it was replaced, where it has room for that.
pub(super) fn say_replaced(activity: &mut NewActivity) {
    let known = activity.attributes.iter().any(|(name, _)| name == REPLACED);
    if !known && activity.attributes.len() < limits::ATTRIBUTES {
        activity.attributes.push((REPLACED.to_owned(), "true".to_owned()));
    }
}

/// Writes U+FFFD for what the log does not take, where nobody would hear that it was not taken; the attribute `replaced` says so.
pub(super) fn replace(activity: &mut NewActivity) {
    let NewActivity { user, action, detail, app, session, target, place, device, user_agent, key, .. } =
        activity;
    let mut replaced = false;
    let mut write = |text: &mut String| {
        if has_no_text(text) {
            *text = text.replace(NO_TEXT, "\u{fffd}");
            replaced = true;
        }
    };
    let always = [user, action, detail, app, &mut device.device, &mut device.os, &mut device.browser];
    let maybe = [session, target, user_agent, &mut place.city, &mut place.region, &mut place.country];
    let pairs = activity.attributes.iter_mut().flat_map(|(name, value)| [name, value]);
    let id = key.as_mut().map(|key| &mut key.id);
    for text in always.into_iter().chain(maybe.into_iter().flatten()).chain(pairs).chain(id) {
        write(text);
    }
    if replaced {
        say_replaced(activity);
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
