//! Signing in: what every door that takes a secret goes through.

use std::time::Duration;

use super::{
    App, Gone,
    live::Live,
    password::{Busy, Verdict},
    random,
    sessions::{Origin, Proof, Start},
    throttle::{Brake, Source, TooMany, Trier, Try},
};
use crate::{
    model::{
        activity::{NewActivity, OWN_APP, Outcome, action},
        secret::{Familiar, Kind, Password, Token},
        session::{EndedBy, Session},
        user::{Actor, ActorKind, User, UserName},
    },
    store::{Credential, Factors as _, StoreError, Users as _},
};

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Unknown user, wrong password, disabled account: the answer does not tell which.
    #[error("user or password is wrong")]
    Refused,
    /// The code of the second factor is wrong, or was used before.
    #[error("that code is wrong, or has been used before; wait for the next one")]
    Code,
    /// The passkey is not known here, or what it signed does not fit.
    #[error("that passkey is not known here, or its user may not sign in")]
    Passkey,
    /// It took too long to show the second factor, or too many codes were wrong.
    #[error("that took too long, or too many codes were wrong; begin again")]
    Over,
    /// Too many sign-ins are being looked at already.
    #[error("too many people are signing in; try again in a few seconds")]
    Busy,
    /// Too many tries were wrong; in how many seconds another one is looked at.
    #[error("too many tries were wrong; try again in {0} seconds")]
    TooMany(u64),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A secret was not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// Too many are being looked at already.
    Busy,
    /// Too many were wrong; in how many seconds another one is looked at.
    TooMany(u64),
}

impl From<Busy> for Held {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}

impl From<TooMany> for Held {
    fn from(TooMany { wait }: TooMany) -> Self {
        Self::TooMany(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
    }
}

impl From<Held> for SignInError {
    fn from(held: Held) -> Self {
        match held {
            Held::Busy => Self::Busy,
            Held::TooMany(seconds) => Self::TooMany(seconds),
        }
    }
}

impl From<Gone> for SignInError {
    fn from(_: Gone) -> Self {
        Self::Refused
    }
}

/// How long a busy server asks to be left alone.
pub const BUSY: Duration = Duration::from_secs(5);

/// Somebody who has signed in.
#[derive(Debug)]
pub struct Welcome {
    /// Their new session.
    pub session: Session,
    /// What opens it.
    pub token: Token,
    /// What their browser is known by from now on.
    pub familiar: Familiar,
}

/// The half of a sign-in: the password was shown, and the second factor was not.
#[derive(Clone, Debug)]
pub(super) struct Half {
    user: UserName,
    /// What the password was held against.
    kept: Option<Credential>,
    /// What that is to be replaced by, where it costs too little.
    renewed: Option<Credential>,
}

/// How many codes are looked at before somebody begins again.
const CODES: u8 = 5;

/// How far somebody has come.
#[derive(Debug)]
pub enum SignedIn {
    /// In.
    Whole(Box<Welcome>),
    /// Half way: they have a second factor and have not shown it. With this they come back.
    Half(Token),
}

impl App {
    /// Signs a user in: a new session, and the token that opens it. `code` is of their second factor, if they have one and it
    /// is known already. `replaces` is the session the same browser was in until now, which ends.
    pub async fn sign_in(
        &self,
        user: &str,
        password: String,
        code: Option<&str>,
        origin: Origin,
        replaces: Option<&Live>,
    ) -> Result<SignedIn, SignInError> {
        let name = user.parse::<UserName>().ok();
        let account = name.as_ref().and_then(|name| self.user(name)).filter(|user| !user.disabled);
        let (kept, factor) = match &name {
            Some(name) => self
                .0
                .store
                .read(|read| Ok::<_, StoreError>((read.credential(name)?, read.second_factor(name)?)))?,
            None => (None, None),
        };
        // Of a password that lets nobody in it makes no difference whether it is the right one, not even by the time it takes.
        let kept = kept.filter(|_| account.is_some());
        let (verdict, attempt) = self.look_at(user, password, kept.clone(), &origin).await?;
        let (Some(account), Verdict::Right(renewed)) = (account, verdict) else {
            return self.refuse(name.as_ref(), &origin, SignInError::Refused).await;
        };
        let shown = match (&factor, code) {
            (None, _) => {
                // Nobody passes for one who has none because theirs stands under another name now.
                self.with_second_factor()?;
                None
            }
            (Some(_), None) => {
                self.0.throttle.give_back(attempt);
                let half = Half { user: account.name.clone(), kept, renewed };
                return Ok(SignedIn::Half(self.0.halves.keep(half, CODES, self.0.clock.read())));
            }
            (Some(factor), Some(code)) => match self.shown(&account.name, factor, code) {
                None => return self.refuse(name.as_ref(), &origin, SignInError::Refused).await,
                shown => shown,
            },
        };
        let proof = Proof::Password { kept, renewed, shown };
        match self.welcome(&account, proof, &origin, replaces).await {
            Err(SignInError::Refused) => self.refuse(name.as_ref(), &origin, SignInError::Refused).await,
            done => {
                self.0.throttle.give_back(attempt);
                Ok(SignedIn::Whole(Box::new(done?)))
            }
        }
    }

