//! What the product does. It knows the store and the model, and nothing of how it is reached.
//!
//! Every changing call names who does it: an [`Actor`], which only authentication makes. What happens and the
//! activity that tells of it are written in one transaction.

pub mod accounts;
pub mod activity;
mod again;
pub mod agent;
pub mod answers;
pub mod apps;
pub mod care;
pub mod clock;
mod demand;
pub mod demo;
pub mod evidence;
pub mod export;
pub mod gate;
pub mod geo;
pub mod handover;
pub mod hooks;
pub mod ingest;
mod later;
pub mod live;
mod looks;
mod memo;
pub mod metrics;
pub mod passkeys;
pub mod password;
pub mod places;
pub mod random;
mod refusals;
pub mod retention;
pub mod returned;
mod searches;
mod second_factor;
mod server;
pub mod sessions;
mod setup;
pub mod sign_in;
pub mod streams;
pub mod tail;
mod throttle;
pub mod tokens;
pub mod turns;
mod waiting;

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64},
    },
    thread,
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use self::{
    accounts::People,
    clock::{Clock, Reading, Sure},
    demand::Demands,
    gate::AppTable,
    geo::Geo,
    handover::Handover,
    ingest::{Devices, Load},
    later::Later,
    live::LiveTable,
    looks::Looks,
    metrics::Metrics,
    password::Hasher,
    refusals::Refusals,
    retention::Outlook,
    searches::Searches,
    sessions::{Bonds, Limits, Singles},
    setup::Setup,
    sign_in::Half,
    tail::Tail,
    throttle::Throttle,
    tokens::TokenTable,
    turns::{Turns, Who},
    waiting::Waiting,
};
pub use crate::store::{Health, StoreError};
use crate::{
    model::{
        id::ActivityId,
        note::SigningKey,
        retention::Retention,
        secret::InstallationSecret,
        user::{Actor, ActorKind, Role},
    },
    store::{
        Credential, Horizons as _, OpenError, Pending, Sessions as _, Settings as _, Store, Tokens as _,
        Users as _, Write, index::Index,
    },
};

/// Everything there is, assembled once. A handle: cloning it is cheap.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What [`App`] is made of. The fields are for this floor alone.
struct Parts {
    store: Store,
    index: Index,
    geo: Geo,
    clock: Clock,
    sure: Sure,
    /// How long the clock had run when that was last kept.
    sure_kept: Mutex<Option<SignedDuration>>,
    limits: Limits,
    live: Arc<LiveTable>,
    /// What sessions are bound to, where they are bound to anything.
    bonds: Option<Bonds>,
    looks: Looks,
    refusals: Refusals,
    people: People,
    demands: Demands,
    tokens: TokenTable,
    hasher: Hasher,
    throttle: Throttle,
    halves: Waiting<Half>,
    making: Waiting<passkeys::Making>,
    showing: Waiting<passkeys::Showing>,
    apps: AppTable,
    later: Later,
    handovers: Waiting<Handover>,
    /// What retention would remove, shown to somebody who is to agree to it.
    agreements: Waiting<(Retention, Outlook)>,
    metrics: Metrics,
    /// What browsers' marks and second factors are sealed with.
    secret: InstallationSecret,
    /// What checkpoints are signed with.
    signing: Arc<SigningKey>,
    /// Where checkpoints were sent to.
    sent: Mutex<Vec<evidence::Sent>>,
    devices: Devices,
    searches: Searches,
    busiest: activity::Busiest,
    exports: Turns<Who>,
    streams: Turns<Option<Who>>,
    intakes: Turns<(String, Load)>,
    setup: Setup,
    singles: Singles,
    /// Held while the horizon moves.
    retaining: Mutex<()>,
    /// What the clock showed when it was last looked at.
    seen: Mutex<Option<Reading>>,
    tail: Tail,
    /// How often the store had found out late what came of a change, when that was last taken over.
    settled: AtomicU64,
    /// Whether the log was told that the disk is full.
    full: AtomicBool,
    /// Held while tokens are held against those who made them.
    holding: Mutex<()>,
    /// Rung when apps are to be told something.
    bell: Notify,
}

/// Why the application could not be assembled.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data file.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The index folder.
    #[error("the search index could not be opened: {0}")]
    Index(String),
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        Self::Store(error.into())
    }
}

impl App {
    /// Opens the data in `folder`.
    pub fn open(folder: &Path, geo: Option<&Path>, clock: Clock, limits: Limits) -> Result<Self, StartError> {
        let store = Store::open(folder, clock.now(), random::bytes)?;
        care::remove_leftovers(folder);
        Self::over(store, folder, geo, clock, limits)
    }

