//! The sockets of this process, as the system lists them.

use std::{
    collections::HashMap,
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::RawFd,
};

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
pub(super) fn shut(fd: RawFd, whose: SocketAddr, how: Shutdown) {
    if peer(fd) == Some(whose) {
        let _ = shutdown(fd, how);
    }
}

/// How many bytes of what was sent each peer of this port has not taken yet. None where the system does not say so.
pub(super) fn untaken(port: u16) -> HashMap<SocketAddr, u64> {
    let lists = ["/proc/self/net/tcp", "/proc/self/net/tcp6"]
        .map(|list| fs::read_to_string(list).unwrap_or_default());
    lists.iter().flat_map(|list| list.lines().skip(1)).filter_map(|line| untaken_of(line, port)).collect()
}

/// What a line of the list says, if it is of this port: number, address here, address there, state, bytes to send and to read.
fn untaken_of(line: &str, port: u16) -> Option<(SocketAddr, u64)> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (here, there) = (listed(fields.next()?)?, listed(fields.next()?)?);
    let (to_send, _) = fields.nth(1)?.split_once(':')?;
    (here.port() == port).then_some(())?;
    Some((there, u64::from_str_radix(to_send, 16).ok()?))
}

/// An address as the list has it: words of four bytes, each as this machine orders them, and the port.
fn listed(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let word = |at: usize| {
        let word = address.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(word, 16).ok()?.to_ne_bytes())
    };
    let ip: IpAddr = if address.len() == 8 {
        Ipv4Addr::from(word(0)?).into()
    } else {
        let words = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
        Ipv6Addr::from(<[u8; 16]>::try_from(words).ok()?).into()
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
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

#[cfg(test)]
mod tests {
    use std::{
        io::Write as _,
        net::{TcpListener, TcpStream},
    };

    use super::*;

    #[test]
    fn what_a_peer_has_not_taken_is_known() {
        for here in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(here) else { continue };
            let port = listener.local_addr().unwrap().port();
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (mut server, _) = listener.accept().unwrap();
            server.set_nonblocking(true).unwrap();
            let piece = vec![0; 1 << 16];
            while server.write(&piece).is_ok() {}
            let peer = client.local_addr().unwrap();
            assert!(untaken(port)[&peer] >= 1 << 16, "{here}");
            assert!(!untaken(port.wrapping_add(1)).contains_key(&peer));
        }
    }
}
