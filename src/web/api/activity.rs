//! The log: searching, counting and downloading it.

use std::time::Instant;

use rocket::{get, head};
use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

use crate::{
    domain::{activity::LookError, evidence::SealError, export::Told},
    model::{activity::limits, facet::FacetField, id::ActivityId},
    web::{
        door::{ActivityRead, Caller, Params},
        download::{Download, Format, Label},
        failure::{Failure, Refusal},
        looking::{Looking, apart, look},
        openapi::{described, examples, words::one_of},
        wire::{ActivityWire, Answer, time},
    },
};

/// The most activities on a page.
const LIMIT: usize = 1000;

#[derive(Serialize, ToSchema)]
#[schema(as = ActivityTotal, example = json!({"value": 1, "exact": true}))]
struct Total {
    /// How many there are, or how many there are at least.
    value: u64,
    /// Which of the two it is.
    exact: bool,
}

/// A page: its activities were written into JSON where they were read.
#[derive(Serialize, ToSchema)]
#[schema(as = Activities, example = json!({"took_us": 412}))]
struct Found {
    /// What is on the page.
    #[schema(value_type = Vec<ActivityWire>)]
    items: Vec<Box<serde_json::value::RawValue>>,
    /// The cursor of the next page, if there is one.
    next: Option<String>,
    /// How many there are on all pages.
    total: Total,
    /// How long it took, in microseconds.
    #[schema(value_type = u64)]
    took_us: u128,
}

/// Search the log.
///
/// `total` is exact unless counting takes longer than 50 ms, or the search index has not caught up with the log: then `exact` is
/// false, and there are at least `value`.
#[utoipa::path(
    params(
        Looking,
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "How many on a page; 50 if not given. Fewer come where they are long, and `next` goes on behind them."),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before, of this very search."),
    ),
    security(("session" = []), ("token" = ["activity:read"])),
    responses(
        (status = 200, body = Found),
        (status = 400, body = Refusal),
        (status = 503, body = Refusal)
    ),
)]
#[get("/activity")]
async fn search(caller: Caller<'_, ActivityRead>, params: Params) -> Result<Answer<Found>, Failure> {
    let looking = Looking::read(&params, caller.app.now())?;
    let limit = params.number("limit", 50, (1, LIMIT))?;
    let cursor = params.get("cursor").map(str::to_owned);
    let (by, scope) = (caller.actor(), caller.scope());
    let found = look(caller.app, caller.actor(), move |app| {
        let started = Instant::now();
        let behind = app.behind();
        let page = app.search(&scope, &looking.filter, looking.order, cursor.as_deref(), limit)?;
        let counted = app.count_soon(&scope, &looking.filter)?;
        looking.note(&app, &by, &scope);
        let wire =
            page.items.iter().map(|item| serde_json::value::to_raw_value(&ActivityWire::from(&**item)));
        Ok::<_, LookError>(Found {
            items: wire.filter_map(Result::ok).collect(),
            next: page.next,
            // Where counting takes long, what is known for sure: there are at least those.
            total: Total {
                value: counted.unwrap_or(page.items.len() as u64),
                exact: counted.is_some() && behind.or_else(|| app.behind()).is_none(),
            },
            took_us: started.elapsed().as_micros(),
        })
    });
    found.await.map(Answer)
}

/// One activity.
#[utoipa::path(
    security(("session" = []), ("token" = ["activity:read"])),
    responses(
        (status = 200, body = ActivityWire),
        (status = 404, body = Refusal)
    ),
)]
#[get("/activity/<id>", rank = 9)]
async fn one(
    caller: Caller<'_, ActivityRead>,
    id: &str,
) -> Result<Answer<Box<serde_json::value::RawValue>>, Failure> {
    let unknown = || Failure::not_found("there is no such activity");
    let id: ActivityId = id.parse().map_err(|_| unknown())?;
    let (by, scope) = (caller.actor(), caller.scope());
    let found = apart(caller.app, move |app| {
        let found = app.activity(&scope, id)?;
        if let Some(found) = &found {
            app.note_one(&by, &scope, found);
        }
        Ok::<_, LookError>(found)
    });
    let found = found.await?.ok_or_else(unknown)?;
    let wire = serde_json::value::to_raw_value(&ActivityWire::from(&found));
    wire.map(Answer).map_err(|error| Failure::internal(&error))
}

#[derive(Serialize, ToSchema)]
#[schema(as = ActivityHistogram, example = json!({
    "from": "2026-03-15T12:00:00.000Z", "to": "2026-03-15T13:00:00.000Z", "exact": true
}))]
struct Histogram {
    /// Where it begins.
    #[schema(format = DateTime)]
    from: String,
    /// Where it ends.
    #[schema(format = DateTime)]
    to: String,
    /// The parts, oldest first.
    buckets: Vec<Bar>,
    /// Whether they hold all there is: false while the search index has not caught up with the log.
    exact: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ActivityBucket, example = json!({"time": "2026-03-15T12:00:00.000Z", "total": 41, "failures": 2}))]
