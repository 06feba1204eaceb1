"""A scorer with a long memory, small enough to be followed by hand.

It keeps the mean of all rows that a series has had since it began anew; the older a row the less it counts, but none is
ever wholly forgotten. The score is how far the last row is from the mean of those before it. So every score depends, to
the last bit, on every row since the beginning, and on the order in which windows are scored.
"""

from __future__ import annotations

import numpy as np

from detector.scoring.scores import Scores
from detector.series.carried import States
from detector.series.values import WindowBatch

RATE = 1 / 64


class RememberingScorer:
    """Windows of two channels.

    Args:
        factor: Of all scores; models that judge differently have different ones.
    """

    state_dtype = np.dtype([("mean", "<f8", (2,)), ("rows", "<i8")])

    def __init__(self, factor: float = 1.0) -> None:
        self._factor = factor

    def score(self, batch: WindowBatch, states: States | None) -> Scores:
        assert states is not None
        count, length, channels = batch.values.shape
        distance, expected = np.full((count, channels), np.nan), np.full((count, channels), np.nan)
        for index in range(count):
            state = states[batch.slots[index]]
            steps = int(batch.steps[index])
            if not 0 < steps <= length:
                state["mean"], state["rows"], steps = 0.0, 0, length
            for row in batch.values[index, length - steps :]:
                expected[index], distance[index] = state["mean"], np.abs(row - state["mean"])
                seen = ~np.isnan(row)
                state["rows"] += 1
                rate = max(RATE, 1 / state["rows"])
                state["mean"][seen] += rate * (row - state["mean"])[seen]
        contributions = (np.nan_to_num(distance) * self._factor).astype(np.float32)
        return Scores(
            score=np.where(batch.coverage_ok, contributions.sum(1, dtype=np.float64), np.nan),
            contributions=contributions,
            seen=batch.values[:, -1],
            expected=expected,
            scaled=batch.values[:, -1].astype(np.float32),
        )
