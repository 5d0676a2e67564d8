//! What the targets have in common: bytes that come in pieces, and what holds of a record in whatever format it was sent.

use std::{
    io,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value as Any},
};
use rollcall::{
    domain::ingest::check,
    model::activity::{NewActivity, limits},
    web::ingest::{Record, json},
};
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, ReadBuf};

/// Who sends.
pub const SENDER: &str = "shop";

/// The longest sentence that says why a record is refused: it repeats no more than the beginning of what was sent.
const SENTENCE: usize = 1024;

/// What a record may take beyond a multiple of what was sent: one long name around many fields is written once for each.
const NAMES: usize = 2 << 20;

/// Bytes that come a few at a time, and break off at the end where `fails`.
#[derive(Clone, Copy, Debug)]
pub struct Pieces<'a> {
    rest: &'a [u8],
    size: usize,
    fails: bool,
}

impl<'a> Pieces<'a> {
    /// All of `bytes`, at most `size` at a time.
    pub fn of(bytes: &'a [u8], size: usize) -> Self {
        Self { rest: bytes, size, fails: false }
    }

    /// The same, and then an error in the place of the end.
    pub fn broken(bytes: &'a [u8], size: usize) -> Self {
        Self { fails: true, ..Self::of(bytes, size) }
    }

    fn piece(&mut self, room: usize) -> io::Result<&'a [u8]> {
        if self.fails && self.rest.is_empty() {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let (piece, rest) = self.rest.split_at(self.size.min(room).min(self.rest.len()));
        self.rest = rest;
        Ok(piece)
    }
}

impl io::Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let piece = self.piece(into.len())?;
        into[..piece.len()].copy_from_slice(piece);
        Ok(piece.len())
    }
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(self.piece(into.remaining()).map(|piece| into.put_slice(piece)))
    }
}

/// Runs what waits for nothing.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => unreachable!("there is nothing to wait for"),
    }
}

/// What holds of a record that was read of `sent` bytes: a refusal is a sentence, and what is taken takes no more memory than its
/// text can explain, is judged, and is the same record when it is written in the words of the contract.
pub fn holds(record: &Record, sent: usize) {
    match record {
        Err(why) => assert!(!why.is_empty() && why.len() <= SENTENCE, "{why}"),
        Ok(activity) => {
            assert!(size(activity) <= 8 * sent + NAMES, "{sent} bytes became {}", size(activity));
            if let Err(why) = check(activity) {
                assert!(!why.to_string().is_empty());
            }
            is_the_same_in_our_words(activity);
        }
    }
}

/// How many bytes of text a record has.
fn size(activity: &NewActivity) -> usize {
    let NewActivity { user, action, detail, app, session, user_agent, target, attributes, key, .. } =
        activity;
    let texts = [user, action, detail, app].into_iter().map(String::len);
    let others = [session, user_agent, target].into_iter().flatten().map(String::len);
    let pairs = attributes.iter().map(|(name, value)| name.len() + value.len());
    texts.chain(others).chain(pairs).sum::<usize>() + key.as_ref().map_or(0, |key| key.id.len())
}

fn is_the_same_in_our_words(activity: &NewActivity) {
    let mut expected = activity.clone();
    expected.attributes.sort();
    let twice = expected.attributes.windows(2).any(|pair| pair[0].0 == pair[1].0);
    let written = in_our_words(&expected).to_string();
    // What stands in an object stands there once; and what was escaped less may have had just the room.
    if twice || written.len() > limits::RECORD {
        return;
    }
    let sender = expected.key.as_ref().map_or(SENDER, |key| key.sender.as_str());
    let mut again = json::line(written.as_bytes(), sender)
        .expect("it is no empty line")
        .unwrap_or_else(|why| panic!("{written}: {why}"));
    again.attributes.sort();
    assert_eq!(again, expected, "{written}");
}

/// A record in the field names of the contract.
fn in_our_words(activity: &NewActivity) -> Value {
    let some = |text: &str| Some(text.to_owned());
    let (place, device) = (&activity.place, &activity.device);
    let fields = [
        ("user", some(&activity.user)),
        ("action", some(&activity.action)),
        ("detail", some(&activity.detail)),
        ("app", some(&activity.app)),
        ("outcome", some(activity.outcome.as_str())),
        ("time", activity.time.map(|time| time.to_string())),
        ("ip", activity.ip.map(|ip| ip.to_string())),
        ("id", activity.key.as_ref().map(|key| key.id.clone())),
        ("session", activity.session.clone()),
        ("user_agent", activity.user_agent.clone()),
        ("target", activity.target.clone()),
        ("city", place.city.clone()),
        ("region", place.region.clone()),
        ("country", place.country.clone()),
        ("device", some(&device.device)),
        ("os", some(&device.os)),
        ("browser", some(&device.browser)),
    ];
    let fields = fields.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into())));
    let mut fields: Map<_, _> = fields.collect();
    let attributes = activity.attributes.iter();
    let attributes: Map<_, _> =
        attributes.map(|(name, value)| (name.clone(), value.clone().into())).collect();
    fields.insert("attributes".to_owned(), attributes.into());
    fields.into()
}

/// How much a request of OpenTelemetry holds, counted in what was read of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Log records, scopes and resources.
    pub records: usize,
    /// Whatever else takes memory of its own.
    pub parts: usize,
}

impl Held {
    /// Counts.
    pub fn of(request: &ExportLogsServiceRequest) -> Self {
        let mut held = Self::default();
        for logs in &request.resource_logs {
            held.records += 1;
            if let Some(resource) = &logs.resource {
                held.parts += 1;
                held.pairs(&resource.attributes);
                for entity in &resource.entity_refs {
                    held.parts += 1 + entity.id_keys.len() + entity.description_keys.len();
                }
            }
            for logs in &logs.scope_logs {
                held.records += 1 + logs.log_records.len();
                if let Some(scope) = &logs.scope {
                    held.parts += 1;
                    held.pairs(&scope.attributes);
                }
                for record in &logs.log_records {
                    held.values(record.body.as_slice());
                    held.pairs(&record.attributes);
                }
            }
        }
        held
    }

    fn pairs(&mut self, pairs: &[KeyValue]) {
        self.parts += pairs.len();
        for pair in pairs {
            self.values(pair.value.as_slice());
        }
    }

    fn values(&mut self, values: &[AnyValue]) {
        self.parts += values.len();
        for value in values {
            match &value.value {
                Some(Any::ArrayValue(list)) => {
                    self.parts += 1;
                    self.values(&list.values);
                }
                Some(Any::KvlistValue(list)) => {
                    self.parts += 1;
                    self.pairs(&list.values);
                }
                _ => {}
            }
        }
    }
}
