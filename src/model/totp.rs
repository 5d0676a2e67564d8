//! Codes of an authenticator (RFC 6238): six digits that follow from a shared seed and the time.

use std::fmt;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use jiff::Timestamp;
use ring::hmac;
use sha2::{Digest, Sha256};

/// How long a code is shown, in seconds.
const STEP: i64 = 30;

/// What an authenticator and Rollcall share: 160 random bits, as many as the hash has (RFC 4226, section 4).
#[derive(Clone, PartialEq, Eq)]
pub struct Seed([u8; 20]);

impl Seed {
    /// A seed that must come from the system's random source.
    pub const fn new(bits: [u8; 20]) -> Self {
        Self(bits)
    }

    /// The bits, to be sealed.
    pub const fn bits(&self) -> &[u8; 20] {
        &self.0
    }

    /// The seed as it is typed into an authenticator.
    pub fn reveal(&self) -> String {
        BASE32_NOPAD.encode(&self.0)
    }

    /// The address that an authenticator reads from a picture: for `user` of this Rollcall.
    pub fn uri(&self, user: &str) -> String {
        let user = percent_encoding::utf8_percent_encode(user, percent_encoding::NON_ALPHANUMERIC);
        format!("otpauth://totp/Rollcall:{user}?secret={}&issuer=Rollcall", self.reveal())
    }

    /// The code of a step. The algorithm is SHA-1, which is the one that every authenticator knows; what breaks SHA-1
    /// elsewhere does not break its HMAC.
    fn code(&self, step: u64) -> u32 {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let offset = usize::from(tag[tag.len() - 1] & 0xf);
        let word = tag[offset..offset + 4].iter().fold(0, |word, byte| word << 8 | u32::from(*byte));
        (word & 0x7fff_ffff) % 1_000_000
    }

    /// The step of which `typed` is the code, if it is one that was just shown, is shown, or will be next at `now`: clocks
    /// differ and people are slow. Spaces do not matter.
    pub fn step_of(&self, typed: &str, now: Timestamp) -> Option<u64> {
        let digits: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let code: u32 = digits.parse().ok()?;
        let current = u64::try_from(now.as_second().div_euclid(STEP)).ok()?;
        let window = current.saturating_sub(1)..=current + 1;
        // Every one is looked at, so that the time tells nothing.
        window.fold(None, |found, step| if self.code(step) == code { Some(step) } else { found })
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(…)")
    }
}

/// A code for the day on which the authenticator is lost: 80 random bits, used once.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCode([u8; 10]);

impl RecoveryCode {
    /// How many somebody has.
    pub const MANY: usize = 10;

    /// A code that must come from the system's random source.
    pub const fn new(bits: [u8; 10]) -> Self {
        Self(bits)
    }

    /// Reads what was typed; case, spaces and dashes do not matter.
    pub fn typed(text: &str) -> Option<Self> {
        let letters: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        let bits = BASE32_NOPAD.decode(letters.to_ascii_uppercase().as_bytes()).ok()?;
        bits.try_into().ok().map(Self)
    }

    /// The code in the clear, for the one page that shows it.
    pub fn reveal(&self) -> String {
        let letters = BASE32_NOPAD.encode(&self.0).to_ascii_lowercase();
        let groups: Vec<&str> = (0..4).map(|group| &letters[group * 4..group * 4 + 4]).collect();
        groups.join("-")
    }

    /// What is kept of it. It has 80 random bits, so no slow hash is needed.
    pub fn hash(&self) -> RecoveryHash {
        RecoveryHash(Sha256::new().chain_update("rollcall recovery\0").chain_update(self.0).finalize().into())
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(…)")
    }
}

/// SHA-256 of a [`RecoveryCode`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RecoveryHash(pub [u8; 32]);

impl fmt::Debug for RecoveryHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryHash(…)")
    }
}

/// A seed as it is kept: sealed with the secret of the installation, for one user.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSeed(pub Vec<u8>);

impl SealedSeed {
    /// As text, for a form that carries it back.
    pub fn to_text(&self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// Reads [`SealedSeed::to_text`].
    pub fn from_text(text: &str) -> Option<Self> {
        HEXLOWER.decode(text.as_bytes()).ok().map(Self)
    }
}

impl fmt::Debug for SealedSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedSeed(…)")
    }
}

/// The second factor of a user: an authenticator, and codes for the day on which it is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondFactor {
    /// What the authenticator shares.
    pub seed: SealedSeed,
    /// When it was set up.
    pub since: Timestamp,
    /// The last step whose code was used: neither it nor one before it is taken again.
    pub last_step: u64,
    /// The recovery codes that have not been used.
    pub recovery: Vec<RecoveryHash>,
}

/// What of a second factor was shown, and must not be shown again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The code of this step.
    Step(u64),
    /// This recovery code.
    Recovery(RecoveryHash),
}

impl SecondFactor {
    /// Uses up what was shown; false where it has been used before, or never was one.
    pub fn use_up(&mut self, shown: Shown) -> bool {
        match shown {
            Shown::Step(step) => {
                let fresh = step > self.last_step;
                self.last_step = self.last_step.max(step);
                fresh
            }
            Shown::Recovery(hash) => {
                let before = self.recovery.len();
                self.recovery.retain(|kept| *kept != hash);
                self.recovery.len() < before
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn codes_are_those_of_the_rfc() {
        // RFC 6238, appendix B: SHA-1, of eight digits there; the last six are ours.
        let seed = Seed::new(*b"12345678901234567890");
        for (second, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(seed.step_of(code, at(second)), Some(u64::try_from(second / 30).unwrap()), "{code}");
        }
        assert_eq!(seed.reveal(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(
            seed.uri("ann@x"),
            "otpauth://totp/Rollcall:ann%40x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Rollcall"
        );
    }

    #[test]
    fn a_code_is_taken_one_step_early_or_late_and_no_further() {
        let seed = Seed::new(*b"12345678901234567890");
        let code = format!("{:06}", seed.code(100));
        for (step, taken) in [(98, false), (99, true), (100, true), (101, true), (102, false)] {
            assert_eq!(seed.step_of(&code, at(step * 30)).is_some(), taken, "{step}");
        }
        assert_eq!(seed.step_of(&format!(" {} {} ", &code[..3], &code[3..]), at(3000)), Some(100));
        for rubbish in ["", "12345", "1234567", "+12345", "١٢٣٤٥٦"] {
            assert_eq!(seed.step_of(rubbish, at(3000)), None, "{rubbish}");
        }
    }

    #[test]
    fn whatever_is_shown_is_used_up() {
        let code = RecoveryCode::new([9; 10]);
        let mut factor = SecondFactor {
            seed: SealedSeed(Vec::new()),
            since: at(0),
            last_step: 5,
            recovery: vec![code.hash(), RecoveryCode::new([8; 10]).hash()],
        };
        assert!(!factor.use_up(Shown::Step(5)) && factor.use_up(Shown::Step(6)));
        assert!(!factor.use_up(Shown::Step(6)) && !factor.use_up(Shown::Step(4)));
        let typed = RecoveryCode::typed(&code.reveal().to_uppercase().replace('-', " ")).unwrap();
        assert!(factor.use_up(Shown::Recovery(typed.hash())));
        assert!(!factor.use_up(Shown::Recovery(typed.hash())));
        assert_eq!(factor.recovery.len(), 1);
        assert_eq!(RecoveryCode::typed("123456"), None);
    }
}
