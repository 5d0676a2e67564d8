//! API tokens, for administrators.

use jiff::tz::TimeZone;
use rocket::{get, http::Status, post, routes};

use super::{Html, Part, Redirect, field, inside, now, see, show};
use crate::{
    model::token::{TokenScope, expiry},
    web::{
        door::{Admin, Form, FreshForm, Params},
        failure::Failure,
        views::{
            Page,
            parts::{Choice, Input, Moment},
            tokens::{TokenForm, TokenRow, Tokens},
        },
    },
};

/// What a scope lets a program do, in words.
const fn hint(scope: TokenScope) -> &'static str {
    match scope {
        TokenScope::ActivityWrite => "write activities to the log",
        TokenScope::ActivityRead => "search and download everybody's activities",
        TokenScope::SessionRead => "see sessions, and ask whether one is alive",
        TokenScope::SessionWrite => "register, touch and end sessions",
        TokenScope::AuthCheck => "ask for a proxy whether a request may pass",
        TokenScope::Metrics => "read the metrics",
    }
}

fn form(name: Input, app: Input, expires: Input, chosen: &[&str], scopes_error: &str) -> TokenForm {
    let choice = |scope: TokenScope| Choice {
        value: scope.to_string(),
        label: scope.to_string(),
        hint: hint(scope).to_owned(),
        chosen: chosen.contains(&scope.as_str()),
    };
    TokenForm {
        name,
        app,
        expires,
        scopes: TokenScope::ALL.map(choice).into(),
        scopes_error: scopes_error.to_owned(),
    }
}

fn page(
    admin: &Admin<'_>,
    params: &Params,
    form: Option<TokenForm>,
    made: Option<(String, String)>,
) -> Tokens {
    let now = now(admin.app);
    let tokens = admin.app.tokens().into_iter();
    let rows = tokens.map(|token| TokenRow {
        stopped: !admin.app.stands_for(&token),
        name: token.name,
        scopes: token.scopes.iter().map(ToString::to_string).collect(),
        app: token.app,
        created: Moment::new(token.created, &now),
        by: token.created_by,
        expires: token.expires.map(|at| Moment::new(at, &now)),
        expired: token.expires.is_some_and(|at| at <= now.at),
        used: token.last_used.map(|at| Moment::new(at, &now)),
    });
    Tokens { frame: inside(admin, Page::Settings, params), rows: rows.collect(), form, made }
}

#[get("/tokens")]
fn all(admin: Admin<'_>, params: Params, part: Part<'_>) -> Result<Html, Failure> {
    let blank =
        params.flag("add").then(|| form(Input::default(), Input::default(), Input::default(), &[], ""));
    let view = page(&admin, &params, blank, None);
    if part.0 == "results" { show(&view.as_results()) } else { show(&view) }
}

#[post("/tokens/add", data = "<sent>")]
async fn add(admin: Admin<'_>, sent: FreshForm) -> Result<(Status, Html), Failure> {
    let words: Vec<&str> = sent.all("scope").collect();
    let scopes = words.iter().filter_map(|word| word.parse().ok()).collect();
    let name = sent.text("name");
    // The day ends where whoever chose it is.
    let zone = sent.get("tz").and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC);
    let expires = sent.text("expires");
    let of = sent.text("app");
    let made = match expiry(expires, admin.app.now(), &zone) {
        Ok(at) => {
            admin.app.add_token(&admin.actor(), name, scopes, Some(of), at).await.map_err(Failure::from)
        }
        Err(error) => Err(Failure::field("expires", error.to_string())),
    };
    match made {
        Ok((token, secret)) => {
            let view = page(&admin, &Params::default(), None, Some((token.name, secret.reveal())));
            Ok((Status::Ok, show(&view)?))
        }
        Err(failure) if failure.status().code >= 500 || failure.status().code == 401 => Err(failure),
        Err(failure) => {
            let scopes_error = if failure.about() == Some("scopes") { failure.message() } else { "" };
            let name = if failure.status().code == 409 {
                Input::refused(name, failure.message())
            } else {
                field(name, "name", &failure)
            };
            let expires = field(expires, "expires", &failure);
            let again = form(name, field(of, "app", &failure), expires, &words, scopes_error);
            let view = page(&admin, &Params::default(), Some(again), None);
            Ok((failure.status(), show(&view)?))
        }
    }
}

#[post("/tokens/<name>/revoke", data = "<_form>")]
async fn revoke(admin: Admin<'_>, name: &str, _form: Form) -> Result<Redirect, Failure> {
    admin.app.revoke_token(&admin.actor(), name).await?;
    Ok(see("/tokens?done=token-revoked"))
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![all, add, revoke]
}
