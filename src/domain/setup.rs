//! The one-time code that guards the making of the first administrator.

use std::sync::{Mutex, PoisonError};

use data_encoding::BASE32_NOPAD;

use super::{App, random};
use crate::store::{Read, StoreError, Users as _};

/// Whether the first administrator is still to be made, and the code that makes one.
pub(super) struct Setup(Mutex<Option<String>>);

impl Setup {
    /// Open with a new code while there is no user; closed for good otherwise.
    pub(super) fn when_nobody(store: &Read) -> Result<Self, StoreError> {
        Ok(Self(Mutex::new(store.nobody()?.then(code))))
    }
}

/// 80 random bits in four groups of four: short enough to type, too long to guess.
fn code() -> String {
    let letters = BASE32_NOPAD.encode(&random::bytes::<10>());
    let groups: Vec<&str> = (0..4).map(|group| &letters[group * 4..group * 4 + 4]).collect();
    groups.join("-")
}

impl App {
    /// The code that makes the first administrator, while there is none.
    pub fn setup_code(&self) -> Option<String> {
        self.0.setup.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether `typed` is the code. Case, spaces and dashes do not matter.
    pub fn is_setup_code(&self, typed: &str) -> bool {
        let plain = |text: &str| -> Vec<u8> {
            text.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_uppercase()).collect()
        };
        let (typed, Some(code)) = (plain(typed), self.setup_code()) else { return false };
        let code = plain(&code);
        // As long for a wrong first letter as for a wrong last one.
        typed.len() == code.len() && typed.iter().zip(&code).fold(0, |wrong, (a, b)| wrong | (a ^ b)) == 0
    }

    /// Closes the setup for good.
    pub(super) fn close_setup(&self) {
        self.0.setup.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
