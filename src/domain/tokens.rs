//! API tokens: a program's way in.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use jiff::Timestamp;

use super::{App, Gone, random};
use crate::{
    model::{
        activity::{OWN_APP, action},
        secret::{Kind, Token, TokenHash},
        token::{ApiToken, TokenScope},
        user::Actor,
    },
    store::{Read, StoreError, Tokens as _},
};

/// Every token in memory, by what it hashes to.
pub(super) struct TokenTable(RwLock<HashMap<TokenHash, Arc<LiveToken>>>);

/// A token that works, and when it last did.
#[derive(Debug)]
pub struct LiveToken {
    token: ApiToken,
    hash: TokenHash,
    last_used: AtomicI64,
    flushed: AtomicI64,
    revoked: AtomicBool,
}

/// Never used.
const NEVER: i64 = i64::MIN;

impl LiveToken {
    fn new(hash: TokenHash, token: ApiToken) -> Self {
        let last = token.last_used.map_or(NEVER, Timestamp::as_millisecond);
        Self {
            token,
            hash,
            last_used: AtomicI64::new(last),
            flushed: AtomicI64::new(last),
            revoked: AtomicBool::new(false),
        }
    }

    /// What is known of it now.
    pub fn token(&self) -> ApiToken {
        let last = self.last_used.load(Ordering::Relaxed);
        let last_used = (last != NEVER).then(|| Timestamp::from_millisecond(last).ok()).flatten();
        ApiToken { last_used, ..self.token.clone() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.token.name
    }

    /// Whether it has been revoked, or has expired at `now`, since it was looked up.
    pub fn over(&self, now: Timestamp) -> bool {
        self.revoked.load(Ordering::Acquire) || !self.token.valid(now)
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
        Ok(Self(RwLock::new(tokens.collect())))
    }

    fn take(&self, name: &str) -> Option<Arc<LiveToken>> {
        let mut tokens = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let hash = tokens.values().find(|live| live.name() == name)?.hash;
        tokens.remove(&hash)
    }

    fn put_back(&self, token: Arc<LiveToken>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(token.hash, token);
    }

    pub(super) fn put(&self, hash: TokenHash, token: ApiToken) {
        let live = Arc::new(LiveToken::new(hash, token));
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(hash, live);
    }

    fn all(&self) -> Vec<Arc<LiveToken>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// What a token so called sends would pass for Rollcall's own, or browsers take its name out of the address that revokes it.
const RESERVED: [&str; 3] = [OWN_APP, ".", ".."];

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
        let tokens = self.0.tokens.0.read().unwrap_or_else(PoisonError::into_inner);
        let live = tokens.get(&token.hash()).filter(|live| live.token.valid(now))?;
        live.last_used.fetch_max(now.as_millisecond(), Ordering::Relaxed);
        Some(Arc::clone(live))
    }

    /// Every token, sorted by name.
    pub fn tokens(&self) -> Vec<ApiToken> {
        let mut tokens: Vec<_> = self.0.tokens.all().iter().map(|live| live.token()).collect();
        tokens.sort_by(|a, b| a.name.cmp(&b.name));
        tokens
    }

    /// Makes a token. The secret is shown by whoever called, and never again.
    pub async fn add_token(
        &self,
        by: &Actor,
        name: &str,
        mut scopes: Vec<TokenScope>,
        expires: Option<Timestamp>,
    ) -> Result<(ApiToken, Token), TokenError> {
        if !ApiToken::good_name(name) {
            return Err(TokenError::Name);
        }
        if RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
            return Err(TokenError::Reserved(name.to_owned()));
        }
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() {
            return Err(TokenError::NoScope);
        }
        if expires.is_some_and(|expires| expires <= self.now()) {
            return Err(TokenError::Expired);
        }
        let secret = random::token(Kind::Api);
        let hash = secret.hash();
        let words: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        let told = self.did(by, action::TOKEN_ADDED).to(name).saying(words.join(" "));
        let token = ApiToken {
            name: name.to_owned(),
            scopes,
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
        Ok((token, secret))
    }

    /// Revokes a token: refused from this moment on, and gone from disk before the answer.
    pub async fn revoke_token(&self, by: &Actor, name: &str) -> Result<(), TokenError> {
        let refused = self.0.tokens.take(name);
        let (told, name) = (self.did(by, action::TOKEN_REVOKED).to(name), name.to_owned());
        let written = self.change(by, move |write| {
            if !write.remove_token(&name)? {
                return Err(TokenError::Unknown(name.clone()));
            }
            write.append(&told)?;
            Ok(())
        });
        let written = written.done().await;
        match (&written, refused) {
            (Ok(()), Some(token)) => token.revoked.store(true, Ordering::Release),
            // It is on disk still: whoever asked was told so, and must see it in the list to try again.
            (Err(_), Some(token)) => self.0.tokens.put_back(token),
            (_, None) => {}
        }
        written
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
