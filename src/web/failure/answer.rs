//! How a refusal is answered: as JSON to programs, as a page to people, in the words of whoever else asked.

use std::borrow::Cow;

use rocket::{
    Request, Response,
    http::{ContentType, Header, Method, Status},
    response::{self, Responder},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{FACTOR_REQUIRED, Failure, NOT_A_PROXY};
use crate::web::{door, gate, pages, shippers};

/// Why a request was refused.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"error": {"code": "bad_field", "message": "limit is a number from 1 to 1000", "field": "limit"}}))]
pub(in crate::web) struct Refusal {
    error: Reason,
}

/// What is told of a refusal.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct Reason {
    /// For programs: it does not change.
    code: &'static str,
    /// For a person: what to do.
    message: Cow<'static, str>,
    /// What it is about, if about one field.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// Where in that field, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
}

impl Failure {
    /// What is told of it to programs.
    pub(in crate::web) fn into_reason(self) -> Reason {
        Reason {
            code: self.code,
            message: self.message,
            field: self.field.map(String::from),
            column: self.column,
        }
    }
}

impl<'r> Responder<'r, 'static> for Failure {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let mut response = if let Some(told) = shippers::refusal(request, &self) {
            told
        } else if self.code == NOT_A_PROXY && door::asks_for_a_page(request) {
            Box::new(elsewhere(request, &self)).respond_to(request)?
        } else if wants_json(request) {
            let error = Reason {
                code: self.code,
                message: self.message,
                field: self.field.map(String::from),
                column: self.column,
            };
            let body = serde_json::to_string(&Refusal { error }).unwrap_or_default();
            Response::build_from((ContentType::JSON, body).respond_to(request)?).finalize()
        } else if self.status == Status::Unauthorized && request.method() == Method::Get {
            to_sign_in(request)
        } else if self.code == FACTOR_REQUIRED {
            let location = Header::new("Location", "/profile/second-factor");
            Response::build().status(Status::SeeOther).header(location).finalize()
        } else if let Some(fields) = self.step_up {
            pages::step_up(request, fields).respond_to(request)?
        } else if is_shown_elsewhere(request) {
            Box::new(elsewhere(request, &self)).respond_to(request)?
        } else {
            pages::failure(request, self.status.code, &self.message).respond_to(request)?
        };
        if response.status() == Status::Ok {
            response.set_status(self.status);
        }
        if self.status == Status::Unauthorized && wants_json(request) {
            response.set_header(Header::new("WWW-Authenticate", "Bearer"));
        }
        if self.status == Status::MethodNotAllowed
            && let Some(allow) = methods(request)
        {
            response.set_header(Header::new("Allow", allow));
        }
        if let Some(seconds) = self.retry_after {
            response.set_header(Header::new("Retry-After", seconds.to_string()));
        }
        Ok(response)
    }
}

/// The page that says so at an app's own address.
fn elsewhere(request: &Request<'_>, failure: &Failure) -> gate::Elsewhere {
    let own = door::own_address(request);
    gate::Elsewhere::because(own, failure.status, pages::sentence(&failure.message))
}

/// Sends whoever is not signed in to the sign-in page, and back here afterwards.
fn to_sign_in(request: &Request<'_>) -> Response<'static> {
    let here = request.uri().to_string();
    let target = if here == "/" || here == "/sessions" {
        "/signin".to_owned()
    } else {
        let encoded: String = form_urlencoded::byte_serialize(here.as_bytes()).collect();
        format!("/signin?next={encoded}")
    };
    Response::build().status(Status::SeeOther).header(Header::new("Location", target)).finalize()
}

/// What a proxy fetches in the place of what was asked for.
const DENIED: &str = "/auth/denied";

/// Whether a page in answer to this is shown at an app's own address.
fn is_shown_elsewhere(request: &Request<'_>) -> bool {
    let path = request.uri().path();
    path.as_str().starts_with(gate::PREFIX) || path.as_str().starts_with(DENIED)
}

/// Where there is nothing, for a request that is turned away: what is said there is drawn as where it was going. A check that is made
/// for a page is one that most proxies answer the browser with.
pub(super) fn nowhere(request: &Request<'_>) -> &'static str {
    let checks_a_page = request.uri().path() == "/auth/forward" && door::asks_for_a_page(request);
    if checks_a_page || is_shown_elsewhere(request) && !wants_json(request) {
        "/.rollcall/nowhere"
    } else if wants_json(request) {
        "/api/nowhere"
    } else {
        "/nowhere"
    }
}

/// Whether the sender is a program: it is answered in JSON.
pub(super) fn wants_json(request: &Request<'_>) -> bool {
    let path = request.uri().path();
    let path = path.as_str();
    // A proxy asks for it on behalf of whoever asked.
    if path.starts_with(DENIED) {
        return !door::asks_for_a_page(request);
    }
    ["/api/", "/auth/nginx", "/auth/forward", "/es", "/v1/", "/healthz", "/readyz", "/metrics"]
        .iter()
        .any(|at| path.starts_with(at))
}

/// The methods that something at the request's address takes, as `Allow` lists them. None where there is nothing, or where
/// something takes the request's method and has forwarded it.
pub(super) fn methods(request: &Request<'_>) -> Option<String> {
    let asked: Vec<&str> = request.uri().path().as_str().split('/').filter(|word| !word.is_empty()).collect();
    let routes = request.rocket().routes().filter(|route| fits(route.uri.path(), &asked));
    let mut methods: Vec<Method> = routes.map(|route| route.method).collect();
    if methods.contains(&Method::Get) {
        methods.push(Method::Head);
    }
    if methods.is_empty() || methods.contains(&request.method()) {
        return None;
    }
    let mut names: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    Some(names.join(", "))
}

/// Whether a route's path, with its placeholders, is that of the words asked for.
fn fits(path: &str, asked: &[&str]) -> bool {
    let mut asked = asked.iter();
    for word in path.split('/').filter(|word| !word.is_empty()) {
        if word.ends_with("..>") {
            return true;
        }
        if !asked.next().is_some_and(|asked| word.starts_with('<') || word == *asked) {
            return false;
        }
    }
    asked.next().is_none()
}
