//! Asking again who somebody is, before what only they should do.

use askama::Template;

use super::{frame::Frame, parts::Input};

/// The page that asks.
#[derive(Clone, Debug, Template)]
#[template(path = "step-up.html")]
pub struct StepUp {
    /// What stands around it.
    pub frame: Frame,
    /// Whether a code of a second factor will do as well.
    pub factor: bool,
    /// What is shown as proof, never shown again: only its error counts.
    pub proof: Input,
    /// Where what was asked for goes on.
    pub then: String,
    /// What was sent there, besides `csrf`.
    pub hidden: Vec<(String, String)>,
}
