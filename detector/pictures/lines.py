"""What a line is drawn through: thinned without losing a peak, and broken where nothing is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

MOST_POINTS = 2400
"""A line has no more; no screen is much wider."""
_NEIGHBOURS = 4
_LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
_UNSEEN = 1e-4
"""Of the height of a panel, which is some hundred pixels high."""
_LONG_STEP = 3.5
"""Steps of time this many times the usual one are gaps."""


def thinned(curves: Sequence[Float64], most: int = MOST_POINTS) -> Int64:
    """Which points stay so that curves over the same points keep their shape.

    Of each bucket of neighbours the first and the last point stay, and the least and the greatest of each curve: the
    idea of M4 (Jugel, Jerzak, Hackenbroich, Markl: M4: A Visualization-Oriented Time Series Data Aggregation, VLDB
    2014).
    Where a curve begins to be unknown or ends to be, the points stay as well, so that gaps do.

    Args:
        curves: float64[n] each, NaN where unknown.
        most: About so many stay; all of them, if there are no more.

    Returns:
        int64[m], rising.
    """
    count = len(curves[0])
    if count <= most:
        return np.arange(count)
    buckets = max(1, most // (2 + 2 * len(curves)))
    edges = np.linspace(0, count, buckets + 1).astype(np.int64)
    kept = np.zeros(count, np.bool_)
    kept[edges[:-1]] = kept[edges[1:] - 1] = True
    for curve in curves:
        known = np.isfinite(curve)
        kept[1:] |= known[1:] != known[:-1]
        kept[:-1] |= known[1:] != known[:-1]
        low, high = np.where(known, curve, np.inf), np.where(known, curve, -np.inf)
        for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            kept[begin + int(np.argmin(low[begin:end]))] = True
            kept[begin + int(np.argmax(high[begin:end]))] = True
    return np.flatnonzero(kept)


def breaks(times_ns: Int64, kept: Int64) -> Int64:
    """Before which of the points that were kept time leaps, so that no line may lead there.

    A step is long beside the usual ones, and beside those next to it: samples of a long incident may have been thinned.

    Args:
        times_ns: int64[n] of all points, rising.
        kept: int64[m]; indices of those that are drawn, rising.

    Returns:
        int64[k]; indices into ``kept``.
    """
    if len(times_ns) < 3:
        return np.empty(0, np.int64)
    steps = np.diff(times_ns).astype(np.float64)
    around = np.pad(steps, _NEIGHBOURS, mode="reflect" if len(steps) > _NEIGHBOURS else "edge")
    local = np.median(np.lib.stride_tricks.sliding_window_view(around, 2 * _NEIGHBOURS + 1), axis=1)
    long = np.flatnonzero(steps > _LONG_STEP * np.maximum(np.maximum(local, np.median(steps)), 1.0)) + 1
    return np.unique(np.searchsorted(kept, long)[np.searchsorted(kept, long) < len(kept)])


def broken(column: npt.NDArray[np.generic], at: Int64) -> Float64:
    """float64[n + len(at)]; the column with NaN put in before each of these points."""
    return np.insert(column.astype(np.float64), at, np.nan)


def slim(column: Float64) -> npt.NDArray[np.floating[Any]]:
    """The column in half the bytes, where neither a line through it nor seven digits would show the difference.

    Values that lie closely together far from 0, as those of a counter do, stay as they are.
    """
    known = column[np.isfinite(column)]
    if not known.size or float(np.abs(known).max()) > _LARGEST_FLOAT32:
        return column
    span = float(known.max() - known.min())
    found = column.astype(np.float32)
    worst = float(np.abs(known - known.astype(np.float32)).max())
    return found if worst <= span * _UNSEEN or not worst else column


def outline(x: Float64, first: Float64, second: Float64) -> tuple[Float64, Float64]:
    """What lies between two curves, as one outline for each stretch in which both are known, NaN between them.

    Args:
        x: float64[n], NaN at breaks.
        first: float64[n], NaN where unknown.
        second: float64[n], NaN where unknown.
    """
    known = np.isfinite(x) & np.isfinite(first) & np.isfinite(second)
    starts = np.flatnonzero(known & ~np.concatenate([[False], known[:-1]]))
    ends = np.flatnonzero(known & ~np.concatenate([known[1:], [False]])) + 1
    xs: list[Float64] = []
    ys: list[Float64] = []
    gap = np.array([np.nan])
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        if end - start < 2:
            continue
        piece = slice(start, end)
        xs += [x[piece], x[piece][::-1], gap]
        ys += [first[piece], second[piece][::-1], gap]
    if not xs:
        return np.empty(0), np.empty(0)
    return np.concatenate(xs[:-1]), np.concatenate(ys[:-1])
