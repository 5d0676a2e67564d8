//! Elasticsearch's bulk protocol under `/es`, for the programs that write to it.
//!
//! One document alone is taken as a bulk of one. What they ask before they write is answered as far as it lets them write; there is no index, no template and no
//! policy here, and nothing that is put is kept. A document's `_id` makes it idempotent for its token.

use std::{
    convert::Infallible,
    fmt::{self, Write as _},
    io::Cursor,
    sync::Arc,
};

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

use crate::{
    domain::ingest::Load,
    model::id::ActivityId,
    web::{
        door::Shipper,
        failure::Failure,
        ingest::{
            body::{self, Packing},
            bulk::{self, Broken, Item, Operation},
            take::{Fate, take},
        },
        looking::apart,
        openapi::described,
    },
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
#[schema(as = ElasticRefusal)]
pub(in crate::web) struct Refusal {
    error: Because,
    status: u16,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ElasticReason)]
struct Because {
    root_cause: [Cause; 1],
    #[serde(rename = "type")]
    kind: &'static str,
    reason: String,
    code: &'static str,
    message: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ElasticCause)]
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
        (status = 200, body = Object)
    ),
)]
#[get("/")]
fn root(_shipper: Shipper<'_>) -> Answer {
    Answer::from(json!({
        "name": "rollcall",
        "cluster_name": "rollcall",
        "cluster_uuid": "rollcall",
        "version": {
            "number": VERSION, "build_flavor": "default", "build_type": "tar", "build_snapshot": false,
            "build_hash": "rollcall", "build_date": "2025-01-01T00:00:00.000Z", "lucene_version": "9.12.0",
            "minimum_wire_compatibility_version": "7.17.0", "minimum_index_compatibility_version": "7.0.0",
        },
        "tagline": "You Know, for Search",
    }))
}

/// The licence that clients ask for.
#[utoipa::path(
    security(("token" = ["activity:write"])),
    responses(
        (status = 200, body = Object)
    ),
)]
#[get("/_license")]
fn license(_shipper: Shipper<'_>) -> Answer {
    Answer::from(json!({"license": {
        "uid": "rollcall", "type": "basic", "mode": "basic", "status": "active", "issued_to": "rollcall",
    }}))
}

/// The features that clients ask for: none.
#[utoipa::path(
    security(("token" = ["activity:write"])),
    responses(
        (status = 200, body = Object)
    ),
)]
#[get("/_xpack")]
fn xpack(_shipper: Shipper<'_>) -> Answer {
    let absent = json!({"available": false, "enabled": false});
    Answer::from(json!({
        "build": {"hash": "rollcall", "date": "2025-01-01T00:00:00.000Z"},
        "license": {"uid": "rollcall", "type": "basic", "mode": "basic", "status": "active"},
        "features": {"ilm": absent, "security": absent, "data_streams": absent},
    }))
}

/// The health of the cluster.
#[utoipa::path(
    security(("token" = ["activity:write"])),
    responses(
        (status = 200, body = Object)
    ),
)]
#[get("/_cluster/health")]
fn health(_shipper: Shipper<'_>) -> Answer {
    Answer::from(json!({
        "cluster_name": "rollcall", "status": "green", "timed_out": false, "number_of_nodes": 1,
        "number_of_data_nodes": 1, "active_primary_shards": 1, "active_shards": 1, "relocating_shards": 0,
        "initializing_shards": 0, "unassigned_shards": 0,
    }))
}

/// The health of the cluster, in short.
#[utoipa::path(
    security(("token" = ["activity:write"])),
    responses(
        (status = 200, body = [Object])
    ),
)]
#[get("/_cat/health")]
fn cat_health(_shipper: Shipper<'_>) -> Answer {
    Answer::from(json!([{"cluster": "rollcall", "status": "green", "node.total": "1", "node.data": "1"}]))
}

