//! The API tokens.

use askama::Template;

use super::{
    frame::Frame,
    parts::{Choice, Input, Moment},
};

/// The page `/tokens`.
#[derive(Clone, Debug, Template)]
#[template(path = "tokens.html", blocks = ["results"])]
pub struct Tokens {
    /// What stands around it.
    pub frame: Frame,
    /// Every token.
    pub rows: Vec<TokenRow>,
    /// The form for a new one, if it is open.
    pub form: Option<TokenForm>,
    /// A token that was just made: its name and the token itself, shown this once.
    pub made: Option<(String, String)>,
}

/// A token as a row.
#[derive(Clone, Debug)]
pub struct TokenRow {
    /// The name.
    pub name: String,
    /// What it opens.
    pub scopes: Vec<String>,
    /// The app that its program is, if it is one's.
    pub app: Option<String>,
    /// When it was made.
    pub created: Moment,
    /// By whom.
    pub by: String,
    /// Whether it works no more because who made it may make none.
    pub stopped: bool,
    /// When it stops working, if ever.
    pub expires: Option<Moment>,
    /// Whether it has stopped.
    pub expired: bool,
    /// When it was last used, if ever.
    pub used: Option<Moment>,
}

/// What is typed about a token.
#[derive(Clone, Debug, Default)]
pub struct TokenForm {
    /// The name.
    pub name: Input,
    /// The app that its program is; empty for any.
    pub app: Input,
    /// The last day it works on; empty for ever.
    pub expires: Input,
    /// What it opens.
    pub scopes: Vec<Choice>,
    /// What is wrong with the scopes; empty if nothing.
    pub scopes_error: String,
}
