"""Times and durations as people type them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from detector.errors import ConfigError
from detector.moments import parse_moment, parse_span

NOW = datetime(2026, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC)
NOW_NS = 1_772_366_400_500_000_000
DAY_NS = 86_400_000_000_000
NEW_YEAR_NS = 1_767_225_600_000_000_000


class TestMoment:
    @pytest.mark.parametrize(
        ("text", "expected_ns"),
        [
            ("2026-01-01", NEW_YEAR_NS),
            ("2026-01-01T00:00:00Z", NEW_YEAR_NS),
            ("2026-01-01T00:00:00", NEW_YEAR_NS),
            ("2026-01-01 00:00", NEW_YEAR_NS),
            ("2026-01-01T01:00:00+01:00", NEW_YEAR_NS),
            ("2025-12-31T19:00:00-05:00", NEW_YEAR_NS),
            ("1970-01-01", 0),
            ("1969-12-31T23:59:59.5Z", -500_000_000),
            ("0001-01-01", -(2**63)),
            ("0001-01-01T00:00:00+14:00", -(2**63)),
            ("9999-12-31T23:59:59-14:00", 2**63 - 1),
            ("10000000d", -(2**63)),
        ],
    )
    def test_a_time_with_or_without_zone(self, text, expected_ns):
        assert parse_moment(text, "--since", NOW) == expected_ns

    def test_microseconds_are_exact(self):
        # As a float, this time has a resolution of about 0.2 us, so that the last digit would be lost.
        assert parse_moment("2026-01-01T00:00:00.123457Z", "--since", NOW) == NEW_YEAR_NS + 123_457_000

    @pytest.mark.parametrize(
        ("text", "before_ns"),
        [("1d", DAY_NS), ("14d", 14 * DAY_NS), ("1h30m", 5_400_000_000_000), ("90s", 90_000_000_000), ("0s", 0)],
    )
    def test_a_duration_counts_back_from_now(self, text, before_ns):
        assert parse_moment(text, "--since", NOW) == NOW_NS - before_ns

    @pytest.mark.parametrize(
        "text",
        [
            "yesterday",
            "2026-13-01",
            "",
            "-",
            "5 fortnights",
            "2026-01-01T25:00",
            "nan",
            "inf",
            "1e305",
            "9999999999999d",
        ],
    )
    def test_anything_else_is_refused_with_both_ways_to_write_it(self, text):
        with pytest.raises(ConfigError) as refused:
            parse_moment(text, "--until", NOW)
        assert str(refused.value) == (
            f"--until: {text!r} is neither a time such as 2026-01-31T08:00:00Z nor a duration before now such as 14d"
        )


class TestSpan:
    @pytest.mark.parametrize(
        ("text", "seconds"), [("90s", 90.0), ("2h", 7200.0), ("7d", 604_800.0), ("1h30m", 5400.0), ("10", 10.0)]
    )
    def test_durations(self, text, seconds):
        assert parse_span(text, "--period") == seconds

    @pytest.mark.parametrize("text", ["soon", "5 parsecs", "2026-01-01", ""])
    def test_text_that_is_no_duration_is_refused(self, text):
        with pytest.raises(ConfigError) as refused:
            parse_span(text, "--period")
        assert str(refused.value) == (
            f"--period: {text!r} is not a duration; write seconds or text such as 90s, 5m, 1h30m, 7d"
        )

    @pytest.mark.parametrize("text", ["-5", "-inf", "inf", "nan"])
    def test_a_span_is_neither_negative_nor_infinite(self, text):
        with pytest.raises(ConfigError, match=rf"^--period: '{text}' is not a duration; write seconds or text"):
            parse_span(text, "--period")
