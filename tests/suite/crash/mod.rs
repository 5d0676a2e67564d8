//! What is left when the worst happens in the middle of everything: the server is killed, the power is cut under its disk,
//! its writes fail. The load is mixed, an oracle takes down what was acknowledged, and what is found afterwards is held
//! against it.

mod calls;
mod cuts;
mod kill;

use std::{
    collections::BTreeSet,
    io,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::SignedDuration;
use rollcall::domain::clock::Clock;
use serde_json::{Value, json};

use super::{
    house::PASSWORD,
    http::Reply,
    server::{Client, Folder, Server},
};

/// What was acknowledged over all lives of the server.
#[derive(Clone, Default)]
struct Oracle {
    /// The numbers of activities.
    activities: BTreeSet<u64>,
    /// Cookies of sessions that were begun, and were not asked to end.
    live: Vec<String>,
    /// Cookies of sessions whose end was acknowledged.
    ended: Vec<String>,
    sign_ins: u64,
    sign_outs: u64,
    /// How often retention took something away.
    removals: u64,
    /// Activities below this number are ones that it took.
    gone: u64,
    backups: u64,
    /// What was acknowledged before the last backup was asked for.
    backed_up: BTreeSet<u64>,
    /// How often an activity was found that had just been written: each time the index had committed.
    found: u64,
    /// The next number of an activity.
    next: u64,
    /// The next number of one that retention is to take.
    next_old: u64,
}

impl Oracle {
    /// What was done, in a line.
    fn sum(&self) -> String {
        format!(
            "{} activities, {} sign-ins, {} sign-outs, {} removals of retention, {} backups, {} commits of the index",
            self.activities.len(),
            self.sign_ins,
            self.sign_outs,
            self.removals,
            self.backups,
            self.found
        )
    }
}

/// One life of the server, and what all who work it share.
struct Life<'a> {
    server: &'a Server,
    token: &'a str,
    over: AtomicBool,
    oracle: Mutex<&'a mut Oracle>,
}

/// Whether an answer says that it was done; whoever is not done for is told that the disk does not take it.
fn is_done(reply: &Reply, done: u16) -> bool {
    assert!([done, 503, 507].contains(&reply.status), "{} {}", reply.status, reply.text());
    reply.status == done
}

impl<'a> Life<'a> {
    fn of(server: &'a Server, token: &'a str, oracle: &'a mut Oracle) -> Self {
        Self { server, token, over: AtomicBool::new(false), oracle: Mutex::new(oracle) }
    }

    fn oracle(&self) -> MutexGuard<'_, &'a mut Oracle> {
        self.oracle.lock().unwrap()
    }

    /// Does something again and again until the server is gone. Nothing may be refused.
    fn work(&self, mut step: impl FnMut() -> io::Result<bool>) {
        while !self.over.load(Ordering::SeqCst) {
            match step() {
                Ok(done) => assert!(done, "it was refused"),
                Err(_) => break,
            }
        }
    }

    fn program(&self) -> Client {
        self.server.bearer(self.token).with("Content-Type", "application/x-ndjson")
    }

