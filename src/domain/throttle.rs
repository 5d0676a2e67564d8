//! How often somebody may be wrong: one count for every door that takes a secret.
//!
//! A try is taken before the secret is looked at and given back if it was right, so that failures alone count, however
//! many come at once. Each bucket holds a burst and fills at its own pace (GCRA, as in ATM Forum TM 4.0, annex C). A
//! stranger's try is taken from three: the account's, the address's and everybody's. A browser that the user has signed
//! in on before, and an address they have signed in from, have a bucket of their own besides, which is asked first, so that
//! whoever fails on somebody's name from elsewhere does not keep them out.
//!
//! The count goes by a time of its own, which runs with the clock and stands still where that went back: whoever could try before
//! can try then.
//!
//! Nothing of this goes to disk, and a restart must not be worth anything to whoever guesses. It is not known then which buckets
//! were empty, so each of them begins with [`Rule::BEGINS`] tries and fills from there: whoever sits at an address of the
//! user's, with a browser of the user's, and somewhere else besides has nine tries at the account and no more.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    mem,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use lru::LruCache;

use super::live::LiveTable;

/// How many buckets are remembered; the least recently used go first. A bucket takes some 60 bytes.
const BUCKETS: usize = 1 << 17;

/// How many addresses of users are remembered.
const KNOWN: usize = 1 << 16;

/// How long the log is not told again that somebody is held back.
const QUIET: Duration = Duration::from_mins(1);

/// By how much times may differ that are asked for at once, in milliseconds: who asked first may come here last.
const APART: i64 = 1000;

/// How many brakes the log tells apart at a time; the rest are told together.
const TOLD: usize = 64;

/// A burst, and the time in which one try comes back.
#[derive(Clone, Copy)]
struct Rule {
    burst: u32,
    every: Duration,
    /// Whether it is about tries at one account.
    of_an_account: bool,
}

impl Rule {
    /// How many tries a bucket holds that may have been emptied before a restart.
    const BEGINS: u32 = 3;

    /// How long such a bucket takes to be full, in milliseconds.
    fn lacks(self) -> i64 {
        millis(self.every) * i64::from(self.burst.saturating_sub(Self::BEGINS))
    }

    /// How long an empty bucket takes to be full, in milliseconds.
    fn holds(self) -> i64 {
        millis(self.every) * i64::from(self.burst)
    }
}

/// An account: 8 tries and 12 an hour, which is under 300 a day of an attacker's.
const ACCOUNT: Rule = Rule { burst: 8, every: Duration::from_mins(5), of_an_account: true };
/// A browser or an address that the user is known on.
const FAMILIAR: Rule = Rule { burst: 8, every: Duration::from_mins(1), of_an_account: true };
/// An address (IPv6: a /64), behind which a whole office may sit.
const ADDRESS: Rule = Rule { burst: 40, every: Duration::from_secs(3), of_an_account: false };
/// Questions to a device, from an address: a whole office may open the page of the sign-in. Within the five minutes that they wait
/// that makes 420 of the 65,536 that are remembered.
const QUESTION: Rule = Rule { burst: 120, every: Duration::from_secs(1), of_an_account: false };
/// All strangers together.
const EVERYBODY: Rule = Rule { burst: 100, every: Duration::from_millis(100), of_an_account: false };

/// Where a try comes from: an address, or the /64 of one of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Source(Option<IpAddr>);

impl Source {
    pub(super) fn of(ip: Option<IpAddr>) -> Self {
        Self(ip.map(|ip| match ip.to_canonical() {
            IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
            v4 @ IpAddr::V4(_) => v4,
        }))
    }
}

/// Who tries.
#[derive(Clone, Debug)]
pub(super) struct Trier {
    /// On which account, in the canonical form of whatever was typed.
    pub(super) account: String,
    /// From where.
    pub(super) source: Source,
    /// On which browser, if it is one that this user has signed in on.
    pub(super) browser: Option<[u8; 16]>,
}

