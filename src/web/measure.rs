//! Counts every request by the part of the server it was for.

use rocket::{Request, Response};

use super::{door, noted::Noted};
use crate::domain::metrics::Part;

/// Counts a request with the answer that it gets.
pub(super) fn measure(request: &Request<'_>, response: &Response<'_>) {
    let part = part(request.uri().path().as_str());
    door::count(request, part, response.status().code, Noted::of(request).came.elapsed());
}

fn part(path: &str) -> Part {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    match first {
        "api" => Part::Api,
        "auth" | ".rollcall" => Part::Gate,
        "es" | "v1" => Part::Shippers,
        "healthz" | "readyz" | "metrics" => Part::Watch,
        _ => Part::Pages,
    }
}

#[cfg(test)]
mod tests {
    use super::{Part, part};

    #[test]
    fn a_request_is_counted_where_it_belongs() {
        let parts =
            ["/", "/sessions", "/api/v1/me", "/auth/forward", "/es/_bulk", "/v1/logs", "/metrics"].map(part);
        assert_eq!(
            parts,
            [Part::Pages, Part::Pages, Part::Api, Part::Gate, Part::Shippers, Part::Shippers, Part::Watch]
        );
    }
}
