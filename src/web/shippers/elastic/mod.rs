//! Elasticsearch's bulk protocol under `/es`, for the programs that write to it.
//!
//! What they ask before they write is answered here as far as it lets them write; there is no index, no template and no policy, and
//! nothing that is put is kept. What they write is taken in [`documents`].

mod documents;

use std::{convert::Infallible, fmt, io::Cursor};

use rocket::{
    Data, Request, Response, get,
    http::{ContentType, Header, Status},
    post, put,
    request::{FromRequest, Outcome},
    response::{self, Responder},
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::web::{
    door::Shipper,
    failure::Failure,
    ingest::{body::Packing, bulk::Operation},
    openapi::described,
};

/// The version whose protocol this is.
const VERSION: &str = "8.19.0";

/// An answer in the manner of Elasticsearch.
struct Answer(Status, String);

impl From<Value> for Answer {
    fn from(value: Value) -> Self {
        Self(Status::Ok, value.to_string())
    }
}

impl<'r> Responder<'r, 'static> for Answer {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        let mut response = told(self.1);
        response.set_status(self.0);
        Ok(response)
    }
}

/// Clients refuse to work with what does not name this product.
fn told(text: String) -> Response<'static> {
    Response::build()
        .header(ContentType::JSON)
        .header(Header::new("X-Elastic-Product", "Elasticsearch"))
        .sized_body(text.len(), Cursor::new(text))
        .finalize()
}

/// Why a request was refused, in the manner of Elasticsearch and in ours.
#[derive(Serialize, ToSchema)]
#[schema(as = ElasticRefusal, example = json!({"status": 400}))]
pub(in crate::web) struct Refusal {
    error: Because,
    status: u16,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ElasticReason, example = json!({
    "type": "document_parsing_exception", "reason": "user is missing or empty", "code": "document_parsing_exception",
    "message": "user is missing or empty"
}))]
struct Because {
    root_cause: [Cause; 1],
    #[serde(rename = "type")]
    kind: &'static str,
    reason: String,
    code: &'static str,
    message: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ElasticCause, example = json!({"type": "document_parsing_exception", "reason": "user is missing or empty"}))]
struct Cause {
    #[serde(rename = "type")]
    kind: &'static str,
    reason: String,
}

impl Refusal {
    fn because(status: Status, kind: &'static str, reason: String) -> Self {
        let root_cause = [Cause { kind, reason: reason.clone() }];
        let error = Because { root_cause, code: kind, message: reason.clone(), kind, reason };
        Self { error, status: status.code }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).unwrap_or_default())
    }
}

/// A refusal as clients read it.
pub(super) fn refusal(failure: &Failure) -> Response<'static> {
    let (status, reason) = (failure.status(), failure.message().to_owned());
    let mut response = told(Refusal::because(status, failure.code(), reason).to_string());
    response.set_status(status);
    response
}

/// The root, by which clients know what they speak to.
#[utoipa::path(
    security(("token" = ["activity:write"])),
    responses(
        (status = 200, body = Object, example = product)
    ),
)]
#[get("/")]
fn root(_shipper: Shipper<'_>) -> Answer {
    Answer::from(product())
}

/// What the root says.
fn product() -> Value {
    json!({
        "name": "rollcall",
        "cluster_name": "rollcall",
        "cluster_uuid": "rollcall",
        "version": {
            "number": VERSION, "build_flavor": "default", "build_type": "tar", "build_snapshot": false,
            "build_hash": "rollcall", "build_date": "2025-01-01T00:00:00.000Z", "lucene_version": "9.12.0",
            "minimum_wire_compatibility_version": "7.17.0", "minimum_index_compatibility_version": "7.0.0",
        },
        "tagline": "You Know, for Search",
    })
}

/// The licence that clients ask for.
#[utoipa::path(
    security(("token" = ["activity:write"])),
    responses(
        (status = 200, body = Object, example = licence)
    ),
)]
#[get("/_license")]
fn license(_shipper: Shipper<'_>) -> Answer {
    Answer::from(licence())
}

/// What is said of the licence.
fn licence() -> Value {
    json!({"license": {
        "uid": "rollcall", "type": "basic", "mode": "basic", "status": "active", "issued_to": "rollcall",
    }})
}

/// The features that clients ask for: none.
#[utoipa::path(
    security(("token" = ["activity:write"])),
    responses(
        (status = 200, body = Object, example = features)
    ),
)]
#[get("/_xpack")]
fn xpack(_shipper: Shipper<'_>) -> Answer {
    Answer::from(features())
}

