//! Session Information: who is signed in, from where and on what.

use askama::Template;

use crate::{
    model::{
        device::Device,
        id::SessionId,
        session::{EndedBy, Ending, Session, State},
    },
    web::draw::map::Map,
};

use super::{
    frame::Frame,
    parts::{Head, Link, Moment, Now, Where},
    text::{counted, grouped},
};

/// The first eight columns: exactly these, in this order and wording, and the keys they order by.
pub const COLUMNS: [(&str, &str); 8] = [
    ("Public IP", "ip"),
    ("User", "user"),
    ("City", "city"),
    ("Location", "location"),
    ("Device Details", "device"),
    ("OS Details", "os"),
    ("Browser Details", "browser"),
    ("Last Access Time", "last"),
];
/// The columns behind them for live sessions; the chip "This session" has one without a head.
pub const LIVE: [(&str, &str); 2] = [("Started", "started"), ("Expires", "expires")];
/// The columns behind them for ended ones.
pub const OVER: [(&str, &str); 3] = [("Ended", "ended"), ("How", ""), ("Reason", "")];

/// The page `/sessions`.
#[derive(Clone, Debug, Template)]
#[template(path = "sessions.html", blocks = ["results", "notice"])]
pub struct Sessions {
    /// What stands around it.
    pub frame: Frame,
    /// Which tab is open.
    pub state: State,
    /// What was typed to filter by.
    pub q: String,
    /// The place whose dot was clicked: its name, and the address without it.
    pub place: Option<Link>,
    /// The parameter `place` as it stands in the address; the filter's form carries it on.
    pub place_key: String,
    /// The parameters `sort` and `order` as they stand in the address.
    pub sort: String,
    /// See `sort`.
    pub order: String,
    /// How many live sessions there are in all, as far as one may see.
    pub active: u64,
    /// How many ended ones.
    pub ended: u64,
    /// How many match the filter.
    pub found: u64,
    /// How many of the newest were looked through, where there are more.
    pub looked_through: Option<usize>,
    /// The heads of all columns with words: [`COLUMNS`], then [`LIVE`] or [`OVER`].
    pub heads: Vec<Head>,
    /// The rows of this page.
    pub rows: Vec<SessionRow>,
    /// Where they are; none leaves the map out.
    pub map: Option<Map>,
    /// The address of the rows behind these.
    pub more: Option<String>,
}

impl Sessions {
    /// Whether the ended ones are shown.
    pub fn is_over(&self) -> bool {
        self.state == State::Ended
    }

    /// Whether something narrows the list.
    pub fn is_narrowed(&self) -> bool {
        !self.q.is_empty() || self.place.is_some()
    }

    /// Whether any of the rows can be ended by who looks at them.
    pub fn may_end_any(&self) -> bool {
        self.rows.iter().any(|row| row.may_end)
    }

    /// How many match, in words.
    pub fn found_line(&self) -> String {
        let found = counted(usize::try_from(self.found).unwrap_or(usize::MAX), "session", "sessions");
        match self.looked_through {
            Some(newest) => format!("{found} among the newest {}", grouped(newest as u64)),
            None => found,
        }
    }

    /// The numbers on the tabs.
    pub fn active_shown(&self) -> String {
        grouped(self.active)
    }

    /// See [`Sessions::active_shown`].
    pub fn ended_shown(&self) -> String {
        grouped(self.ended)
    }
}

/// A session as a row.
#[derive(Clone, Debug)]
pub struct SessionRow {
    /// Its public id.
    pub id: String,
    /// The Public IP column; empty if not known.
    pub ip: String,
    /// The User column.
    pub user: String,
    /// The City and Location columns.
    pub place: Where,
    /// The columns Device, OS and Browser Details, and the icon.
    pub device: Device,
    /// The Last Access Time column.
    pub last: Moment,
    /// The Started column.
    pub started: Moment,
    /// The Expires column.
    pub expires: Moment,
    /// Whether it is the session at hand.
    pub current: bool,
    /// Whether who looks at it may end it.
    pub may_end: bool,
    /// How it ended, once it has.
    pub over: Option<Over>,
}

/// How a session ended.
#[derive(Clone, Debug)]
pub struct Over {
    /// When.
    pub at: Moment,
    /// By whom or what: `ended by eve`, `signed out`, `timed out`.
    pub how: String,
    /// Why; may be empty.
    pub reason: String,
}

impl SessionRow {
    /// The row of `session`, seen from the session `own`.
    pub fn of(session: &Session, own: Option<SessionId>, may_end: bool, now: &Now) -> Self {
        Self {
            id: session.id.to_string(),
            ip: session.ip.map(|ip| ip.to_string()).unwrap_or_default(),
            user: session.user.to_string(),
            place: Where::of(&session.place, session.ip),
            device: session.device.clone(),
            last: Moment::new(session.last_access, now),
            started: Moment::new(session.started, now),
            expires: Moment::new(session.expires, now),
            current: own == Some(session.id),
            may_end: may_end && session.ending.is_none(),
            over: session.ending.as_ref().map(|ending| Over::of(ending, session.user.as_str(), now)),
        }
    }

    /// Whether it was used in the last minute.
    pub fn is_live(&self) -> bool {
        self.over.is_none() && self.last.fresh
    }

    /// On what, in one line: `Firefox 127, Windows 11`.
    pub fn on(&self) -> String {
        let known: Vec<&str> = [&self.device.browser, &self.device.os]
            .into_iter()
            .map(String::as_str)
            .filter(|t| !t.is_empty())
            .collect();
        match (known.is_empty(), self.device.device.is_empty()) {
            (false, _) => known.join(", "),
            (true, false) => self.device.device.clone(),
            (true, true) => "an unknown device".to_owned(),
        }
    }
}

impl SessionRow {
    /// Who is or was in it, on what and where, and how it stands: `ada, Firefox 127, Windows 11, Oslo, NO; signed out`.
    pub fn line(&self) -> String {
        let how = self.over.as_ref().map_or("active", |over| &over.how);
        let place = self.place.line();
        let parts = [self.user.clone(), self.on(), place];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        format!("{}; {how}", parts.join(", "))
    }
}

impl Over {
    fn of(ending: &Ending, user: &str, now: &Now) -> Self {
        let how = match (ending.by, ending.by_user.as_deref()) {
            (EndedBy::User, None) => "signed out".to_owned(),
            (EndedBy::User, Some(by)) if by == user => format!("signed out by {by}"),
            (EndedBy::Admin | EndedBy::User | EndedBy::System, Some(by)) => format!("ended by {by}"),
            (EndedBy::Admin, None) => "ended by an administrator".to_owned(),
            (EndedBy::Policy, _) => "timed out".to_owned(),
            (EndedBy::System, None) => "ended by Rollcall".to_owned(),
        };
        Self { at: Moment::new(ending.at, now), how, reason: ending.reason.clone() }
    }
}
