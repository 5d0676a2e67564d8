//! Accounts, for administrators.

use std::sync::Arc;

use rocket::{delete, get, http::Status, patch, post, routes};
use serde::{Deserialize, Serialize};

use crate::{
    domain::accounts::Details,
    model::user::{NotARole, Role, User, UserName},
    web::{
        door::{Admin, Auditor, Fresh, Json, SetCookie},
        failure::Failure,
        wire::{Answer, Items, time},
    },
};

#[derive(Serialize)]
struct UserWire {
    user: String,
    role: &'static str,
    full_name: String,
    email: String,
    groups: Vec<String>,
    disabled: bool,
    created: String,
    last_sign_in: Option<String>,
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

#[derive(Deserialize)]
struct Change {
    role: Option<String>,
    full_name: Option<String>,
    email: Option<String>,
    groups: Option<Vec<String>>,
    disabled: Option<bool>,
}

#[derive(Deserialize)]
struct Add {
    user: String,
    password: String,
    role: Option<String>,
    full_name: Option<String>,
    email: Option<String>,
    groups: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct NewPassword {
    password: String,
}

fn role(word: Option<&str>) -> Result<Option<Role>, Failure> {
    word.map(|word| word.parse().map_err(|error: NotARole| Failure::field("role", error.to_string())))
        .transpose()
}

fn name(text: &str) -> Result<UserName, Failure> {
    text.parse().map_err(|_| Failure::not_found("there is no such user"))
}

#[get("/users")]
fn list(auditor: Auditor<'_>) -> Result<Answer<Items<UserWire, usize>>, Failure> {
    let (users, with_factor) = (auditor.app.users(), auditor.app.with_second_factor()?);
    let wire = |user: &Arc<User>| UserWire::new(user, with_factor.contains(&user.name));
    let items: Vec<UserWire> = users.iter().map(wire).collect();
    let total = items.len();
    Ok(Answer(Items { items, next: None, total }))
}

#[get("/users/<user>")]
fn one(auditor: Auditor<'_>, user: &str) -> Result<Answer<UserWire>, Failure> {
    let found = auditor.app.user(&name(user)?).ok_or_else(|| Failure::not_found("there is no such user"))?;
    let factor = auditor.app.second_factor(&found.name)?.is_some();
    Ok(Answer(UserWire::new(&found, factor)))
}

#[post("/users", data = "<body>")]
async fn add(admin: Fresh<Admin<'_>>, body: Json<Add>) -> Result<(Status, Answer<UserWire>), Failure> {
    let Add { user, password, role: word, full_name, email, groups } = body.0;
    let details = Details { role: role(word.as_deref())?, full_name, email, groups, disabled: None };
    let added = admin.app.add_user(&admin.actor(), &user, password, details).await?;
    Ok((Status::Created, Answer(UserWire::new(&added, false))))
}

#[patch("/users/<user>", data = "<body>")]
async fn change(admin: Admin<'_>, user: &str, body: Json<Change>) -> Result<Answer<UserWire>, Failure> {
    let (user, by) = (name(user)?, admin.actor());
    let Change { role: word, full_name, email, groups, disabled } = body.0;
    let details = Details { role: role(word.as_deref())?, full_name, email, groups, disabled };
    if details.role.is_some() {
        admin.must_be_fresh()?;
    }
    let changed = admin.app.change_user(&by, &user, details).await?;
    let factor = admin.app.second_factor(&changed.name)?.is_some();
    Ok(Answer(UserWire::new(&changed, factor)))
}

#[post("/users/<user>/password", data = "<body>")]
async fn set_password(
    admin: Fresh<Admin<'_>>,
    user: &str,
    body: Json<NewPassword>,
) -> Result<SetCookie<Status>, Failure> {
    let set = admin.app.set_password(&admin.actor(), &name(user)?, body.0.password).await?;
    Ok(admin.renewed(set.token.as_ref(), Status::NoContent))
}

#[delete("/users/<user>")]
async fn remove(admin: Fresh<Admin<'_>>, user: &str) -> Result<Status, Failure> {
    admin.app.remove_user(&admin.actor(), &name(user)?).await?;
    Ok(Status::NoContent)
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![list, one, add, change, set_password, remove]
}
