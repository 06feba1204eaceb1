"""Series that one model for all does not serve: they would be better off with a model of their own.

A score that is fitted to all series together takes for usual what is usual in most of them. A series that the model
estimates far worse stands above the threshold for no fault of its own; one that it estimates far better hides its
faults below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

LEAST_SERIES = 4
"""With fewer there is no usual to be unlike."""
FACTOR = 4.0
"""A series is unlike the others when its usual score is so many times theirs, or so many times less."""
MOST_REPORTED = 50


@dataclass(frozen=True, slots=True)
class Misfit:
    """A series that is unlike the others.

    Attributes:
        series: Its name.
        ratio: Its median held-out score over the median of all series' medians.
        kind: ``noisy``: it will alarm too often; ``quiet``: its faults will be found late or not.
    """

    series: str
    ratio: float
    kind: Literal["noisy", "quiet"]


def find_misfits(scores: Mapping[str, Float64]) -> tuple[Misfit, ...]:
    """The series whose held-out scores are unlike those of the others, the most unlike first; at most `MOST_REPORTED`.

    Args:
        scores: By series float64[n], NaN where unknown.
    """
    medians = {name: float(np.nanmedian(found)) for name, found in scores.items() if not np.isnan(found).all()}
    usual = float(np.median(list(medians.values()))) if len(medians) >= LEAST_SERIES else 0.0
    if usual <= 0:
        return ()
    ratios = sorted(
        ((name, median / usual) for name, median in medians.items()),
        key=lambda found: (-abs(np.log(max(found[1], 1e-9))), found[0]),
    )
    misfits = [
        Misfit(name, ratio, "noisy" if ratio > 1 else "quiet")
        for name, ratio in ratios
        if ratio >= FACTOR or ratio <= 1 / FACTOR
    ]
    return tuple(misfits[:MOST_REPORTED])
