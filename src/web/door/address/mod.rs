//! Where a request really comes from.
//!
//! The peer of the connection is believed; a header is believed only from a peer that is a trusted proxy. Then just one of
//! `X-Forwarded-For` and `Forwarded` is read, from right to left, and the first address that is not itself a trusted proxy
//! is the client: whatever stands further left, anybody could have written. Where a hop cannot be read before that, the
//! peer is all that is known. No other header is believed from anybody.

mod forwarded;
mod networks;

use std::{
    borrow::Cow,
    fmt,
    net::IpAddr,
    str::FromStr,
    sync::atomic::{AtomicU64, Ordering},
};

use rocket::Request;

pub use self::networks::Networks;
use super::{Door, door};

/// The most hops that are read; a longer list is not believed. Five proxies in a row are rare.
pub const HOPS: usize = 32;

/// The header in which proxies say for whom they ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// What nearly every proxy writes.
    XForwardedFor,
    /// Its successor by RFC 7239.
    Forwarded,
}

impl Naming {
    /// Both, in the order in which they are looked for.
    pub const ALL: [Self; 2] = [Self::XForwardedFor, Self::Forwarded];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::XForwardedFor => "X-Forwarded-For",
            Self::Forwarded => "Forwarded",
        }
    }
}

impl fmt::Display for Naming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was given is neither of the two headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the header is x-forwarded-for or forwarded")]
pub struct NotANaming;

impl FromStr for Naming {
    type Err = NotANaming;

    fn from_str(text: &str) -> Result<Self, NotANaming> {
        Self::ALL.into_iter().find(|naming| naming.as_str().eq_ignore_ascii_case(text)).ok_or(NotANaming)
    }
}

/// What is known of where a request comes from, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The other end of the connection.
    pub peer: IpAddr,
    /// Whether that is a trusted proxy.
    pub peer_trusted: bool,
    /// The header that was read; none where none came, or nobody was believed.
    pub read: Option<Naming>,
    /// What was read of it, nearest first, up to the hop that decided.
    pub hops: Vec<Hop>,
    /// Why the client is who it is.
    pub why: Why,
}

/// One entry of the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// As it was written.
    pub written: String,
    /// The address that was read in it.
    pub ip: Option<IpAddr>,
    /// Whether that is a trusted proxy.
    pub trusted: bool,
}

/// What decided on the client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The peer is no trusted proxy, and is itself the client as far as anybody can know.
    Peer,
    /// The peer is a trusted proxy that says nothing of whom it asks for.
    Silent,
    /// The last hop read is the first that is no trusted proxy.
    Client,
    /// Every hop is a trusted proxy; the furthest asked on its own behalf.
    OnlyProxies,
    /// The last hop read is not an address.
    Garbled,
}

impl Finding {
    /// The client's address.
    pub fn client(&self) -> IpAddr {
        match self.why {
            Why::Peer | Why::Silent | Why::Garbled => self.peer,
            Why::Client | Why::OnlyProxies => self.hops.last().and_then(|hop| hop.ip).unwrap_or(self.peer),
        }
    }

    /// Finds out where a request from `peer` comes from. `lines` gives the lines of a header in their order. `pinned` is the
    /// one header that is read; without it `X-Forwarded-For` is where it came, and else `Forwarded`.
    pub fn of<'a>(
        peer: IpAddr,
        lines: impl Fn(Naming) -> Vec<&'a str>,
        trusted: &Networks,
        pinned: Option<Naming>,
    ) -> Self {
        let peer = peer.to_canonical();
        let peer_trusted = trusted.contain(peer);
        let found = |why, read, hops| Self { peer, peer_trusted, read, hops, why };
        if !peer_trusted {
            return found(Why::Peer, None, Vec::new());
        }
        let came = Naming::ALL.into_iter().filter(|naming| pinned.is_none_or(|pinned| pinned == *naming));
        let mut came = came.map(|naming| (naming, lines(naming)));
        let Some((naming, lines)) = came.find(|(_, lines)| lines.iter().any(|line| !line.trim().is_empty()))
        else {
            return found(Why::Silent, None, Vec::new());
        };
        let written = match naming {
            Naming::XForwardedFor => Some(forwarded::for_list(&lines)),
            Naming::Forwarded => forwarded::for_elements(&lines),
        };
        let mut hops = Vec::new();
        for text in written.iter().flatten().take(HOPS) {
            let ip = forwarded::address(text);
            let trusted = ip.is_some_and(|ip| trusted.contain(ip));
            hops.push(Hop { written: (*text).to_owned(), ip, trusted });
            if !trusted {
                let why = if ip.is_some() { Why::Client } else { Why::Garbled };
                return found(why, Some(naming), hops);
            }
        }
        let whole = written.is_some_and(|written| written.len() <= HOPS);
        found(if whole { Why::OnlyProxies } else { Why::Garbled }, Some(naming), hops)
    }
}

