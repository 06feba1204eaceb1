"""How far inputs and scores of a stretch of event time are from those of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from detector.scoring.scores import Scores
from detector.series.values import WindowBatch

SHIFTED = 0.25
"""Credit scoring calls more than this a shift to act on (Siddiqi, "Credit Risk Scorecards", 2006)."""


@dataclass(frozen=True, slots=True)
class Drift:
    """Population stability indices of one stretch of event time.

    Attributes:
        inputs: By channel.
        score: Of the scores; None when there was none.
    """

    inputs: dict[str, float]
    score: float | None

    @property
    def worst(self) -> float:
        """The greatest of the channels; 0 when none was observed."""
        return max(self.inputs.values(), default=0.0)

    @property
    def shifted(self) -> dict[str, float]:
        """Channels that are beyond what credit scoring calls a shift, the worst first."""
        found = [(name, index) for name, index in self.inputs.items() if index > SHIFTED]
        return dict(sorted(found, key=lambda item: -item[1]))


class FollowsDrift(Protocol):
    """Counts the samples of a stream; `detector.scoring.drift_meter.DriftMeter` is one."""

    def follow(self, batch: WindowBatch, scores: Scores) -> Drift | None:
        """Count a batch; what it found, when the batch ended a stretch."""
