from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.errors import InvalidRecordError
from detector.records.times import END_NS, time_parser

S = 1_700_000_000
NS = S * 10**9


@pytest.mark.parametrize(
    ("unit", "value", "time_ns"),
    [
        ("auto", S, NS),
        ("auto", S * 10**3, NS),
        ("auto", S * 10**6, NS),
        ("auto", S * 10**9, NS),
        ("auto", 0, 0),
        ("auto", 5, 5 * 10**9),
        ("auto", float(S), NS),
        ("auto", S + 0.123, NS + 123_000_000),
        ("auto", S + 0.123456, NS + 123_456_000),
        ("auto", S * 1000 + 0.5, NS + 500_000),
        ("auto", str(S), NS),
        ("auto", f" {S}.5 ", NS + 500_000_000),
        ("auto", "1.7e12", NS),
        ("auto", "2023-11-14T22:13:20Z", NS),
        # The turns from one unit to the next.
        ("auto", 99_999_999_999, -1),
        ("auto", 10**11, 10**11 * 10**6),
        ("auto", 10**14 - 1, -1),
        ("auto", 10**14, 10**14 * 10**3),
        ("auto", 10**17, 10**17),
        ("s", S, NS),
        ("ms", 5, 5_000_000),
        ("us", 5, 5_000),
        ("us", 5.25, 5_000),
        ("ns", 5, 5),
        ("ns", 1e18, 10**18),
        ("ms", "2023-11-14T22:13:20Z", NS),
        ("iso8601", "20231114", 1_699_920_000 * 10**9),
    ],
)
def test_numbers_of_each_unit(unit, value, time_ns):
    if time_ns < 0:
        with pytest.raises(InvalidRecordError, match=r"^bad_time"):
            time_parser(unit)(value)
    else:
        assert time_parser(unit)(value) == time_ns


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("2023-11-14T22:13:20Z", NS),
        ("2023-11-14t22:13:20z", NS),
        ("2023-11-14 22:13:20", NS),
        ("2023-11-14T22:13:20", NS),
        ("2023-11-14T22:13:20 +00:00", NS),
        ("2023-11-14T23:13:20+01:00", NS),
        ("2023-11-14T23:13:20+01", NS),
        ("2023-11-15T03:43:20+0530", NS),
        ("2023-11-14T14:13:20-08:00", NS),
        ("20231114T221320Z", NS),
        ("2023-11-14T22:13:20.5Z", NS + 500_000_000),
        ("2023-11-14T22:13:20,123Z", NS + 123_000_000),
        ("2023-11-14T22:13:20.123456789Z", NS + 123_456_789),
        ("2023-11-14T22:13:20.1234567899Z", NS + 123_456_789),
        ("2023-11-14T22:13Z", NS - 20 * 10**9),
        ("2023-11-14", 1_699_920_000 * 10**9),
        ("2024-02-29T00:00:00Z", 1_709_164_800 * 10**9),
        ("2016-12-31T23:59:60Z", 1_483_228_800 * 10**9),
        ("1970-01-01T00:00:00Z", 0),
        ("2199-12-31T23:59:59.999999999Z", END_NS - 1),
    ],
)
def test_iso_8601(text, time_ns):
    assert time_parser("auto")(text) == time_ns
    assert time_parser("iso8601")(text) == time_ns


OUTSIDE = "lies outside the years 1970 to 2199; is the unit right?"


@pytest.mark.parametrize(
    ("unit", "value", "message"),
    [
        ("auto", None, "missing_time: the time is null"),
        ("iso8601", None, "missing_time: the time is null"),
        ("auto", "yesterday", "bad_time: 'yesterday' is neither a number nor ISO 8601"),
        ("auto", "", "bad_time: '' is neither a number nor ISO 8601"),
        ("auto", "٢٠٢٣-11-14", "bad_time: '٢٠٢٣-11-14' is neither a number nor ISO 8601"),
        ("auto", "9" * 41, f"bad_time: '{'9' * 41}' is neither a number nor ISO 8601"),
        ("auto", "2023-02-29T00:00:00Z", "bad_time: '2023-02-29T00:00:00Z' is not a date of the calendar"),
        ("auto", "2023-13-01", "bad_time: '2023-13-01' is not a date of the calendar"),
        ("auto", "2023-11-14T24:13:20Z", "bad_time: '2023-11-14T24:13:20Z' is not a time of day"),
        ("auto", "2023-11-14T22:13:20+25:00", "bad_time: '2023-11-14T22:13:20+25:00' is not a time of day"),
        ("auto", "1969-12-31T23:59:59Z", f"bad_time: '1969-12-31T23:59:59Z' {OUTSIDE}"),
        ("auto", "2200-01-01", f"bad_time: '2200-01-01' {OUTSIDE}"),
        ("auto", -1, f"bad_time: -1 {OUTSIDE}"),
        ("s", S * 1000, f"bad_time: {S * 1000} {OUTSIDE}"),
        ("auto", 10**30, "bad_time: the time is a number far too large"),
        ("ns", 10**400, f"bad_time: a number far too large {OUTSIDE}"),
        ("auto", float("nan"), "bad_time: nan is not a time"),
        ("s", float("inf"), "bad_time: inf is not a time"),
        ("s", 1e300, "bad_time: 1e+300 is not a time"),
        ("auto", True, "bad_time: true is not a time"),
        ("auto", {}, "bad_time: an object is not a time"),
        ("auto", [S], "bad_time: an array is not a time"),
        ("iso8601", S, f"bad_time: {S} is not ISO 8601 text, which time_unit iso8601 asks for"),
        ("iso8601", "1700000000", "bad_time: '1700000000' is neither a number nor ISO 8601"),
    ],
)
def test_what_is_no_time_says_why(unit, value, message):
    with pytest.raises(InvalidRecordError) as caught:
        time_parser(unit)(value)
    assert str(caught.value) == message


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2199, 12, 31)))
def test_iso_8601_agrees_with_the_standard_library(moment):
    expected = (moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
    assert time_parser("iso8601")(moment.isoformat()) == expected


@given(st.integers(10**9, 7 * 10**9), st.sampled_from([1, 10**3, 10**6, 10**9]))
def test_auto_finds_the_unit_of_any_time_from_2001_on(seconds, factor):
    assert time_parser("auto")(seconds * factor) == seconds * 10**9