/// What is said of features.
fn features() -> Value {
    let absent = json!({"available": false, "enabled": false});
    json!({
        "build": {"hash": "rollcall", "date": "2025-01-01T00:00:00.000Z"},
        "license": {"uid": "rollcall", "type": "basic", "mode": "basic", "status": "active"},
        "features": {"ilm": absent, "security": absent, "data_streams": absent},
    })
}

/// The health of the cluster.
#[utoipa::path(
    security(("token" = ["activity:write"])),
    responses(
        (status = 200, body = Object, example = cluster)
    ),
)]
#[get("/_cluster/health")]
fn health(_shipper: Shipper<'_>) -> Answer {
    Answer::from(cluster())
}

/// What is said of the cluster.
fn cluster() -> Value {
    json!({
        "cluster_name": "rollcall", "status": "green", "timed_out": false, "number_of_nodes": 1,
        "number_of_data_nodes": 1, "active_primary_shards": 1, "active_shards": 1, "relocating_shards": 0,
        "initializing_shards": 0, "unassigned_shards": 0,
    })
}

/// The health of the cluster, in short.
#[utoipa::path(
    security(("token" = ["activity:write"])),
    responses(
        (status = 200, body = [Object], example = clusters)
    ),
)]
#[get("/_cat/health")]
fn cat_health(_shipper: Shipper<'_>) -> Answer {
    Answer::from(clusters())
}

/// The same in short.
fn clusters() -> Value {
    json!([{"cluster": "rollcall", "status": "green", "node.total": "1", "node.data": "1"}])
}

/// Templates, policies and the like, as clients ask for them before they write: it is as if they were there.
#[utoipa::path(
    security(("token" = ["activity:write"])),
    responses(
        (status = 200, body = Object, example = json!({})),
        (status = 404)
    ),
)]
#[get("/<kind>/<_name..>")]
fn asked_for(_shipper: Shipper<'_>, kind: &str, _name: std::path::PathBuf) -> Result<Answer, Failure> {
    if is_setup(kind) { Ok(Answer::from(json!({}))) } else { Err(nothing()) }
}

/// The same, set up: nothing of it is kept.
#[utoipa::path(
    security(("token" = ["activity:write"])),
    responses(
        (status = 200, body = Object, example = json!({"acknowledged": true})),
        (status = 404)
    ),
)]
#[put("/<kind>/<_name..>")]
fn set_up(_shipper: Shipper<'_>, kind: &str, _name: std::path::PathBuf) -> Result<Answer, Failure> {
    if is_setup(kind) { Ok(Answer::from(json!({"acknowledged": true}))) } else { Err(nothing()) }
}

fn is_setup(kind: &str) -> bool {
    matches!(
        kind,
        "_template"
            | "_index_template"
            | "_component_template"
            | "_ilm"
            | "_ingest"
            | "_data_stream"
            | "_alias"
    )
}

fn nothing() -> Failure {
    Failure::not_found(
        "this takes documents by _bulk, _doc and _create; there is nothing else to be asked for or changed",
    )
}

/// What stands behind the question mark: whether a document may be there already.
struct OpType<'r>(Option<&'r str>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for OpType<'r> {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        Outcome::Success(Self(request.query_value("op_type").and_then(Result::ok)))
    }
}

impl OpType<'_> {
    fn operation(&self) -> Result<Operation, Failure> {
        match self.0 {
            None | Some("index") => Ok(Operation::Index),
            Some("create") => Ok(Operation::Create),
            Some(_) => Err(Failure::bad_request("op_type is index or create")),
        }
    }
}

