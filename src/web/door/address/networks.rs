//! Networks, as the settings name them.

use std::{fmt, net::IpAddr};

use ipnet::{IpNet, Ipv4Net};

/// Networks whose word on the client's address is believed.
#[derive(Clone, Debug, Default)]
pub struct Networks(pub Vec<IpNet>);

impl Networks {
    /// Whether an address lies in one of them.
    pub fn contain(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.0.iter().any(|network| network.contains(&ip))
    }

    /// Reads a network; a lone address is a network of one. One of mapped addresses (`::ffff:10.0.0.0/104`) is the network of IPv4
    /// that they stand for, as whoever comes from there is taken too. What is written so and reaches beyond them (`::ffff:0:0/90`)
    /// would be neither, and is none.
    pub fn parse(text: &str) -> Option<IpNet> {
        let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
        let IpNet::V6(written) = network else { return Some(network) };
        let Some(mapped) = written.addr().to_ipv4_mapped() else { return Some(network) };
        Ipv4Net::new(mapped, written.prefix_len().checked_sub(96)?).ok().map(IpNet::V4)
    }

    /// Each as the settings name it; a network of one is its address.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|network| {
            let alone = network.prefix_len() == network.max_prefix_len();
            if alone { network.addr().to_string() } else { network.to_string() }
        })
    }
}

impl fmt::Display for Networks {
    /// As a list in `rollcall.toml`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.names().map(|name| format!("\"{name}\""));
        write!(f, "[{}]", names.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_mapped_addresses_is_the_one_of_ipv4_that_they_stand_for() {
        for (written, named, inside, outside) in [
            ("::ffff:127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8", "10.9.8.7", "11.0.0.1"),
            ("::ffff:a00:0/104", "10.0.0.0/8", "::ffff:10.9.8.7", "::ffff:11.0.0.1"),
            ("10.0.0.0/8", "10.0.0.0/8", "::ffff:10.9.8.7", "11.0.0.1"),
            // Of IPv6 alone, however wide it is.
            ("::/64", "::/64", "::1", "10.9.8.7"),
        ] {
            let networks = Networks(vec![Networks::parse(written).unwrap()]);
            assert_eq!(networks.names().collect::<Vec<_>>(), [named], "{written}");
            let holds = |ip: &str| networks.contain(ip.parse().unwrap());
            assert!(holds(inside) && !holds(outside), "{written}");
        }
        for neither in ["::ffff:0:0/90", "::ffff:10.0.0.0/8"] {
            assert_eq!(Networks::parse(neither), None, "{neither}");
        }
    }
}
