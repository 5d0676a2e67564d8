//! The door: the only way from a request to the application.
//!
//! The application is managed in a type that is private to this module, so that a handler reaches it only
//! through one of the guards here, and its signature is its access rule: [`Visitor`], [`Newcomer`], [`Member`],
//! [`Auditor`], [`Admin`], [`Caller`], [`Program`], [`Shipper`], [`Introspector`], [`Observer`] and [`Checkpoint`]; what takes a proof that is not
//! old asks for [`Fresh`]. Only here are people and programs told apart, and only here is an
//! [`Actor`](crate::model::user::Actor) made of one.

mod address;
mod body;
mod caller;
mod cookie;
mod fresh;
mod guards;
mod host;
mod json;
mod lease;
mod lines;
mod origin;
mod params;
mod programs;
mod proxy;
mod whence;

use std::time::Duration;

use rocket::{Build, Orbit, Request, Rocket};

pub use self::{
    address::{Finding, HOPS, Hop, Naming, Networks, Source, Why},
    body::{Form, Json, MaybeJson, OpenForm, OpenJson},
    caller::{Caller, Identity},
    cookie::{SetCookie, only_cookie},
    fresh::{Fresh, FreshForm},
    guards::{Admin, Auditor, Member, Newcomer, Reach, Visitor},
    lease::{Lease, Out},
    params::Params,
    programs::{
        ActivityRead, ActivityWrite, AuthCheck, Introspector, Metrics, Needs, Observer, Program, SessionRead,
        SessionWrite, Shipper,
    },
    proxy::{Asked, Checkpoint, Headers as AskedBy},
};
pub(super) use self::{
    host::stray,
    lease::{leased, recheck},
    lines::lines,
    params::hold_to_parameters,
    proxy::asks_for_a_page,
    whence::own_address,
};
use crate::{
    domain::{App, metrics},
    web::front::Front,
};

/// What the door must know of the way requests come.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The address people type, without a slash at the end, if it is not the one Rollcall listens at.
    pub public_url: Option<String>,
    /// Whether browsers reach it over TLS.
    pub secure: bool,
    /// What speaks TLS before the web server, where Rollcall does so itself.
    pub front: Option<Front>,
    /// Where passwords can be read on their way here, if anywhere.
    pub plain: Option<Plain>,
    /// The domain whose apps a sign-in opens at once; Rollcall itself is reached in it.
    pub cookie_domain: Option<String>,
    /// Whose word on the client's address, and on what is asked of an app, is believed.
    pub trusted_proxies: Networks,
    /// Where that was set.
    pub trusted_proxies_from: SetIn,
    /// The one header in which that word is looked for; where it is not set, `X-Forwarded-For` if it comes, else `Forwarded`.
    pub client_header: Option<Naming>,
    /// Where that was set.
    pub client_header_from: SetIn,
}

/// Where passwords can be read on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    /// It is listened for beyond this machine without TLS, because the operator insists.
    Here,
    /// A proxy stands before it, or somebody else who passes requests on, and nothing says that TLS is spoken there.
    BeforeTheProxy,
}

impl Plain {
    /// What is to be said of it, and what to do.
    pub fn warning(self) -> &'static str {
        match self {
            Self::Here => {
                "Passwords and sessions can be read on their way here: this is plain HTTP beyond this machine. Speak TLS with --tls-cert and --tls-key or --tls-self-signed, or put a proxy with TLS before Rollcall and name it with --trusted-proxy and --public-url; and leave out --insecure-http."
            }
            Self::BeforeTheProxy => {
                "Passwords and sessions may be read on their way to the proxy: the public address does not begin with https://. Have the proxy speak TLS, and say so with --public-url https://…, which keeps cookies to TLS too."
            }
        }
    }
}

/// Where a setting comes from, and where it is changed: what is said in another place may count less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetIn {
    /// The command line.
    CommandLine,
    /// The environment.
    Environment,
    /// `rollcall.toml`.
    File,
    /// Nowhere: nobody set it, so that it can be set in any of them.
    #[default]
    Nowhere,
}

/// The application behind the door. Private, so that no handler can ask Rocket for it.
struct Door {
    app: App,
    settings: Settings,
    garbled: address::Garbled,
}

/// Puts the application behind the door.
pub fn close(rocket: Rocket<Build>, app: App, settings: Settings) -> Rocket<Build> {
    rocket.manage(Door { app, settings, garbled: address::Garbled::default() })
}

/// Counts a request that was answered.
pub(super) fn count(request: &Request<'_>, part: metrics::Part, status: u16, took: Duration) {
    door(request).app.answered(part, status, took);
}

/// Whether the request's browser speaks TLS, to Rollcall itself or to a trusted proxy that says so.
pub(super) fn over_tls(request: &Request<'_>) -> bool {
    let settings = &door(request).settings;
    let said =
        || request.headers().get_one("X-Forwarded-Proto").is_some_and(|it| it.eq_ignore_ascii_case("https"));
    let by_proxy = || address::source(request).is_some_and(|found| found.peer_trusted) && said();
    settings.front.is_some() || settings.secure && by_proxy()
}

fn door<'r>(request: &'r Request<'_>) -> &'r Door {
    open(request.rocket())
}

#[expect(
    clippy::expect_used,
    reason = "the only way to a mounted route is `web::rocket`, which manages the door"
)]
fn open(rocket: &Rocket<Orbit>) -> &Door {
    rocket.state::<Door>().expect("the door is managed")
}
