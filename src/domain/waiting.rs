//! What was begun and waits for its second step: the half of a sign-in that lacks its second factor, a passkey that is being
//! made or shown, a session on its way to an app on another domain. It is in memory alone, opens nothing, and dies of age or
//! after a few wrong tries.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::SignedDuration;
use lru::LruCache;

use super::{
    clock::{Reading, Until},
    random,
};
use crate::model::secret::{Kind, Token, TokenHash};

/// How long somebody has to find what a second step of the sign-in takes (OWASP ASVS 5.0, V6.6.2).
const LASTS: Duration = Duration::from_mins(5);

/// How many wait at once; the oldest go first. At some hundred bytes each they are a few megabytes.
const MOST: usize = 1 << 16;

struct Begun<T> {
    what: T,
    until: Until,
    left: u8,
}

/// All that was begun of one sort.
pub(super) struct Waiting<T> {
    all: Mutex<LruCache<TokenHash, Begun<T>>>,
    /// What fetches it again.
    kind: Kind,
    lasts: SignedDuration,
}

impl<T> Default for Waiting<T> {
    /// Second steps of the sign-in.
    fn default() -> Self {
        Self::lasting(Kind::Half, LASTS)
    }
}

impl<T> Waiting<T> {
    /// What is fetched again by tokens of this kind, and waits so long.
    pub(super) fn lasting(kind: Kind, lasts: Duration) -> Self {
        let all = LruCache::new(NonZeroUsize::new(MOST).unwrap_or(NonZeroUsize::MIN));
        let lasts = SignedDuration::try_from(lasts).unwrap_or(SignedDuration::ZERO);
        Self { all: Mutex::new(all), kind, lasts }
    }
}

impl<T: Clone> Waiting<T> {
    /// Keeps what was begun, for so many tries; what fetches it again.
    pub(super) fn keep(&self, what: T, tries: u8, now: Reading) -> Token {
        let token = random::token(self.kind);
        let until = Until::after(now, self.lasts);
        self.lock().put(token.hash(), Begun { what, until, left: tries });
        token
    }

    /// What was begun under this token, for one more try.
    pub(super) fn try_once(&self, token: TokenHash, now: Reading) -> Option<T> {
        let mut all = self.lock();
        let begun = all.get_mut(&token)?;
        if begun.until.is_over(now) || begun.left == 0 {
            all.pop(&token);
            return None;
        }
        begun.left -= 1;
        Some(begun.what.clone())
    }

    /// The same, by the token as it came back.
    pub(super) fn try_shown(&self, token: &str, now: Reading) -> Option<T> {
        let token = token.parse::<Token>().ok().filter(|token| token.kind() == self.kind)?;
        self.try_once(token.hash(), now)
    }

    /// What was begun under this token, for the last time.
    pub(super) fn take(&self, token: TokenHash, now: Reading) -> Option<T> {
        let begun = self.lock().pop(&token)?;
        (!begun.until.is_over(now) && begun.left > 0).then_some(begun.what)
    }

    /// Forgets what has come to its end.
    pub(super) fn forget(&self, token: TokenHash) {
        self.lock().pop(&token);
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<TokenHash, Begun<T>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn what_was_begun_dies_of_age_and_of_tries() {
        let waiting = Waiting::default();
        let now = Reading { shown: Timestamp::UNIX_EPOCH, run: SignedDuration::from_hours(1) };
        let after = |by| Reading { shown: now.shown + by, run: now.run + by };
        let token = waiting.keep("half", 5, now).hash();
        let later = after(SignedDuration::from_secs(299));
        let looked = (0..10).filter(|_| waiting.try_once(token, later).is_some()).count();
        assert_eq!(looked, 5);
        let token = waiting.keep("half", 5, now);
        assert!(waiting.try_once(token.hash(), after(SignedDuration::from_mins(5))).is_none());
        assert!(waiting.try_shown(&token.reveal(), now).is_none(), "it is gone");
        let token = waiting.keep("half", 1, now);
        assert_eq!(waiting.try_shown(&token.reveal(), now), Some("half"));
        assert_eq!(waiting.try_shown(&token.reveal(), now), None);
        let token = waiting.keep("half", 1, now).hash();
        assert_eq!(waiting.take(token, now), Some("half"));
        assert_eq!(waiting.take(token, now), None);
        let token = waiting.keep("half", 1, now).hash();
        assert_eq!(waiting.take(token, after(SignedDuration::from_mins(5))), None);
        // The clock that was set back makes it last no longer.
        let token = waiting.keep("half", 1, now).hash();
        let set_back = Reading { run: after(SignedDuration::from_mins(5)).run, ..now };
        assert_eq!(waiting.take(token, set_back), None);
        for _ in 0..2 * MOST {
            let _ = waiting.keep("half", 5, now);
        }
        assert_eq!(waiting.lock().len(), MOST);
    }
}
