//! The pages: from a request to a view.
//!
//! A handler asks the application and fills one of the structs of [`super::views`]; what it looks like is
//! decided there and in `assets`. Every change is a form with a 303 behind it.

mod access;
mod account;
mod activity;
mod address;
mod apps;
mod help;
mod hooks;
mod onward;
mod passkeys;
mod second_factor;
mod sessions;
mod settings;
mod step_up;
mod tokens;
mod users;

use askama::Template;
use rocket::{
    Request,
    http::{ContentType, Header, Status},
    outcome::Outcome,
    request::{self, FromRequest},
    response::Responder,
};

use super::{
    assets,
    door::{Member, Params},
    failure::Failure,
    views::{
        self, Frame, Notice, Page, Tone, Who,
        parts::{Input, Link, Now},
    },
};
use crate::{
    domain::{App, Health},
    model::user::Role,
};

pub(super) use self::step_up::page as step_up;

/// Every route of the pages.
pub(super) fn routes() -> Vec<rocket::Route> {
    [
        access::routes(),
        account::routes(),
        activity::routes(),
        address::routes(),
        apps::routes(),
        help::routes(),
        hooks::routes(),
        passkeys::routes(),
        second_factor::routes(),
        sessions::routes(),
        settings::routes(),
        step_up::routes(),
        tokens::routes(),
        users::routes(),
    ]
    .concat()
}

/// A page, or the part of one that was asked for.
#[derive(Responder)]
pub(super) struct Html {
    text: String,
    kind: ContentType,
    vary: Header<'static>,
}

/// A page that asks again or for more, with the status of what was wrong, and when to come back where that is the reason.
struct Again {
    html: Html,
    status: Status,
    retry_after: Option<u64>,
}

impl Again {
    /// A page that asks for more.
    const fn asking(html: Html) -> Self {
        Self { html, status: Status::Ok, retry_after: None }
    }

    /// A page that says what was wrong.
    fn because(html: Html, failure: Failure) -> Self {
        Self { html, status: failure.status(), retry_after: failure.retry_after() }
    }
}

impl<'r> Responder<'r, 'static> for Again {
    fn respond_to(self, request: &'r Request<'_>) -> rocket::response::Result<'static> {
        let mut response = self.html.respond_to(request)?;
        response.set_status(self.status);
        if let Some(seconds) = self.retry_after {
            response.set_header(Header::new("Retry-After", seconds.to_string()));
        }
        Ok(response)
    }
}

/// Renders a view.
fn show(view: &impl Template) -> Result<Html, Failure> {
    let text = view.render().map_err(|error| Failure::internal(&error))?;
    Ok(Html { text, kind: ContentType::HTML, vary: Header::new("Vary", "Fragment") })
}

/// The name of the part of the page that a script asks for; empty for the whole page.
struct Part<'r>(&'r str);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Part<'r> {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, Self::Error> {
        Outcome::Success(Self(request.headers().get_one("Fragment").unwrap_or_default()))
    }
}

/// What stands around a page that anybody may see.
fn outside() -> Frame {
    Frame {
        assets: assets::PREFIX.clone(),
        who: None,
        page: Page::Door,
        csrf: String::new(),
        notice: None,
        insecure: None,
        alarm: None,
        attribution: None,
    }
}

/// What stands around a page of somebody who is signed in.
fn inside(member: &Member<'_>, page: Page, params: &Params) -> Frame {
    let shows_places = matches!(page, Page::Sessions | Page::Activity | Page::Settings | Page::Help);
    Frame {
        assets: assets::PREFIX.clone(),
        who: Some(Who {
            name: member.user.name.to_string(),
            full_name: member.user.full_name.clone(),
            role: member.user.role,
            session: member.live.id.to_string(),
        }),
        page,
        csrf: member.form_token(),
        notice: params.get("done").and_then(notice),
        insecure: insecure(member),
        alarm: alarm(member),
        attribution: attribution(member.app, shows_places),
    }
}

/// Told to administrators only, like an alarm.
fn insecure(member: &Member<'_>) -> Option<String> {
    member.plain().filter(|_| member.user.role == Role::Admin).map(|plain| plain.warning().into())
}

