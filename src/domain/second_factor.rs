//! Second factors: set up with an authenticator, shown at sign-in, taken away.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::{
    App,
    accounts::AccountError,
    live::Live,
    password::Verdict,
    random,
    sessions::{Origin, use_up},
    sign_in::Held,
};
use crate::{
    model::{
        activity::action,
        secret::InstallationSecret,
        totp::{RecoveryCode, SealedSeed, SecondFactor, Seed, Shown},
        user::{Actor, UserName},
    },
    store::{Factors, StoreError, Users as _},
};

/// What the log says of a failure of somebody who is signed in.
const ASKED_AGAIN: &str = "asked again while signed in";

/// What seeds are sealed for: one that is being set up is not one that is kept.
const PENDING: &str = "second factor, pending";
const KEPT: &str = "second factor";

impl App {
    /// The second factor of a user, if one is set up.
    pub fn second_factor(&self, name: &UserName) -> Result<Option<SecondFactor>, StoreError> {
        self.0.store.read(|read| read.second_factor(name))
    }

    /// Everybody who has one.
    pub fn with_second_factor(&self) -> Result<Vec<UserName>, StoreError> {
        self.0.store.read(Factors::with_second_factor)
    }

    /// A seed for an authenticator, and the same sealed: nothing is kept of it until a code proves that it has arrived.
    pub fn begin_second_factor(&self, name: &UserName) -> (Seed, SealedSeed) {
        let seed = Seed::new(random::bytes());
        let sealed = seal(&self.0.secret, PENDING, name, &seed);
        (seed, sealed)
    }

    /// The seed that this user's page carries back.
    pub fn pending_seed(&self, name: &UserName, sealed: &str) -> Option<Seed> {
        open(&self.0.secret, PENDING, name, &SealedSeed::from_text(sealed)?)
    }

    /// Sets the second factor up, proven by a code of it; the recovery codes, for the one time they are shown.
    pub async fn set_second_factor(
        &self,
        by: &Actor,
        name: &UserName,
        sealed: &str,
        code: &str,
    ) -> Result<Vec<RecoveryCode>, AccountError> {
        let seed = self.pending_seed(name, sealed).ok_or(AccountError::StaleFactor)?;
        let last_step = seed.step_of(code, self.now()).ok_or(AccountError::WrongCode)?;
        let (codes, recovery) = recovery_codes();
        let seed = seal(&self.0.secret, KEPT, name, &seed);
        let factor = SecondFactor { seed, since: self.now(), last_step, recovery };
        let (told, name) = (self.did(by, action::USER_FACTOR_SET).to(name), name.clone());
        let set = self.change(by, move |write| {
            if write.second_factor(&name)?.is_some() {
                return Err(AccountError::HasFactor);
            }
            write.put_second_factor(&name, &factor)?;
            write.append(&told)?;
            Ok(())
        });
        set.done().await?;
        self.0.demands.refresh(&self.0.store)?;
        Ok(codes)
    }

    /// Takes one's own second factor away, which takes the password; but not where it is demanded.
    pub async fn remove_second_factor(
        &self,
        by: &Actor,
        name: &UserName,
        password: String,
        origin: &Origin,
    ) -> Result<(), AccountError> {
        if self.user(name).is_some_and(|user| self.demand().is_of(user.role)) {
            return Err(AccountError::FactorDemanded);
        }
        self.prove(name, password, origin).await?;
        self.reset_second_factor(by, name).await
    }

    /// Takes the second factor of somebody who has lost it away, and the passkeys, which were on the same device.
    pub async fn reset_second_factor(&self, by: &Actor, name: &UserName) -> Result<(), AccountError> {
        let (told, name) = (self.did(by, action::USER_FACTOR_REMOVED).to(name), name.clone());
        let own = by.session.is_some() && by.name == name.as_str();
        let removed = self.change(by, move |write| {
            if write.user(&name)?.is_none() {
                return Err(AccountError::Unknown(name.clone()));
            }
            let passkeys = if own { 0 } else { write.remove_passkeys_of(&name)? };
            if !write.remove_second_factor(&name)? && passkeys == 0 {
                return Err(AccountError::NoFactor(name.clone()));
            }
            write.append(&told)?;
            Ok(())
        });
        removed.done().await?;
        self.0.demands.refresh(&self.0.store)?;
        Ok(())
    }

    /// Makes new recovery codes, which takes the password; those of before work no longer.
    pub async fn renew_recovery_codes(
        &self,
        by: &Actor,
        name: &UserName,
        password: String,
        origin: &Origin,
    ) -> Result<Vec<RecoveryCode>, AccountError> {
        self.prove(name, password, origin).await?;
        let (codes, recovery) = recovery_codes();
        let (told, name) = (self.did(by, action::USER_RECOVERY_CODES_MADE).to(name), name.clone());
        let renewed = self.change(by, move |write| {
            let factor = write.second_factor(&name)?.ok_or_else(|| AccountError::NoFactor(name.clone()))?;
            write.put_second_factor(&name, &SecondFactor { recovery: recovery.clone(), ..factor })?;
            write.append(&told)?;
            Ok::<_, AccountError>(())
        });
        renewed.done().await?;
        Ok(codes)
    }

