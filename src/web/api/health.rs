//! Whether the server lives, and whether it can do its work.

use rocket::{get, http::Status};

use crate::{
    domain::Health,
    web::{door::Visitor, openapi::described},
};

/// Whether the server lives.
#[utoipa::path(
    responses(
        (status = 200, body = String)
    ),
)]
#[get("/healthz")]
const fn alive() -> &'static str {
    "ok\n"
}

/// Whether the server can write.
#[utoipa::path(
    responses(
        (status = 200, body = String),
        (status = 503, content_type = "text/plain", body = String, description = "It cannot write.")
    ),
)]
#[get("/readyz")]
fn ready(visitor: Visitor<'_>) -> (Status, &'static str) {
    match visitor.app.health() {
        Health::Good => (Status::Ok, "ok\n"),
        Health::Full => (Status::ServiceUnavailable, "cannot write: the disk is full\n"),
        Health::Failing(_) => (Status::ServiceUnavailable, "cannot write: see the server's log\n"),
    }
}

described![alive, ready];