/// What is told to administrators only: everybody else can do nothing about it.
fn alarm(member: &Member<'_>) -> Option<String> {
    if member.user.role != Role::Admin {
        return None;
    }
    match member.app.health() {
        Health::Good => None,
        Health::Full => Some(
            "The disk is full: no activities are taken. Make room on it; everything goes on by itself then."
                .into(),
        ),
        Health::Failing(why) => {
            Some(format!("Nothing can be written: {why}. Look at the disk; it is tried again and again."))
        }
    }
}

fn attribution(app: &App, shows_places: bool) -> Option<Link> {
    if !shows_places {
        return None;
    }
    app.geo().info().attribution.map(|to| Link::new(to.text, to.link))
}

/// A failure as a page.
pub(super) fn failure(request: &Request<'_>, status: u16, message: &str) -> Html {
    let frame =
        Member::peek(request).map_or_else(outside, |member| inside(&member, Page::Door, &Params::default()));
    let view = views::notice::Failure::of(status, frame).because(sentence(message));
    show(&view).unwrap_or_else(|_| Html {
        text: sentence(message),
        kind: ContentType::Plain,
        vary: Header::new("Vary", "Fragment"),
    })
}

/// What the floors below say in lower case, as a sentence of its own.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    let mut sentence: String = first.into_iter().flatten().chain(letters).collect();
    sentence.push('.');
    sentence
}

/// What was done, by the word that stands in the address: a closed set, so that no address can make a page
/// say something else.
fn notice(done: &str) -> Option<Notice> {
    let text = match done {
        "signed-out" => "You are signed out.",
        "set-up" => "The first administrator is made. Sign in.",
        "logged-out" => "Done. Their next request is refused.",
        "unselected" => "Nothing was ended. Select a session first.",
        "none" => "Nothing was ended: it had ended already.",
        "saved" => "Saved.",
        "password" => "The password is changed. All other sessions have ended.",
        "passkey-added" => "The passkey is added. It signs you in without your password.",
        "passkey-removed" => "The passkey is removed.",
        "factor-removed" => "The second factor is removed. Your password alone lets you in.",
        "factor-reset" => {
            "The second factor is removed. The password alone lets the user in, until they set up another."
        }
        "user-added" => "The user is added.",
        "user-removed" => "The user is removed, and every session has ended.",
        "disabled" => "The account is disabled, and every session has ended.",
        "enabled" => "The account is enabled again.",
        "token-revoked" => "The token is revoked. The next call with it is refused.",
        "app-added" => "The app is added.",
        "app-removed" => "The app is removed.",
        "hook-removed" => "The webhook is removed.",
        "hook-retried" => "What was waiting is told now.",
        "retention" => "The retention is set.",
        "geo" => "The new city database is in use.",
        "geo-again" => "Thank you. Now choose the file once more.",
        "geo-reset" => "The built-in city database is in use again.",
        _ => return None,
    };
    let tone = if matches!(done, "none" | "unselected") { Tone::Bad } else { Tone::Good };
    Some(Notice { tone, text: text.to_owned() })
}

/// The moment a page is made, for its relative times. Exact times are shown in UTC; scripts show the
/// reader's own zone.
fn now(app: &App) -> Now {
    Now { at: app.now(), zone: jiff::tz::TimeZone::UTC }
}

/// Leads on after something was done.
fn see(address: impl Into<String>) -> Redirect {
    Redirect::to(address.into())
}

/// A field of a form that was sent: what was typed, and the failure if it is about this field.
fn field(value: &str, name: &str, failure: &Failure) -> Input {
    if failure.about() == Some(name) { Input::refused(value, failure.message()) } else { Input::of(value) }
}

/// Words that were typed with commas between them.
fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// `303 See Other`, to an address of our own making or of an app: as it is, for browsers send what no URI may hold, and an app
/// knows its addresses by it. It is visible ASCII.
#[derive(Responder)]
#[response(status = 303)]
pub(super) struct Redirect {
    body: (),
    location: Header<'static>,
}

impl Redirect {
    pub(super) fn to(address: String) -> Self {
        Self { body: (), location: Header::new("Location", address) }
    }
}
