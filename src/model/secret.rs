//! Secrets as types: what is shown once, what is kept, and a `Debug` that prints neither.

use std::{fmt, str::FromStr};

use data_encoding::{BASE64, BASE64URL_NOPAD};
use sha2::{Digest, Sha256};

/// A secret that opens a door: 256 random bits, given to a browser as a cookie or to a program as a bearer
/// token. It exists in the clear only on its way out and on its way in.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    kind: Kind,
    bits: [u8; 32],
}

/// Whose door a [`Token`] opens. It is written in front of the token, so that a secret scanner finds a leaked
/// one and neither can be used for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A session of a user: `rcs_…`.
    Session,
    /// A program's access to the API: `rct_…`.
    Api,
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Session => "rcs_",
            Self::Api => "rct_",
        }
    }
}

/// What was given has not the form of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a token of Rollcall's")]
pub struct NotAToken;

impl Token {
    /// A token of 256 bits that must come from the system's random source.
    pub const fn new(kind: Kind, bits: [u8; 32]) -> Self {
        Self { kind, bits }
    }

    /// Whose door it opens.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// What is kept of it.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::new().chain_update(self.kind.prefix()).chain_update(self.bits).finalize().into())
    }

    /// The token in the clear, for the one answer that shows it.
    pub fn reveal(&self) -> String {
        format!("{}{}", self.kind.prefix(), BASE64URL_NOPAD.encode(&self.bits))
    }
}

impl FromStr for Token {
    type Err = NotAToken;

    fn from_str(text: &str) -> Result<Self, NotAToken> {
        let (kind, encoded) = [Kind::Session, Kind::Api]
            .into_iter()
            .find_map(|kind| Some((kind, text.strip_prefix(kind.prefix())?)))
            .ok_or(NotAToken)?;
        let mut bits = [0; 32];
        if encoded.len() != 43 || BASE64URL_NOPAD.decode_mut(encoded.as_bytes(), &mut bits) != Ok(32) {
            return Err(NotAToken);
        }
        Ok(Self { kind, bits })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// SHA-256 of a [`Token`]. A token has 256 random bits, so no slow hash is needed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// What the messages to an app's webhook are signed with: 256 random bits. The app must know it too, and to sign it must be
/// kept as it is; it opens nothing here, and proves to one app that a message is Rollcall's.
#[derive(Clone, PartialEq, Eq)]
pub struct HookSecret([u8; 32]);

impl HookSecret {
    /// A secret of 256 bits that must come from the system's random source.
    pub const fn new(bits: [u8; 32]) -> Self {
        Self(bits)
    }

    /// The key to sign with.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The secret in the form of Standard Webhooks, for the one answer that shows it.
    pub fn reveal(&self) -> String {
        format!("whsec_{}", BASE64.encode(&self.0))
    }
}

impl fmt::Debug for HookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookSecret(…)")
    }
}

/// A password as it was typed: never stored, never printed.
#[derive(Clone)]
pub struct Password(String);

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Fewer than [`Password::MIN_CHARS`] characters.
    #[error(
        "a password needs at least {} characters; a few words in a row are easy to remember",
        Password::MIN_CHARS
    )]
    Short,
    /// More than [`Password::MAX_BYTES`] bytes.
    #[error("a password can have at most {} bytes", Password::MAX_BYTES)]
    Long,
}

impl Password {
    /// The least number of characters where the password is the only factor (NIST SP 800-63B-4, 3.1.1.2).
    pub const MIN_CHARS: usize = 15;
    /// The most bytes that are read; none are ever cut off.
    pub const MAX_BYTES: usize = 1024;

    /// A password somebody signs in with: whatever was typed.
    pub const fn typed(text: String) -> Self {
        Self(text)
    }

    /// A password somebody wants to have from now on.
    pub fn chosen(text: String) -> Result<Self, WeakPassword> {
        if text.len() > Self::MAX_BYTES {
            return Err(WeakPassword::Long);
        }
        if text.chars().count() < Self::MIN_CHARS {
            return Err(WeakPassword::Short);
        }
        Ok(Self(text))
    }

    /// The bytes to hash.
    pub const fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_and_never_printed() {
        let token = Token::new(Kind::Session, [7; 32]);
        let shown = token.reveal();
        assert_eq!(shown.parse(), Ok(token.clone()));
        assert_eq!(format!("{token:?} {:?}", token.hash()), "Token(…) TokenHash(…)");
        assert!(shown.replace("rcs_", "").parse::<Token>().is_err());
        assert!(format!("{shown}a").parse::<Token>().is_err());
    }

    #[test]
    fn a_session_token_is_not_an_api_token_of_the_same_bits() {
        let bits = [9; 32];
        assert_ne!(Token::new(Kind::Session, bits).hash(), Token::new(Kind::Api, bits).hash());
    }

    #[test]
    fn a_password_is_judged_by_its_length_alone() {
        assert_eq!(Password::chosen("fourteen chars".into()).unwrap_err(), WeakPassword::Short);
        assert!(Password::chosen("ääääääääääääääää".into()).is_ok());
        assert_eq!(Password::chosen("x".repeat(1025)).unwrap_err(), WeakPassword::Long);
    }
}
