//! Rollcall in a process of its own, with those who use it.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, ensure};

use crate::connection::Connection;

/// Everybody's.
pub(crate) const PASSWORD: &str = "four horses in a field";

pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    /// A token that may write activities, and register sessions and ask for them.
    pub(crate) token: String,
    folder: tempfile::TempDir,
    // Kept open, so that the server may go on talking.
    _said: BufReader<ChildStdout>,
}

impl Server {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        rollcall(&folder, &["user", "add", "ann", "--role", "admin", "--password-stdin"])?;
        rollcall(&folder, &["app", "add", "wiki", "--url", "https://wiki.example.org"])?;
        let scopes = "activity:write,session:read,session:write";
        let said = rollcall(&folder, &["token", "add", "wiki", "--scope", scopes])?;
        let token = said.split_whitespace().last().context("no token was printed")?.to_owned();
        let mut command = command(&folder);
        command.args(["serve", "--listen", "127.0.0.1:0", "--trusted-proxy", "127.0.0.1"]);
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut said = BufReader::new(child.stdout.take().context("the server has no output")?);
        let mut line = String::new();
        said.read_line(&mut line)?;
        let port = line.trim_end().rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.with_context(|| format!("the server says {line:?}"))?;
        Ok(Self { child, port, token, folder, _said: said })
    }

    /// Signs ann in with so many browsers, each at another address; their cookies.
    pub(crate) fn browsers(&self, count: usize) -> anyhow::Result<Vec<String>> {
        let body = format!("{{\"user\":\"ann\",\"password\":\"{PASSWORD}\"}}");
        let mut connection = Connection::new(self.port);
        let sign_in = |n: usize| {
            let headers = [address(n), "Content-Type: application/json".to_owned()];
            let answer = connection.ask("POST /api/v1/signin", &headers, &body)?;
            let mut lines = answer.head.lines().filter_map(|line| line.split_once(": "));
            // Beside the session's there is the mark of the browser.
            let own = |(name, value): &(&str, &str)| {
                name.eq_ignore_ascii_case("set-cookie") && value.starts_with("rollcall=")
            };
            let cookie = lines.find(own);
            let cookie = cookie.and_then(|(_, value)| value.split(';').next());
            Ok(cookie.with_context(|| format!("no cookie: {}", answer.head))?.to_owned())
        };
        (0..count).map(sign_in).collect()
    }

    /// Registers so many sessions of an app.
    pub(crate) fn register(&self, count: usize) -> anyhow::Result<()> {
        let mut connection = Connection::new(self.port);
        for n in 0..count {
            let body = format!(
                "{{\"user\":\"user{n}\",\"app\":\"wiki\",\"ip\":\"203.0.113.{}\",\"user_agent\":\"Mozilla/5.0\"}}",
                n % 250
            );
            let answer = connection.ask("POST /api/v1/sessions", &self.as_program(), &body)?;
            ensure!(answer.status == 201, "{}", String::from_utf8_lossy(&answer.body));
        }
        Ok(())
    }

    /// The headers of a program's call.
    pub(crate) fn as_program(&self) -> [String; 2] {
        [format!("Authorization: Bearer {}", self.token), "Content-Type: application/json".to_owned()]
    }

    /// Bytes of memory.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
    }

    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        let told = Command::new("kill").arg(self.child.id().to_string()).status()?;
        ensure!(told.success() && self.child.wait()?.success(), "the server did not stop well");
        Ok(self.folder.close()?)
    }
}

/// The header that says where a client is.
pub(crate) fn address(n: usize) -> String {
    format!("X-Forwarded-For: 198.51.{}.{}", n / 250 % 250, n % 250 + 1)
}

fn command(folder: &tempfile::TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ROLLCALL_")) {
        command.env_remove(name);
    }
    command.arg("--data").arg(folder.path());
    command
}

/// What a command said.
fn rollcall(folder: &tempfile::TempDir, args: &[&str]) -> anyhow::Result<String> {
    let mut command = command(folder);
    let mut child = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    if args.contains(&"--password-stdin") {
        child.stdin.take().context("no input")?.write_all(PASSWORD.as_bytes())?;
    }
    let done = child.wait_with_output()?;
    ensure!(done.status.success(), "rollcall {} failed", args.join(" "));
    Ok(String::from_utf8(done.stdout)?)
}
