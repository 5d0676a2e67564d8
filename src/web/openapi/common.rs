//! What all calls have in common: how they refuse.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Content, HeaderBuilder, Ref, RefOr, Response, Schema,
        path::Operation,
        schema::{ObjectBuilder, Type},
    },
};

use crate::web::{
    failure::Refusal,
    shippers::{elastic, otlp},
};

/// In whose words a part of the API refuses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// In ours.
    Ours,
    /// In ours, but for a full disk, which keeps no check from its answer.
    Gate,
    /// It says a word and no more.
    Plain,
    /// In Elasticsearch's.
    Elastic,
    /// In OpenTelemetry's, encoded as the request was.
    Otlp,
}

impl Manner {
    /// The bodies of a refusal, by content type.
    fn bodies(self) -> Vec<(&'static str, RefOr<Schema>)> {
        let json = |name: &str| ("application/json", RefOr::Ref(Ref::from_schema_name(name)));
        match self {
            Self::Ours | Self::Gate => vec![json(&Refusal::name())],
            Self::Plain => Vec::new(),
            Self::Elastic => vec![json(&elastic::Refusal::name())],
            Self::Otlp => {
                let bytes =
                    ObjectBuilder::new().schema_type(Type::String).description(Some("google.rpc.Status"));
                vec![json(&otlp::Refusal::name()), ("application/x-protobuf", bytes.into())]
            }
        }
    }
}

/// The schemas of the refusals.
pub(super) fn schemas() -> Vec<(String, RefOr<Schema>)> {
    fn with_parts<S: ToSchema>() -> Vec<(String, RefOr<Schema>)> {
        let mut all = vec![(S::name().into_owned(), <S as PartialSchema>::schema())];
        S::schemas(&mut all);
        all
    }
    [with_parts::<Refusal>(), with_parts::<elastic::Refusal>(), with_parts::<otlp::Refusal>()].concat()
}

/// Adds to a call the refusals that follow from what stands at it, and says in a word what each status means.
pub(super) fn complete(operation: &mut Operation, method: &str, manner: Manner) {
    let mut refusals = Vec::new();
    if operation.security.as_ref().is_some_and(|security| !security.is_empty()) {
        refusals.extend([401, 403]);
    }
    if operation.request_body.is_some() {
        refusals.extend([400, 408, 413, 415]);
    }
    // A parameter that no call has is refused by all of them, and so is whoever asks under another name than ours.
    if manner == Manner::Ours {
        refusals.extend([400, 421]);
    }
    // Without a session too: another site's page must not sign anybody in.
    if method != "GET" && method != "HEAD" {
        refusals.push(403);
        if manner == Manner::Ours {
            refusals.push(507);
        }
    }
    if manner != Manner::Plain {
        refusals.extend([500, 503]);
    }
    let responses = &mut operation.responses.responses;
    for status in refusals {
        responses.entry(status.to_string()).or_insert_with(|| Response::new("").into());
    }
    for (status, response) in responses {
        let (Ok(status), RefOr::T(response)) = (status.parse(), response) else { continue };
        if response.description.is_empty() {
            meaning(status).clone_into(&mut response.description);
        }
        if status < 400 {
            continue;
        }
        // An answer to HEAD has no body.
        if method != "HEAD" && response.content.is_empty() {
            let bodies = manner.bodies().into_iter();
            response
                .content
                .extend(bodies.map(|(kind, body)| (kind.to_owned(), Content::new(Some(body)).into())));
        }
        let seconds = |about| {
            let number = ObjectBuilder::new().schema_type(Type::Integer);
            HeaderBuilder::new().schema(Some(number)).description(Some(about)).build().into()
        };
        if status == 429 || status == 507 {
            let about = "After how many seconds it may be asked for again.";
            response.headers.insert("Retry-After".to_owned(), seconds(about));
        }
    }
}

/// What a status means here where a call says nothing of its own.
const fn meaning(status: u16) -> &'static str {
    match status {
        200 => "Done.",
        201 => "Made.",
        204 => "Done; there is nothing to say.",
        400 => "What was sent was not understood; the message says what of it, and what would be.",
        401 => "No session or no token that works.",
        403 => "Signed in, but not for this; or asked for by another site's page.",
        404 => "There is no such thing, or none that the caller may know of.",
        408 => "The body came too slowly.",
        409 => "It stands against what is there.",
        410 => "It was there once.",
        413 => "The body is too large.",
        415 => "The body is of a kind, or packed in a way, that is not taken here.",
        421 => "Asked for under a name that is not the one of `--public-url`.",
        429 => "Too much at once; the header says when to come back.",
        500 => "A fault of ours. It has been written to the server's log.",
        503 => "Not now; try again later.",
        507 => "The disk is full; what must not wait is still written.",
        _ => "",
    }
}
