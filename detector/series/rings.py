"""Raw values of all series in one array: a ring of rows for each slot, windows gathered many at a time.

Memory of a slot is ``(length + slack) * (channels + 1) * 8`` bytes, the extra column being the rows' offsets.
``slack``, a quarter of the length and at least 16 rows, is how far a series may run ahead of its oldest window not
gathered yet; when it would run further, all pending windows are gathered.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np

from detector.series.values import Float64, Int64

_LEAST_SLACK = 16
_FIRST_SLOTS = 8
# Rows wait in a list so that many are written in one go; this bounds the list while series warm up.
_MOST_WAITING = 4096
_NONE = 1 << 62


def slot_bytes(length: int, channels: int) -> int:
    """Memory of a slot."""
    return (length + _slack(length)) * (channels + 1) * 8


def _slack(length: int) -> int:
    return max(_LEAST_SLACK, length // 4)


class Rings:
    """Rows in, windows out. Slots are given by the caller, who keeps their numbers small.

    Args:
        length: Rows of a window.
        channels: Values of a row.
        capacity: Windows for which room is made once more than one gathering is needed; it grows if that is not enough.
        usual_slots: Room grows by doubling, but not past so many slots before they are really needed.
    """

    def __init__(self, length: int, channels: int, capacity: int, usual_slots: int | None = None) -> None:
        self._length = length
        self._channels = channels
        self._capacity = capacity
        self._slack = _slack(length)
        self._size = length + self._slack
        self._usual_rows = None if usual_slots is None else usual_slots * self._size
        self._values = np.empty((_FIRST_SLOTS * self._size, channels))
        self._offsets = np.empty(_FIRST_SLOTS * self._size, np.int64)
        self._steps = np.arange(length)
        # By slot: rows ever written, and that number at the oldest window not gathered yet.
        self._end: list[int] = []
        self._oldest: list[int] = []
        self._waiting_values = array("d")
        self._waiting_places: list[int] = []
        self._waiting_offsets: list[int] = []
        # Windows since the last `take`, and how many of them are gathered.
        self._window_slots: list[int] = []
        self._window_ends: list[int] = []
        self._gathered = 0
        self._block = np.empty((0, length, channels))
        self._start_offsets: list[Int64] = []

    @property
    def memory_bytes(self) -> int:
        """Of the arrays, room for further slots included."""
        return self._values.nbytes + self._offsets.nbytes + self._block.nbytes

    def push(self, slot: int, values: Sequence[float], offset: int) -> None:
        """Append a row to the ring of ``slot``; ``values`` has one float per channel and is copied."""
        end = self._end[slot]
        if end - self._oldest[slot] >= self._slack:
            self._gather()
        self._waiting_values.extend(values)
        self._waiting_places.append(slot * self._size + end % self._size)
        self._waiting_offsets.append(offset)
        self._end[slot] = end + 1
        if len(self._waiting_places) >= _MOST_WAITING:
            self._write()

    def mark(self, slot: int) -> None:
        """Let the last `length` rows of ``slot`` be a window of the next `take`."""
        end = self._end[slot]
        self._window_slots.append(slot)
        self._window_ends.append(end)
        if end < self._oldest[slot]:
            self._oldest[slot] = end

    def take(self) -> tuple[Int64, Int64, Float64]:
        """All marked windows, in the order in which they were marked, and none is marked any more.

        Returns:
            Slots int64[n]; offset of each window's oldest row int64[n]; values float64[n, length, channels], the
            caller's own.
        """
        self._gather()
        slots = np.array(self._window_slots, np.int64)
        starts = np.concatenate(self._start_offsets) if self._start_offsets else np.empty(0, np.int64)
        values = self._block[: len(slots)]
        self._window_slots.clear()
        self._window_ends.clear()
        self._start_offsets.clear()
        self._block = np.empty((0, self._length, self._channels))
        self._gathered = 0
        return slots, starts, values

    def open(self, slot: int) -> None:
        """Begin an empty ring in ``slot``, which is in use already, was released, or is the next after all others."""
        if slot == len(self._end):
            self._end.append(0)
            self._oldest.append(_NONE)
            if (slot + 1) * self._size > len(self._values):
                self._write()
                self._grow()
        self._end[slot] = 0

    def release(self, slot: int) -> None:
        """Give a ring back; its pending windows stay as they are."""
        if self._oldest[slot] != _NONE:
            self._gather()

    def load(self, slot: int, values: Float64, offsets: Int64) -> None:
        """Fill an empty ring with ``values`` float64[rows, channels] and ``offsets`` int64[rows], rows <= length."""
        self._write()  # rows of the slot's former owner may still be waiting
        base, rows = slot * self._size, len(values)
        self._values[base : base + rows] = values
        self._offsets[base : base + rows] = offsets
        self._end[slot] = rows

    def last(self, slot: int, rows: int) -> tuple[Float64, Int64]:
        """Copies of the last ``rows`` rows of a slot: values float64[rows, channels] and offsets int64[rows]."""
        self._write()
        end = self._end[slot]
        places = slot * self._size + np.arange(end - rows, end) % self._size
        return self._values[places], self._offsets[places]

    def _write(self) -> None:
        count = len(self._waiting_places)
        if not count:
            return
        places = np.array(self._waiting_places)
        # A place that occurs twice keeps the later row: NumPy documents that the last assignment stays.
        self._values[places] = np.frombuffer(self._waiting_values).reshape(count, self._channels)
        self._offsets[places] = self._waiting_offsets
        self._waiting_values = array("d")
        self._waiting_places.clear()
        self._waiting_offsets.clear()

    def _gather(self) -> None:
        self._write()
        done, total = self._gathered, len(self._window_ends)
        if done == total:
            return
        slots = np.array(self._window_slots[done:])
        first = (np.array(self._window_ends[done:]) - self._length) % self._size
        places = first[:, None] + self._steps
        places -= self._size * (places >= self._size)
        places += (slots * self._size)[:, None]
        self._make_room(total)
        np.take(self._values, places, axis=0, out=self._block[done:total], mode="clip")
        self._start_offsets.append(self._offsets[places[:, 0]])
        for slot in self._window_slots[done:]:
            self._oldest[slot] = _NONE
        self._gathered = total

    def _make_room(self, total: int) -> None:
        if total <= len(self._block):
            return
        # The first gathering of a batch is mostly its last, in `take`: then the block fits exactly.
        rows = total if total >= self._capacity else self._capacity
        block = np.empty((rows, self._length, self._channels))
        block[: self._gathered] = self._block[: self._gathered]
        self._block = block

    def _grow(self) -> None:
        rows = 2 * len(self._values)
        if self._usual_rows is not None and len(self._values) < self._usual_rows:
            rows = min(rows, self._usual_rows)
        values, offsets = np.empty((rows, self._channels)), np.empty(rows, np.int64)
        values[: len(self._values)] = self._values
        offsets[: len(self._offsets)] = self._offsets
        self._values, self._offsets = values, offsets
