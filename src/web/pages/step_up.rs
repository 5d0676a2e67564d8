//! Asking again who somebody is, and then going on with what they asked for.
//!
//! The form that was refused is carried along in the page that asks, and sent again by the browser itself: 307 says to
//! repeat the request elsewhere as it is. So what was typed is not lost, and it works without a script.

use rocket::{Request, http::Header, post, routes};

use super::{Again, Html, field, inside, outside, show};
use crate::{
    model::onward::local,
    web::{
        door::{Form, Member, Newcomer, Params},
        failure::Failure,
        views::{Page, parts::Input, step_up::StepUp},
    },
};

const THEN: &str = "step-up-then";
const PROOF: &str = "step-up-proof";

/// The page that asks, instead of an answer to `request` with the form that it brought. A form with a file is not carried: it goes on
/// at `…/again`, which leads to where the file is chosen.
pub(in crate::web) fn page(request: &Request<'_>, fields: Vec<(String, String)>) -> Result<Html, Failure> {
    let with_file = request.content_type().is_some_and(|kind| kind.is_form_data());
    let then = if with_file { format!("{}/again", request.uri().path()) } else { request.uri().to_string() };
    match Member::peek(request) {
        Some(member) => ask(&member, then, fields, Input::default()),
        None => show(&crate::web::views::notice::Failure::of(401, outside())),
    }
}

fn ask(
    member: &Member<'_>,
    then: String,
    fields: Vec<(String, String)>,
    proof: Input,
) -> Result<Html, Failure> {
    let own = ["csrf", "username", THEN, PROOF];
    show(&StepUp {
        frame: inside(member, Page::Door, &Params::default()),
        factor: member.app.second_factor(&member.user.name)?.is_some(),
        proof,
        then,
        hidden: fields.into_iter().filter(|(name, _)| !own.contains(&name.as_str())).collect(),
    })
}

/// `307 Temporary Redirect`: the same form again, elsewhere.
#[derive(rocket::Responder)]
#[response(status = 307)]
struct Repeat {
    body: (),
    location: Header<'static>,
}

#[post("/step-up", data = "<form>")]
async fn step_up(member: Newcomer<'_>, form: Form) -> Result<Result<Repeat, Again>, Failure> {
    let then = form.get(THEN).and_then(local).ok_or_else(|| Failure::bad_request("nothing was asked for"))?;
    let proven = member.app.step_up(&member.live, form.text(PROOF).to_owned(), &member.origin()).await;
    match proven.map_err(Failure::from) {
        Ok(()) => Ok(Ok(Repeat { body: (), location: Header::new("Location", then.to_owned()) })),
        Err(failure) if failure.about().is_none() => Err(failure),
        Err(failure) => {
            let fields = form.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let html = ask(&member, then.to_owned(), fields, field("", "current", &failure))?;
            Ok(Err(Again::because(html, failure)))
        }
    }
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![step_up]
}