    /// Holds what somebody typed against their second factor. Whether it was used before, the transaction that uses it up
    /// finds out.
    pub(super) fn shown(&self, name: &UserName, factor: &SecondFactor, typed: &str) -> Option<Shown> {
        let step = open(&self.0.secret, KEPT, name, &factor.seed)?.step_of(typed, self.now());
        let recovery = || {
            let hash = RecoveryCode::typed(typed)?.hash();
            factor.recovery.contains(&hash).then_some(Shown::Recovery(hash))
        };
        step.map(Shown::Step).or_else(recovery)
    }

    /// Takes a proof that whoever sits at a session is its user: the password, or a code of the second factor. What takes a
    /// fresh proof is open in this session from now on, for a while.
    pub async fn step_up(&self, live: &Live, proof: String, origin: &Origin) -> Result<(), AccountError> {
        let factor = self.second_factor(&live.user)?;
        match factor.and_then(|factor| self.shown(&live.user, &factor, &proof)) {
            Some(shown) => self.prove_by_code(live, shown, origin).await?,
            None => self.prove(&live.user, proof, origin).await?,
        }
        live.prove(self.0.clock.read());
        Ok(())
    }

    async fn prove_by_code(&self, live: &Live, shown: Shown, origin: &Origin) -> Result<(), AccountError> {
        let attempt =
            self.0.throttle.take(&self.trier(live.user.as_str(), origin), self.now()).map_err(Held::from)?;
        let session = live.session();
        let used = self.0.store.write(self.now(), move |write| use_up(write, &session, Some(shown)));
        if !used.done().await? {
            self.tell_of_failure(Some(&live.user), origin, ASKED_AGAIN).await;
            return Err(AccountError::WrongPassword);
        }
        self.0.throttle.give_back(attempt);
        Ok(())
    }

    /// Asks a user who is signed in for their password.
    pub(super) async fn prove(
        &self,
        name: &UserName,
        password: String,
        origin: &Origin,
    ) -> Result<(), AccountError> {
        let kept = self.0.store.read(|read| read.credential(name))?;
        let (verdict, attempt) = self.look_at(name.as_str(), password, kept, origin).await?;
        if verdict == Verdict::Wrong {
            self.tell_of_failure(Some(name), origin, ASKED_AGAIN).await;
            return Err(AccountError::WrongPassword);
        }
        self.0.throttle.give_back(attempt);
        Ok(())
    }
}

fn recovery_codes() -> (Vec<RecoveryCode>, Vec<crate::model::totp::RecoveryHash>) {
    let codes: Vec<_> = (0..RecoveryCode::MANY).map(|_| RecoveryCode::new(random::bytes())).collect();
    let hashes = codes.iter().map(RecoveryCode::hash).collect();
    (codes, hashes)
}

fn key(secret: &InstallationSecret, purpose: &str) -> Option<LessSafeKey> {
    UnboundKey::new(&CHACHA20_POLY1305, &secret.key(purpose)).ok().map(LessSafeKey::new)
}

/// A seed, sealed for one user and one purpose: nonce, cipher text, tag. The nonce is random: a key seals far fewer than
/// the 2³² seeds after which one of 96 bits might repeat.
fn seal(secret: &InstallationSecret, purpose: &str, name: &UserName, seed: &Seed) -> SealedSeed {
    let nonce: [u8; NONCE_LEN] = random::bytes();
    let mut bytes = seed.bits().to_vec();
    let sealed = key(secret, purpose).and_then(|key| {
        let (nonce, user) = (Nonce::assume_unique_for_key(nonce), Aad::from(name.as_str()));
        key.seal_in_place_append_tag(nonce, user, &mut bytes).ok()
    });
    if sealed.is_none() {
        unreachable!("20 bytes can be sealed with a key of 32");
    }
    SealedSeed([&nonce[..], &bytes].concat())
}

fn open(secret: &InstallationSecret, purpose: &str, name: &UserName, sealed: &SealedSeed) -> Option<Seed> {
    let (nonce, rest) = sealed.0.split_first_chunk::<NONCE_LEN>()?;
    let (nonce, user) = (Nonce::assume_unique_for_key(*nonce), Aad::from(name.as_str()));
    let mut rest = rest.to_vec();
    let bits = key(secret, purpose)?.open_in_place(nonce, user, &mut rest).ok()?;
    Some(Seed::new((&*bits).try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_opened_for_its_user_and_its_purpose_alone() {
        let secret = InstallationSecret([3; 32]);
        let (ann, bob): (UserName, UserName) = ("ann".parse().unwrap(), "bob".parse().unwrap());
        let seed = Seed::new([7; 20]);
        let sealed = seal(&secret, KEPT, &ann, &seed);
        assert_eq!(open(&secret, KEPT, &ann, &sealed), Some(seed.clone()));
        assert_eq!(open(&secret, KEPT, &bob, &sealed), None);
        assert_eq!(open(&secret, PENDING, &ann, &sealed), None);
        assert_eq!(open(&InstallationSecret([4; 32]), KEPT, &ann, &sealed), None);
        let mut damaged = sealed.clone();
        damaged.0[20] ^= 1;
        assert_eq!(open(&secret, KEPT, &ann, &damaged), None);
        assert_ne!(seal(&secret, KEPT, &ann, &seed), sealed);
        assert!(!sealed.0.windows(20).any(|window| window == seed.bits()));
    }
}
