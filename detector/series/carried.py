"""What a model carries along each series from window to window, by slot.

The store keeps it and does not look into it: one record of the scorer's own structure for each slot. A scorer reads and
writes it in place while it scores the windows of a batch, and begins anew with a window whose ``steps`` are 0. So a
record counts only once a window of its series was handed out since the series last began anew, and nothing has to be
cleared when a slot goes to another series: pending windows of the former one come first in the batch.

What counts is the record *after* the series' last window was scored. Whoever packs a series, or puts another one's
record into a slot, therefore sees to it that no windows are pending (`SeriesStore` does).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

States = npt.NDArray[np.void]
StateType = np.dtype[np.void]

FRESH = -1
"""Rows since the last window of a series that the model knows nothing of."""
TAG_BYTES = 16
_FIRST_SLOTS = 8


@dataclass(frozen=True, slots=True)
class MemoryLayout:
    """What one model keeps of a series.

    Attributes:
        dtype: Structure of a record, without objects; None: the model carries nothing.
        tag: Tells the records of one model and structure from all others; empty when nothing is carried.
    """

    dtype: StateType | None = None
    tag: bytes = b""

    @property
    def itemsize(self) -> int:
        """Bytes of a record."""
        return 0 if self.dtype is None else self.dtype.itemsize


NO_MEMORY = MemoryLayout()


def memory_layout(dtype: StateType | None, model: str) -> MemoryLayout:
    """The layout of a model's memory.

    Args:
        dtype: Of the scorer.
        model: Digest of the bundle.

    Raises:
        ValueError: the structure refers to objects, whose bytes mean nothing to another process.
    """
    if dtype is None:
        return NO_MEMORY
    if dtype.hasobject:
        raise ValueError(f"carried state of type {dtype} holds objects; it must be plain numbers")
    # With the structure: another release may keep something else for the same bundle.
    named = f"{model} {dtype.descr}".encode()
    return MemoryLayout(dtype, hashlib.blake2b(named, digest_size=TAG_BYTES).digest())


class Carried:
    """The records of all slots.

    Args:
        layout: Of a record.
        usual_slots: Room grows by doubling, but not past so many slots before they are really needed.

    Attributes:
        layout: As given.
        states: Structured array, one record a slot, with room for more; None when nothing is carried. It is another
            array whenever it has grown.
    """

    __slots__ = ("_usual_slots", "layout", "states")

    def __init__(self, layout: MemoryLayout, usual_slots: int | None = None) -> None:
        self.layout = layout
        self._usual_slots = usual_slots
        self.states: States | None = None if layout.dtype is None else np.zeros(_FIRST_SLOTS, layout.dtype)

    @property
    def memory_bytes(self) -> int:
        """Of the array, room for further slots included."""
        return 0 if self.states is None else self.states.nbytes

    def open(self, slot: int) -> None:
        """Make sure that there is a record for a slot; what it holds means nothing yet."""
        states = self.states
        if states is None or slot < len(states):
            return
        places = 2 * len(states)
        if self._usual_slots is not None and slot < self._usual_slots:
            places = min(places, self._usual_slots)
        grown = np.zeros(max(places, slot + 1), states.dtype)
        grown[: len(states)] = states
        self.states = grown

    def pack(self, slot: int) -> bytes:
        """The bytes of a slot's record; empty when nothing is carried."""
        return b"" if self.states is None else self.states[slot : slot + 1].tobytes()

    def load(self, slot: int, tag: bytes, data: bytes) -> bool:
        """Put a packed record into a slot that is open.

        Returns:
            False, and nothing is done, when it is another model's: the series then begins anew.
        """
        if tag != self.layout.tag or len(data) != self.layout.itemsize:
            return False
        if self.states is not None:
            self.states[slot : slot + 1] = np.frombuffer(data, self.states.dtype)
        return True
