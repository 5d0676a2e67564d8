//! Passwords: which are taken, and Argon2id, never more at once than there are cores.

mod memory;
mod policy;

use std::{sync::Arc, thread, time::Duration};

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::{
        self,
        phc::{Output, ParamsString, PasswordHash, Salt},
    },
};
use prometheus::IntCounter;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time,
};

use self::memory::{Memory, Place};
pub(super) use self::policy::choose;
use super::random;
use crate::{model::secret::Password, store::Credential};

/// What a hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// How often it is gone through.
    pub passes: u32,
}

impl Cost {
    /// OWASP's first choice for Argon2id (Password Storage Cheat Sheet, 2025): 19 MiB, two passes, one lane.
    /// 30 ms on one core of the machines it was measured on. Nothing less can be set.
    pub const LEAST: Self = Self { memory_kib: 19 * 1024, passes: 2 };
    /// The most that can be set: 1 GiB, 16 passes.
    pub const MOST: Self = Self { memory_kib: 1 << 20, passes: 16 };

    /// What a kept hash costs; none if it cannot be read.
    fn of(kept: &Credential) -> Option<Self> {
        let params = PasswordHash::new(&kept.0).ok().and_then(|kept| Params::try_from(&kept).ok())?;
        Some(Self { memory_kib: params.m_cost(), passes: params.t_cost() })
    }

    /// How much memory is gone through for it, in KiB.
    fn work(self) -> u64 {
        u64::from(self.memory_kib) * u64::from(self.passes)
    }
}

impl Default for Cost {
    fn default() -> Self {
        Self::LEAST
    }
}

/// How long somebody waits for their turn before they are told to come back.
const PATIENCE: Duration = Duration::from_secs(4);

/// How many strangers wait for each core before the next is told to come back: two seconds of hashes.
const LINE: usize = 64;

/// What is verified where there is nothing to verify, so that the answer takes as long: a hash of the least
/// cost, of random bytes that were thrown away.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$Y+JznHbgNOmyD9cquFLEHA$6FAMCljmwkDxEXgvNLraOCfU2fClcPyU3BoRd2ly0Oo";

/// The maker of all hashes. A hash takes a core and the memory of its cost; a turn for each bounds both.
pub(super) struct Hasher {
    cost: Cost,
    /// What a look at a wrong password comes to, whoever it is of: as much as the dearest hash that is kept.
    dearest: u64,
    nobody: Credential,
    cores: usize,
    permits: Arc<Semaphore>,
    memory: Arc<Memory>,
    work: IntCounter,
}

/// It was nobody's turn in time, or too many were waiting already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Busy;

/// What a password was found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is not the one.
    Wrong,
    /// It is the one. The hash to keep from now on, where the kept one cost less than hashes do now.
    Right(Option<Credential>),
}

impl Hasher {
    /// A hasher for this machine.
    pub(super) fn new(cost: Cost) -> Self {
        let nobody = if cost == Cost::LEAST {
            Credential(NOBODY.to_owned())
        } else {
            hash(&random::bytes::<32>(), cost, &mut Vec::new())
        };
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let permits = Arc::new(Semaphore::new(cores));
        Self { cost, dearest: cost.work(), nobody, cores, permits, memory: Arc::default(), work: work() }
    }

    /// The same beside hashes that were made before, which may have cost less than hashes do now, or more.
    pub(super) fn beside(self, kept: &[Credential]) -> Self {
        let dearest = kept.iter().filter_map(Cost::of).map(Cost::work).fold(self.dearest, u64::max);
        Self { dearest, ..self }
    }

    /// What was done so far, in KiB of memory that were gone through.
    pub(super) const fn work(&self) -> &IntCounter {
        &self.work
    }

    /// Waits for one's turn, behind all who wait already. A stranger is sent away where the line is long.
    pub(super) async fn turn(&self, stranger: bool) -> Result<Turn<'_>, Busy> {
        let place = Place::take(&self.memory);
        if stranger && place.ahead >= LINE * self.cores {
            return Err(Busy);
        }
        let permit = time::timeout(PATIENCE, Arc::clone(&self.permits).acquire_owned()).await;
        let permit = permit.map_err(|_| Busy)?.map_err(|_| Busy)?;
        Ok(Turn { hasher: self, permit })
    }

    /// Lets go of the memory that nobody waits for. To be called every few seconds.
    pub(super) fn rest(&self) {
        self.memory.rest();
    }

    /// The hash to keep of a password.
    pub(super) async fn hash(&self, password: Password) -> Result<Credential, Busy> {
        let Turn { permit, .. } = self.turn(false).await?;
        let (cost, memory) = (self.cost, Arc::clone(&self.memory));
        self.work.inc_by(cost.work());
        Ok(apart(permit, move || memory.lend(|blocks| hash(password.as_bytes(), cost, blocks))).await)
    }
}

