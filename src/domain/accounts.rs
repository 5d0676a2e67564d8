//! Accounts: who may sign in, and as what.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use super::{
    App, Gone,
    answers::Outgoing,
    password::{Busy, choose},
    random,
    sessions::{NEW_PASSWORD, NEW_ROLE, Origin, SessionError},
    setup,
    sign_in::Held,
};
use crate::{
    model::{
        activity::{OWN_APP, action},
        secret::{Kind, Password, Token, WeakPassword},
        session::EndedBy,
        token::ApiToken,
        user::{Actor, BadUserName, Role, User, UserName, is_email},
    },
    store::{Read, Store, StoreError, Tokens as _, Users, Write},
};

/// Every account in memory: a request guard asks for the role on each request.
pub(super) struct People(RwLock<HashMap<UserName, Arc<User>>>);

impl People {
    pub(super) fn load(store: &Read) -> Result<Self, StoreError> {
        let users = store.users()?.into_iter().map(|user| (user.name.clone(), Arc::new(user)));
        Ok(Self(RwLock::new(users.collect())))
    }

    /// Takes over everybody from disk.
    pub(super) fn refresh_all(&self, store: &Store) -> Result<(), StoreError> {
        // The lock is held over the look, as in `refresh`.
        let mut people = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let users = store.read(Users::users)?.into_iter();
        *people = users.map(|user| (user.name.clone(), Arc::new(user))).collect();
        Ok(())
    }

    fn get(&self, name: &UserName) -> Option<Arc<User>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub(super) fn put(&self, user: User) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(user.name.clone(), Arc::new(user));
    }

    /// Takes over what is on disk of a user, in whatever order the changes of several are told.
    fn refresh(&self, store: &Store, name: &UserName) -> Result<(), StoreError> {
        // The lock is held over the look: whoever looks last has seen everything.
        let mut people = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match store.read(|read| read.user(name))? {
            Some(user) => people.insert(name.clone(), Arc::new(user)),
            None => people.remove(name),
        };
        Ok(())
    }
}

/// The longest full name, e-mail address or group, in bytes.
pub(super) const TEXT: usize = 256;

/// Who would be called so could not be told from Rollcall in the log, or has no page: `/users/add` is another one, and browsers
/// take dots out of addresses.
const RESERVED: [&str; 4] = [OWN_APP, "add", ".", ".."];

/// Why an account could not be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// There is no such user.
    #[error("there is no user {0}")]
    Unknown(UserName),
    /// There is one already.
    #[error("there is a user {0} already")]
    Taken(UserName),
    /// It would be taken for another.
    #[error("{0} looks like {1}, who has an account already; give one of them a name that can be told apart")]
    LooksLike(UserName, UserName),
    /// The name cannot be one.
    #[error(transparent)]
    Name(#[from] BadUserName),
    /// The password is not taken.
    #[error(transparent)]
    Password(#[from] WeakPassword),
    /// A text is too long or holds what cannot be shown.
    #[error("{1} has at most {most} bytes and no control characters", most = TEXT)]
    Text(&'static str, &'static str),
    /// It is no address that a message could be sent to.
    #[error("an e-mail address is written name@host, like ann@example.org, and has at most {most} bytes", most = TEXT)]
    Email,
    /// The name stands for something else.
    #[error("a user cannot be called {0}: the name has a meaning of its own here")]
    Reserved(UserName),
    /// The current password was wrong.
    #[error("that is not your current password")]
    WrongPassword,
    /// The code was wrong.
    #[error("that is not the code your authenticator shows now; look at its clock if it goes on")]
    WrongCode,
    /// The seed that came back is not one that this user was shown.
    #[error("this set-up is not yours or not whole; begin again")]
    StaleFactor,
    /// There is one already.
    #[error("a second factor is set up already; remove it first")]
    HasFactor,
    /// It is demanded of this user.
    #[error("a second factor is demanded of you here; an administrator may remove one that is lost")]
    FactorDemanded,
    /// There is none.
    #[error("{0} has no second factor")]
    NoFactor(UserName),
    /// Too many passwords are being looked at already.
    #[error("too many people are signing in; try again in a few seconds")]
    Busy,
    /// Too many passwords were wrong; in how many seconds another one is looked at.
    #[error("too many tries were wrong; try again in {0} seconds")]
    TooMany(u64),
    /// Nobody would be left to manage.
    #[error("{0} is the last administrator; make another one first")]
    LastAdmin(UserName),
    /// The first administrator has been made already.
    #[error("the first administrator has been made already; sign in")]
    SetUp,
    /// The one who asked has been signed out.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<SessionError> for AccountError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Disabled(name) => Self::Unknown(name),
            SessionError::Reason => Self::Text("reason", "a reason"),
            SessionError::Gone(gone) => Self::Gone(gone),
            SessionError::Store(store) => Self::Store(store),
        }
    }
}

