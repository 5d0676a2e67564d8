//! API tokens: a program's way in.

use std::{
    collections::HashMap,
    mem,
    sync::{
        Arc, PoisonError, RwLock, RwLockWriteGuard,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use jiff::Timestamp;

use super::{
    App, Gone,
    answers::{Answers, Outgoing},
    apps::{LONGEST, can_be_called},
    ingest::{Voice, is_own},
    random,
};
use crate::{
    model::{
        activity::{NewActivity, OWN_APP, action},
        secret::{Kind, Token, TokenHash},
        token::{ApiToken, TokenScope},
        user::{Actor, Role, UserName},
    },
    store::{Read, Store, StoreError, Tokens as Stored},
};

/// Every token in memory, by what it hashes to.
pub(super) struct TokenTable(RwLock<Tokens>);

#[derive(Default)]
struct Tokens {
    by_hash: HashMap<TokenHash, Arc<LiveToken>>,
    /// Refused, and not yet known to be gone from disk.
    leaving: HashMap<TokenHash, Leaving>,
}

/// A token on its way to its revocation.
struct Leaving {
    token: Arc<LiveToken>,
    /// What tells of it, where whoever revoked it was told that nobody knows whether it is gone: the sweep sees to it then.
    unfinished: Option<NewActivity>,
}

/// A token that works, and when it last did.
#[derive(Debug)]
pub struct LiveToken {
    token: ApiToken,
    hash: TokenHash,
    last_used: AtomicI64,
    flushed: AtomicI64,
    revoked: AtomicBool,
    /// The user who made it, if it was one: it works for as long as they might make another.
    maker: Option<UserName>,
    stopped: AtomicBool,
    answers: Answers,
}

impl AsRef<Answers> for LiveToken {
    fn as_ref(&self) -> &Answers {
        &self.answers
    }
}

/// Never used.
const NEVER: i64 = i64::MIN;

impl LiveToken {
    fn new(hash: TokenHash, token: ApiToken) -> Self {
        let last = token.last_used.map_or(NEVER, Timestamp::as_millisecond);
        Self {
            // The console's name is none of a user.
            maker: token.created_by.parse().ok(),
            stopped: AtomicBool::new(false),
            token,
            hash,
            last_used: AtomicI64::new(last),
            flushed: AtomicI64::new(last),
            revoked: AtomicBool::new(false),
            answers: Answers::default(),
        }
    }

    /// What is known of it now.
    pub fn token(&self) -> ApiToken {
        let last = self.last_used.load(Ordering::Relaxed);
        let last_used = (last != NEVER).then(|| Timestamp::from_millisecond(last).ok()).flatten();
        ApiToken { last_used, ..self.token.clone() }
    }

    /// What its secret hashes to.
    pub const fn hash(&self) -> TokenHash {
        self.hash
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.token.name
    }

    /// Who the ids of its records are unique for.
    pub fn sender(&self) -> String {
        self.token.sender()
    }

    /// Whether it has been revoked, stopped with its maker, or expired at `now`, since it was looked up.
    pub fn over(&self, now: Timestamp) -> bool {
        // In one order with the answers that are counted: see `Answers::begin`.
        self.revoked.load(Ordering::SeqCst) || self.stopped.load(Ordering::Acquire) || !self.token.valid(now)
    }

    /// In whose name its program sends.
    pub fn voice(&self) -> Voice {
        Voice { name: self.token.name.clone(), app: self.token.app.clone() }
    }

    fn revoke(&self) {
        self.revoked.store(true, Ordering::SeqCst);
    }

    /// Whether it may do this.
    pub fn may(&self, scope: TokenScope) -> bool {
        self.token.scopes.contains(&scope)
    }
}

impl TokenTable {
    pub(super) fn load(store: &Read) -> Result<Self, StoreError> {
        let tokens = store.tokens()?.into_iter();
        let tokens = tokens.map(|(hash, token)| (hash, Arc::new(LiveToken::new(hash, token))));
        Ok(Self(RwLock::new(Tokens { by_hash: tokens.collect(), leaving: HashMap::new() })))
    }

    /// Takes over what is on disk. What was refused here stays so.
    pub(super) fn refresh(&self, store: &Store) -> Result<(), StoreError> {
        // The lock is held over the look: whoever looks last has seen everything.
        let mut tokens = self.write();
        let mut gone = mem::take(&mut tokens.by_hash);
        let on_disk = match store.read(Stored::tokens) {
            Ok(on_disk) => on_disk,
            Err(error) => {
                tokens.by_hash = gone;
                return Err(error);
            }
        };
        for (hash, token) in on_disk {
            if !tokens.leaving.contains_key(&hash) {
                let live = gone.remove(&hash).unwrap_or_else(|| Arc::new(LiveToken::new(hash, token)));
                tokens.by_hash.insert(hash, live);
            }
        }
        for live in gone.values() {
            live.revoke();
        }
        Ok(())
    }

    /// Refuses a token from this moment on.
    fn take(&self, name: &str) -> Option<Arc<LiveToken>> {
        let mut tokens = self.write();
        let hash = tokens.by_hash.values().find(|live| live.name() == name)?.hash;
        let token = tokens.by_hash.remove(&hash)?;
        tokens.leaving.insert(hash, Leaving { token: Arc::clone(&token), unfinished: None });
        Some(token)
    }

    /// Lets a token that was refused work again: it is on disk still.
    fn put_back(&self, token: Arc<LiveToken>) {
        let mut tokens = self.write();
        tokens.leaving.remove(&token.hash);
        tokens.by_hash.insert(token.hash, token);
    }

    /// Forgets a token that was refused: it is gone from disk.
    fn forget(&self, token: &LiveToken) {
        self.write().leaving.remove(&token.hash);
    }

    /// Leaves the revocation of a token to the sweep.
    fn leave(&self, token: &LiveToken, told: NewActivity) {
        if let Some(leaving) = self.write().leaving.get_mut(&token.hash) {
            leaving.unfinished = Some(told);
        }
    }

    /// The revocations that are left to the sweep.
    fn unfinished(&self) -> Vec<(Arc<LiveToken>, NewActivity)> {
        let tokens = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let left = tokens.leaving.values().map(|left| (&left.token, &left.unfinished));
        left.filter_map(|(token, told)| Some((Arc::clone(token), told.clone()?))).collect()
    }

    pub(super) fn put(&self, hash: TokenHash, token: ApiToken) {
        let live = Arc::new(LiveToken::new(hash, token));
        self.write().by_hash.insert(hash, live);
    }

    fn get(&self, hash: TokenHash) -> Option<Arc<LiveToken>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).by_hash.get(&hash).cloned()
    }

    fn all(&self) -> Vec<Arc<LiveToken>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).by_hash.values().cloned().collect()
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tokens> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Browsers take these out of the address that revokes a token.
const RESERVED: [&str; 2] = [".", ".."];

