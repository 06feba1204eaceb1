from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from detector.alerting.lifecycle import Lifecycle, count_incidents

SECOND = 1_000_000_000


def times(count):
    return np.arange(count, dtype=np.int64) * SECOND


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([], 0),
        ([0.1] * 5, 0),
        ([1.5, 0.1] * 5, 0),
        ([1.5] * 10, 1),
        ([1.5, 1.5, 0.1, 0.1, 1.5, 1.5], 1),
        ([1.5, 1.5, 0.1, 0.1, 0.1, 1.5, 1.5], 2),
        ([1.5, 1.5, 0.1, 0.1, 0.1, 1.5, 0.1, 1.5, 1.5], 2),
        ([float("nan"), 1.5, float("nan"), 1.5], 1),
    ],
)
def test_counts_what_would_open(policy, scores, expected):
    assert count_incidents(np.array(scores), times(len(scores)), policy) == expected


def test_the_cool_down_counts_in_event_time(policy):
    scores = np.array([1.5, 1.5, 0.1, 0.1, 0.1, 1.5, 1.5, 0.1])
    cooling = replace(policy, cool_down_ns=10 * SECOND)
    assert count_incidents(scores, times(8), cooling) == 1
    assert count_incidents(scores, times(8) * 10, cooling) == 2


def test_quiet_stretches_are_never_stepped_through(policy, monkeypatch):
    # 100 thousand scores with ten short faults: only the faults and the quiet samples that end them are looked at.
    calls = 0
    advance = Lifecycle.advance

    def counted(self, score, time_ns, policy):
        nonlocal calls
        calls += 1
        return advance(self, score, time_ns, policy)

    monkeypatch.setattr(Lifecycle, "advance", counted)
    scores = np.full(100_000, 0.1)
    for start in range(5_000, 100_000, 10_000):
        scores[start : start + 4] = 1.5
    assert count_incidents(scores, times(100_000), policy) == 10
    assert calls == 10 * (4 + 3)


def test_arrays_of_different_length_are_refused(policy):
    message = r"^scores has the shape \(3,\) and time_ns \(4,\); both must be \[n\]$"
    with pytest.raises(ValueError, match=message):
        count_incidents(np.zeros(3), times(4), policy)
