//! The accounts.

use askama::Template;

use crate::model::user::Role;

use super::{
    frame::Frame,
    parts::{Input, Moment},
};

/// The page `/users`.
#[derive(Clone, Debug, Template)]
#[template(path = "users.html", blocks = ["results"])]
pub struct Users {
    /// What stands around it.
    pub frame: Frame,
    /// Every account.
    pub rows: Vec<UserRow>,
    /// The form for a new one, if it is open.
    pub form: Option<UserForm>,
}

/// An account as a row.
#[derive(Clone, Debug)]
pub struct UserRow {
    /// The name.
    pub name: String,
    /// As people write it.
    pub full_name: String,
    /// May be empty.
    pub email: String,
    /// What they may do.
    pub role: Role,
    /// Joined by commas.
    pub groups: String,
    /// A disabled user cannot sign in.
    pub disabled: bool,
    /// How many live sessions.
    pub sessions: u64,
    /// Whether a second factor is set up.
    pub factor: bool,
    /// When they last signed in, if ever.
    pub last_sign_in: Option<Moment>,
    /// Whether it is one's own account.
    pub own: bool,
}

/// What is typed about an account.
#[derive(Clone, Debug)]
pub struct UserForm {
    /// The name; it cannot be changed later.
    pub name: Input,
    /// As people write it.
    pub full_name: Input,
    /// May be empty.
    pub email: Input,
    /// What they may do.
    pub role: Role,
    /// Joined by commas.
    pub groups: Input,
    /// The first password; never shown, only its error counts.
    pub password: Input,
}

impl Default for UserForm {
    fn default() -> Self {
        let empty = Input::default;
        Self {
            name: empty(),
            full_name: empty(),
            email: empty(),
            role: Role::Member,
            groups: empty(),
            password: empty(),
        }
    }
}

impl UserForm {
    /// The roles to choose from: value, what it may do, and whether it is chosen.
    pub fn roles(&self) -> Vec<(&'static str, &'static str, bool)> {
        let may = |role| match role {
            Role::Admin => "sees and ends everything, manages",
            Role::Auditor => "sees everything, ends nothing",
            Role::Member => "sees and ends only their own",
        };
        Role::ALL.into_iter().rev().map(|role| (role.as_str(), may(role), role == self.role)).collect()
    }
}

/// The page `/users/{name}`.
#[derive(Clone, Debug, Template)]
#[template(path = "user.html")]
pub struct UserPage {
    /// What stands around it.
    pub frame: Frame,
    /// The account.
    pub row: UserRow,
    /// The same, to be changed.
    pub form: UserForm,
    /// When it was made.
    pub created: Moment,
}

impl UserPage {
    /// `Log out 3 sessions`.
    pub fn logout_label(&self) -> String {
        let count = usize::try_from(self.row.sessions).unwrap_or(usize::MAX);
        format!("Log out {}", super::text::counted(count, "session", "sessions"))
    }
}
