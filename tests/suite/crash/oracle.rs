//! What was acknowledged, and what a server has held against it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    super::server::{Client, Folder, PATIENCE, Server},
    checkpoints_of,
};

/// What opens something, and what does so no more. Whatever is asked to be shut is neither until that was acknowledged.
#[derive(Clone)]
pub(super) struct Keys<T> {
    pub(super) open: Vec<T>,
    pub(super) shut: Vec<T>,
}

impl<T> Default for Keys<T> {
    fn default() -> Self {
        Self { open: Vec::new(), shut: Vec::new() }
    }
}

impl<T: PartialEq> Keys<T> {
    /// From the moment this is asked to be shut, it may be.
    pub(super) fn ask(&mut self, key: &T) {
        self.open.retain(|open| open != key);
    }
}

/// What was acknowledged over all lives of the server.
#[derive(Clone, Default)]
pub(super) struct Oracle {
    /// The numbers of activities.
    pub(super) activities: BTreeSet<u64>,
    /// Sessions of browsers, by their cookies.
    pub(super) sessions: Keys<String>,
    /// Sessions that an app registered, by their tokens.
    pub(super) registered: Keys<String>,
    /// Tokens of programs.
    pub(super) tokens: Keys<String>,
    /// Users and their passwords.
    pub(super) passwords: Keys<(String, String)>,
    /// Names of apps.
    pub(super) apps: Vec<String>,
    /// How long the log is kept, as it was set; none where that is not known.
    pub(super) keep: Option<String>,
    /// How often something was done of which the log tells, by the action.
    pub(super) told: BTreeMap<&'static str, u64>,
    /// What was acknowledged before the last backup was asked for.
    pub(super) backed_up: BTreeSet<u64>,
    /// How often an activity was found that had just been written: each time the index had committed.
    pub(super) found: u64,
    /// The next number of an activity.
    pub(super) next: u64,
    /// The next number of one that retention is to take.
    pub(super) next_old: u64,
    /// The numbers of those that were acknowledged.
    pub(super) old: BTreeSet<u64>,
    /// Those below this number retention took.
    pub(super) gone: u64,
    /// Whether retention may have taken any of them without having said so.
    pub(super) taking: bool,
}

impl Oracle {
    /// Takes down that something was done.
    pub(super) fn tell(&mut self, action: &'static str) {
        *self.told.entry(action).or_default() += 1;
    }

    /// How often it was.
    pub(super) fn told(&self, action: &str) -> u64 {
        self.told.get(action).copied().unwrap_or_default()
    }

