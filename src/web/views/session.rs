//! One session: who, where, on what, since when, and what was done in it.

use askama::Template;

use crate::web::draw::map::Map;

use super::{activity::ActivityRow, frame::Frame, sessions::SessionRow, told::Told};

/// The page `/sessions/{id}`.
#[derive(Clone, Debug, Template)]
#[template(path = "session.html", blocks = ["facts", "rows"])]
pub struct SessionPage {
    /// What stands around it.
    pub frame: Frame,
    /// The session.
    pub row: SessionRow,
    /// The user's full name; may be empty.
    pub full_name: String,
    /// What the browser called itself.
    pub user_agent: String,
    /// The apps opened in it, in the order of their first use.
    pub apps: Vec<String>,
    /// Those of them that nobody registered, joined by commas, for whom can do so.
    pub unregistered: String,
    /// Whether a second factor was given.
    pub mfa: bool,
    /// The token by which an app registered it; empty if Rollcall signed the user in.
    pub registered_by: String,
    /// Latitude and longitude in words; empty if not known.
    pub coordinates: String,
    /// Where it is on the map, if it is anywhere.
    pub map: Option<Map>,
    /// What its apps were told of its end, once it has ended.
    pub told: Option<Told>,
    /// A page of what was done in it, newest first.
    pub rows: Vec<ActivityRow>,
    /// The address of the page before this one, and of the one behind it.
    pub newer: Option<String>,
    /// See `newer`.
    pub older: Option<String>,
    /// The address of all that was done in it.
    pub all: String,
}
