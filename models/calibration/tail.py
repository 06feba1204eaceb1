"""How high the rarest of ordinary scores are: peaks over threshold.

What exceeds a high level follows a generalised Pareto distribution (Balkema and de Haan, 1974; Pickands, 1975),
whatever the scores themselves follow. Fitted to the peaks that were seen, it tells how high those lie that are too rare
to be seen (Siffer, Fouque, Termier and Largouet, "Anomaly Detection in Streams with Extreme Value Theory", KDD 2017).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.calibration.options import CalibrationOptions
from models.extremes import Pareto, fit_pareto

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tail:
    """Ordinary scores, and how those above a level are distributed.

    Attributes:
        level: float; scores above it are the tail.
        scores: float64[n]; all ordinary scores, ascending.
        peaks: float64[n]; what they exceed the level by.
        pareto: Fitted to the peaks; None when there are too few.
    """

    level: float
    scores: Float64
    peaks: Float64
    pareto: Pareto | None
    options: CalibrationOptions

    @classmethod
    def of(cls, ordinary: Float64, level: float, options: CalibrationOptions) -> Tail:
        """Look at ordinary scores, float64[n], n > 0, above a level that they were found to have."""
        peaks = ordinary[ordinary > level] - level
        pareto = fit_pareto(peaks) if peaks.size >= options.least_peaks else None
        return cls(level, np.sort(ordinary), peaks, pareto, options)

    @property
    def highest(self) -> float:
        """The highest ordinary score."""
        return float(self.scores[-1])

    @property
    def method(self) -> str:
        """What `at` goes by, as `models.calibration.Calibration` has it."""
        return "highest_score" if self.pareto is None else "peaks_over_threshold"

    def at(self, expected: float, risk: float) -> float:
        """The score that so many of the ordinary scores were to exceed, a share of ``risk`` of them."""
        if self.pareto is None:
            return self.highest * self.options.margin
        estimate = self.level + self.pareto.excess_at(min(expected / self.peaks.size, 1.0))
        least = float(np.quantile(self.scores, 1 - risk, method="higher"))
        return min(max(estimate, least), self.highest * self.options.most_extrapolation)

    def risk_of(self, threshold: float) -> float:
        """Probability that an ordinary score exceeds a threshold; that of one more score than was seen, at least."""
        above = self.scores.size - int(np.searchsorted(self.scores, threshold, side="right"))
        return max(above, 1) / (self.scores.size + 1)
