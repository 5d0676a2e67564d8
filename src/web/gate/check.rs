//! The check itself: once for proxies that understand redirects, and once for nginx, which does not.

use rocket::{
    Data, Request, Response, Route, get,
    http::{Header, Method, Status},
    outcome::Outcome,
    request::FromRequest as _,
    response::{self, Responder},
    route::{self, Handler},
    routes,
};

use super::{denied::Denied, identity::Identity};
use crate::{
    domain::gate::Decision,
    model::site::Address,
    web::{
        door::{Asked, AskedBy, Checkpoint},
        failure::Failure,
    },
};

/// What a proxy is told.
enum Told {
    /// The request may pass, with these headers.
    Pass(Identity),
    /// Whoever asks must sign in, at this address.
    SignIn { location: String, status: Status },
    /// Not this one; the page says why.
    Denied(Box<Denied>),
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
    let site = &asked.address.site;
    let decision = checkpoint.app.admit_to(checkpoint.live(site), site, &checkpoint.origin()).await?;
    Ok(match decision {
        Decision::Pass { app, user, live } => Told::Pass(Identity::of(&app, &user, live.id)),
        Decision::SignIn(_) => {
            let location = to_sign_in(&checkpoint.own_address(), &asked.address);
            Told::SignIn { location, status: unauthorized(&asked) }
        }
        Decision::Forbidden(app, user) if asked.for_a_page => {
            Told::Denied(Box::new(Denied::new(checkpoint.own_address(), &asked.address, &app, &user)))
        }
        Decision::Forbidden(app, user) => {
            Told::Refused(Failure::forbidden(format!("{} may not open {}", user.name, app.name)))
        }
        Decision::NoApp => Told::Refused(Failure::no_app(site)),
    })
}

/// The page where one signs in to go on to `address`.
pub(super) fn to_sign_in(own: &str, address: &Address) -> String {
    let encoded: String = form_urlencoded::byte_serialize(address.to_string().as_bytes()).collect();
    format!("{own}/signin?rd={encoded}")
}

/// For nginx, which takes any redirect for an error: 401 always, with the address in `Location`.
#[get("/auth/nginx")]
async fn nginx(checkpoint: Checkpoint<'_>) -> Result<Told, Failure> {
    ask(&checkpoint, AskedBy::Original, |_| Status::Unauthorized).await
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

/// For Caddy, Traefik, HAProxy and Apache, which may ask by the method of the request itself.
#[derive(Clone)]
struct Forward;

#[rocket::async_trait]
impl Handler for Forward {
    async fn handle<'r>(&self, request: &'r Request<'_>, _: Data<'r>) -> route::Outcome<'r> {
        match Checkpoint::from_request(request).await {
            Outcome::Success(checkpoint) => {
                route::Outcome::from(request, ask(&checkpoint, AskedBy::Forwarded, lead).await)
            }
            Outcome::Error((status, ())) | Outcome::Forward(status) => route::Outcome::error(status),
        }
    }
}

pub(super) fn routes() -> Vec<Route> {
    // HEAD runs what GET does.
    let methods = [Method::Get, Method::Post, Method::Put, Method::Delete, Method::Patch, Method::Options];
    let forward = methods.into_iter().map(|method| Route::new(method, "/auth/forward", Forward));
    routes![nginx].into_iter().chain(forward).collect()
}
