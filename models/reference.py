"""What inputs and scores were like in training, and how far those of today are from it.

The population stability index of two samples, by ten bins of equal share in the first: the sum over the bins of
``(q - p) log(q / p)``. It is the symmetric divergence of Jeffreys (1946). Credit scoring takes below 0.1 for stable,
and above 0.25 for a shift to act on (Siddiqi, "Credit Risk Scorecards", 2006).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.errors import SpecError
from models.fields import known_keys

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

BINS = 10
LEAST_SHARE = 1e-3
"""Shares are taken for at least this: a bin that was empty by chance would count without end."""
MOST_ROWS = 200_000


@dataclass(frozen=True, slots=True)
class Bins:
    """Bins of one quantity.

    Attributes:
        edges: Ascending; a value belongs to the bin after the last edge that it exceeds.
        shares: Of the training values in each bin, one more than there are edges.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]

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
    """

    channels: tuple[Bins, ...]
    score: Bins
    _edges: Float64 = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        edges = np.full((len(self.channels) + 1, BINS - 1), np.inf)
        for row, bins in enumerate((*self.channels, self.score)):
            edges[row, : len(bins.edges)] = bins.edges
        object.__setattr__(self, "_edges", edges)

    @classmethod
    def of(cls, scaled: Sequence[npt.NDArray[np.float32]], scores: Float64) -> Reference:
        """Measure training data.

        Args:
            scaled: float32[rows, channels] of each stretch, NaN where missing.
            scores: float64[n], NaN where unknown.
        """
        rows = np.concatenate(scaled)
        rows = rows[:: max(1, -(-len(rows) // MOST_ROWS))].astype(np.float64)
        channels = tuple(Bins.of(column[np.isfinite(column)]) for column in rows.T)
        return cls(channels, Bins.of(scores[np.isfinite(scores)]))

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
        values = np.column_stack([scaled, scores]).astype(np.float64)
        places = (values[:, :, None] > self._edges).sum(axis=2)
        known = np.isfinite(values)
        for row in range(values.shape[1]):
            counts[row] += np.bincount(places[known[:, row], row], minlength=BINS)

    def stability(self, counts: Int64) -> Float64:
        """float64[channels + 1]: the index of each channel and, last, of the scores; NaN where nothing was counted."""
        found = np.full(len(counts), np.nan)
        for row, bins in enumerate((*self.channels, self.score)):
            total = counts[row].sum()
            if total:
                now = np.maximum(counts[row][: len(bins.shares)] / total, LEAST_SHARE)
                then = np.maximum(bins.shares, LEAST_SHARE)
                found[row] = float(((now - then) * np.log(now / then)).sum())
        return found

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {
            "channels": [_plain(bins) for bins in self.channels],
            "score": _plain(self.score),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Reference:
        """Read what `to_dict` wrote.

        Raises:
            SpecError: a key is unknown or missing, or a value does not fit.
        """
        known_keys(data, {"channels", "score"}, "reference")
        channels = data["channels"]
        if not isinstance(channels, list):
            raise SpecError("the channels of the reference must be a list")
        return cls(tuple(_bins(found) for found in channels), _bins(data["score"]))


def _plain(bins: Bins) -> dict[str, object]:
    return {"edges": list(bins.edges), "shares": list(bins.shares)}


def _bins(data: object) -> Bins:
    if not isinstance(data, dict):
        raise SpecError("bins of the reference must be objects")
    known_keys(data, {"edges", "shares"}, "bins of the reference")
    lists = [data["edges"], data["shares"]]
    for values in lists:
        if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
            raise SpecError("edges and shares of the reference must be lists of numbers")
    return Bins(tuple(map(float, lists[0])), tuple(map(float, lists[1])))
