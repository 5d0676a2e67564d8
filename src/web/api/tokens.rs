//! API tokens, for administrators.

use jiff::tz::TimeZone;
use rocket::{delete, get, http::Status, post, routes};
use serde::{Deserialize, Serialize};

use crate::{
    model::token::{ApiToken, NotAScope, NotAnExpiry, TokenScope, expiry},
    web::{
        door::{Admin, Fresh, Json},
        failure::Failure,
        wire::{Answer, Items, time},
    },
};

#[derive(Serialize)]
struct TokenWire {
    name: String,
    scopes: Vec<&'static str>,
    created: String,
    created_by: String,
    expires: Option<String>,
    last_used: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl From<ApiToken> for TokenWire {
    fn from(token: ApiToken) -> Self {
        Self {
            name: token.name,
            scopes: token.scopes.iter().map(|scope| scope.as_str()).collect(),
            created: time(token.created),
            created_by: token.created_by,
            expires: token.expires.map(time),
            last_used: token.last_used.map(time),
            token: None,
        }
    }
}

#[derive(Deserialize)]
struct Add {
    name: String,
    scopes: Vec<String>,
    expires: Option<String>,
}

#[get("/tokens")]
fn list(admin: Admin<'_>) -> Answer<Items<TokenWire, usize>> {
    let items: Vec<TokenWire> = admin.app.tokens().into_iter().map(TokenWire::from).collect();
    let total = items.len();
    Answer(Items { items, next: None, total })
}

#[post("/tokens", data = "<body>")]
async fn add(admin: Fresh<Admin<'_>>, body: Json<Add>) -> Result<(Status, Answer<TokenWire>), Failure> {
    let Add { name, scopes, expires } = body.0;
    let scopes: Result<Vec<TokenScope>, NotAScope> = scopes.iter().map(|scope| scope.parse()).collect();
    let scopes = scopes.map_err(|error| Failure::field("scopes", error.to_string()))?;
    let expires = expiry(expires.as_deref().unwrap_or_default(), admin.app.now(), &TimeZone::UTC);
    let expires = expires.map_err(|error: NotAnExpiry| Failure::field("expires", error.to_string()))?;
    let (token, secret) = admin.app.add_token(&admin.actor(), &name, scopes, expires).await?;
    let wire = TokenWire { token: Some(secret.reveal()), ..token.into() };
    Ok((Status::Created, Answer(wire)))
}

#[delete("/tokens/<name>")]
async fn revoke(admin: Admin<'_>, name: &str) -> Result<Status, Failure> {
    admin.app.revoke_token(&admin.actor(), name).await?;
    Ok(Status::NoContent)
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![list, add, revoke]
}
