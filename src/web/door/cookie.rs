//! The cookie that carries a session, and the one that marks a browser somebody has signed in on: the only place that reads
//! or writes them.
//!
//! Over TLS their names begin with `__Host-`, which browsers take only with `Secure`, for the whole host and
//! for no other. Over plain HTTP, on a loopback address or where the operator insists, such a cookie would
//! not be kept, so they have other names there.

use rocket::{
    Request, Response,
    http::Header,
    response::{self, Responder},
};

use crate::model::secret::{Familiar, Kind, Token};

const SECURE: &str = "__Host-rollcall";
const PLAIN: &str = "rollcall";

/// The same for the mark of a browser.
const SECURE_MARK: &str = "__Host-rollcall-browser";
const PLAIN_MARK: &str = "rollcall-browser";

/// How long a browser keeps its mark, in seconds: 400 days, which is the longest that browsers keep anything (RFC 6265bis).
const MARK_LASTS: u32 = 400 * 24 * 60 * 60;

/// The token that the request carries as a cookie.
pub(super) fn token(request: &Request<'_>, secure: bool) -> Option<Token> {
    let value = only(request, if secure { SECURE } else { PLAIN })?;
    value.parse().ok().filter(|token: &Token| token.kind() == Kind::Session)
}

/// The mark of the browser that the request comes from.
pub(super) fn mark(request: &Request<'_>, secure: bool) -> Option<Familiar> {
    only(request, if secure { SECURE_MARK } else { PLAIN_MARK })?.parse().ok()
}

/// The cookie of this name. Where there are two, neither is believed.
fn only<'r>(request: &'r Request<'_>, name: &str) -> Option<&'r str> {
    let pairs = request.headers().get("Cookie").flat_map(|line| line.split(';'));
    let mut values = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(known, _)| *known == name);
    let (_, value) = values.next()?;
    values.next().is_none().then_some(value)
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
    pub(super) const fn keep(inner: R) -> Self {
        Self { headers: Vec::new(), clear: false, inner }
    }

    /// Marks the browser as well.
    pub(super) fn and_mark(mut self, mark: &Familiar, secure: bool) -> Self {
        let name = if secure { SECURE_MARK } else { PLAIN_MARK };
        let (_, attributes) = Self::form(secure);
        self.headers.push(format!("{name}={}; {attributes}; Max-Age={MARK_LASTS}", mark.reveal()));
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
            response.header(Header::new("Clear-Site-Data", "\"cache\", \"storage\""));
        }
        response.ok()
    }
}
