//! The log: searching, counting and downloading it.

use std::time::Instant;

use rocket::{get, head, routes};
use serde::Serialize;

use crate::{
    domain::activity::LookError,
    model::id::ActivityId,
    store::index::FacetField,
    web::{
        door::{ActivityRead, Caller, Params},
        download::{Download, Format, Label},
        failure::Failure,
        looking::{Looking, apart},
        wire::{ActivityWire, Answer, time},
    },
};

/// The most activities on a page.
const LIMIT: usize = 1000;

#[derive(Serialize)]
struct Total {
    value: u64,
    exact: bool,
}

/// A page: its activities were written into JSON where they were read.
#[derive(Serialize)]
struct Found {
    items: Vec<Box<serde_json::value::RawValue>>,
    next: Option<String>,
    total: Total,
    took_us: u128,
}

#[get("/activity")]
async fn search(caller: Caller<'_, ActivityRead>, params: Params) -> Result<Answer<Found>, Failure> {
    let looking = Looking::read(&params, caller.app.now())?;
    let limit = params.number("limit", 50, (1, LIMIT))?;
    let cursor = params.get("cursor").map(str::to_owned);
    let scope = caller.scope();
    let found = apart(caller.app, move |app| {
        let started = Instant::now();
        let page = app.search(&scope, &looking.filter, looking.order, cursor.as_deref(), limit)?;
        let counted = app.count_soon(&scope, &looking.filter)?;
        let wire =
            page.items.iter().map(|item| serde_json::value::to_raw_value(&ActivityWire::from(&**item)));
        Ok::<_, LookError>(Found {
            items: wire.filter_map(Result::ok).collect(),
            next: page.next,
            // Where counting takes long, what is known for sure: there are at least those.
            total: Total { value: counted.unwrap_or(page.items.len() as u64), exact: counted.is_some() },
            took_us: started.elapsed().as_micros(),
        })
    });
    found.await.map(Answer)
}

#[get("/activity/<id>", rank = 9)]
async fn one(
    caller: Caller<'_, ActivityRead>,
    id: &str,
) -> Result<Answer<Box<serde_json::value::RawValue>>, Failure> {
    let unknown = || Failure::not_found("there is no such activity");
    let id: ActivityId = id.parse().map_err(|_| unknown())?;
    let scope = caller.scope();
    let found = apart(caller.app, move |app| app.activity(&scope, id)).await?.ok_or_else(unknown)?;
    let wire = serde_json::value::to_raw_value(&ActivityWire::from(&found));
    wire.map(Answer).map_err(|error| Failure::internal(&error))
}

#[derive(Serialize)]
struct Histogram {
    from: String,
    to: String,
    buckets: Vec<Bar>,
}

#[derive(Serialize)]
struct Bar {
    time: String,
    total: u64,
    failures: u64,
}

#[get("/activity/histogram")]
async fn histogram(caller: Caller<'_, ActivityRead>, params: Params) -> Result<Answer<Histogram>, Failure> {
    let looking = Looking::read(&params, caller.app.now())?;
    let buckets = params.number("buckets", 60, (1, 1000))?;
    let scope = caller.scope();
    let spread = apart(caller.app, move |app| app.histogram(&scope, &looking.filter, buckets)).await?;
    let bars = spread.buckets.iter();
    Ok(Answer(Histogram {
        from: time(spread.range.from),
        to: time(spread.range.to),
        buckets: bars
            .map(|(at, bucket)| Bar { time: time(*at), total: bucket.total, failures: bucket.failures })
            .collect(),
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

#[derive(Serialize)]
struct Facets {
    field: &'static str,
    items: Vec<Facet>,
}

#[derive(Serialize)]
struct Facet {
    value: String,
    count: u64,
}

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
    let scope = caller.scope();
    let prefix = params.get("prefix").map(str::to_owned);
    let values = apart(caller.app, move |app| match prefix {
        Some(prefix) => app.suggest(&scope, field, &prefix, limit),
        None => app.facets(&scope, &looking.filter, field, limit),
    });
    let items =
        values.await?.into_iter().map(|facet| Facet { value: facet.value, count: facet.count }).collect();
    Ok(Answer(Facets { field: name, items }))
}

#[get("/activity.csv")]
async fn csv(caller: Caller<'_, ActivityRead>, params: Params) -> Result<Download, Failure> {
    download(&caller, &params, as_csv(&params)).await
}

#[get("/activity.ndjson")]
async fn ndjson(caller: Caller<'_, ActivityRead>, params: Params) -> Result<Download, Failure> {
    download(&caller, &params, Format::Ndjson).await
}

/// Whoever only asks what would come begins no export.
#[head("/activity.csv")]
async fn csv_label(caller: Caller<'_, ActivityRead>, params: Params) -> Result<Label, Failure> {
    label(&caller, &params, as_csv(&params)).await
}

#[head("/activity.ndjson")]
async fn ndjson_label(caller: Caller<'_, ActivityRead>, params: Params) -> Result<Label, Failure> {
    label(&caller, &params, Format::Ndjson).await
}

fn as_csv(params: &Params) -> Format {
    let attributes = params.all("attribute").map(str::to_owned).collect();
    Format::Csv { attributes, raw: params.flag("raw") }
}

async fn download(
    caller: &Caller<'_, ActivityRead>,
    params: &Params,
    format: Format,
) -> Result<Download, Failure> {
    let now = caller.app.now();
    let looking = Looking::read(params, now)?;
    let (by, scope, described) = (caller.actor(), caller.scope(), Looking::described(params));
    let (filter, order) = (looking.filter, looking.order);
    let export = apart(caller.app, move |app| app.export(&by, &scope, &filter, order, &described)).await?;
    let date = now.to_zoned_datetime(looking.zone).date();
    Download::begin(export, format, date, caller.lease()).map_err(|error| Failure::internal(&error))
}

async fn label(caller: &Caller<'_, ActivityRead>, params: &Params, format: Format) -> Result<Label, Failure> {
    let now = caller.app.now();
    let looking = Looking::read(params, now)?;
    let scope = caller.scope();
    let rows = apart(caller.app, move |app| app.count(&scope, &looking.filter)).await?;
    Ok(Label::new(&format, rows, now.to_zoned_datetime(looking.zone).date()))
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![search, one, histogram, facets, csv, csv_label, ndjson, ndjson_label]
}
