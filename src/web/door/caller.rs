//! The guard of calls that people and programs make alike: people by their session, programs by a token.

use std::sync::Arc;

use rocket::{
    Request,
    outcome::Outcome,
    request::{self, FromRequest},
};

use super::{
    Lease,
    cookie::Jar,
    door,
    guards::{Member, refuse, shows_bearer},
    programs::{Needs, Program},
};
use crate::{
    domain::{App, live::Live},
    model::{
        session::{Mandate, Scope, Session},
        user::Actor,
    },
    web::failure::Failure,
};

/// A signed-in user, or a program with a token of scope `S`, which sees and ends everybody's.
pub struct Caller<'r, S: Needs> {
    /// The application.
    pub app: &'r App,
    /// Which of the two it is.
    pub identity: Identity<'r, S>,
}

/// Who calls.
pub enum Identity<'r, S: Needs> {
    /// A user with a session.
    User(Member<'r>),
    /// A program with a token.
    Program(Program<'r, S>),
}

impl<S: Needs> Caller<'_, S> {
    /// Who they are, for what they do.
    pub fn actor(&self) -> Actor {
        match &self.identity {
            Identity::User(member) => member.actor(),
            Identity::Program(program) => program.actor(),
        }
    }

    /// Refuses what they have no right to, and tells the log.
    pub fn forbidden(&self, why: &'static str) -> Failure {
        match &self.identity {
            Identity::User(member) => member.forbidden(why),
            Identity::Program(program) => program.forbidden(why),
        }
    }

    /// Whose records they see.
    pub fn scope(&self) -> Scope {
        match &self.identity {
            Identity::User(member) => member.scope(),
            Identity::Program(_) => Scope::All,
        }
    }

    /// Whose sessions they may end.
    pub fn mandate(&self) -> Mandate {
        match &self.identity {
            Identity::User(member) => member.mandate(),
            Identity::Program(program) => program.mandate(),
        }
    }

    /// What the right to go on hangs on, for what takes long.
    pub fn lease(&self) -> Lease {
        match &self.identity {
            Identity::User(member) => Lease::Session(Arc::clone(&member.live)),
            Identity::Program(program) => Lease::Token(Arc::clone(&program.token), self.app.clone()),
        }
    }

    /// Whether it is the program that registered this session.
    pub fn registered(&self, session: &Session) -> bool {
        match &self.identity {
            Identity::User(_) => false,
            Identity::Program(program) => session.registered_by.as_deref() == Some(program.name()),
        }
    }

    /// The session at hand, if it is a user's.
    pub fn live(&self) -> Option<&Arc<Live>> {
        match &self.identity {
            Identity::User(member) => Some(&member.live),
            Identity::Program(_) => None,
        }
    }
}

#[rocket::async_trait]
impl<'r, S: Needs> FromRequest<'r> for Caller<'r, S> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, ()> {
        // Without a cookie whatever stands there was meant for a token, and the refusal says what is wrong with it.
        let signed_in = || Jar::of(request).token(door(request).settings.secure).is_some();
        let program = shows_bearer(request) || (request.headers().contains("Authorization") && !signed_in());
        let identity = if program {
            Program::authenticate(request).map(Identity::Program)
        } else {
            Member::authenticate(request).await.map(Identity::User)
        };
        match identity {
            Ok(identity) => Outcome::Success(Self { app: &door(request).app, identity }),
            Err(failure) => refuse(request, failure),
        }
    }
}
