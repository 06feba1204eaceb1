"""Stretches, events and incidents with known numbers in them, and how to have all pictures of a page drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from detector.alerting.events import ChannelDetail, Event, ModelDetail, SourceDetail
from detector.alerting.summaries import IncidentSummary
from detector.alerting.timestamps import format_time
from detector.stretches.stretch import Stretch

START_NS = 1_700_000_000 * 10**9
STEP_NS = 300 * 10**9
DAY_NS = 86_400 * 10**9
DRAW_ALL = """async () => {
    for (const each of document.querySelectorAll(".drawing")) {
        each.scrollIntoView();
        while (each.dataset.state !== "drawn") await new Promise((done) => setTimeout(done, 20));
    }
    window.scrollTo(0, 0);
}"""
"""What a page of pictures is told in a browser to draw them all, which it does not before they are near."""


def stretch(samples: int = 100, channels: tuple[str, ...] = ("cpu", "disk", "net"), **changes: Any) -> Stretch:
    """A wave in each channel; from 60% to 70% of the time the second one is 40 too high, and the score is 8."""
    time = np.arange(samples)
    expected = np.stack([50 + 10 * np.sin(time / (6 + number)) for number in range(len(channels))], 1)
    seen = expected + 0.5
    fault = slice(samples * 6 // 10, samples * 7 // 10)
    contributions = np.full(seen.shape, 0.1, np.float32)
    if len(channels) > 1:
        seen[fault, 1] += 40
        contributions[fault, 1] = 7.8
    made = Stretch(
        stream="servers",
        series="web-1",
        channels=channels,
        times_ns=START_NS + time * STEP_NS,
        offsets=5000 + time,
        seen=seen,
        expected=expected,
        contributions=contributions,
        score=contributions.sum(axis=1).astype(np.float64),
        threshold=np.full(samples, 2.0),
        model="v1",
        begun="from its first record",
    )
    return replace(made, **changes)


def event(of: Stretch, **changes: Any) -> Event:
    """The incident of such a stretch, closed."""
    samples = len(of.times_ns)
    begin, end = samples * 6 // 10, samples * 7 // 10
    time = lambda index: format_time(int(of.times_ns[index]))  # noqa: E731
    fields: dict[str, Any] = {
        "event_id": "0" * 32,
        "incident_id": "1" * 32,
        "event": "closed",
        "sequence": 2,
        "kind": "reconstruction",
        "stream": of.stream,
        "series": of.series,
        "severity": "critical",
        "started_at": time(begin),
        "opened_at": time(begin + 1),
        "updated_at": time(end + 3),
        "peak_at": time(begin + 2),
        "ended_at": time(end - 1),
        "closed_at": time(end + 3),
        "close_reason": "quiet",
        "duration_seconds": 2700.0,
        "score": 0.3,
        "peak_score": 8.0,
        "threshold": 2.0,
        "score_over_threshold": 0.15,
        "peak_score_over_threshold": 4.0,
        "channels": (
            ChannelDetail("disk", 7.8, 0.975, 95.0, 55.0),
            ChannelDetail("cpu", 0.1, 0.0125, 50.5, 50.0),
            ChannelDetail("net", 0.01, 0.00125, 50.5, 50.0),
        ),
        "model": ModelDetail("d" * 64, "v1"),
        "source": SourceDetail("c", "telemetry", 0, 5050, 5061, 5073),
    }
    return Event(**{**fields, **changes})


def incident(number: int, **changes: Any) -> IncidentSummary:
    """Begins on the hour of its number after the start, and lasts half an hour."""
    began = START_NS + number * 3600 * 10**9
    made = IncidentSummary(
        incident_id=f"{number:032x}",
        kind="reconstruction",
        stream="servers",
        series=f"web-{number}",
        severity="warning",
        started_ns=began,
        opened_ns=began + 60 * 10**9,
        peak_ns=began + 600 * 10**9,
        updated_ns=began + 2400 * 10**9,
        ended_ns=began + 1800 * 10**9,
        closed_ns=began + 2400 * 10**9,
        close_reason="quiet",
        duration_seconds=1800.0,
        peak_score=6.0,
        peak_ratio=3.0,
        channels=(ChannelDetail("cpu", 3.0, 0.5, 1.0, 0.0),),
        events=2,
        partition=0,
        first_offset=1,
        opened_offset=2,
        last_offset=3,
    )
    return replace(made, **changes)
