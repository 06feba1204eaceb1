"""What a model carries along each series depends neither on batches, nor on eviction, nor on restarts."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from detector.pipeline.outcome import Outcome
from detector.pipeline.partition import PartitionPipeline
from detector.records.values import PlainRecord
from detector.series.eviction import Residency
from tests.carried.paper import context_of, told
from tests.carried.scorer import RememberingScorer
from tests.pipeline.test_eviction import SERIES, batches

CONTEXT = context_of(RememberingScorer(), "a", claims_alone=2, claims_shared=2)
EVICTING = replace(CONTEXT, residency=Residency(2, Path(tempfile.gettempdir())))


def whole(items: Sequence[Sequence[PlainRecord]]) -> tuple[PartitionPipeline, Outcome]:
    pipeline = PartitionPipeline(CONTEXT, 0)
    return pipeline, pipeline.process([record for batch in items for record in batch])


def assert_same_state(one: PartitionPipeline, other: PartitionPipeline) -> None:
    assert sorted(one.store) == sorted(other.store)
    assert [one.state_of(series, 0) for series in SERIES] == [other.state_of(series, 0) for series in SERIES]


@settings(max_examples=30, deadline=None)
@given(items=batches(), data=st.data())
def test_batches_change_nothing(items, data):
    straight, outcome = whole(items)
    records = [record for batch in items for record in batch]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(records)), max_size=12)))
    pipeline = PartitionPipeline(CONTEXT, 0)
    parts = [pipeline.process(records[i:j]) for i, j in zip([0, *cuts], [*cuts, len(records)], strict=True)]
    assert told(parts) == told([outcome])
    assert_same_state(pipeline, straight)


@settings(max_examples=60, deadline=None)
@given(items=batches())
def test_eviction_changes_nothing(items):
    """Series leave memory, and others come back into their places, in the middle of a batch."""
    straight, outcome = whole(items)
    for parts in (items, [[record for batch in items for record in batch]]):
        pipeline = PartitionPipeline(EVICTING, 0)
        assert told([pipeline.process(batch) for batch in parts]) == told([outcome])
        assert_same_state(pipeline, straight)


@settings(max_examples=30, deadline=None)
@given(items=batches(), evicting=st.booleans())
def test_restarts_change_nothing(items, evicting):
    straight, outcome = whole(items)
    pipeline, parts = PartitionPipeline(CONTEXT, 0), []
    for batch in items:
        parts.append(pipeline.process(batch))
        end = batch[-1].offset + 1
        fresh = PartitionPipeline(EVICTING if evicting else CONTEXT, 0)
        for series in sorted(pipeline.store, reverse=True):  # so that slots differ
            fresh.restore(series, pipeline.snapshot(series, end))
        fresh.set_clock(*pipeline.clock())
        fresh.go_live()
        pipeline = fresh
    assert told(parts) == told([outcome])
    assert_same_state(pipeline, straight)
