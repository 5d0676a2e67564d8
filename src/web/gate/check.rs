//! The check itself: once for proxies that understand redirects, and once for nginx, which does not.

use rocket::{
    Request, Response, delete, get,
    http::{Header, Status},
    options, patch, post, put,
    response::{self, Responder},
};

use super::{
    denied::{Denied, not_open},
    elsewhere::Elsewhere,
    identity::Identity,
};
use crate::{
    domain::gate::Decision,
    model::site::Address,
    web::{
        door::{Asked, AskedBy, Checkpoint},
        failure::{Failure, Refusal},
        openapi::described,
    },
};

/// What a proxy is told.
pub(in crate::web) enum Told {
    /// The request may pass, with these headers.
    Pass(Identity),
    /// Whoever asks must sign in, at this address.
    SignIn { location: String, status: Status },
    /// Not this one; the page says why.
    Denied(Box<Denied>),
    /// There is no such app; the page says what to do.
    Lost(Box<Elsewhere>),
    /// Not this one, for a program.
    Refused(Failure),
}

impl<'r> Responder<'r, 'static> for Told {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        match self {
            Self::Pass(identity) => identity.respond_to(request),
            Self::SignIn { location, status } => {
                let mut response = if status == Status::Unauthorized {
                    Failure::not_signed_in().respond_to(request)?
                } else {
                    Response::build().status(status).finalize()
                };
                response.set_header(Header::new("Location", location));
                Ok(response)
            }
            Self::Denied(denied) => denied.respond_to(request),
            Self::Lost(lost) => lost.respond_to(request),
            Self::Refused(failure) => failure.respond_to(request),
        }
    }
}

/// Decides on what is asked in `headers`; whoever is not signed in gets the status that `unauthorized` has for it.
async fn ask(
    checkpoint: &Checkpoint<'_>,
    headers: AskedBy,
    unauthorized: impl FnOnce(&Asked) -> Status,
) -> Result<Told, Failure> {
    let asked = checkpoint.asked(headers)?;
    let decision = checkpoint.admit(&asked.address.site).await?;
    Ok(told(checkpoint, &asked, decision, unauthorized))
}

/// What is said of a decision.
pub(super) fn told(
    checkpoint: &Checkpoint<'_>,
    asked: &Asked,
    decision: Decision,
    unauthorized: impl FnOnce(&Asked) -> Status,
) -> Told {
    match decision {
        Decision::Pass { app, user, live } => Told::Pass(Identity::of(&app, &user, live.id)),
        Decision::SignIn(_) => {
            let location = to_sign_in(&checkpoint.own_address(), &asked.address);
            Told::SignIn { location, status: unauthorized(asked) }
        }
        Decision::Forbidden(app, user, _) if asked.for_a_page => {
            Told::Denied(Box::new(Denied::new(checkpoint.own_address(), &asked.address, &app, &user)))
        }
        Decision::Forbidden(app, user, _) => Told::Refused(not_open(&app, &user)),
        Decision::NoApp if asked.for_a_page => {
            Told::Lost(Box::new(Elsewhere::no_app(checkpoint.own_address(), &asked.address.site)))
        }
        Decision::NoApp => Told::Refused(Failure::no_app(&asked.address.site)),
    }
}

/// The page where one signs in to go on to `address`.
pub(super) fn to_sign_in(own: &str, address: &Address) -> String {
    let encoded: String = form_urlencoded::byte_serialize(address.to_string().as_bytes()).collect();
    format!("{own}/signin?rd={encoded}")
}

/// How a proxy that hands redirects on leads to the sign-in: a page by GET, whatever it was asked by; and nothing else,
/// since a script could not follow.
fn lead(asked: &Asked) -> Status {
    match asked.method.as_str() {
        _ if !asked.for_a_page => Status::Unauthorized,
        "GET" | "HEAD" => Status::Found,
        _ => Status::SeeOther,
    }
}

/// What is told a proxy that asks at `/auth/forward` by a method that no route can be for, like `PROPFIND`: file shares and calendars
/// have their own, and proxies ask by the method that they are asked by. None where the request is another one.
pub(in crate::web) async fn by_another_method(
    status: Status,
    request: &Request<'_>,
) -> Option<Result<Told, Failure>> {
    let unheard = matches!(status.code, 400 | 404) && !Failure::is_remembered(request);
    if !unheard || request.uri().path() != "/auth/forward" {
        return None;
    }
    let checkpoint = Checkpoint::past_the_routes(status, request).await?;
    Some(match checkpoint {
        Ok(checkpoint) => ask(&checkpoint, AskedBy::Forwarded, lead).await,
        Err(failure) => Err(failure),
    })
}

