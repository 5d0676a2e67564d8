//! Settings, for administrators: the city database, the limits, the index.

use rocket::{FromForm, form::Form as Multipart, fs::TempFile, get, http::Status, post, routes};

use super::{Html, Part, Redirect, help::in_words, inside, see, show};
use crate::{
    domain::{
        App,
        geo::Source,
        retention::{Outlook, RetentionError, Room},
    },
    model::{
        bond::Binding,
        demand::{Demand, NotADemand},
        index::{Behind, State},
        noun::noun,
        retention::{BadRetention, Keep, Retention},
    },
    web::{
        door::{Admin, Form, Fresh, FreshForm, Params},
        failure::Failure,
        front::Certificate,
        looking::apart,
        views::{
            Page,
            activity::behind,
            notice::Confirm,
            parts::{Fact, Input},
            settings::{self as views, Geo, Index, Settings},
            text::{counted, grouped},
        },
    },
};

/// What is shown of the retention besides what is set.
#[derive(Default)]
struct Kept {
    set: Retention,
    takes: Room,
    waits: Option<String>,
}

impl Kept {
    async fn of(app: &App) -> Result<Self, Failure> {
        apart(app, |app| {
            let set = app.retention()?;
            let waits = app.waiting(&set)?.map(|waits| {
                let removes = grouped(waits.removes);
                let of = format!("{} {}", grouped(waits.of), noun(waits.of, "activity", "activities"));
                format!("Retention waits, because it would remove {removes} of {of} at once for their age. Save to agree to it, or keep them longer.")
            });
            Ok::<_, RetentionError>(Self { takes: app.room()?, set, waits })
        })
        .await
    }

    fn view(self) -> views::Retention {
        let keep = if self.set.all == Keep::Forever { String::new() } else { self.set.all.to_string() };
        views::Retention {
            keep: Input::of(keep),
            size: Input::of(self.set.gigabytes()),
            rules: Input::of(self.set.rules()),
            takes: bytes(self.takes.all),
            left: Some(self.takes.gone).filter(|gone| *gone > 0).map(bytes).unwrap_or_default(),
            waits: self.waits.unwrap_or_default(),
        }
    }
}

/// A size in words.
fn bytes(bytes: u64) -> String {
    let tenths = |unit: u64| format!("{}.{}", bytes / unit, bytes % unit / (unit / 10));
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        1_000_000..1_000_000_000 => format!("{} MB", tenths(1_000_000)),
        _ => format!("{} GB", tenths(1_000_000_000)),
    }
}

fn page(admin: &Admin<'_>, params: &Params, geo_error: &str, retention: views::Retention) -> Settings {
    let app = admin.app;
    let info = app.geo().info();
    let date = info.built.to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    let mut facts = vec![Fact::new("Database", info.database_type.clone())];
    if info.source != Source::Nowhere {
        facts.push(Fact::new("Built", date.to_string()));
        facts.push(Fact::new("Source", source(&info.source)));
    }
    if let Some(problem) = &info.problem {
        facts.push(Fact::new("Problem", problem.clone()));
    }
    let limits = app.limits();
    let status = app.index().status();
    let (done, all) = (status.indexed.0, status.last.0);
    let line = match &status.state {
        State::Retrying(why) => format!("The index cannot be written ({why}); it tries again by itself."),
        _ if done >= all && status.left_out > 0 => behind(Behind::Damaged(status.left_out)),
        _ if done >= all => {
            format!("All {} {} can be searched.", grouped(all), noun(all, "activity", "activities"))
        }
        State::Checking => "The index is being checked.".to_owned(),
        State::Following => {
            "The index is catching up with the log; what is indexed can be searched.".to_owned()
        }
        State::Stopped => "The index has stopped.".to_owned(),
    };
    Settings {
        frame: inside(admin, Page::Settings, params),
        geo: Geo { facts, replaced: info.source == Source::Given, error: geo_error.to_owned() },
        tls: admin.certificate().map(tls),
        limits: vec![
            Fact::new("A session that is not used ends after", in_words(limits.idle)),
            Fact::new("A session ends at the latest after", in_words(limits.absolute)),
            Fact::new("A session is bound to", bound(limits.binding)),
        ],
        demands: Demand::ALL.map(|demand| (demand.as_str(), label(demand), demand == app.demand())).into(),
        retention,
        evidence: evidence(app),
        index: Index { line, progress: (done < all).then_some((done, all)) },
        about: vec![
            Fact::new("Version", env!("CARGO_PKG_VERSION")),
            Fact::new("Live sessions", grouped(app.live_sessions(&admin.scope(), None).len() as u64)),
            Fact::new("Activities", grouped(all)),
            Fact::new("Users", grouped(app.users().len() as u64)),
        ],
    }
}

