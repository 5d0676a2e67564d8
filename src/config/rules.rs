//! What settings that belong together may be: each fault is a sentence that begins with the name of its setting.

use std::{net::SocketAddr, path::PathBuf};

use ipnet::IpNet;

use crate::{
    domain::evidence::Outlet,
    model::site::Site,
    web::{
        door::{Networks, Plain},
        front,
    },
};

/// Where the certificate comes from, if Rollcall is to speak TLS itself.
pub(super) fn tls(
    files: (Option<PathBuf>, Option<PathBuf>),
    self_signed: bool,
    listen: Option<SocketAddr>,
    public_url: Option<&str>,
    fault: &mut impl FnMut(String),
) -> Option<front::Source> {
    let source = match files {
        (None, None) if !self_signed => return None,
        (None, None) => front::Source::SelfSigned { names: front::names(listen?, public_url, host_name()) },
        (Some(certificate), Some(key)) if !self_signed => front::Source::Files { certificate, key },
        _ if self_signed => {
            fault("tls-self-signed: leave it out where tls-cert and tls-key are set".to_owned());
            return None;
        }
        _ => {
            fault("tls-cert, tls-key: the certificate and its key are set together".to_owned());
            return None;
        }
    };
    if public_url.is_some_and(|url| !url.starts_with("https://")) {
        fault("public-url: Rollcall speaks TLS itself, so the address begins with https://".to_owned());
    }
    Some(source)
}

/// Where checkpoints go.
pub(super) fn outlets(
    file: Option<PathBuf>,
    syslog: Option<String>,
    webhook: Option<String>,
    fault: &mut impl FnMut(String),
) -> Vec<Outlet> {
    let mut outlets: Vec<Outlet> = file.map(Outlet::File).into_iter().collect();
    if let Some(text) = syslog {
        match text.parse() {
            Ok(address) => outlets.push(Outlet::Syslog(address)),
            Err(_) => {
                fault(format!(
                    "checkpoint-syslog: {text:?} is not an address with a port, like 10.0.0.9:514"
                ));
            }
        }
    }
    if let Some(text) = webhook {
        match text.parse::<http::Uri>() {
            Ok(uri) if matches!(uri.scheme_str(), Some("http" | "https")) => {
                outlets.push(Outlet::Webhook(uri));
            }
            _ => fault(format!(
                "checkpoint-webhook: {text:?} is not an address like https://keeper.example.org/rollcall"
            )),
        }
    }
    outlets
}

/// The networks of an option that lists some. Where one, or what several come to together, would `verb` anybody, that is a fault:
/// nobody's proxies or machines fill more than the largest private network of IPv4, 10.0.0.0/8, and no provider has as much as a /16
/// of IPv6; halves and quarters of all there is are how somebody writes everybody who was refused 0.0.0.0/0.
pub(super) fn networks(
    option: &str,
    written: Option<Vec<String>>,
    verb: &str,
    fault: &mut impl FnMut(String),
) -> Option<Networks> {
    let mut networks = Vec::new();
    for text in written?.iter().flat_map(|text| text.split(',')) {
        match Networks::parse(text.trim()) {
            Some(network) => networks.push(network),
            None => fault(format!("{option}: {text:?} is not an address or a network like 10.0.0.0/8")),
        }
    }
    for all in IpNet::aggregate(&networks) {
        if is_anybody(&all) {
            fault(format!(
                "{option}: {all} would {verb} anybody; name the address itself, like 10.0.0.2, or the network itself, which is no larger than 10.0.0.0/8, or than a /16 of IPv6"
            ));
        }
    }
    Some(Networks(networks))
}

/// Whether a network is larger than anybody's own. Of IPv6, `fc00::/7` is nobody's but one's own, all of it.
fn is_anybody(network: &IpNet) -> bool {
    match network {
        IpNet::V4(network) => network.prefix_len() < 8,
        IpNet::V6(network) => network.prefix_len() < 16 && !network.network().is_unique_local(),
    }
}

/// What this machine is called, where the system says so.
pub(super) fn host_name() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned())
}

