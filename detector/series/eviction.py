"""Which series are in memory and which are in a local file: a bound on memory that changes no outcome.

A partition may know far more series than it hears of at a time. When more than so many are in memory, a tenth of them,
those with the oldest event time, go to the file as the bytes of their snapshots; one comes back when a sample of it
arrives. While the file cannot be written, everything stays in memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from detector.series.cold import ColdHead, ColdKind, ColdSeries
from detector.series.residents import Residents

_log = structlog.get_logger(__name__)
_BATCH_SHARE = 10
_NOTHING = dict.fromkeys(ColdKind, (0, 0))


@dataclass(frozen=True, slots=True)
class Residency:
    """How many series of a partition may be in memory, and where the others go.

    Attributes:
        max_series: At least 1; it may be passed by one, and by more while the directory cannot be written.
        directory: Of the local files; it exists.

    Raises:
        ValueError: ``max_series`` is below 1.
    """

    max_series: int
    directory: Path

    def __post_init__(self) -> None:
        if self.max_series < 1:
            raise ValueError(f"max_series is {self.max_series}, it must be at least 1")


@dataclass(slots=True)
class EvictionCounters:
    """Totals; unlike those of `Counters` they depend on the bound, and no outcome depends on them.

    Attributes:
        evicted: Series moved to the file.
        reloaded: Series that came back from it.
        failures: Times that the file could not be written.
    """

    evicted: int = 0
    reloaded: int = 0
    failures: int = 0

    def since(self, before: EvictionCounters) -> EvictionCounters:
        """How much was counted since these were as they were."""
        return EvictionCounters(
            self.evicted - before.evicted, self.reloaded - before.reloaded, self.failures - before.failures
        )


class Eviction:
    """Moves series between memory and file.

    Args:
        residents: Those in memory.
        residency: The bound; None evicts never.
        settle: Called before series leave memory: what a model carries along them has to be what it will be once
            their pending windows are scored.

    Attributes:
        counts: Totals.
    """

    __slots__ = ("_at", "_cold", "_residency", "_residents", "_said", "_settle", "counts")

    def __init__(self, residents: Residents, residency: Residency | None, settle: Callable[[], None]) -> None:
        self.counts = EvictionCounters()
        self._residents = residents
        self._residency = residency
        self._settle = settle
        self._cold: ColdSeries | None = None
        self._at = 0 if residency is None else residency.max_series
        self._said = 0

    def __len__(self) -> int:
        return 0 if self._cold is None else len(self._cold)

    def __iter__(self) -> Iterator[str]:
        return iter(()) if self._cold is None else iter(self._cold)

    def make_room(self) -> None:
        """Evict if there is no room in memory for one more series."""
        if self._residency is not None and len(self._residents) >= self._at:
            self._evict(self._residency)

    def reload(self, series: str) -> bool:
        """Bring a series back, if it is in the file."""
        data = None if self._cold is None else self._cold.get(series)
        if data is None:
            return False
        self._residents.unpack(series, data)
        self.discard(series)
        self.counts.reloaded += 1
        return True

    def find(self, series: str) -> ColdHead | None:
        """What is known of an evicted series."""
        return None if self._cold is None else self._cold.find(series)

    def snapshot(self, series: str) -> bytes | None:
        """Snapshot of an evicted series, which stays where it is."""
        return None if self._cold is None else self._cold.get(series)

    def discard(self, series: str) -> ColdHead | None:
        """Forget an evicted series."""
        return None if self._cold is None else self._cold.discard(series)

    def silent(self, before_ns: int) -> list[ColdHead]:
        """Evicted series last seen before a time, in no order."""
        return [] if self._cold is None else self._cold.silent(before_ns)

    def last_times(self) -> Iterator[tuple[str, int]]:
        """Greatest event time accepted of every evicted series that has one, in no order."""
        return iter(()) if self._cold is None else self._cold.last_times()

    def count(self, stale_before_ns: int) -> dict[ColdKind, tuple[int, int]]:
        """Number of evicted series by kind: all of them, and those last seen before a time."""
        return _NOTHING if self._cold is None else self._cold.count(stale_before_ns)

    @property
    def file_bytes(self) -> int:
        """Size of the file."""
        return 0 if self._cold is None else self._cold.size_bytes

    def close(self) -> None:
        """Give the file back to the disk; the store cannot be used after that."""
        if self._cold is not None:
            self._cold.close()

    def _evict(self, residency: Residency) -> None:
        self._settle()
        residents, most = self._residents, residency.max_series
        batch = max(1, most // _BATCH_SHARE)
        names = residents.oldest(len(residents) - (most - batch))
        try:
            if self._cold is None:
                self._cold = ColdSeries(residency.directory)
            # A batch at a time, so that snapshots in memory are bounded too when much has to go at once.
            for start in range(0, len(names), batch):
                part = names[start : start + batch]
                self._cold.put([(residents.head(series), residents.pack(series)) for series in part])
                for series in part:
                    residents.drop(series)
                self.counts.evicted += len(part)
        except (OSError, sqlite3.Error) as error:
            self.counts.failures += 1
            # Not again with every new series: looking for the oldest takes a while.
            self._at = len(residents) + batch
            self._complain(residency, error)
            return
        self._at = most
        self._said = 0

    def _complain(self, residency: Residency, error: Exception) -> None:
        self._said += 1
        if self._said & (self._said - 1):  # the first time, and then ever more rarely
            return
        _log.warning(
            "series stay in memory, since they cannot be moved to a local file; see to worker.state.directory",
            directory=str(residency.directory),
            error=str(error),
            in_memory=len(self._residents),
            limit=residency.max_series,
        )
