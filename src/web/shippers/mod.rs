//! The protocols that log shippers speak already, so that they need nothing but an address and a token.

pub(super) mod elastic;
pub(super) mod otlp;

use rocket::{Request, Response, http::Status};

use super::failure::Failure;

/// What is said of methods that there are none of for documents.
const APPEND_ONLY: &str = "the log is append-only: documents are added, and none is changed or removed";

/// A refusal as the programs at this address read it; none where they read ours.
pub(super) fn refusal(request: &Request<'_>, failure: &Failure) -> Option<Response<'static>> {
    let path = request.uri().path();
    let path = path.as_str();
    let failure = &failure.for_shippers();
    if path == "/es" || path.starts_with("/es/") {
        Some(match failure.status() {
            // Whoever changes or removes a document would look for the right way to do it.
            Status::MethodNotAllowed => elastic::refusal(&failure.clone().saying(APPEND_ONLY)),
            _ => elastic::refusal(failure),
        })
    } else if path.starts_with("/v1/") {
        Some(otlp::refusal(request, failure))
    } else {
        None
    }
}
