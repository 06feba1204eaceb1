"""Where a change is made to a series, and what its size is measured by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

EDGE_ROWS = 8
"""Rows over which one stretch goes over into another, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Rows and channels that are to change.

    Attributes:
        values: float64[rows, channels]; the whole series as it was, NaN where missing.
        start: First row that changes.
        stop: First row that does not any more.
        channels: int64[k]; those that change.
        spread: float64[k], above 0; how much each of them varies in all.
        draw: Where parameters are drawn from.
    """

    values: Float64
    start: int
    stop: int
    channels: Int64
    spread: Float64
    draw: np.random.Generator

    @property
    def rows(self) -> int:
        """How many rows change."""
        return self.stop - self.start

    @property
    def now(self) -> Float64:
        """float64[rows, k]; what is there, a copy."""
        found: Float64 = self.values[self.start : self.stop, self.channels]
        return found

    def sizes(self, low: float, high: float) -> Float64:
        """float64[k]; a size for each channel, from so many spreads to so many."""
        return self.spread * self.draw.uniform(low, high, self.channels.size)

    def signs(self) -> Float64:
        """float64[k]; 1 or -1 for each channel."""
        return self.draw.choice([-1.0, 1.0], self.channels.size)

    def jitter(self) -> Float64:
        """float64[k]; what is random from row to row: the deviation of differences between rows, over root two."""
        steps = np.diff(self.now, axis=0)
        known = ~np.isnan(steps)
        squares = np.where(known, steps, 0.0) ** 2
        found: Float64 = np.sqrt(squares.sum(axis=0) / np.maximum(known.sum(axis=0), 1) / 2)
        return found

    def deviation(self) -> Float64:
        """float64[k]; standard deviation of what is there."""
        now, level = self.now, self.level()
        known = ~np.isnan(now)
        squares = np.where(known, now - level, 0.0) ** 2
        found: Float64 = np.sqrt(squares.sum(axis=0) / np.maximum(known.sum(axis=0), 1))
        return found

    def level(self) -> Float64:
        """float64[k]; mean of what is there, 0 where nothing is."""
        now = self.now
        known = ~np.isnan(now)
        found: Float64 = np.where(known, now, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        return found

    def moved(self, offset: int) -> Float64:
        """float64[rows, k]; the rows that many later or earlier, with soft edges, as far as there are any."""
        source = np.clip(np.arange(self.start, self.stop) + offset, 0, len(self.values) - 1)
        return self.softly(self.values[source[:, None], self.channels])

    def softly(self, new: Float64) -> Float64:
        """float64[rows, k]; going over from what is there to other values and back, so that no edge shows."""
        edge = min(EDGE_ROWS, self.rows // 4)
        weight = np.ones(self.rows)
        if edge:
            ramp = np.arange(1, edge + 1) / (edge + 1)
            weight[:edge], weight[-edge:] = ramp, ramp[::-1]
        now = self.now
        weights = weight[:, None]
        return np.where(np.isnan(new), now, weights * new + (1 - weights) * now)
