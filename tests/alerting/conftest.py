from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from detector.alerting.events import Event
from detector.alerting.identity import Identity
from detector.alerting.incidents import IncidentTracker, ScoredSample
from detector.alerting.policy import IncidentPolicy

SECOND = 1_000_000_000
# 2026-01-02T03:04:05Z; the samples of a script are a second apart, their offsets begin at 100.
START_NS = 1_767_323_045 * SECOND
FIRST_OFFSET = 100
WINDOW = 8

POLICY = IncidentPolicy(
    threshold=1.0,
    quiet_score=0.8,
    open_after=2,
    close_after=3,
    cool_down_ns=0,
    update_every_ns=3600 * SECOND,
    warning_ratio=2.0,
    critical_ratio=5.0,
    top_channels=2,
    channels=("cpu", "load", "disk"),
)
IDENTITY = Identity(
    stream="servers",
    cluster="k1Qm5T3vRZ2b7cXw9yNfLg",
    topic="telemetry",
    partition=3,
    model="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    model_version="servers-2026-01-01",
    fingerprint="2c26b46b68ffc68f",
)


def scored(index: int, score: float, series: str = "web-1") -> ScoredSample:
    """The index-th sample of a series; half of the score is the cpu's, 3/8 the disk's, 1/8 the load's."""
    return ScoredSample(
        series=series,
        time_ns=START_NS + index * SECOND,
        offset=FIRST_OFFSET + index,
        start_offset=FIRST_OFFSET + index - WINDOW + 1,
        score=score,
        contributions=np.array([0.5, 0.125, 0.375], np.float32) * np.float32(score),
        seen=np.array([90.0 + index, 4.0, np.nan]),
        expected=np.array([35.0, 3.5, 0.25]),
    )


@pytest.fixture
def policy() -> IncidentPolicy:
    return POLICY


@pytest.fixture
def identity() -> Identity:
    return IDENTITY


@pytest.fixture
def sample() -> Callable[..., ScoredSample]:
    return scored


@pytest.fixture
def play() -> Callable[..., list[Event]]:
    """Run scores of one series, a second apart, through a fresh tracker; keyword arguments change the policy."""

    def run(scores: Sequence[float], **changes: object) -> list[Event]:
        tracker = IncidentTracker(replace(POLICY, **changes), IDENTITY)
        return [event for index, score in enumerate(scores) for event in tracker.advance(scored(index, score))]

    return run
