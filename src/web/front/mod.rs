//! The front: TLS of our own, before the web server.
//!
//! Rocket offers no way to serve over a listener of somebody else's. So the front listens where people come, does the
//! handshake, and passes what is said on to Rocket, which listens on a port of this machine that nobody knows of. Whose
//! connection it passes on, it says in a table ([`Arrivals`]) before the first byte: the request then has the
//! client's address, and whoever else speaks to the private port is refused.

mod arrivals;
mod certificate;
mod pair;
mod plain;
mod self_signed;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rocket::Shutdown;
use rustls::{ServerConfig, crypto::ring::default_provider};
use tokio::{
    io::{AsyncWriteExt as _, copy, split},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

pub(super) use self::arrivals::Arrivals;
pub use self::{
    certificate::{Certificate, Source, TlsError},
    pair::Facts,
    self_signed::names,
};

/// Where Rocket listens when the front stands before it: on a port that the system chooses.
pub(super) const PRIVATE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// How long a client may take from its first byte to the end of the handshake; what nginx gives it is 60 s, which is
/// more than any client needs.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long is waited for a client to take what was said to it last.
const FAREWELL: Duration = Duration::from_secs(5);

/// How long is waited before the next try when no connection can be taken, which is so where there are no more files.
const BREATH: Duration = Duration::from_millis(100);

/// What others must know of the front.
#[derive(Clone, Debug)]
pub struct Front {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it shows.
    pub certificate: Arc<Certificate>,
    pub(super) arrivals: Arrivals,
}

/// The front, listening, but nobody has been let in yet.
pub struct Listener {
    front: Front,
    /// The address people type, if that is set.
    public_url: Option<String>,
    socket: TcpListener,
    tls: TlsAcceptor,
}

impl Listener {
    /// Listens at `listen`, where `certificate` is shown to whoever comes.
    pub async fn bind(
        listen: SocketAddr,
        certificate: Arc<Certificate>,
        public_url: Option<String>,
    ) -> io::Result<Self> {
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth();
        let mut config = config.with_cert_resolver(certificate.clone());
        // Rocket is built without HTTP/2.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let socket = TcpListener::bind(listen).await?;
        let front = Front { address: socket.local_addr()?, certificate, arrivals: Arrivals::default() };
        Ok(Self { front, public_url, socket, tls: Arc::new(config).into() })
    }

    /// What others must know of it.
    pub fn front(&self) -> Front {
        self.front.clone()
    }

    /// Lets in whoever comes, to Rocket at the private address `inside`, until the server stops.
    pub async fn serve(self: Arc<Self>, inside: SocketAddr, stop: Shutdown) {
        let mut stopping = stop.clone();
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut stopping => return,
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, client)) => {
                    let front = self.clone();
                    tokio::spawn(async move { front.attend(stream, client, inside).await });
                }
                Err(error) => {
                    log::warn!("a connection could not be taken: {error}");
                    sleep(BREATH).await;
                }
            }
        }
    }

    /// Attends to one client. That it goes away is nobody's fault, so errors are not told.
    async fn attend(&self, stream: TcpStream, client: SocketAddr, inside: SocketAddr) {
        let _ = stream.set_nodelay(true);
        let Ok(Ok(stream)) = timeout(HANDSHAKE, self.greet(stream)).await else { return };
        let Some(stream) = stream else { return };
        let Ok(within) = TcpStream::connect(inside).await else { return };
        let _ = within.set_nodelay(true);
        let Ok(private) = within.local_addr() else { return };
        let announced = self.front.arrivals.announce(private, client);
        let _ = pass_on(stream, within).await;
        drop(announced);
    }

    /// The handshake. None where plain HTTP was spoken; it has been answered then.
    async fn greet(&self, stream: TcpStream) -> io::Result<Option<TlsStream<TcpStream>>> {
        if plain::is_spoken(&stream).await? {
            plain::refuse(stream, self.public_url.as_deref()).await?;
            return Ok(None);
        }
        self.tls.accept(stream).await.map(Some)
    }
}

/// Passes on what either says to the other, as it comes, until the server has said its last.
async fn pass_on(client: TlsStream<TcpStream>, server: TcpStream) -> io::Result<()> {
    let (mut from_client, mut to_client) = split(client);
    let (mut from_server, mut to_server) = server.into_split();
    let asked = async {
        let asked = copy(&mut from_client, &mut to_server).await;
        // Whoever has asked their last may still be answered.
        let _ = to_server.shutdown().await;
        asked
    };
    let answered = async {
        let answered = copy(&mut from_server, &mut to_client).await;
        let _ = timeout(FAREWELL, to_client.shutdown()).await;
        answered
    };
    tokio::pin!(answered);
    tokio::select! {
        answered = &mut answered => answered.map(drop),
        asked = asked => {
            asked?;
            answered.await.map(drop)
        }
    }
}
