//! Where checkpoints go, so that there is one that nobody who changes the log can change too.
//!
//! Once a minute, if anything was written, one is signed and sent to each place. A place that cannot be reached is tried
//! again a minute later with the newest: what it missed in between that one stands for as well. One that hangs is not waited
//! for, so that it holds up neither the others nor the server.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use http::{Method, Request, Uri, header};
use jiff::Timestamp;
use tokio::{
    net::UdpSocket,
    task::{JoinHandle, spawn_blocking},
    time::{interval, timeout},
};

use crate::{
    domain::{App, hooks},
    model::{checkpoint::Checkpoint, hook::Try, note::Note},
    store::{self, StoreError},
};

/// How often a checkpoint is signed while anything is written.
const MINUTE: Duration = Duration::from_mins(1);

/// How long a checkpoint may take to its place.
const PATIENCE: Duration = Duration::from_secs(20);

/// A place that checkpoints go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlet {
    /// Appended to a file.
    File(PathBuf),
    /// As a message of RFC 5424 over UDP; the checkpoint is in it as a string of JSON, since it has several lines.
    Syslog(SocketAddr),
    /// Posted as plain text.
    Webhook(Uri),
}

/// What became of the checkpoints for a place.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Which place.
    pub to: String,
    /// The size of the newest that is there, and when it came there; none if none has come there since the start.
    pub last: Option<(u64, Timestamp)>,
    /// Why the newest is not there, if it is not.
    pub problem: Option<String>,
}

impl Outlet {
    /// The place in words. What is behind a question mark may be a secret.
    fn place(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Syslog(address) => format!("syslog at {address}"),
            Self::Webhook(uri) => uri.to_string().split('?').next().unwrap_or_default().to_owned(),
        }
    }

    async fn send(
        &self,
        hanging: &mut Option<JoinHandle<io::Result<()>>>,
        http: &hooks::Http,
        checkpoint: &Checkpoint,
        note: &Note,
    ) -> Result<(), String> {
        let text = note.to_string();
        match self {
            Self::File(path) => {
                let path = path.clone();
                patiently(hanging, PATIENCE, move || append(&path, &text)).await
            }
            Self::Syslog(address) => {
                log(*address, checkpoint, &text).await.map_err(|error| error.to_string())
            }
            Self::Webhook(uri) => {
                let request = Request::builder()
                    .method(Method::POST)
                    .uri(uri)
                    .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
                    .header(header::USER_AGENT, concat!("rollcall/", env!("CARGO_PKG_VERSION")))
                    .header(header::CONNECTION, "close")
                    .body(text);
                match hooks::post(http, request.map_err(|error| error.to_string())?).await {
                    Try::Taken => Ok(()),
                    Try::Refused(why) | Try::Failed(why) => Err(why),
                }
            }
        }
    }
}

/// Does something that may hang, as a disk does that is far away, in a thread of its own: it is given up after so long, and nothing
/// else is begun before it has come back.
async fn patiently(
    hanging: &mut Option<JoinHandle<io::Result<()>>>,
    patience: Duration,
    work: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> Result<(), String> {
    if hanging.as_ref().is_some_and(|before| !before.is_finished()) {
        return Err("the last try still hangs".to_owned());
    }
    let task = hanging.insert(spawn_blocking(work));
    let Ok(done) = timeout(patience, &mut *task).await else {
        return Err(format!("it hangs, and was given up after {} s", patience.as_secs()));
    };
    *hanging = None;
    done.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

/// Appends to a file, and sees to it that it is on disk. What did not come there whole is taken back.
fn append(path: &Path, text: &str) -> io::Result<()> {
    append_by(put, path, text)
}

fn append_by(
    put: impl FnOnce(&mut File, &[u8]) -> io::Result<()>,
    path: &Path,
    text: &str,
) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
    let before = file.metadata()?.len();
    // A link may have come to lead elsewhere since the start.
    let mut start = [0; store::MAGIC.len()];
    if before > 0 && file.read_exact(&mut start).is_ok() && start == store::MAGIC {
        return Err(io::Error::other("it is a data file, to which nothing is appended; name another place"));
    }
    let begin = if before > 0 && !ends_a_note(&mut file)? { "\n\n" } else { "" };
    let text = format!("{begin}{text}\n");
    let written = put(&mut file, text.as_bytes());
    if written.is_err() {
        // What cannot be taken back is passed over by whoever reads it.
        let _ = file.set_len(before);
    }
    written
}

/// Whether a file ends as one does behind a whole note, and not where a crash broke one off.
fn ends_a_note(file: &mut File) -> io::Result<bool> {
    let mut end = [0; 2];
    if file.seek(SeekFrom::End(-2)).is_err() {
        return Ok(false);
    }
    file.read_exact(&mut end)?;
    Ok(end == *b"\n\n")
}

fn put(file: &mut File, text: &[u8]) -> io::Result<()> {
    file.write_all(text)?;
    file.sync_data()
}

async fn log(address: SocketAddr, checkpoint: &Checkpoint, text: &str) -> io::Result<()> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(address).await?;
    // Facility 13 is that of audits, severity 5 a notice.
    let said = serde_json::Value::from(text);
    let message = format!("<109>1 {:.3} - rollcall - checkpoint - {said}", checkpoint.time);
    socket.send(message.as_bytes()).await.map(drop)
}

