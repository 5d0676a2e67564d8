//! `kill -9` at random moments while everything is going on: sign-ins, logouts, activities, retention, backups, commits of
//! the index. What was acknowledged is there afterwards, what had ended stays ended, and the index is equal to the log.

use std::{
    collections::BTreeSet,
    io,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rollcall::{
    domain::{App, clock::Clock, sessions::Limits},
    model::{retention::Retention, user::Actor},
};
use serde_json::json;

use super::{
    house::{PASSWORD, cities},
    server::{Client, Folder, Server},
};

/// How often the server is killed. Set `ROLLCALL_KILLS` for more.
const KILLS: u32 = 50;

/// What was acknowledged over all lives of the server.
#[derive(Default)]
struct Oracle {
    /// The senders' ids of activities.
    activities: BTreeSet<u64>,
    /// Cookies of sessions that were begun, and were not asked to end.
    live: Vec<String>,
    /// Cookies of sessions whose end was acknowledged.
    ended: Vec<String>,
    sign_ins: u64,
    backups: u64,
    /// The next sender's id.
    next: u64,
}

/// What all workers of one life share.
struct Life<'a> {
    server: &'a Server,
    token: &'a str,
    over: AtomicBool,
    oracle: Mutex<&'a mut Oracle>,
}

impl<'a> Life<'a> {
    fn oracle(&self) -> MutexGuard<'_, &'a mut Oracle> {
        self.oracle.lock().unwrap()
    }

    /// Does something again and again until the server is gone.
    fn work(&self, mut step: impl FnMut() -> io::Result<()>) {
        while !self.over.load(Ordering::SeqCst) {
            if step().is_err() {
                break;
            }
        }
    }

