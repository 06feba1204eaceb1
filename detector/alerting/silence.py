"""Series that stop while their partition goes on.

A series is silent once its latest sample lies further back than ``after_ns`` behind the event time that its partition
has agreed on (`SeriesStore.agreed_ns`): what at least two series have reached, or the only one left. The record that
moved that time opens the incident, and one that moves it far enough on tells an update. It closes with the sample that
brings the series back to within half of that, or when the series is forgotten. A series that was never so near, such as
one whose history is loaded behind the present, does not count as silent until it has been.

All of it follows from the partition's records. While records are read again after a restart the clock stands where it
stood after them, so nothing is judged; whatever had changed is in a snapshot, since every change is told with the
commit in which it happens.

Nobody looks at all series with each record. They lie in a heap by the time at which each may be silent at the earliest;
a series that has spoken since is put back when its turn comes, which is at most once in ``after_ns``. One that is
silent lies there by the time of its next update.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from detector.alerting.events import CloseReason, Event
from detector.alerting.identity import Identity
from detector.alerting.standing import NO_UPDATES, USUAL, Standing, StandingPolicy, StandingTeller
from detector.series.values import Reset

_NS_PER_SECOND = 1e9


@dataclass(frozen=True, slots=True)
class SilencePolicy:
    """When a series counts as silent.

    Attributes:
        after_ns: Event time without a sample of it.
        standing: What happens while it is silent.

    Raises:
        ValueError: ``after_ns`` is below 1.
    """

    after_ns: int
    standing: StandingPolicy = USUAL

    def __post_init__(self) -> None:
        if self.after_ns < 1:
            raise ValueError(f"after_ns is {self.after_ns}, it must be at least 1")


class Timeline(Protocol):
    """What is asked of the series of a partition; `SeriesStore` is one."""

    @property
    def agreed_ns(self) -> int: ...  # noqa: D102

    @property
    def pending(self) -> int: ...  # noqa: D102

    def last_time_ns(self, series: str) -> int | None: ...  # noqa: D102

    def last_times(self) -> Iterator[tuple[str, int]]: ...  # noqa: D102


class Moment(NamedTuple):
    """Something that happened to a series besides its scores.

    Attributes:
        after_window: How many of the pending windows precede it.
        offset: Record that made it known.
        event: To be told; None when only what is remembered of the series has changed.
    """

    after_window: int
    offset: int
    series: str
    event: Event | None


class SilenceTracker:
    """Opens and closes the silences of one partition.

    Args:
        policy: None opens none; those that are open still close.
        identity: Of the partition.
        series: The partition's series and their clock.
        forget_after_ns: Of the stream's windows.

    Attributes:
        moments: In record order; whoever takes them empties the list.
        open: The series that are silent.
        lagging: Those that have never been near the partition's event time.
    """

    def __init__(
        self, policy: SilencePolicy | None, identity: Identity, series: Timeline, forget_after_ns: int
    ) -> None:  # fmt: skip
        self.moments: list[Moment] = []
        self.open: dict[str, Standing] = {}
        self.lagging: set[str] = set()
        self._after_ns: float = math.inf if policy is None else policy.after_ns
        self._near_ns = self._after_ns if policy is None else policy.after_ns // 2
        self._watching = policy is not None
        self._standing = NO_UPDATES if policy is None else policy.standing
        self._teller = StandingTeller("silence", identity, self._standing)
        self._series = series
        self._forget_after_ns = forget_after_ns
        # When a series is to be looked at: when it may be silent at the earliest, unless it is lagging; one that is,
        # when there may be something to tell. An entry whose time is not the one in `_due` has been replaced.
        self._heap: list[tuple[float, str]] = []
        self._due: dict[str, float] = {}

    def sample(self, series: str, offset: int) -> None:
        """The record at ``offset`` was accepted as a sample of ``series``."""
        agreed_ns = self._series.agreed_ns
        if (self.open or self.lagging) and (series in self.open or series in self.lagging):
            self._returns(series, agreed_ns, offset)
        if self._heap and self._heap[0][0] < agreed_ns:
            self._expire(agreed_ns, offset)

    def moved(self, series: str, reset: Reset | None, offset: int) -> None:
        """A series came (no reset), or went (with the reset that says so)."""
        if reset is None:
            self._arrives(series, offset)
            return
        standing = self._end(series)
        if standing is not None:
            event = self._close(series, standing, reset.time_ns, reset.time_ns, reset.offset, "forgotten")
            # Not where the reset lies: the windows before it may have been taken meanwhile.
            self.moments.append(Moment(self._series.pending, reset.offset, series, event))
        else:
            self.lagging.discard(series)

    def begin(self) -> None:
        """Take stock of all series, after a restart."""
        due: dict[str, float] = {}
        if self._watching:
            for series, last_ns in self._series.last_times():
                if series not in self.open and series not in self.lagging:
                    due[series] = last_ns + self._after_ns
        due |= {series: self._next_look(series, standing) for series, standing in self.open.items()}
        self._due = due
        self._heap = [(at_ns, series) for series, at_ns in due.items()]
        heapq.heapify(self._heap)

    def _queue(self, series: str, last_ns: int) -> None:
        due_ns = last_ns + self._after_ns
        # What comes earlier than it must does no harm.
        if self._watching and not self._due.get(series, math.inf) <= due_ns:
            self._due[series] = due_ns
            heapq.heappush(self._heap, (due_ns, series))

    def _next_look(self, series: str, standing: Standing) -> float:
        """Event time behind which there may be something to tell of a series that is silent."""
        look_ns: float = standing.told_ns + self._standing.update_every_ns
        if standing.severity != "critical" and math.isfinite(self._standing.critical_ratio):
            critical_ns = int(self._standing.critical_ratio * standing.threshold * _NS_PER_SECOND)
            look_ns = min(look_ns, standing.started_ns + critical_ns)
        # Where a model of another shape began all windows anew, no store holds those that have not spoken since.
        if self._series.last_time_ns(series) is None:
            look_ns = min(look_ns, standing.started_ns + self._forget_after_ns)
        return look_ns

    def _arrives(self, series: str, offset: int) -> None:
        last_ns = self._series.last_time_ns(series)
        if last_ns is None or not self._watching or series in self.open:
            return
        if self._series.agreed_ns - last_ns > self._near_ns:
            if series not in self.lagging:
                self.lagging.add(series)
                self.moments.append(Moment(self._series.pending, offset, series, None))
        elif series not in self.lagging:
            self._queue(series, last_ns)

    def _returns(self, series: str, agreed_ns: int, offset: int) -> None:
        last_ns = self._series.last_time_ns(series)
        if last_ns is None or agreed_ns - last_ns > self._near_ns:
            return
        standing = self._end(series)
        self.lagging.discard(series)
        event = None
        if standing is not None:
            time_ns = max(agreed_ns, last_ns, standing.opened_ns)
            event = self._close(series, standing, time_ns, last_ns, offset, "resumed")
        self.moments.append(Moment(self._series.pending, offset, series, event))
        self._queue(series, last_ns)

    def _expire(self, agreed_ns: int, offset: int) -> None:
        heap, due = self._heap, self._due
        found: list[str] = []
        while heap and heap[0][0] < agreed_ns:
            at_ns, series = heap[0]
            if due.get(series) != at_ns:
                heapq.heappop(heap)
                continue
            if series not in self.open:
                last_ns = self._series.last_time_ns(series)
                if last_ns is not None and last_ns + self._after_ns >= agreed_ns:
                    due[series] = last_ns + self._after_ns
                    heapq.heapreplace(heap, (due[series], series))
                    continue
            heapq.heappop(heap)
            del due[series]
            found.append(series)
        # By name, since the order of the heap depends on when it was built.
        for series in sorted(found):
            event = self._look_at(series, agreed_ns, offset)
            if event is not None:
                self.moments.append(Moment(self._series.pending, offset, series, event))
            standing = self.open.get(series)
            if standing is not None:
                due[series] = self._next_look(series, standing)
                heapq.heappush(heap, (due[series], series))

    def _look_at(self, series: str, agreed_ns: int, offset: int) -> Event | None:
        """Of a series whose time has come: it is silent now, still, or for so long that it is forgotten."""
        last_ns, standing = self._series.last_time_ns(series), self.open.get(series)
        if standing is None:
            if last_ns is None or series in self.lagging:
                return None
            return self._opens(series, last_ns, agreed_ns, offset)
        if last_ns is None and standing.started_ns + self._forget_after_ns < agreed_ns:
            self._end(series)
            return self._close(series, standing, agreed_ns, agreed_ns, offset, "forgotten")
        score = (agreed_ns - standing.started_ns) / _NS_PER_SECOND
        if not self._teller.is_due(standing, score / standing.threshold, agreed_ns):
            return None
        standing.sequence += 1
        standing.score = max(standing.score, score)
        return self._teller.tell("updated", series, standing, agreed_ns, offset)

    def _opens(self, series: str, last_ns: int, agreed_ns: int, offset: int) -> Event:
        standing = self.open[series] = self._teller.open(
            series,
            started_ns=last_ns,
            first_offset=offset,
            time_ns=agreed_ns,
            offset=offset,
            score=(agreed_ns - last_ns) / _NS_PER_SECOND,
            threshold=self._after_ns / _NS_PER_SECOND,
        )
        return self._teller.tell("opened", series, standing, agreed_ns, offset)

    def _end(self, series: str) -> Standing | None:
        standing = self.open.pop(series, None)
        if standing is not None:
            self._due.pop(series, None)
        return standing

    def _close(
        self, series: str, standing: Standing, time_ns: int, ended_ns: int, offset: int, reason: CloseReason
    ) -> Event:
        standing.sequence += 1
        standing.score = max(standing.score, (ended_ns - standing.started_ns) / _NS_PER_SECOND)
        return self._teller.tell("closed", series, standing, time_ns, offset, ended_ns=ended_ns, reason=reason)
