"""Growth is found where it is, and not where measurements only wander."""

from __future__ import annotations

import numpy as np
import pytest

from tests.chaos.leaks import slope

SECONDS = np.arange(0, 1800.0)


def test_a_straight_line() -> None:
    found = slope(SECONDS, 100 + 50 * SECONDS / 3600)
    assert found is not None
    assert found.per_hour == pytest.approx(50)
    assert found.exceeds(49)
    assert not found.exceeds(51)


def test_the_usual_interval_where_samples_are_independent() -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(200):
        found = slope(SECONDS, 100 + 10 * SECONDS / 3600 + rng.normal(size=len(SECONDS)))
        assert found is not None
        inside += found.low < 10 < found.high
    assert 180 <= inside <= 200  # 95% of 200, give or take


def test_what_only_wanders_is_no_leak() -> None:
    # Each value is near the one before, as memory is. Taken for independent, most of such series would count as growing
    # or shrinking.
    rng = np.random.default_rng(2)
    alarms = 0
    for _ in range(200):
        noise = rng.normal(size=len(SECONDS))
        values = np.zeros(len(SECONDS))
        for i in range(1, len(values)):
            values[i] = 0.95 * values[i - 1] + noise[i]
        found = slope(SECONDS, values)
        assert found is not None
        alarms += found.low > 0 or found.high < 0
    assert alarms <= 24  # 5% of 200, and some more since the autocorrelation is itself estimated


def test_a_leak_under_noise_is_found() -> None:
    rng = np.random.default_rng(3)
    found = slope(SECONDS, 150 + 60 * SECONDS / 3600 + rng.normal(size=len(SECONDS)))
    assert found is not None
    assert found.exceeds(30)


def test_too_little_says_nothing() -> None:
    assert slope(SECONDS[:20], SECONDS[:20]) is None


def test_what_stands_still_does_not_grow() -> None:
    found = slope(SECONDS, np.full(len(SECONDS), 7.0))
    assert found is not None
    assert (found.per_hour, found.low, found.high) == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)
