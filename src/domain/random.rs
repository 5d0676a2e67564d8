//! Randomness: the one place that asks for it.

use crate::model::{
    id::SessionId,
    secret::{HookSecret, Kind, Token},
};

/// Random bytes from the operating system.
#[expect(
    clippy::panic,
    reason = "without randomness nothing here is safe; no answer is better than a guessable one"
)]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if let Err(error) = getrandom::fill(&mut bytes) {
        panic!("the operating system gives no random numbers: {error}");
    }
    bytes
}

/// A new secret.
pub fn token(kind: Kind) -> Token {
    Token::new(kind, bytes())
}

/// A new secret to sign with.
pub fn hook_secret() -> HookSecret {
    HookSecret::new(bytes())
}

/// A new session's name.
pub fn session_id() -> SessionId {
    SessionId::from_bytes(bytes())
}
