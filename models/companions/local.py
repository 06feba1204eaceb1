"""A linear prediction of each channel from its own last samples, learned on the series itself, sample by sample.

Recursive least squares with exponential forgetting (Plackett, "Some theorems in least squares", Biometrika 1950;
Haykin, "Adaptive Filter Theory", chapter 10). It follows a series whose habits change, which a model that was trained
once does not. A sample that is far off teaches as little as one at the edge of what is usual, so that a fault does not
become the habit at once.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.companions.new_rows import turns
from models.memory import Memory, States, StateType

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

ORDER = 5
"""Samples that a prediction looks back on, as far as the window has them."""
FORGET_SAMPLES = 3000
FIRST_VARIANCE = 1.0
"""Variance of the weights before anything was learned, in scaled units; more learns faster and errs more at first."""
MOST_VARIANCE = 100.0
"""While nothing moves, forgetting would let the variance grow without end."""
EDGE = 5.0
"""Multiples of the usual error beyond which a sample teaches no more."""
USUAL_SAMPLES = 200


class Local:
    """Predicts the last sample of a window from those before it.

    Args:
        channels: Number of channels.

    Attributes:
        state_dtype: By channel weights, their covariance and the usual error; the last samples.
    """

    def __init__(self, channels: int) -> None:
        self._channels = channels
        width = ORDER + 1
        self.state_dtype: StateType = np.dtype(
            [
                ("rows", "<i8"),
                ("weights", "<f8", (channels, width)),
                ("covariance", "<f8", (channels, width, width)),
                ("usual", "<f8", (channels,)),
                ("last", "<f8", (channels, ORDER)),
            ]
        )

    def estimate(self, windows: Float32, memory: Memory) -> Float32:
        """float32[n, 1, channels]: what was expected for the last sample of each window; NaN for the very first."""
        expected = np.full((len(windows), 1, self._channels), np.nan, np.float32)
        for turn in turns(windows, memory):
            self._begin(turn.states, turn.anew)
            found = np.full((len(turn.chosen), self._channels), np.nan)
            for going, rows in turn.rows():
                states = turn.states[going]
                found[going] = self._step(states, rows)
                turn.states[going] = states
            expected[turn.chosen, 0] = found
        return expected

    def _begin(self, states: States, anew: npt.NDArray[np.bool_]) -> None:
        # Before anything is learned, the next sample is expected to be like the last.
        states["weights"][anew, :, 0] = 1.0
        states["covariance"][anew] = FIRST_VARIANCE * np.eye(ORDER + 1)

    def _step(self, states: States, rows: Float64) -> Float64:
        """Predict rows float64[n, channels], then learn from them."""
        known = states["rows"] >= ORDER
        inputs = np.concatenate([states["last"], np.ones((*rows.shape, 1))], axis=2)
        weights, covariance = states["weights"], states["covariance"]
        expected = _dot(inputs, weights)
        error = rows - expected
        usual = states["usual"]
        size = np.abs(error)
        heard = np.where(usual > 0, np.clip(error, -EDGE * usual, EDGE * usual), error)
        gained = _times(covariance, inputs)
        keep = 1.0 - 1.0 / FORGET_SAMPLES
        spread = (keep + _dot(inputs, gained))[:, :, None]
        learned = weights + gained / spread * heard[:, :, None]
        # Multiplied first, so that it is symmetric to the bit: forgetting would let the slightest asymmetry grow
        # without end, and after some 100,000 samples nothing else would be left (Verhaegen, "Round-off error
        # propagation in four generally applicable, recursive, least-squares estimation schemes", Automatica 1989).
        narrowed = (covariance - gained[:, :, :, None] * gained[:, :, None, :] / spread[..., None]) / keep
        trace = np.trace(narrowed, axis1=2, axis2=3)
        narrowed *= np.minimum(1.0, MOST_VARIANCE * (ORDER + 1) / np.maximum(trace, 1e-300))[:, :, None, None]
        teaches = known[:, None, None]
        states["weights"] = np.where(teaches, learned, weights)
        states["covariance"] = np.where(teaches[..., None], narrowed, covariance)
        moved = usual + (np.where(usual > 0, np.minimum(size, EDGE * usual), size) - usual) / USUAL_SAMPLES
        states["usual"] = np.where(known[:, None], np.where(usual > 0, moved, size), usual)
        states["last"][:, :, 1:] = states["last"][:, :, :-1].copy()
        states["last"][:, :, 0] = rows
        states["rows"] += 1
        return np.where(known[:, None], expected, np.nan)


def _dot(left: Float64, right: Float64) -> Float64:
    """Sum over the last axis, in its order: a matrix product would order it by the size of the batch."""
    result: Float64 = np.cumsum(left * right, axis=-1)[..., -1]
    return result


def _times(matrices: Float64, vectors: Float64) -> Float64:
    """float64[n, channels, k, k] times float64[n, channels, k]."""
    return _dot(matrices, vectors[:, :, None, :])