/// Templates, policies and the like, as clients ask for them before they write: it is as if they were there.
#[utoipa::path(
    security(("token" = ["activity:write"])),
    responses(
        (status = 200, body = Object),
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
        (status = 200, body = Object),
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

/// Write documents to the log.
#[utoipa::path(
    request_body(content = String, content_type = "application/x-ndjson", description = "Pairs of lines: an action, `index` or `create`, and a document.", example = "{\"index\":{}}\n{\"user\":\"ann\",\"action\":\"backup\"}\n"),
    security(("token" = ["activity:write"])),
    responses(
        (status = 200, body = Object, description = "What became of each document, in their order."),
        (status = 429),
        (status = 503)
    ),
)]
#[post("/_bulk", data = "<data>")]
async fn posted(shipper: Shipper<'_>, packing: Packing, data: Data<'_>) -> Result<Answer, Failure> {
    write(&shipper, packing, data, None).await
}

/// Write documents to the log.
#[utoipa::path(
    request_body(content = String, content_type = "application/x-ndjson", description = "Pairs of lines: an action, `index` or `create`, and a document.", example = "{\"index\":{}}\n{\"user\":\"ann\",\"action\":\"backup\"}\n"),
    security(("token" = ["activity:write"])),
    responses(
        (status = 200, body = Object, description = "What became of each document, in their order."),
        (status = 429),
        (status = 503)
    ),
)]
#[put("/_bulk", data = "<data>")]
async fn put_all(shipper: Shipper<'_>, packing: Packing, data: Data<'_>) -> Result<Answer, Failure> {
    write(&shipper, packing, data, None).await
}

/// Write documents to the log; the index is kept as an attribute.
#[utoipa::path(
    request_body(content = String, content_type = "application/x-ndjson", description = "Pairs of lines: an action, `index` or `create`, and a document.", example = "{\"index\":{}}\n{\"user\":\"ann\",\"action\":\"backup\"}\n"),
    security(("token" = ["activity:write"])),
    responses(
        (status = 200, body = Object, description = "What became of each document, in their order."),
        (status = 429),
        (status = 503)
    ),
)]
#[post("/<index>/_bulk", data = "<data>")]
async fn posted_into(
    shipper: Shipper<'_>,
    index: &str,
    packing: Packing,
    data: Data<'_>,
) -> Result<Answer, Failure> {
    write(&shipper, packing, data, Some(index)).await
}

/// Write documents to the log; the index is kept as an attribute.
#[utoipa::path(
    request_body(content = String, content_type = "application/x-ndjson", description = "Pairs of lines: an action, `index` or `create`, and a document.", example = "{\"index\":{}}\n{\"user\":\"ann\",\"action\":\"backup\"}\n"),
    security(("token" = ["activity:write"])),
    responses(
        (status = 200, body = Object, description = "What became of each document, in their order."),
        (status = 429),
        (status = 503)
    ),
)]
#[put("/<index>/_bulk", data = "<data>")]
async fn put_into(
    shipper: Shipper<'_>,
    index: &str,
    packing: Packing,
    data: Data<'_>,
) -> Result<Answer, Failure> {
    write(&shipper, packing, data, Some(index)).await
}

/// Write a document to the log; its id is made here.
#[utoipa::path(
    params(("op_type" = Option<String>, Query, description = "`index`, or `create`: then it is refused where it is there already.")),
    request_body(content = Object, content_type = "application/json", description = "The document.", example = json!({"user": "ann", "action": "backup"})),
    security(("token" = ["activity:write"])),
    responses(
        (status = 200, body = Object, description = "It was there already."),
        (status = 201, body = Object, description = "It is in the log."),
        (status = 409, description = "It was there already, and was to be made."),
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
    write_one(&shipper, packing, data, op_type.operation()?, (index, None)).await
}

/// Write a document to the log, unless one with this id is there.
#[utoipa::path(
    params(("op_type" = Option<String>, Query, description = "`index`, or `create`: then it is refused where it is there already.")),
    request_body(content = Object, content_type = "application/json", description = "The document.", example = json!({"user": "ann", "action": "backup"})),
    security(("token" = ["activity:write"])),
    responses(
        (status = 200, body = Object, description = "It was there already."),
        (status = 201, body = Object, description = "It is in the log."),
        (status = 409, description = "It was there already, and was to be made."),
        (status = 429),
        (status = 503)
    ),
)]
#[post("/<index>/_doc/<id>", data = "<data>")]
async fn posted_as(
    shipper: Shipper<'_>,
    index: &str,
    id: &str,
    op_type: OpType<'_>,
    packing: Packing,
    data: Data<'_>,
) -> Result<Answer, Failure> {
    write_one(&shipper, packing, data, op_type.operation()?, (index, Some(id))).await
}

