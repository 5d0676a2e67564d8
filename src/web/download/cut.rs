//! Cutting a connection, so that whoever reads an answer learns that it will not come to its end.
//!
//! Rocket ends an answer whose body fails in the middle as if that had been all (0.5: `send_response` drops the sender of the
//! body, and hyper writes the last chunk), and offers no way to its sockets. So the socket is looked for among the open files of
//! this process, by the address of its other end, and shut down. What had been sent arrives; the last chunk does not.

use std::{
    fs, io,
    net::{SocketAddr, SocketAddrV4, SocketAddrV6},
    os::fd::RawFd,
};

use nix::sys::socket::{Shutdown, SockaddrStorage, getpeername, shutdown};

/// Where the open files of this process are listed, on Linux and elsewhere.
const OPEN: &str = "/dev/fd";

/// Cuts the connection to `peer`; whether there was one. It must be in use, so that its number is no other's meanwhile.
pub(super) fn cut(peer: SocketAddr) -> io::Result<bool> {
    for entry in fs::read_dir(OPEN)? {
        let number = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(number) = number.filter(|number| other_end(*number) == Some(peer)) {
            shutdown(number, Shutdown::Both)?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// The other end of what has this number, if it is a connection over the network.
fn other_end(number: RawFd) -> Option<SocketAddr> {
    let end = getpeername::<SockaddrStorage>(number).ok()?;
    let v4 = end.as_sockaddr_in().map(|end| SocketAddr::V4(SocketAddrV4::from(*end)));
    v4.or_else(|| end.as_sockaddr_in6().map(|end| SocketAddr::V6(SocketAddrV6::from(*end))))
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    #[test]
    fn one_connection_is_cut_and_no_other() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let connect = || {
                let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
                (client, listener.accept().unwrap())
            };
            let ((mut one, (mut to_one, peer)), (mut other, (mut to_other, _))) = (connect(), connect());
            to_one.write_all(b"half").unwrap();
            assert!(cut(peer).unwrap());
            assert!(to_one.write_all(b"the rest").is_err());
            to_other.write_all(b"whole").unwrap();
            drop((to_one, to_other));
            let (mut first, mut second) = (String::new(), String::new());
            one.read_to_string(&mut first).unwrap();
            other.read_to_string(&mut second).unwrap();
            assert_eq!((first.as_str(), second.as_str()), ("half", "whole"));
            drop((one, other));
            assert!(!cut(peer).unwrap(), "it is closed");
        }
    }
}
