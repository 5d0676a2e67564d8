//! Commands for a server that runs: sent over a socket in the data folder, which only its owner can open.
//!
//! ```text
//! frame     kind (1 byte), length (4 bytes, big-endian), payload
//! client    Command (JSON), then Input … until one is empty, or Abort (text)
//! server    Taken, then Output …, Seal …, Progress (8 bytes, big-endian, and 8 more where the end is known) …,
//!           then Exit (1 byte) or Failure (1 byte, text); and Alive every second until then
//! ```
//!
//! The command's files are opened by the client, in its own folder and with its own rights.

use std::{
    fs::Permissions,
    io::{self, Read, Write},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use tokio::runtime::Handle;

use super::{
    args::Command,
    files::{Files, UNWRITTEN, Watcher},
    run::{self, Io},
    shown,
};
use crate::{
    domain::App,
    store::{FILE, Holder},
};

/// The socket's name in the data folder.
const SOCKET: &str = "control.sock";

/// The largest frame, in bytes.
const FRAME: usize = 1 << 20;

/// How long a server that runs may take to say that it has a command before whoever sent it is told whom they wait for.
const SOON: Duration = Duration::from_secs(2);

/// How long it may take from then on; after that it is stopped, or stuck.
const ANSWER: Duration = Duration::from_secs(8);

/// How often a server that carries a command out says that it is there.
const BEAT: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 1_000 });

/// How long it may say nothing: then it is stopped, or the machine has come to a stand.
const SILENCE: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 15_000 });

/// How long is waited before the next try when no command can be taken.
const BREATH: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Command = 1,
    Input = 2,
    Output = 3,
    Progress = 4,
    Exit = 5,
    Failure = 6,
    Abort = 7,
    Seal = 8,
    Taken = 9,
    Alive = 10,
}

fn send(mut stream: &UnixStream, kind: Kind, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
    let mut frame = Vec::with_capacity(payload.len() + 5);
    frame.push(kind as u8);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(payload);
    stream.write_all(&frame)
}

fn receive(mut stream: &UnixStream) -> io::Result<(Kind, Vec<u8>)> {
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    let bad = || io::Error::new(io::ErrorKind::InvalidData, "this is no frame of rollcall's");
    let kinds = [
        Kind::Command,
        Kind::Input,
        Kind::Output,
        Kind::Progress,
        Kind::Exit,
        Kind::Failure,
        Kind::Abort,
        Kind::Seal,
        Kind::Taken,
        Kind::Alive,
    ];
    let kind = kinds.into_iter().find(|kind| *kind as u8 == head[0]).ok_or_else(bad)?;
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
    if length > FRAME {
        return Err(bad());
    }
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload)?;
    Ok((kind, payload))
}

