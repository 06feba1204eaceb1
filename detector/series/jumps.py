"""Steps far ahead in time that no second sample has confirmed yet.

One wrong clock reading must not empty a window or move a watermark, while a device that really was off for a year must
come back. So the first sample beyond the limit is refused and remembered, and the next one decides. Another sample of
the *same reading* decides nothing: a resend, or the other channels of a tall sample, repeat one and the same clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Jump:
    """An unconfirmed step ahead.

    Attributes:
        time_ns: Event time that was refused.
        since_ns: Watermark at that moment, from which on the jump of an unknown series ages.
    """

    time_ns: int
    since_ns: int


class Jumps:
    """Remembers at most one unconfirmed jump of a series.

    Args:
        max_jump_ns: How near to the remembered time the confirming sample must lie, before or after.
        min_apart_ns: Samples nearer than this are one reading.

    Attributes:
        of: The jump of each series that has one.
        strangers: Those among them that were never accepted; nothing else is held of these series.
    """

    __slots__ = ("_max_jump_ns", "_min_apart_ns", "of", "strangers")

    def __init__(self, max_jump_ns: int, min_apart_ns: int) -> None:
        self._max_jump_ns = max_jump_ns
        self._min_apart_ns = min_apart_ns
        self.of: dict[str, Jump] = {}
        # A dictionary for its order: names are listed the same way in every process.
        self.strangers: dict[str, None] = {}

    def remember(self, series: str, jump: Jump, stranger: bool) -> None:
        """Remember a jump in place of an earlier one."""
        self.of[series] = jump
        if stranger:
            self.strangers[series] = None

    def drop(self, series: str) -> None:
        """Remember none for a series any more."""
        if self.of.pop(series, None) is not None:
            self.strangers.pop(series, None)

    def confirm(self, series: str, time_ns: int, since_ns: int, stranger: bool) -> bool:
        """Whether a sample beyond the limit is confirmed by the one before it; if not, it is remembered.

        Args:
            series: Name.
            time_ns: Event time of the sample.
            since_ns: The watermark.
            stranger: Whether the series was never accepted.
        """
        before = self.of.get(series)
        if before is not None:
            distance_ns = abs(time_ns - before.time_ns)
            if distance_ns < self._min_apart_ns:
                return False
            if distance_ns <= self._max_jump_ns:
                self.drop(series)
                return True
        self.remember(series, Jump(time_ns, since_ns), stranger)
        return False

    def aged(self, before_ns: int) -> Iterator[str]:
        """Strangers whose jump was remembered while the watermark was below ``before_ns``."""
        return (series for series in self.strangers if self.of[series].since_ns < before_ns)
