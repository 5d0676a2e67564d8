//! Passkeys: one's own, and signing in with one.

use rocket::{delete, get, http::Status, post};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::account::{Welcomed, welcome};
use crate::{
    domain::passkeys::{Party, Question},
    model::passkey::Passkey,
    web::{
        door::{Fresh, Json, Member, OpenJson, SetCookie, Visitor},
        failure::{Failure, Refusal},
        openapi::{described, device},
        wire::{Answer, Items, time},
    },
};

#[derive(Serialize, ToSchema)]
#[schema(as = Passkey, example = json!({
    "id": "RVadpX9Le_Ry16hk70eBRQ", "name": "phone", "created": "2026-03-15T12:00:00.000Z", "last_used": null
}))]
struct PasskeyWire {
    /// The id.
    id: String,
    /// What its owner calls it.
    name: String,
    /// When it was made.
    #[schema(format = DateTime)]
    created: String,
    /// When somebody last signed in with it.
    #[schema(format = DateTime)]
    last_used: Option<String>,
}

impl From<Passkey> for PasskeyWire {
    fn from(passkey: Passkey) -> Self {
        Self {
            id: passkey.id_text(),
            created: time(passkey.created),
            last_used: passkey.last_used.map(time),
            name: passkey.name,
        }
    }
}

/// What the browser is to ask the device, and the token with which the answer comes back.
#[derive(Serialize, ToSchema)]
#[schema(as = PasskeyQuestion, example = device::to_make)]
struct QuestionWire {
    /// Comes back with the answer.
    token: String,
    /// For `navigator.credentials`.
    #[schema(value_type = Object)]
    options: Value,
}

impl From<Question> for QuestionWire {
    fn from(question: Question) -> Self {
        Self { token: question.token.reveal(), options: question.options }
    }
}

fn here(party: Option<Party>) -> Result<Party, Failure> {
    party.ok_or_else(|| {
        Failure::conflict("passkeys need HTTPS at the address of --public-url, or http://localhost")
    })
}

/// One's passkeys.
#[utoipa::path(
    security(("session" = [])),
    responses((status = 200, body = Items<PasskeyWire, usize>)),
)]
#[get("/me/passkeys")]
fn list(member: Member<'_>) -> Result<Answer<Items<PasskeyWire, usize>>, Failure> {
    let passkeys = member.app.passkeys(&member.user.name)?;
    let items: Vec<PasskeyWire> = passkeys.into_iter().map(PasskeyWire::from).collect();
    let total = items.len();
    Ok(Answer(Items { items, next: None, total }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasskeyBegin, example = json!({"password": "correct horse battery staple"}))]
struct Begin {
    /// One's password.
    #[schema(format = Password)]
    password: String,
}

/// Begin to make a passkey.
#[utoipa::path(
    request_body = Begin,
    security(("session" = [])),
    responses((status = 200, body = QuestionWire), (status = 409, body = Refusal, description = "Passkeys need HTTPS or localhost; or it stands against what is there."), (status = 429, body = Refusal)),
)]
#[post("/me/passkeys/begin", data = "<body>")]
async fn begin(member: Member<'_>, body: Json<Begin>) -> Result<Answer<QuestionWire>, Failure> {
    let (party, origin) = (here(member.party())?, member.origin());
    let begun = member.app.begin_passkey(&party, &member.user.name, body.0.password, &origin).await?;
    Ok(Answer(begun.into()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasskeyMade, example = device::made)]
struct Made {
    /// That of the question.
    token: String,
    /// What to call it.
    name: String,
    /// What the browser answered.
    #[schema(value_type = Object)]
    credential: Value,
}

/// Add the passkey that the device made.
#[utoipa::path(
    request_body = Made,
    security(("session" = [])),
    responses((status = 201, body = PasskeyWire), (status = 409, body = Refusal, description = "Passkeys need HTTPS or localhost; or it stands against what is there.")),
)]
#[post("/me/passkeys", data = "<body>")]
async fn add(member: Member<'_>, body: Json<Made>) -> Result<(Status, Answer<PasskeyWire>), Failure> {
    let Made { token, name, credential } = body.0;
    let (party, by, user) = (here(member.party())?, member.actor(), &member.user.name);
    let added = member.app.add_passkey(&by, &party, user, &token, &name, credential).await?;
    Ok((Status::Created, Answer(added.into())))
}

/// Remove a passkey.
#[utoipa::path(
    security(("session" = [])),
    responses((status = 204), (status = 404, body = Refusal)),
)]
#[delete("/me/passkeys/<id>")]
async fn remove(member: Fresh<Member<'_>>, id: &str) -> Result<Status, Failure> {
    member.app.remove_passkey(&member.actor(), &member.user.name, id).await?;
    Ok(Status::NoContent)
}

/// Begin to sign in with a passkey.
#[utoipa::path(
    security(()),
    responses((status = 200, body = QuestionWire, example = device::to_show), (status = 409, body = Refusal, description = "Passkeys need HTTPS or localhost; or it stands against what is there."), (status = 429, body = Refusal)),
)]
#[post("/signin/passkey/begin")]
fn ask(visitor: Visitor<'_>) -> Result<Answer<QuestionWire>, Failure> {
    let (party, origin) = (here(visitor.party())?, visitor.origin());
    Ok(Answer(visitor.app.ask_for_passkey(&party, &origin)?.into()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasskeyShown, example = device::shown)]
struct Shown {
    /// That of the question.
    token: String,
    /// What the browser answered.
    #[schema(value_type = Object)]
    credential: Value,
}

/// Sign in with a passkey.
#[utoipa::path(
    request_body = Shown,
    security(()),
    responses((status = 200, body = Welcomed), (status = 401, body = Refusal), (status = 409, body = Refusal, description = "Passkeys need HTTPS or localhost; or it stands against what is there."), (status = 429, body = Refusal)),
)]
#[post("/signin/passkey", data = "<body>")]
async fn sign_in(
    visitor: Visitor<'_>,
    body: OpenJson<Shown>,
) -> Result<SetCookie<Answer<Welcomed>>, Failure> {
    let Shown { token, credential } = body.0;
    let (party, origin, replaces) = (here(visitor.party())?, visitor.origin(), visitor.session().await);
    let signed_in =
        visitor.app.sign_in_by_passkey(&party, &token, credential, origin, replaces.as_deref()).await?;
    welcome(&visitor, &signed_in).await
}

described![list, begin, add, remove, ask, sign_in];
