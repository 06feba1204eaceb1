"""Listens in on scoring: what a model is given for one series, the memory that it carries, and what comes out."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.pipeline.context import WindowScorer
from detector.scoring.scores import Scores
from detector.series.carried import States, StateType
from detector.series.values import WindowBatch
from models.memory import Memory
from models.outputs import Output
from models.runtimes import Runtime

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

MODEL = "model"
"""Field of what a runtime carries, if it puts estimates beside a model; see `models.companions`."""
SCALE = "scale"
"""Field of what a scorer carries: the scale of a series that training never saw; see `models.chain`."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One window of the series, as it was scored.

    Attributes:
        time_ns: Event time of its last sample.
        offset: Of the record that completed it.
        new_rows: Rows that are new since the window before it; all rows where the model began anew with this one.
        anew: Whether what the model carries began anew with this window.
        values: float64[window, channels]; raw units, NaN where missing.
        scaled: float32[window, channels]; what the model was given.
        carried: By name, float32[width]; what was carried up to before the new rows. Empty: nothing is carried.
        carried_on: The same after them.
        measured: What the scorer carries of the series' own scale, one record; None: nothing.
        parts: By name, float32[rows, channels]; what the model said, scaled, aligned with the window's end.
        score: NaN where it is not known.
        contributions: float32[channels].
        expected: float64[channels]; what the last sample was compared with, in the channels' own units.
    """

    time_ns: int
    offset: int
    new_rows: int
    anew: bool
    values: Float64
    scaled: Float32
    carried: Mapping[str, Float32]
    carried_on: Mapping[str, Float32]
    measured: States | None
    parts: Mapping[str, Float32]
    score: float
    contributions: Float32
    expected: Float64


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """What a runtime was given, and what it made of it; fields as in `Step`."""

    windows: Float32
    carried: Mapping[str, Float32]
    carried_on: Mapping[str, Float32]
    anew: bool
    output: Output


class Tap:
    """Keeps the last windows of one series up to a time.

    Args:
        series: Name.
        until_ns: Event time after which nothing is kept.
        keep: At most so many windows.

    Attributes:
        steps: What was kept, in order; it begins anew wherever the series does.
        nearest_ns: Event times of the first and the last window of the series that were seen at all, or None.
    """

    def __init__(self, series: str, until_ns: int, keep: int) -> None:
        self._series, self._until_ns = series, until_ns
        self.steps: deque[Step] = deque(maxlen=keep)
        self.nearest_ns: tuple[int, int] | None = None
        self._given: _Given | None = None

    def runtime(self, runtime: Runtime) -> Runtime:
        """A runtime that is listened to."""
        return _TappedRuntime(runtime, self)

    def scorer(self, scorer: WindowScorer) -> WindowScorer:
        """A scorer that is listened to, whose runtime must be as well."""
        return _TappedScorer(scorer, self)

    def wants(self, batch: WindowBatch) -> list[int]:
        """Windows of a batch to listen to, by index."""
        found = [index for index, series in enumerate(batch.series) if series == self._series]
        if found:
            times = batch.time_ns[found]
            low, high = (int(times.min()), int(times.max()))
            before = self.nearest_ns or (low, high)
            self.nearest_ns = min(low, before[0]), max(high, before[1])
        return [index for index in found if batch.time_ns[index] <= self._until_ns]

    def listen(self) -> None:
        """A window of the series is about to be scored, alone."""
        self._given = None

    def given(self, given: _Given) -> None:
        """Take note of what the runtime was given and made of it."""
        self._given = given

    def scored(self, batch: WindowBatch, scores: Scores, states: States | None) -> None:
        """Take note of a window, scored alone, and of what is carried after it."""
        if self._given is None:  # the model has not seen it: its series is still being measured
            return
        given, self._given = self._given, None
        length, steps = given.windows.shape[1], int(batch.steps[0])
        anew = given.anew or not 0 < steps <= length
        measured = None
        if states is not None and SCALE in (states.dtype.names or ()):
            measured = states[batch.slots[:1]][SCALE].copy()
        if anew:
            self.steps.clear()
        self.steps.append(
            Step(
                time_ns=int(batch.time_ns[0]),
                offset=int(batch.offsets[0]),
                new_rows=length if anew else steps,
                anew=anew,
                values=batch.values[0].copy(),
                scaled=given.windows[0].copy(),
                carried=given.carried,
                carried_on=given.carried_on,
                measured=measured,
                parts={name: part[0].copy() for name, part in given.output.parts.items()},
                score=float(scores.score[0]),
                contributions=scores.contributions[0].copy(),
                expected=scores.expected[0].copy(),
            )
        )


class _TappedRuntime:
    """Tells the tap what it is given; only windows that are scored alone count."""

    def __init__(self, runtime: Runtime, tap: Tap) -> None:
        self._inner, self._tap = runtime, tap

    @property
    def state_dtype(self) -> StateType | None:
        """As without the tap."""
        return self._inner.state_dtype

    def __call__(self, windows: Float32, memory: Memory | None = None) -> Output:
        """As without the tap."""
        if len(windows) != 1:
            return self._inner(windows, memory)
        carried = _vectors(memory)
        anew = memory is not None and int(memory.steps[0]) == 0
        output = self._inner(windows, memory)
        self._tap.given(_Given(windows, carried, _vectors(memory), anew, output))
        return output


class _TappedScorer:
    """Scores the windows of the series one by one, in their place among the others; no score depends on that."""

    def __init__(self, scorer: WindowScorer, tap: Tap) -> None:
        self._inner, self._tap = scorer, tap

    @property
    def state_dtype(self) -> StateType | None:
        """As without the tap."""
        return self._inner.state_dtype

    def score(self, batch: WindowBatch, states: States | None) -> Scores:
        """As without the tap."""
        wanted = self._tap.wants(batch)
        if not wanted:
            return self._inner.score(batch, states)
        parts, done = [], 0
        for index in wanted:
            if index > done:
                parts.append(self._inner.score(_rows(batch, done, index), states))
            alone = _rows(batch, index, index + 1)
            self._tap.listen()
            parts.append(self._inner.score(alone, states))
            self._tap.scored(alone, parts[-1], states)
            done = index + 1
        if done < len(batch.series):
            parts.append(self._inner.score(_rows(batch, done, len(batch.series)), states))
        return _joined(parts)


def _vectors(memory: Memory | None) -> dict[str, Float32]:
    """What is carried along the one series of a batch."""
    if memory is None:
        return {}
    record = memory.states[memory.slots[0]]
    if MODEL in (record.dtype.names or ()):  # estimates beside the model carry something as well
        record = record[MODEL]
    names = [name for name in record.dtype.names or () if record[name].ndim]
    return {name: np.array(record[name], np.float32) for name in names}


def _rows(batch: WindowBatch, start: int, stop: int) -> WindowBatch:
    return WindowBatch(**{field.name: getattr(batch, field.name)[start:stop] for field in fields(WindowBatch)})


def _joined(parts: list[Scores]) -> Scores:
    joined: dict[str, Any] = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Scores)
    }
    return Scores(**joined)