impl From<Busy> for AccountError {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}

impl From<Held> for AccountError {
    fn from(held: Held) -> Self {
        match held {
            Held::Busy => Self::Busy,
            Held::TooMany(seconds) => Self::TooMany(seconds),
        }
    }
}

/// A password that was changed.
#[derive(Debug)]
pub struct PasswordChanged {
    /// How many other sessions of the user have ended.
    pub ended: usize,
    /// What opens the session at hand from now on, where it was one's own password.
    pub token: Option<Token>,
}

/// What can be said of a user; what is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Details {
    /// What they may do.
    pub role: Option<Role>,
    /// As people write it.
    pub full_name: Option<String>,
    /// Where they can be reached.
    pub email: Option<String>,
    /// Groups of the organisation.
    pub groups: Option<Vec<String>>,
    /// Whether they are kept from signing in.
    pub disabled: Option<bool>,
}

/// Whether somebody can be in all of these groups.
pub(super) fn are_groups(groups: &[String]) -> bool {
    let is_one = |group: &String| {
        !group.is_empty() && group.len() <= TEXT && !group.chars().any(|c| c == ',' || c.is_control())
    };
    groups.len() <= 100 && groups.iter().all(is_one)
}

impl Details {
    fn check(&self) -> Result<(), AccountError> {
        let bad = |text: &str| text.len() > TEXT || text.chars().any(char::is_control);
        if self.full_name.as_deref().is_some_and(bad) {
            return Err(AccountError::Text("full_name", "a full name"));
        }
        if self.email.as_deref().is_some_and(|email| !email.is_empty() && (bad(email) || !is_email(email))) {
            return Err(AccountError::Email);
        }
        if self.groups.as_ref().is_some_and(|groups| !are_groups(groups)) {
            return Err(AccountError::Text("groups", "a group (of at most 100, without commas)"));
        }
        Ok(())
    }

    /// Says it of `user`; the names of what differed, but for `disabled`, which has verbs of its own.
    fn apply(&self, user: &mut User) -> Vec<&'static str> {
        let mut changed = Vec::new();
        let mut set = |name, differs: bool| {
            if differs {
                changed.push(name);
            }
        };
        set("role", self.role.is_some_and(|role| role != user.role));
        set("full name", self.full_name.as_ref().is_some_and(|name| *name != user.full_name));
        set("e-mail", self.email.as_ref().is_some_and(|email| *email != user.email));
        set("groups", self.groups.as_ref().is_some_and(|groups| *groups != user.groups));
        user.role = self.role.unwrap_or(user.role);
        user.full_name = self.full_name.clone().unwrap_or_else(|| std::mem::take(&mut user.full_name));
        user.email = self.email.clone().unwrap_or_else(|| std::mem::take(&mut user.email));
        user.groups = self.groups.clone().unwrap_or_else(|| std::mem::take(&mut user.groups));
        user.disabled = self.disabled.unwrap_or(user.disabled);
        changed
    }
}

impl App {
    /// The account of this name, from memory.
    pub fn user(&self, name: &UserName) -> Option<Arc<User>> {
        self.0.people.get(name)
    }

    /// Takes over what is on disk of a user.
    pub(super) fn refresh_user(&self, name: &UserName) -> Result<(), StoreError> {
        let refreshed = self.0.people.refresh(&self.0.store, name);
        self.hold_tokens();
        refreshed
    }

    /// Every account, sorted by name.
    pub fn users(&self) -> Vec<Arc<User>> {
        let people = self.0.people.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut users: Vec<_> = people.values().cloned().collect();
        users.sort_by(|a, b| a.name.cmp(&b.name));
        users
    }

    /// Makes the first administrator. Of two who race for it one wins.
    pub async fn set_up(
        &self,
        by: &Actor,
        name: &str,
        password: String,
        full_name: String,
    ) -> Result<Arc<User>, AccountError> {
        let details = Details { role: Some(Role::Admin), full_name: Some(full_name), ..Details::default() };
        let user = self.add(by, name, password, details, true).await?;
        self.close_setup();
        Ok(user)
    }

