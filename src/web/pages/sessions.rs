//! Session Information: who is signed in, from where and on what, and logging them out.

use std::{cmp::Ordering, collections::BTreeMap, fmt::Write as _, sync::Arc, time::Duration};

use rocket::{get, post, routes};
use tokio::time::timeout;

use super::{Html, Part, Redirect, inside, now, see, sentence, show};
use crate::{
    domain::{App, activity::LookError},
    model::{
        filter::{Asked, Filter, Order},
        hook::Delivery,
        id::SessionId,
        query::Query,
        session::{Scope, Session, State},
        user::{Role, UserName},
    },
    web::{
        door::{Form, Member, Params},
        draw::map::{Map, Spot},
        failure::Failure,
        looking::{apart, look},
        views::{
            Notice, Page, Tone,
            activity::ActivityRow,
            notice::Confirm,
            parts::{Head, Link, Now},
            search::{Search, encode},
            session::SessionPage,
            sessions::{COLUMNS, LIVE, OVER, SessionRow, Sessions},
            told::Told,
        },
    },
};

/// How many rows a page holds.
const PAGE: usize = 200;

/// How many activities of a session a page holds.
const DONE: usize = 50;

/// Of how many sessions that were just ended a page says what their apps were told.
const TOLD: usize = 50;

/// How long a page waits for the apps' first answers, so that what it says of them is no longer news.
const FIRST_ANSWERS: Duration = Duration::from_millis(800);

/// How many ended sessions are looked through at most when they are filtered or ordered.
const ENDED: usize = 10_000;

/// The parameters of the list, as they stand in the address.
struct Listing {
    state: State,
    q: String,
    place: String,
    sort: String,
    order: String,
    from: usize,
}

impl Listing {
    fn read(params: &Params) -> Result<Self, Failure> {
        let text = |name| params.get(name).unwrap_or_default().to_owned();
        Ok(Self {
            state: params.parsed("state")?.unwrap_or_default(),
            q: text("q"),
            place: text("place"),
            sort: text("sort"),
            order: text("order"),
            from: params.number("from", 0, (0, 10_000_000))?,
        })
    }

    /// The column the rows are ordered by.
    fn key(&self) -> &str {
        match (self.sort.as_str(), self.state) {
            ("", State::Active) => "last",
            ("", State::Ended) => "ended",
            (key, _) => key,
        }
    }

    /// Times begin with the newest, everything else with A.
    fn descending(&self) -> bool {
        match self.order.as_str() {
            "asc" => false,
            "desc" => true,
            _ => matches!(self.key(), "last" | "started" | "expires" | "ended"),
        }
    }

    /// The address of the same list with some parameters changed.
    fn href(&self, changed: &[(&str, &str)]) -> String {
        let state = if self.state == State::Ended { "ended" } else { "" };
        let known = [
            ("state", state),
            ("q", &self.q),
            ("place", &self.place),
            ("sort", &self.sort),
            ("order", &self.order),
        ];
        let mut href = "/sessions".to_owned();
        let kept = known.iter().filter(|(name, _)| !changed.iter().any(|(other, _)| other == name));
        let mut mark = '?';
        for (name, value) in kept.chain(changed).filter(|(_, value)| !value.is_empty()) {
            href.push(mark);
            href.push_str(name);
            href.push('=');
            encode(value, &mut href);
            mark = '&';
        }
        href
    }

    /// Whether a session is among what was typed: every word in any column, `user:ann` in the user alone.
    fn matches(&self, session: &Session) -> bool {
        if !self.place.is_empty() && place_key(session).as_deref() != Some(self.place.as_str()) {
            return false;
        }
        let mut columns: Option<String> = None;
        self.q.split_whitespace().all(|word| {
            let word = word.to_lowercase();
            if let Some(user) = word.strip_prefix("user:") {
                return session.user.as_str() == UserName::fold(user);
            }
            columns.get_or_insert_with(|| searched(session)).contains(&word)
        })
    }
}

/// Everything a row shows, in lower case.
fn searched(session: &Session) -> String {
    let ip = session.ip.map(|ip| ip.to_string()).unwrap_or_default();
    let place = &session.place;
    let location = place.location(session.ip);
    let (city, country) =
        (place.city.as_deref().unwrap_or_default(), place.country.as_deref().unwrap_or_default());
    let device = &session.device;
    let reason = session.ending.as_ref().map_or("", |ending| ending.reason.as_str());
    [
        &ip,
        session.user.as_str(),
        city,
        &location,
        country,
        &device.device,
        &device.os,
        &device.browser,
        reason,
    ]
    .join("\n")
    .to_lowercase()
}

/// What tells one dot of the map from another.
fn place_key(session: &Session) -> Option<String> {
    session.place.latitude?;
    let country = session.place.country.as_deref().unwrap_or_default();
    Some(format!("{country}/{}", session.place.city.as_deref().unwrap_or_default()))
}

