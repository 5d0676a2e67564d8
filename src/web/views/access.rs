//! The doors: setting up, signing in.

use askama::Template;

use super::{frame::Frame, parts::Input};

/// The page `/signin`.
#[derive(Clone, Debug, Template)]
#[template(path = "signin.html")]
pub struct SignIn {
    /// What stands around it.
    pub frame: Frame,
    /// The name that was typed.
    pub user: String,
    /// Whether the password was right and a code of the second factor is asked for: what the form carries back then.
    pub half: Option<String>,
    /// Why it did not work, or why one is here; empty if one just came.
    pub message: String,
    /// Whether the message tells of a failure.
    pub failed: bool,
    /// Whether passkeys can be used at this address.
    pub passkeys: bool,
    /// Where to go afterwards: a path of this server.
    pub next: String,
    /// The app that asked, which is where one came from; may be empty.
    pub for_app: String,
}

/// The page `/setup`.
#[derive(Clone, Debug, Template)]
#[template(path = "setup.html")]
pub struct Setup {
    /// What stands around it.
    pub frame: Frame,
    /// The one-time code from the terminal.
    pub code: Input,
    /// The first administrator's name.
    pub user: Input,
    /// As people write it.
    pub full_name: Input,
    /// The password, never shown again: only its error counts.
    pub password: Input,
}
