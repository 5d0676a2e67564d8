//! The guards of programs: what they show, and what that lets them do.

use std::{borrow::Cow, marker::PhantomData, net::IpAddr, ops::Deref, sync::Arc};

use data_encoding::BASE64;
use rocket::{
    Request,
    outcome::Outcome,
    request::{self, FromRequest},
};

use super::{
    Lease, door,
    guards::{denied, refuse},
    host,
    whence::origin_of,
};
use crate::{
    domain::{App, ingest::Voice, tokens::LiveToken},
    model::{
        secret::{Kind, Token, TokenHash},
        session::Mandate,
        token::TokenScope,
        user::{Actor, ActorKind},
    },
    web::failure::Failure,
};

/// A scope that a token must have, as a type.
pub trait Needs: Send + Sync + 'static {
    /// The scope.
    const SCOPE: TokenScope;
}

macro_rules! needs {
    ($($name:ident),*) => {$(
        #[doc = concat!("A token must have [`TokenScope::", stringify!($name), "`].")]
        pub struct $name;

        impl Needs for $name {
            const SCOPE: TokenScope = TokenScope::$name;
        }
    )*};
}

needs!(ActivityWrite, ActivityRead, SessionRead, SessionWrite, AuthCheck, Metrics);

/// A program with a token of scope `S`. Its cookie, if it sends one, is not looked at.
pub struct Program<'r, S: Needs> {
    /// The application.
    pub app: &'r App,
    pub(super) token: Arc<LiveToken>,
    request: &'r Request<'r>,
    scope: PhantomData<S>,
}

impl<'r, S: Needs> Program<'r, S> {
    pub(super) fn authenticate(request: &'r Request<'_>) -> Result<Self, Failure> {
        Self::with(request, &bearer(request)?.ok_or_else(Failure::no_token)?)
    }

    /// The program that holds this token.
    fn with(request: &'r Request<'_>, token: &Token) -> Result<Self, Failure> {
        let app = &door(request).app;
        let token = app.api_token(token).ok_or_else(Failure::no_token)?;
        let program = Self { app, token, request, scope: PhantomData };
        if !program.token.may(S::SCOPE) {
            return Err(program.forbidden(format!("this token lacks the scope {}", S::SCOPE)));
        }
        Lease::Token(Arc::clone(&program.token), app.clone()).hold(request);
        Ok(program)
    }

    /// Its name, under which it writes.
    pub fn name(&self) -> &str {
        self.token.name()
    }

    /// Who the ids of its records are unique for.
    pub fn sender(&self) -> String {
        self.token.sender()
    }

    /// What its token hashes to.
    pub fn hash(&self) -> TokenHash {
        self.token.hash()
    }

    /// In whose name what it sends is written: that of its app as it is registered, which may have been later than its token was made.
    pub fn voice(&self) -> Voice {
        let Voice { name, app } = self.token.voice();
        Voice { name, app: app.map(|app| self.app.app_name(app)) }
    }

    /// Whose sessions it may end, and say that they are used: those of its app, where its token is made for one.
    pub fn mandate(&self) -> Mandate {
        self.voice().app.map_or(Mandate::All, Mandate::App)
    }

    /// Fails once its token works no more: what comes for hours is asked about again and again.
    pub fn still_may(&self) -> Result<(), Failure> {
        if self.token.over(self.app.now()) { Err(Failure::no_token()) } else { Ok(()) }
    }

    /// Refuses what it has no right to, and tells the log.
    pub fn forbidden(&self, why: impl Into<Cow<'static, str>>) -> Failure {
        denied(self.request, &self.actor(), why)
    }

    /// Who it is, for what it does.
    pub fn actor(&self) -> Actor {
        Actor {
            name: format!("token {}", self.token.name()),
            kind: ActorKind::Token,
            session: None,
            token: Some(self.token.hash()),
            ip: origin_of(self.request).ip,
        }
    }
}

#[rocket::async_trait]
impl<'r, S: Needs> FromRequest<'r> for Program<'r, S> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, ()> {
        match Self::authenticate(request) {
            Ok(program) => Outcome::Success(program),
            Err(failure) => refuse(request, failure),
        }
    }
}

