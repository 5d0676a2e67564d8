//! The one-time code that guards the making of the first administrator.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use data_encoding::BASE32_NOPAD;
use jiff::SignedDuration;

use super::{
    App,
    clock::{Reading, Until},
    random,
    sessions::Origin,
    sign_in::{Held, SignInError},
    throttle::{Source, Trier},
};
use crate::store::{Read, Settings as _, StoreError, Users as _, Write};

/// How long a code works (OWASP ASVS 5.0, V6.4.1).
const LASTS: Duration = Duration::from_hours(1);

/// The setting that says that there has been a first administrator: whatever becomes of the accounts, the setup does
/// not open again.
const DONE: &str = "set-up";

/// Whether the first administrator is still to be made, and the code that makes one.
pub(super) struct Setup {
    code: Mutex<Option<Code>>,
    turn: tokio::sync::Mutex<()>,
}

struct Code {
    text: String,
    until: Until,
}

impl Code {
    /// 80 random bits in four groups of four: short enough to type, too long to guess.
    fn new(now: Reading) -> Self {
        let letters = BASE32_NOPAD.encode(&random::bytes::<10>());
        let groups: Vec<&str> = (0..4).map(|group| &letters[group * 4..group * 4 + 4]).collect();
        let lasts = SignedDuration::try_from(LASTS).unwrap_or(SignedDuration::ZERO);
        Self { text: groups.join("-"), until: Until::after(now, lasts) }
    }
}

impl Setup {
    /// Open with a new code while there never was a user; closed for good otherwise.
    pub(super) fn when_nobody(store: &Read, now: Reading) -> Result<Self, StoreError> {
        let open = store.nobody()? && store.setting(DONE)?.is_none();
        let code = Mutex::new(open.then(|| Code::new(now)));
        Ok(Self { code, turn: tokio::sync::Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Code>> {
        self.code.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes down that there has been a first user.
pub(super) fn close(write: &mut Write<'_>) -> Result<(), StoreError> {
    if write.setting(DONE)?.is_none() {
        write.put_setting(DONE, "done")?;
    }
    Ok(())
}

impl App {
    /// The code that makes the first administrator, while there is none.
    pub fn setup_code(&self) -> Option<String> {
        self.0.setup.lock().as_ref().map(|code| code.text.clone())
    }

    /// A turn to set up: of many who have the code at once the first makes the administrator, and the others find it done.
    pub async fn turn_to_set_up(&self) -> impl Drop {
        self.0.setup.turn.lock().await
    }

    /// A new code, where the one that was shown works no longer.
    pub fn renew_setup_code(&self) -> Option<String> {
        let now = self.0.clock.read();
        let mut code = self.0.setup.lock();
        let old = code.as_mut().filter(|code| code.until.is_over(now))?;
        *old = Code::new(now);
        Some(old.text.clone())
    }

    /// Whether `typed` is the code. Case, spaces and dashes do not matter. A wrong one counts as a wrong password does.
    pub fn is_setup_code(&self, typed: &str, origin: &Origin) -> Result<bool, SignInError> {
        // No user has this name.
        let who = Trier { account: "the setup".into(), source: Source::of(origin.ip), browser: None };
        let taken = self.0.throttle.take(&who, self.now()).map_err(Held::from)?;
        let plain = |text: &str| -> Vec<u8> {
            text.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_uppercase()).collect()
        };
        let now = self.0.clock.read();
        let code = self
            .0
            .setup
            .lock()
            .as_ref()
            .filter(|code| !code.until.is_over(now))
            .map(|code| plain(&code.text));
        let (typed, Some(code)) = (plain(typed), code) else { return Ok(false) };
        // As long for a wrong first letter as for a wrong last one.
        let right = typed.len() == code.len()
            && typed.iter().zip(&code).fold(0, |wrong, (a, b)| wrong | (a ^ b)) == 0;
        if right {
            self.0.throttle.give_back(taken);
        }
        Ok(right)
    }

    /// Closes the setup for good.
    pub(super) fn close_setup(&self) {
        self.0.setup.lock().take();
    }
}
