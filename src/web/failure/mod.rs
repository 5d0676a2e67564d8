//! Every way a request can fail, and what its sender is told.
//!
//! Which error belongs where: a module of the floors below has an enum of just the ways *it* fails, in
//! sentences for people; here all of them become a [`Failure`], a status with a code for programs and a
//! sentence that says what to do. Nothing internal is in it: what went wrong inside is logged once, here.

mod answer;
mod causes;

use std::{borrow::Cow, fmt::Display, net::IpAddr, sync::Mutex};

use data_encoding::HEXLOWER;
use rocket::{
    Request,
    http::{Status, uri::Origin},
};

pub(super) use self::answer::{Reason, Refusal};
use self::answer::{methods, nowhere, wants_json};
use crate::{
    domain::random,
    model::{noun::activities, site::Site},
    web::door::Params,
};

/// Who is refused so is led to where a second factor is set up.
const FACTOR_REQUIRED: &str = "second_factor_required";

/// Who is refused so may be a browser whose proxy hands the refusal on: the first mistake in a set-up.
const NOT_A_PROXY: &str = "not_a_trusted_proxy";

/// A refusal: what the sender is told.
#[derive(Clone, Debug)]
pub struct Failure {
    status: Status,
    code: &'static str,
    message: Cow<'static, str>,
    field: Option<Box<str>>,
    column: Option<usize>,
    retry_after: Option<u64>,
    /// What is asked for again before the rest goes on: the form that was sent, to be sent again.
    step_up: Option<Vec<(String, String)>>,
}

impl Failure {
    fn new(status: Status, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let (field, column, retry_after, step_up) = (None, None, None, None);
        Self { status, code, message: message.into(), field, column, retry_after, step_up }
    }

    /// Nobody is signed in.
    pub fn not_signed_in() -> Self {
        Self::new(Status::Unauthorized, "not_signed_in", "sign in first; this session has ended or never was")
    }

    /// A program shows a token where people are meant.
    pub fn not_for_programs() -> Self {
        let message = "this call is for people who are signed in; no token opens it";
        Self::new(Status::Unauthorized, "not_signed_in", message)
    }

    /// Somebody is signed in of whom a second factor is demanded, and who has none.
    pub fn factor_required() -> Self {
        let message = "set up a second factor first: POST /api/v1/me/second-factor";
        Self::new(Status::Forbidden, FACTOR_REQUIRED, message)
    }

    /// The token is missing, or no token that works.
    pub fn no_token() -> Self {
        Self::new(
            Status::Unauthorized,
            "no_token",
            "send Authorization: Bearer with a token that has not expired or been revoked",
        )
    }