    /// What was done, in a line.
    pub(super) fn sum(&self) -> String {
        let mut parts = vec![format!("{} activities", self.activities.len())];
        parts.extend(self.told.iter().map(|(action, times)| format!("{times} {action}")));
        parts.push(format!("{} commits of the index", self.found));
        parts.join(", ")
    }
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// Whether keys open what they should, and the others do not.
fn keys<T>(what: &str, keys: &Keys<T>, opens: impl Fn(&T) -> bool) -> Result<(), String> {
    // What must be shut comes first: to open something may shut it.
    ensure(!keys.shut.iter().any(&opens), || format!("{what} that had ended is back"))?;
    ensure(keys.open.iter().all(&opens), || format!("{what} is lost"))
}

/// Holds what a server has against what was acknowledged before: the first thing that is wrong.
pub(super) fn judge(folder: &Folder, server: &Server, token: &str, oracle: &Oracle) -> Result<(), String> {
    doors(server, token, oracle)?;
    log(folder, server, token, oracle)
}

/// The same of what opens something, and of what was set.
pub(super) fn doors(server: &Server, token: &str, oracle: &Oracle) -> Result<(), String> {
    let opened = |status: u16| match status {
        200 => true,
        401 => false,
        other => panic!("that is answered with {other}"),
    };
    let stranger = server.stranger();
    let me = |cookie: &String| stranger.with("Cookie", cookie).get("/api/v1/me").status;
    keys("a session", &oracle.sessions, |cookie| opened(me(cookie)))?;
    let asked = server.bearer(token).with("Content-Type", "application/x-www-form-urlencoded");
    let active = |session: &String| {
        let form = format!("token={session}");
        asked.connect().send("POST", "/api/v1/introspect", form.as_bytes()).ok()["active"] == true
    };
    keys("a session of an app", &oracle.registered, active)?;
    let works = |token: &String| opened(server.bearer(token).get("/api/v1/sessions?limit=1").status);
    keys("a token", &oracle.tokens, works)?;
    let signs_in = |(user, password): &(String, String)| {
        opened(stranger.post("/api/v1/signin", &json!({"user": user, "password": password})).status)
    };
    keys("a password", &oracle.passwords, signs_in)?;
    if oracle.keep.is_some() || !oracle.apps.is_empty() { settings(server, oracle) } else { Ok(()) }
}

/// The same of the log and its index.
fn log(folder: &Folder, server: &Server, token: &str, oracle: &Oracle) -> Result<(), String> {
    // Every record against its sum, the index against the log, and the log against its tree and its checkpoints. An index that
    // does not come to have all of the log would be waited for for ever.
    let checkpoints = checkpoints_of(folder);
    let outside = std::fs::metadata(&checkpoints).is_ok_and(|file| file.len() > 0);
    let verify = ["verify", "--checkpoint", checkpoints.to_str().unwrap()];
    let patience = ["timeout".to_owned(), PATIENCE.as_secs().to_string()];
    for proof in [&["check"][..], &verify[..if outside { 3 } else { 1 }]] {
        let done = folder.run_under(&patience, proof);
        ensure(done.code == 0, || format!("{proof:?}: {} {}{}", done.code, done.out, done.err))?;
    }
    let program = server.bearer(token);
    let found = ticks(&program)?;
    let lost: Vec<_> = oracle.activities.difference(&found).take(20).collect();
    ensure(lost.is_empty(), || format!("acknowledged activities are lost: {lost:?}"))?;
    for (action, least) in &oracle.told {
        let reply = program.get(&format!("/api/v1/activity?limit=1&action={action}"));
        let there = reply.json()["total"]["value"].as_u64().unwrap();
        ensure(there >= *least, || format!("{there} of {least} activities {action} are there"))?;
    }
    let old = numbers(&program, "tock")?;
    ensure(old.iter().all(|old| *old >= oracle.gone), || "what retention took is back".to_owned())?;
    let lost = oracle.old.iter().filter(|number| !oracle.taking && !old.contains(number)).count();
    ensure(lost == 0, || format!("{lost} old activities are gone, and nobody said so"))
}

/// What administrators set, and which apps there are.
fn settings(server: &Server, oracle: &Oracle) -> Result<(), String> {
    let ada = server.signed_in("ada");
    if let Some(keep) = &oracle.keep {
        let page = ada.get("/settings").text();
        let (_, behind) = page.split_once("name=\"keep\" value=\"").expect("the page has the setting");
        let kept = behind.split_once('"').unwrap().0;
        ensure(kept == keep, || format!("the log is kept for {kept:?} instead of {keep:?}"))?;
    }
    let apps = ada.get("/api/v1/apps").items();
    let lost = oracle.apps.iter().find(|name| !apps.iter().any(|app| app["name"] == **name));
    ensure(lost.is_none(), || format!("the app {lost:?} is lost"))
}

/// The numbers of all activities that are there, each once.
pub(super) fn ticks(reader: &Client) -> Result<BTreeSet<u64>, String> {
    numbers(reader, "tick")
}

/// The numbers of all activities of this action, which stand before whatever else they tell.
fn numbers(reader: &Client, action: &str) -> Result<BTreeSet<u64>, String> {
    let mut found = BTreeSet::new();
    let lines = reader.get(&format!("/api/v1/activity.ndjson?action={action}"));
    ensure(lines.status == 200, || lines.text())?;
    let lines = lines.text();
    for line in lines.lines() {
        let activity: Value = serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
        let number = activity["detail"].as_str().unwrap().split(' ').next().unwrap().parse().unwrap();
        ensure(found.insert(number), || format!("{number} is there twice"))?;
    }
    Ok(found)
}
