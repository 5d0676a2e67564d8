//! Elasticsearch's bulk protocol under `/es`, for the programs that write to it.
//!
//! What they ask before they write is answered as far as it lets them write; there is no index, no template and no
//! policy here, and nothing that is put is kept. A document's `_id` makes it idempotent for its token.

use std::{fmt::Write as _, io::Cursor, sync::Arc};

use rocket::{
    Data, Request, Response, get,
    http::{ContentType, Header},
    post, put,
    response::{self, Responder},
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::ingest::Load;
use crate::web::{
    door::Shipper,
    failure::Failure,
    ingest::{
        body::{self, Packing},
        bulk::{self, Broken, Item, Operation},
        take::{Fate, take},
    },
    looking::apart,
    openapi::described,
};

/// The version whose protocol this is.
const VERSION: &str = "8.19.0";

/// An answer in the manner of Elasticsearch.
struct Answer(String);

impl From<Value> for Answer {
    fn from(value: Value) -> Self {
        Self(value.to_string())
    }
}

impl<'r> Responder<'r, 'static> for Answer {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        Ok(told(self.0))
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

/// A refusal as clients read it.
pub(super) fn refusal(failure: &Failure) -> Response<'static> {
    let (kind, reason) = (failure.code(), failure.message().to_owned());
    let root_cause = [Cause { kind, reason: reason.clone() }];
    let error = Because { root_cause, code: kind, message: reason.clone(), kind, reason };
    let refusal = Refusal { error, status: failure.status().code };
    let mut response = told(serde_json::to_string(&refusal).unwrap_or_default());
    response.set_status(failure.status());
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
    Failure::not_found("this takes documents by _bulk; there is nothing else to be asked for or changed")
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

async fn write(
    shipper: &Shipper<'_>,
    packing: Packing,
    data: Data<'_>,
    index: Option<&str>,
) -> Result<Answer, Failure> {
    let _turn = shipper.app.intake(shipper.name(), Load::Any)?;
    let began = shipper.app.now();
    let (text, _large) = body::text(shipper.app, shipper.name(), packing.unpack(data)).await?;
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
    let fates = take(shipper, records).await?;
    let took = shipper.app.now().duration_since(began).as_millis();
    apart(shipper.app, move |_| Ok::<_, Failure>(answer(&items, fates, took))).await
}

/// What became of all items: written at once, item by item, for as a value it would take ten times the memory.
fn answer(items: &[Item], fates: Vec<Fate>, took: i128) -> Answer {
    let (mut told, mut errors) = (String::new(), false);
    for (item, fate) in items.iter().zip(fates) {
        let (outcome, good) = outcome(item, fate);
        errors |= !good;
        let comma = if told.is_empty() { "" } else { "," };
        let _ = write!(told, "{comma}{outcome}");
    }
    Answer(format!("{{\"took\":{took},\"errors\":{errors},\"items\":[{told}]}}"))
}

/// What became of an item, and whether that is good.
fn outcome(item: &Item, fate: Fate) -> (Value, bool) {
    let failed = |status: u16, kind: &str, reason: String| {
        let error = json!({"type": kind, "reason": reason});
        (json!({"_index": item.index, "_id": item.id, "status": status, "error": error}), false)
    };
    let done = |id: &str, result: &str, status: u16| {
        let shards = json!({"total": 1, "successful": 1, "failed": 0});
        let about = json!({
            "_index": item.index, "_id": id, "_version": 1, "result": result, "_shards": shards, "_seq_no": 0,
            "_primary_term": 1, "status": status,
        });
        (about, true)
    };
    let given = item.id.as_deref();
    let (about, good) = match fate {
        Fate::Written(id) => done(given.unwrap_or(&id.to_string()), "created", 201),
        Fate::Known(id) if item.operation == Operation::Index => {
            done(given.unwrap_or(&id.to_string()), "noop", 200)
        }
        Fate::Known(id) => {
            let id = given.map_or_else(|| id.to_string(), str::to_owned);
            let reason = format!("[{id}]: version conflict, document already exists");
            failed(409, "version_conflict_engine_exception", reason)
        }
        Fate::Refused(why) => failed(400, "document_parsing_exception", why),
    };
    (json!({item.operation.as_str(): about}), good)
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
    put_into
];
