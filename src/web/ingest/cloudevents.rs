//! `CloudEvents` 1.0: an envelope around what happened.
//!
//! The data is read like any other document; what it does not say the envelope does: its `type` is the action, its
//! `subject` the target, its `authid` (of the extension for who is behind an event) the user. Source and id together
//! make it idempotent, as the specification has it.

use data_encoding::{BASE64, BASE64_NOPAD};
use serde_json::{
    Map, Value,
    de::{SliceRead, StrRead},
};

use super::{
    MARK, Record,
    document::{ACTION, DETAIL, Document, Key, TARGET, TIME, USER},
    json::{Twice, plain, too_long},
    numbers,
};
use crate::model::activity::limits;

/// Whether an object is such an envelope.
pub(super) fn is_event(fields: &Map<String, Value>) -> bool {
    fields.contains_key("specversion")
}

/// Reads an event whose source and id are unique for `sender`.
pub(super) fn read(mut event: Map<String, Value>, sender: &str) -> Record {
    if event.remove("specversion").as_ref().and_then(Value::as_str) != Some("1.0") {
        return Err("specversion: this takes CloudEvents 1.0".to_owned());
    }
    let mut needed = |name: &str| match event.remove(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        _ => Err(format!("{name}: a CloudEvent has an id, a source and a type")),
    };
    let (id, source, kind) = (needed("id")?, needed("source")?, needed("type")?);
    let data = match event.remove("data") {
        None | Some(Value::Null) => in_base_64(&mut event)?,
        data => data,
    };
    let mut document = match data {
        Some(Value::Object(fields)) => Document::of(fields)?,
        other => {
            let mut document = Document::default();
            match other {
                None | Some(Value::Null) => {}
                Some(text @ Value::String(_)) => document.suggest(DETAIL, text),
                Some(other) => document.set("data", other),
            }
            document
        }
    };
    for (names, name) in [(TIME, "time"), (TARGET, "subject"), (USER, "authid")] {
        if let Some(value @ Value::String(_)) = event.get(name) {
            document.suggest(names, value.clone());
        }
    }
    document.suggest(ACTION, kind.clone());
    event.remove("time");
    let key = key(&source, &id);
    for (name, value) in
        event.into_iter().chain([("source".into(), source.into()), ("type".into(), kind.into())])
    {
        document.add(format!("ce.{name}"), value)?;
    }
    Ok(document.judge(sender, key))
}

/// The data of an event that has it as bytes. What is no text is left in the event, as it was sent.
fn in_base_64(event: &mut Map<String, Value>) -> Result<Option<Value>, String> {
    const NAME: &str = "data_base64";
    let text = match event.remove(NAME) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text,
        Some(_) => return Err(format!("{NAME}: bytes in base 64 are text")),
    };
    let bytes = BASE64_NOPAD
        .decode(text.trim_end_matches('=').as_bytes())
        .map_err(|error| format!("{NAME}: this is not base 64: {error}"))?;
    let kind = event.get("datacontenttype").and_then(Value::as_str).unwrap_or_default();
    let read = of_bytes(kind, &bytes).map_err(|why| format!("{NAME}: {why}"))?;
    if read.is_none() {
        event.insert(NAME.to_owned(), text.into());
    }
    Ok(read)
}

/// What bytes say as JSON, with all digits of its numbers.
fn json_of(bytes: &[u8]) -> serde_json::Result<Value> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Twice::Refused.read(StrRead::new(&numbers::kept(text))),
        Err(_) => Twice::Refused.read(SliceRead::new(bytes)),
    }
}

/// What bytes of this type say; none where they are neither JSON nor text.
fn of_bytes(kind: &str, bytes: &[u8]) -> Result<Option<Value>, String> {
    let bytes = bytes.strip_prefix(MARK).unwrap_or(bytes);
    let bare = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if bytes.trim_ascii().is_empty() {
        // The envelope may be all there is to say: an event need not have data, of whatever type it would be.
        return Ok(Some(Value::Null));
    }
    if bare == "application/json" || bare.ends_with("+json") {
        return json_of(bytes).map(Some).map_err(|error| {
            if error.is_data() { plain(&error) } else { format!("this is not JSON: {error}") }
        });
    }
    if bare.is_empty()
        && let Ok(value) = json_of(bytes)
    {
        return Ok(Some(value));
    }
    let text = std::str::from_utf8(bytes).ok();
    // A byte of zero is a letter too, by the book.
    let text = text.filter(|text| !text.contains(|c: char| c.is_control() && !c.is_whitespace()));
    Ok(text.map(Value::from))
}

