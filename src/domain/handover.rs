//! Handing a session over to an app on another domain, where Rollcall's own cookie does not reach.
//!
//! The browser is first given a *nonce* at the app's own host, in a cookie. Then Rollcall, at its own address, makes a code for
//! the session that is signed in there, and the browser carries it back to the app's host, where it is worth a pass. A code is
//! good once, for a minute, at that host, and for the browser that holds the nonce: not in another one that was sent the
//! address. It is of the token that it was made by, and over with that. Each way has a nonce of its own, whatever the browser held
//! before: one that somebody else has put there is worth nothing to whoever gets hold of a code.

use std::time::Duration;

use super::{App, live::Live, random, sessions::SessionError, waiting::Waiting};
use crate::model::{
    secret::{Kind, Token, TokenHash},
    site::{Realm, Site},
};

/// How long a code is good.
const LASTS: Duration = Duration::from_mins(1);

/// A session on its way.
#[derive(Clone)]
pub(super) struct Handover {
    /// What opened the session when the code was made.
    token: TokenHash,
    site: Site,
    nonce: TokenHash,
}

/// Those that are on their way.
pub(super) fn waiting() -> Waiting<Handover> {
    Waiting::lasting(Kind::Handover, LASTS)
}

impl App {
    /// A nonce for a browser that is about to be handed a session.
    pub fn handover_nonce(&self) -> Token {
        random::token(Kind::Handover)
    }

    /// A code that hands `live` over to the app at `site`, in the browser that holds what `nonce` is the hash of.
    pub fn begin_handover(&self, live: &Live, site: Site, nonce: TokenHash) -> Token {
        self.0.handovers.keep(Handover { token: live.token, site, nonce }, 1, self.0.clock.read())
    }

    /// A pass for the host of `site`, for a code that was made for it and for the browser with one of these nonces. None if the code
    /// is not good, or not any more: whatever is shown with it, it is used up.
    pub async fn finish_handover(
        &self,
        code: &Token,
        site: &Site,
        nonces: &[TokenHash],
    ) -> Result<Option<Token>, SessionError> {
        let handover = self.0.handovers.take(code.hash(), self.0.clock.read());
        let good = |handover: &Handover| handover.site == *site && nonces.contains(&handover.nonce);
        let Some(live) = handover.filter(good).and_then(|handover| self.opened_by(handover.token)) else {
            return Ok(None);
        };
        match self.make_pass(&live, Realm::Host(site.host().to_owned())).await {
            Ok(pass) => Ok(Some(pass)),
            Err(SessionError::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
