"""What a threshold is set on: scores of data that the model has not learned from, and who counts incidents in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class HeldOutScores:
    """Scores of an unbroken stretch of one series that the model was not fitted to.

    Attributes:
        scores: float64[n]; NaN where the score is not known.
        times_ns: int64[n], nanoseconds since the epoch, ascending.
    """

    scores: Float64
    times_ns: Int64


class CountIncidents(Protocol):
    """Counts the incidents that the scores of one series would have opened."""

    def __call__(self, scores: Float64, times_ns: Int64, threshold: float) -> int:
        """Count them.

        Args:
            scores: float64[n], in order.
            times_ns: int64[n], nanoseconds since the epoch, ascending.
            threshold: The threshold to try.
        """
