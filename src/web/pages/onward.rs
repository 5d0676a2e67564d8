//! How somebody goes on once they are signed in, or out: to a page of ours, or to the app they came from.

use std::sync::Arc;

use rocket::Either;

use super::Redirect;
use crate::{
    domain::{App, gate::Decision, live::Live},
    model::{onward::Onward, site::Address},
    web::{
        door::{Params, Reach, SetCookie, Visitor},
        failure::Failure,
        gate::{Denied, PREFIX},
    },
};

/// What an address or a form names in `rd` or `next`.
pub(super) fn of(app: &App, text: &str) -> Option<Onward> {
    Onward::of(text, |site| app.app_at(site).map(|app| app.name.clone()))
}

/// The same, from the address of the page that leads there.
pub(super) fn asked(app: &App, params: &Params) -> Option<Onward> {
    params.get("rd").or_else(|| params.get("next")).and_then(|text| of(app, text))
}

/// The address at which the session opens the app that `address` is of: its own, where a cookie goes by itself.
pub(super) fn way(visitor: &Visitor<'_>, address: &Address) -> Result<String, Failure> {
    match visitor.reach(&address.site) {
        Reach::SameHost | Reach::Domain => Ok(address.to_string()),
        // The proxy sends us what it should have asked about: it would do so for ever.
        Reach::Handover if address.rest.starts_with(PREFIX) => Err(Failure::conflict(format!(
            "the proxy before {} does not send {PREFIX} to Rollcall; the manual shows how it is set up",
            address.site
        ))),
        Reach::Handover => {
            let rest: String = form_urlencoded::byte_serialize(address.rest.as_bytes()).collect();
            Ok(format!("{}{PREFIX}start?rd={rest}", address.site))
        }
    }
}

/// On to the app, or a page that says that it is not for them.
pub(super) type Led = Either<SetCookie<Redirect>, Box<Denied>>;

/// Leads somebody who is signed in already on to the app they came from. None where their session opens no app.
pub(super) async fn lead_on(
    visitor: &Visitor<'_>,
    live: &Arc<Live>,
    address: &Address,
) -> Result<Option<Led>, Failure> {
    match visitor.app.decide(Some(Arc::clone(live)), &address.site) {
        Decision::Pass { .. } => {}
        // Signing in once more would change nothing.
        Decision::Forbidden(app, user, live) => {
            visitor.app.note_closed(&app, &user, &live, visitor.origin().ip);
            let page = Denied::new(visitor.own_address(), address, &app, &user);
            return Ok(Some(Either::Right(Box::new(page))));
        }
        Decision::SignIn(_) | Decision::NoApp => return Ok(None),
    }
    let answer = SetCookie::keep(Redirect::to(way(visitor, address)?));
    let answer = match visitor.reach(&address.site) {
        Reach::Domain => visitor.with_domain_pass(live, answer).await?,
        Reach::SameHost | Reach::Handover => answer,
    };
    Ok(Some(Either::Left(answer)))
}
