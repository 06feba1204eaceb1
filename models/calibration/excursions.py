"""Excursions above a level: what of many scores above it belongs to one event, and how high such events come.

Scores that are averaged over many samples stay above a level for long once they are there. The tail of their heights
is fitted to one peak of each excursion, as Leadbetter, "On a basis for 'peaks over threshold' modeling" (Statistics &
Probability Letters 1991) reasons: neighbours within an excursion tell nothing new, and a fit that takes them for so
many observations is far too sure of itself.

What is one excursion says the incident logic: as many as it counts there are, and the longest pauses part them, as
Ferro and Segers, "Inference for clusters of extreme values" (Journal of the Royal Statistical Society B 2003) part
clusters once their number is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from models.extremes import Pareto, fit_pareto

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class OpeningLevels:
    """Thresholds below which an incident would open, along one series.

    Attributes:
        levels: float64[n].
        times_ns: int64[n]; when it would open, nanoseconds since the epoch, ascending.
    """

    levels: Float64
    times_ns: Int64

    @classmethod
    def of(cls, scores: Float64, times_ns: Int64, open_after: int) -> OpeningLevels:
        """At each score the least of the last ``open_after``; empty where there are fewer. Unknown ones do not count.

        Args:
            scores: float64[n]; NaN where the score is not known.
            times_ns: int64[n].
            open_after: Windows in a row above a threshold that open an incident.
        """
        known = ~np.isnan(scores)
        scores, times_ns = scores[known], times_ns[known]
        if scores.size < open_after:
            return cls(scores[:0], times_ns[:0])
        return cls(sliding_window_view(scores, open_after).min(axis=1), times_ns[open_after - 1 :])

    def at_most(self, level: float) -> OpeningLevels:
        """Those that are no higher."""
        low = self.levels <= level
        return OpeningLevels(self.levels[low], self.times_ns[low])


def excursion_peaks(parts: Sequence[OpeningLevels], level: float, count: int) -> Float64:
    """The highest level of each excursion above a level: float64[<= count].

    Args:
        parts: One for each series.
        level: What is to be exceeded.
        count: So many excursions there are over all series, where there are so many levels.
    """
    above = [(part.levels[high], part.times_ns[high]) for part in parts if (high := part.levels > level).any()]
    if not above:
        return np.empty(0)
    pauses = np.concatenate([np.r_[np.inf, np.diff(times_ns).astype(np.float64)] for _, times_ns in above])
    begins = np.sort(np.argsort(-pauses, kind="stable")[: max(count, 1)])
    peaks: Float64 = np.maximum.reduceat(np.concatenate([levels for levels, _ in above]), begins)
    return peaks


def fit_endless(excesses: Float64) -> Pareto:
    """A tail to extrapolate by: as `models.extremes.fit_pareto` fits it, but one that does not end.

    The end of a tail is estimated to be about where the highest value happened to be, so that the next higher one is
    thought to be impossible. Where the likelihood asks for such a tail, the exponential is the likeliest that has none.

    Args:
        excesses: float64[n], above 0.

    Raises:
        SpecError: there are fewer than two excesses, or one is not finite and above 0.
    """
    found = fit_pareto(excesses)
    return found if found.shape >= 0 else Pareto(0.0, float(excesses.mean()))
