//! What was begun and waits for its second step: the half of a sign-in that lacks its second factor, a passkey that is being
//! made or shown. It is in memory alone, opens nothing, and dies after five minutes or a few wrong tries.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use lru::LruCache;

use super::random;
use crate::model::secret::{Kind, Token, TokenHash};

/// How long somebody has to find what the second step takes (OWASP ASVS 5.0, V6.6.2).
const LASTS: Duration = Duration::from_mins(5);

/// How many wait at once; the oldest go first.
const MOST: usize = 4096;

struct Begun<T> {
    what: T,
    until: Timestamp,
    left: u8,
}

/// All that was begun of one kind.
pub(super) struct Waiting<T>(Mutex<LruCache<TokenHash, Begun<T>>>);

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(NonZeroUsize::new(MOST).unwrap_or(NonZeroUsize::MIN))))
    }
}

impl<T: Clone> Waiting<T> {
    /// Keeps what was begun, for so many tries; what fetches it again.
    pub(super) fn keep(&self, what: T, tries: u8, now: Timestamp) -> Token {
        let token = random::token(Kind::Half);
        let lasts = SignedDuration::try_from(LASTS).unwrap_or(SignedDuration::ZERO);
        let until = now.saturating_add(lasts).unwrap_or(now);
        self.lock().put(token.hash(), Begun { what, until, left: tries });
        token
    }

    /// What was begun under this token, for one more try.
    pub(super) fn try_once(&self, token: TokenHash, now: Timestamp) -> Option<T> {
        let mut all = self.lock();
        let begun = all.get_mut(&token)?;
        if now >= begun.until || begun.left == 0 {
            all.pop(&token);
            return None;
        }
        begun.left -= 1;
        Some(begun.what.clone())
    }

    /// The same, by the token as it came back.
    pub(super) fn try_shown(&self, token: &str, now: Timestamp) -> Option<T> {
        let token = token.parse::<Token>().ok().filter(|token| token.kind() == Kind::Half)?;
        self.try_once(token.hash(), now)
    }

    /// Forgets what has come to its end.
    pub(super) fn forget(&self, token: TokenHash) {
        self.lock().pop(&token);
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<TokenHash, Begun<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_begun_dies_of_age_and_of_tries() {
        let (waiting, now) = (Waiting::default(), Timestamp::UNIX_EPOCH);
        let token = waiting.keep("half", 5, now).hash();
        let later = now + SignedDuration::from_secs(299);
        let looked = (0..10).filter(|_| waiting.try_once(token, later).is_some()).count();
        assert_eq!(looked, 5);
        let token = waiting.keep("half", 5, now);
        assert!(waiting.try_once(token.hash(), now + SignedDuration::from_mins(5)).is_none());
        assert!(waiting.try_shown(&token.reveal(), now).is_none(), "it is gone");
        let token = waiting.keep("half", 1, now);
        assert_eq!(waiting.try_shown(&token.reveal(), now), Some("half"));
        assert_eq!(waiting.try_shown(&token.reveal(), now), None);
        for _ in 0..2 * MOST {
            let _ = waiting.keep("half", 5, now);
        }
        assert_eq!(waiting.lock().len(), MOST);
    }
}
