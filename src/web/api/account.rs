//! Signing in and out, and who one is.

use rocket::{get, http::Status, post, routes};
use serde::{Deserialize, Serialize};

use crate::{
    domain::sign_in::{SignedIn, Welcome},
    web::{
        door::{Json, Member, SetCookie, Visitor},
        failure::Failure,
        wire::{Answer, SessionWire},
    },
};

#[derive(Deserialize)]
struct SignIn {
    user: String,
    password: String,
    code: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Welcomed {
    user: String,
    role: &'static str,
    session: SessionWire,
}

#[derive(Serialize)]
struct Me {
    user: String,
    role: &'static str,
    full_name: String,
    email: String,
    groups: Vec<String>,
    session: SessionWire,
}

#[post("/signin", data = "<body>")]
async fn sign_in(visitor: Visitor<'_>, body: Json<SignIn>) -> Result<SetCookie<Answer<Welcomed>>, Failure> {
    let SignIn { user, password, code } = body.0;
    let (code, origin, replaces) = (code.as_deref(), visitor.origin(), visitor.session());
    let signed_in = visitor.app.sign_in(&user, password, code, origin, replaces.as_deref()).await?;
    let SignedIn::Whole(welcome) = signed_in else { return Err(Failure::code_required()) };
    self::welcome(&visitor, &welcome).await
}

/// The answer to whoever has signed in.
pub(super) async fn welcome(
    visitor: &Visitor<'_>,
    welcome: &Welcome,
) -> Result<SetCookie<Answer<Welcomed>>, Failure> {
    let session = welcome.session.clone();
    let role = visitor.app.user(&session.user).ok_or_else(Failure::not_signed_in)?.role;
    let user = session.user.to_string();
    let answer = Welcomed { user, role: role.as_str(), session: SessionWire::new(session, true) };
    visitor.signed_in(welcome, Answer(answer)).await
}

#[post("/signout")]
async fn sign_out(member: Member<'_>) -> Result<SetCookie<Status>, Failure> {
    member.app.sign_out(&member.actor(), &member.live).await?;
    Ok(member.signed_out(Status::NoContent))
}

#[get("/me")]
fn me(member: Member<'_>) -> Answer<Me> {
    Answer(Me {
        user: member.user.name.to_string(),
        role: member.user.role.as_str(),
        full_name: member.user.full_name.clone(),
        email: member.user.email.clone(),
        groups: member.user.groups.clone(),
        session: SessionWire::new(member.live.session(), true),
    })
}

#[derive(Deserialize)]
struct Proof {
    password: Option<String>,
    code: Option<String>,
}

#[post("/step-up", data = "<body>")]
async fn step_up(member: Member<'_>, body: Json<Proof>) -> Result<Status, Failure> {
    let proof = match (body.0.password, body.0.code) {
        (Some(password), None) => password,
        (None, Some(code)) => code,
        _ => return Err(Failure::bad_request("send either \"password\" or \"code\"")),
    };
    member.app.step_up(&member.live, proof, &member.origin()).await?;
    Ok(Status::NoContent)
}

#[derive(Deserialize)]
struct NewPassword {
    current: String,
    password: String,
}

#[derive(Serialize)]
struct Changed {
    ended: usize,
}

#[post("/me/password", data = "<body>")]
async fn password(
    member: Member<'_>,
    body: Json<NewPassword>,
) -> Result<SetCookie<Answer<Changed>>, Failure> {
    let NewPassword { current, password } = body.0;
    let (by, name, origin) = (member.actor(), &member.user.name, member.origin());
    let changed = member.app.change_own_password(&by, name, current, password, &origin).await?;
    Ok(member.renewed(changed.token.as_ref(), Answer(Changed { ended: changed.ended })))
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![sign_in, sign_out, me, step_up, password]
}
