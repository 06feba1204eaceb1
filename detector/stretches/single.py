"""One series of many: only its windows are scored, and only its samples are gathered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.alerting.timestamps import parse_time
from detector.pipeline.context import WindowScorer
from detector.scoring.scores import Scores
from detector.series.carried import States, StateType
from detector.series.values import Reset, WindowBatch
from detector.stretches.clip import Clip
from detector.stretches.samples import Samples, samples_of


class SingleScorer:
    """Scores the windows of one series; those of others have no score, and what is carried along them stays.

    Args:
        scorer: Scores windows of all series.
        series: Name.
    """

    def __init__(self, scorer: WindowScorer, series: str) -> None:
        self._inner, self._series = scorer, series

    @property
    def state_dtype(self) -> StateType | None:
        """As of the scorer."""
        return self._inner.state_dtype

    def score(self, batch: WindowBatch, states: States | None) -> Scores:
        """See `detector.pipeline.context.WindowScorer`; the scores there are do not depend on the series left out."""
        mine = _places(batch, self._series)
        found = unscored(batch)
        if len(mine):
            inner = self._inner.score(_chosen(batch, mine), states)
            for field in fields(Scores):
                getattr(found, field.name)[mine] = getattr(inner, field.name)
        return found


class Unscored:
    """A scorer that knows nothing, for windows whose values alone are wanted."""

    state_dtype: StateType | None = None

    def score(self, batch: WindowBatch, states: States | None) -> Scores:
        """See `detector.pipeline.context.WindowScorer`."""
        del states
        return unscored(batch)


class Gatherer:
    """Gathers the samples of one series that pipelines score.

    Args:
        series: Name.
        threshold: In force.
        take: Gets them, in order.
    """

    def __init__(self, series: str, threshold: float, take: Callable[[Samples], None]) -> None:
        self._series, self._threshold, self._take = series, threshold, take

    def observe(
        self, partition: int, batch: WindowBatch | None, scores: Scores | None, resets: Sequence[Reset]
    ) -> None:
        """See `detector.pipeline.context.Observer`."""
        del partition, resets
        if batch is None or scores is None:
            return
        mine = _places(batch, self._series)
        if len(mine):
            found = Scores(**{field.name: getattr(scores, field.name)[mine] for field in fields(Scores)})
            self._take(samples_of(_chosen(batch, mine), found, self._threshold))


class Around:
    """The samples around an incident, out of all that are read of its series.

    Args:
        clip: Is filled.
        before: Samples before the incident's start that are wanted.
    """

    def __init__(self, clip: Clip, before: int) -> None:
        self._clip, self._before = clip, before
        self._started_ns = parse_time(clip.event.started_at)
        self._waiting: Samples | None = None
        self._begun = False

    def take(self, samples: Samples) -> None:
        """Take the next samples of the series.

        Those of a model with another number of channels do not go together; the ones before the incident give way.
        """
        if self._begun:
            if samples.dtype == self._clip.samples().dtype:
                self._clip.add(samples)
                self._clip.settle()
            return
        if self._waiting is not None and self._waiting.dtype == samples.dtype:
            samples = np.concatenate([self._waiting, samples])
        first = int(np.count_nonzero(samples["time_ns"] < self._started_ns))
        samples = samples[max(0, first - self._before) :]
        self._waiting = samples
        if first < len(samples) + max(0, first - self._before):
            self.begin()

    def begin(self) -> None:
        """Nothing more comes before the incident, or at all."""
        if not self._begun and self._waiting is not None and len(self._waiting):
            self._begun = True
            self._clip.add(self._waiting)
            self._clip.settle()


def unscored(batch: WindowBatch) -> Scores:
    """Scores of windows of which nothing is known but what was seen."""
    seen = batch.values[:, -1]
    return Scores(
        score=np.full(len(seen), np.nan),
        contributions=np.zeros(seen.shape, np.float32),
        seen=seen,
        expected=np.full(seen.shape, np.nan),
        scaled=np.full(seen.shape, np.nan, np.float32),
    )


def _places(batch: WindowBatch, series: str) -> npt.NDArray[np.intp]:
    return np.array([index for index, name in enumerate(batch.series) if name == series], np.intp)


def _chosen(batch: WindowBatch, places: npt.NDArray[np.intp]) -> WindowBatch:
    columns = {field.name: getattr(batch, field.name) for field in fields(WindowBatch) if field.name != "series"}
    chosen: dict[str, Any] = {name: column[places] for name, column in columns.items()}
    return WindowBatch(series=[batch.series[index] for index in places.tolist()], **chosen)
