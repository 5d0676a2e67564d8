//! A device that makes a passkey and signs in with it, as far as a server can tell (`WebAuthn`, level 3).

use data_encoding::BASE64URL_NOPAD;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The page that asks it, and the host of that page.
const PAGE: &str = "http://localhost:8080";
const HOST: &str = "localhost";

/// What it calls its passkey.
const ID: &[u8; 16] = b"it has only one.";

/// A device with one passkey.
pub(super) struct Device {
    key: EcdsaKeyPair,
    random: SystemRandom,
}

impl Device {
    pub(super) fn new() -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_ASN1_SIGNING, SystemRandom::new());
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).unwrap();
        Self { key, random }
    }

    /// Makes the passkey.
    pub(super) fn make(&self, options: &Value) -> Value {
        // An uncompressed point: a byte that says so, and its two halves.
        let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
        // A COSE key in CBOR: EC2, ES256, P-256, x, y.
        let key = [&b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20"[..], x, b"\x22\x58\x20", y].concat();
        // It has been unlocked, and this is a new passkey of a make that says nothing of itself.
        let state = [&state(0x45)[..], &[0; 16], &[0, 16], ID, &key].concat();
        let length = u8::try_from(state.len()).unwrap();
        let object = [&b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58"[..], &[length], &state].concat();
        credential(&json!({"clientDataJSON": said("create", options), "attestationObject": text(&object)}))
    }

    /// Shows it, for the user as whose it was made.
    pub(super) fn show(&self, options: &Value, user: &Value) -> Value {
        let (state, said) = (state(0x05), said("get", options));
        let hash = Sha256::digest(BASE64URL_NOPAD.decode(said.as_bytes()).unwrap());
        let signature = self.key.sign(&self.random, &[&state[..], &hash].concat()).unwrap();
        credential(&json!({
            "clientDataJSON": said, "authenticatorData": text(&state), "signature": text(signature.as_ref()), "userHandle": user
        }))
    }
}

fn text(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

/// Whose it is, what it says of itself, and how often it has signed: it does not count.
fn state(flags: u8) -> Vec<u8> {
    [&Sha256::digest(HOST)[..], &[flags, 0, 0, 0, 0]].concat()
}

/// What the page wants of it.
fn said(what: &str, options: &Value) -> String {
    let said = json!({"type": format!("webauthn.{what}"), "challenge": options["challenge"], "origin": PAGE});
    text(said.to_string().as_bytes())
}

fn credential(response: &Value) -> Value {
    json!({"id": text(ID), "rawId": text(ID), "type": "public-key", "response": response})
}