/// Write a document to the log, unless one with this id is there.
#[utoipa::path(
    params(("op_type" = Option<String>, Query, description = "`index`, or `create`: then it is refused where it is there already.")),
    request_body(content = Object, content_type = "application/json", description = "The document.", example = json!({"user": "ann", "action": "backup"})),
    security(("token" = ["activity:write"])),
    responses(
        (status = 200, body = Object, description = "It was there already."),
        (status = 201, body = Object, description = "It is in the log."),
        (status = 409, description = "It was there already, and was to be made."),
        (status = 429),
        (status = 503)
    ),
)]
#[put("/<index>/_doc/<id>", data = "<data>")]
async fn put_as(
    shipper: Shipper<'_>,
    index: &str,
    id: &str,
    op_type: OpType<'_>,
    packing: Packing,
    data: Data<'_>,
) -> Result<Answer, Failure> {
    write_one(&shipper, packing, data, op_type.operation()?, (index, Some(id))).await
}

/// Write a document to the log; it is refused where one with this id is there.
#[utoipa::path(
    request_body(content = Object, content_type = "application/json", description = "The document.", example = json!({"user": "ann", "action": "backup"})),
    security(("token" = ["activity:write"])),
    responses(
        (status = 200, body = Object, description = "It was there already."),
        (status = 201, body = Object, description = "It is in the log."),
        (status = 409, description = "It was there already, and was to be made."),
        (status = 429),
        (status = 503)
    ),
)]
#[post("/<index>/_create/<id>", data = "<data>")]
async fn posted_anew(
    shipper: Shipper<'_>,
    index: &str,
    id: &str,
    packing: Packing,
    data: Data<'_>,
) -> Result<Answer, Failure> {
    write_one(&shipper, packing, data, Operation::Create, (index, Some(id))).await
}

/// Write a document to the log; it is refused where one with this id is there.
#[utoipa::path(
    request_body(content = Object, content_type = "application/json", description = "The document.", example = json!({"user": "ann", "action": "backup"})),
    security(("token" = ["activity:write"])),
    responses(
        (status = 200, body = Object, description = "It was there already."),
        (status = 201, body = Object, description = "It is in the log."),
        (status = 409, description = "It was there already, and was to be made."),
        (status = 429),
        (status = 503)
    ),
)]
#[put("/<index>/_create/<id>", data = "<data>")]
async fn put_anew(
    shipper: Shipper<'_>,
    index: &str,
    id: &str,
    packing: Packing,
    data: Data<'_>,
) -> Result<Answer, Failure> {
    write_one(&shipper, packing, data, Operation::Create, (index, Some(id))).await
}

async fn write(
    shipper: &Shipper<'_>,
    packing: Packing,
    data: Data<'_>,
    index: Option<&str>,
) -> Result<Answer, Failure> {
    let _turn = shipper.app.intake(shipper.name(), Load::Any)?;
    let began = shipper.app.now();
    let (text, _large) = body::text(shipper.app, shipper.name(), packing.unpack(data)).await?;
    let (items, fates) = taken(shipper, text, index).await?;
    let took = shipper.app.now().duration_since(began).as_millis();
    apart(shipper.app, move |_| Ok::<_, Failure>(answer(&items, fates, took))).await
}

/// Writes one document, which stands for itself, as a bulk of one; where it goes is `(index, id)`.
async fn write_one(
    shipper: &Shipper<'_>,
    packing: Packing,
    data: Data<'_>,
    operation: Operation,
    (index, id): (&str, Option<&str>),
) -> Result<Answer, Failure> {
    let _turn = shipper.app.intake(shipper.name(), Load::Any)?;
    let (document, _large) = body::text(shipper.app, shipper.name(), packing.unpack(data)).await?;
    if document.trim().is_empty() {
        return Err(Failure::bad_request("the body holds no document; send one as JSON"));
    }
    let about = id.map_or_else(|| json!({"_index": index}), |id| json!({"_index": index, "_id": id}));
    // In a bulk it stands on a line. Between the words of JSON a tab is as good as the end of a line, and within a text neither
    // may stand.
    let text = format!("{}\n{}", json!({operation.as_str(): about}), document.replace('\n', "\t"));
    let (items, fates) = taken(shipper, text, None).await?;
    let fate = items.first().zip(fates.into_iter().next());
    let (item, fate) = fate.ok_or_else(|| Failure::internal(&"a document has come to nothing"))?;
    Ok(answer_one(item, fate))
}

