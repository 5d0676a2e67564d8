//! Users, for administrators.

use rocket::{get, http::Status, post, routes};

use super::{Html, Part, Redirect, field, inside, list, now, see, show};
use crate::{
    domain::accounts::{AccountError, Details},
    model::user::{Role, User, UserName},
    web::{
        door::{Admin, Form, FreshForm, Params, SetCookie},
        failure::Failure,
        looking::apart,
        views::{
            Page,
            parts::{Input, Moment, Now},
            users::{UserForm, UserPage, UserRow, Users},
        },
    },
};

type Done = Result<Redirect, (Status, Html)>;

fn row(admin: &Admin<'_>, user: &User, factor: bool, sessions: u64, now: &Now) -> UserRow {
    UserRow {
        name: user.name.to_string(),
        full_name: user.full_name.clone(),
        email: user.email.clone(),
        role: user.role,
        groups: user.groups.join(", "),
        disabled: user.disabled,
        factor,
        sessions,
        last_sign_in: user.last_sign_in.map(|at| Moment::new(at, now)),
        own: user.name == admin.user.name,
    }
}

async fn page(admin: &Admin<'_>, params: &Params, form: Option<UserForm>) -> Result<Users, Failure> {
    let now = now(admin.app);
    let (users, with_factor, live) = apart(admin.app, |app| {
        Ok::<_, Failure>((app.users(), app.with_second_factor()?, app.live_of_each()))
    })
    .await?;
    let rows = users.iter().map(|user| {
        let sessions = live.get(&user.name).copied().unwrap_or_default();
        row(admin, user, with_factor.contains(&user.name), sessions, &now)
    });
    Ok(Users { frame: inside(admin, Page::Users, params), rows: rows.collect(), form })
}

#[get("/users")]
async fn all(admin: Admin<'_>, params: Params, part: Part<'_>) -> Result<Html, Failure> {
    let form = params.flag("add").then(UserForm::default);
    let view = page(&admin, &params, form).await?;
    if part.0 == "results" { show(&view.as_results()) } else { show(&view) }
}

/// What was typed, with what is wrong with it.
fn refused(form: &Form, failure: &Failure) -> UserForm {
    let typed = |name: &'static str| field(form.text(name), name, failure);
    UserForm {
        name: typed("user"),
        full_name: typed("full_name"),
        email: typed("email"),
        role: form.text("role").parse().unwrap_or(Role::Member),
        groups: typed("groups"),
        password: field("", "password", failure),
    }
}

fn details(form: &Form) -> Result<Details, Failure> {
    Ok(Details {
        role: form.parsed("role")?,
        full_name: Some(form.text("full_name").to_owned()),
        email: Some(form.text("email").to_owned()),
        groups: Some(list(form.text("groups"))),
        disabled: None,
    })
}

#[post("/users/add", data = "<form>")]
async fn add(admin: Admin<'_>, form: FreshForm) -> Result<Done, Failure> {
    let added = async {
        let password = form.text("password").to_owned();
        let details = details(&form)?;
        admin.app.add_user(&admin.actor(), form.text("user"), password, details).await.map_err(|error| {
            match error {
                error @ (AccountError::Taken(_) | AccountError::LooksLike(..)) => {
                    Failure::field("user", error.to_string())
                }
                error => error.into(),
            }
        })
    };
    match added.await {
        Ok(_) => Ok(Ok(see("/users?done=user-added"))),
        Err(failure) if failure.about().is_none() => Err(failure),
        Err(failure) => {
            let view = page(&admin, &Params::default(), Some(refused(&form, &failure))).await?;
            Ok(Err((failure.status(), show(&view)?)))
        }
    }
}

fn known(admin: &Admin<'_>, name: &str) -> Result<std::sync::Arc<User>, Failure> {
    let unknown = || Failure::not_found("there is no such user");
    let name: UserName = name.parse().map_err(|_| unknown())?;
    admin.app.user(&name).ok_or_else(unknown)
}

