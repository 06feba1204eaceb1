"""Topics that get further partitions while the worker runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from detector.errors import StateMismatchError

_LOOK_EVERY_SECONDS = 5.0


class PartitionCounts:
    """Number of partitions of each input topic, as it was when the worker started.

    Args:
        counts: By topic.
        now: The number now, as far as the client knows.
        monotonic: Clock for intervals.
    """

    def __init__(
        self, counts: Mapping[str, int], now: Callable[[str], int], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._counts = counts
        self._now = now
        self._monotonic = monotonic
        self._last_look = monotonic()

    def of(self, topic: str) -> int:
        """The number at the start."""
        return self._counts[topic]

    def look(self) -> None:
        """Compare every topic with what the client knows, every five seconds.

        Raises:
            StateMismatchError: as `check` says.
        """
        if self._monotonic() - self._last_look < _LOOK_EVERY_SECONDS:
            return
        self._last_look = self._monotonic()
        for topic in self._counts:
            self.check(topic, self._now(topic))

    def check(self, topic: str, partitions: int) -> None:
        """A topic has at least so many partitions.

        Raises:
            StateMismatchError: these are more than there were at the start.
        """
        count = self._counts[topic]
        if partitions > count:
            raise StateMismatchError(
                f"topic {topic} has {partitions} partitions now, and had {count} when this worker started. Start it "
                "again: it then checks whether the other topics have enough partitions, and what becomes of the keys "
                "that moved (worker.on_new_partitions)"
            )