/// Source and id as one id. A source is a URI and has no spaces, so no two pairs are the same.
fn key(source: &str, id: &str) -> Key {
    Key::Given(format!("{source} {id}"))
}

/// An event whose envelope is in the headers: `attributes` without their `ce-`, and `data` of this `Content-Type`.
pub fn binary(
    attributes: impl Iterator<Item = (String, String)>,
    content_type: &str,
    data: &[u8],
) -> Result<String, String> {
    let mut event: Map<String, Value> = attributes.map(|(name, value)| (name, value.into())).collect();
    match of_bytes(content_type, data).map_err(|why| format!("the body: {why}"))? {
        Some(Value::Null) => {}
        Some(value) => {
            event.insert("data".to_owned(), value);
        }
        // In base 64 it takes a third more still.
        None if data.len() > limits::RECORD => return Err(too_long()),
        None => {
            event.insert("data_base64".to_owned(), BASE64.encode(data).into());
            event.insert("datacontenttype".to_owned(), content_type.into());
        }
    }
    Ok(Value::Object(event).to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::activity::NewActivity;

    fn event(json: &str) -> Record {
        let Value::Object(fields) = serde_json::from_str(json).unwrap() else { panic!("no object") };
        assert!(is_event(&fields));
        read(fields, "shop")
    }

    #[test]
    fn what_the_data_does_not_say_the_envelope_does() {
        let record = event(
            r#"{"specversion":"1.0","id":"7","source":"/shop","type":"com.shop.order","subject":"order 9","time":"2026-01-02T03:04:05Z",
                "authtype":"user","authid":"ann","data":{"id":"o-9","amount":3,"lines":{"n":2}}}"#,
        )
        .unwrap();
        assert_eq!(
            (&*record.user, &*record.action, record.target.as_deref()),
            ("ann", "com.shop.order", Some("order 9"))
        );
        assert_eq!(record.time.unwrap().to_string(), "2026-01-02T03:04:05Z");
        assert_eq!(record.key.unwrap().id, "/shop 7");
        let names: Vec<_> = record.attributes.iter().map(|(name, _)| name.as_str()).collect();
        let expected =
            ["amount", "ce.authid", "ce.authtype", "ce.source", "ce.subject", "ce.type", "id", "lines.n"];
        assert_eq!(names, expected);
        let own = event(
            r#"{"specversion":"1.0","id":"7","source":"/shop","type":"x","data":{"user":{"name":"bob"},"event.action":"paid"}}"#,
        );
        let own = own.unwrap();
        assert_eq!((&*own.user, &*own.action), ("bob", "paid"));
    }

    /// An event with these bytes, and of this type where one is said.
    fn with_bytes(kind: Option<&str>, bytes: &[u8]) -> Record {
        let mut envelope = json!({
            "specversion": "1.0", "id": "7", "source": "/shop", "type": "x", "data_base64": BASE64.encode(bytes)
        });
        if let Some(kind) = kind {
            envelope["datacontenttype"] = kind.into();
        }
        event(&envelope.to_string())
    }

    fn attribute<'r>(record: &'r NewActivity, name: &str) -> Option<&'r str> {
        record.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn data_in_base_64_is_the_data_that_it_holds() {
        let fields = r#"{"user":"ann","action":"paid","amount":3}"#;
        for kind in [None, Some("application/json"), Some("Application/vnd.shop+JSON; charset=utf-8")] {
            let record = with_bytes(kind, fields.as_bytes()).unwrap();
            assert_eq!((&*record.user, &*record.action), ("ann", "paid"), "{kind:?}");
            assert_eq!(attribute(&record, "amount"), Some("3"), "{kind:?}");
            assert_eq!(attribute(&record, "ce.data_base64"), None, "{kind:?}");
        }
        for kind in [None, Some("text/plain"), Some("application/octet-stream")] {
            let record = with_bytes(kind, "three books, für Ann\n".as_bytes()).unwrap();
            assert_eq!(record.detail, "three books, für Ann\n", "{kind:?}");
            assert_eq!(attribute(&record, "ce.data_base64"), None, "{kind:?}");
        }
        let number = with_bytes(Some("text/plain"), b"42").unwrap();
        assert_eq!(number.detail, "42", "what is said to be text is text");
        for nothing in [&b""[..], b" ", b"null"] {
            let record = with_bytes(None, nothing).unwrap();
            assert_eq!((&*record.detail, attribute(&record, "ce.data_base64")), ("", None));
        }
        let both = r#"{"specversion":"1.0","id":"7","source":"/","type":"x","data":{"user":"ann"},"data_base64":"Ym9i"}"#;
        let both = event(both).unwrap();
        assert_eq!((&*both.user, attribute(&both, "ce.data_base64")), ("ann", Some("Ym9i")));
        let unpadded =
            r#"{"specversion":"1.0","id":"7","source":"/","type":"x","data":null,"data_base64":"Ym9iYg"}"#;
        assert_eq!(event(unpadded).unwrap().detail, "bobb");
    }

    #[test]
    fn bytes_that_are_neither_json_nor_text_are_kept_as_they_were_sent() {
        for kind in [None, Some("image/png"), Some("text/plain")] {
            for bytes in [&b"\x89PNG\r\n"[..], b"\0\x01\x02"] {
                let record = with_bytes(kind, bytes).unwrap();
                assert_eq!(attribute(&record, "ce.data_base64"), Some(&*BASE64.encode(bytes)), "{kind:?}");
                assert_eq!((&*record.detail, attribute(&record, "ce.datacontenttype")), ("", kind));
            }
        }
        let headers = [("specversion", "1.0"), ("id", "7"), ("source", "/shop"), ("type", "x")];
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let record = event(&binary(headers, "image/png", b"\x89PNG").unwrap()).unwrap();
        assert_eq!(attribute(&record, "ce.data_base64"), Some("iVBORw=="));
        assert_eq!(attribute(&record, "ce.datacontenttype"), Some("image/png"));
        let long = vec![0xff; limits::RECORD + 1];
        assert_eq!(binary(std::iter::empty(), "image/png", &long).unwrap_err(), too_long());
    }

    #[test]
    fn data_that_is_not_what_it_is_said_to_be_is_refused() {
        let not_json = with_bytes(Some("application/json"), b"{").unwrap_err();
        assert!(not_json.starts_with("data_base64: this is not JSON"), "{not_json}");
        for wrong in [r#""?""#, "7", "{}"] {
            let text =
                format!(r#"{{"specversion":"1.0","id":"7","source":"/","type":"x","data_base64":{wrong}}}"#);
            assert!(event(&text).unwrap_err().starts_with("data_base64:"), "{wrong}");
        }
    }

    #[test]
    fn an_event_in_headers_may_be_all_there_is_to_say() {
        let attributes = || {
            [("id", "1"), ("type", "x")].into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()))
        };
        for kind in ["application/json", "application/vnd.shop+json; charset=utf-8", "text/plain", ""] {
            for nothing in ["", " \n", "\u{feff}"] {
                let event = binary(attributes(), kind, nothing.as_bytes()).unwrap();
                assert_eq!(event, r#"{"id":"1","type":"x"}"#, "{kind}");
            }
        }
        let marked = binary(attributes(), "application/json", "\u{feff}{\"a\":1}".as_bytes()).unwrap();
        assert_eq!(marked, r#"{"data":{"a":1},"id":"1","type":"x"}"#);
        assert!(binary(attributes(), "application/json", b"{").is_err());
    }

    #[test]
    fn an_event_has_what_the_specification_wants() {
        let bad = |json: &str| event(json).unwrap_err();
        assert!(bad(r#"{"specversion":"0.3","id":"1","source":"/","type":"x"}"#).starts_with("specversion:"));
        assert!(bad(r#"{"specversion":"1.0","id":"1","type":"x"}"#).starts_with("source:"));
        assert!(bad(r#"{"specversion":"1.0","id":"","source":"/","type":"x"}"#).starts_with("id:"));
    }
}
