//! What a request carries: forms of our own pages, and JSON.

use rocket::{
    Data, Request,
    data::{self, FromData, ToByteUnit},
    http::Status,
    outcome::Outcome,
};
use serde::de::DeserializeOwned;

use super::{guards, params::Params};
use crate::web::failure::Failure;

/// The largest form: a logout of every one of 10,000 selected sessions fits.
const FORM: u64 = 2 << 20;

/// The largest JSON body of a call that is not an ingestion.
const JSON: u64 = 2 << 20;

/// A form of one of our pages. Where the request carries a session, the form must carry that session's
/// token, so that no other site's form is ever read.
pub struct Form(Params);

impl Form {
    /// A field that must be filled in.
    pub fn need(&self, name: &'static str) -> Result<&str, Failure> {
        self.0.get(name).ok_or_else(|| Failure::field(name, format!("{} is missing", name.replace('_', " "))))
    }

    /// A field that may be left empty.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_default()
    }
}

impl std::ops::Deref for Form {
    type Target = Params;

    fn deref(&self) -> &Params {
        &self.0
    }
}

#[rocket::async_trait]
impl<'r> FromData<'r> for Form {
    type Error = ();

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> data::Outcome<'r, Self> {
        if !has_type(request, &["application/x-www-form-urlencoded"]) {
            return refuse(request, Failure::media_type("this takes a form"));
        }
        let text = match read(data, FORM).await {
            Ok(text) => text,
            Err(failure) => return refuse(request, failure),
        };
        let params = Params::parse(&text);
        if let Some(expected) = guards::expected_form_token(request)
            && params.get("csrf") != Some(expected.as_str())
        {
            return refuse(request, Failure::stale_form());
        }
        Outcome::Success(Self(params))
    }
}

/// A JSON body, with a `Content-Type` that says so.
pub struct Json<T>(pub T);

#[rocket::async_trait]
impl<'r, T: DeserializeOwned + Send> FromData<'r> for Json<T> {
    type Error = ();

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> data::Outcome<'r, Self> {
        if !has_type(request, &["application/json"]) {
            return refuse(request, Failure::media_type("this takes Content-Type: application/json"));
        }
        let text = match read(data, JSON).await {
            Ok(text) => text,
            Err(failure) => return refuse(request, failure),
        };
        match serde_json::from_str(&text) {
            Ok(value) => Outcome::Success(Self(value)),
            Err(error) => {
                refuse(request, Failure::bad_request(format!("the body was not understood: {error}")))
            }
        }
    }
}

/// Whether the request's content type is one of these, whatever its parameters.
pub(super) fn has_type(request: &Request<'_>, types: &[&str]) -> bool {
    let Some(line) = request.headers().get_one("Content-Type") else { return false };
    let bare = line.split(';').next().unwrap_or_default().trim();
    types.iter().any(|known| known.eq_ignore_ascii_case(bare))
}

async fn read(data: Data<'_>, most: u64) -> Result<String, Failure> {
    match data.open(most.bytes()).into_string().await {
        Ok(text) if text.is_complete() => Ok(text.into_inner()),
        Ok(_) => Err(Failure::too_large(most)),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Err(Failure::bad_request("the body is not UTF-8"))
        }
        Err(_) => Err(Failure::bad_request("the body ended too early")),
    }
}

fn refuse<'r, T: FromData<'r, Error = ()>>(
    request: &'r Request<'_>,
    failure: Failure,
) -> data::Outcome<'r, T> {
    let status = Status::new(failure.status().code);
    failure.remember(request);
    Outcome::Error((status, ()))
}