/// Whether passwords can be read on their way, where Rollcall speaks no TLS itself. That nobody else does either is a fault beyond
/// this machine unless the operator has `insisted`. Whoever trusts a proxy has said who might, and with the public address whether it
/// does; where that is not said, and anything is beyond this machine, it may be that it does not.
pub(super) fn plain_http(
    listen: Option<SocketAddr>,
    proxies: Option<&Networks>,
    public_url: Option<&str>,
    insisted: bool,
    fault: &mut impl FnMut(String),
) -> Option<Plain> {
    let beyond = listen.is_some_and(|listen| !listen.ip().is_loopback());
    let proxies = proxies.map_or(&[][..], |proxies| &proxies.0);
    if !beyond || !proxies.is_empty() {
        let here = this_machine();
        let is_here = |proxy| here.0.iter().any(|network| network.contains(proxy));
        let open = match public_url {
            Some(url) => !url.starts_with("https://") && !is_of_this_machine(url),
            None => beyond || !proxies.iter().all(is_here),
        };
        return open.then_some(Plain::BeforeTheProxy);
    }
    if !insisted {
        fault(
            "listen: beyond this machine passwords could be read on the way; speak TLS with --tls-cert and --tls-key or --tls-self-signed, or put a proxy with TLS before it and name it with --trusted-proxy and --public-url, or say --insecure-http if it must be so"
                .to_owned(),
        );
    }
    Some(Plain::Here)
}

/// Whether an address leads to the machine it is typed on.
fn is_of_this_machine(url: &str) -> bool {
    let Ok(url) = url.parse::<http::Uri>() else { return false };
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The domain whose apps a sign-in opens at once. What browsers would take no cookie for is a fault.
pub(super) fn cookie_domain(
    written: Option<String>,
    public_url: Option<&str>,
    fault: &mut impl FnMut(String),
) -> Option<String> {
    let domain = written?.trim_start_matches('.').to_ascii_lowercase();
    let own = public_url.and_then(|url| url.parse::<Site>().ok());
    if !domain.contains('.') || domain.parse::<std::net::IpAddr>().is_ok() {
        fault(format!("cookie-domain: {domain:?} is not a domain like example.org"));
    } else if is_everybodys(&domain) {
        fault(format!(
            "cookie-domain: below {domain} anybody may have a name, and browsers take no cookie for it; name your own, like example.{domain}"
        ));
    } else if !own.is_some_and(|own| own.under(&domain)) {
        fault(format!(
            "cookie-domain: browsers take it only from an address in {domain}; set public-url to one, like https://rollcall.{domain}"
        ));
    }
    Some(domain)
}

/// Whether anybody may register a name right below a domain, as far as it can be told without the whole of the public suffix
/// list: browsers have that, it changes every week, and it is as large as the rest of this binary's text. These are what
/// somebody would write who takes the end of their address for their domain.
fn is_everybodys(domain: &str) -> bool {
    // What comes before a country's own ending in most countries that have such.
    const SECOND: [&str; 16] = [
        "ac", "co", "com", "edu", "gob", "gov", "gv", "ltd", "mil", "ne", "net", "nom", "or", "org", "plc",
        "sch",
    ];
    const OTHERS: [&str; 28] = [
        "go.id",
        "go.jp",
        "go.kr",
        "go.th",
        "me.uk",
        "nhs.uk",
        "asso.fr",
        "id.au",
        "geek.nz",
        "duckdns.org",
        "ddns.net",
        "dyndns.org",
        "dynv6.net",
        "no-ip.org",
        "synology.me",
        "myfritz.net",
        "ts.net",
        "github.io",
        "gitlab.io",
        "pages.dev",
        "workers.dev",
        "fly.dev",
        "web.app",
        "vercel.app",
        "netlify.app",
        "onrender.com",
        "herokuapp.com",
        "azurewebsites.net",
    ];
    let second = domain.split_once('.').filter(|(_, country)| country.len() == 2);
    OTHERS.contains(&domain) || second.is_some_and(|(second, _)| SECOND.contains(&second))
}

pub(super) fn this_machine() -> Networks {
    Networks(["127.0.0.0/8", "::1"].into_iter().filter_map(Networks::parse).collect())
}

/// The public address, without a slash at the end.
pub(super) fn origin(written: &str, fault: &mut impl FnMut(String)) -> String {
    let url = written.trim_end_matches('/');
    if !good_origin(url) {
        fault(format!("public-url: {url:?} is not an address like https://rollcall.example.org"));
    }
    url.to_owned()
}

/// Scheme and host, with a port or without, and nothing behind.
fn good_origin(url: &str) -> bool {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@', '\\', ' ']))
}
