//! One thing somebody did.

use std::{fmt, net::IpAddr, str::FromStr};

use jiff::Timestamp;

use super::{device::Device, id::ActivityId, place::Place};

/// A record of the log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Activity {
    /// Its place in the log.
    pub id: ActivityId,
    /// When it happened, to the millisecond.
    pub time: Timestamp,
    /// When it was written.
    pub received: Timestamp,
    /// Who did it, as it was given.
    pub user: String,
    /// What was done: `backup`, `sign-in`, `CreateBucket`.
    pub action: String,
    /// A sentence, a path, a document: whatever says more.
    pub detail: String,
    /// In which program.
    pub app: String,
    /// How it went.
    pub outcome: Outcome,
    /// In which session: one of Rollcall's or of the program's own.
    pub session: Option<String>,
    /// From which address.
    pub ip: Option<IpAddr>,
    /// Where that address was.
    pub place: Place,
    /// On what.
    pub device: Device,
    /// What the program or browser called itself.
    pub user_agent: Option<String>,
    /// To what or whom.
    pub target: Option<String>,
    /// Whatever else the sender knew, in the sender's order.
    pub attributes: Vec<(String, String)>,
}

impl Activity {
    /// How many bytes of text it holds.
    pub fn text(&self) -> usize {
        let Self { user, action, detail, app, session, place, device, user_agent, target, .. } = self;
        let always = [user, action, detail, app, &device.device, &device.os, &device.browser];
        let maybe = [session, user_agent, target, &place.city, &place.region, &place.country];
        let pairs = self.attributes.iter().map(|(name, value)| name.len() + value.len());
        always.into_iter().chain(maybe.into_iter().flatten()).map(String::len).chain(pairs).sum()
    }

    /// Whether it is one of Rollcall's own that repeats what somebody looked for. The words of its detail, target and
    /// attributes are then found by no search for words: only where a field is named.
    pub fn tells_of_a_search(&self) -> bool {
        self.app == OWN_APP
            && matches!(self.action.as_str(), action::SEARCH | action::EXPORT | action::EXPORT_SEALED)
    }
}

/// An activity on its way in: all but what the log gives it.
#[derive(Clone, Debug, PartialEq)]
pub struct NewActivity {
    /// When it happened, to the millisecond; none stands for the moment it is written.
    pub time: Option<Timestamp>,
    /// Who did it.
    pub user: String,
    /// What was done.
    pub action: String,
    /// More of it.
    pub detail: String,
    /// In which program.
    pub app: String,
    /// How it went.
    pub outcome: Outcome,
    /// In which session.
    pub session: Option<String>,
    /// From which address.
    pub ip: Option<IpAddr>,
    /// Where that is.
    pub place: Place,
    /// On what.
    pub device: Device,
    /// What the program or browser called itself.
    pub user_agent: Option<String>,
    /// To what or whom.
    pub target: Option<String>,
    /// Whatever else is known.
    pub attributes: Vec<(String, String)>,
    /// The sender's own name for the record, which makes it idempotent.
    pub key: Option<SenderKey>,
    /// What of it nobody said.
    pub found: Found,
}

impl NewActivity {
    /// An activity of which only the actor, the action and the program are known.
    pub fn new(user: impl Into<String>, action: impl Into<String>, app: impl Into<String>) -> Self {
        Self {
            time: None,
            user: user.into(),
            action: action.into(),
            detail: String::new(),
            app: app.into(),
            outcome: Outcome::Success,
            session: None,
            ip: None,
            place: Place::default(),
            device: Device::default(),
            user_agent: None,
            target: None,
            attributes: Vec::new(),
            key: None,
            found: Found::default(),
        }
    }

    /// Gives it an attribute of ours, in the place of one of that name, and of the last where there are as many as a record holds.
    pub fn mark(&mut self, name: &str, value: impl Into<String>) {
        self.attributes.retain(|(known, _)| known != name);
        self.attributes.truncate(limits::ATTRIBUTES - 1);
        self.attributes.push((name.to_owned(), value.into()));
    }

    /// The same, done to this.
    #[must_use]
    pub fn to(mut self, target: impl fmt::Display) -> Self {
        self.target = Some(target.to_string());
        self
    }

    /// The same, with this to say of it.
    #[must_use]
    pub fn saying(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }
}

/// What of a record its sender did not say, but was found out: another time it may come out otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Of where it was done: address and place.
    pub place: Finding,
    /// Of what it was done on: user agent and device.
    pub device: Finding,
}

/// How much of where or on what something was done was found out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Finding {
    /// Nothing: it is as its sender said.
    #[default]
    Nothing,
    /// The place of the address, or the device of the user agent.
    LookedUp,
    /// All of it, which is that of its session.
    OfSession,
}

/// A record's name in its sender's own numbering: the same sender never writes the same key twice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SenderKey {
    /// The token (or the import) it came by.
    pub sender: String,
    /// The sender's id, at most [`limits::SENDER_ID`] bytes.
    pub id: String,
}

/// How an activity went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was tried and not done.
    Failure,
    /// Nobody said.
    #[default]
    Unknown,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Success, Self::Failure, Self::Unknown];

    /// The word of the contract, and of ECS's `event.outcome`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was given is not an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an outcome is success, failure or unknown")]
pub struct NotAnOutcome;

impl FromStr for Outcome {
    type Err = NotAnOutcome;

    fn from_str(text: &str) -> Result<Self, NotAnOutcome> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str().eq_ignore_ascii_case(text)).ok_or(NotAnOutcome)
    }
}

/// The program name under which Rollcall's own activities stand in the log.
pub const OWN_APP: &str = "rollcall";

