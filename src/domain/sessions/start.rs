//! How a session starts: somebody signs in, or an app says that somebody did.

use std::{sync::Arc, time::Duration};

use super::{Origin, SessionError, after, fill_session};
use crate::{
    domain::{
        App, Gone, agent,
        live::{Event, Live},
        random,
    },
    model::{
        activity::{NewActivity, OWN_APP, Outcome, action},
        secret::{Kind, Password, Token},
        session::{EndedBy, Session},
        user::{Actor, ActorKind, Role, User, UserName},
    },
    store::{Credential, StoreError, Users as _},
};

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Unknown user, wrong password, disabled account: the answer does not tell which.
    #[error("user or password is wrong")]
    Refused,
    /// Too many sign-ins are being looked at already.
    #[error("too many people are signing in; try again in {0} seconds")]
    Busy(u64),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Gone> for SignInError {
    fn from(_: Gone) -> Self {
        Self::Refused
    }
}

/// A session of an app that signs its users in by itself.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Who is signed in.
    pub user: UserName,
    /// In which app.
    pub app: String,
    /// By which token it is registered.
    pub token: String,
    /// From where and on what.
    pub origin: Origin,
    /// How long it may last at most; the absolute limit if it is not said.
    pub ttl: Option<Duration>,
}

/// Why somebody is believed to be who they are.
#[derive(Clone)]
enum Proof {
    /// Their password was held against this.
    Password(Option<Credential>),
    /// This app says so, by this token.
    App { app: String, token: String },
}

impl App {
    /// Signs a user in: a new session, and the token that opens it. `replaces` is the session the same
    /// browser was in until now, which ends.
    pub async fn sign_in(
        &self,
        user: &str,
        password: String,
        origin: Origin,
        replaces: Option<&Live>,
    ) -> Result<(Session, Token), SignInError> {
        let name = user.parse::<UserName>().ok();
        let kept = match &name {
            Some(name) => self.0.store.read(|read| read.credential(name))?,
            None => None,
        };
        let Some(right) = self.0.hasher.verify(Password::typed(password), kept.clone()).await else {
            return Err(SignInError::Busy(5));
        };
        let account = name.as_ref().and_then(|name| self.user(name)).filter(|user| right && !user.disabled);
        let Some(account) = account else {
            self.tell_of_failure(name.as_ref(), &origin).await?;
            return Err(SignInError::Refused);
        };
        let by = Actor {
            name: account.name.to_string(),
            kind: ActorKind::User(account.role),
            session: None,
            ip: origin.ip,
        };
        let told = NewActivity::new(&by.name, action::SIGN_IN, OWN_APP);
        let proof = Proof::Password(kept);
        let (session, token) =
            self.start::<SignInError>(&by, &account, proof, &origin, self.0.limits.absolute, told).await?;
        if let Some(old) = replaces {
            let ending = self.ending(EndedBy::User, Some(&by), "signed in again");
            // It is refused from here on even if this could not be written down.
            if let Err(error) = self.end(&by, &[old.id], ending).await {
                log::warn!("the session before a new sign-in could not be ended on disk: {error}");
            }
        }
        Ok((session, token))
    }

    async fn tell_of_failure(&self, name: Option<&UserName>, origin: &Origin) -> Result<(), StoreError> {
        // What is no user name may be a password in the wrong box: it is not written down.
        let name = name.map_or("(not a user name)", UserName::as_str);
        let mut failed = NewActivity::new(name, action::SIGN_IN_FAILED, OWN_APP);
        failed.outcome = Outcome::Failure;
        self.fill_origin(&mut failed, origin);
        self.0.store.write(self.now(), move |write| write.append(&failed)).done().await?;
        Ok(())
    }

    /// Registers a session of an app that signed its user in by itself. The user needs no account here: an app may
    /// have users of its own, and who has an account is known by the name alone. A disabled one is signed in nowhere.
    pub async fn register_session(
        &self,
        by: &Actor,
        registration: Registration,
    ) -> Result<(Session, Token), SessionError> {
        let Registration { user, app, token, origin, ttl } = registration;
        let lasts = ttl.unwrap_or(self.0.limits.absolute).min(self.0.limits.absolute);
        let account = self.user(&user).unwrap_or_else(|| {
            Arc::new(User {
                name: user,
                role: Role::Member,
                full_name: String::new(),
                email: String::new(),
                groups: Vec::new(),
                disabled: false,
                created: self.now(),
                last_sign_in: None,
            })
        });
        let told = NewActivity::new(account.name.as_str(), action::SIGN_IN, &app);
        let told = told.saying(format!("told by {}", by.name));
        if account.disabled {
            return Err(SessionError::Disabled(account.name.clone()));
        }
        self.start(by, &account, Proof::App { app, token }, &origin, lasts, told).await
    }

    /// Writes a new session and opens it.
    async fn start<E: From<StoreError> + From<Gone> + Send + 'static>(
        &self,
        by: &Actor,
        user: &User,
        proof: Proof,
        origin: &Origin,
        lasts: Duration,
        mut told: NewActivity,
    ) -> Result<(Session, Token), E> {
        let now = self.now();
        let token = random::token(Kind::Session);
        let (registered_by, apps) = match &proof {
            Proof::App { app, token } => (Some(token.clone()), vec![app.clone()]),
            Proof::Password(_) => (None, Vec::new()),
        };
        let session = Session {
            id: random::session_id(),
            user: user.name.clone(),
            apps,
            registered_by,
            ip: origin.ip,
            place: origin.ip.map(|ip| self.0.geo.place(ip)).unwrap_or_default(),
            device: agent::device(&origin.agent),
            user_agent: origin.agent.user_agent.clone(),
            started: now,
            last_access: now,
            expires: after(now, lasts),
            mfa: false,
            ending: None,
        };
        told.session = Some(session.id.to_string());
        fill_session(&mut told, &session);
        let (hash, made) = (token.hash(), session.clone());
        // It is in the live table before it is written, so that whoever ends all sessions of the user
        // meanwhile finds it: then it is refused already, and must not be written any more.
        let live = self.0.live.insert(hash, session.clone());
        let opened = Arc::clone(&live);
        let written = self.change(by, move |write| {
            if opened.refused() {
                return Err(Gone.into());
            }
            let account = write.user(&made.user)?;
            let mut signed_in = None;
            match (&proof, account) {
                (_, Some(account)) if account.disabled => return Err(Gone.into()),
                (Proof::Password(verified), Some(mut account)) => {
                    // What was verified must still be the password, or a change of it would not end this.
                    if write.credential(&made.user)? != *verified {
                        return Err(Gone.into());
                    }
                    account.last_sign_in = Some(now);
                    write.put_user(&account)?;
                    signed_in = Some(account.name);
                }
                (Proof::Password(_), None) => return Err(Gone.into()),
                (Proof::App { .. }, _) => {}
            }
            write.put_session(&made, hash)?;
            write.append(&told)?;
            Ok::<_, E>(signed_in)
        });
        match written.done().await {
            Ok(signed_in) => {
                if let Some(name) = signed_in {
                    self.refresh_user(&name)?;
                }
            }
            Err(error) => {
                self.0.live.refuse(live.id);
                // It never was on disk.
                self.0.live.forget(live.id);
                return Err(error);
            }
        }
        self.0.live.tell(Event::Session(live));
        Ok((session, token))
    }
}
