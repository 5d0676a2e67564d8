//! The second factor: setting it up, and the codes for the day on which it is lost.

use askama::Template;

use super::{frame::Frame, parts::Input};
use crate::web::draw::qr::Qr;

/// The page `/profile/second-factor`, where one is set up.
#[derive(Clone, Debug, Template)]
#[template(path = "second-factor.html")]
pub struct SetUp {
    /// What stands around it.
    pub frame: Frame,
    /// Whether one is demanded, so that nothing else is open until it is set up.
    pub demanded: bool,
    /// What an authenticator reads.
    pub qr: Option<Qr>,
    /// The same, to be typed.
    pub secret: String,
    /// The same, sealed, which the form carries back.
    pub pending: String,
    /// The code that proves that it has arrived.
    pub code: Input,
}

/// The recovery codes, the one time they are shown.
#[derive(Clone, Debug, Template)]
#[template(path = "recovery-codes.html")]
pub struct RecoveryCodes {
    /// What stands around it.
    pub frame: Frame,
    /// What was just done.
    pub title: String,
    /// The codes.
    pub codes: Vec<String>,
}
