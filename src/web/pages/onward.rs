//! Where somebody goes on to once they are signed in: a page of ours, or the app they came from.

use std::sync::Arc;

use rocket::Either;

use super::{Redirect, local};
use crate::{
    domain::gate::Decision,
    domain::live::Live,
    model::site::{Address, Site},
    web::{
        door::{Params, Reach, SetCookie, Visitor},
        failure::Failure,
        gate::{Denied, PREFIX},
    },
};

/// Where to.
pub(super) enum Onward {
    /// A page of this server, by its path.
    Page(String),
    /// An address of an app of this name.
    App(Address, String),
}

impl Onward {
    /// What an address or a form names in `rd` or `next`: a path of this server, or an address of a registered app. Nothing that
    /// is anybody else's.
    pub(super) fn of(visitor: &Visitor<'_>, text: &str) -> Option<Self> {
        if let Some(path) = local(text) {
            return Some(Self::Page(path.to_owned()));
        }
        let address: Address = text.parse().ok()?;
        let app = visitor.app.app_at(&address.site)?;
        Some(Self::App(address, app.name.clone()))
    }

    /// The same, from the address of the sign-in page.
    pub(super) fn asked(visitor: &Visitor<'_>, params: &Params) -> Option<Self> {
        params.get("rd").or_else(|| params.get("next")).and_then(|text| Self::of(visitor, text))
    }

    /// As the form carries it.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Page(path) => path.clone(),
            Self::App(address, _) => address.to_string(),
        }
    }

    /// The app's name, if it is one.
    pub(super) fn app(&self) -> Option<&str> {
        match self {
            Self::Page(_) => None,
            Self::App(_, name) => Some(name),
        }
    }

    /// Where a form that leads there must be allowed to.
    pub(super) fn site(&self) -> Option<Site> {
        match self {
            Self::Page(_) => None,
            Self::App(address, _) => Some(address.site.clone()),
        }
    }
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
