//! Syslog over UDP and TCP (RFC 5426, RFC 6587), from listed networks.
//!
//! Nobody is told what becomes of a message, so whatever is dropped is counted, and the server's log says how many and why.
//! Messages wait in two short queues, one for each way in: a flood of one does not keep the other out. Over TCP a full queue
//! makes senders wait their turn; over UDP what comes meanwhile waits in the system's buffer, and what finds that full is
//! dropped by the system, which counts it (`missed`).

mod counts;
mod frames;
mod missed;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use nix::sys::socket::{setsockopt, sockopt::KeepAlive};
use tokio::{
    net::{TcpListener, TcpStream, UdpSocket},
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
    time::{interval_at, sleep, timeout},
};

pub use self::frames::{Frame, Frames};
use self::{
    counts::{Cause, Counts},
    missed::{Missed, widen},
};
use super::{
    door::Networks,
    ingest::{syslog, take::admit},
};
use crate::{
    domain::{
        App,
        ingest::{Entry, IngestError, RecordError, Voice},
        turns::Turns,
    },
    model::activity::NewActivity,
};

/// The longest message, in bytes: what a UDP datagram can hold, and as much as a record's detail.
const MESSAGE: usize = 64 << 10;

/// How many messages wait to be written, for each way in. At their longest they are 64 MiB.
const QUEUE: usize = 1024;

/// How many of each queue go into one transaction.
const BATCH: usize = 500;

/// How many senders are connected at once, and how many of them from one address.
const CONNECTIONS: usize = 256;
const CONNECTIONS_OF_ONE: u32 = 64;

/// How long a message may take to come whole once it has begun.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often the server's log tells what was dropped.
const REPORT: Duration = Duration::from_mins(1);

/// How long a server that stops waits for what was already received.
const LAST: Duration = Duration::from_secs(2);

/// Where to listen and whom to hear.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Address and port, of both UDP and TCP.
    pub listen: SocketAddr,
    /// From where messages are taken.
    pub from: Networks,
}

/// The sockets, open.
pub struct Listener {
    udp: UdpSocket,
    tcp: TcpListener,
    from: Networks,
}

/// A message as it came.
struct Received {
    bytes: Vec<u8>,
    from: IpAddr,
    at: Timestamp,
}

