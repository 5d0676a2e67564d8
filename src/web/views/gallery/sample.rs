//! A believable organisation, the same at every run.

use jiff::{Timestamp, ToSpan, tz::TimeZone};

use crate::{
    model::{
        activity::{Activity, Outcome},
        device::{Device, Kind},
        id::{ActivityId, SessionId},
        place::Place,
        query::Query,
        session::{EndedBy, Ending, Session, State},
        user::Role,
    },
    web::draw::{
        chart::{Bucket, Chart},
        map::{Map, Spot},
    },
};

use super::super::{
    Frame, Page, Who,
    activity::{ActivityPage, ActivityRow, Total},
    parts::{Head, Link, Now},
    search::Search,
    sessions::{COLUMNS, LIVE, OVER, SessionRow, Sessions},
};

type City = (&'static str, &'static str, &'static str, f64, f64);

const CITIES: [City; 12] = [
    ("Oslo", "Oslo", "NO", 59.91, 10.75),
    ("Kraków", "Lesser Poland", "PL", 50.06, 19.94),
    ("San Francisco", "California", "US", 37.77, -122.42),
    ("Lagos", "Lagos", "NG", 6.45, 3.39),
    ("São Paulo", "São Paulo", "BR", -23.55, -46.63),
    ("Bengaluru", "Karnataka", "IN", 12.97, 77.59),
    ("Sydney", "New South Wales", "AU", -33.87, 151.21),
    ("Tokyo", "Tokyo", "JP", 35.69, 139.69),
    ("Berlin", "Berlin", "DE", 52.52, 13.4),
    ("Nairobi", "Nairobi County", "KE", -1.29, 36.82),
    ("Toronto", "Ontario", "CA", 43.65, -79.38),
    ("Suva", "Central", "FJ", -18.14, 178.44),
];
const PEOPLE: [&str; 10] = [
    "ada",
    "blaise",
    "chien-shiung",
    "dorothy",
    "emmy",
    "fibonacci",
    "grace",
    "hypatia",
    "ibn.sina",
    "jocelyn",
];
const DEVICES: [(Kind, &str, &str, &str); 7] = [
    (Kind::Desktop, "Computer", "Windows 11", "Firefox 127"),
    (Kind::Phone, "iPhone", "iOS 17.5", "Safari 17.5"),
    (Kind::Desktop, "Computer", "macOS 14.5", "Chrome 126"),
    (Kind::Phone, "Pixel 8", "Android 14", "Chrome 126"),
    (Kind::Tablet, "iPad", "iPadOS 17.5", "Safari 17.5"),
    (Kind::Desktop, "Computer", "Ubuntu", "Edge 126"),
    (Kind::Bot, "", "", "curl 8.7"),
];

pub(super) fn now() -> Now {
    Now { at: "2026-03-29T12:00:00Z".parse().expect("a time"), zone: TimeZone::UTC }
}

fn before(minutes: usize) -> Timestamp {
    now().at - i64::try_from(minutes).expect("a small number").minutes()
}

pub(super) fn frame(page: Page, role: Role) -> Frame {
    Frame {
        assets: "/assets/preview".into(),
        who: Some(Who {
            name: "ada".into(),
            full_name: "Ada Lovelace".into(),
            role,
            session: id(0).to_string(),
        }),
        page,
        csrf: "csrf-of-this-session".into(),
        notice: None,
        insecure: None,
        alarm: None,
        attribution: Some(Link::new("IP Geolocation by DB-IP", "https://db-ip.com")),
    }
}

pub(super) fn stranger() -> Frame {
    Frame { who: None, csrf: String::new(), attribution: None, ..frame(Page::Door, Role::Member) }
}

fn id(at: usize) -> SessionId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    SessionId::from_bytes(bytes)
}

fn place(at: usize) -> Place {
    let (city, region, country, latitude, longitude) = CITIES[at % CITIES.len()];
    Place {
        city: Some(city.into()),
        region: Some(region.into()),
        country: Some(country.into()),
        latitude: Some(latitude),
        longitude: Some(longitude),
    }
}

fn device(at: usize) -> Device {
    let (kind, device, os, browser) = DEVICES[at % DEVICES.len()];
    Device { kind, device: device.into(), os: os.into(), browser: browser.into() }
}

fn session(at: usize, ended: bool) -> Session {
    let ip = match at % 9 {
        4 => "10.20.0.17".to_owned(),
        6 => "2a02:2121:28b:6d3e:89b1:3c9f:aa51:7d20".to_owned(),
        _ => format!("{}.{}.{}.{}", 31 + at % 150, at % 250, (at / 7) % 250, 1 + at % 250),
    };
    Session {
        id: id(at),
        user: PEOPLE[at % PEOPLE.len()].parse().expect("a name"),
        registered_by: None,
        ip: ip.parse().ok(),
        place: if at % 9 == 4 { Place::default() } else { place(at) },
        device: device(at),
        user_agent: String::new(),
        started: before(at * 13 + 40),
        last_access: before(at * 2),
        expires: now().at + 7.hours(),
        apps: Vec::new(),
        mfa: false,
        ending: ended.then(|| Ending {
            at: before(at * 31),
            by: EndedBy::ALL[at % 4],
            by_user: (at % 4 < 2).then(|| "grace".to_owned()),
            reason: if at.is_multiple_of(4) {
                "laptop was stolen at the airport".into()
            } else {
                String::new()
            },
        }),
    }
}

pub(super) fn sessions(count: usize) -> Vec<SessionRow> {
    (0..count).map(|at| SessionRow::of(&session(at, false), Some(id(0)), true, &now())).collect()
}