/// What holds somebody back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Brake {
    /// Too many failures on this account.
    Account(String),
    /// Too many failures from this address.
    Address(Option<IpAddr>),
    /// Too many failures in all.
    Everybody,
}

/// A try that was taken.
#[must_use = "a try that was right is given back"]
pub(super) struct Try(Vec<(u64, Rule)>);

/// Too many were wrong; when the next try may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMany {
    pub(super) wait: Duration,
}

/// The count.
pub(super) struct Throttle {
    hasher: RandomState,
    state: Mutex<State>,
}

struct State {
    /// The latest time that was counted by, and by how much that is ahead of the clock since this went back, in milliseconds.
    latest: i64,
    ahead: i64,
    /// When each bucket will be full again, in milliseconds; what is not here is full, or as the start left it.
    buckets: LruCache<u64, i64>,
    /// When the count began without what was counted before, in milliseconds; none where there was nothing to count.
    restarted: Option<i64>,
    known: LruCache<u64, ()>,
    /// How often each brake has held somebody back, and until when the log is not told of it.
    refused: HashMap<Brake, u64>,
    quiet_until: i64,
}

impl Default for Throttle {
    fn default() -> Self {
        let cache = |most| NonZeroUsize::new(most).unwrap_or(NonZeroUsize::MIN);
        let (buckets, known) = (LruCache::new(cache(BUCKETS)), LruCache::new(cache(KNOWN)));
        let (refused, quiet_until) = (HashMap::new(), 0);
        let state =
            State { latest: i64::MIN, ahead: 0, buckets, restarted: None, known, refused, quiet_until };
        Self { hasher: RandomState::new(), state: Mutex::new(state) }
    }
}

impl Throttle {
    /// A throttle that knows from where users are signed in. Where somebody could have tried before, it is a restart, which was
    /// then, at `restarted`.
    pub(super) fn of(live: &LiveTable, restarted: Option<Timestamp>) -> Self {
        let throttle = Self::default();
        if let Some(at) = restarted.map(Timestamp::as_millisecond) {
            let mut state = throttle.lock();
            (state.restarted, state.latest) = (Some(at), at);
        }
        for live in live.all() {
            throttle.remember(live.user.as_str(), Source::of(live.ip()));
        }
        throttle
    }

    /// Whether a try may be made now, without taking it.
    pub(super) fn look(&self, who: &Trier, now: Timestamp) -> Result<(), TooMany> {
        self.ask(who, now, false).map(drop)
    }

    /// Takes a try.
    pub(super) fn take(&self, who: &Trier, now: Timestamp) -> Result<Try, TooMany> {
        self.ask(who, now, true)
    }

    /// Whether this is nobody that is known.
    pub(super) fn is_stranger(&self, who: &Trier) -> bool {
        who.browser.is_none() && !self.lock().known.contains(&self.known_key(&who.account, who.source))
    }

    fn ask(&self, who: &Trier, now: Timestamp, take: bool) -> Result<Try, TooMany> {
        let known = self.known_key(&who.account, who.source);
        let mut state = self.lock();
        let now = state.time(now);
        if let Some(browser) = who.browser {
            let own = (self.key("browser", (&who.account, browser)), FAMILIAR);
            if let Ok(taken) = state.take(&[own], now, take) {
                return Ok(taken);
            }
        }
        if state.known.get(&known).is_some()
            && let Ok(taken) = state.take(&[(self.key("known", known), FAMILIAR)], now, take)
        {
            return Ok(taken);
        }
        let buckets = [
            (self.key("address", who.source), ADDRESS),
            (self.key("account", &who.account), ACCOUNT),
            (self.key("everybody", ()), EVERYBODY),
        ];
        state.take(&buckets, now, take).map_err(|(index, too_many)| {
            let brake = match index {
                0 => Brake::Address(who.source.0),
                1 => Brake::Account(who.account.clone()),
                _ => Brake::Everybody,
            };
            state.tell(brake);
            too_many
        })
    }

