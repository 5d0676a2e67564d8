//! Where somebody was: a place on the map, or a network that has none.

use std::{
    hash::{Hash, Hasher},
    net::{IpAddr, Ipv4Addr},
};

use super::country;

/// An address as programs write it: bare, with a port, or in brackets with one or without. What is IPv4 behind IPv6's
/// prefix for it (`::ffff:0:0/96`) is IPv4.
pub fn address(text: &str) -> Option<IpAddr> {
    let (bare, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inside, "")) => (inside, None),
        Some((inside, behind)) => (inside, Some(behind.strip_prefix(':')?)),
        // One colon parts an IPv4 address from its port; more are an IPv6 address.
        None if text.matches(':').count() == 1 => {
            let (ip, port) = text.split_once(':')?;
            (ip, Some(port))
        }
        None => (text, None),
    };
    let good = port.is_none_or(|port| port.parse::<u16>().is_ok());
    bare.parse().ok().filter(|_| good).map(|ip: IpAddr| ip.to_canonical())
}

/// The same, where behind an IPv6 address the interface may stand that it was seen on (`fe80::1%eth0`), which says nothing elsewhere.
pub fn address_on(text: &str) -> Option<IpAddr> {
    let Some((ip, interface)) = text.split_once('%').filter(|(ip, _)| ip.matches(':').count() > 1) else {
        return address(text);
    };
    let behind = interface.find(']').map_or("", |at| &interface[at..]);
    address(&format!("{ip}{behind}"))
}

/// Where an address is, as it was known when it was looked up. Two are the same if every bit of them is.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The city's name in English.
    pub city: Option<String>,
    /// The region's (state's, province's) name in English.
    pub region: Option<String>,
    /// ISO 3166-1 alpha-2, upper case.
    pub country: Option<String>,
    /// Degrees north, -90 to 90.
    pub latitude: Option<f64>,
    /// Degrees east, -180 to 180.
    pub longitude: Option<f64>,
}

impl Place {
    /// The same with the country's code as [`Place::country`] wants it, if it is one.
    #[must_use]
    pub fn with_code_in_upper_case(mut self) -> Self {
        if let Some(code) = self.country.as_mut().filter(|country| country.len() == 2) {
            code.make_ascii_uppercase();
        }
        self
    }

    fn parts(&self) -> ([Option<&str>; 3], [Option<u64>; 2]) {
        let degrees = [self.latitude, self.longitude];
        let texts = [self.city.as_deref(), self.region.as_deref(), self.country.as_deref()];
        (texts, degrees.map(|degrees| degrees.map(f64::to_bits)))
    }

    /// The text of the Location column: region and country, or the network's name for an address that is
    /// nowhere on the map, or what can honestly be said.
    pub fn location(&self, ip: Option<IpAddr>) -> String {
        let country = self.country.as_deref().map(|code| country::name(code).unwrap_or(code));
        match (self.region.as_deref().filter(|region| Some(*region) != self.city.as_deref()), country) {
            (Some(region), Some(country)) => format!("{region}, {country}"),
            (Some(region), None) => region.to_owned(),
            (None, Some(country)) => country.to_owned(),
            (None, None) => match ip.map(Network::of) {
                None => String::new(),
                Some(Network::Public) => "Not in the database".to_owned(),
                Some(network) => network.name().to_owned(),
            },
        }
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Place {}

impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

/// What kind of network an address belongs to. All but [`Network::Public`] have no place on the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Routed on the internet.
    Public,
    /// RFC 1918, RFC 4193.
    Private,
    /// This very machine: 127.0.0.0/8, `::1`.
    Loopback,
    /// RFC 3927, RFC 4291: an interface that got no address.
    LinkLocal,
    /// RFC 6598: behind a provider's address translation.
    Shared,
    /// Documentation, multicast, benchmarking, unspecified and the like.
    Reserved,
}

impl Network {
    /// The network of an address; an IPv4 address inside IPv6 counts as the IPv4 address.
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::of_v4(ip),
            IpAddr::V6(ip) => {
                let head = ip.segments()[0];
                if ip.is_loopback() {
                    Self::Loopback
                } else if head & 0xffc0 == 0xfe80 {
                    Self::LinkLocal
                } else if head & 0xfe00 == 0xfc00 {
                    Self::Private
                } else if ip.is_unspecified() || ip.is_multicast() || ip.segments()[..2] == [0x2001, 0xdb8] {
                    Self::Reserved
                } else {
                    Self::Public
                }
            }
        }
    }

    fn of_v4(ip: Ipv4Addr) -> Self {
        let [a, b, c, _] = ip.octets();
        if ip.is_loopback() {
            Self::Loopback
        } else if ip.is_private() {
            Self::Private
        } else if ip.is_link_local() {
            Self::LinkLocal
        } else if a == 100 && (64..128).contains(&b) {
            Self::Shared
        } else if a == 0
            || a >= 224
            || ip.is_documentation()
            || (a == 192 && b == 0 && c == 0)
            || (a == 198 && (18..20).contains(&b))
        {
            Self::Reserved
        } else {
            Self::Public
        }
    }

    /// The words shown in place of a place.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "Public network",
            Self::Private => "Private network",
            Self::Loopback => "Private network (loopback)",
            Self::LinkLocal => "Private network (link-local)",
            Self::Shared => "Private network (carrier NAT)",
            Self::Reserved => "Reserved address",
        }
    }
}
