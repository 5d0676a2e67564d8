//! The sockets of this process, as the system lists them.

use std::{collections::HashMap, fs, io, net::SocketAddr, os::fd::RawFd};

use nix::sys::{
    resource::{Resource, getrlimit},
    socket::{Shutdown, SockaddrStorage, getpeername, getsockname, shutdown},
};

/// How many files may be open at once.
pub(super) fn files() -> usize {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(now, _)| usize::try_from(now).unwrap_or(usize::MAX))
}

/// The connections that were accepted at this port, by their peers.
pub(super) fn accepted_at(port: u16) -> io::Result<HashMap<SocketAddr, RawFd>> {
    let mut sockets = HashMap::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let Some(fd) = entry?.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok()) else {
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
