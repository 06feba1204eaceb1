"""One series of many: only its windows reach the model, and its scores are the same."""

from __future__ import annotations

import numpy as np

from detector.scoring.scores import Scores
from detector.series.values import WindowBatch
from detector.stretches.single import SingleScorer, Unscored
from tests.worker.support import MagnitudeScorer


def batch(names: str) -> WindowBatch:
    count = len(names)
    random = np.random.default_rng(0)
    return WindowBatch(
        slots=np.arange(count, dtype=np.int32), series=list(names), time_ns=np.arange(count),
        offsets=np.arange(count), start_offsets=np.zeros(count, np.int64), values=random.normal(size=(count, 3, 2)),
        coverage_ok=np.ones(count, np.bool_), steps=np.ones(count, np.int64),
    )  # fmt: skip


class Counting(MagnitudeScorer):
    def __init__(self) -> None:
        self.series: list[str] = []

    def score(self, batch: WindowBatch, states: object = None) -> Scores:
        self.series += batch.series
        return super().score(batch)


def test_windows_of_other_series_do_not_reach_the_model():
    inner = Counting()
    scorer = SingleScorer(inner, "b")
    windows = batch("abcbba")
    found, whole = scorer.score(windows, None), MagnitudeScorer().score(windows)
    assert inner.series == ["b", "b", "b"]
    mine = np.array([1, 3, 4])
    for name in ("score", "contributions", "seen", "expected", "scaled"):
        assert np.array_equal(getattr(found, name)[mine], getattr(whole, name)[mine])
    others = np.array([0, 2, 5])
    assert np.isnan(found.score[others]).all()
    assert not found.contributions[others].any()
    assert np.array_equal(found.seen[others], windows.values[others, -1])
    assert np.isnan(scorer.score(batch("acd"), None).score).all()
    assert inner.series == ["b", "b", "b"]
    assert np.isnan(Unscored().score(windows, None).score).all()
