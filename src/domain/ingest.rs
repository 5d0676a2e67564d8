//! Activities from outside: from programs with a token, and from files.

use std::{mem, sync::Arc};

use tokio::task::spawn_blocking;

use crate::{
    model::{
        activity::{Finding, NewActivity, OWN_APP, action, limits},
        device::{Agent, Device},
        id::{ActivityId, SessionId},
        noun::activities,
        place::Place,
        secret::TokenHash,
        session::Session,
        user::{Actor, UserName, looks, unseen},
    },
    store::{Sessions as _, StoreError, Tokens as _, Write},
};

pub use crate::store::Appended;

use super::{
    App, Gone, agent,
    memo::Memo,
    sessions::{fill_device, fill_place},
    turns::Turn,
};

/// How many requests of one program may be under way at once.
pub const AT_ONCE: u32 = 512;

/// How many of them may send more lines than a few.
pub const LINES_AT_ONCE: u32 = 64;

/// How many of them may hold a large body in memory.
pub const LARGE_AT_ONCE: u32 = 8;

/// How much memory a request takes, and so how many of one program's may be under way at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Load {
    /// Whatever it is: before more is known it holds at most 1 MiB, and of lines 64 KiB.
    Any,
    /// Lines beyond the first 64 KiB: two blocks of 1 MiB or 2, and the records of two batches; some 10 MiB at most.
    Lines,
    /// A body beyond 1 MiB that is held as a whole: up to 32 MiB, and several times as much with what is made of it.
    Whole,
}

impl Load {
    /// How many at once.
    pub const fn most(self) -> u32 {
        match self {
            Self::Any => AT_ONCE,
            Self::Lines => LINES_AT_ONCE,
            Self::Whole => LARGE_AT_ONCE,
        }
    }
}

/// The right to one request, until it is dropped: a program's, of such a load.
pub type Intake = Turn<(String, Load)>;

/// The devices of the user agents that were seen last: a log names few, again and again, and judging one takes
/// ten microseconds.
#[derive(Default)]
pub(super) struct Devices(Memo<String, Device, 4096>);

impl Devices {
    fn of(&self, user_agent: &str) -> Device {
        let judged = Agent::cut(user_agent);
        self.0.get(judged, || agent::device(&Agent::of(judged)))
    }
}

/// In whose name records come.
#[derive(Clone, Debug)]
pub struct Voice {
    /// What sends them: the app of those that name none.
    pub name: String,
    /// The one app that they are of, whatever they say.
    pub app: Option<String>,
}

impl Voice {
    /// One that may speak for any app.
    pub fn of(name: &str) -> Self {
        Self { name: name.to_owned(), app: None }
    }
}

/// What a record of a token that is an app's named as its app, where that was another.
pub const CLAIMED: &str = "claimed-app";

/// Whose the session is that a record names, where that is somebody else than the record's user.
pub const SESSION_USER: &str = "session-user";

/// What no text of the log has in it: NUL, at which programs take a text for ended, and U+FFFE, which is no character.
pub const NO_TEXT: [char; 2] = ['\0', '\u{fffe}'];

/// Whether a text has in it what no text of the log may.
pub fn has_no_text(text: &str) -> bool {
    // Few texts have the first byte of U+FFFE in them.
    memchr::memchr2(0, 0xef, text.as_bytes()).is_some() && text.contains(NO_TEXT)
}

/// What became of a record that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It is in the log now.
    New(ActivityId),
    /// It was there already.
    Again(ActivityId),
    /// What is there under its id is another record, and stays; this one was not taken.
    Other(ActivityId),
}

impl Entry {
    /// What is in the log under the id that its sender gave it, or as this record.
    pub const fn id(self) -> ActivityId {
        match self {
            Self::New(id) | Self::Again(id) | Self::Other(id) => id,
        }
    }
}

impl From<Appended> for Entry {
    /// Takes whatever is known by its id for the same.
    fn from(appended: Appended) -> Self {
        match appended {
            Appended::New(id) => Self::New(id),
            Appended::Duplicate(id) => Self::Again(id),
        }
    }
}