struct Bar {
    /// Where the part begins.
    #[schema(format = DateTime)]
    time: String,
    /// How many activities are in it.
    total: u64,
    /// How many of them failed.
    failures: u64,
}

/// How the activities of a search spread over time, in equal parts.
///
/// An open start is that of the oldest; an open end is now, and what is dated later is in the last part.
#[utoipa::path(
    params(
        Looking,
        ("buckets" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "How many parts; 60 if not given."),
    ),
    security(("session" = []), ("token" = ["activity:read"])),
    responses(
        (status = 200, body = Histogram),
        (status = 400, body = Refusal),
        (status = 503, body = Refusal)
    ),
)]
#[get("/activity/histogram")]
async fn histogram(caller: Caller<'_, ActivityRead>, params: Params) -> Result<Answer<Histogram>, Failure> {
    let looking = Looking::read(&params, caller.app.now())?;
    let buckets = params.number("buckets", 60, (1, 1000))?;
    let (by, scope) = (caller.actor(), caller.scope());
    let spread = look(caller.app, caller.actor(), move |app| {
        let behind = app.behind();
        let spread = app.histogram(&scope, &looking.filter, buckets)?;
        looking.note(&app, &by, &scope);
        Ok::<_, LookError>((spread, behind.or_else(|| app.behind()).is_none()))
    });
    let (spread, exact) = spread.await?;
    let bars = spread.buckets.iter();
    Ok(Answer(Histogram {
        from: time(spread.range.from),
        to: time(spread.range.to),
        buckets: bars
            .map(|(at, bucket)| Bar { time: time(*at), total: bucket.total, failures: bucket.failures })
            .collect(),
        exact,
    }))
}

/// The fields whose values can be counted, by their names in the search box.
const FIELDS: [(&str, FacetField); 9] = [
    ("user", FacetField::User),
    ("app", FacetField::App),
    ("action", FacetField::Action),
    ("outcome", FacetField::Outcome),
    ("country", FacetField::Country),
    ("city", FacetField::City),
    ("device", FacetField::Device),
    ("os", FacetField::Os),
    ("browser", FacetField::Browser),
];

/// One of [`FIELDS`], for the document.
enum FacetName {}

impl utoipa::PartialSchema for FacetName {
    fn schema() -> RefOr<Schema> {
        one_of(FIELDS.map(|(name, _)| name)).into()
    }
}

impl ToSchema for FacetName {}

#[derive(Serialize, ToSchema)]
#[schema(as = ActivityFacets, example = json!({"field": "user", "exact": true}))]
struct Facets {
    /// The field.
    #[schema(value_type = FacetName)]
    field: &'static str,
    /// Its values, the commonest first.
    items: Vec<Facet>,
    /// Whether all there is was counted: false while the search index has not caught up with the log.
    exact: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ActivityFacet, example = json!({"value": "ann", "count": 41}))]
struct Facet {
    /// A value.
    value: String,
    /// How many activities have it.
    count: u64,
}

/// The commonest values of a field among the activities of a search.
#[utoipa::path(
    params(
        Looking,
        ("field" = inline(FacetName), Query, description = "The field whose values are counted."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "How many values; 20 if not given."),
        ("prefix" = Option<String>, Query, description = "Values that begin so, of the whole log: the search says nothing then. Proposing them, or all while `typing` stands alone, is no look at what others did."),
    ),
    security(("session" = []), ("token" = ["activity:read"])),
    responses(
        (status = 200, body = Facets),
        (status = 400, body = Refusal),
        (status = 503, body = Refusal)
    ),
)]
#[get("/activity/facets")]
async fn facets(caller: Caller<'_, ActivityRead>, params: Params) -> Result<Answer<Facets>, Failure> {
    let looking = Looking::read(&params, caller.app.now())?;
    let name = params.get("field").unwrap_or_default();
    let known = FIELDS.iter().find(|(known, _)| *known == name);
    let &(name, field) = known.ok_or_else(|| {
        let names: Vec<_> = FIELDS.iter().map(|(name, _)| *name).collect();
        Failure::field("field", format!("field is one of {}", names.join(", ")))
    })?;
    let limit = params.number("limit", 20, (1, 1000))?;
    let (by, scope) = (caller.actor(), caller.scope());
    // While somebody types and nothing is looked for yet, every value may be meant.
    let proposing = looking.typing && looking.asked.0.is_empty();
    let prefix = params.get("prefix").or(proposing.then_some("")).map(str::to_owned);
    let values = look(caller.app, caller.actor(), move |app| {
        let behind = app.behind();
        let values = if let Some(prefix) = prefix {
            // What there is to look for says of nobody what they did.
            app.suggest(&scope, field, &prefix, limit)?
        } else {
            let values = app.facets(&scope, &looking.filter, field, limit)?;
            looking.note(&app, &by, &scope);
            values
        };
        Ok::<_, LookError>((values, behind.or_else(|| app.behind()).is_none()))
    });
    let (values, exact) = values.await?;
    let items = values.into_iter().map(|facet| Facet { value: facet.value, count: facet.count }).collect();
    Ok(Answer(Facets { field: name, items, exact }))
}

