"""What training data shows of its series besides their values: how often they speak, and how long channels rest.

The worker takes from it after how long a series counts as silent, and for how many samples a channel may keep exactly
one value. Runs are counted as the worker counts them (`detector.series.frozen`): samples in which the channel was
observed, whatever lies between two of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.errors import SpecError
from models.fields import known_keys, optional_number, text_tuple

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

USUAL_GAP_QUANTILE = 0.999
"""Longer gaps than this quantile are outages of the training data, not its cadence."""
LEAST_CHANGES = 20
"""A channel that changed more rarely says too little about how long it may rest."""
MOST_RUN = 2**53
"""No data is so long, and beyond it floating point would not tell one number of samples from the next."""
_NS_PER_SECOND = 1e9

Runs = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Habits:
    """Cadence and rest of the training series.

    Attributes:
        gap_seconds: The longest usual gap between two samples of a series; None when no series has two.
        series: Names.
        longest_runs: For each of them, and each channel, the longest run of samples with one value; None where the
            channel hardly ever changed.

    Raises:
        SpecError: the parts do not fit together, or a number makes no sense.
    """

    gap_seconds: float | None
    series: tuple[str, ...]
    longest_runs: tuple[Runs, ...]
    _rows: dict[str, Runs] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.gap_seconds is not None and not 0 <= self.gap_seconds < float("inf"):
            raise SpecError(f"gap_seconds is {self.gap_seconds}; it must be a finite number from 0 on, or null")
        if len(self.series) != len(self.longest_runs) or len(set(map(len, self.longest_runs))) > 1:
            raise SpecError("longest_runs must have a row for each series, and all of one length")
        if any(run is not None and run < 1 for runs in self.longest_runs for run in runs):
            raise SpecError("longest_runs holds a number below 1")
        if any(run is not None and run > MOST_RUN for runs in self.longest_runs for run in runs):
            raise SpecError(f"longest_runs holds a number above {MOST_RUN}")
        object.__setattr__(self, "_rows", dict(zip(self.series, self.longest_runs, strict=True)))
        if len(self._rows) != len(self.series):
            raise SpecError("habits name a series twice")

    @property
    def channels(self) -> int:
        """How many channels the rows have; 0 when there are none."""
        return len(self.longest_runs[0]) if self.longest_runs else 0

    @property
    def usual_runs(self) -> Runs:
        """For a series that training has not seen: the longest of all; None where a channel rests in any of them."""
        return tuple(
            None if None in column else max(run for run in column if run is not None)
            for column in zip(*self.longest_runs, strict=True)
        )

    @classmethod
    def of(cls, data: Mapping[str, tuple[Int64, Float64]]) -> Habits:
        """Learn from all of the training data, held-out samples included.

        Args:
            data: By series: int64[rows] times in nanoseconds and float64[rows, channels] values, NaN where missing.
        """
        names = tuple(sorted(name for name, (times_ns, _) in data.items() if len(times_ns)))
        gaps, rows = [], []
        for name in names:
            times_ns, values = data[name]
            newest = np.maximum.accumulate(times_ns)
            kept = np.concatenate([[True], times_ns[1:] > newest[:-1]])  # neither late nor repeated
            gaps.append(np.diff(times_ns[kept]))
            rows.append(tuple(_longest_run(column) for column in values[kept].T))
        steps = np.concatenate(gaps) if gaps else np.empty(0, np.int64)
        usual = float(np.quantile(steps, USUAL_GAP_QUANTILE, method="lower")) if steps.size else None
        return cls(None if usual is None else usual / _NS_PER_SECOND, names, tuple(rows))

    def loosened(self, gap_seconds: float, runs: Mapping[str, Mapping[int, int]]) -> Habits:
        """The same, but longer gaps and runs are ordinary as well.

        Args:
            gap_seconds: A gap that is; 0: none.
            runs: By series, which may be new, and channel: a run that is.
        """
        rows = dict(self._rows)
        for name, channels in runs.items():
            row = rows.get(name, self.usual_runs)
            rows[name] = tuple(
                None if run is None else max(run, channels.get(channel, 0)) for channel, run in enumerate(row)
            )
        names = tuple(sorted(rows))
        gap = self.gap_seconds if not gap_seconds else max(self.gap_seconds or 0.0, gap_seconds)
        return Habits(gap, names, tuple(rows[name] for name in names))

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {
            "gap_seconds": self.gap_seconds,
            "series": list(self.series),
            "longest_runs": [list(runs) for runs in self.longest_runs],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Habits:
        """Read what `to_dict` wrote.

        Raises:
            SpecError: a key is unknown or missing, or a value does not fit.
        """
        known_keys(data, {"gap_seconds", "series", "longest_runs"}, "habits")
        rows = data["longest_runs"]
        if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
            raise SpecError("longest_runs must be a list of lists")
        if any(type(run) not in (int, type(None)) for row in rows for run in row):
            raise SpecError("longest_runs must hold whole numbers and null")
        return cls(optional_number(data, "gap_seconds"), text_tuple(data, "series"), tuple(map(tuple, rows)))


def _longest_run(column: Float64) -> int | None:
    """The longest run of one value, or None if the channel changed too rarely."""
    seen = column[np.isfinite(column)]
    starts = np.flatnonzero(np.concatenate([[True], seen[1:] != seen[:-1]])) if seen.size else np.empty(0, np.int64)
    if starts.size <= LEAST_CHANGES:
        return None
    return int(np.diff(np.append(starts, seen.size)).max())
