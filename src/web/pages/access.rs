//! Coming in and going out: the first administrator, signing in, signing out.

use rocket::{Either, get, post, routes};

use super::{
    Again, Html, Redirect, field,
    help::in_words,
    inside, notice,
    onward::{self, Led, lead_on, way},
    outside, see, sentence, show,
};
use crate::{
    domain::{
        sessions::{LONGEST, Limits, NEW_PASSWORD, NEW_ROLE, UNUSED},
        sign_in::{SignInError, SignedIn},
    },
    model::{
        bond::Breach,
        onward::Onward,
        session::{EndedBy, Ending},
    },
    web::{
        door::{Form, Newcomer, OpenForm, Params, SetCookie, Visitor},
        failure::Failure,
        headers::FormLeadsTo,
        views::{
            self,
            access::{Setup, SignIn},
            notice::Confirm,
            parts::Input,
        },
    },
};

#[get("/")]
fn home() -> Redirect {
    see("/sessions")
}

/// A page whose form leads on to the app that one came from.
type Page<R> = FormLeadsTo<R>;

/// What is said where that is none.
const NO_APP: &str =
    "The address you came from is no app of this organisation; you will not be led back there.";

#[get("/signin")]
async fn sign_in_page(visitor: Visitor<'_>, params: Params) -> Result<Either<Page<Html>, OnTheWay>, Failure> {
    if visitor.app.setup_code().is_some() {
        return Ok(Either::Right(Either::Left(see("/setup"))));
    }
    let onward = onward::asked(visitor.app, &params);
    let live = visitor.session().await;
    // No app lets them pass before that, and each would send them here.
    if live.as_ref().is_some_and(|live| visitor.app.owes_factor(live))
        && onward.is_some()
        && !params.flag("switch")
    {
        return Ok(Either::Right(Either::Left(see("/profile/second-factor"))));
    }
    if let (Some(live), Some(Onward::App(address, _))) = (&live, &onward)
        && !params.flag("switch")
        && let Some(on) = lead_on(&visitor, live, address).await?
    {
        return Ok(Either::Right(Either::Right(on)));
    }
    let ended = if live.is_none() { visitor.ended_session().await? } else { None };
    let ended = ended.and_then(|session| Some(why_out(&session.ending?, visitor.app.limits())));
    let message = match (params.get("done").and_then(notice), &live) {
        (Some(notice), _) => notice.text,
        (None, None) if let Some(why) = ended => {
            let on = if onward.is_some() { " Sign in to go on." } else { "" };
            format!("{why}{on}")
        }
        (None, Some(live)) => {
            format!("You are signed in as {}. Signing in again ends that session.", live.user)
        }
        (None, None) if params.get("rd").is_some() && onward.is_none() => NO_APP.to_owned(),
        (None, None) if onward.is_some() => "Sign in to go on.".to_owned(),
        (None, None) => String::new(),
    };
    let page = asking(&visitor, onward.as_ref(), String::new(), None, message, false);
    Ok(Either::Left(FormLeadsTo(onward.as_ref().and_then(Onward::site), show(&page)?)))
}

/// What whoever comes with the cookie of a session that is over is told of its end. Who else ended it, and why, is not for
/// whoever may have taken the cookie along.
fn why_out(ending: &Ending, limits: &Limits) -> String {
    let policy = ending.by == EndedBy::Policy;
    match ending.reason.as_str() {
        UNUSED if policy => format!("Your session ended after {} without use.", in_words(limits.idle)),
        LONGEST if policy => {
            format!("Your session ended after {}, which is as long as one lasts.", in_words(limits.absolute))
        }
        NEW_PASSWORD if policy => "You were logged out because the password was changed.".to_owned(),
        NEW_ROLE if policy => "You were logged out because your role was changed.".to_owned(),
        reason if policy && reason == Breach::Network.reason() => {
            "Your session ended because it was used from another network. If that was not you, tell an administrator.".to_owned()
        }
        reason if policy && reason == Breach::Device.reason() => {
            "Your session ended because it was used on another device. If that was not you, tell an administrator.".to_owned()
        }
        _ if ending.by == EndedBy::Admin => "You were logged out by an administrator.".to_owned(),
        _ if ending.by == EndedBy::User => "You logged this session out.".to_owned(),
        _ => "You were logged out.".to_owned(),
    }
}

/// On to the setup, or to the app.
type OnTheWay = Either<Redirect, Led>;

fn asking(
    visitor: &Visitor<'_>,
    onward: Option<&Onward>,
    user: String,
    half: Option<String>,
    message: String,
    failed: bool,
) -> SignIn {
    SignIn {
        frame: outside(),
        user,
        half,
        passkeys: visitor.party().is_some(),
        message,
        failed,
        next: onward.map(Onward::text).unwrap_or_default(),
        for_app: onward.and_then(Onward::app).unwrap_or_default().to_owned(),
    }
}

