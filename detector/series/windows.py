"""Windows that are complete and wait to be taken, and what `Reset`s lie between them."""

from __future__ import annotations

import numpy as np

from detector.series.rings import Rings
from detector.series.spec import WindowSpec
from detector.series.values import Reset, ResetReason, WindowBatch


class PendingWindows:
    """Complete windows in the order of their completion; their rows stay in the rings until they are taken.

    Args:
        spec: For the shape and the least coverage.
        rings: Where the rows are.
    """

    __slots__ = (
        "_cells_needed", "_channels_needed", "_offsets", "_resets", "_rings", "_series", "_steps", "_times",
    )  # fmt: skip

    def __init__(self, spec: WindowSpec, rings: Rings) -> None:
        self._rings = rings
        self._cells_needed = _needed(spec.min_coverage, spec.length * spec.channels)
        self._channels_needed = _needed(spec.min_coverage, spec.channels)
        self._series: list[str] = []
        self._times: list[int] = []
        self._offsets: list[int] = []
        self._steps: list[int] = []
        self._resets: list[Reset] = []

    def __len__(self) -> int:
        return len(self._times)

    def window(self, slot: int, series: str, time_ns: int, offset: int, steps: int) -> None:
        """The last rows of ``slot`` are a window, ``steps`` of them since the one before."""
        self._rings.mark(slot)
        self._series.append(series)
        self._times.append(time_ns)
        self._offsets.append(offset)
        self._steps.append(steps)

    def reset(
        self, slot: int, series: str, time_ns: int, offset: int, reason: ResetReason, anchors: bool = False
    ) -> Reset:  # fmt: skip
        """What comes after does not continue what came before."""
        found = Reset(series, slot, offset, time_ns, reason, len(self._times), anchors)
        self._resets.append(found)
        return found

    def take(self) -> WindowBatch:
        """All windows; none is pending any more."""
        slots, start_offsets, values = self._rings.take()
        observed = ~np.isnan(values)
        enough = observed.sum(axis=(1, 2)) >= self._cells_needed
        enough &= observed[:, -1].sum(axis=1) >= self._channels_needed
        batch = WindowBatch(
            slots=slots.astype(np.int32),
            series=self._series,
            time_ns=np.array(self._times, np.int64),
            offsets=np.array(self._offsets, np.int64),
            start_offsets=start_offsets,
            values=values,
            coverage_ok=enough,
            steps=np.array(self._steps, np.int64),
        )
        self._series, self._times, self._offsets, self._steps = [], [], [], []
        return batch

    def take_resets(self) -> list[Reset]:
        """All resets since the last call."""
        resets, self._resets = self._resets, []
        return resets


def _needed(share: float, total: int) -> int:
    # 0.7 * 10 is a little more than 7: a share is met by the count that it means.
    return int(np.ceil(share * total - 1e-9))