fn user_page(
    admin: &Admin<'_>,
    user: &User,
    params: &Params,
    form: Option<UserForm>,
) -> Result<Html, Failure> {
    let now = now(admin.app);
    let as_it_is = || UserForm {
        name: Input::of(user.name.as_str()),
        full_name: Input::of(&user.full_name),
        email: Input::of(&user.email),
        role: user.role,
        groups: Input::of(user.groups.join(", ")),
        password: Input::default(),
    };
    let factor = admin.app.second_factor(&user.name)?.is_some();
    let sessions = admin.app.live_of_each().get(&user.name).copied().unwrap_or_default();
    show(&UserPage {
        frame: inside(admin, Page::Users, params),
        row: row(admin, user, factor, sessions, &now),
        form: form.unwrap_or_else(as_it_is),
        created: Moment::new(user.created, &now),
    })
}

#[get("/users/<name>")]
fn one(admin: Admin<'_>, name: &str, params: Params) -> Result<Html, Failure> {
    user_page(&admin, &*known(&admin, name)?, &params, None)
}

#[post("/users/<name>", data = "<form>", rank = 9)]
async fn change(admin: Admin<'_>, name: &str, form: FreshForm) -> Result<Done, Failure> {
    let user = known(&admin, name)?;
    let changed = async { Ok(admin.app.change_user(&admin.actor(), &user.name, details(&form)?).await?) };
    answer(&admin, &user, &form, changed.await.map(|_| "saved"))
}

#[post("/users/<name>/password", data = "<form>")]
async fn password(admin: Admin<'_>, name: &str, form: FreshForm) -> Result<SetCookie<Done>, Failure> {
    let user = known(&admin, name)?;
    let set = admin.app.set_password(&admin.actor(), &user.name, form.text("password").to_owned()).await;
    let token = set.as_ref().ok().and_then(|set| set.token.clone());
    let done = answer(&admin, &user, &form, set.map(|_| "password").map_err(Failure::from))?;
    Ok(admin.renewed(token.as_ref(), done).await)
}

/// Leads on, or shows the page again with what was wrong.
fn answer(
    admin: &Admin<'_>,
    user: &User,
    form: &Form,
    done: Result<&'static str, Failure>,
) -> Result<Done, Failure> {
    match done {
        Ok(word) => Ok(Ok(see(format!("{}?done={word}", address(user))))),
        Err(failure) if failure.about().is_none() => Err(failure),
        Err(failure) => {
            let current = UserForm { name: Input::of(user.name.as_str()), ..refused(form, &failure) };
            // The password stands in a form of its own; the other one keeps what is known.
            let form = if failure.about() == Some("password") {
                UserForm {
                    full_name: Input::of(&user.full_name),
                    email: Input::of(&user.email),
                    role: user.role,
                    groups: Input::of(user.groups.join(", ")),
                    ..current
                }
            } else {
                current
            };
            let shown = user_page(admin, user, &Params::default(), Some(form))?;
            Ok(Err((failure.status(), shown)))
        }
    }
}

fn address(user: &User) -> String {
    let mut href = "/users/".to_owned();
    href.extend(percent_encoding::utf8_percent_encode(
        user.name.as_str(),
        percent_encoding::NON_ALPHANUMERIC,
    ));
    href
}

#[post("/users/<name>/disable", data = "<_form>")]
async fn disable(admin: Admin<'_>, name: &str, _form: FreshForm) -> Result<Redirect, Failure> {
    let user = known(&admin, name)?;
    admin.app.set_disabled(&admin.actor(), &user.name, true).await?;
    Ok(see(format!("{}?done=disabled", address(&user))))
}

#[post("/users/<name>/enable", data = "<_form>")]
async fn enable(admin: Admin<'_>, name: &str, _form: FreshForm) -> Result<Redirect, Failure> {
    let user = known(&admin, name)?;
    admin.app.set_disabled(&admin.actor(), &user.name, false).await?;
    Ok(see(format!("{}?done=enabled", address(&user))))
}

#[post("/users/<name>/remove", data = "<_form>")]
async fn remove(admin: Admin<'_>, name: &str, _form: FreshForm) -> Result<Redirect, Failure> {
    let user = known(&admin, name)?;
    admin.app.remove_user(&admin.actor(), &user.name).await?;
    Ok(see("/users?done=user-removed"))
}

#[post("/users/<name>/second-factor", data = "<_form>")]
async fn reset_factor(admin: Admin<'_>, name: &str, _form: FreshForm) -> Result<Redirect, Failure> {
    let user = known(&admin, name)?;
    admin.app.reset_second_factor(&admin.actor(), &user.name).await?;
    Ok(see(format!("{}?done=factor-reset", address(&user))))
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![all, add, one, change, password, disable, enable, remove, reset_factor]
}
