"""Injected faults as a measure of two models on a history."""

from __future__ import annotations

import numpy as np
import pytest

from detector.retraining.injected import on_injected
from tests.retraining.test_comparison import HOUR_NS, contender


@pytest.fixture(scope="module")
def history():
    noise = np.random.default_rng(0)
    return {name: (np.arange(2000) * HOUR_NS, noise.normal(size=(2000, 1))) for name in ("a", "b")}


def test_the_same_model_is_as_good_again_and_only_late_rows_count(history) -> None:
    late = {"a": 1000 * HOUR_NS, "b": 1000 * HOUR_NS}
    measure = on_injected(history, late)
    first = measure(contender(3.0))
    assert 0.2 < first < 1.0
    # The threshold plays no part.
    assert measure(contender(99.0)) == first
    # What lies before says nothing.
    spoilt = {
        name: (times, np.where(times[:, None] < late[name], 50.0, values)) for name, (times, values) in history.items()
    }
    assert on_injected(spoilt, late)(contender(3.0)) == first
    assert on_injected(history, late, seed=1)(contender(3.0)) != first


def test_too_few_faults_measure_nothing(history) -> None:
    assert np.isnan(on_injected(history, {"a": 1950 * HOUR_NS, "b": 1950 * HOUR_NS})(contender(3.0)))
