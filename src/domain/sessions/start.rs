//! How a session starts: somebody signed in, or an app says that somebody did.

use std::{sync::Arc, time::Duration};

use super::{Origin, SessionError, after, fill_session};
use crate::{
    domain::{App, Gone, agent, live::Event, random},
    model::{
        activity::{NewActivity, OWN_APP, action},
        passkey::Passkey,
        secret::{Kind, Token},
        session::Session,
        totp::Shown,
        user::{Actor, Role, User, UserName},
    },
    store::{Credential, Factors as _, Passkeys as _, StoreError, Users as _, Write},
};

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
pub(in crate::domain) enum Proof {
    /// Their password was held against `kept`, which is to be replaced where it costs less than hashes do now, and
    /// their second factor was shown, if they have one.
    Password { kept: Option<Credential>, renewed: Option<Credential>, shown: Option<Shown> },
    /// Their device signed a challenge with this passkey.
    Passkey(Passkey),
    /// This app says so, by this token.
    App { app: String, token: String },
}

/// A session that is about to start.
pub(in crate::domain) struct Start<'a> {
    /// Whose.
    pub(in crate::domain) user: &'a User,
    /// On which grounds.
    pub(in crate::domain) proof: Proof,
    /// From where and on what.
    pub(in crate::domain) origin: &'a Origin,
    /// How long it lasts at most.
    pub(in crate::domain) lasts: Duration,
    /// The activity that tells of it.
    pub(in crate::domain) told: NewActivity,
}

impl App {
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
        let proof = Proof::App { app, token };
        self.start(by, Start { user: &account, proof, origin: &origin, lasts, told }).await
    }

    /// Writes a new session and opens it.
    pub(in crate::domain) async fn start<E: From<StoreError> + From<Gone> + Send + 'static>(
        &self,
        by: &Actor,
        start: Start<'_>,
    ) -> Result<(Session, Token), E> {
        let Start { user, proof, origin, lasts, mut told } = start;
        let now = self.now();
        let token = random::token(Kind::Session);
        let (registered_by, apps) = match &proof {
            Proof::App { app, token } => (Some(token.clone()), vec![app.clone()]),
            Proof::Password { .. } | Proof::Passkey(_) => (None, Vec::new()),
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
            mfa: matches!(proof, Proof::Password { shown: Some(_), .. } | Proof::Passkey(_)),
            ending: None,
        };
        told.session = Some(session.id.to_string());
        fill_session(&mut told, &session);
        let (hash, made) = (token.hash(), session.clone());
        // It is in the live table before it is written, so that whoever ends all sessions of the user
        // meanwhile finds it: then it is refused already, and must not be written any more.
        let live = self.0.live.insert(hash, session.clone());
        let opened = Arc::clone(&live);
        let surplus = self.surplus(&user.name, session.id);
        let written = self.change(by, move |write| {
            if opened.refused() {
                return Err(Gone.into());
            }
            let account = write.user(&made.user)?;
            let mut signed_in = None;
            match (&proof, account) {
                (_, Some(account)) if account.disabled => return Err(Gone.into()),
                (Proof::Password { kept, renewed, shown }, Some(mut account)) => {
                    // What was verified must still be the password, or a change of it would not end this.
                    if write.credential(&made.user)? != *kept {
                        return Err(Gone.into());
                    }
                    if !use_up(write, &made, *shown)? {
                        return Err(Gone.into());
                    }
                    if let Some(renewed) = renewed {
                        write.put_credential(&made.user, renewed)?;
                    }
                    account.last_sign_in = Some(now);
                    write.put_user(&account)?;
                    signed_in = Some(account.name);
                }
                (Proof::Passkey(passkey), Some(mut account)) => {
                    let known = write.passkey(&passkey.id)?;
                    if known.is_none_or(|known| known.user != account.name) {
                        return Err(Gone.into());
                    }
                    write.put_passkey(passkey)?;
                    account.last_sign_in = Some(now);
                    write.put_user(&account)?;
                    signed_in = Some(account.name);
                }
                (Proof::Password { .. } | Proof::Passkey(_), None) => return Err(Gone.into()),
                (Proof::App { .. }, _) => {}
            }
            write.put_session(&made, hash)?;
            write.append(&told)?;
            let ended = if signed_in.is_some() { surplus.write(write)? } else { Vec::new() };
            Ok::<_, E>((signed_in, ended))
        });
        match written.done().await {
            Ok((signed_in, ended)) => {
                // What has ended is refused whatever else fails.
                let outgoing = self.ended(&ended);
                if let Some(name) = signed_in {
                    self.refresh_user(&name)?;
                }
                outgoing.gone().await;
            }
            Err(error) => {
                // It may be on disk all the same, which is found out later: the sweep ends it there, or forgets it.
                self.0.live.refuse(live.id);
                return Err(error);
            }
        }
        self.0.live.tell(Event::Session(live));
        Ok((session, token))
    }
}

/// Uses up the second factor that was shown, and tells of a recovery code; false where it was used before, or is not what the user
/// has now.
pub(in crate::domain) fn use_up(
    write: &mut Write<'_>,
    session: &Session,
    shown: Option<Shown>,
) -> Result<bool, StoreError> {
    let (factor, shown) = match (write.second_factor(&session.user)?, shown) {
        (None, None) => return Ok(true),
        (Some(factor), Some(shown)) => (factor, shown),
        _ => return Ok(false),
    };
    let mut left = factor;
    if !left.use_up(shown) {
        return Ok(false);
    }
    write.put_second_factor(&session.user, &left)?;
    if let Shown::Recovery(_) = shown {
        let mut told = NewActivity::new(session.user.as_str(), action::USER_RECOVERY_CODE_USED, OWN_APP);
        told.detail = format!("{} left", left.recovery.len());
        told.session = Some(session.id.to_string());
        fill_session(&mut told, session);
        write.append(&told)?;
    }
    Ok(true)
}