    /// Signs in a user who has shown their password before, with a code of their second factor.
    pub async fn show_code(
        &self,
        half: &str,
        code: &str,
        origin: Origin,
        replaces: Option<&Live>,
    ) -> Result<Welcome, SignInError> {
        let token = half.parse::<Token>().ok().filter(|token| token.kind() == Kind::Half);
        let token = token.ok_or(SignInError::Over)?.hash();
        let half = self.0.halves.try_once(token, self.0.clock.read()).ok_or(SignInError::Over)?;
        let name = Some(&half.user);
        let attempt = self.0.throttle.take(&self.trier(half.user.as_str(), &origin), self.now());
        let attempt = attempt.inspect_err(|_| self.0.metrics.held_back()).map_err(Held::from)?;
        let account = self.user(&half.user).filter(|user| !user.disabled);
        let factor = self.second_factor(&half.user)?;
        let shown = factor.and_then(|factor| self.shown(&half.user, &factor, code));
        let (Some(account), Some(shown)) = (account, shown) else {
            return self.refuse(name, &origin, SignInError::Code).await;
        };
        let proof = Proof::Password { kept: half.kept, renewed: half.renewed, shown: Some(shown) };
        match self.welcome(&account, proof, &origin, replaces).await {
            Err(SignInError::Refused) => self.refuse(name, &origin, SignInError::Code).await,
            done => {
                self.0.throttle.give_back(attempt);
                self.0.halves.forget(token);
                done
            }
        }
    }

    /// Starts the session of somebody who has proven who they are.
    pub(super) async fn welcome(
        &self,
        account: &User,
        proof: Proof,
        origin: &Origin,
        replaces: Option<&Live>,
    ) -> Result<Welcome, SignInError> {
        let by = Actor {
            name: account.name.to_string(),
            kind: ActorKind::User(account.role),
            session: None,
            token: None,
            ip: origin.ip,
        };
        let mut told = NewActivity::new(&by.name, action::SIGN_IN, OWN_APP);
        if let Proof::Passkey(passkey) = &proof {
            told.detail = format!("by the passkey {}", passkey.name);
        }
        let start = Start { user: account, proof, origin, lasts: self.0.limits.absolute, told };
        let (session, token) = self.start::<SignInError>(&by, start).await?;
        self.0.metrics.signed_in();
        self.0.throttle.remember(&by.name, Source::of(origin.ip));
        if let Some(old) = replaces {
            let ending = self.ending(EndedBy::User, Some(&by), "signed in again");
            // It is refused from here on even if this could not be written down.
            if let Err(error) = self.end(&by, [(old.id, ending)]).await {
                log::warn!("the session before a new sign-in could not be ended on disk: {error}");
            }
        }
        let known =
            origin.familiar.as_ref().filter(|mark| mark.vouches_for(&self.0.secret, &by.name).is_some());
        let familiar =
            known.cloned().unwrap_or_else(|| Familiar::new(&self.0.secret, &by.name, random::bytes()));
        Ok(Welcome { session, token, familiar })
    }