    /// Signed in, but not for this.
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Status::Forbidden, "forbidden", message)
    }

    /// Who asks about somebody else's request is no proxy that is believed.
    pub fn not_a_proxy(peer: Option<IpAddr>) -> Self {
        let peer = peer.map_or_else(|| "an unknown address".to_owned(), |peer| peer.to_string());
        let message = format!(
            "only a trusted proxy may ask this, and {peer} is none; if it is yours, start Rollcall with --trusted-proxy {peer}, or have it send a token with the scope auth:check"
        );
        Self::new(Status::Forbidden, NOT_A_PROXY, message)
    }

    /// The request has come to the port behind the front, past the front.
    pub fn not_through_the_front() -> Self {
        let message = "this port is Rollcall's own; speak TLS to the one it listens at";
        Self::new(Status::MisdirectedRequest, "misdirected", message)
    }

    /// The request names another host than that of the public address.
    pub fn other_host(own: &str) -> Self {
        let message = format!(
            "Rollcall is at {own}, and this request names another host; use that address, or start Rollcall with the other one as --public-url"
        );
        Self::new(Status::MisdirectedRequest, "other_host", message)
    }

    /// There is no app at this address.
    pub fn no_app(site: &Site) -> Self {
        let message = format!("no app is registered at {site}; an administrator adds it under Apps");
        Self::new(Status::Forbidden, "no_such_app", message)
    }

    /// The last proof of who it is is too old for this.
    pub fn step_up() -> Self {
        let message = "show your password or a code of your second factor again: POST /api/v1/step-up";
        Self { step_up: Some(Vec::new()), ..Self::new(Status::Forbidden, "step_up_required", message) }
    }

    /// The same, for a form that is to be sent again afterwards.
    #[must_use]
    pub fn carrying(self, form: &Params) -> Self {
        let fields = form.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { step_up: self.step_up.map(|_| fields.collect()), ..self }
    }

    /// The request was made on another site's page.
    pub fn cross_site() -> Self {
        Self::new(Status::Forbidden, "cross_site", "this request was not made on one of Rollcall's own pages")
    }

    /// The form is of another session.
    pub fn stale_form() -> Self {
        Self::new(
            Status::Forbidden,
            "stale_form",
            "this form belongs to another session; reload the page and try again",
        )
    }

    /// The password was right, and the second factor is asked for.
    pub fn code_required() -> Self {
        let message = "this account has a second factor: send the code it shows as well";
        Self { field: Some("code".into()), ..Self::new(Status::Unauthorized, "code_required", message) }
    }

    /// The one-time code of the setup is wrong.
    pub fn wrong_code() -> Self {
        let message = "that is not the code; it stands in the terminal where the server was started";
        Self { field: Some("code".into()), ..Self::new(Status::Forbidden, "wrong_code", message) }
    }

    /// There is nothing here, or nothing that the sender may know of.
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Status::NotFound, "not_found", message)
    }

    /// What was sent was not understood.
    pub fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Status::BadRequest, "bad_request", message)
    }

    /// One thing that was sent was not understood.
    pub fn field(field: impl Into<Box<str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self { field: Some(field.into()), ..Self::new(Status::BadRequest, "bad_field", message) }
    }

    /// It stands against what is there.
    pub fn conflict(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Status::Conflict, "conflict", message)
    }

    /// It was there once.
    pub fn gone(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Status::Gone, "gone", message)
    }

    /// Something is at this address, but not for this method; `allow` names those there are.
    fn wrong_method(allow: &str) -> Self {
        let message = format!("this address does not take that method, but {allow}");
        Self::new(Status::MethodNotAllowed, "method_not_allowed", message)
    }

    /// The body is of a kind that is not taken here.
    pub fn media_type(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Status::UnsupportedMediaType, "unsupported_media_type", message)
    }

    /// The body is too large.
    pub fn too_large(most: u64) -> Self {
        Self::new(Status::PayloadTooLarge, "too_large", format!("the body can have at most {most} bytes"))
    }

    /// The body stopped, or came too slowly.
    pub fn slow_body() -> Self {
        let message = "the body came too slowly: less than a kibibyte a second";
        Self::new(Status::RequestTimeout, "slow_body", message)
    }

    /// A body that holds too much.
    pub fn too_many(most: usize, what: &str) -> Self {
        let message = format!("a request can hold at most {most} {what}; send them in several");
        Self::new(Status::PayloadTooLarge, "too_large", message)
    }

    /// Something that is ours to mend. The sender learns nothing of it; the log does.
    pub fn internal(error: &dyn Display) -> Self {
        // Who reports it can say which line of the log it is.
        let id = HEXLOWER.encode(&random::bytes::<6>());
        log::error!("{error} (request {id})");
        let message = format!("something went wrong here; the server's log says what, at request {id}");
        Self::new(Status::InternalServerError, "internal", message)
    }

    /// What a status means that no handler gave a reason for.
    fn of(status: Status, request: &Request<'_>) -> Self {
        match status.code {
            400 => Self::bad_request("this request was not understood"),
            404 if wants_json(request) => match methods(request) {
                Some(allow) => Self::wrong_method(&allow),
                None => Self::not_found("there is nothing at this address"),
            },
            404 => Self::not_found("there is nothing at this address"),
            413 => Self::new(status, "too_large", "the body is too large"),
            422 => Self::new(status, "unprocessable", "what was sent was not understood"),
            code if code < 500 => Self::new(status, "refused", "this request was refused"),
            code => Self { status, ..Self::internal(&format!("a request ended with status {code}")) },
        }
    }

    /// The same for programs that send logs, which do not know the status for a full disk and give up at it.
    #[must_use]
    pub(super) fn for_shippers(&self) -> Self {
        let mut told = self.clone();
        if told.status == Status::InsufficientStorage {
            told.status = Status::ServiceUnavailable;
        }
        told
    }

    /// The same, where so many records of the body were taken before it.
    pub fn behind(self, known: u64) -> Self {
        if known == 0 {
            return self;
        }
        let message = format!("{}; {} of this body were taken before", self.message, activities(known));
        Self { message: message.into(), ..self }
    }

    /// The same, with this said behind it.
    pub fn saying(self, more: &str) -> Self {
        if more.is_empty() {
            self
        } else {
            Self { message: format!("{}; {more}", self.message).into(), ..self }
        }
    }

    /// The status.
    pub const fn status(&self) -> Status {
        self.status
    }

    /// The sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The word for programs.
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// What the sentence is about, if it is about one field.
    pub fn about(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// In which column of that field, counted from 1.
    pub const fn column(&self) -> Option<usize> {
        self.column
    }

    /// In how many seconds it may be asked for again.
    pub const fn retry_after(&self) -> Option<u64> {
        self.retry_after
    }

    /// Keeps it for the catcher.
    pub(super) fn remember(self, request: &Request<'_>) {
        let kept = request.local_cache(Remembered::default);
        if let Ok(mut kept) = kept.0.lock() {
            *kept = Some(self);
        }
    }

    /// Turns away a request before any route has seen it: it is led to where there is nothing, and hears this there.
    pub(super) fn turn_away(self, request: &mut Request<'_>) {
        let nowhere = nowhere(request);
        self.remember(request);
        if let Ok(nowhere) = Origin::parse(nowhere) {
            request.set_uri(nowhere);
        }
    }

    /// Whether a guard said why the request is refused.
    pub(super) fn is_remembered(request: &Request<'_>) -> bool {
        request.local_cache(Remembered::default).0.lock().is_ok_and(|kept| kept.is_some())
    }

    /// What a guard remembered, or what the status means.
    pub(super) fn recall(status: Status, request: &Request<'_>) -> Self {
        let kept = request.local_cache(Remembered::default);
        let kept = kept.0.lock().ok().and_then(|mut kept| kept.take());
        kept.unwrap_or_else(|| Self::of(status, request))
    }
}

#[derive(Default)]
struct Remembered(Mutex<Option<Failure>>);
