"""How many records to ask for in one poll, so that processing them takes about as long as it should."""

from __future__ import annotations

_TARGET_SECONDS = 1.0
_TARGET_SHARE = 0.05
_FIRST_RECORDS = 500
_GROWTH = 4
_KEPT = 0.5


def target_seconds(max_poll_interval_seconds: float) -> float:
    """How long one poll's records may take to process: a second, or a twentieth of the poll interval if that is less.

    A second is long enough for full batches, and short enough for a rebalance or SIGTERM to be answered soon.
    """
    return min(_TARGET_SECONDS, _TARGET_SHARE * max_poll_interval_seconds)


class PollSize:
    """Follows the measured processing time.

    The estimate is seconds over records of recent polls, both fading by half with every poll. A poll thus counts by its
    size: the fixed cost of a handful of records says little about what thousands cost. The first poll pays for lazily
    prepared things and is forgotten with the second. Since records are bounded by what the estimate says, a scorer that
    becomes slow is answered with the very next poll, and one that recovers within a few.

    Args:
        most: Never more records than this (``worker.max_poll_records``).
        target_seconds: Time that one poll's records should take at most.
    """

    def __init__(self, most: int, target_seconds: float) -> None:
        self._most = most
        self._target_seconds = target_seconds
        self._seconds = self._weight = 0.0
        self._polls = 0
        self._records = min(most, _FIRST_RECORDS)

    @property
    def records(self) -> int:
        """Most records that the next poll should bring: from 1 to ``most``."""
        return self._records

    def observe(self, records: int, seconds: float) -> None:
        """Take into account that ``records`` took so many ``seconds``; no records say nothing."""
        if records <= 0:
            return
        kept = 0.0 if self._polls == 1 else _KEPT
        self._polls += 1
        self._seconds = self._seconds * kept + seconds
        self._weight = self._weight * kept + records
        fits = self._most
        if self._seconds > 0:
            fits = int(min(self._target_seconds * self._weight / self._seconds, self._most))
        # One quick poll is no promise: growing goes step by step, shrinking at once.
        self._records = max(1, min(fits, self._records * _GROWTH))
