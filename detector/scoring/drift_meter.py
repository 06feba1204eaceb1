"""How far today's inputs and scores are from those that the model was trained on.

For metrics only: nothing that is counted here shapes an outcome, and a restart begins to count anew.
"""

from __future__ import annotations

import numpy as np

from detector.scoring.drift import Distance, Drift, limit_of
from detector.scoring.scores import Scores
from detector.series.values import WindowBatch
from models.reference import Reference
from models.variation import LEAST_SAMPLES


class DriftMeter:
    """Counts samples of a stream over stretches of event time.

    Args:
        reference: Of the model.
        channels: Names, in the model's order.
        window_ns: Length of a stretch.
    """

    def __init__(self, reference: Reference, channels: tuple[str, ...], window_ns: int) -> None:
        self._reference = reference
        self._channels = channels
        self._window_ns = window_ns
        self._counts = reference.new_counts()
        self._samples = 0
        # No more names than training had series: from there on more of them make no difference.
        self._series: set[str] = set()
        self._began_ns: int | None = None

    def follow(self, batch: WindowBatch, scores: Scores) -> Drift | None:
        """Count a batch; the indices when it ended a stretch that has enough samples.

        A stretch with too few goes on until it has enough.
        """
        if not len(batch.time_ns):
            return None
        if self._began_ns is None:
            self._began_ns = int(batch.time_ns.min())
        self._reference.count(scores.scaled, scores.score, self._counts)
        self._samples += len(batch.time_ns)
        if len(self._series) < self._reference.series:
            self._series.update(batch.series)
        # The median: a single clock that is ahead does not end a stretch.
        if int(np.median(batch.time_ns)) - self._began_ns < self._window_ns or self._samples < LEAST_SAMPLES:
            return None
        indices = self._reference.stability(self._counts)
        usual = self._reference.usual(self._window_ns / 1e9, len(self._series))
        self._counts = self._reference.new_counts()
        self._samples, self._began_ns = 0, None
        self._series.clear()
        found = [Distance(index, limit_of(of)) for index, of in zip(indices.tolist(), usual.tolist(), strict=True)]
        inputs = {name: one for name, one in zip(self._channels, found[:-1], strict=True) if one.index == one.index}
        return Drift(inputs, found[-1] if found[-1].index == found[-1].index else None)
