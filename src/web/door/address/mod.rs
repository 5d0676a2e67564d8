//! Where a request really comes from.
//!
//! The peer of the connection is believed; a header is believed only from a peer that is a trusted proxy. Then just one of
//! `X-Forwarded-For` and `Forwarded` is read, from right to left, and the first address that is not itself a trusted proxy
//! is the client: whatever stands further left, anybody could have written. Where a hop cannot be read before that, the
//! peer is all that is known. No other header is believed from anybody.

mod forwarded;
mod networks;

use std::{
    fmt,
    net::IpAddr,
    str::FromStr,
    sync::atomic::{AtomicU64, Ordering},
};

use rocket::Request;

pub use self::networks::Networks;
use super::{
    Settings, door,
    lines::{Line, lines},
};
use crate::{model::place, web::noted::Noted};

/// The most hops that are read; a longer list is not believed. Five proxies in a row are rare.
pub const HOPS: usize = 32;

/// The header in which proxies say for whom they ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// What nearly every proxy writes.
    XForwardedFor = 0,
    /// Its successor by RFC 7239.
    Forwarded = 1,
}

impl Naming {
    /// Both, in the order in which they are looked for, each at its number.
    pub const ALL: [Self; 2] = [Self::XForwardedFor, Self::Forwarded];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::XForwardedFor => "X-Forwarded-For",
            Self::Forwarded => "Forwarded",
        }
    }
}

/// The names of both, in that order.
pub(super) const NAMING: [&str; 2] = [Naming::XForwardedFor.as_str(), Naming::Forwarded.as_str()];

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

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The other end of the connection.
    pub peer: IpAddr,
    /// Whether that is a trusted proxy.
    pub peer_trusted: bool,
    /// The header that was read; none where none came, or nobody was believed.
    pub read: Option<Naming>,
    /// Why the client is who it is.
    pub why: Why,
    /// Who has sent it, as far as anybody can know.
    pub client: IpAddr,
}

/// The same, with all that was read on the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was found.
    pub source: Source,
    /// What was read of the header, nearest first, up to the hop that decided.
    pub hops: Vec<Hop>,
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

impl Source {
    /// Finds out where a request from `peer` comes from. `lines` gives the lines of a header in their order. `pinned` is the
    /// one header that is read; without it `X-Forwarded-For` is where it came, and else `Forwarded`. `seen` is told each hop that
    /// is read.
    pub fn of<'a>(
        peer: IpAddr,
        lines: impl Fn(Naming) -> Vec<&'a str>,
        trusted: impl Fn(IpAddr) -> bool,
        pinned: Option<Naming>,
        seen: impl FnMut(&'a str, Option<IpAddr>, bool),
    ) -> Self {
        let peer = peer.to_canonical();
        let peer_trusted = trusted(peer);
        let found = |why, read, client| Self { peer, peer_trusted, read, why, client };
        if !peer_trusted {
            return found(Why::Peer, None, peer);
        }
        let asked = Naming::ALL.into_iter().filter(|naming| pinned.is_none_or(|pinned| pinned == *naming));
        let mut came = asked.map(|naming| (naming, lines(naming)));
        let Some((naming, lines)) = came.find(|(_, lines)| lines.iter().any(|line| !line.trim().is_empty()))
        else {
            return found(Why::Silent, None, peer);
        };
        let (why, client) = match naming {
            Naming::XForwardedFor => decide(forwarded::for_list(&lines), trusted, seen),
            Naming::Forwarded => match forwarded::for_elements(&lines) {
                Some(hops) => decide(hops.into_iter(), trusted, seen),
                None => (Why::Garbled, None),
            },
        };
        found(why, Some(naming), client.unwrap_or(peer))
    }
}

/// Reads hops, nearest first, up to the one that is the client.
fn decide<'a>(
    mut hops: impl Iterator<Item = &'a str>,
    trusted: impl Fn(IpAddr) -> bool,
    mut seen: impl FnMut(&'a str, Option<IpAddr>, bool),
) -> (Why, Option<IpAddr>) {
    let mut furthest = None;
    for written in hops.by_ref().take(HOPS) {
        let ip = place::address(written);
        let passes_on = ip.is_some_and(&trusted);
        seen(written, ip, passes_on);
        if !passes_on {
            return (if ip.is_some() { Why::Client } else { Why::Garbled }, ip);
        }
        furthest = ip;
    }
    if hops.next().is_none() { (Why::OnlyProxies, furthest) } else { (Why::Garbled, None) }
}

