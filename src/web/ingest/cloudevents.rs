//! `CloudEvents` 1.0: an envelope around what happened.
//!
//! The data is read like any other document; what it does not say the envelope does: its `type` is the action, its
//! `subject` the target, its `authid` (of the extension for who is behind an event) the user. Source and id together
//! make it idempotent, as the specification has it.

use serde_json::{Map, Value};

use super::{
    MARK, Record,
    document::{ACTION, DETAIL, Document, Key, TARGET, TIME, USER},
};

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
    let mut document = match event.remove("data") {
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
    let bare = content_type.split(';').next().unwrap_or_default().trim();
    let data = data.strip_prefix(MARK).unwrap_or(data);
    if data.trim_ascii().is_empty() {
        // The headers may be all there is to say: an event need not have data, of whatever type it would be.
    } else if bare == "application/json" || bare.ends_with("+json") {
        let data = serde_json::from_slice(data).map_err(|error| format!("the body is not JSON: {error}"))?;
        event.insert("data".to_owned(), data);
    } else {
        let text = std::str::from_utf8(data).map_err(|_| "the body is not UTF-8".to_owned())?;
        event.insert("data".to_owned(), text.into());
    }
    Ok(Value::Object(event).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

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
