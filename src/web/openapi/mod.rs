//! What the API says of itself: an `OpenAPI` 3.1 document, put together from what stands at the handlers and on the
//! structs of the wire.
//!
//! A module of the API lists its handlers once, in [`described`]: from the list come the routes that are mounted and
//! what the document says of them, so that neither can be without the other. What all calls have in common (the
//! refusals of the guards, of bodies that are not understood, of our own faults) is added here.

mod common;
pub(super) mod device;
pub(super) mod examples;
pub(super) mod manual;
pub(super) mod words;

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use rocket::Route;
use utoipa::openapi::{
    Components, InfoBuilder, License, OpenApi, OpenApiBuilder, PathItem, RefOr, Schema,
    path::{Operation, ParameterIn},
    security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    tag::TagBuilder,
};

use self::common::Manner;
use super::{api, gate, shippers};

/// Mounts these handlers, and describes them. A handler without `#[utoipa::path]` does not compile here.
macro_rules! described {
    ($($handler:ident),+ $(,)?) => {
        /// Every route of this room.
        pub(in crate::web) fn routes() -> Vec<rocket::Route> {
            rocket::routes![$($handler),+]
        }

        /// What the document says of them.
        #[derive(utoipa::OpenApi)]
        #[openapi(paths($($handler),+))]
        pub(in crate::web) struct Described;
    };
}
pub(in crate::web) use described;

/// A part of the API: its calls under one heading.
struct Part {
    name: &'static str,
    about: &'static str,
    /// Where its routes are mounted.
    under: &'static str,
    /// How it refuses.
    manner: Manner,
    described: fn() -> OpenApi,
}

/// The parts, in the order in which they are shown.
fn parts() -> Vec<Part> {
    fn part<D: utoipa::OpenApi>(name: &'static str, about: &'static str) -> Part {
        Part { name, about, under: "/api/v1", manner: Manner::Ours, described: D::openapi }
    }
    vec![
        part::<api::account::Described>("account", "Signing in and out, and who one is."),
        part::<api::second_factor::Described>(
            "second-factor",
            "Codes of an authenticator, besides the password.",
        ),
        part::<api::passkeys::Described>("passkeys", "Keys of a device, instead of the password."),
        part::<api::sessions::Described>(
            "sessions",
            "Who is signed in; ending sessions; the sessions of apps that sign their users in themselves.",
        ),
        part::<api::activity::Described>("activity", "Searching, counting and downloading the log."),
        part::<api::ingest::Described>("ingestion", "Writing to the log."),
        part::<api::stream::Described>("streams", "What happens, as it happens: Server-Sent Events."),
        part::<api::users::Described>("users", "Accounts."),
        part::<api::tokens::Described>("tokens", "What programs show."),
        part::<api::apps::Described>("apps", "Other programs of the organisation."),
        part::<api::hooks::Described>("webhooks", "Telling apps that a session has ended."),
        Part {
            under: "",
            manner: Manner::Gate,
            ..part::<gate::Described>(
                "forward-auth",
                "Whether a request may pass to its app, as reverse proxies ask. Open to a trusted proxy, and to tokens with the scope `auth:check`.",
            )
        },
        part::<api::document::Described>("document", "This document."),
        Part {
            under: "",
            manner: Manner::Plain,
            ..part::<api::health::Described>("health", "Whether the server lives and can do its work.")
        },
        Part {
            under: "/es",
            manner: Manner::Elastic,
            ..part::<shippers::elastic::Described>(
                "elasticsearch",
                "Elasticsearch's bulk protocol, as far as log shippers speak it.",
            )
        },
        Part {
            under: "/v1",
            manner: Manner::Otlp,
            ..part::<shippers::otlp::Described>("opentelemetry", "Log records by OTLP over HTTP.")
        },
    ]
}

/// What the API is, before its parts.
const ABOUT: &str = "\
JSON in UTF-8; times in RFC 3339, UTC, with milliseconds. Programs send `Authorization: Bearer` with a token of the right \
scope. Pages use the session's cookie; an unsafe call with it must come from our own origin. A parameter that is there \
and empty counts as not given. One that no call has, or that is repeated where one counts, is refused, so that a slip of the \
pen never asks for more than was meant; one of another call says nothing.";

/// The document.
pub(super) static DOCUMENT: LazyLock<OpenApi> = LazyLock::new(document);