/// Every row of a search as CSV, as of the moment it was asked for.
///
/// RFC 4180 in UTF-8. The connection breaks where a download fails: what ends well is whole. Two at once for each user or token.
#[utoipa::path(
    params(
        Looking,
        ("attribute" = Option<Vec<String>>, Query, description = "Attributes that get columns of their own; may be repeated."),
        ("raw" = Option<bool>, Query, description = "Leaves what a spreadsheet would run as a formula as it is."),
    ),
    security(("session" = []), ("token" = ["activity:read"])),
    responses(
        (status = 200, content_type = "text/csv", body = String, headers(
            ("Rows" = u64, description = "How many rows come, besides the head."),
            ("Activity" = String, description = "The activity that tells of it: by it the seal can be had."),
            ("Content-Disposition" = String, description = "A file name with the date."),
        ), example = table),
        (status = 400, body = Refusal),
        (status = 429, body = Refusal),
        (status = 503, body = Refusal, description = "The search index has not caught up with the log: `index_behind`."),
        (status = 507, body = Refusal)
    ),
)]
#[get("/activity.csv")]
async fn csv(caller: Caller<'_, ActivityRead>, params: Params) -> Result<Download, Failure> {
    download(&caller, &params, as_csv(&params)?).await
}

/// Every row of a search as NDJSON, as of the moment it was asked for: an activity a line.
#[utoipa::path(
    params(Looking),
    security(("session" = []), ("token" = ["activity:read"])),
    responses(
        (status = 200, content_type = "application/x-ndjson", body = String, headers(
            ("Rows" = u64, description = "How many lines come."),
            ("Activity" = String, description = "The activity that tells of it: by it the seal can be had."),
            ("Content-Disposition" = String, description = "A file name with the date."),
        ), example = line),
        (status = 400, body = Refusal),
        (status = 429, body = Refusal),
        (status = 503, body = Refusal, description = "The search index has not caught up with the log: `index_behind`."),
        (status = 507, body = Refusal)
    ),
)]
#[get("/activity.ndjson")]
async fn ndjson(caller: Caller<'_, ActivityRead>, params: Params) -> Result<Download, Failure> {
    download(&caller, &params, Format::Ndjson).await
}

/// How many rows a download as CSV would have.
///
/// Whoever only asks what would come begins no export.
#[utoipa::path(
    params(Looking),
    security(("session" = []), ("token" = ["activity:read"])),
    responses(
        (status = 200, headers(("Rows" = u64, description = "How many rows would come."))),
        (status = 400),
        (status = 503)
    ),
)]
#[head("/activity.csv")]
async fn csv_label(caller: Caller<'_, ActivityRead>, params: Params) -> Result<Label, Failure> {
    label(&caller, &params, as_csv(&params)?).await
}

/// How many rows a download as NDJSON would have.
#[utoipa::path(
    params(Looking),
    security(("session" = []), ("token" = ["activity:read"])),
    responses(
        (status = 200, headers(("Rows" = u64, description = "How many lines would come."))),
        (status = 400),
        (status = 503)
    ),
)]
#[head("/activity.ndjson")]
async fn ndjson_label(caller: Caller<'_, ActivityRead>, params: Params) -> Result<Label, Failure> {
    label(&caller, &params, Format::Ndjson).await
}

