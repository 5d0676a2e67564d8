//! One's own account.

use rocket::{get, http::Status, post, routes};

use super::{Html, Redirect, field, inside, now, see, show};
use crate::{
    domain::accounts::Details,
    model::session::Scope,
    web::{
        door::{Form, Member, Params, SetCookie},
        failure::Failure,
        views::{
            Frame, Page,
            account::{PasskeyRow, Profile},
            parts::{Input, Moment},
        },
    },
};

/// A form that did not work, and why.
pub(super) struct Refused<'a> {
    pub(super) form: &'a Form,
    pub(super) failure: &'a Failure,
    /// Whether it was one of those about the second factor.
    pub(super) factor: bool,
}

#[get("/profile")]
fn profile(member: Member<'_>, params: Params) -> Result<Html, Failure> {
    page(&member, inside(&member, Page::Profile, &params), None)
}

pub(super) fn page(member: &Member<'_>, frame: Frame, refused: Option<Refused<'_>>) -> Result<Html, Failure> {
    let user = &member.user;
    let own = member.app.live_sessions(&Scope::Own(user.name.clone()), None).len();
    let typed = |name: &'static str, known: &str| match &refused {
        Some(refused) => field(refused.form.get(name).unwrap_or(known), name, refused.failure),
        None => Input::of(known),
    };
    let secret = |name: &'static str, factor: bool| {
        let here = refused.as_ref().filter(|refused| refused.factor == factor);
        here.map_or_else(Input::default, |refused| field("", name, refused.failure))
    };
    show(&Profile {
        frame,
        groups: user.groups.join(", "),
        full_name: typed("full_name", &user.full_name),
        email: user.email.clone(),
        current: secret("current", false),
        password: secret("password", false),
        factor_current: secret("current", true),
        factor: member
            .app
            .second_factor(&user.name)?
            .map(|factor| (Moment::new(factor.since, &now(member.app)), factor.recovery.len())),
        passkeys: passkeys(member)?,
        others: own.saturating_sub(1),
        last_sign_in: user.last_sign_in.map(|at| Moment::new(at, &now(member.app))),
    })
}

/// One's passkeys, where there can be any.
fn passkeys(member: &Member<'_>) -> Result<Option<Vec<PasskeyRow>>, Failure> {
    if member.party().is_none() {
        return Ok(None);
    }
    let now = now(member.app);
    let rows = member.app.passkeys(&member.user.name)?.into_iter().map(|passkey| PasskeyRow {
        id: passkey.id_text(),
        created: Moment::new(passkey.created, &now),
        used: passkey.last_used.map(|at| Moment::new(at, &now)),
        name: passkey.name,
    });
    Ok(Some(rows.collect()))
}

type Done = Result<Redirect, (Status, Html)>;

/// Leads on, or shows the page again with what was wrong.
fn answer(member: &Member<'_>, form: &Form, done: Result<&'static str, Failure>) -> Result<Done, Failure> {
    match done {
        Ok(word) => Ok(Ok(see(format!("/profile?done={word}")))),
        Err(failure) if failure.about().is_none() => Err(failure),
        Err(failure) => {
            let frame = inside(member, Page::Profile, &Params::default());
            let status = failure.status();
            Ok(Err((status, page(member, frame, Some(Refused { form, failure: &failure, factor: false }))?)))
        }
    }
}

#[post("/profile", data = "<form>")]
async fn change(member: Member<'_>, form: Form) -> Result<Done, Failure> {
    let details = Details { full_name: Some(form.text("full_name").to_owned()), ..Details::default() };
    let changed = member.app.change_user(&member.actor(), &member.user.name, details).await;
    answer(&member, &form, changed.map(|_| "saved").map_err(Failure::from))
}

#[post("/profile/password", data = "<form>")]
async fn password(member: Member<'_>, form: Form) -> Result<SetCookie<Done>, Failure> {
    let (current, new) = (form.text("current").to_owned(), form.text("password").to_owned());
    let (by, name, origin) = (member.actor(), &member.user.name, member.origin());
    let changed = member.app.change_own_password(&by, name, current, new, &origin).await;
    let token = changed.as_ref().ok().and_then(|changed| changed.token.clone());
    let done = answer(&member, &form, changed.map(|_| "password").map_err(Failure::from))?;
    Ok(member.renewed(token.as_ref(), done).await)
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![profile, change, password]
}
