from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.alerting.timestamps import format_time, parse_time


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_767_323_045_678_000_000, "2026-01-02T03:04:05.678Z"),
        (1_767_323_045_678_900_000, "2026-01-02T03:04:05.678900Z"),
        (1_767_323_045_678_900_001, "2026-01-02T03:04:05.678900001Z"),
        (-1_000_000, "1969-12-31T23:59:59.999Z"),
        (2**63 - 1, "2262-04-11T23:47:16.854775807Z"),
    ],
)
def test_times_are_utc_with_milliseconds_or_as_many_decimals_as_it_takes(time_ns, text):
    assert format_time(time_ns) == text
    assert parse_time(text) == time_ns


@given(st.integers(-(2**63), 2**63 - 1))
def test_no_time_loses_anything(time_ns):
    assert parse_time(format_time(time_ns)) == time_ns


@pytest.mark.parametrize(
    "text", ["", "2026-01-02", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.678+01:00", "2026-01-02T03:04:05.678Z\n"]
)
def test_another_form_is_refused(text):
    with pytest.raises(ValueError, match=r"is not a time of the form 2026-01-02T03:04:05\.678Z$"):
        parse_time(text)


def test_a_time_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="month must be in"):
        parse_time("2026-13-02T03:04:05.678Z")
