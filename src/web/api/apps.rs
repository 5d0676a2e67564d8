//! Apps of the organisation, for administrators.

use rocket::{delete, get, http::Status, patch, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    model::app::{App, AppChange, HeaderFamily, NotAHeaderFamily},
    web::{
        door::{Admin, Auditor, Fresh, Json},
        failure::{Failure, Refusal},
        looking::apart,
        openapi::described,
        wire::{Answer, Items},
    },
};

#[derive(Serialize, ToSchema)]
#[schema(as = App, example = json!({"name": "wiki", "url": "https://wiki.example.org", "groups": ["staff"], "headers": "remote"}))]
struct AppWire {
    /// The name.
    name: String,
    /// Where it is.
    url: String,
    /// Who may in; everybody if there are none.
    groups: Vec<String>,
    /// How it is told who is there.
    #[schema(value_type = HeaderFamily)]
    headers: &'static str,
}

impl From<App> for AppWire {
    fn from(app: App) -> Self {
        Self { name: app.name, url: app.url, groups: app.groups, headers: app.headers.as_str() }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewApp, example = json!({"name": "wiki", "url": "https://wiki.example.org", "groups": ["staff"]}))]
struct Add {
    /// 1 to 64 bytes, without a slash; `rollcall`, `add`, `.` and `..` are taken.
    name: String,
    /// Where it is, with http or https.
    url: String,
    /// Who may in; everybody if there are none, or it is not given.
    groups: Option<Vec<String>>,
    /// How it is told who is there; `remote` if not given.
    #[schema(value_type = Option<HeaderFamily>)]
    headers: Option<String>,
}

/// Every app, for administrators and auditors.
#[utoipa::path(
    security(("session" = [])),
    responses(
        (status = 200, body = Items<AppWire, usize>)
    ),
)]
#[get("/apps")]
async fn list(auditor: Auditor<'_>) -> Result<Answer<Items<AppWire, usize>>, Failure> {
    let apps = apart(auditor.app, |app| app.apps()).await?;
    let items: Vec<AppWire> = apps.into_iter().map(AppWire::from).collect();
    let total = items.len();
    Ok(Answer(Items { items, next: None, total }))
}

/// Add an app.
///
/// One that is there stays as it is: that is changed by `PATCH`.
#[utoipa::path(
    request_body = Add,
    security(("session" = [])),
    responses(
        (status = 201, body = AppWire),
        (status = 409, body = Refusal, description = "There is an app of that name, or at that address.")
    ),
)]
#[post("/apps", data = "<body>")]
async fn add(admin: Fresh<Admin<'_>>, body: Json<Add>) -> Result<(Status, Answer<AppWire>), Failure> {
    let Add { name, url, groups, headers } = body.0;
    let (groups, headers) = (groups.unwrap_or_default(), family(headers)?.unwrap_or_default());
    let app = App { name, url, groups, headers, created: admin.app.now() };
    let added = admin.app.add_app(&admin.actor(), app).await?;
    Ok((Status::Created, Answer(added.into())))
}

fn family(word: Option<String>) -> Result<Option<HeaderFamily>, Failure> {
    let family = word.map(|word| word.parse()).transpose();
    family.map_err(|error: NotAHeaderFamily| Failure::field("headers", error.to_string()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AppChange, example = json!({"groups": ["staff", "it"]}))]
struct Change {
    /// Where it is, with http or https.
    url: Option<String>,
    /// Who may in from now on: all of them, or everybody if there are none.
    groups: Option<Vec<String>>,
    /// How it is told who is there.
    #[schema(value_type = Option<HeaderFamily>)]
    headers: Option<String>,
}

/// Change an app: what is not given stays as it is.
///
/// It counts from the next request on. A webhook has a call of its own.
#[utoipa::path(
    request_body = Change,
    security(("session" = [])),
    responses(
        (status = 204),
        (status = 404, body = Refusal),
        (status = 409, body = Refusal)
    ),
)]
#[patch("/apps/<name>", data = "<body>")]
async fn change(admin: Fresh<Admin<'_>>, name: &str, body: Json<Change>) -> Result<Status, Failure> {
    let Change { url, groups, headers } = body.0;
    let change = AppChange { url, groups, headers: family(headers)? };
    admin.app.change_app(&admin.actor(), name, change).await?;
    Ok(Status::NoContent)
}

/// Remove an app, and its webhook.
#[utoipa::path(
    security(("session" = [])),
    responses(
        (status = 204),
        (status = 404, body = Refusal)
    ),
)]
#[delete("/apps/<name>")]
async fn remove(admin: Fresh<Admin<'_>>, name: &str) -> Result<Status, Failure> {
    admin.app.remove_app(&admin.actor(), name).await?;
    Ok(Status::NoContent)
}

described![list, add, change, remove];