const fn bound(binding: Binding) -> &'static str {
    match (binding.network, binding.device) {
        (false, false) => "nothing",
        (true, false) => "its network",
        (false, true) => "its device",
        (true, true) => "its network and its device",
    }
}

const fn label(demand: Demand) -> &'static str {
    match demand {
        Demand::Nobody => "Nobody",
        Demand::Administrators => "Administrators",
        Demand::Everyone => "Everyone",
    }
}

fn tls(certificate: &Certificate) -> views::Tls {
    let facts = certificate.facts();
    let file = certificate.file().display().to_string();
    let source = if certificate.is_self_signed() { format!("made by Rollcall, {file}") } else { file };
    views::Tls {
        facts: vec![
            Fact::new("Certificate", source),
            Fact::new("Holds until", format!("{:.0}", facts.until)),
            Fact::new("For", facts.names.join(", ")),
            Fact::new("SHA-256", facts.fingerprint),
        ],
        problem: certificate.problem().unwrap_or_default(),
    }
}

fn evidence(app: &App) -> views::Evidence {
    let newest = app.newest_checkpoint().unwrap_or_else(|error| {
        log::error!("the newest checkpoint could not be read: {error}");
        None
    });
    let sent = app.sent_checkpoints().into_iter().map(|sent| {
        let last = sent.last.map_or_else(
            || "none yet".to_owned(),
            |(size, at)| format!("that of {} activities, at {at:.0}", grouped(size)),
        );
        Fact::new(sent.to, sent.problem.map_or(last, |why| format!("the newest did not arrive: {why}")))
    });
    views::Evidence {
        checkpoint: newest.map(|(_, note)| note.to_string()).unwrap_or_default(),
        key: app.verifying_key().to_string(),
        sent: sent.collect(),
    }
}

fn source(source: &Source) -> String {
    match source {
        Source::BuiltIn => "came with Rollcall".to_owned(),
        Source::Given => "put in by an administrator".to_owned(),
        Source::Nowhere => "nowhere".to_owned(),
        Source::Option(path) => format!("named at the start: {}", path.display()),
    }
}

#[get("/settings")]
async fn all(admin: Admin<'_>, params: Params, part: Part<'_>) -> Result<Html, Failure> {
    // The part that is asked for again and again shows none of it.
    let kept = if part.0 == "index" { Kept::default() } else { Kept::of(admin.app).await? };
    let view = page(&admin, &params, "", kept.view());
    if part.0 == "index" { show(&view.as_index()) } else { show(&view) }
}

#[derive(FromForm)]
struct Upload<'r> {
    csrf: &'r str,
    file: TempFile<'r>,
}

#[post("/settings/geo", data = "<upload>")]
async fn replace(
    admin: Fresh<Admin<'_>>,
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
            let kept = Kept::of(admin.app).await?;
            let view = page(&admin, &Params::default(), failure.message(), kept.view());
            Ok(Err((failure.status(), show(&view)?)))
        }
    }
}

/// Where it goes on when somebody who came with a file has shown who they are: the file is not carried along.
#[post("/settings/geo/again", data = "<_form>")]
fn choose_again(_admin: Admin<'_>, _form: FreshForm) -> Redirect {
    see("/settings?done=geo-again#geo")
}