/// Why a token could not be made or revoked.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The name cannot be one.
    #[error("a token's name is made of letters, digits, '-', '_' and '.', at most 64 of them")]
    Name,
    /// The name stands for something else.
    #[error("a token cannot be called {0}: the name has a meaning of its own here")]
    Reserved(String),
    /// It may do nothing.
    #[error("a token needs at least one scope")]
    NoScope,
    /// The app cannot be one.
    #[error("an app's name has 1 to {} bytes and nothing that cannot be seen, and is not {OWN_APP}", LONGEST)]
    App,
    /// It would not work for a moment.
    #[error("a token cannot expire in the past")]
    Expired,
    /// There is one already.
    #[error("there is a token {0} already; revoke it first, or choose another name")]
    Taken(String),
    /// There is none.
    #[error("there is no token {0}")]
    Unknown(String),
    /// The one who asked has been signed out.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// The token that opens an API call, if it works now; it counts as used.
    pub fn api_token(&self, token: &Token) -> Option<Arc<LiveToken>> {
        let now = self.now();
        let live = self.0.tokens.get(token.hash()).filter(|live| !live.over(now))?;
        live.last_used.fetch_max(now.as_millisecond(), Ordering::Relaxed);
        Some(live)
    }

    /// Whether a token opens any API call now. It does not count as used.
    pub fn is_api_token(&self, token: &Token) -> bool {
        self.0.tokens.get(token.hash()).is_some_and(|live| !live.over(self.now()))
    }

    /// Whether who made a token may make tokens still, as its list says: the console always may.
    pub fn stands_for(&self, token: &ApiToken) -> bool {
        token.created_by.parse().map_or(true, |maker: UserName| self.may_make_tokens(&maker))
    }

    fn may_make_tokens(&self, maker: &UserName) -> bool {
        self.user(maker).is_some_and(|user| user.role == Role::Admin && !user.disabled)
    }

    /// Stops the tokens of those who may make none any more, and lets those of the others work. To be called whenever an account
    /// or a token has changed.
    pub(super) fn hold_tokens(&self) {
        // What was asked last is written last.
        let _turn = self.0.holding.lock().unwrap_or_else(PoisonError::into_inner);
        for live in self.0.tokens.all() {
            if let Some(maker) = &live.maker {
                live.stopped.store(!self.may_make_tokens(maker), Ordering::Release);
            }
        }
    }

    /// Every token, sorted by name.
    pub fn tokens(&self) -> Vec<ApiToken> {
        let mut tokens: Vec<_> = self.0.tokens.all().iter().map(|live| live.token()).collect();
        tokens.sort_by(|a, b| a.name.cmp(&b.name));
        tokens
    }

    /// Makes a token, of this app if one is named. The secret is shown by whoever called, and never again.
    pub async fn add_token(
        &self,
        by: &Actor,
        name: &str,
        mut scopes: Vec<TokenScope>,
        app: Option<&str>,
        expires: Option<Timestamp>,
    ) -> Result<(ApiToken, Token), TokenError> {
        if !ApiToken::good_name(name) {
            return Err(TokenError::Name);
        }
        if is_own(name) || RESERVED.contains(&name) {
            return Err(TokenError::Reserved(name.to_owned()));
        }
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() {
            return Err(TokenError::NoScope);
        }
        let app = app.map(str::trim).filter(|app| !app.is_empty());
        if app.is_some_and(|app| !can_be_called(app)) {
            return Err(TokenError::App);
        }
        if expires.is_some_and(|expires| expires <= self.now()) {
            return Err(TokenError::Expired);
        }
        let secret = random::token(Kind::Api);
        let hash = secret.hash();
        let words: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        let of = app.map_or_else(String::new, |app| format!(" for {app}"));
        let told = self.did(by, action::TOKEN_ADDED).to(name).saying(words.join(" ") + &of);
        let token = ApiToken {
            name: name.to_owned(),
            scopes,
            app: app.map(str::to_owned),
            own_ids: true,
            created: self.now(),
            created_by: by.name.clone(),
            expires,
            last_used: None,
        };
        let made = token.clone();
        self.change(by, move |write| {
            if write.token(&made.name)?.is_some() {
                return Err(TokenError::Taken(made.name.clone()));
            }
            write.put_token(&made, hash)?;
            write.append(&told)?;
            Ok(())
        })
        .done()
        .await?;
        self.0.tokens.put(hash, token.clone());
        self.hold_tokens();
        Ok((token, secret))
    }

    /// Revokes a token: refused from this moment on, and gone from disk before the answer, which comes behind all that was answered
    /// its program before. Where nobody knows whether it is gone, it stays refused, and the sweep sees to it.
    pub async fn revoke_token(&self, by: &Actor, name: &str) -> Result<(), TokenError> {
        let refused = self.0.tokens.take(name);
        let (told, name) = (self.did(by, action::TOKEN_REVOKED).to(name), name.to_owned());
        let telling = told.clone();
        let written = self.change(by, move |write| {
            if !write.remove_token(&name)? {
                return Err(TokenError::Unknown(name.clone()));
            }
            write.append(&telling)?;
            Ok(())
        });
        let written = written.done().await;
        let mut revoked = None;
        match (&written, refused) {
            (Ok(()), Some(token)) => {
                token.revoke();
                self.0.tokens.forget(&token);
                revoked = Some(token);
            }
            (Err(TokenError::Store(StoreError::Unknown)), Some(token)) => {
                token.revoke();
                self.0.tokens.leave(&token, told);
            }
            // It is on disk still: whoever asked was told so, and must see it in the list to try again.
            (Err(_), Some(token)) => self.0.tokens.put_back(token),
            (_, None) => {}
        }
        Outgoing::of(&revoked).gone().await;
        written
    }

    /// Finishes the revocations of which nobody knew whether they were written.
    pub(super) async fn finish_revocations(&self) -> Result<(), StoreError> {
        for (token, told) in self.0.tokens.unfinished() {
            let revoked = token.token.clone();
            let written = self.0.store.write(self.now(), move |write| {
                // Another may have its name by now.
                if write.token(&revoked.name)?.is_some_and(|known| known.created == revoked.created) {
                    write.remove_token(&revoked.name)?;
                    write.append(&told)?;
                }
                Ok::<_, StoreError>(())
            });
            written.done().await?;
            self.0.tokens.forget(&token);
        }
        Ok(())
    }

    /// Writes down when tokens were last used. To be called about once a minute, and once at the end.
    pub async fn flush_tokens(&self) -> Result<(), StoreError> {
        let mut used = Vec::new();
        for live in self.0.tokens.all() {
            let last = live.last_used.load(Ordering::Relaxed);
            if live.flushed.swap(last, Ordering::Relaxed) < last {
                used.push((live.hash, live.token()));
            }
        }
        if used.is_empty() {
            return Ok(());
        }
        let write = self.0.store.write(self.now(), move |write| {
            for (hash, token) in &used {
                // One that was revoked meanwhile stays revoked.
                if write.token(&token.name)?.is_some_and(|known| known.created == token.created) {
                    write.put_token(token, *hash)?;
                }
            }
            Ok::<_, StoreError>(())
        });
        write.done().await
    }
}
