//! What a page and a device say to one another about a passkey, as the document shows it: a passkey of Ann's is made, and signs her
//! in. The device is made up, and its signature is right.

use serde_json::{Value, json};

/// By which an answer is known to be that to a question.
const TOKEN: &str = "rch_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// What the device is to sign.
const CHALLENGE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// What the device calls the passkey.
const ID: &str = "RVadpX9Le_Ry16hk70eBRQ";

/// What the device knows Ann by.
const ANN: &str = "SZFeDX1LQC4wF9AQvBwOgw";

/// What a device that is to make a passkey is asked.
pub(in crate::web) fn to_make() -> Value {
    json!({"token": TOKEN, "options": {
        "rp": {"id": "rollcall.example.org", "name": "Rollcall"},
        "user": {"id": ANN, "name": "ann", "displayName": "Ann Arbor"},
        "challenge": CHALLENGE,
        "pubKeyCredParams": [
            {"type": "public-key", "alg": -7}, {"type": "public-key", "alg": -35}, {"type": "public-key", "alg": -257}
        ],
        "excludeCredentials": [],
        "timeout": 300_000,
        "attestation": "none",
        "authenticatorSelection": {
            "residentKey": "required", "requireResidentKey": true, "userVerification": "required"
        },
        "extensions": {
            "credProps": true, "credentialProtectionPolicy": "userVerificationRequired",
            "enforceCredentialProtectionPolicy": false, "uvm": true
        }
    }})
}

/// What it answers.
pub(in crate::web) fn made() -> Value {
    json!({"token": TOKEN, "name": "phone", "credential": {
        "id": ID, "rawId": ID, "type": "public-key", "response": {
            "clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIiwiY2hhbGxlbmdlIjoiQUFFQ0F3UUZCZ2NJQ1FvTERBME9EeEFSRWhNVUZSWVhHQmthR3h3ZEhoOCIsIm9yaWdpbiI6Imh0dHBzOi8vcm9sbGNhbGwuZXhhbXBsZS5vcmciLCJjcm9zc09yaWdpbiI6ZmFsc2V9",
            "attestationObject": "o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YViUgC8rs8f75cztdp1HJRYGvugMAwP5M2fR3IY8-N7zlFFFAAAAAAAAAAAAAAAAAAAAAAAAAAAAEEVWnaV_S3v0cteoZO9HgUWlAQIDJiABIVgg7axkPq_FXKJJ-uyhxd_mw3Cjg9hGoNOBkKVSTjio1uoiWCCxXxwb3ag3oynV4uEBloLWmaXhSv0F9cpzzLKspEZYTg"
        }
    }})
}

/// What a device that is to show a passkey is asked.
pub(in crate::web) fn to_show() -> Value {
    json!({"token": TOKEN, "options": {
        "challenge": CHALLENGE, "timeout": 300_000, "rpId": "rollcall.example.org", "allowCredentials": [],
        "userVerification": "required", "extensions": {"uvm": true}
    }})
}

/// What it answers.
pub(in crate::web) fn shown() -> Value {
    json!({"token": TOKEN, "credential": {
        "id": ID, "rawId": ID, "type": "public-key", "response": {
            "clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0IiwiY2hhbGxlbmdlIjoiQUFFQ0F3UUZCZ2NJQ1FvTERBME9EeEFSRWhNVUZSWVhHQmthR3h3ZEhoOCIsIm9yaWdpbiI6Imh0dHBzOi8vcm9sbGNhbGwuZXhhbXBsZS5vcmciLCJjcm9zc09yaWdpbiI6ZmFsc2V9",
            "authenticatorData": "gC8rs8f75cztdp1HJRYGvugMAwP5M2fR3IY8-N7zlFEFAAAAAA",
            "signature": "MEUCIAdbMwHvJ1x5K_IMbRAjkQm16DgjqPb5w9MWOHQKdM1VAiEAgaCAxrs1G-0wOdbYx5iTxzPn5ICw55_2i_qKpvkmOSs",
            "userHandle": ANN
        }
    }})
}
