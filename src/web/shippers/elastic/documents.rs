//! Documents on their way into the log: those of a bulk, and one alone, which is taken as a bulk of one. A document's `_id` makes it
//! idempotent for its token. Where another one is there under it, an index would be written over: the log is not, so that is a conflict.

use std::{fmt::Write as _, sync::Arc};

use rocket::{Data, http::Status};
use serde_json::{Value, json};

use super::{Answer, Refusal};
use crate::{
    domain::ingest::{Load, RecordError},
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
    },
};

/// Writes the documents of a bulk; those that name no index go into `index`.
pub(super) async fn write(
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
pub(super) async fn write_one(
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
            Broken::Many => Failure::too_many(bulk::ITEMS, "records"),
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

/// For the document: what is told of one that was written.
pub(super) fn written() -> Value {
    json!({
        "_index": "activity", "_id": "00000000000g2", "_version": 1, "result": "created",
        "_shards": {"total": 1, "successful": 1, "failed": 0}, "_seq_no": 0, "_primary_term": 1,
    })
}

/// For the document: what is told of one that was there.
pub(super) fn known() -> Value {
    let mut known = written();
    known["result"] = "noop".into();
    known
}

/// For the document: what is told of a bulk of one.
pub(super) fn all_written() -> Value {
    let mut written = written();
    written["status"] = 201.into();
    json!({"took": 3, "errors": false, "items": [{"index": written}]})
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
        Fate::Known(id) => Err(conflict(&named(id), "document already exists")),
        Fate::Other(id) => Err(conflict(&named(id), &RecordError::Other(id).to_string())),
        Fate::Refused(reason) => {
            Err(Failed { status: Status::BadRequest, kind: "document_parsing_exception", reason })
        }
    }
}

/// The refusal by which clients know that a document was not written because of one that is there.
fn conflict(id: &str, why: &str) -> Failed {
    Failed {
        status: Status::Conflict,
        kind: "version_conflict_engine_exception",
        reason: format!("[{id}]: version conflict, {why}"),
    }
}
