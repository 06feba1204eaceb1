from __future__ import annotations

import json
from dataclasses import replace

import pytest

from detector.alerting.events import InvalidEventError, decode, encode
from detector.alerting.incidents import IncidentTracker

GOLDEN = (
    "{"
    '"schema_version":2,"event_id":"fb82e8ccfc59dfc734739e1d365485e4","incident_id":"6d7816e7301b05be7a7e7efdca0a39b7","event":"opened","sequence":0,"kind":"reconstruction",'
    '"stream":"servers","series":"web-1","severity":"warning",'
    '"started_at":"2026-01-02T03:04:05.000Z","opened_at":"2026-01-02T03:04:06.000Z","updated_at":"2026-01-02T03:04:06.000Z","peak_at":"2026-01-02T03:04:05.000Z",'
    '"ended_at":null,"closed_at":null,"close_reason":null,"duration_seconds":1.0,'
    '"score":1.5,"peak_score":2.5,"threshold":1.0,"score_over_threshold":1.5,"peak_score_over_threshold":2.5,'
    '"channels":[{"channel":"cpu","contribution":1.25,"share":0.5,"seen":90.0,"expected":35.0},{"channel":"disk","contribution":0.9375,"share":0.375,"seen":null,"expected":0.25}],'
    '"model":{"digest":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","version":"servers-2026-01-01"},'
    '"source":{"cluster":"k1Qm5T3vRZ2b7cXw9yNfLg","topic":"telemetry","partition":3,"first_offset":93,"opened_offset":101,"last_offset":101}}'
)


@pytest.fixture
def opened(play):
    (event,) = play([2.5, 1.5])
    return event


def test_an_event_is_exactly_this_json(opened):
    assert encode(opened).decode() == GOLDEN


def test_encoding_twice_and_through_a_round_trip_gives_the_same_bytes(play):
    for event in play([1.5, 2.5, 6.0, 0.1, 0.1, 0.1]):
        assert decode(encode(event)) == event
        assert encode(decode(encode(event))) == encode(event)


def test_numbers_that_are_not_finite_become_null(policy, identity, sample):
    tracker = IncidentTracker(replace(policy, open_after=1), identity)
    odd = sample(0, 2.0)
    odd.seen[:] = [float("inf"), 1.0, float("nan")]
    odd.expected[0] = float("-inf")
    (event,) = tracker.advance(odd)
    written = json.loads(encode(event), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert [(detail["seen"], detail["expected"]) for detail in written["channels"]] == [(None, None), (None, 0.25)]


def test_fields_of_a_later_release_are_skipped(opened):
    written = json.loads(encode(opened)) | {"fault": {"guess": "disk full"}}
    assert decode(json.dumps(written).encode()) == opened


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not an event: Input data was truncated"),
        (b"{", "not an event: Input data was truncated"),
        (b"[]", "not an event: Expected `object`, got `array`"),
        (b"{}", "not an event: Object missing required field `schema_version`"),
        (
            b'{"schema_version":1}',
            "an event of schema version 1, but this release reads 2; use the one that wrote it",
        ),
        (
            b'{"schema_version":2}',
            "not an event of schema version 2: Object missing required field `event_id`",
        ),
    ],
)
def test_what_is_not_an_event_is_refused_with_the_reason(data, message):
    with pytest.raises(InvalidEventError) as raised:
        decode(data)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("event", "reopened", "Invalid enum value 'reopened' - at `$.event`"),
        ("incident_id", "42", r"Expected `str` matching regex '^[0-9a-f]{32}$' - at `$.incident_id`"),
        ("peak_score", None, "Expected `float`, got `null` - at `$.peak_score`"),
    ],
)
def test_a_wrong_field_is_named(opened, field, value, message):
    written = json.loads(encode(opened)) | {field: value}
    with pytest.raises(InvalidEventError) as raised:
        decode(json.dumps(written).encode())
    assert str(raised.value) == f"not an event of schema version 2: {message}"
