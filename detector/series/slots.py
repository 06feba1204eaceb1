"""Which series lives in which slot, and the few numbers that each needs, as columns indexed by slot.

Columns are lists of Python integers on purpose: they are read and written one at a time, once per sample, where a list
is several times faster than an array.
"""

from __future__ import annotations

from collections.abc import Iterator

from detector.series.carried import FRESH

# Key of a series that has no row since its last reset.
NO_KEY = -(1 << 100)
# Dictionary entry, name and boxed integers of one series, measured with tracemalloc.
BYTES_PER_SERIES = 256


class Slots:
    """Gives slots to series and takes them back.

    Attributes:
        of: Slot of each series held.
        name: Series of each slot; empty when the slot is free.
        last_ns: Greatest event time accepted.
        anchor_ns: Event time at which the grid of the series begins.
        key: Key of the last row, or `NO_KEY`.
        rows: Rows since the last reset, filled ones included, up to the window's length.
        phase: Observed rows since the last window was due, from 0 to stride - 1.
        since: Rows since the last window was handed out, filled ones included; `FRESH` when there was none since the
            last reset, or none that the model has read.
    """

    __slots__ = ("_free", "anchor_ns", "key", "last_ns", "name", "of", "phase", "rows", "since")

    def __init__(self) -> None:
        self.of: dict[str, int] = {}
        self.name: list[str] = []
        self.last_ns: list[int] = []
        self.anchor_ns: list[int] = []
        self.key: list[int] = []
        self.rows: list[int] = []
        self.phase: list[int] = []
        self.since: list[int] = []
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self.of)

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """Series and slot of everything held."""
        return iter(self.of.items())

    def take(self, series: str, time_ns: int) -> int:
        """A slot for a new series whose grid begins at ``time_ns``; it has no row yet."""
        if self._free:
            slot = self._free.pop()
            self.name[slot] = series
            self.last_ns[slot] = time_ns
        else:
            slot = len(self.name)
            self.name.append(series)
            self.last_ns.append(time_ns)
            for column in (self.anchor_ns, self.key, self.rows, self.phase, self.since):
                column.append(0)
        self.of[series] = slot
        self.restart(slot, time_ns)
        return slot

    def restart(self, slot: int, time_ns: int) -> None:
        """Empty the window of a series and begin its grid anew at ``time_ns``."""
        self.anchor_ns[slot] = time_ns
        self.key[slot] = NO_KEY
        self.rows[slot] = 0
        self.phase[slot] = 0
        self.since[slot] = FRESH

    def give_back(self, slot: int) -> None:
        """Forget the series of a slot."""
        del self.of[self.name[slot]]
        self.name[slot] = ""
        self._free.append(slot)

    @property
    def memory_bytes(self) -> int:
        """What names and columns take, about."""
        return len(self.name) * BYTES_PER_SERIES
