//! API tokens, for administrators.

use jiff::tz::TimeZone;
use rocket::{delete, get, http::Status, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::App,
    model::token::{ApiToken, NotAScope, NotAnExpiry, TokenScope, expiry},
    web::{
        door::{Admin, Fresh, Json},
        failure::{Failure, Refusal},
        openapi::described,
        wire::{Answer, Items, time},
    },
};

#[derive(Serialize, ToSchema)]
#[schema(as = Token, example = json!({"name": "backup-runner", "scopes": ["activity:write"], "created": "2026-03-01T08:00:00.000Z", "created_by": "ada", "stopped": false, "expires": null, "last_used": null}))]
struct TokenWire {
    /// The name, under which its program writes.
    name: String,
    /// What it opens.
    #[schema(value_type = Vec<TokenScope>)]
    scopes: Vec<&'static str>,
    /// The app that its program is: what it writes is that app's. It is missing where the token may write for any.
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<String>,
    /// When it was made.
    #[schema(format = DateTime)]
    created: String,
    /// Who made it.
    created_by: String,
    /// Whether it works no more, because who made it is no active administrator. It works again when they are.
    stopped: bool,
    /// When it stops to work, if ever.
    #[schema(format = DateTime)]
    expires: Option<String>,
    /// When it was last used, to within a minute.
    #[schema(format = DateTime)]
    last_used: Option<String>,
    /// The token itself, when it is made and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl TokenWire {
    fn new(app: &App, token: ApiToken) -> Self {
        Self {
            stopped: !app.stands_for(&token),
            name: token.name,
            scopes: token.scopes.iter().map(|scope| scope.as_str()).collect(),
            app: token.app,
            created: time(token.created),
            created_by: token.created_by,
            expires: token.expires.map(time),
            last_used: token.last_used.map(time),
            token: None,
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewToken, example = json!({"name": "backup-runner", "scopes": ["activity:write"], "expires": "90d"}))]
struct Add {
    /// 1 to 64 letters, digits, dots and hyphens.
    name: String,
    /// What it opens; at least one.
    #[schema(value_type = Vec<TokenScope>)]
    scopes: Vec<String>,
    /// The app that its program is, at most 64 bytes: what it writes is that app's, whatever it says. Any if not given.
    app: Option<String>,
    /// When it stops to work: a date, a time, or so long as `90d`; never if not given.
    expires: Option<String>,
}

/// Every token, without its secret.
#[utoipa::path(
    security(("session" = [])),
    responses(
        (status = 200, body = Items<TokenWire, usize>)
    ),
)]
#[get("/tokens")]
fn list(admin: Admin<'_>) -> Answer<Items<TokenWire, usize>> {
    let items = admin.app.tokens().into_iter();
    let items: Vec<TokenWire> = items.map(|token| TokenWire::new(admin.app, token)).collect();
    let total = items.len();
    Answer(Items { items, next: None, total })
}

/// Make a token: the answer shows it, this once.
#[utoipa::path(
    request_body = Add,
    security(("session" = [])),
    responses(
        (status = 201, body = TokenWire, example = json!({"token": "rct_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"})),
        (status = 409, body = Refusal)
    ),
)]
#[post("/tokens", data = "<body>")]
async fn add(admin: Fresh<Admin<'_>>, body: Json<Add>) -> Result<(Status, Answer<TokenWire>), Failure> {
    let Add { name, scopes, app, expires } = body.0;
    let scopes: Result<Vec<TokenScope>, NotAScope> = scopes.iter().map(|scope| scope.parse()).collect();
    let scopes = scopes.map_err(|error| Failure::field("scopes", error.to_string()))?;
    let expires = expiry(expires.as_deref().unwrap_or_default(), admin.app.now(), &TimeZone::UTC);
    let expires = expires.map_err(|error: NotAnExpiry| Failure::field("expires", error.to_string()))?;
    let (token, secret) = admin.app.add_token(&admin.actor(), &name, scopes, app.as_deref(), expires).await?;
    let wire = TokenWire { token: Some(secret.reveal()), ..TokenWire::new(admin.app, token) };
    Ok((Status::Created, Answer(wire)))
}

/// Revoke a token: the next call with it is refused.
#[utoipa::path(
    security(("session" = [])),
    responses(
        (status = 204),
        (status = 404, body = Refusal)
    ),
)]
#[delete("/tokens/<name>")]
async fn revoke(admin: Admin<'_>, name: &str) -> Result<Status, Failure> {
    admin.app.revoke_token(&admin.actor(), name).await?;
    Ok(Status::NoContent)
}

described![list, add, revoke];