    /// The same over a store that is open. `folder` has what is derived from it.
    fn over(
        store: Store,
        folder: &Path,
        geo: Option<&Path>,
        clock: Clock,
        limits: Limits,
    ) -> Result<Self, StartError> {
        let index = Index::open(&folder.join("index"), Arc::new(store.log()))
            .map_err(|error| StartError::Index(error.to_string()))?;
        let places = folder.join("geo");
        // What is known of places is the least of it: nobody is to be kept out for want of it.
        let geo = Geo::open(&places, geo).unwrap_or_else(|error| Geo::unknowing(&places, &error));
        let snapshot = store.snapshot()?;
        index.forget(snapshot.horizon()?);
        let live = Arc::new(LiveTable::of(snapshot.live_sessions()?, clock.clone()));
        let bonds = Bonds::load(&store, &snapshot, clock.now(), limits.binding)?;
        let secret = match snapshot.installation_secret()? {
            Some(secret) => secret,
            None => make_secret(&store, clock.now())?,
        };
        let signing = Arc::new(evidence::signing_key(&store, clock.now())?);
        gate::load_passes(&live, &snapshot)?;
        let apps = AppTable::default();
        apps.refresh(&store)?;
        let people = People::load(&snapshot)?;
        let demands = Demands::load(&snapshot)?;
        let tokens = TokenTable::load(&snapshot)?;
        let setup = Setup::when_nobody(&snapshot, clock.read())?;
        // Nobody could have guessed at anything before there was an account.
        let throttle = Throttle::of(&live, (!snapshot.nobody()?).then(|| clock.now()));
        let kept: Vec<Credential> = snapshot.credentials()?.into_iter().map(|(_, kept)| kept).collect();
        let hasher = Hasher::new(limits.hash).beside(&kept);
        let metrics = Metrics::new(store.meter(), hasher.work());
        // One that cannot be read is named by whoever looks at the log; the clock is believed then.
        let newest = ActivityId(*store.log().watch().borrow());
        let newest = snapshot.activity(newest).ok().flatten().map(|newest| newest.received);
        let sure = Sure::of(clock.clone(), snapshot.setting_as(clock::KEPT)?, newest);
        let parts = Parts {
            store,
            index,
            geo,
            clock,
            sure,
            sure_kept: Mutex::default(),
            limits,
            live,
            bonds,
            looks: Looks::default(),
            refusals: Refusals::default(),
            people,
            demands,
            tokens,
            hasher,
            throttle,
            halves: Waiting::default(),
            making: Waiting::default(),
            showing: Waiting::default(),
            apps,
            later: Later::default(),
            handovers: handover::waiting(),
            agreements: Waiting::default(),
            metrics,
            secret,
            signing,
            sent: Mutex::default(),
            devices: Devices::default(),
            searches: Searches::default(),
            busiest: activity::Busiest::default(),
            exports: Turns::default(),
            streams: Turns::default(),
            intakes: Turns::default(),
            setup,
            singles: Singles::default(),
            retaining: Mutex::default(),
            seen: Mutex::default(),
            tail: Tail::default(),
            settled: AtomicU64::new(0),
            full: AtomicBool::new(false),
            holding: Mutex::default(),
            bell: Notify::new(),
        };
        let app = Self(Arc::new(parts));
        app.hold_tokens();
        Ok(app)
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Where addresses are.
    pub fn geo(&self) -> &Geo {
        &self.0.geo
    }

    /// The limits of every session.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// How far the index has come.
    pub fn index(&self) -> &Index {
        &self.0.index
    }

    /// Writes down what is only in memory and lets the index keep what it has read. The last call.
    pub async fn close(&self) {
        if let Err(error) = self.sweep().await {
            log::error!("last accesses could not be written down: {error}");
        }
        self.write_looks(true).await;
        self.write_refusals().await;
        if let Err(error) = self.keep_clock().await {
            log::error!("how sure the clock is could not be written down: {error}");
        }
        if let Err(error) = self.flush_tokens().await {
            log::error!("the last uses of tokens could not be written down: {error}");
        }
        self.0.index.stop();
    }

    /// Whether what is asked for can be written down.
    pub fn health(&self) -> Health {
        self.0.store.health()
    }

    /// Changes something in the name of `by`. Where `by` acts in a session, the session must still be live in
    /// the very transaction that writes, and opened by the same token: what was ended before is not acted in after. Nor is a program's
    /// token used after it was revoked. On a full disk what is left is for signing in and out, and for whoever can make room: others
    /// change nothing of theirs until there is some.
    fn change<T, E>(
        &self,
        by: &Actor,
        mut change: impl FnMut(&mut Write<'_>) -> Result<T, E> + Send + 'static,
    ) -> Pending<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + From<Gone> + Send + 'static,
    {
        let (session, token) = (by.session, by.token);
        let change = move |write: &mut Write<'_>| {
            let acts = match (session, token) {
                (None, None) => true,
                (None, Some(token)) => write.opens_a_token(token)?,
                (Some(session), Some(token)) => write.opens(token, session)?,
                (Some(session), None) => {
                    write.session(session)?.is_some_and(|session| session.ending.is_none())
                }
            };
            if acts { change(write) } else { Err(Gone.into()) }
        };
        let can_wait = session.is_some() && by.kind != ActorKind::User(Role::Admin);
        if can_wait {
            self.0.store.write_bulk(self.now(), change)
        } else {
            self.0.store.write(self.now(), change)
        }
    }
}

/// Makes the secret of a new installation.
fn make_secret(store: &Store, now: Timestamp) -> Result<InstallationSecret, StoreError> {
    let secret = InstallationSecret(random::bytes());
    let kept = secret.clone();
    settle(store.write(now, move |write| write.put_installation_secret(&kept)))?;
    Ok(secret)
}

/// Waits for what is written at the start: whoever opens the application may stand in a task, which must not wait for the
/// writer itself.
fn settle(written: Pending<(), StoreError>) -> Result<(), StoreError> {
    thread::scope(|scope| scope.spawn(|| written.wait()).join()).unwrap_or(Err(StoreError::Closed))
}

/// The session that somebody acted in ended before the act was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this session has ended; sign in again")]
pub struct Gone;
