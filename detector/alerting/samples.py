"""From a batch of windows and their scores to the samples that incidents are made of."""

from __future__ import annotations

from detector.alerting.incidents import ScoredSample
from detector.scoring.scores import Scores
from detector.series.values import WindowBatch


def scored_sample(batch: WindowBatch, scores: Scores, index: int) -> ScoredSample:
    """What an `IncidentTracker` takes of the window at ``index``."""
    return ScoredSample(
        series=batch.series[index],
        time_ns=int(batch.time_ns[index]),
        offset=int(batch.offsets[index]),
        start_offset=int(batch.start_offsets[index]),
        score=float(scores.score[index]),
        contributions=scores.contributions[index],
        seen=scores.seen[index],
        expected=scores.expected[index],
    )
