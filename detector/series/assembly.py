"""Rows put together from tall samples, one channel at a time, by event time.

A row is closed when all its channels are there, or when a row far enough ahead has begun. Rows are closed in the order
of their keys: a complete row waits for an earlier one that still may grow.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from math import nan
from operator import attrgetter

from detector.records.values import TallSample

_key_of = attrgetter("key")


class Verdict(Enum):
    """What became of a tall sample."""

    TAKEN = "taken"
    LATE = "late"
    DUPLICATE = "duplicate"


class AssemblyRules:
    """What all series of a stream share.

    Args:
        channels: Number of channels of a row.
        wait: Distance between keys, at least 1, after which the earlier row is closed.

    Attributes:
        full_mask: Mask of a complete row.
    """

    __slots__ = ("channels", "full_mask", "wait")

    def __init__(self, channels: int, wait: int) -> None:
        self.channels = channels
        self.wait = wait
        self.full_mask = (1 << channels) - 1


@dataclass(slots=True)
class OpenRow:
    """A row that is being assembled.

    Attributes:
        key: Its place on the grid.
        time_ns: Greatest event time of its samples.
        first_offset: Of its first record.
        mask: Bit c is set when channel c came, be it NaN.
        values: One float per channel; NaN where it did not come.
    """

    key: int
    time_ns: int
    first_offset: int
    mask: int
    values: list[float]


@dataclass(slots=True)
class Assembly:
    """The open rows of one series, by ascending key, and which channels its last closed row had."""

    rows: list[OpenRow] = field(default_factory=list)
    last_mask: int = 0

    def newest_key(self, last_key: int) -> int:
        """Greatest key that the series has reached, given the key of its last closed row."""
        return self.rows[-1].key if self.rows else last_key

    def put(self, key: int, last_key: int, sample: TallSample, offset: int, rules: AssemblyRules) -> Verdict:
        """Put one channel into its row.

        Args:
            key: The row's.
            last_key: Key of the last closed row.
            sample: NaN as its value says that the channel came without one.
            offset: Of the record.
            rules: Of the stream.
        """
        rows, bit = self.rows, 1 << sample.channel
        if key <= last_key:
            return Verdict.DUPLICATE if key == last_key and self.last_mask & bit else Verdict.LATE
        at = len(rows) - 1 if rows and rows[-1].key == key else bisect_left(rows, key, key=_key_of)
        if at < len(rows) and rows[at].key == key:
            row = rows[at]
            if row.mask & bit:
                return Verdict.DUPLICATE
            row.mask |= bit
            row.values[sample.channel] = sample.value
            row.time_ns = max(row.time_ns, sample.time_ns)
            return Verdict.TAKEN
        if self.newest_key(last_key) - key >= rules.wait:
            return Verdict.LATE
        values = [nan] * rules.channels
        values[sample.channel] = sample.value
        rows.insert(at, OpenRow(key, sample.time_ns, offset, bit, values))
        return Verdict.TAKEN

    def close(self, rules: AssemblyRules) -> Iterator[OpenRow]:
        """Take out, in order, the rows that are complete or have waited long enough."""
        rows = self.rows
        while rows and (rows[0].mask == rules.full_mask or rows[-1].key - rows[0].key >= rules.wait):
            yield self._close_first()

    def close_all(self) -> Iterator[OpenRow]:
        """Take out all rows in order, complete or not; what comes next is on another grid."""
        while self.rows:
            yield self._close_first()

    def _close_first(self) -> OpenRow:
        # A later row may have begun earlier. With the smallest offset of all that are open, the first row of a window
        # tells the oldest record of the whole window.
        oldest = min(row.first_offset for row in self.rows)
        row = self.rows.pop(0)
        row.first_offset = oldest
        self.last_mask = row.mask
        return row
