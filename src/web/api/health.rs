//! Whether the server lives, and whether it can do its work.

use rocket::{
    get,
    http::{ContentType, Status},
};

use crate::{
    domain::Health,
    web::{
        door::{Observer, Visitor},
        failure::{Failure, Refusal},
        looking::apart,
        openapi::described,
    },
};

/// Whether the server lives.
#[utoipa::path(
    responses(
        (status = 200, body = String, example = "ok\n")
    ),
)]
#[get("/healthz")]
const fn alive() -> &'static str {
    "ok\n"
}

/// Whether the server can write.
///
/// Why it cannot is told to who may see `/metrics`.
#[utoipa::path(
    responses(
        (status = 200, body = String, example = "ok\n"),
        (status = 503, content_type = "text/plain", body = String, description = "It cannot write. Strangers are told `not ready`.", example = "cannot write: the disk is full\n")
    ),
)]
#[get("/readyz")]
fn ready(visitor: Visitor<'_>, observer: Option<Observer<'_>>) -> (Status, &'static str) {
    match visitor.app.health() {
        Health::Good => (Status::Ok, "ok\n"),
        _ if observer.is_none() => (Status::ServiceUnavailable, "not ready\n"),
        Health::Full => (Status::ServiceUnavailable, "cannot write: the disk is full\n"),
        Health::Failing(_) => (Status::ServiceUnavailable, "cannot write: see the server's log\n"),
    }
}

/// What happens here, counted, as Prometheus reads it.
///
/// Open to this machine without a token, under `localhost` or an address in numbers, unless a proxy passed the request on.
#[utoipa::path(
    security((), ("token" = ["metrics"])),
    responses(
        (status = 200, content_type = "text/plain", body = String, example = "# HELP rollcall_sessions_live Sessions that are live.\n# TYPE rollcall_sessions_live gauge\nrollcall_sessions_live 1\n"),
        (status = 401, body = Refusal),
        (status = 403, body = Refusal),
        (status = 500, body = Refusal)
    ),
)]
#[get("/metrics")]
async fn metrics(observer: Observer<'_>) -> Result<(ContentType, String), Failure> {
    let text = apart(observer.app, |app| app.metrics()).await?;
    Ok((ContentType::new("text", "plain").with_params([("version", "0.0.4"), ("charset", "utf-8")]), text))
}

described![alive, ready, metrics];
