"""What one snapshot costs."""

from __future__ import annotations

import timeit
from functools import partial

import numpy as np

from benchmarks.state.shape import PERIOD_SECONDS, START_MS, WINDOW, Shape
from detector.records.values import WideSample
from detector.series.carried import memory_layout
from detector.series.spec import WindowSpec
from detector.series.store import SeriesStore

_NS = 1_000_000_000
_FAR_NS = 10**18
_CALLS, _ROUNDS = 50, 15


def cost(shape: Shape) -> dict[str, tuple[int, float, float]]:
    """Bytes, and microseconds to make and to restore (the best of many rounds), by kind of values."""
    channels, carried = shape.channels, memory_layout(shape.state_dtype, "0")
    spec = WindowSpec(WINDOW, channels, PERIOD_SECONDS * _NS, 1, 5, 0, _FAR_NS, _FAR_NS, _FAR_NS, 0.5, 10)
    exact = 50 + np.random.default_rng(0).normal(0, 1, (2 * WINDOW, channels))
    found = {}
    for kind, values in (("values of 3 decimals", np.round(exact, 3)), ("values of all digits", exact)):
        store = SeriesStore(spec, memory=carried)
        for row in range(len(values)):
            time_ns = START_MS * 1_000_000 + row * PERIOD_SECONDS * _NS
            store.add(WideSample("host", time_ns, values[row].tolist()), row)
        slots = store.take().slots
        if store.memory is not None:
            store.memory["state"][slots] = np.random.default_rng(1).normal(size=shape.carried_bytes // 4)
        data = store.snapshot("host")
        encode = min(timeit.repeat(partial(store.snapshot, "host"), number=_CALLS, repeat=_ROUNDS))
        decode = min(timeit.repeat(partial(store.restore, "host", data), number=_CALLS, repeat=_ROUNDS))
        found[kind] = (len(data), encode / _CALLS * 1e6, decode / _CALLS * 1e6)
    return found
