//! Webhooks of apps, for administrators.

use rocket::{delete, get, http::Status, post, put};
use serde::{Deserialize, Serialize};
use utoipa::{ToSchema, openapi::Schema};

use crate::{
    model::hook::{Delivery, DeliveryState},
    web::{
        door::{Admin, Fresh, Json, Params},
        failure::{Failure, Refusal},
        looking::apart,
        openapi::{described, words::one_of},
        wire::{Answer, time},
    },
};

#[derive(Serialize, ToSchema)]
#[schema(as = Hook, example = json!({
    "url": "https://wiki.example.org/rollcall", "created": "2026-03-01T08:00:00.000Z", "created_by": "ada", "waiting": 0
}))]
struct HookWire {
    /// Where the ends of sessions are posted.
    url: String,
    /// When it was set.
    #[schema(format = DateTime)]
    created: String,
    /// Who set it.
    created_by: String,
    /// How much the app is still to be told.
    waiting: u64,
    /// What it was told or is to be told, the newest first.
    deliveries: Vec<DeliveryWire>,
}

/// The end of a session that an app was or is to be told.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery, example = json!({
    "app": "wiki", "session": "8n1c5rd0m7k9g2qv4h6t3w1y5p", "ended": "2026-03-15T12:05:00.000Z", "state": "told", "tries": 1,
    "at": "2026-03-15T12:05:00.250Z"
}))]
pub(super) struct DeliveryWire {
    /// The app.
    app: String,
    /// The session that ended.
    session: String,
    /// When.
    #[schema(format = DateTime)]
    ended: String,
    /// How far it has come.
    #[schema(schema_with = delivery_states)]
    state: &'static str,
    /// How often it was tried.
    tries: u32,
    /// When it was told or given up, or when the next try is due.
    #[schema(format = DateTime)]
    at: String,
    /// What the last try came to, if to nothing.
    #[serde(skip_serializing_if = "String::is_empty")]
    problem: String,
}

/// The words of [`DeliveryWire::state`].
fn delivery_states() -> Schema {
    one_of(["waiting", "told", "given_up"])
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

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewHook, example = json!({"url": "https://wiki.example.org/rollcall"}))]
struct Set {
    /// Where to post: http or https, without a user.
    url: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = HookMade, example = json!({
    "url": "https://wiki.example.org/rollcall", "secret": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
}))]
struct Made {
    /// Where the ends of sessions are posted.
    url: String,
    /// What messages are signed with; it is shown this once.
    secret: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = HookRetried)]
struct Retried {
    /// How many messages are tried now.
    retried: usize,
}

/// The webhook of an app, and what it was told.
#[utoipa::path(
    params(("limit" = Option<u32>, Query, minimum = 0, maximum = 1000, description = "How many deliveries at most, the newest first; 100 if not given.")),
    security(("session" = [])),
    responses(
        (status = 200, body = HookWire),
        (status = 400, body = Refusal),
        (status = 404, body = Refusal)
    ),
)]
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

/// Set the webhook of an app.
///
/// The answer has the secret by which messages are signed; it is shown this once. Setting it again makes another.
#[utoipa::path(
    request_body = Set,
    security(("session" = [])),
    responses(
        (status = 201, body = Made),
        (status = 404, body = Refusal)
    ),
)]
#[put("/apps/<name>/hook", data = "<body>")]
async fn set(
    admin: Fresh<Admin<'_>>,
    name: &str,
    body: Json<Set>,
) -> Result<(Status, Answer<Made>), Failure> {
    let (hook, secret) = admin.app.put_hook(&admin.actor(), name, &body.0.url).await?;
    Ok((Status::Created, Answer(Made { url: hook.url, secret: secret.reveal() })))
}

/// Remove the webhook of an app; what it was still to be told is dropped.
#[utoipa::path(
    security(("session" = [])),
    responses(
        (status = 204),
        (status = 404, body = Refusal)
    ),
)]
#[delete("/apps/<name>/hook")]
async fn remove(admin: Fresh<Admin<'_>>, name: &str) -> Result<Status, Failure> {
    admin.app.remove_hook(&admin.actor(), name).await?;
    Ok(Status::NoContent)
}

/// Try at once what waits to be told, and once more what was given up.
#[utoipa::path(
    security(("session" = [])),
    responses(
        (status = 200, body = Retried),
        (status = 404, body = Refusal)
    ),
)]
#[post("/apps/<name>/hook/retry")]
async fn retry(admin: Admin<'_>, name: &str) -> Result<Answer<Retried>, Failure> {
    let retried = admin.app.hasten_hook(&admin.actor(), name).await?;
    Ok(Answer(Retried { retried }))
}

described![one, set, remove, retry];
