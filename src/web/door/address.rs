//! Where a request really comes from.
//!
//! The peer of the connection is believed; a header is believed only from a peer that is a trusted proxy.
//! Then `X-Forwarded-For` is read from right to left, and the first address that is not itself a trusted
//! proxy is the client: whatever stands further left, anybody could have written.

use std::net::IpAddr;

use ipnet::IpNet;
use rocket::Request;

/// Networks whose word on the client's address is believed.
#[derive(Clone, Debug, Default)]
pub struct Networks(pub Vec<IpNet>);

impl Networks {
    /// Whether an address lies in one of them.
    pub fn contain(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.0.iter().any(|network| network.contains(&ip))
    }

    /// Reads a network; a lone address is a network of one.
    pub fn parse(text: &str) -> Option<IpNet> {
        text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
    }
}

/// The client's address.
pub(super) fn client(request: &Request<'_>, trusted: &Networks) -> Option<IpAddr> {
    let peer = request.remote()?.ip().to_canonical();
    let lines: Vec<&str> = request.headers().get("X-Forwarded-For").collect();
    Some(from(peer, &lines, trusted))
}

/// The client's address, from the peer's and the lines of `X-Forwarded-For` in their order.
fn from(peer: IpAddr, lines: &[&str], trusted: &Networks) -> IpAddr {
    if !trusted.contain(peer) {
        return peer;
    }
    let hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
    let mut nearest = peer;
    for hop in hops {
        let Some(ip) = hop_address(hop.trim()) else { break };
        nearest = ip;
        if !trusted.contain(ip) {
            break;
        }
    }
    nearest
}

/// An address as proxies write it: bare, with a port, or in brackets.
fn hop_address(text: &str) -> Option<IpAddr> {
    let bare =
        text.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(text, |(inside, _)| inside);
    let parsed = bare.parse().ok().or_else(|| bare.rsplit_once(':').and_then(|(ip, _)| ip.parse().ok()));
    parsed.map(|ip: IpAddr| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client_of(peer: &str, lines: &[&str], trusted: &[&str]) -> String {
        let trusted = Networks(trusted.iter().filter_map(|text| Networks::parse(text)).collect());
        from(peer.parse().unwrap(), lines, &trusted).to_string()
    }

    #[test]
    fn nobody_but_a_trusted_proxy_is_believed() {
        assert_eq!(client_of("203.0.113.9", &["1.2.3.4"], &[]), "203.0.113.9");
        assert_eq!(client_of("203.0.113.9", &["1.2.3.4"], &["10.0.0.0/8"]), "203.0.113.9");
        assert_eq!(client_of("10.0.0.1", &["1.2.3.4"], &["10.0.0.0/8"]), "1.2.3.4");
    }

    #[test]
    fn the_rightmost_address_that_is_no_proxy_is_the_client() {
        let trusted = ["10.0.0.0/8", "fd00::1"];
        assert_eq!(client_of("10.0.0.1", &["6.6.6.6, 10.0.0.9, 1.2.3.4, 10.0.0.2"], &trusted), "1.2.3.4");
        assert_eq!(client_of("10.0.0.1", &["6.6.6.6", "1.2.3.4"], &trusted), "1.2.3.4");
        assert_eq!(client_of("fd00::1", &["[2001:db8::5]:443"], &trusted), "2001:db8::5");
        assert_eq!(client_of("fd00::2", &["1.2.3.4"], &trusted), "fd00::2");
        assert_eq!(client_of("::ffff:10.0.0.1", &["::ffff:1.2.3.4"], &trusted), "1.2.3.4");
        assert_eq!(client_of("10.0.0.1", &["1.2.3.4:5678"], &trusted), "1.2.3.4");
    }

    #[test]
    fn rubbish_leaves_the_last_address_that_was_understood() {
        assert_eq!(client_of("10.0.0.1", &["unknown"], &["10.0.0.0/8"]), "10.0.0.1");
        assert_eq!(client_of("10.0.0.1", &["1.2.3.4, _hidden, 10.0.0.2"], &["10.0.0.0/8"]), "10.0.0.2");
        assert_eq!(client_of("10.0.0.1", &[""], &["10.0.0.0/8"]), "10.0.0.1");
    }
}
