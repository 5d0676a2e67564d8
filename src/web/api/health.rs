//! Whether the server lives, and whether it can do its work.

use rocket::{
    get,
    http::{ContentType, Status},
    routes,
};

use crate::{
    domain::Health,
    web::{
        door::{Observer, Visitor},
        failure::Failure,
        looking::apart,
    },
};

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

#[get("/metrics")]
async fn metrics(observer: Observer<'_>) -> Result<(ContentType, String), Failure> {
    let text = apart(observer.app, |app| app.metrics()).await?;
    Ok((ContentType::new("text", "plain").with_params([("version", "0.0.4"), ("charset", "utf-8")]), text))
}

pub(in crate::web) fn routes() -> Vec<rocket::Route> {
    routes![alive, ready, metrics]
}
