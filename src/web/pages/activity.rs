//! Activity Log: who did what.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use askama::Template as _;
use jiff::Timestamp;
use rocket::{Shutdown, futures::Stream, get, response::stream::stream, routes};
use tokio::time::{Instant, timeout, timeout_at};

use super::{Again, Html, Part, inside, now, show};
use crate::{
    domain::{
        activity::{Histogram, LookError, SOON},
        export::Past,
        tail::News,
    },
    model::{
        activity::{Activity, OWN_APP, action},
        filter::{Filter, Order},
        id::{ActivityId, SessionId},
        period::Range,
        query::{Query, QueryError},
        session::Scope,
    },
    web::{
        door::{Lease, Member, Params},
        draw::chart::{Bucket, Chart},
        failure::Failure,
        looking::{Looking, apart, look},
        tail::{Events, LastEvent, Turn, Watch, event, resumed},
        views::{
            self, Page,
            activity::{ActivityPage, ActivityRow, Fault, NewRows, Total},
            parts::{Link, Moment, Now},
            record::{Field, RecordPage},
            search::Search,
            sessions::SessionRow,
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

/// What is read of it; while one types, the last word is taken for the beginning of one.
fn read<'a>(asked: &'a Search, params: &Params) -> Vec<(&'static str, &'a str)> {
    let typing = params.flag(TYPING.0).then_some(TYPING);
    asked.pairs().into_iter().chain(typing).collect()
}

/// What stands in the address while somebody types.
const TYPING: (&str, &str) = ("typing", "1");

/// The search that links carry on: what is shown, also when nobody types any more.
fn meant(asked: &Search, params: &Params) -> Search {
    if params.flag(TYPING.0) {
        Search { q: Query::finished(&asked.q), ..asked.clone() }
    } else {
        asked.clone()
    }
}

#[get("/activity")]
async fn list(member: Member<'_>, params: Params, part: Part<'_>) -> Result<Again, Failure> {
    let asked = search(&params);
    let meant = meant(&asked, &params);
    let read = read(&asked, &params);
    let at = now(member.app);
    let mut view = ActivityPage {
        frame: inside(&member, Page::Activity, &params),
        users: Vec::new(),
        narrowed: narrowed(&meant),
        fault: None,
        period_fault: String::new(),
        total: None,
        chart: None,
        rows: Vec::new(),
        newer: None,
        older: None,
        download: meant.href("/api/v1/activity.csv"),
        seals: seals(&member),
        tail: String::new(),
        any: true,
        behind: String::new(),
        slow: None,
        search: asked.clone(),
        meant: meant.clone(),
    };
    let scope = member.scope();
    if part.0.is_empty() {
        view.users = users(&member, &scope).await;
    }
    let mut looking = match Looking::read(&Params::of(&read), member.app.now()) {
        Ok(looking) => looking,
        Err(failure) => {
            match (failure.about(), Query::parse(&asked.q)) {
                (Some("q"), Err(error)) => view.fault = Some(fault(&asked.q, &error)),
                (Some("period" | "from" | "to" | "tz"), _) => {
                    failure.message().clone_into(&mut view.period_fault);
                }
                _ => return Err(failure),
            }
            return Ok(Again::because(answer(&view, part.0)?, failure));
        }
    };
    if let Some(late) = late(&member, &mut view, &looking, part.0).await? {
        return Ok(Again::asking(late));
    }
    let cursor = params.get("cursor").map(str::to_owned);
    let later = cursor.is_some();
    // Whoever turns the page has read the one before.
    looking.typing &= !later;
    // Who cannot have it come later waits for it.
    let wait = params.flag("wait");
    let (filter, order) = (looking.filter.clone(), looking.order);
    let found = look(member.app, member.actor(), move |app| {
        // Before the search: what may be on the page already is not drawn twice, what is missing would stay away.
        let known = app.index().status().indexed;
        let behind = app.behind();
        let page = app.search(&scope, &filter, order, cursor.as_deref(), PAGE)?;
        let (total, spread) = if wait {
            (Some(app.count(&scope, &filter)?), Some(app.histogram(&scope, &filter, BARS)?))
        } else {
            app.overview(&scope, &filter, BARS)?
        };
        let any = !page.items.is_empty() || app.count(&scope, &Filter::default())? > 0;
        Ok::<_, LookError>((page, total, spread, any, known, behind.or_else(|| app.behind())))
    });
    let (page, total, spread, any, known, behind) = found.await?;
    looking.note(member.app, &member.actor(), &member.scope());
    view.any = any;
    // New rows come on top: of the first page, newest first, of a period that goes on.
    if !later && looking.order == Order::Desc && looking.filter.range.to == Timestamp::MAX {
        // What is being typed is no look yet, also when it is followed.
        let typing = if looking.typing { &[TYPING][..] } else { &[] };
        view.tail = asked.with(STREAM, &[typing, &[("last_event_id", &known.to_string())]].concat());
    }
    view.behind = behind.map(views::activity::behind).unwrap_or_default();
    view.download = download(&meant, &looking);
    view.total = total.map(|value| Total { value, exact: behind.is_none() });
    view.chart = spread.map(|spread| chart(&meant, &looking, &spread));
    view.slow = (!wait && (total.is_none() || view.chart.is_none()))
        .then(|| meant.with("/activity", &[("wait", "1")]));
    view.rows = page
        .items
        .iter()
        .map(|activity| ActivityRow::of(activity, &meant, &looking.filter.query, &at))
        .collect();
    view.older = page.next.map(|next| meant.with("/activity", &[("cursor", &next)]));
    view.newer = later.then(|| meant.href("/activity"));
    answer(&view, part.0).map(Again::asking)
}

/// The address of the CSV. A period that is counted back from now begins where it does on the page, however long that stands open: no
/// row that is shown is missing from the file.
fn download(meant: &Search, looking: &Looking) -> String {
    let Range { from, to } = looking.filter.range;
    let pinned = if from == Timestamp::MIN {
        meant.clone()
    } else {
        let to = if to == Timestamp::MAX { String::new() } else { crate::web::wire::time(to) };
        meant.between(&crate::web::wire::time(from), &to)
    };
    pinned.href("/api/v1/activity.csv")
}

/// The count or the chart alone, where the page asks for what it could not wait for.
async fn late(
    member: &Member<'_>,
    view: &mut ActivityPage,
    looking: &Looking,
    part: &str,
) -> Result<Option<Html>, Failure> {
    let (scope, filter) = (member.scope(), looking.filter.clone());
    if matches!(part, "count" | "histogram") {
        looking.note(member.app, &member.actor(), &scope);
    }
    match part {
        "count" => {
            let counted = look(member.app, member.actor(), move |app| {
                let behind = app.behind();
                let value = app.count(&scope, &filter)?;
                Ok::<_, LookError>(Total { value, exact: behind.or_else(|| app.behind()).is_none() })
            });
            view.total = Some(counted.await?);
            show(&view.as_count()).map(Some)
        }
        "histogram" => {
            let spread =
                look(member.app, member.actor(), move |app| app.histogram(&scope, &filter, BARS)).await?;
            view.chart = Some(chart(&view.meant, looking, &spread));
            show(&view.as_histogram()).map(Some)
        }
        _ => Ok(None),
    }
}

fn chart(asked: &Search, looking: &Looking, spread: &Histogram) -> Chart {
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
    let open = looking.filter.range.to == Timestamp::MAX;
    Chart::new(&buckets, &looking.zone, |bucket| {
        // The last bar also holds what is dated later.
        let last = open && bucket.to == spread.range.to;
        let to = if last { String::new() } else { stamp(bucket.to) };
        asked.between(&stamp(bucket.from), &to).href("/activity")
    })
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

/// Who can be chosen: everybody with an account, and whoever did something, as far as that can be told at once: the page does not
/// wait for it, nor for a turn to find it out, and any other name can be typed.
async fn users(member: &Member<'_>, scope: &Scope) -> Vec<String> {
    if *scope != Scope::All {
        return Vec::new();
    }
    let mut active = member.app.known_users();
    if active.is_none() {
        let found = look(member.app, member.actor(), |app| app.busiest_users(USERS));
        active = timeout(2 * SOON, found).await.ok().and_then(Result::ok).flatten();
    }
    let mut names: Vec<String> = active.as_deref().unwrap_or_default().to_vec();
    names.extend(member.app.users().iter().map(|user| user.name.to_string()));
    names.sort_unstable();
    names.dedup();
    names
}

#[get("/activity/<id>")]
async fn one(member: Member<'_>, id: &str, params: Params, part: Part<'_>) -> Result<Html, Failure> {
    let unknown = || Failure::not_found("there is no such activity");
    let id: ActivityId = id.parse().map_err(|_| unknown())?;
    let scope = member.scope();
    let found = apart(member.app, move |app| {
        let Some(activity) = app.activity(&scope, id)? else { return Ok(None) };
        // What an app calls a session need not be one of Rollcall's.
        let session = activity.session.as_deref().and_then(|id| id.parse::<SessionId>().ok());
        let session = session.map(|id| app.session(&scope, id)).transpose()?.flatten();
        Ok::<_, LookError>(Some((activity, session)))
    });
    let (activity, session) = found.await?.ok_or_else(unknown)?;
    member.app.settle_look(&member.actor());
    member.app.note_one(&member.actor(), &member.scope(), &activity);
    let (asked, at) = (search(&params), now(member.app));
    let mut fields = Field::all(&activity, &asked, &at);
    if let Some(session) = session {
        let row = SessionRow::of(&session, Some(member.live.id), false, &at);
        for field in fields.iter_mut().filter(|field| field.name == "Session") {
            field.href = format!("/sessions/{}", row.id);
            field.note = row.line();
        }
    }
    let view = RecordPage {
        frame: inside(&member, Page::Activity, &params),
        action: activity.action.clone(),
        user: activity.user.clone(),
        time: Moment::new(activity.time, &at),
        outcome: activity.outcome,
        seal: seal(&activity),
        fields,
        back: asked.href("/activity"),
    };
    if part.0 == "record" { show(&view.as_record()) } else { show(&view) }
}

/// Where the seal of what an activity tells of is; empty where it tells of no export.
fn seal(activity: &Activity) -> String {
    let sealing = activity.app == OWN_APP && activity.action == action::EXPORT_SEALED;
    if sealing || Past::of(activity.clone()).is_some() {
        format!("/api/v1/activity/{}/seal", activity.id)
    } else {
        String::new()
    }
}

/// Where somebody's own downloads of today stand, each with its seal.
fn seals(member: &Member<'_>) -> String {
    let user = member.user.name.to_string();
    let own = Search {
        user,
        app: OWN_APP.into(),
        action: action::EXPORT.into(),
        period: "24h".into(),
        ..Search::default()
    };
    own.href("/activity")
}

/// The address of the stream of new rows.
const STREAM: &str = "/activity/stream";

/// The most rows that are sent at once, and that the page keeps: what is older has gone by unread.
const ROWS: usize = 500;

/// How long rows are gathered once some have been sent: a page that changes more often cannot be read.
const GATHER: Duration = Duration::from_millis(300);

/// How many activities a page may be behind. One that was away for longer draws itself anew.
const FAR: u64 = 10_000;

#[get("/activity/stream")]
fn follow(
    member: Member<'_>,
    params: Params,
    last: LastEvent<'_>,
    shutdown: Shutdown,
) -> Result<Events<impl Stream<Item = String> + use<>>, Failure> {
    let asked = search(&params);
    let meant = meant(&asked, &params);
    let looking = Looking::read(&Params::of(&read(&asked, &params)), member.app.now())?;
    let app = member.app.clone();
    let (seat, scope) = (app.stream_seat(&member.actor())?, member.scope());
    let follower = app.follow(&scope, &looking.filter, resumed(&last, &params)?);
    looking.note(&app, &member.actor(), &scope);
    let mut watch = Watch::new(follower, &scope, Lease::Session(Arc::clone(&member.live)), seat, shutdown);
    Ok(Events(stream! {
        yield watch.connected();
        if watch.follower.left() > FAR {
            yield event("stale", watch.follower.seen(), "reload");
            return;
        }
        let mut next = Instant::now();
        while let Some(turn) = watch.turn().await {
            let Turn::News(news) = turn else {
                yield watch.beat();
                continue;
            };
            let mut rows = Rows::default();
            rows.add(news);
            loop {
                match timeout_at(next, watch.turn()).await {
                    Ok(Some(Turn::News(news))) => rows.add(news),
                    Ok(Some(Turn::Beat)) => {}
                    Ok(None) => return,
                    Err(_) => break,
                }
            }
            next = Instant::now() + GATHER;
            // The session may have ended while they were gathered. They are gone when the next are asked for.
            let Some(_out) = watch.let_out() else { return };
            match rows.draw(&meant, &looking.filter.query, &now(&app)) {
                Ok(rows) => yield event("rows", watch.follower.seen(), &rows),
                Err(error) => {
                    log::error!("new rows could not be drawn: {error}");
                    return;
                }
            }
        }
    }))
}

/// What has come in since rows were last sent.
#[derive(Default)]
struct Rows {
    newest: VecDeque<Arc<News>>,
    found: usize,
}

impl Rows {
    fn add(&mut self, news: Vec<Arc<News>>) {
        self.found += news.len();
        self.newest.extend(news);
        let unread = self.newest.len().saturating_sub(ROWS);
        self.newest.drain(..unread);
    }

    fn draw(&self, asked: &Search, query: &Query, at: &Now) -> Result<String, askama::Error> {
        let rows = self.newest.iter().rev().map(|news| ActivityRow::of(news.activity(), asked, query, at));
        NewRows { found: self.found, rows: rows.collect() }.render()
    }
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![list, one, follow]
}
