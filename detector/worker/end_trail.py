"""For how long the end of a partition has been beyond a position, without a look at any timestamp of a record."""

from __future__ import annotations

from collections import deque
from itertools import islice

_MOST_LOOKS = 1024


class EndTrail:
    """Where a partition ended at each look, as far back as a reader may still be.

    Timestamps of records are of no use for this: a topic that holds the past, such as one that was filled from files,
    would be years behind. The answer is a lower bound: nothing is known of the time before the first look, and between
    two looks the end may have moved early. Where a reader stays far behind, every second look is forgotten once they
    are too many.

    Args:
        most_looks: How many are remembered.
    """

    __slots__ = ("_looks", "_most_looks")

    def __init__(self, most_looks: int = _MOST_LOOKS) -> None:
        self._most_looks = most_looks
        self._looks: deque[tuple[float, int]] = deque()

    def note(self, end: int, now: float) -> None:
        """Note where the partition ends.

        Args:
            end: Offset behind its last record.
            now: Monotonic seconds, not before those of the call before.
        """
        looks = self._looks
        if looks and end < looks[-1][1]:
            looks.clear()  # the topic was made anew
        if not looks or end > looks[-1][1]:
            looks.append((now, end))
        if len(looks) > self._most_looks:
            # The first stays: it is the answer for a reader that has not moved at all.
            self._looks = deque(islice(looks, 0, None, 2))

    def seconds_behind(self, position: int, now: float) -> float:
        """For how long the end has been beyond a position; 0 when it is not.

        Args:
            position: Offset of the next record to be read, not before that of the call before.
            now: Monotonic seconds.
        """
        looks = self._looks
        while looks and looks[0][1] <= position:
            looks.popleft()
        return now - looks[0][0] if looks else 0.0
