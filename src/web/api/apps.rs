//! Apps of the organisation, for administrators.

use rocket::{delete, get, http::Status, post, routes};
use serde::{Deserialize, Serialize};

use crate::{
    model::app::{App, NotAHeaderFamily},
    web::{
        door::{Admin, Auditor, Json},
        failure::Failure,
        looking::apart,
        wire::{Answer, Items},
    },
};

#[derive(Serialize)]
struct AppWire {
    name: String,
    url: String,
    groups: Vec<String>,
    headers: &'static str,
}

#[derive(Deserialize)]
struct Add {
    name: String,
    url: String,
    #[serde(default)]
    groups: Vec<String>,
    headers: Option<String>,
}

#[get("/apps")]
async fn list(auditor: Auditor<'_>) -> Result<Answer<Items<AppWire, usize>>, Failure> {
    let apps = apart(auditor.app, |app| app.apps()).await?;
    let wire = |app: App| AppWire {
        name: app.name,
        url: app.url,
        groups: app.groups,
        headers: app.headers.as_str(),
    };
    let items: Vec<AppWire> = apps.into_iter().map(wire).collect();
    let total = items.len();
    Ok(Answer(Items { items, next: None, total }))
}

#[post("/apps", data = "<body>")]
async fn add(admin: Admin<'_>, body: Json<Add>) -> Result<Status, Failure> {
    let Add { name, url, groups, headers } = body.0;
    let headers = headers.map(|word| word.parse()).transpose();
    let headers = headers.map_err(|error: NotAHeaderFamily| Failure::field("headers", error.to_string()))?;
    let app = App { name, url, groups, headers: headers.unwrap_or_default(), created: admin.app.now() };
    admin.app.put_app(&admin.actor(), app).await?;
    Ok(Status::Created)
}

#[delete("/apps/<name>")]
async fn remove(admin: Admin<'_>, name: &str) -> Result<Status, Failure> {
    admin.app.remove_app(&admin.actor(), name).await?;
    Ok(Status::NoContent)
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![list, add, remove]
}
