//! People who sign in, and what their role lets them do.

use std::{fmt, str::FromStr, sync::Arc};

use jiff::Timestamp;
use unicode_normalization::UnicodeNormalization;
use unicode_security::skeleton;

/// The name a user signs in with, in its one canonical form: NFKC, lower case, without surrounding spaces.
/// `Ann`, ` ann` and full-width `ａｎｎ` are the same user, for sign-in and for throttling alike.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(Arc<str>);

/// Why a text cannot be a user's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUserName {
    /// Nothing was left of it.
    #[error("a user needs a name")]
    Empty,
    /// Longer than [`UserName::MAX_BYTES`].
    #[error("a user name can have at most {} bytes", UserName::MAX_BYTES)]
    Long,
    /// It holds white space, a comma, or a character that cannot be seen.
    #[error("a user name is written without spaces, commas and invisible characters")]
    Character,
}

impl UserName {
    /// The longest name, in bytes of its canonical form.
    pub const MAX_BYTES: usize = 128;

    /// The canonical form of any name that stands in an activity, valid as a user's name or not: what
    /// decides whether two records speak of the same actor.
    pub fn fold(text: &str) -> String {
        if text.is_ascii() {
            return text.trim().to_ascii_lowercase();
        }
        text.nfkc().collect::<String>().to_lowercase().trim().to_owned()
    }

    /// Whether one would be taken for the other by its letters, which are others all the same. Within ASCII everybody has learnt to tell
    /// them apart, and `mom` may be somebody beside `morn`.
    pub fn passes_for(&self, other: &Self) -> bool {
        self != other && !(self.0.is_ascii() && other.0.is_ascii()) && looks(&self.0) == looks(&other.0)
    }

    /// The canonical form as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a name looks like, in the letters that Unicode has for all that look the same (UTS 39, skeleton).
pub fn looks(name: &str) -> String {
    let plain: String = skeleton(name).collect();
    skeleton(&plain.to_lowercase()).collect()
}

impl FromStr for UserName {
    type Err = BadUserName;

    fn from_str(text: &str) -> Result<Self, BadUserName> {
        if text.len() > 4 * Self::MAX_BYTES {
            return Err(BadUserName::Long);
        }
        let name = Self::fold(text);
        if name.is_empty() {
            return Err(BadUserName::Empty);
        }
        if name.len() > Self::MAX_BYTES {
            return Err(BadUserName::Long);
        }
        if name.chars().any(|c| c.is_whitespace() || c == ',' || unseen(c)) {
            return Err(BadUserName::Character);
        }
        Ok(Self(name.into()))
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Whether a character cannot be seen, or moves what stands around it: of two names that differ by it nobody could tell
/// which is which.
pub fn unseen(c: char) -> bool {
    let moves = matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{ad}');
    moves || c.is_control()
}

/// Whether a text is an e-mail address in the form that every program takes: a name of up to 64 bytes, an at sign, and a
/// host as it is typed.
pub fn is_email(text: &str) -> bool {
    let Some((name, host)) = text.split_once('@') else { return false };
    let part = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c))
    };
    let label = |text: &str| {
        let plain = |c: char| c.is_alphanumeric() || c == '-';
        !text.is_empty() && !text.starts_with('-') && !text.ends_with('-') && text.chars().all(plain)
    };
    name.len() <= 64 && name.split('.').all(part) && host.split('.').all(label)
}

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Sees and ends only their own sessions, sees and exports only their own activity.
    Member,
    /// Sees everything, ends nothing but their own sessions.
    Auditor,
    /// Sees and ends everything, manages.
    Admin,
}

impl Role {
    /// Every role, the mightiest first.
    pub const ALL: [Self; 3] = [Self::Admin, Self::Auditor, Self::Member];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was given is not a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a role is admin, auditor or member")]
pub struct NotARole;

impl FromStr for Role {
    type Err = NotARole;

