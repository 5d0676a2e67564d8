//! Where checkpoints go, so that there is one that nobody who changes the log can change too.
//!
//! Once a minute, if anything was written, one is signed and sent to each place. A place that cannot be reached is tried
//! again a minute later with the newest: what it missed in between that one stands for as well.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use http::{Method, Request, Uri, header};
use jiff::Timestamp;
use tokio::{net::UdpSocket, task::spawn_blocking, time::interval};

use crate::{
    domain::{App, hooks},
    model::{checkpoint::Checkpoint, hook::Try, note::Note},
    store::StoreError,
};

/// How often a checkpoint is signed while anything is written.
const MINUTE: Duration = Duration::from_mins(1);

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
    /// The place in words.
    fn place(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Syslog(address) => format!("syslog at {address}"),
            Self::Webhook(uri) => uri.to_string(),
        }
    }

    async fn send(&self, http: &hooks::Http, checkpoint: &Checkpoint, note: &Note) -> Result<(), String> {
        let text = note.to_string();
        match self {
            Self::File(path) => {
                let path = path.clone();
                let kept = spawn_blocking(move || append(&path, &text)).await;
                kept.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
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

/// Appends to a file, and sees to it that it is on disk.
fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    // In one piece, so that what is broken off is the end of the file and nothing in the midst of it.
    file.write_all(format!("{text}\n").as_bytes())?;
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
}

impl Attester {
    /// One that sends to these places.
    pub fn new(app: App, outlets: Vec<Outlet>) -> Self {
        let fresh = |outlet: &Outlet| Sent { to: outlet.place(), last: None, problem: None };
        Self { app, http: hooks::client(), sent: outlets.iter().map(fresh).collect(), outlets }
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
        for (outlet, sent) in self.outlets.iter().zip(&mut self.sent) {
            if sent.problem.is_none() && sent.last.is_some_and(|(size, _)| size == checkpoint.size) {
                continue;
            }
            sent.problem = outlet.send(&self.http, &checkpoint, &note).await.err();
            match &sent.problem {
                None => sent.last = Some((checkpoint.size, now)),
                Some(why) => log::error!("the checkpoint did not reach {}: {why}", sent.to),
            }
        }
        let mut shown = self.app.0.sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        shown.clone_from(&self.sent);
    }
}
