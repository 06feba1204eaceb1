"""The samples of one incident, from some before it to some after it, in bounded memory.

A long incident is thinned by the idea of M4 (Jugel, Jerzak, Hackenbroich, Markl: M4: A Visualization-Oriented Time
Series Data Aggregation, VLDB 2014): time is cut into equal intervals, and of each the samples with the greatest and
with the least score stay, so that a line drawn through them has the peaks and troughs of the whole. Intervals only
double, hence what is left does not depend on how often it was thinned, and the peak is always among it. Beginning and
end stay as they are.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detector.alerting.events import Event
from detector.alerting.policy import SEVERITIES
from detector.alerting.timestamps import parse_time
from detector.stretches.samples import Samples

Int64 = npt.NDArray[np.int64]

BEFORE = 64
"""Samples before the start of an incident that are wanted."""
AFTER = 32
"""Samples behind its end that are wanted."""
MOST_SAMPLES = 512
"""A longer incident is thinned to at most so many."""


class Clip:
    """Gathers the samples of one incident.

    Args:
        event: The first one of the incident that is known.
        after: Samples behind the incident's end that are wanted.
        most: Samples are thinned to at most so many once there are twice as many; at least four times ``edge``.
        edge: Samples at either end that stay as they are.

    Attributes:
        event: The incident's latest.
    """

    def __init__(self, event: Event, after: int, most: int, edge: int) -> None:
        self.event = event
        self._after = after
        self._most = most
        self._edge = edge
        self._parts: list[Samples] = []
        self._places: list[Int64] = []
        self._count = 0
        self._complete = False

    @property
    def rank(self) -> tuple[int, float]:
        """How much the incident matters beside others, severity first."""
        return SEVERITIES.index(self.event.severity), self.event.peak_score_over_threshold

    @property
    def complete(self) -> bool:
        """Whether nothing more is wanted."""
        return self._complete

    @property
    def nbytes(self) -> int:
        """Memory of the samples."""
        return sum(part.nbytes for part in self._parts)

    @property
    def left_out(self) -> int:
        """How many samples were thinned out."""
        return self._count - len(self)

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def note(self, event: Event) -> None:
        """Take another event of the incident."""
        if event.sequence >= self.event.sequence:
            self.event = event

    def add(self, samples: Samples) -> None:
        """Take the next samples of the series; those far behind the incident's end are passed over."""
        if self._complete or not len(samples):
            return
        self._parts.append(samples)
        self._places.append(np.arange(self._count, self._count + len(samples)))
        self._count += len(samples)

    def settle(self) -> None:
        """Cut what lies too far behind the end, and thin what is too much; after `note` and `add`."""
        if self.event.closed_at is not None and not self._complete:
            self._cut(parse_time(self.event.closed_at))
        if len(self) > 2 * self._most:
            self._thin()

    def samples(self) -> Samples:
        """What there is."""
        return np.concatenate(self._parts)

    def _cut(self, closed_ns: int) -> None:
        samples, places = self._joined()
        stop = int(np.count_nonzero(samples["time_ns"] <= closed_ns)) + self._after
        if stop > len(samples):
            return
        self._parts, self._places = [samples[:stop].copy()], [places[:stop]]
        self._count = int(places[stop - 1]) + 1
        self._complete = True

    def _thin(self) -> None:
        samples, places = self._joined()
        interval = 1
        while 2 * (self._count // interval + 1) + 2 * self._edge > self._most:
            interval *= 2
        keep = kept(samples["score"], places // interval)
        keep[: self._edge] = keep[-self._edge :] = True
        self._parts, self._places = [samples[keep]], [places[keep]]

    def _joined(self) -> tuple[Samples, Int64]:
        return np.concatenate(self._parts), np.concatenate(self._places)


def kept(score: npt.NDArray[np.float64], interval: Int64) -> npt.NDArray[np.bool_]:
    """Which samples stay: of each interval those with the greatest and the least score.

    Args:
        score: float64[n]; NaN where unknown, which is neither, unless there is nothing else.
        interval: int64[n]; number of the interval of each, rising.

    Returns:
        bool[n].
    """
    keep = np.zeros(len(score), np.bool_)
    if not len(score):
        return keep
    ends = np.flatnonzero(np.r_[interval[1:] != interval[:-1], True])
    unknown, place = np.isnan(score), np.arange(len(score))
    for values in (np.where(unknown, -np.inf, score), np.where(unknown, -np.inf, -score)):
        # By interval, then by value: the last of each interval is its greatest, and of equals the first.
        keep[np.lexsort((-place, values, interval))[ends]] = True
    return keep
