//! The webhook of an app, for administrators.

use rocket::{get, http::Status, post, routes};

use super::{Html, Part, Redirect, field, inside, now, see, show};
use crate::{
    domain::hooks::HookError,
    model::hook::{Delivery, DeliveryState},
    web::{
        door::{Admin, Form, FreshForm, Params},
        failure::Failure,
        looking::apart,
        views::{
            Page,
            hook::{DeliveryRow, HookFacts, HookPage},
            parts::{Input, Moment, Now},
            search::encode,
            told,
        },
    },
};

/// How many of the last ends are shown.
const SHOWN: usize = 100;

fn row(delivery: &Delivery, now: &Now) -> DeliveryRow {
    DeliveryRow {
        session: delivery.session.to_string(),
        ended: Moment::new(delivery.ended, now),
        state: match delivery.state {
            DeliveryState::Told(_) => "told",
            DeliveryState::Waiting(_) => "waiting",
            DeliveryState::GivenUp(_) => "given up",
        },
        line: told::long(delivery, now.at),
    }
}

async fn page(
    admin: &Admin<'_>,
    params: &Params,
    app: &str,
    url: Option<Input>,
    made: Option<String>,
) -> Result<HookPage, Failure> {
    let app = admin.app.app_name(app.to_owned());
    let name = app.clone();
    let (hook, waiting, deliveries) = apart(admin.app, move |app| app.hook(&name, SHOWN)).await?;
    let now = now(admin.app);
    let known = hook.as_ref().map(|hook| Input::of(&hook.url)).unwrap_or_default();
    Ok(HookPage {
        frame: inside(admin, Page::Apps, params),
        app,
        url: url.unwrap_or(known),
        hook: hook.map(|hook| HookFacts {
            created: Moment::new(hook.created, &now),
            url: hook.url,
            by: hook.created_by,
        }),
        made,
        waiting,
        rows: deliveries.iter().map(|delivery| row(delivery, &now)).collect(),
    })
}

#[get("/apps/<name>/webhook")]
async fn one(admin: Admin<'_>, name: &str, params: Params, part: Part<'_>) -> Result<Html, Failure> {
    let view = page(&admin, &params, name, None, None).await?;
    if part.0 == "results" { show(&view.as_results()) } else { show(&view) }
}

#[post("/apps/<name>/webhook", data = "<sent>")]
async fn set(admin: Admin<'_>, name: &str, sent: FreshForm) -> Result<(Status, Html), Failure> {
    let typed = sent.text("url");
    match admin.app.put_hook(&admin.actor(), name, typed).await {
        Ok((_, secret)) => {
            let view = page(&admin, &Params::default(), name, None, Some(secret.reveal())).await?;
            Ok((Status::Ok, show(&view)?))
        }
        Err(error @ HookError::Url) => {
            let failure = Failure::from(error);
            let again = field(typed, "url", &failure);
            let view = page(&admin, &Params::default(), name, Some(again), None).await?;
            Ok((failure.status(), show(&view)?))
        }
        Err(error) => Err(error.into()),
    }
}

fn back(name: &str, done: &str) -> Redirect {
    let mut address = "/apps/".to_owned();
    encode(name, &mut address);
    see(format!("{address}/webhook?done={done}"))
}

#[post("/apps/<name>/webhook/retry", data = "<_form>")]
async fn retry(admin: Admin<'_>, name: &str, _form: Form) -> Result<Redirect, Failure> {
    admin.app.hasten_hook(&admin.actor(), name).await?;
    Ok(back(name, "hook-retried"))
}

#[post("/apps/<name>/webhook/remove", data = "<_form>")]
async fn remove(admin: Admin<'_>, name: &str, _form: FreshForm) -> Result<Redirect, Failure> {
    admin.app.remove_hook(&admin.actor(), name).await?;
    Ok(back(name, "hook-removed"))
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![one, set, retry, remove]
}
