//! What a session may be bound to: the network it is used from and the family of the device it is used on.
//!
//! A *network* is the /24 of an IPv4 address and the /48 of an IPv6 one: the smallest that the internet routes by themselves, so that
//! what lies in one belongs to one organisation or provider, and what a site is given (RFC 6177). The autonomous system would be
//! kinder to telephones, whose providers have many such networks; but no city database names it. The country is no help beside
//! that: another country is another network already.
//!
//! A session has one network of each family of addresses: the first public one that it is used from. Machines with both change
//! between them all the time, so the one family says nothing of the other. Private addresses, loopback, link-local ones and
//! those of carriers' NAT say nothing at all: which of them a request has depends on the way it took through one's own network,
//! and others have ended every second request's session over that.

use std::{net::IpAddr, str::FromStr};

use super::place::Network;

/// To what sessions are bound; to nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Binding {
    /// To the network each is used from.
    pub network: bool,
    /// To the family of the device each is used on.
    pub device: bool,
}

impl Binding {
    /// Whether they are bound to anything.
    pub const fn binds(self) -> bool {
        self.network || self.device
    }
}

/// What was given says to nothing that sessions can be bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sessions are bound to network, device or both, or to none")]
pub struct NotABinding;

impl FromStr for Binding {
    type Err = NotABinding;

    fn from_str(text: &str) -> Result<Self, NotABinding> {
        match text {
            "none" => Ok(Self { network: false, device: false }),
            "network" => Ok(Self { network: true, device: false }),
            "device" => Ok(Self { network: false, device: true }),
            "both" => Ok(Self { network: true, device: true }),
            _ => Err(NotABinding),
        }
    }
}

/// The network that an address lies in, if it is a public one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Net {
    V4([u8; 3]),
    V6([u8; 6]),
}

impl Net {
    fn of(ip: IpAddr) -> Option<Self> {
        if Network::of(ip) != Network::Public {
            return None;
        }
        match ip.to_canonical() {
            IpAddr::V4(ip) => ip.octets().first_chunk().copied().map(Self::V4),
            IpAddr::V6(ip) => ip.octets().first_chunk().copied().map(Self::V6),
        }
    }
}

/// Of which sort a client is, whatever its version: its system and its browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// The system: `Windows`, `Linux`.
    pub os: String,
    /// The browser or program: `Firefox`. None for what a system fetches in the name of whichever browser asked it to.
    pub browser: Option<String>,
}

impl Family {
    fn is_like(&self, other: &Self) -> bool {
        let one = |(a, b): (&String, &String)| a == b;
        self.os == other.os && self.browser.as_ref().zip(other.browser.as_ref()).is_none_or(one)
    }
}

/// What one session is bound to, as far as it has been seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bond {
    /// The /24 of IPv4 that it is used from.
    pub v4: Option<[u8; 3]>,
    /// The /48 of IPv6 that it is used from.
    pub v6: Option<[u8; 6]>,
    /// The family of device it is used on.
    pub device: Option<Family>,
}

impl Bond {
    /// Whether a use from this address is within the bond, which from now on holds the network of it too, if it held none of that
    /// family of addresses.
    pub fn holds_address(&mut self, ip: IpAddr) -> bool {
        match Net::of(ip) {
            None => true,
            Some(Net::V4(net)) => *self.v4.get_or_insert(net) == net,
            Some(Net::V6(net)) => *self.v6.get_or_insert(net) == net,
        }
    }

    /// The same of a use on a device of this family.
    pub fn holds_device(&mut self, family: &Family) -> bool {
        match &self.device {
            Some(known) => known.is_like(family),
            // What a system fetches does not say which browser it is for, and what says nothing of itself may be anything.
            None if family.browser.as_ref().is_none_or(String::is_empty) => true,
            None => {
                self.device = Some(family.clone());
                true
            }
        }
    }

    /// Lets go of what sessions are not bound to.
    pub fn within(&mut self, binding: Binding) {
        if !binding.network {
            (self.v4, self.v6) = (None, None);
        }
        if !binding.device {
            self.device = None;
        }
    }
}

/// How a session was used that it is not bound to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// From another network.
    Network,
    /// On another device.
    Device,
}

impl Breach {
    /// Why the session ends.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Network => "used from another network",
            Self::Device => "used on another device",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(addresses: &[&str]) -> Vec<bool> {
        let mut bond = Bond::default();
        addresses.iter().map(|ip| bond.holds_address(ip.parse().unwrap())).collect()
    }

    #[test]
    fn a_network_is_a_24_of_ipv4_and_a_48_of_ipv6() {
        assert_eq!(held(&["81.2.69.142", "81.2.69.1", "81.2.70.142"]), [true, true, false]);
        assert_eq!(held(&["2a02:cf40:1::1", "2a02:cf40:1:ffff::2", "2a02:cf40:2::1"]), [true, true, false]);
        assert_eq!(held(&["81.2.69.142", "::ffff:81.2.69.7", "::ffff:81.2.70.7"]), [true, true, false]);
    }

    #[test]
    fn the_first_of_each_family_of_addresses_is_the_one_it_is_bound_to() {
        let there_and_back =
            held(&["81.2.69.142", "2a02:cf40:1::1", "81.2.69.3", "2a02:cf40:2::1", "81.2.70.1"]);
        assert_eq!(there_and_back, [true, true, true, false, false]);
    }

    #[test]
    fn what_is_not_public_is_not_judged_and_binds_nothing() {
        for private in
            ["10.0.0.1", "192.168.1.1", "127.0.0.1", "169.254.0.1", "100.64.0.1", "fd00::1", "::1", "fe80::1"]
        {
            assert_eq!(held(&[private, "81.2.69.142", private, "81.2.70.1"]), [true, true, true, false]);
        }
    }

    #[test]
    fn a_system_that_fetches_for_a_browser_is_the_device_that_its_browser_is_on() {
        let family =
            |os: &str, browser: Option<&str>| Family { os: os.into(), browser: browser.map(Into::into) };
        let mut bond = Bond::default();
        assert!(bond.holds_device(&family("Apple", None)), "it is not known yet on what");
        assert!(bond.holds_device(&family("", Some(""))), "nor from what says nothing of itself");
        assert!(bond.holds_device(&family("Linux", Some("Firefox"))));
        assert!(bond.holds_device(&family("Linux", None)));
        assert!(!bond.holds_device(&family("Apple", None)));
        assert!(!bond.holds_device(&family("Linux", Some("Chrome"))));
        assert!(!bond.holds_device(&family("", Some(""))), "nor one that says nothing of itself");
    }

    #[test]
    fn a_binding_is_one_of_four_words() {
        let read = |text: &str| text.parse::<Binding>().map(|it| (it.network, it.device));
        assert_eq!(read("none"), Ok((false, false)));
        assert_eq!(read("network"), Ok((true, false)));
        assert_eq!(read("device"), Ok((false, true)));
        assert_eq!(read("both"), Ok((true, true)));
        assert_eq!(read("Network"), Err(NotABinding));
    }
}
