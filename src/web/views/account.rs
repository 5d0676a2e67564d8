//! One's own account.

use askama::Template;

use super::{
    frame::Frame,
    parts::{Input, Moment},
};

/// The page `/profile`.
#[derive(Clone, Debug, Template)]
#[template(path = "profile.html")]
pub struct Profile {
    /// What stands around it.
    pub frame: Frame,
    /// Groups, joined by commas; only an administrator changes them.
    pub groups: String,
    /// As people write it.
    pub full_name: Input,
    /// May be empty.
    pub email: Input,
    /// The password at hand; never shown, only its error counts.
    pub current: Input,
    /// The new one; the same.
    pub password: Input,
    /// Whether and since when a second factor is set up, and how many recovery codes are left.
    pub factor: Option<(Moment, usize)>,
    /// The password that changing the second factor takes; the same.
    pub factor_current: Input,
    /// How many other sessions of one's own are live.
    pub others: usize,
    /// When one last signed in.
    pub last_sign_in: Option<Moment>,
}

impl Profile {
    /// How many other sessions there are, in words.
    pub fn others_line(&self) -> String {
        super::text::counted(self.others, "other session", "other sessions")
    }
}
