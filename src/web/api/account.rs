//! Signing in and out, and who one is.

use rocket::{get, http::Status, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::sign_in::{SignedIn, Welcome},
    model::user::Role,
    web::{
        door::{Json, Member, Newcomer, OpenJson, SetCookie, Visitor},
        failure::{Failure, Refusal},
        openapi::described,
        wire::{Answer, SessionWire},
    },
};

// What other systems take at their sign-in is passed over here, as a browser's other fields are in the form.
#[derive(Deserialize, ToSchema)]
#[schema(as = SignIn, example = json!({"user": "ann", "password": "correct horse battery staple"}))]
struct SignIn {
    /// Upper and lower case make no difference.
    user: String,
    /// As it was set.
    #[schema(format = Password)]
    password: String,
    /// A code of the second factor, or a recovery code, where one is set up.
    code: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SignedIn, example = json!({"user": "ann", "role": "auditor"}))]
pub(super) struct Welcomed {
    /// The name.
    user: String,
    /// What they may.
    #[schema(value_type = Role)]
    role: &'static str,
    /// The session that began.
    session: SessionWire,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Me, example = json!({
    "user": "ann", "role": "auditor", "full_name": "Ann Arbor", "email": "ann@example.org", "groups": ["staff"]
}))]
struct Me {
    /// The name.
    user: String,
    /// What they may.
    #[schema(value_type = Role)]
    role: &'static str,
    /// May be empty.
    full_name: String,
    /// May be empty.
    email: String,
    /// Those that open apps.
    groups: Vec<String>,
    /// The session at hand.
    session: SessionWire,
}

/// Sign in.
///
/// The answer sets the session's cookie. A session that the request carries already is replaced. Unknown users, wrong
/// passwords and disabled users get one answer in one time.
#[utoipa::path(
    request_body = SignIn,
    security(()),
    responses(
        (status = 200, body = Welcomed),
        (status = 401, body = Refusal, description = "Not these; it is not said why. With the code `code_required`: a second factor is wanted too."),
        (status = 429, body = Refusal)
    ),
)]
#[post("/signin", data = "<body>")]
async fn sign_in(
    visitor: Visitor<'_>,
    body: OpenJson<SignIn>,
) -> Result<SetCookie<Answer<Welcomed>>, Failure> {
    let SignIn { user, password, code } = body.0;
    let (code, origin, replaces) = (code.as_deref(), visitor.origin(), visitor.session().await);
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

/// Sign out: the session has ended before the answer.
#[utoipa::path(
    security(("session" = [])),
    responses(
        (status = 204)
    ),
)]
#[post("/signout")]
async fn sign_out(member: Newcomer<'_>) -> Result<SetCookie<Status>, Failure> {
    member.app.sign_out(&member.actor(), &member.live).await?;
    Ok(member.signed_out(Status::NoContent))
}

/// Who one is, and in which session.
#[utoipa::path(
    security(("session" = [])),
    responses(
        (status = 200, body = Me)
    ),
)]
#[get("/me")]
fn me(member: Newcomer<'_>) -> Answer<Me> {
    Answer(Me {
        user: member.user.name.to_string(),
        role: member.user.role.as_str(),
        full_name: member.user.full_name.clone(),
        email: member.user.email.clone(),
        groups: member.user.groups.clone(),
        session: SessionWire::new(member.live.session(), true),
    })
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"password": "correct horse battery staple"}))]
struct Proof {
    /// The password, or
    #[schema(format = Password)]
    password: Option<String>,
    /// a code of the second factor: just one of the two.
    code: Option<String>,
}

/// Prove again who one is.
///
/// For some minutes from then on the session may do what only a fresh one may; such a call is refused with 403 and the code
/// `step_up_required` otherwise.
#[utoipa::path(
    request_body = Proof,
    security(("session" = [])),
    responses((status = 204), (status = 429, body = Refusal)),
)]
#[post("/step-up", data = "<body>")]
async fn step_up(member: Newcomer<'_>, body: Json<Proof>) -> Result<Status, Failure> {
    let proof = match (body.0.password, body.0.code) {
        (Some(password), None) => password,
        (None, Some(code)) => code,
        _ => return Err(Failure::bad_request("send either \"password\" or \"code\"")),
    };
    member.app.step_up(&member.live, proof, &member.origin()).await?;
    Ok(Status::NoContent)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OwnPassword, example = json!({
    "current": "correct horse battery staple", "password": "four words are good enough"
}))]
struct NewPassword {
    /// The one that is to be replaced.
    #[schema(format = Password)]
    current: String,
    /// At least 15 characters, and none that many people have.
    #[schema(format = Password)]
    password: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OwnPasswordChanged)]
struct Changed {
    /// How many other sessions ended with it.
    ended: usize,
}

/// A new password of one's own.
///
/// All other sessions of the user end with it, and the one at hand gets a new token: what the old one had opened, streams and apps, is over.
#[utoipa::path(
    request_body = NewPassword,
    security(("session" = [])),
    responses(
        (status = 200, body = Changed),
        (status = 429, body = Refusal)
    ),
)]
#[post("/me/password", data = "<body>")]
async fn password(
    member: Member<'_>,
    body: Json<NewPassword>,
) -> Result<SetCookie<Answer<Changed>>, Failure> {
    let NewPassword { current, password } = body.0;
    let (by, name, origin) = (member.actor(), &member.user.name, member.origin());
    let changed = member.app.change_own_password(&by, name, current, password, &origin).await?;
    Ok(member.renewed(changed.token.as_ref(), Answer(Changed { ended: changed.ended })).await)
}

described![sign_in, sign_out, me, step_up, password];
