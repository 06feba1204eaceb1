"""What the loop tells the metrics, apart from any broker."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from detector.instruments import Instruments
from detector.observability.metrics import Metrics
from detector.pipeline import PartitionPipeline
from detector.records.values import PlainRecord
from detector.shadow import Shadow, ShadowModel
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
