//! Examples: what follows from those that stand at the records and at the calls.
//!
//! Whoever describes a record shows what is its own. What a field that is a record looks like, or a list, or a page of them, is
//! known from there and put together here, so that nothing is shown twice and in two ways.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use utoipa::{
    PartialSchema,
    openapi::{
        Content, OpenApi, RefOr, Schema,
        path::Operation,
        schema::{ArrayItems, Object, Type},
    },
};

/// The records of a document, by their names.
type Records = BTreeMap<String, RefOr<Schema>>;

/// The example that stands at a record, for a call that sends it in a form of its own.
pub(in crate::web) fn of<S: PartialSchema>() -> Value {
    shown(&S::schema(), &Records::new()).unwrap_or_default()
}

/// Gives an example to every record and every body of the document where one follows from others.
pub(super) fn complete(document: &mut OpenApi) {
    let records = document.components.get_or_insert_default().schemas.clone();
    for schema in document.components.get_or_insert_default().schemas.values_mut() {
        if let RefOr::T(record) = schema
            && let Some(example) = whole(record, &records)
            && let Some(place) = place(record)
        {
            *place = Some(example);
        }
    }
    for (_, operation) in document.paths.paths.values_mut().flat_map(super::operations_mut) {
        for content in contents(operation) {
            let Some(schema) = &content.schema else { continue };
            match (content.example.take(), shown(schema, &records)) {
                // A call may show what is different with it, and leave the rest to the record.
                (Some(Value::Object(own)), Some(Value::Object(mut base))) => {
                    base.extend(own);
                    content.example = Some(base.into());
                }
                (Some(own), _) => content.example = Some(own),
                // What has a name shows it where it is described.
                (None, base) if matches!(schema, RefOr::T(_)) => content.example = base,
                (None, _) => {}
            }
        }
    }
}

/// The bodies of a call: those that it takes, and those that it answers.
fn contents(operation: &mut Operation) -> impl Iterator<Item = &mut Content> {
    let taken = operation.request_body.as_mut().and_then(inline).map(|body| body.content.values_mut());
    let answers = operation.responses.responses.values_mut().filter_map(inline);
    let answered = answers.flat_map(|answer| answer.content.values_mut());
    taken.into_iter().flatten().chain(answered).filter_map(inline)
}

fn inline<T>(either: &mut RefOr<T>) -> Option<&mut T> {
    match either {
        RefOr::T(here) => Some(here),
        RefOr::Ref(_) => None,
    }
}

/// What a value of this schema looks like; none where nobody has said so.
fn shown(schema: &RefOr<Schema>, records: &Records) -> Option<Value> {
    match schema {
        RefOr::Ref(to) => shown(records.get(to.ref_location.rsplit('/').next()?)?, records),
        RefOr::T(schema) => whole(schema, records).or_else(|| word(schema)),
    }
}

/// The example of a schema, with what it leaves out.
fn whole(schema: &Schema, records: &Records) -> Option<Value> {
    let any = |items: &[RefOr<Schema>]| items.iter().find_map(|item| shown(item, records));
    match schema {
        Schema::Object(object) if object.properties.is_empty() => object.example.clone(),
        Schema::Object(object) => fields(object, records),
        Schema::Array(list) => list.example.clone().or_else(|| match &list.items {
            ArrayItems::RefOrSchema(item) => Some(json!([shown(item, records)?])),
            ArrayItems::False => None,
        }),
        Schema::OneOf(either) => either.example.clone().or_else(|| any(&either.items)),
        Schema::AnyOf(either) => either.example.clone().or_else(|| any(&either.items)),
        _ => None,
    }
}

/// The example of a record: what it says of itself, and of each other field that it must have what that one says.
fn fields(object: &Object, records: &Records) -> Option<Value> {
    let mut fields: Map<String, Value> = match &object.example {
        Some(Value::Object(own)) => own.clone(),
        Some(other) => return Some(other.clone()),
        None => Map::new(),
    };
    for name in &object.required {
        if !fields.contains_key(name) {
            fields.insert(name.clone(), shown(object.properties.get(name)?, records)?);
        }
    }
    // A page is shown as the last.
    if object.properties.contains_key("items") && object.properties.contains_key("next") {
        fields.entry("next").or_insert(Value::Null);
    }
    Some(fields.into())
}

/// What stands for a value without an example: one of the words that it may be; and as of everything one is shown, a number is one.
fn word(schema: &Schema) -> Option<Value> {
    let Schema::Object(object) = schema else { return None };
    let number = || (object.schema_type == Type::Integer.into()).then(|| json!(1));
    object.enum_values.as_ref().and_then(|words| words.first().cloned()).or_else(number)
}

/// Where the example of a schema stands.
const fn place(schema: &mut Schema) -> Option<&mut Option<Value>> {
    match schema {
        Schema::Object(schema) => Some(&mut schema.example),
        Schema::Array(schema) => Some(&mut schema.example),
        Schema::OneOf(schema) => Some(&mut schema.example),
        Schema::AnyOf(schema) => Some(&mut schema.example),
        _ => None,
    }
}