impl App {
    /// What became of the checkpoints for each place.
    pub fn sent_checkpoints(&self) -> Vec<Sent> {
        self.0.sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

/// Whoever signs checkpoints and sends them off.
pub struct Attester {
    app: App,
    http: hooks::Http,
    outlets: Vec<Outlet>,
    sent: Vec<Sent>,
    /// The last try of each place, where it has not come back yet.
    hanging: Vec<Option<JoinHandle<io::Result<()>>>>,
}

impl Attester {
    /// One that sends to these places.
    pub fn new(app: App, outlets: Vec<Outlet>) -> Self {
        let fresh = |outlet: &Outlet| Sent { to: outlet.place(), last: None, problem: None };
        let sent = outlets.iter().map(fresh).collect();
        let hanging = outlets.iter().map(|_| None).collect();
        Self { app, http: hooks::client(), sent, hanging, outlets }
    }

    /// Does so once a minute until it is dropped.
    pub async fn run(mut self) {
        let mut tick = interval(MINUTE);
        loop {
            tick.tick().await;
            self.once().await;
        }
    }

    /// Signs a checkpoint, if anything was written since the last, and sends the newest to where it is not yet.
    pub async fn once(&mut self) {
        let app = self.app.clone();
        let signed = spawn_blocking(move || app.checkpoint()).await.unwrap_or(Err(StoreError::Closed));
        let (checkpoint, note) = match signed {
            Ok(signed) => signed,
            Err(error) => {
                log::error!("no checkpoint could be signed: {error}");
                return;
            }
        };
        let now = self.app.now();
        for ((outlet, sent), hanging) in self.outlets.iter().zip(&mut self.sent).zip(&mut self.hanging) {
            if sent.problem.is_none() && sent.last.is_some_and(|(size, _)| size == checkpoint.size) {
                continue;
            }
            sent.problem = outlet.send(hanging, &self.http, &checkpoint, &note).await.err();
            match &sent.problem {
                None => sent.last = Some((checkpoint.size, now)),
                Some(why) => log::error!("the checkpoint did not reach {}: {why}", sent.to),
            }
        }
        let mut shown = self.app.0.sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        shown.clone_from(&self.sent);
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::mpsc};

    use super::*;
    use crate::model::note::SigningKey;

    #[test]
    fn what_was_broken_off_in_the_file_spoils_no_later_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoints");
        let key = SigningKey::of(&[1; 32]).unwrap();
        let notes = ["one\n", "two\n", "three\n"].map(|text| key.sign(text));
        append(&path, &notes[0].to_string()).unwrap();
        append(&path, &notes[1].to_string()).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        assert_eq!(Note::read_all(&whole).unwrap(), (notes[..2].to_vec(), 0));
        // A crash in the midst of the second.
        for broken in (whole.len() / 2 + 1)..whole.len() - 1 {
            let Some(part) = whole.get(..broken) else { continue };
            fs::write(&path, part).unwrap();
            append(&path, &notes[2].to_string()).unwrap();
            let (read, _) = Note::read_all(&fs::read_to_string(&path).unwrap()).unwrap();
            assert!(read.first() == Some(&notes[0]) && read.last() == Some(&notes[2]), "{part:?}");
        }
    }

    #[test]
    fn what_came_to_the_file_by_half_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoints");
        append(&path, "one\n").unwrap();
        let full = |file: &mut File, text: &[u8]| {
            file.write_all(&text[..text.len() / 2])?;
            Err(io::ErrorKind::StorageFull.into())
        };
        let failed = append_by(full, &path, "two\n").unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n\n");
    }

    #[test]
    fn nothing_is_appended_to_a_data_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoints");
        let data = [store::MAGIC, b"data"].concat();
        fs::write(&path, &data).unwrap();
        assert!(append(&path, "one\n").unwrap_err().to_string().contains("is a data file"));
        assert_eq!(fs::read(&path).unwrap(), data);
    }

    #[tokio::test]
    async fn a_file_that_hangs_is_given_up_and_tried_again_once_it_has_come_back() {
        let (let_go, held) = mpsc::channel::<()>();
        let mut hanging = None;
        let stuck = move || held.recv().map_err(io::Error::other);
        let given_up = patiently(&mut hanging, Duration::ZERO, stuck).await;
        assert!(given_up.unwrap_err().contains("given up"));
        let again = patiently(&mut hanging, PATIENCE, || Ok(())).await;
        assert!(again.unwrap_err().contains("still hangs"));
        let_go.send(()).unwrap();
        while hanging.as_ref().is_some_and(|task| !task.is_finished()) {
            tokio::task::yield_now().await;
        }
        assert_eq!(patiently(&mut hanging, PATIENCE, || Ok(())).await, Ok(()));
    }
}
