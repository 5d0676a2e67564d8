//! The fixed script: everything that writes, once or a few times, whatever becomes of it.

use std::{fmt, fs, io, os::unix::fs::MetadataExt as _, path::Path, process::Command};

use serde_json::{Value, json};

use super::{
    super::{
        house::PASSWORD,
        server::{Client, Folder, Server},
    },
    Life, Outcome, checkpoints_of,
    oracle::Oracle,
    outcome, with_token,
};

/// How much some activities tell, in bytes: with all that stands beside it, such a one takes 128 KB of the file.
const MUCH: usize = 65_520;

/// How many of them retention takes: together more than the 16 MB from which on a file gives room back.
const OLD: u64 = 140;

/// How many stay, at the end of the file, which does not become shorter by itself then.
const STAY: u64 = 10;

/// So much is left of the file when its room was given back, in bytes.
const SMALL: u64 = 8 << 20;

/// What bob's password becomes.
const OTHER: &str = "seven quiet herons stand";

/// What the server is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Start,
    Checkpoint,
    Ingestion,
    SignIn,
    App,
    Password,
    Token,
    Setting,
    Removal,
    Backup,
    Index,
    Rest,
    Stop,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "the start",
            Self::Checkpoint => "a checkpoint sent to a file",
            Self::Ingestion => "activities, one and a batch",
            Self::SignIn => "signing in, out, and somebody out",
            Self::App => "sessions of an app",
            Self::Password => "a password that changes",
            Self::Token => "a token made, a token revoked",
            Self::Setting => "a setting, and an app added",
            Self::Removal => "what retention removes, and the room given back",
            Self::Backup => "a backup",
            Self::Index => "commits of the index",
            Self::Rest => "recovery",
            Self::Stop => "the stop",
        })
    }
}

/// A folder to begin with; each life of a server gets a copy of it.
pub(super) struct Beginning {
    folder: Folder,
    pub(super) token: String,
    /// What is there from before.
    pub(super) oracle: Oracle,
}

impl Beginning {
    /// One with little in it.
    pub(super) fn small() -> Self {
        let (folder, token) = with_token(Folder::with_admin());
        folder.run_with(&["user", "add", "bob", "--password-stdin"], PASSWORD).ok();
        let old = folder.run(&["token", "add", "old", "--scope", "session:read"]).ok().trim().to_owned();
        let mut oracle = Oracle { keep: Some(String::new()), ..Oracle::default() };
        oracle.tokens.open.push(old);
        oracle.passwords.open.extend(["ada", "bob"].map(|user| (user.to_owned(), PASSWORD.to_owned())));
        let mut beginning = Self { folder, token, oracle };
        beginning.live(|life| {
            // As many commits as make a merge with the next.
            for _ in 0..7 {
                assert!(life.write_and_find().unwrap());
            }
        });
        beginning
    }

    /// One with a file that gives room back once retention has taken what is old.
    pub(super) fn large() -> Self {
        let mut beginning = Self::small();
        beginning.live(|life| {
            assert!(life.write_old(OLD, MUCH).unwrap());
            assert!(life.write_much(STAY, MUCH).unwrap());
        });
        assert!(room(&beginning.folder) > 16 << 20, "{}", room(&beginning.folder));
        beginning
    }

    fn live(&mut self, work: impl FnOnce(&Life<'_>)) {
        let server = self.folder.serve();
        work(&Life::of(&server, &self.token, &mut self.oracle));
        assert_eq!(server.stop(), Some(0));
    }

    pub(super) fn copy(&self) -> Folder {
        let copy = Folder::new();
        let from = format!("{}/.", self.folder.path().display());
        let mut cp = Command::new("cp");
        assert!(cp.args(["-a", "--sparse=always", &from]).arg(copy.path()).status().unwrap().success());
        // It is set aside anew at each start.
        fs::remove_file(copy.path().join("reserve")).unwrap();
        copy
    }

    /// A life of a server on a copy, in which nobody waits for long.
    pub(super) fn life<'a>(&'a self, server: &'a Server, oracle: &'a mut Oracle) -> Life<'a> {
        Life { patience: super::calls::HANG, ..Life::of(server, &self.token, oracle) }
    }
}

