//! Networks, as the settings name them.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;

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
