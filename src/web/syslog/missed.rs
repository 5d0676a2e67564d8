//! Messages over UDP that the system dropped before anybody saw them, because more came than its buffer holds.

use std::{fs, io, os::fd::AsFd};

use nix::sys::{
    socket::{
        setsockopt,
        sockopt::{RcvBuf, RcvBufForce},
    },
    stat::fstat,
};

/// How much the system is asked to hold of what has come, in bytes. What it holds of a message is more than the message: some 10,000
/// short ones fit.
const BUFFER: usize = 8 << 20;

/// Has the system hold as much as may be: less than [`BUFFER`] where it allows less (`net.core.rmem_max`), which only root is above.
pub(super) fn widen(socket: &impl AsFd) -> nix::Result<()> {
    setsockopt(socket, RcvBufForce, &BUFFER).or_else(|_| setsockopt(socket, RcvBuf, &BUFFER))
}

/// How many it has dropped of those for one socket.
pub(super) struct Missed {
    /// By which the system lists the socket.
    inode: String,
    /// How many were known at the last look.
    known: u64,
}

impl Missed {
    pub(super) fn of(socket: &impl AsFd) -> io::Result<Self> {
        Ok(Self { inode: fstat(socket.as_fd())?.st_ino.to_string(), known: 0 })
    }

    /// How many since the last look; none where the system keeps no list.
    pub(super) fn more(&mut self) -> u64 {
        let lists = ["/proc/self/net/udp", "/proc/self/net/udp6"];
        let lists = lists.map(|list| fs::read_to_string(list).unwrap_or_default());
        let all = lists.iter().flat_map(|list| list.lines()).find_map(|line| dropped(line, &self.inode));
        let all = all.unwrap_or(self.known);
        let more = all.saturating_sub(self.known);
        self.known = all;
        more
    }
}

/// How many were dropped, by a line of the list, if it is this socket's: the last of its fields, of which the tenth is the inode.
fn dropped(line: &str, inode: &str) -> Option<u64> {
    let mut fields = line.split_ascii_whitespace();
    (fields.nth(9)? == inode).then_some(())?;
    fields.next_back()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::dropped;

    #[test]
    fn what_the_system_dropped_stands_at_the_end_of_the_line_of_the_socket() {
        let line = "  482: 0100007F:1A0A 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 83411 2 00000000f2c1 1734";
        assert_eq!(dropped(line, "83411"), Some(1734));
        assert_eq!(dropped(line, "8341"), None);
        let headings = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops";
        assert_eq!(dropped(headings, "83411"), None);
    }
}
