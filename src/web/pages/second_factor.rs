//! One's own second factor.

use rocket::{get, http::Status, post, routes};

use super::{Again, Html, Redirect, account::Refused, field, inside, outside, see, show};
use crate::{
    domain::accounts::AccountError,
    model::totp::{RecoveryCode, Seed},
    web::{
        door::{Form, FreshForm, Member, Newcomer, Params},
        draw::qr::Qr,
        failure::Failure,
        views::{
            Frame, Page,
            parts::Input,
            second_factor::{RecoveryCodes, SetUp},
        },
    },
};

fn set_up_page(member: &Member<'_>, seed: &Seed, pending: String, code: Input) -> Result<Html, Failure> {
    let demanded = member.owes_factor();
    // Nothing else is open to them yet, so nothing else is offered.
    let frame = if demanded {
        Frame { csrf: member.form_token(), ..outside() }
    } else {
        inside(member, Page::Profile, &Params::default())
    };
    show(&SetUp {
        frame,
        demanded,
        qr: Qr::of(&seed.uri(member.user.name.as_str())),
        secret: seed.reveal(),
        pending,
        code,
    })
}

fn codes_page(member: &Member<'_>, title: &str, codes: &[RecoveryCode]) -> Result<Html, Failure> {
    show(&RecoveryCodes {
        frame: inside(member, Page::Profile, &Params::default()),
        title: title.to_owned(),
        codes: codes.iter().map(RecoveryCode::reveal).collect(),
    })
}

#[get("/profile/second-factor")]
fn begin(member: Newcomer<'_>) -> Result<Result<Html, Redirect>, Failure> {
    if member.app.second_factor(&member.user.name)?.is_some() {
        return Ok(Err(see("/profile")));
    }
    let (seed, sealed) = member.app.begin_second_factor(&member.user.name);
    set_up_page(&member, &seed, sealed.to_text(), Input::default()).map(Ok)
}

#[post("/profile/second-factor", data = "<form>")]
async fn set(member: Newcomer<'_>, form: FreshForm) -> Result<(Status, Html), Failure> {
    let (name, pending, code) = (&member.user.name, form.text("pending"), form.text("code"));
    let set = member.app.set_second_factor(&member.actor(), name, pending, code).await;
    match (set, member.app.pending_seed(name, pending)) {
        (Ok(codes), _) => Ok((Status::Ok, codes_page(&member, "The second factor is on", &codes)?)),
        (Err(error @ AccountError::WrongCode), Some(seed)) => {
            let failure = Failure::from(error);
            let code = field("", "code", &failure);
            Ok((failure.status(), set_up_page(&member, &seed, pending.to_owned(), code)?))
        }
        (Err(error), _) => Err(error.into()),
    }
}

#[post("/profile/second-factor/codes", data = "<form>")]
async fn codes(member: Member<'_>, form: Form) -> Result<Result<Html, Again>, Failure> {
    let (by, name, password) = (member.actor(), &member.user.name, form.text("current").to_owned());
    match member.app.renew_recovery_codes(&by, name, password, &member.origin()).await {
        Ok(codes) => codes_page(&member, "New recovery codes", &codes).map(Ok),
        Err(error) => again(&member, &form, error.into()).map(Err),
    }
}

#[post("/profile/second-factor/remove", data = "<form>")]
async fn remove(member: Member<'_>, form: Form) -> Result<Result<Redirect, Again>, Failure> {
    let (by, name, password) = (member.actor(), &member.user.name, form.text("current").to_owned());
    match member.app.remove_second_factor(&by, name, password, &member.origin()).await {
        Ok(()) => Ok(Ok(see("/profile?done=factor-removed"))),
        Err(error) => again(&member, &form, error.into()).map(Err),
    }
}

/// Shows the profile again with what was wrong, where it was about a field of it.
fn again(member: &Member<'_>, form: &Form, failure: Failure) -> Result<Again, Failure> {
    if failure.about().is_none() {
        return Err(failure);
    }
    let frame = inside(member, Page::Profile, &Params::default());
    let refused = Refused { form, failure: &failure, factor: true };
    let html = super::account::page(member, frame, Some(refused))?;
    Ok(Again::because(html, failure))
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![begin, set, codes, remove]
}
