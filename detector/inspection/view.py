"""What was inspected, as plain values: the one thing that pictures, pages and JSON are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.alerting.timestamps import format_time
from detector.inspection.tap import Step

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A recurrent layer, or one direction of it.

    Attributes:
        name: In the model.
        cell: ``lstm``, ``gru`` or ``simple_rnn``.
        direction: ``forward`` or ``backward`` in time.
        gates: By name, float64[samples, units]; NaN where there was no step.
        states: The same.
    """

    name: str
    cell: str
    direction: str
    gates: Mapping[str, Float64]
    states: Mapping[str, Float64]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Samples of a series up to the one that is looked at, which is the last.

    Attributes:
        facts: What it is: stream, series, model, event; plain values.
        times_ns: int64[samples]; event times.
        channels: Their names.
        seen: float64[samples, channels] in the channels' own units, NaN where missing.
        reconstruction: The same, as the model rebuilt the last window; NaN before that window.
        expected: The same, as each sample was expected when it was scored; NaN where that is not known.
        contributions: float64[samples, channels]; what each channel added to the score.
        score: float64[samples]; NaN where a sample was not scored.
        threshold: Scores above it are anomalous.
        marks: Further moments: name and event time, nanoseconds.
        layers: In the model's order.
    """

    facts: Mapping[str, Any]
    times_ns: Int64
    channels: tuple[str, ...]
    seen: Float64
    reconstruction: Float64
    expected: Float64
    contributions: Float64
    score: Float64
    threshold: float
    marks: tuple[tuple[str, int], ...]
    layers: tuple[Layer, ...]

    @property
    def kind(self) -> str:
        """What the event found, or what is looked at without one: ``reconstruction``, ``silence`` or ``frozen``."""
        event = self.facts.get("event")
        return "reconstruction" if event is None else str(event["kind"])

    @property
    def title(self) -> str:
        """What this is a view of, in a few words."""
        series, time = self.facts["series"], format_time(int(self.times_ns[-1]))
        if self.kind == "silence":
            return f"{series} before it fell silent, at {time}"
        if self.kind == "frozen":
            return f"{series} with a frozen channel, at {time}"
        return f"{series} at {time}"

    @property
    def remark(self) -> str:
        """What to keep in mind with an event that does not come from the model; empty otherwise."""
        if self.kind == "silence":
            seconds = float(self.facts["event"]["peak_score"])
            return (
                f"The event tells of silence: no sample came for {seconds:,.0f} s. It is no finding of the model; "
                "what is shown is the last sample before."
            )
        if self.kind == "frozen":
            samples = float(self.facts["event"]["peak_score"])
            return (
                f"The event tells of a frozen channel, which kept one value for {samples:,.0f} samples. It is no "
                "finding of the model, whose score may be low."
            )
        return ""

    def order(self) -> list[int]:
        """Channels by what they contribute to the last score, greatest first."""
        order: list[int] = np.argsort(-np.nan_to_num(self.contributions[-1]), kind="stable").tolist()
        return order

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is not known is null, and numbers have six digits."""
        return {
            "schema_version": SCHEMA_VERSION,
            **self.facts,
            "times": [format_time(time_ns) for time_ns in self.times_ns.tolist()],
            "score": _plain(self.score),
            "threshold": self.threshold,
            "marks": [{"name": name, "time": format_time(time_ns)} for name, time_ns in self.marks],
            "channels": [
                {
                    "channel": name,
                    "seen": _plain(self.seen[:, number], digits=17),
                    "reconstruction": _plain(self.reconstruction[:, number]),
                    "expected": _plain(self.expected[:, number]),
                    "contribution": _plain(self.contributions[:, number]),
                }
                for number, name in enumerate(self.channels)
            ],
            "layers": [
                {
                    "layer": layer.name,
                    "cell": layer.cell,
                    "direction": layer.direction,
                    "gates": {name: _plain(values) for name, values in layer.gates.items()},
                    "states": {name: _plain(values) for name, values in layer.states.items()},
                }
                for layer in self.layers
            ],
        }


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Samples that a run of windows covers.

    Attributes:
        times_ns: int64[samples].
        seen: float64[samples, channels].
        scored: int64[samples]; index of the window that ended at the sample and was scored, -1 where none was.
    """

    times_ns: Int64
    seen: Float64
    scored: Int64


def rows_of(steps: Sequence[Step], period_ns: int | None) -> Rows:
    """The samples of successive windows, from the first row of the first one to the last row of the last one.

    Times of rows at which no window ended follow from the period. Without one they are put evenly between those that
    are known, and before the first they are as far apart as on average after it.

    Args:
        steps: At least one.
        period_ns: Step of the grid, or None.
    """
    first = steps[0]
    length = len(first.values)
    ends = np.cumsum([length - 1, *(step.new_rows for step in steps[1:])])
    seen = np.concatenate([first.values, *(step.values[length - step.new_rows :] for step in steps[1:])])
    scored = np.full(len(seen), -1, np.int64)
    scored[ends] = np.arange(len(steps))
    known = np.array([step.time_ns for step in steps])
    index = np.arange(len(seen))
    if period_ns is not None:
        times = known[-1] - (len(seen) - 1 - index) * period_ns
        times[ends] = known
    else:
        usual = int((known[-1] - known[0]) / (ends[-1] - ends[0])) if len(steps) > 1 else 1_000_000_000
        # Differences to the last time, since float64 would not hold nanoseconds of the epoch.
        between = np.interp(index, ends, (known - known[-1]).astype(np.float64)).astype(np.int64) + known[-1]
        times = np.where(index < ends[0], known[0] - (ends[0] - index) * usual, between)
        times[ends] = known
    return Rows(times.astype(np.int64), seen, scored)


def _plain(values: Float64, digits: int = 6) -> list[Any]:
    if values.ndim > 1:
        return [_plain(row, digits) for row in values]
    return [float(f"{value:.{digits}g}") if np.isfinite(value) else None for value in values.tolist()]
