"""Sinks of a replay that remember when a series was scored, and where highest."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detector.pipeline.outcome import ScoreRows
from detector.replay import Taken


class HighestScore:
    """A sink of a replay that remembers where a series scored highest.

    Args:
        series: Name.

    Attributes:
        time_ns: Event time of that sample, or None.
    """

    def __init__(self, series: str) -> None:
        self._series = series
        self._highest = -np.inf
        self.time_ns: int | None = None

    def take(self, taken: Taken) -> None:
        """See `detector.replay.ReplaySink`."""
        for rows in taken.scores:
            mine = _scored(rows, self._series)
            if mine.any():
                index = int(np.argmax(np.where(mine, rows.score, -np.inf)))
                if rows.score[index] > self._highest:
                    self._highest, self.time_ns = float(rows.score[index]), int(rows.time_ns[index])


class ScoredTimes:
    """A sink of a replay that remembers when a series was scored.

    Args:
        series: Name.

    Attributes:
        found_ns: Event times of the first and the last sample with a score, or None.
    """

    def __init__(self, series: str) -> None:
        self._series = series
        self.found_ns: tuple[int, int] | None = None

    def take(self, taken: Taken) -> None:
        """See `detector.replay.ReplaySink`."""
        for rows in taken.scores:
            mine = _scored(rows, self._series)
            if mine.any():
                times = rows.time_ns[mine]
                before = self.found_ns or (int(times[0]), int(times[0]))
                self.found_ns = min(before[0], int(times.min())), max(before[1], int(times.max()))


def _scored(rows: ScoreRows, series: str) -> npt.NDArray[np.bool_]:
    """Which rows are of the series and have a score."""
    return np.array([name == series for name in rows.series], np.bool_) & ~np.isnan(rows.score)