#[expect(clippy::expect_used, reason = "the name is written here, and is a good one")]
fn work() -> IntCounter {
    IntCounter::new(
        "rollcall_password_hashing_kibibytes_total",
        "Memory that was gone through to hash passwords, each pass counted; one look at a password has the same share whoever it is of.",
    )
    .expect("a good name")
}

/// A core, for one hash.
pub(super) struct Turn<'a> {
    hasher: &'a Hasher,
    permit: OwnedSemaphorePermit,
}

impl Turn<'_> {
    /// Whether `password` is the one `kept` was made of. Takes as long where nothing was kept.
    pub(super) async fn verify(self, password: Password, kept: Option<Credential>) -> Verdict {
        let Self { hasher, permit } = self;
        let (cost, dearest) = (hasher.cost, hasher.dearest);
        let (nobody, done) = (hasher.nobody.clone(), hasher.work.clone());
        let memory = Arc::clone(&hasher.memory);
        let look = move |blocks: &mut Vec<Block>| {
            let readable = kept.filter(|kept| PasswordHash::new(&kept.0).is_ok());
            let held = readable.as_ref().unwrap_or(&nobody);
            let took = Cost::of(held).map_or(0, Cost::work);
            done.inc_by(took);
            if !verify(password.as_bytes(), held, blocks) || readable.is_none() {
                done.inc_by(idle(dearest.saturating_sub(took), cost, blocks));
                return Verdict::Wrong;
            }
            Verdict::Right(is_cheaper(held, cost).then(|| {
                done.inc_by(cost.work());
                hash(password.as_bytes(), cost, blocks)
            }))
        };
        apart(permit, move || memory.lend(look)).await
    }
}

/// Runs `work` in a thread of its own, which ends with it, and gives the turn back then, whether or not anybody still
/// waits for the answer. The pool's threads would keep the 19 MiB they needed once for ever: measured, an idle server was
/// 40 MB larger.
async fn apart<T: Send + 'static>(
    permit: OwnedSemaphorePermit,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (answer, answered) = oneshot::channel();
    let thread = thread::Builder::new().name("password".into()).spawn(move || {
        let result = work();
        drop(permit);
        // Whoever asked may have left.
        let _ = answer.send(result);
    });
    match (thread, answered.await) {
        (Ok(_), Ok(result)) => result,
        // Out of threads, or the work panicked: nobody is let in.
        _ => std::panic::resume_unwind(Box::new("a password could not be looked at")),
    }
}

#[expect(clippy::panic, reason = "the costs that can be set are within Argon2's bounds")]
fn hash(password: &[u8], cost: Cost, blocks: &mut Vec<Block>) -> Credential {
    match hashed(password, cost, blocks) {
        Ok(phc) => Credential(phc.to_string()),
        Err(error) => panic!("a password could not be hashed: {error}"),
    }
}

fn hashed(
    password: &[u8],
    cost: Cost,
    blocks: &mut Vec<Block>,
) -> Result<PasswordHash, password_hash::Error> {
    let params = Params::new(cost.memory_kib, cost.passes, 1, None)?;
    let (salt, kept) = (Salt::new(&random::bytes::<16>())?, ParamsString::try_from(&params)?);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let output = filled(&argon2, password, &salt, Params::DEFAULT_OUTPUT_LEN, blocks)?;
    Ok(PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: kept,
        salt: Some(salt),
        hash: Some(output),
    })
}

