"""What happened around the incidents of two models that look at one history, as both of them saw it."""

from __future__ import annotations

from detector.replay import Taken
from detector.stretches.recorder import Recorder


class SideBySide:
    """Two recorders, each of which remembers the incidents of both models.

    It is a sink of the replay, and `challenger` is one of what the challenger finds in the same records, later.

    Args:
        own: Watches the model that is replayed.
        other: Watches the challenger.
    """

    def __init__(self, own: Recorder, other: Recorder) -> None:
        self._own, self._other = own, other
        self._taken: Taken | None = None

    def take(self, taken: Taken) -> None:
        """See `detector.replay.ReplaySink`."""
        self._taken = taken

    @property
    def challenger(self) -> _Challenger:
        """The sink of the challenger."""
        return _Challenger(self)

    def settle(self, found: Taken) -> None:
        """Take what both have found in the same records."""
        taken, self._taken = self._taken, None
        if taken is None:
            return
        self._own.note(taken.partition, (event for _, event in found.events))
        self._other.note(taken.partition, (event for _, event in taken.events))
        self._own.take(taken)
        self._other.take(found)


class _Challenger:
    def __init__(self, both: SideBySide) -> None:
        self._both = both

    def take(self, taken: Taken) -> None:
        """See `detector.replay.ReplaySink`."""
        self._both.settle(taken)
