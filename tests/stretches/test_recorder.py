"""What a replay remembers around its incidents, from the very pipeline that found them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from detector.alerting.timestamps import format_time
from detector.pipeline.partition import PartitionPipeline
from detector.records.values import InputPartition, PlainRecord
from detector.replay import EventTimeRange, ReplayResult, Taken, replay
from detector.stretches.recorder import Recorder
from tests.stretches.test_clip import event as made
from tests.worker.support import START_MS, make_context, make_settings

PARTITION = InputPartition("none.input", 0)
CLUSTER: Any = SimpleNamespace(name="none", bootstrap="none:1", input="none.input")


def records(series: str, levels: Sequence[float | None], first: int = 0) -> list[PlainRecord]:
    """One a second; None: nothing comes."""
    return [
        PlainRecord(
            PARTITION.topic, 0, first + index, START_MS + (first + index) * 1000, series.encode(),
            json.dumps({"a": level, "b": 0.0}).encode(),
        )
        for index, level in enumerate(levels)
        if level is not None
    ]  # fmt: skip


def run(
    recorder: Recorder, chunks: Sequence[Sequence[PlainRecord]], counted: Any = None, **policy: Any
) -> ReplayResult:
    context = recorder.watch(make_context(make_settings(CLUSTER), "c"))
    return replay(
        [(PARTITION, chunk) for chunk in chunks], {PARTITION.topic: context}, counted or EventTimeRange(), [recorder]
    )


def cut(items: Sequence[PlainRecord], size: int) -> list[Sequence[PlainRecord]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


LEVELS = [0.1] * 100 + [3.0, 4.0, 5.0, 4.0] + [0.1] * 60


@pytest.mark.parametrize("size", [1, 3, 50, 1000])  # where chunks end makes no difference
def test_samples_before_during_and_after_an_incident(size):
    recorder = Recorder(before=20, after=10)
    result = run(recorder, cut(records("a", LEVELS), size))
    (incident,) = {event.incident_id for event in result.events}
    found = recorder.stretch(incident, {PARTITION: "a look-back from offset 0"})
    assert found is not None
    # Opened at 101, above from 100 on; closed with the third quiet sample.
    assert found.offsets.tolist() == list(range(80, 107 + 10))
    assert np.array_equal(found.times_ns, (START_MS + found.offsets * 1000) * 1_000_000)
    assert found.score.tolist() == pytest.approx([LEVELS[offset] for offset in found.offsets])
    assert np.array_equal(found.seen[:, 0], np.array([LEVELS[offset] for offset in found.offsets]))
    assert np.array_equal(found.contributions.sum(1, dtype=np.float64), found.score)
    assert (found.threshold == 1.0).all()
    assert not found.expected.any()
    assert (found.stream, found.series, found.channels, found.model) == ("pumps", "a", ("a", "b"), "test")
    assert (found.begun, found.left_out) == ("a look-back from offset 0", 0)
    assert recorder.stretch("0" * 32, {}) is None


def test_series_do_not_mix_and_the_last_incident_may_be_open():
    recorder = Recorder(before=5, after=5)
    together = [
        pair
        for one, other in zip(
            records("a", [0.1] * 30 + [3.0] * 10), records("b", [0.1] * 20 + [3.0] * 5 + [0.2] * 15), strict=True
        )
        for pair in (one, other)
    ]
    numbered = [record._replace(offset=offset) for offset, record in enumerate(together)]
    result = run(recorder, cut(numbered, 16))
    series = {event.series: event.incident_id for event in result.events}
    of_a, of_b = (recorder.stretch(series[name], {}) for name in "ab")
    assert of_a is not None
    assert of_b is not None
    assert of_a.offsets.tolist() == list(range(50, 80, 2))
    assert of_b.offsets.tolist() == list(range(31, 66, 2))
    assert of_b.begun == "the beginning"


def test_the_incidents_that_matter_most_are_kept():
    levels: list[float | None] = []
    for height in (2.0, 9.0, 3.0, 8.0, 4.0):
        levels += [0.1] * 10 + [height] * 4
    recorder = Recorder(before=3, after=3, most=2)
    result = run(recorder, cut(records("a", [*levels, *[0.1] * 10]), 7))
    peaks = {event.incident_id: event.peak_score for event in result.events}
    assert sorted(peaks.values()) == [2.0, 3.0, 4.0, 8.0, 9.0]
    assert sorted(peaks[name] for name in peaks if recorder.stretch(name, {}) is not None) == [8.0, 9.0]


def test_memory_for_incidents_is_bounded_in_bytes():
    levels: list[float | None] = []
    for height in range(2, 12):
        levels += [0.1] * 20 + [float(height)] * 4
    recorder = Recorder(before=8, after=4, clip_bytes=4 * 19 * 72)
    result = run(recorder, cut(records("a", [*levels, *[0.1] * 10]), 24))
    peaks = {event.incident_id: event.peak_score for event in result.events}
    found = sorted(peaks[name] for name in peaks if recorder.stretch(name, {}) is not None)
    assert found == [8.0, 9.0, 10.0, 11.0]


def test_a_long_incident_is_thinned_and_says_so():
    levels = [0.1] * 10 + [3.0] * 4000 + [77.0] + [3.0] * 4000 + [0.1] * 50
    recorder = Recorder()
    result = run(recorder, cut(records("a", levels), 500))
    found = recorder.stretch(result.events[0].incident_id, {})
    assert found is not None
    assert len(found.score) <= 1024
    assert found.score.max() == 77.0
    # Two samples before the first window is full.
    assert (found.offsets[0], found.offsets[-1]) == (2, 10 + 8001 + 2 + 32)
    assert found.left_out + len(found.score) == found.offsets[-1] - 1


def test_incidents_that_do_not_count_are_not_remembered():
    recorder, chunks = Recorder(before=5, after=5), cut(records("a", LEVELS + LEVELS), 10)
    both = [event.incident_id for event in run(Recorder(), chunks).events if event.event == "opened"]
    result = run(recorder, chunks, EventTimeRange(from_offsets={PARTITION: 170}))
    assert {event.incident_id for event in result.events} == {both[1]}
    assert [recorder.stretch(name, {}) is not None for name in both] == [False, True]


def test_a_silent_series_is_shown_up_to_its_last_sample():
    # Incidents of other kinds have no scores of their own; what came before them is shown.
    recorder = Recorder(before=5, after=5)
    run(recorder, cut(records("a", [0.1] * 30), 10))
    silent = structs.replace(made(), started_at=format_time((START_MS + 29_000) * 1_000_000))
    recorder.note(PARTITION, [silent])
    recorder.take(Taken(PARTITION, 1.0, [], [], []))
    found = recorder.stretch(silent.incident_id, {})
    assert found is not None
    assert found.offsets.tolist() == list(range(24, 30))


def test_what_is_read_silently_does_not_gather():
    recorder = Recorder(before=5, after=5)
    context = recorder.watch(make_context(make_settings(CLUSTER), "c"))
    pipeline = PartitionPipeline(context, 0)
    for start in range(0, 70_000, 7000):
        pipeline.process(records("a", [0.1] * 7000, start))
    # An incident of long ago finds what is left: what had gathered, and what is at hand of each series.
    early = structs.replace(made(), started_at=format_time((START_MS + 100_000) * 1_000_000))
    recorder.note(PARTITION, [early])
    recorder.take(Taken(PARTITION, 1.0, [], [], []))
    found = recorder.stretch(early.incident_id, {})
    assert found is not None
    assert found.offsets[0] >= 70_000 - (1 << 15) - 21
    assert found.offsets[-1] == 69_999
