"""How fast records are published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

_NS_PER_SECOND = 1_000_000_000


class Pace(Protocol):
    """When a record is due."""

    def due_seconds(self, index: int, time_ns: int) -> float:
        """Seconds after the first record.

        Args:
            index: Records before this one.
            time_ns: Event time of the record.
        """


@dataclass(frozen=True, slots=True)
class Unpaced:
    """As fast as the broker takes them."""

    def due_seconds(self, index: int, time_ns: int) -> float:  # noqa: ARG002 - part of the protocol
        """Always at once."""
        return 0.0


@dataclass(frozen=True, slots=True)
class AtRate:
    """Evenly, so many a second, whatever the event times are."""

    records_per_second: float

    def due_seconds(self, index: int, time_ns: int) -> float:  # noqa: ARG002 - part of the protocol
        """See `Pace`."""
        return index / self.records_per_second


@dataclass(frozen=True, slots=True)
class AtSpeed:
    """As the events happened, so many times as fast.

    Attributes:
        first_time_ns: Event time of the first record.
        speed: 1 is real time, 60 an hour in a minute.
    """

    first_time_ns: int
    speed: float

    def due_seconds(self, index: int, time_ns: int) -> float:  # noqa: ARG002 - part of the protocol
        """See `Pace`; a record whose time goes back is due at once."""
        return max(0.0, (time_ns - self.first_time_ns) / _NS_PER_SECOND / self.speed)
