"""Evicting series changes no event, no dead letter and no snapshot of a partition's pipeline."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.alerting.events import encode
from detector.cli.common.assemble import residency
from detector.errors import ConfigError
from detector.pipeline.context import StreamContext
from detector.pipeline.outcome import Outcome
from detector.pipeline.partition import PartitionPipeline
from detector.records.values import PlainRecord
from detector.series.eviction import Residency
from detector.settings import StateSettings
from tests.worker.support import START_MS, make_context, make_settings
from tests.worker.test_recovery import Nowhere

SERIES = ("a", "b", "c", "d", "e")
BOUND = Residency(2, Path(tempfile.gettempdir()))


def make_pair(max_series: int) -> tuple[PartitionPipeline, PartitionPipeline]:
    context = make_context(make_settings(Nowhere("localhost:1", "none")), "cluster")
    spec = replace(context.spec, max_series=max_series, forget_after_ns=30 * 10**9, max_jump_ns=100 * 10**9)
    contexts: list[StreamContext] = [replace(context, spec=spec, residency=bound) for bound in (None, BOUND)]
    return PartitionPipeline(contexts[0], 0), PartitionPipeline(contexts[1], 0)


@st.composite
def batches(draw: st.DrawFn) -> list[list[PlainRecord]]:
    """Records in batches: runs of a series above or below the threshold, silences, jumps, and what cannot be read."""
    second, offset, found = 0, 0, list[list[PlainRecord]]()
    for _ in range(draw(st.integers(1, 6))):
        batch = []
        for series, length, level, step in draw(
            st.lists(
                st.tuples(
                    st.sampled_from(SERIES),
                    st.integers(1, 5),
                    st.sampled_from([0.1, 0.9, 2.0, None, "no number"]),
                    st.sampled_from([0, 1, 1, 1, 5, 40, 200]),
                ),
                min_size=1,
                max_size=10,
            )
        ):
            second += step if step < 100 else 0
            for index in range(length):
                ahead = step if step >= 100 else 0  # a jump does not carry the others with it
                value = json.dumps({"a": level, "b": 0.0}).encode()
                time_ms = START_MS + (second + index + ahead) * 1000
                batch.append(PlainRecord("none.input", 0, offset, time_ms, series.encode(), value))
                offset += 1
            second += 1
        found.append(batch)
    return found


def told(outcome: Outcome) -> tuple[object, ...]:
    """All of an outcome but its evictions."""
    return (
        [(series, encode(event)) for series, event in outcome.events],
        outcome.dead_letters,
        outcome.touched,
        outcome.rejected,
        outcome.resets,
        (outcome.late, outcome.duplicate, outcome.filled, outcome.incomplete, outcome.scored, outcome.unscored),
        [(rows.series, rows.score.tobytes(), rows.offset.tobytes()) for rows in outcome.scores],
    )


@settings(max_examples=150, deadline=None)
@given(items=batches(), max_series=st.sampled_from([3, 100]), saved=st.integers(0, 5))
def test_it_changes_no_outcome_and_no_state(items, max_series, saved):
    free, bound = make_pair(max_series)
    for number, batch in enumerate(items):
        outcomes = free.process(batch), bound.process(batch)
        assert told(outcomes[0]) == told(outcomes[1])
        end = batch[-1].offset + 1
        for most in (1, 100):
            assert free.unsaved.due(end, 3, most) == bound.unsaved.due(end, 3, most)
        assert free.unsaved.replay_from(end) == bound.unsaved.replay_from(end)
        due = sorted({*outcomes[0].touched, *free.unsaved.due(end, -1, saved)})
        if number % 2:
            assert [free.snapshot(series, end) for series in due] == [bound.snapshot(series, end) for series in due]
        assert free.unsaved.replay_from(end) == bound.unsaved.replay_from(end)
        assert free.expired_markers(end) == bound.expired_markers(end)
        assert free.store.states() == bound.store.states()
        assert free.store.watermark_ns == bound.store.watermark_ns
    assert [free.snapshot(series, end) for series in SERIES] == [bound.snapshot(series, end) for series in SERIES]


@settings(max_examples=100, deadline=None)
@given(items=batches())
def test_a_recovery_with_a_bound_is_the_same(items):
    """Snapshots after the first half, then the other half, in pipelines that restored them."""
    first, _ = make_pair(100)
    half = len(items) // 2
    end = 0
    for batch in items[:half]:
        first.process(batch)
        end = batch[-1].offset + 1
    states = {series: first.snapshot(series, end) for series in SERIES}
    free, bound = make_pair(100)
    for pipeline in (free, bound):
        for series, state in states.items():
            pipeline.restore(series, state)
        pipeline.store.watermark_ns = first.store.watermark_ns
        pipeline.process([record for batch in items[:half] for record in batch])
        pipeline.go_live()
    for batch in items[half:]:
        assert told(free.process(batch)) == told(bound.process(batch))
    assert [free.snapshot(series, 0) for series in SERIES] == [bound.snapshot(series, 0) for series in SERIES]
    assert len(list(bound.store._residents)) <= 2


def test_evictions_are_told_once(tmp_path):
    _, bound = make_pair(100)
    records = [
        PlainRecord("none.input", 0, offset, START_MS + 1000 * offset, f"s{offset % 4}".encode(), b'{"a": 1, "b": 1}')
        for offset in range(8)
    ]
    outcome = bound.process(records)
    assert (outcome.evictions.evicted, outcome.evictions.reloaded, outcome.evictions.failures) == (6, 4, 0)
    assert bound.process(records[:0]).evictions.evicted == 0


def test_a_directory_that_cannot_be_written_is_said_at_the_start(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ConfigError, match=r"worker\.state\.directory: .*file cannot be written: .*Name a directory"):
        residency(StateSettings(directory=file))
    with pytest.raises(ConfigError, match=r"worker\.state\.directory: .*cannot be written"):
        residency(StateSettings(directory=file / "below"))


def test_a_directory_is_made_and_left_empty(tmp_path):
    found = residency(StateSettings(directory=tmp_path / "a" / "b", max_resident_series=7))
    assert found == Residency(7, tmp_path / "a" / "b")
    assert list(found.directory.iterdir()) == []
    assert residency(StateSettings()).directory == Path(tempfile.gettempdir())