/// Asks `of` for where a request comes from; none where it has not come over a connection.
fn look<'r, T>(
    request: &'r Request<'_>,
    named: impl FnOnce() -> [Line<'r>; NAMING.len()],
    of: impl FnOnce(IpAddr, &dyn Fn(Naming) -> Vec<&'r str>, &dyn Fn(IpAddr) -> bool, Option<Naming>) -> T,
) -> Option<T> {
    let Settings { trusted_proxies, client_header, .. } = &door(request).settings;
    let peer = request.remote()?.ip().to_canonical();
    let named = named();
    let lines = |naming: Naming| named[naming as usize].all(request).collect();
    let vouched = Noted::of(request).vouched.get().is_some();
    let trusted = |ip: IpAddr| trusted_proxies.contain(ip) || (vouched && ip.to_canonical() == peer);
    Some(of(peer, &lines, &trusted, *client_header))
}

/// Where a request comes from; found out once for each. None where it has not come over a connection.
pub(super) fn source(request: &Request<'_>) -> Option<Source> {
    source_in(request, || lines(request, NAMING))
}

/// The same, where the lines of [`NAMING`] may have been found.
pub(super) fn source_in<'r>(
    request: &'r Request<'_>,
    named: impl FnOnce() -> [Line<'r>; NAMING.len()],
) -> Option<Source> {
    *Noted::of(request).source.get_or_init(|| {
        let found = look(request, named, |peer, lines, trusted, pinned| {
            Source::of(peer, lines, trusted, pinned, |_, _, _| {})
        })?;
        if found.why == Why::Garbled {
            door(request).garbled.add();
        }
        Some(found)
    })
}

/// The same, and how that was found out.
pub(super) fn finding(request: &Request<'_>) -> Option<Finding> {
    look(
        request,
        || lines(request, NAMING),
        |peer, lines, trusted, pinned| {
            let mut hops = Vec::new();
            let source = Source::of(peer, lines, trusted, pinned, |written, ip, trusted| {
                hops.push(Hop { written: written.to_owned(), ip, trusted });
            });
            Finding { source, hops }
        },
    )
}

/// Takes the peer of this request for a trusted proxy, because it has shown a token of one. To be said before the address is
/// looked for.
pub(super) fn vouch(request: &Request<'_>) {
    // Once is enough.
    let _ = Noted::of(request).vouched.set(());
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

    /// What is found out, and how many hops were read on the way.
    fn read<'a>(
        peer: &str,
        for_lines: &[&'a str],
        forwarded: &[&'a str],
        pinned: Option<Naming>,
    ) -> (Source, usize) {
        let lines = |naming| match naming {
            Naming::XForwardedFor => for_lines.to_vec(),
            Naming::Forwarded => forwarded.to_vec(),
        };
        let (proxies, mut hops) = (networks(&PROXIES), 0);
        let trusted = |ip| proxies.contain(ip);
        let found = Source::of(peer.parse().unwrap(), lines, trusted, pinned, |_, _, _| hops += 1);
        (found, hops)
    }

    fn find(peer: &str, for_lines: &[&str], forwarded: &[&str], pinned: Option<Naming>) -> Source {
        read(peer, for_lines, forwarded, pinned).0
    }

    /// The client and why, by `X-Forwarded-For` alone.
    fn listed(peer: &str, lines: &[&str]) -> (String, Why) {
        let found = find(peer, lines, &[], None);
        (found.client.to_string(), found.why)
    }

    /// The client and why, by `Forwarded` alone.
    fn forwarded(peer: &str, lines: &[&str]) -> (String, Why) {
        let found = find(peer, &[], lines, None);
        (found.client.to_string(), found.why)
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
        let peer = "10.0.0.1".parse().unwrap();
        let nobody = Source::of(peer, |_| vec!["1.2.3.4"], |_| false, None, |_, _, _| {});
        assert_eq!((nobody.client, nobody.why), (peer, Why::Peer));
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
        let lines = ["for=\"6.6.6.6, for=7.7.7.7\", for=\"10.0.0.2\""];
        let (found, hops) = read("10.0.0.1", &[], &lines, None);
        assert_eq!((found.why, hops), (Why::Garbled, 2));
    }

    #[test]
    fn just_one_of_the_two_headers_is_read() {
        let both = |pinned| find("10.0.0.1", &["1.1.1.1"], &["for=2.2.2.2"], pinned);
        let client = |found: Source| (found.client.to_string(), found.read);
        assert_eq!(client(both(None)), ("1.1.1.1".to_owned(), Some(Naming::XForwardedFor)));
        assert_eq!(client(both(Some(Naming::Forwarded))), ("2.2.2.2".to_owned(), Some(Naming::Forwarded)));
        let other = find("10.0.0.1", &["1.1.1.1"], &[], Some(Naming::Forwarded));
        assert_eq!((client(other).0, other.why), is("10.0.0.1", Why::Silent));
        // One that is there and empty has not come.
        let empty = find("10.0.0.1", &[" "], &["for=2.2.2.2"], None);
        assert_eq!(client(empty), ("2.2.2.2".to_owned(), Some(Naming::Forwarded)));
    }
}
