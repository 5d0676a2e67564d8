//! The sockets of this process, as the system lists them.

use std::{collections::HashMap, io, net::SocketAddr, os::fd::RawFd};

use nix::{
    dir::Dir,
    fcntl::OFlag,
    sys::{
        resource::{Resource, getrlimit},
        socket::{Shutdown, SockaddrStorage, getpeername, getsockname, shutdown},
        stat::Mode,
    },
};

/// How many files may be open at once.
pub(super) fn files() -> usize {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(now, _)| usize::try_from(now).unwrap_or(usize::MAX))
}

/// The list of the open files of this process. It is held open: where clients have taken every file that may be open, it is what
/// finds them.
pub(super) struct Listing(Dir);

impl Listing {
    pub(super) fn open() -> io::Result<Self> {
        let how = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Self(Dir::open("/proc/self/fd", how, Mode::empty())?))
    }

    /// The connections that were accepted at this port, by their peers.
    pub(super) fn accepted_at(&mut self, port: u16) -> io::Result<HashMap<SocketAddr, RawFd>> {
        let mut sockets = HashMap::new();
        for entry in self.0.iter() {
            let entry = entry?;
            let Some(fd) = entry.file_name().to_str().ok().and_then(|name| name.parse::<RawFd>().ok()) else {
                continue;
            };
            let Some(peer) = peer(fd) else { continue };
            let here = getsockname::<SockaddrStorage>(fd).ok().as_ref().and_then(address);
            if here.is_some_and(|here| here.port() == port) {
                sockets.insert(peer, fd);
            }
        }
        Ok(sockets)
    }
}

/// Shuts down this peer's connection: whoever reads it finds its end. Its number may have become another's since it was
/// listed, so it is asked once more.
pub(super) fn shut(fd: RawFd, whose: SocketAddr) {
    if peer(fd) == Some(whose) {
        let _ = shutdown(fd, Shutdown::Both);
    }
}

fn peer(fd: RawFd) -> Option<SocketAddr> {
    getpeername::<SockaddrStorage>(fd).ok().as_ref().and_then(address)
}

/// An address and a port alone: what IPv6 says besides is not the same from every side.
fn address(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(four) = address.as_sockaddr_in() {
        return Some(SocketAddr::new(four.ip().into(), four.port()));
    }
    let six = address.as_sockaddr_in6()?;
    Some(SocketAddr::new(six.ip().into(), six.port()))
}
