//! Connections that ask nothing, or take nothing, are closed: Rocket has no deadline of its own for a head that does not come
//! to its end, an idle connection or an answer that nobody reads (rwf2/Rocket#1405), and whoever opens many and says nothing
//! would keep others out.
//!
//! A relay that reads each connection and hands it on would cost every request a second way through the system. Instead
//! the requests say, as they begin and end, which peers are being answered, and once a second the sockets of this process
//! are looked through: one whose peer has let its time pass is shut down, whatever the framework waits for on it. Where
//! there is no `/proc` to look through, nothing is.

mod peers;
mod sockets;

use std::{
    cell::LazyCell,
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    os::fd::RawFd,
    pin::Pin,
    sync::{Arc, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use nix::sys::socket::Shutdown;
use rocket::{Orbit, Request, Response, Rocket, response::Body};
use tokio::{
    io::{AsyncRead, AsyncSeek, ReadBuf},
    time::{MissedTickBehavior, interval, timeout},
};

pub(super) use self::peers::{Answering, Incoming};
use self::{
    peers::{Limits, Peers},
    sockets::Listing,
};
use super::{
    door::{self, Lease, Networks},
    front::Arrivals,
    noted::Noted,
};

/// How often the sockets are looked through.
const ROUND: Duration = Duration::from_secs(1);

/// How often, once the server stops.
const LAST_ROUND: Duration = Duration::from_millis(20);

/// Up to how many bytes an answer of a known length counts as sent when it is handed over: the system's buffers take it.
const SMALL: usize = 64 << 10;

/// Knows who is being answered, and closes the connections of those who let their time pass.
#[derive(Clone)]
pub(super) struct Watchman {
    peers: Arc<Peers>,
    /// Who may have any number of connections besides this machine.
    proxies: Networks,
    /// The clients behind the front's connections, where there is a front.
    arrivals: Option<Arrivals>,
}

impl Watchman {
    pub(super) fn new(proxies: Networks, arrivals: Option<Arrivals>) -> Self {
        // Behind the front a connection takes three files, and some must be left for the data.
        let files = sockets::files() / if arrivals.is_some() { 4 } else { 2 };
        let limits = Limits { most: files.min(Limits::MOST), ..Limits::default() };
        Self { peers: Arc::new(Peers::new(limits)), proxies, arrivals }
    }

    /// Whose connection it is; none if it counts against nobody.
    fn owner(&self, peer: SocketAddr) -> Option<IpAddr> {
        let client = self.arrivals.as_ref().map_or(Some(peer), |arrivals| arrivals.client(peer))?;
        let ip = client.ip().to_canonical();
        (!ip.is_loopback() && !self.proxies.contain(ip)).then_some(ip)
    }

    /// Looks through the sockets once.
    fn round(&self, listing: &mut Listing, port: u16) {
        match listing.accepted_at(port) {
            Ok(open) => {
                // Asked for only where somebody is slow.
                let untaken = LazyCell::new(|| sockets::untaken(port));
                let untaken = |peer| untaken.get(&peer).copied();
                let owner = |peer| self.owner(peer);
                for peer in self.peers.overdue(open.keys().copied(), owner, untaken, Instant::now()) {
                    if let Some(descriptor) = open.get(&peer) {
                        sockets::shut(*descriptor, peer, Shutdown::Both);
                    }
                }
            }
            Err(error) => log::debug!("the sockets could not be looked through: {error}"),
        }
    }

    /// Begins to look through the sockets, until the server stops.
    pub(super) fn start(&self, rocket: &Rocket<Orbit>) {
        let (watchman, port, mut stopping) = (self.clone(), rocket.config().port, rocket.shutdown());
        // Requests that come over no socket have nobody to wait for.
        if port == 0 {
            return;
        }
        let mut listing = match Listing::open() {
            Ok(listing) => listing,
            Err(error) => return log::debug!("the sockets cannot be looked through: {error}"),
        };
        tokio::spawn(async move {
            let mut tick = interval(ROUND);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = tick.tick() => watchman.round(&mut listing, port),
                    () = &mut stopping => return,
                }
            }
        });
    }

    /// Waits until the last answer has been sent and the last connection has closed, as long as the framework would: it asks
    /// only once whether there is still a connection, and where there is one, sleeps for all that time.
    pub(super) async fn see_out(&self, rocket: &Rocket<Orbit>) {
        let config = rocket.config();
        let patience = Duration::from_secs(config.shutdown.grace.into());
        let Ok(mut listing) = Listing::open() else { return };
        let gone = async {
            let mut tick = interval(LAST_ROUND);
            loop {
                tick.tick().await;
                match listing.accepted_at(config.port) {
                    Ok(open) if !open.is_empty() => self.dismiss(open),
                    _ => break,
                }
            }
            // What served the last connection may still be about to end.
            tick.tick().await;
        };
        let _ = timeout(patience, gone).await;
    }

    /// Takes no further request from those who are not being answered. Only the reading ends, so that what is on its way to
    /// them arrives: the framework sends it, finds that nothing more comes, and closes.
    fn dismiss(&self, open: HashMap<SocketAddr, RawFd>) {
        for (peer, descriptor) in open {
            if !self.peers.is_answered(peer) {
                sockets::shut(descriptor, peer, Shutdown::Read);
            }
        }
    }

    /// Says that a request is being answered.
    pub(super) fn begins(&self, request: &Request<'_>) {
        let noted = Noted::of(request);
        let answering = request.remote().map(|peer| Peers::answering(&self.peers, peer, noted.came));
        *noted.answering.lock().unwrap_or_else(PoisonError::into_inner) = answering;
    }

    /// Says that its answer is handed out: now, or piece by piece.
    pub(super) fn ends<'r>(request: &'r Request<'_>, response: &mut Response<'r>) {
        let kept = &Noted::of(request).answering;
        let Some(answering) = kept.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let body = response.body_mut();
        let (size, chunk) = (body.preset_size(), body.max_chunk_size());
        if body.is_none() || size.is_some_and(|size| size <= SMALL) {
            return;
        }
        // A stream looks for itself as it goes, and may have a last word.
        let lease = size.and_then(|_| door::leased(request).cloned());
        let body = Watched { body: body.take(), answering, lease };
        if size.is_some() {
            response.set_sized_body(size, body);
        } else {
            response.set_streamed_body(body);
        }
        response.set_max_chunk_size(chunk);
    }
}

/// The body of a request, for whoever reads it to say that it is waited for.
pub(super) fn incoming(request: &Request<'_>) -> Option<Incoming> {
    let answering = Noted::of(request).answering.lock().unwrap_or_else(PoisonError::into_inner);
    answering.as_ref().map(Answering::incoming)
}

/// A body that is being sent.
struct Watched<'r> {
    body: Body<'r>,
    answering: Answering,
    /// Without it no further piece is sent: the answer is broken off.
    lease: Option<Lease>,
}

impl AsyncRead for Watched<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.lease.as_ref().is_some_and(Lease::over) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let read = Pin::new(&mut self.body).poll_read(context, into);
        // From here on it is the client who is waited for, or the body itself.
        self.answering.handed_out(read.is_ready().then(Instant::now));
        read
    }
}

/// Asked for by the framework where a size is known, and then never used.
impl AsyncSeek for Watched<'_> {
    fn start_seek(self: Pin<&mut Self>, _: io::SeekFrom) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(0))
    }
}