/// Why a record is not taken. The sentence says what to change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A field that must be there is empty.
    #[error("{0} is missing or empty")]
    Missing(&'static str),
    /// A field is too long.
    #[error("{0} is longer than {1} bytes")]
    Long(&'static str, usize),
    /// A field holds what is no text.
    #[error("{0} has NUL or U+FFFE in it, which are no text; leave them out")]
    NoText(&'static str),
    /// Too many attributes.
    #[error("there are more than {} attributes", limits::ATTRIBUTES)]
    Attributes,
    /// Its session is none of the app that the token is of.
    #[error("this session is one in which {0} was not opened, and the token is of {0}")]
    Foreign(String),
    /// It claims to be one of Rollcall's own.
    #[error("the app name {OWN_APP} is Rollcall's own; give the record the name of its program")]
    Reserved,
    /// It happened before what the log still keeps: nobody would find it, and it would be gone without a word.
    #[error("it happened before what the log still keeps; retention has removed everything of that time")]
    Old,
    /// The time lies outside what a log can hold.
    #[error("time must lie between the years 1970 and 9999")]
    Time,
    /// Its sender has sent another one under its id, which is this activity.
    #[error(
        "another record came with this id before, and is activity {0}: the log is append-only and keeps that one; send this one with an id of its own"
    )]
    Other(ActivityId),
}