/// How many bytes the data file takes on the disk.
fn room(folder: &Folder) -> u64 {
    fs::metadata(folder.path().join(rollcall::store::FILE)).unwrap().blocks() * 512
}

/// Plays the script. `complaints` is where the server says what it has to complain of; `begins` hears of each step.
pub(super) fn play(
    life: &Life<'_>,
    folder: &Folder,
    complaints: &Path,
    mut begins: impl FnMut(Step),
) -> io::Result<()> {
    let says = |of: &[&str]| {
        let said = fs::read_to_string(complaints).unwrap();
        of.iter().any(|words| said.contains(words))
    };
    begins(Step::Checkpoint);
    let is_sent = || fs::metadata(checkpoints_of(folder)).is_ok_and(|file| file.len() > 0);
    Life::until("no checkpoint is sent", || Ok((is_sent() || says(&["checkpoint"])).then_some(())))?;
    begins(Step::Ingestion);
    life.write_activities(1)?;
    life.write_activities(30)?;
    life.write_and_find()?;
    begins(Step::SignIn);
    // Whoever is told that it cannot be just now comes again.
    let ada = Life::until("nobody is let in", || life.sign_in("ada", PASSWORD))?;
    for leaves in [true, false] {
        if let Some(own) = life.sign_in("ada", PASSWORD)? {
            if leaves {
                life.sign_out(&own)?
            } else {
                life.log_out(&ada, &own)?
            };
        }
    }
    begins(Step::App);
    life.register_sessions()?;
    begins(Step::Password);
    life.change_password()?;
    begins(Step::Token);
    life.make_and_revoke_tokens(&ada)?;
    begins(Step::Setting);
    life.set(&ada)?;
    begins(Step::Removal);
    match life.remove_old(&ada, "9y")? {
        Outcome::Done => {
            let fails = ["could not be cleared away", "cannot be put in order"];
            Life::until("the removal does not come to its end", || {
                Ok((room(folder) < SMALL || says(&fails)).then_some(()))
            })?;
            life.oracle().keep = Some("9y".to_owned());
        }
        Outcome::Refused => {}
        Outcome::Unknown => life.oracle().keep = None,
    }
    begins(Step::Backup);
    // It says itself where it was not taken.
    let _ = life.back_up(folder);
    begins(Step::Index);
    life.write_and_find()?;
    begins(Step::Rest);
    Ok(())
}