/// The seal of a download, by the activity that tells of it.
///
/// The rows are read once more and sealed, which is an activity of its own, `export-sealed`: its number stands in the seal, with the
/// proof that the log holds it. By that activity the same seal can be had again, proven under another `checkpoint`. Keep it beside the
/// file as `FILE.seal`; `rollcall verify FILE` holds the two against one another. 410 where retention has removed some of the rows.
#[utoipa::path(
    params(
        ("id" = String, Path, description = "The activity: what a download said in its header `Activity`, or one of a sealing."),
        ("checkpoint" = Option<u64>, Query, description = "The size (second line) of the checkpoint under which an earlier sealing is to be proven; the one that was signed with it if not given."),
    ),
    security(("session" = []), ("token" = ["activity:read"])),
    responses(
        (status = 200, content_type = "text/plain", body = String, headers(
            ("Rows" = u64, description = "How many rows are sealed."),
            ("Activity" = String, description = "The activity that tells of the download."),
            ("Content-Disposition" = String, description = "The name of the download's file, and `.seal`."),
        ), example = shown_seal),
        (status = 400, body = Refusal),
        (status = 403, body = Refusal),
        (status = 404, body = Refusal),
        (status = 410, body = Refusal),
        (status = 429, body = Refusal),
        (status = 503, body = Refusal)
    ),
)]
#[get("/activity/<id>/seal")]
async fn seal(caller: Caller<'_, ActivityRead>, id: &str, params: Params) -> Result<Download, Failure> {
    let id: ActivityId = id.parse().map_err(|_| SealError::Unknown)?;
    let size = params.get("checkpoint").map(str::parse).transpose();
    let size = size.map_err(|_| {
        Failure::field("checkpoint", "checkpoint is the size of a checkpoint: the number in its second line")
    })?;
    let (by, scope) = (caller.actor(), caller.scope());
    let begun = look(caller.app, caller.actor(), move |app| {
        let request = app.seal_of(&scope, id, size)?;
        let looking = Looking::of_export(&request.past)?;
        let export = app.export_again(&by, &request.past, &looking.filter, looking.order)?;
        Ok::<_, Failure>((request, export, looking.zone))
    });
    let (request, export, zone) = begun.await?;
    let (app, by) = (caller.app.clone(), caller.actor());
    let date = export.told().time.to_zoned_datetime(zone).date();
    let format = Format::of(request.past.sheet.clone());
    let sign = move |contents, told: &Told| app.seal_again(&by, contents, told, request);
    Download::seal(export, format, date, caller.lease(), sign).map_err(|error| Failure::internal(&error))
}

/// For the document: a download of one activity, the one that is shown there.
const fn table() -> &'static str {
    "Time,User,Activity,Detail,App,Outcome,Public IP,City,Location,Device Details,OS Details,Browser Details,Session,Id\r\n\
     2026-03-15T12:00:00.000Z,ann,backup,Account_2024.csv,salesforce,success,81.2.69.142,London,\"England, United Kingdom\",,,,,00000000000g2\r\n"
}

/// The same as NDJSON.
fn line() -> String {
    format!("{}\n", examples::of::<ActivityWire<'_>>())
}

/// The seal of the former: a server has made it of a log that held the same.
const fn shown_seal() -> &'static str {
    include_str!("../openapi/shown.seal")
}

fn as_csv(params: &Params) -> Result<Format, Failure> {
    let attributes: Vec<_> = params.all("attribute").map(str::to_owned).collect();
    if attributes.len() > limits::ATTRIBUTES {
        let most = limits::ATTRIBUTES;
        return Err(Failure::field(
            "attribute",
            format!("at most {most} attributes get columns of their own"),
        ));
    }
    Ok(Format::Csv { attributes, raw: params.yes("raw")? })
}

async fn download(
    caller: &Caller<'_, ActivityRead>,
    params: &Params,
    format: Format,
) -> Result<Download, Failure> {
    let now = caller.app.now();
    let looking = Looking::read(params, now)?;
    let (by, scope) = (caller.actor(), caller.scope());
    let Looking { filter, order, mut asked, typing, .. } = looking;
    if typing {
        // The last word counts as a beginning then, and the export can only be had again by whoever knows.
        asked.0.push(("typing", "1".to_owned()));
    }
    let sheet = format.sheet();
    let export =
        look(caller.app, caller.actor(), move |app| app.export(&by, &scope, &filter, order, &asked, &sheet))
            .await?;
    let date = now.to_zoned_datetime(looking.zone).date();
    Download::begin(export, format, date, caller.lease()).map_err(|error| Failure::internal(&error))
}

async fn label(caller: &Caller<'_, ActivityRead>, params: &Params, format: Format) -> Result<Label, Failure> {
    let now = caller.app.now();
    let looking = Looking::read(params, now)?;
    let (by, scope) = (caller.actor(), caller.scope());
    let date = now.to_zoned_datetime(looking.zone.clone()).date();
    let rows = look(caller.app, caller.actor(), move |app| {
        let behind = app.behind();
        let rows = app.count(&scope, &looking.filter)?;
        if let Some(behind) = behind.or_else(|| app.behind()) {
            return Err(LookError::Behind(behind));
        }
        looking.note(&app, &by, &scope);
        Ok(rows)
    });
    Ok(Label::new(&format, rows.await?, date))
}

described![search, one, seal, histogram, facets, csv, csv_label, ndjson, ndjson_label];
