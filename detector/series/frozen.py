"""For how many samples each channel of a series has kept exactly one value, and which have kept it for too long.

A run counts samples in which the channel was observed. What is missing, in a sample or between two, neither ends a run
nor makes it longer, and neither does a pause: a sensor that hangs before and after an outage hangs. So the count
depends on the values and their order alone, and the limits that training data sets (`models.habits`) count alike.

A row costs one comparison of lists while nothing moves or everything does, and one pass over its channels otherwise;
whether anything is frozen is only looked at when the first channel may have reached its limit.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from operator import eq
from typing import NamedTuple

import numpy as np

from detector.series.packing import pack_integers, unpack_integers

_NOTHING: frozenset[str] = frozenset()
_FAR = 1 << 62
_NEW = -1
_HEAD = struct.Struct("<Bq")
_VERSION = 1


Mark = tuple[int, int, int]
"""The row with which a value came: its number among the series' rows, moved on by each row in which the channel is
missing; its event time; and its record. A plain tuple, since one is made with nearly every row."""

_UNSEEN: Mark = (_FAR, 0, 0)


@dataclass(frozen=True, slots=True)
class FreezeLimits:
    """How many samples a channel may keep its value.

    Attributes:
        usual: One for each channel; infinity for one that is not watched.
        of: The same for series that are known to be calmer or livelier.
    """

    usual: tuple[float, ...]
    of: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def series(self, name: str) -> tuple[float, ...]:
        """The limits of a series."""
        return self.of.get(name, self.usual)


class FrozenChannel(NamedTuple):
    """A channel that has kept its value for too long.

    Attributes:
        channel: Index.
        value: Its value.
        samples: For so many.
        limit: More than this many are too many.
        since_ns: Event time of the first of them.
        first_offset: Record of the first of them.
    """

    channel: int
    value: float
    samples: int
    limit: float
    since_ns: int
    first_offset: int


class FreezeNotice(NamedTuple):
    """Which channels of a series are frozen as of a row; told for each row as long as there are any, and once after.

    Attributes:
        series: Name.
        time_ns: Event time of the row.
        held_ns: Event time of the row before it.
        offset: Record that completed the row.
        after_window: How many of the pending windows precede it.
        channels: In the model's order; empty when none is frozen any more.
        before: The same as of the row before.
    """

    series: str
    time_ns: int
    held_ns: int
    offset: int
    after_window: int
    channels: tuple[FrozenChannel, ...]
    before: tuple[FrozenChannel, ...]


class Runs:
    """Of one series.

    Attributes:
        row: Number of its last row.
        last: Latest value of each channel; NaN while it was never observed.
        begun: Where the run of each channel began.
        limits: Of each channel.
        look_at: Before this row no channel can be frozen.
        told: The channels that were frozen at the last row.
        held_ns: Event time of the last row.
    """

    __slots__ = ("begun", "held_ns", "last", "limits", "look_at", "row", "told")

    def __init__(self, limits: tuple[float, ...]) -> None:
        self.row = 0
        self.last: Sequence[float] = [math.nan] * len(limits)
        self.begun: list[Mark] = [_UNSEEN] * len(limits)
        self.limits = limits
        self.look_at: float = 0
        self.told: tuple[FrozenChannel, ...] = ()
        self.held_ns = 0


class FreezeWatch:
    """Follows the channels of all series in memory.

    Args:
        limits: Of the stream.

    Attributes:
        notices: In the order of the rows; whoever takes them empties the list.
        attended: Series of which a notice is wanted with every row, since an incident of theirs is open.
    """

    def __init__(self, limits: FreezeLimits) -> None:
        self.notices: list[FreezeNotice] = []
        self.attended: Collection[str] = _NOTHING
        self._limits = limits
        self._runs: dict[int, Runs] = {}

    def append(
        self, slot: int, series: str, time_ns: int, values: Sequence[float], offset: int, after_window: int
    ) -> None:
        """Take the next row of a series.

        Args:
            slot: Where the series lives.
            series: Its name.
            time_ns: Event time of the row.
            values: A list of one float for each channel, NaN where missing; kept, and not to be changed any more.
            offset: Of the record that completed the row.
            after_window: How many windows were pending before it.
        """
        runs = self._runs.get(slot)
        if runs is None:
            runs = self._runs[slot] = Runs(self._limits.series(series))
        row = runs.row = runs.row + 1
        last = runs.last
        total = sum(values)
        if total != total:
            self._miss(runs, (row, time_ns, offset), values)
        elif values != last:
            mark = (row, time_ns, offset)
            runs.last = values
            if True in map(eq, values, last):
                begun = zip(values, last, runs.begun, strict=True)
                runs.begun = [before if value == held else mark for value, held, before in begun]
            else:
                runs.begun = [mark] * len(values)
        attended = self.attended
        if row >= runs.look_at or runs.told or (attended and series in attended):
            channels = self._frozen(runs)
            if channels or runs.told or series in attended:
                self.notices.append(
                    FreezeNotice(series, time_ns, runs.held_ns, offset, after_window, channels, runs.told)
                )
            runs.told = channels
        runs.held_ns = time_ns

    def _miss(self, runs: Runs, mark: Mark, values: Sequence[float]) -> None:
        """A row in which channels are missing; or infinite, which only looks like it."""
        last, begun = list(runs.last), list(runs.begun)
        for index, value in enumerate(values):
            if value != value:
                # Time stands still for a channel that is missing.
                row, time_ns, offset = begun[index]
                if row < _FAR:
                    begun[index] = (row + 1, time_ns, offset)
            elif value != last[index]:
                last[index], begun[index] = value, mark
        runs.last, runs.begun = last, begun

    def _frozen(self, runs: Runs) -> tuple[FrozenChannel, ...]:
        row, found, look_at = runs.row, [], math.inf
        for index, (limit, (begun, time_ns, offset)) in enumerate(zip(runs.limits, runs.begun, strict=True)):
            if row - begun + 1 > limit:
                found.append(FrozenChannel(index, runs.last[index], row - begun + 1, limit, time_ns, offset))
            # A channel that moves or is missing only comes later than this; one that was never seen begins now at best.
            look_at = min(look_at, (row if begun >= _FAR else begun) + limit - 1)
        runs.look_at = look_at
        return tuple(found)

    def drop(self, slot: int) -> None:
        """Forget the series of a slot."""
        self._runs.pop(slot, None)

    def pack(self, slot: int) -> bytes:
        """What is known of a series; empty when nothing is."""
        runs = self._runs.get(slot)
        if runs is None:
            return b""
        marks = [
            (_NEW, 0, 0) if row >= _FAR else (runs.row - row, time_ns, offset) for row, time_ns, offset in runs.begun
        ]  # fmt: skip
        values = np.array(runs.last, "<f8").tobytes()
        return _HEAD.pack(_VERSION, runs.held_ns) + values + pack_integers(np.array(marks, np.int64).reshape(-1, 3))

    def parse(self, series: str, data: bytes) -> Runs | None:
        """Read what `pack` gave, for `adopt`; of another stream's limits the new ones count.

        Raises:
            ValueError: the data is damaged.
        """
        if not data:
            return None
        limits = self._limits.series(series)
        channels, head = len(limits), _HEAD.size
        if data[0] != _VERSION or len(data) < head + 8 * channels:
            raise ValueError("runs of equal values do not fit the channels")
        _, held_ns = _HEAD.unpack_from(data)
        numbers = unpack_integers(data[head + 8 * channels :], 3, channels)
        marks = np.frombuffer(numbers, "<i8").reshape(-1, 3)
        if len(marks) != channels or (marks[:, 0] < _NEW).any():
            raise ValueError("runs of equal values do not fit the channels")
        runs = Runs(limits)
        runs.held_ns = held_ns
        runs.last = np.frombuffer(data, "<f8", channels, head).tolist()
        # Rows are numbered from the last one; only differences count.
        runs.begun = [_UNSEEN if ago == _NEW else (-ago, time_ns, offset) for ago, time_ns, offset in marks.tolist()]
        runs.told = self._frozen(runs)
        return runs

    def adopt(self, slot: int, runs: Runs) -> None:
        """Go on with a series that came back to memory."""
        self._runs[slot] = runs
