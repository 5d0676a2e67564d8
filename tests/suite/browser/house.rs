//! The real program over a folder of its own, gone again when the test is.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use tempfile::TempDir;

/// Everybody's password.
pub(super) const PASSWORD: &str = "a long walk along the river";

/// A running server.
pub(super) struct House {
    folder: TempDir,
    server: Child,
    /// Held, or the server would write into a closed pipe.
    _said: BufReader<ChildStdout>,
    /// `http://127.0.0.1:port`.
    pub(super) address: String,
    /// Where the first administrator is made, while there is none.
    pub(super) setup: Option<String>,
}

impl House {
    /// A house in which these users live, `name:role`.
    pub(super) fn of(users: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for user in users {
            let (name, role) = user.split_once(':').unwrap();
            run(folder.path(), &["user", "add", name, "--role", role, "--password-stdin"], PASSWORD);
        }
        let mut server = command(folder.path())
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(server.stdout.take().unwrap());
        let address = after(&mut said, "Rollcall is ready at ");
        let setup = users.is_empty().then(|| after(&mut said, "Make the first administrator at "));
        Self { folder, server, _said: said, address, setup }
    }

    /// What a command says, run beside the server.
    pub(super) fn rollcall(&self, arguments: &[&str], input: &str) -> String {
        run(self.folder.path(), arguments, input)
    }

    /// Puts activities into the log, a JSON object a line.
    pub(super) fn import(&self, lines: &str) {
        self.rollcall(&["activity", "import", "-"], lines);
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
    command.arg("--data").arg(folder);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ROLLCALL_")) {
        command.env_remove(name);
    }
    command
}

fn run(folder: &Path, arguments: &[&str], input: &str) -> String {
    let mut child = command(folder)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// The rest of the next line, which begins with these words.
fn after(said: &mut impl BufRead, words: &str) -> String {
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let rest =
        line.strip_prefix(words).unwrap_or_else(|| panic!("{words:?} expected, the server said {line:?}"));
    rest.trim().to_owned()
}
