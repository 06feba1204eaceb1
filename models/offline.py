"""Whole series, window by window, as the worker would see them: for held-out scores, calibration, injection and drift.

What a score depends on is the same here and there: the windows and their order, how many samples are new in each, and
the state that goes from one to the next. A test holds that the scores have the same bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.chain import Judged
from models.memory import Int, Memory, States, StateType, new_states
from models.segments import Segment

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

BATCH_WINDOWS = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Windows of one series, in order, by where they end.

    Attributes:
        segments: int64[n]; number of the segment that holds the window.
        ends: int64[n]; its last row there.
        steps: int64[n]; rows that are new since the window before it, 0 where there is none to go on from.
    """

    segments: Int64
    ends: Int64
    steps: Int64

    def numbers_of(self, wanted: Int64) -> Int64:
        """int64[m]; which windows those are of which int64[m, 2] says segment and end, in order."""
        most = int(max(self.ends.max(initial=0), wanted[:, 1].max(initial=0))) + 1
        return np.searchsorted(self.segments * most + self.ends, wanted[:, 0] * most + wanted[:, 1])


@dataclass(frozen=True, slots=True, eq=False)
class OfflineBatch:
    """Windows of several series, each series' own in order.

    Attributes:
        values: float64[n, window, channels]; raw units, NaN where nothing was observed.
        usable: bool[n]; whether enough was observed for a score.
        slots: int64[n]; number of each window's series, in the order in which they were given.
        steps: int64[n]; see `Places`.
        numbers: int64[n]; which of its series' windows it is.
        times_ns: int64[n]; event time of each window's last row.
    """

    values: Float64
    usable: Bool
    slots: Int64
    steps: Int64
    numbers: Int64
    times_ns: Int64

    def memory(self, states: States | None) -> Memory | None:
        """Where the state of these windows is, in an array with a place for every series."""
        return None if states is None else Memory(states, self.slots, self.steps, self.times_ns)


def places(segments: Sequence[Segment], window: int) -> Places:
    """The windows that the worker makes of a series: one at every row that was really there, once there are enough.

    Args:
        segments: The series, cut at its gaps.
        window: Rows in a window.
    """
    numbers, ends, steps = [], [], []
    for number, segment in enumerate(segments):
        found = np.flatnonzero(segment.real[window - 1 :]) + window - 1
        numbers.append(np.full(found.size, number))
        ends.append(found)
        # Rows that were filled in are new as well. The first window continues nothing.
        steps.append(np.diff(found, prepend=found[:1]))
    return Places(*(np.concatenate([np.empty(0, np.int64), *part]).astype(np.int64) for part in (numbers, ends, steps)))


def walk(
    series: Sequence[Sequence[Segment]], window: int, min_coverage: float, begin: Sequence[int] | None = None
) -> Iterator[OfflineBatch]:
    """All windows of some series, side by side.

    Args:
        series: Segments of each.
        window: Rows in a window.
        min_coverage: Least observed share of a window's values, and of its last row's, for a score.
        begin: For each series, the number of the window to begin with; for models that carry nothing.
    """
    laid = [places(segments, window) for segments in series]
    done = [0] * len(laid) if begin is None else list(begin)
    waiting = [slot for slot, found in enumerate(laid) if done[slot] < found.ends.size]
    rows = np.arange(1 - window, 1)
    while waiting:
        share = max(1, BATCH_WINDOWS // len(waiting))
        for group in range(0, len(waiting), BATCH_WINDOWS):
            parts = []
            for slot in waiting[group : group + BATCH_WINDOWS]:
                found, first = laid[slot], done[slot]
                chosen = np.arange(first, min(first + share, found.ends.size))
                values = np.empty((chosen.size, window, series[slot][0].values.shape[1]))
                times = np.empty(chosen.size, np.int64)
                for number in np.unique(found.segments[chosen]):
                    mine = found.segments[chosen] == number
                    ends = found.ends[chosen[mine]]
                    values[mine] = series[slot][number].values[ends[:, None] + rows]
                    times[mine] = series[slot][number].times_ns[ends]
                steps = found.steps[chosen]
                if begin is not None and first == begin[slot]:
                    steps[:1] = 0
                parts.append((values, np.full(chosen.size, slot), steps, chosen, times))
                done[slot] += chosen.size
            values, slots, steps, numbers, times = (np.concatenate(column) for column in zip(*parts, strict=True))
            yield OfflineBatch(values, _usable(values, min_coverage), slots, steps, numbers, times)
        waiting = [slot for slot in waiting if done[slot] < laid[slot].ends.size]


def _usable(values: Float64, min_coverage: float) -> Bool:
    # As `detector.series.windows` has it: a share is met by the count that it means.
    seen = ~np.isnan(values)
    cells, channels = (int(np.ceil(min_coverage * total - 1e-9)) for total in (seen[0].size, seen.shape[2]))
    usable: Bool = (seen.sum(axis=(1, 2)) >= cells) & (seen[:, -1].sum(axis=1) >= channels)
    return usable


class Judging(Protocol):
    """What scores windows: a `models.chain.Chain`, or something that stands in for one."""

    @property
    def state_dtype(self) -> StateType | None:
        """See `Chain`."""

    def row(self, series: str) -> int:
        """See `Chain`."""

    def judge(self, values: Float64, rows: Int, usable: Bool, memory: Memory | None) -> Judged:
        """See `Chain`."""


@dataclass(frozen=True, slots=True, eq=False)
class SegmentScores:
    """What the rows of a segment came to.

    Attributes:
        score: float64[rows]; NaN where a row completes no window, or too little was observed.
        contributions: float64[rows, channels]; they add up to the score, 0 where there is none.
    """

    score: Float64
    contributions: Float64


def score_series(
    chain: Judging, data: Mapping[str, Sequence[Segment]], window: int, min_coverage: float
) -> dict[str, list[SegmentScores]]:
    """Score whole series as the worker does: the same windows, with the same memory from one to the next.

    Args:
        chain: Of the bundle.
        data: Segments of each series, by the name under which the chain knows its scale; see
            `models.segments.cut`.
        window: Rows in a window.
        min_coverage: Least observed share of a window's values, and of its last row's, for a score.

    Returns:
        By series, for each of its segments in their order.
    """
    names = list(data)
    rows = np.array([chain.row(name) for name in names], np.intp)
    states = None if chain.state_dtype is None else new_states(chain.state_dtype, len(names))
    laid = [places(data[name], window) for name in names]
    scores = {
        name: [
            SegmentScores(np.full(len(segment.values), np.nan), np.zeros(segment.values.shape))
            for segment in data[name]
        ]
        for name in names
    }
    for batch in walk(list(data.values()), window, min_coverage):
        judged = chain.judge(batch.values, rows[batch.slots], batch.usable, batch.memory(states))
        for slot in np.unique(batch.slots):
            mine = np.flatnonzero(batch.slots == slot)
            numbers = batch.numbers[mine]
            for segment in np.unique(laid[slot].segments[numbers]):
                here = laid[slot].segments[numbers] == segment
                ends = laid[slot].ends[numbers[here]]
                found = scores[names[slot]][segment]
                found.score[ends] = judged.score[mine[here]]
                known = ~np.isnan(judged.score[mine[here]])
                found.contributions[ends[known]] = judged.contributions[mine[here][known]]
    return scores
