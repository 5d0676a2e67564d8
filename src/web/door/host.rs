//! Whether a request is for us, by the host that it names.
//!
//! Whoever has a name of their own may have it lead to this machine (DNS rebinding): a page of theirs in the browser of somebody who can
//! reach us then asks us in the name of that site, and reads what is answered. Its requests name that host, and nobody who is to come
//! in needs it.

use std::net::{IpAddr, Ipv6Addr};

use rocket::Request;

use super::{door, programs::shows_a_token};
use crate::web::{failure::Failure, gate};

// What a request line names besides the path (`GET http://rollcall.example.org/signin`) the framework does not keep: everything goes by
// `Host`, here and wherever else a host is of any matter.

/// What is asked for under other names too: by proxies and the browsers they send (`/auth/` and what lies at an app's address), by those
/// who look whether we live, and by the page that says that this is the wrong address.
const OPEN: [&str; 3] = ["/auth/", gate::PREFIX, "/assets/"];

/// Refuses a request that names another host than that of the public address, where one is set. An address in numbers and this machine's
/// own name for itself lead nowhere else; a trusted proxy has chosen what it passes on, and a program with a token that
/// works is no page; a page may send any other word in its place.
pub(in crate::web) fn stray(request: &Request<'_>) -> Option<Failure> {
    let settings = &door(request).settings;
    let url = settings.public_url.as_deref()?;
    let own = host(url.split_once("://")?.1);
    let named = request.headers().get_one("Host")?;
    let path = request.uri().path().as_str();
    let is_known = host(named).eq_ignore_ascii_case(own)
        || is_local(host(named))
        || OPEN.iter().any(|open| path.starts_with(open))
        || matches!(path, "/healthz" | "/readyz")
        || shows_a_token(request)
        || request.remote().is_some_and(|peer| settings.trusted_proxies.contain(peer.ip()));
    if is_known { None } else { Some(Failure::other_host(url)) }
}

/// Whether a request names this machine in a way that nobody else has a say in.
pub(super) fn names_this_machine(request: &Request<'_>) -> bool {
    request.headers().get("Host").all(|named| is_local(host(named)))
}

/// The host of an authority: without the port, and without the dot at its end.
fn host(authority: &str) -> &str {
    let authority = authority.split('/').next().unwrap_or_default();
    let end =
        if authority.starts_with('[') { authority.find(']').map(|at| at + 1) } else { authority.find(':') };
    let host = authority.get(..end.unwrap_or(authority.len())).unwrap_or_default();
    host.strip_suffix('.').unwrap_or(host)
}

/// Whether no name server is asked where this is.
fn is_local(host: &str) -> bool {
    let within = |host: &str| host.len() > ".localhost".len() && host.ends_with(".localhost");
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    host.parse::<IpAddr>().is_ok()
        || bracketed.is_some_and(|inside| inside.parse::<Ipv6Addr>().is_ok())
        || host.eq_ignore_ascii_case("localhost")
        || within(&host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_known_without_its_port_and_a_local_one_by_its_form_alone() {
        for (authority, bare, local) in [
            ("rollcall.example.org", "rollcall.example.org", false),
            ("rollcall.example.org.:8443", "rollcall.example.org", false),
            ("127.0.0.1:8080", "127.0.0.1", true),
            ("[::1]:8080", "[::1]", true),
            ("[::1]", "[::1]", true),
            ("LOCALHOST:80", "LOCALHOST", true),
            ("rollcall.localhost", "rollcall.localhost", true),
            ("localhost.evil.test", "localhost.evil.test", false),
            ("127.0.0.1.evil.test", "127.0.0.1.evil.test", false),
            ("evillocalhost", "evillocalhost", false),
            ("[evil.test]", "[evil.test]", false),
            (".localhost", ".localhost", false),
            ("[", "[", false),
            ("", "", false),
        ] {
            assert_eq!((host(authority), is_local(bare)), (bare, local), "{authority}");
        }
    }
}
