//! Web addresses, as far as it matters whose they are: two that a browser takes for the same are the same here.

use std::{
    fmt::{self, Write as _},
    str::FromStr,
};

/// The longest address that is understood, in bytes.
const LONGEST: usize = 8192;

/// Scheme, host and port (an *origin*, RFC 6454) in one form: lower case, no dot at the end of the host, no port where it
/// is the scheme's own.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Site {
    text: String,
    /// Where the host begins and ends in `text`.
    host: (usize, usize),
}

/// What was given is not scheme, host and, if needed, port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an address is http:// or https://, a host and, if needed, a port: https://wiki.example.org")]
pub struct NotASite;

impl Site {
    /// The site of a scheme, and of a host with or without a port, as they stand in headers.
    pub fn of(scheme: &str, authority: &str) -> Result<Self, NotASite> {
        let known = [("https", 443), ("http", 80)];
        let known = known.into_iter().find(|(known, _)| scheme.eq_ignore_ascii_case(known));
        let (scheme, own_port) = known.ok_or(NotASite)?;
        if authority.len() > 255 + ":65535".len() {
            return Err(NotASite);
        }
        let mut text = String::with_capacity(scheme.len() + "://".len() + authority.len());
        text.push_str(scheme);
        text.push_str("://");
        let start = text.len();
        let bracketed = authority.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let port = if let Some((inside, behind)) = bracketed {
            let ip: std::net::Ipv6Addr = inside.parse().map_err(|_| NotASite)?;
            let _ = write!(text, "[{ip}]");
            if behind.is_empty() { behind } else { behind.strip_prefix(':').ok_or(NotASite)? }
        } else {
            let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
            let host = host.strip_suffix('.').unwrap_or(host);
            let good = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_');
            if host.split('.').any(str::is_empty) || !host.bytes().all(good) {
                return Err(NotASite);
            }
            text.push_str(host);
            port
        };
        text[start..].make_ascii_lowercase();
        let end = text.len();
        let digits = port.bytes().all(|c| c.is_ascii_digit());
        let port: Option<u16> = match port {
            "" => None,
            port if digits => Some(port.parse().map_err(|_| NotASite)?),
            _ => return Err(NotASite),
        };
        if let Some(port) = port.filter(|port| *port != own_port) {
            let _ = write!(text, ":{port}");
        }
        Ok(Self { text, host: (start, end) })
    }

    /// As it is written in front of a path.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its host, without the port: what browsers keep cookies by.
    pub fn host(&self) -> &str {
        &self.text[self.host.0..self.host.1]
    }

    /// Whether it is reached over TLS.
    pub fn secure(&self) -> bool {
        self.text.starts_with("https:")
    }

    /// Whether its host is `domain` or lies under it.
    pub fn under(&self, domain: &str) -> bool {
        let front = self.host().strip_suffix(domain);
        front.is_some_and(|front| front.is_empty() || front.ends_with('.'))
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Site {
    type Err = NotASite;

    fn from_str(text: &str) -> Result<Self, NotASite> {
        let address: Address = text.trim().parse()?;
        if address.rest == "/" { Ok(address.site) } else { Err(NotASite) }
    }
}

/// An address on a site: what somebody was about to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Whose it is.
    pub site: Site,
    /// Path and query; begins with `/`, and is visible ASCII without a backslash.
    pub rest: String,
}

impl Address {
    /// An address of what stands behind the site. Where it holds what no browser sends, or is longer than what is read as one, it is
    /// the site's first page.
    pub fn on(site: Site, rest: &str) -> Self {
        let short = site.text.len() + rest.len() <= LONGEST;
        let rest = if short && plain(rest) && rest.starts_with('/') { rest } else { "/" };
        Self { site, rest: rest.to_owned() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.site, self.rest)
    }
}

impl FromStr for Address {
    type Err = NotASite;

    /// Reads an address so that no browser could understand it as another site's: what browsers mend (backslashes, tabs,
    /// missing slashes, a user before the host) is refused.
    fn from_str(text: &str) -> Result<Self, NotASite> {
        if text.len() > LONGEST || !plain(text) {
            return Err(NotASite);
        }
        let (scheme, behind) = text.split_once("://").ok_or(NotASite)?;
        let end = behind.find(['/', '?', '#']).unwrap_or(behind.len());
        let (authority, rest) = behind.split_at(end);
        let site = Site::of(scheme, authority)?;
        let rest = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
        Ok(Self { site, rest })
    }
}

/// Where a pass to apps is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Realm {
    /// At this host, whatever the port.
    Host(String),
    /// In this domain: at it, and at every host under it.
    Domain(String),
}

