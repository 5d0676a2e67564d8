//! What a request carries: forms of our own pages, and JSON.

use rocket::{
    Data, Request,
    data::{self, FromData, ToByteUnit},
    http::Status,
    outcome::Outcome,
};
use serde::de::DeserializeOwned;
use tokio::io::AsyncReadExt as _;

use super::{guards, json, params::Params};
use crate::web::{failure::Failure, paced::Paced, watch};

/// The largest form: a logout of every one of 10,000 selected sessions fits.
const FORM: u64 = 2 << 20;

/// The largest JSON body of a call that is not an ingestion.
const JSON: u64 = 2 << 20;

/// The largest body of somebody who is nobody yet. It is in memory before anything is asked, and of one address there may be many. What a
/// sign-in leads back to fits, where each of its bytes takes three, with the longest password.
const STRANGER: u64 = 32 << 10;

/// A form of somebody who is signed in. It must carry its session's token, so that no other site's form is
/// ever read.
pub struct Form(Params);

/// A form of somebody who need not be signed in: there is no session whose token it could carry.
pub struct OpenForm(Params);

impl std::ops::Deref for Form {
    type Target = Params;

    fn deref(&self) -> &Params {
        &self.0
    }
}

impl std::ops::Deref for OpenForm {
    type Target = Params;

    fn deref(&self) -> &Params {
        &self.0
    }
}

#[rocket::async_trait]
impl<'r> FromData<'r> for Form {
    type Error = ();

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> data::Outcome<'r, Self> {
        match form(request, data, FORM).await {
            Err(failure) => refuse(request, failure),
            Ok(params) => match guards::expected_form_token(request) {
                Some(expected) if params.get("csrf") == Some(expected.as_str()) => {
                    Outcome::Success(Self(params))
                }
                _ => refuse(request, Failure::stale_form()),
            },
        }
    }
}

#[rocket::async_trait]
impl<'r> FromData<'r> for OpenForm {
    type Error = ();

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> data::Outcome<'r, Self> {
        match form(request, data, STRANGER).await {
            Ok(params) => Outcome::Success(Self(params)),
            Err(failure) => refuse(request, failure),
        }
    }
}

async fn form(request: &Request<'_>, data: Data<'_>, most: u64) -> Result<Params, Failure> {
    if !has_type(request, &["application/x-www-form-urlencoded"]) {
        return Err(Failure::media_type("this takes a form (application/x-www-form-urlencoded)"));
    }
    Params::parse(&read(request, data, most).await?)
}

/// A JSON body of somebody whom another guard has let in, with a `Content-Type` that says so.
pub struct Json<T>(pub T);

/// The same of somebody who need not be signed in.
pub struct OpenJson<T>(pub T);

#[rocket::async_trait]
impl<'r, T: DeserializeOwned + Send> FromData<'r> for Json<T> {
    type Error = ();

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> data::Outcome<'r, Self> {
        match json(request, data, JSON).await {
            Ok(value) => Outcome::Success(Self(value)),
            Err(failure) => refuse(request, failure),
        }
    }
}

#[rocket::async_trait]
impl<'r, T: DeserializeOwned + Send> FromData<'r> for OpenJson<T> {
    type Error = ();

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> data::Outcome<'r, Self> {
        match json(request, data, STRANGER).await {
            Ok(value) => Outcome::Success(Self(value)),
            Err(failure) => refuse(request, failure),
        }
    }
}

async fn json<T: DeserializeOwned>(request: &Request<'_>, data: Data<'_>, most: u64) -> Result<T, Failure> {
    if !has_type(request, &["application/json"]) {
        return Err(Failure::media_type("this takes Content-Type: application/json"));
    }
    json::read(&read(request, data, most).await?)
}

/// A JSON body, or none at all where there is nothing to say.
pub struct MaybeJson<T>(pub T);

#[rocket::async_trait]
impl<'r, T: DeserializeOwned + Default + Send> FromData<'r> for MaybeJson<T> {
    type Error = ();

    async fn from_data(request: &'r Request<'_>, mut data: Data<'r>) -> data::Outcome<'r, Self> {
        if data.peek(1).await.is_empty() {
            return Outcome::Success(Self(T::default()));
        }
        Json::from_data(request, data).await.map(|Json(value)| Self(value))
    }
}

/// Whether the request's content type is one of these, whatever its parameters.
pub(super) fn has_type(request: &Request<'_>, types: &[&str]) -> bool {
    let Some(line) = request.headers().get_one("Content-Type") else { return false };
    let bare = line.split(';').next().unwrap_or_default().trim();
    types.iter().any(|known| known.eq_ignore_ascii_case(bare))
}

async fn read(request: &Request<'_>, data: Data<'_>, most: u64) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    // One more than may come, so that what is too long is not taken for its beginning.
    let mut body = Paced::new(data.open((most + 1).bytes())).seen_by(watch::incoming(request));
    match body.read_to_end(&mut bytes).await {
        Ok(read) if read as u64 > most => Err(Failure::too_large(most)),
        Ok(_) => String::from_utf8(bytes).map_err(|_| Failure::bad_request("the body is not UTF-8")),
        Err(error) if error.kind() == std::io::ErrorKind::TimedOut => Err(Failure::slow_body()),
        Err(_) => Err(Failure::bad_request("the body ended too early")),
    }
}

pub(super) fn refuse<'r, T: FromData<'r, Error = ()>>(
    request: &'r Request<'_>,
    failure: Failure,
) -> data::Outcome<'r, T> {
    let status = Status::new(failure.status().code);
    failure.remember(request);
    Outcome::Error((status, ()))
}
