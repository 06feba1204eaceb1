"""A piece of one series' history with all that its scores were made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Samples of one series around an incident, as they were scored.

    Attributes:
        stream: Name of the stream.
        series: Name of the series.
        channels: In the model's order.
        times_ns: int64[n]; event times in nanoseconds since the epoch, UTC, rising.
        offsets: int64[n]; of the record that completed each sample.
        seen: float64[n, channels]; in the channels' own units, NaN where missing.
        expected: float64[n, channels]; what the score compares with, in the same units, NaN where unknown.
        contributions: float32[n, channels]; what each channel adds to the score.
        score: float64[n]; NaN where unknown.
        threshold: float64[n]; in force at each sample.
        model: Short version of the bundle.
        begun: For people: what was known of the series before the first record that was read.
        left_out: Samples in between that are not among these, since the incident was long; see
            `detector.stretches.clip`.
        agreement: For people: whether it agrees with what the event says; empty where nothing was recomputed.
    """

    stream: str
    series: str
    channels: tuple[str, ...]
    times_ns: Int64
    offsets: Int64
    seen: Float64
    expected: Float64
    contributions: Float32
    score: Float64
    threshold: Float64
    model: str
    begun: str
    left_out: int = 0
    agreement: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """The series at another time, such as a day or a week before.

    Attributes:
        times_ns: int64[n]; its own event times in nanoseconds since the epoch, UTC, rising.
        seen: float64[n, channels]; in the channels' own units, NaN where missing, channels as in the stretch.
    """

    times_ns: Int64
    seen: Float64
