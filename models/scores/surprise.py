"""How surprising an error is to a series: how rare one as large is among its own errors so far.

Minus the decimal logarithm of the share of errors that were as large. The tail is taken for a Pareto tail above a high
quantile (Hill, "A Simple General Approach to Inference About the Tail of a Distribution", Annals of Statistics 1975),
as the anomaly likelihood of Ahmad et al. ("Unsupervised real-time anomaly detection for streaming data",
Neurocomputing 2017) takes it for a normal one. The quantile follows the series by stochastic approximation (Robbins and
Monro, 1951), the tail by sums that fade: the same time and space for every sample. Neither is moved far by a fault,
whatever its size: the quantile takes one small step a sample, and the tail adds up logarithms.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.memory import Memory, States, StateType

Float64 = npt.NDArray[np.float64]

HIGH_QUANTILE = 0.98
AT_QUANTILE = -float(np.log10(1 - HIGH_QUANTILE))
"""Surprise of an error at the high quantile: 1.7."""
MEMORY_SAMPLES = 4000
STEP = 0.01
"""The quantile moves by this share when an error exceeds it, and by a fiftieth of that back when one does not."""
FIRST_INDEX, FIRST_PEAKS, LEAST_INDEX = 0.25, 10.0, 0.05
"""The index of the tail is taken for this before there are peaks, with the weight of so many; and is at least this."""
MOST_SURPRISE = 20.0
REST_SHARE = 1e-6
"""A series rests while its average, of squares, is at most this share of what is usual in held-out data: a thousandth
of the usual error."""
REST_SAMPLES = 500
"""A rest teaches no more once it has lasted for so long, by which time ten samples would have exceeded the quantile.
Else the quantile would fall for as long as it lasts, and the first ordinary move after a night at rest would be as rare
as can be."""
LEAST_USUAL = 1e-6
"""The quantile of an average is at least this, for a series of which held-out data knew nothing but rest."""


class Surprise:
    """Surprise of several averages of a series.

    Args:
        usual: float64[averages], above 0; the high quantile of each in held-out data, with which a series begins.

    Attributes:
        state_dtype: For each average the logarithm of its quantile, fading sums over its peaks, and for how many
            samples it has rested.
    """

    def __init__(self, usual: Float64) -> None:
        self._usual = np.log(usual)
        self._least = REST_SHARE * usual
        shape = usual.shape
        self.state_dtype: StateType = np.dtype(
            [("level", "<f8", shape), ("peaks", "<f8", shape), ("logs", "<f8", shape), ("rested", "<i4", shape)]
        )

    def advance(self, averages: Float64, memory: Memory | None) -> Float64:
        """Surprise of each average, then learn from them.

        Args:
            averages: float64[n, averages], not negative; NaN where unknown: such a sample teaches nothing.
            memory: Of the windows' series; None: each is the first of its own.

        Returns:
            float64[n, averages], from 0 to `MOST_SURPRISE`.
        """
        count = len(averages)
        found = np.full(averages.shape, np.nan)
        if memory is None:
            memory = Memory(np.zeros(count, self.state_dtype), np.arange(count), np.zeros(count, np.int64))
        for chosen in memory.rounds():
            slots = memory.slots[chosen]
            states = memory.states[slots]
            anew = memory.steps[chosen] <= 0
            states["level"][anew] = self._usual
            states["peaks"][anew] = states["logs"][anew] = 0.0
            states["rested"][anew] = 0
            known = ~np.isnan(averages[chosen]).any(axis=1)
            taught = states[known]
            found[chosen[known]] = _step(averages[chosen[known]], taught, self._least)
            states[known] = taught
            memory.states[slots] = states
        return found


def _step(averages: Float64, states: States, least: Float64) -> Float64:
    # Averages of squares: their root has half the logarithm.
    size = 0.5 * np.log(np.maximum(averages, 1e-300))
    level = 0.5 * states["level"]
    above = np.maximum(size - level, 0.0)
    index = (states["logs"] + FIRST_PEAKS * FIRST_INDEX) / (states["peaks"] + FIRST_PEAKS)
    beyond = AT_QUANTILE + above / np.log(10) / np.maximum(index, LEAST_INDEX)
    below = AT_QUANTILE * np.exp(np.minimum(size - level, 0.0))
    exceeds = size > level
    keep = 1.0 - 1.0 / MEMORY_SAMPLES
    moved = np.maximum(states["level"] + 2 * STEP * (exceeds - (1 - HIGH_QUANTILE)), np.log(LEAST_USUAL))
    states["rested"] = np.where(averages > least, 0, np.minimum(states["rested"] + 1, REST_SAMPLES + 1))
    teaches = states["rested"] <= REST_SAMPLES
    states["peaks"] = np.where(teaches, keep * states["peaks"] + exceeds, states["peaks"])
    states["logs"] = np.where(teaches, keep * states["logs"] + above, states["logs"])
    states["level"] = np.where(teaches, moved, states["level"])
    result: Float64 = np.minimum(np.where(exceeds, beyond, below), MOST_SURPRISE)
    return result
