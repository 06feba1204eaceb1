from __future__ import annotations

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from detector.instruments import TimedScorer
from detector.observability.metrics import Metrics
from detector.scoring.drift_meter import LEAST_SAMPLES, DriftMeter
from detector.series.values import WindowBatch
from models.reference import Reference
from tests.worker.support import MagnitudeScorer

HOUR_NS = 3_600_000_000_000
MINUTE_NS = HOUR_NS // 60


def rows(count: int, shift: float = 0.0, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=(count, 1, 2))
    values[:, :, 1] += shift
    return values


def batch(values: np.ndarray, start_ns: int = 0, step_ns: int = MINUTE_NS // 10) -> WindowBatch:
    count = len(values)
    places = np.arange(count)
    return WindowBatch(
        slots=np.zeros(count, np.int32), series=["a"] * count, time_ns=start_ns + places * step_ns,
        offsets=places, start_offsets=places, values=values, coverage_ok=np.ones(count, bool),
        steps=np.ones(count, np.int64),
    )  # fmt: skip


@pytest.fixture
def meter() -> DriftMeter:
    usual = rows(5000)
    scores = MagnitudeScorer().score(batch(usual), None).score
    return DriftMeter(Reference.of([usual[:, 0].astype(np.float32)], scores), ("level", "flow"), HOUR_NS)


def follow(meter: DriftMeter, values: np.ndarray, **where):
    one = batch(values, **where)
    return meter.follow(one, MagnitudeScorer().score(one, None))


def test_a_stretch_is_told_at_its_end(meter: DriftMeter) -> None:
    assert follow(meter, rows(600, seed=1)) is None
    found = follow(meter, rows(600, seed=2), start_ns=HOUR_NS)
    assert found is not None
    assert list(found.inputs) == ["level", "flow"]
    assert found.worst < 0.1
    assert found.score is not None
    assert found.score < 0.1
    assert found.shifted == {}
    assert follow(meter, rows(10, seed=3), start_ns=2 * HOUR_NS) is None


def test_what_has_come_far_is_named(meter: DriftMeter) -> None:
    follow(meter, rows(600, 2.0, seed=1))
    found = follow(meter, rows(600, 2.0, seed=2), start_ns=HOUR_NS)
    assert found is not None
    assert list(found.shifted) == ["flow"]


def test_a_stretch_with_few_samples_goes_on(meter: DriftMeter) -> None:
    assert follow(meter, rows(LEAST_SAMPLES - 10, seed=1), step_ns=MINUTE_NS) is None
    assert follow(meter, rows(10, seed=2), start_ns=9 * HOUR_NS) is not None


def test_metrics_and_log(meter: DriftMeter) -> None:
    registry = CollectorRegistry()
    scorer = TimedScorer(MagnitudeScorer(), Metrics(registry), "pumps", drift=meter)
    with capture_logs() as logs:
        for hour in range(2):
            scorer.score(batch(rows(600, 2.0, seed=hour), hour * HOUR_NS), None)
    labels = {"stream": "pumps"}
    assert registry.get_sample_value("reconstream_input_drift_psi", labels) > 0.25  # type: ignore[operator]
    assert registry.get_sample_value("reconstream_score_drift_psi", labels) is not None
    (told,) = [entry for entry in logs if "not what the model was trained on" in entry["event"]]
    assert (list(told["channels"]), told["more"]) == (["flow"], 0)
