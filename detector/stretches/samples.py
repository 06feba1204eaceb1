"""Scored samples as rows of one structured array, so that they are kept, cut and joined as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.scoring.scores import Scores
from detector.series.values import WindowBatch
from detector.stretches.stretch import Stretch

Samples = npt.NDArray[np.void]
"""Rows of `sample_type`, in the order in which they were scored."""


def sample_type(channels: int) -> np.dtype[np.void]:
    """Structure of one scored sample with so many channels; fields as in `Stretch`."""
    fields: list[Any] = [
        ("time_ns", np.int64),
        ("offset", np.int64),
        ("score", np.float64),
        ("threshold", np.float64),
        ("seen", np.float64, (channels,)),
        ("expected", np.float64, (channels,)),
        ("contributions", np.float32, (channels,)),
    ]
    return np.dtype(fields)


def samples_of(batch: WindowBatch, scores: Scores, threshold: float) -> Samples:
    """The last sample of each window, with what it scored."""
    found = np.empty(len(batch.series), sample_type(scores.seen.shape[1]))
    found["time_ns"], found["offset"] = batch.time_ns, batch.offsets
    found["score"], found["threshold"] = scores.score, threshold
    found["seen"], found["expected"], found["contributions"] = scores.seen, scores.expected, scores.contributions
    return found


def by_series(series: Sequence[str], samples: Samples) -> dict[str, Samples]:
    """The samples of each series, in order; views of one array that is made for this."""
    codes: dict[str, int] = {}
    of = np.fromiter((codes.setdefault(name, len(codes)) for name in series), np.intp, len(series))
    sorted_ = samples[np.argsort(of, kind="stable")]
    ends = np.cumsum(np.bincount(of, minlength=len(codes))).tolist()
    return {name: sorted_[begin:end] for name, begin, end in zip(codes, [0, *ends], ends, strict=False)}


def as_stretch(
    samples: Samples,
    *,
    stream: str,
    series: str,
    channels: tuple[str, ...],
    model: str,
    begun: str,
    left_out: int = 0,
    agreement: str = "",
) -> Stretch:
    """The samples of one series as a stretch, in copies of their own; other arguments as its attributes."""
    return Stretch(
        stream=stream,
        series=series,
        channels=channels,
        times_ns=samples["time_ns"].copy(),
        offsets=samples["offset"].copy(),
        seen=samples["seen"].copy(),
        expected=samples["expected"].copy(),
        contributions=samples["contributions"].copy(),
        score=samples["score"].copy(),
        threshold=samples["threshold"].copy(),
        model=model,
        begun=begun,
        left_out=left_out,
        agreement=agreement,
    )
