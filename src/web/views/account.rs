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
    /// May be empty; only an administrator changes it, because apps may know people by it.
    pub email: String,
    /// The password at hand; never shown, only its error counts.
    pub current: Input,
    /// The new one; the same.
    pub password: Input,
    /// Whether and since when a second factor is set up, and how many recovery codes are left.
    pub factor: Option<(Moment, usize)>,
    /// One's passkeys; none where they cannot be used at this address.
    pub passkeys: Option<Vec<PasskeyRow>>,
    /// The password that changing the second factor takes; the same.
    pub factor_current: Input,
    /// How many other sessions of one's own are live.
    pub others: usize,
    /// When one last signed in.
    pub last_sign_in: Option<Moment>,
}

/// A passkey as its user sees it.
#[derive(Clone, Debug)]
pub struct PasskeyRow {
    /// Its number.
    pub id: String,
    /// What they call it.
    pub name: String,
    /// When it was added.
    pub created: Moment,
    /// When it last signed them in, if ever.
    pub used: Option<Moment>,
}

impl Profile {
    /// How many other sessions there are, in words.
    pub fn others_line(&self) -> String {
        super::text::counted(self.others, "other session", "other sessions")
    }
}
