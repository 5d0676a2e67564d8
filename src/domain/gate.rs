//! The gate before the apps of the organisation: may this request pass?
//!
//! A proxy asks for every single request, and every time the live table is asked anew: nothing here remembers that somebody
//! was let through. What is not clearly allowed is denied.
//!
//! A browser proves its session to the gate by Rollcall's own cookie, or by a *pass*: a token of the same session that opens
//! apps and nothing else, so that an app that reads it gets hold of no session here. A pass is good for one host, or for a
//! domain that holds several. On Rollcall's own host, whatever the port, browsers send the session's cookie itself: the
//! configurations of proxies in the manual take both away before an app sees them.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
};

use super::{
    App as Rollcall, Gone,
    live::{Live, LiveTable},
    random,
    sessions::{SessionError, fill_session},
};
use crate::{
    model::{
        activity::{NewActivity, OWN_APP, action},
        app::{App, called},
        device::Agent,
        secret::{Kind, Token},
        site::{Realm, Site},
        user::User,
    },
    store::{Apps as _, Passes as _, Read, Sessions as _, Store, StoreError},
};

/// Every app by where it is: a check must not ask the disk.
#[derive(Default)]
pub(super) struct AppTable(RwLock<HashMap<Site, Arc<App>>>);

impl AppTable {
    fn at(&self, site: &Site) -> Option<Arc<App>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(site).cloned()
    }

    /// The app of this name.
    pub(super) fn called(&self, name: &str) -> Option<App> {
        let apps = self.0.read().unwrap_or_else(PoisonError::into_inner);
        called(apps.values().map(|app| &**app), name).cloned()
    }

    /// Takes over what is on disk.
    pub(super) fn refresh(&self, store: &Store) -> Result<(), StoreError> {
        // The lock is held over the look: whoever looks last has seen everything.
        let mut apps = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *apps = store.read(by_site)?;
        Ok(())
    }
}

fn by_site(store: &Read) -> Result<HashMap<Site, Arc<App>>, StoreError> {
    // An address that is none any more keeps nobody from starting; nothing is found at it.
    let sited = |app: App| Some((app.url.parse().ok()?, Arc::new(app)));
    Ok(store.apps()?.into_iter().filter_map(sited).collect())
}

/// Takes over the passes of the sessions that are live.
pub(super) fn load_passes(live: &LiveTable, store: &Read) -> Result<(), StoreError> {
    for (id, hash, realm) in store.passes()? {
        if let Some(live_session) = live.by_id(id) {
            live.add_pass(&live_session, hash, realm, &[]);
        }
    }
    Ok(())
}

/// What becomes of a request on its way to an app.
#[derive(Clone, Debug)]
pub enum Decision {
    /// It may pass, as this user's in this session.
    Pass {
        /// Where to.
        app: Arc<App>,
        /// Whose it is.
        user: Arc<User>,
        /// In which session.
        live: Arc<Live>,
    },
    /// Nobody is signed in, or somebody who owes a second factor.
    SignIn(Arc<App>),
    /// Somebody is, who may not open this app.
    Forbidden(Arc<App>, Arc<User>, Arc<Live>),
    /// No app is registered there.
    NoApp,
}

impl Rollcall {
    /// The app at a site.
    pub fn app_at(&self, site: &Site) -> Option<Arc<App>> {
        self.0.apps.at(site)
    }

    /// Whether whoever is in the session `live` may open what is at `site`.
    pub fn decide(&self, live: Option<Arc<Live>>, site: &Site) -> Decision {
        let Some(app) = self.app_at(site) else { return Decision::NoApp };
        let in_it = live.and_then(|live| Some((self.user(&live.user).filter(|user| !user.disabled)?, live)));
        match in_it {
            None => Decision::SignIn(app),
            // The sign-in leads them on to setting up their second factor.
            Some((_, live)) if self.owes_factor(&live) => Decision::SignIn(app),
            Some((user, live)) if may_open(&user, &app) => Decision::Pass { app, user, live },
            Some((user, live)) => Decision::Forbidden(app, user, live),
        }
    }

    /// Decides on a request from `ip` that a proxy asks about. What passes is a use of the session, and its first in this app is an
    /// activity. The session may have ended since it was looked up: the door looks once more before it tells anybody.
    pub async fn admit_to(
        &self,
        live: Option<Arc<Live>>,
        site: &Site,
        ip: Option<IpAddr>,
        agent: &Agent,
    ) -> Result<Decision, SessionError> {
        let decision = self.decide(live, site);
        self.0.metrics.decided(&decision);
        if let Decision::Forbidden(app, user, live) = &decision {
            self.note_closed(app, user, live, ip);
        }
        if let Decision::Pass { app, live, .. } = &decision {
            self.touch(live, ip, Some(agent));
            if !live.has_opened(&app.name) {
                match self.open_app(live, app).await {
                    // It ended while it was written down.
                    Err(SessionError::Gone(_)) => return Ok(Decision::SignIn(Arc::clone(app))),
                    opened => opened?,
                }
            }
        }
        Ok(decision)
    }

    /// Writes down that an app was opened in a session for the first time. Where nothing can be written that is told later: whoever may
    /// pass is not kept out by what others do to the disk.
    async fn open_app(&self, live: &Live, app: &App) -> Result<(), SessionError> {
        // Of several requests that come at once, one tells of it.
        if !live.opens(&app.name) {
            return Ok(());
        }
        let (session, token) = (live.session(), live.token);
        let mut told = NewActivity::new(session.user.as_str(), action::APP_OPENED, OWN_APP);
        told.session = Some(session.id.to_string());
        fill_session(&mut told, &session);
        let told = told.to(&app.name).saying(&app.url);
        let (now, later) = (self.now(), told.clone());
        let opened = self.0.store.write(now, move |write| {
            // The apps stand in the session on disk, which is told to them when it ends.
            if !write.opens(token, session.id)? || !write.update_session(&session)? {
                return Err(Gone.into());
            }
            write.append(&told)?;
            Ok::<_, SessionError>(())
        });
        match opened.done().await {
            // Where nobody knows whether it was kept it may be told twice, which is better than not at all.
            Err(SessionError::Store(error)) if error.may_pass() => {
                if !self.0.later.keep(vec![later], now) {
                    live.takes_back(&app.name);
                }
                Ok(())
            }
            Err(error) => {
                live.takes_back(&app.name);
                Err(error)
            }
            Ok(()) => Ok(()),
        }
    }

    /// The live session that a pass belongs to, if the pass is good for `site`.
    pub fn check_pass(&self, pass: &Token, site: &Site) -> Option<Arc<Live>> {
        let (live, realm) = self.0.live.by_pass(pass.hash())?;
        (realm.holds(site) && self.due(&live, self.0.clock.read()).is_none()).then_some(live)
    }

    /// A new pass of a live session.
    pub async fn make_pass(&self, live: &Arc<Live>, realm: Realm) -> Result<Token, SessionError> {
        let token = random::token(Kind::Pass);
        let (id, opens, hash, kept) = (live.id, live.token, token.hash(), realm.clone());
        let written = self.0.store.write(self.now(), move |write| {
            write.put_pass(id, opens, hash, &kept)?.ok_or_else(|| SessionError::from(Gone))
        });
        let gone = written.done().await?;
        if !self.0.live.add_pass(live, hash, realm, &gone) {
            return Err(Gone.into());
        }
        Ok(token)
    }
}

/// Whether a user may open an app: everybody where it names no groups.
fn may_open(user: &User, app: &App) -> bool {
    app.groups.is_empty() || app.groups.iter().any(|group| user.groups.contains(group))
}
