//! What a reverse proxy asks: may this request go on to its app?
//!
//! The question stands in headers, which anybody could send: they are believed from a trusted proxy alone, and from whoever shows
//! a token of one, each of them only where it stands once, and of the two families that proxies use only one is looked at.

use std::{array, iter, sync::Arc};

use rocket::{
    Request,
    http::Status,
    outcome::Outcome,
    request::{self, FromRequest},
};

use super::{
    AuthCheck, Lease, Program, SetCookie, address,
    cookie::{COOKIE, Jar},
    door,
    guards::{self, refuse},
    lines::{Line, lines},
    whence::{self, AGENT},
};
use crate::{
    domain::{App, gate::Decision, live::Live, sessions::SessionError},
    model::{
        secret::Token,
        site::{Address, Site},
    },
    web::failure::Failure,
};

/// The headers a proxy writes the request in that it asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Headers {
    /// `X-Original-URL` and `X-Original-Method`, as nginx is set up to send them.
    Original,
    /// `X-Forwarded-Proto`, `-Host`, `-Uri` and `-Method`, as Caddy and Traefik send them.
    Forwarded,
}

/// A request on its way to an app.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Where to.
    pub address: Address,
    /// By which method.
    pub method: String,
    /// Whether a browser is about to show what comes back as a page, so that it can be led to another one.
    pub for_a_page: bool,
}

/// In which headers it stands what is asked, and by whom.
const ASKED: [&str; 10] = [
    "X-Original-URL",
    "X-Original-Method",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Uri",
    "X-Forwarded-Method",
    FOR_A_PAGE[0],
    FOR_A_PAGE[1],
    FOR_A_PAGE[2],
    FOR_A_PAGE[3],
];

/// In which headers a browser says what becomes of the answer.
const FOR_A_PAGE: [&str; 4] = ["Accept", "X-Requested-With", "Upgrade", "Sec-Fetch-Mode"];

