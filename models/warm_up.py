"""The scale of a series that training never saw, measured on its own first samples.

One model serves many series, which differ in level and range more than in behaviour. A series that joins later gets a
centre and a scale of its own from its first samples, and is judged from then on; the measurement is then fixed, or a
slow fault would become the normal. After a long gap it begins anew, as everything that is carried along a series does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.memory import Int, Memory, StateType

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]

LEAST_SHARE = 0.1
"""A scale is at least this share of the usual one: a channel that happened to rest meanwhile is not to alarm at its
first ordinary move."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Scales for a batch of windows.

    Attributes:
        ready: bool[n]; False while too little was seen.
        first: bool[n]; True for the first window of its series that is ready.
        centre: float64[n, channels].
        scale: float64[n, channels].
    """

    ready: Bool
    first: Bool
    centre: Float64
    scale: Float64


class WarmUp:
    """Measures mean and deviation of each channel over the first samples of a series (Welford, 1962).

    Args:
        samples: How many are looked at before the series is judged.
        centre: float64[channels], of all series together; for channels never observed meanwhile.
        scale: float64[channels], of all series together; for those and for channels that did not move.
    """

    def __init__(self, samples: int, centre: Float64, scale: Float64) -> None:
        self._samples = samples
        self._centre, self._scale = centre, scale
        channels = centre.size
        self.state_dtype: StateType = np.dtype(
            [
                ("rows", "<i4"),
                ("seen", "<i4", (channels,)),
                ("mean", "<f8", (channels,)),
                ("squares", "<f8", (channels,)),
            ]
        )

    def measure(self, values: Float64, chosen: Int, memory: Memory) -> Measured:
        """Look at the new rows of some windows of a batch.

        Args:
            values: float64[n, window, channels] of the whole batch, in the channels' own units, NaN where missing.
            chosen: int[m]; which windows.
            memory: Of the whole batch.

        Returns:
            For the ``m`` windows.
        """
        count, length = len(chosen), values.shape[1]
        measured = Measured(
            np.zeros(count, np.bool_), np.zeros(count, np.bool_),
            np.empty((count, values.shape[2])), np.empty((count, values.shape[2])),
        )  # fmt: skip
        mine = Memory(memory.states, memory.slots[chosen], memory.steps[chosen])
        for turn in mine.rounds():
            states = mine.states[mine.slots[turn]]
            steps = mine.steps[turn]
            states[steps <= 0] = np.zeros((), states.dtype)
            new = np.where((steps <= 0) | (steps > length), length, steps)
            was_ready = states["rows"] >= self._samples
            for back in range(int(new.max(initial=0)), 0, -1):
                going = np.flatnonzero((new >= back) & (states["rows"] < self._samples))
                if going.size:
                    part = states[going]
                    _take_in(part, values[chosen[turn[going]], -back])
                    states[going] = part
            mine.states[mine.slots[turn]] = states
            measured.ready[turn] = states["rows"] >= self._samples
            measured.first[turn] = measured.ready[turn] & ~was_ready
            measured.centre[turn], measured.scale[turn] = self.scale(states)
        return measured

    def scale(self, states: npt.NDArray[np.void]) -> tuple[Float64, Float64]:
        """Centre and scale, float64[n, channels], as measured so far."""
        seen = states["seen"]
        deviation = np.sqrt(states["squares"] / np.maximum(seen, 1))
        # A value near the end of float64 overflows: it measures nothing, and would blind the channel for good.
        measured = (seen > 0) & np.isfinite(states["mean"]) & np.isfinite(deviation)
        centre = np.where(measured, states["mean"], self._centre)
        moved = measured & (deviation > 0)
        return centre, np.where(moved, np.maximum(deviation, LEAST_SHARE * self._scale), self._scale)


def _take_in(states: npt.NDArray[np.void], rows: Float64) -> None:
    known = np.isfinite(rows)
    states["rows"] += 1
    states["seen"] += known
    with np.errstate(over="ignore", invalid="ignore"):  # see `WarmUp.scale`
        difference = np.where(known, rows - states["mean"], 0.0)
        states["mean"] += difference / np.maximum(states["seen"], 1)
        states["squares"] += np.where(known, difference * (rows - states["mean"]), 0.0)