impl Listener {
    /// Opens the sockets.
    pub async fn bind(settings: Settings) -> io::Result<Self> {
        let tcp = TcpListener::bind(settings.listen).await?;
        // Where the port was left to the system, both have the one it gave.
        let udp = UdpSocket::bind(tcp.local_addr()?).await?;
        if let Err(error) = widen(&udp) {
            log::debug!("syslog: the system holds no more of a burst than it does by itself: {error}");
        }
        Ok(Self { udp, tcp, from: settings.from })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Takes messages until it is told to stop; then writes down what was received.
    pub async fn serve(self: Arc<Self>, app: App, mut stop: watch::Receiver<bool>) {
        let counts = Arc::new(Counts::default());
        let (datagrams, from_udp) = mpsc::channel(QUEUE);
        let (streamed, from_tcp) = mpsc::channel(QUEUE);
        let writing = write_down(app.clone(), from_udp, from_tcp, Arc::clone(&counts), stop.clone());
        let mut writing = tokio::spawn(writing);
        let mut missed = Missed::of(&self.udp).ok();
        let reading = async {
            tokio::join!(
                self.datagrams(&app, &counts, datagrams),
                self.connections(&app, &counts, streamed),
                report(&counts, &mut missed),
            )
        };
        // Dropping the readers hangs up, and closes the queues.
        tokio::select! {
            _ = reading => {}
            _ = stop.wait_for(|stop| *stop) => {}
            ended = &mut writing => {
                if let Err(failed) = ended {
                    // Nothing would be written any more.
                    std::panic::resume_unwind(Box::new(failed));
                }
                return counts.tell(&mut missed);
            }
        }
        if timeout(LAST, &mut writing).await.is_err() {
            writing.abort();
            log::warn!("syslog: some of the last messages may not have been written");
        }
        counts.tell(&mut missed);
    }

    async fn datagrams(&self, app: &App, counts: &Counts, queue: mpsc::Sender<Received>) {
        let mut room = vec![0; MESSAGE];
        // Nothing is taken out of the system's buffer before there is room for it.
        while let Ok(place) = queue.reserve().await {
            let Ok((length, from)) = self.udp.recv_from(&mut room).await else {
                // The socket is as good as before, but what is wrong may last.
                sleep(Duration::from_millis(10)).await;
                continue;
            };
            let from = from.ip().to_canonical();
            if !self.from.contain(from) {
                counts.add(Cause::Stranger);
                continue;
            }
            place.send(Received { bytes: room[..length].to_vec(), from, at: app.now() });
        }
    }

    async fn connections(&self, app: &App, counts: &Arc<Counts>, queue: mpsc::Sender<Received>) {
        let mut senders = JoinSet::new();
        let (all, each) = (Arc::new(Semaphore::new(CONNECTIONS)), Turns::default());
        loop {
            while senders.try_join_next().is_some() {}
            let (stream, from) = match self.tcp.accept().await {
                Ok((stream, from)) => (stream, from.ip().to_canonical()),
                Err(error) => {
                    // Out of file descriptors, most likely: others must close some first.
                    log::warn!("syslog: a connection could not be taken: {error}");
                    sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            if !self.from.contain(from) {
                counts.add(Cause::Stranger);
                continue;
            }
            let places = (Arc::clone(&all).try_acquire_owned(), each.take(from, CONNECTIONS_OF_ONE));
            let (Ok(place), Some(turn)) = places else {
                counts.add(Cause::Crowd);
                continue;
            };
            // A sender that is gone without a word must not hold its place for ever.
            let _ = setsockopt(&stream, KeepAlive, &true);
            let (app, counts, queue) = (app.clone(), Arc::clone(counts), queue.clone());
            senders.spawn(async move {
                listen_to(stream, from, &app, &counts, &queue).await;
                drop((place, turn));
            });
        }
    }
}

/// Takes what a sender sends until it hangs up.
async fn listen_to(
    stream: TcpStream,
    from: IpAddr,
    app: &App,
    counts: &Counts,
    queue: &mpsc::Sender<Received>,
) {
    let mut frames = Frames::new(stream, MESSAGE);
    // A sender may be silent for days, but not in the middle of a message.
    while let Ok(true) = frames.begun().await {
        let Ok(Ok(frame)) = timeout(PATIENCE, frames.next()).await else {
            return counts.add(Cause::Cut);
        };
        match frame {
            Frame::Message(bytes) => {
                let received = Received { bytes, from, at: app.now() };
                if queue.send(received).await.is_err() {
                    return;
                }
            }
            Frame::TooLong => counts.add(Cause::TooLong),
        }
    }
}

async fn report(counts: &Counts, missed: &mut Option<Missed>) {
    let mut tick = interval_at(tokio::time::Instant::now() + REPORT, REPORT);
    loop {
        tick.tick().await;
        counts.tell(missed);
    }
}

/// Writes down what comes through the queues, until both are closed and empty.
async fn write_down(
    app: App,
    mut udp: mpsc::Receiver<Received>,
    mut tcp: mpsc::Receiver<Received>,
    counts: Arc<Counts>,
    stop: watch::Receiver<bool>,
) {
    loop {
        let first = tokio::select! {
            Some(first) = udp.recv() => first,
            Some(first) = tcp.recv() => first,
            else => return,
        };
        let mut batch = vec![first];
        for queue in [&mut udp, &mut tcp] {
            batch.extend(std::iter::from_fn(|| queue.try_recv().ok()).take(BATCH));
        }
        let (reader, counting) = (app.clone(), Arc::clone(&counts));
        match tokio::task::spawn_blocking(move || read(&reader, &counting, batch)).await {
            Ok(activities) => keep(&app, activities, &counts, &stop).await,
            Err(error) => log::error!("syslog: messages could not be read: {error}"),
        }
    }
}

fn read(app: &App, counts: &Counts, batch: Vec<Received>) -> Vec<NewActivity> {
    let voice = Voice::of("syslog");
    let records = batch.into_iter().filter_map(|received| {
        let record = syslog::message(&received.bytes, received.from, received.at);
        admit(app, &voice, record).inspect_err(|why| counts.refuse(why)).ok()
    });
    records.collect()
}

/// Writes a batch down, and tries again while it cannot: a full disk is no reason to lose what can wait.
async fn keep(app: &App, activities: Vec<NewActivity>, counts: &Counts, stop: &watch::Receiver<bool>) {
    loop {
        match app.enter(None, activities.clone()).await {
            Ok(entries) => {
                for entry in entries {
                    if let Entry::Other(id) = entry {
                        counts.refuse(&RecordError::Other(id).to_string());
                    }
                }
                return;
            }
            Err(IngestError::Store(error)) if !*stop.borrow() => {
                log::error!("syslog: {error}");
                sleep(Duration::from_secs(1)).await;
            }
            Err(_) => return counts.add_many(Cause::NotWritten, activities.len()),
        }
    }
}