impl Life<'_> {
    /// Writes activities of now, each with so much to tell.
    fn write_much(&self, many: u64, bytes: usize) -> io::Result<bool> {
        let much = ".".repeat(bytes);
        let line = |_| format!(r#"{{"user":"u","action":"tell","detail":"{much}"}}"#);
        self.write(&(0..many).map(line).collect::<Vec<_>>())
    }

    fn json(&self, client: &Client, method: &str, path: &str, body: &Value) -> io::Result<super::Reply> {
        let sender = client.without("Content-Type").with("Content-Type", "application/json");
        self.send(&sender, method, path, body.to_string().as_bytes())
    }

    /// An app registers two sessions, and ends the second.
    fn register_sessions(&self) -> io::Result<()> {
        let program = self.server.bearer(self.token);
        for stays in [true, false] {
            let body = json!({"user": "eve", "ip": "81.2.69.142", "user_agent": "curl/8", "app": "wiki"});
            let reply = self.json(&program, "POST", "/api/v1/sessions", &body)?;
            if outcome(&reply, 201) != Outcome::Done {
                continue;
            }
            let word = |name: &str| reply.json()[name].as_str().unwrap().to_owned();
            let (id, token) = (word("id"), word("token"));
            self.oracle().registered.open.push(token.clone());
            if stays {
                continue;
            }
            self.oracle().registered.ask(&token);
            let reply = self.send(&program, "DELETE", &format!("/api/v1/sessions/{id}"), b"")?;
            if outcome(&reply, 204) == Outcome::Done {
                self.oracle().registered.shut.push(token);
            }
        }
        Ok(())
    }

    /// Bob takes a new password in one of two sessions, and the other one ends with it.
    fn change_password(&self) -> io::Result<()> {
        let (Some(own), Some(other)) = (self.sign_in("bob", PASSWORD)?, self.sign_in("bob", PASSWORD)?)
        else {
            return Ok(());
        };
        let cookies = [&own, &other].map(|client| client.header("Cookie").to_owned());
        let [before, after] = [PASSWORD, OTHER].map(|password| ("bob".to_owned(), password.to_owned()));
        {
            let mut oracle = self.oracle();
            oracle.passwords.ask(&before);
            for cookie in &cookies {
                oracle.sessions.ask(cookie);
            }
        }
        let body = json!({"current": PASSWORD, "password": OTHER});
        let reply = self.json(&own, "POST", "/api/v1/me/password", &body)?;
        let mut oracle = self.oracle();
        match outcome(&reply, 200) {
            Outcome::Done => {
                oracle.tell("user-password-changed");
                oracle.tell("logout");
                oracle.passwords.open.push(after);
                oracle.passwords.shut.push(before);
                // The one at hand goes on under another token.
                oracle.sessions.open.push(reply.cookie());
                oracle.sessions.shut.extend(cookies);
            }
            Outcome::Refused => {
                oracle.passwords.open.push(before);
                oracle.passwords.shut.push(after);
                oracle.sessions.open.extend(cookies);
            }
            Outcome::Unknown => {}
        }
        Ok(())
    }

    /// Makes a token, and revokes one from before.
    fn make_and_revoke_tokens(&self, ada: &Client) -> io::Result<()> {
        let body = json!({"name": "made", "scopes": ["session:read"]});
        let reply = self.json(ada, "POST", "/api/v1/tokens", &body)?;
        if outcome(&reply, 201) == Outcome::Done {
            let mut oracle = self.oracle();
            oracle.tell("token-added");
            oracle.tokens.open.push(reply.json()["token"].as_str().unwrap().to_owned());
        }
        let old = {
            let mut oracle = self.oracle();
            let old = oracle.tokens.open[0].clone();
            oracle.tokens.ask(&old);
            old
        };
        let reply = self.send(ada, "DELETE", "/api/v1/tokens/old", b"")?;
        let mut oracle = self.oracle();
        match outcome(&reply, 204) {
            Outcome::Done => {
                oracle.tell("token-revoked");
                oracle.tokens.shut.push(old);
            }
            Outcome::Refused => oracle.tokens.open.push(old),
            Outcome::Unknown => {}
        }
        Ok(())
    }

    /// Sets how long the log is kept, which removes nothing, and adds an app.
    fn set(&self, ada: &Client) -> io::Result<()> {
        let before = self.oracle().keep.take();
        let fields = [("keep", "9y"), ("size", ""), ("rules", "")];
        let reply = Life::until("the setting is not looked at", || {
            let reply = self.form(ada, "/settings/retention", &fields)?;
            // Until the index can say that it removes nothing.
            let waits = reply.status == 503 && reply.text().contains("search index");
            Ok((!waits).then_some(reply))
        })?;
        match outcome(&reply, 303) {
            Outcome::Done => {
                let mut oracle = self.oracle();
                oracle.tell("setting-changed");
                oracle.keep = Some("9y".to_owned());
            }
            Outcome::Refused => self.oracle().keep = before,
            Outcome::Unknown => {}
        }
        let reply =
            self.json(ada, "POST", "/api/v1/apps", &json!({"name": "wiki", "url": "https://wiki.example"}))?;
        if outcome(&reply, 201) == Outcome::Done {
            let mut oracle = self.oracle();
            oracle.tell("app-added");
            oracle.apps.push("wiki".to_owned());
        }
        Ok(())
    }
}
