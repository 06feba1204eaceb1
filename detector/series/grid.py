"""The event-time grid: where a sample belongs in its series' sequence of rows.

Rows are numbered by integer keys. With a period, the key is the number of periods since the anchor, the time of the
first sample after a reset; without one, it is the event time itself. Everything is integer arithmetic: nanoseconds
since the epoch do not fit a float.
"""

from __future__ import annotations

from detector.series.spec import WindowSpec

_UNLIMITED = 1 << 100


class Grid:
    """Turns times into keys, and the durations of a spec into distances between keys.

    Attributes:
        fills: Whether keys are steps of a period, so that missing rows can be told and filled.
        max_step: Greatest distance from one row to the next that is not a gap.
        wait: An assembled row is closed once a row this much later has begun; at least 1, that is any later row.
        min_apart_ns: Two samples nearer than this in time belong to one reading.
    """

    __slots__ = ("_period_ns", "_twice_ns", "fills", "max_step", "min_apart_ns", "wait")

    def __init__(self, spec: WindowSpec) -> None:
        period_ns = spec.period_ns
        self._period_ns = period_ns or 0
        self._twice_ns = 2 * self._period_ns
        self.fills = period_ns is not None
        if period_ns is None:
            self.max_step = _UNLIMITED
            self.wait = max(1, spec.lateness_ns)
            self.min_apart_ns = 1
        else:
            self.max_step = spec.max_gap_steps + 1
            self.wait = max(1, -(-spec.lateness_ns // period_ns))
            self.min_apart_ns = (period_ns + 1) // 2

    def is_gap(self, elapsed_ns: int) -> bool:
        """Whether two rows so far apart in time have a gap between them wherever the grid begins."""
        return self.fills and elapsed_ns // self._period_ns > self.max_step

    def key(self, time_ns: int, anchor_ns: int) -> int:
        """Key of the row nearest to ``time_ns``; a time half-way between two rows goes to the later one."""
        if not self.fills:
            return time_ns
        return (2 * (time_ns - anchor_ns) + self._period_ns) // self._twice_ns
