//! One user on one browser or client, from sign-in to its end.

use std::{fmt, net::IpAddr, str::FromStr};

use jiff::Timestamp;

use super::{
    device::Device,
    id::SessionId,
    place::Place,
    user::{Role, UserName},
};

/// A session, live or ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// Its public name.
    pub id: SessionId,
    /// Who is signed in.
    pub user: UserName,
    /// The token by which an app registered the session of a user it signed in by itself; the app is the first of
    /// `apps`. None if Rollcall signed the user in.
    pub registered_by: Option<String>,
    /// The address it was last used from.
    pub ip: Option<IpAddr>,
    /// Where that is.
    pub place: Place,
    /// On what.
    pub device: Device,
    /// What the browser called itself.
    pub user_agent: String,
    /// When the user signed in.
    pub started: Timestamp,
    /// When it was last used. For a live session the live table knows better.
    pub last_access: Timestamp,
    /// When it ends whatever is done in it.
    pub expires: Timestamp,
    /// The programs opened in it, in the order of their first use.
    pub apps: Vec<String>,
    /// Whether a second factor was given.
    pub mfa: bool,
    /// How it ended, once it has.
    pub ending: Option<Ending>,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// When.
    pub at: Timestamp,
    /// By what sort of decision (the four initiating entities of CAEP 1.0).
    pub by: EndedBy,
    /// Who, where somebody did.
    pub by_user: Option<String>,
    /// Why: what the one who ended it wrote, or which limit was reached; may be empty.
    pub reason: String,
}

/// Who or what ends sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// Somebody with the right to end other people's sessions.
    Admin,
    /// The user.
    User,
    /// A limit or a rule.
    Policy,
    /// Rollcall, for its own reasons: a restored backup, a removed account.
    System,
}

impl EndedBy {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Admin, Self::User, Self::Policy, Self::System];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::User => "user",
            Self::Policy => "policy",
            Self::System => "system",
        }
    }
}

impl fmt::Display for EndedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a session is to be found among the live or the ended ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// It opens doors.
    #[default]
    Active,
    /// It never will again.
    Ended,
}

impl State {
    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Ended => "ended",
        }
    }
}

impl FromStr for State {
    type Err = NotAState;

    fn from_str(text: &str) -> Result<Self, NotAState> {
        match text {
            "active" => Ok(Self::Active),
            "ended" => Ok(Self::Ended),
            _ => Err(NotAState),
        }
    }
}

/// What was given is not a session's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a session's state is active or ended")]
pub struct NotAState;

/// Whose records a reader may see. Only a request guard makes one from who asks, and the store adds it to
/// every query: no handler can forget it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everybody's.
    All,
    /// Those of one user.
    Own(UserName),
}

impl Scope {
    /// What `role` lets `name` see.
    pub fn of(role: Role, name: &UserName) -> Self {
        match role {
            Role::Admin | Role::Auditor => Self::All,
            Role::Member => Self::Own(name.clone()),
        }
    }

    /// Whether what belongs to `user` may be seen.
    pub fn covers(&self, user: &UserName) -> bool {
        match self {
            Self::All => true,
            Self::Own(own) => own == user,
        }
    }
}

/// Whose sessions somebody may end. Only a request guard makes one from who asks: an auditor sees everybody's
/// sessions and still ends only their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mandate {
    /// Everybody's.
    All,
    /// Those of one user.
    Own(UserName),
    /// Those in which one app was opened.
    App(String),
}

impl Mandate {
    /// What `role` lets `name` end.
    pub fn of(role: Role, name: &UserName) -> Self {
        match role {
            Role::Admin => Self::All,
            Role::Auditor | Role::Member => Self::Own(name.clone()),
        }
    }

    /// Whether sessions of `user` may be ended, if not each of them.
    pub fn reaches(&self, user: &UserName) -> bool {
        match self {
            Self::All | Self::App(_) => true,
            Self::Own(own) => own == user,
        }
    }

    /// Whether a session of `user` may be ended in which those apps were opened that `opened` knows.
    pub fn covers(&self, user: &UserName, opened: impl FnOnce(&str) -> bool) -> bool {
        match self {
            Self::App(app) => opened(app),
            Self::All | Self::Own(_) => self.reaches(user),
        }
    }
}
