"""What inputs and scores were like in training, and how far those of today are from it.

The population stability index of two samples, by ten bins of equal share in the first: the sum over the bins of
``(q - p) log(q / p)``. It is the symmetric divergence of Jeffreys (1946). Credit scoring takes below 0.1 for stable,
and above 0.25 for a shift to act on (Siddiqi, "Credit Risk Scorecards", 2006). Those limits are for independent draws;
what stretches of ordinary telemetry differ by is measured in training, see `models.variation`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from models.errors import SpecError
from models.fields import integer, known_keys
from models.variation import MOST_ROWS, NOTHING, Track, Usual, usual_indices

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

BINS = 10
LEAST_SHARE = 1e-3
"""Shares are taken for at least this: a bin that was empty by chance would count without end."""


@dataclass(frozen=True, slots=True)
class Bins:
    """Bins of one quantity.

    Attributes:
        edges: Ascending; a value belongs to the bin after the last edge that it exceeds.
        shares: Of the training values in each bin, one more than there are edges.
        together: Index that stretches of all series together seldom exceeded in training.
        alone: The same of stretches of a single series.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    together: Usual = NOTHING
    alone: Usual = NOTHING

    def __post_init__(self) -> None:
        if len(self.shares) != len(self.edges) + 1 or list(self.edges) != sorted(set(self.edges)):
            raise SpecError("the bins of the reference need ascending edges, and one more share than edges")
        if not all(np.isfinite(self.edges)) or not all(0 <= share <= 1 for share in self.shares):
            raise SpecError("an edge of the reference is not finite, or a share is not from 0 to 1")
        if len(self.edges) >= BINS:
            raise SpecError(f"the reference has more than {BINS} bins")

    @classmethod
    def of(cls, values: Float64) -> Bins:
        """Bins of about equal share over float64[n] finite values; fewer where values repeat."""
        if not values.size:
            return cls((), (1.0,))
        edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
        # A value that makes up most of the data gets a bin of its own, or its loss would not show.
        below = np.nextafter(edges, -np.inf)
        repeated = np.array([(values == edge).mean() > 1 / BINS for edge in edges])
        edges = np.unique(np.concatenate([edges, below[repeated]]))[: BINS - 1]
        counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
        return cls(tuple(edges.tolist()), tuple((counts / values.size).tolist()))


