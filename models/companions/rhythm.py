"""What a series usually does at this time of the day, or of the week: one slow mean for each part of it.

Seasonal exponential smoothing without level and trend (Winters, "Forecasting Sales by Exponentially Weighted Moving
Averages", Management Science 1960). Of a part of the day the mean moves once a day, when it is over: while it lasts it
is that of the days before, so that a fault does not become its own expectation. Until a part has been seen once, the
sample before is expected again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.companions.new_rows import turns
from models.memory import Memory, States, StateType
from models.scores.stretch import Stretch

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

DAY_NS = 86_400_000_000_000
RATE = 0.2
"""Weight of the newest day, or week."""
MOST_LEFT = 0.5
"""A stream has a rhythm if it leaves at most this share of the variance of its channels, in the median of those that
move."""
MOST_UNSEEN = 0.5
MOVES = 1e-6


class Rhythm:
    """Expects of a sample what was usual at its place in a cycle.

    Args:
        channels: Number of channels.
        period_ns: Step of the grid, by which rows before the last are dated; None: only the last row can be.
        cycle_ns: Length of the cycle.
        places: Parts of it.
        offset_ns: Where a cycle begins, relative to midnight on 1 January 1970, UTC.

    Attributes:
        state_dtype: A mean for each part and channel, and the sums of the one that is under way.
    """

    def __init__(self, channels: int, period_ns: int | None, *, cycle_ns: int, places: int, offset_ns: int = 0) -> None:
        self._channels, self._period_ns = channels, period_ns
        self._cycle_ns, self._places, self._offset_ns = cycle_ns, places, offset_ns
        self.state_dtype: StateType = np.dtype(
            [
                ("rows", "<i8"),
                ("last", "<f4", (channels,)),
                ("place", "<i4"),
                ("count", "<i4"),
                ("sums", "<f8", (channels,)),  # of any number of samples: float32 would stop counting small ones
                ("seen", "u1", (places,)),
                ("means", "<f4", (places, channels)),
            ]
        )

    def estimate(self, windows: Float32, memory: Memory) -> Float32:
        """float32[n, 1, channels]: what is usual at the time of each window's last sample; NaN for the very first."""
        expected = np.full((len(windows), 1, self._channels), np.nan, np.float32)
        for turn in turns(windows, memory):
            found = np.full((len(turn.chosen), self._channels), np.nan, np.float32)
            back = turn.longest
            for going, rows in turn.rows():
                states = turn.states[going]
                found[going] = self._step(
                    states, rows.astype(np.float32), self._place(memory, turn.chosen[going], back)
                )
                turn.states[going] = states
                back -= 1
            expected[turn.chosen, 0] = found
        return expected

    def _place(self, memory: Memory, chosen: npt.NDArray[np.integer], back: int) -> Int64:
        """int64[n]: which part of the cycle the row so many before the last lies in; -1 where that is not known."""
        if memory.times_ns is None or (back > 1 and self._period_ns is None):
            return np.full(len(chosen), -1, np.int64)
        times = memory.times_ns[chosen] - (back - 1) * (self._period_ns or 0) - self._offset_ns
        place: Int64 = (times % self._cycle_ns) * self._places // self._cycle_ns
        return place

    def _step(self, states: States, rows: Float32, place: Int64) -> Float32:
        known = place >= 0
        moved = known & ((states["place"] != place) | (states["rows"] == 0))
        self._finish(states, moved & (states["count"] > 0))
        states["place"][moved] = place[moved]
        states["count"][moved] = 0
        states["sums"][moved] = 0.0
        every = np.arange(len(rows))
        usual = states["means"][every, np.maximum(place, 0)]
        seen = known & (states["seen"][every, np.maximum(place, 0)] > 0)
        before = np.where(states["rows"][:, None] > 0, states["last"], np.float32(np.nan))
        expected: Float32 = np.where(seen[:, None], usual, before)
        states["count"][known] += 1
        states["sums"][known] += rows[known]
        states["last"] = rows
        states["rows"] += 1
        return expected

    def _finish(self, states: States, over: npt.NDArray[np.bool_]) -> None:
        """A part of the cycle is over: its mean moves."""
        which = np.flatnonzero(over)
        place = states["place"][which]
        mean = (states["sums"][which] / states["count"][which, None]).astype(np.float32)
        before = states["means"][which, place]
        first = states["seen"][which, place] == 0
        states["means"][which, place] = np.where(first[:, None], mean, before + np.float32(RATE) * (mean - before))
        states["seen"][which, place] = 1


def daily(channels: int, period_ns: int | None) -> Rhythm:
    """By quarters of an hour, UTC."""
    return Rhythm(channels, period_ns, cycle_ns=DAY_NS, places=96)


def weekly(channels: int, period_ns: int | None) -> Rhythm:
    """By hours, from Monday midnight UTC on."""
    # 1 January 1970 was a Thursday.
    return Rhythm(channels, period_ns, cycle_ns=7 * DAY_NS, places=168, offset_ns=4 * DAY_NS)


def left_by(part: str, stretches: Sequence[Stretch]) -> float:
    """Share of the variance that a rhythm leaves, in the median of the channels that move; infinite if none does.

    Where the part of the cycle had not been seen yet, the sample before was expected, which says nothing of a rhythm:
    such rows do not count, and if they are more than `MOST_UNSEEN` of all, the rhythm is not known.

    Args:
        part: Name of the estimate.
        stretches: Held-out windows.
    """
    rows = np.concatenate([stretch.filled[:, -1] for stretch in stretches]).astype(np.float64)
    rows[~np.concatenate([stretch.observed[:, -1] for stretch in stretches])] = np.nan
    expected = np.concatenate([stretch.output.parts[part][:, -1] for stretch in stretches])
    before = np.concatenate([_rows_before(stretch) for stretch in stretches])
    # All channels at once: where one rests, its rhythm is its last value as well.
    unseen = (np.isnan(expected) | (expected == before)).all(axis=1)
    if unseen.mean() > MOST_UNSEEN:
        return float("inf")
    rows[unseen] = np.nan
    return share_left(rows, expected)


def share_left(rows: Float64, expected: Float32) -> float:
    """Share of the variance that an expectation leaves, in the median of the channels that move; infinite if none does.

    Args:
        rows: float64[n, channels], NaN where nothing was observed.
        expected: float32[n, channels], NaN where nothing was expected.
    """
    residual = rows - expected
    moving = np.flatnonzero(np.nan_to_num(np.nanvar(rows, axis=0)) > MOVES) if rows.size else np.empty(0, np.int64)
    if not moving.size or np.isnan(residual).all():
        return float("inf")
    shares = np.nanmean(residual[:, moving] ** 2, axis=0) / np.nanvar(rows[:, moving], axis=0)
    return float(np.nanmedian(shares))


def _rows_before(stretch: Stretch) -> Float32:
    """float32[n, channels], the row before each window's last; NaN where windows are of one row."""
    if stretch.filled.shape[1] < 2:
        return np.full_like(stretch.filled[:, -1], np.nan)
    before: Float32 = stretch.filled[:, -2]
    return before