/// Takes what a bulk holds: the items, and what became of each.
async fn taken(
    shipper: &Shipper<'_>,
    text: String,
    index: Option<&str>,
) -> Result<(Arc<Vec<Item>>, Vec<Fate>), Failure> {
    let index = index.map(str::to_owned);
    let (items, text) = apart(shipper.app, move |_| {
        let items = bulk::items(&text, index.as_deref()).map_err(|broken| match broken {
            Broken::Many => Failure::too_many(bulk::ITEMS),
            Broken::Line(why) => Failure::bad_request(why),
        })?;
        Ok::<_, Failure>((Arc::new(items), text))
    })
    .await?;
    if items.is_empty() {
        return Err(Failure::bad_request(
            "the body holds no action; send pairs of lines, an action and a document",
        ));
    }
    let (asked, sender) = (Arc::clone(&items), shipper.sender());
    let records = (0..items.len()).map(move |at| asked[at].record(&text, &sender));
    Ok((items, take(shipper, records).await?))
}

/// What became of all items: written at once, item by item, for as a value it would take ten times the memory.
fn answer(items: &[Item], fates: Vec<Fate>, took: i128) -> Answer {
    let (mut told, mut errors) = (String::new(), false);
    for (item, fate) in items.iter().zip(fates) {
        let about = match outcome(item, fate) {
            Ok(done) => done.about(item, Some(done.status)),
            Err(Failed { status, kind, reason }) => {
                errors = true;
                let error = json!({"type": kind, "reason": reason});
                json!({"_index": item.index, "_id": item.id, "status": status.code, "error": error})
            }
        };
        let comma = if told.is_empty() { "" } else { "," };
        let _ = write!(told, "{comma}{}", json!({item.operation.as_str(): about}));
    }
    Answer(Status::Ok, format!("{{\"took\":{took},\"errors\":{errors},\"items\":[{told}]}}"))
}

/// What became of the only one: it is told as it is, and its status is that of the answer.
fn answer_one(item: &Item, fate: Fate) -> Answer {
    match outcome(item, fate) {
        Ok(done) => Answer(done.status, done.about(item, None).to_string()),
        Err(Failed { status, kind, reason }) => {
            Answer(status, Refusal::because(status, kind, reason).to_string())
        }
    }
}

/// A document that is in the log.
struct Done {
    id: String,
    result: &'static str,
    status: Status,
}

impl Done {
    /// What is told of it; with its status where the answer has one of its own.
    fn about(&self, item: &Item, status: Option<Status>) -> Value {
        let mut about = json!({
            "_index": item.index, "_id": self.id, "_version": 1, "result": self.result,
            "_shards": {"total": 1, "successful": 1, "failed": 0}, "_seq_no": 0, "_primary_term": 1,
        });
        if let Some(status) = status {
            about["status"] = status.code.into();
        }
        about
    }
}

/// A document that was not taken.
struct Failed {
    status: Status,
    kind: &'static str,
    reason: String,
}

/// What became of an item.
fn outcome(item: &Item, fate: Fate) -> Result<Done, Failed> {
    let named = |id: ActivityId| item.id.clone().unwrap_or_else(|| id.to_string());
    match fate {
        Fate::Written(id) => Ok(Done { id: named(id), result: "created", status: Status::Created }),
        Fate::Known(id) if item.operation == Operation::Index => {
            Ok(Done { id: named(id), result: "noop", status: Status::Ok })
        }
        Fate::Known(id) => Err(Failed {
            status: Status::Conflict,
            kind: "version_conflict_engine_exception",
            reason: format!("[{}]: version conflict, document already exists", named(id)),
        }),
        Fate::Refused(reason) => {
            Err(Failed { status: Status::BadRequest, kind: "document_parsing_exception", reason })
        }
    }
}

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
