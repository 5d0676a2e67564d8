"""Holds the document that a server gives of itself against OpenAPI 3.1, and its examples against their own schemas."""

import json
import sys

import jsonschema_rs
import openapi_spec_validator

document = json.load(sys.stdin)
openapi_spec_validator.validate(document, cls=openapi_spec_validator.OpenAPIV31SpecValidator)

checked = 0


def check(where, schema, example):
    global checked
    whole = {"components": document["components"], **schema}
    for error in jsonschema_rs.validator_for(whole, validate_formats=True).iter_errors(example):
        sys.exit(f"{where}: the example is not what it says: {error.message}")
    checked += 1


def records(media, text):
    """The records that a text is made of, each with its name."""
    if media == "application/x-ndjson":
        return [("Activity", json.loads(line)) for line in text.strip().split("\n")]
    if media == "text/event-stream":
        events = [dict(line.split(":", 1) for line in event.split("\n")) for event in text.strip().split("\n\n")]
        return [(event["event"].capitalize(), json.loads(event["data"])) for event in events]
    return []


for name, schema in document["components"]["schemas"].items():
    if "example" in schema:
        check(name, {"$ref": f"#/components/schemas/{name}"}, schema["example"])
for path, calls in document["paths"].items():
    for method, call in calls.items():
        for media, body in call.get("requestBody", {}).get("content", {}).items():
            if "example" in body:
                check(f"{method} {path} {media}", body["schema"], body["example"])
        for status, answer in call["responses"].items():
            for media, body in answer.get("content", {}).items():
                if "example" in body:
                    check(f"{method} {path} {status} {media}", body["schema"], body["example"])
                    for name, record in records(media, body["example"]):
                        check(f"{method} {path} {status} {media}", {"$ref": f"#/components/schemas/{name}"}, record)
        for parameter in call.get("parameters", []):
            if "example" in parameter:
                check(f"{method} {path} {parameter['name']}", parameter["schema"], parameter["example"])
record = document["paths"]["/api/v1/activity"]["post"]["requestBody"]["content"]["application/json"]["schema"]
for time in ["2026-01-31T08:00:00Z", 1769846400, 1769846400.5, 1769846400000, 1769846400000000000, None]:
    check("a time", record, {"user": "ann", "action": "backup", "time": time})
print(checked)
