"""What the report of a replay says, and within which bounds."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from detector.alerting.events import Event
from detector.alerting.summaries import IncidentFold, summarise
from detector.cli.replay.summary import as_document
from detector.comparison.models import match
from detector.comparison.second_threshold import SecondThreshold
from detector.comparison.thresholds import WhatIf
from detector.pages.render import render_report
from detector.records.values import InputPartition, PlainRecord
from detector.replay import EventTimeRange, replay
from detector.reports.replay import Findings, Second, View, differences, incident, page, replay_report
from detector.scoring.drift import Distance
from detector.stretches.recorder import Recorder
from tests.worker.support import START_MS, make_context, make_settings

CLUSTER: Any = SimpleNamespace(name="none", bootstrap="none:1", input="none.input")
PARTITION = InputPartition("none.input", 0)


def telemetry(series: int, seconds: int, seed: int = 0) -> list[PlainRecord]:
    """Interleaved; now and then a series leaps for a while."""
    random = np.random.default_rng(seed)
    levels = np.abs(random.normal(0.3, 0.1, (seconds, series)))
    for number in range(series):
        for start in random.choice(np.arange(10, seconds - 20), 4, replace=False).tolist():
            levels[start : start + 6, number] += random.uniform(0.5, 9)
    return [
        PlainRecord(
            PARTITION.topic, 0, second * series + number, START_MS + second * 1000, f"series-{number}".encode(),
            json.dumps({"a": float(levels[second, number]), "b": 0.0}).encode(),
        )
        for second in range(seconds)
        for number in range(series)
    ]  # fmt: skip


def findings(records: Sequence[PlainRecord], other: float | None = None, **changes: Any) -> Findings:
    """Of a replay of records at a threshold of 1."""
    recorder, fold = Recorder(), IncidentFold()

    def tell(partition: InputPartition, events: Sequence[Event]) -> None:
        for event in events:
            fold.add(event)
        recorder.note(partition, events)

    second = SecondThreshold(lambda stream: other or 1.0, tell)
    context = second.watch(recorder.watch(make_context(make_settings(CLUSTER), "c")))
    tried = WhatIf(context)
    chunks = [(PARTITION, records[start : start + 500]) for start in range(0, len(records), 500)]
    result = replay(chunks, {PARTITION.topic: context}, EventTimeRange(), [second, recorder, tried])
    incidents = summarise(result.events)
    latest = {event.incident_id: event for event in result.events}
    others = {event.incident_id: event for event in fold.latest()}
    compared = None
    if other is not None:

        def views(name: str) -> list[View]:
            stretch = recorder.stretch(name, {})
            return [] if stretch is None else [View("it", latest.get(name) or others[name], stretch)]

        names = "threshold 1", f"threshold {other:g}"
        summaries = fold.summaries()
        compared = Second("thresholds", names, incidents, summaries, match(incidents, summaries), (), views)
    found: dict[str, Any] = {
        "document": as_document(result, {context.name: context}),
        "source": "records",
        "named": True,
        "incidents": incidents,
        "events": latest,
        "undetermined": set(),
        "since_ns": result.first_time_ns or 0,
        "until_ns": result.last_time_ns or 0,
        "stretch": lambda name: recorder.stretch(name, {}),
        "commands": lambda one: [f"detector replay --at {one.incident_id}"],
        "what_if": tried.document(),
        "second": compared,
    }
    return Findings(**{**found, **changes})


@pytest.fixture(scope="module")
def records() -> list[PlainRecord]:
    return telemetry(6, 240)


@pytest.fixture(autouse=True)
def _few_pictures(monkeypatch) -> None:
    """To draw one takes longer than all the rest."""
    monkeypatch.setattr(page, "MOST_PICTURES", 1)
    monkeypatch.setattr(differences, "MOST_PICTURES", 1)


def rendered(found: Findings) -> str:
    return render_report(replay_report(found))


def test_it_tells_of_every_incident(monkeypatch):
    monkeypatch.setattr(page, "MOST_PICTURES", 200)
    found = findings(telemetry(1, 240))
    text = rendered(found)
    assert len(found.incidents) > 2
    assert re.findall(r'id="incident-([0-9a-f]{32})"', text).__len__() == len(found.incidents)
    for one in found.incidents:
        assert f"detector replay --at {one.incident_id}" in text
    severities = Counter(one.severity for one in found.incidents)
    assert f"{severities['critical']:,} critical" in text
    # A picture each, and the timeline, alerts a day and other thresholds.
    assert text.count('<script type="application/gzip"') == len(found.incidents) + 3
    assert text.index(max(found.incidents, key=incident.rank).incident_id) < text.index(
        min(found.incidents, key=incident.rank).incident_id
    )


def test_pictures_and_lines_are_bounded_and_the_rest_is_said(records, monkeypatch):
    monkeypatch.setattr(page, "MOST_LISTED", 12)
    monkeypatch.setattr(page, "MOST_PICTURES", 2)
    found = findings(records)
    text = rendered(found)
    assert text.count('class="entry"') == 12
    assert text.count('<script type="application/gzip"') == 2 + 3
    assert text.count("<strong>No picture here</strong>") == 10
    assert f"{len(found.incidents) - 12:,} more are not listed" in text
    gravest = sorted(found.incidents, key=incident.rank, reverse=True)[:12]
    assert all(f'id="incident-{one.incident_id}"' in text for one in gravest)
    monkeypatch.setattr(page, "MOST_PICTURE_BYTES", 30_000)
    monkeypatch.setattr(page, "MOST_PICTURES", 200)
    assert 1 <= rendered(found).count('<script type="application/gzip"') - 3 < 6


def test_no_incident_and_no_record(records):
    quiet = rendered(findings(records[:48]))
    assert "No incident" in quiet
    assert 'class="finder"' not in quiet
    nothing = rendered(findings([]))
    assert "No record is in that range" in nothing
    assert "no sample was scored" in nothing
    # Nor does it say that all was quiet, of which nothing is known.
    assert "No incident" not in nothing
    assert "Other thresholds" not in nothing


def test_what_is_uncertain_or_shifted_stands_out(records):
    found = findings(records)
    doubtful = found.incidents[0].incident_id
    drift = {("pumps", "a"): Distance(0.9, 0.3), ("pumps", "b"): Distance(0.1, 0.3)}
    document = {**found.document, "undetermined_incidents": 1, "rejected": {"not_json": 3}, "late": 2}
    text = rendered(findings(records, undetermined={doubtful}, drift=drift, document=document))
    assert text.count("<strong>Undetermined</strong>") == 1
    assert text.count("%, undetermined</span>") == 1
    assert "1 of 2 shifted" in text
    assert "3 not_json" in text
    assert "2 late" in text


def test_where_two_thresholds_differ(records):
    found = findings(records, other=4.0)
    assert found.second is not None
    matched = found.second.matched
    assert matched.champion_only
    assert matched.pairs
    assert not matched.challenger_only
    text = rendered(found)
    assert "Where two thresholds differ" in text
    assert re.findall(r'id="alone-([0-9a-f]{32})"', text).__len__() == len(matched.champion_only)
    same = rendered(findings(records, other=1.0))
    assert "They report the same incidents" in same


@pytest.mark.parametrize("other", [0.5, 1.0, 2.0, 4.0, 8.0])
def test_another_threshold_opens_what_the_live_logic_would(records, other):
    found = findings(records, other=other)
    assert found.second is not None
    assert found.what_if is not None
    (counted,) = [one["incidents"] for one in found.what_if["thresholds"] if one["threshold"] == other]
    assert len(found.second.incidents) == counted
    if other == 1.0:
        own = [(one.started_ns, one.series, one.ended_ns, one.peak_score) for one in found.incidents]
        assert [(one.started_ns, one.series, one.ended_ns, one.peak_score) for one in found.second.incidents] == own
        assert not {one.incident_id for one in found.incidents} & {one.incident_id for one in found.second.incidents}


def test_the_page_is_a_file_for_a_browser_and_appears_as_a_whole(usage: Callable[..., str], tmp_path):
    (tmp_path / "web.csv").write_text("timestamp,cpu,memory\n0,1,2\n")
    given = ("replay", tmp_path / "web.csv", "--model", tmp_path / "none")
    said = usage(2, *given, "--report", tmp_path / "report.pdf")
    assert f"--report: {tmp_path / 'report.pdf'} should end in .html: it is a page for a browser" in said
    assert "cannot be written" in usage(2, *given, "--report", tmp_path / "no such folder" / "report.html")
    before = tmp_path / "report.html"
    before.write_text("of yesterday")
    assert "none" in usage(4, *given, "--report", before)
    assert before.read_text() == "of yesterday"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "web.csv"]


def test_gaps_close_incidents_at_the_other_threshold_as_at_the_first(records):
    """Where a series pauses its incident ends and another one begins, whatever else lies in the same batch."""
    pauses = {f"series-{number}".encode(): 30 + 17 * number for number in range(6)}
    with_gaps = [
        record
        for record in records
        if not 0 <= (record.timestamp - START_MS) // 1000 % 60 - pauses[record.key] % 60 < 5
    ]
    found = findings(with_gaps, other=1.0)
    assert found.second is not None

    def told(one: Any) -> tuple[Any, ...]:
        return one.series, one.started_ns, one.ended_ns, one.closed_ns, one.close_reason, one.last_offset

    assert {one.close_reason for one in found.incidents} >= {"quiet", "gap"}
    assert list(map(told, found.second.incidents)) == list(map(told, found.incidents))