    /// Makes an account.
    pub async fn add_user(
        &self,
        by: &Actor,
        name: &str,
        password: String,
        details: Details,
    ) -> Result<Arc<User>, AccountError> {
        let user = self.add(by, name, password, details, false).await?;
        self.close_setup();
        Ok(user)
    }

    async fn add(
        &self,
        by: &Actor,
        name: &str,
        password: String,
        details: Details,
        first: bool,
    ) -> Result<Arc<User>, AccountError> {
        let name: UserName = name.parse()?;
        if RESERVED.contains(&name.as_str()) {
            return Err(AccountError::Reserved(name));
        }
        details.check()?;
        let mut user = User {
            name,
            role: Role::Member,
            full_name: String::new(),
            email: String::new(),
            groups: Vec::new(),
            disabled: false,
            created: self.now(),
            last_sign_in: None,
        };
        details.apply(&mut user);
        let credential = self.0.hasher.hash(self.choose(&user, password)?).await?;
        let told = self.did(by, action::USER_ADDED).to(&user.name).saying(format!("as {}", user.role));
        let made = user.clone();
        self.change(by, move |write| {
            if first && !write.nobody()? {
                return Err(AccountError::SetUp);
            }
            setup::close(write)?;
            if write.user(&made.name)?.is_some() {
                return Err(AccountError::Taken(made.name.clone()));
            }
            // One among thousands of accounts: they are looked through, rather than kept by what they look like.
            if let Some(other) = write.users()?.into_iter().find(|user| user.name.passes_for(&made.name)) {
                return Err(AccountError::LooksLike(made.name.clone(), other.name));
            }
            write.put_user(&made)?;
            write.put_credential(&made.name, &credential)?;
            write.append(&told)?;
            Ok(())
        })
        .done()
        .await?;
        self.refresh_user(&user.name)?;
        Ok(Arc::new(user))
    }

    /// Changes what is said of a user, all of it or nothing. A role that changes and an account that is
    /// disabled end the user's sessions, so that nothing goes on with what it no longer may.
    pub async fn change_user(
        &self,
        by: &Actor,
        name: &UserName,
        details: Details,
    ) -> Result<Arc<User>, AccountError> {
        details.check()?;
        let verb = match details.disabled {
            Some(true) => action::USER_DISABLED,
            _ => action::USER_ENABLED,
        };
        let (changing, switching) =
            (self.did(by, action::USER_CHANGED).to(name), self.did(by, verb).to(name));
        let reason = if details.disabled == Some(true) { "account disabled" } else { NEW_ROLE };
        let ends = self.ends_of(by, name, None, EndedBy::Policy, reason);
        let name_ = name.clone();
        let (user, ended) = self
            .change(by, move |write| {
                let mut user = known(write, &name_)?;
                let leaves = details.role.is_some_and(|role| role != Role::Admin);
                if details.disabled == Some(true) || (user.role == Role::Admin && leaves) {
                    keep_an_admin(write, &name_)?;
                }
                let switched = details.disabled.is_some_and(|disabled| disabled != user.disabled);
                let changed = details.apply(&mut user);
                if switched || !changed.is_empty() {
                    write.put_user(&user)?;
                }
                if switched {
                    write.append(&switching)?;
                }
                if !changed.is_empty() {
                    let detail = match details.role {
                        Some(role) if changed.contains(&"role") => {
                            format!("{}; role {role}", changed.join(", "))
                        }
                        _ => changed.join(", "),
                    };
                    write.append(&changing.clone().saying(detail))?;
                }
                let over = user.disabled || changed.contains(&"role");
                let ended = if over { ends.write(write)? } else { Vec::new() };
                Ok::<_, AccountError>((user, ended))
            })
            .done()
            .await?;
        // What has ended is refused whatever else fails.
        let outgoing = self.ended(&ended);
        self.refresh_user(name)?;
        outgoing.gone().await;
        Ok(Arc::new(user))
    }

    /// Lets a user sign in again, or not: then all their sessions end.
    pub async fn set_disabled(
        &self,
        by: &Actor,
        name: &UserName,
        disabled: bool,
    ) -> Result<(), AccountError> {
        let details = Details { disabled: Some(disabled), ..Details::default() };
        self.change_user(by, name, details).await.map(drop)
    }

