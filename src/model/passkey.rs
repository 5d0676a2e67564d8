//! Passkeys (WebAuthn): a key pair on somebody's device, of which the public half is kept here.

use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;

use super::user::UserName;

/// A passkey of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    /// Its own number, as the device gave it.
    pub id: Vec<u8>,
    /// Whose it is.
    pub user: UserName,
    /// What they call it.
    pub name: String,
    /// When it was added.
    pub created: Timestamp,
    /// When it was last used to sign in, if ever.
    pub last_used: Option<Timestamp>,
    /// The public key and its counter, in the form of the library that checks it.
    pub key: String,
}

impl Passkey {
    /// The longest name, in characters.
    pub const NAME: usize = 64;

    /// The number as it stands in an address.
    pub fn id_text(&self) -> String {
        BASE64URL_NOPAD.encode(&self.id)
    }

    /// Reads [`Passkey::id_text`].
    pub fn parse_id(text: &str) -> Option<Vec<u8>> {
        BASE64URL_NOPAD.decode(text.as_bytes()).ok()
    }
}
