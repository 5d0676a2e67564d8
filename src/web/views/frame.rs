//! What stands around every page: the bar at the top, the notices, the line at the foot.

use crate::model::user::Role;

use super::parts::Link;

/// Everything a page shows besides its own matter.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The prefix of every asset's address: `/assets/<hash>`.
    pub assets: String,
    /// Who is signed in, if anybody.
    pub who: Option<Who>,
    /// Which page it is.
    pub page: Page,
    /// The token every form of this session carries; empty where nobody is signed in.
    pub csrf: String,
    /// What was just done, or why it was not.
    pub notice: Option<Notice>,
    /// Why this connection is not to be trusted, in a sentence that says what to do.
    pub insecure: Option<String>,
    /// What an administrator must see to now, on every page.
    pub alarm: Option<String>,
    /// Where the places come from, on every page that shows one.
    pub attribution: Option<Link>,
}

/// Who is signed in.
#[derive(Clone, Debug)]
pub struct Who {
    /// The name they sign in with.
    pub name: String,
    /// As people write it; may be empty.
    pub full_name: String,
    /// What they may do.
    pub role: Role,
    /// The public id of the session at hand: when the stream says it has ended, the page leaves.
    pub session: String,
}

impl Who {
    /// The name to show.
    pub fn shown(&self) -> &str {
        if self.full_name.is_empty() { &self.name } else { &self.full_name }
    }

    /// Whether they see everybody's sessions and activity.
    pub fn sees_all(&self) -> bool {
        self.role != Role::Member
    }

    /// Whether they end other people's sessions and manage.
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }
}

/// A line under the bar.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Of what sort.
    pub tone: Tone,
    /// One sentence.
    pub text: String,
}

/// The sorts of [`Notice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// It was done.
    Good,
    /// It was not done.
    Bad,
}

impl Tone {
    /// The name of its class.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
        }
    }

    /// The name of its icon.
    pub const fn icon(self) -> &'static str {
        match self {
            Self::Good => "check",
            Self::Bad => "warning",
        }
    }
}

/// The pages there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// Session Information and a session.
    Sessions,
    /// The Activity Log and a record of it.
    Activity,
    /// The apps behind forward-auth.
    Apps,
    /// The accounts.
    Users,
    /// The settings, with the API tokens beside them.
    Settings,
    /// One's own account.
    Profile,
    /// The manual.
    Help,
    /// Whatever stands before or beside them: sign-in, setup, errors, confirmations.
    Door,
}

/// An entry of the bar at the top.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its words.
    pub label: &'static str,
    /// Where it leads.
    pub href: &'static str,
    /// Whether one is there.
    pub here: bool,
}

impl Frame {
    /// The entries of the bar that the role of whoever is signed in may see.
    pub fn entries(&self) -> Vec<Entry> {
        let all = [
            ("Sessions", "/sessions", Page::Sessions, false),
            ("Activity", "/activity", Page::Activity, false),
            ("Apps", "/apps", Page::Apps, true),
            ("Users", "/users", Page::Users, true),
            ("Settings", "/settings", Page::Settings, true),
        ];
        let admin = self.who.as_ref().is_some_and(Who::is_admin);
        all.into_iter()
            .filter(|(.., managed)| admin || !managed)
            .map(|(label, href, page, _)| Entry { label, href, here: page == self.page })
            .collect()
    }

    /// Rollcall's own version.
    pub fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    /// The public id of the session at hand; empty where nobody is signed in.
    pub fn session(&self) -> &str {
        self.who.as_ref().map_or("", |who| &who.session)
    }
}
