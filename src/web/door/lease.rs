//! The right to be answered: it is over with the session or token that a request came with, and where another token opens the
//! session from now on.
//!
//! A session that is refused while a handler is still at work is answered no more: what the handler found is thrown away
//! ([`recheck`]). What is let out is counted until the connection has it ([`Out`]), so that a logout is answered behind it and never
//! before. What goes on for longer, a stream or a download, asks its [`Lease`] as it goes.

use std::sync::Arc;

use rocket::{Request, Response, http::Status, response::Responder as _};

use super::origin;
use crate::{
    domain::{App, answers::Answers, live::Live, tokens::LiveToken},
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

    /// Whether it is over because another token opens the session, which goes on: nobody is told of that here.
    pub fn renewed(&self) -> bool {
        matches!(self, Self::Session(live) if live.renewed())
    }

    /// The last look before something is sent; none if it is over. Whoever ends the session or revokes the token is answered when
    /// what is returned has been dropped, unless that takes long.
    pub fn let_out(&self) -> Option<Out> {
        Out::of(self.clone())
    }

    /// The same for the answer to this request; whether it may be sent.
    pub(super) fn answers(self, request: &Request<'_>) -> bool {
        // Where a proxy shows a token of its own, the session that it asks about was let out before.
        Out::of(self).map(|out| Noted::of(request).out.set(out)).is_some()
    }

    /// Keeps it for when the request is answered.
    pub(super) fn hold(self, request: &Request<'_>) {
        // Whoever has come in by one guard has come in: the first right is the one that counts.
        let _ = Noted::of(request).lease.set(self);
    }
}

/// What was let out, until its connection has it: an answer until the framework lets go of its request, a piece of a stream until
/// the next is asked for.
pub struct Out(Lease);

impl Out {
    fn of(lease: Lease) -> Option<Self> {
        let out = Self(lease);
        out.counted().begin();
        (!out.0.over()).then_some(out)
    }

    fn counted(&self) -> &Answers {
        match &self.0 {
            Lease::Session(live) => (**live).as_ref(),
            Lease::Token(token, _) => (**token).as_ref(),
        }
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        self.counted().end();
    }
}

/// The right to what this request is answered, where that can be held back: who changed something is told what came of it, and one's
/// own logout is such a change.
pub(in crate::web) fn leased<'r>(request: &'r Request<'_>) -> Option<&'r Lease> {
    if origin::is_unsafe(request.method()) { None } else { Noted::of(request).lease.get() }
}

/// Looks again whether whoever asks is still in, when all that is left to do is to send the answer.
pub(in crate::web) fn recheck<'r>(request: &'r Request<'_>, response: &mut Response<'r>) {
    let Some(lease) = leased(request) else { return };
    let body = response.body();
    // A stream is let out piece by piece, and its head says nothing yet.
    let whole = body.is_none() || body.preset_size().is_some();
    let may = if whole { lease.clone().answers(request) } else { !lease.over() };
    if !may {
        let failure = match lease {
            Lease::Session(_) => Failure::not_signed_in(),
            Lease::Token(..) => Failure::no_token(),
        };
        let bare = |_| Response::build().status(Status::Unauthorized).finalize();
        *response = failure.respond_to(request).unwrap_or_else(bare);
    }
}
