//! The page for somebody who is signed in and may not open an app. It is shown at the app's own address, where no file of
//! ours can be fetched: it brings its few lines of style along, allowed by their hash.

use std::sync::LazyLock;

use askama::Template;
use data_encoding::BASE64;
use rocket::{
    Request, Response, get,
    http::{ContentType, Header, Status},
    response::{self, Responder},
    routes,
};
use sha2::{Digest, Sha256};

use super::check::{Told, to_sign_in, told};
use crate::{
    domain::gate::Decision,
    model::{app::App, site::Address, user::User},
    web::{
        door::{Asked, AskedBy, Checkpoint},
        failure::Failure,
    },
};

pub(super) const STYLE: &str = include_str!("../../../assets/templates/denied.css");

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = BASE64.encode(&Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; object-src 'none'; frame-ancestors 'none'"
    )
});

/// The page.
#[derive(Template)]
#[template(path = "denied.html")]
pub(in crate::web) struct Denied {
    app: String,
    user: String,
    name: String,
    /// Whom it is for.
    groups: String,
    /// Where another user signs in to go on.
    switch: String,
    /// Rollcall's own address.
    own: String,
}

impl Denied {
    pub(in crate::web) fn new(own: String, address: &Address, app: &App, user: &User) -> Self {
        Self {
            app: app.name.clone(),
            user: user.name.to_string(),
            name: user.full_name.clone(),
            groups: app.groups.join(", "),
            switch: format!("{}&switch=1", to_sign_in(&own, address)),
            own,
        }
    }

    const fn style() -> &'static str {
        STYLE
    }
}

impl<'r> Responder<'r, 'static> for Box<Denied> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        alone(request, &*self, Status::Forbidden)
    }
}

/// A page that a browser may show anywhere: it fetches nothing, and has no style but [`STYLE`].
pub(super) fn alone(
    request: &Request<'_>,
    page: &impl Template,
    status: Status,
) -> response::Result<'static> {
    let Ok(text) = page.render() else { return Err(Status::InternalServerError) };
    let mut response: Response<'static> = (ContentType::HTML, text).respond_to(request)?;
    response.set_status(status);
    response.set_header(Header::new("Content-Security-Policy", POLICY.as_str()));
    Ok(response)
}

/// What a program is told instead of the page.
pub(super) fn not_open(app: &App, user: &User) -> Failure {
    Failure::forbidden(format!("{} may not open {}", user.name, app.name))
}

/// For nginx, which keeps what a check answered to itself and fetches the page on its own, by GET whatever was asked for.
#[get("/auth/denied")]
async fn denied(checkpoint: Checkpoint<'_>) -> Result<Told, Failure> {
    let asked = checkpoint.asked(AskedBy::Original)?;
    let site = &asked.address.site;
    let decision = checkpoint.app.decide(checkpoint.live(site).await, site);
    if let Decision::Pass { .. } = decision {
        return Err(Failure::forbidden("this was refused a moment ago and would pass now; try again"));
    }
    let lead = |asked: &Asked| if asked.for_a_page { Status::SeeOther } else { Status::Unauthorized };
    Ok(told(&checkpoint, &asked, decision, lead))
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![denied]
}
