//! Other programs of the organisation that are plugged in.

use std::{fmt, str::FromStr};

use jiff::Timestamp;

use super::user::UserName;

/// An app behind forward-auth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Its name, as it stands in the log.
    pub name: String,
    /// Its address: scheme, host and, if unusual, port.
    pub url: String,
    /// Who may open it: users of any of these groups, or everybody if there are none.
    pub groups: Vec<String>,
    /// Which identity headers it is told the user by, besides `Remote-…`.
    pub headers: HeaderFamily,
    /// When it was registered.
    pub created: Timestamp,
}

/// The app of this name. As with those of users, upper and lower case make no other name.
pub fn called<'a>(apps: impl Iterator<Item = &'a App> + Clone, name: &str) -> Option<&'a App> {
    // Two that differ in nothing else may be there from before.
    let exactly = apps.clone().find(|app| app.name == name);
    exactly.or_else(|| {
        let folded = UserName::fold(name);
        apps.clone().find(|app| UserName::fold(&app.name) == folded)
    })
}

/// An app as somebody gives it: what they leave out stays, or is the usual for a new one.
#[derive(Clone, Debug)]
pub struct GivenApp {
    /// Its name.
    pub name: String,
    /// Its address.
    pub url: String,
    /// Who may open it; none of them are everybody.
    pub groups: Option<Vec<String>>,
    /// How it is told who is there.
    pub headers: Option<HeaderFamily>,
}

/// What is to be changed of an app: what is not given stays as it is.
#[derive(Clone, Debug, Default)]
pub struct AppChange {
    /// Its address.
    pub url: Option<String>,
    /// Who may open it; none of them are everybody.
    pub groups: Option<Vec<String>>,
    /// How it is told who is there.
    pub headers: Option<HeaderFamily>,
}

/// The families of identity headers that programs understand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeaderFamily {
    /// `Remote-User` and its kin, which are always sent.
    #[default]
    Remote,
    /// `X-Auth-Request-User` …
    XAuthRequest,
    /// `X-Forwarded-User` …
    XForwarded,
    /// `X-WEBAUTH-USER` …
    XWebauth,
}

impl HeaderFamily {
    /// Every family.
    pub const ALL: [Self; 4] = [Self::Remote, Self::XAuthRequest, Self::XForwarded, Self::XWebauth];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Remote => "remote",
            Self::XAuthRequest => "x-auth-request",
            Self::XForwarded => "x-forwarded",
            Self::XWebauth => "x-webauth",
        }
    }
}

impl fmt::Display for HeaderFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was given is not a family of headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("headers are remote, x-auth-request, x-forwarded or x-webauth")]
pub struct NotAHeaderFamily;

impl FromStr for HeaderFamily {
    type Err = NotAHeaderFamily;

    fn from_str(text: &str) -> Result<Self, NotAHeaderFamily> {
        Self::ALL.into_iter().find(|family| family.as_str() == text).ok_or(NotAHeaderFamily)
    }
}
