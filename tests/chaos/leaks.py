"""Whether a series of measurements grows, and by how much at most."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_QUANTILE = 1.96
_LEAST_SAMPLES = 30


@dataclass(frozen=True, slots=True)
class Slope:
    """Of a least-squares line, with its 95% confidence interval.

    Neighbouring measurements of memory are nearly equal, so the usual interval would be far too narrow: the number of
    independent samples is reduced by the residuals' lag-one autocorrelation r to n (1 - r) / (1 + r), as for a
    first-order autoregression (von Storch and Zwiers, Statistical Analysis in Climate Research, 1999, section 6.6.8).

    Attributes:
        per_hour: Growth.
        low: Of the interval.
        high: Of the interval.
    """

    per_hour: float
    low: float
    high: float
    samples: int
    independent: float

    def exceeds(self, bound_per_hour: float) -> bool:
        """Whether growth beyond the bound is beyond doubt."""
        return self.low > bound_per_hour


def slope(seconds: Sequence[float], values: Sequence[float]) -> Slope | None:
    """Growth of ``values`` over time; None for too few of them to say anything.

    Args:
        seconds: Times, rising.
        values: Measured at these times.
    """
    if len(seconds) < _LEAST_SAMPLES:
        return None
    hours = np.asarray(seconds, dtype=np.float64) / 3600
    found = np.asarray(values, dtype=np.float64)
    centred = hours - hours.mean()
    spread = float(centred @ centred)
    per_hour = float(centred @ found) / spread
    residuals = found - found.mean() - per_hour * centred
    power = float(residuals @ residuals)
    correlation = float(residuals[1:] @ residuals[:-1]) / power if power > 0 else 0.0
    correlation = min(max(correlation, 0.0), 0.999)
    independent = max(3.0, len(found) * (1 - correlation) / (1 + correlation))
    error = math.sqrt(power / ((independent - 2) * spread))
    return Slope(per_hour, per_hour - _QUANTILE * error, per_hour + _QUANTILE * error, len(found), independent)
