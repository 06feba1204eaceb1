from __future__ import annotations

from dataclasses import replace

import pytest

from detector.alerting.policy import IncidentPolicy
from detector.errors import ConfigError


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold": 0.0}, "the threshold is 0.0; it must be a finite number above 0"),
        ({"threshold": float("nan")}, "the threshold is nan; it must be a finite number above 0"),
        ({"threshold": float("inf")}, "the threshold is inf; it must be a finite number above 0"),
        ({"quiet_score": 1.5}, "quiet_score is 1.5; it must lie between 0 and the threshold 1.0"),
        ({"quiet_score": float("nan")}, "quiet_score is nan; it must lie between 0 and the threshold 1.0"),
        ({"open_after": 0}, "open_after is 0; it must be at least 1"),
        ({"close_after": 0}, "close_after is 0; it must be at least 1"),
        ({"update_every_ns": 0}, "update_every_ns is 0; it must be at least 1"),
        ({"top_channels": 0}, "top_channels is 0; it must be at least 1"),
        ({"cool_down_ns": -1}, "cool_down_ns is -1; it must not be negative"),
        (
            {"warning_ratio": 6.0},
            "warning_ratio is 6.0 and critical_ratio 5.0; neither may be below 1, nor critical below warning",
        ),
        (
            {"warning_ratio": 0.5},
            "warning_ratio is 0.5 and critical_ratio 5.0; neither may be below 1, nor critical below warning",
        ),
    ],
)
def test_a_number_that_makes_no_sense_is_named(policy: IncidentPolicy, changes, message):
    with pytest.raises(ConfigError) as raised:
        replace(policy, **changes)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("ratio", "severity"),
    [(1.0, "info"), (1.999, "info"), (2.0, "warning"), (4.999, "warning"), (5.0, "critical"), (1e300, "critical")],
)
def test_severity_goes_by_the_peak(policy: IncidentPolicy, ratio, severity):
    assert policy.severity(ratio) == severity


def test_another_threshold_keeps_the_share_at_which_an_incident_is_over(policy: IncidentPolicy):
    found = replace(policy, threshold=4.0, quiet_score=3.0).at_threshold(8.0)
    assert (found.threshold, found.quiet_score) == (8.0, 6.0)


def test_another_threshold_may_be_where_rounding_would_put_what_is_quiet_above_it(policy: IncidentPolicy):
    before, after = 7.65, 0.12
    assert before * (after / before) > after
    found = replace(policy, threshold=before, quiet_score=before).at_threshold(after)
    assert (found.threshold, found.quiet_score) == (after, after)
