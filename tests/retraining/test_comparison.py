from __future__ import annotations

import numpy as np
import pytest

from detector.alerting.policy import IncidentPolicy
from detector.retraining.comparison import Contender, Decision, Performance, decide, perform
from detector.retraining.known import Fault
from models.chain import Chain
from models.outputs import Output
from models.scaling import Scaler
from models.scores import PartErrors, ScoreRule

HOUR_NS = 3_600_000_000_000
ROWS = 24 * 14


class Zero:
    state_dtype = None

    def __call__(self, windows, memory=None):
        return Output({"reconstruction": np.zeros_like(windows)})


def contender(threshold: float) -> Contender:
    scaler = Scaler(("a", "b"), np.zeros((3, 1)), np.ones((3, 1)), 1e6)
    rule = ScoreRule((PartErrors("reconstruction", "squared", 1, np.ones(1), 1.0),), (1,), "plain", np.ones((1, 1)))
    policy = IncidentPolicy(threshold, threshold / 2, 2, 3, 0, 2**62, 2.0, 4.0, 1, ())
    return Contender(Chain(scaler, Zero(), rule), policy, 4, HOUR_NS, 2, 0.5)


@pytest.fixture
def history():
    """Two weeks by the hour; faults of size 3 and 5 in a, and a busy hour of size 2 in b."""
    times = np.arange(ROWS) * HOUR_NS
    a, b = np.zeros((ROWS, 1)), np.zeros((ROWS, 1))
    a[100:110], a[200:210], b[250:255] = 3.0, 5.0, 2.0
    return {"a": (times, a), "b": (times, b)}


FAULTS = {"a": [Fault(100 * HOUR_NS, 110 * HOUR_NS), Fault(200 * HOUR_NS, 210 * HOUR_NS)]}


@pytest.mark.parametrize(("threshold", "found", "others"), [(3.0, 2, 1), (5.0, 2, 0), (20.0, 1, 0), (99.0, 0, 0)])
def test_what_a_threshold_finds_and_what_it_alerts_on_besides(history, threshold, found, others) -> None:
    performance = perform(contender(threshold), history, FAULTS, {}, lambda one: one.policy.threshold / 100)
    assert (performance.found, performance.known, performance.others) == (found, 2, others)
    # Two series of about two weeks.
    assert performance.others_per_week == pytest.approx(others / 4, rel=0.01)
    assert performance.injected == threshold / 100


def test_only_what_lies_behind_the_training_counts(history) -> None:
    performance = perform(contender(3.0), history, FAULTS, {"a": 150 * HOUR_NS, "b": 260 * HOUR_NS}, None)
    assert (performance.found, performance.known, performance.others) == (1, 1, 0)
    assert np.isnan(performance.injected)


def performance(injected=0.5, found=3, others=2, weekly=1.0) -> Performance:
    return Performance(injected, found, 4, others, weekly)


@pytest.mark.parametrize(
    ("challenger", "promote", "reason"),
    [
        (performance(), False, "it is no better than the present one"),
        (performance(found=4), True, "it finds 4 of 4 known faults rather than 3"),
        (performance(found=2, injected=0.9), False, "it finds 2 of 4 known faults, not 3"),
        (performance(others=1, weekly=0.5), True, "1 other incidents rather than 2"),
        (performance(others=9, weekly=4.0, found=4), False, "4 other incidents per series and week are more than 1"),
        (performance(injected=0.6), True, "injected faults: 0.600 rather than 0.500"),
        (performance(injected=0.4, found=4), False, "injected faults: 0.400 against 0.500"),
        (performance(injected=0.505), False, "it is no better than the present one"),
    ],
)
def test_the_better_one_is_worse_in_nothing(challenger, promote, reason) -> None:
    assert decide(performance(), challenger, 1.0) == Decision(promote, (reason,))


def test_without_injected_faults_the_rest_decides() -> None:
    nan = float("nan")
    assert decide(performance(nan), performance(nan, found=4), 1.0).promote
