"""How far a stretch of ordinary data is from the rest of it: what a shift has to exceed.

A population stability index compares two samples, and takes them for independent draws. A day of telemetry is not: days
differ, and by more the fewer series they are of. So the ordinary index of a stretch is measured, on training data, for
stretches of several lengths, of all series together and of each alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from models.errors import SpecError
from models.fields import known_keys

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

QUANTILE = 0.99
"""Of the indices of stretches: a fault in the data is no ordinary one."""
LEAST_STRETCHES = 5
LEAST_SAMPLES = 500
"""A stretch with fewer tells too little: ten bins of fifty differ by a tenth from chance alone."""
MOST_HALVINGS = 7
MOST_SERIES = 50
MOST_ROWS = 200_000


@dataclass(frozen=True, slots=True)
class Track:
    """Values of one series over time.

    Attributes:
        series: Its name; it may have several tracks.
        times_ns: int64[n].
        values: float[n, quantities], NaN where missing.
    """

    series: str
    times_ns: Int64
    values: npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Usual:
    """Index that stretches of training data seldom exceeded against the rest of it, by their length.

    Attributes:
        seconds: Lengths, ascending.
        indices: One for each.
    """

    seconds: tuple[float, ...] = ()
    indices: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        ascending = all(a < b for a, b in pairwise(self.seconds))
        if len(self.seconds) != len(self.indices) or not ascending:
            raise SpecError("usual indices need ascending lengths, and one index for each")
        if not all(0 < value < np.inf for value in self.seconds) or not all(0 <= i < np.inf for i in self.indices):
            raise SpecError("a usual index is not a number from 0, or its length is not above 0")

    def at(self, seconds: float) -> float:
        """Index of the longest stretch that is not longer; the shorter a stretch the farther it may be from the rest.

        Args:
            seconds: Length of the stretch that is to be judged.

        Returns:
            0 when nothing was measured.
        """
        if not self.seconds:
            return 0.0
        return self.indices[max(0, int(np.searchsorted(self.seconds, seconds, side="right")) - 1)]

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {"seconds": list(self.seconds), "indices": list(self.indices)}

    @classmethod
    def from_dict(cls, data: object) -> Usual:
        """Read what `to_dict` wrote.

        Raises:
            SpecError: a key is unknown or missing, or a value does not fit.
        """
        if not isinstance(data, Mapping):
            raise SpecError("usual indices must be objects")
        known_keys(data, {"seconds", "indices"}, "usual indices")
        lists = [data["seconds"], data["indices"]]
        for values in lists:
            if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
                raise SpecError("usual indices and their lengths must be lists of numbers")
        return cls(tuple(map(float, lists[0])), tuple(map(float, lists[1])))


NOTHING = Usual()
"""Where nothing was measured."""

Count = Callable[[npt.NDArray[Any]], Int64]
"""Counts values[n, quantities] into int64[quantities, bins]."""
Compare = Callable[[Int64, Int64], Float64]
"""Indices float64[quantities] of counts against other counts; NaN where there are none."""


def usual_indices(
    tracks: Sequence[Track], quantities: int, count: Count, compare: Compare
) -> tuple[list[Usual], list[Usual]]:
    """By quantity: usual indices of stretches of all series together, and of single series.

    Args:
        tracks: Training data; all of them have the same quantities.
        quantities: How many.
        count: See `Count`.
        compare: See `Compare`.
    """
    rows = _Rows.of(tracks, quantities)
    if not len(rows.times_ns):
        return [NOTHING] * quantities, [NOTHING] * quantities
    whole = count(rows.values)
    span_ns = int(rows.times_ns.max() - rows.times_ns.min()) + 1
    together = _indices(rows, whole, span_ns, count, compare)
    alone: dict[float, list[Float64]] = {}
    present = np.unique(rows.series)
    for number in present[np.linspace(0, len(present) - 1, min(len(present), MOST_SERIES)).astype(int)]:
        for seconds, found in _indices(rows.of_series(number), whole, span_ns, count, compare).items():
            alone.setdefault(seconds, []).extend(found)
    return _usual(together, quantities), _usual(alone, quantities)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Values of many series: int64[n] numbers of the series, int64[n] times and float[n, quantities] values."""

    series: Int64
    times_ns: Int64
    values: npt.NDArray[Any]

    @classmethod
    def of(cls, tracks: Sequence[Track], quantities: int) -> _Rows:
        """Of all tracks, thinned out where they are very many: single stretches then vary by a little more."""
        numbers: dict[str, int] = {}
        if not tracks:
            return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, quantities)))
        of = [numbers.setdefault(track.series, len(numbers)) for track in tracks]
        series = np.repeat(np.array(of, np.int64), [len(track.times_ns) for track in tracks])
        times_ns = np.concatenate([track.times_ns for track in tracks])
        values = np.concatenate([track.values for track in tracks])
        step = max(1, -(-len(series) // MOST_ROWS))
        return cls(series[::step], times_ns[::step], values[::step])

    def of_series(self, number: int) -> _Rows:
        chosen = self.series == number
        return _Rows(self.series[chosen], self.times_ns[chosen], self.values[chosen])


def _usual(found: Mapping[float, Sequence[Float64]], quantities: int) -> list[Usual]:
    """Of lists of float64[quantities], by length."""
    columns: list[list[tuple[float, float]]] = [[] for _ in range(quantities)]
    for seconds in sorted(found):
        for column, values in zip(columns, np.array(found[seconds]).T, strict=True):
            known = values[np.isfinite(values)]
            if known.size:
                column.append((seconds, round(float(np.quantile(known, QUANTILE)), 6)))
    return [Usual(tuple(s for s, _ in column), tuple(i for _, i in column)) for column in columns]


def _indices(rows: _Rows, whole: Int64, span_ns: int, count: Count, compare: Compare) -> dict[float, list[Float64]]:
    """Indices of each stretch of some rows against all other data, by the stretches' length in seconds."""
    # Cells of the shortest length that holds enough; longer stretches are pairs of cells, pairs of pairs and so on.
    halvings = 0
    while halvings < MOST_HALVINGS and len(rows.times_ns) / (LEAST_STRETCHES * 2 ** (halvings + 1)) >= LEAST_SAMPLES:
        halvings += 1
    number = LEAST_STRETCHES * 2**halvings
    cell_ns = span_ns / number
    places = np.clip((rows.times_ns - rows.times_ns.min()) / cell_ns, 0, number - 1).astype(np.int64)
    ordered = rows.values[np.argsort(places, kind="stable")]
    sizes = np.bincount(places, minlength=number)
    cells = np.stack([count(part) for part in np.split(ordered, np.cumsum(sizes)[:-1])])
    found: dict[float, list[Float64]] = {}
    while True:
        # A stretch that is mostly a gap has too few samples to compare.
        least = np.median(sizes[sizes > 0]) / 2
        found[cell_ns / 1e9] = [
            compare(part, whole - part) for part, size in zip(cells, sizes, strict=True) if size and size >= least
        ]
        if len(cells) == LEAST_STRETCHES:
            return found
        cells, sizes, cell_ns = cells[::2] + cells[1::2], sizes[::2] + sizes[1::2], 2 * cell_ns
