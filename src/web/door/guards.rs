//! The guards of people: who may come in, and as what. Those of programs stand beside, in [`programs`](super::programs), and that of both in
//! [`caller`](super::caller).

use std::{borrow::Cow, ops::Deref, sync::Arc};

use data_encoding::BASE64URL_NOPAD;
use rocket::{
    Request,
    http::Status,
    outcome::Outcome,
    request::{self, FromRequest},
};
use sha2::{Digest, Sha256};

use super::{
    Finding, Lease, Plain, SetCookie, Settings, address,
    cookie::Jar,
    door,
    origin::{self, Made},
    whence::{self, origin_of, party_of},
};
use crate::{
    domain::{App, live::Live, passkeys::Party, sessions::Origin, sign_in::Welcome},
    model::{
        bond::Breach,
        secret::Token,
        session::{Mandate, Scope, Session},
        site::{Realm, Site},
        user::{Actor, ActorKind, Role, User},
    },
    web::{failure::Failure, front::Certificate, looking::apart},
};

/// How a session reaches an app in its browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The app is on Rollcall's own host, to which the session's cookie goes by itself.
    SameHost,
    /// It is in the domain that a pass is set for.
    Domain,
    /// It is elsewhere, and the session must be handed over.
    Handover,
}

/// Anybody at all. What a visitor can reach is what a page before the sign-in needs.
pub struct Visitor<'r> {
    /// The application.
    pub app: &'r App,
    request: &'r Request<'r>,
}

impl<'r> Visitor<'r> {
    pub(super) fn of(request: &'r Request<'_>) -> Self {
        Self { app: &door(request).app, request }
    }

    /// Where the request comes from and what sent it.
    pub fn origin(&self) -> Origin {
        origin_of(self.request)
    }

    /// The relying party that passkeys are of, where this request's browser can have any.
    pub fn party(&self) -> Option<Party> {
        party_of(self.request)
    }

    /// The live session the request carries, if it carries one.
    pub async fn session(&self) -> Option<Arc<Live>> {
        let live = self.token().and_then(|token| self.app.check(&token)).filter(|live| own_session(live))?;
        bound(self.request, live).await
    }

    /// The session that the request's cookie opened, where that has ended not long ago. Whoever brings no such cookie learns
    /// nothing.
    pub async fn ended_session(&self) -> Result<Option<Session>, Failure> {
        let Some(token) = self.token() else { return Ok(None) };
        let ended = apart(self.app, move |app| app.ended_with(&token)).await?;
        Ok(ended.filter(|session| session.registered_by.is_none()))
    }

    fn token(&self) -> Option<Token> {
        Jar::of(self.request).token(door(self.request).settings.secure)
    }

    /// Whoever holds the code of the console, which is all that proves anything before there is a user.
    pub fn console_holder(&self, name: &str) -> Actor {
        Actor { name: name.to_owned(), ip: self.origin().ip, ..Actor::console() }
    }

    /// An answer that gives the browser its token, a mark by which it is known from now on, and a pass to the apps of the
    /// domain, if there is one.
    pub async fn signed_in<R>(&self, welcome: &Welcome, answer: R) -> Result<SetCookie<R>, Failure> {
        let secure = door(self.request).settings.secure;
        let cookies = SetCookie::set(&welcome.token, secure, answer).and_mark(&welcome.familiar, secure);
        match self.app.live(welcome.session.id) {
            Some(live) => self.with_domain_pass(&live, cookies).await,
            None => Ok(cookies),
        }
    }

    /// The same, which also opens the apps of the domain, if there is one.
    pub async fn with_domain_pass<R>(
        &self,
        live: &Arc<Live>,
        cookies: SetCookie<R>,
    ) -> Result<SetCookie<R>, Failure> {
        let Settings { cookie_domain, secure, .. } = &door(self.request).settings;
        let Some(domain) = cookie_domain else { return Ok(cookies) };
        let pass = self.app.make_pass(live, Realm::Domain(domain.clone())).await?;
        Ok(cookies.and_domain_pass(&pass, domain, *secure))
    }

