//! One live session: what a check looks at, and beside it what is shown of it, in as little memory as will do.

use std::{
    mem,
    net::IpAddr,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, AtomicI32, AtomicI64, Ordering},
    },
};

use jiff::{SignedDuration, Timestamp};

use super::shared::Shared;
use crate::{
    domain::{answers::Answers, clock::Reading},
    model::{
        device::{Agent, Device},
        id::SessionId,
        place::Place,
        secret::TokenHash,
        session::Session,
        user::UserName,
    },
};

/// One live session. Times are kept in milliseconds since 1970, which is what the clock counts in.
#[derive(Debug)]
pub struct Live {
    /// Its public name.
    pub id: SessionId,
    /// Who is signed in.
    pub user: UserName,
    /// What opens it. One that is opened by another token is another of these.
    pub token: TokenHash,
    expires: i64,
    /// How long the clock will have run by then, in [`seconds`].
    runs_out: i32,
    last_access: AtomicI64,
    last_run: AtomicI32,
    /// Whether the last access is still to be written down.
    used: AtomicBool,
    /// When its user last showed a secret in it. Not on disk: after a restart it is the start.
    proven: AtomicI64,
    proven_run: AtomicI32,
    refused: AtomicBool,
    /// Whether it was refused because another token opens the session, which goes on.
    renewed: AtomicBool,
    answers: Answers,
    known: RwLock<Known>,
}

/// When something was last done: what the clock showed, and how long it had run.
struct Instant<'a> {
    shown: &'a AtomicI64,
    run: &'a AtomicI32,
}

impl Instant<'_> {
    /// It is done again. What is shown of it never goes back.
    fn again(&self, at: Reading) {
        self.shown.fetch_max(at.shown.as_millisecond(), Ordering::Relaxed);
        self.run.fetch_max(seconds(at.run), Ordering::Relaxed);
    }

    /// It is done again, whatever was known of it: the clock may have gone back since.
    fn set(&self, at: Reading) {
        self.shown.store(at.shown.as_millisecond(), Ordering::Relaxed);
        self.run.store(seconds(at.run), Ordering::Relaxed);
    }

    fn shown(&self) -> Timestamp {
        time(self.shown.load(Ordering::Relaxed))
    }

    /// How long ago it was at `at`, by the clock or by how long that has run: whichever is more.
    fn ago(&self, at: Reading) -> SignedDuration {
        let run = SignedDuration::from_secs(self.run.load(Ordering::Relaxed).into());
        at.shown.duration_since(self.shown()).max(at.run.saturating_sub(run))
    }
}

/// How long a clock had run when something was done of which only stands on disk what it showed: so much less than now as it shows
/// more now, or as long as now if that is yet to come.
fn run_by(shown: Timestamp, at: Reading) -> AtomicI32 {
    let ago = at.shown.duration_since(shown).max(SignedDuration::ZERO);
    seconds(at.run.saturating_sub(ago)).into()
}

/// What is kept of how long a clock has run: whole seconds, the one that has begun among them. Four bytes of them are 68 years.
fn seconds(run: SignedDuration) -> i32 {
    let more = i64::from(run.subsec_nanos() > 0);
    let whole = run.as_secs().saturating_add(more);
    i32::try_from(whole).unwrap_or(if whole < 0 { i32::MIN } else { i32::MAX })
}

impl AsRef<Answers> for Live {
    fn as_ref(&self) -> &Answers {
        &self.answers
    }
}

/// What may change, or is only shown.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// What opens apps in its name: few, or none.
    pub(super) passes: Vec<TokenHash>,
    registered_by: Option<Box<str>>,
    ip: Option<IpAddr>,
    place: Arc<Place>,
    device: Arc<Device>,
    agent: Arc<Agent>,
    /// Whether the client has said what it is since it is known here: before, `agent` is what stood on disk.
    heard: bool,
    started: i64,
    apps: Box<[Box<str>]>,
    mfa: bool,
    changed: bool,
}

impl Known {
    /// All that the client has said of itself, if it says something new. Browsers do not send every hint with every request: while
    /// the user agent stays the same, what was said stands.
    fn news(&self, agent: &Agent) -> Option<Agent> {
        if self.agent.user_agent != agent.user_agent || !self.heard {
            return Some(agent.clone());
        }
        (!agent.adds_nothing_to(&self.agent)).then(|| agent.or(&self.agent))
    }
}

/// What sessions have in common.
pub(super) struct Common {
    places: Shared<Place>,
    devices: Shared<Device>,
    agents: Shared<Agent>,
}

impl Common {
    pub(super) fn new() -> Self {
        Self { places: Shared::new(), devices: Shared::new(), agents: Shared::new() }
    }
}

/// What the sweep has to write of one session.
#[derive(Clone, Debug)]
pub enum Unflushed {
    /// It was used.
    Access(SessionId, Timestamp),
    /// Its address, device or apps have changed as well.
    All(Box<Session>),
}

