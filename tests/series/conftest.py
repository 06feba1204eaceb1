"""Short notation for samples and windows, so that a case fits on a few lines. Times are seconds, one row is 10 s."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from detector.errors import InvalidRecordError
from detector.records.values import Sample, TallSample, WideSample
from detector.series.store import SeriesStore, WindowBatch, WindowSpec

SECOND = 1_000_000_000


def seconds(value: float) -> int:
    return round(value * SECOND)


def number(value: float) -> str:
    return "." if np.isnan(value) else f"{value:g}"


def describe(batch: WindowBatch) -> list[str]:
    """A window as text: ``1 2 3 @20 #2 <0``: rows, time in seconds, completing offset, oldest offset.

    Channels are joined by '/', '.' is not observed, '?' at the end means: too little was observed.
    """
    found = []
    for index, series in enumerate(batch.series):
        rows = " ".join("/".join(number(value) for value in row) for row in batch.values[index])
        name = "" if series == "a" else f"{series}: "
        unsure = "" if batch.coverage_ok[index] else " ?"
        found.append(
            f"{name}{rows} @{batch.time_ns[index] / SECOND:g} #{batch.offsets[index]} "
            f"<{batch.start_offsets[index]}{unsure}"
        )
    return found


@dataclass
class Fed:
    """What came out of a store."""

    store: SeriesStore
    windows: list[str] = field(default_factory=list)
    resets: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """Counters that are not zero."""
        counts = self.store.counts
        return {name: getattr(counts, name) for name in counts.__slots__ if getattr(counts, name)}


def as_sample(item: Sequence[Any]) -> Sample:
    """``(time, value or values)`` or tall ``(time, channel, value, "tall")``; a series other than a goes in front."""
    if item[-1] == "tall":
        *series, time, channel, value, _ = item
        return TallSample(series[0] if series else "a", seconds(time), channel, value)
    *series, time, values = item
    if not isinstance(values, list):
        values = [float(values)]
    return WideSample(series[0] if series else "a", seconds(time), values)


def feed_samples(store: SeriesStore, items: Iterable[Sequence[Any]], first_offset: int = 0) -> Fed:
    fed = Fed(store)
    for offset, item in enumerate(items, first_offset):
        try:
            store.add(as_sample(item), offset)
        except InvalidRecordError as error:
            fed.rejected.append(f"{error.reason} #{offset}")
    for reset in store.take_resets():
        fed.resets.append(
            f"{reset.series} {reset.reason} @{reset.time_ns / SECOND:g} #{reset.offset} after {reset.after_window}"
        )
    fed.windows = describe(store.take())
    return fed


@pytest.fixture
def make_spec() -> Callable[..., WindowSpec]:
    """A spec of windows of 3 rows of one channel every 10 s; the arguments are seconds where they are times.

    With one claim to believe, the watermark is the greatest time accepted; tests of the clock set the real numbers.
    """

    def make(
        *,
        length: int = 3,
        channels: int = 1,
        period: float | None = 10,
        stride: int = 1,
        max_gap: int = 2,
        lateness: float = 0,
        max_jump: float = 100_000,
        stale_after: float = 1_000,
        forget_after: float = 100_000,
        min_coverage: float = 0.5,
        max_series: int = 100,
        claims_alone: int = 1,
        claims_shared: int = 1,
    ) -> WindowSpec:
        return WindowSpec(
            length=length,
            channels=channels,
            period_ns=None if period is None else seconds(period),
            stride=stride,
            max_gap_steps=max_gap,
            lateness_ns=seconds(lateness),
            max_jump_ns=seconds(max_jump),
            stale_after_ns=seconds(stale_after),
            forget_after_ns=seconds(forget_after),
            min_coverage=min_coverage,
            max_series=max_series,
            claims_alone=claims_alone,
            claims_shared=claims_shared,
        )

    return make


@pytest.fixture
def make_store(make_spec: Callable[..., WindowSpec]) -> Callable[..., SeriesStore]:
    def make(capacity: int = 1024, **settings: Any) -> SeriesStore:
        return SeriesStore(make_spec(**settings), capacity)

    return make


@pytest.fixture
def feed() -> Callable[..., Fed]:
    return feed_samples
