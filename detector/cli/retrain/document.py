"""What the report of a round says about its models and its data, as plain values."""

from __future__ import annotations

from typing import Any

import numpy as np

from detector.retraining.comparison import Performance
from detector.scoring.drift import limit_of
from detector.training_data import SeriesData
from models.bundle import Bundle

_NS = 1_000_000_000
_MOST_DRIFTED = 10


def document_of(bundle: Bundle, performance: Performance) -> dict[str, Any]:
    """A model and what it does on the history, as plain values."""
    injected = None if performance.injected != performance.injected else round(performance.injected, 4)
    return {
        "version": bundle.version,
        "digest": bundle.digest,
        "threshold": bundle.calibration.threshold,
        "injected_average_precision": injected,
        "known_faults": performance.known,
        "found": performance.found,
        "other_incidents": performance.others,
        "other_incidents_per_week": round(performance.others_per_week, 4),
    }


def drift_of(champion: Bundle, data: SeriesData) -> dict[str, dict[str, float]]:
    """Channels that are farthest from what the present model was trained on, with their stability index and limit."""
    reference = champion.reference
    counts = reference.new_counts()
    for name, (_, values) in data.items():
        scaled = champion.scaler.apply(values[None], np.array([champion.scaler.row(name)]))[0]
        reference.count(scaled, np.full(len(scaled), np.nan), counts)
    times = [times for times, _ in data.values()]
    seconds = (max(int(of[-1]) for of in times) - min(int(of[0]) for of in times)) / _NS
    limits = [limit_of(usual) for usual in reference.usual(seconds, len(data))[:-1].tolist()]
    found = zip(champion.spec.channels, reference.stability(counts)[:-1].tolist(), limits, strict=True)
    worst = sorted((one for one in found if one[1] == one[1]), key=lambda one: -one[1] / one[2])
    return {name: {"index": round(index, 4), "limit": round(limit, 4)} for name, index, limit in worst[:_MOST_DRIFTED]}
