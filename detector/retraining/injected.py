"""Both models of a comparison on the same injected faults."""

from __future__ import annotations

from collections.abc import Mapping

from detector.retraining.comparison import Contender, Injected
from detector.training_data import SeriesData
from models.injection import Trial
from models.segments import cut

LEAST_FAULTS = 20
"""With fewer, chance would say which model is better."""


def on_injected(ordinary: SeriesData, from_ns: Mapping[str, int], seed: int = 0) -> Injected:
    """What measures a model on faults that are injected into the ordinary part of a history.

    Args:
        ordinary: The history without its known faults.
        from_ns: By series, event time from which on the new model has not learned.
        seed: The same for both models, so that they meet the same faults.

    Returns:
        What gives a model's average precision; NaN where there is no room for enough faults.
    """
    late = {name: times_ns >= from_ns.get(name, 0) for name, (times_ns, _) in ordinary.items()}

    def measure(contender: Contender) -> float:
        segments = {
            name: cut(times_ns[late[name]], values[late[name]], contender.period_ns, contender.max_gap_steps)
            for name, (times_ns, values) in ordinary.items()
        }
        trial = Trial.of(segments, seed)
        if trial.faults < LEAST_FAULTS:
            return float("nan")
        return trial.judge(contender.chain, contender.window, contender.min_coverage).overall

    return measure