    /// Takes a question to a device, which is no try: nothing was shown yet.
    pub(super) fn ask_a_question(&self, source: Source, now: Timestamp) -> Result<(), TooMany> {
        let own = (self.key("question", source), QUESTION);
        let mut state = self.lock();
        let now = state.time(now);
        let taken = state.take(&[own], now, true);
        taken.map(drop).map_err(|(_, too_many)| too_many)
    }

    /// Gives a try back: what was tried was right.
    pub(super) fn give_back(&self, taken: Try) {
        let mut state = self.lock();
        for (key, rule) in taken.0 {
            if let Some(full) = state.buckets.get_mut(&key) {
                *full -= millis(rule.every);
            }
        }
    }

    /// Remembers that this user has signed in from there.
    pub(super) fn remember(&self, account: &str, source: Source) {
        self.lock().known.put(self.known_key(account, source), ());
    }

    /// Lets everybody try again on this account: it has a new password.
    pub(super) fn forget(&self, account: &str) {
        // It has been full since long ago. One that is merely gone would begin as after a restart.
        self.lock().buckets.put(self.key("account", account), 0);
    }

    /// How often each brake has held somebody back since this was last told, which is once a minute at most.
    pub(super) fn refused(&self, now: Timestamp) -> HashMap<Brake, u64> {
        let now = now.as_millisecond();
        let mut state = self.lock();
        // A clock that went back keeps it quiet no longer.
        let quiet = (state.quiet_until - millis(QUIET)..state.quiet_until).contains(&now);
        if state.refused.is_empty() || quiet {
            return HashMap::new();
        }
        state.quiet_until = now + millis(QUIET);
        mem::take(&mut state.refused)
    }

    fn known_key(&self, account: &str, source: Source) -> u64 {
        self.key("user and address", (account, source))
    }