#[post("/signin", data = "<form>")]
async fn sign_in(
    visitor: Visitor<'_>,
    form: OpenForm,
) -> Result<Result<SetCookie<Redirect>, Page<Again>>, Failure> {
    let user = form.text("user");
    let onward = form.get("next").and_then(|next| onward::of(visitor.app, next));
    let (origin, replaces) = (visitor.origin(), visitor.session().await);
    let page = |half: Option<String>, message: String, failed| {
        asking(&visitor, onward.as_ref(), user.chars().take(128).collect(), half, message, failed)
    };
    let leads_to = || onward.as_ref().and_then(Onward::site);
    let half = form.get("half");
    let done = if let Some(half) = half {
        let code = form.text("code");
        let welcome = visitor.app.show_code(half, code, origin, replaces.as_deref()).await;
        welcome.map(|welcome| SignedIn::Whole(Box::new(welcome)))
    } else {
        let password = form.text("password").to_owned();
        visitor.app.sign_in(user, password, None, origin, replaces.as_deref()).await
    };
    match done {
        Ok(SignedIn::Whole(welcome)) => {
            let to = match &onward {
                None => "/sessions".to_owned(),
                Some(Onward::Page(path)) => path.clone(),
                Some(Onward::App(address, _)) => way(&visitor, address)?,
            };
            visitor.signed_in(&welcome, see(to)).await.map(Ok)
        }
        Ok(SignedIn::Half(token)) => {
            let page = page(Some(token.reveal()), String::new(), false);
            Ok(Err(FormLeadsTo(leads_to(), Again::asking(show(&page)?))))
        }
        Err(error) => {
            // Whoever mistyped a code, or is held back, may show another one; what is over begins again.
            let half = half.filter(|_| matches!(error, SignInError::Code | SignInError::TooMany(_)));
            let failure = Failure::from(error);
            if failure.status().code >= 500 {
                return Err(failure);
            }
            let page = page(half.map(str::to_owned), sentence(failure.message()), true);
            Ok(Err(FormLeadsTo(leads_to(), Again::because(show(&page)?, failure))))
        }
    }
}

/// Where apps lead whoever signs out there. Being led here ends nothing yet, since any site can lead here: the form does.
#[get("/signout")]
fn sign_out_page(
    visitor: Visitor<'_>,
    member: Option<Newcomer<'_>>,
    params: Params,
) -> Result<Either<Page<Html>, Redirect>, Failure> {
    let onward = onward::asked(visitor.app, &params);
    let Some(member) = member else { return Ok(Either::Right(out(onward.as_ref()))) };
    let apps = member.live.apps();
    let ends = if apps.is_empty() { "ends." } else { "ends, and with it what it has opened:" };
    let mut line = format!("You are signed in as {}. This session {ends}", member.user.name);
    if params.get("rd").is_some_and(|rd| !rd.is_empty()) && onward.is_none() {
        line = format!("{NO_APP} {line}");
    }
    let page = show(&Confirm {
        frame: inside(&member, views::Page::Door, &params),
        title: "Sign out?".to_owned(),
        line,
        items: apps,
        more: 0,
        action: "/signout".to_owned(),
        hidden: onward.iter().map(|onward| ("rd".to_owned(), onward.text())).collect(),
        asks_reason: false,
        button: "Sign out".to_owned(),
        back: onward.as_ref().map_or_else(|| "/sessions".to_owned(), Onward::text),
    })?;
    Ok(Either::Left(FormLeadsTo(onward.as_ref().and_then(Onward::site), page)))
}

#[post("/signout", data = "<form>")]
async fn sign_out(member: Newcomer<'_>, form: Form) -> Result<SetCookie<Redirect>, Failure> {
    let onward = form.get("rd").and_then(|rd| onward::of(member.app, rd));
    member.app.sign_out(&member.actor(), &member.live).await?;
    Ok(member.signed_out(out(onward.as_ref())))
}

/// Where somebody goes on to who is signed out.
fn out(onward: Option<&Onward>) -> Redirect {
    see(onward.map_or_else(|| "/signin?done=signed-out".to_owned(), Onward::text))
}

#[get("/setup")]
fn setup_page(visitor: Visitor<'_>, params: Params) -> Result<Html, Failure> {
    if visitor.app.setup_code().is_none() {
        return Err(closed());
    }
    let blank = Input::default;
    let code = Input::of(params.get("code").unwrap_or_default());
    show(&Setup { frame: outside(), code, user: blank(), full_name: blank(), password: blank() })
}

#[post("/setup", data = "<form>")]
async fn set_up(
    visitor: Visitor<'_>,
    form: OpenForm,
) -> Result<Result<Redirect, (rocket::http::Status, Html)>, Failure> {
    let _turn = visitor.app.turn_to_set_up().await;
    if visitor.app.setup_code().is_none() {
        return Err(Failure::conflict("the setup is done already; sign in"));
    }
    let (code, user) = (form.text("code"), form.text("user"));
    let made = if visitor.app.is_setup_code(code, &visitor.origin())? {
        let by = visitor.console_holder(user);
        let password = form.text("password").to_owned();
        let full_name = form.text("full_name").to_owned();
        visitor.app.set_up(&by, user, password, full_name).await.map(drop).map_err(Failure::from)
    } else {
        Err(Failure::wrong_code())
    };
    match made {
        Ok(()) => Ok(Ok(see("/signin?done=set-up"))),
        Err(failure) if failure.status().code == 409 || failure.status().code >= 500 => Err(failure),
        Err(failure) => {
            let page = Setup {
                frame: outside(),
                code: field(code, "code", &failure),
                user: field(user, "user", &failure),
                full_name: field(form.text("full_name"), "full_name", &failure),
                password: field("", "password", &failure),
            };
            Ok(Err((failure.status(), show(&page)?)))
        }
    }
}

fn closed() -> Failure {
    Failure::not_found("the setup is done; it does not open again")
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![home, sign_in_page, sign_in, sign_out_page, sign_out, setup_page, set_up]
}
