//! Accounts, for administrators.

use std::sync::Arc;

use rocket::{delete, get, http::Status, patch, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::accounts::Details,
    model::user::{NotARole, Role, User, UserName},
    web::{
        door::{Admin, Auditor, Fresh, Json, SetCookie},
        failure::{Failure, Refusal},
        openapi::described,
        wire::{Answer, Items, time},
    },
};

#[derive(Serialize, ToSchema)]
#[schema(as = User, example = json!({"user": "ann", "role": "auditor", "full_name": "Ann Arbor", "email": "ann@example.org", "groups": ["staff"], "disabled": false, "created": "2026-03-01T08:00:00.000Z", "last_sign_in": null, "second_factor": false}))]
struct UserWire {
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
    /// Whether they are kept out.
    disabled: bool,
    /// When the account was made.
    #[schema(format = DateTime)]
    created: String,
    /// When they last signed in, if they ever did.
    #[schema(format = DateTime)]
    last_sign_in: Option<String>,
    /// Whether a second factor is set up.
    second_factor: bool,
}

impl UserWire {
    fn new(user: &User, second_factor: bool) -> Self {
        Self {
            second_factor,
            user: user.name.to_string(),
            role: user.role.as_str(),
            full_name: user.full_name.clone(),
            email: user.email.clone(),
            groups: user.groups.clone(),
            disabled: user.disabled,
            created: time(user.created),
            last_sign_in: user.last_sign_in.map(time),
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UserChange, example = json!({"role": "auditor"}))]
struct Change {
    /// What they may.
    #[schema(value_type = Option<Role>)]
    role: Option<String>,
    /// At most 256 bytes.
    full_name: Option<String>,
    /// `name@host`, at most 256 bytes, or empty.
    email: Option<String>,
    /// All groups from now on.
    groups: Option<Vec<String>>,
    /// Whether they are kept out.
    disabled: Option<bool>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewUser, example = json!({"user": "ann", "password": "correct horse battery staple", "role": "auditor"}))]
struct Add {
    /// The name, kept in lower case.
    user: String,
    /// At least 15 characters, and none that many people have.
    #[schema(format = Password)]
    password: String,
    /// What they may; `member` if not given.
    #[schema(value_type = Option<Role>)]
    role: Option<String>,
    /// May be left out.
    full_name: Option<String>,
    /// `name@host`; may be left out.
    email: Option<String>,
    /// Those that open apps.
    groups: Option<Vec<String>>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPassword, example = json!({"password": "four words are good enough"}))]
struct NewPassword {
    /// At least 15 characters, and none that many people have.
    #[schema(format = Password)]
    password: String,
}

fn role(word: Option<&str>) -> Result<Option<Role>, Failure> {
    word.map(|word| word.parse().map_err(|error: NotARole| Failure::field("role", error.to_string())))
        .transpose()
}

fn name(text: &str) -> Result<UserName, Failure> {
    text.parse().map_err(|_| Failure::not_found("there is no such user"))
}

/// Every account, for administrators and auditors.
#[utoipa::path(
    security(("session" = [])),
    responses(
        (status = 200, body = Items<UserWire, usize>)
    ),
)]
#[get("/users")]
fn list(auditor: Auditor<'_>) -> Result<Answer<Items<UserWire, usize>>, Failure> {
    let (users, with_factor) = (auditor.app.users(), auditor.app.with_second_factor()?);
    let wire = |user: &Arc<User>| UserWire::new(user, with_factor.contains(&user.name));
    let items: Vec<UserWire> = users.iter().map(wire).collect();
    let total = items.len();
    Ok(Answer(Items { items, next: None, total }))
}

/// One account.
#[utoipa::path(
    security(("session" = [])),
    responses(
        (status = 200, body = UserWire),
        (status = 404, body = Refusal)
    ),
)]
#[get("/users/<user>")]
fn one(auditor: Auditor<'_>, user: &str) -> Result<Answer<UserWire>, Failure> {
    let found = auditor.app.user(&name(user)?).ok_or_else(|| Failure::not_found("there is no such user"))?;
    let factor = auditor.app.second_factor(&found.name)?.is_some();
    Ok(Answer(UserWire::new(&found, factor)))
}

/// Add an account; a member, if no role is given.
#[utoipa::path(
    request_body = Add,
    security(("session" = [])),
    responses(
        (status = 201, body = UserWire),
        (status = 409, body = Refusal),
        (status = 429, body = Refusal)
    ),
)]
#[post("/users", data = "<body>")]
async fn add(admin: Fresh<Admin<'_>>, body: Json<Add>) -> Result<(Status, Answer<UserWire>), Failure> {
    let Add { user, password, role: word, full_name, email, groups } = body.0;
    let details = Details { role: role(word.as_deref())?, full_name, email, groups, disabled: None };
    let added = admin.app.add_user(&admin.actor(), &user, password, details).await?;
    Ok((Status::Created, Answer(UserWire::new(&added, false))))
}

/// Change an account: what is given, and nothing else.
///
/// A new role and disabling end all sessions of the user. The last administrator stays one.
#[utoipa::path(
    request_body = Change,
    security(("session" = [])),
    responses(
        (status = 200, body = UserWire),
        (status = 404, body = Refusal),
        (status = 409, body = Refusal)
    ),
)]
#[patch("/users/<user>", data = "<body>")]
async fn change(admin: Admin<'_>, user: &str, body: Json<Change>) -> Result<Answer<UserWire>, Failure> {
    let (user, by) = (name(user)?, admin.actor());
    let Change { role: word, full_name, email, groups, disabled } = body.0;
    let details = Details { role: role(word.as_deref())?, full_name, email, groups, disabled };
    // What apps let people in by, and who is let in at all: disabling ends all of somebody's sessions, another administrator's too.
    let Details { role, groups, email, disabled, full_name: _ } = &details;
    if role.is_some() || groups.is_some() || email.is_some() || disabled.is_some() {
        admin.must_be_fresh()?;
    }
    let changed = admin.app.change_user(&by, &user, details).await?;
    let factor = admin.app.second_factor(&changed.name)?.is_some();
    Ok(Answer(UserWire::new(&changed, factor)))
}

/// A new password for an account: all its sessions end, but for the one at hand.
#[utoipa::path(
    request_body = NewPassword,
    security(("session" = [])),
    responses(
        (status = 204),
        (status = 404, body = Refusal),
        (status = 429, body = Refusal)
    ),
)]
#[post("/users/<user>/password", data = "<body>")]
async fn set_password(
    admin: Fresh<Admin<'_>>,
    user: &str,
    body: Json<NewPassword>,
) -> Result<SetCookie<Status>, Failure> {
    let set = admin.app.set_password(&admin.actor(), &name(user)?, body.0.password).await?;
    Ok(admin.renewed(set.token.as_ref(), Status::NoContent).await)
}

/// Remove an account and end its sessions. What was done with it stays in the log.
#[utoipa::path(
    security(("session" = [])),
    responses(
        (status = 204),
        (status = 404, body = Refusal),
        (status = 409, body = Refusal)
    ),
)]
#[delete("/users/<user>")]
async fn remove(admin: Fresh<Admin<'_>>, user: &str) -> Result<Status, Failure> {
    admin.app.remove_user(&admin.actor(), &name(user)?).await?;
    Ok(Status::NoContent)
}

described![list, one, add, change, set_password, remove];
