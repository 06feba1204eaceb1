from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest
from msgspec.structs import replace

from detector.feedback.schema import feedback_schema, markdown_table, schema_text
from detector.feedback.verdicts import (
    InvalidFeedbackError,
    Verdict,
    decode_verdict,
    encode_verdict,
    latest,
    missed_id,
    standing,
    verdict_on,
)

ROOT = Path(__file__).parents[2]
ALARM = Verdict(
    subject_id="a" * 32, verdict="false_alarm", incident_id="a" * 32, kind="reconstruction", stream="pumps",
    series="pump-1", started_at="2026-01-02T03:00:00.000Z", ended_at="2026-01-02T03:10:00.000Z", author="jo",
    note="maintenance", given_at="2026-01-03T00:00:00.000Z",
)  # fmt: skip


def test_a_verdict_comes_back_and_is_exactly_this_json():
    assert decode_verdict(encode_verdict(ALARM)) == ALARM
    assert json.loads(encode_verdict(ALARM)) == {
        "schema_version": 1, "subject_id": "a" * 32, "verdict": "false_alarm", "incident_id": "a" * 32,
        "kind": "reconstruction", "stream": "pumps", "series": "pump-1", "started_at": "2026-01-02T03:00:00.000Z",
        "ended_at": "2026-01-02T03:10:00.000Z", "author": "jo", "note": "maintenance",
        "given_at": "2026-01-03T00:00:00.000Z",
    }  # fmt: skip
    assert ALARM.ended_ns - ALARM.started_ns == 600 * 10**9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 2}, "feedback of schema version 2, but this release reads 1; use the one that wrote it"),
        ({"verdict": "great"}, "not feedback: Invalid enum value 'great' - at `$.verdict`"),
        ({"ended_at": "2026-01-02T02:59:59.000Z"}, f"feedback on {'a' * 32} ends before it starts"),
        ({"started_at": "2026-02-31T00:00:00.000Z"}, "not feedback: day is out of range for month"),
        ({"verdict": "missed"}, "is missed with the incident_id aaaa"),
        ({"incident_id": None}, "is false_alarm with the incident_id None; that is null for missed, and only then"),
    ],
)
def test_what_is_no_verdict_is_refused_with_the_reason(change, message):
    data = json.dumps(json.loads(encode_verdict(ALARM)) | change).encode()
    with pytest.raises(InvalidFeedbackError, match=re.escape(message)):
        decode_verdict(data)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff"])
def test_other_bytes_are_refused(data):
    with pytest.raises(InvalidFeedbackError, match="not feedback: "):
        decode_verdict(data)


def test_the_latest_verdict_on_a_subject_counts_and_one_may_be_withdrawn():
    other = replace(ALARM, subject_id="b" * 32, incident_id="b" * 32, series="pump-0")
    said = [ALARM, other, replace(ALARM, verdict="confirmed")]
    assert [(v.series, v.verdict) for v in latest(said)] == [("pump-0", "false_alarm"), ("pump-1", "confirmed")]
    assert latest([*said, replace(ALARM, verdict="withdrawn"), replace(other, verdict="withdrawn")]) == []


def test_the_same_miss_has_the_same_id():
    one = missed_id("pumps", "pump-1", ALARM.started_at, ALARM.ended_at)
    assert re.fullmatch("[0-9a-f]{32}", one)
    assert one == missed_id("pumps", "pump-1", ALARM.started_at, ALARM.ended_at)
    assert one != missed_id("pump", "spump-1", ALARM.started_at, ALARM.ended_at)


def test_the_published_schema_is_up_to_date_and_takes_what_is_written():
    path = ROOT / "detector" / "feedback" / "feedback.schema.json"
    assert path.read_text() == schema_text(), f"run: python -m detector.feedback.schema > {path}"
    validator = jsonschema.Draft202012Validator(feedback_schema())
    missed = replace(ALARM, verdict="missed", incident_id=None)
    for verdict in (ALARM, missed, replace(missed, verdict="withdrawn")):
        validator.validate(json.loads(encode_verdict(verdict)))
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(json.loads(encode_verdict(ALARM)) | {"verdict": "missed"})


def test_the_table_of_fields_is_up_to_date():
    page = (ROOT / "docs" / "feedback.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- fields:[^>]*-->\n(.*?\n)\n", page, re.DOTALL)
    assert found is not None
    assert found[1] == markdown_table(), "run: python -m detector.feedback.schema --markdown"


def test_the_example_is_a_verdict():
    page = (ROOT / "docs" / "feedback.md").read_text(encoding="utf-8")
    example = re.search(r"```json\n(.*?)```", page, re.DOTALL)
    assert example is not None
    assert decode_verdict(example[1].encode()).verdict == "false_alarm"


def test_an_acknowledgement_counts_for_nobody_who_calibrates_and_replaces_no_verdict():
    mine = replace(ALARM, verdict="acknowledged", author="ann")
    other = replace(mine, subject_id="b" * 32, incident_id="b" * 32, series="pump-0")
    said = [ALARM, mine, other]
    assert [(v.series, v.verdict) for v in latest(said)] == [("pump-1", "false_alarm")]
    # Whoever looks at all of it sees who looks after what nobody has judged.
    assert [(v.series, v.verdict) for v in standing(said)] == [("pump-0", "acknowledged"), ("pump-1", "false_alarm")]
    assert latest([mine, ALARM]) == standing([mine, ALARM]) == [ALARM]
    assert standing([*said, replace(other, verdict="withdrawn")]) == [ALARM]


@pytest.mark.parametrize(
    ("event", "ended"), [("updated", "2026-01-02T03:05:00.000Z"), ("closed", "2026-01-02T03:04:00.000Z")]
)
def test_a_verdict_on_an_incident_notes_its_times_as_far_as_they_are_known(event, ended):
    said = verdict_on(
        SimpleNamespace(
            incident_id="a" * 32, kind="silence", stream="pumps", series="pump-1",
            started_at="2026-01-02T03:00:00.000Z", updated_at="2026-01-02T03:05:00.000Z",
            ended_at=ended if event == "closed" else None,
        ),
        "acknowledged", author="jo", note="on it", given_at="2026-01-03T00:00:00.000Z",
    )  # fmt: skip
    assert decode_verdict(encode_verdict(said)) == said
    assert (said.subject_id, said.incident_id, said.kind, said.ended_at) == ("a" * 32, "a" * 32, "silence", ended)
