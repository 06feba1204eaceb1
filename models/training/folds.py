"""Learning from all of the data and yet measuring on all of it, in turns: blocked cross-validation.

Every part of the data is held out once, from a model that learned from the others; parts are stretches of time, since
neighbouring samples are alike (Bergmeir and Benítez, "On the use of cross-validation for time series predictor
evaluation", Information Sciences 2012). What these models leave stands for what the final one will leave, which learns
from all parts (Vovk, "Cross-conformal predictors", Annals of Mathematics and Artificial Intelligence 2015). It is
rather more, since they learned from less.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from models.fitting.windows import SeriesWindows, lay_windows
from models.segments import Segment


def lay_folds(segments: Sequence[Segment], window: int, folds: int, min_coverage: float) -> list[SeriesWindows]:
    """The series, with each of its parts held out in turn.

    Args:
        segments: The series, cut at its gaps.
        window: Rows in a window; none lies in two parts.
        folds: Number of parts, of equal length.
        min_coverage: See `models.fitting.windows.lay_windows`.

    Returns:
        One for each part. Where a part is cut out, a segment ends and another begins; what is held out comes last.
    """
    edges = np.linspace(0, sum(len(segment.values) for segment in segments), folds + 1).astype(int).tolist()
    return [_held_out(segments, window, low, high, min_coverage) for low, high in pairwise(edges)]


def lay_whole(segments: tuple[Segment, ...], window: int, held_out_share: float, min_coverage: float) -> SeriesWindows:
    """The series, learned from to its end; the end also tells when to stop.

    Args:
        segments: The series, cut at its gaps.
        window: Rows in a window.
        held_out_share: Share of the windows that tells when to stop.
        min_coverage: See `models.fitting.windows.lay_windows`.
    """
    every = lay_windows(segments, window, 0.0, min_coverage).train
    return SeriesWindows(segments, every, every[len(every) - int(np.ceil(held_out_share * len(every))) :])


def _held_out(segments: Sequence[Segment], window: int, low: int, high: int, min_coverage: float) -> SeriesWindows:
    apart: list[Segment] = []
    mine: list[Segment] = []
    start = 0
    for segment in segments:
        length = len(segment.values)
        first, last = (min(max(edge - start, 0), length) for edge in (low, high))
        for begin, end, into in ((0, first, apart), (first, last, mine), (last, length, apart)):
            if begin < end:
                rows = slice(begin, end)
                into.append(Segment(segment.times_ns[rows], segment.values[rows], segment.real[rows]))
        start += length
    found = lay_windows((*apart, *mine), window, 0.0, min_coverage)
    held_out = found.train[:, 0] >= len(apart)
    return SeriesWindows(found.segments, found.train[~held_out], found.train[held_out])
