"""Scorers that report what they do: how long batches take, how old samples are, how far they have drifted."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import structlog

from detector.observability.histogram import BulkHistogram
from detector.observability.metrics import Metrics
from detector.pipeline.context import WindowScorer
from detector.scoring.drift import Drift, FollowsDrift
from detector.scoring.scores import Scores
from detector.series.carried import States, StateType
from detector.series.values import WindowBatch

_log = structlog.get_logger(__name__)
_NS = 1e-9
_CHANNELS_TOLD = 10


class TimedScorer:
    """A scorer that reports how long batches take.

    Args:
        scorer: Scores them.
        seconds: Takes the time of each.
        stream: Name of the stream.
        monotonic: Clock for intervals.
    """

    def __init__(
        self,
        scorer: WindowScorer,
        seconds: BulkHistogram,
        stream: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._scorer = scorer
        self._seconds = seconds
        self._stream = stream
        self._monotonic = monotonic

    @property
    def state_dtype(self) -> StateType | None:
        """See `Scorer.state_dtype`."""
        return self._scorer.state_dtype

    def score(self, batch: WindowBatch, states: States | None) -> Scores:
        """See `Scorer.score`."""
        started = self._monotonic()
        scores = self._scorer.score(batch, states)
        self._seconds.observe(self._monotonic() - started, self._stream)
        return scores


class MeasuredScorer:
    """A stream's scorer that reports how long batches take, how old their samples are, and how far they have drifted.

    Args:
        scorer: Scores them.
        metrics: Where it is reported.
        stream: Name of the stream.
        monotonic: Clock for intervals.
        now: Wall clock, seconds since the epoch.
        drift: Compares samples with the training data; None: nobody does.
    """

    def __init__(
        self,
        scorer: WindowScorer,
        metrics: Metrics,
        stream: str,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        drift: FollowsDrift | None = None,
    ) -> None:
        self._timed = TimedScorer(scorer, metrics.scores.scoring_duration, stream, monotonic)
        self._metrics = metrics.scores
        self._stream = stream
        self._now = now
        self._drift = drift

    @property
    def state_dtype(self) -> StateType | None:
        """See `Scorer.state_dtype`."""
        return self._timed.state_dtype

    def score(self, batch: WindowBatch, states: States | None) -> Scores:
        """See `Scorer.score`."""
        scores = self._timed.score(batch, states)
        self._metrics.scoring_batch_windows.observe(len(batch.series), self._stream)
        self._metrics.event_time_lag.observe_many(np.maximum(self._now() - batch.time_ns * _NS, 0.0), self._stream)
        if self._drift is not None and (found := self._drift.follow(batch, scores)) is not None:
            self._tell_drift(found)
        return scores

    def _tell_drift(self, found: Drift) -> None:
        if (worst := found.worst) is not None:
            self._metrics.input_drift.labels(self._stream).set(worst.index)
            self._metrics.input_drift_limit.labels(self._stream).set(worst.limit)
        if found.score is not None:
            self._metrics.score_drift.labels(self._stream).set(found.score.index)
            self._metrics.score_drift_limit.labels(self._stream).set(found.score.limit)
        if shifted := found.shifted:
            told = list(shifted.items())[:_CHANNELS_TOLD]
            _log.warning(
                "inputs are not what the model was trained on: their population stability index is beyond what it was "
                "between stretches of the training data. If a sensor or a unit changed, see to it; if this is the new "
                "ordinary, train anew (detector retrain)",
                stream=self._stream,
                indices={name: round(one.index, 2) for name, one in told},
                limits={name: round(one.limit, 2) for name, one in told},
                more=max(0, len(shifted) - _CHANNELS_TOLD),
            )
