//! The page that says what went wrong at an app's own address, where no file of ours can be fetched and no link without a host leads
//! to us.

use askama::Template;
use rocket::{
    Request,
    http::Status,
    response::{self, Responder},
};

use super::denied::{STYLE, alone};
use crate::model::site::{Address, Site};

/// The page.
#[derive(Template)]
#[template(path = "elsewhere.html")]
pub(in crate::web) struct Elsewhere {
    title: String,
    message: String,
    /// What may be opened once more, where that helps.
    again: Option<String>,
    /// Rollcall's own address.
    own: String,
    status: Status,
}

impl Elsewhere {
    /// What is said of a refusal, to somebody who can do no more than go to Rollcall itself.
    pub(in crate::web) fn because(own: String, status: Status, message: String) -> Self {
        let title = if status.code < 500 { "This did not work" } else { "Something is wrong with Rollcall" };
        Self { title: title.to_owned(), message, again: None, own, status }
    }

    /// What is said to a browser that comes with a code which is worth nothing, and is let in by nothing else.
    pub(super) fn no_way_in(own: String, back: &Address) -> Self {
        let message =
            "This way in was for another browser, was used before, or is too old. Open the app again.";
        let again = Some(back.to_string());
        Self { again, ..Self::because(own, Status::Forbidden, message.to_owned()) }
    }

    /// What is said where the proxy asks about an address that is no app's.
    pub(super) fn no_app(own: String, site: &Site) -> Self {
        let message = "Its proxy asks Rollcall whom to let in, and Rollcall does not know it. An administrator adds it there under Apps.";
        Self {
            title: format!("{site} is not open yet"),
            message: message.to_owned(),
            again: None,
            own,
            status: Status::Forbidden,
        }
    }

    const fn style() -> &'static str {
        STYLE
    }
}

impl<'r> Responder<'r, 'static> for Box<Elsewhere> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        alone(request, &*self, self.status)
    }
}
