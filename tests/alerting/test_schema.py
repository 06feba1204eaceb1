from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

import detector.alerting.schema as schema_module
from detector.alerting.events import encode

PUBLISHED = Path(schema_module.__file__).with_name("event.schema.json")


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def written(told, /, **changes):
    return json.loads(encode(told)) | changes


def test_the_published_schema_is_up_to_date():
    assert PUBLISHED.read_text(encoding="utf-8") == schema_module.schema_text(), (
        "run: python -m detector.alerting.schema > detector/alerting/event.schema.json"
    )


def test_every_field_has_a_description_and_is_required():
    schema = schema_module.event_schema()
    for part in (schema, *schema["$defs"].values()):
        assert part["required"] == list(part["properties"])
        for name, field in part["properties"].items():
            assert field.get("description") or "$ref" in field, name
        assert part["description"]


def test_every_kind_of_event_validates(play, validator):
    events = play([1.5, 2.5, 6.0, 0.1, 0.1, 0.1, 1.5, 1.5, 1.5], update_every_ns=1)
    assert {event.event for event in events} == {"opened", "updated", "closed"}
    for event in events:
        validator.validate(written(event))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema_version", 1),
        ("event", "reopened"),
        ("severity", "fatal"),
        ("started_at", "2026-01-02 03:04:05"),
        ("event_id", "42"),
        ("series", None),
        ("duration_seconds", -1.0),
        ("closed_at", "2026-01-02T03:04:05.678Z"),  # of an event that is not closed
    ],
)
def test_the_schema_refuses_what_is_not_an_event(play, validator, field, value):
    (opened,) = play([1.5, 1.5])
    with pytest.raises(jsonschema.ValidationError) as raised:
        validator.validate(written(opened, **{field: value}))
    assert list(raised.value.absolute_path) == [field]


def test_the_schema_refuses_a_close_without_its_reason(play, validator):
    *_, closed = play([1.5, 1.5, 0.1, 0.1, 0.1])
    with pytest.raises(jsonschema.ValidationError) as raised:
        validator.validate(written(closed, close_reason=None))
    assert list(raised.value.absolute_path) == ["close_reason"]


def test_the_schema_refuses_a_missing_field(play, validator):
    (opened,) = play([1.5, 1.5])
    incomplete = written(opened)
    del incomplete["schema_version"]
    with pytest.raises(jsonschema.ValidationError, match="'schema_version' is a required property"):
        validator.validate(incomplete)


def test_the_schema_allows_fields_of_later_releases(play, validator):
    (opened,) = play([1.5, 1.5])
    validator.validate(written(opened, fault="disk full"))