    fn write_activities(&self, many: u64) -> io::Result<()> {
        let first = {
            let mut oracle = self.oracle();
            oracle.next += many;
            oracle.next - many
        };
        let line = |id| format!(r#"{{"user":"u{}","action":"tick","detail":"{id}","id":"{id}"}}"#, id % 50);
        let mut lines = (first..first + many).map(line).collect::<Vec<_>>().join("\n");
        // For retention, at the next start.
        lines.push_str("\n{\"user\":\"u\",\"action\":\"tock\",\"time\":\"2026-01-01T00:00:00Z\"}");
        let writer = self.server.bearer(self.token).with("Content-Type", "application/x-ndjson");
        let reply = writer.try_post("/api/v1/activity", lines.as_bytes()).ok_or(io::ErrorKind::BrokenPipe)?;
        assert_eq!(reply.ok()["accepted"], many + 1);
        self.oracle().activities.extend(first..first + many);
        Ok(())
    }

    fn sign_in_and_out(&self) -> io::Result<()> {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let stranger = self.server.stranger().with("Content-Type", "application/json");
        let body = json!({"user": "ada", "password": PASSWORD}).to_string();
        let reply = stranger.try_post("/api/v1/signin", body.as_bytes()).ok_or_else(gone)?;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let cookie = reply.cookie();
        {
            let mut oracle = self.oracle();
            oracle.sign_ins += 1;
            oracle.live.push(cookie.clone());
        }
        // Two in three sign out again; from the moment it is asked, the end may be on disk.
        if !self.oracle().sign_ins.is_multiple_of(3) {
            self.oracle().live.retain(|live| *live != cookie);
            let own = stranger.with("Cookie", &cookie);
            let reply = own.try_post("/api/v1/signout", b"{}").ok_or_else(gone)?;
            assert_eq!(reply.status, 204, "{}", reply.text());
            self.oracle().ended.push(cookie);
        }
        Ok(())
    }

    fn backup(&self, folder: &Folder) -> io::Result<()> {
        let file = folder.path().join("kill.backup");
        let done = folder.run(&["backup", file.to_str().unwrap()]);
        if done.code != 0 || self.over.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.oracle().backups += 1;
        Ok(())
    }
}

/// Lets the server live until `ends`, and kills it.
fn live(folder: &Folder, server: Server, token: &str, oracle: &mut Oracle, lasts: Duration) {
    let life = Life { server: &server, token, over: AtomicBool::new(false), oracle: Mutex::new(oracle) };
    thread::scope(|scope| {
        scope.spawn(|| life.work(|| life.write_activities(200)));
        scope.spawn(|| life.work(|| life.write_activities(1)));
        scope.spawn(|| life.work(|| life.sign_in_and_out()));
        scope.spawn(|| life.work(|| life.backup(folder)));
        // The moment is what is random about it, so it is waited for and not raced to.
        let start = Instant::now();
        while start.elapsed() < lasts {
            thread::park_timeout(lasts.saturating_sub(start.elapsed()));
        }
        server.kill_now();
        life.over.store(true, Ordering::SeqCst);
    });
}

/// Holds what a new life of the server has against what was acknowledged in those before.
fn judge(folder: &Folder, server: &Server, token: &str, oracle: &Oracle) {
    let browser = |cookie: &str| -> Client { server.stranger().with("Cookie", cookie) };
    for cookie in &oracle.ended {
        assert_eq!(browser(cookie).get("/api/v1/me").status, 401, "a session that had ended is back");
    }
    for cookie in &oracle.live {
        assert_eq!(browser(cookie).get("/api/v1/me").status, 200, "a session is lost");
    }
    let checked = folder.run(&["check"]);
    checked.ok();
    let reader = server.bearer(token);
    let mut found = BTreeSet::new();
    let lines = reader.get("/api/v1/activity.ndjson?action=tick").text();
    for line in lines.lines() {
        let activity: serde_json::Value = serde_json::from_str(line).unwrap();
        let id: u64 = activity["detail"].as_str().unwrap().parse().unwrap();
        assert!(found.insert(id), "{id} is there twice");
    }
    let lost: Vec<_> = oracle.activities.difference(&found).collect();
    assert!(lost.is_empty(), "{} acknowledged activities are lost: {lost:?}", lost.len());
    let count = |query: &str| {
        reader.get(&format!("/api/v1/activity?limit=1&{query}")).json()["total"]["value"].as_u64()
    };
    assert!(count("action=sign-in") >= Some(oracle.sign_ins));
    assert!(count("action=sign-out") >= Some(oracle.ended.len() as u64));
    // Each start removes what it may without being asked; a life writes less than that.
    let removed = reader.get_until("/api/v1/activity?action=retention", |reply| !reply.items().is_empty());
    assert_eq!(removed.items()[0]["app"], "rollcall");
    assert!(count("action=backup") >= Some(oracle.backups));
}

/// Has every start remove what the life before wrote for it.
fn retain_little(folder: &Folder) {
    let app = App::open(folder.path(), Some(&cities()), Clock::system(), Limits::default()).unwrap();
    let little = Retention::read("", "", "action tock 1d").unwrap();
    app.set_retention(&Actor::console(), &little, &app.outlook(&little).unwrap()).unwrap();
    app.index().stop();
}

#[test]
fn whenever_it_is_killed_what_was_acknowledged_is_there() {
    let kills = std::env::var("ROLLCALL_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let folder = Folder::with_admin();
    let token = folder.run(&["token", "add", "t", "--scope", "activity:write", "activity:read"]);
    let token = token.ok().trim().to_owned();
    retain_little(&folder);
    let mut oracle = Oracle::default();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for kill in 0..kills {
        let server = folder.serve();
        // Not after each: a look takes longer than a life.
        if kill % 10 == 9 {
            judge(&folder, &server, &token, &oracle);
            oracle.ended.drain(..oracle.ended.len().saturating_sub(20));
        }
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        live(&folder, server, &token, &mut oracle, Duration::from_millis(20 + random % 700));
    }
    let server = folder.serve();
    judge(&folder, &server, &token, &oracle);
    assert!(
        oracle.activities.len() > 100 && oracle.sign_ins > 5,
        "hardly anything was done between the kills"
    );
}
