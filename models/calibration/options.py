"""How careful a threshold is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from models.errors import SpecError

METHODS = ("budget", "risk", "quantile")
ADAPTIVE = ("none", "spot", "dspot")


@dataclass(frozen=True, slots=True)
class CalibrationOptions:
    """How careful the threshold is.

    Attributes:
        method: One of `METHODS`. ``budget``: by ``alerts_per_week``. ``risk``: by ``risk``. ``quantile``: by
            ``quantile``, and nothing is extrapolated.
        alerts_per_week: Incidents of ordinary data that are acceptable, per series.
        risk: Probability that an ordinary window exceeds the threshold.
        quantile: Share of the held-out scores that do not exceed the threshold.
        adaptive: One of `ADAPTIVE`. ``spot``: the threshold follows the tail of each series' own scores; ``dspot``: and
            their local mean.
        depth: Scores that the local mean looks back on.
        initial_quantile: The tail is fitted to the scores above this quantile.
        least_peaks: With fewer scores above it, and for a budget with fewer excursions, the tail is not fitted; the
            highest score and a margin serve instead.
        outlier_ratio: Held-out scores above this multiple of the initial quantile are taken for faults in the training
            data: they neither shape the tail nor lift the threshold above themselves.
        most_extrapolation: The threshold is at most this multiple of the highest ordinary score.
        margin: What the highest score is multiplied by when the tail is not fitted.
        open_after: Windows in a row above the threshold that open an incident.

    Raises:
        SpecError: a value is out of range.
    """

    method: str = "risk"
    alerts_per_week: float = 1.0
    risk: float = 1e-4
    quantile: float = 0.9999
    adaptive: str = "none"
    depth: int = 450
    initial_quantile: float = 0.98
    least_peaks: int = 20
    outlier_ratio: float = 10.0
    most_extrapolation: float = 3.0
    margin: float = 1.5
    open_after: int = 2

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise SpecError(f"there is no threshold by {self.method!r}; choose one of: {', '.join(METHODS)}")
        if self.adaptive not in ADAPTIVE:
            raise SpecError(f"there is no adaptive threshold {self.adaptive!r}; choose one of: {', '.join(ADAPTIVE)}")
        if not (math.isfinite(self.alerts_per_week) and self.alerts_per_week >= 0):
            raise SpecError(f"alerts_per_week is {self.alerts_per_week}; it must be 0 or more")
        if not 0 < self.quantile < 1:
            raise SpecError(f"quantile is {self.quantile}; it must be between 0 and 1")
        if self.depth < 1:
            raise SpecError(f"depth is {self.depth}; it must be at least 1")
        if not 0 < self.initial_quantile < 1:
            raise SpecError(f"initial_quantile is {self.initial_quantile}; it must be between 0 and 1")
        if not 0 < self.risk < 1 - self.initial_quantile:
            raise SpecError(f"risk is {self.risk}; it must be above 0 and below 1 - initial_quantile")
        if self.least_peaks < 2 or self.open_after < 1:
            raise SpecError("least_peaks must be at least 2, and open_after at least 1")
        if min(self.outlier_ratio, self.most_extrapolation, self.margin) < 1:
            raise SpecError("outlier_ratio, most_extrapolation and margin must be at least 1")