/// The folder's socket, by a path that is short enough for any folder (108 bytes are allowed): through the
/// open folder's entry under /proc where there is one.
fn with_short_path<T>(folder: &Path, use_it: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    use std::os::fd::AsRawFd;
    let path = folder.join(SOCKET);
    if path.as_os_str().len() < 100 {
        return use_it(&path);
    }
    let opened = std::fs::File::open(folder)?;
    use_it(&PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", opened.as_raw_fd())))
}

/// The side of whoever typed a command.
pub(super) struct Client {
    stream: UnixStream,
    /// The data file that the server has.
    file: PathBuf,
}

impl Client {
    /// The server on this folder, if one runs.
    pub(super) fn connect(folder: &Path) -> Option<Self> {
        let stream = with_short_path(folder, |path| UnixStream::connect(path)).ok()?;
        Some(Self { stream, file: folder.join(FILE) })
    }

    /// Has the server run a command; its exit code.
    pub(super) fn execute(&mut self, command: &Command, files: &mut Files) -> anyhow::Result<u8> {
        self.stream.set_read_timeout(Some(SOON))?;
        self.stream.set_write_timeout(Some(ANSWER))?;
        send(&self.stream, Kind::Command, &serde_json::to_vec(command)?)?;
        let mut first = receive(&self.stream);
        if first.as_ref().is_err_and(is_silence) {
            log::warn!(
                "the server that runs on this folder{} has not answered yet; it is waited for {} seconds more",
                Holder::of(&self.file),
                ANSWER.as_secs()
            );
            self.stream.set_read_timeout(Some(ANSWER))?;
            first = receive(&self.stream);
        }
        if first.as_ref().is_err_and(is_silence) {
            anyhow::bail!(
                "the server that runs on this folder{} does not answer; it was stopped or is stuck: let it go on (kill -CONT), or end it, and try again",
                Holder::of(&self.file)
            );
        }
        // From here on it takes as long as it takes, and the server says every second that it is at it.
        self.stream.set_read_timeout(Some(SILENCE))?;
        self.stream.set_write_timeout(None)?;
        let (mut first, upstream) = (Some(first), self.stream.try_clone()?);
        let mut input = std::mem::replace(&mut files.input, Box::new(io::empty()));
        // Not waited for: it may sit at a terminal that nobody types into any more when the command is done.
        thread::spawn(move || {
            let mut chunk = vec![0; 64 << 10];
            loop {
                let sent = match input.read(&mut chunk) {
                    Ok(0) => break send(&upstream, Kind::Input, &[]),
                    Ok(read) => send(&upstream, Kind::Input, &chunk[..read]),
                    Err(error) => break send(&upstream, Kind::Abort, error.to_string().as_bytes()),
                };
                if sent.is_err() {
                    break sent;
                }
            }
        });
        loop {
            let next = first.take().unwrap_or_else(|| receive(&self.stream));
            let (kind, payload) = next.map_err(|error| {
                if is_silence(&error) {
                    anyhow::anyhow!(
                        "the server that runs on this folder{} has said nothing for {} seconds; it was stopped or is stuck, and whether the command was done is not known: let it go on (kill -CONT), or end it, and look before you try again",
                        Holder::of(&self.file),
                        SILENCE.as_secs()
                    )
                } else {
                    anyhow::anyhow!("the server went away before the command was done")
                }
            })?;
            match kind {
                Kind::Output => files.out.write_all(&payload).context(UNWRITTEN)?,
                Kind::Seal => files.seal.write_all(&payload).context(UNWRITTEN)?,
                Kind::Progress => {
                    let number = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_be_bytes);
                    let (rows, total) = payload.split_at(payload.len().min(8));
                    files.progress.rows(number(rows).unwrap_or_default(), number(total));
                }
                Kind::Exit => return Ok(payload.first().copied().unwrap_or(2)),
                Kind::Failure => {
                    let (code, text) = payload.split_first().unwrap_or((&0, &[]));
                    let text = String::from_utf8_lossy(text).into_owned();
                    return Err(if *code == run::NO { run::No(text).into() } else { anyhow::anyhow!(text) });
                }
                Kind::Command | Kind::Input | Kind::Abort | Kind::Taken | Kind::Alive => {}
            }
        }
    }
}

/// Whether this is that nothing was said for as long as may be.
fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// The server's side: takes commands until it is dropped.
pub(super) struct Server {
    path: PathBuf,
}

impl Server {
    /// Takes commands for `app` in threads of their own.
    pub(super) fn start(folder: &Path, app: App, runtime: Handle) -> io::Result<Self> {
        let path = folder.join(SOCKET);
        // The data file is ours, so whoever left a socket here is gone.
        let _ = std::fs::remove_file(&path);
        let listener = with_short_path(folder, |path| UnixListener::bind(path))?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        thread::Builder::new().name("control".into()).spawn(move || {
            loop {
                let (stream, _) = next(|| listener.accept(), || thread::park_timeout(BREATH));
                let (app, runtime) = (app.clone(), runtime.clone());
                let spawned = thread::Builder::new().name("command".into()).spawn(move || {
                    if let Err(error) = serve(&stream, &app, &runtime) {
                        log::warn!("a command broke off: {error}");
                    }
                });
                drop(spawned);
            }
        })?;
        Ok(Self { path })
    }
}

