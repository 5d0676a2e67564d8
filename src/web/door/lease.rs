//! The right to be answered: it is over with the session or token that a request came with.
//!
//! A session that is refused while a handler is still at work is answered no more: what the handler found is thrown away
//! ([`recheck`]). What goes on for longer, a stream or a download, asks its [`Lease`] as it goes.

use std::sync::Arc;

use rocket::{Request, Response, http::Status, response::Responder as _};

use super::origin;
use crate::{
    domain::{App, live::Live, tokens::LiveToken},
    web::{failure::Failure, noted::Noted},
};

/// The right to go on with what takes long, a stream or a download: it is over with its session or token.
#[derive(Clone)]
pub enum Lease {
    /// While the session lives.
    Session(Arc<Live>),
    /// While the token works.
    Token(Arc<LiveToken>, App),
}

impl Lease {
    /// Whether it is over.
    pub fn over(&self) -> bool {
        match self {
            Self::Session(live) => live.refused(),
            Self::Token(token, app) => token.over(app.now()),
        }
    }

    /// Keeps it for when the request is answered.
    pub(super) fn hold(self, request: &Request<'_>) {
        // Whoever has come in by one guard has come in: the first right is the one that counts.
        let _ = Noted::of(request).lease.set(self);
    }
}

/// Looks again whether whoever asks is still in, when all that is left to do is to send the answer. Only what reads is held
/// back: who changed something is told what came of it, and one's own logout is such a change.
pub(in crate::web) fn recheck<'r>(request: &'r Request<'_>, response: &mut Response<'r>) {
    if origin::is_unsafe(request.method()) {
        return;
    }
    let Some(lease) = Noted::of(request).lease.get() else { return };
    if lease.over() {
        let failure = match lease {
            Lease::Session(_) => Failure::not_signed_in(),
            Lease::Token(..) => Failure::no_token(),
        };
        let bare = |_| Response::build().status(Status::Unauthorized).finalize();
        *response = failure.respond_to(request).unwrap_or_else(bare);
    }
}
