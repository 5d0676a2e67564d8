//! Passwords: Argon2id, never more at once than there are cores.

use std::{thread, time::Duration};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::{
    sync::{Semaphore, oneshot},
    time,
};

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
}

/// What is verified where there is nothing to verify, so that the answer takes as long: a hash of the same
/// cost, of random bytes that were thrown away.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$Y+JznHbgNOmyD9cquFLEHA$6FAMCljmwkDxEXgvNLraOCfU2fClcPyU3BoRd2ly0Oo";

impl Hasher {
    /// A hasher for this machine.
    pub(super) fn new() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self { permits: Semaphore::new(cores) }
    }

    /// The hash to keep of a password.
    pub(super) async fn hash(&self, password: Password) -> Credential {
        let _permit = self.permits.acquire().await;
        apart(move || hash(password.as_bytes())).await
    }

    /// Whether `password` is the one `kept` was made of. Takes as long where nothing was kept. None if it
    /// was not its turn within [`PATIENCE`].
    pub(super) async fn verify(&self, password: Password, kept: Option<Credential>) -> Option<bool> {
        let known = kept.is_some();
        let kept = kept.unwrap_or_else(|| Credential(NOBODY.to_owned()));
        let _permit = time::timeout(PATIENCE, self.permits.acquire()).await.ok()?;
        Some(apart(move || verify(password.as_bytes(), &kept)).await && known)
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs `work` in a thread of its own, which ends with it. The pool's threads would keep the 19 MiB they needed
/// once for ever: measured, an idle server was 40 MB larger.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (answer, answered) = oneshot::channel();
    let thread = thread::Builder::new().name("password".into()).spawn(move || {
        // Whoever asked may have left.
        let _ = answer.send(work());
    });
    match (thread, answered.await) {
        (Ok(_), Ok(result)) => result,
        // Out of threads, or the work panicked: nobody is let in.
        _ => std::panic::resume_unwind(Box::new("a password could not be looked at")),
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
    fn nobody_has_a_hash_that_costs_as_much_as_anybodys() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let somebody = hash(b"correct horse battery");
        let somebody = PasswordHash::new(&somebody.0).unwrap();
        assert_eq!(
            (nobody.algorithm, nobody.version, nobody.params),
            (somebody.algorithm, somebody.version, somebody.params)
        );
        assert_eq!(nobody.hash.map(|hash| hash.len()), somebody.hash.map(|hash| hash.len()));
    }

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