/// Somebody who watches over the server: on this machine, or a program with a token for it.
pub struct Observer<'r> {
    /// The application.
    pub app: &'r App,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Observer<'r> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, ()> {
        let app = &door(request).app;
        let is_here = |ip: IpAddr| ip.to_canonical().is_loopback() && !speaks_for_others(request, ip);
        // A page of another site that has its name lead here asks from this machine too.
        let here =
            request.remote().is_some_and(|peer| is_here(peer.ip())) && host::names_this_machine(request);
        if here && !request.headers().contains("Authorization") {
            return Outcome::Success(Self { app });
        }
        match Program::<Metrics>::authenticate(request) {
            Ok(_) => Outcome::Success(Self { app }),
            Err(failure) => refuse(request, failure),
        }
    }
}

/// Whether a proxy sends it, which passes on what comes from elsewhere: one that is trusted, or one that says so.
fn speaks_for_others(request: &Request<'_>, peer: IpAddr) -> bool {
    let signs = ["X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "X-Real-IP", "Via"];
    door(request).settings.trusted_proxies.contain(peer)
        || signs.into_iter().any(|name| request.headers().contains(name))
}

/// A program that was not made for us, and shows its token in one of the ways that it knows.
pub struct Foreign<'r, S: Needs>(Program<'r, S>);

/// A log shipper.
pub type Shipper<'r> = Foreign<'r, ActivityWrite>;

/// The server of an app that asks whether a session is alive. Those that speak OAuth show what they have as a client's secret.
pub type Introspector<'r> = Foreign<'r, SessionRead>;

impl<'r, S: Needs> Deref for Foreign<'r, S> {
    type Target = Program<'r, S>;

    fn deref(&self) -> &Program<'r, S> {
        &self.0
    }
}

#[rocket::async_trait]
impl<'r, S: Needs> FromRequest<'r> for Foreign<'r, S> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, ()> {
        let token = shown(request).ok_or_else(Failure::no_token);
        match token.and_then(|token| Program::with(request, &token)) {
            Ok(program) => Outcome::Success(Self(program)),
            Err(failure) => refuse(request, failure),
        }
    }
}

/// A token as other programs show it: as `Bearer`, as the key of an `ApiKey` (`id:key` in base 64, or the bare token), or as the
/// password of `Basic`. The id and the user's name say nothing.
fn shown(request: &Request<'_>) -> Option<Token> {
    let mut lines = request.headers().get("Authorization");
    let (scheme, text) = lines.next().filter(|_| lines.next().is_none())?.split_once(' ')?;
    let text = text.trim();
    let behind_the_colon = || {
        let pair = String::from_utf8(BASE64.decode(text.as_bytes()).ok()?).ok()?;
        pair.split_once(':')?.1.parse::<Token>().ok()
    };
    let token = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => text.parse().ok(),
        "apikey" => text.parse().ok().or_else(behind_the_colon),
        "basic" => behind_the_colon(),
        _ => None,
    };
    token.filter(|token: &Token| token.kind() == Kind::Api)
}

/// Whether a token is shown that works. That is no use of it yet.
pub(super) fn shows_a_token(request: &Request<'_>) -> bool {
    request.headers().contains("Authorization")
        && shown(request).is_some_and(|token| door(request).app.is_api_token(&token))
}

/// The token that is shown as `Bearer`; none where nothing is shown at all.
fn bearer(request: &Request<'_>) -> Result<Option<Token>, Failure> {
    let mut lines = request.headers().get("Authorization");
    let Some(line) = lines.next() else { return Ok(None) };
    let token = line.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let token = token.and_then(|(_, token)| token.trim().parse().ok());
    match token {
        Some(token) if lines.next().is_none() => {
            let token: Token = token;
            if token.kind() == Kind::Api { Ok(Some(token)) } else { Err(Failure::no_token()) }
        }
        _ => Err(Failure::no_token()),
    }
}
