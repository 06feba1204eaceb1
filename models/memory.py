"""State that is carried along a series from window to window, for a batch of windows of many series.

The state of all series lies in one structured array, one row a series; a batch says which row belongs to each window.
A batch may hold several windows of one series, which depend on each other: they are worked off in rounds, none of
which has two of the same series. What a series comes to does not depend on how windows were put together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Int = npt.NDArray[np.integer[Any]]
States = npt.NDArray[np.void]
StateType = np.dtype[np.void]


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """Where the state of a batch's series is.

    Attributes:
        states: Structured array [places], updated in place.
        slots: int[n]; the place of each window's series.
        steps: int[n]; samples that are new since the series' window before this one. 0: there was none, or what came
            before is not to be continued; the state is then begun anew, whatever the place holds.
        times_ns: int64[n]; event time of each window's last sample, or None where nobody asks for it.
    """

    states: States
    slots: Int
    steps: Int
    times_ns: npt.NDArray[np.int64] | None = None

    def part(self, name: str) -> Memory:
        """The same places, seen through one field of the state."""
        return Memory(self.states[name], self.slots, self.steps, self.times_ns)

    def rounds(self) -> Iterator[Int]:
        """Indices of windows, in rounds: each series once a round, its windows in their order."""
        order = np.argsort(self.slots, kind="stable")
        ranked = self.slots[order]
        first = np.concatenate([[True], ranked[1:] != ranked[:-1]]) if len(ranked) else np.empty(0, np.bool_)
        starts = np.flatnonzero(first)
        turn = np.arange(len(ranked)) - np.repeat(starts, np.diff(np.append(starts, len(ranked))))
        turns = np.empty(len(ranked), np.int64)
        turns[order] = turn
        if len(ranked):
            by_turn = np.argsort(turns, kind="stable")
            yield from np.split(by_turn, np.cumsum(np.bincount(turns))[:-1])


def new_states(dtype: StateType, places: int) -> States:
    """States of series of which nothing is known yet."""
    return np.zeros(places, dtype)


def combine(**parts: StateType | None) -> StateType | None:
    """The type of a state that consists of the given ones, without those that are None; None if nothing is left.

    Packed, so that its bytes are the state and nothing else.
    """
    fields = [(name, dtype) for name, dtype in parts.items() if dtype is not None]
    return np.dtype(fields) if fields else None
