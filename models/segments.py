"""Series of training data, laid on their grid and cut at their gaps, as the live windows are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.errors import TrainingError

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

TrainingData = Mapping[str, tuple[Int64, Float64]]
"""By series: int64[rows], event times in nanoseconds since the epoch; and float64[rows, channels], NaN where
missing."""


@dataclass(frozen=True, slots=True)
class Segment:
    """An unbroken stretch of a series.

    Attributes:
        times_ns: int64[rows]; of a filled row, the time it should have had.
        values: float64[rows, channels]; NaN where missing, all NaN in a filled row.
        real: bool[rows]; false where a missing row was filled in.
    """

    times_ns: Int64
    values: Float64
    real: Bool


def check(data: TrainingData, channels: tuple[str, ...]) -> None:
    """Check shapes and that there is something to learn from.

    Raises:
        TrainingError: there is no data, or a series has another shape; the message names it.
    """
    if not data:
        raise TrainingError("there is no series to train on")
    for name, (times_ns, values) in data.items():
        if values.ndim != 2 or values.shape[1] != len(channels):
            raise TrainingError(f"series {name!r} has values of shape {values.shape}; expected [rows, {len(channels)}]")
        if times_ns.shape != (len(values),):
            raise TrainingError(f"series {name!r} has {len(values)} rows but {times_ns.size} times")
    if not any(np.isfinite(values).any() for _, values in data.values()):
        raise TrainingError("every value is missing; check the names of the channels")


def cut(times_ns: Int64, values: Float64, period_ns: int | None, max_gap_steps: int) -> tuple[Segment, ...]:
    """Lay a series on its grid and cut it at long gaps.

    Late and repeated samples are dropped. With a period, a sample's place is its distance from the segment's first
    sample in whole steps; up to ``max_gap_steps`` missing samples in a row are filled with rows of NaN, and a longer
    gap begins a new segment. Without a period there are no gaps. Infinite values count as missing.

    Args:
        times_ns: int64[rows].
        values: float64[rows, channels].
        period_ns: Step of the grid, or ``None``.
        max_gap_steps: See above.
    """
    values = np.where(np.isfinite(values), values, np.nan)
    if period_ns is None:
        newest = np.maximum.accumulate(times_ns)
        kept = np.flatnonzero(np.concatenate([[True], times_ns[1:] > newest[:-1]])[: times_ns.size])
        return (Segment(times_ns[kept], values[kept], np.ones(kept.size, np.bool_)),) if kept.size else ()
    segments: list[Segment] = []
    rows: list[int] = []
    places: list[int] = []
    anchor = 0

    def close() -> None:
        if rows:
            segments.append(_on_grid(np.array(places), np.array(rows), times_ns, values, period_ns))

    for row, time_ns in enumerate(times_ns.tolist()):
        place = (time_ns - anchor + period_ns // 2) // period_ns
        if rows and place <= places[-1]:
            continue
        if not rows or place - places[-1] - 1 > max_gap_steps:
            close()
            anchor, rows, places, place = time_ns, [], [], 0
        rows.append(row)
        places.append(place)
    close()
    return tuple(segments)


def _on_grid(places: Int64, rows: Int64, times_ns: Int64, values: Float64, period_ns: int) -> Segment:
    length = int(places[-1]) + 1
    filled = np.full((length, values.shape[1]), np.nan)
    filled[places] = values[rows]
    real = np.zeros(length, np.bool_)
    real[places] = True
    times = times_ns[rows[0]] + np.arange(length, dtype=np.int64) * period_ns
    times[places] = times_ns[rows]
    return Segment(times, filled, real)


def fingerprint(data: TrainingData) -> dict[str, object]:
    """Say which data this is: per series its rows, first and last time, and a SHA-256 over times and values.

    Returns:
        Plain values for JSON. ``sha256`` at the top covers all series, so that two trainings can be compared at a
        glance.
    """
    total = hashlib.sha256()
    series: dict[str, object] = {}
    for name in sorted(data):
        times_ns, values = data[name]
        digest = hashlib.sha256()
        digest.update(np.ascontiguousarray(times_ns, "<i8").tobytes())
        digest.update(np.ascontiguousarray(values, "<f8").tobytes())
        total.update(f"{len(name.encode())}:{name}:{digest.hexdigest()}".encode())
        series[name] = {
            "rows": len(values),
            "first_time_ns": int(times_ns[0]) if times_ns.size else None,
            "last_time_ns": int(times_ns[-1]) if times_ns.size else None,
            "sha256": digest.hexdigest(),
        }
    return {"sha256": total.hexdigest(), "series": series}
