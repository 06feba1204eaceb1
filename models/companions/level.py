"""How far the level of the last samples is from that of the past: for shifts and drifts that no single sample shows.

Two exponential means, a short one and a long one, as in moving average crossover charts (Roberts, "Control Chart Tests
Based on Geometric Moving Averages", Technometrics 1959).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.companions.new_rows import turns
from models.memory import Memory, StateType

Float32 = npt.NDArray[np.float32]

SHORT_SAMPLES, LONG_SAMPLES = 18.5, 500
"""Weights of the newest sample are one in so many: the short mean looks back as far as a plain one over 36."""


class Level:
    """An estimate whose residual is the short mean less the long one.

    Args:
        channels: Number of channels.

    Attributes:
        state_dtype: Both means, and how many samples they hold.
    """

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self.state_dtype: StateType = np.dtype(
            [("rows", "<i8"), ("short", "<f8", (channels,)), ("long", "<f8", (channels,))]
        )

    def estimate(self, windows: Float32, memory: Memory) -> Float32:
        """float32[n, 1, channels]."""
        found = np.empty((len(windows), 1, self._channels), np.float32)
        for turn in turns(windows, memory):
            states = turn.states
            for going, rows in turn.rows():
                states["rows"][going] += 1
                held = states["rows"][going][:, None]
                for name, samples in (("short", SHORT_SAMPLES), ("long", LONG_SAMPLES)):
                    before = states[name][going]
                    # At first a plain mean, so that the first sample does not weigh for ever.
                    states[name][going] = before + (rows - before) / np.minimum(held, samples)
            last = windows[turn.chosen, -1].astype(np.float64)
            found[turn.chosen, 0] = last - (states["short"] - states["long"])
        return found