    /// How the browser's session reaches an app.
    pub fn reach(&self, site: &Site) -> Reach {
        let settings = &door(self.request).settings;
        // A cookie of https goes to no address of http, and one of http is none that an app of https is opened by.
        if site.secure() != settings.secure {
            return Reach::Handover;
        }
        let own = self.own_address().parse::<Site>();
        if own.is_ok_and(|own| own.host() == site.host()) {
            Reach::SameHost
        } else if settings.cookie_domain.as_deref().is_some_and(|domain| site.under(domain)) {
            Reach::Domain
        } else {
            Reach::Handover
        }
    }

    /// An answer that takes the browser's token away, and its pass to the apps of the domain.
    pub fn signed_out<R>(&self, answer: R) -> SetCookie<R> {
        let Settings { cookie_domain, secure, .. } = &door(self.request).settings;
        let cookies = SetCookie::remove(*secure, answer);
        match cookie_domain {
            Some(domain) => cookies.without_domain_pass(domain, *secure),
            None => cookies,
        }
    }

    /// The address of Rollcall itself, without a slash at the end.
    pub fn own_address(&self) -> String {
        whence::own_address(self.request)
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Visitor<'r> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, ()> {
        let visitor = Self::of(request);
        let cross = origin::is_unsafe(request.method())
            && match origin::made(request, &door(request).settings) {
                Made::Here => false,
                Made::Elsewhere => true,
                // A program, which no session comes along with. A cookie that opens none any more may be left from one that has.
                Made::Unsaid => visitor
                    .token()
                    .and_then(|token| visitor.app.check(&token))
                    .is_some_and(|live| own_session(&live)),
            };
        if cross { refuse(request, Failure::cross_site()) } else { Outcome::Success(visitor) }
    }
}

/// Somebody with a live session, whatever their role. Sees and ends their own.
pub struct Member<'r> {
    /// The application.
    pub app: &'r App,
    /// The session at hand.
    pub live: Arc<Live>,
    /// The account, as it is now.
    pub user: Arc<User>,
    token: Token,
    request: &'r Request<'r>,
}

/// Whether a token is shown as our API takes it. A password that a proxy asked for, and that browsers send along from then on, is none.
pub(super) fn shows_bearer(request: &Request<'_>) -> bool {
    let bearer =
        |line: &str| line.split(' ').next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer"));
    request.headers().get("Authorization").any(bearer)
}

impl<'r> Member<'r> {
    /// Whoever is signed in and owes no second factor.
    pub(super) async fn authenticate(request: &'r Request<'_>) -> Result<Self, Failure> {
        let member = Self::whole_or_not(request).await?;
        if member.owes_factor() { Err(Failure::factor_required()) } else { Ok(member) }
    }

    async fn whole_or_not(request: &'r Request<'_>) -> Result<Self, Failure> {
        let visitor = Visitor::of(request);
        // Where a token is shown the cookie does not count, whoever put it there.
        if shows_bearer(request) {
            return Err(Failure::not_for_programs());
        }
        let token = visitor.token().ok_or_else(Failure::not_signed_in)?;
        let live =
            visitor.app.check(&token).filter(|live| own_session(live)).ok_or_else(Failure::not_signed_in)?;
        let live = bound(request, live).await.ok_or_else(Failure::not_signed_in)?;
        let user =
            visitor.app.user(&live.user).filter(|user| !user.disabled).ok_or_else(Failure::not_signed_in)?;
        if origin::is_unsafe(request.method()) && origin::made(request, &door(request).settings) != Made::Here
        {
            return Err(Failure::cross_site());
        }
        // What a page does by itself is no use of the session, or an open tab would keep it alive for ever. Where it comes from is
        // seen all the same: anybody can say that.
        let by_itself = request.headers().contains("Background")
            || request.headers().get_one("Accept").is_some_and(|accept| accept == "text/event-stream");
        let origin = visitor.origin();
        if by_itself {
            visitor.app.see(&live, origin.ip, Some(&origin.agent));
        } else {
            visitor.app.touch(&live, origin.ip, Some(&origin.agent));
        }
        Lease::Session(Arc::clone(&live)).hold(request);
        Ok(Self { app: visitor.app, live, user, token, request })
    }

