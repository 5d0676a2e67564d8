//! Names that Rollcall gives: to a session at random, to an activity in order of arrival.
//!
//! Both are written in base32hex in lower case without padding: safe in an address, in a file name and on a
//! command line, and, because that alphabet keeps the order of the bytes, activity ids sort as text.

use std::{fmt, str::FromStr};

use data_encoding::BASE32_DNSSEC;

/// What was given is not an id of Rollcall's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not an id; copy it as it was shown, without spaces")]
pub struct NotAnId;

/// The public name of a session: 128 random bits, 26 characters. It opens nothing; the token does that.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// A session's id from the 16 random bytes it consists of.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes, as they are stored.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without memory of its own: it is written into the answer to every check.
        let mut letters = [0; 26];
        BASE32_DNSSEC.encode_mut(&self.0, &mut letters);
        f.write_str(std::str::from_utf8(&letters).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for SessionId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        decode(text).map(Self)
    }
}

/// The place of an activity in the log: 1, 2, 3 … in order of arrival, never used twice; 13 characters.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActivityId(pub u64);

impl fmt::Display for ActivityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without memory of its own: millions are written in an export.
        let mut letters = [0; 13];
        BASE32_DNSSEC.encode_mut(&self.0.to_be_bytes(), &mut letters);
        f.write_str(std::str::from_utf8(&letters).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for ActivityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for ActivityId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        decode(text).map(|bytes| Self(u64::from_be_bytes(bytes)))
    }
}

/// Decodes text into exactly `N` bytes, whatever the case of its letters.
fn decode<const N: usize>(text: &str) -> Result<[u8; N], NotAnId> {
    if text.len() > 32 {
        return Err(NotAnId);
    }
    let bytes = BASE32_DNSSEC.decode(text.as_bytes()).map_err(|_| NotAnId)?;
    bytes.try_into().map_err(|_| NotAnId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_being_written_down() {
        let session = SessionId::from_bytes([0xfe; 16]);
        assert_eq!(session.to_string().parse(), Ok(session));
        assert_eq!(session.to_string().to_uppercase().parse(), Ok(session));
        let activity = ActivityId(987_654_321);
        assert_eq!(activity.to_string().parse(), Ok(activity));
        assert_eq!("".parse::<ActivityId>(), Err(NotAnId));
        assert_eq!("../etc/passwd".parse::<SessionId>(), Err(NotAnId));
    }

    #[test]
    fn activity_ids_sort_as_text_as_they_sort_as_numbers() {
        let written: Vec<String> =
            [0, 1, 9, 10, 255, 256, 65_535, 65_536, u64::MAX].map(|n| ActivityId(n).to_string()).to_vec();
        assert!(written.is_sorted(), "{written:?}");
    }
}
