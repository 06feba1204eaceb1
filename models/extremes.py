"""Peaks over threshold: the tail of a distribution from its largest values.

Pickands (1975): what exceeds a high level follows a generalised Pareto distribution, whatever the distribution itself.
Siffer, Fouque, Termier and Largouët, "Anomaly Detection in Streams with Extreme Value Theory" (KDD 2017) set alarm
thresholds by it. The fit maximises the likelihood along one parameter, as Grimshaw, "Computing Maximum Likelihood
Estimates for the Generalized Pareto Distribution" (Technometrics 1993) reduces the problem.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.errors import SpecError

Float64 = npt.NDArray[np.float64]

LEAST_SHAPE, MOST_SHAPE = -0.5, 1.0
"""Below -1/2 the maximum of the likelihood is no estimate; above 1 the tail has no mean, and extrapolation no
meaning."""
GRID = 400
GOLDEN = (math.sqrt(5.0) - 1) / 2
REFINEMENTS = 60


@dataclass(frozen=True, slots=True)
class Pareto:
    """Generalised Pareto distribution of the excess over a level.

    Attributes:
        shape: Above 0: heavy tail; 0: exponential; below 0: the tail ends.
        scale: In the unit of the excess, above 0.
    """

    shape: float
    scale: float

    def excess_at(self, ratio: float) -> float:
        """Excess that is itself exceeded with probability ``ratio`` (0 < ratio <= 1)."""
        if abs(self.shape) < 1e-9:
            return -self.scale * math.log(ratio)
        return self.scale / self.shape * math.expm1(-self.shape * math.log(ratio))


def fit_pareto(excesses: Float64) -> Pareto:
    """Fit to float64[n] excesses, all above 0, by maximum likelihood.

    With ``x = shape / scale`` the best shape for a given ``x`` is ``mean(log(1 + x * excess))``, so that one dimension
    is left to search: a grid over the range in which Grimshaw shows that all roots lie, then golden section around its
    best point.

    Raises:
        SpecError: there are fewer than two excesses, or one is not finite and above 0.
    """
    if excesses.size < 2 or not (np.isfinite(excesses).all() and (excesses > 0).all()):
        raise SpecError("a tail is fitted to at least two finite excesses above 0")
    unit = float(excesses.mean())
    y = excesses / unit
    low, mean, high = float(y.min()), 1.0, float(y.max())
    most = max(2 * (mean - low) / low**2 if low > 1e-6 else 1e6, 1e-3)
    least = -(1 - 1e-6) / high
    grid = np.concatenate([least * np.geomspace(1e-4, 1, GRID)[::-1], np.geomspace(1e-4, min(most, 1e6), GRID)])
    values = np.array([_log_likelihood(x, y) for x in grid])
    best = int(np.argmax(values))
    exponential = -float(y.size)  # the limit x -> 0, where the scale is the mean, here 1
    if not values[best] > exponential:
        return Pareto(0.0, unit)
    x = _golden_section(float(grid[max(best - 1, 0)]), float(grid[min(best + 1, grid.size - 1)]), y)
    shape = _shape(x, y)
    return Pareto(shape, shape / x * unit)


def _shape(x: float, y: Float64) -> float:
    return min(max(float(np.log1p(x * y).mean()), LEAST_SHAPE), MOST_SHAPE)


def _log_likelihood(x: float, y: Float64) -> float:
    # The shape is held within its limits; where that binds, the general form of the likelihood still applies.
    log_sum = float(np.log1p(x * y).sum())
    shape = _shape(x, y)
    return -y.size * math.log(shape / x) - (1 + 1 / shape) * log_sum


def _golden_section(left: float, right: float, y: Float64) -> float:
    for _ in range(REFINEMENTS):
        inner, outer = right - GOLDEN * (right - left), left + GOLDEN * (right - left)
        # x = 0 is the exponential, which has been compared already, and no point of this parametrisation.
        if inner == 0 or outer == 0 or inner == outer:
            break
        if _log_likelihood(inner, y) < _log_likelihood(outer, y):
            left = inner
        else:
            right = outer
    middle = (left + right) / 2
    return middle if middle else right
