"""Windows of many series to scores, in batches, through whichever runtime the bundle was opened with."""

from __future__ import annotations

import numpy as np

from detector.scoring.scores import Scores
from detector.series.carried import States, StateType
from detector.series.values import WindowBatch
from models.bundle import Bundle
from models.memory import Memory
from models.residuals import impute
from models.runtimes import Runtime


class Scorer:
    """Scales, runs the model and compares.

    Rows do not influence each other: a window's score has the same bits whatever else is in its batch.

    Args:
        bundle: Scaler, residual and the rest that was fixed in training.
        runtime: The model, opened by `models.runtimes.open_runtime`.
    """

    def __init__(self, bundle: Bundle, runtime: Runtime) -> None:
        self._scaler = bundle.scaler
        self._residual = bundle.residual
        self._runtime = runtime

    @property
    def state_dtype(self) -> StateType | None:
        """What is carried along a series from window to window; None: nothing."""
        return self._runtime.state_dtype

    def score(self, batch: WindowBatch, states: States | None = None) -> Scores:
        """Score every window of a batch of ``n >= 0`` windows.

        Args:
            batch: The windows.
            states: What was carried up to them, one record of `state_dtype` by ``batch.slots``; moved on in place.
        """
        rows = np.fromiter((self._scaler.row(series) for series in batch.series), np.intp, len(batch.series))
        scaled = self._scaler.apply(batch.values, rows)
        filled, observed = impute(scaled)
        memory = None if states is None else Memory(states, batch.slots, batch.steps)
        reconstruction = self._runtime(filled, memory).reconstruction
        score, contributions = self._residual.score(filled, reconstruction, observed)
        return Scores(
            score=np.where(batch.coverage_ok, score, np.nan),
            contributions=contributions.astype(np.float32),
            seen=batch.values[:, -1],
            expected=self._scaler.invert(reconstruction[:, -1:], rows)[:, 0],
        )
