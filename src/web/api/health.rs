//! Whether the server lives, and whether it can do its work.

use rocket::{get, http::Status, routes};

use crate::{domain::Health, web::door::Visitor};

#[get("/healthz")]
const fn alive() -> &'static str {
    "ok\n"
}

#[get("/readyz")]
fn ready(visitor: Visitor<'_>) -> (Status, &'static str) {
    match visitor.app.health() {
        Health::Good => (Status::Ok, "ok\n"),
        Health::Full => (Status::ServiceUnavailable, "cannot write: the disk is full\n"),
        Health::Failing(_) => (Status::ServiceUnavailable, "cannot write: see the server's log\n"),
    }
}

pub(in crate::web) fn routes() -> Vec<rocket::Route> {
    routes![alive, ready]
}