/// What became of a batch.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The one who sent it has been signed out.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// The token that it came with has been revoked.
    #[error("this token has been revoked")]
    Revoked,
    /// The program sends faster than can be written.
    #[error("too many requests of this token are under way; wait for some of them and send this again")]
    Busy,
    /// The store failed; nothing of the batch was written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// A turn of `program` to send activities, or to go on with what proves to be of such a load. To be taken before it is
    /// read.
    pub fn intake(&self, program: &str, load: Load) -> Result<Intake, IngestError> {
        self.0.intakes.take((program.to_owned(), load), load.most()).ok_or(IngestError::Busy)
    }

    /// Checks a record that came in somebody's name, and completes it as [`App::admit`] does. One that names no app is of whoever
    /// sent it. One that came by the token of an app is of that app, and of no session in which that app was not opened: else it
    /// could put words into the mouth of another app, or deeds into the session of somebody who was never there.
    pub fn admit_of(&self, voice: &Voice, mut activity: NewActivity) -> Result<NewActivity, RecordError> {
        if activity.app.is_empty() {
            activity.app.clone_from(voice.app.as_ref().unwrap_or(&voice.name));
        }
        let session = self.session_of_record(&activity);
        if let Some(app) = &voice.app {
            if session
                .as_ref()
                .is_some_and(|session| !session.apps.iter().any(|opened| self.are_one_app(opened, app)))
            {
                return Err(RecordError::Foreign(app.clone()));
            }
            if self.are_one_app(&activity.app, app) {
                activity.app.clone_from(app);
            } else {
                // Nobody writes in our name, whatever becomes of the name.
                if is_own(&activity.app) {
                    return Err(RecordError::Reserved);
                }
                let claimed = mem::replace(&mut activity.app, app.clone());
                activity.attributes.retain(|(name, _)| name != CLAIMED);
                activity.attributes.push((CLAIMED.to_owned(), claimed));
            }
        }
        self.complete(activity, session)
    }

    /// Checks a record from outside, of whichever app, and completes it.
    pub fn admit(&self, activity: NewActivity) -> Result<NewActivity, RecordError> {
        let session = self.session_of_record(&activity);
        self.complete(activity, session)
    }

    /// Checks a record and completes it: place and device from its address and user agent, or from `session`, the one of ours that it
    /// names. An app may know people by other names than we do, so a record may name another's session; but it says so, and is
    /// not said to have happened where that session is.
    fn complete(
        &self,
        mut activity: NewActivity,
        session: Option<Session>,
    ) -> Result<NewActivity, RecordError> {
        check(&activity)?;
        let gone = |time| self.0.index.horizon().hides_what(time, &activity.app, &activity.action);
        if activity.time.is_some_and(gone) {
            return Err(RecordError::Old);
        }
        activity.place = activity.place.with_code_in_upper_case();
        if let Some(session) = session {
            activity.attributes.retain(|(name, _)| name != SESSION_USER);
            if UserName::fold(&activity.user) == session.user.as_str() {
                // Address and place belong together, and so do user agent and device. A record that says something of but one of the
                // two leaves the other to the session; what it says itself stays.
                if activity.ip.is_none() && activity.place == Place::default() {
                    fill_place(&mut activity, &session);
                    activity.found.place = Finding::OfSession;
                }
                if activity.user_agent.is_none() && activity.device == Device::default() {
                    fill_device(&mut activity, &session);
                    activity.found.device = Finding::OfSession;
                }
            } else {
                activity.attributes.push((SESSION_USER.to_owned(), session.user.to_string()));
            }
        }
        if activity.found.place == Finding::Nothing
            && activity.place == Place::default()
            && let Some(ip) = activity.ip
        {
            activity.place = self.0.geo.place(ip);
            activity.found.place = Finding::LookedUp;
        }
        if activity.found.device == Finding::Nothing
            && activity.device == Device::default()
            && let Some(user_agent) = &activity.user_agent
        {
            activity.device = self.0.devices.of(user_agent);
            activity.found.device = Finding::LookedUp;
        }
        Ok(activity)
    }

    /// The session that a record names. A store that cannot be read costs the record its place, not its life.
    fn session_of_record(&self, activity: &NewActivity) -> Option<Session> {
        let id = activity.session.as_deref()?.parse::<SessionId>().ok()?;
        match self.0.live.by_id(id) {
            Some(live) => Some(live.session()),
            None => self.0.store.read(|read| read.session(id)).ok().flatten(),
        }
    }

    /// Appends records that were admitted; what became of each, in their order. Writing begins at once, not when
    /// the answer is first waited for: meanwhile the next records can be read. When the answer is there, all are
    /// on disk, or none. What comes again is known by its id alone.
    pub fn ingest(
        &self,
        activities: Vec<NewActivity>,
    ) -> impl Future<Output = Result<Vec<Appended>, IngestError>> + Send + use<> {
        let (app, writing) = (self.clone(), self.append_bulk(None, Arc::new(activities)));
        async move {
            let appended = writing.await?;
            let new = appended.iter().filter(|one| matches!(one, Appended::New(_))).count();
            app.0.metrics.took(new, appended.len() - new, 0);
            Ok(appended)
        }
    }

    /// The same for records whose ids their senders chose: one that comes under the id of another is told from one that comes again.
    /// Those of a program are written only if its token `by` works in the very transaction that writes.
    pub fn enter(
        &self,
        by: Option<TokenHash>,
        activities: Vec<NewActivity>,
    ) -> impl Future<Output = Result<Vec<Entry>, IngestError>> + Send + use<> {
        let sent = Arc::new(activities);
        let (app, writing) = (self.clone(), self.append_bulk(by, Arc::clone(&sent)));
        async move {
            let appended = writing.await?;
            let known = appended.iter().any(|one| matches!(one, Appended::Duplicate(_)));
            let entries: Vec<Entry> = if known {
                let reading = app.clone();
                let told = spawn_blocking(move || reading.tell_apart(&sent, &appended)).await;
                told.map_err(|_| StoreError::Closed)?
            } else {
                appended.into_iter().map(Entry::from).collect()
            };
            let [mut new, mut again, mut others] = [0; 3];
            for entry in &entries {
                *match entry {
                    Entry::New(_) => &mut new,
                    Entry::Again(_) => &mut again,
                    Entry::Other(_) => &mut others,
                } += 1;
            }
            app.0.metrics.took(new, again, others);
            Ok(entries)
        }
    }

    fn append_bulk(
        &self,
        by: Option<TokenHash>,
        activities: Arc<Vec<NewActivity>>,
    ) -> impl Future<Output = Result<Vec<Appended>, IngestError>> + Send + use<> {
        let begun = (!activities.is_empty()).then(|| {
            let append = move |write: &mut Write<'_>| {
                if by.map_or(Ok(true), |token| write.opens_a_token(token))? {
                    Ok::<_, IngestError>(write.append_all(&*activities)?)
                } else {
                    Err(IngestError::Revoked)
                }
            };
            self.0.store.write_bulk(self.now(), append)
        });
        async move {
            match begun {
                Some(writing) => writing.done().await,
                None => Ok(Vec::new()),
            }
        }
    }

    /// Tells that `by` imported `accepted` records from `source`.
    pub async fn tell_of_import(
        &self,
        by: &Actor,
        source: &str,
        accepted: u64,
        refused: u64,
    ) -> Result<(), IngestError> {
        let mut told = self.did(by, action::IMPORT).to(source);
        told.detail = format!("{} taken, {refused} refused", activities(accepted));
        self.change(by, move |write| {
            write.append(&told)?;
            Ok::<_, IngestError>(())
        })
        .done()
        .await
    }
}

