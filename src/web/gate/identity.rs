//! Who it is, as apps are told: in headers that are set with every answer that lets a request pass, empty where there is
//! nothing to say, so that a proxy that copies them overwrites whatever the client wrote there.

use std::fmt::Write as _;

use rocket::{
    Request, Response,
    http::{Header, Status},
    response::{self, Responder},
};

use crate::model::{
    app::{App, HeaderFamily},
    id::SessionId,
    user::User,
};

/// The headers of an answer that lets a request pass.
pub(in crate::web) struct Identity(Vec<(&'static str, String)>);

impl Identity {
    /// `Remote-…` for every app, and the family it is set to beside it.
    pub(super) fn of(app: &App, user: &User, session: SessionId) -> Self {
        let name = visible(user.name.as_str());
        let (full_name, email) = (visible(&user.full_name), visible(&user.email));
        let groups: Vec<String> = user.groups.iter().map(|group| visible(group)).collect();
        let groups = groups.join(",");
        let family = match app.headers {
            HeaderFamily::Remote => vec![],
            HeaderFamily::XAuthRequest => vec![
                ("X-Auth-Request-User", &name),
                ("X-Auth-Request-Preferred-Username", &name),
                ("X-Auth-Request-Email", &email),
                ("X-Auth-Request-Groups", &groups),
            ],
            HeaderFamily::XForwarded => vec![
                ("X-Forwarded-User", &name),
                ("X-Forwarded-Preferred-Username", &name),
                ("X-Forwarded-Email", &email),
                ("X-Forwarded-Groups", &groups),
            ],
            HeaderFamily::XWebauth => vec![
                ("X-WEBAUTH-USER", &name),
                ("X-WEBAUTH-NAME", &full_name),
                ("X-WEBAUTH-EMAIL", &email),
                ("X-WEBAUTH-GROUPS", &groups),
            ],
        };
        let mut headers: Vec<_> = family.into_iter().map(|(header, value)| (header, value.clone())).collect();
        headers.extend([
            ("Remote-User", name),
            ("Remote-Groups", groups),
            ("Remote-Name", full_name),
            ("Remote-Email", email),
            ("Remote-Session", session.to_string()),
        ]);
        Self(headers)
    }
}

impl<'r> Responder<'r, 'static> for Identity {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        let mut response = Response::new();
        response.set_status(Status::Ok);
        for (name, value) in self.0 {
            response.set_header(Header::new(name, value));
        }
        Ok(response)
    }
}

/// A text as it may stand in a header: visible ASCII and spaces as they are, everything else percent-encoded as UTF-8, and
/// the percent sign with it, so that it can be read back.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' => out.push_str("%25"),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn what_cannot_stand_in_a_header_is_encoded() {
        assert_eq!(visible("Ada Lovelace"), "Ada Lovelace");
        assert_eq!(visible("J\u{fc}rgen 100%\r\nX: y"), "J%C3%BCrgen 100%25%0D%0AX: y");
    }
}
