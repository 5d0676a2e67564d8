//! What an app is told: a message in the form of Standard Webhooks 1.0, signed with the secret of the app's webhook.

use data_encoding::{BASE32_DNSSEC, BASE64};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{Method, Request, Uri, header};
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::model::{hook::Delivery, secret::HookSecret, session::Session};

#[derive(Serialize)]
struct Message<'a> {
    r#type: &'static str,
    timestamp: String,
    data: Facts<'a>,
}

#[derive(Serialize)]
struct Facts<'a> {
    session: String,
    user: &'a str,
    app: &'a str,
    ended_by: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_by_user: Option<&'a str>,
    reason: &'a str,
}

/// The request that tells an app of the end of `session`, as it is sent at `now`. None if the session has not ended.
pub(super) fn request(
    url: &str,
    secret: &HookSecret,
    delivery: &Delivery,
    session: &Session,
    now: Timestamp,
) -> Option<Request<String>> {
    let ending = session.ending.as_ref()?;
    let message = Message {
        r#type: "session.ended",
        timestamp: format!("{:.3}", ending.at),
        data: Facts {
            session: session.id.to_string(),
            user: session.user.as_str(),
            app: &delivery.app,
            ended_by: ending.by.as_str(),
            ended_by_user: ending.by_user.as_deref(),
            reason: &ending.reason,
        },
    };
    let body = serde_json::to_string(&message).ok()?;
    let (id, at) = (id(delivery), now.as_second());
    let signature = signature(secret.bytes(), &id, at, &body);
    let request = Request::builder()
        .method(Method::POST)
        .uri(url.parse::<Uri>().ok()?)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, concat!("rollcall/", env!("CARGO_PKG_VERSION")))
        .header(header::CONNECTION, "close")
        .header("webhook-id", id)
        .header("webhook-timestamp", at)
        .header("webhook-signature", signature);
    request.body(body).ok()
}

/// The name of a message: the same however often it is sent, so that an app can tell that it knows it already.
fn id(delivery: &Delivery) -> String {
    let digest =
        Sha256::new().chain_update(delivery.session.as_bytes()).chain_update(&delivery.app).finalize();
    format!("msg_{}", BASE32_DNSSEC.encode(&digest[..16]))
}

fn signature(key: &[u8], id: &str, at: i64, body: &str) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(format!("{id}.{at}.{body}").as_bytes());
    format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_signed_as_standard_webhooks_says() {
        // The example of the specification's own libraries.
        let key = BASE64.decode(b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed =
            signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
