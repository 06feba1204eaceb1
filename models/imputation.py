"""Filling what was not observed, so that a model can read it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]


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
