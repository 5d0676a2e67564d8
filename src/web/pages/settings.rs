//! Settings, for administrators: the city database, the limits, the index.

use rocket::{FromForm, form::Form as Multipart, fs::TempFile, get, http::Status, post, routes};

use super::{Html, Part, Redirect, help::in_words, inside, see, show};
use crate::{
    domain::geo::Source,
    store::index::State,
    web::{
        door::{Admin, Form, Params},
        failure::Failure,
        looking::apart,
        views::{
            Page,
            parts::Fact,
            settings::{Geo, Index, Settings},
            text::grouped,
        },
    },
};

fn page(admin: &Admin<'_>, params: &Params, geo_error: &str) -> Settings {
    let app = admin.app;
    let info = app.geo().info();
    let date = info.built.to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    let mut facts = vec![
        Fact::new("Database", info.database_type.clone()),
        Fact::new("Built", date.to_string()),
        Fact::new("Source", source(&info.source)),
    ];
    if let Some(problem) = &info.problem {
        facts.push(Fact::new("Problem", problem.clone()));
    }
    let limits = app.limits();
    let status = app.index().status();
    let (done, all) = (status.indexed.0, status.last.0);
    let line = match &status.state {
        State::Retrying(why) => format!("The index cannot be written ({why}); it tries again by itself."),
        _ if done >= all => format!("All {} activities can be searched.", grouped(all)),
        State::Checking => "The index is being checked.".to_owned(),
        State::Following => {
            "The index is catching up with the log; what is indexed can be searched.".to_owned()
        }
        State::Stopped => "The index has stopped.".to_owned(),
    };
    Settings {
        frame: inside(admin, Page::Settings, params),
        geo: Geo { facts, replaced: info.source == Source::Given, error: geo_error.to_owned() },
        limits: vec![
            Fact::new("A session that is not used ends after", in_words(limits.idle)),
            Fact::new("A session ends at the latest after", in_words(limits.absolute)),
        ],
        index: Index { line, progress: (done < all).then_some((done, all)) },
        about: vec![
            Fact::new("Version", env!("CARGO_PKG_VERSION")),
            Fact::new("Live sessions", grouped(app.live_sessions(&admin.scope(), None).len() as u64)),
            Fact::new("Activities", grouped(all)),
            Fact::new("Users", grouped(app.users().len() as u64)),
        ],
    }
}

fn source(source: &Source) -> String {
    match source {
        Source::BuiltIn => "came with Rollcall".to_owned(),
        Source::Given => "put in by an administrator".to_owned(),
        Source::Option(path) => format!("named at the start: {}", path.display()),
    }
}

#[get("/settings")]
fn all(admin: Admin<'_>, params: Params, part: Part<'_>) -> Result<Html, Failure> {
    let view = page(&admin, &params, "");
    if part.0 == "index" { show(&view.as_index()) } else { show(&view) }
}

#[derive(FromForm)]
struct Upload<'r> {
    csrf: &'r str,
    file: TempFile<'r>,
}

#[post("/settings/geo", data = "<upload>")]
async fn replace(
    admin: Admin<'_>,
    upload: Multipart<Upload<'_>>,
) -> Result<Result<Redirect, (Status, Html)>, Failure> {
    if upload.csrf != admin.form_token() {
        return Err(Failure::stale_form());
    }
    // Small files are kept in memory by Rocket; the gate reads either.
    let by = admin.actor();
    let replaced = match &upload.file {
        TempFile::File { path, .. } => {
            let path = path.to_path_buf();
            apart(admin.app, move |app| app.replace_geo(&by, &path)).await
        }
        TempFile::Buffered { content } => {
            let bytes = content.to_vec();
            apart(admin.app, move |app| app.replace_geo_with(&by, &bytes)).await
        }
    };
    match replaced {
        Ok(()) => Ok(Ok(see("/settings?done=geo"))),
        Err(failure) if failure.status().code >= 500 => Err(failure),
        Err(failure) => {
            let view = page(&admin, &Params::default(), failure.message());
            Ok(Err((failure.status(), show(&view)?)))
        }
    }
}

#[post("/settings/geo/reset", data = "<_form>")]
async fn reset(admin: Admin<'_>, _form: Form) -> Result<Redirect, Failure> {
    let by = admin.actor();
    apart(admin.app, move |app| app.reset_geo(&by)).await?;
    Ok(see("/settings?done=geo-reset"))
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![all, replace, reset]
}