    /// Writes so many activities in one request.
    fn write_activities(&self, many: u64) -> io::Result<bool> {
        let first = {
            let mut oracle = self.oracle();
            oracle.next += many;
            oracle.next - many
        };
        let line = |id| format!(r#"{{"user":"u{}","action":"tick","detail":"{id}","id":"{id}"}}"#, id % 50);
        let lines = (first..first + many).map(line).collect::<Vec<_>>().join("\n");
        let reply = self.program().try_send("POST", "/api/v1/activity", lines.as_bytes())?;
        let done = is_done(&reply, 200);
        if done {
            assert_eq!(reply.json()["accepted"], many);
            self.oracle().activities.extend(first..first + many);
        }
        Ok(done)
    }

    /// Writes an activity, and looks for it until the index has it.
    fn write_and_find(&self) -> io::Result<bool> {
        let before = self.oracle().next;
        let written = self.write_activities(1)?;
        let mut found = !written;
        while !found {
            let looked = format!("/api/v1/activity?action=tick&order=desc&limit=1&q=detail:{before}*");
            let reply = self.program().try_send("GET", &looked, b"")?;
            // Another may have taken the very number: then there is one from before or after.
            found = !reply.items().is_empty();
        }
        self.oracle().found += u64::from(written);
        Ok(written)
    }

    fn sign_in(&self) -> io::Result<Option<Client>> {
        let stranger = self.server.stranger().with("Content-Type", "application/json");
        let body = json!({"user": "ada", "password": PASSWORD}).to_string();
        let reply = stranger.try_send("POST", "/api/v1/signin", body.as_bytes())?;
        if !is_done(&reply, 200) {
            return Ok(None);
        }
        let cookie = reply.cookie();
        let mut oracle = self.oracle();
        oracle.sign_ins += 1;
        oracle.live.push(cookie.clone());
        Ok(Some(stranger.with("Cookie", &cookie)))
    }

    /// Signs in, and, two times in three, out again: by itself or as somebody ends a session of a list.
    fn sign_in_and_out(&self) -> io::Result<bool> {
        let Some(own) = self.sign_in()? else { return Ok(false) };
        let turn = self.oracle().sign_ins % 3;
        if turn == 0 {
            return Ok(true);
        }
        let me = own.try_send("GET", "/api/v1/me", b"")?.ok();
        let id = (turn == 2).then(|| me["session"]["id"].as_str().unwrap().to_owned());
        // From the moment it is asked, the end may be on disk.
        let cookie = self.oracle().live.pop().unwrap();
        assert_eq!(own.header("Cookie"), cookie, "sessions begin one after the other");
        let reply = match id {
            None => own.try_send("POST", "/api/v1/signout", b"{}")?,
            Some(id) => own.try_send("DELETE", &format!("/api/v1/sessions/{id}"), b"")?,
        };
        let done = is_done(&reply, 204);
        if done {
            let mut oracle = self.oracle();
            oracle.sign_outs += 1;
            oracle.ended.push(cookie);
        }
        Ok(done)
    }

    /// Writes what is just as old as retention takes it, waits until it is found, and has it taken.
    fn retain(&self, ada: &Client) -> io::Result<bool> {
        const MANY: u64 = 20;
        let first = {
            let mut oracle = self.oracle();
            oracle.next_old += MANY;
            oracle.next_old - MANY
        };
        let time = Clock::system().now() - SignedDuration::from_hours(24);
        let line = |id| format!(r#"{{"user":"u","action":"tock","detail":"{id}","time":"{time}"}}"#);
        let lines = (first..first + MANY).map(line).collect::<Vec<_>>().join("\n");
        let reply = self.program().try_send("POST", "/api/v1/activity", lines.as_bytes())?;
        assert_eq!(reply.ok()["accepted"], MANY);
        loop {
            let reply = self.program().try_send("GET", "/api/v1/activity?action=tock&limit=1", b"")?;
            if !reply.items().is_empty() {
                break;
            }
        }
        let page = ada.try_send("GET", "/profile", b"")?.text();
        let (_, behind) = page.split_once("name=\"csrf\" value=\"").expect("the page has a form");
        let csrf = behind.split_once('"').unwrap().0;
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs([("csrf", csrf), ("keep", ""), ("size", ""), ("rules", "action tock 1d")]);
        let sender = ada.without("Content-Type").with("Content-Type", "application/x-www-form-urlencoded");
        let send = |form: &str| sender.try_send("POST", "/settings/retention", form.as_bytes());
        let rules = form.finish();
        // After a kill it may be some time until the index can say how many they are.
        let asked = loop {
            let reply = send(&rules)?;
            if reply.status != 503 || !reply.text().contains("search index lacks") {
                break reply.text();
            }
        };
        let (_, behind) = asked.split_once("name=\"agreed\" value=\"").expect("it asks what may go");
        // It is a token, of letters and digits.
        let reply = send(&format!("{rules}&agreed={}", behind.split_once('"').unwrap().0))?;
        assert_eq!(reply.status, 303, "{}", reply.text());
        let mut oracle = self.oracle();
        oracle.removals += 1;
        oracle.gone = first + MANY;
        Ok(true)
    }

    /// Takes a backup with the command, over the server.
    fn back_up(&self, folder: &Folder) -> io::Result<bool> {
        let before = self.oracle().activities.clone();
        let done = folder.run(&["backup", backup_of(folder).to_str().unwrap()]);
        if done.code != 0 || self.over.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut oracle = self.oracle();
        oracle.backups += 1;
        oracle.backed_up = before;
        Ok(true)
    }
}

/// Where the backups of a folder go.
fn backup_of(folder: &Folder) -> std::path::PathBuf {
    folder.beside("all.backup")
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// Holds what a server has against what was acknowledged before: the first thing that is wrong.
fn judge(folder: &Folder, server: &Server, token: &str, oracle: &Oracle) -> Result<(), String> {
    let status = |cookie: &str| server.stranger().with("Cookie", cookie).get("/api/v1/me").status;
    for cookie in &oracle.ended {
        ensure(status(cookie) == 401, || "a session that had ended is back".to_owned())?;
    }
    for cookie in &oracle.live {
        ensure(status(cookie) == 200, || "a session is lost".to_owned())?;
    }
    // Every record against its sum, the index against the log, and the log against its tree and its checkpoints.
    for proof in ["check", "verify"] {
        let done = folder.run(&[proof]);
        ensure(done.code == 0, || format!("{proof}: {}{}", done.out, done.err))?;
    }
    let reader = server.bearer(token);
    let found = ticks(&reader)?;
    let lost: Vec<_> = oracle.activities.difference(&found).take(20).collect();
    ensure(lost.is_empty(), || format!("acknowledged activities are lost: {lost:?}"))?;
    let count = |query: &str| {
        let reply = reader.get(&format!("/api/v1/activity?limit=1&{query}"));
        reply.json()["total"]["value"].as_u64().unwrap()
    };
    for (action, least) in [
        ("sign-in", oracle.sign_ins),
        ("sign-out", oracle.sign_outs),
        ("retention", oracle.removals),
        ("backup", oracle.backups),
    ] {
        let there = count(&format!("action={action}"));
        ensure(there >= least, || format!("{there} of {least} activities {action} are there"))?;
    }
    let kept = reader.get("/api/v1/activity?action=tock&limit=1000").items();
    let is_gone = |item: &Value| item["detail"].as_str().unwrap().parse::<u64>().unwrap() < oracle.gone;
    ensure(!kept.iter().any(is_gone), || "what retention took is back".to_owned())
}

/// The numbers of all activities that are there, each once.
fn ticks(reader: &Client) -> Result<BTreeSet<u64>, String> {
    let mut found = BTreeSet::new();
    let lines = reader.get("/api/v1/activity.ndjson?action=tick").text();
    for line in lines.lines() {
        let activity: Value = serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
        let id = activity["detail"].as_str().unwrap().parse().unwrap();
        ensure(found.insert(id), || format!("{id} is there twice"))?;
    }
    Ok(found)
}

/// A folder with ada, and a program's token to it.
fn with_token(folder: Folder) -> (Folder, String) {
    let token = folder.run(&["token", "add", "t", "--scope", "activity:write", "activity:read"]);
    let token = token.ok().trim().to_owned();
    (folder, token)
}

/// Random numbers that are the same at every run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// How often something is done: as a variable of the environment says, or else so often.
fn how_often(variable: &str, otherwise: u32) -> u32 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}
