//! Apps, for administrators.

use rocket::{get, http::Status, post, routes};

use super::{Html, Part, Redirect, field, inside, list, now, see, show};
use crate::{
    model::app::{App, HeaderFamily},
    web::{
        door::{Admin, FreshForm, Params},
        failure::Failure,
        looking::apart,
        views::{
            Page,
            apps::{AppForm, AppRow, Apps},
            parts::{Choice, Input, Moment},
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

fn form(name: Input, url: Input, groups: Input, chosen: HeaderFamily) -> AppForm {
    let choice = |family: HeaderFamily| Choice {
        value: family.to_string(),
        label: family.to_string(),
        hint: hint(family).to_owned(),
        chosen: family == chosen,
    };
    AppForm { name, url, groups, headers: HeaderFamily::ALL.map(choice).into() }
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
    let rows = apps.into_iter().map(|app| AppRow {
        hook: hook(&app.name),
        sessions: live.iter().filter(|live| live.has_opened(&app.name)).count() as u64,
        groups: app.groups.join(", "),
        headers: app.headers.to_string(),
        created: Moment::new(app.created, &now),
        name: app.name,
        url: app.url,
    });
    Ok(Apps { frame: inside(admin, Page::Apps, params), rows: rows.collect(), form })
}

#[get("/apps")]
async fn all(admin: Admin<'_>, params: Params, part: Part<'_>) -> Result<Html, Failure> {
    let blank = Input::default;
    let blank = params.flag("add").then(|| form(blank(), blank(), blank(), HeaderFamily::Remote));
    let view = page(&admin, &params, blank).await?;
    if part.0 == "results" { show(&view.as_results()) } else { show(&view) }
}

#[post("/apps/add", data = "<sent>")]
async fn add(admin: Admin<'_>, sent: FreshForm) -> Result<Result<Redirect, (Status, Html)>, Failure> {
    let headers = sent.parsed("headers")?.unwrap_or_default();
    let app = App {
        name: sent.text("name").trim().to_owned(),
        url: sent.text("url").to_owned(),
        groups: list(sent.text("groups")),
        headers,
        created: admin.app.now(),
    };
    match admin.app.add_app(&admin.actor(), app).await.map_err(Failure::from) {
        Ok(()) => Ok(Ok(see("/apps?done=app-added"))),
        Err(failure) if failure.about().is_none() => Err(failure),
        Err(failure) => {
            let typed = |name| field(sent.text(name), name, &failure);
            let again = form(typed("name"), typed("url"), typed("groups"), headers);
            let view = page(&admin, &Params::default(), Some(again)).await?;
            Ok(Err((failure.status(), show(&view)?)))
        }
    }
}

#[post("/apps/<name>/remove", data = "<_form>")]
async fn remove(admin: Admin<'_>, name: &str, _form: FreshForm) -> Result<Redirect, Failure> {
    admin.app.remove_app(&admin.actor(), name).await?;
    Ok(see("/apps?done=app-removed"))
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![all, add, remove]
}