fn compare(a: &Session, b: &Session, key: &str) -> Ordering {
    let ended = |session: &Session| session.ending.as_ref().map(|ending| ending.at);
    match key {
        "ip" => a.ip.cmp(&b.ip),
        "user" => a.user.cmp(&b.user),
        "city" => a.place.city.cmp(&b.place.city),
        "location" => a.place.location(a.ip).cmp(&b.place.location(b.ip)),
        "device" => a.device.device.cmp(&b.device.device),
        "os" => a.device.os.cmp(&b.device.os),
        "browser" => a.device.browser.cmp(&b.device.browser),
        "started" => a.started.cmp(&b.started),
        "expires" => a.expires.cmp(&b.expires),
        "ended" => ended(a).cmp(&ended(b)),
        _ => a.last_access.cmp(&b.last_access),
    }
    .then_with(|| a.id.cmp(&b.id))
}

/// What the list shows, found and ordered.
struct Listed {
    listing: Listing,
    sessions: Vec<Session>,
    active_total: u64,
    ended_total: u64,
    map: Option<Map>,
}

/// Finds and orders what the list shows; of ended sessions the newest `most` are looked through. Blocks.
fn listed(app: &App, listing: Listing, scope: &Scope, most: usize) -> Result<Listed, Failure> {
    let live = app.live_sessions(scope, None);
    let active = listing.state == State::Active;
    let (ended, ended_total) = app.ended_sessions(scope, None, None, if active { 1 } else { most })?;
    let mut sessions: Vec<Session> =
        if active { live.iter().map(|live| live.session()).collect() } else { ended };
    let map = active.then(|| map(&sessions, &listing)).flatten();
    sessions.retain(|session| listing.matches(session));
    let (key, descending) = (listing.key(), listing.descending());
    sessions.sort_by(|a, b| if descending { compare(b, a, key) } else { compare(a, b, key) });
    Ok(Listed { listing, sessions, active_total: live.len() as u64, ended_total, map })
}

#[get("/sessions")]
async fn list(member: Member<'_>, params: Params, part: Part<'_>) -> Result<Html, Failure> {
    let listing = Listing::read(&params)?;
    let scope = member.scope();
    let most = if listing.q.is_empty() && listing.place.is_empty() && listing.sort.is_empty() {
        listing.from + PAGE + 1
    } else {
        ENDED
    };
    let Listed { listing, sessions, active_total, ended_total, map } =
        apart(member.app, move |app| listed(&app, listing, &scope, most)).await?;
    let (key, descending) = (listing.key(), listing.descending());
    let all_fetched = listing.state == State::Active || most == ENDED;
    let found = if all_fetched { sessions.len() as u64 } else { ended_total };
    // Of more than are looked through it is not said that they are all.
    let looked_through = listing.state == State::Ended && most == ENDED && ended_total > ENDED as u64;
    let more = (sessions.len() > listing.from + PAGE)
        .then(|| listing.href(&[("from", &(listing.from + PAGE).to_string())]));
    let (now, mandate) = (now(member.app), member.mandate());
    let rows = sessions.iter().skip(listing.from).take(PAGE);
    let rows = rows
        .map(|session| SessionRow::of(session, Some(member.live.id), mandate.reaches(&session.user), &now));
    let columns: Vec<_> = match listing.state {
        State::Active => COLUMNS.iter().chain(&LIVE).copied().collect(),
        State::Ended => COLUMNS.iter().chain(&OVER).copied().collect(),
    };
    let heads = Head::row(&columns, key, descending, |key, down| {
        listing.href(&[("sort", key), ("order", if down { "desc" } else { "asc" })])
    });
    let place_name = |key: &str| {
        key.split_once('/')
            .map_or(key, |(country, city)| if city.is_empty() { country } else { city })
            .to_owned()
    };
    let mut frame = inside(&member, Page::Sessions, &params);
    if let Some(told) = told(&member, &params).await? {
        let done = frame.notice.map(|notice| format!("{} ", notice.text)).unwrap_or_default();
        let text = format!("{done}{}", sentence(&told.line));
        frame.notice = Some(Notice { tone: if told.good { Tone::Good } else { Tone::Bad }, text });
    }
    let view = Sessions {
        frame,
        state: listing.state,
        place: (!listing.place.is_empty())
            .then(|| Link::new(place_name(&listing.place), listing.href(&[("place", "")]))),
        place_key: listing.place.clone(),
        sort: listing.sort.clone(),
        order: listing.order.clone(),
        active: active_total,
        ended: ended_total,
        found,
        looked_through: looked_through.then_some(ENDED),
        heads,
        rows: rows.collect(),
        map,
        more,
        q: listing.q,
    };
    match part.0 {
        "results" => show(&view.as_results()),
        "notice" => show(&view.as_notice()),
        _ => show(&view),
    }
}

