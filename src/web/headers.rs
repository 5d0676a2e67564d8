//! What is true of every request and answer: forms are posted, and headers tell browsers how little they may
//! do with what they get.

use rocket::{
    Data, Request, Response,
    form::Form,
    http::{Header, Method},
    response::{self, Responder},
};

use crate::{
    domain::agent,
    model::site::Site,
    web::{door, failure::Failure},
};

/// Nothing but what comes from here, and no script or style inside a page. Text becomes elements in one
/// place only (`assets/js/swap.js`), through the one Trusted Types policy.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; \
     frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types fragment";

const POLICY: &str = "Content-Security-Policy";

const EVERY: [(&str, &str); 7] = [
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    (
        "Permissions-Policy",
        "camera=(), geolocation=(), microphone=(), payment=(), usb=(), interest-cohort=()",
    ),
    // The hints that say what a frozen user agent no longer does.
    ("Accept-CH", agent::ACCEPT_CH),
    // `same-origin`, not `no-referrer`: under that, browsers send `Origin: null` with our own forms, and over
    // plain HTTP there would be nothing left to tell them from another site's.
    ("Referrer-Policy", "same-origin"),
];

/// The headers of an answer that no request was read for, as lines.
pub(super) fn lines() -> String {
    let own = [(POLICY, CONTENT_SECURITY_POLICY), ("Cache-Control", "no-store")];
    EVERY.into_iter().chain(own).flat_map(|(name, value)| [name, ": ", value, "\r\n"]).collect()
}

/// For a year browsers come over TLS only (RFC 6797). Other hosts of the domain are not ours to speak for.
const TRANSPORT: (&str, &str) = ("Strict-Transport-Security", "max-age=31536000");

/// An answer with a form that leads on to a site: browsers hold the redirects behind a form against the policy too.
pub(super) struct FormLeadsTo<R>(pub(super) Option<Site>, pub(super) R);

impl<'r, 'o: 'r, R: Responder<'r, 'o>> Responder<'r, 'o> for FormLeadsTo<R> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'o> {
        let mut response = self.1.respond_to(request)?;
        if let Some(site) = self.0 {
            let allowed = format!("form-action 'self' {site}");
            let policy = CONTENT_SECURITY_POLICY.replace("form-action 'self'", &allowed);
            response.set_header(Header::new(POLICY, policy));
        }
        Ok(response)
    }
}

/// Sets the headers of every answer.
pub(super) fn dress(request: &Request<'_>, response: &mut Response<'_>) {
    // A page that is shown elsewhere, or whose form leads elsewhere, has a policy of its own. One walk finds both: the
    // framework's own look-ups hash a name letter by letter.
    let mut unless_set = [(POLICY, Some(CONTENT_SECURITY_POLICY)), ("Cache-Control", Some("no-store"))];
    for header in response.headers().iter() {
        for (name, value) in &mut unless_set {
            value.take_if(|_| header.name() == *name);
        }
    }
    for (name, value) in EVERY {
        response.set_header(Header::new(name, value));
    }
    // A proxy hands what the gate says on under the host of an app.
    let of_an_app =
        || ["/auth/", "/.rollcall/"].into_iter().any(|gate| request.uri().path().starts_with(gate));
    if door::over_tls(request) && !of_an_app() {
        response.set_header(Header::new(TRANSPORT.0, TRANSPORT.1));
    }
    for (name, value) in unless_set {
        if let Some(value) = value {
            response.set_header(Header::new(name, value));
        }
    }
}

/// An answer with these headers, where it may be that no fairing has seen it.
pub(super) struct Dressed<R>(pub(super) R);

impl<'r, 'o: 'r, R: Responder<'r, 'o>> Responder<'r, 'o> for Dressed<R> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'o> {
        let mut response = self.0.respond_to(request)?;
        dress(request, &mut response);
        Ok(response)
    }
}

/// Holds a request to what is true of every one.
pub(super) async fn hold(request: &mut Request<'_>, data: &mut Data<'_>) {
    let [host, kind] = door::lines(request, ["Host", "Content-Type"]);
    let (none, several) = (host.first.is_none(), host.again);
    if kind.first.is_some() {
        forms_are_posted(request, data).await;
    }
    one_host(request, none, several);
}

/// A request names one host (RFC 9112, section 3.2), and one that is ours. Whoever stands in front of us may have gone by the other of
/// two.
fn one_host(request: &mut Request<'_>, none: bool, several: bool) {
    // A plain probe of whether we live may be of HTTP/1.0, which had no hosts.
    if none && matches!(request.uri().path().as_str(), "/healthz" | "/readyz") {
        return;
    }
    if none || several {
        return Failure::bad_request("a request names its host, once").turn_away(request);
    }
    if let Some(failure) = door::stray(request) {
        failure.turn_away(request);
    }
}

/// How much of a form Rocket reads to find a method there, and how much there must be.
const READS: usize = "_method=delete".len();
const LEAST: usize = "_method=get".len();

/// Takes back what Rocket makes of a posted form that begins with `_method=delete`: a form is posted, whatever stands in it. Every other
/// request keeps its method, whatever it brings: a proxy fetches a page by GET and sends the body of what was refused along, and a
/// program that sends a form where JSON is meant is to hear of its body and not of its method.
async fn forms_are_posted(request: &mut Request<'_>, data: &mut Data<'_>) {
    let is_form = request.content_type().is_some_and(|kind| kind.is_form());
    if is_form && claimed_method(data.peek(READS).await) == Some(request.method()) {
        request.set_method(Method::Post);
    }
}

/// The method that Rocket takes from a form which begins so: its first field, read as Rocket itself reads it, by its own parser, before
/// anything is decoded and no further than it looks. Of a request that came by this very method nobody can tell any more whether it
/// was posted.
fn claimed_method(beginning: &[u8]) -> Option<Method> {
    if beginning.len() < LEAST {
        return None;
    }
    let first = Form::values(std::str::from_utf8(beginning).ok()?).next()?;
    if first.name == "_method" { first.value.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_claims_a_method_by_its_first_field_as_the_framework_reads_it() {
        for (form, method) in [
            ("_method=delete", Some(Method::Delete)),
            ("_method=DeLeTe", Some(Method::Delete)),
            ("_method=put&a=b", Some(Method::Put)),
            ("&&_method=put&", Some(Method::Put)),
            // It looks no further than this.
            ("_method=deleted", Some(Method::Delete)),
            ("_method=options", None),
            ("_method=put", Some(Method::Put)),
            ("_method=pu", None),
            ("_method=nothing", None),
            ("_Method=delete", None),
            ("%5Fmethod=delete", None),
            ("_method=%64elete", None),
            ("a=b&_method=put", None),
            ("three=books", None),
            ("", None),
        ] {
            let seen = &form.as_bytes()[..form.len().min(READS)];
            assert_eq!(claimed_method(seen), method, "{form}");
        }
        assert_eq!(claimed_method(b"_method=put&\xff"), None);
    }
}
