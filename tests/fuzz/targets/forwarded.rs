//! Where a request comes from: its peer in the first line, then the headers that it brings, one a line.
#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use rollcall::web::door::{HOPS, Naming, Networks, Source, Why};

/// Whom the nearest proxy saw, where it says so itself.
const SEEN: &str = "203.0.113.7";

/// A proxy that is trusted.
const PROXY: &str = "10.0.0.9";

fuzz_target!(|input: &str| {
    let mut lines = input.lines();
    let peer = lines.next().and_then(|peer| peer.parse().ok());
    let peer: IpAddr = peer.unwrap_or_else(|| "10.0.0.1".parse().unwrap());
    let (mut listed, mut forwarded) = (Vec::new(), Vec::new());
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        match name {
            "X-Forwarded-For" => listed.push(value),
            "Forwarded" => forwarded.push(value),
            _ => {}
        }
    }
    for pinned in [None, Some(Naming::XForwardedFor), Some(Naming::Forwarded)] {
        let (found, hops) = find(peer, &listed, &forwarded, pinned);
        is_founded(peer, &listed, &forwarded, pinned, &found, &hops);
    }
    if trusted(peer) {
        counts_from_the_nearest(peer, &listed, &forwarded);
    }
});

/// A hop as it was written, its address, and whether that is trusted.
type Hop = (String, Option<IpAddr>, bool);

fn trusted(ip: IpAddr) -> bool {
    Networks(["10.0.0.0/8", "fd00::1"].iter().filter_map(|text| Networks::parse(text)).collect()).contain(ip)
}

fn find(peer: IpAddr, listed: &[&str], forwarded: &[&str], pinned: Option<Naming>) -> (Source, Vec<Hop>) {
    let mut hops = Vec::new();
    let lines = |naming| match naming {
        Naming::XForwardedFor => listed.to_vec(),
        Naming::Forwarded => forwarded.to_vec(),
    };
    let found = Source::of(peer, lines, trusted, pinned, |written, ip, trusted| {
        hops.push((written.to_owned(), ip, trusted));
    });
    (found, hops)
}

/// The client is the peer, or was written in the one header that is read, behind trusted proxies alone.
fn is_founded(
    peer: IpAddr,
    listed: &[&str],
    forwarded: &[&str],
    pinned: Option<Naming>,
    found: &Source,
    hops: &[Hop],
) {
    let peer = peer.to_canonical();
    assert_eq!((found.peer, found.peer_trusted), (peer, trusted(peer)));
    assert!(found.read.is_none_or(|read| pinned.is_none_or(|pinned| read == pinned)), "{found:?}");
    assert!(hops.len() <= HOPS);
    if !trusted(peer) {
        assert_eq!((found.client, found.why, found.read, hops), (peer, Why::Peer, None, &[][..]));
        return;
    }
    let lines = match found.read {
        None => &[][..],
        Some(Naming::XForwardedFor) => listed,
        Some(Naming::Forwarded) => forwarded,
    };
    for (written, ip, trusts) in hops {
        assert!(lines.iter().any(|line| line.contains(written.as_str())), "{written:?} stands nowhere");
        assert_eq!(*trusts, ip.is_some_and(trusted));
        assert!(ip.is_none_or(|ip| is_written(written, ip)), "{written:?} is not {ip:?}");
    }
    let (last, before) = hops.split_last().map_or((None, hops), |(last, before)| (Some(last), before));
    assert!(before.iter().all(|(_, _, trusted)| *trusted), "nobody is asked behind a stranger: {hops:?}");
    match (found.why, last) {
        (Why::Client, Some((_, Some(ip), false))) | (Why::OnlyProxies, Some((_, Some(ip), true))) => {
            assert_eq!(found.client, *ip);
        }
        (Why::Silent | Why::Garbled, _) => assert_eq!(found.client, peer),
        (why, last) => panic!("{why:?} by {last:?}"),
    }
}

/// Whether a text says this address: bare, in brackets, or with a port.
fn is_written(text: &str, ip: IpAddr) -> bool {
    let inside = text.strip_prefix('[').and_then(|text| text.split_once(']')).map(|(inside, _)| inside);
    let bare = text.rsplit_once(':').map(|(bare, _)| bare);
    [Some(text), inside, bare].into_iter().flatten().any(|text| {
        let read: Result<IpAddr, _> = text.parse();
        read.is_ok_and(|read| read.to_canonical() == ip)
    })
}

/// What a trusted proxy adds to whatever it was sent is whom it saw, and nothing in front of it makes that anybody else.
fn counts_from_the_nearest(peer: IpAddr, listed: &[&str], forwarded: &[&str]) {
    let seen: IpAddr = SEEN.parse().unwrap();
    let more = format!("for={SEEN}");
    for (naming, lines, said) in
        [(Naming::XForwardedFor, listed, SEEN), (Naming::Forwarded, forwarded, more.as_str())]
    {
        let longer = lines.last().map(|last| format!("{last}, {said}"));
        let on_a_line = [lines, &[said]].concat();
        let in_the_last = longer.iter().map(|last| [&lines[..lines.len() - 1], &[last.as_str()]].concat());
        for lines in in_the_last.chain([on_a_line]) {
            let (found, _) = find(peer, &lines, &lines, Some(naming));
            // A quote that is never closed hides what is behind it; then nobody is believed.
            let hidden = naming == Naming::Forwarded && found.why == Why::Garbled;
            assert!(hidden || (found.client, found.why) == (seen, Why::Client), "{lines:?}: {found:?}");
        }
    }
    // Another proxy in between, that is trusted too, changes nothing but how far there is to go.
    let (found, hops) = find(peer, listed, &[], Some(Naming::XForwardedFor));
    if found.why == Why::Client && hops.len() < HOPS {
        let (again, _) = find(peer, &[listed, &[PROXY]].concat(), &[], Some(Naming::XForwardedFor));
        assert_eq!(again, found);
    }
}
