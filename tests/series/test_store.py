"""Batches, capacity, memory and the numbers of a spec."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from detector.records.values import WideSample
from detector.series.rings import Rings
from detector.series.store import SeriesStore


def feed_one(store, time, offset):
    store.add(WideSample("a", time * 1_000_000_000, [float(time)]), offset)


def test_an_empty_batch_has_the_shapes_of_a_full_one(make_store):
    batch = make_store(length=3, channels=2).take()
    assert batch.values.shape == (0, 3, 2)
    assert (batch.slots.dtype, batch.time_ns.dtype, batch.offsets.dtype) == (np.int32, np.int64, np.int64)
    assert (batch.start_offsets.dtype, batch.values.dtype, batch.coverage_ok.dtype) == (np.int64, np.float64, np.bool_)
    assert batch.series == []
    assert batch.start_offsets.shape == batch.coverage_ok.shape == (0,)


def test_taken_windows_are_the_callers_own(make_store):
    store = make_store()
    for offset, time in enumerate((0, 10, 20)):
        feed_one(store, time, offset)
    batch = store.take()
    before = batch.values.copy()
    batch.values[:] = -1
    feed_one(store, 30, 3)
    assert store.take().values[0, :2].tolist() == before[0, 1:].tolist()
    assert batch.values.tolist() == [[[-1.0]] * 3]


def test_untaken_windows_are_an_error_at_the_capacity(make_store):
    store = make_store(capacity=2, length=1)
    for offset in range(2):
        feed_one(store, 10 * offset, offset)
    with pytest.raises(RuntimeError, match=r"2 windows are pending: take\(\) them before adding more samples"):
        feed_one(store, 20, 2)
    assert len(store.take().series) == 2
    feed_one(store, 20, 2)
    assert store.pending == 1


@pytest.mark.parametrize("capacity", [1024, 7])
def test_one_series_may_run_far_ahead_of_take(make_store, capacity):
    """More rows between two takes than a ring has: they are gathered on the way, in order, into one batch."""
    store = make_store(length=4, capacity=capacity)
    seen = []
    for row in range(500):
        if store.pending == capacity:
            seen.append(store.take())
        store.add(WideSample("a", row * 10_000_000_000, [float(row)]), row)
    seen.append(store.take())
    values = np.concatenate([batch.values[:, :, 0] for batch in seen])
    assert values.tolist() == [[row, row + 1, row + 2, row + 3] for row in range(497)]
    assert np.concatenate([batch.start_offsets for batch in seen]).tolist() == list(range(497))


def test_resets_lie_between_the_windows_of_their_batch(make_store, feed):
    store = make_store(length=1)
    fed = feed(store, [(0, 1), (10, 2), (100, 3), (110, 4), (200, 5)])
    assert fed.resets == ["a gap @100 #2 after 2", "a gap @200 #4 after 4"]
    fed = feed(store, [(210, 6), (300, 7)], 5)
    assert fed.resets == ["a gap @300 #6 after 1"]


def test_slots_are_used_again(make_store, feed):
    store = make_store(length=1, forget_after=800)
    feed(store, [("a", 0, 1), ("b", 0, 1)])
    for round_ in range(1, 20):
        for series in (f"a{round_}", f"b{round_}"):
            feed(store, [(series, round_ * 1000, 1)], round_)
    assert len(store) == 2
    assert len(store._slots.name) <= 3


def test_memory_of_a_series_is_as_documented(make_spec):
    """(length + slack) * (channels + 1) * 8 bytes of rows, here (64 + 16) * 9 * 8 = 5,760, and 256 of scalars."""
    store = SeriesStore(make_spec(length=64, channels=8, max_series=1024))
    for number in range(1024):
        store.add(WideSample(f"s{number}", 0, [0.0] * 8), number)
    assert store.memory_bytes() == 1024 * (5760 + 256)


def test_more_rows_wait_than_a_ring_holds():
    """Rows are written many at a time; of two rows for one place the later stays."""
    rings = Rings(length=2, channels=1, capacity=4)
    rings.open(0)
    for row in range(1000):
        rings.push(0, [float(row)], row)
    values, offsets = rings.last(0, 2)
    assert values.tolist() == [[998.0], [999.0]]
    assert offsets.tolist() == [998, 999]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"length": 0}, "length is 0, it must be at least 1"),
        ({"channels": 0}, "channels is 0, it must be at least 1"),
        ({"stride": 0}, "stride is 0, it must be at least 1"),
        ({"max_series": 0}, "max_series is 0, it must be at least 1"),
        ({"max_jump_ns": 0}, "max_jump_ns is 0, it must be at least 1"),
        ({"forget_after_ns": 0}, "forget_after_ns is 0, it must be at least 1"),
        ({"stale_after_ns": 0}, "stale_after_ns is 0, it must be at least 1"),
        ({"max_gap_steps": -1}, "max_gap_steps is -1, it must not be negative"),
        ({"lateness_ns": -1}, "lateness_ns is -1, it must not be negative"),
        ({"period_ns": 0}, "period_ns is 0, it must be at least 1 or None"),
        ({"min_coverage": 1.5}, "min_coverage is 1.5, it must lie between 0 and 1"),
    ],
)
def test_a_spec_says_what_is_wrong(make_spec, change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(make_spec(), **change)


def test_a_capacity_is_at_least_one(make_spec):
    with pytest.raises(ValueError, match="window_capacity is 0, it must be at least 1"):
        SeriesStore(make_spec(), 0)
