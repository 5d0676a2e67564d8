//! Every way a request can fail, and what its sender is told.
//!
//! Which error belongs where: a module of the floors below has an enum of just the ways *it* fails, in
//! sentences for people; here all of them become a [`Failure`], a status with a code for programs and a
//! sentence that says what to do. Nothing internal is in it: what went wrong inside is logged once, here.

use std::{borrow::Cow, fmt::Display, net::IpAddr, sync::Mutex};

use data_encoding::HEXLOWER;
use rocket::{
    Request, Response,
    http::{ContentType, Header, Method, Status, uri::Origin},
    response::{self, Responder},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        Gone, StoreError,
        accounts::AccountError,
        activity::LookError,
        apps::AppError,
        evidence::SealError,
        export::ExportError,
        hooks::HookError,
        ingest::IngestError,
        passkeys::PasskeyError,
        places::PlacesError,
        random,
        retention::RetentionError,
        sessions::SessionError,
        sign_in::{self, SignInError},
        streams::StreamError,
        tokens::TokenError,
    },
    model::{noun::activities, query::QueryError, site::Site},
    web::door::Params,
};

/// A refusal: what the sender is told.
#[derive(Clone, Debug)]
pub struct Failure {
    status: Status,
    code: &'static str,
    message: Cow<'static, str>,
    field: Option<&'static str>,
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
        Self::new(Status::Forbidden, "not_a_trusted_proxy", message)
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
        Self { field: Some("code"), ..Self::new(Status::Unauthorized, "code_required", message) }
    }

    /// The one-time code of the setup is wrong.
    pub fn wrong_code() -> Self {
        let message = "that is not the code; it stands in the terminal where the server was started";
        Self { field: Some("code"), ..Self::new(Status::Forbidden, "wrong_code", message) }
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
    pub fn field(field: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { field: Some(field), ..Self::new(Status::BadRequest, "bad_field", message) }
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
    pub fn too_many(most: usize) -> Self {
        let message = format!("a request can hold at most {most} records; send them in several");
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

    /// What is told of it to programs.
    pub(super) fn into_reason(self) -> Reason {
        Reason { code: self.code, message: self.message, field: self.field, column: self.column }
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
    pub const fn about(&self) -> Option<&'static str> {
        self.field
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
        let nowhere = if wants_json(request) { "/api/nowhere" } else { "/nowhere" };
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

/// Whether the sender is a program: it is answered in JSON.
fn wants_json(request: &Request<'_>) -> bool {
    let path = request.uri().path();
    let path = path.as_str();
    // A proxy asks for it on behalf of whoever asked.
    if path.starts_with("/auth/denied") {
        return !request.headers().get("Accept").any(|accept| accept.contains("text/html"));
    }
    ["/api/", "/auth/nginx", "/auth/forward", "/es", "/v1/", "/healthz", "/readyz", "/metrics"]
        .iter()
        .any(|at| path.starts_with(at))
}

/// The methods that something at the request's address takes, as `Allow` lists them. None where there is nothing, or where
/// something takes the request's method and has forwarded it.
fn methods(request: &Request<'_>) -> Option<String> {
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

/// Why a request was refused.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"error": {"code": "bad_field", "message": "limit is a number from 1 to 1000", "field": "limit"}}))]
pub(super) struct Refusal {
    error: Reason,
}

/// What is told of a refusal.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Reason {
    /// For programs: it does not change.
    code: &'static str,
    /// For a person: what to do.
    message: Cow<'static, str>,
    /// What it is about, if about one field.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    /// Where in that field, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
}

impl<'r> Responder<'r, 'static> for Failure {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let mut response = if let Some(told) = super::shippers::refusal(request, &self) {
            told
        } else if wants_json(request) {
            let error =
                Reason { code: self.code, message: self.message, field: self.field, column: self.column };
            let body = serde_json::to_string(&Refusal { error }).unwrap_or_default();
            Response::build_from((ContentType::JSON, body).respond_to(request)?).finalize()
        } else if self.status == Status::Unauthorized && request.method() == Method::Get {
            to_sign_in(request)
        } else if self.code == FACTOR_REQUIRED {
            let location = Header::new("Location", "/profile/second-factor");
            Response::build().status(Status::SeeOther).header(location).finalize()
        } else if let Some(fields) = self.step_up {
            super::pages::step_up(request, fields).respond_to(request)?
        } else if request.uri().path().as_str().starts_with(super::gate::PREFIX) {
            let own = super::door::own_address(request);
            let page =
                super::gate::Elsewhere::because(own, self.status, super::pages::sentence(&self.message));
            Box::new(page).respond_to(request)?
        } else {
            super::pages::failure(request, self.status.code, &self.message).respond_to(request)?
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

/// Who is refused so is led to where a second factor is set up.
const FACTOR_REQUIRED: &str = "second_factor_required";

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

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => {
                let full = Self::new(Status::InsufficientStorage, "disk_full", error.to_string());
                Self { retry_after: Some(5), ..full }
            }
            StoreError::Failing | StoreError::Reopen(_) => {
                let message = "nothing can be written here just now; try again in a moment";
                Self { retry_after: Some(5), ..Self::new(Status::ServiceUnavailable, "not_written", message) }
            }
            StoreError::Unknown => {
                let message = "whether this was written down is not known yet; look in a moment, and do it again if it was not";
                Self {
                    retry_after: Some(5),
                    ..Self::new(Status::ServiceUnavailable, "outcome_unknown", message)
                }
            }
            error => Self::internal(&error),
        }
    }
}

impl From<Gone> for Failure {
    fn from(_: Gone) -> Self {
        Self::not_signed_in()
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Disabled(_) => Self::conflict(error.to_string()),
            SessionError::Gone(gone) => gone.into(),
            SessionError::Store(error) => error.into(),
        }
    }
}

