"""What can be said of all series of a partition, whether they are in memory or in the local file."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from detector.series.cold import ColdHead, ColdKind
from detector.series.eviction import Eviction
from detector.series.jumps import Jumps
from detector.series.residents import Residents
from detector.series.slots import Slots
from detector.series.spec import WindowSpec
from detector.series.values import SeriesStateName
from detector.series.watermark import Watermark


class Census:
    """Looks over all series that are held, and changes none.

    Args:
        spec: Says when a window is full, and when a series is stale.
        slots: Scalars of the series in memory.
        residents: The series in memory.
        eviction: Those in the local file.
        jumps: Unconfirmed jumps; of strangers nothing else is held.
        watermark: How far event time has come.
    """

    __slots__ = ("_eviction", "_jumps", "_residents", "_slots", "_spec", "_watermark")

    def __init__(
        self,
        spec: WindowSpec,
        slots: Slots,
        residents: Residents,
        eviction: Eviction,
        jumps: Jumps,
        watermark: Watermark,
    ) -> None:
        self._spec = spec
        self._slots = slots
        self._residents = residents
        self._eviction = eviction
        self._jumps = jumps
        self._watermark = watermark

    def __len__(self) -> int:
        return len(self._residents) + len(self._eviction)

    def __contains__(self, series: object) -> bool:
        return series in self._residents or (isinstance(series, str) and self._eviction.find(series) is not None)

    def __iter__(self) -> Iterator[str]:
        yield from self._residents
        yield from self._eviction

    def state(self, series: str) -> SeriesStateName:
        """See `SeriesStore.state`."""
        head = self._head(series)
        if head is None:
            raise KeyError(series)
        if head.kind is not ColdKind.STRANGER and head.seen_ns < self._stale_before_ns:
            return "stale"
        return "live" if head.kind is ColdKind.FULL else "warming_up"

    def states(self) -> dict[SeriesStateName, int]:
        """See `SeriesStore.states`: one look over arrays for those in memory, one query for the others."""
        stale_before_ns = self._stale_before_ns
        cold = self._eviction.count(stale_before_ns)
        held = np.fromiter(self._slots.of.values(), np.int64, len(self._slots))
        full = np.array(self._slots.rows, np.int64)[held] >= self._spec.length
        if self._watermark.known:
            stale = np.array(self._slots.last_ns, np.int64)[held] < stale_before_ns
        else:
            stale = np.zeros(len(held), np.bool_)
        (warming, warming_stale), (live, live_stale) = cold[ColdKind.WARMING_UP], cold[ColdKind.FULL]
        strangers = len(self._jumps.strangers) + cold[ColdKind.STRANGER][0]
        return {
            "warming_up": int((~full & ~stale).sum()) + strangers + warming - warming_stale,
            "live": int((full & ~stale).sum()) + live - live_stale,
            "stale": int(stale.sum()) + warming_stale + live_stale,
        }

    def last_time_ns(self, series: str) -> int | None:
        """See `SeriesStore.last_time_ns`."""
        head = self._head(series)
        return None if head is None or head.kind is ColdKind.STRANGER else head.seen_ns

    def last_times(self) -> Iterator[tuple[str, int]]:
        """See `SeriesStore.last_times`."""
        for series, slot in self._slots:
            yield series, self._slots.last_ns[slot]
        yield from self._eviction.last_times()

    @property
    def _stale_before_ns(self) -> int:
        return self._watermark.agreed_ns - self._spec.stale_after_ns

    def _head(self, series: str) -> ColdHead | None:
        return self._residents.head(series) if series in self._residents else self._eviction.find(series)
