//! The cookie that carries a session: the only place that reads or writes it.
//!
//! Over TLS its name begins with `__Host-`, which browsers take only with `Secure`, for the whole host and
//! for no other. Over plain HTTP, on a loopback address or where the operator insists, such a cookie would
//! not be kept, so it has another name there.

use rocket::{
    Request, Response,
    http::Header,
    response::{self, Responder},
};

use crate::model::secret::{Kind, Token};

const SECURE: &str = "__Host-rollcall";
const PLAIN: &str = "rollcall";

/// The token that the request carries as a cookie. Where there are two, neither is believed.
pub(super) fn token(request: &Request<'_>, secure: bool) -> Option<Token> {
    let name = if secure { SECURE } else { PLAIN };
    let pairs = request.headers().get("Cookie").flat_map(|line| line.split(';'));
    let mut values = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(known, _)| *known == name);
    let (_, value) = values.next()?;
    if values.next().is_some() {
        return None;
    }
    value.parse().ok().filter(|token: &Token| token.kind() == Kind::Session)
}

/// An answer that also sets or takes away the cookie. Setting lasts until the browser is closed; the session
/// itself has limits of its own.
pub struct SetCookie<R> {
    header: String,
    clear: bool,
    inner: R,
}

impl<R> SetCookie<R> {
    /// Gives the browser its token.
    pub(super) fn set(token: &Token, secure: bool, inner: R) -> Self {
        let (name, attributes) = Self::form(secure);
        Self { header: format!("{name}={}; {attributes}", token.reveal()), clear: false, inner }
    }

    /// Takes the token away, with the same attributes, or the browser would keep it.
    pub(super) fn remove(secure: bool, inner: R) -> Self {
        let (name, attributes) = Self::form(secure);
        Self { header: format!("{name}=; {attributes}; Max-Age=0"), clear: true, inner }
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
        response.header(Header::new("Set-Cookie", self.header));
        if self.clear {
            response.header(Header::new("Clear-Site-Data", "\"cache\", \"storage\""));
        }
        response.ok()
    }
}