/// What the apps of the sessions that the address names as just ended were told of it.
async fn told(member: &Member<'_>, params: &Params) -> Result<Option<Told>, Failure> {
    let ids: Vec<SessionId> = params.all("ended").filter_map(|id| id.parse().ok()).take(TOLD).collect();
    if ids.is_empty() {
        return Ok(None);
    }
    let scope = member.scope();
    let deliveries = apart(member.app, move |app| {
        let sessions = ids.iter().filter_map(|id| app.session(&scope, *id).transpose());
        app.deliveries_of(&sessions.collect::<Result<Vec<_>, _>>()?)
    });
    Ok(Told::of(&deliveries.await?, member.app.now()))
}

/// A dot for each place that has somebody in it.
fn map(sessions: &[Session], listing: &Listing) -> Option<Map> {
    let mut spots: BTreeMap<String, Spot> = BTreeMap::new();
    for session in sessions {
        let place = &session.place;
        let (Some(key), Some(latitude), Some(longitude)) =
            (place_key(session), place.latitude, place.longitude)
        else {
            continue;
        };
        let href = listing.href(&[("place", &key)]);
        let label = place.city.clone().unwrap_or_else(|| place.location(session.ip));
        let spot = spots.entry(key).or_insert_with(|| Spot {
            latitude,
            longitude,
            country: place.country.clone(),
            label,
            count: 0,
            href,
        });
        spot.count += 1;
    }
    let spots: Vec<Spot> = spots.into_values().collect();
    (!spots.is_empty()).then(|| Map::world(&spots))
}

#[get("/sessions/<id>")]
async fn one(member: Member<'_>, id: &str, params: Params, part: Part<'_>) -> Result<Html, Failure> {
    let unknown = || Failure::not_found("there is no such session");
    let id: SessionId = id.parse().map_err(|_| unknown())?;
    let scope = member.scope();
    let cursor = params.get("cursor").map(str::to_owned);
    let here = format!("/sessions/{id}");
    let newer = cursor.is_some().then(|| here.clone());
    let found = look(member.app, member.actor(), move |app| {
        let Some(session) = app.session(&scope, id)? else { return Ok(None) };
        let filter = Filter { session: Some(id.to_string()), ..Filter::default() };
        let done = app.search(&scope, &filter, Order::Desc, cursor.as_deref(), DONE)?;
        let told = app.deliveries_of([&session])?;
        Ok::<_, LookError>(Some((session, done, told)))
    });
    let (session, done, told) = found.await?.ok_or_else(unknown)?;
    let looked =
        Filter { session: Some(id.to_string()), user: Some(session.user.to_string()), ..Filter::default() };
    let asked = Asked(vec![("session", id.to_string())]);
    member.app.note_look(&member.actor(), &member.scope(), &looked, &asked, false);
    let now = now(member.app);
    let search = Search { session: id.to_string(), period: "all".to_owned(), ..Search::default() };
    let spot = spot(&session);
    let coordinates = session.place.latitude.zip(session.place.longitude);
    let view = SessionPage {
        frame: inside(&member, Page::Sessions, &params),
        row: SessionRow::of(&session, Some(member.live.id), member.mandate().reaches(&session.user), &now),
        full_name: member.app.user(&session.user).map(|user| user.full_name.clone()).unwrap_or_default(),
        user_agent: session.user_agent.clone(),
        apps: session.apps.clone(),
        unregistered: unregistered(&member, &session),
        mfa: session.mfa,
        registered_by: session.registered_by.clone().unwrap_or_default(),
        coordinates: coordinates.map(|(lat, lon)| in_words(lat, lon)).unwrap_or_default(),
        map: spot.as_ref().map(Map::around),
        told: Told::of(&told, now.at),
        rows: rows(&done.items, &search, &now),
        newer,
        older: done.next.map(|cursor| format!("{here}?cursor={cursor}")),
        all: search.href("/activity"),
    };
    match part.0 {
        "facts" => show(&view.as_facts()),
        "rows" => show(&view.as_rows()),
        _ => show(&view),
    }
}

/// The apps of a session that are not registered, for whom can do that.
fn unregistered(member: &Member<'_>, session: &Session) -> String {
    if member.user.role != Role::Admin {
        return String::new();
    }
    let apps = session.apps.iter().filter(|app| !member.app.is_registered(app)).cloned();
    apps.collect::<Vec<_>>().join(", ")
}

fn rows(done: &[Arc<crate::model::activity::Activity>], search: &Search, now: &Now) -> Vec<ActivityRow> {
    done.iter().map(|activity| ActivityRow::of(activity, search, &Query::default(), now)).collect()
}

