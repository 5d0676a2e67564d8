//! The cookie that carries a session, the one that marks a browser somebody has signed in on, and those that open apps: the
//! only place that reads or writes them.
//!
//! Over TLS their names begin with `__Host-`, which browsers take only with `Secure`, for the whole host and
//! for no other. Over plain HTTP, on a loopback address or where the operator insists, such a cookie would
//! not be kept, so they have other names there.

use rocket::{
    Request, Response,
    http::Header,
    response::{self, Responder},
};

use super::lines::{Line, lines};
use crate::model::secret::{Familiar, Kind, Token};

const SECURE: &str = "__Host-rollcall";
const PLAIN: &str = "rollcall";

/// The same for the mark of a browser.
const SECURE_MARK: &str = "__Host-rollcall-browser";
const PLAIN_MARK: &str = "rollcall-browser";

/// A pass to the app on this host, and one to those of the whole domain. A browser takes a name that begins with `__Secure-`
/// over TLS alone; `__Host-` would not go with a domain.
const SECURE_HOST_PASS: &str = "__Host-rollcall-app";
const PLAIN_HOST_PASS: &str = "rollcall-app";
const SECURE_DOMAIN_PASS: &str = "__Secure-rollcall-apps";
const PLAIN_DOMAIN_PASS: &str = "rollcall-apps";

/// What a browser that is about to be handed a session holds meanwhile, at the app's host: a nonce for each of its ways there, the
/// newest first, with a dot between. Several tabs of one app may be opened at once.
const SECURE_NONCE: &str = "__Host-rollcall-handover";
const PLAIN_NONCE: &str = "rollcall-handover";

/// How many of them it holds.
const NONCES: usize = 4;

/// How many passes of one name are looked at.
const PASSES: usize = 8;

/// How long a browser keeps its mark, in seconds: 400 days, which is the longest that browsers keep anything (RFC 6265bis).
const MARK_LASTS: u32 = 400 * 24 * 60 * 60;

/// In which header cookies come.
pub(super) const COOKIE: &str = "Cookie";

/// The cookies that a request carries.
#[derive(Clone, Copy)]
pub(super) struct Jar<'r> {
    request: &'r Request<'r>,
    line: Line<'r>,
}

impl<'r> Jar<'r> {
    pub(super) fn of(request: &'r Request<'_>) -> Self {
        let [line] = lines(request, [COOKIE]);
        Self::in_line(request, line)
    }

    /// The same, where its line of [`COOKIE`] has been found.
    pub(super) const fn in_line(request: &'r Request<'_>, line: Line<'r>) -> Self {
        Self { request, line }
    }

    /// The token of a session.
    pub(super) fn token(self, secure: bool) -> Option<Token> {
        let value = self.only(if secure { SECURE } else { PLAIN })?;
        value.parse().ok().filter(|token: &Token| token.kind() == Kind::Session)
    }

    /// The mark of the browser.
    pub(super) fn mark(self, secure: bool) -> Option<Familiar> {
        self.only(if secure { SECURE_MARK } else { PLAIN_MARK })?.parse().ok()
    }

    /// The passes to an app that is reached over TLS or not: those of each name by themselves. There may be several, as of a domain and
    /// of one above it, and most of them long over.
    pub(super) fn passes(self, secure: bool) -> impl Iterator<Item = impl Iterator<Item = Token>> {
        let names = if secure {
            [SECURE_HOST_PASS, SECURE_DOMAIN_PASS]
        } else {
            [PLAIN_HOST_PASS, PLAIN_DOMAIN_PASS]
        };
        names.into_iter().map(move |name| {
            let passes = named(self.line.all(self.request), name).filter_map(|value| value.parse().ok());
            passes.filter(|token: &Token| token.kind() == Kind::Pass).take(PASSES)
        })
    }

    /// The nonces, at an app's host, the newest first.
    pub(super) fn nonces(self, secure: bool) -> impl Iterator<Item = Token> {
        let value = self.only(if secure { SECURE_NONCE } else { PLAIN_NONCE }).unwrap_or_default();
        let nonces = value.split('.').take(NONCES).filter_map(|nonce| nonce.parse().ok());
        nonces.filter(|token: &Token| token.kind() == Kind::Handover)
    }

    fn only(self, name: &str) -> Option<&'r str> {
        only_cookie(self.line.all(self.request), name)
    }
}

/// The cookie of this name in the lines of a `Cookie` header. Where there are two, neither is believed.
pub fn only_cookie<'a>(lines: impl Iterator<Item = &'a str>, name: &str) -> Option<&'a str> {
    let mut values = named(lines, name);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// The cookies of this name.
