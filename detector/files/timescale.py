"""Other times for the rows of files: shifted, brought closer together, and going on when the rows begin again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detector.files.table import Table


@dataclass(frozen=True, slots=True)
class TimeScale:
    """Maps the times of rows to those that their records carry; order, gaps and proportions stay.

    Attributes:
        first_ns: Least time of the rows, nanoseconds since the epoch.
        start_ns: What that time becomes.
        factor: By how much times are brought closer together: of 60, an hour becomes a minute.
    """

    first_ns: int = 0
    start_ns: int = 0
    factor: int = 1

    def at(self, times_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The new times, int64 nanoseconds, of the same shape."""
        if self.factor == 1:  # as far as two times can be apart, their distance need not fit
            return times_ns + (self.start_ns - self.first_ns)
        return (times_ns - self.first_ns) // self.factor + self.start_ns

    def at_one(self, time_ns: int) -> int:
        """The new time of one row."""
        return (time_ns - self.first_ns) // self.factor + self.start_ns

    def later(self, lap_ns: int) -> TimeScale:
        """The same, so much later."""
        return TimeScale(self.first_ns, self.start_ns + lap_ns, self.factor)


def usual_step_ns(tables: Sequence[Table]) -> int:
    """The usual distance of times that follow each other in a file; 0 where no file has two different times.

    Raises:
        ConfigError: a file is damaged.
    """
    steps: list[npt.NDArray[np.int64]] = []
    for table in tables:
        chunk = next(table.times_only().chunks(), None)
        if chunk is not None:
            times_ns = np.sort(chunk.time_ns)
            distances = times_ns[1:] - times_ns[:-1]
            steps.append(distances[distances > 0])
    found = np.concatenate(steps) if steps else np.empty(0, np.int64)
    return int(np.median(found)) if found.size else 0
