//! Rollcall's server, in a process of its own.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};

use crate::{
    feed::{self, Feed},
    http::Http,
    machine::{self, Memory},
    questions::Question,
};

/// Set where this program is to be Rollcall.
pub const AS_ROLLCALL: &str = "COMPARE_AS_ROLLCALL";

/// The file beside the data that says with which token it is reached, once everything is there.
const TOKEN: &str = "token-of-compare";

/// How many activities are sent at a time while loading.
const LOT: usize = 20_000;

/// A folder that has not changed for so long is at rest.
const REST: Duration = Duration::from_secs(15);

/// A server that runs, and is killed when it is dropped.
pub struct Server {
    child: Child,
    address: String,
    token: String,
    // Kept open, so that the server may go on talking.
    _said: BufReader<ChildStdout>,
}

/// A command of Rollcall's on a data folder.
pub fn command(folder: &Path, binary: Option<&Path>) -> anyhow::Result<Command> {
    let program = binary.map_or_else(env::current_exe, |binary| Ok(binary.to_owned()))?;
    let mut command = Command::new(program);
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ROLLCALL_")) {
        command.env_remove(name);
    }
    command.env(AS_ROLLCALL, "1").arg("--data").arg(folder).stdin(Stdio::null());
    Ok(command)
}

/// Makes a data folder with a token in it.
pub fn prepare(folder: &Path, binary: Option<&Path>) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    // An account would be better made by `user add`, but nobody signs in here.
    let mut first = Server::spawn(folder, binary, String::new())?;
    let added = command(folder, binary)?
        .args(["token", "add", "compare", "--scope", "activity:read,activity:write"])
        .output()?;
    ensure!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let said = String::from_utf8(added.stdout)?;
    let secret = said.split_whitespace().last().context("no token was printed")?;
    first.end("TERM")?;
    fs::write(folder.join(TOKEN), secret)?;
    Ok(())
}

/// Sees to it that the folder holds all activities of the feed.
pub fn load(folder: &Path, feed: &Feed, binary: Option<&Path>) -> anyhow::Result<()> {
    let whole = folder.join("whole");
    if whole.exists() {
        return Ok(());
    }
    prepare(folder, binary)?;
    let server = Server::start(folder, binary)?;
    let http = Http::of(&server);
    let started = Instant::now();
    let mut sent = 0;
    for lot in feed.lots(LOT)? {
        let lot = lot?;
        let taken = http.post("application/x-ndjson", &feed::ndjson(&lot)?)?;
        ensure!(taken.accepted == lot.len() as u64, "{} of {} were taken", taken.accepted, lot.len());
        sent += taken.accepted;
        if sent % 1_000_000 == 0 {
            eprintln!("  {} after {:.0?}", feed::thousands(sent), started.elapsed());
        }
    }
    ensure!(sent == feed.count(), "there are only {sent} activities");
    server.found(feed.count(), &everything(feed)?)?;
    let (took, behind) = (started.elapsed(), machine::bytes(folder, &["geo"])?);
    let (rested, rest) = settle(folder)?;
    let each = |bytes: u64| format!("{:.0} bytes", bytes as f64 / feed.count() as f64);
    println!(
        "{} activities were loaded and found after {took:.0?}. Right behind that they took {} on disk each, and {} once the log had come to rest, {rested:.0?} later; the server {} MB at most.\n",
        feed::thousands(feed.count()),
        each(behind),
        each(rest),
        server.memory()?.peak >> 20
    );
    server.stop()?;
    Ok(fs::write(whole, "")?)
}

/// Waits until the folder's size has stayed the same for a while: when that began, and what it is, in bytes.
fn settle(folder: &Path) -> anyhow::Result<(Duration, u64)> {
    let (began, mut since, mut size) = (Instant::now(), Instant::now(), 0);
    while since.elapsed() < REST {
        thread::sleep(Duration::from_millis(500));
        let now = machine::bytes(folder, &["geo"])?;
        if now != size {
            (since, size) = (Instant::now(), now);
        }
    }
    Ok((since.duration_since(began), size))
}

/// The question for all activities of the feed, which leaves out Rollcall's own.
pub fn everything(feed: &Feed) -> anyhow::Result<Question> {
    let questions = feed.questions()?;
    let whole = questions.iter().find(|question| question.whole);
    let whole = whole.context("no question covers the whole time")?;
    Ok(Question { from: whole.from, to: whole.to, ..Question::default() })
}

impl Server {
    /// Serves a prepared folder.
    pub fn start(folder: &Path, binary: Option<&Path>) -> anyhow::Result<Self> {
        Self::spawn(folder, binary, fs::read_to_string(folder.join(TOKEN))?)
    }

    fn spawn(folder: &Path, binary: Option<&Path>, token: String) -> anyhow::Result<Self> {
        let mut command = command(folder, binary)?;
        command.args(["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut said = BufReader::new(child.stdout.take().context("the server has no output")?);
        let mut line = String::new();
        said.read_line(&mut line)?;
        let ready = line.trim_end().strip_prefix("Rollcall is ready at ");
        let Some(address) = ready.map(str::to_owned) else {
            let _ = child.kill();
            bail!("the server says {line:?}");
        };
        Ok(Self { child, address, token, _said: said })
    }

    pub fn api(&self) -> String {
        format!("{}/api/v1", self.address)
    }

    pub fn token(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// Waits until so many activities can be found.
    pub fn found(&self, count: u64, everything: &Question) -> anyhow::Result<()> {
        let http = Http::of(self);
        let patience = Instant::now() + Duration::from_secs(3600);
        while http.total(everything)? < count {
            ensure!(Instant::now() < patience, "the index does not catch up");
            thread::sleep(Duration::from_millis(5));
        }
        ensure!(http.total(everything)? == count, "there are more activities than were sent");
        Ok(())
    }

    pub fn memory(&self) -> anyhow::Result<Memory> {
        Memory::of(self.child.id())
    }

    /// Forgets the most memory that was ever in use.
    pub fn forget_peak(&self) -> anyhow::Result<()> {
        Ok(fs::write(PathBuf::from(format!("/proc/{}/clear_refs", self.child.id())), "5")?)
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(mut self) -> anyhow::Result<()> {
        self.end("TERM")
    }

    /// `kill -9`.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.end("KILL")
    }

    fn end(&mut self, signal: &str) -> anyhow::Result<()> {
        machine::signal(self.child.id(), signal)?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