    /// Whether nothing is open to them until they have set up a second factor.
    pub fn owes_factor(&self) -> bool {
        self.app.owes_factor(&self.live)
    }

    /// Whoever is signed in, to put their name on a page that says that something failed.
    pub(in crate::web) fn peek(request: &'r Request<'_>) -> Option<Self> {
        let visitor = Visitor::of(request);
        let token = visitor.token()?;
        let live = visitor.app.check(&token).filter(|live| own_session(live))?;
        // It ends at the next door; here nobody can wait for that.
        if breach(request, &live).is_some() {
            return None;
        }
        let user = visitor.app.user(&live.user)?;
        Some(Self { app: visitor.app, live, user, token, request })
    }

    /// Who they are, for what they do.
    pub fn actor(&self) -> Actor {
        Actor {
            name: self.user.name.to_string(),
            kind: ActorKind::User(self.user.role),
            session: Some(self.live.id),
            token: Some(self.live.token),
            ip: origin_of(self.request).ip,
        }
    }

    /// Refuses what they have no right to, and tells the log.
    pub fn forbidden(&self, why: &'static str) -> Failure {
        denied(self.request, &self.actor(), why)
    }

    /// Where the request comes from and what sent it.
    pub fn origin(&self) -> Origin {
        origin_of(self.request)
    }

    /// Where passwords can be read on their way here, if anywhere.
    pub fn plain(&self) -> Option<Plain> {
        door(self.request).settings.plain
    }

    /// The certificate that browsers are shown, where Rollcall speaks TLS itself.
    pub fn certificate(&self) -> Option<&Certificate> {
        door(self.request).settings.front.as_ref().map(|front| &*front.certificate)
    }

    /// The relying party that passkeys are of, where this request's browser can have any.
    pub fn party(&self) -> Option<Party> {
        party_of(self.request)
    }

    /// Whose records they see.
    pub fn scope(&self) -> Scope {
        Scope::of(self.user.role, &self.user.name)
    }

    /// Whose sessions they may end.
    pub fn mandate(&self) -> Mandate {
        Mandate::of(self.user.role, &self.user.name)
    }

    /// The token that forms of this session carry: it follows from the cookie, which no other page knows.
    pub fn form_token(&self) -> String {
        form_token(&self.token)
    }

    /// An answer that takes the browser's token away, and its pass to the apps of the domain.
    pub fn signed_out<R>(&self, answer: R) -> SetCookie<R> {
        Visitor::of(self.request).signed_out(answer)
    }

    /// An answer that gives the browser a new token, if there is one, and a pass to the apps of the domain in the place of the one
    /// that went with the old token.
    pub async fn renewed<R>(&self, token: Option<&Token>, answer: R) -> SetCookie<R> {
        let Settings { cookie_domain, secure, .. } = &door(self.request).settings;
        let Some(token) = token else { return SetCookie::keep(answer) };
        let cookies = SetCookie::set(token, *secure, answer);
        let (Some(domain), Some(live)) = (cookie_domain, self.app.check(token)) else { return cookies };
        match self.app.make_pass(&live, Realm::Domain(domain.clone())).await {
            Ok(pass) => cookies.and_domain_pass(&pass, domain, *secure),
            Err(error) => {
                // The token is another already. Whoever opens an app without a pass is led here and given one.
                log::warn!("a session with a new token has no pass to the apps yet: {error}");
                cookies
            }
        }
    }

    /// Where the request comes from, and how that was found out; none where it has not come over a connection.
    pub fn finding(&self) -> Option<Finding> {
        address::finding(self.request)
    }

    /// The lines of a header of the request.
    pub fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.request.headers().get(name)
    }

    /// What the server was told of the way requests come.
    pub fn way_in(&self) -> &Settings {
        &door(self.request).settings
    }

    /// How many requests came through a trusted proxy with a header that could not be read, since the server started.
    pub fn garbled(&self) -> u64 {
        door(self.request).garbled.count()
    }

    /// Whether the session has been ended since the request began.
    pub fn gone(&self) -> bool {
        self.live.refused()
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Member<'r> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, ()> {
        match Self::authenticate(request).await {
            Ok(member) => Outcome::Success(member),
            Err(failure) => refuse(request, failure),
        }
    }
}

