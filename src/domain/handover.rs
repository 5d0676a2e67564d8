//! Handing a session over to an app on another domain, where Rollcall's own cookie does not reach.
//!
//! The browser is first given a *nonce* at the app's own host, in a cookie. Then Rollcall, at its own address, makes a code for
//! the session that is signed in there, and the browser carries it back to the app's host, where it is worth a pass. A code is
//! good once, for a minute, at that host, and for the browser that holds the nonce: not in another one that was sent the
//! address.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use lru::LruCache;

use super::{App, live::Live, random, sessions::SessionError};
use crate::model::{
    id::SessionId,
    secret::{Kind, Token, TokenHash},
    site::{Realm, Site},
};

/// How long a code is good.
const LASTS: Duration = Duration::from_mins(1);

/// How many codes wait at once; the oldest go first.
const MOST: usize = 4096;

struct Waiting {
    session: SessionId,
    site: Site,
    nonce: TokenHash,
    until: Timestamp,
}

/// The codes on their way, in memory alone.
pub(super) struct Handovers(Mutex<LruCache<TokenHash, Waiting>>);

impl Default for Handovers {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(NonZeroUsize::new(MOST).unwrap_or(NonZeroUsize::MIN))))
    }
}

impl App {
    /// A nonce for a browser that is about to be handed a session.
    pub fn handover_nonce(&self) -> Token {
        random::token(Kind::Handover)
    }

    /// A code that hands `live` over to the app at `site`, in the browser that holds what `nonce` is the hash of.
    pub fn begin_handover(&self, live: &Live, site: Site, nonce: TokenHash) -> Token {
        let code = random::token(Kind::Handover);
        let lasts = SignedDuration::try_from(LASTS).unwrap_or(SignedDuration::ZERO);
        let until = self.now().saturating_add(lasts).unwrap_or_else(|_| self.now());
        let waiting = Waiting { session: live.id, site, nonce, until };
        self.0.handovers.0.lock().unwrap_or_else(PoisonError::into_inner).put(code.hash(), waiting);
        code
    }

    /// A pass for the host of `site`, for a code that was made for it and for the browser with this nonce. None if the code is
    /// not good, or not any more: whatever is shown with it, it is used up.
    pub async fn finish_handover(
        &self,
        code: &Token,
        site: &Site,
        nonce: &Token,
    ) -> Result<Option<Token>, SessionError> {
        let waiting = self.0.handovers.0.lock().unwrap_or_else(PoisonError::into_inner).pop(&code.hash());
        let good = |waiting: &Waiting| {
            waiting.site == *site && waiting.nonce == nonce.hash() && self.now() < waiting.until
        };
        let Some(live) = waiting.filter(good).and_then(|waiting| self.live(waiting.session)) else {
            return Ok(None);
        };
        let realm = Realm::Host(site.host().to_owned());
        match self.make_pass(&Arc::clone(&live), realm).await {
            Ok(pass) => Ok(Some(pass)),
            Err(SessionError::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