/// Whether a name would pass for ours, to the search, which folds full-width letters, or to the eye: with letters of other scripts that
/// look the same, or with characters that are not seen at all.
pub fn is_own(app: &str) -> bool {
    let seen: String = app.chars().filter(|c| !unseen(*c)).collect();
    let seen = seen.trim();
    if seen.is_ascii() && !may_look_like_ours(seen) {
        return false;
    }
    // A capital i passes for an l, and as a small one for none.
    [seen, &UserName::fold(seen)].into_iter().any(|seen| looks(seen) == looks(OWN_APP))
}

/// Whether it is worth asking what a name of ASCII's letters looks like: of our letters others look like `o` and `l` alone. Every record
/// is asked that, and what it looks like takes longer to tell than all else about it.
fn may_look_like_ours(name: &str) -> bool {
    let same = |(letter, ours): (u8, u8)| matches!(ours, b'o' | b'l') || letter.eq_ignore_ascii_case(&ours);
    name.len() == OWN_APP.len() && name.bytes().zip(OWN_APP.bytes()).all(same)
}

/// Holds a record against the limits.
pub fn check(activity: &NewActivity) -> Result<(), RecordError> {
    let name = |field, text: &str| {
        if text.len() > limits::NAME {
            Err(RecordError::Long(field, limits::NAME))
        } else {
            is_text(field, text)
        }
    };
    for (field, text) in [("user", &activity.user), ("action", &activity.action)] {
        if text.trim().is_empty() {
            return Err(RecordError::Missing(field));
        }
        name(field, text)?;
    }
    name("app", &activity.app)?;
    name("session", activity.session.as_deref().unwrap_or_default())?;
    name("target", activity.target.as_deref().unwrap_or_default())?;
    let NewActivity { place, device, .. } = activity;
    for (field, text) in [("city", &place.city), ("region", &place.region), ("country", &place.country)] {
        name(field, text.as_deref().unwrap_or_default())?;
    }
    for (field, text) in [("device", &device.device), ("os", &device.os), ("browser", &device.browser)] {
        name(field, text)?;
    }
    if is_own(&activity.app) {
        return Err(RecordError::Reserved);
    }
    if activity.detail.len() > limits::DETAIL {
        return Err(RecordError::Long("detail", limits::DETAIL));
    }
    if activity.user_agent.as_ref().is_some_and(|agent| agent.len() > limits::USER_AGENT) {
        return Err(RecordError::Long("user_agent", limits::USER_AGENT));
    }
    is_text("detail", &activity.detail)?;
    is_text("user_agent", activity.user_agent.as_deref().unwrap_or_default())?;
    // Ours are beside those of the sender, who would lose one for them. They come again in what was exported.
    let theirs = activity.attributes.iter().filter(|(name, _)| ![CLAIMED, SESSION_USER].contains(&&**name));
    if theirs.count() > limits::ATTRIBUTES {
        return Err(RecordError::Attributes);
    }
    for (name, value) in &activity.attributes {
        is_text("an attribute's name", name)?;
        is_text("an attribute", value)?;
        if name.is_empty() {
            return Err(RecordError::Missing("an attribute's name"));
        }
        if name.len() > limits::ATTRIBUTE_NAME {
            return Err(RecordError::Long("an attribute's name", limits::ATTRIBUTE_NAME));
        }
        if value.len() > limits::ATTRIBUTE_VALUE {
            return Err(RecordError::Long("an attribute", limits::ATTRIBUTE_VALUE));
        }
    }
    is_text("id", activity.key.as_ref().map_or("", |key| key.id.as_str()))?;
    if activity.key.as_ref().is_some_and(|key| key.id.is_empty()) {
        return Err(RecordError::Missing("id"));
    }
    if activity.key.as_ref().is_some_and(|key| key.id.len() > limits::SENDER_ID) {
        return Err(RecordError::Long("id", limits::SENDER_ID));
    }
    if activity.time.is_some_and(|time| !(0..253_402_300_800_000).contains(&time.as_millisecond())) {
        return Err(RecordError::Time);
    }
    Ok(())
}

