"""Windows of training data: where they lie, which are held out, and how a batch of them is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.imputation import impute
from models.scaling import Scaler
from models.segments import Segment

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SeriesWindows:
    """Windows of one series, by the segment and the row at which they end, in order of time.

    Attributes:
        segments: The series, cut at its gaps.
        train: int64[n, 2]; (segment, end row) of the windows to learn from.
        held_out: int64[m, 2]; later windows, which share no row with those.
    """

    segments: tuple[Segment, ...]
    train: Int64
    held_out: Int64

    def training_values(self) -> Float64:
        """float64[rows, channels]; all rows before the first that is held out, NaN where missing."""
        if not len(self.held_out):
            return np.concatenate([segment.values for segment in self.segments])
        last = self.held_out[0, 0]
        # Training windows end before the first held-out one begins; everything up to there may be looked at.
        stop = int(self.train[self.train[:, 0] == last, 1].max(initial=-1)) + 1
        parts = [segment.values for segment in self.segments[:last]] + [self.segments[last].values[:stop]]
        return np.concatenate(parts)


def lay_windows(
    segments: tuple[Segment, ...], window: int, held_out_share: float, min_coverage: float
) -> SeriesWindows:
    """Find the windows of a series and hold the last of them out.

    A window ends at a row that was really there, and has at least ``min_coverage`` of its values and of its last row.
    Windows that overlap both parts belong to neither. A series too short to be divided is learned from entirely.

    Args:
        segments: The series, cut at its gaps.
        window: Rows in a window.
        held_out_share: Share of the windows that is held out.
        min_coverage: See above; 0 to 1.
    """
    found = [
        np.column_stack([np.full(ends.size, number), ends])
        for number, segment in enumerate(segments)
        if (ends := _ends(segment, window, min_coverage)).size
    ]
    windows = np.concatenate(found).astype(np.int64) if found else np.empty((0, 2), np.int64)
    count = int(np.ceil(held_out_share * len(windows)))
    held_out = windows[len(windows) - count :]
    if not count:
        return SeriesWindows(segments, windows, held_out)
    segment, end = held_out[0]
    before = (windows[:, 0] < segment) | ((windows[:, 0] == segment) & (windows[:, 1] <= end - window))
    if not before.any():
        return SeriesWindows(segments, windows, windows[:0])
    return SeriesWindows(segments, windows[before], held_out)


def _ends(segment: Segment, window: int, min_coverage: float) -> Int64:
    seen = np.isfinite(segment.values)
    sums = np.concatenate([[0], np.cumsum(seen.sum(axis=1))])
    ends = np.arange(window - 1, len(segment.values))
    covered = sums[ends + 1] - sums[ends + 1 - window] >= min_coverage * window * seen.shape[1]
    covered &= seen[ends].sum(axis=1) >= max(min_coverage * seen.shape[1], 1)
    kept: Int64 = ends[covered & segment.real[ends]]
    return kept


class WindowBank:
    """All rows, scaled once, and the windows in them by index: a window costs memory only while its batch is in use.

    Args:
        series: Windows of each series.
        scaler: Fitted scaler.
        window: Rows in a window.
    """

    def __init__(self, series: Mapping[str, SeriesWindows], scaler: Scaler, window: int) -> None:
        self._steps = np.arange(window)
        self.held_out: dict[str, Int64] = {}
        """By series: int64[n], rows of the bank at which the held-out windows start, in order of time."""
        scaled: list[Float32] = []
        train: list[Int64] = []
        total = 0
        for name, laid in series.items():
            bases = []
            row = np.array([scaler.row(name)])
            for segment in laid.segments:
                scaled.append(scaler.apply(segment.values[None], row)[0])
                bases.append(total + 1 - window)
                total += len(segment.values)
            base = np.array(bases, np.int64)
            train.append(base[laid.train[:, 0]] + laid.train[:, 1])
            self.held_out[name] = base[laid.held_out[:, 0]] + laid.held_out[:, 1]
        self._rows = np.concatenate(scaled)
        self.train: Int64 = np.concatenate(train)
        """int64[n], rows of the bank at which the training windows start."""

    def draw(self, starts: Int64) -> tuple[Float32, Bool]:
        """Cut windows out.

        Args:
            starts: int64[n], rows of the bank at which they start.

        Returns:
            float32[n, window, channels] without NaN, and bool[n, window, channels]: true where observed.
        """
        return impute(self._rows[starts[:, None] + self._steps])
