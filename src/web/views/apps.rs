//! The apps behind forward-auth.

use askama::Template;

use super::{
    frame::Frame,
    parts::{Choice, Input, Moment},
};

/// The page `/apps`.
#[derive(Clone, Debug, Template)]
#[template(path = "apps.html", blocks = ["results"])]
pub struct Apps {
    /// What stands around it.
    pub frame: Frame,
    /// Every app.
    pub rows: Vec<AppRow>,
    /// The form for a new one or for one that is there, if it is open.
    pub form: Option<AppForm>,
    /// What live sessions call apps that are not among them, as many as are shown.
    pub others: Vec<Unregistered>,
    /// How many more such names there are.
    pub more: usize,
}

/// An app that is named by sessions alone.
#[derive(Clone, Debug)]
pub struct Unregistered {
    /// As they name it.
    pub name: String,
    /// In how many of them it was opened: `3 sessions`.
    pub sessions: String,
}

/// An app as a row.
#[derive(Clone, Debug)]
pub struct AppRow {
    /// The name.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Who may open it, joined by commas; empty for everybody.
    pub groups: String,
    /// Which identity headers it gets.
    pub headers: String,
    /// What is to be said of its webhook.
    pub hook: String,
    /// How many live sessions have it open.
    pub sessions: u64,
    /// When it was registered.
    pub created: Moment,
}

/// What is typed about an app.
#[derive(Clone, Debug, Default)]
pub struct AppForm {
    /// The app that is changed; a new one if there is none.
    pub known: Option<String>,
    /// The name.
    pub name: Input,
    /// Where it is.
    pub url: Input,
    /// Who may open it, joined by commas.
    pub groups: Input,
    /// Which identity headers it gets.
    pub headers: Vec<Choice>,
}