/// Goes through as much memory as this, in KiB, to no end: by how much a kept hash is cheaper than others nobody is to see from
/// the time that a wrong password takes. In pieces of the memory that hashes take now, however dear one was that is kept. How much
/// that was: all but less than can be hashed in.
fn idle(lacks: u64, cost: Cost, blocks: &mut Vec<Block>) -> u64 {
    let memory = u64::from(cost.memory_kib);
    let pieces = [(memory, lacks / memory), (lacks % memory, 1)];
    let pieces = pieces.into_iter().filter_map(|(memory_kib, passes)| {
        let (memory_kib, passes) = (u32::try_from(memory_kib).ok()?, u32::try_from(passes).ok()?);
        (passes > 0 && memory_kib >= Params::MIN_M_COST).then_some(Cost { memory_kib, passes })
    });
    pieces
        .map(|piece| {
            hash(b"", piece, blocks);
            piece.work()
        })
        .sum()
}

fn verify(password: &[u8], kept: &Credential, blocks: &mut Vec<Block>) -> bool {
    fits(password, kept, blocks).unwrap_or(false)
}

/// Whether a password is the one that a hash was made of, whatever that cost.
fn fits(password: &[u8], kept: &Credential, blocks: &mut Vec<Block>) -> Result<bool, password_hash::Error> {
    let kept = PasswordHash::new(&kept.0)?;
    let (Some(salt), Some(expected)) = (&kept.salt, &kept.hash) else { return Ok(false) };
    let algorithm = Algorithm::try_from(kept.algorithm.as_str())?;
    let version = kept.version.map(Version::try_from).transpose()?.unwrap_or_default();
    let argon2 = Argon2::new(algorithm, version, Params::try_from(&kept)?);
    // They are compared in constant time.
    Ok(filled(&argon2, password, salt, expected.len(), blocks)? == *expected)
}

/// What comes of a password and a salt. What stood in the memory before makes no difference.
fn filled(
    argon2: &Argon2<'_>,
    password: &[u8],
    salt: &[u8],
    length: usize,
    blocks: &mut Vec<Block>,
) -> Result<Output, password_hash::Error> {
    let count = argon2.params().block_count();
    if blocks.len() < count {
        blocks.resize(count, Block::default());
    }
    let mut bytes = [0; Output::MAX_LENGTH];
    let output = bytes.get_mut(..length).ok_or(password_hash::Error::OutputSize)?;
    argon2.hash_password_into_with_memory(password, salt, output, &mut blocks[..count])?;
    Ok(Output::new(output)?)
}