    fn from_str(text: &str) -> Result<Self, NotARole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(NotARole)
    }
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// What they sign in with.
    pub name: UserName,
    /// What they may do.
    pub role: Role,
    /// As people write it; may be empty.
    pub full_name: String,
    /// May be empty. Apps may know their users by it, so that only administrators set it.
    pub email: String,
    /// Groups of the organisation, in the order given; they decide which apps are open.
    pub groups: Vec<String>,
    /// A disabled user cannot sign in.
    pub disabled: bool,
    /// When the account was made.
    pub created: Timestamp,
    /// When they last signed in, if ever.
    pub last_sign_in: Option<Timestamp>,
}

/// Who does something: a signed-in user, a program with a token, the host's console, or Rollcall itself.
/// Only authentication makes one, and every changing call asks for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The name that stands in the log.
    pub name: String,
    /// On whose behalf.
    pub kind: ActorKind,
    /// The session it was done in, if it was done in one.
    pub session: Option<super::id::SessionId>,
    /// What opened that session: what was begun with a token goes no further once there is another. Without a session, the token
    /// of a program.
    pub token: Option<super::secret::TokenHash>,
    /// From where, if it came over the network.
    pub ip: Option<std::net::IpAddr>,
}

/// The kinds of [`Actor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorKind {
    /// A user with a live session.
    User(Role),
    /// A program with a token.
    Token,
    /// Somebody at the host's command line.
    Console,
    /// Rollcall itself: time-outs, retention.
    System,
}

impl Actor {
    /// Rollcall itself.
    pub fn system() -> Self {
        Self { name: "rollcall".into(), kind: ActorKind::System, session: None, token: None, ip: None }
    }

    /// Whoever is at the host's command line.
    pub fn console() -> Self {
        let name = "host console".into();
        Self { name, kind: ActorKind::Console, session: None, token: None, ip: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_has_one_name_however_it_is_typed() {
        let ann: UserName = "ann".parse().unwrap();
        for typed in ["Ann", "ANN", " ann ", "ann\u{a0}", "ａｎｎ"] {
            assert_eq!(typed.parse(), Ok(ann.clone()), "{typed:?}");
        }
        assert_ne!("аnn".parse(), Ok(ann), "a Cyrillic letter makes another name");
    }

    #[test]
    fn an_email_address_is_a_name_at_a_host() {
        for good in [
            "ann@example.org",
            "a.b+c@sub.example.org",
            "root@localhost",
            "jürgen@bücher.example",
            "o'neil@x.y",
        ] {
            assert!(is_email(good), "{good}");
        }
        let long = format!("{}@example.org", "x".repeat(65));
        for bad in [
            "",
            "ann",
            "@example.org",
            "ann@",
            "ann@@example.org",
            "a@b@c",
            "ann @example.org",
            "ann@exa mple.org",
            "ann,bob@example.org",
            "<ann@example.org>",
            "Ann <ann@example.org>",
            "ann@example..org",
            "ann@.example.org",
            "ann@example.org.",
            ".ann@example.org",
            "a..b@example.org",
            "ann@-example.org",
            "ann@exam_ple.org",
            "ann@example.org\r\nX: y",
            "ann@exam\u{200b}ple.org",
            &long,
        ] {
            assert!(!is_email(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_name_that_would_mislead_is_refused() {
        assert_eq!("".parse::<UserName>(), Err(BadUserName::Empty));
        assert_eq!("a b".parse::<UserName>(), Err(BadUserName::Character));
        assert_eq!("a,b".parse::<UserName>(), Err(BadUserName::Character));
        assert_eq!("a\r\nb".parse::<UserName>(), Err(BadUserName::Character));
        assert_eq!("ann\u{200b}".parse::<UserName>(), Err(BadUserName::Character));
        let [ann, other, far] =
            ["ann", "\u{430}nn", "\u{430}nna"].map(|name| name.parse::<UserName>().unwrap());
        assert!(other.passes_for(&ann) && ann.passes_for(&other), "the first letter is Cyrillic");
        assert!(!far.passes_for(&ann) && !ann.passes_for(&ann));
        assert_eq!("x".repeat(129).parse::<UserName>(), Err(BadUserName::Long));
    }
}
