"""Windows of many series to scores, in batches, through whichever runtime the bundle was opened with."""

from __future__ import annotations

import numpy as np

from detector.scoring.scores import Scores
from detector.series.carried import States, StateType
from detector.series.values import WindowBatch
from models.bundle import Bundle
from models.memory import Memory
from models.runtimes import Runtime


class Scorer:
    """Scores windows as the bundle says.

    Rows do not influence each other: what a series comes to has the same bits whatever else is in its batch.

    Args:
        bundle: Scaler, score and the rest that was fixed in training.
        runtime: The model, opened by `models.bundle.open_runtime`.
    """

    def __init__(self, bundle: Bundle, runtime: Runtime) -> None:
        self._chain = bundle.chain(runtime)

    @property
    def state_dtype(self) -> StateType | None:
        """What is carried along a series from window to window; None: nothing."""
        return self._chain.state_dtype

    def reach(self, series: str) -> float:
        """Scored samples of a series after which nothing older has any influence; infinite when that never is so."""
        return self._chain.reach(series)

    def score(self, batch: WindowBatch, states: States | None = None) -> Scores:
        """Score every window of a batch of ``n >= 0`` windows.

        Args:
            batch: The windows.
            states: What was carried up to them, one record of `state_dtype` by ``batch.slots``; moved on in place.
        """
        rows = np.fromiter((self._chain.row(series) for series in batch.series), np.intp, len(batch.series))
        memory = None if states is None else Memory(states, batch.slots, batch.steps, batch.time_ns)
        judged = self._chain.judge(batch.values, rows, batch.coverage_ok, memory)
        return Scores(
            score=judged.score,
            contributions=judged.contributions.astype(np.float32),
            seen=batch.values[:, -1],
            expected=judged.expected,
            scaled=judged.scaled,
        )
