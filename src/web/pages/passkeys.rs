//! One's own passkeys. Making one takes a script: only a browser's own call asks a device.

use rocket::{post, routes};

use super::{Redirect, see};
use crate::web::{
    door::{FreshForm, Member},
    failure::Failure,
};

#[post("/profile/passkeys/remove", data = "<form>")]
async fn remove(member: Member<'_>, form: FreshForm) -> Result<Redirect, Failure> {
    member.app.remove_passkey(&member.actor(), &member.user.name, form.text("id")).await?;
    Ok(see("/profile?done=passkey-removed"))
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![remove]
}
