//! The webhook of an app: where it is told that a session has ended, and how far it has been.

use askama::Template;

use super::{
    frame::Frame,
    parts::{Input, Moment},
};

/// The page `/apps/{name}/webhook`.
#[derive(Clone, Debug, Template)]
#[template(path = "hook.html", blocks = ["results"])]
pub struct HookPage {
    /// What stands around it.
    pub frame: Frame,
    /// The app.
    pub app: String,
    /// The webhook, if it has one.
    pub hook: Option<HookFacts>,
    /// The field of the address.
    pub url: Input,
    /// The secret of a webhook that was just set, shown this once.
    pub made: Option<String>,
    /// How much is still to be told.
    pub waiting: u64,
    /// What the app was or is to be told, the newest first.
    pub rows: Vec<DeliveryRow>,
}

impl HookPage {
    /// Whether something that is shown was given up: it can be taken up again.
    pub fn some_given_up(&self) -> bool {
        self.rows.iter().any(|row| row.state == "given up")
    }
}

/// A webhook in words.
#[derive(Clone, Debug)]
pub struct HookFacts {
    /// Where it is.
    pub url: String,
    /// When it was set.
    pub created: Moment,
    /// By whom.
    pub by: String,
}

/// The end of a session that an app was or is to be told.
#[derive(Clone, Debug)]
pub struct DeliveryRow {
    /// The session's id.
    pub session: String,
    /// When it ended.
    pub ended: Moment,
    /// `told`, `waiting` or `given up`.
    pub state: &'static str,
    /// How far it has come, in words.
    pub line: String,
}
