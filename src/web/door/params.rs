//! What stands behind the question mark.

use percent_encoding::percent_decode_str;
use rocket::{
    Data, Request, Route,
    outcome::Outcome,
    request::{self, FromRequest},
    route::{self, Handler},
};

use super::guards::refuse;
use crate::web::{
    failure::Failure,
    openapi::{self, Parameter},
};

/// The query string of a request, decoded. A parameter that is there and empty counts as not given, as an
/// empty field of a form means it. A call of the API is asked with nothing but parameters of the API, each once unless it is a
/// list: who misspells `user` in the address of a download would get everybody's activities otherwise. Those of another call say
/// nothing: the address of a search is that of its chart and its stream too.
#[derive(Clone, Debug, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Decodes `a=b&c=d`. What is no UTF-8 is refused: with something else in its place, it would be looked for, and kept, as what
    /// nobody has said.
    pub fn parse(query: &str) -> Result<Self, Failure> {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        for (name, value) in pairs {
            let is_text = |part: &str| percent_decode_str(part).decode_utf8().is_ok();
            if !is_text(name) || !is_text(value) {
                let name = percent_decode_str(name).decode_utf8_lossy().into_owned();
                let said = name.escape_debug();
                let message =
                    format!("{said} is no UTF-8; encode it as UTF-8, then each byte as % and two digits");
                return Err(Failure::field(name, message));
            }
        }
        let decoded = form_urlencoded::parse(query.as_bytes());
        let pairs = decoded.filter(|(_, value)| !value.is_empty());
        Ok(Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()))
    }

    /// These pairs, as if they had been asked for.
    pub fn of(pairs: &[(&str, &str)]) -> Self {
        let pairs = pairs.iter().filter(|(_, value)| !value.is_empty());
        Self(pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    /// Refuses what is not among `known`, and what is there twice and no list.
    fn hold_to(&self, known: &[Parameter]) -> Result<(), Failure> {
        for (at, (name, _)) in self.0.iter().enumerate() {
            let Some(parameter) = known.iter().find(|known| known.name == *name) else {
                if openapi::is_parameter(name) {
                    continue;
                }
                let known: Vec<&str> = known.iter().map(|known| known.name.as_str()).collect();
                let name = name.escape_debug();
                let known = known.join(", ");
                return Err(Failure::bad_request(if known.is_empty() {
                    format!("this call has no parameters, and so no {name}")
                } else {
                    format!("this call has no parameter {name}; it has {known}")
                }));
            };
            if !parameter.repeats && self.0[..at].iter().any(|(before, _)| before == name) {
                return Err(Failure::bad_request(format!("{name} is there more than once; say it once")));
            }
        }
        Ok(())
    }

    /// The value of a parameter; the last one, where it is repeated.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter, empty where it was not given.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// Every value of a parameter, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Every parameter with its value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a parameter as a number between two bounds, both included.
    pub fn number(
        &self,
        name: &'static str,
        default: usize,
        bounds: (usize, usize),
    ) -> Result<usize, Failure> {
        let Some(text) = self.get(name) else { return Ok(default) };
        match text.parse() {
            Ok(number) if (bounds.0..=bounds.1).contains(&number) => Ok(number),
            _ => Err(Failure::field(name, format!("{name} is a number from {} to {}", bounds.0, bounds.1))),
        }
    }

    /// The value of a parameter in its own type.
    pub fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, Failure> {
        let parse =
            |text: &str| text.parse().map_err(|error: T::Err| Failure::field(name, error.to_string()));
        self.get(name).map(parse).transpose()
    }

    /// Whether a parameter says yes, which must say yes or no where it is there.
    pub fn yes(&self, name: &'static str) -> Result<bool, Failure> {
        match self.get(name) {
            None | Some("" | "0" | "false" | "no" | "off") => Ok(false),
            Some(_) if self.flag(name) => Ok(true),
            Some(_) => Err(Failure::field(name, format!("{name} is true or false"))),
        }
    }

    /// Whether a parameter says yes, as the boxes of a form do.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some("1" | "true" | "yes" | "on"))
    }
}

/// Has a call of the API refuse parameters that no call has, whether it takes any or not.
pub(in crate::web) fn hold_to_parameters(route: &mut Route) {
    route.handler = Box::new(Held(route.handler.clone()));
}

/// A handler that is asked only with parameters that there are.
#[derive(Clone)]
struct Held(Box<dyn Handler>);

#[rocket::async_trait]
impl Handler for Held {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> route::Outcome<'r> {
        // Most calls that take none bring none.
        if request.uri().query().is_some() {
            match Params::from_request(request).await {
                Outcome::Success(_) => {}
                Outcome::Error((status, ())) => return Outcome::Error(status),
                Outcome::Forward(status) => return Outcome::Forward((data, status)),
            }
        }
        self.0.handle(request, data).await
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Params {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, Self::Error> {
        let known = request.route().and_then(openapi::parameters);
        let params = Self::parse(request.uri().query().map_or("", |query| query.as_str()));
        let held =
            params.and_then(|params| known.map_or(Ok(()), |known| params.hold_to(known)).map(|()| params));
        match held {
            Ok(params) => Outcome::Success(params),
            Err(failure) => refuse(request, failure),
        }
    }
}
