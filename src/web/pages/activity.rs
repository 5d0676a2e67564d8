//! Activity Log: who did what.

use jiff::Timestamp;
use rocket::{get, routes};

use super::{Html, Part, inside, now, show};
use crate::{
    domain::activity::LookError,
    model::{
        filter::Filter,
        id::ActivityId,
        query::{Query, QueryError},
        session::Scope,
    },
    store::index::FacetField,
    web::{
        door::{Member, Params},
        draw::chart::{Bucket, Chart},
        failure::Failure,
        looking::{Looking, apart},
        views::{
            Page,
            activity::{ActivityPage, ActivityRow, Fault, Total},
            parts::{Link, Moment},
            record::{Field, RecordPage},
            search::Search,
        },
    },
};

/// How many rows a page holds.
const PAGE: usize = 50;

/// How many bars the histogram has.
const BARS: usize = 60;

/// How many users the drop-down offers.
const USERS: usize = 500;

/// The parameters as they stand in the address.
fn search(params: &Params) -> Search {
    let text = |name| params.get(name).unwrap_or_default().to_owned();
    let custom = params.get("from").is_some() || params.get("to").is_some();
    Search {
        q: text("q"),
        user: text("user"),
        app: text("app"),
        action: text("action"),
        outcome: text("outcome"),
        session: text("session"),
        ip: text("ip"),
        // The month, as in the original, where nothing else is said.
        period: params.get("period").unwrap_or(if custom { "custom" } else { "1m" }).to_owned(),
        from: text("from"),
        to: text("to"),
        tz: text("tz"),
        order: text("order"),
    }
}

/// Narrowings without a field in the form, each with the address without it.
fn narrowed(search: &Search) -> Vec<Link> {
    type Clear = fn(&mut Search);
    let without = |clear: Clear| {
        let mut rest = search.clone();
        clear(&mut rest);
        rest.href("/activity")
    };
    let known: [(&str, &str, Clear); 5] = [
        ("App", &search.app, |search| search.app.clear()),
        ("Activity", &search.action, |search| search.action.clear()),
        ("Outcome", &search.outcome, |search| search.outcome.clear()),
        ("Session", &search.session, |search| search.session.clear()),
        ("Public IP", &search.ip, |search| search.ip.clear()),
    ];
    let given = known.into_iter().filter(|(_, value, _)| !value.is_empty());
    given.map(|(name, value, clear)| Link::new(format!("{name}: {value}"), without(clear))).collect()
}

#[get("/activity")]
async fn list(member: Member<'_>, params: Params, part: Part<'_>) -> Result<Html, Failure> {
    let asked = search(&params);
    let mut read: Vec<(&str, &str)> = asked.pairs();
    if params.flag("typing") {
        read.push(("typing", "1"));
    }
    let at = now(member.app);
    let mut view = ActivityPage {
        frame: inside(&member, Page::Activity, &params),
        users: Vec::new(),
        narrowed: narrowed(&asked),
        fault: None,
        period_fault: String::new(),
        total: None,
        chart: None,
        rows: Vec::new(),
        newer: None,
        older: None,
        download: asked.href("/api/v1/activity.csv"),
        tail: String::new(),
        any: true,
        search: asked.clone(),
    };
    let scope = member.scope();
    view.users = users(&member, &scope).await?;
    let looking = match Looking::read(&Params::of(&read), member.app.now()) {
        Ok(looking) => looking,
        Err(failure) => {
            match (failure.about(), Query::parse(&asked.q)) {
                (Some("q"), Err(error)) => view.fault = Some(fault(&asked.q, &error)),
                (Some("period" | "from" | "to" | "tz"), _) => {
                    failure.message().clone_into(&mut view.period_fault);
                }
                _ => return Err(failure),
            }
            return answer(&view, part.0);
        }
    };
    let cursor = params.get("cursor").map(str::to_owned);
    let later = cursor.is_some();
    let (filter, order) = (looking.filter.clone(), looking.order);
    let found = apart(member.app, move |app| {
        let page = app.search(&scope, &filter, order, cursor.as_deref(), PAGE)?;
        let total = app.count(&scope, &filter)?;
        let spread = app.histogram(&scope, &filter, BARS)?;
        let any = !page.items.is_empty() || app.count(&scope, &Filter::default())? > 0;
        Ok::<_, LookError>((page, total, spread, any))
    });
    let (page, value, spread, any) = found.await?;
    view.any = any;
    view.total = Some(Total { value, exact: true });
    view.rows = page
        .items
        .iter()
        .map(|activity| ActivityRow::of(activity, &asked, &looking.filter.query, &at))
        .collect();
    view.older = page.next.map(|next| asked.with("/activity", &[("cursor", &next)]));
    view.newer = later.then(|| asked.href("/activity"));
    let ends = spread.buckets.iter().skip(1).map(|(from, _)| *from).chain([spread.range.to]);
    let buckets: Vec<Bucket> = spread
        .buckets
        .iter()
        .zip(ends)
        .map(|((from, bucket), to)| Bucket {
            from: *from,
            to,
            total: bucket.total,
            failures: bucket.failures,
        })
        .collect();
    let stamp = |at: Timestamp| crate::web::wire::time(at);
    view.chart = Some(Chart::new(&buckets, &looking.zone, |bucket| {
        asked.between(&stamp(bucket.from), &stamp(bucket.to)).href("/activity")
    }));
    answer(&view, part.0)
}

fn answer(view: &ActivityPage, part: &str) -> Result<Html, Failure> {
    match part {
        "results" => show(&view.as_results()),
        _ => show(view),
    }
}

fn fault(text: &str, error: &QueryError) -> Fault {
    Fault::at(text, error.column, error)
}

/// Who can be chosen: everybody with an account, and whoever did something.
async fn users(member: &Member<'_>, scope: &Scope) -> Result<Vec<String>, Failure> {
    if *scope != Scope::All {
        return Ok(Vec::new());
    }
    let scope = scope.clone();
    let active =
        apart(member.app, move |app| app.facets(&scope, &Filter::default(), FacetField::User, USERS)).await?;
    let mut names: Vec<String> = active.into_iter().map(|facet| facet.value).collect();
    names.extend(member.app.users().iter().map(|user| user.name.to_string()));
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

#[get("/activity/<id>")]
async fn one(member: Member<'_>, id: &str, params: Params, part: Part<'_>) -> Result<Html, Failure> {
    let unknown = || Failure::not_found("there is no such activity");
    let id: ActivityId = id.parse().map_err(|_| unknown())?;
    let scope = member.scope();
    let activity = apart(member.app, move |app| app.activity(&scope, id)).await?.ok_or_else(unknown)?;
    let (asked, at) = (search(&params), now(member.app));
    let view = RecordPage {
        frame: inside(&member, Page::Activity, &params),
        action: activity.action.clone(),
        user: activity.user.clone(),
        time: Moment::new(activity.time, &at),
        outcome: activity.outcome,
        fields: Field::all(&activity, &asked, &at),
        back: asked.href("/activity"),
    };
    if part.0 == "record" { show(&view.as_record()) } else { show(&view) }
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![list, one]
}
