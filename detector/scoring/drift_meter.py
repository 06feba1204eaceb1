"""How far today's inputs and scores are from those that the model was trained on.

For metrics only: nothing that is counted here shapes an outcome, and a restart begins to count anew.
"""

from __future__ import annotations

import numpy as np

from detector.scoring.drift import Drift
from detector.scoring.scores import Scores
from detector.series.values import WindowBatch
from models.reference import Reference

LEAST_SAMPLES = 500
"""Fewer samples tell too little: ten bins of fifty differ by a tenth from chance alone."""


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
        # The median: a single clock that is ahead does not end a stretch.
        if int(np.median(batch.time_ns)) - self._began_ns < self._window_ns or self._samples < LEAST_SAMPLES:
            return None
        found = self._reference.stability(self._counts).tolist()
        self._counts = self._reference.new_counts()
        self._samples, self._began_ns = 0, None
        inputs = {name: index for name, index in zip(self._channels, found[:-1], strict=True) if index == index}
        return Drift(inputs, found[-1] if found[-1] == found[-1] else None)