/// Where a request comes from; found out once for each. None where it has not come over a connection.
pub(super) fn finding<'r>(request: &'r Request<'_>) -> Option<&'r Finding> {
    let found = request.local_cache(|| {
        let Door { settings, garbled, .. } = door(request);
        let lines = |naming: Naming| request.headers().get(naming.as_str()).collect();
        let peer = request.remote()?.ip();
        let mut trusted = Cow::Borrowed(&settings.trusted_proxies);
        if !trusted.contain(peer.to_canonical()) && request.local_cache(|| Vouched(false)).0 {
            trusted.to_mut().0.push(peer.to_canonical().into());
        }
        let found = Finding::of(peer, lines, &trusted, settings.client_header);
        if found.why == Why::Garbled {
            garbled.add();
        }
        Some(found)
    });
    found.as_ref()
}

/// Whether the peer has shown a token of a proxy.
struct Vouched(bool);

/// Takes the peer of this request for a trusted proxy, because it has shown a token of one. To be said before the address is
/// looked for.
pub(super) fn vouch(request: &Request<'_>) {
    request.local_cache(|| Vouched(true));
}

/// How many requests came through a trusted proxy with a header that could not be read.
#[derive(Default)]
pub(super) struct Garbled(AtomicU64);

impl Garbled {
    fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXIES: [&str; 2] = ["10.0.0.0/8", "fd00::1"];

    fn networks(trusted: &[&str]) -> Networks {
        Networks(trusted.iter().filter_map(|text| Networks::parse(text)).collect())
    }

    fn find(peer: &str, for_lines: &[&str], forwarded: &[&str], pinned: Option<Naming>) -> Finding {
        let lines = |naming| match naming {
            Naming::XForwardedFor => for_lines.to_vec(),
            Naming::Forwarded => forwarded.to_vec(),
        };
        Finding::of(peer.parse().unwrap(), lines, &networks(&PROXIES), pinned)
    }

    /// The client and why, by `X-Forwarded-For` alone.
    fn listed(peer: &str, lines: &[&str]) -> (String, Why) {
        let found = find(peer, lines, &[], None);
        (found.client().to_string(), found.why)
    }

    /// The client and why, by `Forwarded` alone.
    fn forwarded(peer: &str, lines: &[&str]) -> (String, Why) {
        let found = find(peer, &[], lines, None);
        (found.client().to_string(), found.why)
    }

    fn is(ip: &str, why: Why) -> (String, Why) {
        (ip.to_owned(), why)
    }

    #[test]
    fn nobody_but_a_trusted_proxy_is_believed() {
        assert_eq!(listed("203.0.113.9", &["1.2.3.4"]), is("203.0.113.9", Why::Peer));
        assert_eq!(forwarded("203.0.113.9", &["for=1.2.3.4"]), is("203.0.113.9", Why::Peer));
        assert_eq!(listed("fd00::2", &["1.2.3.4"]), is("fd00::2", Why::Peer));
        assert_eq!(listed("10.0.0.1", &["1.2.3.4"]), is("1.2.3.4", Why::Client));
        let nobody =
            Finding::of("10.0.0.1".parse().unwrap(), |_| vec!["1.2.3.4"], &Networks::default(), None);
        assert_eq!((nobody.client().to_string(), nobody.why), is("10.0.0.1", Why::Peer));
    }