/// Whether a kept hash cost less than hashes do now.
fn is_cheaper(kept: &Credential, cost: Cost) -> bool {
    Cost::of(kept).is_none_or(|kept| kept.memory_kib < cost.memory_kib || kept.passes < cost.passes)
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::{CustomizedPasswordHasher as _, PasswordHasher as _, PasswordVerifier as _};

    use super::*;

    #[test]
    fn nobody_has_a_hash_that_costs_as_much_as_anybodys() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let somebody = hash(b"correct horse battery", Cost::LEAST, &mut Vec::new());
        let somebody = PasswordHash::new(&somebody.0).unwrap();
        assert_eq!(
            (nobody.algorithm, nobody.version, nobody.params),
            (somebody.algorithm, somebody.version, somebody.params)
        );
        assert_eq!(nobody.hash.map(|hash| hash.len()), somebody.hash.map(|hash| hash.len()));
    }

    #[test]
    fn a_kept_hash_names_its_cost_and_fits_only_its_password() {
        let mut blocks = Vec::new();
        let kept = hash(b"correct horse battery", Cost::LEAST, &mut blocks);
        assert!(kept.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", kept.0);
        assert!(verify(b"correct horse battery", &kept, &mut blocks));
        assert!(!verify(b"correct horse batterx", &kept, &mut blocks));
        assert!(!verify(b"", &Credential("not a hash".into()), &mut blocks));
        let again = hash(b"correct horse battery", Cost::LEAST, &mut blocks);
        assert_ne!(kept.0, again.0, "every hash has its own salt");
    }

    #[test]
    fn what_is_made_in_memory_that_was_used_is_what_the_library_makes_of_it() {
        let mut blocks = Vec::new();
        for (memory_kib, passes) in [(19 * 1024, 2), (64, 3), (1024, 1)] {
            let kept = hash(b"correct horse battery", Cost { memory_kib, passes }, &mut blocks);
            let read = PasswordHash::new(&kept.0).unwrap();
            let verified = |password| Argon2::default().verify_password(password, &read).is_ok();
            assert!(verified(b"correct horse battery") && !verified(b"correct horse batterx"));
            let made = Argon2::default().hash_password(b"correct horse battery").unwrap();
            assert!(verify(b"correct horse battery", &Credential(made.to_string()), &mut blocks));
        }
        // Of other makers: another length, another algorithm and version, several lanes.
        for params in ["argon2i$v=16$m=64,t=3,p=2", "argon2d$v=19$m=256,t=1,p=4"] {
            let kept = format!("${params}$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAA");
            let read = PasswordHash::new(&kept).unwrap();
            let salt = read.salt.unwrap();
            let made = Argon2::default()
                .hash_password_customized(
                    b"correct horse battery",
                    &salt,
                    Some(read.algorithm.as_str()),
                    read.version,
                    Params::try_from(&read).unwrap(),
                )
                .unwrap();
            let kept = Credential(made.to_string());
            assert!(verify(b"correct horse battery", &kept, &mut blocks), "{params}");
            assert!(!verify(b"correct horse batterx", &kept, &mut blocks), "{params}");
        }
    }

    #[tokio::test]
    async fn a_cheaper_hash_is_replaced_when_its_password_is_seen_again() {
        let dearer = Cost { passes: 3, ..Cost::LEAST };
        let (old, new) = (Hasher::new(Cost::LEAST), Hasher::new(dearer));
        let typed = || Password::typed("correct horse battery".into());
        let kept = old.hash(typed()).await.unwrap();
        let looked = |hasher, kept| async move {
            Hasher::turn(hasher, true).await.unwrap().verify(typed(), kept).await
        };
        let Verdict::Right(Some(renewed)) = looked(&new, Some(kept.clone())).await else {
            panic!("not renewed")
        };
        assert!(renewed.0.contains("t=3"), "{}", renewed.0);
        assert_eq!(looked(&new, Some(renewed.clone())).await, Verdict::Right(None));
        assert_eq!(looked(&old, Some(renewed)).await, Verdict::Right(None), "nothing gets cheaper");
        assert_eq!(looked(&old, Some(Credential("damaged".into()))).await, Verdict::Wrong);
        assert_eq!(looked(&old, None).await, Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_wrong_password_costs_as_much_as_any_whatever_the_hash_did_that_is_kept() {
        let cheap = Cost { memory_kib: 19 * 1024, passes: 2 };
        let dear = Cost { memory_kib: 40 * 1024, passes: 3 };
        let typed = |text: &str| Password::typed(text.to_owned());
        let [old, new] = [cheap, dear].map(|cost| hash(b"correct horse battery", cost, &mut Vec::new()));
        let damaged = Credential("damaged".into());
        // The cost was raised, and it was lowered again.
        for cost in [dear, cheap] {
            let hasher = Hasher::new(cost).beside(&[old.clone(), damaged.clone(), new.clone()]);
            for kept in [None, Some(&old), Some(&new), Some(&damaged)] {
                let before = hasher.work().get();
                let turn = hasher.turn(true).await.unwrap();
                assert_eq!(turn.verify(typed("wrong horse"), kept.cloned()).await, Verdict::Wrong);
                let took = hasher.work().get() - before;
                assert_eq!(took, dear.work(), "{kept:?} where hashes cost {cost:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_long_line_sends_strangers_away_and_nobody_else() {
        let hasher = Hasher::new(Cost::LEAST);
        let places: Vec<_> = (0..LINE * hasher.cores).map(|_| Place::take(&hasher.memory)).collect();
        assert_eq!(hasher.turn(true).await.err(), Some(Busy));
        assert!(hasher.turn(false).await.is_ok());
        drop(places);
        assert!(hasher.turn(true).await.is_ok());
    }

    #[tokio::test]
    async fn there_are_as_many_turns_as_cores_and_whoever_waits_too_long_is_sent_away() {
        let hasher = Hasher::new(Cost::LEAST);
        let mut turns = Vec::new();
        for _ in 0..hasher.cores {
            turns.push(hasher.turn(true).await.ok());
        }
        let asked = std::time::Instant::now();
        assert_eq!(hasher.turn(false).await.err(), Some(Busy), "whoever it is");
        assert!(asked.elapsed() >= PATIENCE);
        assert_eq!(hasher.memory.waiting(), 0, "nobody stands in the line any more");
        drop(turns);
        assert!(hasher.turn(false).await.is_ok());
    }
}
