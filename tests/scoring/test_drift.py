from __future__ import annotations

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from detector.observability.metrics import Metrics
from detector.scoring.drift import MARGIN, SHIFTED
from detector.scoring.drift_meter import DriftMeter
from detector.series.values import WindowBatch
from detector.worker.timed_scorers import MeasuredScorer
from models.reference import Reference
from models.variation import LEAST_SAMPLES, Track
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
    times_ns = np.arange(5000) * MINUTE_NS
    reference = Reference.of(
        [Track("a", times_ns, usual[:, 0].astype(np.float32))], [Track("a", times_ns, scores[:, None])]
    )
    return DriftMeter(reference, ("level", "flow"), HOUR_NS)


def follow(meter: DriftMeter, values: np.ndarray, **where):
    one = batch(values, **where)
    return meter.follow(one, MagnitudeScorer().score(one, None))


def test_a_stretch_is_told_at_its_end(meter: DriftMeter) -> None:
    assert follow(meter, rows(600, seed=1)) is None
    found = follow(meter, rows(600, seed=2), start_ns=HOUR_NS)
    assert found is not None
    assert list(found.inputs) == ["level", "flow"]
    assert found.worst is not None
    assert found.worst.index < 0.1
    assert found.worst.limit == SHIFTED  # independent draws: stretches of training differ by less
    assert found.score is not None
    assert found.score.index < 0.1
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
    scorer = MeasuredScorer(MagnitudeScorer(), Metrics(registry), "pumps", drift=meter)
    with capture_logs() as logs:
        for hour in range(2):
            scorer.score(batch(rows(600, 2.0, seed=hour), hour * HOUR_NS), None)
    labels = {"stream": "pumps"}
    assert registry.get_sample_value("reconstream_input_drift_psi", labels) > 0.25  # type: ignore[operator]
    assert registry.get_sample_value("reconstream_score_drift_psi", labels) is not None
    assert registry.get_sample_value("reconstream_input_drift_psi_limit", labels) == SHIFTED
    assert registry.get_sample_value("reconstream_score_drift_psi_limit", labels) >= SHIFTED  # type: ignore[operator]
    (told,) = [entry for entry in logs if "not what the model was trained on" in entry["event"]]
    assert "population stability index" in told["event"]
    assert (list(told["indices"]), told["limits"], told["more"]) == (["flow"], {"flow": SHIFTED}, 0)


DAY_NS = 24 * HOUR_NS


def wandering(days: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """Samples of every other minute whose level is another each day, as a day of real telemetry is no draw of weeks."""
    random = np.random.default_rng(seed)
    return np.repeat(random.uniform(-2, 2, days), 720)[:, None] + random.normal(size=(days * 720, 2)) + [0, shift]


def told(reference: Reference, values: np.ndarray) -> list:
    meter = DriftMeter(reference, ("level", "flow"), DAY_NS)
    every = [
        follow(meter, part[:, None], start_ns=720 * number * 2 * MINUTE_NS, step_ns=2 * MINUTE_NS)
        for number, part in enumerate(np.split(values, len(values) // 720))
    ]
    return [found for found in every if found is not None]


def test_training_data_and_more_of_the_same_is_not_far_from_itself() -> None:
    usual, times_ns = wandering(28, 0), np.arange(28 * 720) * 2 * MINUTE_NS
    reference = Reference.of([Track("a", times_ns, usual.astype(np.float32))], [])
    for again in (usual, wandering(28, 1)):
        found = told(reference, again)
        assert len(found) > 10
        # Beyond the limit for independent draws, and still ordinary.
        assert max(one.worst.index for one in found) > 2 * SHIFTED
        assert not any(one.shifted for one in found)
        assert min(one.worst.limit for one in found) > MARGIN * SHIFTED
    assert all(list(one.shifted) == ["flow"] for one in told(reference, wandering(28, 2, shift=9.0)))