#[post("/settings/geo/reset", data = "<_form>")]
async fn reset(admin: Admin<'_>, _form: FreshForm) -> Result<Redirect, Failure> {
    let by = admin.actor();
    apart(admin.app, move |app| app.reset_geo(&by)).await?;
    Ok(see("/settings?done=geo-reset"))
}

#[post("/settings/second-factor", data = "<sent>")]
async fn demand(admin: Admin<'_>, sent: FreshForm) -> Result<Redirect, Failure> {
    let demand: Demand =
        sent.text("of").parse().map_err(|error: NotADemand| Failure::field("of", error.to_string()))?;
    admin.app.set_demand(&admin.actor(), demand).await?;
    Ok(see("/settings?done=saved#second-factor"))
}

/// Sets how long the log is kept. Where that removes anything now, it is asked about first, and no more goes than was shown then.
#[post("/settings/retention", data = "<sent>")]
async fn retain(admin: Admin<'_>, sent: FreshForm) -> Result<Result<Redirect, (Status, Html)>, Failure> {
    let typed = |name| sent.get(name).unwrap_or_default();
    let retention = match Retention::read(typed("keep"), typed("size"), typed("rules")) {
        Ok(retention) => retention,
        Err(error) => {
            let refused = |name, is: bool| {
                if is { Input::refused(typed(name), &error) } else { Input::of(typed(name)) }
            };
            let in_keep = typed("keep").parse::<Keep>().is_err();
            let in_size = !in_keep && matches!(error, BadRetention::Size(_));
            let shown = views::Retention {
                keep: refused("keep", in_keep),
                size: refused("size", in_size),
                rules: refused("rules", !in_keep && !in_size),
                ..Kept::of(admin.app).await?.view()
            };
            return Ok(Err((Status::BadRequest, show(&page(&admin, &Params::default(), "", shown))?)));
        }
    };
    let agreed = sent.get("agreed").and_then(|token| admin.app.agreed(token, &retention));
    let agreed = if let Some(agreed) = agreed {
        agreed
    } else {
        let wanted = retention.clone();
        let outlook = apart(admin.app, move |app| app.exact_outlook(&wanted)).await?;
        if outlook.removes > 0 {
            let token = admin.app.ask_to_agree(&retention, &outlook).reveal();
            return Ok(Err((Status::Ok, confirm(&admin, &sent, &outlook, token)?)));
        }
        outlook
    };
    let by = admin.actor();
    apart(admin.app, move |app| app.set_retention(&by, &retention, &agreed)).await?;
    let app = admin.app.clone();
    tokio::task::spawn_blocking(move || {
        if let Err(error) = app.clear_away() {
            log::error!("what retention leaves behind could not be cleared away: {error}");
        }
    });
    Ok(Ok(see("/settings?done=retention#retention")))
}

fn confirm(admin: &Admin<'_>, sent: &Form, outlook: &Outlook, token: String) -> Result<Html, Failure> {
    let count = counted(usize::try_from(outlook.removes).unwrap_or(usize::MAX), "activity", "activities");
    let since = outlook.moment().map(|moment| {
        let but = if outlook.only_by_age() { "" } else { ", but for those with a time of their own" };
        format!(" They happened before {moment:.0}{but}.")
    });
    let hidden = sent.iter().filter(|(name, _)| !matches!(*name, "csrf" | "confirmed" | "agreed"));
    let hidden = hidden.map(|(name, value)| (name.to_owned(), value.to_owned()));
    show(&Confirm {
        frame: inside(admin, Page::Settings, &Params::default()),
        title: format!("Remove {count}?"),
        line: format!(
            "That is what these rules remove now, of {} in the log. They cannot be brought back; download them first if they may be needed.{}",
            grouped(outlook.of),
            since.unwrap_or_default()
        ),
        items: Vec::new(),
        more: 0,
        action: "/settings/retention".to_owned(),
        hidden: hidden.chain([("agreed".to_owned(), token)]).collect(),
        asks_reason: false,
        button: format!("Remove {count}"),
        back: "/settings#retention".to_owned(),
    })
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![all, replace, choose_again, reset, demand, retain]
}
