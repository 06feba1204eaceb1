"""How far inputs and scores of a stretch of event time are from those of training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from detector.scoring.scores import Scores
from detector.series.values import WindowBatch

SHIFTED = 0.25
"""Credit scoring calls more than this a shift to act on (Siddiqi, "Credit Risk Scorecards", 2006)."""
MARGIN = 1.5
"""A stretch is shifted when it is this much farther from training data than stretches of that data from each other."""


def limit_of(usual: float) -> float:
    """Index beyond which a stretch is shifted, where stretches of training data seldom exceed ``usual``."""
    return max(SHIFTED, MARGIN * usual)


@dataclass(frozen=True, slots=True)
class Distance:
    """How far one quantity is from what it was in training.

    Attributes:
        index: Population stability index.
        limit: Beyond it the quantity has shifted.
    """

    index: float
    limit: float


@dataclass(frozen=True, slots=True)
class Drift:
    """Population stability indices of one stretch of event time.

    Attributes:
        inputs: By channel.
        score: Of the scores; None when there was none.
    """

    inputs: Mapping[str, Distance]
    score: Distance | None

    @property
    def worst(self) -> Distance | None:
        """Of the channel that is farthest for its limit; None when none was observed."""
        return max(self.inputs.values(), key=lambda found: found.index / found.limit, default=None)

    @property
    def shifted(self) -> dict[str, Distance]:
        """Channels that are beyond their limits, the farthest first."""
        found = [(name, one) for name, one in self.inputs.items() if one.index > one.limit]
        return dict(sorted(found, key=lambda item: -item[1].index / item[1].limit))


class FollowsDrift(Protocol):
    """Counts the samples of a stream; `detector.scoring.drift_meter.DriftMeter` is one."""

    def follow(self, batch: WindowBatch, scores: Scores) -> Drift | None:
        """Count a batch; what it found, when the batch ended a stretch."""