fn time(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

impl Live {
    pub(super) fn new(token: TokenHash, session: Session, common: &Common, at: Reading) -> Self {
        // One that was used only in the future was so before the clock went back: what it had left then it has left now, and no more.
        let left = session.expires.duration_since(at.shown.max(session.last_access));
        let started = session.started.as_millisecond();
        let agent = Agent { user_agent: session.user_agent, ..Agent::default() };
        Self {
            id: session.id,
            user: session.user,
            token,
            expires: session.expires.as_millisecond(),
            runs_out: seconds(at.run.saturating_add(left)),
            last_access: session.last_access.as_millisecond().into(),
            last_run: run_by(session.last_access, at),
            used: false.into(),
            proven: started.into(),
            proven_run: run_by(session.started, at),
            refused: AtomicBool::new(false),
            renewed: AtomicBool::new(false),
            answers: Answers::default(),
            known: RwLock::new(Known {
                passes: Vec::new(),
                registered_by: session.registered_by.map(Into::into),
                ip: session.ip,
                place: common.places.of(session.place),
                device: common.devices.of(session.device),
                agent: common.agents.of(agent),
                heard: false,
                started,
                apps: session.apps.into_iter().map(Into::into).collect(),
                mfa: session.mfa,
                changed: false,
            }),
        }
    }

    /// The same session, as another token opens it from now on. This one is refused, and with it whatever the old token had
    /// opened.
    pub(super) fn with_token(&self, token: TokenHash) -> Self {
        self.renewed.store(true, Ordering::SeqCst);
        self.refuse();
        let copy = |time: &AtomicI64| time.load(Ordering::Relaxed).into();
        let copy_run = |run: &AtomicI32| run.load(Ordering::Relaxed).into();
        Self {
            id: self.id,
            user: self.user.clone(),
            token,
            expires: self.expires,
            runs_out: self.runs_out,
            last_access: copy(&self.last_access),
            last_run: copy_run(&self.last_run),
            // What was on its way to disk may not come there, and who hears of that holds the old one: it is written once more.
            used: true.into(),
            proven: copy(&self.proven),
            proven_run: copy_run(&self.proven_run),
            refused: AtomicBool::new(false),
            renewed: AtomicBool::new(false),
            answers: Answers::default(),
            known: RwLock::new(Known { passes: Vec::new(), changed: true, ..self.known().clone() }),
        }
    }

    pub(super) fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn known_mut(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// When it ends whatever is done in it.
    pub fn expires(&self) -> Timestamp {
        time(self.expires)
    }

    /// When its user signed in.
    pub fn started(&self) -> Timestamp {
        time(self.known().started)
    }

    /// When it was last used.
    pub fn last_access(&self) -> Timestamp {
        self.last_used().shown()
    }

    fn last_used(&self) -> Instant<'_> {
        Instant { shown: &self.last_access, run: &self.last_run }
    }

    fn last_proven(&self) -> Instant<'_> {
        Instant { shown: &self.proven, run: &self.proven_run }
    }

    /// How long it has not been used at `at`, by the clock or by how long that has run: whichever is more.
    pub fn unused(&self, at: Reading) -> SignedDuration {
        self.last_used().ago(at)
    }

    /// Whether it has lasted as long as it may at `at`, by the clock or by how long that has run.
    pub fn has_run_out(&self, at: Reading) -> bool {
        self.expires() <= at.shown || SignedDuration::from_secs(self.runs_out.into()) <= at.run
    }

    /// How long ago its user last showed a secret in it. None if that was before the clock went back: it shows an earlier time.
    pub fn proven(&self, at: Reading) -> Option<SignedDuration> {
        let proven = self.last_proven();
        (proven.shown() <= at.shown).then(|| proven.ago(at))
    }

    /// Says that its user shows a secret.
    pub fn prove(&self, at: Reading) {
        self.last_proven().set(at);
    }

    /// Whether it has been refused since it was looked up.
    pub fn refused(&self) -> bool {
        // In one order with the answers that are counted: see `Answers::begin`.
        self.refused.load(Ordering::SeqCst)
    }

    /// Whether another token opens the session since this was looked up.
    pub fn renewed(&self) -> bool {
        self.renewed.load(Ordering::SeqCst)
    }

    pub(super) fn refuse(&self) {
        self.refused.store(true, Ordering::SeqCst);
    }

    /// Whether Rollcall signed its user in, and no app.
    pub fn is_own(&self) -> bool {
        self.known().registered_by.is_none()
    }

    /// Whether a second factor was given for it.
    pub fn second_factor(&self) -> bool {
        self.known().mfa
    }

    /// The address it was last used from.
    pub fn ip(&self) -> Option<IpAddr> {
        self.known().ip
    }

    /// Whether its client called itself so when it was last used.
    pub fn calls_itself(&self, user_agent: &str) -> bool {
        self.known().agent.user_agent == user_agent
    }

    /// The app that was opened first in it; the one that registered it, where one did.
    pub fn first_app(&self) -> Option<String> {
        self.known().apps.first().map(ToString::to_string)
    }

    /// The apps that were opened in it, in the order of their first use.
    pub fn apps(&self) -> Vec<String> {
        self.known().apps.iter().map(ToString::to_string).collect()
    }

    /// Whether this app was opened in it.
    pub fn has_opened(&self, app: &str) -> bool {
        self.known().apps.iter().any(|known| **known == *app)
    }

    /// All that is known of it now.
    pub fn session(&self) -> Session {
        self.session_of(&self.known())
    }

    fn session_of(&self, known: &Known) -> Session {
        Session {
            id: self.id,
            user: self.user.clone(),
            registered_by: known.registered_by.as_deref().map(Into::into),
            ip: known.ip,
            place: Place::clone(&known.place),
            device: Device::clone(&known.device),
            user_agent: known.agent.user_agent.clone(),
            started: time(known.started),
            last_access: self.last_access(),
            expires: self.expires(),
            apps: known.apps.iter().map(ToString::to_string).collect(),
            mfa: known.mfa,
            ending: None,
        }
    }

    /// Says that it is used.
    pub fn touch(&self, at: Reading) {
        self.last_used().again(at);
        self.used.store(true, Ordering::Release);
    }

    /// The address that it is used from, if that is another one, and all that the client has said of itself, if it says
    /// something new.
    pub fn news(&self, ip: Option<IpAddr>, agent: Option<&Agent>) -> (Option<IpAddr>, Option<Agent>) {
        let known = self.known();
        (ip.filter(|ip| known.ip != Some(*ip)), agent.and_then(|agent| known.news(agent)))
    }

    pub(super) fn renew(&self, agent: Agent, device: Device, common: &Common) {
        let mut known = self.known_mut();
        if *known.device != device || known.agent.user_agent != agent.user_agent {
            known.device = common.devices.of(device);
            known.changed = true;
        }
        known.agent = common.agents.of(agent);
        known.heard = true;
    }

    pub(super) fn moves(&self, ip: IpAddr, place: Place, common: &Common) {
        let mut known = self.known_mut();
        known.ip = Some(ip);
        known.place = common.places.of(place);
        known.changed = true;
    }

    /// Says that an app is opened in it; whether that is the first time. The sweep writes it down.
    pub fn opens(&self, app: &str) -> bool {
        let mut known = self.known_mut();
        if known.apps.iter().any(|known| **known == *app) {
            return false;
        }
        let apps = mem::take(&mut known.apps);
        known.apps = apps.into_iter().chain([app.into()]).collect();
        known.changed = true;
        true
    }

    /// Takes back that an app was opened in it.
    pub fn takes_back(&self, app: &str) {
        let mut known = self.known_mut();
        let apps = mem::take(&mut known.apps);
        known.apps = apps.into_iter().filter(|known| **known != *app).collect();
        known.changed = true;
    }

    /// Says that what [`Live::unflushed`] gave out did not reach the disk.
    pub fn unflush(&self) {
        self.used.store(true, Ordering::Relaxed);
        self.known_mut().changed = true;
    }

    /// What must be written down of it: nothing, its last access alone, or all of it.
    pub fn unflushed(&self) -> Option<Unflushed> {
        let mut known = self.known_mut();
        // In this order: who uses it meanwhile is written down now or the next time.
        let used = self.used.swap(false, Ordering::AcqRel);
        if mem::take(&mut known.changed) {
            return Some(Unflushed::All(Box::new(self.session_of(&known))));
        }
        used.then(|| Unflushed::Access(self.id, self.last_access()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_of_before_a_restart_lives_no_longer_because_the_clock_went_back_meanwhile() {
        let hours = SignedDuration::from_hours;
        let started: Timestamp = "2026-03-15T12:00:00Z".parse().unwrap();
        let session = Session {
            id: SessionId::from_bytes([7; 16]),
            user: "mia".parse().unwrap(),
            registered_by: None,
            ip: None,
            place: Place::default(),
            device: Device::default(),
            user_agent: String::new(),
            started,
            last_access: started + hours(2),
            expires: started + hours(24),
            apps: Vec::new(),
            mfa: false,
            ending: None,
        };
        // What the clock shows at the start, what is left of the session's life, and how long ago it was used.
        let cases = [(5, 19, 3), (1, 22, 0), (-10, 22, 0), (-50_000, 22, 0), (30, 0, 28)];
        for (shows, left, unused) in cases {
            let at = Reading { shown: started + hours(shows), run: hours(1) };
            let live = Live::new(TokenHash([7; 32]), session.clone(), &Common::new(), at);
            let later = |by| Reading { shown: at.shown, run: at.run + by };
            assert_eq!(live.unused(at), hours(unused), "at {shows} h");
            assert_eq!(live.unused(later(hours(1))), hours(unused + 1), "at {shows} h, by the run alone");
            assert!(live.has_run_out(later(hours(left))), "at {shows} h");
            let before = later(hours(left) - SignedDuration::from_millis(1));
            assert!(live.has_run_out(before) == (left == 0), "at {shows} h");
        }
    }

    #[test]
    fn a_session_fits_into_256_bytes_beyond_what_it_shares_and_its_texts() {
        // The counts of the Arc in front of it.
        let counts = 2 * size_of::<usize>();
        assert!(size_of::<Live>() + counts <= 256, "{}", size_of::<Live>() + counts);
    }
}
