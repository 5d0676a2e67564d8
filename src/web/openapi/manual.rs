//! The document as a page shows it.

use std::sync::LazyLock;

use serde_json::Value;

use super::DOCUMENT;
use crate::web::views::reference::{Answer, Body, Call, Field, Kind, Manual, Part, Record};

/// The document for people.
pub(in crate::web) static MANUAL: LazyLock<Manual> =
    LazyLock::new(|| manual(&serde_json::to_value(&*DOCUMENT).unwrap_or_default()));

/// In which order the calls of an address are shown.
const METHODS: [(&str, &str); 7] = [
    ("get", "GET"),
    ("head", "HEAD"),
    ("post", "POST"),
    ("put", "PUT"),
    ("patch", "PATCH"),
    ("delete", "DELETE"),
    ("options", "OPTIONS"),
];

fn manual(document: &Value) -> Manual {
    let about = text(&document["info"]["description"]).split("\n\n").map(plain).collect();
    let calls: Vec<(String, Call)> = pairs(&document["paths"])
        .flat_map(|(path, item)| {
            METHODS.iter().filter_map(move |(key, method)| Some((path, *method, item.get(key)?)))
        })
        .map(|(path, method, operation)| {
            (text(&operation["tags"][0]).to_owned(), call(method, path, operation))
        })
        .collect();
    let mut parts: Vec<Part> = list(&document["tags"])
        .map(|tag| Part {
            name: text(&tag["name"]).to_owned(),
            title: heading(text(&tag["name"])),
            about: plain(text(&tag["description"])),
            calls: Vec::new(),
        })
        .collect();
    for (name, call) in calls {
        if let Some(part) = parts.iter_mut().find(|part| part.name == name) {
            part.calls.push(call);
        }
    }
    let records = pairs(&document["components"]["schemas"]);
    Manual { about, parts, records: records.map(|(name, schema)| record(name, schema)).collect() }
}

/// A tag as a heading.
fn heading(tag: &str) -> String {
    if tag == "opentelemetry" {
        return "OpenTelemetry".to_owned();
    }
    let words = tag.replace('-', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn call(method: &'static str, path: &str, operation: &Value) -> Call {
    let parameters = list(&operation["parameters"]).map(|parameter| Field {
        name: text(&parameter["name"]).to_owned(),
        required: parameter["required"] == true,
        kind: kind(&parameter["schema"]),
        about: plain(text(&parameter["description"])),
    });
    let answers = pairs(&operation["responses"]).map(|(status, answer)| Answer {
        status: status.to_owned(),
        about: plain(text(&answer["description"])),
        bodies: bodies(&answer["content"]),
    });
    Call {
        method,
        path: path.to_owned(),
        id: text(&operation["operationId"]).to_owned(),
        summary: plain(text(&operation["summary"])),
        about: plain(text(&operation["description"])),
        opened_by: list(&operation["security"]).flat_map(pairs).map(key).collect(),
        parameters: parameters.collect(),
        bodies: bodies(&operation["requestBody"]["content"]),
        answers: answers.collect(),
    }
}

/// What opens a call.
fn key((scheme, scopes): (&str, &Value)) -> String {
    match (scheme, list(scopes).next()) {
        ("token", Some(scope)) => format!("a token with {}", text(scope)),
        _ => "a session".to_owned(),
    }
}

fn bodies(content: &Value) -> Vec<Body> {
    let body = |(media, body): (&str, &Value)| Body {
        media: media.to_owned(),
        kind: kind(&body["schema"]),
        example: example(body.get("example")),
    };
    pairs(content).map(body).collect()
}

fn record(name: &str, schema: &Value) -> Record {
    let required = |name: &str| list(&schema["required"]).any(|known| known == name);
    let fields = pairs(&schema["properties"]).map(|(name, schema)| Field {
        name: name.to_owned(),
        required: required(name),
        kind: kind(schema),
        about: plain(text(&schema["description"])),
    });
    Record {
        name: name.to_owned(),
        about: plain(text(&schema["description"])),
        fields: fields.collect(),
        kind: kind(schema),
        example: example(schema.get("example")),
    }
}

/// What a schema is, in words.
fn kind(schema: &Value) -> Kind {
    if let Some(to) = schema["$ref"].as_str() {
        return Kind { words: String::new(), record: to.rsplit('/').next().unwrap_or_default().to_owned() };
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<&str> = words.iter().map(text).collect();
        return Kind { words: words.join(" | "), record: String::new() };
    }
    for either in ["oneOf", "anyOf", "allOf"] {
        if schema[either].is_array() {
            let kinds: Vec<Kind> =
                list(&schema[either]).map(kind).filter(|kind| kind.words != "nothing").collect();
            return match <[Kind; 1]>::try_from(kinds) {
                Ok([only]) => only,
                Err(kinds) => {
                    let words: Vec<String> = kinds
                        .into_iter()
                        .map(|kind| format!("{} {}", kind.words, kind.record).trim().to_owned())
                        .collect();
                    Kind { words: words.join(", or "), record: String::new() }
                }
            };
        }
    }
    let word = match &schema["type"] {
        Value::Array(words) => words.iter().map(text).find(|word| *word != "null").unwrap_or_default(),
        word => text(word),
    };
    if word == "array" {
        let Kind { words, record } = kind(&schema["items"]);
        let words = format!("list of {words}").trim_end().to_owned();
        return Kind { words, record };
    }
    let words = match (word, text(&schema["format"])) {
        ("string", "date-time") => "time".to_owned(),
        ("string", _) => "text".to_owned(),
        ("integer" | "number", _) => "number".to_owned(),
        ("boolean", _) => "true or false".to_owned(),
        ("null", _) => "nothing".to_owned(),
        ("", _) => "anything".to_owned(),
        (other, _) => other.to_owned(),
    };
    let bounds = match (schema["minimum"].as_u64(), schema["maximum"].as_u64()) {
        (Some(least), Some(most)) => format!(", {least} to {most}"),
        (Some(least), None) if least > 0 => format!(", at least {least}"),
        _ => String::new(),
    };
    Kind { words: words + &bounds, record: String::new() }
}

fn example(value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        // Bytes that are no text are shown as JSON writes them: a page has no signs for them.
        Some(Value::String(text)) if !text.contains(|c: char| c.is_control() && !c.is_whitespace()) => {
            text.trim_end().to_owned()
        }
        Some(value) => serde_json::to_string_pretty(value).unwrap_or_default(),
    }
}

/// What stands at the sources is Markdown with line breaks of its own; a page breaks lines itself.
fn plain(text: &str) -> String {
    text.replace('`', "").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn pairs(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}
