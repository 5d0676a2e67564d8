//! Apps, for administrators.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use rocket::{get, http::Status, post, routes};

use super::{Html, Part, Redirect, field, inside, list, now, see, show};
use crate::{
    domain::{App as Rollcall, live::Live},
    model::app::{App, AppChange, HeaderFamily},
    web::{
        door::{Admin, FreshForm, Params},
        failure::Failure,
        looking::apart,
        views::{
            Page,
            apps::{AppForm, AppRow, Apps, Unregistered},
            parts::{Choice, Input, Moment},
            text::counted,
        },
    },
};

/// What a family of headers is for.
const fn hint(family: HeaderFamily) -> &'static str {
    match family {
        HeaderFamily::Remote => "Remote-User and its kin; most programs understand it",
        HeaderFamily::XAuthRequest => "X-Auth-Request-User, as oauth2-proxy sends it",
        HeaderFamily::XForwarded => "X-Forwarded-User",
        HeaderFamily::XWebauth => "X-WEBAUTH-USER, for Grafana and Gitea",
    }
}

/// How many of the apps are shown that sessions name and nobody registered.
const OTHERS: usize = 20;

/// What a form leads to: another page, or the form again with what is wrong.
type Done = Result<Redirect, (Status, Html)>;

/// The form of a new app, or of the one that is called `known`.
fn form(known: Option<&str>, [name, url, groups]: [Input; 3], chosen: HeaderFamily) -> AppForm {
    let choice = |family: HeaderFamily| Choice {
        value: family.to_string(),
        label: family.to_string(),
        hint: hint(family).to_owned(),
        chosen: family == chosen,
    };
    let known = known.map(str::to_owned);
    AppForm { known, name, url, groups, headers: HeaderFamily::ALL.map(choice).into() }
}

async fn page(admin: &Admin<'_>, params: &Params, form: Option<AppForm>) -> Result<Apps, Failure> {
    let (apps, hooks) = apart(admin.app, |app| Ok::<_, Failure>((app.apps()?, app.hooks()?))).await?;
    let live = admin.app.live_sessions(&admin.scope(), None);
    let now = now(admin.app);
    let hook = |app: &str| match hooks.iter().find(|(hook, _)| hook.app == app) {
        None => "none".to_owned(),
        Some((_, 0)) => "set".to_owned(),
        Some((_, waiting)) => format!("{waiting} waiting"),
    };
    let (others, more) = unregistered(admin.app, &live);
    let rows = apps.into_iter().map(|app| AppRow {
        hook: hook(&app.name),
        sessions: live.iter().filter(|live| admin.app.has_opened(live, &app.name)).count() as u64,
        groups: app.groups.join(", "),
        headers: app.headers.to_string(),
        created: Moment::new(app.created, &now),
        name: app.name,
        url: app.url,
    });
    Ok(Apps { frame: inside(admin, Page::Apps, params), rows: rows.collect(), form, others, more })
}

/// What live sessions call apps that nobody registered: those that most of them name, and how many more there are.
fn unregistered(app: &Rollcall, live: &[Arc<Live>]) -> (Vec<Unregistered>, usize) {
    let mut named: BTreeMap<String, usize> = BTreeMap::new();
    for name in live.iter().flat_map(|live| live.apps()) {
        *named.entry(name).or_default() += 1;
    }
    let mut others: Vec<_> = named.into_iter().filter(|(name, _)| !app.is_registered(name)).collect();
    others.sort_by_key(|(_, sessions)| Reverse(*sessions));
    let more = others.len().saturating_sub(OTHERS);
    let others = others
        .into_iter()
        .take(OTHERS)
        .map(|(name, sessions)| Unregistered { name, sessions: counted(sessions, "session", "sessions") });
    (others.collect(), more)
}

/// The form of an app that is there, with what is known of it.
async fn as_it_is(admin: &Admin<'_>, name: &str) -> Result<AppForm, Failure> {
    let registered = admin.app.app_name(name.to_owned());
    let known = apart(admin.app, |app| app.apps()).await?.into_iter().find(|app| app.name == registered);
    let app = known.ok_or_else(|| Failure::not_found("there is no such app"))?;
    let typed = [Input::of(&app.name), Input::of(&app.url), Input::of(app.groups.join(", "))];
    Ok(form(Some(&app.name), typed, app.headers))
}

/// The page again, with what was typed and what is wrong with it; or the failure, where it is about no field.
async fn again(
    admin: &Admin<'_>,
    known: Option<&str>,
    sent: &FreshForm,
    chosen: HeaderFamily,
    failure: Failure,
) -> Result<Done, Failure> {
    if failure.about().is_none() {
        return Err(failure);
    }
    let typed = ["name", "url", "groups"].map(|name| field(sent.text(name), name, &failure));
    let view = page(admin, &Params::default(), Some(form(known, typed, chosen))).await?;
    Ok(Err((failure.status(), show(&view)?)))
}

#[get("/apps")]
async fn all(admin: Admin<'_>, params: Params, part: Part<'_>) -> Result<Html, Failure> {
    let open = match params.get("change") {
        None => params.flag("add").then(|| {
            let name = Input::of(params.text("name"));
            form(None, [name, Input::default(), Input::default()], HeaderFamily::Remote)
        }),
        Some(name) => Some(as_it_is(&admin, name).await?),
    };
    let view = page(&admin, &params, open).await?;
    if part.0 == "results" { show(&view.as_results()) } else { show(&view) }
}

#[post("/apps/add", data = "<sent>")]
async fn add(admin: Admin<'_>, sent: FreshForm) -> Result<Done, Failure> {
    let headers = sent.parsed("headers")?.unwrap_or_default();
    let app = App {
        name: sent.text("name").trim().to_owned(),
        url: sent.text("url").to_owned(),
        groups: list(sent.text("groups")),
        headers,
        created: admin.app.now(),
    };
    match admin.app.add_app(&admin.actor(), app).await.map_err(Failure::from) {
        Ok(_) => Ok(Ok(see("/apps?done=app-added"))),
        Err(failure) => again(&admin, None, &sent, headers, failure).await,
    }
}

#[post("/apps/<name>", data = "<sent>", rank = 9)]
async fn change(admin: Admin<'_>, name: &str, sent: FreshForm) -> Result<Done, Failure> {
    let headers: Option<HeaderFamily> = sent.parsed("headers")?;
    let change = AppChange {
        url: Some(sent.text("url").to_owned()),
        groups: Some(list(sent.text("groups"))),
        headers,
    };
    match admin.app.change_app(&admin.actor(), name, change).await.map_err(Failure::from) {
        Ok(()) => Ok(Ok(see("/apps?done=saved"))),
        Err(failure) => again(&admin, Some(name), &sent, headers.unwrap_or_default(), failure).await,
    }
}

#[post("/apps/<name>/remove", data = "<_form>")]
async fn remove(admin: Admin<'_>, name: &str, _form: FreshForm) -> Result<Redirect, Failure> {
    admin.app.remove_app(&admin.actor(), name).await?;
    Ok(see("/apps?done=app-removed"))
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![all, add, change, remove]
}
