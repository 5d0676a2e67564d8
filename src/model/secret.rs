//! Secrets as types: what is shown once, what is kept, and a `Debug` that prints neither.

use std::{fmt, str::FromStr};

use data_encoding::{BASE64, BASE64URL_NOPAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
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
    /// The half of a sign-in that waits for the second factor, which opens nothing: `rch_…`.
    Half,
    /// A session's way into apps, which opens nothing of Rollcall's own: `rcp_…`.
    Pass,
    /// What hands a session over to an app on another domain, once: `rcx_…`.
    Handover,
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Session => "rcs_",
            Self::Api => "rct_",
            Self::Half => "rch_",
            Self::Pass => "rcp_",
            Self::Handover => "rcx_",
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
        let (kind, encoded) = [Kind::Session, Kind::Api, Kind::Half, Kind::Pass, Kind::Handover]
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

/// 256 random bits that an installation makes for itself when it first starts: what is sealed here can be opened here alone.
#[derive(Clone, PartialEq, Eq)]
pub struct InstallationSecret(pub [u8; 32]);

impl InstallationSecret {
    /// What proves that this installation said `words`, for one `purpose`.
    fn mac(&self, purpose: &str, words: &[&[u8]]) -> Hmac<Sha256> {
        // A shorter key is filled up with zeros to the block of the hash (RFC 2104).
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.0);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        for part in [purpose.as_bytes()].iter().chain(words) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }

    /// A key of its own for one `purpose`.
    pub fn key(&self, purpose: &str) -> [u8; 32] {
        self.mac(purpose, &[]).finalize().into_bytes().into()
    }
}

impl fmt::Debug for InstallationSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InstallationSecret(…)")
    }
}

/// What a browser keeps to show that a user has signed in on it before (OWASP's device cookie). It opens nothing: it only
/// keeps those who guess elsewhere from keeping the user out.
#[derive(Clone, PartialEq, Eq)]
pub struct Familiar {
    id: [u8; 16],
    proof: [u8; 32],
}

impl Familiar {
    const PREFIX: &str = "rcb_";
    const PURPOSE: &str = "familiar browser";

    /// The mark of a browser that `user` has signed in on; `id` must come from the system's random source.
    pub fn new(secret: &InstallationSecret, user: &str, id: [u8; 16]) -> Self {
        let proof = secret.mac(Self::PURPOSE, &[user.as_bytes(), &id]).finalize().into_bytes().into();
        Self { id, proof }
    }

    /// The browser's own number, if it is `user` who has signed in on it.
    pub fn vouches_for(&self, secret: &InstallationSecret, user: &str) -> Option<[u8; 16]> {
        let mac = secret.mac(Self::PURPOSE, &[user.as_bytes(), &self.id]);
        mac.verify_slice(&self.proof).is_ok().then_some(self.id)
    }

    /// The mark in the clear, for the browser.
    pub fn reveal(&self) -> String {
        let bytes = [self.id.as_slice(), &self.proof].concat();
        format!("{}{}", Self::PREFIX, BASE64URL_NOPAD.encode(&bytes))
    }
}

impl FromStr for Familiar {
    type Err = NotAToken;

    fn from_str(text: &str) -> Result<Self, NotAToken> {
        let encoded =
            text.strip_prefix(Self::PREFIX).filter(|encoded| encoded.len() == 64).ok_or(NotAToken)?;
        let bytes = BASE64URL_NOPAD.decode(encoded.as_bytes()).map_err(|_| NotAToken)?;
        let (id, proof) = bytes.split_first_chunk().ok_or(NotAToken)?;
        Ok(Self { id: *id, proof: proof.try_into().map_err(|_| NotAToken)? })
    }
}

impl fmt::Debug for Familiar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Familiar(…)")
    }
}

/// A password as it was typed: never stored, never printed.
#[derive(Clone)]
pub struct Password(String);

/// Why a password is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
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
    /// Many people have it.
    #[error("this password is among the first that anybody would try; choose another one")]
    Common,
    /// A few characters again and again, or in a row.
    #[error("a pattern like this is among the first that anybody would try; choose another password")]
    Pattern,
    /// Hardly more than a name.
    #[error("this password is little more than the name \u{201c}{0}\u{201d}; choose another one")]
    Name(String),
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
    fn a_browser_vouches_for_its_own_user_in_its_own_installation_alone() {
        let (here, elsewhere) = (InstallationSecret([1; 32]), InstallationSecret([2; 32]));
        let mark = Familiar::new(&here, "ann", [7; 16]);
        let mark: Familiar = mark.reveal().parse().unwrap();
        assert_eq!(mark.vouches_for(&here, "ann"), Some([7; 16]));
        assert_eq!(mark.vouches_for(&here, "bob"), None);
        assert_eq!(mark.vouches_for(&elsewhere, "ann"), None);
        assert_ne!(here.key("one"), here.key("two"));
        assert_eq!(format!("{mark:?} {here:?}"), "Familiar(…) InstallationSecret(…)");
        assert!("rcb_x".parse::<Familiar>().is_err());
    }

    #[test]
    fn a_password_is_first_judged_by_its_length() {
        assert_eq!(Password::chosen("fourteen chars".into()).unwrap_err(), WeakPassword::Short);
        assert!(Password::chosen("ääääääääääääääää".into()).is_ok());
        assert_eq!(Password::chosen("x".repeat(1025)).unwrap_err(), WeakPassword::Long);
    }
}
