"""Walking over the rows that are new in each window of a batch, every series in its order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from models.memory import Int, Memory, States

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


class Turn:
    """Windows of a batch, each of another series, and the states of these.

    Attributes:
        chosen: int[m]; which windows.
        anew: bool[m]; whether the series begins with this window.
        states: Structured array [m], a copy.
    """

    def __init__(self, windows: Float32, memory: Memory, chosen: Int) -> None:
        self.chosen = chosen
        self.states: States = memory.states[memory.slots[chosen]]
        steps, length = memory.steps[chosen], windows.shape[1]
        self.anew: Bool = (steps <= 0) | (steps > length)
        self.states[self.anew] = np.zeros((), self.states.dtype)
        self._new = np.where(self.anew, length, steps)
        self._windows = windows

    @property
    def longest(self) -> int:
        """How many rows the window with most new ones has."""
        return int(self._new.max(initial=0))

    def rows(self) -> Iterator[tuple[Int, Float64]]:
        """Row by row: int[k], which of the windows have one; and float64[k, channels]."""
        for back in range(self.longest, 0, -1):
            going = np.flatnonzero(self._new >= back)
            yield going, self._windows[self.chosen[going], -back].astype(np.float64)


def turns(windows: Float32, memory: Memory) -> Iterator[Turn]:
    """Round by round; what the caller leaves in the states is kept."""
    for chosen in memory.rounds():
        turn = Turn(windows, memory, chosen)
        yield turn
        memory.states[memory.slots[chosen]] = turn.states