impl Realm {
    /// Whether a site lies in it.
    pub fn holds(&self, site: &Site) -> bool {
        match self {
            Self::Host(host) => site.host() == host,
            Self::Domain(domain) => site.under(domain),
        }
    }
}

impl fmt::Display for Realm {
    /// A host as it is, a domain with a dot in front.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => f.write_str(host),
            Self::Domain(domain) => write!(f, ".{domain}"),
        }
    }
}

impl From<&str> for Realm {
    /// Reads what its `Display` writes.
    fn from(text: &str) -> Self {
        text.strip_prefix('.')
            .map_or_else(|| Self::Host(text.to_owned()), |domain| Self::Domain(domain.to_owned()))
    }
}

/// Visible ASCII alone, and nothing that browsers turn into a slash.
fn plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(text: &str) -> Option<String> {
        text.parse::<Site>().ok().map(|site| site.to_string())
    }

    #[test]
    fn a_site_has_one_form() {
        for same in [
            "https://Wiki.example.org",
            "https://wiki.example.org/",
            "HTTPS://wiki.example.org:443",
            "https://wiki.example.org.",
        ] {
            assert_eq!(site(same).as_deref(), Some("https://wiki.example.org"), "{same}");
        }
        assert_eq!(site("http://10.0.0.7:3000").as_deref(), Some("http://10.0.0.7:3000"));
        assert_eq!(site("http://[FE80::0:1]:80").as_deref(), Some("http://[fe80::1]"));
        for bad in [
            "wiki",
            "ftp://wiki",
            "https://",
            "https://wiki/path",
            "https://a@wiki",
            "javascript:alert(1)",
            "https://wiki:99999",
            "https://wiki:",
            "https://.",
            "https://wiki..",
            "https://wiki..example.org",
            "https://wiki:x",
            "https://[wiki]",
            "https://[::1]x",
            "http://a,b",
            "https://wïki",
        ] {
            let lone_colon = bad == "https://wiki:";
            assert_eq!(site(bad).is_none(), !lone_colon, "{bad}");
        }
    }

    #[test]
    fn a_domain_holds_itself_and_what_lies_under_it() {
        let wiki: Site = "https://wiki.example.org".parse().unwrap();
        assert!(wiki.under("example.org") && wiki.under("wiki.example.org"));
        assert!(!wiki.under("xample.org") && !wiki.under("a.wiki.example.org") && !wiki.under("org.evil"));
    }

    #[test]
    fn a_realm_is_read_back_and_holds_what_lies_in_it() {
        let wiki: Site = "https://wiki.example.org:8443".parse().unwrap();
        for (text, holds) in [
            ("wiki.example.org", true),
            ("example.org", false),
            (".example.org", true),
            (".wiki.example.org", true),
            (".org.x", false),
        ] {
            let realm = Realm::from(text);
            assert_eq!((realm.to_string().as_str(), realm.holds(&wiki)), (text, holds));
        }
    }

    #[test]
    fn an_address_is_read_as_browsers_read_it_or_not_at_all() {
        let address: Address = "https://wiki.example.org/a?b=https://evil#c".parse().unwrap();
        assert_eq!(
            (address.site.as_str(), address.rest.as_str()),
            ("https://wiki.example.org", "/a?b=https://evil#c")
        );
        assert_eq!("https://wiki?a".parse::<Address>().unwrap().to_string(), "https://wiki/?a");
        for bad in [
            "//evil",
            "/\\evil",
            "\\/evil",
            "https:evil",
            "https:/evil",
            "https://ok@evil",
            "javascript:1",
            "\t//evil",
            " https://ok",
            "https://ok\r\nX: y",
            "https://ok\\.evil",
            "https://ok%2eevil",
            "",
            "/",
            "evil",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad:?}");
        }
        let long = format!("https://ok/{}", "a".repeat(LONGEST));
        assert!(long.parse::<Address>().is_err());
    }
}
