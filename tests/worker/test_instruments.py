"""What the loop tells the metrics, apart from any broker."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from structlog.testing import capture_logs

from detector.cli.run.model_watch import measured
from detector.kafka.committer import CommitResult
from detector.observability.health import Health
from detector.observability.metrics import Metrics
from detector.pipeline.outcome import Outcome
from detector.pipeline.partition import PartitionPipeline
from detector.records.values import InputPartition, PlainRecord
from detector.shadow import Shadow, ShadowModel
from detector.worker.checkpointing import CheckpointPolicy, CheckpointWriter
from detector.worker.instruments import Instruments
from detector.worker.live_partition import LivePartition
from detector.worker.placement import Placement
from detector.worker.reporting import Reporter
from tests.worker.support import START_MS, MagnitudeScorer, Nowhere, make_context, make_settings


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def test_late_polls_are_counted_and_logged_once_an_episode(registry: CollectorRegistry) -> None:
    clock = Clock()
    instruments = Instruments(Metrics(registry), poll_limit_seconds=100.0, monotonic=clock)

    def polls(*intervals: float) -> list[str]:
        with capture_logs() as logs:
            for interval in intervals:
                clock.seconds += interval
                instruments.polled()
        return [log["log_level"] for log in logs]

    assert polls(1, 50, 1) == []
    assert polls(51, 1, 60, 1, 70) == ["warning"]
    assert registry.get_sample_value("reconstream_polls_late_total") == 3
    assert registry.get_sample_value("reconstream_poll_interval_ratio") == 0.7
    # Two minutes of polls in time end the episode.
    assert polls(*[1] * 125) == []
    assert registry.get_sample_value("reconstream_poll_interval_ratio") == 0.01
    assert polls(51) == ["warning"]


def test_every_way_in_which_a_commit_ends_is_there_before_the_first_one(registry: CollectorRegistry) -> None:
    """The metrics lie beside the committers, and know neither of them: they list the outcomes a second time."""
    Metrics(registry)
    commits = next(family for family in registry.collect() if family.name == "reconstream_commits")
    assert {sample.labels["outcome"]: sample.value for sample in commits.samples} == {
        result.value: 0.0 for result in CommitResult
    }


def test_the_size_of_polls_is_shown(registry: CollectorRegistry) -> None:
    Instruments(Metrics(registry), 100.0).poll_limit(250)
    assert registry.get_sample_value("reconstream_poll_records_limit") == 250


class Remembering(MagnitudeScorer):
    state_dtype = np.dtype([("past", "<f8", (1000,))])


def test_what_series_take_in_memory_is_shown() -> None:
    """What the model carries along is part of it, and the more so the more series there are."""
    settings = make_settings(Nowhere("localhost:1", "none"))
    shown = []
    for scorer in (MagnitudeScorer(), Remembering()):
        pipelines = [PartitionPipeline(make_context(settings, "cluster", scorer), number) for number in range(2)]
        fresh = CollectorRegistry()
        Instruments(Metrics(fresh), 100.0).observe("pumps", pipelines)
        shown.append(fresh.get_sample_value("reconstream_series_memory_bytes", {"stream": "pumps"}))
    # Room for eight series in each partition.
    assert shown[1] - shown[0] == 2 * 8 * 8000


def test_what_a_challenger_carries_is_shown_until_it_goes(registry: CollectorRegistry) -> None:
    made = make_context(make_settings(Nowhere("localhost:1", "none")), "cluster")
    model = ShadowModel(Remembering(), made.spec, made.policy, made.identity)
    shadow = Shadow(model)
    pipeline = PartitionPipeline(replace(made, shadow=shadow), 0)
    instruments, shown = Instruments(Metrics(registry), 100.0), []
    for offset, challenger in enumerate((model, None)):
        shadow.model = challenger
        value = json.dumps({"a": 0.0, "b": 0.0}).encode()
        pipeline.process([PlainRecord("none.input", 0, offset, START_MS + offset * 1000, b"pump", value)])
        instruments.observe("pumps", [pipeline])
        shown.append(registry.get_sample_value("reconstream_shadow_memory_bytes", {"stream": "pumps"}))
    assert shown == [64 * 8000, 0]


def listed_value(registry: CollectorRegistry, name: str, series: str = "pump") -> float | None:
    return registry.get_sample_value(f"reconstream_series_{name}", {"stream": "pumps", "series": series})


def test_only_listed_series_have_metrics_of_their_own_and_only_while_they_are_here(registry: CollectorRegistry) -> None:
    made = make_context(make_settings(Nowhere("localhost:1", "none")), "cluster")
    here, there = (PartitionPipeline(replace(made, listed=frozenset({"pump", "fan"})), number) for number in range(2))
    instruments = Instruments(Metrics(registry), 100.0)
    instruments.observe("pumps", [here, there])
    assert b"reconstream_series_score_threshold_ratio{" not in generate_latest(registry)

    levels = [0.1, 0.1, 0.5, 3.0, 3.0]
    for number, (pipeline, names) in enumerate(((here, ("pump", "other")), (there, ("fan",)))):
        records = [
            PlainRecord(
                "none.input", number, second * len(names) + place, START_MS + second * 1000, name.encode(),
                json.dumps({"a": level, "b": 0.0}).encode(),
            )
            for second, level in enumerate(levels)
            for place, name in enumerate(names)
        ]  # fmt: skip
        instruments.processed("pumps", InputPartition("none.input", number), pipeline.process(records))
    instruments.observe("pumps", [here, there])
    for series in ("pump", "fan"):
        assert listed_value(registry, "score_threshold_ratio", series) == 3.0
        assert listed_value(registry, "incidents_open", series) == 1
    assert b'series="other"' not in generate_latest(registry)

    # The partition of one goes away, with its series.
    instruments.observe("pumps", [there])
    assert listed_value(registry, "score_threshold_ratio", "pump") is None
    assert listed_value(registry, "incidents_open", "pump") is None
    assert listed_value(registry, "incidents_open", "fan") == 1
    instruments.observe("pumps", [])
    assert b"reconstream_series_incidents_open{" not in generate_latest(registry)


def test_open_incidents_are_shown_by_kind_and_severity(registry: CollectorRegistry) -> None:
    pipeline = PartitionPipeline(make_context(make_settings(Nowhere("localhost:1", "none")), "cluster"), 0)
    instruments = Instruments(Metrics(registry), 100.0)

    def open_now(severity: str) -> float | None:
        labels = {"stream": "pumps", "kind": "reconstruction", "severity": severity}
        return registry.get_sample_value("reconstream_incidents_open", labels)

    for start, level, expected in ((0, 3.0, "warning"), (6, 9.0, "critical")):
        values = [json.dumps({"a": level, "b": 0.0}).encode()] * 6
        pipeline.process(
            [
                PlainRecord("none.input", 0, start + i, START_MS + (start + i) * 1000, b"pump", value)
                for i, value in enumerate(values)
            ]
        )
        instruments.observe("pumps", [pipeline])
        assert {severity: open_now(severity) for severity in ("info", "warning", "critical")} == {
            "info": 0, "warning": 0, "critical": 0, expected: 1,
        }  # fmt: skip


def test_times_of_the_loop_of_commits_and_of_records_are_those_of_the_wall_clock(registry: CollectorRegistry) -> None:
    now, where = Clock(), InputPartition("t", 3)
    instruments = Instruments(Metrics(registry), 100.0, monotonic=Clock(), now=now)
    assert registry.get_sample_value("reconstream_loop_timestamp_seconds") == 1000
    assert registry.get_sample_value("reconstream_last_commit_timestamp_seconds") == 0
    now.seconds = 1100.0
    instruments.polled()
    instruments.committed("refused", 1, 0.1)
    assert registry.get_sample_value("reconstream_loop_timestamp_seconds") == 1100
    assert registry.get_sample_value("reconstream_last_commit_timestamp_seconds") == 0
    instruments.committed("committed", 1, 0.1)
    assert registry.get_sample_value("reconstream_last_commit_timestamp_seconds") == 1100
    labels = {"stream": "pumps", "topic": "t", "partition": "3"}
    name = "reconstream_partition_last_record_timestamp_seconds"
    assert registry.get_sample_value(name, labels) is None
    instruments.processed("pumps", where, Outcome(records=1))
    assert registry.get_sample_value(name, labels) == 1100
    instruments.dropped("pumps", where)
    assert registry.get_sample_value(name, labels) is None
    # Its next owner notices that it is silent, too; that nothing ever came on it is no silence.
    now.seconds = 1200.0
    instruments.went_live("pumps", where, 0)
    assert registry.get_sample_value(name, labels) is None
    instruments.went_live("pumps", where, 2)
    assert registry.get_sample_value(name, labels) == 1200


def test_reasons_of_other_packages_are_counted_together(registry: CollectorRegistry) -> None:
    instruments = Instruments(Metrics(registry), 100.0)
    instruments.processed("pumps", InputPartition("t", 0), Outcome(rejected={"not_json": 1, "row 17": 2, "row 18": 3}))
    name = "reconstream_records_rejected_total"
    assert registry.get_sample_value(name, {"stream": "pumps", "reason": "not_json"}) == 1
    assert registry.get_sample_value(name, {"stream": "pumps", "reason": "other"}) == 5
    assert b"row 17" not in generate_latest(registry)


def test_another_model_has_not_drifted_from_its_training_yet(registry: CollectorRegistry) -> None:
    metrics = Metrics(registry)
    context = make_context(make_settings(Nowhere("localhost:1", "none")), "cluster")
    gauges = {
        "input_drift_psi": metrics.scores.input_drift, "input_drift_psi_limit": metrics.scores.input_drift_limit,
        "score_drift_psi": metrics.scores.score_drift, "score_drift_psi_limit": metrics.scores.score_drift_limit,
    }  # fmt: skip
    for gauge in gauges.values():
        gauge.labels("pumps").set(0.5)
        gauge.labels("fans").set(0.5)
    measured(context, metrics)
    for name in gauges:
        assert registry.get_sample_value(f"reconstream_{name}", {"stream": "pumps"}) is None
        assert registry.get_sample_value(f"reconstream_{name}", {"stream": "fans"}) == 0.5
    assert registry.get_sample_value("reconstream_score_threshold", {"stream": "pumps"}) == 1.0


def test_a_worker_that_lost_its_partitions_says_nothing_of_drift_any_more(registry: CollectorRegistry) -> None:
    """Nothing would ever move the gauge again, and an alert on it would never end."""
    clock, metrics = Clock(), Metrics(registry)
    instruments = Instruments(metrics, 100.0, monotonic=clock)
    health = Health(clock, 60.0, ("assignment",))
    reporter = Reporter(["pumps"], instruments, health, Placement(), lambda _: {}, clock)
    context = make_context(make_settings(Nowhere("localhost:1", "none")), "cluster")
    where = InputPartition("t", 0)
    checkpoint = CheckpointWriter(CheckpointPolicy("e", 1, 1), "pumps", where, 0, lambda: 0)
    live = {where: LivePartition(context, PartitionPipeline(context, 0), 0, 0, 0, None, checkpoint, 2)}
    metrics.scores.input_drift.labels("pumps").set(3.0)
    # A rebalance, or another model, takes partitions for a moment only.
    for held, restoring, told in ((live, 0, 3.0), ({}, 1, 3.0), (live, 0, 3.0), ({}, 0, None)):
        clock.seconds += 5
        reporter.report(held, restoring, was_assigned=True)
        assert registry.get_sample_value("reconstream_input_drift_psi", {"stream": "pumps"}) == told


def test_the_reporter_tells_for_how_long_records_have_waited(registry: CollectorRegistry) -> None:
    clock, ends = Clock(), {InputPartition("t", 0): 10, InputPartition("t", 1): 10}
    health = Health(clock, 60.0, ("assignment",))
    reporter = Reporter(
        ["pumps"], Instruments(Metrics(registry), 100.0, monotonic=clock), health, Placement(), lambda _: ends, clock
    )
    context = make_context(make_settings(Nowhere("localhost:1", "none")), "cluster")

    def live(partition: int, committed: int | None, next_offset: int = 0) -> LivePartition:
        checkpoint = CheckpointWriter(
            CheckpointPolicy("e", 1, 1), "pumps", InputPartition("t", partition), 0, lambda: 0
        )
        pipeline = PartitionPipeline(context, partition)
        return LivePartition(context, pipeline, next_offset, committed, 0, None, checkpoint, 2)

    def told(name: str, partition: int) -> float | None:
        labels = {"stream": "pumps", "topic": "t", "partition": str(partition)}
        return registry.get_sample_value(f"reconstream_consumer_lag_{name}", labels)

    partitions = {InputPartition("t", 0): live(0, 10), InputPartition("t", 1): live(1, 10)}
    for seconds, end, committed in ((5, 12, 10), (5, 14, 10), (5, 16, 12)):
        ends[InputPartition("t", 1)] = end
        partitions[InputPartition("t", 1)].committed = committed
        clock.seconds += seconds
        reporter.report(partitions, 0, was_assigned=True)
    assert (told("records", 0), told("seconds", 0)) == (0, 0)
    # 13 and 14 were there five seconds ago, 15 and 16 only now.
    assert (told("records", 1), told("seconds", 1)) == (4, 5)
    # Before its first commit the position counts.
    partitions[InputPartition("t", 1)].committed, partitions[InputPartition("t", 1)].next_offset = None, 16
    clock.seconds += 5
    reporter.report(partitions, 0, was_assigned=True)
    assert (told("records", 1), told("seconds", 1)) == (0, 0)
    # Taken away and given back, it begins anew.
    for held in ({}, partitions):
        ends[InputPartition("t", 1)] = 99
        clock.seconds += 5
        reporter.report(held, 0, was_assigned=True)
    assert (told("records", 1), told("seconds", 1)) == (83, 0)
