//! Forward-auth: where reverse proxies ask whether a request may pass to its app, and what comes of it.
//!
//! [`check`] answers the proxies. What they pass on to a person is here too: the page that says that somebody may not open an
//! app ([`denied`]), what went wrong at an app's address ([`elsewhere`]), and the way of a session to an app on another domain ([`handover`]).

mod check;
mod denied;
mod elsewhere;
mod handover;
mod identity;

pub(super) use self::{
    check::{Described, Told, by_another_method},
    denied::Denied,
    elsewhere::Elsewhere,
    handover::PREFIX,
};

/// Before whatever ranks the framework gives by itself, -12 and up.
const FIRST: isize = -100;

/// Every route of the gate.
pub(super) fn routes() -> Vec<rocket::Route> {
    let mut checks = check::routes();
    for route in &mut checks {
        // They are asked before every request to every app: the framework tries its routes one by one, and these first.
        route.rank = FIRST;
    }
    [checks, denied::routes(), handover::routes()].concat()
}
