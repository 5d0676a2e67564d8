//! What the API says of itself.

use std::sync::LazyLock;

use rocket::{get, http::ContentType};

use crate::web::openapi::{DOCUMENT, described};

/// The document as it is sent.
static TEXT: LazyLock<String> = LazyLock::new(|| DOCUMENT.to_json().unwrap_or_default());

/// This document, for anybody.
#[utoipa::path(responses((status = 200, body = Object, example = json!({"openapi": "3.1.0", "info": {"title": "Rollcall", "version": "0.1.0"}, "paths": {}}))))]
#[get("/openapi.json")]
fn openapi() -> (ContentType, &'static str) {
    (ContentType::JSON, &TEXT)
}

described![openapi];