    fn key(&self, kind: &str, of: impl Hash) -> u64 {
        self.hasher.hash_one((kind, of))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The time to count by where the clock shows `now`, in milliseconds. It never goes back.
    fn time(&mut self, now: Timestamp) -> i64 {
        let now = now.as_millisecond().saturating_add(self.ahead);
        let back = self.latest.saturating_sub(now);
        if back > APART {
            self.ahead += back;
        }
        self.latest = self.latest.max(now);
        self.latest
    }

    /// Takes one out of every one of `buckets`, or out of none: then which of them is empty.
    fn take(&mut self, buckets: &[(u64, Rule)], now: i64, take: bool) -> Result<Try, (usize, TooMany)> {
        let mut filled = Vec::with_capacity(buckets.len());
        for (index, (key, rule)) in buckets.iter().enumerate() {
            let (every, most) = (millis(rule.every), rule.holds());
            let full = self.buckets.get(key).copied().or_else(|| self.begins(*rule));
            let full = full.unwrap_or(now).max(now);
            if full + every > now + most {
                let wait = u64::try_from(full + every - now - most).unwrap_or_default();
                return Err((index, TooMany { wait: Duration::from_millis(wait) }));
            }
            filled.push((*key, full + every));
        }
        if take {
            for (key, full) in filled {
                self.buckets.put(key, full);
            }
        }
        Ok(Try(buckets.to_vec()))
    }

    /// When a bucket that nothing was counted in is full, if the start took from it. Addresses and everybody begin full: a whole office
    /// signs in after a restart, and their tries are at many accounts.
    fn begins(&self, rule: Rule) -> Option<i64> {
        self.restarted.filter(|_| rule.of_an_account).map(|restarted| restarted + rule.lacks())
    }

    fn tell(&mut self, brake: Brake) {
        let brake = if self.refused.len() < TOLD || self.refused.contains_key(&brake) {
            brake
        } else {
            Brake::Everybody
        };
        *self.refused.entry(brake).or_default() += 1;
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::domain::clock::Clock;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn trier(account: &str, ip: &str) -> Trier {
        Trier { account: account.into(), source: Source::of(ip.parse().ok()), browser: None }
    }

    fn failures(throttle: &Throttle, who: &Trier, now: Timestamp) -> u32 {
        (0..1_000).map_while(|_| throttle.take(who, now).ok()).count().try_into().unwrap()
    }

    #[test]
    fn an_account_has_so_many_tries_wherever_they_come_from_and_gets_them_back_in_time() {
        let throttle = Throttle::default();
        let tried: u32 =
            (0..20).map(|n| failures(&throttle, &trier("ann", &format!("10.0.0.{n}")), NOW)).sum();
        assert_eq!(tried, ACCOUNT.burst);
        assert_eq!(failures(&throttle, &trier("bob", "10.0.0.1"), NOW), ACCOUNT.burst);
        let wait = throttle.look(&trier("ann", "10.0.0.1"), NOW).unwrap_err().wait;
        assert_eq!(wait, ACCOUNT.every);
        let later = NOW + SignedDuration::try_from(wait).unwrap();
        assert_eq!(failures(&throttle, &trier("ann", "10.0.0.1"), later), 1);
        let back = NOW - SignedDuration::from_hours(240);
        let wait = throttle.look(&trier("ann", "10.0.0.1"), back).unwrap_err().wait;
        assert!(wait <= ACCOUNT.every, "a clock that goes back: {wait:?}");
    }

    #[test]
    fn who_could_try_before_the_clock_went_back_can_try_then_and_nobody_else() {
        let throttle = Throttle::default();
        let [ann, bob] = ["ann", "bob"].map(|name| trier(name, "10.0.0.1"));
        failures(&throttle, &ann, NOW);
        let later = NOW + SignedDuration::from_hours(1);
        failures(&throttle, &bob, later);
        let back = later - SignedDuration::from_hours(2);
        assert_eq!(throttle.look(&bob, back).unwrap_err().wait, ACCOUNT.every);
        assert_eq!(failures(&throttle, &ann, back), ACCOUNT.burst, "hers had been full for long");
        // It goes on filling with the clock as it runs now, and a clock that is put right again gives nothing away.
        let then = back + SignedDuration::try_from(ACCOUNT.every).unwrap();
        assert_eq!(failures(&throttle, &ann, then), 1);
        assert_eq!(failures(&throttle, &bob, then), 1);
        // Of two who ask at once the one that comes last may have asked first.
        let just_before = then - SignedDuration::from_millis(APART);
        for _ in 0..1_000 {
            assert_eq!(failures(&throttle, &ann, just_before) + failures(&throttle, &ann, then), 0);
        }
    }

    #[test]
    fn a_restart_gives_back_fewer_than_ten_tries_and_all_of_them_in_time() {
        let restarted = || {
            let throttle = Throttle::of(&LiveTable::of([], Clock::system()), Some(NOW));
            let ann = trier("ann", "192.0.2.1");
            throttle.remember("ann", ann.source);
            (throttle, Trier { browser: Some([1; 16]), ..ann })
        };
        // A browser of hers at an address of hers, the address without the browser, and elsewhere.
        let (throttle, ann) = restarted();
        let known = Trier { browser: None, ..ann.clone() };
        let elsewhere = trier("ann", "198.51.100.1");
        let tries = [&elsewhere, &known, &ann].map(|who| failures(&throttle, who, NOW));
        assert_eq!(tries, [Rule::BEGINS; 3], "{tries:?}");
        assert_eq!(failures(&restarted().0, &ann, NOW), 3 * Rule::BEGINS, "in whatever order");
        // Whoever guesses from elsewhere keeps her out of nothing.
        let (throttle, ann) = restarted();
        failures(&throttle, &elsewhere, NOW);
        assert!(throttle.look(&ann, NOW).is_ok() && throttle.look(&known, NOW).is_ok());
        // The clock goes back: nobody waits longer for it.
        let back = NOW - SignedDuration::from_hours(240);
        assert_eq!(failures(&restarted().0, &elsewhere, back), Rule::BEGINS);
        let later = NOW + SignedDuration::from_mins(25);
        assert_eq!(failures(&restarted().0, &elsewhere, later), ACCOUNT.burst);
        // A new password begins the count anew, now too.
        let (throttle, _) = restarted();
        throttle.forget("ann");
        assert_eq!(failures(&throttle, &elsewhere, NOW), ACCOUNT.burst);
        // An office that comes in at once is none of this.
        let many = (0..100).map(|n| trier(&format!("u{n}"), "192.0.2.7"));
        let taken = many.map_while(|who| throttle.take(&who, NOW).ok()).count();
        assert_eq!(u32::try_from(taken), Ok(ADDRESS.burst));
    }

    #[test]
    fn what_was_right_does_not_count() {
        let throttle = Throttle::default();
        let ann = trier("ann", "10.0.0.1");
        for _ in 0..1_000 {
            throttle.give_back(throttle.take(&ann, NOW).ok().unwrap());
        }
        assert_eq!(failures(&throttle, &ann, NOW), ACCOUNT.burst);
    }

    #[test]
    fn an_address_has_so_many_tries_whoever_is_tried() {
        let throttle = Throttle::default();
        let tried: u32 = (0..100)
            .map(|n| {
                u32::from(throttle.take(&trier(&format!("u{n}"), &format!("2001:db8::{n}")), NOW).is_ok())
            })
            .sum();
        assert_eq!(tried, ADDRESS.burst, "a /64 is one address");
        assert!(throttle.take(&trier("u0", "2001:db8:0:1::1"), NOW).is_ok());
        let told = throttle.refused(NOW);
        let expected = Brake::Address("2001:db8::".parse().ok());
        assert_eq!(told.into_iter().collect::<Vec<_>>(), [(expected, u64::from(100 - ADDRESS.burst))]);
        assert!(throttle.take(&trier("u0", "2001:db8::1"), NOW).is_err());
        assert!(throttle.refused(NOW).is_empty(), "the log is told once a minute");
        assert_eq!(throttle.refused(NOW + SignedDuration::from_mins(1)).len(), 1);
    }

    #[test]
    fn all_strangers_together_are_held_back_and_whoever_is_known_is_not() {
        let throttle = Throttle::default();
        let tried: u32 = (0..1_000)
            .map(|n| {
                u32::from(
                    throttle.take(&trier(&format!("u{n}"), &format!("10.0.{}.{n}", n / 250)), NOW).is_ok(),
                )
            })
            .sum();
        assert!(tried <= EVERYBODY.burst + 250, "{tried}");
        let ann = trier("ann", "192.0.2.1");
        throttle.remember("ann", ann.source);
        assert_eq!(failures(&throttle, &ann, NOW), FAMILIAR.burst, "and no more as a stranger");
        let browser = Trier { browser: Some([1; 16]), ..trier("bob", "198.51.100.1") };
        assert_eq!(failures(&throttle, &browser, NOW), FAMILIAR.burst);
        assert!(throttle.is_stranger(&trier("bob", "192.0.2.1")) && !throttle.is_stranger(&ann));
    }

    #[test]
    fn a_million_names_take_no_more_room_than_was_set() {
        let throttle = Throttle::default();
        for n in 0..300_000_u32 {
            let _ = throttle.take(
                &trier(&format!("u{n}"), &Ipv6Addr::from(u128::from(n) << 64).to_string()),
                NOW + SignedDuration::from_millis(i64::from(n) * 100),
            );
        }
        let state = throttle.lock();
        assert!(state.buckets.len() <= BUCKETS && state.refused.len() <= TOLD);
    }
}