/// Fails where a text has in it what no text of the log may.
fn is_text(field: &'static str, text: &str) -> Result<(), RecordError> {
    if has_no_text(text) { Err(RecordError::NoText(field)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::activity::SenderKey;

    #[test]
    fn what_is_no_text_is_in_no_field_of_a_record() {
        type Set = fn(&mut NewActivity, String);
        let fields: [(_, Set); 14] = [
            ("user", |a, text| a.user = text),
            ("action", |a, text| a.action = text),
            ("app", |a, text| a.app = text),
            ("session", |a, text| a.session = Some(text)),
            ("target", |a, text| a.target = Some(text)),
            ("city", |a, text| a.place.city = Some(text)),
            ("country", |a, text| a.place.country = Some(text)),
            ("device", |a, text| a.device.device = text),
            ("browser", |a, text| a.device.browser = text),
            ("detail", |a, text| a.detail = text),
            ("user_agent", |a, text| a.user_agent = Some(text)),
            ("an attribute's name", |a, text| a.attributes = vec![(text, "1".to_owned())]),
            ("an attribute", |a, text| a.attributes = vec![("a".to_owned(), text)]),
            ("id", |a, id| a.key = Some(SenderKey { sender: "vault".to_owned(), id })),
        ];
        for (field, set) in fields {
            for (text, good) in
                [("a\0", false), ("\u{fffe}b", false), ("ｗ\u{ffff}\u{fffd}\u{feff}\u{1}", true)]
            {
                let mut record = NewActivity::new("ann", "backup", "vault");
                set(&mut record, text.to_owned());
                let meant = if good { Ok(()) } else { Err(RecordError::NoText(field)) };
                assert_eq!(check(&record), meant, "{field}");
            }
        }
    }

    #[test]
    fn the_letters_of_ascii_that_look_like_one_of_ours_are_looked_at() {
        let own = looks(OWN_APP);
        for at in 0..OWN_APP.len() {
            for letter in '!'..='~' {
                let name = format!("{}{letter}{}", &OWN_APP[..at], &OWN_APP[at + 1..]);
                if looks(&name) == own || looks(&UserName::fold(&name)) == own {
                    assert!(is_own(&name), "{name}");
                }
            }
        }
    }

    #[test]
    fn a_record_is_told_what_is_wrong_with_it() {
        type Set = fn(&mut NewActivity, String);
        let good = NewActivity::new("ann", "backup", "vault");
        assert_eq!(check(&good), Ok(()));
        let with = |change: fn(&mut NewActivity)| {
            let mut record = good.clone();
            change(&mut record);
            check(&record)
        };
        assert_eq!(with(|a| a.user = " ".into()), Err(RecordError::Missing("user")));
        for own in [
            "Rollcall",
            " ROLLCALL\t",
            "ｒｏｌｌｃａｌｌ",
            "rollcall\u{200b}",
            "rollcall\u{1}",
            "roll\u{7f}call",
            "rоllсаll",
            "roIIcaIl",
            "ro11call",
        ] {
            assert!(is_own(own), "{own}");
        }
        for other in ["roll call", "rollcalls", "roll", "röllcall", "", "wiki"] {
            assert!(!is_own(other), "{other}");
        }
        assert_eq!(with(|a| a.app = "Rollcall".into()), Err(RecordError::Reserved));
        assert_eq!(with(|a| a.action = "x".repeat(1025)), Err(RecordError::Long("action", 1024)));
        let long = || "x".repeat(1025);
        let where_and_on_what: [(_, Set); 6] = [
            ("city", |a, text| a.place.city = Some(text)),
            ("region", |a, text| a.place.region = Some(text)),
            ("country", |a, text| a.place.country = Some(text)),
            ("device", |a, text| a.device.device = text),
            ("os", |a, text| a.device.os = text),
            ("browser", |a, text| a.device.browser = text),
        ];
        for (field, set) in where_and_on_what {
            let mut record = good.clone();
            set(&mut record, long());
            assert_eq!(check(&record), Err(RecordError::Long(field, 1024)));
            set(&mut record, long().split_off(1));
            assert_eq!(check(&record), Ok(()), "{field}");
        }
        assert_eq!(with(|a| a.time = "1969-12-31T23:59:59Z".parse().ok()), Err(RecordError::Time));
        assert_eq!(
            with(|a| a.attributes = vec![(String::new(), String::new()); 65]),
            Err(RecordError::Attributes)
        );
    }
}
