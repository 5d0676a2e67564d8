//! What takes a proof that is not old: whoever sits down at an open browser can look around, and no more.

use std::ops::Deref;

use rocket::{
    Data, Request,
    data::{self, FromData},
    outcome::Outcome,
    request::{self, FromRequest},
};

use super::{
    Admin, Form, Member, Newcomer, Params,
    body::refuse,
    guards::{self, Visitor},
};
use crate::web::failure::Failure;

/// Somebody who has shown their password or second factor not long ago.
pub struct Fresh<G>(G);

impl<G> Deref for Fresh<G> {
    type Target = G;

    fn deref(&self) -> &G {
        &self.0
    }
}

macro_rules! fresh {
    ($($guard:ident),*) => {$(
        #[rocket::async_trait]
        impl<'r> FromRequest<'r> for Fresh<$guard<'r>> {
            type Error = ();

            async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, ()> {
                match $guard::from_request(request).await {
                    Outcome::Success(who) => match who.must_be_fresh() {
                        Ok(()) => Outcome::Success(Self(who)),
                        Err(failure) => guards::refuse(request, failure),
                    },
                    Outcome::Error(error) => Outcome::Error(error),
                    Outcome::Forward(status) => Outcome::Forward(status),
                }
            }
        }
    )*};
}

fresh!(Admin, Member, Newcomer);

/// A form that is read only from somebody who has shown their password or second factor not long ago. Who has not is asked
/// for it, and then the form is sent again as it was.
pub struct FreshForm(Form);

impl Deref for FreshForm {
    type Target = Form;

    fn deref(&self) -> &Form {
        &self.0
    }
}

#[rocket::async_trait]
impl<'r> FromData<'r> for FreshForm {
    type Error = ();

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> data::Outcome<'r, Self> {
        let form = match Form::from_data(request, data).await {
            Outcome::Success(form) => form,
            other => return other.map(Self),
        };
        let visitor = Visitor::of(request);
        if visitor.session().await.is_some_and(|live| visitor.app.is_fresh(&live)) {
            Outcome::Success(Self(form))
        } else {
            refuse(request, Failure::step_up().carrying(&form))
        }
    }
}

impl Member<'_> {
    /// Refuses whoever has not shown their password or second factor for a while.
    pub fn must_be_fresh(&self) -> Result<(), Failure> {
        if self.app.is_fresh(&self.live) { Ok(()) } else { Err(Failure::step_up()) }
    }

    /// The same for what a form asks for: it is sent again as it was, when that is done.
    pub fn must_be_fresh_for(&self, form: &Params) -> Result<(), Failure> {
        self.must_be_fresh().map_err(|failure| failure.carrying(form))
    }
}
