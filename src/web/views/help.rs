//! The manual.

use askama::Template;

use super::frame::Frame;

/// The page `/help`.
#[derive(Clone, Debug, Template)]
#[template(path = "help.html")]
pub struct Help {
    /// What stands around it.
    pub frame: Frame,
    /// How long a session may lie idle, in words.
    pub idle: String,
    /// How long a session may last at all, in words.
    pub absolute: String,
}
