"""What comes out depends on the samples alone.

Random samples, random cuts, random restarts, recovery from old snapshots, and a plain second opinion.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from math import nan
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.errors import InvalidRecordError
from detector.records.values import Sample, TallSample, WideSample
from detector.series.store import SeriesStore, WindowSpec

CHANNELS = 2
SERIES = ("a", "b", "c", "d")

specs = st.builds(
    WindowSpec,
    length=st.integers(1, 4),
    channels=st.just(CHANNELS),
    period_ns=st.sampled_from([None, 10]),
    stride=st.integers(1, 3),
    max_gap_steps=st.integers(0, 3),
    lateness_ns=st.sampled_from([0, 7, 25]),
    max_jump_ns=st.sampled_from([60, 150, 10_000]),
    stale_after_ns=st.just(100),
    forget_after_ns=st.sampled_from([80, 400, 10_000]),
    min_coverage=st.just(0.5),
    max_series=st.sampled_from([2, 3, 100]),
    claims_alone=st.sampled_from([1, 2, 3, 64]),
    claims_shared=st.sampled_from([1, 2, 3]),
)
# Mostly small steps, so that windows come about; now and then a step that is a gap, a jump or a long silence.
steps = st.one_of(
    st.integers(-12, 25), st.integers(-12, 25), st.integers(-12, 25), st.sampled_from([70, 170, 500, -200])
)


@st.composite
def histories(draw: st.DrawFn) -> list[Sample]:
    """Samples of a few series whose clocks go on from where the previous record of any of them was."""
    tall = draw(st.booleans())
    now, found = 1_000, list[Sample]()
    plan = draw(
        st.lists(st.tuples(st.sampled_from(SERIES), steps, st.integers(0, CHANNELS - 1), st.booleans()), max_size=120)
    )
    for number, (series, step, channel, missing) in enumerate(plan):
        time_ns = now + step
        if -30 < step < 30:  # a step that may be a jump must not carry all others with it
            now = max(now, time_ns)
        if tall:
            found.append(TallSample(series, time_ns, channel, float(number)))
        else:
            found.append(WideSample(series, time_ns, [float(number), nan if missing else -float(number)]))
    return found


@dataclass
class Log:
    """Everything that a run let out, slots aside: their numbers differ after a restart."""

    windows: list[tuple[Any, ...]] = field(default_factory=list)
    resets: list[tuple[Any, ...]] = field(default_factory=list)
    rejected: list[tuple[int, str, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def take(self, store: SeriesStore) -> None:
        resets, batch = store.take_resets(), store.take()
        for reset in resets:
            after = len(self.windows) + reset.after_window
            self.resets.append((reset.series, reset.offset, reset.time_ns, reset.reason, after))
        for index, series in enumerate(batch.series):
            self.windows.append(
                (
                    series,
                    batch.time_ns[index],
                    batch.offsets[index],
                    batch.start_offsets[index],
                    batch.values[index].tobytes(),
                    bool(batch.coverage_ok[index]),
                    int(batch.steps[index]),
                )
            )

    def add_counts(self, store: SeriesStore) -> None:
        for name, value in dataclasses.asdict(store.counts).items():
            self.counts[name] = self.counts.get(name, 0) + value


def run(spec: WindowSpec, samples: list[Sample], cuts: set[int], restarts: set[int]) -> tuple[Log, SeriesStore]:
    """Feed samples; take windows at the cuts; move every series to a new store through its snapshot at the restarts."""
    log, store = Log(), SeriesStore(spec)
    for offset, sample in enumerate(samples):
        if offset in cuts or offset in restarts:
            log.take(store)
        if offset in restarts:
            log.add_counts(store)
            fresh = SeriesStore(spec)
            fresh.restore_clock(store.clock_state())
            for series in sorted(store, reverse=True):  # in another order, so that slots differ
                fresh.restore(series, store.snapshot(series))
            store = fresh
        try:
            store.add(sample, offset)
        except InvalidRecordError as error:
            log.rejected.append((offset, error.reason, error.detail))
    log.take(store)
    log.add_counts(store)
    return log, store


places = st.sets(st.integers(0, 120), max_size=20)


@settings(max_examples=300, deadline=None)
@given(spec=specs, samples=histories(), cuts=places, restarts=places)
def test_cuts_and_restarts_change_nothing(spec, samples, cuts, restarts):
    whole, store = run(spec, samples, set(), set())
    parts, other = run(spec, samples, cuts, restarts)
    assert parts == whole
    assert other.clock_state() == store.clock_state()
    assert other.states() == store.states()
    assert {series: other.snapshot(series) for series in other} == {series: store.snapshot(series) for series in store}


@settings(max_examples=100, deadline=None)
@given(spec=specs, samples=histories())
def test_every_sample_is_accounted_for(spec, samples):
    log, store = run(spec, samples, set(), set())
    counts = log.counts
    assert counts["accepted"] + counts["late"] + counts["duplicate"] + len(log.rejected) == len(samples)
    assert sum(store.states().values()) == len(store) <= spec.max_series
    assert {series: store.state(series) for series in store}.keys() == set(store)


@settings(max_examples=300, deadline=None)
@given(spec=specs, samples=histories(), saves=places)
def test_recovery_behind_a_restored_watermark_is_exact(spec, samples, saves):
    """Snapshots of different ages, the last watermark, and the records since the oldest snapshot read again.

    As recovery does it. Whether a series was forgotten or its jump refused depends on the watermark of that moment,
    which is not there any more: those series are saved with that very record.
    """
    spec = dataclasses.replace(spec, max_series=100)
    store = SeriesStore(spec)
    saved: dict[str, tuple[int, bytes | None]] = {}
    for offset, sample in enumerate(samples):
        touched = {sample.series} if offset in saves else set()
        try:
            store.add(sample, offset)
        except InvalidRecordError:
            touched.add(sample.series)
        touched |= {reset.series for reset in store.take_resets() if reset.reason == "forgotten"}
        for series in touched:
            saved[series] = (offset + 1, store.snapshot(series) if series in store else None)
    recovered = SeriesStore(spec)
    for series, (_, snapshot) in saved.items():
        if snapshot is not None:
            recovered.restore(series, snapshot)
    recovered.restore_clock(store.clock_state())
    recovered.hold_clock(True)
    for offset, sample in enumerate(samples):
        if offset >= saved.get(sample.series, (0, None))[0]:
            recovered.add(sample, offset)  # whatever is refused is not read again
    recovered.hold_clock(False)
    assert recovered.clock_state() == store.clock_state()
    assert {series: recovered.snapshot(series) for series in recovered} == {
        series: store.snapshot(series) for series in store
    }


def plain_windows(spec: WindowSpec, samples: list[WideSample]) -> list[tuple[Any, ...]]:
    """The rules of the wide layout again, for one series with a period, as lists and floats: slow and easy to check."""
    rows: list[tuple[int, list[float]]] = []
    anchor = last = real = 0
    found = []
    for offset, sample in enumerate(samples):
        step = int(np.floor((sample.time_ns - anchor) / spec.period_ns + 0.5))
        if rows and step <= last:
            continue
        if not rows or step - last - 1 > spec.max_gap_steps:
            rows, anchor, last, real, step = [], sample.time_ns, -1, 0, 0
        rows += [(offset, [nan] * CHANNELS)] * (step - last - 1)
        rows.append((offset, list(sample.values)))
        last = step
        real += 1
        if real % spec.stride == 0 and len(rows) >= spec.length:
            window = rows[-spec.length :]
            values = np.array([row for _, row in window])
            found.append(("a", sample.time_ns, offset, window[0][0], values.tobytes()))
    return found


@settings(max_examples=200, deadline=None)
@given(spec=specs, data=st.data())
def test_a_plain_second_opinion_agrees(spec, data):
    spec = dataclasses.replace(spec, period_ns=10, max_jump_ns=10**9, forget_after_ns=10**9)
    times = np.cumsum(data.draw(st.lists(st.integers(-12, 45), max_size=200))).tolist()
    samples = [WideSample("a", time, [float(number), -float(number)]) for number, time in enumerate(times)]
    log, _ = run(spec, samples, set(), set())
    assert [window[:5] for window in log.windows] == plain_windows(spec, samples)