/// The next to come in. What fails may go on failing, as it does where no more files can be opened: after each failure there is a
/// pause, and the first of them is told.
fn next<T>(mut accept: impl FnMut() -> io::Result<T>, mut pause: impl FnMut()) -> T {
    let mut told = false;
    loop {
        match accept() {
            Ok(came) => return came,
            Err(error) => {
                if !std::mem::replace(&mut told, true) {
                    log::warn!("a command could not be taken, and waits: {error}");
                }
                pause();
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn serve(stream: &UnixStream, app: &App, runtime: &Handle) -> io::Result<()> {
    let (kind, payload) = receive(stream)?;
    let command: Command = match serde_json::from_slice(&payload) {
        Ok(command) if kind == Kind::Command => command,
        _ => {
            let why = "the server that runs here is of another version; use the same rollcall, or restart it";
            return send(stream, Kind::Failure, &[&[0], why.as_bytes()].concat());
        }
    };
    send(stream, Kind::Taken, &[])?;
    let stream = Arc::new(Mutex::new(stream.try_clone()?));
    let mut input =
        Input { stream: locked(&stream).try_clone()?, chunk: io::Cursor::new(Vec::new()), done: false };
    let output = |kind| Output { kind, stream: Arc::clone(&stream) };
    let (mut out, mut seal, mut progress) =
        (output(Kind::Output), output(Kind::Seal), output(Kind::Progress));
    let mut io = Io { input: &mut input, out: &mut out, seal: &mut seal, progress: &mut progress };
    let beating = beat(&stream)?;
    let _inside = runtime.enter();
    let outcome = run::run(app, runtime, command, &mut io);
    drop(beating);
    let stream = locked(&stream);
    match outcome {
        Ok(code) => send(&stream, Kind::Exit, &[code]),
        Err(error) => {
            let text = shown::causes(&error);
            send(&stream, Kind::Failure, &[&[run::code(&error)], text.as_bytes()].concat())
        }
    }
}

/// Says every [`BEAT`] that we are there, until what it returns is dropped or the client has gone.
fn beat(stream: &Arc<Mutex<UnixStream>>) -> io::Result<mpsc::Sender<()>> {
    let (beating, stopped) = mpsc::channel();
    let stream = Arc::clone(stream);
    thread::Builder::new().name("beat".into()).spawn(move || {
        while stopped.recv_timeout(BEAT) == Err(mpsc::RecvTimeoutError::Timeout) {
            if send(&locked(&stream), Kind::Alive, &[]).is_err() {
                break;
            }
        }
    })?;
    Ok(beating)
}

fn locked(stream: &Mutex<UnixStream>) -> std::sync::MutexGuard<'_, UnixStream> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the client reads for us.
struct Input {
    stream: UnixStream,
    chunk: io::Cursor<Vec<u8>>,
    done: bool,
}

impl Read for Input {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.chunk.read(into)?;
            if read > 0 || self.done || into.is_empty() {
                return Ok(read);
            }
            match receive(&self.stream)? {
                (Kind::Input, payload) => {
                    self.done = payload.is_empty();
                    self.chunk = io::Cursor::new(payload);
                }
                (Kind::Abort, text) => {
                    return Err(io::Error::other(String::from_utf8_lossy(&text).into_owned()));
                }
                _ => return Err(io::Error::from(io::ErrorKind::InvalidData)),
            }
        }
    }
}

/// What the client writes for us, and shows of how far we are.
struct Output {
    kind: Kind,
    stream: Arc<Mutex<UnixStream>>,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = &bytes[..bytes.len().min(FRAME)];
        send(&locked(&self.stream), self.kind, taken)?;
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Watcher for Output {
    fn rows(&mut self, rows: u64, total: Option<u64>) {
        let mut payload = rows.to_be_bytes().to_vec();
        payload.extend(total.into_iter().flat_map(u64::to_be_bytes));
        // A client that has gone is noticed at the next write.
        let _ = send(&locked(&self.stream), self.kind, &payload);
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::Cli;

    #[test]
    fn commands_are_taken_again_after_there_were_no_files_left_and_nobody_spins_meanwhile() {
        let (mut tries, mut pauses) = (0, 0);
        let accept = || {
            tries += 1;
            if tries <= 3 { Err(nix::errno::Errno::EMFILE.into()) } else { Ok("a command") }
        };
        assert_eq!(next(accept, || pauses += 1), "a command");
        assert_eq!((tries, pauses), (4, 3));
    }

    #[test]
    fn a_server_that_is_at_it_says_so_until_it_is_done() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let theirs = Arc::new(Mutex::new(theirs));
        let beating = beat(&theirs).unwrap();
        for _ in 0..3 {
            assert!(receive(&ours).is_ok_and(|(kind, said)| kind == Kind::Alive && said.is_empty()));
        }
        drop((beating, theirs));
        while receive(&ours).is_ok() {}
    }

    #[test]
    fn a_server_that_falls_silent_in_the_middle_of_a_command_is_given_up() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        send(&theirs, Kind::Taken, &[]).unwrap();
        let command = Cli::parse_from(["rollcall", "reindex"]).command.unwrap();
        let mut files = Files::open(&command, Path::new("none")).unwrap();
        let said = Client { stream: ours, file: PathBuf::new() }
            .execute(&command, &mut files)
            .unwrap_err()
            .to_string();
        assert!(said.contains("has said nothing for") && said.contains("is not known"), "{said}");
        assert!(receive(&theirs).is_ok_and(|(kind, _)| kind == Kind::Command));
    }
}
