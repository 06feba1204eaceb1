"""From windows and their reconstructions to one score per window, with the share of each channel in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.errors import SpecError
from models.fields import array, integer, known_keys

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

DEFAULT_TAIL = 8
SILENT = 1e-6
"""A held-out mean squared residual below this is that of a channel that never moves, and says nothing about the
others."""
FLOOR_SHARE = 0.1
"""The mean square that a channel is divided by is at least this share of the median channel's."""
LEAST_FLOOR = 1e-3


def impute(scaled: Float32) -> tuple[Float32, Bool]:
    """Fill what was not observed with the value before it in the same window, or with 0, the centre.

    Args:
        scaled: float32[n, time, channels], NaN where not observed.

    Returns:
        float32[n, time, channels] without NaN (the argument itself if it has none), and bool[n, time, channels], which
        is true where the value was observed.
    """
    observed = ~np.isnan(scaled)
    if observed.all():
        return scaled, observed
    steps = np.arange(scaled.shape[1])[None, :, None]
    last = np.maximum.accumulate(np.where(observed, steps, -1), axis=1)
    filled = np.take_along_axis(scaled, np.maximum(last, 0), axis=1)
    filled[last < 0] = 0.0
    return filled, observed


@dataclass(frozen=True, slots=True, eq=False)
class ResidualScore:
    """Weighted mean squared residual of the last samples of a window.

    ``score = mean over channels of weight * (mean over the last tail samples of residual ** 2)``, where only observed
    values count. The weights are such that ordinary data scores about 1.

    Every operation works element by element, or runs along the samples and channels of one window in a fixed order: a
    window's score has the same bits whatever else is in its batch.

    Args:
        tail: How many of the last samples count. More is smoother and slower to react.
        channel_weights: float64[channels], not negative.

    Raises:
        SpecError: a value is out of range.
    """

    tail: int
    channel_weights: Float64

    def __post_init__(self) -> None:
        if self.tail < 1:
            raise SpecError(f"tail is {self.tail}; it must be at least 1")
        weights = self.channel_weights
        if weights.ndim != 1 or not weights.size or not np.isfinite(weights).all() or (weights < 0).any():
            raise SpecError("channel_weights must be finite numbers, not negative, one per channel")

    @classmethod
    def fit(cls, filled: Float32, reconstruction: Float32, observed: Bool, tail: int = DEFAULT_TAIL) -> ResidualScore:
        """Weigh channels by what the model leaves of them in held-out data.

        A channel's weight is the reciprocal of its mean squared residual, which has a floor: a channel that never moved
        is reconstructed perfectly, and without the floor the slightest change in it would drown all else.

        Args:
            filled: float32[n, time, channels], held-out windows.
            reconstruction: float32[n, time, channels].
            observed: bool[n, time, channels].
            tail: See the class.
        """
        count, total = tail_sums(filled, reconstruction, observed, tail)
        return cls.from_mean_squares(total.sum(axis=0) / np.maximum(count.sum(axis=0), 1), tail)

    @classmethod
    def from_mean_squares(cls, mean_squares: Float64, tail: int = DEFAULT_TAIL) -> ResidualScore:
        """Weights from float64[channels], the mean squared residual of each channel in held-out data."""
        moving = mean_squares[mean_squares > SILENT]
        floor = max(FLOOR_SHARE * float(np.median(moving)), LEAST_FLOOR) if moving.size else 1.0
        weights = 1.0 / np.maximum(mean_squares, floor)
        # Channels at the floor leave less than 1; the others make up for it, so that ordinary data scores 1.
        mean_score = float(np.mean(weights * mean_squares))
        return cls(tail, weights / mean_score if moving.size else weights)

    def score(self, filled: Float32, reconstruction: Float32, observed: Bool) -> tuple[Float64, Float64]:
        """Score windows.

        Args:
            filled: float32[n, time, channels], what the model saw.
            reconstruction: float32[n, time, channels], what it made of it.
            observed: bool[n, time, channels].

        Returns:
            float64[n], the scores, NaN where nothing was observed in the tail; and float64[n, channels], contributions
            that add up to the score, 0 for channels that were not observed.
        """
        return self.score_sums(*tail_sums(filled, reconstruction, observed, self.tail))

    def score_sums(self, count: npt.NDArray[np.int64], total: Float64) -> tuple[Float64, Float64]:
        """Score windows of which `tail_sums` was taken; returns what `score` does."""
        mean_squares = total / np.maximum(count, 1)
        channels_seen = (count > 0).sum(axis=1)
        contributions = mean_squares * self.channel_weights / np.maximum(channels_seen, 1)[:, None]
        # cumsum adds from the first channel to the last; sum() may choose its order by the shape of the batch.
        score = np.cumsum(contributions, axis=1)[:, -1]
        return np.where(channels_seen > 0, score, np.nan), contributions

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON; nothing of a float64 is lost."""
        return {"tail": self.tail, "channel_weights": self.channel_weights.tolist()}

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> ResidualScore:
        """Read what `to_dict` wrote.

        Raises:
            SpecError: a key is unknown or missing, or a value does not fit.
        """
        known_keys(data, {"tail", "channel_weights"}, "residual score")
        return cls(integer(data, "tail"), array(data, "channel_weights", 1))


def tail_sums(
    filled: Float32, reconstruction: Float32, observed: Bool, tail: int
) -> tuple[npt.NDArray[np.int64], Float64]:
    """Count and sum of squared residuals over the observed values of the last samples.

    Args:
        filled: float32[n, time, channels].
        reconstruction: float32[n, time, channels].
        observed: bool[n, time, channels].
        tail: How many of the last samples count; all of them when the window is shorter.

    Returns:
        int64[n, channels] and float64[n, channels].
    """
    windows, length, channels = filled.shape
    count, total = np.zeros((windows, channels), np.int64), np.zeros((windows, channels))
    for step in range(max(0, length - tail), length):
        residual = filled[:, step].astype(np.float64) - reconstruction[:, step]
        total += np.where(observed[:, step], residual * residual, 0.0)
        count += observed[:, step]
    return count, total