fn spot(session: &Session) -> Option<Spot> {
    let place = &session.place;
    Some(Spot {
        latitude: place.latitude?,
        longitude: place.longitude?,
        country: place.country.clone(),
        label: place.city.clone().unwrap_or_else(|| place.location(session.ip)),
        count: 1,
        href: String::new(),
    })
}

/// `48.14° N, 11.58° E`.
fn in_words(latitude: f64, longitude: f64) -> String {
    let (north, east) = (if latitude < 0.0 { 'S' } else { 'N' }, if longitude < 0.0 { 'W' } else { 'E' });
    format!("{:.2}° {north}, {:.2}° {east}", latitude.abs(), longitude.abs())
}

#[post("/sessions/logout", data = "<form>")]
async fn log_out(member: Member<'_>, form: Form) -> Result<Result<Redirect, Html>, Failure> {
    let mandate = member.mandate();
    let except = form.flag("except_current").then_some(member.live.id);
    let mut ids: Vec<SessionId> = if form.flag("all") {
        member.app.reachable(&mandate, None)
    } else if let Some(user) = form.get("user") {
        let user: UserName = user.parse().map_err(|_| Failure::not_found("there is no such user"))?;
        if !mandate.reaches(&user) {
            return Err(member.forbidden("you may end only your own sessions"));
        }
        member.app.reachable(&mandate, Some(&user))
    } else {
        form.all("session").filter_map(|id| id.parse().ok()).collect()
    };
    ids.retain(|id| Some(*id) != except);
    let any = ids.iter().filter_map(|id| member.app.live(*id)).any(|live| mandate.reaches(&live.user));
    if !any {
        let picked = form.flag("all") || form.get("user").is_some() || form.get("session").is_some();
        return Ok(Ok(see(if picked { "/sessions?done=none" } else { "/sessions?done=unselected" })));
    }
    if !form.flag("confirmed") {
        return confirm(&member, &form, &ids).map(Err);
    }
    if member.app.takes_a_proof(&member.live, &mandate, &ids) {
        member.must_be_fresh_for(&form)?;
    }
    let mut events = member.app.watch_sessions();
    let ended = member.app.log_out(&member.actor(), &mandate, &ids, form.text("reason")).await?;
    if ended.iter().any(|session| session.id == member.live.id) {
        return Ok(Ok(see("/signin?done=signed-out")));
    }
    let mut back = format!("/sessions?done={}", if ended.is_empty() { "none" } else { "logged-out" });
    if ended.len() <= TOLD {
        for session in ended.iter().filter(|session| !session.apps.is_empty()) {
            let _ = write!(back, "&ended={}", session.id);
        }
        let answered = async {
            while untold(&member, &ended).await? {
                // Who is too slow for what happens looks again at once.
                let _ = events.recv().await;
            }
            Ok::<_, Failure>(())
        };
        timeout(FIRST_ANSWERS, answered).await.unwrap_or(Ok(()))?;
    }
    Ok(Ok(see(back)))
}

/// Whether some app of these sessions has not answered for the first time yet.
async fn untold(member: &Member<'_>, ended: &[Arc<Session>]) -> Result<bool, Failure> {
    let ended = ended.to_vec();
    let deliveries = apart(member.app, move |app| app.deliveries_of(ended.iter().map(|session| &**session)));
    Ok(deliveries.await?.iter().any(Delivery::untried))
}

/// Names who is about to be signed out from what, where no script could ask.
fn confirm(member: &Member<'_>, form: &Form, ids: &[SessionId]) -> Result<Html, Failure> {
    const NAMED: usize = 50;
    let mandate = member.mandate();
    let now = now(member.app);
    let live: Vec<_> =
        ids.iter().filter_map(|id| member.app.live(*id)).filter(|live| mandate.reaches(&live.user)).collect();
    let row = |live: &Arc<crate::domain::live::Live>| {
        let row = SessionRow::of(&live.session(), Some(member.live.id), true, &now);
        format!("{}, {}, {}", row.user, row.on(), row.place.line())
    };
    let count = crate::web::views::text::counted(live.len(), "session", "sessions");
    let hidden = form.iter().filter(|(name, _)| !matches!(*name, "csrf" | "confirmed" | "reason"));
    show(&Confirm {
        frame: inside(member, Page::Sessions, &Params::default()),
        title: format!("Log out {count}?"),
        line: "Their next request is refused.".to_owned(),
        items: live.iter().take(NAMED).map(row).collect(),
        more: live.len().saturating_sub(NAMED),
        action: "/sessions/logout".to_owned(),
        hidden: hidden.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        asks_reason: true,
        button: format!("Log out {count}"),
        back: "/sessions".to_owned(),
    })
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![list, one, log_out]
}
