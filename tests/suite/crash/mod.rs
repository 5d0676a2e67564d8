//! What is left when the worst happens in the middle of everything: the server is killed, the power is cut under its disk,
//! its writes fail. The load is mixed, an oracle takes down what was acknowledged, and what is found afterwards is held
//! against it.

mod calls;
mod commands;
mod cuts;
mod kill;
mod oracle;
mod script;
mod starts;
mod strace;

use std::{
    io,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use rollcall::domain::clock::Clock;
use serde_json::json;

use self::oracle::Oracle;
use super::{
    house::PASSWORD,
    http::Reply,
    server::{Client, Folder, PATIENCE, Server},
};

/// How long is waited from one look to the next.
const PAUSE: Duration = Duration::from_millis(20);

/// One life of the server, and what all who work it share.
struct Life<'a> {
    server: &'a Server,
    token: &'a str,
    over: AtomicBool,
    oracle: Mutex<&'a mut Oracle>,
    /// How long anybody may wait for an answer.
    patience: Duration,
}

/// What somebody is told who asked for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It is done, and on disk.
    Done,
    /// It is not done.
    Refused,
    /// Nobody knows yet.
    Unknown,
}

/// Whether an answer says that it was done; whoever is not done for is told that the disk does not take it.
fn outcome(reply: &Reply, done: u16) -> Outcome {
    assert!([done, 503, 507].contains(&reply.status), "{} {}", reply.status, reply.text());
    match reply.status {
        status if status == done => Outcome::Done,
        _ if reply.text().contains("not known yet") => Outcome::Unknown,
        _ => Outcome::Refused,
    }
}

impl<'a> Life<'a> {
    fn of(server: &'a Server, token: &'a str, oracle: &'a mut Oracle) -> Self {
        let (over, oracle) = (AtomicBool::new(false), Mutex::new(oracle));
        Self { server, token, over, oracle, patience: PATIENCE }
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

    /// Does something again and again until something comes of it.
    fn until<T>(what: &str, mut step: impl FnMut() -> io::Result<Option<T>>) -> io::Result<T> {
        let start = Instant::now();
        loop {
            if let Some(done) = step()? {
                return Ok(done);
            }
            assert!(start.elapsed() < PATIENCE, "{what}");
            // What is looked for steps aside for who looks all the time.
            thread::park_timeout(PAUSE);
        }
    }

    /// Sends a request, which is answered in time, and whatever happens not with a fault of ours.
    fn send(&self, client: &Client, method: &str, path: &str, body: &[u8]) -> io::Result<Reply> {
        let asked = Instant::now();
        let reply = client.try_send(method, path, body)?;
        assert!(asked.elapsed() < self.patience, "{method} {path} took {:?}", asked.elapsed());
        assert_ne!(reply.status, 500, "{method} {path}: {}", reply.text());
        Ok(reply)
    }

    /// A page, however often it takes.
    fn page(&self, client: &Client, path: &str) -> io::Result<String> {
        Life::until(&format!("{path} is not shown"), || {
            let reply = self.send(client, "GET", path, b"")?;
            Ok((reply.status == 200).then(|| reply.text()))
        })
    }

    /// Sends a form of a page.
    fn form(&self, client: &Client, path: &str, fields: &[(&str, &str)]) -> io::Result<Reply> {
        let page = self.page(client, "/profile")?;
        let (_, behind) = page.split_once("name=\"csrf\" value=\"").expect("the page has a form");
        let csrf = behind.split_once('"').unwrap().0;
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields).append_pair("csrf", csrf);
        let sender = client.without("Content-Type").with("Content-Type", "application/x-www-form-urlencoded");
        self.send(&sender, "POST", path, form.finish().as_bytes())
    }

    /// The program, which sends bodies of this kind.
    fn program(&self, kind: &str) -> Client {
        self.server.bearer(self.token).with("Content-Type", kind)
    }

    /// Writes activities in one request.
    fn write(&self, lines: &[String]) -> io::Result<bool> {
        let program = self.program("application/x-ndjson");
        let reply = self.send(&program, "POST", "/api/v1/activity", lines.join("\n").as_bytes())?;
        let done = outcome(&reply, 200) == Outcome::Done;
        if done {
            assert_eq!(reply.json()["accepted"], lines.len());
        }
        Ok(done)
    }

