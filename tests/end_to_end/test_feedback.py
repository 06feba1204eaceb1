"""Verdicts on the topic, a bundle that follows them, and what it then alerts on: real model, real broker."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from detector.feedback.verdicts import decode_verdict
from models.bundle import load_bundle, write_recalibrated
from tests.end_to_end.conftest import settings_document
from tests.support.commands import Command
from tests.worker.support import Cluster

Detect = Callable[..., str]


@pytest.fixture
def detect(command: Command) -> Detect:
    """``detect(argument, ...)``: what the command prints; it must end well."""

    def run(*arguments: object, code: int = 0) -> str:
        ended = command(*arguments)
        assert ended.code == code, ended.err
        return ended.said if code else ended.out

    return run


@pytest.fixture
def config(cluster: Cluster, bundle_dir: Path, tmp_path: Path) -> Path:
    document = settings_document(cluster, bundle_dir)
    document["topics"]["feedback"] = f"{cluster.name}.feedback"
    document["streams"][0]["frozen"] = {"enabled": False}
    path = tmp_path / "detector.yaml"
    path.write_text(json.dumps(document))
    return path


def incidents(detect: Detect, config: Path, *more: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(detect("replay", "-c", config, "--json", *more))["incidents"]
    return found


def test_verdicts_become_a_bundle(
    published: Cluster, config: Path, bundle_dir: Path, detect: Detect, tmp_path: Path
) -> None:
    found = incidents(detect, config, "--events-topic", f"{published.name}.events", "--events", tmp_path / "e.jsonl")
    # pump-1 was at fault twice, and alike; the one that scores less is called a false alarm.
    alike = sorted((i for i in found if i["series"] == "pump-1"), key=lambda i: i["peak_score_over_threshold"])
    alarm, right = alike[0]["incident_id"], alike[-1]["incident_id"]

    assert detect("feedback", "list", "-c", config) == "0 verdicts\n"
    mark = ("feedback", "mark", "-c", config, "--author", "jo")
    assert detect(*mark, alarm[:10], "--verdict", "confirmed") == alarm + "\n"
    assert detect(*mark, alarm, "--verdict", "false-alarm", "--note", "[planned]") == alarm + "\n"
    records = published.read(f"{published.name}.feedback")
    assert [(r.partition, r.key.decode(), decode_verdict(r.value).verdict) for r in records] == [
        (0, alarm, "confirmed"), (0, alarm, "false_alarm"),
    ]  # fmt: skip
    shown = detect("feedback", "list", "-c", config)
    assert "false alarm" in shown
    assert "[planned]" in shown
    assert "1 verdict\n" in shown

    new = tmp_path / "new"
    table = detect("recalibrate", bundle_dir, "-c", config, "--out", new)
    assert "mended" in table
    bundle, old = load_bundle(new), load_bundle(bundle_dir)
    assert bundle.calibration.method == "feedback"
    assert bundle.calibration.threshold > old.calibration.threshold
    record = bundle.calibration.feedback
    assert record is not None
    assert (record["from_model"], record["from_threshold"]) == (old.digest, old.calibration.threshold)
    (verdict,) = record["verdicts"]  # type: ignore[misc]
    assert (verdict["subject_id"], verdict["author"], verdict["outcome"]) == (alarm, "jo", "mended")
    # The verdicts alone have changed nothing; the bundle does.
    assert incidents(detect, config) == found
    after = incidents(detect, config, "--model", new)
    start = {i["incident_id"]: i["started_at"] for i in found}[alarm]
    assert not any(i["series"] == "pump-1" and i["started_at"] <= start <= (i["ended_at"] or "9") for i in after)
    assert len(after) < len(found)

    # Whoever calls the lesser of two false and the greater right gets both; the other way round nobody can.
    detect(*mark, right, "--verdict", "confirmed")
    again = json.loads(detect("recalibrate", bundle_dir, "-c", config, "--json"))
    outcomes = {v["subject_id"]: v["outcome"] for v in again["verdicts"]}
    assert (outcomes, again["bundle"]) == ({alarm: "mended", right: "as before"}, None)
    detect(*mark, right, "--verdict", "false-alarm")
    detect(*mark, alarm, "--verdict", "confirmed")
    said = detect("recalibrate", bundle_dir, "-c", config, code=2)
    assert "no threshold does all that the feedback asks" in said
    partly = json.loads(detect("recalibrate", bundle_dir, "-c", config, "--set-aside", "--json"))
    assert "set aside" in {v["outcome"] for v in partly["verdicts"]}
    detect(*mark, right, "--verdict", "withdrawn")
    assert "nothing to change: no bundle is written" in detect("recalibrate", bundle_dir, "-c", config)
    assert not (tmp_path / "other").exists()

    published.producer.send(f"{published.name}.feedback", key=b"x", value=b"not json")
    published.producer.flush()
    assert "1 verdict\n" in detect("feedback", "list", "-c", config)


def test_a_frozen_channel_that_is_called_ordinary_opens_no_incident_any_more(
    published: Cluster, config: Path, bundle_dir: Path, detect: Detect, tmp_path: Path
) -> None:
    document = json.loads(config.read_text())
    document["streams"][0]["frozen"] = {"enabled": True}
    config.write_text(json.dumps(document))
    events, said, new = tmp_path / "events.jsonl", tmp_path / "said.jsonl", tmp_path / "new"

    def frozen(*more: object) -> list[str]:
        return [i["series"] for i in incidents(detect, config, *more) if i["kind"] == "frozen"]

    assert sorted(frozen("--events", events)) == ["pump-1", "pump-1", "pump-2"]  # their faults hold the flow
    (one,) = {
        event["incident_id"]
        for event in map(json.loads, events.read_text().splitlines())
        if event["kind"] == "frozen" and event["series"] == "pump-2"
    }
    detect("feedback", "mark", one, "--verdict", "false-alarm", "--events", events, "--file", said)
    table = detect("recalibrate", bundle_dir, "-c", config, "--feedback", said, "--out", new)
    assert "mended" in table
    assert "longest runs of equal samples, summed: 6 -> 20" in table
    habits = load_bundle(new).habits
    assert habits.longest_runs[habits.series.index("pump-2")] == (15, 1, 1)  # thirty samples, with a margin of two
    assert load_bundle(new).calibration.threshold == load_bundle(bundle_dir).calibration.threshold
    assert sorted(frozen("--model", new)) == ["pump-1", "pump-1"]


def test_a_miss_lowers_the_threshold_from_files_alone(
    published: Cluster, config: Path, bundle_dir: Path, detect: Detect, tmp_path: Path
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from detector.alerting.timestamps import format_time
    from tests.end_to_end.conftest import CHANNELS, FAULTS, PERIOD_SECONDS, START_NS, telemetry

    values = telemetry(100, 400, FAULTS["pump-1"])
    times = [START_NS + row * PERIOD_SECONDS * 10**9 for row in range(400)]
    pq.write_table(
        pa.table(
            {"time": pa.array(times, pa.timestamp("ns", "UTC")), "series": ["pump-1"] * 400}
            | {name: values[:, index] for index, name in enumerate(CHANNELS)}
        ),
        tmp_path / "may.parquet",
    )
    old = load_bundle(bundle_dir)
    deaf = tmp_path / "deaf"
    write_recalibrated(deaf, old, replace(old.calibration, threshold=1e4), old.habits, datetime(2026, 2, 3, tzinfo=UTC))
    said = tmp_path / "said.jsonl"
    recalibrate = ("recalibrate", deaf, "--feedback", said, "--history", tmp_path / "may.parquet", "--json")
    recalibrate += ("--series-column", "series", "--out", tmp_path / "awake")

    def missed(first: int, last: int) -> str:
        times_of = ("--since", format_time(times[first]), "--until", format_time(times[last]))
        return detect("feedback", "missed", "pump-1", "--stream", "pumps", *times_of, "--file", said).strip()

    ordinary = missed(100, 120)
    nothing = json.loads(detect(*recalibrate))
    # A threshold that finds this finds both faults as well, of which nobody has spoken, and much else.
    assert ([v["outcome"] for v in nothing["verdicts"]], nothing["bundle"]) == (["not mended"], None)
    fault = missed(150, 175)
    found = json.loads(detect(*recalibrate, "--alerts-per-week", "200"))
    assert {v["subject_id"]: v["outcome"] for v in found["verdicts"]} == {ordinary: "not mended", fault: "mended"}
    assert load_bundle(tmp_path / "awake").calibration.threshold == found["threshold_after"] < 1e4
    result = json.loads(
        detect("replay", tmp_path / "may.parquet", "--model", tmp_path / "awake", "--json", "--series-column", "series")
    )
    begin, end = format_time(times[150]), format_time(times[175])
    assert any(begin <= i["opened_at"] <= end for i in result["incidents"] if i["kind"] == "reconstruction")


def test_what_cannot_be_done_is_said(config: Path, bundle_dir: Path, detect: Detect, tmp_path: Path) -> None:
    said = tmp_path / "said.jsonl"
    missed = ("feedback", "missed", "pump-1", "--since", "2026-01-02", "--until", "2026-01-03")
    for arguments, message in (
        (
            ("recalibrate", bundle_dir),
            "give the worker's configuration with -c, or files with --feedback and --history",
        ),
        (("recalibrate", bundle_dir, "-c", config), "there is no feedback on stream 'pumps'; give some with"),
        (("recalibrate", bundle_dir, "-c", config, "--out", bundle_dir), "exists already; choose another name"),
        (("feedback", "list"), "give the worker's configuration with -c, or a file instead of its topics"),
        ((*missed, "--file", said), "say which stream the series belongs to, with --stream"),
        ((*missed, "-c", config, "--stream", "fans"), "there is no stream 'fans'; there is pumps"),
        ((*missed[:4], "2026-01-04", *missed[5:], "-c", config), "--since 2026-01-04 is not before --until"),
        (("feedback", "mark", "abcdef", "--verdict", "confirmed", "--events", said, "--file", said), "cannot be read"),
    ):
        code = 4 if "exists already" in message else 2
        assert message in detect(*arguments, code=code), arguments
    said.write_text("{}\n")
    assert "said.jsonl, line 1: not feedback" in detect("feedback", "list", "--file", said, code=2)
    events = tmp_path / "events.jsonl"
    events.write_text("")
    mark = ("feedback", "mark", "--verdict", "confirmed", "--events", events, "--file", tmp_path / "v.jsonl")
    assert "'abc' is too short for the id of an incident; give 6 digits" in detect(*mark, "abc", code=2)
    assert "events.jsonl has no incident abcdef" in detect(*mark, "abcdef", code=2)
    withdraw = ("feedback", "mark", "abcdef", "--verdict", "withdrawn", "-c", config)
    assert "there is no feedback on abcdef" in detect(*withdraw, code=2)
    document = json.loads(config.read_text())
    document["streams"][0]["incidents"] = {"threshold": 2.0}
    config.write_text(json.dumps(document))
    detect(*missed, "-c", config)
    assert "incidents.threshold overrides" in detect("recalibrate", bundle_dir, "-c", config, code=2)
