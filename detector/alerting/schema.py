"""The published JSON Schema of the events and the field table of the documentation, both generated from the structures.

``python -m detector.alerting.schema > detector/alerting/event.schema.json`` writes the schema anew;
``python -m detector.alerting.schema --markdown`` prints the table of ``docs/events.md``.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import msgspec

from detector.alerting.events import SCHEMA_VERSION, Event

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ONLY_WHEN_CLOSED = ("ended_at", "closed_at", "close_reason")


def event_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of one event. Unknown fields are allowed, since later releases may add some."""
    generated = msgspec.json.schema(Event, ref_template="#/$defs/{name}")
    definitions = generated["$defs"]
    event = definitions.pop("Event")
    # Every field is always written, also those that the structure fills in by itself.
    event["required"] = list(event["properties"])
    for definition in (event, *definitions.values()):
        for field in definition["properties"].values():
            field.pop("default", None)
    return {
        "$schema": _DIALECT,
        "$id": f"urn:reconstream:event:{SCHEMA_VERSION}",
        **event,
        "if": {"properties": {"event": {"const": "closed"}}},
        "then": {"properties": {name: {"not": {"type": "null"}} for name in _ONLY_WHEN_CLOSED}},
        "else": {"properties": {name: {"type": "null"} for name in _ONLY_WHEN_CLOSED}},
        "$defs": definitions,
    }


def schema_text() -> str:
    """The schema as it is published."""
    return json.dumps(event_schema(), indent=2) + "\n"


def markdown_table() -> str:
    """One row for each field of an event, those of nested objects under their path."""
    return field_table(event_schema())


def field_table(schema: dict[str, Any]) -> str:
    """The fields of a schema that msgspec generated, as a Markdown table."""
    rows = ["| field | type | meaning |", "|---|---|---|"]
    rows += [f"| `{path}` | {kind} | {meaning} |" for path, kind, meaning in _fields(schema, schema, "")]
    return "\n".join(rows) + "\n"


def _fields(schema: dict[str, Any], part: dict[str, Any], prefix: str) -> list[tuple[str, str, str]]:
    found = []
    for name, field in part["properties"].items():
        path = f"{prefix}{name}"
        nested, suffix = field, "."
        if field.get("type") == "array":
            nested, suffix = field["items"], "[]."
        reference = nested.get("$ref")
        definition = schema["$defs"][reference.rsplit("/", 1)[1]] if reference else None
        meaning = field.get("description") or (definition or {}).get("description", "")
        found.append((path, _type(field), meaning))
        if definition is not None:
            found += _fields(schema, definition, path + suffix)
    return found


def _type(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_type(option) for option in field["anyOf"])
    if "enum" in field:
        return ", ".join(f"`{json.dumps(value)}`" for value in field["enum"])
    if field.get("format") == "date-time":
        return "time"
    return str(field.get("type", "object"))


if __name__ == "__main__":
    sys.stdout.write(markdown_table() if sys.argv[1:] == ["--markdown"] else schema_text())