/// All that a check reads of the headers, found in one walk.
#[derive(Clone, Copy)]
struct Found<'r> {
    asked: [Line<'r>; ASKED.len()],
    agent: [Line<'r>; AGENT.len()],
    hops: [Line<'r>; address::NAMING.len()],
    cookies: Line<'r>,
}

impl<'r> Found<'r> {
    const NAMES: [&'static str; ASKED.len() + AGENT.len() + address::NAMING.len() + 1] = {
        let mut names = [COOKIE; _];
        let (asked, rest) = names.split_at_mut(ASKED.len());
        let (agent, rest) = rest.split_at_mut(AGENT.len());
        let (hops, _) = rest.split_at_mut(address::NAMING.len());
        asked.copy_from_slice(&ASKED);
        agent.copy_from_slice(&AGENT);
        hops.copy_from_slice(&address::NAMING);
        names
    };

    fn of(request: &'r Request<'_>) -> Self {
        let mut lines = lines(request, Self::NAMES).into_iter();
        let mut next = || lines.next().expect("there is a line for each name");
        Self {
            asked: array::from_fn(|_| next()),
            agent: array::from_fn(|_| next()),
            hops: array::from_fn(|_| next()),
            cookies: next(),
        }
    }
}

/// A proxy that is believed: because of where it asks from, or because it shows a token with the scope `auth:check`.
pub struct Checkpoint<'r> {
    /// The application.
    pub app: &'r App,
    request: &'r Request<'r>,
    found: Found<'r>,
    /// Whether it came by a method that the framework does not know, and takes for another.
    unheard: bool,
}

impl<'r> Checkpoint<'r> {
    /// The one of a request that no route takes, refused with this status. None where nobody can tell whose it is: a method
    /// that Rocket does not know is refused with 400 before any fairing has seen the request, and it is a fairing that finds out
    /// who stands behind our own TLS.
    pub(in crate::web) async fn past_the_routes(
        status: Status,
        request: &'r Request<'_>,
    ) -> Option<Result<Self, Failure>> {
        if status == Status::BadRequest && door(request).settings.front.is_some() {
            return None;
        }
        Some(match Self::from_request(request).await {
            Outcome::Success(checkpoint) => Ok(Self { unheard: true, ..checkpoint }),
            Outcome::Error((status, ())) | Outcome::Forward(status) => Err(Failure::recall(status, request)),
        })
    }
}

impl Checkpoint<'_> {
    /// What is asked. Of the two families of headers `first` is looked at, and the other only where the first is missing. Where
    /// both are there and name different sites, the proxy sets the one and hands on what the client wrote in the other: which of
    /// them nobody can tell here, so neither is believed.
    pub fn asked(&self, first: Headers) -> Result<Asked, Failure> {
        let [url, url_method, host, proto, uri, host_method, accept, requested_with, upgrade, mode] =
            self.found.asked;
        let original = once(url)?;
        let host = once(host)?;
        if let (Some(url), Some(host)) = (original, host) {
            let proto = once(proto)?;
            let one = split(url).map(|(site, _)| site);
            let other = proto.and_then(|proto| Site::of(scheme(proto), host).ok());
            if one.is_none() || one != other {
                return Err(Failure::bad_request(
                    "X-Original-URL and X-Forwarded-Host must name the same site; the proxy must take away the one it does not set",
                ));
            }
        }
        let (address, method) = match (first, original, host) {
            (Headers::Original, Some(url), _) | (Headers::Forwarded, Some(url), None) => {
                let (site, rest) = split(url).ok_or_else(|| not_understood("X-Original-URL", url))?;
                (Address::on(site, rest), once(url_method)?)
            }
            (_, _, Some(host)) => {
                let proto = once(proto)?.ok_or_else(|| missing("X-Forwarded-Proto"))?;
                let site =
                    Site::of(scheme(proto), host).map_err(|_| not_understood("X-Forwarded-Host", host))?;
                let uri = once_as_it_is(uri)?.unwrap_or("/");
                (Address::on(site, uri), once(host_method)?)
            }
            (_, None, None) => {
                return Err(missing("X-Original-URL, or X-Forwarded-Proto and X-Forwarded-Host"));
            }
        };
        let own = if self.unheard { "another" } else { self.request.method().as_str() };
        let method = method.map_or_else(|| own.to_owned(), str::to_ascii_uppercase);
        let for_a_page = is_for_a_page(self.request, [accept, requested_with, upgrade, mode]);
        Ok(Asked { address, method, for_a_page })
    }

    /// The live session that the request belongs to: by Rollcall's own cookie, or by a pass that is good for this site. One that is
    /// bound to another network or device ends.
    pub async fn live(&self, site: &Site) -> Option<Arc<Live>> {
        let own = self
            .jar()
            .token(door(self.request).settings.secure)
            .and_then(|token| self.app.check(&token))
            .filter(|live| guards::own_session(live));
        let live = own.or_else(|| {
            self.jar().passes(site.secure()).find_map(|of_one_name| {
                let mut live = of_one_name.filter_map(|pass| self.app.check_pass(&pass, site));
                // Of two sessions that both live nobody knows whose the browser is.
                let one = live.next()?;
                live.all(|other| other.id == one.id).then_some(one)
            })
        });
        guards::bound(self.request, live?).await
    }

    /// Decides whether the request may pass to its app.
    pub async fn admit(&self, site: &Site) -> Result<Decision, SessionError> {
        let ip = address::source_in(self.request, || self.found.hops).map(|source| source.client);
        let agent = whence::agent_in(&self.found.agent);
        let decision = self.app.admit_to(self.live(site).await, site, ip, &agent).await?;
        match decision {
            Decision::Pass { app, live, .. } if !Lease::Session(Arc::clone(&live)).answers(self.request) => {
                Ok(Decision::SignIn(app))
            }
            decision => Ok(decision),
        }
    }

    /// The address of Rollcall itself, without a slash at the end.
    pub fn own_address(&self) -> String {
        whence::own_address(self.request)
    }

    /// An answer that gives the browser a nonce at the app's host, beside those of its other ways there.
    pub fn with_nonce<R>(&self, site: &Site, nonce: Token, answer: R) -> SetCookie<R> {
        let nonces = iter::once(nonce).chain(self.nonces(site));
        SetCookie::keep(answer).and_nonces(nonces, site.secure())
    }

    fn jar(&self) -> Jar<'_> {
        Jar::in_line(self.request, self.found.cookies)
    }

    /// The nonces that the browser holds at the app's host.
    pub fn nonces(&self, site: &Site) -> impl Iterator<Item = Token> {
        self.jar().nonces(site.secure())
    }

    /// An answer that gives the browser a pass to the app on this host.
    pub fn with_pass<R>(&self, site: &Site, pass: &Token, answer: R) -> SetCookie<R> {
        SetCookie::keep(answer).and_host_pass(pass, site.secure())
    }
}