/// What Rollcall itself does, in the words of the contract.
pub mod action {
    /// Somebody signed in.
    pub const SIGN_IN: &str = "sign-in";
    /// Somebody tried to.
    pub const SIGN_IN_FAILED: &str = "sign-in-failed";
    /// Somebody signed out of the session at hand.
    pub const SIGN_OUT: &str = "sign-out";
    /// A session was ended by somebody, or another one of one's own.
    pub const LOGOUT: &str = "logout";
    /// A session reached its idle or absolute limit, or was used in a way that it is not bound to.
    pub const SESSION_EXPIRED: &str = "session-expired";
    /// Somebody, or a program, was refused what is not theirs to see or do.
    pub const ACCESS_DENIED: &str = "access-denied";
    /// An app was opened for the first time in a session.
    pub const APP_OPENED: &str = "app-opened";
    /// Somebody looked at other people's activity.
    pub const SEARCH: &str = "search";
    /// Activities were downloaded.
    pub const EXPORT: &str = "export";
    /// What was downloaded was sealed: the record holds what stands for all of it.
    pub const EXPORT_SEALED: &str = "export-sealed";
    /// Activities were read from a file.
    pub const IMPORT: &str = "import";
    /// Activities were removed because of their age or the room they took.
    pub const RETENTION: &str = "retention";
    /// The log was held against its proofs.
    pub const VERIFY: &str = "verify";
    /// Everything was written into a backup.
    pub const BACKUP: &str = "backup";
    /// A backup was put in the place of what was there.
    pub const RESTORE: &str = "restore";
    /// An account was made.
    pub const USER_ADDED: &str = "user-added";
    /// An account was changed.
    pub const USER_CHANGED: &str = "user-changed";
    /// A password was changed.
    pub const USER_PASSWORD_CHANGED: &str = "user-password-changed";
    /// A second factor was set up.
    pub const USER_FACTOR_SET: &str = "user-second-factor-set";
    /// A second factor was taken away: by its user, or by an administrator because it was lost.
    pub const USER_FACTOR_REMOVED: &str = "user-second-factor-removed";
    /// Somebody signed in with a recovery code.
    pub const USER_RECOVERY_CODE_USED: &str = "user-recovery-code-used";
    /// Somebody got new recovery codes.
    pub const USER_RECOVERY_CODES_MADE: &str = "user-recovery-codes-made";
    /// A passkey was added.
    pub const USER_PASSKEY_ADDED: &str = "user-passkey-added";
    /// A passkey was removed.
    pub const USER_PASSKEY_REMOVED: &str = "user-passkey-removed";
    /// An account was disabled.
    pub const USER_DISABLED: &str = "user-disabled";
    /// An account was enabled again.
    pub const USER_ENABLED: &str = "user-enabled";
    /// An account was removed.
    pub const USER_REMOVED: &str = "user-removed";
    /// An API token was made.
    pub const TOKEN_ADDED: &str = "token-added";
    /// An API token was revoked.
    pub const TOKEN_REVOKED: &str = "token-revoked";
    /// An app was registered.
    pub const APP_ADDED: &str = "app-added";
    /// An app was changed.
    pub const APP_CHANGED: &str = "app-changed";
    /// An app was removed.
    pub const APP_REMOVED: &str = "app-removed";
    /// An app's webhook was set.
    pub const APP_HOOK_SET: &str = "app-hook-set";
    /// An app's webhook was removed.
    pub const APP_HOOK_REMOVED: &str = "app-hook-removed";
    /// The clock was set, or the machine slept.
    pub const CLOCK_JUMPED: &str = "clock-jumped";
    /// The server started.
    pub const SERVER_STARTED: &str = "server-started";
    /// The server was stopped.
    pub const SERVER_STOPPED: &str = "server-stopped";
    /// The disk was full, or is so no more.
    pub const DISK_FULL: &str = "disk-full";
    /// A setting was changed.
    pub const SETTING_CHANGED: &str = "setting-changed";
}

/// The most a record may hold, in bytes unless it says otherwise. What is longer is refused, never cut.
pub mod limits {
    /// `user`, `action`, `app`, `session`, `target`, and each word on where and on what: `city`, `region`, `country`, `device`, `os`,
    /// `browser`.
    pub const NAME: usize = 1024;
    /// `detail`.
    pub const DETAIL: usize = 64 * 1024;
    /// `user_agent`; a longer one is refused like everything else.
    pub const USER_AGENT: usize = 8 * 1024;
    /// How many attributes.
    pub const ATTRIBUTES: usize = 64;
    /// An attribute's name.
    pub const ATTRIBUTE_NAME: usize = 128;
    /// An attribute's value.
    pub const ATTRIBUTE_VALUE: usize = 8 * 1024;
    /// The sender's `id`.
    pub const SENDER_ID: usize = 128;
    /// One record as JSON.
    pub const RECORD: usize = 256 * 1024;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_of_an_activity_counts() {
        let text = |bit: u32| "x".repeat(1 << bit);
        let activity = Activity {
            user: text(0),
            action: text(1),
            detail: text(2),
            app: text(3),
            session: Some(text(4)),
            user_agent: Some(text(5)),
            target: Some(text(6)),
            place: Place {
                city: Some(text(7)),
                region: Some(text(8)),
                country: Some(text(9)),
                ..Place::default()
            },
            device: Device { device: text(10), os: text(11), browser: text(12), ..Device::default() },
            attributes: vec![(text(13), text(14))],
            ..Activity::default()
        };
        assert_eq!(activity.text(), (1 << 15) - 1);
    }
}