/// Calls that take several documents, by each method that clients use for it.
macro_rules! several {
    ($($method:ident: $all:ident, $into:ident);*) => {$(
        /// Write documents to the log.
        #[utoipa::path(
            request_body(content = String, content_type = "application/x-ndjson", description = "Pairs of lines: an action, `index` or `create`, and a document.", example = "{\"index\":{}}\n{\"user\":\"ann\",\"action\":\"backup\"}\n"),
            security(("token" = ["activity:write"])),
            responses(
                (status = 200, body = Object, description = "What became of each document, in their order.", example = documents::all_written),
                (status = 429),
                (status = 503)
            ),
        )]
        #[$method("/_bulk", data = "<data>")]
        async fn $all(shipper: Shipper<'_>, packing: Packing, data: Data<'_>) -> Result<Answer, Failure> {
            documents::write(&shipper, packing, data, None).await
        }

        /// Write documents to the log; the index is kept as an attribute.
        #[utoipa::path(
            request_body(content = String, content_type = "application/x-ndjson", description = "Pairs of lines: an action, `index` or `create`, and a document.", example = "{\"index\":{}}\n{\"user\":\"ann\",\"action\":\"backup\"}\n"),
            security(("token" = ["activity:write"])),
            responses(
                (status = 200, body = Object, description = "What became of each document, in their order.", example = documents::all_written),
                (status = 429),
                (status = 503)
            ),
        )]
        #[$method("/<index>/_bulk", data = "<data>")]
        async fn $into(
            shipper: Shipper<'_>,
            index: &str,
            packing: Packing,
            data: Data<'_>,
        ) -> Result<Answer, Failure> {
            documents::write(&shipper, packing, data, Some(index)).await
        }
    )*};
}

several![post: posted, posted_into; put: put_all, put_into];

/// Write a document to the log; its id is made here.
#[utoipa::path(
    params(("op_type" = Option<String>, Query, description = "`index`, or `create`: then it is refused where it is there already.")),
    request_body(content = Object, content_type = "application/json", description = "The document.", example = json!({"user": "ann", "action": "backup"})),
    security(("token" = ["activity:write"])),
    responses(
        (status = 200, body = Object, description = "It was there already.", example = documents::known),
        (status = 201, body = Object, description = "It is in the log.", example = documents::written),
        (status = 409, description = "It was there already, and was to be made; or another one is there under its id, which stays as it is."),
        (status = 429),
        (status = 503)
    ),
)]
#[post("/<index>/_doc", data = "<data>")]
async fn posted_one(
    shipper: Shipper<'_>,
    index: &str,
    op_type: OpType<'_>,
    packing: Packing,
    data: Data<'_>,
) -> Result<Answer, Failure> {
    documents::write_one(&shipper, packing, data, op_type.operation()?, (index, None)).await
}

/// Calls that take one document under an id, by each method that clients use for it.
macro_rules! named {
    ($($method:ident: $doc:ident, $anew:ident);*) => {$(
        /// Write a document to the log, unless one with this id is there.
        #[utoipa::path(
            params(("op_type" = Option<String>, Query, description = "`index`, or `create`: then it is refused where it is there already.")),
            request_body(content = Object, content_type = "application/json", description = "The document.", example = json!({"user": "ann", "action": "backup"})),
            security(("token" = ["activity:write"])),
            responses(
                (status = 200, body = Object, description = "It was there already.", example = documents::known),
                (status = 201, body = Object, description = "It is in the log.", example = documents::written),
                (status = 409, description = "It was there already, and was to be made; or another one is there under its id, which stays as it is."),
                (status = 429),
                (status = 503)
            ),
        )]
        #[$method("/<index>/_doc/<id>", data = "<data>")]
        async fn $doc(
            shipper: Shipper<'_>,
            index: &str,
            id: &str,
            op_type: OpType<'_>,
            packing: Packing,
            data: Data<'_>,
        ) -> Result<Answer, Failure> {
            documents::write_one(&shipper, packing, data, op_type.operation()?, (index, Some(id))).await
        }

        /// Write a document to the log; it is refused where one with this id is there.
        #[utoipa::path(
            request_body(content = Object, content_type = "application/json", description = "The document.", example = json!({"user": "ann", "action": "backup"})),
            security(("token" = ["activity:write"])),
            responses(
                (status = 201, body = Object, description = "It is in the log.", example = documents::written),
                (status = 409, description = "It was there already, and was to be made; or another one is there under its id, which stays as it is."),
                (status = 429),
                (status = 503)
            ),
        )]
        #[$method("/<index>/_create/<id>", data = "<data>")]
        async fn $anew(
            shipper: Shipper<'_>,
            index: &str,
            id: &str,
            packing: Packing,
            data: Data<'_>,
        ) -> Result<Answer, Failure> {
            documents::write_one(&shipper, packing, data, Operation::Create, (index, Some(id))).await
        }
    )*};
}

named![post: posted_as, posted_anew; put: put_as, put_anew];

described![
    root,
    license,
    xpack,
    health,
    cat_health,
    asked_for,
    set_up,
    posted,
    put_all,
    posted_into,
    put_into,
    posted_one,
    posted_as,
    put_as,
    posted_anew,
    put_anew
];