    /// Writes so many activities in one request.
    fn write_activities(&self, many: u64) -> io::Result<bool> {
        let first = {
            let mut oracle = self.oracle();
            oracle.next += many;
            oracle.next - many
        };
        let line = |id| format!(r#"{{"user":"u{}","action":"tick","detail":"{id}","id":"{id}"}}"#, id % 50);
        let done = self.write(&(first..first + many).map(line).collect::<Vec<_>>())?;
        if done {
            self.oracle().activities.extend(first..first + many);
        }
        Ok(done)
    }

    /// Whether a search finds anything.
    fn finds(&self, query: &str) -> io::Result<bool> {
        let program = self.program("application/json");
        let reply = self.send(&program, "GET", &format!("/api/v1/activity?limit=1&{query}"), b"")?;
        Ok(reply.status == 200 && !reply.items().is_empty())
    }

    /// Writes an activity, and looks for it until the index has it.
    fn write_and_find(&self) -> io::Result<bool> {
        let before = self.oracle().next;
        let written = self.write_activities(1)?;
        if written {
            // Another may have taken the very number: then there is one from before or after.
            let query = format!("action=tick&order=desc&q=detail:{before}*");
            Life::until("it is not found", || Ok(self.finds(&query)?.then_some(())))?;
            self.oracle().found += 1;
        }
        Ok(written)
    }

    fn sign_in(&self, user: &str, password: &str) -> io::Result<Option<Client>> {
        let stranger = self.server.stranger().with("Content-Type", "application/json");
        let body = json!({"user": user, "password": password}).to_string();
        let reply = self.send(&stranger, "POST", "/api/v1/signin", body.as_bytes())?;
        if outcome(&reply, 200) != Outcome::Done {
            return Ok(None);
        }
        let cookie = reply.cookie();
        let mut oracle = self.oracle();
        oracle.tell("sign-in");
        oracle.sessions.open.push(cookie.clone());
        Ok(Some(stranger.with("Cookie", &cookie)))
    }

    /// Signs out by oneself.
    fn sign_out(&self, own: &Client) -> io::Result<bool> {
        self.end(own, "sign-out", || self.send(own, "POST", "/api/v1/signout", b"{}"))
    }

    /// Has somebody end a session of a list.
    fn log_out(&self, by: &Client, own: &Client) -> io::Result<bool> {
        let me: serde_json::Value = serde_json::from_str(&self.page(own, "/api/v1/me")?).unwrap();
        let id = me["session"]["id"].as_str().unwrap();
        // One that ends itself so signs out.
        let action = if by.header("Cookie") == own.header("Cookie") { "sign-out" } else { "logout" };
        self.end(own, action, || self.send(by, "DELETE", &format!("/api/v1/sessions/{id}"), b""))
    }

    fn end(
        &self,
        own: &Client,
        action: &'static str,
        ask: impl Fn() -> io::Result<Reply>,
    ) -> io::Result<bool> {
        let cookie = own.header("Cookie").to_owned();
        // From the moment it is asked, the end may be on disk; where it is refused the session stays so, too.
        self.oracle().sessions.ask(&cookie);
        let done = outcome(&ask()?, 204) == Outcome::Done;
        if done {
            let mut oracle = self.oracle();
            oracle.tell(action);
            oracle.sessions.shut.push(cookie);
        }
        Ok(done)
    }

    /// Signs in, and, two times in three, out again: by itself or as somebody ends a session of a list.
    fn sign_in_and_out(&self) -> io::Result<bool> {
        let Some(own) = self.sign_in("ada", PASSWORD)? else { return Ok(false) };
        let turn = self.oracle().told("sign-in") % 3;
        match turn {
            0 => Ok(true),
            1 => self.sign_out(&own),
            _ => self.log_out(&own, &own),
        }
    }

    /// Writes what is just as old as retention takes it, each with so much to tell, and waits until it is found.
    fn write_old(&self, many: u64, bytes: usize) -> io::Result<bool> {
        let first = {
            let mut oracle = self.oracle();
            oracle.next_old += many;
            oracle.next_old - many
        };
        let time = Clock::system().now() - SignedDuration::from_hours(24);
        let much = ".".repeat(bytes);
        let line =
            |id| format!(r#"{{"user":"u","action":"tock","detail":"{id:06} {much}","time":"{time}"}}"#);
        let done = self.write(&(first..first + many).map(line).collect::<Vec<_>>())?;
        if done {
            self.oracle().old.extend(first..first + many);
            Life::until("it is not found", || Ok(self.finds("action=tock")?.then_some(())))?;
        }
        Ok(done)
    }

    /// Has retention take what is old.
    fn remove_old(&self, ada: &Client, keep: &str) -> io::Result<Outcome> {
        let rules = [("keep", keep), ("size", ""), ("rules", "action tock 1d")];
        let path = "/settings/retention";
        // After a start it may be some time until the index can say how many they are.
        let asked = Life::until("retention does not come to ask", || {
            let reply = self.form(ada, path, &rules)?;
            assert!([200, 503].contains(&reply.status), "{} {}", reply.status, reply.text());
            Ok((reply.status == 200).then(|| reply.text()))
        })?;
        let (_, behind) = asked.split_once("name=\"agreed\" value=\"").expect("it asks what may go");
        let agreed = ("agreed", behind.split_once('"').unwrap().0);
        let (all, before) = {
            let mut oracle = self.oracle();
            (oracle.next_old, std::mem::replace(&mut oracle.taking, true))
        };
        let reply = self.form(ada, path, &[&rules[..], &[agreed]].concat())?;
        let outcome = outcome(&reply, 303);
        let mut oracle = self.oracle();
        match outcome {
            Outcome::Done => {
                oracle.tell("retention");
                oracle.gone = all;
            }
            Outcome::Refused => oracle.taking = before,
            Outcome::Unknown => {}
        }
        Ok(outcome)
    }

    fn retain(&self, ada: &Client) -> io::Result<bool> {
        Ok(self.write_old(20, 0)? && self.remove_old(ada, "")? == Outcome::Done)
    }

    /// Takes a backup with the command, over the server.
    fn back_up(&self, folder: &Folder) -> io::Result<bool> {
        let before = self.oracle().activities.clone();
        let asked = Instant::now();
        let done = folder.run(&["backup", backup_of(folder).to_str().unwrap()]);
        if done.code != 0 || self.over.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        assert!(asked.elapsed() < self.patience, "the backup took {:?}", asked.elapsed());
        let mut oracle = self.oracle();
        oracle.tell("backup");
        oracle.backed_up = before;
        Ok(true)
    }
}

/// Where the backups of a folder go.
fn backup_of(folder: &Folder) -> std::path::PathBuf {
    folder.beside("all.backup")
}

/// Where the checkpoints of a server are kept outside, where they are.
fn checkpoints_of(folder: &Folder) -> std::path::PathBuf {
    folder.beside("checkpoints")
}

/// A folder with ada, and a program's token to it.
fn with_token(folder: Folder) -> (Folder, String) {
    let scopes = ["activity:write", "activity:read", "session:read", "session:write"];
    let token = folder.run(&[&["token", "add", "t", "--scope"][..], &scopes].concat());
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
