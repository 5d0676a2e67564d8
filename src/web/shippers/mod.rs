//! The protocols that log shippers speak already, so that they need nothing but an address and a token.

pub(super) mod elastic;
pub(super) mod otlp;

use rocket::{Request, Response};

use super::failure::Failure;

/// A refusal as the programs at this address read it; none where they read ours.
pub(super) fn refusal(request: &Request<'_>, failure: &Failure) -> Option<Response<'static>> {
    let path = request.uri().path();
    let path = path.as_str();
    let failure = &failure.for_shippers();
    if path == "/es" || path.starts_with("/es/") {
        Some(elastic::refusal(failure))
    } else if path.starts_with("/v1/") {
        Some(otlp::refusal(request, failure))
    } else {
        None
    }
}
