"""The published JSON Schema of feedback and the field table of its documentation, both generated from the structure.

``python -m detector.feedback.schema > detector/feedback/feedback.schema.json`` writes the schema anew; ``python -m
detector.feedback.schema --markdown`` prints the table of ``docs/feedback.md``.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import msgspec

from detector.alerting.schema import field_table
from detector.feedback.verdicts import SCHEMA_VERSION, Verdict


def feedback_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of one verdict. Unknown fields are allowed, since later releases may add some."""
    verdict = msgspec.json.schema(Verdict, ref_template="#/$defs/{name}")["$defs"]["Verdict"]
    verdict["required"] = [name for name in verdict["properties"] if name != "note"]
    for field in verdict["properties"].values():
        field.pop("default", None)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:reconstream:feedback:{SCHEMA_VERSION}",
        **verdict,
        "if": {"properties": {"verdict": {"const": "missed"}}},
        "then": {"properties": {"incident_id": {"type": "null"}, "kind": {"const": "reconstruction"}}},
    }


def schema_text() -> str:
    """The schema as it is published."""
    return json.dumps(feedback_schema(), indent=2) + "\n"


def markdown_table() -> str:
    """One row for each field."""
    return field_table(feedback_schema())


if __name__ == "__main__":
    sys.stdout.write(markdown_table() if sys.argv[1:] == ["--markdown"] else schema_text())
