"""What the store hands out: batches of windows, resets and counters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
ResetReason = Literal["gap", "forgotten"]
SeriesStateName = Literal["warming_up", "live", "stale"]


@dataclass(frozen=True, slots=True)
class WindowBatch:
    """Windows in the order in which records completed them.

    Attributes:
        slots: int32[n]; where each series lives now. A slot is given to another series once its own is forgotten.
        series: Name of each window's series.
        time_ns: int64[n]; event time of each window's last row, nanoseconds since the epoch, UTC.
        offsets: int64[n]; of the record that completed the window.
        start_offsets: int64[n]; of the oldest record in the window.
        values: float64[n, length, channels]; raw units, oldest row first, NaN where nothing was observed.
        coverage_ok: bool[n]; False: too little was observed, the window must not be scored.
        steps: int64[n]; rows that are new since the window of the series before this one, in whatever batch that was,
            filled rows included. It may be more than a window holds. 0: there was none that what the model carries
            could be continued from, so that it begins anew with this window.
    """

    slots: npt.NDArray[np.int32]
    series: list[str]
    time_ns: Int64
    offsets: Int64
    start_offsets: Int64
    values: Float64
    coverage_ok: npt.NDArray[np.bool_]
    steps: Int64


@dataclass(frozen=True, slots=True)
class Reset:
    """The window of a series was emptied: what comes later does not continue what came before.

    Attributes:
        slot: Where the series lived, or -1 if it never got a slot since its only sample was an unconfirmed jump.
        offset: Of the record that revealed it.
        time_ns: Event time of that record, or of the assembled row behind the gap.
        after_window: How many of the pending windows precede the reset.
        anchors: A gap that is one wherever the series' grid began: what comes after does not depend in any way on what
            came before.
    """

    series: str
    slot: int
    offset: int
    time_ns: int
    reason: ResetReason
    after_window: int
    anchors: bool = False


@dataclass(slots=True)
class Counters:
    """Totals since the store was made; they only grow.

    Every sample that `SeriesStore.add` does not raise for is accepted, late or duplicate.

    Attributes:
        accepted: Samples that entered a row.
        late: Samples dropped because a later row was there already.
        duplicate: Samples dropped because their row, or their channel of it, was there already.
        filled: Missing rows put in as NaN.
        incomplete: Assembled rows that were closed before all their channels came.
        resets_gap: Windows reset by a gap or a confirmed jump.
        forgotten: Series forgotten.
    """

    accepted: int = 0
    late: int = 0
    duplicate: int = 0
    filled: int = 0
    incomplete: int = 0
    resets_gap: int = 0
    forgotten: int = 0
