//! Passwords: Argon2id, never more at once than there are cores.

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use std::time::Duration;
use tokio::{sync::Semaphore, task, time};

use crate::{model::secret::Password, store::Credential};

/// OWASP's first choice for Argon2id (Password Storage Cheat Sheet, 2025): 19 MiB, two passes, one lane.
/// 30 ms on one core of the machines it was measured on.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// How long a sign-in waits for its turn before it is told to come back.
const PATIENCE: Duration = Duration::from_secs(4);

/// The maker of all hashes. A hash takes 19 MiB and 30 ms; a permit for each bounds both.
pub(super) struct Hasher {
    permits: Semaphore,
    /// What is verified where there is nothing to verify, so that the answer takes as long.
    nobody: Credential,
}

impl Hasher {
    /// A hasher for this machine.
    pub(super) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { permits: Semaphore::new(cores), nobody: hash(&super::random::bytes::<16>()) }
    }

    /// The hash to keep of a password.
    pub(super) async fn hash(&self, password: Password) -> Credential {
        let _permit = self.permits.acquire().await;
        let hashed = task::spawn_blocking(move || hash(password.as_bytes())).await;
        hashed.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }

    /// Whether `password` is the one `kept` was made of. Takes as long where nothing was kept. None if it
    /// was not its turn within [`PATIENCE`].
    pub(super) async fn verify(&self, password: Password, kept: Option<Credential>) -> Option<bool> {
        let known = kept.is_some();
        let kept = kept.unwrap_or_else(|| self.nobody.clone());
        let _permit = time::timeout(PATIENCE, self.permits.acquire()).await.ok()?;
        let verified = task::spawn_blocking(move || verify(password.as_bytes(), &kept)).await;
        Some(verified.unwrap_or(false) && known)
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

#[expect(clippy::panic, reason = "the parameters are constants, and were right when this was tested")]
fn hash(password: &[u8]) -> Credential {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).unwrap_or_else(|error| panic!("{error}"));
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    match argon2.hash_password(password) {
        Ok(phc) => Credential(phc.to_string()),
        Err(error) => panic!("a password could not be hashed: {error}"),
    }
}

fn verify(password: &[u8], kept: &Credential) -> bool {
    PasswordHash::new(&kept.0).is_ok_and(|kept| Argon2::default().verify_password(password, &kept).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_hash_names_its_cost_and_fits_only_its_password() {
        let kept = hash(b"correct horse battery");
        assert!(kept.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", kept.0);
        assert!(verify(b"correct horse battery", &kept));
        assert!(!verify(b"correct horse batterx", &kept));
        assert!(!verify(b"", &Credential("not a hash".into())));
        assert_ne!(kept.0, hash(b"correct horse battery").0, "every hash has its own salt");
    }
}