@dataclass(frozen=True, slots=True)
class Reference:
    """Distribution of the scaled channels and of the scores in training data.

    Attributes:
        channels: Bins of each channel, in scaled units.
        score: Bins of the held-out scores.
        series: Number of series in training data.
    """

    channels: tuple[Bins, ...]
    score: Bins
    series: int = 1
    _edges: Float64 = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.series < 1:
            raise SpecError(f"the reference is of {self.series} series; it must be 1 or more")
        object.__setattr__(self, "_edges", _edges((*self.channels, self.score)))

    @classmethod
    def of(cls, scaled: Sequence[Track], scores: Sequence[Track]) -> Reference:
        """Measure training data.

        Args:
            scaled: Tracks of float32[rows, channels], NaN where missing.
            scores: Tracks of float64[n, 1], NaN where unknown.
        """
        rows = np.concatenate([track.values for track in scaled])
        rows = rows[:: max(1, -(-len(rows) // MOST_ROWS))].astype(np.float64)
        known = np.concatenate([np.zeros(0), *(track.values[:, 0] for track in scores)])
        channels = tuple(Bins.of(column[np.isfinite(column)]) for column in rows.T)
        score = Bins.of(known[np.isfinite(known)])
        return cls(
            _with_usual(channels, scaled),
            _with_usual((score,), scores)[0],
            len({track.series for track in scaled}),
        )

    def usual(self, seconds: float, series: int) -> Float64:
        """float64[channels + 1]: the indices that ordinary stretches seldom exceed; the last is that of the scores.

        What a few series do by themselves averages out over many: an index is quadratic in how far shares are off, and
        the square of a mean's error falls with the number. So it lies between that of one series and that of all.

        Args:
            seconds: Length of the stretch.
            series: In it, 1 or more.
        """
        every = self.series
        # 1 for a single series, 0 for as many as training had.
        weight = 0.0 if series >= every else (1 / max(series, 1) - 1 / every) / (1 - 1 / every)
        found = []
        for bins in (*self.channels, self.score):
            together, alone = bins.together.at(seconds), bins.alone.at(seconds)
            found.append(together + weight * max(0.0, alone - together))
        return np.array(found)

    def new_counts(self) -> Int64:
        """int64[channels + 1, bins] of zeros, for `count`."""
        return np.zeros((len(self.channels) + 1, BINS), np.int64)

    def count(self, scaled: npt.NDArray[np.float32], scores: Float64, counts: Int64) -> None:
        """Add samples to counts.

        Args:
            scaled: float32[n, channels], NaN where missing.
            scores: float64[n], NaN where unknown.
            counts: From `new_counts`; changed in place. The last row is that of the scores.
        """
        counts += _count(np.column_stack([scaled, scores]), self._edges)

    def stability(self, counts: Int64) -> Float64:
        """float64[channels + 1]: the index of each channel and, last, of the scores; NaN where nothing was counted."""
        return np.array(
            [_index(now, bins.shares) for now, bins in zip(counts, (*self.channels, self.score), strict=True)]
        )

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {
            "channels": [_plain(bins) for bins in self.channels],
            "score": _plain(self.score),
            "series": self.series,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Reference:
        """Read what `to_dict` wrote.

        Raises:
            SpecError: a key is unknown or missing, or a value does not fit.
        """
        known_keys(data, {"channels", "score", "series"}, "reference")
        channels = data["channels"]
        if not isinstance(channels, list):
            raise SpecError("the channels of the reference must be a list")
        return cls(tuple(_bins(found) for found in channels), _bins(data["score"]), integer(data, "series"))


def _index(counts: Int64, shares: Sequence[float]) -> float:
    """Of one quantity; NaN where nothing was counted."""
    total = counts.sum()
    if not total:
        return float("nan")
    now = np.maximum(counts[: len(shares)] / total, LEAST_SHARE)
    then = np.maximum(shares, LEAST_SHARE)
    return float(((now - then) * np.log(now / then)).sum())


def _with_usual(of: tuple[Bins, ...], tracks: Sequence[Track]) -> tuple[Bins, ...]:
    """Bins with the indices that are usual between stretches of the very data."""
    edges = _edges(of)

    def compare(part: Int64, rest: Int64) -> Float64:
        totals = rest.sum(axis=1)
        found = [
            _index(part[row], (rest[row] / totals[row])[: len(bins.shares)]) if totals[row] else np.nan
            for row, bins in enumerate(of)
        ]
        return np.array(found)

    together, alone = usual_indices(tracks, len(of), lambda values: _count(values, edges), compare)
    return tuple(replace(bins, together=a, alone=b) for bins, a, b in zip(of, together, alone, strict=True))


def _edges(of: Sequence[Bins]) -> Float64:
    edges = np.full((len(of), BINS - 1), np.inf)
    for row, bins in enumerate(of):
        edges[row, : len(bins.edges)] = bins.edges
    return edges


def _count(values: npt.NDArray[Any], edges: Float64) -> Int64:
    """int64[quantities, bins] of float[n, quantities]."""
    values = values.astype(np.float64)
    known = np.isfinite(values)
    counts = np.zeros((len(edges), BINS), np.int64)
    for row, of_row in enumerate(edges):
        places = np.searchsorted(of_row, values[known[:, row], row], side="left")
        counts[row] = np.bincount(places, minlength=BINS)
    return counts


def _plain(bins: Bins) -> dict[str, object]:
    return {
        "edges": list(bins.edges),
        "shares": list(bins.shares),
        "together": bins.together.to_dict(),
        "alone": bins.alone.to_dict(),
    }


def _bins(data: object) -> Bins:
    if not isinstance(data, dict):
        raise SpecError("bins of the reference must be objects")
    known_keys(data, {"edges", "shares", "together", "alone"}, "bins of the reference")
    lists = [data["edges"], data["shares"]]
    for values in lists:
        if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
            raise SpecError("edges and shares of the reference must be lists of numbers")
    together, alone = Usual.from_dict(data["together"]), Usual.from_dict(data["alone"])
    return Bins(tuple(map(float, lists[0])), tuple(map(float, lists[1])), together, alone)
