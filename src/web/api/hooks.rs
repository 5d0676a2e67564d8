//! Webhooks of apps, for administrators.

use rocket::{delete, get, http::Status, post, put, routes};
use serde::{Deserialize, Serialize};

use crate::{
    model::hook::{Delivery, DeliveryState},
    web::{
        door::{Admin, Fresh, Json, Params},
        failure::Failure,
        looking::apart,
        wire::{Answer, time},
    },
};

#[derive(Serialize)]
struct HookWire {
    url: String,
    created: String,
    created_by: String,
    /// How much the app is still to be told.
    waiting: u64,
    deliveries: Vec<DeliveryWire>,
}

/// The end of a session that an app was or is to be told.
#[derive(Serialize)]
pub(super) struct DeliveryWire {
    app: String,
    session: String,
    ended: String,
    state: &'static str,
    tries: u32,
    /// When it was told or given up, or when the next try is due.
    at: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    problem: String,
}

impl From<Delivery> for DeliveryWire {
    fn from(delivery: Delivery) -> Self {
        let (state, at) = match delivery.state {
            DeliveryState::Waiting(due) => ("waiting", due),
            DeliveryState::Told(at) => ("told", at),
            DeliveryState::GivenUp(at) => ("given_up", at),
        };
        Self {
            app: delivery.app,
            session: delivery.session.to_string(),
            ended: time(delivery.ended),
            state,
            tries: delivery.tries,
            at: time(at),
            problem: delivery.problem,
        }
    }
}

#[derive(Deserialize)]
struct Set {
    url: String,
}

#[derive(Serialize)]
struct Made {
    url: String,
    secret: String,
}

#[derive(Serialize)]
struct Retried {
    retried: usize,
}

#[get("/apps/<name>/hook")]
async fn one(admin: Admin<'_>, name: &str, params: Params) -> Result<Answer<HookWire>, Failure> {
    let most = params.number("limit", 100, (0, 1000))?;
    let app = name.to_owned();
    let (hook, waiting, deliveries) = apart(admin.app, move |all| all.hook(&app, most)).await?;
    let hook = hook.ok_or_else(|| Failure::not_found(format!("the app {name} has no webhook")))?;
    Ok(Answer(HookWire {
        url: hook.url,
        created: time(hook.created),
        created_by: hook.created_by,
        waiting,
        deliveries: deliveries.into_iter().map(DeliveryWire::from).collect(),
    }))
}

#[put("/apps/<name>/hook", data = "<body>")]
async fn set(
    admin: Fresh<Admin<'_>>,
    name: &str,
    body: Json<Set>,
) -> Result<(Status, Answer<Made>), Failure> {
    let (hook, secret) = admin.app.put_hook(&admin.actor(), name, &body.0.url).await?;
    Ok((Status::Created, Answer(Made { url: hook.url, secret: secret.reveal() })))
}

#[delete("/apps/<name>/hook")]
async fn remove(admin: Admin<'_>, name: &str) -> Result<Status, Failure> {
    admin.app.remove_hook(&admin.actor(), name).await?;
    Ok(Status::NoContent)
}

#[post("/apps/<name>/hook/retry")]
async fn retry(admin: Admin<'_>, name: &str) -> Result<Answer<Retried>, Failure> {
    let retried = admin.app.hasten_hook(&admin.actor(), name).await?;
    Ok(Answer(Retried { retried }))
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![one, set, remove, retry]
}
