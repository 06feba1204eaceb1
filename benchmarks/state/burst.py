"""Ever new series, as when identifiers go wrong: memory is bounded, and the cost of one does not grow."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.state.process import rss_bytes
from benchmarks.state.shape import PERIOD_SECONDS, START_MS, WINDOW
from detector.records.values import WideSample
from detector.series.eviction import Residency
from detector.series.spec import WindowSpec
from detector.series.store import SeriesStore

_NS = 1_000_000_000
_FAR_NS = 10**18


@dataclass(frozen=True, slots=True)
class Burst:
    """What new series took, one sample of each.

    Attributes:
        series: How many.
        seconds: For all of them.
        evicted: In the local file at the end.
        grown_bytes: Memory of the process at the end over that when the bound was reached.
        file_bytes: Of the local file.
        count_ms: To count series by state, which a worker does every second.
    """

    series: int
    seconds: float
    evicted: int
    grown_bytes: int
    file_bytes: int
    count_ms: float


def measure_burst(series: int, channels: int, resident: int) -> Burst:
    """In a process of its own, so that its memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_run, (series, channels, resident))


def _run(series: int, channels: int, resident: int) -> Burst:
    spec = WindowSpec(WINDOW, channels, PERIOD_SECONDS * _NS, 1, 5, 0, _FAR_NS, _FAR_NS, _FAR_NS, 0.5, series + 1)
    with tempfile.TemporaryDirectory() as folder:
        store = SeriesStore(spec, residency=Residency(resident, Path(folder)))
        values = [0.125 * channel for channel in range(channels)]
        began, before = time.perf_counter(), 0
        for number in range(series):
            if number == min(resident + resident // 10, series - 1):
                before = rss_bytes()
            store.add(WideSample(f"host-{number:08}", START_MS * 1_000_000 + number, values), number)
        seconds = time.perf_counter() - began
        grown = rss_bytes() - before
        began = time.perf_counter()
        store.states()
        count_ms = (time.perf_counter() - began) * 1e3
        return Burst(series, seconds, store.evicted, grown, store.file_bytes(), count_ms)
