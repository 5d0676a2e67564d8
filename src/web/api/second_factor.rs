//! Second factors: one's own, and those that others have lost.

use rocket::{delete, get, http::Status, post, put, routes};
use serde::{Deserialize, Serialize};

use crate::{
    model::{totp::RecoveryCode, user::UserName},
    web::{
        door::{Admin, Fresh, Json, Member},
        failure::Failure,
        wire::{Answer, time},
    },
};

#[derive(Serialize)]
struct State {
    set: bool,
    since: Option<String>,
    recovery_codes_left: usize,
}

#[get("/me/second-factor")]
fn state(member: Member<'_>) -> Result<Answer<State>, Failure> {
    let factor = member.app.second_factor(&member.user.name)?;
    Ok(Answer(State {
        set: factor.is_some(),
        since: factor.as_ref().map(|factor| time(factor.since)),
        recovery_codes_left: factor.map_or(0, |factor| factor.recovery.len()),
    }))
}

#[derive(Serialize)]
struct Begun {
    secret: String,
    uri: String,
    pending: String,
}

#[post("/me/second-factor")]
fn begin(member: Member<'_>) -> Answer<Begun> {
    let (seed, sealed) = member.app.begin_second_factor(&member.user.name);
    let uri = seed.uri(member.user.name.as_str());
    Answer(Begun { secret: seed.reveal(), uri, pending: sealed.to_text() })
}

#[derive(Deserialize)]
struct Proof {
    pending: String,
    code: String,
}

#[derive(Serialize)]
struct Codes {
    recovery_codes: Vec<String>,
}

impl Codes {
    fn of(codes: &[RecoveryCode]) -> Self {
        Self { recovery_codes: codes.iter().map(RecoveryCode::reveal).collect() }
    }
}

#[put("/me/second-factor", data = "<body>")]
async fn set(member: Fresh<Member<'_>>, body: Json<Proof>) -> Result<Answer<Codes>, Failure> {
    let Proof { pending, code } = body.0;
    let set = member.app.set_second_factor(&member.actor(), &member.user.name, &pending, &code).await?;
    Ok(Answer(Codes::of(&set)))
}

#[derive(Deserialize)]
struct Password {
    password: String,
}

#[post("/me/second-factor/recovery-codes", data = "<body>")]
async fn codes(member: Member<'_>, body: Json<Password>) -> Result<Answer<Codes>, Failure> {
    let (by, name, origin) = (member.actor(), &member.user.name, member.origin());
    Ok(Answer(Codes::of(&member.app.renew_recovery_codes(&by, name, body.0.password, &origin).await?)))
}

#[post("/me/second-factor/remove", data = "<body>")]
async fn remove(member: Member<'_>, body: Json<Password>) -> Result<Status, Failure> {
    let (by, name, origin) = (member.actor(), &member.user.name, member.origin());
    member.app.remove_second_factor(&by, name, body.0.password, &origin).await?;
    Ok(Status::NoContent)
}

#[delete("/users/<user>/second-factor")]
async fn reset(admin: Fresh<Admin<'_>>, user: &str) -> Result<Status, Failure> {
    let name: UserName = user.parse().map_err(|_| Failure::not_found("there is no such user"))?;
    admin.app.reset_second_factor(&admin.actor(), &name).await?;
    Ok(Status::NoContent)
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![state, begin, set, codes, remove, reset]
}