/// Whether it is a browser going to a page, as far as it says: not a script's request, a stream or a socket. Of a socket some
/// proxies hand on no Upgrade, which is a matter between the client and them.
fn is_for_a_page(
    request: &Request<'_>,
    [accept, requested_with, upgrade, mode]: [Line<'_>; FOR_A_PAGE.len()],
) -> bool {
    let holds =
        |line: Line<'_>, word: &str| line.all(request).any(|value| value.to_ascii_lowercase().contains(word));
    holds(accept, "text/html")
        && !holds(requested_with, "xmlhttprequest")
        && upgrade.first.is_none()
        && mode.first.is_none_or(|mode| mode == "navigate")
        && !request.headers().contains("Sec-WebSocket-Key")
}

/// The same of a request of which nothing else was read.
pub(in crate::web) fn asks_for_a_page(request: &Request<'_>) -> bool {
    is_for_a_page(request, lines(request, FOR_A_PAGE))
}

/// A header that stands once and holds one value.
fn once(line: Line<'_>) -> Result<Option<&str>, Failure> {
    let (name, value) = (line.name, once_as_it_is(line)?);
    if value.is_some_and(|value| value.contains(',') && name != "X-Original-URL") {
        return Err(Failure::bad_request(format!(
            "{name} must hold one value; the proxy adds to what the client sent, and must replace it"
        )));
    }
    Ok(value.map(str::trim).filter(|value| !value.is_empty()))
}

/// A header that stands once.
fn once_as_it_is(line: Line<'_>) -> Result<Option<&str>, Failure> {
    if line.again {
        return Err(Failure::bad_request(format!(
            "{} must stand once; the proxy adds to what the client sent, and must replace it",
            line.name
        )));
    }
    Ok(line.first)
}

/// Site and rest of an address, of which the rest need be nothing that browsers send.
fn split(url: &str) -> Option<(Site, &str)> {
    let (proto, behind) = url.split_once("://")?;
    let (authority, rest) = behind.split_at(behind.find(['/', '?', '#']).unwrap_or(behind.len()));
    Some((Site::of(scheme(proto), authority).ok()?, rest))
}

/// The scheme of a site; some proxies name that of a socket as the browser does.
fn scheme(proto: &str) -> &str {
    match proto {
        "ws" => "http",
        "wss" => "https",
        other => other,
    }
}

fn missing(what: &str) -> Failure {
    Failure::bad_request(format!("the proxy must say what is asked for, in {what}; the manual shows how"))
}

fn not_understood(name: &str, value: &str) -> Failure {
    let value: String = value.chars().take(100).collect();
    Failure::bad_request(format!("{name} is {value:?}, which is no address of an app"))
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Checkpoint<'r> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, ()> {
        let door = door(request);
        let peer = request.remote().map(|peer| peer.ip().to_canonical());
        if !peer.is_some_and(|peer| door.settings.trusted_proxies.contain(peer)) {
            if let Err(failure) = Program::<AuthCheck>::authenticate(request) {
                // What else stands there may be the client's own and handed on; and a 401 would mean that nobody is signed in.
                let stranger = failure.status() == Status::Unauthorized;
                return refuse(request, if stranger { Failure::not_a_proxy(peer) } else { failure });
            }
            address::vouch(request);
        }
        Outcome::Success(Self { app: &door.app, request, found: Found::of(request), unheard: false })
    }
}
