//! Whether an unsafe request comes from our own pages.
//!
//! Browsers say so in `Sec-Fetch-Site`; where they do not (plain HTTP beyond this machine), `Origin` does.
//! A request that carries the cookie and neither of the two is refused: no browser sends one.

use rocket::{Request, http::Method};

use super::Settings;

/// Whether the method may change something.
pub(super) fn is_unsafe(method: Method) -> bool {
    !matches!(method, Method::Get | Method::Head | Method::Options)
}

/// What the request says of where it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// On one of our own pages.
    Here,
    /// Elsewhere.
    Elsewhere,
    /// It does not say: a program, not a browser.
    Unsaid,
}

pub(super) fn made(request: &Request<'_>, settings: &Settings) -> Made {
    let headers = request.headers();
    if let Some(site) = headers.get_one("Sec-Fetch-Site") {
        return if site == "same-origin" { Made::Here } else { Made::Elsewhere };
    }
    match (headers.get_one("Origin"), headers.get_one("Host")) {
        (None, _) => Made::Unsaid,
        (Some(origin), host) => {
            let expected = settings.public_url.clone().or_else(|| {
                let scheme = if settings.secure { "https" } else { "http" };
                host.map(|host| format!("{scheme}://{host}"))
            });
            if expected.is_some_and(|expected| expected.eq_ignore_ascii_case(origin)) {
                Made::Here
            } else {
                Made::Elsewhere
            }
        }
    }
}