/// Ask whether a request may pass to its app, for nginx and whatever takes a redirect for an error.
///
/// What is asked stands in `X-Original-URL` and `X-Original-Method`, or where the former is missing in the `X-Forwarded-` headers
/// of the other call; the session is the one whose cookie is handed on. What passes is a use of the session.
#[utoipa::path(
    params(
        ("X-Original-URL" = Option<String>, Header, description = "What is asked for, as the browser asks: `https://wiki.example.org/page`."),
        ("X-Original-Method" = Option<String>, Header, description = "By which method."),
        ("X-Forwarded-For" = Option<String>, Header, description = "From which address."),
    ),
    security((), ("token" = ["auth:check"])),
    responses(
        (status = 200, description = "It may pass. Beside these stand the headers of the app's own family.", headers(
            ("Remote-User" = String, description = "Whose request it is."),
            ("Remote-Groups" = String, description = "In which groups they are, with commas between."),
            ("Remote-Name" = String, description = "What they are called."),
            ("Remote-Email" = String, description = "Their address."),
            ("Remote-Session" = String, description = "The id of the session."),
        )),
        (status = 400, body = Refusal),
        (status = 401, body = Refusal, description = "Nobody is signed in.", headers(
            ("Location" = String, description = "Where one signs in and is led back."),
        )),
        (status = 403, content((Refusal = "application/json"), (String = "text/html")), description = "The app is not for this user, or there is none; or whoever asks is no trusted proxy."),
    ),
)]
#[get("/auth/nginx")]
async fn nginx(checkpoint: Checkpoint<'_>) -> Result<Told, Failure> {
    ask(&checkpoint, AskedBy::Original, |_| Status::Unauthorized).await
}

/// Proxies may ask by the method of the request itself.
macro_rules! forward {
    ($($method:ident: $name:ident),*) => {$(
        /// Ask whether a request may pass to its app, for Caddy, Traefik, HAProxy, Apache and whatever hands on a redirect.
        ///
        /// What is asked stands in the `X-Forwarded-` headers, or where they are missing in `X-Original-URL`; the session is the one
        /// whose cookie is handed on. What passes is a use of the session.
        #[utoipa::path(
            params(
                ("X-Forwarded-Host" = Option<String>, Header, description = "The host that is asked."),
                ("X-Forwarded-Proto" = Option<String>, Header, description = "`http` or `https`."),
                ("X-Forwarded-Uri" = Option<String>, Header, description = "Path and query of what is asked for; `/` if not given."),
                ("X-Forwarded-Method" = Option<String>, Header, description = "By which method; by that of this call if not given."),
                ("X-Forwarded-For" = Option<String>, Header, description = "From which address."),
            ),
            security((), ("token" = ["auth:check"])),
            responses(
                (status = 200, description = "It may pass. Beside these stand the headers of the app's own family.", headers(
                    ("Remote-User" = String, description = "Whose request it is."),
                    ("Remote-Groups" = String, description = "In which groups they are, with commas between."),
                    ("Remote-Name" = String, description = "What they are called."),
                    ("Remote-Email" = String, description = "Their address."),
                    ("Remote-Session" = String, description = "The id of the session."),
                )),
                (status = 302, description = "Nobody is signed in, and a page is asked for: `Location` leads to the sign-in and back."),
                (status = 303, description = "The same, where it is asked for by another method than GET and HEAD."),
                (status = 400, body = Refusal),
                (status = 401, body = Refusal, description = "Nobody is signed in, and no page is asked for."),
                (status = 403, content((Refusal = "application/json"), (String = "text/html")), description = "The app is not for this user, or there is none; or whoever asks is no trusted proxy."),
            ),
        )]
        #[$method("/auth/forward")]
        async fn $name(checkpoint: Checkpoint<'_>) -> Result<Told, Failure> {
            ask(&checkpoint, AskedBy::Forwarded, lead).await
        }
    )*};
}

// HEAD runs what GET does.
forward![
    get: forward_get, post: forward_post, put: forward_put, delete: forward_delete, patch: forward_patch, options: forward_options
];

described![nginx, forward_get, forward_post, forward_put, forward_delete, forward_patch, forward_options];