fn document() -> OpenApi {
    let about = InfoBuilder::new()
        .title("Rollcall")
        .description(Some(ABOUT))
        .version(env!("CARGO_PKG_VERSION"))
        .license(Some(License::builder().name("MIT").identifier(Some("MIT")).build()))
        .build();
    let mut components = Components::new();
    components.add_security_scheme(
        "session",
        SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
            "rollcall",
            "The cookie of a signed-in browser; over HTTPS it is called `__Host-rollcall`.",
        ))),
    );
    components.add_security_scheme(
        "token",
        SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some("An API token. The scope that it needs stands at the call."))
                .build(),
        ),
    );
    let parts = parts();
    let tags =
        parts.iter().map(|part| TagBuilder::new().name(part.name).description(Some(part.about)).build());
    let empty = OpenApiBuilder::new().info(about).tags(Some(tags)).components(Some(components)).build();
    let mut whole = parts.into_iter().fold(empty, |whole, part| {
        let mut described = (part.described)();
        for (method, operation) in described.paths.paths.values_mut().flat_map(operations_mut) {
            operation.tags = Some(vec![part.name.to_owned()]);
            let name = operation.operation_id.take().unwrap_or_default();
            operation.operation_id = Some(format!("{}_{name}", part.name));
            common::complete(operation, method, part.manner);
        }
        // One by one, because two parts may have calls at the same address.
        whole.merge_from(nowhere().nest_with_path_composer(part.under, described, |under, path| {
            if under.is_empty() { path.to_owned() } else { format!("{under}{}", path.trim_end_matches('/')) }
        }))
    });
    whole.components.get_or_insert_default().schemas.extend(common::schemas());
    examples::complete(&mut whole);
    whole
}

/// A parameter that may stand in the query string of a call.
#[derive(Debug)]
pub(super) struct Parameter {
    /// Its name.
    pub name: String,
    /// Whether it may be there more than once.
    pub repeats: bool,
}

/// What may stand in the query string of each call, by its method and its address as the document writes it.
static PARAMETERS: LazyLock<HashMap<(&'static str, String), Vec<Parameter>>> = LazyLock::new(|| {
    let mut document = DOCUMENT.clone();
    let paths = document.paths.paths.iter_mut();
    let calls = paths.flat_map(|(path, item)| operations_mut(item).map(move |call| (path, call)));
    let in_query = |operation: &Operation| -> Vec<Parameter> {
        let said = operation.parameters.iter().flatten().filter_map(|said| match said {
            RefOr::T(said) => matches!(said.parameter_in, ParameterIn::Query).then_some(said),
            RefOr::Ref(_) => None,
        });
        let repeats = |schema: &Option<RefOr<Schema>>| matches!(schema, Some(RefOr::T(Schema::Array(_))));
        said.map(|said| Parameter { name: said.name.clone(), repeats: repeats(&said.schema) }).collect()
    };
    calls.map(|(path, (method, call))| ((method, path.clone()), in_query(call))).collect()
});

/// Whether any call of the API has a parameter of this name: whoever puts it behind another call has not misspelt it.
pub(super) fn is_parameter(name: &str) -> bool {
    static NAMES: LazyLock<HashSet<&str>> =
        LazyLock::new(|| PARAMETERS.values().flatten().map(|known| known.name.as_str()).collect());
    NAMES.contains(name)
}

/// What may stand in the query string of the call at this route of the API; none if the document knows no such call.
pub(super) fn parameters(route: &Route) -> Option<&'static [Parameter]> {
    let method = route.method.as_str();
    let path = route.uri.path().replace('<', "{").replace("..>", "}").replace('>', "}");
    PARAMETERS.get(&(method, path)).map(Vec::as_slice)
}

/// A document of nothing.
fn nowhere() -> OpenApi {
    OpenApiBuilder::new().build()
}

/// The calls of a path, each with its method.
fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let calls = [
        ("GET", &mut item.get),
        ("HEAD", &mut item.head),
        ("POST", &mut item.post),
        ("PUT", &mut item.put),
        ("PATCH", &mut item.patch),
        ("DELETE", &mut item.delete),
        ("OPTIONS", &mut item.options),
    ];
    calls.into_iter().filter_map(|(method, call)| Some((method, call.as_mut()?)))
}
