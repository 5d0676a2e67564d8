//! What is done about live sessions every few seconds: what was used is written down, and what is due ends.

use std::sync::{Arc, PoisonError, atomic::Ordering};

use jiff::{SignedDuration, Timestamp};

use super::SessionError;
use crate::{
    domain::{
        App,
        clock::KEPT,
        live::{Event, Live, Unflushed},
    },
    model::{activity::action, session::EndedBy, user::Actor},
    store::{Sessions, StoreError, Users},
};

/// How often it is kept how sure the clock is.
const KEEP: SignedDuration = SignedDuration::from_hours(1);

/// By how much a clock is put right without anybody being told.
const JUMP: SignedDuration = SignedDuration::from_mins(5);

impl App {
    /// Writes last accesses down, ends what is due, finishes the ends that could not be written, and lets go of what is not needed. To be
    /// called every [`SWEEP`](super::SWEEP), and once at the end.
    pub async fn sweep(&self) -> Result<(), SessionError> {
        let taken_over = self.take_over();
        self.0.hasher.rest();
        let now = self.0.clock.read();
        let mut due = Vec::new();
        let mut used = Vec::new();
        for live in self.0.live.all() {
            match self.due(&live, now) {
                Some(ending) => due.push((live.id, ending)),
                None => used.extend(live.unflushed().map(|change| (live, change))),
            }
        }
        self.tell_of_the_late().await;
        // Before the session says where it was last, which may be elsewhere than where it is bound to.
        let kept = self.keep_bonds().await;
        let flushed = self.flush(now.shown, used).await;
        let late = "was refused, and its end could not be written down at the time";
        let late = self.ending(EndedBy::Policy, None, late);
        due.extend(self.0.live.ending().iter().map(|live| (live.id, late.clone())));
        self.end(&Actor::system(), due).await?;
        self.finish_revocations().await?;
        self.write_looks(false).await;
        self.write_refusals().await;
        self.tell_of_brakes().await;
        self.tell_of_a_jump().await?;
        self.tell_of_the_disk().await?;
        self.keep_clock_now_and_then().await;
        taken_over?;
        kept?;
        flushed
    }

    /// Takes over into memory what came of changes of which nobody knew when they were answered, once that was found out.
    fn take_over(&self) -> Result<(), StoreError> {
        let settled = self.0.store.settled();
        if self.0.settled.load(Ordering::SeqCst) == settled {
            return Ok(());
        }
        // What has ended is refused before anything else.
        let known: Vec<_> = self.0.live.all().into_iter().chain(self.0.live.ending()).collect();
        let ended = self.0.store.read(|read| {
            let mut ended = Vec::new();
            for live in known {
                ended.extend(read.session(live.id)?.filter(|session| session.ending.is_some()).map(Arc::new));
            }
            Ok::<_, StoreError>(ended)
        })?;
        // Nobody is told of these by an answer.
        let _ = self.ended(&ended);
        self.0.live.refresh(|| self.0.store.read(Sessions::live_sessions))?;
        self.0.people.refresh_all(&self.0.store)?;
        self.0.tokens.refresh(&self.0.store)?;
        self.hold_tokens();
        self.0.apps.refresh(&self.0.store)?;
        if !self.0.store.read(Users::nobody)? {
            self.close_setup();
        }
        self.take_over_horizon()?;
        self.0.settled.store(settled, Ordering::SeqCst);
        Ok(())
    }