pub(super) fn ended(count: usize) -> Vec<SessionRow> {
    (0..count).map(|at| SessionRow::of(&session(at, true), Some(id(0)), true, &now())).collect()
}

pub(super) fn long_session() -> SessionRow {
    let mut long = session(6, false);
    long.user = "wolfeschlegelsteinhausenbergerdorff@subsidiary.example.com".parse().expect("a name");
    long.place.city = Some("Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch".into());
    long.place.region = Some("A region with a name that no column could ever hold".into());
    long.device.device = "Generic Smartphone with a Preposterous Model Name <b>9000</b>".into();
    SessionRow::of(&long, None, true, &now())
}

pub(super) fn spot(label: &str, country: &str, latitude: f64, longitude: f64, count: u64) -> Spot {
    let href = format!("/sessions?place={label}");
    Spot { latitude, longitude, country: Some(country.into()), label: label.into(), count, href }
}

pub(super) fn sessions_page(role: Role, state: State, rows: Vec<SessionRow>) -> Sessions {
    let over = state == State::Ended;
    let rows = if over { ended(rows.len()) } else { rows };
    let spots: Vec<Spot> = CITIES
        .iter()
        .enumerate()
        .take(rows.len())
        .map(|(at, (city, _, country, latitude, longitude))| {
            spot(&format!("{city}, {country}"), country, *latitude, *longitude, 1 + (at as u64 * 7) % 23)
        })
        .collect();
    let columns: Vec<_> =
        COLUMNS.into_iter().chain(if over { OVER.to_vec() } else { LIVE.to_vec() }).collect();
    Sessions {
        frame: frame(Page::Sessions, role),
        state,
        q: String::new(),
        place: None,
        place_key: String::new(),
        sort: String::new(),
        order: String::new(),
        active: 60,
        ended: 1284,
        found: rows.len() as u64,
        looked_through: None,
        heads: Head::row(&columns, "last", true, |key, desc| {
            format!("/sessions?sort={key}&order={}", if desc { "desc" } else { "asc" })
        }),
        map: (!rows.is_empty() && !over).then(|| Map::world(&spots)),
        more: None,
        rows,
    }
}

pub(super) fn search() -> Search {
    Search { q: "account backup".into(), period: "7d".into(), tz: "UTC".into(), ..Search::default() }
}

pub(super) fn activities(count: usize) -> Vec<Activity> {
    let kinds = [
        ("backup", "Account_2024.csv, 12,408 records", "salesforce", "Account"),
        ("sign-in", "", "rollcall", ""),
        (
            "CreateBucket",
            "prod-account-archive in eu-north-1",
            "s3.amazonaws.com",
            "arn:aws:s3:::prod-account-archive",
        ),
        ("sign-in-failed", "wrong password", "rollcall", ""),
        (
            "compare",
            "Account between sandbox and production, 3 differences found in 1,220 fields of which two are in the account backup schedule and one in a formula",
            "salesforce",
            "sandbox",
        ),
        ("logout", "laptop was stolen", "rollcall", "grace"),
    ];
    (0..count)
        .map(|at| {
            let (action, detail, app, target) = kinds[at % kinds.len()];
            Activity {
                id: ActivityId(90_000 - at as u64),
                time: before(at * at * 3 + at),
                received: before(at * at * 3 + at),
                user: PEOPLE[(at * 3) % PEOPLE.len()].into(),
                action: action.into(),
                detail: detail.into(),
                app: app.into(),
                outcome: if action == "sign-in-failed" { Outcome::Failure } else { Outcome::Success },
                session: Some(id(at).to_string()),
                ip: format!("{}.7.{}.9", 31 + at % 150, at % 250).parse().ok(),
                place: place(at),
                device: device(at),
                user_agent: Some(
                    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0".into(),
                ),
                target: (!target.is_empty()).then(|| target.into()),
                attributes: vec![("ticket".into(), "INC-4711".into()), ("duration ms".into(), "1840".into())],
            }
        })
        .collect()
}

pub(super) fn activity_row(activity: &Activity) -> ActivityRow {
    ActivityRow::of(activity, &search(), &Query::parse("account OR backup").unwrap_or_default(), &now())
}

pub(super) fn activity_page(role: Role, count: usize) -> ActivityPage {
    let buckets: Vec<Bucket> = (0..84_u64)
        .map(|at| {
            let from = before(usize::try_from((84 - at) * 120).expect("small"));
            let total = (at * 37) % 61 + if at % 12 < 6 { 40 } else { 4 };
            Bucket {
                from,
                to: from + 2.hours(),
                total,
                failures: if at.is_multiple_of(5) { total / 6 } else { 0 },
            }
        })
        .collect();
    let search = search();
    ActivityPage {
        frame: frame(Page::Activity, role),
        users: PEOPLE.iter().map(|&name| name.into()).collect(),
        narrowed: Vec::new(),
        fault: None,
        period_fault: String::new(),
        total: Some(Total { value: 12_408, exact: true }),
        chart: Some(Chart::new(&buckets, &TimeZone::UTC, |bucket| {
            search.between(&bucket.from.to_string(), &bucket.to.to_string()).href("/activity")
        })),
        rows: activities(count).iter().map(activity_row).collect(),
        newer: None,
        older: (count > 10).then(|| search.with("/activity", &[("cursor", "abc")])),
        download: search.href("/api/v1/activity.csv"),
        seals: "/activity?user=ann&app=rollcall&action=export&period=24h".into(),
        tail: "/api/v1/activity/stream".into(),
        any: true,
        behind: String::new(),
        slow: None,
        meant: search.clone(),
        search,
    }
}