fn named<'a>(lines: impl Iterator<Item = &'a str>, name: &str) -> impl Iterator<Item = &'a str> {
    let pairs = lines.flat_map(|line| line.split(';'));
    let pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(move |(known, _)| *known == name).map(|(_, value)| value)
}

/// An answer that may also set or take away cookies. Setting the session's lasts until the browser is closed; the session
/// itself has limits of its own.
pub struct SetCookie<R> {
    headers: Vec<String>,
    clear: bool,
    inner: R,
}

impl<R> SetCookie<R> {
    /// Gives the browser its token.
    pub(super) fn set(token: &Token, secure: bool, inner: R) -> Self {
        let (name, attributes) = Self::form(secure);
        Self { headers: vec![format!("{name}={}; {attributes}", token.reveal())], clear: false, inner }
    }

    /// Leaves the browser's token as it is.
    pub const fn keep(inner: R) -> Self {
        Self { headers: Vec::new(), clear: false, inner }
    }

    /// Marks the browser as well.
    pub(super) fn and_mark(mut self, mark: &Familiar, secure: bool) -> Self {
        let name = if secure { SECURE_MARK } else { PLAIN_MARK };
        let (_, attributes) = Self::form(secure);
        self.headers.push(format!("{name}={}; {attributes}; Max-Age={MARK_LASTS}", mark.reveal()));
        self
    }

    /// Gives the browser a pass to the apps of a domain as well, over which Rollcall itself is reached `secure` or not.
    pub(super) fn and_domain_pass(mut self, pass: &Token, domain: &str, secure: bool) -> Self {
        let name = if secure { SECURE_DOMAIN_PASS } else { PLAIN_DOMAIN_PASS };
        let (_, attributes) = Self::form(secure);
        self.headers.push(format!("{name}={}; Domain={domain}; {attributes}", pass.reveal()));
        self
    }

    /// Takes the pass to the apps of a domain away as well.
    pub(super) fn without_domain_pass(mut self, domain: &str, secure: bool) -> Self {
        let name = if secure { SECURE_DOMAIN_PASS } else { PLAIN_DOMAIN_PASS };
        let (_, attributes) = Self::form(secure);
        self.headers.push(format!("{name}=; Domain={domain}; {attributes}; Max-Age=0"));
        self
    }

    /// Gives the browser a pass to the app on this host, for the nonces that it held.
    pub(super) fn and_host_pass(mut self, pass: &Token, secure: bool) -> Self {
        let (name, nonce) =
            if secure { (SECURE_HOST_PASS, SECURE_NONCE) } else { (PLAIN_HOST_PASS, PLAIN_NONCE) };
        let (_, attributes) = Self::form(secure);
        self.headers.push(format!("{name}={}; {attributes}", pass.reveal()));
        self.headers.push(format!("{nonce}=; {attributes}; Max-Age=0"));
        self
    }

    /// Gives the browser nonces at this host, the newest first, for as long as a sign-in may take. The oldest of too many go.
    pub(super) fn and_nonces(mut self, nonces: impl Iterator<Item = Token>, secure: bool) -> Self {
        let name = if secure { SECURE_NONCE } else { PLAIN_NONCE };
        let (_, attributes) = Self::form(secure);
        let nonces: Vec<String> = nonces.take(NONCES).map(|nonce| nonce.reveal()).collect();
        self.headers.push(format!("{name}={}; {attributes}; Max-Age=600", nonces.join(".")));
        self
    }

    /// Takes the token away, with the same attributes, or the browser would keep it.
    pub(super) fn remove(secure: bool, inner: R) -> Self {
        let (name, attributes) = Self::form(secure);
        Self { headers: vec![format!("{name}=; {attributes}; Max-Age=0")], clear: true, inner }
    }

    const fn form(secure: bool) -> (&'static str, &'static str) {
        if secure {
            (SECURE, "Path=/; Secure; HttpOnly; SameSite=Lax")
        } else {
            (PLAIN, "Path=/; HttpOnly; SameSite=Lax")
        }
    }
}

impl<'r, 'o: 'r, R: Responder<'r, 'o>> Responder<'r, 'o> for SetCookie<R> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'o> {
        let mut response = Response::build_from(self.inner.respond_to(request)?);
        for header in self.headers {
            response.header_adjoin(Header::new("Set-Cookie", header));
        }
        if self.clear {
            // Not "cookies": browsers would take those of the whole registrable domain, of every app that shares it and of whatever
            // else is there, and with them the mark by which its user is not held back by strangers' tries.
            response.header(Header::new("Clear-Site-Data", "\"cache\", \"storage\""));
        }
        response.ok()
    }
}