    /// Tells the log where the clock shows much more or less than has passed since it was last looked at: somebody set it, or
    /// the machine slept. Whoever reads the log later wonders about its times.
    async fn tell_of_a_jump(&self) -> Result<(), SessionError> {
        let at = self.0.clock.read();
        let before = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner).replace(at);
        let Some(before) = before else { return Ok(()) };
        let (shown, passed) = (at.shown.duration_since(before.shown), at.run - before.run);
        let jump = shown - passed;
        if jump.abs() < JUMP {
            return Ok(());
        }
        let way = if jump.is_positive() { "ahead" } else { "back" };
        let said = format!(
            "the clock went {way} by {} s, from {:.3} to {:.3}",
            jump.abs().as_secs(),
            before.shown,
            at.shown
        );
        let told = self.did(&Actor::system(), action::CLOCK_JUMPED).saying(said);
        log::warn!("{}", told.detail);
        let written = self.0.store.write(at.shown, move |write| {
            write.append(&told)?;
            Ok::<_, SessionError>(())
        });
        written.done().await
    }

    /// Keeps what the next start has to know of the clock: at once, or as soon as it can be written, and then every [`KEEP`].
    async fn keep_clock_now_and_then(&self) {
        let (run, last) =
            (self.0.clock.run(), || self.0.sure_kept.lock().unwrap_or_else(PoisonError::into_inner));
        let due = last().is_none_or(|last| run - last >= KEEP);
        if due && self.keep_clock().await.is_ok() {
            *last() = Some(run);
        }
    }

    /// Keeps what the next start has to know of the clock.
    pub(in crate::domain) async fn keep_clock(&self) -> Result<(), StoreError> {
        let kept = self.0.sure.kept().to_string();
        let written = self.0.store.write_bulk(self.now(), move |write| write.put_setting(KEPT, &kept));
        written.done().await
    }

    /// Writes down what has changed of sessions that were used.
    async fn flush(&self, now: Timestamp, used: Vec<(Arc<Live>, Unflushed)>) -> Result<(), SessionError> {
        if used.is_empty() {
            return Ok(());
        }
        let changes: Vec<Unflushed> = used.iter().map(|(_, change)| change.clone()).collect();
        let written = self.0.store.write(now, move |write| {
            for change in &changes {
                match change {
                    Unflushed::Access(id, at) => write.touch_session(*id, *at)?,
                    Unflushed::All(session) => drop(write.update_session(session)?),
                }
            }
            Ok::<_, SessionError>(())
        });
        let written = written.done().await;
        for (live, _) in used {
            if written.is_err() {
                live.unflush();
            }
            self.0.live.tell(Event::Session(live));
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc};

    use tempfile::TempDir;

    use super::*;
    use crate::{
        domain::{
            Health,
            clock::Clock,
            gate::Decision,
            random,
            sessions::{Limits, Origin, Registration},
            tokens::TokenError,
        },
        model::{
            app::{App as Plugged, HeaderFamily},
            device::Agent,
            id::{ActivityId, SessionId},
            secret::Token,
            session::Scope,
            token::TokenScope,
            user::{Role, User, UserName},
        },
        store::{
            Apps as _, Store, Tokens as _,
            index::Source as _,
            tests::{faults::Faulty, over},
        },
    };

    /// Everything over a file that fails as it is told, with a user, a session and a token.
    struct House {
        app: App,
        faulty: Arc<Faulty>,
        session: SessionId,
        token: Token,
        _folder: TempDir,
    }

    fn ann() -> UserName {
        "ann".parse().unwrap()
    }

    fn registration() -> Registration {
        let origin = Origin::default();
        Registration { user: ann(), app: "wiki".into(), token: "wiki".into(), origin, ttl: None }
    }

    impl House {
        async fn open() -> Self {
            let (folder, faulty) = (TempDir::new().unwrap(), Faulty::new());
            let clock = Clock::fixed("2026-03-15T12:00:00Z".parse().unwrap());
            let store: Store = over(faulty.clone(), clock.now(), random::bytes).unwrap();
            let app = App::over(store, folder.path(), None, clock, Limits::default()).unwrap();
            let user = User {
                name: ann(),
                role: Role::Member,
                full_name: String::new(),
                email: String::new(),
                groups: Vec::new(),
                disabled: false,
                created: app.now(),
                last_sign_in: None,
            };
            app.0.store.write(app.now(), move |write| write.put_user(&user)).done().await.unwrap();
            app.refresh_user(&ann()).unwrap();
            let (session, _) = app.register_session(&Actor::console(), registration()).await.unwrap();
            let scopes = vec![TokenScope::ActivityWrite];
            let (_, token) = app.add_token(&Actor::console(), "ship", scopes, None, None).await.unwrap();
            Self { app, faulty, session: session.id, token, _folder: folder }
        }

        /// The file takes writes again, and the sweep comes by.
        async fn mend(&self) {
            self.faulty.mend();
            while self.app.health() != Health::Good {
                tokio::task::yield_now().await;
            }
            // What is in doubt is looked at before anything else is written.
            self.app.0.store.write(self.app.now(), |_| Ok::<_, StoreError>(())).done().await.unwrap();
            self.app.sweep().await.unwrap();
        }

        /// What is in memory is what is on disk.
        fn agrees(&self, what: &str) {
            let app = &self.app;
            let read = app.0.store.snapshot().unwrap();
            let on_disk = |ids: Vec<SessionId>| {
                let mut ids = ids;
                ids.sort_unstable();
                ids
            };
            let live = on_disk(app.0.live.all().iter().map(|live| live.id).collect());
            let kept = on_disk(read.live_sessions().unwrap().into_iter().map(|(_, s)| s.id).collect());
            assert_eq!(live, kept, "{what}: the live sessions");
            assert!(app.0.live.ending().is_empty(), "{what}: a session is on its way to its end");
            let kept: Vec<_> = read.tokens().unwrap().into_iter().map(|(_, token)| token.name).collect();
            let names: Vec<_> = app.tokens().into_iter().map(|token| token.name).collect();
            assert_eq!(names, kept, "{what}: the tokens");
            let users: Vec<User> = app.users().iter().map(|user| User::clone(user)).collect();
            assert_eq!(users, read.users().unwrap(), "{what}: the people");
            for plugged in read.apps().unwrap() {
                let there = app.app_at(&plugged.url.parse().unwrap());
                assert_eq!(there.as_deref(), Some(&plugged), "{what}: the apps");
            }
        }
    }

    /// Does something of which memory holds a part too. Whether it was done; none where nobody knows.
    async fn attempt(house: &House, deed: &str) -> Option<bool> {
        let (app, by) = (&house.app, Actor::console());
        let known = |error: &StoreError| !matches!(error, StoreError::Unknown);
        let of_session = |error: SessionError| match error {
            SessionError::Store(error) => known(&error),
            other => panic!("{other}"),
        };
        let of_token = |error: TokenError| match error {
            TokenError::Store(error) => known(&error),
            other => panic!("{other}"),
        };
        let outcome = match deed {
            "logout" => {
                let ending = app.ending(EndedBy::Admin, Some(&by), "");
                app.end(&by, [(house.session, ending)]).await.map(drop).map_err(of_session)
            }
            "sign-in" => app.register_session(&by, registration()).await.map(drop).map_err(of_session),
            "revoke" => app.revoke_token(&by, "ship").await.map_err(of_token),
            "grant" => app
                .add_token(&by, "other", vec![TokenScope::ActivityRead], None, None)
                .await
                .map(drop)
                .map_err(of_token),
            "disable" => app.set_disabled(&by, &ann(), true).await.map_err(|error| match error {
                crate::domain::accounts::AccountError::Store(error) => known(&error),
                other => panic!("{other}"),
            }),
            "plug in" => {
                let plugged = Plugged {
                    name: "wiki".into(),
                    url: "https://wiki.example".into(),
                    groups: Vec::new(),
                    headers: HeaderFamily::Remote,
                    created: app.now(),
                };
                app.add_app(&by, plugged).await.map(drop).map_err(|error| match error {
                    crate::domain::apps::AppError::Store(error) => known(&error),
                    other => panic!("{other}"),
                })
            }
            other => panic!("{other}"),
        };
        match outcome {
            Ok(()) => Some(true),
            Err(true) => Some(false),
            Err(false) => None,
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_reaches_the_disk_after_its_answer_reaches_memory_too() {
        for deed in ["logout", "sign-in", "revoke", "grant", "disable", "plug in"] {
            let house = House::open().await;
            assert_eq!(attempt(&house, deed).await, Some(true));
            house.mend().await;
            house.agrees(deed);
            // Behind the first head of the commit nothing has reached the disk for good; behind the second all of it has.
            for heads in [1, 2] {
                let house = House::open().await;
                let app = &house.app;
                house.faulty.fail_behind_heads(heads);
                let done = attempt(&house, deed).await;
                let what = format!("{deed}, failing behind head {heads}");
                assert_eq!(done, None, "{what}: nobody knows");
                // What was to go is refused meanwhile.
                assert_eq!(app.api_token(&house.token).is_none(), deed == "revoke", "{what}: a token");
                assert_eq!(app.live(house.session).is_none(), deed == "logout", "{what}: a session");
                house.mend().await;
                house.agrees(&what);
                // And has gone then, whether it was written or not.
                assert_eq!(app.api_token(&house.token).is_none(), deed == "revoke", "{what}: a token");
                let lives = app.live(house.session).is_some();
                assert!(lives != (deed == "logout") || deed == "disable", "{what}: a session");
                let stays = |expected: bool| assert_eq!(expected, heads == 2, "{what}: it was kept");
                match deed {
                    "disable" => {
                        stays(!lives);
                        stays(app.user(&ann()).unwrap().disabled);
                    }
                    "grant" => stays(app.tokens().len() == 2),
                    "plug in" => stays(app.app_at(&"https://wiki.example".parse().unwrap()).is_some()),
                    // Nobody has been given what would open it.
                    "sign-in" => assert_eq!(app.live_sessions(&Scope::All, None).len(), 1, "{what}"),
                    _ => {}
                }
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_app_that_is_opened_while_nothing_can_be_written_is_open_and_told_of_once_it_can() {
        for how in [io::ErrorKind::StorageFull, io::ErrorKind::Other] {
            let house = House::open().await;
            let app = &house.app;
            let (url, site) = ("https://vault.example".to_owned(), "https://vault.example".parse().unwrap());
            let (created, headers) = (app.now(), HeaderFamily::Remote);
            let vault = Plugged { name: "vault".into(), url, groups: Vec::new(), headers, created };
            app.add_app(&Actor::console(), vault).await.unwrap();
            let live = app.live(house.session).unwrap();
            house.faulty.fail_now(how);
            for _ in 0..3 {
                let decision = app.admit_to(Some(Arc::clone(&live)), &site, None, &Agent::default()).await;
                assert!(matches!(decision, Ok(Decision::Pass { .. })), "{how:?}: {decision:?}");
            }
            // It comes by meanwhile, too.
            assert!(app.sweep().await.is_err(), "{how:?}");
            house.mend().await;
            let log = app.log().read(ActivityId(0), 100).unwrap();
            let opened: Vec<_> = log.iter().filter(|told| told.action == action::APP_OPENED).collect();
            assert_eq!(opened.len(), 1, "{how:?}");
            assert_eq!(opened[0].target.as_deref(), Some("vault"));
            assert_eq!(opened[0].session, Some(house.session.to_string()));
            assert_eq!(opened[0].time, created, "{how:?}: it is told when it was");
            let kept = app.0.store.snapshot().unwrap().session(house.session).unwrap().unwrap();
            assert_eq!(kept.apps, ["wiki", "vault"], "{how:?}");
        }
    }
}