    /// Holds a password against what is kept, as one of the tries that are counted on whatever was `typed` as the user.
    /// What was right is to be given back.
    pub(super) async fn look_at(
        &self,
        typed: &str,
        password: String,
        kept: Option<Credential>,
        origin: &Origin,
    ) -> Result<(Verdict, Try), Held> {
        let (who, throttle) = (self.trier(typed, origin), &self.0.throttle);
        // Whoever would be held back anyway takes nobody's place in the line.
        throttle.look(&who, self.now()).inspect_err(|_| self.0.metrics.held_back())?;
        let turn = self.0.hasher.turn(throttle.is_stranger(&who)).await?;
        let taken = throttle.take(&who, self.now()).inspect_err(|_| self.0.metrics.held_back())?;
        Ok((turn.verify(Password::typed(password), kept).await, taken))
    }

    /// Who tries, by what was typed as the user.
    pub(super) fn trier(&self, typed: &str, origin: &Origin) -> Trier {
        // What is too long for a name has one bucket for all of it.
        let account =
            if typed.len() > 4 * UserName::MAX_BYTES { String::new() } else { UserName::fold(typed) };
        let browser = origin.familiar.as_ref().and_then(|mark| mark.vouches_for(&self.0.secret, &account));
        Trier { account, source: Source::of(origin.ip), browser }
    }

    /// Writes down that somebody was refused, and refuses them.
    pub(super) async fn refuse<T>(
        &self,
        name: Option<&UserName>,
        origin: &Origin,
        why: SignInError,
    ) -> Result<T, SignInError> {
        let detail = match why {
            SignInError::Code => "wrong code",
            SignInError::Passkey => "by passkey",
            _ => "",
        };
        self.tell_of_failure(name, origin, detail).await;
        Err(why)
    }

    /// Writes down that a secret was wrong.
    pub(super) async fn tell_of_failure(&self, name: Option<&UserName>, origin: &Origin, detail: &str) {
        self.0.metrics.sign_in_failed();
        // What is no user name may be a password in the wrong box: it is not written down.
        let name = name.map_or(NOT_A_NAME, UserName::as_str);
        let mut failed = NewActivity::new(name, action::SIGN_IN_FAILED, OWN_APP).saying(detail);
        failed.outcome = Outcome::Failure;
        self.fill_origin(&mut failed, origin);
        self.see_in([self.hand_in(vec![failed])]).await;
    }

    /// Writes down who was held back, a line for each brake however often it was, so that a flood is not one of the log too.
    pub(super) async fn tell_of_brakes(&self) {
        let refused = self.0.throttle.refused(self.now());
        if refused.is_empty() {
            return;
        }
        let told: Vec<NewActivity> = refused
            .into_iter()
            .map(|(brake, times)| {
                let (user, ip, why) = match brake {
                    Brake::Account(name) => {
                        let name = name.parse::<UserName>();
                        (name.map_or(NOT_A_NAME.to_owned(), |name| name.to_string()), None, "for this user")
                    }
                    Brake::Address(ip) => (SEVERAL.to_owned(), ip, "from this address"),
                    Brake::Everybody => (SEVERAL.to_owned(), None, "in all"),
                };
                let mut held = NewActivity::new(user, action::SIGN_IN_FAILED, OWN_APP);
                held.outcome = Outcome::Failure;
                held.detail = format!("too many wrong tries {why}: {times} more were not looked at");
                self.fill_origin(&mut held, &Origin { ip, ..Origin::default() });
                held
            })
            .collect();
        self.see_in([self.hand_in(told)]).await;
    }
}

/// What stands in the log for what was typed and is no name.
const NOT_A_NAME: &str = "(not a user name)";

/// What stands in the log where it was not about one user.
const SEVERAL: &str = "(several users)";
