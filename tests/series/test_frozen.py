"""Which channels have kept one value for too long: by hand, by a plain second opinion, and through snapshots."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.records.values import TallSample, WideSample
from detector.series.frozen import FreezeLimits, FreezeWatch
from detector.series.snapshot import SnapshotError, decode_snapshot
from detector.series.spec import WindowSpec
from detector.series.store import SeriesStore

LIMITS = FreezeLimits((3, inf), {"calm": (5, 2)})


def feed(watch: FreezeWatch, rows: list[tuple[float, float]], series: str = "pump", start: int = 0) -> list[tuple]:
    """Offset, frozen channels with samples, and those of the row before, of each notice."""
    for offset, values in enumerate(rows, start):
        watch.append(0, series, offset * 10, list(values), offset, 0)
    notices, watch.notices = watch.notices, []
    return [
        (n.offset, [(c.channel, c.samples) for c in n.channels], [(c.channel, c.samples) for c in n.before])
        for n in notices
    ]


def test_a_run_beyond_the_limit_is_told_row_by_row_and_its_end_once():
    rows = [(7.0, 1.0)] * 5 + [(8.0, 1.0), (8.5, 1.0)]
    assert feed(FreezeWatch(LIMITS), rows) == [(3, [(0, 4)], []), (4, [(0, 5)], [(0, 4)]), (5, [], [(0, 5)])]


def test_a_series_may_have_limits_of_its_own():
    rows = [(7.0, 1.0)] * 6
    assert feed(FreezeWatch(LIMITS), rows, "calm") == [
        (2, [(1, 3)], []), (3, [(1, 4)], [(1, 3)]), (4, [(1, 5)], [(1, 4)]), (5, [(0, 6), (1, 6)], [(1, 5)]),
    ]  # fmt: skip


def test_what_is_missing_neither_ends_a_run_nor_makes_it_longer():
    watch = FreezeWatch(LIMITS)
    assert feed(watch, [(nan, 0.0)] * 9) == []
    told = feed(watch, [(7.0, 0.0), (nan, 1.0), (7.0, 2.0), (nan, 3.0), (7.0, 4.0), (7.0, 5.0), (nan, 6.0)], start=9)
    assert told == [(14, [(0, 4)], []), (15, [(0, 4)], [(0, 4)])]


def test_where_the_run_began_is_known():
    watch = FreezeWatch(LIMITS)
    for offset, value in enumerate([1.0, 2.0, 2.0, 2.0, 2.0], 100):
        watch.append(0, "pump", offset * 10, [value, 0.0], offset, 0)
    (channel,) = watch.notices[0].channels
    assert (channel.value, channel.limit, channel.since_ns, channel.first_offset) == (2.0, 3, 1010, 101)
    assert (watch.notices[0].time_ns, watch.notices[0].held_ns) == (1040, 1030)


def test_a_series_with_an_open_incident_is_told_of_with_every_row():
    watch = FreezeWatch(LIMITS)
    watch.attended = {"pump"}
    assert feed(watch, [(1.0, 0.0)]) == [(0, [], [])]


values = st.sampled_from([0.0, -0.0, 1.0, 2.0, nan, inf])
rows_of_two = st.lists(st.tuples(st.integers(1, 9), values, values), max_size=40).map(
    lambda runs: [(one, other) for length, one, other in runs for _ in range(length)]
)


def plain(rows: list[tuple[float, float]], limits: tuple[float, ...]) -> list[tuple[int, list[tuple[int, int]]]]:
    """The rule again, slowly: for each row, how many observed samples back all equal the latest observed one."""
    found = []
    for end in range(1, len(rows) + 1):
        frozen = []
        for channel, limit in enumerate(limits):
            seen = [row[channel] for row in rows[:end] if row[channel] == row[channel]]
            samples = 0
            while samples < len(seen) and seen[-1 - samples] == seen[-1]:
                samples += 1
            if samples > limit:
                frozen.append((channel, samples))
        found.append((end - 1, frozen))
    return [(offset, frozen) for offset, frozen in found if frozen]


@settings(max_examples=150, deadline=None)
@given(rows=rows_of_two, limits=st.tuples(*[st.sampled_from([1, 3, 7, inf])] * 2))
def test_a_plain_second_opinion_agrees(rows, limits):
    told = feed(FreezeWatch(FreezeLimits(limits)), rows)
    assert [(offset, frozen) for offset, frozen, _ in told if frozen] == plain(rows, limits)


@settings(max_examples=150, deadline=None)
@given(rows=rows_of_two, cuts=st.sets(st.integers(0, 200), max_size=8))
def test_snapshots_change_nothing(rows, cuts):
    whole, parts = FreezeWatch(LIMITS), FreezeWatch(LIMITS)
    expected = feed(whole, rows)
    told = []
    for offset, row in enumerate(rows):
        if offset in cuts:
            saved = parts.pack(0)
            parts = FreezeWatch(LIMITS)
            runs = parts.parse("pump", saved)
            if runs is not None:
                parts.adopt(0, runs)
            assert parts.pack(0) == saved
        told += feed(parts, [row], start=offset)
    assert told == expected
    assert parts.pack(0) == whole.pack(0)


def spec(**changed) -> WindowSpec:
    rules = {
        "length": 3, "channels": 2, "period_ns": 10, "stride": 1, "max_gap_steps": 1, "lateness_ns": 0,
        "max_jump_ns": 10**6, "stale_after_ns": 10**6, "forget_after_ns": 10**7, "min_coverage": 0.5, "max_series": 9,
    }  # fmt: skip
    return WindowSpec(**rules | changed)


def test_the_store_counts_rows_of_both_layouts_across_gaps():
    wide, tall = SeriesStore(spec(), limits=LIMITS), SeriesStore(spec(), limits=LIMITS)
    for offset, time_ns in enumerate([0, 10, 500, 510]):  # a gap that begins the window anew
        wide.add(WideSample("pump", time_ns, [7.0, float(offset)]), offset)
        for channel, value in enumerate([7.0, float(offset)]):
            tall.add(TallSample("pump", time_ns, channel, value), offset)
    for store in (wide, tall):
        assert store.freezes is not None
        assert [(n.offset, n.channels[0].samples) for n in store.freezes.notices] == [(3, 4)]
        assert store.counts.resets_gap == 1


def test_damaged_runs_are_refused_and_the_store_is_as_before():
    store = SeriesStore(spec(), limits=LIMITS)
    store.add(WideSample("pump", 0, [1.0, 2.0]), 0)
    narrow = SeriesStore(spec(), limits=FreezeLimits((1, 1, 1)))  # limits for another number of channels
    data = store.snapshot("pump")
    assert decode_snapshot(data, spec()).runs
    with pytest.raises(SnapshotError, match="the snapshot is damaged: rows do not fit their number"):
        narrow.restore("pump", data)
    assert len(narrow) == 0
