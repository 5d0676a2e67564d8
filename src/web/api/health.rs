//! Whether the server lives, and whether it can do its work.

use rocket::{get, http::Status, routes};

use crate::web::door::Visitor;

#[get("/healthz")]
const fn alive() -> &'static str {
    "ok\n"
}

#[get("/readyz")]
fn ready(visitor: Visitor<'_>) -> (Status, &'static str) {
    if visitor.app.ready() { (Status::Ok, "ok\n") } else { (Status::ServiceUnavailable, "cannot write\n") }
}

pub(in crate::web) fn routes() -> Vec<rocket::Route> {
    routes![alive, ready]
}