    /// Removes an account, ends all its sessions and revokes the tokens it made. What it did stays in the log.
    pub async fn remove_user(&self, by: &Actor, name: &UserName) -> Result<(), AccountError> {
        let (told, name_) = (self.did(by, action::USER_REMOVED).to(name), name.clone());
        let revoking =
            self.did(by, action::TOKEN_REVOKED).saying(format!("the account of {name} was removed"));
        let ends = self.ends_of(by, name, None, EndedBy::System, "account removed");
        let removed = self.change(by, move |write| {
            known(write, &name_)?;
            keep_an_admin(write, &name_)?;
            write.remove_user(&name_)?;
            write.append(&told)?;
            let made =
                |token: &ApiToken| token.created_by.parse().is_ok_and(|maker: UserName| maker == name_);
            for (_, token) in write.tokens()?.into_iter().filter(|(_, token)| made(token)) {
                write.remove_token(&token.name)?;
                write.append(&revoking.clone().to(&token.name))?;
            }
            Ok::<_, AccountError>(ends.write(write)?)
        });
        let ended = removed.done().await?;
        let outgoing = self.ended(&ended);
        // None of these waits for another that fails.
        let (user, tokens) = (self.refresh_user(name), self.0.tokens.refresh(&self.0.store));
        self.hold_tokens();
        user?;
        tokens?;
        self.0.demands.refresh(&self.0.store)?;
        outgoing.gone().await;
        Ok(())
    }

    /// Gives a user a new password. All the user's sessions end with the old one; the one it was done in, if it is the
    /// user's own, gets a new token instead, and whatever the token of before had opened is over.
    pub async fn set_password(
        &self,
        by: &Actor,
        name: &UserName,
        new: String,
    ) -> Result<PasswordChanged, AccountError> {
        let account = self.user(name).ok_or_else(|| AccountError::Unknown(name.clone()))?;
        let credential = self.0.hasher.hash(self.choose(&account, new)?).await?;
        let (told, name_) = (self.did(by, action::USER_PASSWORD_CHANGED).to(name), name.clone());
        let ends = self.ends_of(by, name, by.session, EndedBy::Policy, NEW_PASSWORD);
        let own = by.session.filter(|_| by.name == name.as_str());
        let renewed = own.map(|session| (session, random::token(Kind::Session)));
        let renewing = renewed.as_ref().map(|(session, token)| (*session, token.hash()));
        let changed = self.change(by, move |write| {
            known(write, &name_)?;
            write.put_credential(&name_, &credential)?;
            write.append(&told)?;
            if let Some((session, token)) = renewing {
                write.renew_token(session, token)?;
            }
            Ok::<_, AccountError>(ends.write(write)?)
        });
        let ended = changed.done().await?;
        let renewed_from = renewing.and_then(|(session, token)| self.0.live.renew_token(session, token));
        let outgoing = Outgoing::of(&renewed_from).and(self.ended(&ended));
        self.0.throttle.forget(name.as_str());
        outgoing.gone().await;
        Ok(PasswordChanged { ended: ended.len(), token: renewed.map(|(_, token)| token) })
    }

    /// Changes one's own password, which takes the current one. All one's other sessions end.
    pub async fn change_own_password(
        &self,
        by: &Actor,
        name: &UserName,
        current: String,
        new: String,
        origin: &Origin,
    ) -> Result<PasswordChanged, AccountError> {
        self.prove(name, current, origin).await?;
        self.set_password(by, name, new).await
    }

    /// Takes a new password for this account, or says why not.
    fn choose(&self, user: &User, password: String) -> Result<Password, WeakPassword> {
        let own = [user.name.as_str(), &user.full_name, &user.email];
        choose(password, own.into_iter().chain(self.0.limits.names.iter().map(String::as_str)))
    }
}

fn known(write: &Write<'_>, name: &UserName) -> Result<User, AccountError> {
    write.user(name)?.ok_or_else(|| AccountError::Unknown(name.clone()))
}

/// Refuses to take the last administrator away.
fn keep_an_admin(write: &Write<'_>, leaving: &UserName) -> Result<(), AccountError> {
    let admin = |user: &User| user.role == Role::Admin && !user.disabled;
    let users = write.users()?;
    let leaves = users.iter().any(|user| user.name == *leaving && admin(user));
    if leaves && !users.iter().any(|user| user.name != *leaving && admin(user)) {
        return Err(AccountError::LastAdmin(leaving.clone()));
    }
    Ok(())
}
