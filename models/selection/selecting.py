"""Choosing a model without labels, for one stream or for several that shall have the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.errors import TrainingError
from models.recipe import fixed
from models.segments import TrainingData, check
from models.selection.attempts import TryOut
from models.selection.candidates import candidates
from models.selection.choosing import Selection, choose, order
from models.selection.halving import Tell, search
from models.selection.together import Together
from models.selection.workbench import CountOfWindow, Workbench

LEAST_FAULTS = 20
"""With fewer, chance would choose."""
DEFAULT_BUDGET_SECONDS = 600.0
MOST_ROWS = 60_000
"""Of all streams that shall have the same; of longer ones their latest rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """What one model is to learn from.

    Attributes:
        data: By series, times and values; ordinary operation.
        channels: Their names.
        period_seconds: Step of the grid, or None.
    """

    data: TrainingData
    channels: tuple[str, ...]
    period_seconds: float | None

    @property
    def rows(self) -> int:
        """Of all series together."""
        return sum(len(times) for times, _ in self.data.values())

    def latest(self, most: int) -> Stream:
        """The latest rows, at most so many of each series."""
        return Stream(
            {name: (times[-most:], values[-most:]) for name, (times, values) in self.data.items()},
            self.channels,
            self.period_seconds,
        )


def select(
    data: TrainingData, channels: tuple[str, ...], period_seconds: float | None, count_incidents: CountOfWindow,
    budget_seconds: float = DEFAULT_BUDGET_SECONDS, seed: int = 0, threads: int | None = None,
    tell: Tell | None = None, clock: Callable[[], float] = time.monotonic,
) -> Selection:  # fmt: skip
    """Choose a recipe for data that nobody has labelled.

    Args:
        data: By series, times and values; ordinary operation.
        channels: Their names.
        period_seconds: Step of the grid, or None.
        count_incidents: As the worker would, for thresholds.
        budget_seconds: For trying candidates; see `models.selection.halving.search`.
        seed: Of faults and weights.
        threads: Of TensorFlow.
        tell: Is told before each training.
        clock: Seconds that never run backwards.

    Raises:
        TrainingError: nothing could be trained on this data.
    """
    began = clock()
    check(data, channels)
    stream = Stream(data, channels, period_seconds)
    bench = Workbench(data, channels, period_seconds, count_incidents, seed, threads)
    return _select(bench, bench.trial.faults, stream, stream.rows, budget_seconds, began, seed, tell, clock)


def select_for_all(
    streams: Sequence[Stream], count_incidents: CountOfWindow, budget_seconds: float = DEFAULT_BUDGET_SECONDS,
    seed: int = 0, threads: int | None = None, tell: Tell | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Selection:  # fmt: skip
    """Choose one recipe for streams of the same kind, each of which will have a model of its own.

    Args:
        streams: With as many channels each; every candidate is trained on each, so a few do. At most `MOST_ROWS` rows
            are looked at.
        count_incidents: See `select`.
        budget_seconds: For trying candidates on all of them.
        seed: Of faults and weights.
        threads: Of TensorFlow.
        tell: Is told before each training.
        clock: Seconds that never run backwards.

    Raises:
        TrainingError: there is no stream, one has other channels, or nothing could be trained on this data.
    """
    began = clock()
    if len({len(stream.channels) for stream in streams}) != 1:
        raise TrainingError("one choice for several streams needs streams with as many channels each, at least one")
    for stream in streams:
        check(stream.data, stream.channels)
    most = MOST_ROWS // len(streams)
    benches = [
        Workbench(one.data, one.channels, one.period_seconds, count_incidents, seed, threads)
        for one in (stream.latest(most) for stream in streams)
    ]
    together = Together(benches)
    # What a stream of ordinary length has decides, since each learns from its own rows alone.
    rows = int(np.median([stream.rows for stream in streams]))
    return _select(together, together.faults, streams[0], rows, budget_seconds, began, seed, tell, clock)


def _select(
    try_out: TryOut, faults: int, stream: Stream, rows: int, budget_seconds: float, began: float, seed: int,
    tell: Tell | None, clock: Callable[[], float],
) -> Selection:  # fmt: skip
    channels = len(stream.channels)
    if faults < LEAST_FAULTS:
        reason = f"{rows:,} rows have no room for {LEAST_FAULTS} injected faults: the recipe for data of this shape"
        return Selection(fixed(channels, rows), reason, (), {}, clock() - began, kept=True)
    family = candidates(channels, rows, periodic=stream.period_seconds is not None)
    found = search(family, try_out, order, budget_seconds, clock, seed, tell)
    selection = choose(found, seed, clock() - began)
    # Not if it could not be trained, and another was the first.
    return replace(selection, kept=selection.kept and found.attempts[0].candidate == family[0].name)
