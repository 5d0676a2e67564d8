//! OTLP over HTTP: log records at `/v1/logs`, as protocol buffers or JSON.

use std::io::Cursor;

use opentelemetry_proto::tonic::{
    collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse},
    common::v1::{AnyValue, KeyValue, any_value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
};
use prost::Message;
use rocket::{
    Data, Request, Response,
    http::{ContentType, Status},
    post,
    request::FromRequest,
    response::{self, Responder},
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::ingest::{Load, RecordError};
use crate::web::{
    door::Shipper,
    failure::Failure,
    ingest::{
        body::{self, Packing, bare},
        otlp::{Outline, of_json, of_protobuf, records},
        take::{Fate, take},
    },
    looking::apart,
    openapi::described,
};

/// How a request is written, and so its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    fn of(request: &Request<'_>) -> Option<Self> {
        match bare(request, "Content-Type").as_str() {
            "application/x-protobuf" | "application/protobuf" => Some(Self::Protobuf),
            "application/json" => Some(Self::Json),
            _ => None,
        }
    }

    fn answer(self, bytes: Vec<u8>) -> Response<'static> {
        let kind = match self {
            Self::Protobuf => ContentType::new("application", "x-protobuf"),
            Self::Json => ContentType::JSON,
        };
        Response::build().header(kind).sized_body(bytes.len(), Cursor::new(bytes)).finalize()
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Encoding {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> rocket::request::Outcome<Self, ()> {
        if let Some(encoding) = Self::of(request) {
            return rocket::outcome::Outcome::Success(encoding);
        }
        Failure::media_type("send application/x-protobuf or application/json").remember(request);
        rocket::outcome::Outcome::Error((Status::UnsupportedMediaType, ()))
    }
}

/// `google.rpc.Status`, in which OTLP says what went wrong.
#[derive(Clone, PartialEq, Message)]
struct Refused {
    /// A code of gRPC.
    #[prost(int32, tag = "1")]
    code: i32,
    /// The sentence.
    #[prost(string, tag = "2")]
    message: String,
}

/// The same in JSON, and in our own words.
#[derive(Serialize, ToSchema)]
#[schema(as = OtlpRefusal, example = json!({"code": 3, "message": "the body is no export request of OTLP in JSON"}))]
pub(in crate::web) struct Refusal {
    code: i32,
    message: String,
    error: Reason,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OtlpReason, example = json!({"code": "bad_request", "message": "the body is no export request of OTLP in JSON"}))]
struct Reason {
    code: &'static str,
    message: String,
}

/// A refusal as the sender of this request reads it.
pub(super) fn refusal(request: &Request<'_>, failure: &Failure) -> Response<'static> {
    // The codes of gRPC that stand for these statuses.
    let code = match failure.status().code {
        401 => 16,
        403 => 7,
        404 => 5,
        413 | 429 => 8,
        503 => 14,
        500 => 13,
        _ => 3,
    };
    let message = failure.message().to_owned();
    let encoding = Encoding::of(request).unwrap_or(Encoding::Json);
    let bytes = match encoding {
        Encoding::Protobuf => Refused { code, message }.encode_to_vec(),
        Encoding::Json => {
            let error = Reason { code: failure.code(), message: message.clone() };
            serde_json::to_vec(&Refusal { code, message, error }).unwrap_or_default()
        }
    };
    let mut response = encoding.answer(bytes);
    response.set_status(failure.status());
    response
}

/// What became of the records, in the encoding of the request.
struct Answer(Encoding, ExportLogsServiceResponse);

impl<'r> Responder<'r, 'static> for Answer {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        let Self(encoding, told) = self;
        let bytes = match encoding {
            Encoding::Protobuf => told.encode_to_vec(),
            Encoding::Json => {
                let told = told.partial_success.map_or_else(
                    || json!({}),
                    |partial| json!({"partialSuccess": {"rejectedLogRecords": partial.rejected_log_records, "errorMessage": partial.error_message}}),
                );
                told.to_string().into_bytes()
            }
        };
        Ok(encoding.answer(bytes))
    }
}

/// For the document: a request with one record.
fn in_json() -> Value {
    json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{
        "timeUnixNano": "1769846400000000000", "eventName": "order.paid", "attributes": [{"key": "user.name", "value": {"stringValue": "ann"}}]
    }]}]}]})
}

/// The same in protocol buffers, but for its time: the bytes of that are no text, and the document is.
fn in_protobuf() -> String {
    let user = Some(AnyValue { value: Some(any_value::Value::StringValue("ann".to_owned())) });
    let record = LogRecord {
        event_name: "order.paid".to_owned(),
        attributes: vec![KeyValue { key: "user.name".to_owned(), value: user, ..KeyValue::default() }],
        ..LogRecord::default()
    };
    let scope_logs = vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
    let request = ExportLogsServiceRequest { resource_logs };
    String::from_utf8(request.encode_to_vec()).unwrap_or_default()
}

/// Write log records, as an export request of OTLP.
///
/// What was refused stands in the partial success of the answer, which is encoded as the request was.
#[utoipa::path(
    request_body(content(
        (Object = "application/json", example = in_json),
        (String = "application/x-protobuf", example = in_protobuf),
    )),
    security(("token" = ["activity:write"])),
    responses(
        (status = 200, content((Object = "application/json", example = json!({})), (String = "application/x-protobuf", example = ""))),
        (status = 429),
        (status = 503)
    ),
)]
#[post("/logs", data = "<data>")]
async fn logs(
    shipper: Shipper<'_>,
    encoding: Encoding,
    packing: Packing,
    data: Data<'_>,
) -> Result<Answer, Failure> {
    let _turn = shipper.app.intake(shipper.name(), Load::Any)?;
    let (bytes, _large) = body::whole(shipper.app, shipper.name(), packing.unpack(data)).await?;
    let request = apart(shipper.app, move |_| {
        let outline = match encoding {
            Encoding::Protobuf => Outline::of_protobuf(&bytes),
            Encoding::Json => Outline::of_json(&bytes),
        };
        if let Some((most, what)) = outline.excess() {
            return Err(Failure::too_many(most, what));
        }
        match encoding {
            Encoding::Protobuf => of_protobuf(&bytes).map_err(|_| {
                Failure::bad_request("the body is no export request of OTLP in protocol buffers")
            }),
            Encoding::Json => of_json(&bytes).map_err(|error| {
                let (line, column) = (error.line(), error.column());
                let why = "the body is no export request of OTLP in JSON";
                Failure::bad_request(format!("{why}: look at line {line}, column {column}"))
            }),
        }
    })
    .await?;
    let fates = take(&shipper, records(request, shipper.sender())).await?;
    let mut refused = fates.into_iter().filter_map(|fate| match fate {
        Fate::Refused(why) => Some(why),
        Fate::Other(id) => Some(RecordError::Other(id).to_string()),
        Fate::Written(_) | Fate::Known(_) => None,
    });
    let partial_success = refused.next().map(|why| ExportLogsPartialSuccess {
        rejected_log_records: i64::try_from(refused.count())
            .map_or(i64::MAX, |others| others.saturating_add(1)),
        error_message: format!("the first that was refused: {why}"),
    });
    Ok(Answer(encoding, ExportLogsServiceResponse { partial_success }))
}

described![logs];