/// Somebody with a live session, also if they have yet to set up the second factor that is demanded of them: what it takes to do so,
/// and to leave.
pub struct Newcomer<'r>(Member<'r>);

impl<'r> Deref for Newcomer<'r> {
    type Target = Member<'r>;

    fn deref(&self) -> &Member<'r> {
        &self.0
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Newcomer<'r> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, ()> {
        match Member::whole_or_not(request).await {
            Ok(member) => Outcome::Success(Self(member)),
            Err(failure) => refuse(request, failure),
        }
    }
}

/// Somebody who sees everything: an auditor or an administrator.
pub struct Auditor<'r>(Member<'r>);

/// Somebody who sees and ends everything, and manages.
pub struct Admin<'r>(Member<'r>);

impl<'r> Deref for Auditor<'r> {
    type Target = Member<'r>;

    fn deref(&self) -> &Member<'r> {
        &self.0
    }
}

impl<'r> Deref for Admin<'r> {
    type Target = Member<'r>;

    fn deref(&self) -> &Member<'r> {
        &self.0
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Auditor<'r> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, ()> {
        match Member::authenticate(request).await {
            Ok(member) if member.user.role >= Role::Auditor => Outcome::Success(Self(member)),
            Ok(member) => refuse(request, member.forbidden("this is for administrators and auditors")),
            Err(failure) => refuse(request, failure),
        }
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Admin<'r> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, ()> {
        match Member::authenticate(request).await {
            Ok(member) if member.user.role == Role::Admin => Outcome::Success(Self(member)),
            Ok(member) => refuse(request, member.forbidden("this is for administrators")),
            Err(failure) => refuse(request, failure),
        }
    }
}

/// Whether a session is one that Rollcall signed in; those that apps registered open apps, not Rollcall.
pub(super) fn own_session(live: &Live) -> bool {
    live.is_own()
}

/// The session, if the request is within what it is bound to; otherwise it has ended when this returns.
pub(super) async fn bound(request: &Request<'_>, live: Arc<Live>) -> Option<Arc<Live>> {
    let Some(breach) = breach(request, &live) else { return Some(live) };
    let Origin { ip, agent, .. } = origin_of(request);
    door(request).app.break_off(&live, breach, ip, Some(&agent)).await;
    None
}

fn breach(request: &Request<'_>, live: &Live) -> Option<Breach> {
    let app = &door(request).app;
    if !app.binds() {
        return None;
    }
    let Origin { ip, agent, .. } = origin_of(request);
    app.breach(live, ip, Some(&agent))
}

pub(super) fn form_token(token: &Token) -> String {
    let digest = Sha256::new().chain_update("rollcall form\0").chain_update(token.reveal()).finalize();
    BASE64URL_NOPAD.encode(&digest[..16])
}

/// The token that the forms of the session at hand carry, if the request carries a session.
pub(super) fn expected_form_token(request: &Request<'_>) -> Option<String> {
    let token = Jar::of(request).token(door(request).settings.secure)?;
    door(request).app.check(&token).map(|_| form_token(&token))
}

/// Why somebody is refused what they have no right to; the log is told who that was, and what they asked for. The address goes
/// without its query, which may hold what is nobody's business.
pub(super) fn denied(request: &Request<'_>, by: &Actor, why: impl Into<Cow<'static, str>>) -> Failure {
    let (why, what) = (why.into(), format!("{} {}", request.method(), request.uri().path()));
    door(request).app.note_refusal(by, &what, &why);
    Failure::forbidden(why)
}

/// Refuses a request; the catcher tells it why.
pub(super) fn refuse<T>(request: &Request<'_>, failure: Failure) -> request::Outcome<T, ()> {
    let status = failure.status();
    failure.remember(request);
    Outcome::Error((Status::new(status.code), ()))
}
