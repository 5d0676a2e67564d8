//! Second factors: one's own, and those that others have lost.

use rocket::{delete, get, http::Status, post, put};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    model::{
        demand::{Demand, NotADemand},
        totp::RecoveryCode,
        user::UserName,
    },
    web::{
        door::{Admin, Fresh, Json, Member, Newcomer},
        failure::{Failure, Refusal},
        openapi::described,
        wire::{Answer, time},
    },
};

#[derive(Serialize, ToSchema)]
#[schema(as = SecondFactor, example = json!({"set": true, "since": "2026-03-15T12:00:00.000Z", "recovery_codes_left": 10}))]
struct State {
    /// Whether one is set up.
    set: bool,
    /// When it was.
    #[schema(format = DateTime)]
    since: Option<String>,
    /// How many recovery codes have not been used.
    recovery_codes_left: usize,
}

/// Whether one has a second factor.
#[utoipa::path(
    security(("session" = [])),
    responses((status = 200, body = State)),
)]
#[get("/me/second-factor")]
fn state(member: Newcomer<'_>) -> Result<Answer<State>, Failure> {
    let factor = member.app.second_factor(&member.user.name)?;
    Ok(Answer(State {
        set: factor.is_some(),
        since: factor.as_ref().map(|factor| time(factor.since)),
        recovery_codes_left: factor.map_or(0, |factor| factor.recovery.len()),
    }))
}

#[derive(Serialize, ToSchema)]
#[schema(as = SecondFactorBegun, example = json!({
    "secret": "AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQT",
    "uri": "otpauth://totp/Rollcall:ann?secret=AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQT&issuer=Rollcall",
    "pending": "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"
}))]
struct Begun {
    /// The secret, for typing into an authenticator.
    secret: String,
    /// The same as an `otpauth` address, for its camera.
    uri: String,
    /// What to send back with the first code: until then nothing is set up.
    pending: String,
}

/// Begin to set up a second factor.
///
/// Nothing is kept until its first code comes with `PUT`.
#[utoipa::path(
    security(("session" = [])),
    responses((status = 200, body = Begun)),
)]
#[post("/me/second-factor")]
fn begin(member: Newcomer<'_>) -> Answer<Begun> {
    let (seed, sealed) = member.app.begin_second_factor(&member.user.name);
    let uri = seed.uri(member.user.name.as_str());
    Answer(Begun { secret: seed.reveal(), uri, pending: sealed.to_text() })
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SecondFactorProof, example = json!({
    "pending": "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f", "code": "287082"
}))]
struct Proof {
    /// What `begin` answered.
    pending: String,
    /// The code that the authenticator shows.
    code: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RecoveryCodes, example = json!({"recovery_codes": ["aaaq-eaye-auda-ocaj", "bifq-ydio-b4ib-ceqt"]}))]
struct Codes {
    /// Each works once; they are shown this once.
    recovery_codes: Vec<String>,
}

impl Codes {
    fn of(codes: &[RecoveryCode]) -> Self {
        Self { recovery_codes: codes.iter().map(RecoveryCode::reveal).collect() }
    }
}

/// Set up a second factor, by its first code.
///
/// The answer has the recovery codes. One that was there before stops to work.
#[utoipa::path(
    request_body = Proof,
    security(("session" = [])),
    responses((status = 200, body = Codes), (status = 409, body = Refusal), (status = 429, body = Refusal)),
)]
#[put("/me/second-factor", data = "<body>")]
async fn set(member: Fresh<Newcomer<'_>>, body: Json<Proof>) -> Result<Answer<Codes>, Failure> {
    let Proof { pending, code } = body.0;
    let set = member.app.set_second_factor(&member.actor(), &member.user.name, &pending, &code).await?;
    Ok(Answer(Codes::of(&set)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasswordAgain, example = json!({"password": "correct horse battery staple"}))]
struct Password {
    /// One's password.
    #[schema(format = Password)]
    password: String,
}

/// New recovery codes; the old ones stop to work.
#[utoipa::path(
    request_body = Password,
    security(("session" = [])),
    responses((status = 200, body = Codes), (status = 404, body = Refusal), (status = 409, body = Refusal), (status = 429, body = Refusal)),
)]
#[post("/me/second-factor/recovery-codes", data = "<body>")]
async fn codes(member: Member<'_>, body: Json<Password>) -> Result<Answer<Codes>, Failure> {
    let (by, name, origin) = (member.actor(), &member.user.name, member.origin());
    Ok(Answer(Codes::of(&member.app.renew_recovery_codes(&by, name, body.0.password, &origin).await?)))
}

/// Do without a second factor from now on.
#[utoipa::path(
    request_body = Password,
    security(("session" = [])),
    responses((status = 204), (status = 404, body = Refusal), (status = 409, body = Refusal), (status = 429, body = Refusal)),
)]
#[post("/me/second-factor/remove", data = "<body>")]
async fn remove(member: Member<'_>, body: Json<Password>) -> Result<Status, Failure> {
    let (by, name, origin) = (member.actor(), &member.user.name, member.origin());
    member.app.remove_second_factor(&by, name, body.0.password, &origin).await?;
    Ok(Status::NoContent)
}

/// Take away the second factor of somebody who has lost it.
#[utoipa::path(
    security(("session" = [])),
    responses((status = 204), (status = 404, body = Refusal), (status = 409, body = Refusal)),
)]
#[delete("/users/<user>/second-factor")]
async fn reset(admin: Fresh<Admin<'_>>, user: &str) -> Result<Status, Failure> {
    let name: UserName = user.parse().map_err(|_| Failure::not_found("there is no such user"))?;
    admin.app.reset_second_factor(&admin.actor(), &name).await?;
    Ok(Status::NoContent)
}

#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = SecondFactorDemand, example = json!({"of": "administrators"}))]
struct Demanded {
    /// Who must have one to do anything.
    #[schema(value_type = Demand)]
    of: String,
}

/// Of whom a second factor is demanded.
#[utoipa::path(
    security(("session" = [])),
    responses((status = 200, body = Demanded)),
)]
#[get("/settings/second-factor")]
fn demand(admin: Admin<'_>) -> Answer<Demanded> {
    Answer(Demanded { of: admin.app.demand().to_string() })
}

/// Demand a second factor of administrators, of everyone or of nobody.
///
/// From the next request on, whoever is signed in without one and has none is answered 403 with the code
/// `second_factor_required` until they have set one up.
#[utoipa::path(
    request_body = Demanded,
    security(("session" = [])),
    responses((status = 200, body = Demanded)),
)]
#[put("/settings/second-factor", data = "<body>")]
async fn set_demand(admin: Fresh<Admin<'_>>, body: Json<Demanded>) -> Result<Answer<Demanded>, Failure> {
    let demand: Demand =
        body.0.of.parse().map_err(|error: NotADemand| Failure::field("of", error.to_string()))?;
    admin.app.set_demand(&admin.actor(), demand).await?;
    Ok(Answer(Demanded { of: demand.to_string() }))
}

described![state, begin, set, codes, remove, reset, demand, set_demand];
