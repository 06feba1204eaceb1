"""Where a challenger keeps what it carries along each series: in memory, begun with it and lost with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from detector.series.carried import States, StateType

_FIRST = 64


class Places:
    """One record a series, in one array that grows.

    Args:
        dtype: Of a record; None: nothing is carried, and no series is remembered.
    """

    def __init__(self, dtype: StateType | None) -> None:
        self.states: States | None = None if dtype is None else np.zeros(_FIRST, dtype)
        self._slots: dict[str, int] = {}
        self._free: list[int] = []

    def of(self, series: Sequence[str]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
        """Place of each window's series, and whether an earlier window of that series was seen.

        Args:
            series: Of windows, in order; may repeat.
        """
        if self.states is None:
            return np.zeros(len(series), np.int32), np.ones(len(series), np.bool_)
        slots = np.empty(len(series), np.int32)
        known = np.ones(len(series), np.bool_)
        for index, name in enumerate(series):
            slot = self._slots.get(name)
            if slot is None:
                slot = self._slots[name] = self._free.pop() if self._free else len(self._slots)
                known[index] = False
            slots[index] = slot
        if len(self._slots) + len(self._free) > len(self.states):
            grown = np.zeros(2 * (len(self._slots) + len(self._free)), self.states.dtype)
            grown[: len(self.states)] = self.states
            self.states = grown
        return slots, known

    def forget(self, series: str) -> None:
        """Give the place of a series that is gone to another one."""
        slot = self._slots.pop(series, None)
        if slot is not None:
            self._free.append(slot)