impl From<SignInError> for Failure {
    fn from(error: SignInError) -> Self {
        let message = error.to_string();
        match error {
            SignInError::Refused | SignInError::Passkey => {
                Self::new(Status::Unauthorized, "refused", message)
            }
            SignInError::Code => {
                Self { field: Some("code"), ..Self::new(Status::Unauthorized, "wrong_code", message) }
            }
            SignInError::Over => Self::new(Status::Unauthorized, "sign_in_over", message),
            SignInError::Busy => {
                let busy = Self::new(Status::TooManyRequests, "busy", message);
                Self { retry_after: Some(sign_in::BUSY.as_secs()), ..busy }
            }
            SignInError::TooMany(seconds) => {
                let many = Self::new(Status::TooManyRequests, "too_many_tries", message);
                Self { retry_after: Some(seconds), ..many }
            }
            SignInError::Store(error) => error.into(),
        }
    }
}

impl From<AccountError> for Failure {
    fn from(error: AccountError) -> Self {
        let message = error.to_string();
        match error {
            AccountError::Unknown(_) | AccountError::NoFactor(_) => Self::not_found(message),
            AccountError::Taken(_)
            | AccountError::LastAdmin(_)
            | AccountError::SetUp
            | AccountError::HasFactor
            | AccountError::FactorDemanded => Self::conflict(message),
            AccountError::Name(_) | AccountError::Reserved(_) => Self::field("user", message),
            AccountError::Password(_) => Self::field("password", message),
            AccountError::WrongPassword => Self::field("current", message),
            AccountError::WrongCode => Self::field("code", message),
            AccountError::StaleFactor => Self::field("pending", message),
            AccountError::Email => Self::field("email", message),
            AccountError::Text(field, ..) => Self::field(field, message),
            AccountError::Busy => SignInError::Busy.into(),
            AccountError::TooMany(seconds) => SignInError::TooMany(seconds).into(),
            AccountError::Gone(gone) => gone.into(),
            AccountError::Store(error) => error.into(),
        }
    }
}

impl From<PasskeyError> for Failure {
    fn from(error: PasskeyError) -> Self {
        let message = error.to_string();
        match error {
            PasskeyError::Refused => Self::field("credential", message),
            PasskeyError::Name => Self::field("name", message),
            PasskeyError::Unknown => Self::not_found(message),
            PasskeyError::Many => Self::conflict(message),
            PasskeyError::Account(error) => error.into(),
            PasskeyError::Gone(gone) => gone.into(),
            PasskeyError::Store(error) => error.into(),
        }
    }
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        let message = error.to_string();
        match error {
            TokenError::Name | TokenError::Reserved(_) => Self::field("name", message),
            TokenError::NoScope => Self::field("scopes", message),
            TokenError::App => Self::field("app", message),
            TokenError::Expired => Self::field("expires", message),
            TokenError::Taken(_) => Self::conflict(message),
            TokenError::Unknown(_) => Self::not_found(message),
            TokenError::Gone(gone) => gone.into(),
            TokenError::Store(error) => error.into(),
        }
    }
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        let message = error.to_string();
        match error {
            AppError::Name | AppError::Reserved(_) => Self::field("name", message),
            AppError::Url(_) => Self::field("url", message),
            AppError::Known(_) => Self { field: Some("name"), ..Self::conflict(message) },
            AppError::Taken(..) => Self { field: Some("url"), ..Self::conflict(message) },
            AppError::Unknown(_) => Self::not_found(message),
            AppError::Gone(gone) => gone.into(),
            AppError::Store(error) => error.into(),
        }
    }
}