    #[test]
    fn the_rightmost_address_that_is_no_proxy_is_the_client() {
        let behind_two = ["6.6.6.6, 10.0.0.9, 1.2.3.4, 10.0.0.2"];
        assert_eq!(listed("10.0.0.1", &behind_two), is("1.2.3.4", Why::Client));
        assert_eq!(listed("10.0.0.1", &["6.6.6.6", "1.2.3.4"]), is("1.2.3.4", Why::Client));
        assert_eq!(listed("10.0.0.1", &["6.6.6.6, 10.0.0.3", "10.0.0.2"]), is("6.6.6.6", Why::Client));
        assert_eq!(listed("10.0.0.1", &["10.0.0.7, 10.0.0.2"]), is("10.0.0.7", Why::OnlyProxies));
        let elements = ["for=6.6.6.6, for=1.2.3.4;proto=https;by=10.0.0.2", "For=\"10.0.0.2\""];
        assert_eq!(forwarded("10.0.0.1", &elements), is("1.2.3.4", Why::Client));
    }

    #[test]
    fn ports_brackets_and_mapped_addresses_are_understood() {
        assert_eq!(listed("fd00::1", &["[2001:db8::5]:443"]), is("2001:db8::5", Why::Client));
        assert_eq!(listed("fd00::1", &["2001:db8::5"]), is("2001:db8::5", Why::Client));
        assert_eq!(listed("::ffff:10.0.0.1", &["::ffff:1.2.3.4"]), is("1.2.3.4", Why::Client));
        assert_eq!(listed("10.0.0.1", &["1.2.3.4:5678"]), is("1.2.3.4", Why::Client));
        assert_eq!(
            forwarded("10.0.0.1", &["for=\"[2001:db8:cafe::17]:4711\""]),
            is("2001:db8:cafe::17", Why::Client)
        );
    }

    #[test]
    fn what_cannot_be_read_leaves_the_peer() {
        for rubbish in [
            "unknown",
            "6.6.6.6, _hidden, 10.0.0.2",
            "6.6.6.6,,10.0.0.2",
            "1.2.3.4:99999",
            "[2001:db8::5",
            "[2001:db8::5]x",
            "1.2.3.4.",
            "01.2.3.4",
            "1.2.3.4 5.6.7.8",
            "fe80::1%eth0",
        ] {
            assert_eq!(listed("10.0.0.1", &[rubbish]), is("10.0.0.1", Why::Garbled), "{rubbish}");
        }
        for rubbish in [
            "for=unknown",
            "for=_secret",
            "proto=https",
            "for=1.2.3.4;for=6.6.6.6",
            "for=\"1.2.3.4",
            "1.2.3.4",
        ] {
            assert_eq!(forwarded("10.0.0.1", &[rubbish]), is("10.0.0.1", Why::Garbled), "{rubbish}");
        }
        let endless = vec!["10.0.0.2"; HOPS + 1].join(",");
        assert_eq!(listed("10.0.0.1", &[&endless]), is("10.0.0.1", Why::Garbled));
        // Further left than the client nobody looks.
        assert_eq!(listed("10.0.0.1", &["rubbish, 1.2.3.4"]), is("1.2.3.4", Why::Client));
    }

    #[test]
    fn a_quoted_comma_parts_nothing() {
        let found = find("10.0.0.1", &[], &["for=\"6.6.6.6, for=7.7.7.7\", for=\"10.0.0.2\""], None);
        assert_eq!(found.hops.len(), 2);
        assert_eq!(found.why, Why::Garbled);
    }

    #[test]
    fn just_one_of_the_two_headers_is_read() {
        let both = |pinned| find("10.0.0.1", &["1.1.1.1"], &["for=2.2.2.2"], pinned);
        let client = |found: Finding| (found.client().to_string(), found.read);
        assert_eq!(client(both(None)), ("1.1.1.1".to_owned(), Some(Naming::XForwardedFor)));
        assert_eq!(client(both(Some(Naming::Forwarded))), ("2.2.2.2".to_owned(), Some(Naming::Forwarded)));
        let other = find("10.0.0.1", &["1.1.1.1"], &[], Some(Naming::Forwarded));
        assert_eq!((client(other.clone()).0, other.why), is("10.0.0.1", Why::Silent));
        // One that is there and empty has not come.
        let empty = find("10.0.0.1", &[" "], &["for=2.2.2.2"], None);
        assert_eq!(client(empty), ("2.2.2.2".to_owned(), Some(Naming::Forwarded)));
    }
}
