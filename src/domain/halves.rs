//! Those who have shown their password and not yet their second factor. That is no session: it is in memory alone,
//! opens nothing, and dies after five minutes or five wrong codes.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use lru::LruCache;

use super::random;
use crate::{
    model::{
        secret::{Kind, Token, TokenHash},
        user::UserName,
    },
    store::Credential,
};

/// How long somebody has to find their authenticator (OWASP ASVS 5.0, V6.6.2).
const LASTS: Duration = Duration::from_mins(5);

/// How many codes are looked at.
const TRIES: u8 = 5;

/// How many there are at once; the oldest go first.
const MOST: usize = 4096;

/// Somebody's half of a sign-in.
#[derive(Clone, Debug)]
pub(super) struct Half {
    /// Who.
    pub(super) user: UserName,
    /// What their password was held against.
    pub(super) kept: Option<Credential>,
    /// What it is to be replaced by, where it costs too little.
    pub(super) renewed: Option<Credential>,
}

struct Waiting {
    half: Half,
    until: Timestamp,
    left: u8,
}

/// All of them.
pub(super) struct Halves(Mutex<LruCache<TokenHash, Waiting>>);

impl Default for Halves {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(NonZeroUsize::new(MOST).unwrap_or(NonZeroUsize::MIN))))
    }
}

impl Halves {
    /// Keeps a half; what fetches it again.
    pub(super) fn keep(&self, half: Half, now: Timestamp) -> Token {
        let token = random::token(Kind::Half);
        let lasts = SignedDuration::try_from(LASTS).unwrap_or(SignedDuration::ZERO);
        let until = now.saturating_add(lasts).unwrap_or(now);
        self.lock().put(token.hash(), Waiting { half, until, left: TRIES });
        token
    }

    /// The half of this token, for one more code.
    pub(super) fn try_once(&self, token: TokenHash, now: Timestamp) -> Option<Half> {
        let mut halves = self.lock();
        let waiting = halves.get_mut(&token)?;
        if now >= waiting.until || waiting.left == 0 {
            halves.pop(&token);
            return None;
        }
        waiting.left -= 1;
        Some(waiting.half.clone())
    }

    /// Forgets a half that has become whole.
    pub(super) fn forget(&self, token: TokenHash) {
        self.lock().pop(&token);
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<TokenHash, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_dies_of_age_and_of_wrong_codes() {
        let (halves, now) = (Halves::default(), Timestamp::UNIX_EPOCH);
        let half = Half { user: "ann".parse().unwrap(), kept: None, renewed: None };
        let token = halves.keep(half.clone(), now).hash();
        let later = now + SignedDuration::from_secs(299);
        let looked = (0..10).filter(|_| halves.try_once(token, later).is_some()).count();
        assert_eq!(looked, usize::from(TRIES));
        let token = halves.keep(half.clone(), now).hash();
        assert!(halves.try_once(token, now + SignedDuration::from_mins(5)).is_none());
        assert!(halves.try_once(token, now).is_none(), "it is gone");
        for _ in 0..2 * MOST {
            let _ = halves.keep(half.clone(), now);
        }
        assert_eq!(halves.lock().len(), MOST);
    }
}