impl From<HookError> for Failure {
    fn from(error: HookError) -> Self {
        let message = error.to_string();
        match error {
            HookError::Url => Self::field("url", message),
            HookError::NoApp(_) | HookError::Unknown(_) => Self::not_found(message),
            HookError::Gone(gone) => gone.into(),
            HookError::Store(error) => error.into(),
        }
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        Self { column: Some(error.column), ..Self::field("q", format!("column {}: {error}", error.column)) }
    }
}

impl From<LookError> for Failure {
    fn from(error: LookError) -> Self {
        let message = error.to_string();
        match error {
            LookError::Busy => {
                Self { retry_after: Some(5), ..Self::new(Status::ServiceUnavailable, "busy", message) }
            }
            LookError::Cursor(_) => Self::field("cursor", message),
            LookError::TooSlow => Self::new(Status::ServiceUnavailable, "too_slow", message),
            LookError::Behind(_) => {
                let behind = Self::new(Status::ServiceUnavailable, "index_behind", message);
                Self { retry_after: Some(30), ..behind }
            }
            LookError::Index(_) => Self {
                retry_after: Some(5),
                ..Self::new(Status::ServiceUnavailable, "index_damaged", message)
            },
            LookError::Store(error) => error.into(),
        }
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Busy => {
                let busy = Self::new(Status::TooManyRequests, "busy", error.to_string());
                Self { retry_after: Some(10), ..busy }
            }
            ExportError::Removed { .. } => Self::gone(error.to_string()),
            ExportError::Gone(gone) => gone.into(),
            ExportError::Look(error) => error.into(),
            ExportError::Store(error) => error.into(),
        }
    }
}

impl From<SealError> for Failure {
    fn from(error: SealError) -> Self {
        let message = error.to_string();
        match error {
            SealError::Unknown | SealError::NoExport => Self::not_found(message),
            SealError::Others => Self::forbidden(message),
            SealError::NoCheckpoint(_) | SealError::Later { .. } => Self::field("checkpoint", message),
            SealError::Otherwise => Self::conflict(message),
            SealError::Gone(gone) => gone.into(),
            SealError::Store(error) => error.into(),
        }
    }
}

impl From<StreamError> for Failure {
    fn from(error: StreamError) -> Self {
        let (status, code) = match error {
            StreamError::Own => (Status::TooManyRequests, "busy"),
            StreamError::All => (Status::ServiceUnavailable, "too_many_streams"),
        };
        Self { retry_after: Some(10), ..Self::new(status, code, error.to_string()) }
    }
}

impl From<IngestError> for Failure {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::Gone(gone) => gone.into(),
            IngestError::Busy => {
                let busy = Self::new(Status::TooManyRequests, "busy", error.to_string());
                Self { retry_after: Some(1), ..busy }
            }
            IngestError::Store(error @ StoreError::Full) => error.into(),
            // Programs that send logs give up at 500, and come back at 503.
            IngestError::Store(error) => {
                log::error!("{error}");
                let message = "the log cannot be written now; send this again later";
                Self { retry_after: Some(5), ..Self::new(Status::ServiceUnavailable, "not_written", message) }
            }
        }
    }
}

impl From<RetentionError> for Failure {
    fn from(error: RetentionError) -> Self {
        match error {
            RetentionError::Much { .. } => Self::conflict(error.to_string()),
            RetentionError::Gone(gone) => gone.into(),
            RetentionError::Look(error) => error.into(),
            RetentionError::Store(error) => error.into(),
        }
    }
}

impl From<PlacesError> for Failure {
    fn from(error: PlacesError) -> Self {
        match error {
            PlacesError::Geo(error) => Self::field("file", error.to_string()),
            PlacesError::Gone(gone) => gone.into(),
            PlacesError::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_to_programs_by_a_status_that_they_know() {
        let failure = Failure::from(IngestError::Store(StoreError::Full));
        assert_eq!((failure.status(), failure.retry_after), (Status::InsufficientStorage, Some(5)));
        assert_eq!(failure.for_shippers().status(), Status::ServiceUnavailable);
    }

    #[test]
    fn what_cannot_be_written_now_is_to_be_sent_again() {
        let failure = Failure::from(IngestError::Store(StoreError::Closed));
        assert_eq!((failure.status(), failure.retry_after), (Status::ServiceUnavailable, Some(5)));
        let failure = Failure::from(IngestError::Busy);
        assert_eq!((failure.status(), failure.retry_after), (Status::TooManyRequests, Some(1)));
    }
}
